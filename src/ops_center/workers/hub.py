"""The control process's end of the workers: gives them each snapshot, keeps their limits, hears of targets.

One `Hub` per control process. It knows workers as channels only; starting and ending processes is the
supervisor's business. Without Valkey the one memory limiter behind it counts for all workers, so a limit is
exact however many there are; what a worker held that is gone is given back.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable
from decimal import Decimal

import structlog

from ops_center import __version__
from ops_center.errors import LimitsUnavailable, OpsCenterError, RateLimited
from ops_center.limits.demand import Demand
from ops_center.limits.memory import Held, MemoryLimiter
from ops_center.snapshot import Principal, Snapshot
from ops_center.types import KeptCall
from ops_center.workers.health import SharedHealth
from ops_center.workers.messages import (
    Applied,
    FromControl,
    FromWorker,
    Granted,
    HealthReport,
    Hello,
    Leave,
    NewSnapshot,
    Proven,
    Refused,
    Reserve,
    Retire,
    Settle,
    Subject,
    Wait,
)
from ops_center.workers.wire import Channel, pack

_APPLIED_WITHIN_SECONDS = 1.0

log = structlog.get_logger("ops_center.workers")


class Hub:
    """`open` once the first snapshot is there; `publish` with each later one; `close` at the end."""

    def __init__(self) -> None:
        self.health = SharedHealth(self._tell_proven)
        self._limiter: MemoryLimiter | None = None
        self._workers: set[_Worker] = set()
        self._server: asyncio.Server | None = None
        self._newest: NewSnapshot | None = None
        self._changed = asyncio.Event()
        self.on_kept: Callable[[KeptCall], None] = lambda _: None

    async def open(self, listening: socket.socket, limiter: MemoryLimiter | None) -> None:
        """Take workers in. `limiter` is None where they ask Valkey themselves."""
        self._limiter = limiter
        self._server = await asyncio.get_running_loop().create_unix_server(
            lambda: Channel(FromWorker, self._join), sock=listening
        )

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for worker in list(self._workers):
            worker.channel.close()

    async def until_alone(self, seconds: float) -> None:
        """Wait until every worker has ended, or so long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._workers:
                    self._changed.clear()
                    await self._changed.wait()

    async def publish(self, snapshot: Snapshot) -> None:
        """Send it to every worker; returns once requests see it in all of them.

        A worker that takes longer than a second is not waited for, and is not sent another until it has
        applied the one before. Raises nothing.
        """
        try:
            packed = await asyncio.to_thread(pack, snapshot)
        except Exception:
            log.exception("snapshot_not_sent", version=snapshot.version)
            return
        self._newest = NewSnapshot(snapshot.version, packed)
        for worker in self._workers:
            worker.offer(self._newest)
        try:
            async with asyncio.timeout(_APPLIED_WITHIN_SECONDS):
                while any(w.applied < snapshot.version for w in self._workers if w.introduced):
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            late = [w.index for w in self._workers if w.introduced and w.applied < snapshot.version]
            log.warning("snapshot_late", version=snapshot.version, workers=late)

    def _tell_proven(self, credential_id: str) -> None:
        for worker in self._workers:
            worker.channel.send(Proven(credential_id))

    # ── what a worker's channel calls ─────────────────────────────────────────

    def _join(self, channel: Channel) -> _Worker:
        worker = _Worker(self, channel)
        self._workers.add(worker)
        return worker

    def welcome(self, worker: _Worker) -> None:
        if self._newest is not None:
            worker.offer(self._newest)

    def leave(self, worker: _Worker) -> None:
        self._workers.discard(worker)
        self.health.forget(worker)
        self._changed.set()

    def applied(self) -> None:
        self._changed.set()

    def reserve(self, principal: Principal, demand: Demand, *, again: bool) -> Held:
        """As the memory limiter, and nobody overtakes those who wait. Raises what it raises."""
        limiter = self._counting()
        if principal.queueing is not None and not again and limiter.queue.stands_before(principal):
            raise RateLimited("Others wait for a place already.")
        return limiter.reserve(principal, demand, again=again)

    def has_plenty(self, principal: Principal, demand: Demand, held: Held) -> bool:
        return self._counting().has_plenty(principal, demand, held)

    async def wait(self, principal: Principal, demand: Demand, deadline: float | None) -> Held:
        """As `FairQueue.wait`, over the requests of all workers."""
        limiter = self._counting()
        refusal = None
        if not limiter.queue.stands_before(principal):
            try:
                return limiter.reserve(principal, demand)
            except RateLimited as error:
                refusal = error
        held = await limiter.queue.wait(principal, demand, refusal, deadline)
        assert isinstance(held, Held)
        return held

    def _counting(self) -> MemoryLimiter:
        if self._limiter is None:
            raise LimitsUnavailable("Limits are counted elsewhere.")
        return self._limiter


class _Worker:
    """One worker as the control process knows it."""

    def __init__(self, hub: Hub, channel: Channel) -> None:
        self._hub = hub
        self.channel = channel
        self.index = 0
        self.introduced = False
        self.applied = -1
        self._busy = False  # with a snapshot that was sent
        self._waiting: NewSnapshot | None = None
        self._subjects: dict[int, Principal] = {}
        self._held: dict[int, Held] = {}
        self._queueing: dict[int, asyncio.Task[None]] = {}

    def say(self, message: FromControl) -> None:
        self.channel.send(message)

    def offer(self, snapshot: NewSnapshot) -> None:
        """Send it, or keep it until the worker is through with the one before."""
        if not self.introduced:
            return
        if self._busy:
            self._waiting = snapshot
            return
        self._busy = True
        self.say(snapshot)

    def lost(self) -> None:
        for waiting in self._queueing.values():
            waiting.cancel()
        held, self._held = self._held, {}
        for each in held.values():
            each.settle(Decimal(0))
        self._hub.leave(self)

    def heard(self, message: FromWorker) -> None:
        match message:
            case Reserve():
                self._reserve(message)
            case Settle():
                held = self._held.pop(message.id, None)
                if held is not None:
                    held.settle_nano(message.cost, message.tokens, message.served_by)
            case Subject():
                self._subjects[message.number] = Principal(
                    api_key_id=message.api_key_id,
                    api_key_name="",
                    user_id="",
                    user_email="",
                    rates=message.rates,
                    budgets=message.budgets,
                    queueing=message.queueing,
                )
            case Wait():
                self._queueing[message.id] = asyncio.create_task(self._wait(message))
            case Leave():
                left = self._queueing.get(message.id)
                if left is not None:
                    left.cancel()
            case KeptCall():
                self._hub.on_kept(message)
            case HealthReport():
                self._hub.health.hear(self, message)
            case Applied():
                self.applied, self._busy = message.version, False
                waiting, self._waiting = self._waiting, None
                if waiting is not None:
                    self.offer(waiting)
                self._hub.applied()
            case Hello():
                self._meet(message)

    def _meet(self, hello: Hello) -> None:
        self.index = hello.index
        if hello.version != __version__:
            self.say(Retire(f"the control process is version {__version__}"))
            return
        self.introduced = True
        log.info("worker_joined", worker=hello.index, pid=hello.pid)
        self._hub.welcome(self)

    def _reserve(self, asked: Reserve) -> None:
        try:
            held = self._hub.reserve(self._subjects[asked.subject], asked.demand, again=asked.again)
        except OpsCenterError as error:
            self._refuse(asked.id, error)
        else:
            self._held[asked.id] = held
            if not asked.again:
                plenty = self._hub.has_plenty(self._subjects[asked.subject], asked.demand, held)
                self.say(Granted(asked.id, tuple(held.spent_providers), held.pace, plenty))

    async def _wait(self, asked: Wait) -> None:
        try:
            held = await self._hub.wait(self._subjects[asked.subject], asked.demand, asked.deadline)
        except OpsCenterError as error:
            self._refuse(asked.id, error)
        else:
            self._held[asked.id] = held
            self.say(Granted(asked.id, tuple(held.spent_providers), held.pace))
        finally:
            self._queueing.pop(asked.id, None)

    def _refuse(self, id: int, error: OpsCenterError) -> None:
        pace = error.pace if isinstance(error, RateLimited) else None
        self.say(Refused(id, error.type, error.message, error.detail, error.retry_after_seconds, pace))
