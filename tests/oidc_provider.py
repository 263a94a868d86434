"""A small OpenID provider for tests: discovery, authorize, token, keys, over HTTP on a free port.

It signs in whoever `person` says without asking, checks PKCE, redirect address, client and that a code counts once,
and lies about whatever a test puts into `lies` (claims), `sign` or `document`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT_ID, CLIENT_SECRET = "ops-center", "a client's secret/with:signs"
_KEY = RSAKey.generate_key(2048, {"kid": "first", "use": "sig", "alg": "RS256"})
_OTHER_KEY = RSAKey.generate_key(2048, {"kid": "first", "use": "sig"})


class OidcProvider:
    def __init__(self, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.now = now
        self.person: dict[str, Any] = {"sub": "s-1", "email": "grace@example.com", "email_verified": True}
        self.lies: dict[str, Any] = {}
        self.document: dict[str, Any] = {}
        self.sign: Callable[[dict[str, Any]], str] = self.signed
        self._codes: dict[str, dict[str, str]] = {}
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                provider._get(self)

            def do_POST(self) -> None:
                provider._token(self)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.issuer = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def settings(self) -> dict[str, Any]:
        """The section `oidc` that fits."""
        return {
            "enabled": True,
            "issuer": self.issuer,
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "allow_private_network": True,
        }

    @staticmethod
    def signed(claims: dict[str, Any]) -> str:
        return jwt.encode({"alg": "RS256", "kid": "first"}, claims, _KEY)

    @staticmethod
    def signed_by_somebody_else(claims: dict[str, Any]) -> str:
        return jwt.encode({"alg": "RS256", "kid": "first"}, claims, _OTHER_KEY)

    @staticmethod
    def unsigned(claims: dict[str, Any]) -> str:
        parts = ({"alg": "none"}, claims)
        return ".".join(_base64(json.dumps(part).encode()) for part in parts) + "."

    @staticmethod
    def signed_with_the_public_key_as_secret(claims: dict[str, Any]) -> str:
        parts = ({"alg": "HS256", "kid": "first"}, claims)
        text = ".".join(_base64(json.dumps(part).encode()) for part in parts)
        digest = hmac.digest(_KEY.as_pem(private=False), text.encode(), "sha256")
        return f"{text}.{_base64(digest)}"

    def _get(self, request: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(request.path)
        if parts.path == "/.well-known/openid-configuration":
            document = {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/keys",
            }
            _answer(request, 200, document | self.document)
        elif parts.path == "/keys":
            _answer(request, 200, {"keys": [_KEY.as_dict(private=False)]})
        elif parts.path == "/authorize":
            asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
            assert asked["response_type"] == "code"
            assert asked["client_id"] == CLIENT_ID
            assert asked["code_challenge_method"] == "S256"
            assert "openid" in asked["scope"].split()
            code = secrets.token_urlsafe(8)
            self._codes[code] = asked
            request.send_response(302)
            back = urlencode({"code": code, "state": asked["state"]})
            request.send_header("location", f"{asked['redirect_uri']}?{back}")
            request.send_header("content-length", "0")
            request.end_headers()
        else:
            _answer(request, 404, {})

    def _token(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers["content-length"])).decode()
        sent = {name: values[0] for name, values in parse_qs(body).items()}
        asked = self._codes.pop(sent["code"], None)
        pair = base64.b64decode(request.headers["authorization"].removeprefix("Basic ")).decode()
        challenge = _base64(hashlib.sha256(sent["code_verifier"].encode()).digest())
        if (
            asked is None
            or pair != "ops-center:a%20client%27s%20secret%2Fwith%3Asigns"
            or challenge != asked["code_challenge"]
            or sent["redirect_uri"] != asked["redirect_uri"]
        ):
            _answer(request, 400, {"error": "invalid_grant"})
            return
        now = int(self.now().timestamp())
        claims = {"iss": self.issuer, "aud": CLIENT_ID, "iat": now, "exp": now + 300, "nonce": asked["nonce"]}
        claims |= self.person | self.lies
        _answer(request, 200, {"id_token": self.sign(claims), "access_token": "x", "token_type": "Bearer"})


def _answer(request: BaseHTTPRequestHandler, status: int, document: dict[str, Any]) -> None:
    body = json.dumps(document).encode()
    request.send_response(status)
    request.send_header("content-type", "application/json")
    request.send_header("content-length", str(len(body)))
    request.end_headers()
    request.wfile.write(body)


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
