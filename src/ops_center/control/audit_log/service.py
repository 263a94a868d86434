"""Writes the audit log, always in the transaction of the change itself, so neither is there without the other.

Secrets never get in: callers do not pass them, and fields with a telling name are masked all the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from ops_center.control.access import Actor
from ops_center.control.audit_log import chain
from ops_center.storage.tables import audit_log
from ops_center.types import new_id

_SECRET_FIELDS = frozenset(
    {"api_key", "secret", "password", "password_hash", "current_password", "token", "client_secret", "code"}
)
_MASK = "••••"


async def record(
    conn: AsyncConnection,
    actor: Actor | None,
    action: str,
    object_type: str,
    object_id: str,
    object_name: str,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    *,
    at: datetime | None = None,
) -> None:
    """One line: `actor` (None: the system, such as the command line) did `action`, as in "provider.create".

    `before` and `after` hold the fields as they were and are: pass both for a change, one for a creation
    or a deletion. With both, only the fields that differ are kept.

    From here to the end of the transaction every other writer of the log waits, so let this be the last
    thing that the transaction does.
    """
    if before is not None and after is not None:
        before, after = _differences(before, after)
    entry = {
        "id": new_id("aud"),
        "at": at or datetime.now(UTC),
        "actor_id": actor.user_id if actor else None,
        "actor_email": actor.email if actor else "system",
        "action": action,
        "object_type": object_type,
        "object_id": object_id,
        "object_name": object_name[:320],
        "before": None if before is None else _plain(before),
        "after": None if after is None else _plain(after),
        "ip_address": (actor.ip_address if actor else "")[:64],
    }
    await conn.execute(insert(audit_log).values(await chain.linked(conn, entry)))


def _differences(
    before: Mapping[str, Any], after: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    changed = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    return {n: before.get(n) for n in changed}, {n: after.get(n) for n in changed}


def _plain(value: Any, name: str = "") -> Any:
    if name in _SECRET_FIELDS and value is not None:
        return _MASK
    if isinstance(value, Mapping):
        return {str(key): _plain(inner, str(key)) for key, inner in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(inner) for inner in value]
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return str(value)
