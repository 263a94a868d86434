"""What may happen to providers: added, changed, tested, deleted; and the cards that show them.

Each change is published before it is answered, and written to the audit log in its own transaction. Keys
are sealed before they reach the database and opened only to be sent to the very address they were given for.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from ops_center.control.access import Actor
from ops_center.control.audit_log.service import record
from ops_center.control.context import Control
from ops_center.control.fields import TimeLimits
from ops_center.control.providers import fields, repository
from ops_center.control.providers.discovery import address_of, discover, start_discovery
from ops_center.control.providers.health import FAILURES, health_of
from ops_center.control.providers.health import WINDOW as HEALTH_WINDOW
from ops_center.control.providers.proof import Address, Failure, failed, invalid_api_key, prove
from ops_center.control.providers.repository import CredentialRow, ProviderRow
from ops_center.control.providers.schemas import (
    Discovery,
    LastTest,
    Provider,
    ProviderCreate,
    ProviderUpdate,
    RefreshResult,
    TestRequest,
    TestResult,
)
from ops_center.control.routing_versions.service import keep
from ops_center.control.usage.repository import AttemptCount, attempt_outcomes, by_provider_id, ended_since
from ops_center.control.usage.sums import NOTHING, Sums
from ops_center.control.usage.windows import Window
from ops_center.errors import Conflict, Invalid, NotFound
from ops_center.health import ProviderReport
from ops_center.providers.access import is_usable_credential
from ops_center.providers.registry import PROVIDER_SPECS
from ops_center.providers.spec import NO_OPTIONS, ProviderSpec, default_base_url
from ops_center.snapshot import Credential
from ops_center.storage.tables import models
from ops_center.types import new_id

_MONTH = timedelta(days=30)
_SPECS: Mapping[str, ProviderSpec] = {spec.type: spec for spec in PROVIDER_SPECS}
_NAME_TRIES = 20
_AUDITED = (
    "name",
    "type",
    "base_url",
    "options",
    "enabled",
    "priority",
    "auto_fallback",
    "allow_private_network",
    "time_limits",
)


# ── looking ───────────────────────────────────────────────────────────────────


async def list_providers(control: Control) -> list[Provider]:
    """The highest priority first, then by name, each with its figures."""
    await control.drain_journal()
    async with control.database.read() as conn:
        return await _described(control, conn, await repository.listed(conn))


async def get_provider(control: Control, provider_id: str) -> Provider:
    """Raises NotFound."""
    await control.drain_journal()
    async with control.database.read() as conn:
        row = await _existing(conn, provider_id)
        return (await _described(control, conn, [row]))[0]


async def _described(control: Control, conn: AsyncConnection, rows: Sequence[ProviderRow]) -> list[Provider]:
    """Everything a card shows, in a handful of queries whatever the number of providers."""
    now = control.clock()
    ids = [row.id for row in rows]
    previews = await repository.previews(conn)
    counts = await repository.enabled_models_per_provider(conn)
    sums = await by_provider_id(conn, Window.last(_MONTH, now), ids)
    outcomes: dict[str, list[AttemptCount]] = defaultdict(list)
    for outcome in await attempt_outcomes(conn, ids, now - HEALTH_WINDOW):
        outcomes[outcome.provider_id].append(outcome)
    return [
        _card(
            row,
            credential_preview=previews.get(row.id),
            models_count=counts.get(row.id, 0),
            used=sums.get(row.id, NOTHING),
            outcomes=outcomes[row.id],
            report=control.health.report(row.id),
            credentials=len(_credentials(control, row.id)),
            demo=control.demo,
        )
        for row in rows
    ]


def _credentials(control: Control, provider_id: str) -> Sequence[Credential]:
    """The provider's keys as traffic uses them now; none for one that serves nothing."""
    target = next(iter(control.publisher.current.by_provider.get(provider_id, {}).values()), None)
    return () if target is None else target.provider.credentials


def _card(
    row: ProviderRow,
    *,
    credential_preview: str | None,
    models_count: int,
    used: Sums,
    outcomes: Sequence[AttemptCount],
    report: ProviderReport,
    credentials: int,
    demo: bool,
) -> Provider:
    spec = _SPECS.get(row.type)
    median_seconds = used.latency_seconds(0.5)
    last_test = None
    if row.test_at is not None:
        last_test = LastTest(
            at=row.test_at,
            success=bool(row.test_success),
            latency_ms=row.test_latency_ms,
            message=row.test_message or "",
            error_type=row.test_error_type,  # type: ignore[arg-type]
        )
    return Provider(
        id=row.id,
        name=row.name,
        type=row.type,
        type_name=spec.name if spec else row.type,
        color=spec.color if spec else "#64748B",
        base_url=row.base_url,
        options=dict(row.options),
        enabled=row.enabled,
        priority=row.priority,
        auto_fallback=row.auto_fallback,
        allow_private_network=row.allow_private_network,
        time_limits=TimeLimits(**(row.time_limits or {})),
        credential_preview=credential_preview,
        status="enabled" if row.enabled else "disabled",
        health=health_of(
            outcomes,
            test_at=row.test_at,
            test_success=row.test_success,
            test_message=row.test_message,
            test_since=row.test_since,
            report=report,
            credentials=credentials,
            models=models_count,
        ),
        models_count=models_count,
        discovery=Discovery(
            status=row.discovery_status,  # type: ignore[arg-type]
            message=row.discovery_message,
            at=row.discovery_at,
        ),
        last_test=last_test,
        average_cost_usd=used.average_mtok,
        requests_30d=used.calls,
        cost_30d_usd=used.known_cost_usd,
        estimated_share_30d=used.estimated_share,
        unknown_cost_requests_30d=used.unknown_cost_calls,
        latency_p50_ms=None if median_seconds is None else round(median_seconds * 1000),
        created_at=row.created_at,
        updated_at=row.updated_at,
        demo=demo,
    )


# ── changing ──────────────────────────────────────────────────────────────────


async def create_provider(control: Control, actor: Actor, wanted: ProviderCreate) -> Provider:
    """Add a provider; it is in the next snapshot, and its models are discovered in the background.

    Raises Invalid naming the field, or Conflict naming `name`.
    """
    spec = fields.spec_of(wanted.type)
    fields.check_extra(spec)
    key = fields.checked_key(wanted.api_key, spec)
    if spec.requires_key and not key:
        raise Invalid("An API key is required for this type", param="api_key")
    options = fields.checked_options(wanted.options, spec, base_url=wanted.base_url)
    base_url = fields.checked_base_url(wanted.base_url, spec, options)
    if spec.local or base_url != default_base_url(spec, options):
        await fields.check_address(control.http, base_url, allow_private_network=wanted.allow_private_network)
    now = control.clock()
    row = ProviderRow(
        id=new_id("prov"),
        name=wanted.name or "",
        type=spec.type,
        base_url=base_url,
        options=options,
        enabled=wanted.enabled,
        priority=wanted.priority,
        auto_fallback=wanted.auto_fallback,
        allow_private_network=wanted.allow_private_network,
        time_limits=wanted.time_limits.merged(None) if wanted.time_limits else None,
        created_at=now,
        updated_at=now,
    )
    for _ in range(_NAME_TRIES):
        try:
            row = await _add(control, actor, row, wanted, key)
            break
        except IntegrityError:  # somebody took the name in the same moment
            if wanted.name is not None:
                raise _name_taken() from None
    else:
        raise _name_taken()
    await control.publisher.publish()
    start_discovery(control, row.id)
    return await get_provider(control, row.id)


async def _add(
    control: Control, actor: Actor, row: ProviderRow, wanted: ProviderCreate, key: str
) -> ProviderRow:
    now = row.created_at
    async with control.database.write() as conn:
        row = dataclasses.replace(row, name=await _free_name(conn, wanted.name, _SPECS[row.type]))
        await repository.add(conn, row)
        if key:
            await repository.put_credential(conn, row.id, _sealed(control, _SPECS[row.type], key), now)
        by_hand = list(dict.fromkeys(wanted.models))
        if by_hand:
            await conn.execute(insert(models), [_model_by_hand(row.id, name, now) for name in by_hand])
        await keep(conn, actor, "provider.create", at=now)
        await record(
            conn, actor, "provider.create", "provider", row.id, row.name, None, _audited(row, key), at=now
        )
    return row


async def update_provider(
    control: Control, actor: Actor, provider_id: str, wanted: ProviderUpdate
) -> Provider:
    """Change what is sent. Models are discovered anew when the key or the address changed.

    Raises NotFound, Invalid naming the field, or Conflict naming `name`.
    """
    async with control.database.read() as conn:
        before = await _existing(conn, provider_id)
    spec = fields.spec_of(before.type)
    key = fields.checked_key(wanted.api_key, spec)
    changes = {
        name: getattr(wanted, name)
        for name in ("name", "priority", "auto_fallback", "enabled", "allow_private_network")
        if getattr(wanted, name) is not None
    }
    changes |= _moves(wanted, before, spec)
    after = dataclasses.replace(before, **changes)
    moved = _moved(before, after)
    if (spec.local or after.base_url != default_base_url(spec, after.options)) and (
        moved or after.allow_private_network != before.allow_private_network
    ):
        await fields.check_address(
            control.http, after.base_url, allow_private_network=after.allow_private_network
        )
    now = control.clock()
    try:
        async with control.database.write() as conn:
            before = await _existing(conn, provider_id, lock=True)
            if wanted.time_limits is not None:
                changes["time_limits"] = wanted.time_limits.merged(before.time_limits)
            after = dataclasses.replace(before, **changes)
            moved = _moved(before, after)
            stored = await repository.credential_of(conn, provider_id)
            if (
                stored is not None
                and not key
                and not fields.keeps_its_key(_place(before), _place(after), spec)
            ):
                raise Invalid(
                    "Enter the API key again: the stored one is never sent to another address",
                    param="api_key",
                )
            if wanted.name is not None and wanted.name != before.name:
                await _check_name(conn, wanted.name, but=provider_id)
            if moved or key:
                # what was measured at the old address, or with the old key, says nothing any more
                changes |= _UNTESTED | {"discovery_status": "pending", "discovery_message": None}
            await repository.change(conn, provider_id, {**changes, "updated_at": now})
            if key:
                await repository.put_credential(conn, provider_id, _sealed(control, spec, key), now)
            await keep(conn, actor, "provider.update", at=now)
            old_preview = stored.preview if stored else None
            await record(
                conn,
                actor,
                "provider.update",
                "provider",
                provider_id,
                after.name,
                _audited(before) | {"credential_preview": old_preview},
                _audited(after)
                | {"credential_preview": fields.key_preview(spec, key) if key else old_preview}
                | ({"key_replaced": True} if key else {}),
                at=now,
            )
    except IntegrityError:
        raise _name_taken() from None
    await control.publisher.publish()
    if moved or key or after.allow_private_network != before.allow_private_network:
        start_discovery(control, provider_id)
    return await get_provider(control, provider_id)


async def set_priorities(control: Control, actor: Actor, wanted: Mapping[str, int]) -> list[Provider]:
    """Give several providers their priorities in one step. Raises Invalid naming `priorities`."""
    now = control.clock()
    async with control.database.write() as conn:
        rows = {row.id: row for row in await repository.listed(conn)}
        if not wanted.keys() <= rows.keys():
            raise Invalid("There is no provider with one of these ids", param="priorities")
        changing = {id: priority for id, priority in wanted.items() if rows[id].priority != priority}
        for provider_id, priority in changing.items():
            await repository.change(conn, provider_id, {"priority": priority, "updated_at": now})
        if changing:
            await keep(conn, actor, "provider.prioritise", at=now)
            await record(
                conn,
                actor,
                "provider.prioritise",
                "provider",
                "",
                f"{len(changing)} providers" if len(changing) > 1 else rows[next(iter(changing))].name,
                {rows[id].name: rows[id].priority for id in changing},
                {rows[id].name: priority for id, priority in changing.items()},
                at=now,
            )
    if changing:
        await control.publisher.publish()
    return await list_providers(control)


def _moves(wanted: ProviderUpdate, before: ProviderRow, spec: ProviderSpec) -> dict[str, Any]:
    """New options and base URL. An address that was the type's own follows the options."""
    if wanted.options is None and wanted.base_url is None:
        return {}
    base_url = wanted.base_url
    if base_url is None and before.base_url != default_base_url(spec, before.options):
        base_url = before.base_url
    options = fields.checked_options(wanted.options or {}, spec, before.options, base_url=base_url)
    return {"options": options, "base_url": fields.checked_base_url(base_url, spec, options)}


def _moved(before: ProviderRow, after: ProviderRow) -> bool:
    return _place(before) != _place(after)


def _place(row: ProviderRow) -> tuple[str, Mapping[str, str]]:
    return row.base_url, row.options


_UNTESTED: dict[str, Any] = {
    "test_at": None,
    "test_since": None,
    "test_success": None,
    "test_latency_ms": None,
    "test_message": None,
    "test_error_type": None,
}


async def delete_provider(control: Control, actor: Actor, provider_id: str) -> None:
    """Remove the provider, its key and its models for good; usage history keeps its name.

    Raises NotFound.
    """
    now = control.clock()
    async with control.database.write() as conn:
        row = await _existing(conn, provider_id, lock=True)
        await repository.remove(conn, provider_id)
        await keep(conn, actor, "provider.delete", at=now)
        await record(
            conn, actor, "provider.delete", "provider", provider_id, row.name, _audited(row), None, at=now
        )
    await control.publisher.publish()


# ── testing and discovering ───────────────────────────────────────────────────


async def run_saved_test(control: Control, actor: Actor, provider_id: str) -> TestResult:
    """Test a saved provider and keep the result on its card. Raises NotFound."""
    async with control.database.read() as conn:
        row = await _existing(conn, provider_id)
    return await prove_saved(control, row, actor)


async def prove_saved(control: Control, row: ProviderRow, actor: Actor | None = None) -> TestResult:
    """The test itself; with an entry in the audit log where somebody asked for it."""
    address = await address_of(control, row)
    result = failed(address) if isinstance(address, Failure) else await prove(control.http, address)
    if result.success:
        for credential in _credentials(control, row.id)[:1]:
            control.health.proven(credential.id)
    now = control.clock()
    since = now
    if row.test_at is not None and row.test_success == result.success:
        otherwise = FAILURES if result.success else ("success",)
        async with control.database.read() as conn:
            if not await ended_since(conn, row.id, row.test_at, otherwise):
                since = row.test_since or row.test_at
    async with control.database.write() as conn:
        current = await repository.by_id(conn, row.id, lock=True)
        if current is not None and not _moved(current, row):
            await repository.change(
                conn,
                row.id,
                {
                    "test_at": now,
                    "test_since": since,
                    "test_success": result.success,
                    "test_latency_ms": result.latency_ms,
                    "test_message": result.message,
                    "test_error_type": result.error_type,
                },
            )
            if actor is not None:
                await record(
                    conn,
                    actor,
                    "provider.test",
                    "provider",
                    row.id,
                    row.name,
                    None,
                    {"success": result.success, "message": result.message},
                    at=now,
                )
    return result


async def run_unsaved_test(control: Control, wanted: TestRequest) -> TestResult:
    """Test what is in a dialog. A stored key is used only towards the address it was stored for.

    Raises Invalid naming `type`, `base_url` or `provider_id`.
    """
    spec = fields.spec_of(wanted.type)
    key = fields.trimmed_key(wanted.api_key)
    stored: ProviderRow | None = None
    if wanted.provider_id:
        async with control.database.read() as conn:
            stored = await repository.by_id(conn, wanted.provider_id)
        if stored is None or stored.type != spec.type:
            raise Invalid("There is no provider of this type with this id", param="provider_id")
    given = wanted.base_url
    if given is None and stored and stored.base_url != default_base_url(spec, stored.options):
        given = stored.base_url
    before = stored.options if stored else NO_OPTIONS
    options = fields.checked_options(wanted.options, spec, before, base_url=given)
    base_url = fields.checked_base_url(given, spec, options)
    if not is_usable_credential(spec, key):
        return failed(invalid_api_key("It contains spaces or characters that no key has: copy it again."))
    if stored is not None and not key:
        kept = await address_of(control, stored)
        if isinstance(kept, Failure):
            return failed(kept)
        if kept.api_key and not fields.keeps_its_key(_place(stored), (base_url, options), spec):
            return failed(
                invalid_api_key("Enter the key again: the stored one is never sent to another address.")
            )
        key = kept.api_key
    return await prove(
        control.http,
        Address(
            spec=spec,
            base_url=base_url,
            options=options,
            api_key=key,
            allow_private_network=wanted.allow_private_network,
        ),
    )


async def refresh_models(control: Control, provider_id: str) -> RefreshResult:
    """Look at the provider's own list now, and wait for the result. Raises NotFound."""
    discovery = await discover(control, provider_id)
    if discovery is None:
        raise NotFound("There is no provider with this id")
    async with control.database.read() as conn:
        counts = await repository.enabled_models_per_provider(conn)
    return RefreshResult(discovery=discovery, models_count=counts.get(provider_id, 0))


# ── parts ─────────────────────────────────────────────────────────────────────


async def _existing(conn: AsyncConnection, provider_id: str, *, lock: bool = False) -> ProviderRow:
    row = await repository.by_id(conn, provider_id, lock=lock)
    if row is None:
        raise NotFound("There is no provider with this id")
    return row


async def _free_name(conn: AsyncConnection, wanted: str | None, spec: ProviderSpec) -> str:
    """`wanted`, or the type's name, numbered when it is taken."""
    if wanted is not None:
        await _check_name(conn, wanted, but=None)
        return wanted
    taken = await repository.names(conn)
    name, number = spec.name, 1
    while name.lower() in taken:
        number += 1
        name = f"{spec.name} {number}"
    return name


async def _check_name(conn: AsyncConnection, name: str, *, but: str | None) -> None:
    if "/" in name:
        raise Invalid(
            "name must not contain a slash", param="name", hint="It separates provider and model in requests."
        )
    if name.lower() in await repository.names(conn, but=but):
        raise _name_taken()


def _name_taken() -> Conflict:
    return Conflict("Another provider has this name", param="name")


def _sealed(control: Control, spec: ProviderSpec, key: str) -> CredentialRow:
    credential_id = new_id("cred")
    return CredentialRow(
        credential_id, control.secrets.seal(key, f"credential:{credential_id}"), fields.key_preview(spec, key)
    )


def _model_by_hand(provider_id: str, name: str, now: Any) -> dict[str, Any]:
    return {
        "id": new_id("mdl"),
        "provider_id": provider_id,
        "name": name,
        "enabled": True,
        "origin": "manual",
        "discovered": None,
        "override": None,
        "first_seen_at": now,
        "last_seen_at": now,
    }


def _audited(row: ProviderRow, key: str = "") -> dict[str, Any]:
    kept = {name: getattr(row, name) for name in _AUDITED}
    return kept | {"credential_preview": fields.key_preview(_SPECS[row.type], key)} if key else kept
