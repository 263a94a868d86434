"""An upstream that does next to nothing: paced streams whose every chunk says when it was sent.

`python -m benchmarks.pacer` is a process of its own: the simulator, which counts, prices and checks, could not
send 20,000 chunks a second beside the clients on one core. Clocks of processes on one machine agree
(CLOCK_MONOTONIC), so whoever reads a chunk knows how long it was on its way.
"""

from __future__ import annotations

import asyncio
import sys
import time
from typing import cast

import uvloop

MODEL = "paced"
MODELS = 100  # that each of its providers lists
_TICKS_PER_SECOND = 100  # streams are spread over these, so that not all chunks come at the same instant
_CHUNK = (
    b'data: {"id":"chatcmpl-p","object":"chat.completion.chunk","created":1700000000,"model":"paced",'
    b'"choices":[{"index":0,"delta":{"content":"%020d"},"finish_reason":null}]}\n\n'
)
_END = (
    b'data: {"id":"chatcmpl-p","object":"chat.completion.chunk","created":1700000000,"model":"paced",'
    b'"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
    b'data: {"id":"chatcmpl-p","object":"chat.completion.chunk","created":1700000000,"model":"paced",'
    b'"choices":[],"usage":{"prompt_tokens":10,"completion_tokens":%d,"total_tokens":%d}}\n\n'
    b"data: [DONE]\n\n"
)
_STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


class _Stream(asyncio.Protocol):
    """One connection. Requests are told apart by their first bytes; each is read whole before the next."""

    def __init__(self, pacer: Pacer) -> None:
        self._pacer = pacer
        self._got = b""
        self.transport: asyncio.Transport
        self.left = 0
        self.sent = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._got += data
        head, blank, body = self._got.partition(b"\r\n\r\n")
        if not blank or len(body) < _length(head):
            return
        self._got = b""
        if head.startswith(b"GET "):
            names = ",".join(f'{{"id":"{name}","object":"model"}}' for name in _names(head))
            answer = f'{{"object":"list","data":[{names}]}}'.encode()
            self.transport.write(
                b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b"
                % (len(answer), answer)
            )
            return
        self.left, self.sent = self._pacer.chunks, 0
        self.transport.write(_STREAM_HEAD)
        self._pacer.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.left = 0

    def beat(self) -> bool:
        """Send one chunk, or the end; False once there is nothing more to send."""
        if self.transport.is_closing():
            return False
        if self.left == 0:
            self._write(_END % (self.sent, self.sent + 10))
            self.transport.write(b"0\r\n\r\n")
            return False
        self._write(_CHUNK % time.monotonic_ns())
        self.left -= 1
        self.sent += 1
        return True

    def _write(self, data: bytes) -> None:
        self.transport.write(b"%x\r\n%b\r\n" % (len(data), data))


class Pacer:
    """All streams of the process: each has its turn once in `ticks_per_chunk` ticks."""

    def __init__(self, chunks: int, chunks_per_second: float) -> None:
        self.chunks = chunks
        self._slots: list[list[_Stream]] = [
            [] for _ in range(max(1, round(_TICKS_PER_SECOND / chunks_per_second)))
        ]
        self._next = 0

    def connection(self) -> asyncio.Protocol:
        """For `create_server`."""
        return _Stream(self)

    def add(self, stream: _Stream) -> None:
        self._slots[self._next % len(self._slots)].append(stream)
        self._next += 1

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        at, turn = loop.time(), 0
        while True:
            slot = turn % len(self._slots)
            self._slots[slot] = [stream for stream in self._slots[slot] if stream.beat()]
            turn += 1
            at = max(at + 1 / _TICKS_PER_SECOND, loop.time())
            await asyncio.sleep(at - loop.time())


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        if line[:15].lower() == b"content-length:":
            return int(line[15:])
    return 0


def _names(head: bytes) -> list[str]:
    """`/models` lists one model, `/N/models` the hundred models of provider N."""
    number = head.split(b" ")[1].split(b"/")[1].decode()
    return [f"model-{number}-{each}" for each in range(MODELS)] if number.isdigit() else [MODEL]


async def main(port: int, chunks: int, chunks_per_second: float) -> None:
    pacer = Pacer(chunks, chunks_per_second)
    loop = asyncio.get_running_loop()
    await loop.create_server(pacer.connection, "127.0.0.1", port, backlog=2048)
    await pacer.run()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
