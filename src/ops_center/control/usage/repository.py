"""The one query layer behind every figure: sums of usage records over a window of time.

Sums are exact on both engines (nano-dollars and microseconds in integers), and what has no known cost is
counted, never added as zero. A window holds what started after `from_at` and not after `to_at`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    and_,
    case,
    distinct,
    func,
    literal,
    null,
    or_,
    select,
    type_coerce,
    union_all,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from ops_center.control.usage.calendar import DAY
from ops_center.errors import ProviderAuthError, ProviderRateLimited
from ops_center.storage.tables import Instant, Money, attempts, models, providers, usage_records
from ops_center.types import CostSource, CredentialSource

_DAY_US = 86_400_000_000
_MILLION = Decimal(1_000_000)
TICK = timedelta(microseconds=1)  # the smallest step of an Instant
_MOST_SELECTS = 200  # in one UNION; SQLite allows 500

_r = usage_records.c


@dataclass(frozen=True, slots=True)
class Window:
    """What started after `from_at` (None: ever) and not after `to_at`; of one user, if given."""

    from_at: datetime | None
    to_at: datetime
    user_id: str | None = None

    @classmethod
    def last(cls, length: timedelta, now: datetime, *, user_id: str | None = None) -> Window:
        return cls(now - length, now, user_id)

    def before(self) -> Window | None:
        """The window of the same length that ends where this one starts; None for all time."""
        if self.from_at is None:
            return None
        return Window(self.from_at - (self.to_at - self.from_at), self.from_at, self.user_id)

    def holds(self) -> ColumnElement[bool]:
        """The condition on usage records."""
        conditions = [_r.started_at <= self.to_at]
        if self.from_at is not None:
            conditions.append(_r.started_at > self.from_at)
        if self.user_id is not None:
            conditions.append(_r.user_id == self.user_id)
        return and_(*conditions)


@dataclass(frozen=True, slots=True)
class Sums:
    """What some usage records add up to. `cost_usd` is the sum of known costs, estimated ones included."""

    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: Decimal = Decimal(0)
    estimated_cost_usd: Decimal = Decimal(0)
    unknown_cost_calls: int = 0
    failed_calls: int = 0
    priced_tokens: int = 0  # input and output of the calls that the platform paid and whose cost is known

    def __add__(self, other: Sums) -> Sums:
        return Sums(
            self.calls + other.calls,
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.cost_usd + other.cost_usd,
            self.estimated_cost_usd + other.estimated_cost_usd,
            self.unknown_cost_calls + other.unknown_cost_calls,
            self.failed_calls + other.failed_calls,
            self.priced_tokens + other.priced_tokens,
        )

    @property
    def known_cost_usd(self) -> Decimal | None:
        """The cost, or None when some calls have no known cost and all others used nothing (they failed)."""
        return (
            None if self.unknown_cost_calls and not (self.cost_usd or self.priced_tokens) else self.cost_usd
        )

    @property
    def average_mtok(self) -> Decimal | None:
        """What a million tokens cost, input and output together; None where no cost is known."""
        return self.cost_usd * _MILLION / self.priced_tokens if self.priced_tokens else None


NOTHING = Sums()

_known = _r.cost_usd.is_not(None)
_platform_pays = _known & (_r.credential_source == CredentialSource.PLATFORM.value)
_SUMS: tuple[ColumnElement[Any], ...] = (
    func.count().label("calls"),
    func.coalesce(func.sum(_r.input_tokens), 0).label("input_tokens"),
    func.coalesce(func.sum(_r.output_tokens), 0).label("output_tokens"),
    func.sum(_r.cost_usd, type_=Money).label("cost_usd"),
    func.sum(
        case((_r.cost_source == CostSource.ESTIMATED.value, _r.cost_usd), else_=null()), type_=Money
    ).label("estimated_cost_usd"),
    func.coalesce(func.sum(case((_known, 0), else_=1)), 0).label("unknown_cost_calls"),
    func.coalesce(func.sum(case((_r.status >= 400, 1), else_=0)), 0).label("failed_calls"),
    func.coalesce(func.sum(case((_platform_pays, _r.input_tokens + _r.output_tokens), else_=0)), 0).label(
        "priced_tokens"
    ),
)


def _sums(row: Any) -> Sums:
    return Sums(
        int(row.calls),
        int(row.input_tokens),
        int(row.output_tokens),
        row.cost_usd or Decimal(0),
        row.estimated_cost_usd or Decimal(0),
        int(row.unknown_cost_calls),
        int(row.failed_calls),
        int(row.priced_tokens),
    )


@dataclass(frozen=True, slots=True)
class DailySums:
    """One provider (by its name then; None: no provider was asked) on one day (UTC, days since 1970)."""

    epoch_day: int
    provider_name: str | None
    sums: Sums


async def by_day_and_provider(conn: AsyncConnection, window: Window) -> Sequence[DailySums]:
    """Everything the charts of a window are made of, in one pass over its records."""
    # grouped by its label: PostgreSQL takes two equal expressions with parameters for two expressions
    day = (type_coerce(_r.started_at, BigInteger) // _DAY_US).label("epoch_day")
    query = (
        select(day, _r.provider_name, *_SUMS).where(window.holds()).group_by("epoch_day", _r.provider_name)
    )
    return [DailySums(int(row.epoch_day), row.provider_name, _sums(row)) for row in await conn.execute(query)]


async def totals(conn: AsyncConnection, window: Window) -> Sums:
    return _sums((await conn.execute(select(*_SUMS).where(window.holds()))).one())


async def by_age_in_days(conn: AsyncConnection, now: datetime, days: int) -> list[Sums]:
    """Sums of the last `days` × 24 hours: the first entry is the last 24 hours, the next those before, ..."""
    now_us = Instant().process_bind_param(now, conn.dialect)
    age = ((literal(now_us, BigInteger) - type_coerce(_r.started_at, BigInteger)) // _DAY_US).label("age")
    window = Window.last(days * DAY, now)
    found = await conn.execute(select(age, *_SUMS).where(window.holds()).group_by("age"))
    of_age = {int(row.age): _sums(row) for row in found}
    return [of_age.get(number, NOTHING) for number in range(days)]


async def by_provider_id(
    conn: AsyncConnection, window: Window, ids: Sequence[str] | None = None
) -> dict[str, Sums]:
    """Sums per provider id; only of `ids` when given."""
    condition = _r.provider_id.is_not(None) if ids is None else _r.provider_id.in_(ids)
    query = select(_r.provider_id, *_SUMS).where(window.holds(), condition).group_by(_r.provider_id)
    return {row.provider_id: _sums(row) for row in await conn.execute(query)}


async def by_strategy(conn: AsyncConnection, window: Window) -> dict[str, Sums]:
    """Sums per strategy, of the requests that left the choice to us."""
    query = select(_r.strategy, *_SUMS).where(window.holds(), _r.strategy.is_not(None)).group_by(_r.strategy)
    return {row.strategy: _sums(row) for row in await conn.execute(query)}


@dataclass(frozen=True, slots=True)
class Reach:
    """Who stood behind some requests."""

    requests: int
    api_keys: int
    users: int


async def reach_of_provider(conn: AsyncConnection, provider_id: str, window: Window) -> Reach:
    """How many requests a provider answered (or was asked last for), of how many keys and users."""
    query = select(
        func.count().label("requests"),
        func.count(distinct(_r.api_key_id)).label("api_keys"),
        func.count(distinct(_r.user_id)).label("users"),
    ).where(window.holds(), _r.provider_id == provider_id)
    row = (await conn.execute(query)).one()
    return Reach(row.requests, row.api_keys, row.users)


async def first_record_at(conn: AsyncConnection, user_id: str | None = None) -> datetime | None:
    """When the oldest usage record started; None without any."""
    query = select(func.min(_r.started_at, type_=Instant))
    if user_id is not None:
        query = query.where(_r.user_id == user_id)
    first: datetime | None = (await conn.execute(query)).scalar_one()
    return first


async def median_latency_seconds(
    conn: AsyncConnection, provider_ids: Sequence[str], since: datetime, *, newest: int = 2000
) -> dict[str, float]:
    """The median duration of each provider's `newest` successful attempts since then.

    One short walk along the index per provider, so that its cost does not grow with the ledger.
    """
    medians: dict[str, float] = {}
    for start in range(0, len(provider_ids), _MOST_SELECTS):
        walks = [
            select(attempts.c.provider_id, attempts.c.duration_seconds)
            .where(
                attempts.c.provider_id == provider_id,
                attempts.c.started_at > since,
                attempts.c.outcome == "success",
            )
            .order_by(attempts.c.started_at.desc())
            .limit(newest)
            .subquery()
            for provider_id in provider_ids[start : start + _MOST_SELECTS]
        ]
        if not walks:
            continue
        rows = union_all(*(select(walk.c.provider_id, walk.c.duration_seconds) for walk in walks)).subquery()
        place = func.row_number().over(partition_by=rows.c.provider_id, order_by=rows.c.duration_seconds)
        count = func.count().over(partition_by=rows.c.provider_id)
        placed = select(rows, place.label("place"), count.label("count")).subquery()
        lower, upper = (placed.c["count"] + 1) // 2, (placed.c["count"] + 2) // 2
        middle = (
            select(placed.c.provider_id, func.avg(placed.c.duration_seconds).label("median"))
            .where(placed.c.place.in_((lower, upper)))
            .group_by(placed.c.provider_id)
        )
        medians |= {row.provider_id: float(row.median) for row in await conn.execute(middle)}
    return medians


@dataclass(frozen=True, slots=True)
class AttemptCount:
    """How often a provider's calls ended in a certain way."""

    provider_id: str
    outcome: str
    calls: int
    first_at: datetime


async def attempt_outcomes(
    conn: AsyncConnection, provider_ids: Sequence[str], since: datetime
) -> Sequence[AttemptCount]:
    """The ways in which calls to these providers ended since then; a user's own key that was refused or
    used up says nothing about the provider."""
    query = (
        select(
            attempts.c.provider_id,
            attempts.c.outcome,
            func.count().label("calls"),
            func.min(attempts.c.started_at, type_=Instant).label("first_at"),
        )
        .where(
            attempts.c.provider_id.in_(provider_ids),
            attempts.c.started_at > since,
            or_(
                attempts.c.credential_source == CredentialSource.PLATFORM.value,
                attempts.c.outcome.not_in((ProviderAuthError.type, ProviderRateLimited.type)),
            ),
        )
        .group_by(attempts.c.provider_id, attempts.c.outcome)
    )
    found = await conn.execute(query)
    return [AttemptCount(row.provider_id, row.outcome, row.calls, row.first_at) for row in found]


async def configured(conn: AsyncConnection) -> tuple[int, int]:
    """How many providers are configured, and how many models are enabled at enabled ones."""
    total = (await conn.execute(select(func.count()).select_from(providers))).scalar_one()
    active = (
        await conn.execute(
            select(func.count())
            .select_from(models.join(providers, models.c.provider_id == providers.c.id))
            .where(models.c.enabled, providers.c.enabled)
        )
    ).scalar_one()
    return int(total), int(active)
