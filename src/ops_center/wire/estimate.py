"""How many tokens a request has, roughly: for providers that have no way of counting them beforehand.

Four bytes of UTF-8 are taken for a token, which holds for English prose and is too few for most other text.
A guess for planning, never for billing: what is billed comes from the provider's own figures.
"""

from __future__ import annotations

from collections.abc import Iterable

from ops_center.wire import chat

_BYTES_PER_TOKEN = 4
_TOKENS_PER_MESSAGE = 4
# A picture near the size that providers scale large ones down to; its own size is not looked at.
# https://platform.claude.com/docs/en/build-with-claude/vision#calculate-image-costs (2026-11)
_TOKENS_PER_IMAGE = 1500
_TOKENS_PER_FILE = 3000  # a page or two of a PDF, by the same source


def estimate_input_tokens(request: chat.ChatRequest) -> int:
    size = tokens = 0
    for message in request.messages:
        tokens += _TOKENS_PER_MESSAGE
        more_bytes, more_tokens = _measure(message.parts)
        size += more_bytes
        tokens += more_tokens
    for tool in request.tools:
        if tool.native:
            size += len(bytes(tool.native.raw))
        else:
            size += (
                len(tool.name) + len((tool.description or "").encode()) + len(bytes(tool.parameters or b""))
            )
    if request.response_format and request.response_format.schema is not None:
        size += len(bytes(request.response_format.schema))
    return tokens - (-size // _BYTES_PER_TOKEN)


def _measure(parts: Iterable[chat.Part]) -> tuple[int, int]:
    """Bytes of text, and tokens of what is not text."""
    size = tokens = 0
    for part in parts:
        if isinstance(part, chat.Text | chat.Refusal):
            size += len(part.text.encode())
        elif isinstance(part, chat.ToolCall):
            size += len(part.name) + len(part.arguments.encode())
        elif isinstance(part, chat.ToolResult):
            inner_size, inner_tokens = _measure(part.parts)
            size += inner_size
            tokens += inner_tokens
        elif isinstance(part, chat.Image):
            tokens += _TOKENS_PER_IMAGE
        elif isinstance(part, chat.File):
            if part.text is not None:
                size += len(part.text.encode())
            else:
                tokens += _TOKENS_PER_FILE
        elif isinstance(part, chat.Native):
            size += len(bytes(part.raw))
    return size, tokens  # thinking of earlier turns is not counted as input
