"""Names of ours for families of models: each stands for the first of its candidates that somebody serves.

Data only. The newest model of a family comes first, so that a name keeps meaning "the current one"; who
needs a certain model asks for it by its own id, which always wins over an alias.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple


class AliasRow(NamedTuple):
    """`name` as clients send it; `candidates` as models' own ids, the best first."""

    name: str
    candidates: tuple[str, ...]


_SMALL_LLAMA = (
    "llama-3.1-8b-instruct",
    "llama-3.1-8b-instant",
    "meta-llama-3.1-8b-instruct",
    "llama-3.1-8b-instruct-fp8",
    "llama3.1:8b",
)
_FIRST_LLAMA_3 = (
    "llama-3-8b-instruct",
    "meta-llama-3-8b-instruct",
    "meta-llama-3-8b-instruct-lite",
    "llama3:8b",
)
_HAIKU = (
    "claude-haiku-4-5",
    "claude-haiku-4-5-20251001",
    "claude-3-5-haiku-20241022",
    "claude-3-5-haiku",
    "claude-3-haiku",
)
_SONNET = (
    "claude-sonnet-5",
    "claude-sonnet-4-6",
    "claude-sonnet-4-5",
    "claude-sonnet-4-5-20250929",
    "claude-sonnet-4",
    "claude-sonnet-4-20250514",
    "claude-3-7-sonnet-20250219",
)
_OPUS = (
    "claude-opus-4-8",
    "claude-opus-4-7",
    "claude-opus-4-6",
    "claude-opus-4-5",
    "claude-opus-4-5-20251101",
    "claude-opus-4-1",
    "claude-opus-4-1-20250805",
    "claude-opus-4",
    "claude-opus-4-20250514",
    "claude-3-opus-20240229",
)
_MIXTRAL = ("mixtral-8x7b-instruct", "open-mixtral-8x7b", "mixtral-8x7b-instruct-v0.1", "mixtral:8x7b")

# Newest first, from the packaged catalogue of 2026-07-02. A name that is also a model's own id leads to that
# model's dated releases, or to successors of the same maker that cost no more; never to a dearer model, for
# who names a model has its price in mind.
ALIASES: tuple[AliasRow, ...] = (
    AliasRow("llama-3-8b", (*_FIRST_LLAMA_3, "llama-3.1-8b", *_SMALL_LLAMA)),
    AliasRow("llama-3.1-8b", _SMALL_LLAMA),
    AliasRow("llama-3-70b", ("llama-3-70b-instruct", "llama-3.3-70b-instruct", "llama-3.3-70b-versatile")),
    AliasRow("llama-3.3-70b", ("llama-3.3-70b-instruct", "llama-3.3-70b-versatile")),
    AliasRow("mixtral-8x7b", (*_MIXTRAL, "mistral-small-latest", "mistral-small-2603", "mistral-nemo")),
    AliasRow("mixtral-8x22b", ("mixtral-8x22b-instruct", "open-mixtral-8x22b")),
    AliasRow("gpt-4", ("gpt-4-0613", "gpt-4.1", "gpt-4o", "gpt-4-turbo")),
    AliasRow("gpt-4-turbo", ("gpt-4-turbo-2024-04-09", "gpt-4.1", "gpt-4o")),
    AliasRow("gpt-4o", ("gpt-4o-2024-11-20", "gpt-4o-2024-08-06")),
    AliasRow("gpt-4o-mini", ("gpt-4o-mini-2024-07-18", "gpt-4.1-nano")),
    AliasRow("gpt-3.5-turbo", ("gpt-3.5-turbo-0125", "gpt-4o-mini")),
    AliasRow("claude-haiku", _HAIKU),
    AliasRow("claude-sonnet", _SONNET),
    AliasRow("claude-opus", _OPUS),
    AliasRow("claude-haiku-latest", _HAIKU),
    AliasRow("claude-sonnet-latest", _SONNET),
    AliasRow("claude-opus-latest", _OPUS),
    AliasRow(
        "gemini-flash",
        ("gemini-3.5-flash", "gemini-3-flash-preview", "gemini-2.5-flash", "gemini-flash-latest"),
    ),
    AliasRow("gemini-pro", ("gemini-3.1-pro-preview", "gemini-3-pro-preview", "gemini-2.5-pro")),
)

PACKAGED: Mapping[str, tuple[str, ...]] = {row.name: row.candidates for row in ALIASES}


def merged(changed: Mapping[str, Sequence[str]]) -> Iterator[AliasRow]:
    """The packaged aliases with an admin's candidates in place of their own, then those of the admin alone."""
    for name in {**PACKAGED, **changed}:
        yield AliasRow(name, tuple(changed.get(name) or PACKAGED[name]))
