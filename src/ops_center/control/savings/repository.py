"""Reads what sums do not know: requests sent twice, beginnings that came again, and keys that nobody uses."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, and_, case, func, or_, select, type_coerce
from sqlalchemy.ext.asyncio import AsyncConnection

from ops_center.catalog.prompt_caching import LIFETIME_SECONDS
from ops_center.control.usage.windows import Window
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

    mark: int
    provider_id: str
    model: str
    calls: int
    reads: int  # of them, so soon after another that they would have read the cache
    read_tokens: int
    write_tokens: int
    newest_at: datetime


@dataclass(frozen=True, slots=True)
class OpeningsLooked:
    """How far a look at beginnings reached: the requests by target, and the oldest of all."""

    by_target: Mapping[tuple[str, str], int]
    from_at: datetime | None


_CACHEABLE = and_(_r.opening.is_not(None), _r.credential_source == CredentialSource.PLATFORM.value)


async def openings(conn: AsyncConnection, window: Window) -> tuple[list[Opening], OpeningsLooked]:
    """Among the newest requests of a window with a beginning that could have been cached, the platform's own.

    A request would have read what another had written or read no longer ago than a cache lives, and written otherwise.
    """
    some = (
        select(_r.started_at, _r.provider_id, _r.model, _r.opening, _r.opening_tokens)
        .where(window.holds(), _CACHEABLE)
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
    at = type_coerce(s.started_at, BigInteger)
    since = at - func.lag(at).over(partition_by=s.opening, order_by=at)
    marked = select(some, case((since <= LIFETIME_SECONDS * 1_000_000, 1), else_=0).label("read")).subquery()
    m = marked.c
    again = (
        select(
            m.opening,
            func.max(m.provider_id).label("provider_id"),  # one opening is at one target
            func.max(m.model).label("model"),
            func.count().label("calls"),
            func.sum(m.read).label("reads"),
            func.sum(m.opening_tokens * m.read).label("read_tokens"),
            func.sum(m.opening_tokens * (1 - m.read)).label("write_tokens"),
            func.max(m.started_at, type_=Instant).label("newest_at"),
        )
        .group_by(m.opening)
        .having(func.sum(m.read) > 0)
    )
    return [
        Opening(
            row.opening,
            row.provider_id,
            row.model,
            row.calls,
            int(row.reads),
            int(row.read_tokens),
            int(row.write_tokens),
            row.newest_at,
        )
        for row in await conn.execute(again)
    ], looked


async def keys_of(conn: AsyncConnection, window: Window, found: Iterable[Opening]) -> frozenset[str]:
    """The ids of the API keys whose requests began like this."""
    marks = [one.mark for one in found]
    query = select(_r.api_key_id).distinct().where(window.holds(), _CACHEABLE, _r.opening.in_(marks))
    return frozenset((await conn.execute(query)).scalars())


async def newest_of(conn: AsyncConnection, found: Opening) -> str:
    """The id of the newest request that began like this."""
    query = select(func.max(_r.request_id)).where(
        _r.started_at == found.newest_at, _CACHEABLE, _r.opening == found.mark
    )
    return str((await conn.execute(query)).scalar_one())


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
