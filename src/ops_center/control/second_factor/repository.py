"""The rows of second factors: the sealed secret, the newest step used, the hashes of recovery codes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from ops_center.storage.secrets import SecretBox
from ops_center.storage.tables import recovery_codes, sealed_secrets, second_factors


@dataclass(frozen=True, slots=True)
class FactorRow:
    secret: bytes  # sealed
    confirmed_at: datetime | None


def secret_name(user_id: str) -> str:
    """The name of the row, which is also what the sealed bytes are bound to."""
    return f"totp:{user_id}"


async def find(conn: AsyncConnection, user_id: str) -> FactorRow | None:
    query = (
        select(sealed_secrets.c.secret, second_factors.c.confirmed_at)
        .join(sealed_secrets, sealed_secrets.c.name == secret_name(user_id))
        .where(second_factors.c.user_id == user_id)
    )
    row = (await conn.execute(query)).one_or_none()
    return None if row is None else FactorRow(row.secret, row.confirmed_at)


async def begin(conn: AsyncConnection, box: SecretBox, user_id: str, secret: str, now: datetime) -> None:
    """Put a factor that is still to be confirmed in place of whatever was there."""
    await remove(conn, user_id)
    name = secret_name(user_id)
    await conn.execute(
        insert(sealed_secrets).values(name=name, secret=box.seal(secret, name), updated_at=now)
    )
    await conn.execute(insert(second_factors).values(user_id=user_id, created_at=now, last_step=0))


async def use_step(conn: AsyncConnection, user_id: str, step: int) -> bool:
    """Note that this step's code was used; False when it, or a newer one, was used before."""
    query = update(second_factors).where(
        second_factors.c.user_id == user_id, second_factors.c.last_step < step
    )
    return (await conn.execute(query.values(last_step=step))).rowcount == 1


async def confirm(conn: AsyncConnection, user_id: str, now: datetime) -> None:
    await conn.execute(
        update(second_factors).where(second_factors.c.user_id == user_id).values(confirmed_at=now)
    )


async def remove(conn: AsyncConnection, user_id: str) -> bool:
    """Whether there was one."""
    await conn.execute(delete(recovery_codes).where(recovery_codes.c.user_id == user_id))
    await conn.execute(delete(sealed_secrets).where(sealed_secrets.c.name == secret_name(user_id)))
    found = await conn.execute(delete(second_factors).where(second_factors.c.user_id == user_id))
    return found.rowcount == 1


async def set_recovery_codes(conn: AsyncConnection, user_id: str, digests: Iterable[bytes]) -> None:
    await conn.execute(delete(recovery_codes).where(recovery_codes.c.user_id == user_id))
    rows = [{"user_id": user_id, "code_hash": digest} for digest in digests]
    await conn.execute(insert(recovery_codes), rows)


async def use_recovery_code(conn: AsyncConnection, user_id: str, digest: bytes) -> bool:
    """Use it up; True for one caller only."""
    query = delete(recovery_codes).where(
        recovery_codes.c.user_id == user_id, recovery_codes.c.code_hash == digest
    )
    return (await conn.execute(query)).rowcount == 1


async def recovery_codes_left(conn: AsyncConnection, user_id: str) -> int:
    query = select(func.count()).where(recovery_codes.c.user_id == user_id)
    return await conn.scalar(query) or 0
