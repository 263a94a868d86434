"""Whether somebody holds a user's second factor. Throttling is the caller's part."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from ops_center.control.second_factor import codes, repository
from ops_center.storage.secrets import SecretBox


async def is_asked_for(conn: AsyncConnection, user_id: str) -> bool:
    """Whether the user has a second factor that was confirmed."""
    found = await repository.find(conn, user_id)
    return found is not None and found.confirmed_at is not None


async def prove(
    conn: AsyncConnection, box: SecretBox, user_id: str, code: str, now: datetime, *, app_only: bool = False
) -> bool:
    """Use the code up: one of the app, or (unless `app_only`) a recovery code. False for a wrong or used one.

    Raises SecretError when the secret was sealed under a master key that is gone.
    """
    found = await repository.find(conn, user_id)
    if found is None:
        return False
    code = codes.typed(code)
    if not codes.is_one_time_code(code):
        return not app_only and await repository.use_recovery_code(conn, user_id, codes.digest(code))
    secret = box.open(found.secret, repository.secret_name(user_id))
    step = codes.matching_step(secret, code, now)
    return step is not None and await repository.use_step(conn, user_id, step)
