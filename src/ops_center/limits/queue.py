"""The queue before the limits: requests that wait for a place instead of being refused, fair between API keys.

Whoever is refused by a limit per minute or at once stands in that limit's line. Of the keys in a line, each has
one turn, then the next key has one, however many requests a key has waiting; a key's own requests keep their
order. Each line has one task, which asks the limiter for whoever is first. Lines are this process's own; a
limiter that several processes share keeps the turns of the keys of all of them (`take_turn`).
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import OrderedDict, deque
from collections.abc import Awaitable, Mapping
from typing import Protocol

from ops_center.errors import OpsCenterError, RateLimited, Unauthenticated
from ops_center.limits.demand import Demand, Reservation, granted
from ops_center.snapshot import Principal, Snapshot


class Limits(Protocol):
    """What the queue stands before."""

    def take_turn(
        self, principal: Principal, demand: Demand, counter: str, waiting: Mapping[str, int]
    ) -> Reservation | Awaitable[Reservation]:
        """As `Limiter.reserve`, for who is first in the line of `counter`. `waiting`: how many requests each
        key has in it. Raises RateLimited with `turn` where a key of another line goes before."""
        ...

    def on_free(self, counter: str, place: asyncio.Event | None) -> None:
        """Set `place` when something under this counter may have come free; None: no longer."""
        ...


class Queue(Protocol):
    """The queue as a request meets it; see `FairQueue`."""

    def stands_before(self, principal: Principal) -> bool: ...

    async def wait(
        self, principal: Principal, demand: Demand, refusal: RateLimited | None, deadline: float | None
    ) -> Reservation: ...


class _Waiting:
    """One request that waits."""

    __slots__ = ("demand", "granted", "line", "principal")

    def __init__(self, principal: Principal, demand: Demand) -> None:
        self.principal = principal
        self.demand = demand
        self.granted: asyncio.Future[Reservation] = asyncio.get_running_loop().create_future()
        self.line: _Line | None = None


class _Line:
    """Everybody who waits for the same counter: one deque per key, the key whose turn it is first."""

    __slots__ = ("counter", "place", "refusal", "serving", "turns")

    def __init__(self, counter: str, refusal: RateLimited) -> None:
        self.counter = counter
        self.refusal = refusal  # the last one, for whoever waited in vain
        self.place = asyncio.Event()
        self.turns: OrderedDict[str, deque[_Waiting]] = OrderedDict()
        self.serving: asyncio.Task[None] | None = None

    @property
    def first(self) -> _Waiting:
        return next(iter(self.turns.values()))[0]

    @property
    def lengths(self) -> Mapping[str, int]:
        return {key: len(of_key) for key, of_key in self.turns.items()}

    def join(self, waiting: _Waiting) -> None:
        waiting.line = self
        self.turns.setdefault(waiting.principal.api_key_id, deque()).append(waiting)

    def leave(self, waiting: _Waiting, *, served: bool = False) -> None:
        """Whoever is served gives the turn to the next key."""
        if waiting.line is not self:
            return
        waiting.line = None
        key = waiting.principal.api_key_id
        of_key = self.turns[key]
        of_key.remove(waiting)
        if not of_key:
            del self.turns[key]
        elif served:
            self.turns.move_to_end(key)
        self.place.set()  # another one may be first now


class FairQueue:
    """`look_again_seconds`: how long a place that came free unseen may stay empty."""

    def __init__(self, limits: Limits, *, look_again_seconds: float = 1.0) -> None:
        self._limits = limits
        self._look_again_seconds = look_again_seconds
        self._lines: dict[str, _Line] = {}
        self._waiting: dict[str, int] = {}  # requests by key
        self._in_all = 0

    def stands_before(self, principal: Principal) -> bool:
        """Whether somebody waits for a limit of this caller already, who is not to be overtaken."""
        return bool(self._lines) and self._line_before(principal) is not None

    async def wait(
        self, principal: Principal, demand: Demand, refusal: RateLimited | None, deadline: float | None
    ) -> Reservation:
        """The place, once it is this request's turn and there is one.

        `refusal`: what the limiter said; None where nobody asked it because others wait. `deadline`: the
        caller's own, by `time.monotonic`. Raises RateLimited when the queue is full, when waiting cannot help
        or did not, and whatever else the limiter raises.
        """
        queueing = principal.queueing
        line = self._line_before(principal) if refusal is None else self._lines.get(refusal.counter)
        if refusal is None:
            refusal = line.refusal if line is not None else RateLimited("This limit is used up.")
        seconds = queueing.seconds if queueing is not None else 0.0
        if deadline is not None:
            seconds = min(seconds, deadline - time.monotonic())
        if queueing is None or refusal.hopeless or (refusal.exact and refusal.retry_after > seconds):
            raise refusal
        key = principal.api_key_id
        if self._waiting.get(key, 0) >= queueing.per_key or self._in_all >= queueing.in_all:
            raise _told(refusal, f"{refusal.message} The queue for it is full.")
        waiting = _Waiting(principal, demand)
        self._stand(waiting, refusal)
        self._waiting[key] = self._waiting.get(key, 0) + 1
        self._in_all += 1
        try:
            async with asyncio.timeout(seconds):
                return await granted(waiting.granted)
        except TimeoutError:
            last = waiting.line.refusal if waiting.line is not None else refusal
            raise _told(last, f"{last.message} It waited {seconds:.3g} seconds in the queue.") from None
        finally:
            if waiting.line is not None:
                waiting.line.leave(waiting)
            self._in_all -= 1
            self._waiting[key] -= 1
            if not self._waiting[key]:
                del self._waiting[key]

    def renew(self, snapshot: Snapshot) -> None:
        """Let everybody who waits go by the limits of `snapshot`; a key that is no more waits for nothing."""
        if not self._lines:
            return
        living = {principal.api_key_id: principal for principal in snapshot.principals.values()}
        for line in self._lines.values():
            for waiting in [one for of_key in line.turns.values() for one in of_key]:
                principal = living.get(waiting.principal.api_key_id)
                if principal is not None:
                    waiting.principal = principal
                elif not waiting.granted.done():
                    waiting.granted.set_exception(
                        Unauthenticated("The API key was revoked while its request waited.")
                    )
                    line.leave(waiting)
            line.place.set()

    def _line_before(self, principal: Principal) -> _Line | None:
        for rate in principal.rates:
            line = self._lines.get(rate.counter)
            if line is not None:
                return line
        return None

    def _stand(self, waiting: _Waiting, refusal: RateLimited) -> None:
        line = self._lines.get(refusal.counter)
        if line is None:
            line = self._lines[refusal.counter] = _Line(refusal.counter, refusal)
            self._limits.on_free(line.counter, line.place)
            line.serving = asyncio.create_task(self._serve(line), name="queue")
        line.join(waiting)

    async def _serve(self, line: _Line) -> None:
        while line.turns:
            waiting = line.first
            line.place.clear()
            try:
                taken = self._limits.take_turn(waiting.principal, waiting.demand, line.counter, line.lengths)
                reservation = taken if isinstance(taken, Reservation) else await taken
            except RateLimited as refusal:
                if refusal.hopeless and not waiting.granted.done():
                    line.leave(waiting)
                    waiting.granted.set_exception(refusal)
                elif refusal.counter in ("", line.counter):
                    if refusal.turn is None:
                        line.refusal = refusal
                    elif refusal.turn in line.turns:
                        line.turns.move_to_end(refusal.turn, last=False)
                        continue
                    await self._until_free(line, refusal.retry_after)
                elif waiting.line is line:  # there is a place here, but not in another of its limits
                    line.leave(waiting)
                    self._stand(waiting, refusal)
                continue
            except Exception as error:  # noqa: BLE001 it is the request's own; the others wait on
                line.leave(waiting)
                if not waiting.granted.done():
                    waiting.granted.set_exception(error)
                if not isinstance(error, OpsCenterError):
                    await asyncio.sleep(0)
                continue
            line.leave(waiting, served=True)
            if waiting.granted.done():  # it left while the limiter was asked
                reservation.settle(None)
            else:
                waiting.granted.set_result(reservation)
        del self._lines[line.counter]
        self._limits.on_free(line.counter, None)

    async def _until_free(self, line: _Line, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(seconds, self._look_again_seconds)):
                await line.place.wait()


def _told(refusal: RateLimited, message: str) -> RateLimited:
    """The same refusal in other words."""
    told = RateLimited(message, retry_after_seconds=refusal.retry_after_seconds)
    told.counter, told.pace = refusal.counter, refusal.pace
    return told
