"""A worker's end: the snapshot that its requests see, its limits, and the way back to a control process.

`Link` is the data plane's `SnapshotSource`; `SharedLimiter` its `Limiter` where no Valkey counts. While the
control process is away requests go on with the last snapshot; those with limits wait for it a little.
"""

from __future__ import annotations

import asyncio
import os
import pickle
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path

import msgspec
import structlog

from ops_center import __version__
from ops_center.errors import (
    BudgetExceeded,
    LimitsUnavailable,
    OpsCenterError,
    RateLimited,
    Unauthenticated,
)
from ops_center.health import Health
from ops_center.limits.demand import NO_USAGE, Demand, OutputLengths, Reservation, granted
from ops_center.snapshot import Principal, Snapshot, Target
from ops_center.types import KeptCall, Usage
from ops_center.workers.health import HealthReporter
from ops_center.workers.lifeline import LINK_SOCKET
from ops_center.workers.messages import (
    Applied,
    FromControl,
    FromWorker,
    Granted,
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
from ops_center.workers.wire import Channel, unpack

_TRY_AGAIN_SECONDS = 0.1
_REPORT_SECONDS = 1.0
_WAIT_FOR_LIMITS_SECONDS = 5.0  # for a control process that is being started again
_MOST_SUBJECTS = 50_000
_MOST_KEPT_BYTES = 16 * 1024 * 1024  # of prompts and answers, between two reports
_NANO = Decimal(1_000_000_000)

log = structlog.get_logger("ops_center.workers")


class Link:
    """`run` beside the requests. `on_retire` is called when this worker is to end, `on_snapshot` after each
    change of what requests see."""

    def __init__(
        self,
        run_dir: Path,
        index: int,
        health: Health,
        *,
        on_snapshot: Callable[[Snapshot], None],
        on_retire: Callable[[], None],
    ) -> None:
        self._path = str(run_dir / LINK_SOCKET)
        self._index = index
        self._health = health
        self._reporter = HealthReporter(health)
        self._on_snapshot = on_snapshot
        self._on_retire = on_retire
        self._channel: Channel | None = None
        self._kept_bytes = 0  # since the last report
        self._gone = asyncio.Event()
        self._snapshot: Snapshot | None = None
        self._unpacking: set[asyncio.Task[None]] = set()
        self.first_snapshot = asyncio.Event()
        self.limiter = SharedLimiter(self)

    @property
    def current(self) -> Snapshot:
        assert self._snapshot is not None, "no request is taken before the first snapshot"
        return self._snapshot

    def say(self, message: FromWorker, *, patient: bool = False) -> None:
        if self._channel is not None:
            self._channel.send(message, patient=patient)

    def keep(self, kept: KeptCall) -> None:
        """Send it up to be stored, unless there was too much of it in this second already."""
        self._kept_bytes += len(kept.request) + len(kept.answer)
        if self._kept_bytes <= _MOST_KEPT_BYTES:
            self.say(kept)

    async def run(self) -> None:
        """Keep connected until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            self._gone.clear()
            try:
                _, channel = await loop.create_unix_connection(
                    lambda: Channel(FromControl, lambda _: self), self._path
                )
            except OSError:
                await asyncio.sleep(_TRY_AGAIN_SECONDS)
                continue
            self._channel = channel
            channel.send(Hello(__version__, self._index, os.getpid()))
            reporting = asyncio.create_task(self._report())
            try:
                await self._gone.wait()
            finally:
                reporting.cancel()
                self._channel = None
                self.limiter.lost()
                channel.close()
            if self._snapshot is not None:
                log.warning("control_process_away", serving_snapshot=self._snapshot.version)
            await asyncio.sleep(_TRY_AGAIN_SECONDS)

    async def _report(self) -> None:
        self._reporter.forget()
        while True:
            self._kept_bytes = 0
            report = self._reporter.report()
            if report is not None:
                self.say(report)
            await asyncio.sleep(_REPORT_SECONDS)

    # ── what the channel calls ────────────────────────────────────────────────

    def lost(self) -> None:
        self._gone.set()

    def heard(self, message: FromControl) -> None:
        match message:
            case Granted() | Refused():
                self.limiter.answered(message)
            case NewSnapshot():
                task = asyncio.create_task(self._apply(message))
                self._unpacking.add(task)
                task.add_done_callback(self._unpacking.discard)
            case Proven():
                self._health.proven(message.credential_id)
            case Retire():
                log.info("worker_retires", reason=message.reason)
                self._on_retire()

    async def _apply(self, message: NewSnapshot) -> None:
        """The control process sends the next one only after this one was applied."""
        try:
            self._snapshot = await asyncio.to_thread(unpack, message.packed)
        except (pickle.UnpicklingError, AttributeError, ImportError, TypeError) as error:
            # What cannot be read does not replace what is good; the next one may.
            log.error("snapshot_not_read", version=message.version, error=str(error))
            self.say(Applied(self._snapshot.version if self._snapshot is not None else -1))
            return
        self._on_snapshot(self._snapshot)
        self.say(Applied(message.version))
        if not self.first_snapshot.is_set():
            self.first_snapshot.set()
        # Limits are there again only now: the control process counts them from the ledger by this time.
        if self._channel is not None:
            self.limiter.found()


class _Question(msgspec.Struct, frozen=True, gc=False):
    """What was asked for and is not answered. `waits`: in the queue, until `deadline`."""

    principal: Principal
    demand: Demand
    answer: asyncio.Future[_Held]
    waits: bool = False
    deadline: float | None = None


class SharedLimiter:
    """Asks the control process, which counts and queues for all workers. Satisfies the data plane's `Limiter`,
    and is its own queue."""

    def __init__(self, link: Link) -> None:
        self.lengths = OutputLengths()
        self._say = link.say
        self._there = asyncio.Event()
        self._next_id = 0
        self._subjects: dict[str, tuple[Principal, int]] = {}  # by API key id
        self._asked: dict[int, _Question] = {}
        self._held: dict[int, _Held] = {}

    @property
    def queue(self) -> SharedLimiter:
        return self

    # ── the data plane's side ─────────────────────────────────────────────────

    def reserve(self, principal: Principal, demand: Demand) -> Awaitable[Reservation]:
        """Raises what `MemoryLimiter.reserve` raises, LimitsUnavailable while nobody counts."""
        if not self._there.is_set():
            return self._reserve_when_there(principal, demand)
        return granted(self._ask(_Question(principal, demand, asyncio.get_running_loop().create_future())))

    def stands_before(self, principal: Principal) -> bool:
        """Only the control process knows; it refuses a reservation while others wait."""
        return False

    async def wait(
        self, principal: Principal, demand: Demand, refusal: RateLimited | None, deadline: float | None
    ) -> Reservation:
        """As `FairQueue.wait`."""
        question = _Question(principal, demand, asyncio.get_running_loop().create_future(), True, deadline)
        waiting = self._ask(question)
        id = self._next_id
        try:
            return await granted(waiting)
        except asyncio.CancelledError:
            self._say(Leave(id))
            raise

    async def _reserve_when_there(self, principal: Principal, demand: Demand) -> Reservation:
        try:
            async with asyncio.timeout(_WAIT_FOR_LIMITS_SECONDS):
                while not self._there.is_set():
                    await self._there.wait()
        except TimeoutError:
            raise _nobody_counts() from None
        return await granted(
            self._ask(_Question(principal, demand, asyncio.get_running_loop().create_future()))
        )

    def _ask(self, question: _Question) -> asyncio.Future[_Held]:
        self._next_id += 1
        self._asked[self._next_id] = question
        self._say_question(self._next_id, question)
        return question.answer

    def _say_question(self, id: int, question: _Question) -> None:
        subject = self._subject(question.principal)
        if question.waits:
            self._say(Wait(id, subject, question.demand, question.deadline))
        else:
            self._say(Reserve(id, subject, question.demand))

    def _subject(self, principal: Principal) -> int:
        known = self._subjects.get(principal.api_key_id)
        if known is not None:
            before, number = known
            if before is principal:
                return number
            if (before.rates, before.budgets, before.queueing) == (
                principal.rates,
                principal.budgets,
                principal.queueing,
            ):
                self._subjects[principal.api_key_id] = (principal, number)
                return number
        else:
            if len(self._subjects) >= _MOST_SUBJECTS:
                self._subjects.clear()
            number = len(self._subjects)  # the other end learns it anew, so its list is bounded as well
        self._subjects[principal.api_key_id] = (principal, number)
        self._say(
            Subject(number, principal.api_key_id, principal.rates, principal.budgets, principal.queueing)
        )
        return number

    def settle(self, id: int, cost: int, tokens: int, served_by: str, *, patient: bool) -> None:
        """While the control process is away the journal alone has it, and the next one reads it there."""
        if self._held.pop(id, None) is not None:
            self._say(Settle(id, cost, tokens, served_by), patient=patient)

    # ── the link's side ───────────────────────────────────────────────────────

    def answered(self, message: Granted | Refused) -> None:
        question = self._asked.pop(message.id, None)
        if question is None:
            return
        answer = question.answer
        if isinstance(message, Refused):
            if not answer.done():
                answer.set_exception(_error(message))
        elif answer.done():  # the caller has left meanwhile
            self._say(Settle(message.id))
        else:
            held = self._held[message.id] = _Held(self, message, question.principal, question.demand)
            answer.set_result(held)

    def lost(self) -> None:
        """The control process is gone, and with it what it had counted."""
        self._there.clear()
        self._subjects.clear()
        if self._asked:
            asyncio.get_running_loop().call_later(_WAIT_FOR_LIMITS_SECONDS, self._give_up, list(self._asked))

    def _give_up(self, ids: list[int]) -> None:
        """Nobody came in time to answer these."""
        if not self._there.is_set():
            for id in ids:
                question = self._asked.pop(id, None)
                if question is not None and not question.answer.done():
                    question.answer.set_exception(_nobody_counts())

    def found(self) -> None:
        """A control process counts (again): tell it who is under way and ask what was not answered."""
        if self._there.is_set():
            return
        for id, held in self._held.items():
            self._say(Reserve(id, self._subject(held.principal), held.demand, again=True))
        for id, question in list(self._asked.items()):
            if question.answer.done():
                del self._asked[id]
            else:
                self._say_question(id, question)
        self._there.set()


class _Held(Reservation):
    __slots__ = ("_id", "_limiter", "_plenty", "demand", "principal")

    def __init__(
        self, limiter: SharedLimiter, granted: Granted, principal: Principal, demand: Demand
    ) -> None:
        self._limiter: SharedLimiter | None = limiter
        self._id = granted.id
        self._plenty = granted.plenty
        self.principal = principal
        self.spent_providers = frozenset(granted.spent_providers)
        if self.spent_providers:  # nothing is held at these
            left = tuple(one for one in demand.providers if one.provider_id not in self.spent_providers)
            demand = msgspec.structs.replace(demand, providers=left)
        self.demand = demand
        self.pace = granted.pace

    def settle(self, cost_usd: Decimal | None, usage: Usage = NO_USAGE, target: Target | None = None) -> None:
        limiter, self._limiter = self._limiter, None
        if limiter is None:
            return
        if target is not None and usage.output_tokens:
            limiter.lengths.observe(target, usage.output_tokens)
        limiter.settle(
            self._id,
            int(cost_usd * _NANO) if cost_usd else 0,
            usage.input_tokens + usage.output_tokens,
            target.provider.id if target is not None else "",
            patient=self._plenty,
        )


def _nobody_counts() -> LimitsUnavailable:
    return LimitsUnavailable(
        "The limits of this API key cannot be checked just now.",
        detail="the control process is away",
        retry_after_seconds=1.0,
    )


_KINDS: dict[str, type[OpsCenterError]] = {
    each.type: each for each in (RateLimited, BudgetExceeded, LimitsUnavailable, Unauthenticated)
}


def _error(refused: Refused) -> OpsCenterError:
    kind = _KINDS[refused.kind]
    error = kind(refused.message, detail=refused.detail, retry_after_seconds=refused.retry_after_seconds)
    if isinstance(error, RateLimited):
        error.pace = refused.pace
    return error
