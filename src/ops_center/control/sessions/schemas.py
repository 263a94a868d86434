"""Sessions as JSON: never the token, nor its hash."""

from __future__ import annotations

from ops_center.control.fields import Instant, ResponseModel


class Session(ResponseModel):
    id: str
    method: str
    """How it began: password, setup, invitation or oidc."""
    ip_address: str
    """The socket's address at the sign-in."""
    user_agent: str
    created_at: Instant
    last_seen_at: Instant
    """To the hour."""
    expires_at: Instant
    current: bool
    """Whether it is the one that asks."""


class SessionList(ResponseModel):
    sessions: list[Session]
