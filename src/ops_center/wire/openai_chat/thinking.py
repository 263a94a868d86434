"""Thinking as OpenAI's format carries it by the habits of others: blocks with the signatures of their makers.

https://docs.litellm.ai/docs/reasoning_content (2026-11). OpenAI itself shows no thinking in this format.
"""

from __future__ import annotations

from collections.abc import Iterable

from ops_center.wire import chat
from ops_center.wire.signatures import mark, unmark

_HOME = chat.ANTHROPIC_MESSAGES  # the blocks are Anthropic's: a signature without a mark is its own


def signed_thinking(text: str, signature: str | None) -> chat.Thinking:
    if not signature:
        return chat.Thinking(text=text)
    own, origin = unmark(signature, _HOME)
    return chat.Thinking(text=text, signature=own, origin=origin)


def signature_event(signature: str, choice: int) -> chat.ThinkingSignature:
    own, origin = unmark(signature, _HOME)
    return chat.ThinkingSignature(own, choice, origin)


def thinking_blocks(thinking: Iterable[chat.Thinking]) -> list[dict[str, str]]:
    return [
        {"type": "redacted_thinking", "data": part.redacted}
        if part.redacted is not None
        else thinking_block(part.text, part.signature or "", part.origin)
        for part in thinking
    ]


def thinking_block(text: str, signature: str, origin: str | None) -> dict[str, str]:
    return {"type": "thinking", "thinking": text, "signature": mark(signature, origin, _HOME)}
