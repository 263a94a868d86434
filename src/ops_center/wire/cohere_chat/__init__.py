"""Cohere's chat (v2): what its bytes mean.

A format of providers only: no caller speaks it, so that it has no request to read and no answer to write.
"""

from __future__ import annotations

from ops_center.wire.cohere_chat.answer import decode_answer
from ops_center.wire.cohere_chat.encode_request import encode_request
from ops_center.wire.cohere_chat.stream import StreamDecoder
from ops_center.wire.cohere_chat.usage import read_usage
from ops_center.wire.provider_errors import read_provider_error

__all__ = ["StreamDecoder", "decode_answer", "encode_request", "read_provider_error", "read_usage"]
