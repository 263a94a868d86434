"""Google's generateContent, of the Gemini API and of Vertex AI: what its bytes mean.

A format of providers only: no caller speaks it, so that it has no request to read and no answer to write.
"""

from __future__ import annotations

from ops_center.wire.gemini.answer import decode_answer
from ops_center.wire.gemini.encode_request import encode_request
from ops_center.wire.gemini.errors import read_provider_error
from ops_center.wire.gemini.stream import StreamDecoder
from ops_center.wire.gemini.usage import read_usage

__all__ = ["StreamDecoder", "decode_answer", "encode_request", "read_provider_error", "read_usage"]
