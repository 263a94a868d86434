"""OpenAI's chat completions: what its bytes mean, for requests, answers, streams and errors.

Every module of a format offers the same names; `formats.WIRES` lists them.
"""

from __future__ import annotations

from ops_center.wire.chat import AnswerFacts, ProviderErrorFacts, without_own
from ops_center.wire.openai_chat.answer import decode_answer, encode_answer, neutral_reason, read_answer_usage
from ops_center.wire.openai_chat.decode_request import decode_request
from ops_center.wire.openai_chat.encode_request import encode_request
from ops_center.wire.openai_chat.errors import encode_error, encode_stream_error
from ops_center.wire.openai_chat.stream import StreamDecoder, StreamEncoder
from ops_center.wire.openai_chat.usage import read_usage
from ops_center.wire.provider_errors import read_provider_error

__all__ = [
    "AnswerFacts",
    "ProviderErrorFacts",
    "StreamDecoder",
    "StreamEncoder",
    "decode_answer",
    "decode_request",
    "encode_answer",
    "encode_error",
    "encode_request",
    "encode_stream_error",
    "neutral_reason",
    "read_answer_usage",
    "read_provider_error",
    "read_usage",
    "without_own",
]
