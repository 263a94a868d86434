"""Reads what sums do not know: requests that were sent twice, and keys that nobody uses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

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
