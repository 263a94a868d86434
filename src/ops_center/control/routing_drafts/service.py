"""What may happen to drafts: made, changed, replayed, published, thrown away.

A draft holds only what it changes, so it follows what is live. A replay runs beside the traffic in small
steps; its progress and its result stand in the draft's row.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from ops_center.control.access import Actor
from ops_center.control.aliases.service import checked_name
from ops_center.control.context import Control
from ops_center.control.routing.rules import check_weights
from ops_center.control.routing_drafts import repository
from ops_center.control.routing_drafts.replay import Replay as Replaying
from ops_center.control.routing_drafts.repository import DraftRow, RecordedRow, Span
from ops_center.control.routing_drafts.schemas import (
    Draft,
    DraftChanges,
    DraftCreate,
    DraftList,
    DraftSummary,
    DraftUpdate,
    Replay,
)
from ops_center.control.routing_versions import configuration
from ops_center.control.routing_versions.changes import changes
from ops_center.control.routing_versions.configuration import Configuration
from ops_center.control.routing_versions.repository import newest
from ops_center.control.routing_versions.schemas import RoutingVersionDetail
from ops_center.control.routing_versions.service import get_version, make_live, rehearse
from ops_center.errors import Conflict, Invalid, NotFound
from ops_center.ranking import Weights
from ops_center.snapshot import Snapshot
from ops_center.types import new_id

_log = structlog.get_logger(__name__)
_MOST_DRAFTS = 50
_MOST_REPLAYED = 20_000  # beyond it a sample is replayed, and said to be one
_SHOWN = 500
_BATCH = 50
_STEP_SECONDS = 0.002  # of work at a time; then requests have their turn
_REST = 4.0  # times as long as the step
_TOLD_SECONDS = 1.0  # between two notes of the progress
_SILENT = timedelta(minutes=10)
_INTERRUPTED = "The server was restarted meanwhile; start it again."


# ── looking and writing ───────────────────────────────────────────────────────


async def list_drafts(control: Control) -> DraftList:
    """The one that was changed last, first."""
    async with control.database.read() as conn:
        rows = await repository.listed(conn)
    return DraftList(
        drafts=[
            DraftSummary(
                id=row.id,
                name=row.name,
                created_at=row.created_at,
                created_by_email=row.created_by_email,
                updated_at=row.updated_at,
                replay_status=row.replay["status"] if row.replay else None,
            )
            for row in rows
        ]
    )


async def get_draft(control: Control, draft_id: str) -> Draft:
    """Raises NotFound."""
    async with control.database.read() as conn:
        return await _shown(conn, await _existing(conn, draft_id))


async def create_draft(control: Control, actor: Actor, wanted: DraftCreate) -> Draft:
    """Raises Invalid naming the field, or Conflict when there are too many."""
    now = control.clock()
    async with control.database.write() as conn:
        if await repository.count(conn) >= _MOST_DRAFTS:
            raise Conflict(f"There are {_MOST_DRAFTS} drafts already", hint="Throw one away first.")
        row = DraftRow(
            id=new_id("drf"),
            name=wanted.name,
            changes=await _checked(control, conn, wanted.changes),
            created_at=now,
            created_by_email=actor.email,
            updated_at=now,
            replay=None,
        )
        await repository.add(conn, row)
    return await get_draft(control, row.id)


async def update_draft(control: Control, draft_id: str, wanted: DraftUpdate) -> Draft:
    """Raises NotFound, or Invalid naming the field."""
    async with control.database.write() as conn:
        await _existing(conn, draft_id, lock=True)
        values: dict[str, Any] = {}
        if wanted.name is not None:
            values["name"] = wanted.name
        if wanted.changes is not None:
            values["changes"] = await _checked(control, conn, wanted.changes)
            values["updated_at"] = control.clock()
        await repository.change(conn, draft_id, values)
    return await get_draft(control, draft_id)


async def throw_away(control: Control, draft_id: str) -> None:
    """Raises NotFound. A replay that is running ends by itself."""
    async with control.database.write() as conn:
        await _existing(conn, draft_id, lock=True)
        await repository.remove(conn, draft_id)


async def publish(control: Control, actor: Actor, draft_id: str, *, confirm: bool) -> RoutingVersionDetail:
    """Make the draft live, as a new version; the draft is gone then.

    Raises NotFound; Conflict when nothing would change, or when something of it is gone meanwhile and
    nobody has confirmed that the rest will do; or Forbidden.
    """
    async with control.database.write() as conn:
        row = await _existing(conn, draft_id, lock=True)
        live = await configuration.read(conn)
        applied = await _applied(conn, live, DraftChanges.model_validate(row.changes))
        if applied.lost and not confirm:
            raise Conflict(
                f"This draft cannot be published whole: {'; '.join(applied.lost)}.",
                hint="Send confirm: true to publish the rest.",
                param="confirm",
            )
        if not changes(live, applied.wanted):
            raise Conflict("Nothing would change: what the draft says is live already")
        await repository.remove(conn, draft_id)
        number = await make_live(control, conn, actor, live, applied.wanted, "routing.publish")
    await control.publisher.publish()
    return await get_version(control, number)


# ── replaying ─────────────────────────────────────────────────────────────────


async def start_replay(control: Control, draft_id: str, days: int) -> Draft:
    """Begin to replay the last days beside the traffic. Raises NotFound, or Conflict while one is running."""
    now = control.clock()
    run = new_id("run")
    async with control.database.write() as conn:
        row = await _existing(conn, draft_id, lock=True)
        if _runs(row.replay, now):
            raise Conflict("A replay of this draft is running already")
        before = await newest(conn)
        replay = {
            "run": run,
            "status": "running",
            "days": days,
            "started_at": now.isoformat(),
            "finished_at": None,
            "done": 0,
            "total": None,
            "error": None,
            "result": None,
            "noted_at": now.isoformat(),
            "of": [row.updated_at.isoformat(), before.version if before else 0],
        }
        await repository.change(conn, draft_id, {"replay": replay})
    control.background.start(_run(control, draft_id, replay, now), name="replay")
    return await get_draft(control, draft_id)


async def end_interrupted(control: Control) -> None:
    """At the start: what the end of the last process cut short has failed."""
    async with control.database.write() as conn:
        for row in await repository.listed(conn):
            if row.replay is not None and row.replay["status"] == "running":
                ended = row.replay | {"status": "failed", "error": _INTERRUPTED}
                await repository.change(conn, row.id, {"replay": ended})


async def _run(control: Control, draft_id: str, replay: dict[str, Any], now: datetime) -> None:
    try:
        await _replay(control, draft_id, replay, now)
    except Exception:
        failed = {
            "status": "failed",
            "error": "Something went wrong on our side; the server's log says more.",
        }
        await _note(control, draft_id, replay, failed | {"finished_at": control.clock().isoformat()})
        raise


async def _replay(control: Control, draft_id: str, replay: dict[str, Any], now: datetime) -> None:
    await control.drain_journal()
    span = Span(now - timedelta(days=replay["days"]), now)
    async with control.database.read() as conn:
        row = await repository.by_id(conn, draft_id)
        recorded = await repository.recorded_count(conn, span)
        requests = await repository.requests_count(conn, span)
        speeds = await repository.measured_speeds(conn, span)
    if row is None:
        return
    before, after = await _policies(control, DraftChanges.model_validate(row.changes))
    span = span.of_at_most(_MOST_REPLAYED, recorded)
    async with control.database.read() as conn:
        total = await repository.recorded_count(conn, span) if span.sampled else recorded
    replaying = Replaying(before, after, speeds)
    if not await _note(control, draft_id, replay, {"total": total}):
        return
    done, told = 0, time.monotonic()
    position: tuple[datetime, str] | None = None
    while True:
        async with control.database.read() as conn:
            rows = await repository.recorded(conn, span, position, _BATCH)
        if not rows:
            break
        await _in_steps(replaying, rows)
        position = (rows[-1].started_at, rows[-1].request_id)
        done += len(rows)
        if time.monotonic() - told > _TOLD_SECONDS:
            told = time.monotonic()
            if not await _note(control, draft_id, replay, {"done": done}):
                return
    result = replaying.result(span, requests=recorded, without_plan=max(0, requests - recorded))
    await _note(
        control,
        draft_id,
        replay,
        {
            "status": "done",
            "done": done,
            "finished_at": control.clock().isoformat(),
            "result": result.model_dump(mode="json"),
        },
    )
    _log.info("replayed", draft=draft_id, requests=done, sampled=span.sampled)


async def _policies(control: Control, wanted: DraftChanges) -> tuple[Snapshot, Snapshot]:
    """What is live and what would be, each as the snapshot that traffic would read."""

    async def live(_: AsyncConnection, it: Configuration) -> Configuration:
        return it

    async def changed(conn: AsyncConnection, it: Configuration) -> Configuration:
        return (await _applied(conn, it, wanted)).wanted

    return await rehearse(control, live), await rehearse(control, changed)


async def _in_steps(replaying: Replaying, rows: Sequence[RecordedRow]) -> None:
    """A few milliseconds of work at a time: requests are waiting for the same processor."""
    began = time.perf_counter()
    for row in rows:
        replaying.add(row)
        took = time.perf_counter() - began
        if took > _STEP_SECONDS:
            await asyncio.sleep(took * _REST)
            began = time.perf_counter()


async def _note(control: Control, draft_id: str, replay: dict[str, Any], news: dict[str, Any]) -> bool:
    """Write the progress down; False when the draft is gone or another run has taken its place."""
    async with control.database.write() as conn:
        row = await repository.by_id(conn, draft_id, lock=True)
        if row is None or row.replay is None or row.replay["run"] != replay["run"]:
            return False
        replay.update(news | {"noted_at": control.clock().isoformat()})
        await repository.change(conn, draft_id, {"replay": dict(replay)})
    return True


def _runs(replay: dict[str, Any] | None, now: datetime) -> bool:
    """Whether it is under way: one that has been silent for long went down with its server."""
    if replay is None or replay["status"] != "running":
        return False
    return now - datetime.fromisoformat(replay["noted_at"]) < _SILENT


# ── parts ─────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class _Applied:
    """What a draft makes of what is live, and what of it has no place there any more."""

    wanted: Configuration
    lost: list[str]
    model_names: dict[str, str]


async def _applied(conn: AsyncConnection, live: Configuration, wanted: DraftChanges) -> _Applied:
    lost: list[str] = []
    aliases = dict(live.aliases)
    for given, candidates in wanted.aliases.items():
        name = checked_name(given)
        if candidates is None:
            aliases.pop(name, None)
        else:
            aliases[name] = list(dict.fromkeys(candidates))
    providers = dict(live.providers)
    for provider_id, change in wanted.providers.items():
        state = providers.get(provider_id)
        if state is None:
            lost.append(f"a provider that it changes was deleted ({provider_id})")
        else:
            providers[provider_id] = state.model_copy(update=change.model_dump(exclude_none=True))
    known = await repository.models_by_id(conn, list(wanted.models))
    switched: dict[str, dict[str, bool]] = {}
    for model_id, model in wanted.models.items():
        if model_id in known:
            provider_id, name = known[model_id]
            switched.setdefault(provider_id, {})[name] = model.enabled
        else:
            lost.append(f"a model that it switches is gone ({model_id})")
    for provider_id, models in switched.items():
        state = providers[provider_id]
        disabled = {name for name in state.disabled_models if name not in models}
        disabled |= {name for name, enabled in models.items() if not enabled}
        providers[provider_id] = state.model_copy(update={"disabled_models": sorted(disabled)})
    levels = wanted.power_levels
    return _Applied(
        live.model_copy(
            update={
                "rules": {**live.rules, **wanted.rules.model_dump(mode="json", exclude_none=True)},
                "power_levels": live.power_levels.model_copy(
                    update={name: getattr(levels, name) for name in levels.model_fields_set}
                ),
                "aliases": dict(sorted(aliases.items())),
                "providers": providers,
            }
        ),
        lost,
        {model_id: f"{name} at {providers[of].name}" for model_id, (of, name) in known.items()},
    )


async def _checked(control: Control, conn: AsyncConnection, wanted: DraftChanges) -> dict[str, Any]:
    """The changes as they are stored. Raises Invalid naming what could never be live."""
    if wanted.rules.weights is not None:
        check_weights(Weights(**wanted.rules.weights.model_dump()))
    for name in wanted.aliases:
        checked_name(name)
    live = await configuration.read(conn)
    applied = await _applied(conn, live, wanted)
    for provider_id in wanted.providers:
        if provider_id not in live.providers:
            raise Invalid("There is no provider with this id", param=f"changes.providers.{provider_id}")
    if applied.lost:
        raise Invalid("There is no model with one of these ids", param="changes.models")
    await applied.wanted.power_levels.check(control)
    return wanted.model_dump(mode="json", exclude_unset=True)


async def _existing(conn: AsyncConnection, draft_id: str, *, lock: bool = False) -> DraftRow:
    row = await repository.by_id(conn, draft_id, lock=lock)
    if row is None:
        raise NotFound("There is no draft with this id")
    return row


async def _shown(conn: AsyncConnection, row: DraftRow) -> Draft:
    wanted = DraftChanges.model_validate(row.changes)
    live = await configuration.read(conn)
    version = await newest(conn)
    applied = await _applied(conn, live, wanted)
    found = changes(live, applied.wanted)
    replay = None
    if row.replay is not None:
        now = [row.updated_at.isoformat(), version.version if version else 0]
        told = {name: value for name, value in row.replay.items() if name in Replay.model_fields}
        replay = Replay.model_validate(told | {"outdated": row.replay["of"] != now})
    return Draft(
        id=row.id,
        name=row.name,
        created_at=row.created_at,
        created_by_email=row.created_by_email,
        updated_at=row.updated_at,
        changes=wanted,
        differences=found[:_SHOWN],
        differences_total=len(found),
        lost=applied.lost,
        model_names=applied.model_names,
        replay=replay,
    )
