"""The protocol under the data plane, spoken to in bytes: framing, turns, refusals and goodbyes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from tests.plane import SECRET, RunningPlane, running_plane

from ops_center.dataplane import server
from ops_center.simulator.config import SimulatorConfig

pytestmark = pytest.mark.anyio

_BODY = json.dumps({"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Say hello"}]}).encode()
_KEY = f"Authorization: Bearer {SECRET}\r\n".encode()


@asynccontextmanager
async def connected(plane: RunningPlane) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(plane.url.rpartition(":")[2]))
    try:
        yield reader, writer
    finally:
        writer.close()


def request(
    body: bytes = _BODY,
    *,
    method: bytes = b"POST",
    target: bytes = b"/v1/chat/completions",
    more: bytes = b"",
) -> bytes:
    return b"%b %b HTTP/1.1\r\nHost: x\r\n%b%bContent-Length: %d\r\n\r\n%b" % (
        method,
        target,
        _KEY,
        more,
        len(body),
        body,
    )


async def answer(
    reader: asyncio.StreamReader, *, bodiless: bool = False
) -> tuple[int, dict[str, str], bytes]:
    """One whole answer, by its length or its chunks."""
    async with asyncio.timeout(5):
        lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:-2])}
        body = b""
        if bodiless:
            pass
        elif "content-length" in headers:
            body = await reader.readexactly(int(headers["content-length"]))
        elif headers.get("transfer-encoding") == "chunked":
            while size := int((await reader.readline()).strip(), 16):
                body += await reader.readexactly(size)
                await reader.readexactly(2)
            await reader.readexactly(2)
        else:
            body = await reader.read()
    return int(lines[0].split(" ")[1]), headers, body


async def ended(reader: asyncio.StreamReader) -> bool:
    async with asyncio.timeout(5):
        return await reader.read() == b""


async def test_a_request_cut_at_every_byte_is_one_request() -> None:
    async with running_plane() as plane, connected(plane) as (reader, writer):
        whole = request()
        for cut in range(1, len(whole), 7):
            writer.write(whole[:cut])
            await writer.drain()
            await asyncio.sleep(0)
            writer.write(whole[cut:])
            status, _, body = await answer(reader)
            assert (status, json.loads(body)["object"]) == (200, "chat.completion")


async def test_pipelined_requests_are_answered_in_their_order() -> None:
    async with running_plane() as plane, connected(plane) as (reader, writer):
        models = b"GET /v1/models HTTP/1.1\r\nHost: x\r\n" + _KEY + b"\r\n"
        elsewhere = b"GET /elsewhere HTTP/1.1\r\nHost: x\r\n\r\n"
        writer.write(request() + models + elsewhere + request(b"{"))
        kinds = []
        for _ in range(4):
            status, _, body = await answer(reader)
            kinds.append((status, json.loads(body).get("object") if body else None))
        assert kinds == [(200, "chat.completion"), (200, "list"), (404, None), (400, None)]


async def test_a_chunked_body_is_read_like_any_other() -> None:
    async with running_plane() as plane, connected(plane) as (reader, writer):
        writer.write(b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\n" + _KEY)
        writer.write(b"Transfer-Encoding: chunked\r\n\r\n")
        for start in range(0, len(_BODY), 10):
            piece = _BODY[start : start + 10]
            writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        writer.write(b"0\r\n\r\n")
        assert (await answer(reader))[0] == 200


async def test_a_chunked_body_above_the_bound_is_413(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "MAX_BODY_BYTES", 1000)
    async with running_plane() as plane, connected(plane) as (reader, writer):
        writer.write(b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\n" + _KEY)
        writer.write(b"Transfer-Encoding: chunked\r\n\r\n3e9\r\n" + b"x" * 1001 + b"\r\n")
        status, headers, _ = await answer(reader)
        assert (status, headers["connection"]) == (413, "close")
        writer.write(b"0\r\n\r\n")
        assert await ended(reader)
        assert plane.simulator.requests == []


async def test_a_body_that_waits_for_leave_gets_it_only_when_it_is_taken() -> None:
    async with running_plane() as plane:
        async with connected(plane) as (reader, writer):
            head, body = request(more=b"Expect: 100-continue\r\n").split(b"\r\n\r\n", 1)
            writer.write(head + b"\r\n\r\n")
            async with asyncio.timeout(5):
                assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
            writer.write(body)
            assert (await answer(reader))[0] == 200
        async with connected(plane) as (reader, writer):
            writer.write(b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n")
            writer.write(b"Content-Length: 99999999999\r\n\r\n")
            assert (await answer(reader))[0] == 413


@pytest.mark.parametrize(
    "framing",
    [
        b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
        b"Content-Length: 4\r\nContent-Length: 5\r\n",
        b"Content-Length: -1\r\n",
        b"Content-Length: 1x\r\n",
        b"Transfer-Encoding: chunked, identity\r\n",
        b"Bad Header: 1\r\nContent-Length: 0\r\n",
        b"X: " + b"x" * 70_000 + b"\r\nContent-Length: 0\r\n",
    ],
)
async def test_ambiguous_framing_is_refused_and_the_connection_closed(framing: bytes) -> None:
    async with running_plane() as plane, connected(plane) as (reader, writer):
        writer.write(b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\n" + _KEY + framing)
        writer.write(b"\r\n0\r\n\r\n" + request())
        assert (await answer(reader))[0] == 400
        assert await ended(reader)
        assert plane.simulator.requests == []


async def test_http_1_0_gets_no_chunks_and_a_closed_connection() -> None:
    async with running_plane() as plane:
        for stream in (False, True):
            body = json.dumps({**json.loads(_BODY), "stream": stream}).encode()
            async with connected(plane) as (reader, writer):
                writer.write(request(body).replace(b"HTTP/1.1", b"HTTP/1.0", 1))
                status, headers, data = await answer(reader)
                assert (status, headers["connection"]) == (200, "close")
                assert "transfer-encoding" not in headers
                assert data.endswith(b"data: [DONE]\n\n") is stream
                assert await ended(reader)


async def test_connection_close_is_kept() -> None:
    async with running_plane() as plane, connected(plane) as (reader, writer):
        writer.write(request(more=b"Connection: close\r\n"))
        status, headers, _ = await answer(reader)
        assert (status, headers["connection"]) == (200, "close")
        assert await ended(reader)


async def test_head_has_the_length_and_no_body() -> None:
    async with running_plane() as plane, connected(plane) as (reader, writer):
        writer.write(request(b"", method=b"HEAD", target=b"/v1/models"))
        status, headers, _ = await answer(reader, bodiless=True)
        assert status == 200
        assert int(headers["content-length"]) > 0
        writer.write(request())
        assert (await answer(reader))[0] == 200


@pytest.mark.parametrize(
    "target", [b"/v1/chat/completions?beta=true", b"/v1/chat%2Fcompletions", b"/chat/completions"]
)
async def test_targets_are_known_with_a_query_and_encoded(target: bytes) -> None:
    async with running_plane() as plane, connected(plane) as (reader, writer):
        writer.write(request(target=target))
        assert (await answer(reader))[0] == 200


async def test_a_client_that_leaves_ends_only_its_own_request() -> None:
    config = SimulatorConfig(latency_seconds=5)
    async with running_plane(config=config) as plane:
        async with connected(plane) as (_, writer):
            writer.write(request() + request())
            while not plane.simulator.requests:
                await asyncio.sleep(0.005)
        record = await plane.sink.until()
        assert (record.status, record.error_type) == (499, "client_closed")
        await asyncio.sleep(0.05)
        assert len(plane.sink.records) == 1, "the request in the queue was never begun"
        plane.simulator.configure(latency_seconds=0.0)
        assert (await plane.chat()).status_code == 200


async def test_a_silent_connection_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_SILENCE_SECONDS", 0.2)
    async with running_plane() as plane:
        for sent in (b"", b"POST /v1/chat", request()[:-5], request()):
            async with connected(plane) as (reader, writer):
                writer.write(sent)
                async with asyncio.timeout(5):
                    await reader.read()


async def test_a_slow_provider_is_no_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_SILENCE_SECONDS", 0.05)
    async with (
        running_plane(config=SimulatorConfig(latency_seconds=0.3)) as plane,
        connected(plane) as (reader, writer),
    ):
        writer.write(request())
        assert (await answer(reader))[0] == 200
