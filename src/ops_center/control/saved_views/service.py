"""What may happen to saved views: kept, changed, shared, chosen, thrown away.

Everybody has views of their own; a shared one is everybody's to see, and its owner's or an admin's to change.
What happens to shared ones is audited, for it changes what others see.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from ops_center.control.access import Actor, Permission
from ops_center.control.audit_log.service import record
from ops_center.control.context import Control
from ops_center.control.saved_views import repository
from ops_center.control.saved_views.repository import ViewRow
from ops_center.control.saved_views.schemas import (
    NOT_OF,
    Missing,
    SavedView,
    SavedViewCreate,
    SavedViewList,
    SavedViewUpdate,
    ViewPage,
    ViewQuery,
)
from ops_center.control.usage.dimensions import NONE
from ops_center.errors import Conflict, Forbidden, Invalid, NotFound
from ops_center.types import Role, new_id

_MOST_VIEWS = 100


async def list_views(control: Control, actor: Actor, page: ViewPage | None) -> SavedViewList:
    """One's own and the shared ones, by name."""
    async with control.database.read() as conn:
        rows = await repository.listed(conn, actor.user_id, page)
        return SavedViewList(views=await _shown(conn, actor, rows))


async def create_view(control: Control, actor: Actor, wanted: SavedViewCreate) -> SavedView:
    """Raises Conflict naming `name` when it is taken, or for too many; Invalid naming the field of the query;
    Forbidden for who may not share."""
    _check_query(wanted.page, wanted.query)
    if wanted.shared:
        _check_may_share(actor)
    now = control.clock()
    view_id = new_id("view")
    async with control.database.write() as conn:
        if await repository.count(conn, actor.user_id) >= _MOST_VIEWS:
            raise Conflict(f"You have {_MOST_VIEWS} saved views already", hint="Delete one first.")
        await _check_name(conn, wanted.page, actor.user_id, wanted.name, wanted.shared)
        await repository.add(
            conn,
            {
                "id": view_id,
                "page": wanted.page.value,
                "user_id": actor.user_id,
                "name": wanted.name,
                "shared": wanted.shared,
                "query": wanted.query.kept(),
                "created_at": now,
                "updated_at": now,
            },
        )
        if wanted.is_default:
            await repository.choose(conn, actor.user_id, wanted.page, view_id)
        row = await _existing(conn, actor, view_id)
        if row.shared:
            await _audit(conn, actor, "saved_view.share", None, row, control)
        [shown] = await _shown(conn, actor, [row])
    return shown


async def update_view(control: Control, actor: Actor, view_id: str, wanted: SavedViewUpdate) -> SavedView:
    """Raises NotFound, Conflict, Invalid naming the field, or Forbidden for somebody else's."""
    now = control.clock()
    values: dict[str, Any] = {
        name: getattr(wanted, name) for name in ("name", "shared") if getattr(wanted, name) is not None
    }
    async with control.database.write() as conn:
        before = await _existing(conn, actor, view_id, lock=True)
        if wanted.query is not None:
            _check_query(ViewPage(before.page), wanted.query)
            values["query"] = wanted.query.kept()
        if values:
            _check_may_change(actor, before)
            if values.get("shared") and not before.shared:
                _check_may_share(actor)
            shared = values.get("shared", before.shared)
            await _check_name(
                conn, before.page, before.user_id, values.get("name", before.name), shared, but=view_id
            )
            await repository.change(conn, view_id, values | {"updated_at": now})
            if before.shared and not shared:
                await repository.forget_others(conn, view_id, before.user_id)
        if wanted.is_default is not None and wanted.is_default != before.is_default:
            await repository.choose(conn, actor.user_id, before.page, view_id if wanted.is_default else None)
        row = await repository.by_id(conn, actor.user_id, view_id)
        after = before if row is None else row  # an admin took somebody else's back: it is theirs alone again
        if values and (before.shared or after.shared):
            await _audit(conn, actor, "saved_view.update", before, after, control)
        [shown] = await _shown(conn, actor, [after])
    return shown


async def delete_view(control: Control, actor: Actor, view_id: str) -> None:
    """Raises NotFound, or Forbidden for somebody else's."""
    async with control.database.write() as conn:
        row = await _existing(conn, actor, view_id, lock=True)
        _check_may_change(actor, row)
        await repository.remove(conn, view_id)
        if row.shared:
            await _audit(conn, actor, "saved_view.delete", row, None, control)


async def _existing(conn: AsyncConnection, actor: Actor, view_id: str, *, lock: bool = False) -> ViewRow:
    row = await repository.by_id(conn, actor.user_id, view_id, lock=lock)
    if row is None:
        raise NotFound("There is no saved view with this id")
    return row


async def _check_name(
    conn: AsyncConnection, page: str, user_id: str, name: str, shared: bool, *, but: str | None = None
) -> None:
    if await repository.is_named(conn, page=page, user_id=user_id, name=name, shared=shared, but=but):
        raise Conflict(f"There is a view called {name} already", param="name")


def _check_query(page: ViewPage, query: ViewQuery) -> None:
    for name in sorted(query.model_fields_set & NOT_OF[page]):
        if getattr(query, name) is not None:
            raise Invalid(f"The page of {page.value} has no {name}", param=f"query.{name}")


def _check_may_share(actor: Actor) -> None:
    if not actor.may(Permission.VIEWS_SHARE):
        raise Forbidden("Your role may save views for itself, and not share them", param="shared")


def _may_change(actor: Actor, row: ViewRow) -> bool:
    return row.user_id == actor.user_id or actor.role is Role.ADMIN


def _check_may_change(actor: Actor, row: ViewRow) -> None:
    if not _may_change(actor, row):
        raise Forbidden(f"Only {row.owner_email} and admins may change this view")


async def _shown(conn: AsyncConnection, actor: Actor, rows: Sequence[ViewRow]) -> list[SavedView]:
    gone: set[tuple[str, str]] = set()
    for parameter in repository.NAMED:
        named = {row.query[parameter] for row in rows if parameter in row.query} - {NONE}
        if named:
            gone |= {
                (parameter, value) for value in named - await repository.there_are(conn, parameter, named)
            }
    return [
        SavedView(
            id=row.id,
            page=ViewPage(row.page),
            name=row.name,
            query=ViewQuery.model_validate(row.query),
            shared=row.shared,
            owner_email=row.owner_email,
            own=row.user_id == actor.user_id,
            may_change=_may_change(actor, row),
            is_default=row.is_default,
            missing=[
                Missing.model_validate({"parameter": name, "value": value})
                for name, value in row.query.items()
                if (name, value) in gone
            ],
            created_at=row.created_at,
            updated_at=row.updated_at,
        )
        for row in rows
    ]


async def _audit(
    conn: AsyncConnection,
    actor: Actor,
    action: str,
    before: ViewRow | None,
    after: ViewRow | None,
    control: Control,
) -> None:
    row = after or before
    assert row is not None
    await record(
        conn,
        actor,
        action,
        "saved_view",
        row.id,
        row.name,
        _audited(before),
        _audited(after),
        at=control.clock(),
    )


def _audited(row: ViewRow | None) -> dict[str, Any] | None:
    if row is None:
        return None
    return {"page": row.page, "name": row.name, "shared": row.shared, "query": row.query}
