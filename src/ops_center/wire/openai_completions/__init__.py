"""OpenAI's legacy completions: what its bytes mean, for requests, answers and streams of clients.

Providers are never translated to it; those that speak it are passed the caller's bytes. Every module of a
format offers the same names; `formats.WIRES` lists them.
"""

from __future__ import annotations

from ops_center.wire.chat import AnswerFacts, ProviderErrorFacts
from ops_center.wire.openai_chat.errors import encode_error, encode_stream_error
from ops_center.wire.openai_completions.answer import encode_answer, read_answer_usage
from ops_center.wire.openai_completions.decode_request import decode_request, without_own
from ops_center.wire.openai_completions.stream import StreamEncoder
from ops_center.wire.provider_errors import read_provider_error

__all__ = [
    "AnswerFacts",
    "ProviderErrorFacts",
    "StreamEncoder",
    "decode_request",
    "encode_answer",
    "encode_error",
    "encode_stream_error",
    "read_answer_usage",
    "read_provider_error",
    "without_own",
]
