"""Whole answers in the format of OpenAI's legacy completions: written out of the neutral form, or only metered.

Reference: https://platform.openai.com/docs/api-reference/completions/object (2026-11).
"""

from __future__ import annotations

from typing import Any

import msgspec

from ops_center.wire import chat
from ops_center.wire.openai_chat.answer import read_answer_usage
from ops_center.wire.openai_chat.usage import write_usage

__all__ = ["completion_head", "encode_answer", "native_reason", "read_answer_usage"]


def native_reason(reason: str | None) -> str:
    """Our word as one of this format's, which knows no tools."""
    return reason if reason in (chat.LENGTH, chat.CONTENT_FILTER) else "stop"


def completion_head(request_id: str, model: str, created: int) -> dict[str, Any]:
    return {
        "id": "cmpl-" + request_id.removeprefix("req_"),
        "object": "text_completion",
        "created": created,
        "model": model,
    }


def encode_answer(
    answer: chat.ChatAnswer,
    *,
    model: str,
    request_id: str,
    created: int,
    request: chat.ChatRequest | None = None,
) -> bytes:
    """The text of each choice; thinking has no place in this format."""
    body = completion_head(request_id, model, answer.created if answer.created is not None else created)
    body["choices"] = [
        {
            "text": "".join(p.text for p in choice.parts if isinstance(p, chat.Text | chat.Refusal)),
            "index": choice.index,
            "logprobs": None,
            "finish_reason": native_reason(choice.finish_reason),
        }
        for choice in answer.choices
    ]
    if answer.usage is not None:
        body["usage"] = write_usage(answer.usage)
    return msgspec.json.encode(body)
