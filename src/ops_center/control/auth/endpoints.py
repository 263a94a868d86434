"""`/setup` and `/auth`: the only doors that are open to strangers."""

from __future__ import annotations

from fastapi import Request, Response

from ops_center.control.access import PUBLIC, ActorDep, Permission, Routes, client_address
from ops_center.control.auth import service, sessions
from ops_center.control.auth.schemas import LoginRequest, SetupRequest, SetupState, SignedIn
from ops_center.control.context import ControlDep
from ops_center.control.users.service import admin_is_missing, get_user

setup_routes = Routes("setup", prefix="/setup")
routes = Routes("auth", prefix="/auth")


@setup_routes.get("", permission=PUBLIC)
async def get_setup(control: ControlDep) -> SetupState:
    """Whether the first admin is still to be made."""
    return SetupState(needed=await admin_is_missing(control.database))


@setup_routes.post("", permission=PUBLIC)
async def set_up(control: ControlDep, request: Request, response: Response, body: SetupRequest) -> SignedIn:
    """Make the first admin with the token of the set-up link, and sign in."""
    user, token = await service.set_up(
        control,
        body.token,
        body.email,
        body.password.get_secret_value(),
        address=client_address(request),
        user_agent=request.headers.get("user-agent", ""),
    )
    sessions.set_cookie(response, request, token)
    return SignedIn(user=user.public())


@routes.post("/login", permission=PUBLIC)
async def log_in(control: ControlDep, request: Request, response: Response, body: LoginRequest) -> SignedIn:
    """Sign in; 401 for a wrong email, password or code, 429 after too many of them."""
    user, token = await service.log_in(
        control,
        body.email,
        body.password.get_secret_value(),
        body.code,
        address=client_address(request),
        user_agent=request.headers.get("user-agent", ""),
        old_token=request.cookies.get(sessions.COOKIE),
    )
    sessions.set_cookie(response, request, token)
    return SignedIn(
        user=user.public(), second_factor_missing=await service.lacks_second_factor(control, user)
    )


@routes.post("/logout", permission=PUBLIC, status_code=204)
async def log_out(control: ControlDep, request: Request, response: Response) -> None:
    """End this session, if there is one."""
    token = request.cookies.get(sessions.COOKIE)
    if token:
        await service.log_out(control, token)
    sessions.clear_cookie(response, request)


@routes.get("/me", permission=Permission.OWN_SIGN_IN)
async def get_signed_in(control: ControlDep, actor: ActorDep) -> SignedIn:
    """Who is signed in."""
    return SignedIn(
        user=await get_user(control, actor.user_id), second_factor_missing=actor.second_factor_missing
    )
