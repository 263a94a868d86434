"""Marks a maker's proof of its thinking, so that it never goes back to another maker.

Clients keep signatures as they get them and send them back with the conversation, to whichever model then
answers it. Claude's are unmarked: they are the same at Anthropic, on Bedrock and behind resellers. Any
other maker's carries the maker's name in front.
"""

from __future__ import annotations

GEMINI = "gemini"

_MARKS = {GEMINI: f"{GEMINI}#"}


def marked(maker: str, signature: str) -> str:
    """The signature as clients get it."""
    return _MARKS[maker] + signature


def unmarked(maker: str, signature: str | None) -> str | None:
    """The signature as its maker wrote it; None for one that is another's."""
    mark = _MARKS[maker]
    return signature[len(mark) :] if signature is not None and signature.startswith(mark) else None


def is_claudes(signature: str) -> bool:
    """Whether it may go to a Claude model."""
    return not signature.startswith(tuple(_MARKS.values()))
