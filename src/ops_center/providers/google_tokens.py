"""Access tokens of Google service accounts: signed for, fetched, kept until shortly before they end.

Part of `attempt` for Vertex AI, and of the test of its key. Fetches over the client that is handed in, with
its address policy; keeps tokens in memory only, and writes none of them anywhere.
Reference: https://developers.google.com/identity/protocols/oauth2/service-account#httprest (2026-11).
"""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Callable, Sequence
from typing import Protocol
from urllib.parse import urlencode, urlsplit

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from ops_center.errors import (
    ProviderAuthError,
    ProviderError,
    ProviderFailed,
    ProviderRateLimited,
    ProviderUnusable,
)
from ops_center.transport.client import FetchAnswer

_SCOPE = "https://www.googleapis.com/auth/cloud-platform"
_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_LIFE_SECONDS = 3600  # the longest that Google grants
_EARLY_SECONDS = 300.0  # before its end a token is renewed in the background
_LATE_SECONDS = 20.0  # before its end a token is not used any more
_TIMEOUT_SECONDS = 10.0
GOOGLES_ISSUER = "https://oauth2.googleapis.com/token"


class ServiceAccount(msgspec.Struct, frozen=True, kw_only=True):
    """What of a service account's JSON key is needed."""

    type: str
    project_id: str
    private_key_id: str
    private_key: str
    client_email: str
    token_uri: str = GOOGLES_ISSUER

    def __repr__(self) -> str:  # the key stays out of logs and tracebacks
        return f"ServiceAccount({self.client_email})"


_ACCOUNT = msgspec.json.Decoder(ServiceAccount)


def service_account(credential: str) -> ServiceAccount | None:
    """The account in a JSON key as Google's console hands it out; None for anything else.

    The address of its tokens must be https, or loopback's http for a simulated one.
    """
    if not credential.startswith("{"):
        return None
    try:
        account = _ACCOUNT.decode(credential)
        uri = urlsplit(account.token_uri)
    except (msgspec.MsgspecError, ValueError):
        return None
    secure = uri.scheme == "https" or (uri.scheme == "http" and uri.hostname == "127.0.0.1")
    return account if account.type == "service_account" and secure and _key_of(account) else None


def _key_of(account: ServiceAccount) -> rsa.RSAPrivateKey | None:
    try:
        key = serialization.load_pem_private_key(account.private_key.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, rsa.RSAPrivateKey) else None


def assertion(account: ServiceAccount, now: float) -> str:
    """The signed claim that is exchanged for a token. `now` in Unix seconds."""
    key = _key_of(account)
    if key is None:
        raise ProviderAuthError("The gateway's credential is no usable key.", detail="no RSA key in it")
    head = {"alg": "RS256", "typ": "JWT", "kid": account.private_key_id}
    claims = {
        "iss": account.client_email,
        "scope": _SCOPE,
        "aud": account.token_uri,
        "iat": int(now),
        "exp": int(now) + _LIFE_SECONDS,
    }
    signed = f"{_encoded(head)}.{_encoded(claims)}"
    signature = key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
    return f"{signed}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def _encoded(value: object) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(value)).rstrip(b"=").decode()


class Fetch(Protocol):
    """`HttpClient.fetch`."""

    async def __call__(
        self,
        method: str,
        url: str,
        *,
        headers: Sequence[tuple[str, str]],
        body: bytes,
        allow_private_network: bool,
        timeout_seconds: float,
    ) -> FetchAnswer: ...


class _Token(msgspec.Struct, frozen=True):
    text: str
    ends_at: float  # Unix seconds


class _Granted(msgspec.Struct):
    access_token: str
    expires_in: float = 3600


_GRANTED = msgspec.json.Decoder(_Granted)


class GoogleTokens:
    """The tokens of any number of accounts. One fetch at a time per account, whoever waits for it."""

    def __init__(self, fetch: Fetch, clock: Callable[[], float] = time.time) -> None:
        self._fetch = fetch
        self._clock = clock
        self._tokens: dict[ServiceAccount, _Token] = {}
        self._fetching: dict[ServiceAccount, asyncio.Task[_Token]] = {}

    async def token(self, account: ServiceAccount, *, allow_private_network: bool = False) -> str:
        """A token that holds for some time yet. Waits only when there is none.

        Raises ProviderAuthError when Google refuses the account, else what kept the token from coming.
        """
        held = self._tokens.get(account)
        left = held.ends_at - self._clock() if held is not None else 0.0
        if held is not None and left > _EARLY_SECONDS:
            return held.text
        task = self._fetching.get(account)
        if task is None:
            task = asyncio.create_task(self._renew(account, allow_private_network), name="google_token")
            self._fetching[account] = task
            task.add_done_callback(lambda done: self._fetched(account, done))
        if held is not None and left > _LATE_SECONDS:
            return held.text
        # shielded: a client that leaves must not take the token from the others who wait
        return (await asyncio.shield(task)).text

    def _fetched(self, account: ServiceAccount, task: asyncio.Task[_Token]) -> None:
        self._fetching.pop(account, None)
        if not task.cancelled() and task.exception() is None:
            self._tokens[account] = task.result()

    async def _renew(self, account: ServiceAccount, allow_private_network: bool) -> _Token:
        now = self._clock()
        form = {"grant_type": _GRANT, "assertion": assertion(account, now)}
        answer = await self._fetch(
            "POST",
            account.token_uri,
            headers=[("Content-Type", "application/x-www-form-urlencoded"), ("Accept", "application/json")],
            body=urlencode(form).encode(),
            allow_private_network=allow_private_network,
            timeout_seconds=_TIMEOUT_SECONDS,
        )
        if answer.status != 200:
            raise _refused(answer.status)
        try:
            granted = _GRANTED.decode(answer.body)
        except msgspec.MsgspecError:
            granted = _Granted("")
        if not granted.access_token or not granted.access_token.isascii():
            raise ProviderUnusable("The provider's answer is unusable.", detail="no token in the answer")
        return _Token(granted.access_token, now + min(granted.expires_in, _LIFE_SECONDS))


def _refused(status: int) -> ProviderError:
    detail = f"HTTP {status} for a token of the service account"
    if status == 429:
        return ProviderRateLimited("The provider's rate limit is reached.", detail=detail)
    if status >= 500:
        return ProviderFailed("The provider failed.", detail=detail)
    return ProviderAuthError("The provider refused the gateway's credential.", detail=detail)
