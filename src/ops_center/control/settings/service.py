"""What may happen to settings: read whole, changed field by field.

A change is checked, written with its line in the audit log, and published before it is answered.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from ops_center.control.access import Actor
from ops_center.control.audit_log.service import record
from ops_center.control.context import Control
from ops_center.control.routing_versions.service import keep
from ops_center.control.settings import repository
from ops_center.control.settings.schemas import SECTIONS, Settings, SettingsUpdate
from ops_center.control.settings.section import MASK, Section


async def get_settings(control: Control) -> Settings:
    async with control.database.read() as conn:
        rows = await repository.every_row(conn)
    sections: dict[str, Any] = {
        key: repository.restored(model, rows.get(model.key)) for key, model in SECTIONS.items()
    }
    return Settings(
        version=sum(row.version for row in rows.values()),
        updated_at=max((row.updated_at for row in rows.values()), default=None),
        **sections,
    )


async def update_settings(control: Control, actor: Actor, wanted: SettingsUpdate) -> Settings:
    """Change the fields that were sent. Raises Invalid naming the first that cannot be."""
    sections: list[Section] = [getattr(wanted, key) for key in SECTIONS if key in wanted.model_fields_set]
    for section in sections:
        async with control.database.read() as conn:
            before = await repository.read_setting(conn, type(section))
        after, _ = _merged(before, section)
        await after.check(control)
    async with control.database.write() as conn:
        changes = [change for each in sections if (change := await _apply(control, actor, conn, each))]
        if changes:
            await keep(conn, actor, "settings.update", at=control.clock())
        for name, old, new in changes:
            await record(
                conn,
                actor,
                "settings.update",
                "settings",
                name,
                name,
                old,
                new,
                at=control.clock(),
            )
    if changes:
        await control.publisher.publish()
    return await get_settings(control)


async def _apply(
    control: Control, actor: Actor, conn: AsyncConnection, sent: Section
) -> tuple[str, dict[str, Any], dict[str, Any]] | None:
    """The section's name, what it was and what it is; None when nothing changes."""
    model, now = type(sent), control.clock()
    row = await repository.row(conn, model.key, lock=True)
    before = repository.restored(model, row)
    after, secrets = _merged(before, sent)
    if after == before and not secrets:
        return None
    await repository.write_secrets(conn, control.secrets, model, secrets, now)
    await repository.write_setting(control.database, conn, after, now, by=actor.user_id)
    replaced = {f"{name}_replaced" for name in secrets}
    return (
        model.key,
        before.model_dump(mode="json") | dict.fromkeys(replaced, False),
        after.model_dump(mode="json") | dict.fromkeys(replaced, True),
    )


def _merged(before: Section, sent: Section) -> tuple[Section, dict[str, str | None]]:
    """The section after the change, and the secrets to be sealed or (None) removed."""
    values = {name: getattr(sent, name) for name in sent.model_fields_set}
    secrets: dict[str, str | None] = {}
    for name in sent.secret_fields & values.keys():
        if values[name] == MASK:
            del values[name]
        else:
            secrets[name] = values[name]
            values[name] = None if values[name] is None else MASK
    return type(before).model_validate(before.model_dump() | values), secrets
