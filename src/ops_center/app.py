"""One server: puts the two planes, the console and the database together, and takes them down in order.

With several workers this is the control process: everything but the data plane, which they serve.

The only place that knows all parts. Requests are told apart by path and handed on; none is read here.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import functools
import gc
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Coroutine, Iterator, MutableMapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import structlog
import uvicorn
from sqlalchemy import select

from ops_center import __version__
from ops_center.console.files import ConsoleFiles
from ops_center.control.alerts.watch import keep_alerting
from ops_center.control.arrears.service import Arrears
from ops_center.control.auth.service import setup_link
from ops_center.control.bodies.keeper import BodyKeeper
from ops_center.control.budgets.counting import BudgetCounting
from ops_center.control.byok.validation import keep_proven
from ops_center.control.context import Control, utc_now
from ops_center.control.notifications.delivery import keep_delivering
from ops_center.control.notifications.watch import keep_watch
from ops_center.control.providers.discovery import keep_current, resume_pending
from ops_center.control.providers.probing import keep_probing
from ops_center.control.publish import Publisher
from ops_center.control.routing_drafts.service import end_interrupted
from ops_center.control.routing_versions.service import keep_what_was_found
from ops_center.control.usage.retention import keep_retention
from ops_center.control.usage.upkeep import follow_calendar, keep_up
from ops_center.control.users.service import create_first_admin
from ops_center.dataplane.endpoint import DataPlane
from ops_center.dataplane.pipeline import Plane
from ops_center.dataplane.server import Connection
from ops_center.dataplane.upstream import Timeouts, Upstream
from ops_center.errors import InternalError
from ops_center.health import Health
from ops_center.limits import MemoryLimiter
from ops_center.litellm_sdk.process import NAME, LiteLLM
from ops_center.settings import Settings
from ops_center.snapshot import api_key_digest
from ops_center.storage.database import Database
from ops_center.storage.journal import JournalIngester, UsageJournal, rejected_lines
from ops_center.storage.migrate import migrate
from ops_center.storage.secrets import SecretBox, SecretError, installation_key, load_master_key
from ops_center.telemetry.metrics import CONTENT_TYPE, Metrics
from ops_center.transport.client import HttpClient
from ops_center.transport.mail import Mailer
from ops_center.types import Scope as KeyScope
from ops_center.types import TimeLimits, UsageRecord
from ops_center.workers.forward import FromWorkers
from ops_center.workers.hub import Hub
from ops_center.workers.lifeline import READY, STOP, ControlSockets

if TYPE_CHECKING:
    from fastapi import FastAPI

    from ops_center.limits.valkey import ValkeyLimiter

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

log = structlog.get_logger("ops_center")

_SHORT_TURN_SECONDS = 0.0002  # of a thread beside the requests, each of which waits for several turns
_FORWARDED = frozenset({b"forwarded", b"x-forwarded-for", b"x-real-ip"})


class Application:
    """The ASGI application of all but the data plane. `start()` before the first request, `stop()` after."""

    def __init__(self, settings: Settings, *, demo: bool = False, hub: Hub | None = None) -> None:
        """With a `hub` its workers answer the applications, and the data plane here makes replays alone."""
        self._settings = settings
        self._demo = demo
        self._hub = hub
        self._console = ConsoleFiles()
        self._metrics = Metrics()
        self._closing = contextlib.AsyncExitStack()
        self.control: Control
        self.data_plane: DataPlane
        self._control_app: FastAPI | None = None  # until somebody asks for it
        self._loading = asyncio.Lock()
        self._publisher: Publisher
        self._limiter: MemoryLimiter | ValkeyLimiter
        self._database: Database

    async def start(self) -> None:
        """Open everything, bring the ledger up to date and publish the first snapshot.

        Raises an OpsCenterError with one line for the operator when something cannot be opened.
        """
        settings, closing = self._settings, self._closing
        settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        url = settings.resolved_database_url
        for revision in await migrate(url, settings.data_dir):
            log.info("database_migrated", revision=revision)
        secrets = load_master_key(
            settings.master_key.get_secret_value() if settings.master_key else None, settings.data_dir
        )
        database = self._database = await Database.open(url)
        closing.push_async_callback(database.close)
        await follow_calendar(database)

        journal_dir = settings.data_dir / "journal"
        ingester = JournalIngester(database, journal_dir, on_batch=self._counting())
        await ingester.drain()  # what a killed process left behind
        journal = UsageJournal(journal_dir, on_record=ingester.notify)
        ingesting = asyncio.create_task(ingester.run(), name="journal")

        async def stop_ingesting() -> None:
            ingesting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await ingesting
            journal.close()
            await ingester.drain()
            ingester.close()

        closing.push_async_callback(stop_ingesting)

        litellm = LiteLLM()
        closing.callback(litellm.close)
        http = HttpClient(processes={NAME: litellm.socket_path})
        closing.push_async_callback(http.close)
        publisher = self._publisher = Publisher(
            database, secrets, utc_now, await _fingerprint_key(database, secrets)
        )
        health = self._hub.health if self._hub is not None else Health()
        control = self.control = Control(
            database=database,
            secrets=secrets,
            http=http,
            mailer=Mailer(http.address_book),
            publisher=publisher,
            public_url=public_url(settings),
            demo=self._demo,
            time_limits=TimeLimits(
                connect_seconds=settings.connect_timeout_seconds,
                first_chunk_seconds=settings.first_chunk_timeout_seconds,
                chunk_seconds=settings.chunk_timeout_seconds,
                total_seconds=settings.answer_timeout_seconds,
            ),
            drain_journal=ingester.drain,
            rejected_lines=functools.partial(rejected_lines, journal_dir),
            health=health,
            replay=lambda *call: self.data_plane.replay(*call),
        )
        closing.push_async_callback(control.background.close)
        limiter = self._limiter = await self._open_limiter()
        counting = BudgetCounting(database, limiter, ingester.drain, utc_now)
        publisher.before_swap(counting.prepare)
        self._keep_running(counting.run(), name="budgets")
        await keep_what_was_found(control)
        await end_interrupted(control)
        await publisher.publish()
        if settings.valkey_url:
            await self._follow_others(settings.valkey_url)
        await resume_pending(control)
        self._keep_running(keep_proven(control), name="own_keys")
        self._keep_running(keep_current(control), name="model_lists")
        self._keep_running(keep_probing(control), name="idle_providers")
        self._keep_running(keep_delivering(control), name="notifications")
        self._keep_running(keep_watch(control), name="watch")
        self._keep_running(keep_alerting(control), name="alerts")
        self._keep_running(keep_up(database), name="usage")
        self._keep_running(Arrears(control).run(), name="arrears")
        self._keep_running(keep_retention(database, utc_now), name="retention")
        keeper = BodyKeeper(database, secrets, utc_now, lambda: publisher.current)
        self._keep_running(keeper.run(), name="bodies")
        self.data_plane = self._data_plane(http, limiter, journal, health, keeper)
        if self._hub is not None:
            self._hub.on_kept = keeper.take
        await self._create_first_admin()

    async def _follow_others(self, valkey_url: str) -> None:
        """Tell the other servers on this database of changes made here, and follow theirs."""
        from ops_center.storage.notices import ChangeNotices  # its client library is only loaded where used

        notices = ChangeNotices(valkey_url)
        self._closing.push_async_callback(notices.close)
        self._publisher.announce_by(notices.announce)
        self._keep_running(notices.listen(self._publisher.follow), name="notices")

    def _data_plane(
        self,
        http: HttpClient,
        limiter: MemoryLimiter | ValkeyLimiter,
        journal: UsageJournal,
        health: Health,
        keeper: BodyKeeper,
    ) -> DataPlane:
        settings = self._settings
        timeouts = Timeouts(
            connect_seconds=settings.connect_timeout_seconds,
            answer_seconds=settings.answer_timeout_seconds,
            first_chunk_seconds=settings.first_chunk_timeout_seconds,
            chunk_seconds=settings.chunk_timeout_seconds,
        )
        return DataPlane(
            Plane(
                snapshots=self._publisher,
                upstream=Upstream(http, timeouts),
                limiter=limiter,
                sink=journal,
                health=health,
                bodies=keeper.take,
            )
        )

    async def admit_workers(self, listening: socket.socket) -> None:
        """Give every worker that joins the snapshot, and from now on each new one."""
        assert self._hub is not None
        limiter = self._limiter if isinstance(self._limiter, MemoryLimiter) else None
        await self._hub.publish(self._publisher.current)
        self._publisher.after_swap(self._hub.publish)
        await self._hub.open(listening, limiter)
        self._closing.push_async_callback(self._hub.close)

    def _counting(self) -> Callable[[Sequence[UsageRecord]], None]:
        """What is told of every record once it is stored: the metrics and, where one is set, a collector."""
        endpoint = self._settings.otlp_endpoint
        if endpoint is None:
            return self._metrics.count
        try:
            from ops_center.telemetry.opentelemetry import OpenTelemetry  # its library is an extra
        except ImportError as error:
            raise InternalError(
                "OPS_CENTER_OTLP_ENDPOINT needs OpenTelemetry's library: pip install 'ops-center[otel]'"
            ) from error
        collector = OpenTelemetry(endpoint, __version__)
        self._closing.push_async_callback(asyncio.to_thread, collector.close)

        def count(records: Sequence[UsageRecord]) -> None:
            self._metrics.count(records)
            collector.count(records)

        return count

    def _keep_running(self, job: Coroutine[None, None, None], *, name: str) -> None:
        """Run a job beside the requests until everything closes."""
        task = asyncio.create_task(job, name=name)

        async def stop() -> None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

        self._closing.push_async_callback(stop)

    async def _open_limiter(self) -> MemoryLimiter | ValkeyLimiter:
        url = self._settings.valkey_url
        if not url:
            return MemoryLimiter()
        from ops_center.limits.valkey import ValkeyLimiter  # its client library is only loaded where used

        limiter = ValkeyLimiter(url, when_away=self._settings.valkey_failure)
        await limiter.start()
        self._closing.push_async_callback(limiter.close)
        return limiter

    async def _create_first_admin(self) -> None:
        """Head-less: `OPS_CENTER_ADMIN_EMAIL` and `_PASSWORD` make the first admin, and only the first."""
        email, password = self._settings.admin_email, self._settings.admin_password
        if not email or password is None:
            return
        created = await create_first_admin(self._database, email, password.get_secret_value(), now=utc_now())
        if created is not None:
            log.info("admin_created", email=email)

    async def announce(self, url: str) -> None:
        """Say where the server listens and, while there is no admin, where to make one.

        Only now a port that the system chose is known, so links are made of `url` from here on.
        """
        log.info("listening", url=url)
        self.control = dataclasses.replace(self.control, public_url=url)
        if self._control_app is not None:
            self._control_app.state.control = self.control
        link = await setup_link(self.control)
        if link is not None:
            log.info("set_up_the_first_admin", link=link)

    async def stop(self) -> None:
        """Close everything in the opposite order."""
        await self._closing.aclose()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        path = scope["path"]
        if path.startswith("/api/"):
            await (self._control_app or await self._load_control_app())(scope, receive, send)
        elif path == "/healthz":
            await _plain(send, 200, b'{"status":"ok"}')
        elif path == "/readyz":
            await self._ready(send)
        elif path == "/metrics":
            await self._render_metrics(scope, send)
        else:
            await self._console(scope, receive, send)

    async def _load_control_app(self) -> FastAPI:
        """For whoever asks first, beside the requests: many a gateway runs for weeks without, and is spared a
        tenth of its memory and a third of its start."""
        async with self._loading:
            if self._control_app is None:
                usual = sys.getswitchinterval()
                sys.setswitchinterval(_SHORT_TURN_SECONDS)
                try:
                    self._control_app = await asyncio.to_thread(_control_app, self.control)
                finally:
                    sys.setswitchinterval(usual)
                gc.freeze()  # as in `serve`
                self._control_app.state.control = self.control  # which `announce` may have changed meanwhile
        return self._control_app

    async def _ready(self, send: Send) -> None:
        """Ready: configuration published and the database answers within two seconds."""
        try:
            async with asyncio.timeout(2), self._database.read() as connection:
                await connection.execute(select(1))
        except Exception as error:  # noqa: BLE001 whatever it is, we are not ready
            log.warning("not_ready", error=type(error).__name__)
            await _plain(send, 503, b'{"status":"database unavailable"}')
        else:
            await _plain(send, 200, b'{"status":"ready"}')

    async def _render_metrics(self, scope: Scope, send: Send) -> None:
        """For scrapers on this machine, or with an API key of scope admin."""
        client = scope.get("client")
        # A proxy on this machine calls from loopback too: what it forwards comes from somebody else.
        forwarded = any(name in _FORWARDED for name, _ in scope["headers"])
        local = client is not None and client[0] in ("127.0.0.1", "::1") and not forwarded
        if not local and not self._has_admin_key(scope):
            await _plain(
                send,
                401,
                b'{"error":{"type":"authentication_error","message":"An admin API key is needed."}}',
            )
            return
        await _plain(send, 200, self._metrics.render(), CONTENT_TYPE.encode())

    def _has_admin_key(self, scope: Scope) -> bool:
        authorization = dict(scope["headers"]).get(b"authorization", b"")
        secret = authorization[7:].strip() if authorization[:7].lower() == b"bearer " else b""
        principal = self._publisher.current.principals.get(api_key_digest(secret)) if secret else None
        return (
            principal is not None
            and principal.scope is KeyScope.ADMIN
            and (principal.expires_at is None or principal.expires_at > datetime.now(UTC))
        )


async def _fingerprint_key(database: Database, secrets: SecretBox) -> bytes:
    """None at all where it cannot be opened: a restored database with another master key should still serve."""
    try:
        return await installation_key(database, secrets, "fingerprints", utc_now())
    except SecretError as error:
        log.error("no_fingerprints", reason="their key cannot be opened", detail=error.message)
        return b""


def _control_app(control: Control) -> FastAPI:
    from ops_center.control.api import create_control_app

    return create_control_app(control)


def public_url(settings: Settings) -> str:
    """Where browsers find the server: as configured, else as one on this machine does."""
    if settings.public_url:
        return settings.public_url
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(settings.host, settings.host)  # noqa: S104 a comparison
    return f"http://{host}:{settings.port}"


async def _plain(send: Send, status: int, body: bytes, content_type: bytes = b"application/json") -> None:
    headers = [
        (b"content-type", content_type),
        (b"content-length", b"%d" % len(body)),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


class _Server(uvicorn.Server):
    """Says where it listens once it does."""

    def __init__(self, config: uvicorn.Config, application: Application, settings: Settings) -> None:
        super().__init__(config)
        self._application = application
        self._settings = settings

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """SIGINT and SIGTERM end the serving, not the process: the ledger is still to be closed after it."""
        loop = asyncio.get_running_loop()
        for each in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(each, self.handle_exit, each, None)
        try:
            yield
        finally:
            for each in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(each)

    async def startup(self, sockets: list[Any] | None = None) -> None:
        await super().startup(sockets)
        if not self.started:
            return
        port = self.servers[0].sockets[0].getsockname()[1]
        url = public_url(self._settings.model_copy(update={"port": port}))
        await self._application.announce(url)


async def serve(
    settings: Settings,
    *,
    demo: bool = False,
    on_started: Callable[[Application], Awaitable[None]] | None = None,
) -> None:
    """Run until a signal says stop; requests under way get 30 seconds to finish."""
    application = Application(settings, demo=demo)
    try:
        await application.start()
        if on_started is not None:
            await on_started(application)
        # What is here now stays, so that no collection walks it again: a full one would hold up every
        # request for longer than most answers take.
        gc.freeze()
        config = uvicorn.Config(
            application,
            host=settings.host,
            port=settings.port,
            loop="none",
            http=functools.partial(Connection, application.data_plane),  # type: ignore[arg-type]
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
        await _Server(config, application, settings).serve()
    finally:
        await application.stop()


_WORKERS_FINISH_SECONDS = 40.0  # a little more than they give to what is under way


class _ControlServer(_Server):
    """Listens to workers alone, and ends after the last of them."""

    def __init__(
        self,
        config: uvicorn.Config,
        application: Application,
        settings: Settings,
        sockets: ControlSockets,
        hub: Hub,
    ) -> None:
        super().__init__(config, application, settings)
        self._sockets = sockets
        self._hub = hub
        self._ending: asyncio.Task[None] | None = None

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """The lifeline says when to end: workers need this process until they have, whoever gets a signal."""
        loop = asyncio.get_running_loop()
        for each in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(each, lambda: None)
        loop.add_reader(self._sockets.lifeline, self._told)
        yield

    def _told(self) -> None:
        try:
            word = self._sockets.lifeline.recv(64)
        except OSError:
            word = b""
        if STOP in word and self._ending is None:
            self._ending = asyncio.create_task(self._end_after_workers())
        elif not word:  # the supervisor is gone, or will not wait
            asyncio.get_running_loop().remove_reader(self._sockets.lifeline)
            self.force_exit = self.should_exit = True

    async def _end_after_workers(self) -> None:
        await self._hub.until_alone(_WORKERS_FINISH_SECONDS)
        self.should_exit = True

    async def startup(self, sockets: list[Any] | None = None) -> None:
        config, state = self.config, self.server_state
        await self.lifespan.startup()
        server = await asyncio.get_running_loop().create_unix_server(
            lambda: config.http_protocol_class(config=config, server_state=state, app_state={}),  # type: ignore[call-arg]
            sock=self._sockets.http,
        )
        self.servers = [server]
        self.started = True
        await self._application.admit_workers(self._sockets.workers)
        url = public_url(self._settings.model_copy(update={"port": self._sockets.port}))
        await self._application.announce(url)
        self._sockets.lifeline.send(READY)


async def serve_behind_workers(settings: Settings, sockets: ControlSockets) -> None:
    """The control process, until its lifeline ends."""
    hub = Hub()
    application = Application(settings, hub=hub)
    try:
        await application.start()
        gc.freeze()
        config = uvicorn.Config(
            FromWorkers(application),
            loop="none",
            http="httptools",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
            proxy_headers=False,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=10,
            backlog=2048,
        )
        await _ControlServer(config, application, settings, sockets, hub).serve()
    finally:
        await application.stop()
