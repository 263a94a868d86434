from __future__ import annotations

import asyncio
import gzip
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from ops_center.errors import (
    AddressRefused,
    ProviderError,
    ProviderTimeout,
    ProviderUnreachable,
    ProviderUnusable,
)
from ops_center.transport.client import HttpClient, Limits, Origin, request_head

pytestmark = pytest.mark.anyio

Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class RawServer:
    """Answers with exactly the bytes a test scripts; counts its connections."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.connections = 0
        self.origin = Origin("http", "127.0.0.1", 0, True)
        self.closed_by_client = asyncio.Event()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            await self.script(reader, writer)
            if await reader.read(1) == b"":
                self.closed_by_client.set()
        except (ConnectionError, asyncio.IncompleteReadError):
            self.closed_by_client.set()
        finally:
            writer.close()


@asynccontextmanager
async def raw_server(script: Script, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[RawServer]:
    server = RawServer(script)
    listening = await asyncio.start_server(server._serve, "127.0.0.1", 0, ssl=tls)
    port = listening.sockets[0].getsockname()[1]
    server.origin = (
        Origin("http", "127.0.0.1", port, True) if tls is None else Origin("https", "localhost", port, True)
    )
    try:
        yield server
    finally:
        listening.close()


@pytest.fixture
async def client() -> AsyncIterator[HttpClient]:
    http = HttpClient()
    yield http
    await http.close()


async def read_request(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(
        (
            int(line.split(b":")[1])
            for line in head.split(b"\r\n")
            if line.lower().startswith(b"content-length")
        ),
        0,
    )
    return head + await reader.readexactly(length)


def head_for(origin: Origin, body: bytes = b"") -> bytes:
    return request_head("POST", origin, "/x", [], content_length=len(body))


async def ask(
    client: HttpClient, server: RawServer, body: bytes = b"{}", **limits: float
) -> tuple[int, bytes]:
    response = await client.send(server.origin, head_for(server.origin, body), body, Limits(**limits))
    return response.status, await response.read(10_000_000)


def always(*parts: bytes, pause_seconds: float = 0.0) -> Script:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await read_request(reader)
            for part in parts:
                writer.write(part)
                await writer.drain()
                if pause_seconds:
                    await asyncio.sleep(pause_seconds)

    return script


OK = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello"
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"


async def test_a_connection_serves_many_requests(client: HttpClient) -> None:
    async with raw_server(always(OK)) as server:
        for _ in range(5):
            assert await ask(client, server) == (200, b"hello")
        assert server.connections == 1


@pytest.mark.parametrize("cut", range(1, len(CHUNKED)))
async def test_an_answer_cut_at_any_byte_reads_the_same(client: HttpClient, cut: int) -> None:
    async with raw_server(always(CHUNKED[:cut], CHUNKED[cut:])) as server:
        assert await ask(client, server) == (200, b"hello world")


async def test_interim_answers_are_skipped(client: HttpClient) -> None:
    async with raw_server(
        always(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" + OK)
    ) as server:
        response = await client.send(server.origin, head_for(server.origin), b"")
        assert (response.status, response.header(b"link")) == (200, None)
        assert await response.read(100) == b"hello"


async def test_a_connection_that_died_while_idle_is_replaced_once(client: HttpClient) -> None:
    async def one_each(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(OK)
        await writer.drain()
        await reader.read(1)  # the next request's first byte, or the end
        writer.transport.abort()

    async with raw_server(one_each) as server:
        assert await ask(client, server) == (200, b"hello")
        assert await ask(client, server) == (200, b"hello")
        assert server.connections == 2


async def test_a_request_goes_out_twice_at_most_however_many_kept_connections_died(
    client: HttpClient,
) -> None:
    heard: list[bytes] = []
    all_here = asyncio.Barrier(3)

    async def drops_the_second(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first = await read_request(reader)
        heard.append(first)
        if first.endswith(b"first"):
            await all_here.wait()
        writer.write(OK)
        await writer.drain()
        heard.append(await read_request(reader))  # whole: it has arrived, and is not answered
        writer.transport.abort()

    async with raw_server(drops_the_second) as server:
        await asyncio.gather(*[ask(client, server, b"first") for _ in range(3)])
        assert server.connections == 3
        assert await ask(client, server, b"second") == (200, b"hello")
        assert [each[-6:] for each in heard].count(b"second") == 2
        assert server.connections == 4


async def test_a_fresh_connection_closed_without_an_answer_is_not_asked_again(client: HttpClient) -> None:
    async def rude(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.close()

    async with raw_server(rude) as server:
        with pytest.raises(ProviderUnreachable):
            await ask(client, server)
        assert server.connections == 1


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n",
        b"HTTP/1.1 200 OK\r\nconte",
        b"SSH-2.0-OpenSSH\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nx: " + b"a" * 70_000 + b"\r\n\r\n",
    ],
)
async def test_broken_answers_are_unusable(client: HttpClient, answer: bytes) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(answer)
        await writer.drain()
        writer.close()

    async with raw_server(script) as server:
        with pytest.raises(ProviderUnusable):
            await ask(client, server)


async def test_a_body_that_ends_with_the_connection_is_whole(client: HttpClient) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\n\r\nuntil the end")
        writer.close()

    async with raw_server(script) as server:
        assert await ask(client, server) == (200, b"until the end")


async def test_a_second_answer_to_one_request_never_reaches_the_next_request(client: HttpClient) -> None:
    evil = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil"
    answers = iter([OK + evil, OK])

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(next(answers))
        await writer.drain()

    async with raw_server(script) as server:
        assert await ask(client, server) == (200, b"hello")
        assert await ask(client, server) == (200, b"hello")
        assert server.connections == 2


async def test_bytes_on_an_idle_connection_close_it(client: HttpClient) -> None:
    later = asyncio.Event()

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(OK)
        await writer.drain()
        if not later.is_set():
            later.set()
            await asyncio.sleep(0.05)
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil")
            await writer.drain()

    async with raw_server(script) as server:
        assert await ask(client, server) == (200, b"hello")
        async with asyncio.timeout(5):
            await server.closed_by_client.wait()
        assert await ask(client, server) == (200, b"hello")
        assert server.connections == 2


async def test_silence_times_out_before_the_head_and_between_chunks(client: HttpClient) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)

    async with raw_server(silent) as server:
        with pytest.raises(ProviderTimeout):
            await ask(client, server, head_seconds=0.1)
        async with asyncio.timeout(5):
            await server.closed_by_client.wait()

    async def stalls(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\nhalf")

    async with raw_server(stalls) as server:
        with pytest.raises(ProviderTimeout):
            await ask(client, server, head_seconds=5, chunk_seconds=0.1)


async def test_steady_chunks_outlast_the_limit_between_chunks(client: HttpClient) -> None:
    parts = [b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", *[b"1\r\nx\r\n"] * 8, b"0\r\n\r\n"]
    async with raw_server(always(*parts, pause_seconds=0.05)) as server:
        assert await ask(client, server, chunk_seconds=0.2) == (200, b"x" * 8)


async def test_closing_an_unfinished_answer_closes_its_connection(client: HttpClient) -> None:
    async with raw_server(always(CHUNKED[:60])) as server:
        response = await client.send(server.origin, head_for(server.origin), b"")
        await response.chunk()
        response.close()
        async with asyncio.timeout(5):
            await server.closed_by_client.wait()


async def test_cancelling_a_wait_closes_the_connection(client: HttpClient) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)

    async with raw_server(silent) as server:
        task = asyncio.create_task(ask(client, server))
        while not server.connections:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        async with asyncio.timeout(5):
            await server.closed_by_client.wait()


async def test_a_slow_reader_stops_the_sender(client: HttpClient) -> None:
    sent = 0

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        for _ in range(640):
            writer.write(b"x" * 65536)
            await writer.drain()
            sent += 65536
        writer.close()

    async with raw_server(flood) as server:
        response = await client.send(server.origin, head_for(server.origin), b"")
        await asyncio.sleep(0.3)
        assert sent < 16_000_000  # what socket buffers hold, not the 42 MB it would send
        assert len(await response.read(50_000_000)) == 640 * 65536


async def test_compressed_answers_are_read_although_not_asked_for(client: HttpClient) -> None:
    body = gzip.compress(b"hello " * 100)
    answer = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(body)
    async with raw_server(always(answer + body)) as server:
        assert await ask(client, server) == (200, b"hello " * 100)


async def test_an_answer_above_the_bound_is_refused(client: HttpClient) -> None:
    async with raw_server(always(CHUNKED)) as server:
        response = await client.send(server.origin, head_for(server.origin), b"")
        with pytest.raises(ProviderUnusable):
            await response.read(3)


async def test_nobody_listening_is_unreachable(client: HttpClient) -> None:
    async with raw_server(always(OK)) as server:
        pass
    with pytest.raises(ProviderError) as caught:
        await ask(client, server)
    assert isinstance(caught.value, ProviderUnreachable)


async def test_private_addresses_are_refused_without_the_tick(client: HttpClient) -> None:
    async with raw_server(always(OK)) as server:
        url = f"http://127.0.0.1:{server.origin.port}/"
        with pytest.raises(AddressRefused):
            await client.fetch("GET", url)
        assert (await client.fetch("GET", url, allow_private_network=True)).body == b"hello"
        assert server.connections == 1


async def test_redirects_are_not_followed(client: HttpClient) -> None:
    answer = b"HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/\r\ncontent-length: 0\r\n\r\n"
    async with raw_server(always(answer)) as server:
        got = await client.fetch("GET", f"http://127.0.0.1:{server.origin.port}/", allow_private_network=True)
        assert got.status == 302


@pytest.mark.parametrize("value", ["a\r\nx-evil: 1", "a\nb", "a\x00", "ключ"])
def test_a_header_cannot_break_out_of_its_line(value: str) -> None:
    with pytest.raises(ValueError):
        request_head("GET", Origin("http", "h", 80), "/", [("authorization", value)])


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://api.openai.com/v1", "api.openai.com"),
        ("http://[::1]:9000/v1", "[::1]:9000"),
        ("http://h:80", "h"),
        ("https://h:80", "h:80"),
    ],
)
def test_the_host_header_names_the_port_only_when_it_must(url: str, expected: str) -> None:
    assert Origin.of(url).host_header == expected


# --- TLS -----------------------------------------------------------------------------------------


def certificates(folder: Path, name: str) -> tuple[Path, ssl.SSLContext]:
    """An authority's certificate, and a server's context with one that it signed for `name`."""
    authority_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    authority = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test authority")])
    now = datetime.now(UTC)

    def signed(
        subject: x509.Name, public: ec.EllipticCurvePublicKey, *extensions: x509.ExtensionType
    ) -> x509.Certificate:
        made = x509.CertificateBuilder(authority, subject, public, x509.random_serial_number())
        made = made.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
        for extension in extensions:
            made = made.add_extension(extension, critical=False)
        return made.sign(authority_key, hashes.SHA256())

    root = signed(authority, authority_key.public_key(), x509.BasicConstraints(ca=True, path_length=None))
    leaf = signed(
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]),
        key.public_key(),
        x509.SubjectAlternativeName([x509.DNSName(name)]),
    )
    (folder / "root.pem").write_bytes(root.public_bytes(Encoding.PEM))
    (folder / "leaf.pem").write_bytes(
        leaf.public_bytes(Encoding.PEM) + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "leaf.pem")
    return folder / "root.pem", context


@pytest.mark.parametrize(
    ("name", "trusted", "refused"),
    [("localhost", True, False), ("localhost", False, True), ("elsewhere.example", True, True)],
)
async def test_tls_is_verified_by_authority_and_name(
    tmp_path: Path, name: str, trusted: bool, refused: bool
) -> None:
    heard: list[bytes] = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await read_request(reader))
        writer.write(OK)
        await writer.drain()

    root, context = certificates(tmp_path, name)
    client = HttpClient(tls_context=ssl.create_default_context(cafile=str(root)) if trusted else None)
    async with raw_server(script, tls=context) as server:
        if refused:
            with pytest.raises(ProviderUnreachable, match="could not be verified"):
                await ask(client, server)
        else:
            assert await ask(client, server) == (200, b"hello")
        assert len(heard) == (0 if refused else 1)  # nothing is said to a stranger
    await client.close()


def test_the_usual_context_demands_a_valid_certificate() -> None:
    context = HttpClient().tls_context
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname


# --- the pool ------------------------------------------------------------------------------------


async def test_a_connection_idle_for_too_long_is_not_used_again() -> None:
    client = HttpClient(idle_seconds=0.0)
    async with raw_server(always(OK)) as server:
        assert await ask(client, server) == (200, b"hello")
        assert await ask(client, server) == (200, b"hello")
        assert server.connections == 2
        async with asyncio.timeout(5):
            await server.closed_by_client.wait()
    await client.close()


async def test_no_more_connections_are_kept_than_the_bound() -> None:
    client = HttpClient(max_idle=1)
    async with raw_server(always(OK)) as server:
        for connections in (2, 3):  # the second time one of two is there
            await asyncio.gather(ask(client, server), ask(client, server))
            assert server.connections == connections
    await client.close()


async def test_an_answer_before_the_body_was_read_is_taken_and_its_connection_closed(
    client: HttpClient,
) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Content Too Large\r\ncontent-length: 3\r\n\r\nbig")
        await writer.drain()

    async with raw_server(script) as server:
        assert await ask(client, server, b"x" * 20_000_000) == (413, b"big")
        assert await ask(client, server, b"x" * 20_000_000) == (413, b"big")
        assert server.connections == 2


async def test_an_endless_head_is_given_up(client: HttpClient) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nx: ")
        while True:
            writer.write(b"a" * 10_000)
            await writer.drain()

    async with raw_server(script) as server:
        with pytest.raises(ProviderUnusable, match="could not be read"):
            await ask(client, server)


# ── processes of ours ─────────────────────────────────────────────────────────


async def test_a_process_of_ours_is_called_over_its_socket(tmp_path: Path) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        await writer.drain()
        writer.close()

    socket = str(tmp_path / "socket")
    asked: list[bool] = []

    async def start(allow_private_network: bool) -> str:
        asked.append(allow_private_network)
        return socket

    server = await asyncio.start_unix_server(answer, socket)
    client = HttpClient(processes={"helper": start})
    try:
        for private in (False, True):
            got = await client.fetch("GET", "process://helper/x", allow_private_network=private)
            assert (got.status, got.body) == (200, b"ok")
        assert asked == [False, True]
        with pytest.raises(ProviderUnreachable):
            await client.fetch("GET", "process://nobody/x")
    finally:
        await client.close()
        server.close()
        await server.wait_closed()


async def test_a_process_that_is_long_in_starting_is_a_timeout() -> None:
    async def start(allow_private_network: bool) -> str:
        await asyncio.sleep(30)
        raise AssertionError

    client = HttpClient(processes={"helper": start})
    with pytest.raises(ProviderTimeout):
        await client.fetch("GET", "process://helper/x", timeout_seconds=0.05)
    await client.close()
