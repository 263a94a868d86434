"""Reads what sums do not know: requests sent twice, beginnings that came again, and keys that nobody uses."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, case, func, or_, select, type_coerce
from sqlalchemy.ext.asyncio import AsyncConnection

from ops_center.catalog.prompt_caching import LIFETIME_SECONDS
from ops_center.control.usage.repository import Window
from ops_center.storage.tables import Instant, Money, api_keys, usage_records, users
from ops_center.types import CredentialSource

LOOKED_AT = 100_000
_r = usage_records.c


@dataclass(frozen=True, slots=True)
class Duplicates:
    """Of one key: requests whose body had been sent before. `cost_usd` is of the repetitions alone."""

    api_key_id: str
    api_key_name: str
    repetitions: int
    cost_usd: Decimal
    examples: Sequence[str]


@dataclass(frozen=True, slots=True)
class Looked:
    """How far a look reached: how many requests bore a fingerprint, of how many, and the oldest."""

    requests: int
    with_fingerprint: int
    from_at: datetime | None


async def duplicates(conn: AsyncConnection, window: Window) -> tuple[list[Duplicates], Looked]:
    """Among the newest requests of a window, the platform's own that were answered: by key, the dearest first.

    Of each set of equal ones the dearest counts as the first, so that what the others cost is the least it can be.
    """
    some = (
        select(
            _r.request_id,
            _r.started_at,
            _r.api_key_id,
            _r.api_key_name,
            _r.endpoint,
            _r.fingerprint,
            _r.cost_usd,
            _r.status,
            _r.credential_source,
        )
        .where(window.holds())
        .order_by(_r.started_at.desc(), _r.request_id.desc())
        .limit(LOOKED_AT)
        .subquery()
    )
    s = some.c
    row = (
        await conn.execute(
            select(func.count(), func.count(s.fingerprint), func.min(s.started_at, type_=Instant))
        )
    ).one()
    looked = Looked(int(row[0]), int(row[1]), row[2])
    if not looked.with_fingerprint:
        return [], looked
    equal = (
        select(
            s.api_key_id,
            func.max(s.api_key_name).label("name"),
            func.count().label("calls"),
            func.sum(s.cost_usd, type_=Money).label("cost"),
            func.max(s.cost_usd, type_=Money).label("dearest"),
            func.max(s.request_id).label("newest"),
        )
        .where(
            s.fingerprint.is_not(None),
            s.cost_usd.is_not(None),
            s.status == 200,
            s.credential_source == CredentialSource.PLATFORM.value,
        )
        .group_by(s.api_key_id, s.endpoint, s.fingerprint)
        .having(func.count() > 1)
    )
    of_key: dict[str, list[Any]] = {}
    for one in await conn.execute(equal):
        of_key.setdefault(one.api_key_id, []).append(one)
    found = [
        Duplicates(
            key,
            max(one.name for one in sets),
            sum(one.calls - 1 for one in sets),
            sum((one.cost - one.dearest for one in sets), Decimal(0)),
            [one.newest for one in sorted(sets, key=lambda one: (one.dearest - one.cost, one.newest))[:3]],
        )
        for key, sets in of_key.items()
    ]
    return sorted(found, key=lambda one: (-one.cost_usd, -one.repetitions, one.api_key_id)), looked


@dataclass(frozen=True, slots=True)
class Opening:
    """One beginning at one target that came again while it could have been cached. Tokens are estimated."""

    provider_id: str
    model: str
    key_ids: frozenset[str]
    calls: int
    reads: int  # of them, so soon after another that they would have read the cache
    read_tokens: int
    write_tokens: int
    newest: str  # one of the requests


@dataclass(frozen=True, slots=True)
class OpeningsLooked:
    """How far a look at beginnings reached: the requests by target, and the oldest of all."""

    by_target: Mapping[tuple[str, str], int]
    from_at: datetime | None


async def openings(conn: AsyncConnection, window: Window) -> tuple[list[Opening], OpeningsLooked]:
    """Among the newest requests of a window with a beginning that could have been cached, the platform's own.

    A request would have read what another had written or read no longer ago than a cache lives, and written otherwise.
    """
    some = (
        select(
            _r.request_id,
            _r.started_at,
            _r.provider_id,
            _r.model,
            _r.opening,
            _r.opening_tokens,
            _r.api_key_id,
        )
        .where(
            window.holds(),
            _r.opening.is_not(None),
            _r.credential_source == CredentialSource.PLATFORM.value,
        )
        .order_by(_r.started_at.desc())
        .limit(LOOKED_AT)
        .subquery()
    )
    s = some.c
    counted = (
        await conn.execute(
            select(
                s.provider_id,
                s.model,
                func.count().label("calls"),
                func.min(s.started_at, type_=Instant).label("oldest"),
            ).group_by(s.provider_id, s.model)
        )
    ).all()
    looked = OpeningsLooked(
        {(row.provider_id, row.model): row.calls for row in counted},
        min((row.oldest for row in counted), default=None),
    )
    if not counted:
        return [], looked
    same = [s.provider_id, s.model, s.opening]
    before = func.lag(type_coerce(s.started_at, BigInteger)).over(partition_by=same, order_by=s.started_at)
    reads = case((type_coerce(s.started_at, BigInteger) - before <= LIFETIME_SECONDS * 1_000_000, 1), else_=0)
    marked = select(
        *same, s.opening_tokens, s.api_key_id, s.request_id, s.started_at, reads.label("read")
    ).subquery()
    m = marked.c
    again = (
        select(
            m.provider_id,
            m.model,
            m.opening,
            m.api_key_id,
            func.count().label("calls"),
            func.sum(m.read).label("reads"),
            func.sum(m.opening_tokens * m.read).label("read_tokens"),
            func.sum(m.opening_tokens * (1 - m.read)).label("write_tokens"),
            func.max(m.request_id).label("newest"),
            func.sum(func.sum(m.read))
            .over(partition_by=[m.provider_id, m.model, m.opening])
            .label("all_reads"),
        )
        .group_by(m.provider_id, m.model, m.opening, m.api_key_id)
        .subquery()
    )
    found: dict[tuple[str, str, int], list[Any]] = {}
    for row in await conn.execute(select(again).where(again.c.all_reads > 0)):
        found.setdefault((row.provider_id, row.model, row.opening), []).append(row)
    return [
        Opening(
            provider_id,
            model,
            frozenset(row.api_key_id for row in rows),
            sum(row.calls for row in rows),
            sum(int(row.reads) for row in rows),
            sum(int(row.read_tokens) for row in rows),
            sum(int(row.write_tokens) for row in rows),
            max(row.newest for row in rows),
        )
        for (provider_id, model, _), rows in found.items()
    ], looked


async def key_names(conn: AsyncConnection, ids: Collection[str]) -> list[str]:
    """Of keys that still exist, in order."""
    query = select(api_keys.c.name).where(api_keys.c.id.in_(ids)).order_by(api_keys.c.name)
    return list((await conn.execute(query)).scalars())


@dataclass(frozen=True, slots=True)
class LivingKey:
    id: str
    name: str
    owner: str
    created_at: datetime


async def living_keys(conn: AsyncConnection, created_before: datetime, now: datetime) -> list[LivingKey]:
    """Keys that could be used since then, and can be used now; of people whose account is enabled."""
    query = (
        select(api_keys.c.id, api_keys.c.name, users.c.email, api_keys.c.created_at)
        .join(users, users.c.id == api_keys.c.user_id)
        .where(
            api_keys.c.revoked_at.is_(None),
            api_keys.c.created_at <= created_before,
            or_(api_keys.c.expires_at.is_(None), api_keys.c.expires_at > now),
            or_(users.c.disabled_at.is_(None), api_keys.c.team_id.is_not(None)),
        )
        .order_by(api_keys.c.created_at, api_keys.c.id)
    )
    return [LivingKey(*row) for row in await conn.execute(query)]
