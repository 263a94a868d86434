"""The rows of settings: `read_setting` and `write_setting` for whoever needs one, and the sealed secrets.

A section without a row has its defaults. No rules: those are in the sections and in `service.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from ops_center.control.settings.section import Section
from ops_center.errors import Conflict
from ops_center.storage.database import Database
from ops_center.storage.secrets import SecretBox
from ops_center.storage.tables import sealed_secrets, settings

_Section = TypeVar("_Section", bound=Section)


@dataclass(frozen=True, slots=True)
class SettingRow:
    value: dict[str, Any]
    version: int
    updated_at: datetime


async def read_setting(conn: AsyncConnection, section: type[_Section]) -> _Section:
    """The section as it is set now; its defaults where nothing was ever set. Secrets are masked."""
    return restored(section, await row(conn, section.key))


async def read_secret(
    conn: AsyncConnection, box: SecretBox, section: type[Section], field: str
) -> str | None:
    """The secret `field` of the section, opened; None when there is none.

    Raises SecretError when it was sealed under a master key that is gone.
    """
    name = secret_name(section, field)
    sealed = await conn.scalar(select(sealed_secrets.c.secret).where(sealed_secrets.c.name == name))
    return None if sealed is None else box.open(sealed, name)


def restored(section: type[_Section], row: SettingRow | None) -> _Section:
    """Fields that this release does not know are left aside: a newer one may have written them."""
    known = {} if row is None else {n: v for n, v in row.value.items() if n in section.model_fields}
    return section.model_validate(known)


async def row(conn: AsyncConnection, key: str, *, lock: bool = False) -> SettingRow | None:
    """With `lock`, nobody else changes it before this transaction ends."""
    query = select(settings.c.value, settings.c.version, settings.c.updated_at).where(settings.c.key == key)
    found = (await conn.execute(query.with_for_update() if lock else query)).one_or_none()
    return None if found is None else SettingRow(dict(found.value), found.version, found.updated_at)


async def every_row(conn: AsyncConnection) -> dict[str, SettingRow]:
    found = await conn.execute(
        select(settings.c.key, settings.c.value, settings.c.version, settings.c.updated_at)
    )
    return {key: SettingRow(dict(value), version, at) for key, value, version, at in found}


async def write_setting(
    database: Database, conn: AsyncConnection, section: Section, now: datetime, *, by: str | None
) -> None:
    """Put the section in place of what was there, one version on. Raises Conflict when somebody else has
    just done the same for the first time."""
    found = await row(conn, section.key, lock=True)
    values = {
        "value": section.model_dump(mode="json"),
        "version": found.version + 1 if found else 1,
        "updated_at": now,
        "updated_by": by,
    }
    if found is not None:
        await conn.execute(update(settings).where(settings.c.key == section.key).values(**values))
        return
    first = database.insert_ignoring_duplicates(settings).values(key=section.key, **values)
    if (await conn.execute(first)).rowcount == 0:
        raise Conflict("Somebody else has just changed these settings", hint="Look at them and try again.")


async def write_secrets(
    conn: AsyncConnection,
    box: SecretBox,
    section: type[Section],
    secrets: Mapping[str, str | None],
    now: datetime,
) -> None:
    """Seal each secret under its field's name; None removes the one that was there."""
    for field, secret in secrets.items():
        name = secret_name(section, field)
        await conn.execute(delete(sealed_secrets).where(sealed_secrets.c.name == name))
        if secret is not None:
            sealed = box.seal(secret, name)
            await conn.execute(insert(sealed_secrets).values(name=name, secret=sealed, updated_at=now))


def secret_name(section: type[Section], field: str) -> str:
    """The name of the row, which is also what the sealed bytes are bound to."""
    return f"setting:{section.key}.{field}"
