"""Who may do what: denied by default, decided before a body is read, declared once per route.

Every route is made by `Routes`, which asks for a permission (or `PUBLIC`) and cannot be used without one;
`create_control_app` refuses any route that was made otherwise. Who the caller is comes from the session
cookie or from an API key of scope `admin`; passwords are none of its business (`auth/`).
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Final, TypeVar
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, Request, Response
from fastapi.routing import APIRoute

from ops_center.control.auth import sessions
from ops_center.control.context import Control, get_control
from ops_center.control.reject import ErrorAnswer
from ops_center.errors import Forbidden, SecondFactorMissing, Unauthenticated
from ops_center.types import Role

API_PREFIX = "/api/v1"
PUBLIC: Final = "public"
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_DEFAULT_PORTS = {"http": 80, "https": 443}
_Endpoint = TypeVar("_Endpoint", bound=Callable[..., Any])


class Permission(StrEnum):
    PROVIDERS_READ = "providers:read"
    PROVIDERS_WRITE = "providers:write"
    MODELS_READ = "models:read"
    MODELS_WRITE = "models:write"
    ROUTING_READ = "routing:read"
    ROUTING_WRITE = "routing:write"
    USAGE_READ = "usage:read"
    REQUESTS_READ = "requests:read"
    ALERTS_READ = "alerts:read"
    ALERTS_WRITE = "alerts:write"  # acknowledge and mute; what rings is among the settings
    BODIES_READ = "bodies:read"  # prompts and answers, where they are kept
    VIEWS_READ = "views:read"  # saved views of usage and requests
    VIEWS_WRITE = "views:write"  # one's own
    VIEWS_SHARE = "views:share"
    API_KEYS_READ = "api-keys:read"  # everybody's
    API_KEYS_WRITE = "api-keys:write"
    BYOK_READ = "byok:read"  # who has own keys and what that saves; never a key
    USERS_READ = "users:read"
    USERS_WRITE = "users:write"
    BUDGETS_READ = "budgets:read"
    BUDGETS_WRITE = "budgets:write"
    AUDIT_READ = "audit:read"
    SETTINGS_READ = "settings:read"
    SETTINGS_WRITE = "settings:write"
    SYSTEM_READ = "system:read"
    OWN_READ = "own:read"  # one's own profile, keys and usage
    OWN_WRITE = "own:write"
    OWN_SIGN_IN = "own:sign-in"  # how one signs in; all there is before a second factor that one must have
    OWN_KEYS_CREATE = "own-keys:create"  # spends the platform's money


_BEFORE_SECOND_FACTOR = frozenset({Permission.SYSTEM_READ, Permission.OWN_SIGN_IN})
_OWN = _BEFORE_SECOND_FACTOR | {Permission.OWN_READ, Permission.OWN_WRITE}
_READS = frozenset(
    {
        Permission.PROVIDERS_READ,
        Permission.MODELS_READ,
        Permission.ROUTING_READ,
        Permission.USAGE_READ,
        Permission.REQUESTS_READ,
        Permission.BUDGETS_READ,
        Permission.ALERTS_READ,
        Permission.VIEWS_READ,
        Permission.VIEWS_WRITE,
    }
)
_WRITES = frozenset(
    {
        Permission.PROVIDERS_WRITE,
        Permission.MODELS_WRITE,
        Permission.ROUTING_WRITE,
        Permission.ALERTS_WRITE,
    }
)

PERMISSIONS: Final[dict[Role, frozenset[Permission]]] = {
    Role.ADMIN: frozenset(Permission),
    Role.OPERATOR: _OWN | _READS | _WRITES | {Permission.OWN_KEYS_CREATE, Permission.VIEWS_SHARE},
    Role.VIEWER: _OWN | _READS,
    Role.USER: _OWN | {Permission.OWN_KEYS_CREATE},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """The signed-in caller of one request."""

    user_id: str
    email: str
    role: Role
    ip_address: str
    session_hash: bytes | None = None  # the session it came with; None: an API key
    api_key_id: str | None = None
    second_factor_missing: bool = False  # its role must have one, and it has none

    def may(self, permission: Permission) -> bool:
        return permission in PERMISSIONS[self.role]


def get_actor(request: Request) -> Actor:
    """The caller that the route's guard let in. Only for routes that declare a permission."""
    actor: Actor = request.state.actor
    return actor


ActorDep = Annotated[Actor, Depends(get_actor)]


def client_address(request: Request) -> str:
    """The address of the socket. `X-Forwarded-*` is anybody's word and is not read."""
    return request.client.host if request.client else ""


class UndeclaredAccess(Exception):
    """A route says neither who may call it nor that everybody may."""


class GuardedRoute(APIRoute):
    """A route whose guard stands before everything else, the parsing of the body included."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        declared = (options.get("openapi_extra") or {}).get("x-permission")
        if declared is None:
            raise UndeclaredAccess(f"{path} ({endpoint.__name__}) declares no permission")
        self.access: Permission | None = None if declared == PUBLIC else Permission(declared)
        super().__init__(path, endpoint, **options)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def guarded(request: Request) -> Response:
            renewed = await _let_in(request, self.access)
            response = await handle(request)
            if renewed is not None and "set-cookie" not in response.headers:
                sessions.set_cookie(response, request, renewed)
            return response

        return guarded


class Routes:
    """The routes of one noun: `@routes.get("", permission=Permission.USERS_READ)`.

    Paths continue `prefix` below `/api/v1`; the function's name becomes the operation's id.
    """

    def __init__(self, tag: str, prefix: str) -> None:
        self._router = APIRouter(
            prefix=API_PREFIX + prefix,
            tags=[tag],
            route_class=GuardedRoute,
            responses={"default": {"model": ErrorAnswer, "description": "What went wrong"}},
            generate_unique_id_function=lambda route: route.name,
        )

    @property
    def routes(self) -> list[APIRoute]:
        return [route for route in self._router.routes if isinstance(route, APIRoute)]

    def get(
        self, path: str, *, permission: Permission | str, **options: Any
    ) -> Callable[[_Endpoint], _Endpoint]:
        return self._route("GET", path, permission, options)

    def post(
        self, path: str, *, permission: Permission | str, **options: Any
    ) -> Callable[[_Endpoint], _Endpoint]:
        return self._route("POST", path, permission, options)

    def put(
        self, path: str, *, permission: Permission | str, **options: Any
    ) -> Callable[[_Endpoint], _Endpoint]:
        return self._route("PUT", path, permission, options)

    def patch(
        self, path: str, *, permission: Permission | str, **options: Any
    ) -> Callable[[_Endpoint], _Endpoint]:
        return self._route("PATCH", path, permission, options)

    def delete(
        self, path: str, *, permission: Permission | str, **options: Any
    ) -> Callable[[_Endpoint], _Endpoint]:
        return self._route("DELETE", path, permission, options)

    def _route(
        self, method: str, path: str, permission: Permission | str, options: dict[str, Any]
    ) -> Callable[[_Endpoint], _Endpoint]:
        declared = PUBLIC if permission == PUBLIC else Permission(permission).value
        return self._router.api_route(
            path, methods=[method], openapi_extra={"x-permission": declared}, **options
        )


async def _let_in(request: Request, permission: Permission | None) -> str | None:
    """Put the caller into `request.state.actor`, or raise Unauthenticated or Forbidden.

    Returns the session's token when its cookie should be sent again, because its life was extended.
    """
    authorization = request.headers.get("authorization")
    if authorization is None and request.method not in _SAFE_METHODS:
        refuse_other_sites(request)
    if permission is None:
        return None
    control = get_control(request)
    if authorization is not None:
        actor, renewed = await _by_api_key(control, request, authorization), None
    else:
        actor, renewed = await _by_session(control, request)
    if not actor.may(permission):
        raise Forbidden("Your role does not allow this", detail=f"{actor.role} lacks {permission}")
    if actor.second_factor_missing and permission not in _BEFORE_SECOND_FACTOR:
        raise SecondFactorMissing(
            "Your role must have a second factor", hint="Set it up first: /account/security in the console."
        )
    request.state.actor = actor
    return renewed


async def _by_session(control: Control, request: Request) -> tuple[Actor, str | None]:
    token = request.cookies.get(sessions.COOKIE)
    found = await sessions.find(control.database, token, control.clock()) if token else None
    if token is None or found is None:
        raise Unauthenticated("Sign in first")
    actor = Actor(
        user_id=found.user_id,
        email=found.email,
        role=found.role,
        ip_address=client_address(request),
        session_hash=found.token_hash,
        second_factor_missing=found.second_factor_missing,
    )
    return actor, token if found.renewed else None


async def _by_api_key(control: Control, request: Request, authorization: str) -> Actor:
    scheme, _, secret = authorization.partition(" ")
    found = None
    if scheme.lower() == "bearer" and secret:
        found = await sessions.find_api_key_owner(control.database, secret.strip(), control.clock())
    if found is None:
        raise Unauthenticated("This API key is unknown, expired or revoked")
    if not found.admin_scope:
        raise Forbidden(
            "This API key may not use the control API", hint="Create an API key of scope admin for it."
        )
    return Actor(
        user_id=found.user_id,
        email=found.email,
        role=found.role,
        ip_address=client_address(request),
        api_key_id=found.api_key_id,
    )


def refuse_other_sites(request: Request) -> None:
    """Raise Forbidden when a browser says that another site's page sends this request."""
    if request.headers.get("sec-fetch-site") in ("cross-site", "same-site"):
        raise Forbidden("This request comes from another site", detail="Sec-Fetch-Site")
    origin = request.headers.get("origin")
    if origin is not None and not _same_host(origin, request.headers.get("host", "")):
        raise Forbidden(
            "This request comes from another site",
            detail="Origin differs from Host",
            hint="A reverse proxy in front of Ops-Center must pass the Host header on unchanged.",
        )


def _same_host(origin: str, host: str) -> bool:
    try:
        theirs, ours = urlsplit(origin), urlsplit(f"//{host}")
        default = _DEFAULT_PORTS.get(theirs.scheme)
        return (
            default is not None
            and theirs.hostname is not None
            and theirs.hostname == ours.hostname
            and (theirs.port or default) == (ours.port or default)
        )
    except ValueError:
        return False
