"""Tells the limiter what was spent before it began to count, and holds its counts against the ledger.

A new budget is seeded before traffic sees it. From then on the limiter counts for itself; every so often
its figure is compared with the ledger, which is right by definition, and corrected by what differs twice
in a row: a request that one of the two has not heard of yet differs only once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Protocol

import structlog

from ops_center.control.budgets import repository
from ops_center.control.budgets.repository import Subject
from ops_center.errors import LimitsUnavailable
from ops_center.limits.periods import bounds
from ops_center.snapshot import Budget, Snapshot
from ops_center.storage.database import Database

_log = structlog.get_logger(__name__)
_EVERY_SECONDS = 30.0
_SOON_SECONDS = 2.0  # after a new budget: what was under way when it came is in the ledger by then
_NANO = Decimal(1_000_000_000)


class Counters(Protocol):
    """The limiter's counters, as the control plane sees them."""

    async def knows(self, budget: Budget) -> bool:
        """Whether the current period of this budget is counted already."""
        ...

    async def spent(self, budget: Budget) -> int:
        """Nano-dollars settled in the current period."""
        ...

    async def add_spent(self, budget: Budget, nano_usd: int) -> None: ...

    def keep_only(self, snapshot: Snapshot) -> None:
        """Forget what this snapshot has no limit for."""
        ...


class BudgetCounting:
    """One per server; `prepare` before each snapshot, `run` beside the requests."""

    def __init__(
        self,
        database: Database,
        counters: Counters,
        drain_journal: Callable[[], Awaitable[None]],
        clock: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._counters = counters
        self._drain_journal = drain_journal
        self._clock = clock
        self._snapshot: Snapshot | None = None
        self._off_by: dict[str, int] = {}
        self._new = asyncio.Event()

    async def prepare(self, snapshot: Snapshot) -> None:
        """Seed the counters of budgets that are new. Raises what the database raises."""
        try:
            if await self._seed(snapshot):
                self._new.set()
        except LimitsUnavailable as error:
            # Traffic must not wait for it; the next comparison seeds what is missing.
            _log.warning("budgets_not_seeded", reason=error.message)
        self._counters.keep_only(snapshot)
        self._snapshot = snapshot

    async def _seed(self, snapshot: Snapshot) -> bool:
        """Tell the counters of budgets they do not know; whether there were any."""
        fresh = [budget for budget in snapshot.budgets if not await self._counters.knows(budget)]
        if fresh:
            await self._drain_journal()
            for budget, in_ledger in await self._in_the_ledger(fresh):
                await self._counters.add_spent(budget, in_ledger - await self._counters.spent(budget))
        return bool(fresh)

    async def run(self) -> None:
        """Compare until cancelled; outlives whatever the database does."""
        while True:
            try:
                async with asyncio.timeout(_EVERY_SECONDS):
                    await self._new.wait()
                self._new.clear()
                await asyncio.sleep(_SOON_SECONDS)
                await self._compare_logged()
                await asyncio.sleep(_SOON_SECONDS)
            except TimeoutError:
                pass
            await self._compare_logged()

    async def _compare_logged(self) -> None:
        try:
            await self.compare()
        except Exception as error:  # noqa: BLE001 the counters go on as they are; try again
            _log.warning("budgets_not_compared", error=type(error).__name__)

    async def compare(self) -> None:
        """One look at every budget."""
        if self._snapshot is None or not self._snapshot.budgets:
            return
        if [budget for budget in self._snapshot.budgets if not await self._counters.knows(budget)]:
            await self._seed(self._snapshot)  # a new period, or a server that lost its memory
        # The ledger is read between two looks at the counters. While requests end it lies between them; where it
        # does not, one of the two has counted something that the other has not.
        budgets = self._snapshot.budgets
        counted = [await self._counters.spent(budget) for budget in budgets]
        await self._drain_journal()
        in_ledger = await self._in_the_ledger(budgets)
        for (budget, nano_usd), lowest in zip(in_ledger, counted, strict=True):
            highest = max(lowest, await self._counters.spent(budget))
            off_by = nano_usd - min(max(nano_usd, lowest), highest)
            before = self._off_by.get(budget.counter, 0)
            if off_by and before and (off_by > 0) == (before > 0):
                correction = min(off_by, before, key=abs)
                await self._counters.add_spent(budget, correction)
                _log.info("budget_corrected", budget=budget.counter, by_usd=str(Decimal(correction) / _NANO))
                off_by -= correction
            self._off_by[budget.counter] = off_by

    async def _in_the_ledger(self, budgets: Sequence[Budget]) -> list[tuple[Budget, int]]:
        """Each with the nano-dollars of its current period."""
        now = self._clock()
        subjects = [
            Subject(budget.scope, budget.subject_id, *bounds(budget.period, now, budget.time_zone))
            for budget in budgets
        ]
        async with self._database.read() as conn:
            found = await repository.spent(conn, subjects)
        return [
            (budget, int(found[subject].cost_usd * _NANO))
            for budget, subject in zip(budgets, subjects, strict=True)
        ]
