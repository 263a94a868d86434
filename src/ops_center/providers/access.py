"""What a request carries to prove to a provider who we are: a fixed header, or one signed for each request.

Part of `attempt`, and of the test of a key. It adds headers to requests that others address and send.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TypeAlias

from ops_center.providers.aws_signature import AwsKey, sign
from ops_center.providers.google_tokens import GoogleTokens, ServiceAccount, service_account
from ops_center.providers.litellm_parameters import HEADER, header_value, secret_parameters
from ops_center.providers.spec import ProviderSpec

Headers: TypeAlias = tuple[tuple[str, str], ...]


class Access:
    """A credential in the form that its provider wants. `fixed` headers are the same for every request;
    with `signs`, each request carries in addition what `sign` says."""

    signs = False

    def __init__(self, fixed: Headers = ()) -> None:
        self.fixed = fixed

    async def sign(self, method: str, url: str, body: bytes) -> Headers:
        """The headers of this one request to an absolute URL. May raise a ProviderError."""
        return ()


class AwsAccess(Access):
    """Every request is signed with an IAM user's or role's key (SigV4)."""

    signs = True

    def __init__(self, key: AwsKey, region: str) -> None:
        super().__init__()
        self._key = key
        self._region = region

    async def sign(self, method: str, url: str, body: bytes) -> Headers:
        at = datetime.now(UTC)
        return sign(
            self._key, method=method, url=url, body=body, region=self._region, service="bedrock", at=at
        )


# Ids of long-lived keys begin with AKIA, of temporary ones with ASIA:
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html (2026-11)
_ACCESS_KEY = re.compile(r"(A[A-Z]{2}A[A-Z0-9]{12,28}):([A-Za-z0-9+/=]{20,128})(?::([A-Za-z0-9+/=_-]+))?")


def aws_key(credential: str) -> AwsKey | None:
    """The key in `ACCESS_KEY_ID:SECRET_ACCESS_KEY[:SESSION_TOKEN]`; None for a Bedrock API key."""
    match = _ACCESS_KEY.fullmatch(credential)
    if match is None:
        return None
    return AwsKey(access_key_id=match[1], secret_access_key=match[2], session_token=match[3])


class ServiceAccountAccess(Access):
    """Every request carries a token of a Google service account, fetched when there is none yet."""

    signs = True

    def __init__(self, account: ServiceAccount, tokens: GoogleTokens, allow_private_network: bool) -> None:
        super().__init__()
        self._account = account
        self._tokens = tokens
        self._allow_private_network = allow_private_network

    async def sign(self, method: str, url: str, body: bytes) -> Headers:
        token = await self._tokens.token(self._account, allow_private_network=self._allow_private_network)
        return (("Authorization", f"Bearer {token}"),)


def access_to(
    spec: ProviderSpec,
    options: Mapping[str, str],
    credential: str,
    *,
    tokens: GoogleTokens,
    allow_private_network: bool = False,
) -> Access:
    """How requests to a provider are proven; without a credential they carry nothing."""
    if spec.auth == "litellm":
        return Access(((HEADER, header_value(options, credential)),))
    if not credential:
        return Access()
    if spec.auth == "aws" and (key := aws_key(credential)) is not None:
        return AwsAccess(key, options.get("region", ""))
    if takes_service_accounts(spec) and (account := service_account(credential)) is not None:
        return ServiceAccountAccess(account, tokens, allow_private_network)
    if spec.auth in ("bearer", "aws"):
        return Access((("Authorization", f"Bearer {credential}"),))
    return Access((("x-goog-api-key" if spec.auth == "google" else spec.auth, credential),))


def url_values(spec: ProviderSpec, options: Mapping[str, str], credential: str) -> Mapping[str, str]:
    """The options as they go into URLs; a service account's project where none was named."""
    if takes_service_accounts(spec) and not options.get("project"):
        account = service_account(credential)
        if account is not None:
            return {**options, "project": account.project_id}
    return options


def takes_service_accounts(spec: ProviderSpec) -> bool:
    """Whether its key may be the JSON file of a service account, of several lines."""
    return spec.auth == "google"


def is_usable_credential(spec: ProviderSpec, credential: str) -> bool:
    """Whether it is one that can be sent: printable ASCII without a space, or a service account's key."""
    if takes_service_accounts(spec) and service_account(credential) is not None:
        return True
    if spec.auth == "litellm" and credential.startswith("{"):
        return True
    return all(33 <= ord(ch) <= 126 for ch in credential)


def public_name(spec: ProviderSpec, credential: str) -> str | None:
    """What names a credential and is no secret, to be shown in place of its first and last characters."""
    if spec.auth == "litellm" and credential.startswith("{"):
        return ", ".join(secret_parameters(credential))
    account = service_account(credential) if takes_service_accounts(spec) else None
    return account.client_email if account else None
