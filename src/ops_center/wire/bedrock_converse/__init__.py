"""Amazon Bedrock's Converse, for the models of every maker there: what its bytes mean.

A format of providers only: no caller speaks it, so that it has no request to read and no answer to write.
Its streams are framed by `event_stream`, not by server-sent events.
"""

from __future__ import annotations

from ops_center.wire.bedrock_converse.answer import decode_answer
from ops_center.wire.bedrock_converse.encode_request import encode_request
from ops_center.wire.bedrock_converse.event_stream import EventStreamReader as StreamReader
from ops_center.wire.bedrock_converse.stream import StreamDecoder
from ops_center.wire.bedrock_converse.usage import read_usage
from ops_center.wire.provider_errors import read_provider_error

__all__ = [
    "StreamDecoder",
    "StreamReader",
    "decode_answer",
    "encode_request",
    "read_provider_error",
    "read_usage",
]
