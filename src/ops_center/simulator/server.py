"""The simulator's HTTP server: asyncio protocol and httptools, so that it is never what a benchmark measures.

Takes requests off the socket, asks `routes.py` for the reply and `faults.py` for its illness, and sends it
with the configured delays. Notices when a client leaves before the end. Speaks HTTP/1.1 only, no TLS.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import struct
from collections import deque
from collections.abc import Callable
from http import HTTPStatus
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

import httptools
import msgspec

from ops_center.simulator import routes
from ops_center.simulator.catalogues import Family
from ops_center.simulator.config import Fault, SimulatorConfig, fault_of_model, parse_fault
from ops_center.simulator.faults import Play, apply
from ops_center.simulator.ledger import Books, RequestLog, Totals
from ops_center.simulator.limits import RateLimits
from ops_center.simulator.reply import Reply, Request, json_reply

_REASONS = {status.value: status.phrase for status in HTTPStatus} | {529: "Overloaded"}
_AT_ONCE_BYTES = 65_536  # replies up to this size without delays are written in one go


async def serve(config: SimulatorConfig | None = None, host: str = "127.0.0.1", port: int = 0) -> Simulator:
    """Start a simulator on this event loop; port 0 takes a free one. Close it with `await .close()`."""
    simulator = Simulator(config or SimulatorConfig())
    await simulator.start(host, port)
    return simulator


def run(host: str, port: int, config: SimulatorConfig | None = None) -> None:
    """Serve until interrupted (`ops-center simulate`)."""

    async def forever() -> None:
        async with await serve(config, host, port) as simulator:
            print(f"Simulated providers on {simulator.url}", flush=True)  # noqa: T201 - a command's output
            for name in (
                "openai",
                "anthropic",
                "openrouter",
                "custom",
                "gemini",
                "vertex",
                "bedrock",
                "cohere",
            ):
                print(f"  {name:<11}{getattr(simulator, name + '_url')}", flush=True)  # noqa: T201
            await asyncio.Event().wait()

    try:
        import uvloop

        runner: Callable[[Any], None] = uvloop.run
    except ImportError:  # Windows
        runner = asyncio.run
    with contextlib.suppress(KeyboardInterrupt):
        runner(forever())


class Simulator:
    """A running simulator. `requests` is its log, `totals` its own books, `config` what it does now."""

    def __init__(self, config: SimulatorConfig) -> None:
        self._config = config
        self._server: asyncio.Server | None = None
        self._connections: set[Connection] = set()
        self._changed = asyncio.Event()
        self.host = ""
        self.port = 0
        self.reset()

    def reset(self) -> None:
        """Forget requests, totals, limits, caches and the position in every seeded sequence."""
        self.books = Books(self._config.keep_requests)
        self.limits = RateLimits()
        self.answerer = routes.Answerer()
        self._restart_sequences()

    def _restart_sequences(self) -> None:
        self._errors = random.Random(f"errors/{self._config.seed}")
        self._waits = random.Random(f"waits/{self._config.seed}")
        self._faults_left = self._config.fault_times

    # --- life ---

    async def start(self, host: str, port: int) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Connection(self), host, port, backlog=2048)
        self.host, self.port = self._server.sockets[0].getsockname()[:2]

    async def close(self) -> None:
        """Stop listening and drop every connection."""
        if self._server is None:
            return
        self._server.close()
        for connection in list(self._connections):
            connection.drop()
        await self._server.wait_closed()
        self._server = None
        while self._connections:
            await asyncio.sleep(0)

    async def __aenter__(self) -> Simulator:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    # --- what tests read and set ---

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    @property
    def openai_url(self) -> str:
        return f"{self.url}/v1"

    anthropic_url = openai_url

    @property
    def openrouter_url(self) -> str:
        return f"{self.url}/api/v1"

    @property
    def custom_url(self) -> str:
        return f"{self.url}/custom/v1"

    @property
    def gemini_url(self) -> str:
        return f"{self.url}/gemini/v1beta"

    @property
    def bedrock_url(self) -> str:
        return f"{self.url}/bedrock"

    @property
    def cohere_url(self) -> str:
        return f"{self.url}/cohere"

    @property
    def azure_url(self) -> str:
        return f"{self.url}/azure/openai"

    @property
    def cloudflare_url(self) -> str:
        return f"{self.url}/cloudflare/ai"

    @property
    def vertex_url(self) -> str:
        return f"{self.url}/vertex"

    @property
    def config(self) -> SimulatorConfig:
        return self._config

    def configure(self, **changes: Any) -> None:
        """Change some fields; takes effect with the next request. Raises msgspec.ValidationError."""
        self._config = self._config.merged(changes)
        self._restart_sequences()

    @property
    def requests(self) -> list[RequestLog]:
        """The newest requests, oldest first, without the simulator's own control calls."""
        return list(self.books.requests)

    @property
    def inference_requests(self) -> list[RequestLog]:
        return [entry for entry in self.books.requests if entry.method == "POST"]

    @property
    def totals(self) -> Totals:
        return self.books.totals

    @property
    def open_connections(self) -> int:
        return len(self._connections)

    async def until(self, fact: Callable[[], bool], timeout: float = 5.0) -> None:
        """Wait until `fact()` holds, asking again whenever something happened. Raises TimeoutError."""
        async with asyncio.timeout(timeout):
            while not fact():
                self._changed.clear()
                await self._changed.wait()

    def changed(self) -> None:
        self._changed.set()

    # --- one request ---

    def handle(self, request: Request) -> tuple[Play, RequestLog | None]:
        """Decide everything about one request; nothing is sent yet."""
        if request.path.startswith("/__simulator/"):
            return Play(reply=self._control(request)), None
        entry = self.books.open(request)
        family = routes.family_of(request)
        if family is None:
            return Play(reply=routes.not_found(request.path)), entry
        key = routes.key_of(request, family)
        entry.family, entry.key = family, key
        config = self._config
        refusal = routes.check_key(request, family, key, config)
        if refusal is not None:
            return Play(reply=refusal), entry
        headers: list[tuple[str, str]] = self._request_id(family, entry.number)
        if routes.is_inference(request):
            admission = self.limits.admit(family, key, config)
            headers += admission.headers
            if not admission.allowed:
                limited = routes.error_reply(family, 429)
                limited.headers = limited.headers + headers
                return Play(reply=limited), entry
            if config.error_rate and self._errors.random() < config.error_rate:
                return Play(reply=routes.error_reply(family, config.error_status)), entry
        reply = self.answerer.answer(request, family, key, config, self.totals.cost_usd)
        reply.headers = reply.headers + headers
        entry.model, entry.stream = reply.model, reply.events is not None
        fault = self._fault(request, reply)
        entry.fault = None if fault is None else fault.kind
        play = apply(fault, reply, family, config.redirect_to)
        if reply.model and play.reply is reply:
            self._book(entry, reply)
            self.limits.used(family, key, reply.tokens.input + reply.tokens.output)
        return play, entry

    @staticmethod
    def _book(entry: RequestLog, reply: Reply) -> None:
        entry.input_tokens = reply.tokens.input
        entry.cache_read_tokens = reply.tokens.cache_read
        entry.cache_write_tokens = reply.tokens.cache_write
        entry.cost_usd = reply.cost_usd
        if reply.events is None:
            entry.output_tokens = reply.tokens.output

    @staticmethod
    def _request_id(family: Family, number: int) -> list[tuple[str, str]]:
        return [("request-id" if family == "anthropic" else "x-request-id", f"req_sim{number:09d}")]

    def _fault(self, request: Request, reply: Reply) -> Fault | None:
        if routes.is_inference(request):
            magic = fault_of_model(reply.model)
            if magic is not None:
                return magic
            word = self._config.fault_for_models.get(reply.model)
            if word is not None:
                return parse_fault(word)
        config = self._config
        if config.fault is None or self._faults_left == 0:
            return None
        if config.fault_on != "all" and (config.fault_on == "inference") != routes.is_inference(request):
            return None
        if self._faults_left is not None:
            self._faults_left -= 1
        return parse_fault(config.fault)

    def waits(self, seconds: float) -> float:
        """A delay with the configured jitter."""
        if not seconds or not self._config.jitter:
            return seconds
        return max(0.0, seconds * (1 + self._config.jitter * self._waits.uniform(-1, 1)))

    def _control(self, request: Request) -> Reply:
        what = (request.method, request.path.removeprefix("/__simulator/"))
        if what == ("GET", "requests"):
            return json_reply({"requests": [entry.as_json() for entry in self.books.requests]})
        if what == ("GET", "ledger"):
            return json_reply(self.books.as_json())
        if what == ("POST", "reset"):
            self.reset()
            return json_reply({"reset": True})
        if what == ("POST", "config"):
            try:
                changes = msgspec.json.decode(request.body, type=dict[str, Any])
                self.configure(**changes)
            except (msgspec.MsgspecError, ValueError) as error:
                return json_reply({"error": {"message": str(error)}}, status=422)
        if what[1] == "config":
            return json_reply(self._config)
        return routes.not_found(request.path)


class Connection(asyncio.Protocol):
    """One client connection: parses requests, answers them one after the other."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator
        self._parser: Any = httptools.HttpRequestParser(self)
        self._transport: Any = None
        self._waiting: deque[tuple[Request, bool]] = deque()
        self._busy = False
        self._task: asyncio.Task[None] | None = None
        self._entry: RequestLog | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._idle: asyncio.TimerHandle | None = None
        self._url = b""
        self._headers: dict[str, str] = {}
        self._body: list[bytes] = []

    # --- asyncio ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._simulator._connections.add(self)
        self._watch_idle()

    def connection_lost(self, exc: Exception | None) -> None:
        self._simulator._connections.discard(self)
        if self._idle is not None:
            self._idle.cancel()
        self._waiting.clear()
        self._writable.set()
        if self._task is not None:
            self._task.cancel()
        elif self._busy:
            self._left()
        self._simulator.changed()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            if not self._transport.is_closing():
                self._transport.write(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")
                self._transport.close()

    def drop(self) -> None:
        self._transport.abort()

    # --- httptools ---

    def on_message_begin(self) -> None:
        self._url = b""
        self._headers = {}
        self._body = []

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        if self._headers.get("expect", "").lower() == "100-continue":
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        parts = urlsplit(self._url.decode("latin-1"))
        request = Request(
            method=self._parser.get_method().decode("ascii"),
            path=parts.path,
            query=parts.query,
            headers=self._headers,
            body=b"".join(self._body),
        )
        self._waiting.append((request, self._parser.should_keep_alive()))
        if not self._busy:
            self._next()

    # --- answering ---

    def _next(self) -> None:
        while self._waiting and not self._busy and not self._transport.is_closing():
            request, keep_alive = self._waiting.popleft()
            self._busy = True
            play, self._entry = self._simulator.handle(request)
            self._simulator.changed()
            if self._is_plain(play):
                self._write_at_once(play, keep_alive)
            else:
                self._task = asyncio.get_running_loop().create_task(self._send(play, keep_alive))
                self._task.add_done_callback(self._sent)
        if not self._busy:
            self._watch_idle()

    def _is_plain(self, play: Play) -> bool:
        """True when nothing has to be waited for: one write does it."""
        config = self._simulator.config
        reply = play.reply
        if reply is None or play.ending != "normal" or play.delay_seconds or self._entry is None:
            return reply is not None and self._entry is None
        if config.latency_seconds or config.first_chunk_seconds or config.tokens_per_second:
            return False
        size = len(reply.body or b"") + sum(len(event.data) for event in reply.events or ())
        return size <= _AT_ONCE_BYTES and self._writable.is_set()

    def _write_at_once(self, play: Play, keep_alive: bool) -> None:
        reply = play.reply
        assert reply is not None
        parts = [_head(reply, keep_alive)]
        if reply.events is None:
            parts.append(reply.body or b"")
        else:
            for event in reply.events:
                parts.append(_chunk(event.data))
                if self._entry is not None:
                    self._entry.events_sent += 1
                    self._entry.output_tokens += event.tokens
            parts.append(b"0\r\n\r\n")
        self._transport.write(b"".join(parts))
        if self._entry is not None:
            self._entry.status = reply.status
        self._done(keep_alive)

    async def _send(self, play: Play, keep_alive: bool) -> None:
        """A reply with delays, or with an ending that is none."""
        config = self._simulator.config
        wait = self._simulator.waits
        entry, reply, write = self._entry, play.reply, self._transport.write
        assert entry is not None
        await asyncio.sleep(wait(config.latency_seconds) + play.delay_seconds)
        if reply is None:
            await self._end(play)
            return
        per_token = 1 / config.tokens_per_second if config.tokens_per_second else 0.0
        if reply.events is None:
            if reply.model:
                await asyncio.sleep(wait(config.first_chunk_seconds) + wait(per_token * reply.tokens.output))
            body = reply.body or b""
            entry.status = reply.status
            write(_head(reply, keep_alive) + body[: play.cut_after])
        else:
            entry.status = reply.status
            write(_head(reply, keep_alive))
            await asyncio.sleep(wait(config.first_chunk_seconds))
            for event in reply.events[: play.cut_after]:
                if per_token and event.tokens:
                    await asyncio.sleep(wait(per_token * event.tokens))
                await self._writable.wait()
                write(_chunk(event.data))
                entry.events_sent += 1
                entry.output_tokens += event.tokens
            if play.ending in ("normal", "early"):
                write(b"0\r\n\r\n")
        if play.ending in ("normal", "early"):
            self._done(keep_alive)
        else:
            await self._end(play)

    async def _end(self, play: Play) -> None:
        if play.ending == "silence":
            self._simulator.changed()
            await asyncio.get_running_loop().create_future()  # until the client leaves
        if play.ending == "reset":
            linger = struct.pack("ii", 1, 0)  # no lingering: the kernel sends RST
            self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            # what was written is in the kernel's hands; the client gets a moment to read it before the RST
            await asyncio.sleep(0.02)
            self._done(False, close=False)
            self._transport.abort()
            return
        self._done(False)

    def _done(self, keep_alive: bool, close: bool = True) -> None:
        entry, self._entry = self._entry, None
        if entry is not None:
            entry.finished = True
            self._simulator.books.close(entry)
            self._simulator.changed()
        self._busy = False
        if (not keep_alive or self._simulator.config.close_after_answer) and close:
            self._transport.close()

    def _left(self) -> None:
        """The client closed the connection before its answer was complete."""
        entry, self._entry = self._entry, None
        if entry is not None:
            entry.client_left = True
            self._simulator.books.close(entry)
        self._busy = False

    def _sent(self, task: asyncio.Task[None]) -> None:
        self._task = None
        if task.cancelled():
            self._left()
            self._simulator.changed()
        else:
            task.result()
            self._next()

    def _watch_idle(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None
        seconds = self._simulator.config.idle_close_seconds
        if seconds is not None:
            self._idle = asyncio.get_running_loop().call_later(seconds, self._close_idle)

    def _close_idle(self) -> None:
        if not self._busy:
            self._transport.close()


def _head(reply: Reply, keep_alive: bool) -> bytes:
    lines = [f"HTTP/1.1 {reply.status} {_REASONS.get(reply.status, 'Unknown')}"]
    lines += [f"{name}: {value}" for name, value in reply.headers]
    if reply.events is None:
        lines.append(f"content-length: {len(reply.body or b'')}")
    else:
        lines.append("transfer-encoding: chunked")
    if not keep_alive:
        lines.append("connection: close")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)
