"""Which models cache the beginning of a prompt only where the caller marks it, and from how many tokens on.

What finds by itself what is worth caching (OpenAI, Gemini, DeepSeek, ...) is not among them: nobody need be told.
"""

from __future__ import annotations

import functools

from ops_center.catalog.names import canonical_name

LIFETIME_SECONDS = 300  # of what is cached, counted anew with each read

# https://platform.claude.com/docs/en/build-with-claude/prompt-caching#cache-limitations, and the page of each model
# below /docs/en/models (2026-11). The first that a name contains; a new one: what the most demanding asks for.
_FROM_TOKENS = (
    ("claude-opus-5", 512),
    ("claude-fable-5-1", 512),
    ("claude-opus-4-8", 1024),
    ("claude-opus-4-7", 2048),
    ("claude-opus-4-6", 4096),
    ("claude-opus-4-5", 4096),
    ("claude-opus-4", 1024),
    ("claude-sonnet-5", 1024),
    ("claude-sonnet-4-6", 2048),
    ("claude-sonnet-4", 1024),
    ("claude-3-5-haiku", 2048),
    ("claude-3-haiku", 2048),
    ("claude-3", 1024),
    ("claude", 4096),
)


@functools.lru_cache(maxsize=4096)
def cached_from_tokens(model: str) -> int | None:
    """The shortest beginning that a mark makes `model` cache; None where marks are not needed, or not known."""
    name = canonical_name(model)
    return next((tokens for part, tokens in _FROM_TOKENS if part in name), None)
