"""The rows of saved views, and what each reader's pages open with. No rules: those are in `service.py`."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, and_, delete, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from ops_center.storage.tables import api_keys, default_views, providers, saved_views, teams, users

_v, _d = saved_views.c, default_views.c
# what a filter can name, and whether it is still there
_NAMED = {
    "provider_id": select(providers.c.id),
    "user_id": select(users.c.id),
    "team_id": select(teams.c.id),
    "api_key_id": select(api_keys.c.id).where(api_keys.c.revoked_at.is_(None)),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewRow:
    id: str
    page: str
    user_id: str
    name: str
    shared: bool
    query: dict[str, str]
    created_at: datetime
    updated_at: datetime
    owner_email: str
    is_default: bool


def _seen_by(user_id: str) -> Select[*tuple[Any, ...]]:
    chosen = and_(_d.view_id == _v.id, _d.user_id == user_id)
    return (
        select(saved_views, users.c.email.label("owner_email"), _d.view_id.is_not(None).label("is_default"))
        .join(users, users.c.id == _v.user_id)
        .outerjoin(default_views, chosen)
        .where(or_(_v.user_id == user_id, _v.shared))
    )


async def listed(conn: AsyncConnection, user_id: str, page: str | None) -> Sequence[ViewRow]:
    """One's own and the shared ones, by name."""
    query = _seen_by(user_id).order_by(func.lower(_v.name), _v.id)
    if page is not None:
        query = query.where(_v.page == page)
    return [ViewRow(**row._mapping) for row in await conn.execute(query)]


async def by_id(conn: AsyncConnection, user_id: str, view_id: str, *, lock: bool = False) -> ViewRow | None:
    """Whatever this reader may see."""
    if lock:
        await conn.execute(select(_v.id).where(_v.id == view_id).with_for_update())
    row = (await conn.execute(_seen_by(user_id).where(_v.id == view_id))).one_or_none()
    return None if row is None else ViewRow(**row._mapping)


async def count(conn: AsyncConnection, user_id: str) -> int:
    query = select(func.count()).select_from(saved_views).where(_v.user_id == user_id)
    return int((await conn.execute(query)).scalar_one())


async def is_named(
    conn: AsyncConnection, *, page: str, user_id: str, name: str, shared: bool, but: str | None
) -> bool:
    """Whether another of this user, or of the shared ones where this is one, has the name."""
    theirs = or_(_v.user_id == user_id, _v.shared) if shared else _v.user_id == user_id
    query = select(_v.id).where(_v.page == page, func.lower(_v.name) == name.lower(), theirs)
    return any(row.id != but for row in await conn.execute(query))


async def add(conn: AsyncConnection, values: Mapping[str, Any]) -> None:
    await conn.execute(insert(saved_views).values(**values))


async def change(conn: AsyncConnection, view_id: str, values: Mapping[str, Any]) -> None:
    await conn.execute(update(saved_views).where(_v.id == view_id).values(**values))


async def remove(conn: AsyncConnection, view_id: str) -> None:
    await conn.execute(delete(default_views).where(_d.view_id == view_id))
    await conn.execute(delete(saved_views).where(_v.id == view_id))


async def choose(conn: AsyncConnection, user_id: str, page: str, view_id: str | None) -> None:
    """What the page opens with for this user; None: as everybody's does."""
    await conn.execute(delete(default_views).where(_d.user_id == user_id, _d.page == page))
    if view_id is not None:
        await conn.execute(insert(default_views).values(user_id=user_id, page=page, view_id=view_id))


async def forget_others(conn: AsyncConnection, view_id: str, user_id: str) -> None:
    """It is nobody's default any more but this user's."""
    await conn.execute(delete(default_views).where(_d.view_id == view_id, _d.user_id != user_id))


async def there_are(conn: AsyncConnection, parameter: str, values: Collection[str]) -> set[str]:
    """Which of the values of a filter name something that is there; a key that was revoked is not."""
    query = _NAMED[parameter]
    column = query.selected_columns[0]
    return set((await conn.execute(query.where(column.in_(values)))).scalars())


NAMED = tuple(_NAMED)
