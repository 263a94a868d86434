"""The formats by name: each value is the module that reads and writes it (same names in every module).

A format that clients speak has `decode_request`, `without_own`, `encode_answer`, `StreamEncoder`,
`encode_error` and `encode_stream_error`; one that providers speak `encode_request`, `decode_answer`,
`StreamDecoder` and `read_provider_error`; one that may pass through untouched `read_answer_usage`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType

from ops_center.wire import (
    anthropic_messages,
    bedrock_converse,
    chat,
    cohere_chat,
    gemini,
    openai_chat,
    openai_completions,
    openai_responses,
)

WIRES: Mapping[str, ModuleType] = {
    chat.OPENAI_CHAT: openai_chat,
    chat.OPENAI_RESPONSES: openai_responses,
    chat.OPENAI_COMPLETIONS: openai_completions,
    chat.ANTHROPIC_MESSAGES: anthropic_messages,
    "gemini": gemini,
    "bedrock_converse": bedrock_converse,
    "cohere_chat": cohere_chat,
}
