"""`/me/second-factor`: one's own; `/users/{user_id}/second-factor`: an admin takes it away."""

from __future__ import annotations

from ops_center.control.access import ActorDep, Permission, Routes
from ops_center.control.context import ControlDep
from ops_center.control.fields import ObjectId
from ops_center.control.second_factor import service
from ops_center.control.second_factor.schemas import CodeGiven, NewSecondFactor, RecoveryCodes, SecondFactor

own_routes = Routes("second factor", prefix="/me/second-factor")
routes = Routes("second factor", prefix="/users/{user_id}/second-factor")


@own_routes.get("", permission=Permission.OWN_SIGN_IN)
async def get_second_factor(control: ControlDep, actor: ActorDep) -> SecondFactor:
    """Whether one has a second factor, and whether one's role must."""
    return await service.get_second_factor(control, actor)


@own_routes.post("", permission=Permission.OWN_SIGN_IN, status_code=201)
async def begin_second_factor(control: ControlDep, actor: ActorDep) -> NewSecondFactor:
    """A new secret for an authenticator app; it is asked for once it is confirmed. 409 when there is one."""
    return await service.begin(control, actor)


@own_routes.post("/confirm", permission=Permission.OWN_SIGN_IN)
async def confirm_second_factor(control: ControlDep, actor: ActorDep, body: CodeGiven) -> RecoveryCodes:
    """Prove that the app shows the right codes; the recovery codes are in this answer only."""
    return RecoveryCodes(recovery_codes=await service.confirm(control, actor, body.code))


@own_routes.post("/recovery-codes", permission=Permission.OWN_SIGN_IN)
async def renew_recovery_codes(control: ControlDep, actor: ActorDep, body: CodeGiven) -> RecoveryCodes:
    """Ten new recovery codes; the old ones end."""
    return RecoveryCodes(recovery_codes=await service.renew_recovery_codes(control, actor, body.code))


@own_routes.post("/remove", permission=Permission.OWN_SIGN_IN, status_code=204)
async def remove_second_factor(control: ControlDep, actor: ActorDep, body: CodeGiven) -> None:
    """Sign in by password alone again. 403 when one's role must have it."""
    await service.remove(control, actor, body.code)


@routes.delete("", permission=Permission.USERS_WRITE, status_code=204)
async def reset_second_factor(control: ControlDep, actor: ActorDep, user_id: ObjectId) -> None:
    """Take a user's second factor away, and end their sessions."""
    await service.reset(control, actor, user_id)
