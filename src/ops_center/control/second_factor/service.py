"""What may happen to a second factor: begun, confirmed, removed by its owner or by an admin.

Wrong codes count as wrong passwords do (`auth/throttle.py`). What a session may do before its user has the
factor that the role must have is decided in `access.py`.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from ops_center.control.access import Actor
from ops_center.control.audit_log.service import record
from ops_center.control.auth import sessions
from ops_center.control.auth.settings import SignInSettings
from ops_center.control.context import Control
from ops_center.control.second_factor import codes, proof, repository
from ops_center.control.second_factor.schemas import NewSecondFactor, SecondFactor
from ops_center.control.settings.organisation import OrganisationSettings
from ops_center.control.settings.repository import read_setting
from ops_center.control.users import repository as users
from ops_center.errors import Conflict, Forbidden, Invalid, NotFound

_WRONG = "This code is wrong or was used already"


async def get_second_factor(control: Control, actor: Actor) -> SecondFactor:
    async with control.database.read() as conn:
        found = await repository.find(conn, actor.user_id)
        since = None if found is None else found.confirmed_at
        return SecondFactor(
            enabled=since is not None,
            required=await _is_required(conn, actor),
            since=since,
            recovery_codes_left=await repository.recovery_codes_left(conn, actor.user_id),
        )


async def begin(control: Control, actor: Actor) -> NewSecondFactor:
    """A new secret, in place of one that was never confirmed. Raises Conflict when there is a confirmed one."""
    secret = codes.new_secret()
    async with control.database.write() as conn:
        if await proof.is_asked_for(conn, actor.user_id):
            raise Conflict("There is a second factor already", hint="Remove it first.")
        await repository.begin(conn, control.secrets, actor.user_id, secret, control.clock())
        organisation = await read_setting(conn, OrganisationSettings)
    issuer = f"Ops-Center {organisation.name}".strip().replace(":", " ")
    uri = codes.uri(secret, actor.email, issuer)
    return NewSecondFactor(secret=secret, uri=uri, qr_svg=codes.qr_svg(uri))


async def confirm(control: Control, actor: Actor, code: str) -> list[str]:
    """From now on it is asked for: the recovery codes. The user's other sessions end.

    Raises Invalid naming `code`, Conflict when nothing is to be confirmed, RateLimited.
    """
    now = control.clock()
    control.login_throttle.begin(actor.email, actor.ip_address, now)
    async with control.database.write() as conn:
        found = await repository.find(conn, actor.user_id)
        if found is None or found.confirmed_at is not None:
            control.login_throttle.undo(actor.email, actor.ip_address, now)
            raise Conflict("There is no second factor to confirm", hint="Begin with POST /me/second-factor.")
        if not await proof.prove(conn, control.secrets, actor.user_id, code, now, app_only=True):
            raise Invalid(
                _WRONG, param="code", hint="Type the six digits that the app shows, and check its clock."
            )
        made = codes.new_recovery_codes()
        await repository.set_recovery_codes(conn, actor.user_id, map(codes.digest, made))
        await repository.confirm(conn, actor.user_id, now)
        await sessions.end_all(conn, actor.user_id, but=actor.session_hash)
        await record(conn, actor, "second_factor.enable", "user", actor.user_id, actor.email, at=now)
    control.login_throttle.succeeded(actor.email, actor.ip_address, now)
    return made


async def renew_recovery_codes(control: Control, actor: Actor, code: str) -> list[str]:
    """Ten new ones; the old ones end. Raises Invalid naming `code`, or RateLimited."""
    made = codes.new_recovery_codes()
    now = await _begin_proof(control, actor)
    async with control.database.write() as conn:
        await _prove(control, conn, actor, code)
        await repository.set_recovery_codes(conn, actor.user_id, map(codes.digest, made))
        await record(conn, actor, "second_factor.renew_codes", "user", actor.user_id, actor.email, at=now)
    control.login_throttle.succeeded(actor.email, actor.ip_address, now)
    return made


async def remove(control: Control, actor: Actor, code: str) -> None:
    """Sign in by password alone again.

    Raises Forbidden when the role must have it, Invalid naming `code`, or RateLimited.
    """
    async with control.database.read() as conn:
        if await _is_required(conn, actor):
            raise Forbidden("Your role must have a second factor", hint="Ask an admin to reset it.")
    now = await _begin_proof(control, actor)
    async with control.database.write() as conn:
        await _prove(control, conn, actor, code)
        await repository.remove(conn, actor.user_id)
        await record(conn, actor, "second_factor.disable", "user", actor.user_id, actor.email, at=now)
    control.login_throttle.succeeded(actor.email, actor.ip_address, now)


async def reset(control: Control, actor: Actor, user_id: str) -> None:
    """Take a user's second factor away, for who lost app and recovery codes; their sessions end.

    Raises NotFound for an unknown user; without a factor nothing changes.
    """
    async with control.database.write() as conn:
        user = await users.by_id(conn, user_id)
        if user is None:
            raise NotFound("There is no user with this id")
        if await repository.remove(conn, user_id):
            await sessions.end_all(conn, user_id, but=actor.session_hash)
            await record(conn, actor, "second_factor.reset", "user", user_id, user.email, at=control.clock())


async def _begin_proof(control: Control, actor: Actor) -> datetime:
    """When the try began. Raises Conflict without a factor, or RateLimited."""
    now = control.clock()
    async with control.database.read() as conn:
        if not await proof.is_asked_for(conn, actor.user_id):
            raise Conflict("There is no second factor")
    control.login_throttle.begin(actor.email, actor.ip_address, now)
    return now


async def _prove(control: Control, conn: AsyncConnection, actor: Actor, code: str) -> None:
    if not await proof.prove(conn, control.secrets, actor.user_id, code, control.clock()):
        raise Invalid(_WRONG, param="code")


async def _is_required(conn: AsyncConnection, actor: Actor) -> bool:
    return actor.role in (await read_setting(conn, SignInSettings)).second_factor_roles
