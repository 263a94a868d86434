"""The formats by name: each value is the module that reads and writes it.

Formats that callers speak have the same names in every module. Those that only providers speak have the
half of them that meets a provider: encode_request, decode_answer, StreamDecoder, read_provider_error,
read_usage.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType

from ops_center.wire import anthropic_messages, bedrock_converse, cohere_chat, gemini, openai_chat

WIRES: Mapping[str, ModuleType] = {
    "openai_chat": openai_chat,
    "anthropic_messages": anthropic_messages,
    "gemini": gemini,
    "bedrock_converse": bedrock_converse,
    "cohere_chat": cohere_chat,
}
