"""What a request and its answer say, noted in passing where an admin chose to keep it. No step on the way.

Stands between the pipeline and the client's connection, and only then; what is noted is bounded, and handed on
when the answer is over. Redaction, sealing and storing are the control plane's business.
"""

from __future__ import annotations

from ops_center.dataplane.call import Call, Exchange, Headers
from ops_center.types import KeptCall

_MOST_REQUEST_BYTES = 1024 * 1024
_MOST_ANSWER_BYTES = 4 * 1024 * 1024  # of a stream, most bytes are not its text
_CONTENT_TYPE = b"content-type: "


class Kept:
    """The exchange of a call: passes everything on and notes what goes."""

    __slots__ = ("_answer", "_call", "_exchange", "_size", "_type")

    def __init__(self, call: Call) -> None:
        self._call = call
        self._exchange: Exchange = call.exchange
        self._answer = bytearray()
        self._size = 0
        self._type = b""
        call.exchange = self

    @property
    def gone(self) -> bool:
        return self._exchange.gone

    @property
    def client_address(self) -> str:
        return self._exchange.client_address

    async def answer(self, status: int, headers: Headers, body: bytes) -> None:
        self._head(headers)
        self._note(body)
        await self._exchange.answer(status, headers, body)

    async def start(self, status: int, headers: Headers) -> None:
        self._head(headers)
        await self._exchange.start(status, headers)

    async def write(self, data: bytes) -> None:
        self._note(data)
        await self._exchange.write(data)

    async def end(self, data: bytes = b"") -> None:
        self._note(data)
        await self._exchange.end(data)

    def told(self) -> KeptCall:
        """Everything that was noted."""
        call = self._call
        return KeptCall(
            request_id=call.request_id,
            started_at=call.started_at,
            client_format=call.client_format,
            request=bytes(call.body[:_MOST_REQUEST_BYTES]),
            request_size=len(call.body),
            request_type=call.headers.get(b"content-type", b"").decode("latin-1"),
            answer=bytes(self._answer),
            answer_size=self._size,
            answer_type=self._type.decode("latin-1"),
        )

    def _head(self, headers: Headers) -> None:
        for each in headers:
            for line in each.split(b"\r\n"):
                if line.startswith(_CONTENT_TYPE):
                    self._type = line.removeprefix(_CONTENT_TYPE)

    def _note(self, data: bytes) -> None:
        self._size += len(data)
        room = _MOST_ANSWER_BYTES - len(self._answer)
        if room > 0:
            self._answer += data[:room]
