"""Marks a maker's proof of its thinking, so that it never goes back to another maker.

Clients keep signatures as they get them and send them back with the conversation, to whichever model then
answers it. A signature is opaque to everybody but the maker of the model. In the format it comes from (`home`)
it stands as its maker wrote it; in any other it carries that format's name in front. Claude's are the same at
Anthropic, on Bedrock and behind resellers, and count as Anthropic's everywhere. Base64 holds no colon, so that
no signature can look like a marked one.
"""

from __future__ import annotations

_MARK = "ops:"


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
