"""Authenticate: API key → principal, by one hash and one look-up in the snapshot. Step one; no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from ops_center.errors import Unauthenticated
from ops_center.snapshot import Principal, Snapshot, api_key_digest

_MAX_SECRET_BYTES = 512


def authenticate(headers: Mapping[bytes, bytes], now: datetime, snapshot: Snapshot) -> Principal:
    """Who calls. Raises Unauthenticated for no key, an unknown, revoked, disabled or expired one.

    The key may stand in `Authorization: Bearer`, `x-api-key` or `api-key`. It is compared by SHA-256
    digest, so the time a look-up takes tells nothing about the secret.
    """
    secret = _secret(headers)
    if not secret:
        raise Unauthenticated(
            "No API key was sent.",
            hint="Send it as “Authorization: Bearer sk-oc-…” or “x-api-key: sk-oc-…”.",
        )
    principal = snapshot.principals.get(api_key_digest(secret)) if len(secret) <= _MAX_SECRET_BYTES else None
    if principal is None:
        raise Unauthenticated("The API key is unknown, disabled or revoked.")
    if principal.expires_at is not None and principal.expires_at <= now:
        raise Unauthenticated("The API key has expired.")
    return principal


def _secret(headers: Mapping[bytes, bytes]) -> bytes:
    authorization = headers.get(b"authorization")
    if authorization and authorization[:7].lower() == b"bearer ":
        return authorization[7:].strip()
    return (headers.get(b"x-api-key") or headers.get(b"api-key") or b"").strip()
