"""A user's own profile: name, power level, password; and what one may ask for.

The rules of users in general, and the writing, are in `users/service.py`.
"""

from __future__ import annotations

from datetime import timedelta

from ops_center.control.access import Actor
from ops_center.control.auth import passwords
from ops_center.control.context import Control
from ops_center.control.me.schemas import Activity, OwnModels, ProfileUpdate
from ops_center.control.usage.conditions import Filters
from ops_center.control.usage.dimensions import Dimension
from ops_center.control.usage.repository import totals
from ops_center.control.usage.windows import Window
from ops_center.control.users import repository
from ops_center.control.users import service as users
from ops_center.control.users.schemas import User, UserUpdate
from ops_center.errors import Invalid
from ops_center.model_names import model_names
from ops_center.snapshot import Principal

_A_DAY = timedelta(days=1)


async def get_activity(control: Control, actor: Actor) -> Activity:
    window, own = Window.last(_A_DAY, control.clock()), Filters.only(Dimension.USER, actor.user_id)
    async with control.database.read() as conn:
        found = await totals(conn, window, own)
    return Activity(requests_24h=found.calls, last_request_at=found.last_at)


def list_models(control: Control, actor: Actor) -> OwnModels:
    snapshot = control.publisher.current
    caller = Principal(
        api_key_id="",
        api_key_name="",
        user_id=actor.user_id,
        user_email=actor.email,
        own_keys=snapshot.own_keys.get(actor.user_id),
    )
    return OwnModels(names=[name for name, _ in model_names(snapshot, caller)])


async def update_profile(control: Control, actor: Actor, wanted: ProfileUpdate) -> User:
    """A new password ends the user's other sessions.

    Raises Invalid naming `current_password`, or RateLimited when it was wrong too often.
    """
    if wanted.password is not None:
        await _check_current_password(control, actor, wanted)
    sent = {name: getattr(wanted, name) for name in wanted.model_fields_set if name != "current_password"}
    return await users.update_user(control, actor, actor.user_id, UserUpdate.model_construct(**sent))


async def _check_current_password(control: Control, actor: Actor, wanted: ProfileUpdate) -> None:
    async with control.database.read() as conn:
        user = await repository.by_id(conn, actor.user_id)
    if user is None or user.password_hash is None:
        return
    if wanted.current_password is None:
        raise Invalid("current_password is required to set a new one", param="current_password")
    now = control.clock()
    control.login_throttle.begin(actor.email, actor.ip_address, now)
    if not await passwords.verify_password(wanted.current_password.get_secret_value(), user.password_hash):
        raise Invalid("The current password is wrong", param="current_password")
    control.login_throttle.succeeded(actor.email, actor.ip_address, now)
