"""One worker: the data plane in a process of its own. Started by the supervisor, never by hand.

Its settings are the first line of its standard input, which stays open: `q` asks it to finish what is under
way and end, and its closing without a word says that the supervisor is gone, so that it ends at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gc
import os
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import structlog
import uvicorn

from ops_center.dataplane.endpoint import DataPlane
from ops_center.dataplane.pipeline import Plane
from ops_center.dataplane.server import Connection
from ops_center.dataplane.upstream import Timeouts, Upstream
from ops_center.health import Health
from ops_center.litellm_sdk.process import NAME, LiteLLM
from ops_center.storage.journal.writer import UsageJournal
from ops_center.telemetry.logging import configure_logging
from ops_center.transport.client import HttpClient
from ops_center.workers.forward import Forward
from ops_center.workers.lifeline import STOP, WorkerSettings
from ops_center.workers.link import Link

if TYPE_CHECKING:
    from ops_center.limits.valkey import ValkeyLimiter


class Server(uvicorn.Server):
    """Ends when told over its lifeline, gracefully or not; SIGTERM is as good as being told."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self.finish)
        loop.add_signal_handler(signal.SIGINT, lambda: None)  # a terminal tells the supervisor as well
        try:
            yield
        finally:
            loop.remove_signal_handler(signal.SIGTERM)

    def finish(self) -> None:
        """Answer what is under way, take nothing new."""
        self.should_exit = True

    def end(self) -> None:
        """Drop everything."""
        self.force_exit = self.should_exit = True


def watch_lifeline(descriptor: int, server: Server) -> None:
    """Let what comes over the lifeline end the server."""
    loop = asyncio.get_running_loop()

    def read() -> None:
        try:
            told = os.read(descriptor, 64)
        except OSError:
            told = b""
        if STOP in told:
            server.finish()
        if not told:
            loop.remove_reader(descriptor)
            if not server.should_exit:
                server.end()

    loop.add_reader(descriptor, read)


async def work(settings: WorkerSettings) -> None:
    """Serve until told to end."""
    async with contextlib.AsyncExitStack() as closing:
        health = Health()
        journal = UsageJournal(Path(settings.journal))
        closing.callback(journal.close)
        litellm = LiteLLM()
        closing.callback(litellm.close)
        http = HttpClient(processes={NAME: litellm.socket_path})
        closing.push_async_callback(http.close)
        run_dir = Path(settings.run_dir)
        valkey: ValkeyLimiter | None = None
        if settings.valkey_url is not None:
            from ops_center.limits.valkey import ValkeyLimiter  # its client library is only loaded where used

            valkey = ValkeyLimiter(
                settings.valkey_url, when_away="closed" if settings.valkey_failure == "closed" else "open"
            )
            await valkey.start()
            closing.push_async_callback(valkey.close)
        link = Link(
            run_dir,
            settings.index,
            health,
            on_snapshot=valkey.keep_only if valkey is not None else lambda _: None,
            on_retire=lambda: server.finish(),
        )
        plane = Plane(
            snapshots=link,
            upstream=Upstream(
                http,
                Timeouts(
                    connect_seconds=settings.connect_timeout_seconds,
                    answer_seconds=settings.answer_timeout_seconds,
                    first_chunk_seconds=settings.first_chunk_timeout_seconds,
                    chunk_seconds=settings.chunk_timeout_seconds,
                ),
            ),
            limiter=valkey or link.limiter,
            sink=journal,
            health=health,
            bodies=link.keep,
        )
        config = uvicorn.Config(
            Forward(run_dir),
            loop="none",
            http=functools.partial(Connection, DataPlane(plane)),  # type: ignore[arg-type]
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=30,
            backlog=2048,
        )
        server = Server(config)
        watch_lifeline(sys.stdin.fileno(), server)
        linked = asyncio.create_task(link.run(), name="link")

        async def part() -> None:
            linked.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await linked

        closing.push_async_callback(part)
        while not server.should_exit:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.1):
                    await link.first_snapshot.wait()
                break
        if not server.should_exit:
            gc.freeze()  # as in `app.serve`
            await server.serve([socket.socket(fileno=number) for number in settings.sockets])


def main() -> None:
    with open(sys.stdin.fileno(), "rb", buffering=0, closefd=False) as lifeline:
        settings = msgspec.json.decode(lifeline.readline(), type=WorkerSettings)
    configure_logging(settings.log_level)
    structlog.contextvars.bind_contextvars(worker=settings.index)
    try:
        import uvloop
    except ImportError:
        asyncio.run(work(settings))
    else:
        uvloop.run(work(settings))


if __name__ == "__main__":
    main()
