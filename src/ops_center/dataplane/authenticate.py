"""Authenticate: API key → principal, by one hash and one look-up in the snapshot. Step one; no I/O."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping

from ops_center.dataplane.call import Call
from ops_center.errors import Forbidden, Unauthenticated
from ops_center.snapshot import Principal, Snapshot, api_key_digest

_MAX_SECRET_BYTES = 512


def authenticate(call: Call, snapshot: Snapshot) -> Principal:
    """Who calls. Raises Unauthenticated for no key, an unknown, revoked, disabled or expired one, Forbidden
    for one that may not be used from this address.

    The key may stand in `Authorization: Bearer`, `x-api-key` or `api-key`. It is compared by SHA-256
    digest, so the time a look-up takes tells nothing about the secret.
    """
    secret = _secret(call.headers)
    if not secret:
        raise Unauthenticated(
            "No API key was sent.",
            hint="Send it as “Authorization: Bearer sk-oc-…” or “x-api-key: sk-oc-…”.",
        )
    principal = snapshot.principals.get(api_key_digest(secret)) if len(secret) <= _MAX_SECRET_BYTES else None
    if principal is None:
        raise Unauthenticated("The API key is unknown, disabled or revoked.")
    if principal.expires_at is not None and principal.expires_at <= call.started_at:
        raise Unauthenticated("The API key has expired.")
    if principal.ip_ranges and not _comes_from(call.exchange.client_address, principal):
        raise Forbidden(
            "This API key may not be used from this address.", detail=call.exchange.client_address
        )
    return principal


def _comes_from(address: str, principal: Principal) -> bool:
    """`X-Forwarded-For` is anybody's word and is not read."""
    try:
        client = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(client, ipaddress.IPv6Address) and client.ipv4_mapped is not None:
        client = client.ipv4_mapped
    return any(client in network for network in principal.ip_ranges)


def _secret(headers: Mapping[bytes, bytes]) -> bytes:
    authorization = headers.get(b"authorization")
    if authorization and authorization[:7].lower() == b"bearer ":
        return authorization[7:].strip()
    return (headers.get(b"x-api-key") or headers.get(b"api-key") or b"").strip()
