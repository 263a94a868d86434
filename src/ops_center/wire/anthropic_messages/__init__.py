"""Anthropic's messages: what its bytes mean, for requests, answers, streams and errors.

Every module of a format offers the same names; `formats.WIRES` lists them.
"""

from __future__ import annotations

from ops_center.wire.anthropic_messages.answer import (
    decode_answer,
    encode_answer,
    read_answer_usage,
    read_end,
)
from ops_center.wire.anthropic_messages.decode_request import decode_request
from ops_center.wire.anthropic_messages.encode_request import encode_request
from ops_center.wire.anthropic_messages.errors import encode_error, encode_stream_error
from ops_center.wire.anthropic_messages.stream import StreamDecoder, StreamEncoder
from ops_center.wire.anthropic_messages.usage import UsageCounter, read_usage
from ops_center.wire.chat import AnswerFacts, ProviderErrorFacts, without_own
from ops_center.wire.provider_errors import read_provider_error

__all__ = [
    "AnswerFacts",
    "ProviderErrorFacts",
    "StreamDecoder",
    "StreamEncoder",
    "UsageCounter",
    "decode_answer",
    "decode_request",
    "encode_answer",
    "encode_error",
    "encode_request",
    "encode_stream_error",
    "read_answer_usage",
    "read_end",
    "read_provider_error",
    "read_usage",
    "without_own",
]
