"""What is said to the OpenID provider, and what is believed of its answers.

Discovery, the exchange of the code, and the checks of the ID token (OpenID Connect Core 1.0, 3.1.3.7,
https://openid.net/specs/openid-connect-core-1_0.html, 2026-11). Whom a token signs in is not decided here.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from ops_center.control.context import HttpFetcher
from ops_center.control.oidc.settings import OidcSettings
from ops_center.errors import ProviderError, Unauthenticated

# Signed with the provider's own key; "none" and the shared-secret ones are not among them.
_ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
_KEY_TYPES = frozenset({"RSA", "EC", "OKP"})
_LEEWAY_SECONDS = 60
_MAX_BYTES = 1_000_000


class _Unusable(Unauthenticated):
    """The provider's answer was not one to sign anybody in by."""


@dataclass(frozen=True, slots=True)
class Discovered:
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    basic: bool  # whether the client's secret goes into the Authorization header


@dataclass(frozen=True, slots=True)
class Attempt:
    """What one sign-in must come back with."""

    state: str
    nonce: str
    verifier: str

    @classmethod
    def new(cls) -> Attempt:
        return cls(secrets.token_urlsafe(32), secrets.token_urlsafe(32), secrets.token_urlsafe(48))

    @property
    def challenge(self) -> str:
        """PKCE, S256: RFC 7636."""
        digest = hashlib.sha256(self.verifier.encode()).digest()
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


async def discover(http: HttpFetcher, settings: OidcSettings) -> Discovered:
    """Raises Unauthenticated for a document that is not the issuer's, ProviderError for no answer."""
    url = settings.issuer.rstrip("/") + "/.well-known/openid-configuration"
    document = await _fetch_json(http, settings, "GET", url)
    if document.get("issuer") != settings.issuer:
        raise _unusable("its discovery document names another issuer")
    schemes = {"https", "http"} if settings.allow_private_network else {"https"}
    endpoints: dict[str, str] = {}
    for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
        endpoint = document.get(name)
        if not isinstance(endpoint, str) or urlsplit(endpoint).scheme not in schemes:
            raise _unusable("its discovery document lacks an https endpoint")
        endpoints[name] = endpoint
    methods = document.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
    return Discovered(**endpoints, basic="client_secret_basic" in methods)


def authorization_url(found: Discovered, settings: OidcSettings, attempt: Attempt, redirect_uri: str) -> str:
    query = {
        "response_type": "code",
        "client_id": settings.client_id,
        "redirect_uri": redirect_uri,
        "scope": "openid email profile",
        "state": attempt.state,
        "nonce": attempt.nonce,
        "code_challenge": attempt.challenge,
        "code_challenge_method": "S256",
    }
    separator = "&" if urlsplit(found.authorization_endpoint).query else "?"
    return found.authorization_endpoint + separator + urlencode(query, quote_via=quote)


async def redeem(
    http: HttpFetcher,
    settings: OidcSettings,
    client_secret: str | None,
    code: str,
    attempt: Attempt,
    redirect_uri: str,
    now: datetime,
) -> Mapping[str, Any]:
    """The claims of the ID token that the code was good for. Raises Unauthenticated, or ProviderError."""
    found = await discover(http, settings)
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": redirect_uri,
        "code_verifier": attempt.verifier,
        "client_id": settings.client_id,
    }
    headers = [("content-type", "application/x-www-form-urlencoded"), ("accept", "application/json")]
    if client_secret is not None and found.basic:
        pair = f"{quote(settings.client_id, safe='')}:{quote(client_secret, safe='')}"
        headers.append(("authorization", f"Basic {base64.b64encode(pair.encode()).decode()}"))
    elif client_secret is not None:
        form["client_secret"] = client_secret
    body = urlencode(form).encode()
    answer = await _fetch_json(http, settings, "POST", found.token_endpoint, headers=headers, body=body)
    token = answer.get("id_token")
    if not isinstance(token, str):
        raise _unusable("it sent no ID token")
    keys = await _fetch_json(http, settings, "GET", found.jwks_uri)
    return _checked(_signed(token, keys), settings, attempt, now)


def _signed(token: str, keys: Mapping[str, Any]) -> Mapping[str, Any]:
    listed = keys.get("keys")
    usable = [
        key
        for key in (listed if isinstance(listed, list) else [])
        if isinstance(key, dict) and key.get("kty") in _KEY_TYPES and key.get("use", "sig") == "sig"
    ]
    try:
        verified = jws.deserialize_compact(
            token, KeySet.import_key_set({"keys": usable}), algorithms=_ALGORITHMS
        )
        claims = json.loads(verified.payload)
    except (JoseError, ValueError, KeyError, TypeError) as error:
        raise _unusable("its ID token's signature cannot be verified") from error
    if not isinstance(claims, dict):
        raise _unusable("its ID token is no object")
    return claims


def _checked(
    claims: Mapping[str, Any], settings: OidcSettings, attempt: Attempt, now: datetime
) -> Mapping[str, Any]:
    audience = claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    expires, issued = claims.get("exp"), claims.get("iat")
    seconds = now.timestamp()
    if claims.get("iss") != settings.issuer:
        raise _unusable("its ID token is another issuer's")
    if settings.client_id not in audiences:
        raise _unusable("its ID token is for another client")
    if (len(audiences) > 1 or "azp" in claims) and claims.get("azp") != settings.client_id:
        raise _unusable("its ID token was given to another client")
    if not isinstance(expires, (int, float)) or expires <= seconds - _LEEWAY_SECONDS:
        raise _unusable("its ID token has expired")
    if not isinstance(issued, (int, float)) or issued > seconds + _LEEWAY_SECONDS:
        raise _unusable("its ID token was issued in the future")
    nonce = claims.get("nonce")
    if not isinstance(nonce, str) or not secrets.compare_digest(nonce.encode(), attempt.nonce.encode()):
        raise _unusable("its ID token answers another sign-in")
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= 255:
        raise _unusable("its ID token names nobody")
    return claims


async def _fetch_json(
    http: HttpFetcher,
    settings: OidcSettings,
    method: str,
    url: str,
    *,
    headers: list[tuple[str, str]] | None = None,
    body: bytes = b"",
) -> Mapping[str, Any]:
    try:
        answer = await http.fetch(
            method,
            url,
            headers=headers or [("accept", "application/json")],
            body=body,
            allow_private_network=settings.allow_private_network,
            max_bytes=_MAX_BYTES,
        )
    except ProviderError as error:
        raise _unusable("it cannot be reached") from error
    try:
        document = json.loads(answer.body)
    except ValueError:
        document = None
    if answer.status != 200 or not isinstance(document, dict):
        raise _unusable(f"it answered with {answer.status}")
    return document


def _unusable(why: str) -> Unauthenticated:
    return _Unusable(
        f"Single sign-on failed: {why}", hint="Try again; else ask an admin to look at Settings."
    )
