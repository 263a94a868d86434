"""What a user may do with their own keys: add, test, replace, disable, delete.

A key is proven before it is kept, sealed before it reaches the database, and sent to nobody but the
providers of its type that an admin set up, or else to the type's own address. Nothing of a key is logged,
audited or shown to anybody but its owner.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from ops_center.control.access import Actor
from ops_center.control.audit_log.service import record
from ops_center.control.byok import repository
from ops_center.control.byok.policy import global_policy, tightened
from ops_center.control.byok.repository import Instance, OwnKeyRow, OwnSums
from ops_center.control.byok.schemas import (
    KeyStatus,
    OwnKeySettings,
    OwnKeyType,
    ProviderKey,
    ProviderKeyList,
    ProviderKeyPut,
    ProviderKeyTest,
)
from ops_center.control.context import Control
from ops_center.control.notifications import outbox
from ops_center.control.notifications.events import own_key_failing
from ops_center.control.providers import fields
from ops_center.control.providers.proof import Address, failed, invalid_api_key, prove
from ops_center.control.providers.schemas import LastTest, TestResult
from ops_center.control.users import repository as users
from ops_center.errors import Conflict, Invalid, NotFound
from ops_center.providers.access import is_usable_credential, takes_service_accounts
from ops_center.providers.google_tokens import GOOGLES_ISSUER, service_account
from ops_center.providers.registry import PROVIDER_SPECS, provider_spec
from ops_center.providers.spec import ProviderSpec, own_place
from ops_center.storage.secrets import SecretError
from ops_center.types import ByokPolicy, new_id

_NOTHING = OwnSums()
# What says nothing about the key: the provider could not be asked.
UNPROVEN = frozenset({"timeout", "unreachable", "rate_limited", "provider_error"})


# ── looking ───────────────────────────────────────────────────────────────────


async def list_keys(control: Control, user_id: str) -> ProviderKeyList:
    await control.drain_journal()
    now = control.clock()
    async with control.database.read() as conn:
        rows = await repository.of_user(conn, user_id)
        wishes = await repository.wishes_of(conn, user_id)
        policy = tightened(await global_policy(conn), *wishes.policies)
        instances = await repository.instances(conn)
        sums = await repository.sums_by_type(conn, user_id, now)
    return ProviderKeyList(
        provider_keys=[_shown(row, instances, sums.get(row.provider_type, _NOTHING)) for row in rows],
        types=[_type(spec, at) for spec in PROVIDER_SPECS if (at := _used_at(spec, instances))],
        policy=policy,
        fallback=wishes.fallback,
        fallback_allowed=policy is ByokPolicy.BYOK_THEN_SHARED,
    )


async def get_key(control: Control, user_id: str, provider_type: str) -> ProviderKey:
    """Raises NotFound."""
    listed = await list_keys(control, user_id)
    for key in listed.provider_keys:
        if key.type == provider_type:
            return key
    raise _missing()


def status_of(row: OwnKeyRow) -> KeyStatus:
    if not row.enabled:
        return KeyStatus.DISABLED
    if row.failing_since is not None:
        return KeyStatus.FAILING
    return KeyStatus.WORKING if row.check_success else KeyStatus.UNPROVEN


def _used_at(spec: ProviderSpec, instances: Mapping[str, Sequence[Instance]]) -> list[str]:
    """The addresses that a key of this type is sent to; none where somebody must set up a provider first.

    None either for LiteLLM's SDK, whose keys are parameters, and those an admin's."""
    if spec.extra is not None:
        return []
    addresses = [instance.base_url for instance in instances.get(spec.type, ())]
    if not addresses and (place := own_place(spec)) is not None:
        addresses = [place[0]]
    return list(dict.fromkeys(addresses))


def provable_types(instances: Mapping[str, Sequence[Instance]]) -> list[str]:
    """The types whose keys can be proven now: there is an address to send them to."""
    return [spec.type for spec in PROVIDER_SPECS if _used_at(spec, instances)]


def _type(spec: ProviderSpec, used_at: list[str]) -> OwnKeyType:
    return OwnKeyType(
        type=spec.type,
        name=spec.name,
        description=spec.description,
        color=spec.color,
        get_key_url=spec.get_key_url,
        key_prefix=spec.key_prefix,
        key_help=spec.key_help,
        key_is_a_file=takes_service_accounts(spec),
        used_at=used_at,
    )


def _shown(row: OwnKeyRow, instances: Mapping[str, Sequence[Instance]], used: OwnSums) -> ProviderKey:
    spec = provider_spec(row.provider_type)
    last_check = None
    if row.check_at is not None:
        last_check = LastTest(
            at=row.check_at,
            success=bool(row.check_success),
            latency_ms=row.check_latency_ms,
            message=row.check_message or "",
            error_type=row.check_error_type,  # type: ignore[arg-type]
        )
    recent = used.recent
    all_unknown = recent.calls > 0 and recent.unknown_own_cost_calls == recent.calls
    return ProviderKey(
        type=row.provider_type,
        type_name=spec.name,
        color=spec.color,
        credential_preview=row.preview,
        enabled=row.enabled,
        status=status_of(row),
        last_check=last_check,
        failing_since=row.failing_since,
        used_at=_used_at(spec, instances),
        requests_30d=recent.calls,
        own_cost_30d_usd=None if all_unknown else recent.own_cost_usd,
        estimated_share_30d=recent.own_estimated_share,
        unknown_cost_requests_30d=recent.unknown_own_cost_calls,
        last_used_at=used.ever.last_at,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


# ── changing ──────────────────────────────────────────────────────────────────


async def put_key(control: Control, actor: Actor, provider_type: str, wanted: ProviderKeyPut) -> ProviderKey:
    """Add, replace or (without `api_key`) switch on and off. A key that the provider refuses is kept only
    with `force`; one that could not be proven, because the provider was away, is kept and tried again.

    Raises Invalid naming `type` or `api_key`.
    """
    spec = fields.spec_of(provider_type)
    key = fields.checked_key(wanted.api_key, spec)
    _check_names_no_address(spec, key)
    if not key:
        return await _switch(control, actor, spec, wanted)
    result = await _prove(control, spec, key)
    if not result.success and not wanted.force and result.error_type not in UNPROVEN:
        raise Invalid(
            result.message,
            param="api_key",
            hint=f"{result.hint or ''} To keep it all the same, send it again with force.".strip(),
        )
    now = control.clock()
    credential_id = new_id("cred")
    row = OwnKeyRow(
        id=credential_id,
        user_id=actor.user_id,
        provider_type=spec.type,
        secret=control.secrets.seal(key, f"credential:{credential_id}"),
        preview=fields.key_preview(spec, key),
        enabled=True if wanted.enabled is None else wanted.enabled,
        created_at=now,
        updated_at=now,
        **_checked(result, now, None),
    )
    try:
        async with control.database.write() as conn:
            before = await repository.one(conn, actor.user_id, spec.type, lock=True)
            if before is not None:
                row = dataclasses.replace(row, created_at=before.created_at)
                await repository.remove(conn, before.id)
            await repository.add(conn, row)
            await _record(
                conn,
                actor,
                "provider_key.create" if before is None else "provider_key.update",
                before,
                row,
                now,
                True,
            )
    except IntegrityError:  # the same user, in the same moment, in another window
        raise Conflict("This key has just been changed elsewhere", hint="Look at it and try again.") from None
    await control.publisher.publish()
    return await get_key(control, actor.user_id, spec.type)


async def _switch(control: Control, actor: Actor, spec: ProviderSpec, wanted: ProviderKeyPut) -> ProviderKey:
    now = control.clock()
    async with control.database.write() as conn:
        before = await repository.one(conn, actor.user_id, spec.type, lock=True)
        if before is None or wanted.enabled is None:
            raise Invalid("An API key is required", param="api_key")
        after = dataclasses.replace(before, enabled=wanted.enabled)
        if after != before:
            await repository.change(conn, before.id, {"enabled": after.enabled, "updated_at": now})
            await _record(conn, actor, "provider_key.update", before, after, now, False)
    await control.publisher.publish()
    return await get_key(control, actor.user_id, spec.type)


async def delete_key(control: Control, actor: Actor, provider_type: str) -> None:
    """For good, with its secret; the ledger of what ran on it stays. Raises NotFound."""
    now = control.clock()
    async with control.database.write() as conn:
        row = await repository.one(conn, actor.user_id, provider_type, lock=True)
        if row is None:
            raise _missing()
        await repository.remove(conn, row.id)
        await _record(conn, actor, "provider_key.delete", row, None, now, False)
    await control.publisher.publish()


async def update_settings(control: Control, actor: Actor, wanted: OwnKeySettings) -> ProviderKeyList:
    """Change what is sent."""
    now = control.clock()
    if wanted.fallback is not None:
        async with control.database.write() as conn:
            before = await repository.wishes_of(conn, actor.user_id)
            if before.fallback != wanted.fallback:
                await repository.set_fallback(conn, actor.user_id, wanted.fallback, now)
                await record(
                    conn,
                    actor,
                    "user.update",
                    "user",
                    actor.user_id,
                    actor.email,
                    {"byok_fallback": before.fallback},
                    {"byok_fallback": wanted.fallback},
                    at=now,
                )
        await control.publisher.publish()
    return await list_keys(control, actor.user_id)


# ── testing ───────────────────────────────────────────────────────────────────


async def test_key(control: Control, actor: Actor, provider_type: str, wanted: ProviderKeyTest) -> TestResult:
    """Test a key that is sent, or else the saved one and keep the result. Raises NotFound or Invalid."""
    spec = fields.spec_of(provider_type)
    key = fields.trimmed_key(wanted.api_key)
    if key:
        _check_names_no_address(spec, key)
        if not is_usable_credential(spec, key):
            return failed(invalid_api_key("It contains spaces or characters that no key has: copy it again."))
        return await _prove(control, spec, key)
    async with control.database.read() as conn:
        row = await repository.one(conn, actor.user_id, spec.type)
    if row is None:
        raise _missing()
    return await check_saved(control, row)


async def check_saved(control: Control, row: OwnKeyRow, *, tell_owner: bool = False) -> TestResult:
    """Prove a saved key now, and mark it by the outcome; a key replaced meanwhile is left alone.

    With `tell_owner`, they are notified when it is this check that finds it broken."""
    spec = provider_spec(row.provider_type)
    try:
        key = control.secrets.open(row.secret, f"credential:{row.id}")
    except SecretError:
        result = failed(invalid_api_key("The stored key cannot be opened any more: enter it again."))
    else:
        result = await _prove(control, spec, key)
    async with control.database.write() as conn:
        current = await repository.one(conn, row.user_id, row.provider_type, lock=True)
        if current is not None and current.id == row.id:
            now = control.clock()
            checked = _checked(result, now, current.failing_since)
            await repository.change(conn, row.id, checked)
            if tell_owner and current.failing_since is None and checked["failing_since"] is not None:
                owner = await users.by_id(conn, row.user_id)
                if owner is not None:
                    event = own_key_failing(row.id, owner.id, owner.email, spec.type, spec.name, now)
                    await outbox.post(control, conn, event)
    return result


async def _prove(control: Control, spec: ProviderSpec, key: str) -> TestResult:
    """Where traffic would go: the platform's provider of the highest priority, else the type's own address."""
    async with control.database.read() as conn:
        instances = (await repository.instances(conn)).get(spec.type)
    place = own_place(spec)
    if instances:
        at = instances[0]
    elif place is not None:
        at = Instance(spec.type, *place, allow_private_network=False)
    else:
        raise Invalid(
            f"There is no provider of the type {spec.name} here to use a key at",
            param="type",
            hint="Ask an admin to add one.",
        )
    return await prove(
        control.http,
        Address(
            spec=spec,
            base_url=at.base_url,
            options=at.options,
            api_key=key,
            allow_private_network=at.allow_private_network,
        ),
    )


def _check_names_no_address(spec: ProviderSpec, key: str) -> None:
    """A service account's key says where its tokens come from: for a user's own, Google's address alone."""
    account = service_account(key) if takes_service_accounts(spec) else None
    if account is not None and account.token_uri != GOOGLES_ISSUER:
        raise Invalid(
            "The key's token_uri is not Google's",
            param="api_key",
            hint=f"A key of your own may only name {GOOGLES_ISSUER}.",
        )


def _checked(result: TestResult, now: datetime, failing_since: datetime | None) -> dict[str, Any]:
    """The columns after a check. A provider that could not be asked neither marks a key nor clears it."""
    if result.success:
        failing_since = None
    elif result.error_type not in UNPROVEN:
        failing_since = failing_since or now
    return {
        "check_at": now,
        "check_success": result.success,
        "check_latency_ms": result.latency_ms,
        "check_message": result.message,
        "check_error_type": result.error_type,
        "failing_since": failing_since,
    }


# ── parts ─────────────────────────────────────────────────────────────────────


async def _record(
    conn: AsyncConnection,
    actor: Actor,
    action: str,
    before: OwnKeyRow | None,
    after: OwnKeyRow | None,
    now: datetime,
    key_replaced: bool,
) -> None:
    row = after or before
    assert row is not None
    await record(
        conn,
        actor,
        action,
        "provider_key",
        row.id,
        row.provider_type,
        None if before is None else _audited(before, False),
        None if after is None else _audited(after, key_replaced and before is not None),
        at=now,
    )


def _audited(row: OwnKeyRow, key_replaced: bool) -> dict[str, Any]:
    """No preview: admins read the audit log, and nothing of a user's key is theirs to see."""
    return {"type": row.provider_type, "enabled": row.enabled, "key_replaced": key_replaced}


def _missing() -> NotFound:
    return NotFound("You have no key of your own for this type of provider")
