"""Keeps a version of routing at every change, and returns to one.

A change writes its version in its own transaction, so neither is there without the other. Returning is a
change like any other: one transaction, one new version, one line in the audit log, then published.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from ops_center.control.access import Actor, Permission
from ops_center.control.audit_log.service import record
from ops_center.control.context import Control
from ops_center.control.paging import Cursor
from ops_center.control.routing_versions import configuration, repository
from ops_center.control.routing_versions.changes import changes, summary
from ops_center.control.routing_versions.configuration import Configuration, ProviderState
from ops_center.control.routing_versions.repository import VersionRow
from ops_center.control.routing_versions.schemas import (
    Rollback,
    RoutingVersion,
    RoutingVersionDetail,
    RoutingVersionList,
)
from ops_center.errors import Conflict, Forbidden, NotFound
from ops_center.snapshot import Snapshot
from ops_center.storage.tables import models

_SHOWN = 500  # changes in an answer
_AUDITED = 100  # changes that a line of the audit log names
_CURSOR_PREFIX = "ver_"


# ── keeping ───────────────────────────────────────────────────────────────────


async def keep(
    conn: AsyncConnection,
    actor: Actor | None,
    action: str,
    *,
    at: datetime,
    rules: Mapping[str, Any] | None = None,
    restored_from: int | None = None,
) -> int | None:
    """Write a version when routing is another than the newest one says; its number, or None.

    To be called in the transaction of a change, after it and just before its line in the audit log: from
    here on, other changes wait. `rules`: new ones, which hold from this version on.
    """
    newest = await repository.newest(conn, alone=True)
    now = await configuration.read(conn)
    if rules is not None:
        now = now.model_copy(update={"rules": dict(rules)})
    before = _configuration(newest)
    known = newest is None or newest.config is not None
    if known and now == before:
        return None
    found = changes(before, now) if known else []
    number = newest.version + 1 if newest else 1
    await repository.add(
        conn,
        VersionRow(
            version=number,
            rules=now.rules,
            config=now.stored(),
            created_at=at,
            created_by=actor.user_id if actor else None,
            created_by_email=actor.email if actor else "",
            action=action,
            summary=summary(found),
            changes_total=len(found),
            restored_from=restored_from,
        ),
    )
    return number


async def keep_what_was_found(control: Control) -> None:
    """At the start: what has changed without a version (before there were any, or behind our back) gets one."""
    async with control.database.write() as conn:
        await keep(conn, None, "start", at=control.clock())


async def make_live(
    control: Control,
    conn: AsyncConnection,
    actor: Actor,
    live: Configuration,
    wanted: Configuration,
    action: str,
    *,
    restored_from: int | None = None,
) -> int:
    """Put `wanted` in the place of `live` as one change; its version. The caller publishes.

    Raises Forbidden where the actor may not change the power levels.
    """
    if wanted.power_levels != live.power_levels and not actor.may(Permission.SETTINGS_WRITE):
        raise Forbidden("Only an admin may change the power levels, and this would")
    found = changes(live, wanted)
    at = control.clock()
    await configuration.write(control.database, conn, live, wanted, at, actor.user_id)
    number = await keep(conn, actor, action, at=at, rules=wanted.rules, restored_from=restored_from)
    assert number is not None, "nothing changed"
    await record(
        conn,
        actor,
        action,
        "routing_version",
        str(number),
        f"Routing version {number}",
        None,
        {
            **({"restored_from": restored_from} if restored_from is not None else {}),
            "changes": [change.text for change in found[:_AUDITED]],
            "changes_total": len(found),
        },
        at=at,
    )
    return number


async def rehearse(
    control: Control, change: Callable[[AsyncConnection, Configuration], Awaitable[Configuration]]
) -> Snapshot:
    """The snapshot that traffic would read if what is live became what `change` makes of it."""

    async def apply(conn: AsyncConnection) -> None:
        live = await configuration.read(conn)
        wanted = await change(conn, live)
        at = control.clock()
        await configuration.write(control.database, conn, live, wanted, at, "")
        if wanted.rules != live.rules:
            await keep(conn, None, "rehearsal", at=at, rules=wanted.rules)

    return await control.publisher.imagine(apply)


# ── looking ───────────────────────────────────────────────────────────────────


async def list_versions(control: Control, limit: int, cursor: str | None) -> RoutingVersionList:
    """The newest first. Raises Invalid naming `cursor`."""
    below = _version_of(Cursor.decode(cursor)) if cursor else None
    async with control.database.read() as conn:
        newest = await repository.newest(conn)
        found = await repository.page(conn, limit + 1, below)
    shown = found[:limit]
    return RoutingVersionList(
        versions=[_shown(row, newest) for row in shown],
        next_cursor=_cursor(shown[-1]) if len(found) > limit else None,
    )


async def get_version(control: Control, version: int) -> RoutingVersionDetail:
    """One version with its differences to the one before, and to now. Raises NotFound."""
    async with control.database.read() as conn:
        newest = await repository.newest(conn)
        row = await _existing(conn, version)
        previous = await repository.before(conn, version)
        live = await configuration.read(conn)
        back = None if row.version == (newest and newest.version) else await _way_back(conn, live, row)
    it = _configuration(row)
    whole = row.config is not None
    before = _configuration(previous)
    if not whole or (previous is not None and previous.config is None):
        before = it.model_copy(update={"rules": before.rules})  # of the rest nothing is known
    since = changes(it if whole else live.model_copy(update={"rules": it.rules}), live)
    rollback = None
    if back is not None:
        found = changes(live, back.wanted)
        rollback = Rollback(changes=found[:_SHOWN], changes_total=len(found), lost=back.lost)
    return RoutingVersionDetail(
        **dict(_shown(row, newest)),
        previous=previous.version if previous else None,
        complete=whole,
        changes=changes(before, it)[:_SHOWN],
        since=since[:_SHOWN],
        since_total=len(since),
        rollback=rollback,
        configuration=it,
    )


# ── returning ─────────────────────────────────────────────────────────────────


async def roll_back(control: Control, actor: Actor, version: int, *, confirm: bool) -> RoutingVersionDetail:
    """Bring back what held under this version, as a new version.

    What was added since is switched off, not deleted. Raises NotFound; Conflict when this is what holds, or
    when something cannot be brought back and nobody has confirmed that the rest will do; or Forbidden.
    """
    async with control.database.write() as conn:
        row = await _existing(conn, version)
        live = await configuration.read(conn)
        back = await _way_back(conn, live, row)
        if back.lost and not confirm:
            raise Conflict(
                f"Version {version} cannot be brought back whole: {'; '.join(back.lost)}.",
                hint="Send confirm: true to bring back the rest.",
                param="confirm",
            )
        if not changes(live, back.wanted):
            raise Conflict(f"Nothing would change: version {version} is what holds now")
        number = await make_live(
            control, conn, actor, live, back.wanted, "routing.rollback", restored_from=version
        )
    await control.publisher.publish()
    return await get_version(control, number)


@dataclass(frozen=True, slots=True)
class _Way:
    """To what a return leads, and what it cannot bring back, each in one sentence without its full stop."""

    wanted: Configuration
    lost: list[str]


async def _way_back(conn: AsyncConnection, live: Configuration, row: VersionRow) -> _Way:
    then = _configuration(row)
    if row.config is None:
        wanted = live.model_copy(update={"rules": then.rules})
        return _Way(wanted, ["of this version only the rules were kept"])
    after = await repository.after(conn, row.version)
    ended_at = after.created_at if after else None
    seen: dict[str, dict[str, datetime]] = {}
    for each in await conn.execute(select(models.c.provider_id, models.c.name, models.c.first_seen_at)):
        seen.setdefault(each.provider_id, {})[each.name] = each.first_seen_at
    lost: list[str] = []
    states: dict[str, ProviderState] = {}
    for provider_id, state in live.providers.items():
        was = then.providers.get(provider_id)
        if was is None:
            states[provider_id] = state.model_copy(update={"enabled": False})
            continue
        others = {s.name.lower() for i, s in live.providers.items() if i != provider_id}
        if was.name.lower() in others:
            lost.append(f"the name “{was.name}” is another provider's now, and “{state.name}” keeps its own")
            was = was.model_copy(update={"name": state.name})
        states[provider_id] = _models_back(was, state, seen.get(provider_id, {}), ended_at, lost)
    for provider_id in then.providers.keys() - live.providers.keys():
        name = then.providers[provider_id].name
        lost.append(f"the provider “{name}” was deleted with its key; add it anew to have it back")
    return _Way(then.model_copy(update={"providers": states}), lost)


def _models_back(
    was: ProviderState,
    state: ProviderState,
    seen: Mapping[str, datetime],
    ended_at: datetime | None,
    lost: list[str],
) -> ProviderState:
    """The provider as it was. Models that its list has named since stay as they are; those entered by hand
    since are switched off."""
    manual = {*was.manual_models, *state.manual_models}
    added = {name for name in state.manual_models if name not in was.manual_models}
    later = {
        name for name, at in seen.items() if ended_at is not None and at > ended_at and name not in manual
    }
    disabled = {n for n in was.disabled_models if n in seen or n in manual} - later
    overrides = {n: o for n, o in was.overrides.items() if n in seen or n in manual}
    lost += [
        f"{was.name} lists the model “{name}” no more, and its prices were set by hand"
        for name in sorted(was.overrides.keys() - overrides.keys())
    ]
    return was.model_copy(
        update={
            "disabled_models": sorted(disabled | added | later.intersection(state.disabled_models)),
            "overrides": {
                name: override
                for name, override in sorted({**state.overrides, **overrides}.items())
                if name in overrides or name in later or name in added
            },
            "manual_models": sorted(manual),
        }
    )


# ── parts ─────────────────────────────────────────────────────────────────────


def _configuration(row: VersionRow | None) -> Configuration:
    return Configuration.restored(row.rules, row.config) if row else Configuration()


async def _existing(conn: AsyncConnection, version: int) -> VersionRow:
    row = await repository.by_version(conn, version)
    if row is None:
        raise NotFound("There is no version of routing with this number")
    return row


def _shown(row: VersionRow, newest: VersionRow | None) -> RoutingVersion:
    return RoutingVersion(
        version=row.version,
        current=newest is not None and newest.version == row.version,
        created_at=row.created_at,
        created_by_email=row.created_by_email,
        action=row.action,
        summary=row.summary,
        changes_total=row.changes_total,
        restored_from=row.restored_from,
    )


def _cursor(row: VersionRow) -> str:
    return Cursor(row.created_at, f"{_CURSOR_PREFIX}{row.version}").encode()


def _version_of(cursor: Cursor) -> int:
    number = cursor.id.removeprefix(_CURSOR_PREFIX)
    return int(number) if number.isdigit() and len(number) < 10 else 0
