"""`/auth/oidc`: the doors of single sign-on."""

from __future__ import annotations

from fastapi import Request, Response

from ops_center.control.access import PUBLIC, Routes, client_address
from ops_center.control.auth import sessions
from ops_center.control.auth.schemas import SignedIn
from ops_center.control.context import ControlDep
from ops_center.control.oidc import service
from ops_center.control.oidc.schemas import SignInBegun, SignInFinish, SingleSignOn

COOKIE = "ops_center_sign_in"

routes = Routes("auth", prefix="/auth/oidc")


@routes.get("", permission=PUBLIC)
async def get_single_sign_on(control: ControlDep) -> SingleSignOn:
    """Whether single sign-on is on."""
    return await service.get_single_sign_on(control)


@routes.post("/begin", permission=PUBLIC)
async def begin_single_sign_on(control: ControlDep, request: Request, response: Response) -> SignInBegun:
    """Where to send the browser; a cookie of ten minutes remembers what must come back."""
    url, sealed = await service.begin(control)
    response.set_cookie(
        COOKIE,
        sealed,
        max_age=int(service.ATTEMPT_LIFETIME.total_seconds()),
        path="/api/v1/auth/oidc",
        secure=sessions.is_https(request),
        httponly=True,
        samesite="lax",
    )
    return SignInBegun(authorization_url=url)


@routes.post("/finish", permission=PUBLIC)
async def finish_single_sign_on(
    control: ControlDep, request: Request, response: Response, body: SignInFinish
) -> SignedIn:
    """Sign in with what the provider sent back; 401 for what is not this browser's, 403 for who may not in."""
    user, token = await service.finish(
        control,
        body.code,
        body.state,
        request.cookies.get(COOKIE),
        address=client_address(request),
        user_agent=request.headers.get("user-agent", ""),
    )
    sessions.set_cookie(response, request, token)
    response.delete_cookie(COOKIE, path="/api/v1/auth/oidc", httponly=True, samesite="lax")
    return SignedIn(user=user.public())
