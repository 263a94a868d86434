"""Assembles the control API: every noun's routes, the shape of errors, the outermost layer, the document.

It holds no behaviour of its own. Building it fails when a route is not guarded or two share a name.
"""

from __future__ import annotations

from fastapi import FastAPI

from ops_center.control import reject
from ops_center.control.access import GuardedRoute, Routes, UndeclaredAccess
from ops_center.control.alerts.endpoints import routes as alerts
from ops_center.control.aliases.endpoints import routes as aliases
from ops_center.control.api_keys.endpoints import routes as api_keys
from ops_center.control.arrears.endpoints import routes as unpriced_models
from ops_center.control.audit_log.endpoints import routes as audit_log
from ops_center.control.auth.endpoints import routes as auth
from ops_center.control.auth.endpoints import setup_routes as setup
from ops_center.control.bodies.endpoints import routes as bodies
from ops_center.control.budgets.endpoints import routes as budgets
from ops_center.control.byok.endpoints import own_routes as own_provider_keys
from ops_center.control.byok.endpoints import routes as byok
from ops_center.control.context import Control
from ops_center.control.edge import Edge
from ops_center.control.home.endpoints import routes as home
from ops_center.control.invitations.endpoints import routes as invitations
from ops_center.control.me.endpoints import routes as me
from ops_center.control.models.endpoints import routes as models
from ops_center.control.notifications.endpoints import routes as notifications
from ops_center.control.oidc.endpoints import routes as oidc
from ops_center.control.power_levels.endpoints import own_routes as own_power_level
from ops_center.control.power_levels.endpoints import routes as power_levels
from ops_center.control.providers.endpoints import routes as providers
from ops_center.control.replays.endpoints import routes as replays
from ops_center.control.requests.endpoints import routes as requests
from ops_center.control.routing.endpoints import routes as routing
from ops_center.control.routing_drafts.endpoints import routes as routing_drafts
from ops_center.control.routing_versions.endpoints import routes as routing_versions
from ops_center.control.saved_views.endpoints import routes as saved_views
from ops_center.control.savings.endpoints import routes as savings
from ops_center.control.second_factor.endpoints import own_routes as own_second_factor
from ops_center.control.second_factor.endpoints import routes as second_factor
from ops_center.control.sessions.endpoints import own_routes as own_sessions
from ops_center.control.sessions.endpoints import routes as user_sessions
from ops_center.control.settings.endpoints import routes as settings
from ops_center.control.system.endpoints import routes as system
from ops_center.control.teams.endpoints import routes as teams
from ops_center.control.usage.endpoints import routes as usage
from ops_center.control.users.endpoints import routes as users

# One line per noun, in the order of the document.
NOUNS: tuple[Routes, ...] = (
    setup,
    auth,
    oidc,
    home,
    alerts,
    providers,
    models,
    unpriced_models,
    routing,
    routing_versions,
    routing_drafts,
    power_levels,
    own_power_level,
    usage,
    savings,
    requests,
    bodies,
    replays,
    saved_views,
    me,
    own_sessions,
    own_second_factor,
    own_provider_keys,
    byok,
    aliases,
    api_keys,
    budgets,
    teams,
    users,
    user_sessions,
    second_factor,
    invitations,
    audit_log,
    settings,
    notifications,
    system,
)


def create_control_app(control: Control | None) -> FastAPI:
    """The ASGI application of `/api/v1`. Without `control` it can only describe itself.

    Raises UndeclaredAccess for a route that was not made by `access.Routes`.
    """
    app = FastAPI(
        title="Ops-Center control API",
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # a redirect would repeat whatever Host the caller named
    )
    app.state.control = control
    for noun in NOUNS:
        app.router.routes.extend(noun.routes)
    _check_routes(app)
    reject.install(app)
    app.add_middleware(Edge)
    return app


def guarded_routes(app: FastAPI) -> list[GuardedRoute]:
    return [route for route in app.routes if isinstance(route, GuardedRoute)]


def _check_routes(app: FastAPI) -> None:
    names: set[str] = set()
    for route in app.routes:
        if not isinstance(route, GuardedRoute):
            raise UndeclaredAccess(f"{getattr(route, 'path', route)} was not made by access.Routes")
        if route.unique_id in names:
            raise ValueError(f"two operations are named {route.unique_id}")
        names.add(route.unique_id)
