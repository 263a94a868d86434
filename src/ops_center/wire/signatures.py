"""Marks a maker's proof of its thinking, so that it never goes back to another maker.

Clients keep signatures as they get them and send them back with the conversation, to whichever model then
answers it. A signature is opaque to everybody but the maker of the model. Claude's are unmarked: they are
the same at Anthropic, on Bedrock and behind resellers. Any other's carries in front the maker's name, or the
name of the format it came from; base64 holds neither `#` nor a colon, so none can look like a marked one.
"""

from __future__ import annotations

GEMINI = "gemini"

_MARK = "ops:"
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
    return not signature.startswith((*_MARKS.values(), _MARK))


def mark(signature: str, origin: str | None, home: str) -> str:
    """The signature as it is written in the format `home`."""
    return signature if origin is None or origin == home else f"{_MARK}{origin}:{signature}"


def unmark(signature: str, home: str) -> tuple[str, str]:
    """The signature as its maker wrote it, and the format of that maker."""
    if signature.startswith(_MARK):
        origin, colon, rest = signature[len(_MARK) :].partition(":")
        if colon:
            return rest, origin
    return signature, home
