"""OpenAI's Responses: what its bytes mean, for requests, answers, streams and errors.

Every module of a format offers the same names; `formats.WIRES` lists them. The gateway keeps no state:
what hangs on an earlier response is refused unless the provider itself speaks this format.
"""

from __future__ import annotations

from ops_center.wire.chat import AnswerFacts, ProviderErrorFacts
from ops_center.wire.openai_responses.answer import decode_answer, encode_answer, read_answer_usage
from ops_center.wire.openai_responses.decode_request import decode_request, without_own
from ops_center.wire.openai_responses.encode_request import encode_request
from ops_center.wire.openai_responses.errors import encode_error, encode_stream_error
from ops_center.wire.openai_responses.read_stream import StreamDecoder
from ops_center.wire.openai_responses.usage import read_usage
from ops_center.wire.openai_responses.write_stream import StreamEncoder
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
    "read_answer_usage",
    "read_provider_error",
    "read_usage",
    "without_own",
]
