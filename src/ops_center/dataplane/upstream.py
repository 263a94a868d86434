"""Upstream: a target's prepared address and head, and what a provider's refusal means.

Stands between `attempt` and the transport. It knows how providers authenticate and what their statuses
mean; it does not know plans, clients or records.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime

import msgspec

from ops_center.dataplane.rests import rest_seconds
from ops_center.errors import (
    ProviderAuthError,
    ProviderError,
    ProviderFailed,
    ProviderRateLimited,
    ProviderRejected,
    ProviderTimeout,
    ProviderUnusable,
)
from ops_center.providers.access import access_to, url_values
from ops_center.providers.google_tokens import GoogleTokens
from ops_center.providers.spec import filled
from ops_center.snapshot import Credential, Provider, Target
from ops_center.transport.client import HttpClient, Limits, Origin, Response, request_head, request_target
from ops_center.types import CredentialSource, TimeLimits
from ops_center.wire.formats import WIRES
from ops_center.wire.provider_errors import refuses_credential

_SHORTEST_KEY = 8  # shorter ones are words that may stand in any text
_MAX_ERROR_BYTES = 256 * 1024
_MOST_PREPARED = 4096
# A client's own headers that pass to a provider of the same format, so that betas work on their first day.
_PASSED_PREFIXES = (b"anthropic-beta", b"anthropic-version", b"openai-")


class Timeouts(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds to wait for: a connection, a whole answer's head, a stream's first chunk, the next chunk."""

    connect_seconds: float = 10.0
    answer_seconds: float = 300.0
    first_chunk_seconds: float = 120.0
    chunk_seconds: float = 120.0


class _Prepared:
    """What is the same for every request to one provider with one credential, worked out once per snapshot.

    `head` is None where it depends on the model, on streaming or on the body; then `head_for` makes it.
    """

    __slots__ = (
        "_access",
        "_headers",
        "_heads",
        "_paths",
        "_values",
        "credential",
        "head",
        "origin",
        "own_headers",
        "provider",
    )

    def __init__(
        self, provider: Provider, credential: Credential, tokens: GoogleTokens, wire_format: str, below: str
    ) -> None:
        spec = provider.spec
        path = spec.path_of(wire_format) + below
        own = wire_format == spec.format and not below
        self._paths = path, spec.stream_path if own and spec.stream_path is not None else path
        self.provider = provider
        self.credential = credential
        self.origin = Origin.of(provider.base_url, allow_private_network=provider.allow_private_network)
        self._access = access_to(
            spec,
            provider.options,
            credential.secret,
            tokens=tokens,
            allow_private_network=provider.allow_private_network,
        )
        self._values = url_values(spec, provider.options, credential.secret)
        self._headers = [("Content-Type", "application/json"), ("User-Agent", "ops-center")]
        self._headers += [*self._access.fixed, *spec.extra_headers]
        self._heads: dict[tuple[str, bool], tuple[str, bytes]] = {}
        self.own_headers = {name.lower().encode() for name, _ in self._headers}
        same = "{model}" not in path and self._paths[1] == path and not self._access.signs
        self.head = self._url_and_head("", False)[1] if same else None

    async def head_for(self, model: str, stream: bool, body: bytes) -> bytes:
        """The head of one request, with the model in its URL and its signature, where there are such."""
        url, head = self._heads.get((model, stream)) or self._url_and_head(model, stream)
        if not self._access.signs:
            return head
        signed = await self._access.sign("POST", url, body)
        return head + b"".join([f"{name}: {value}\r\n".encode("latin-1") for name, value in signed])

    async def head_of(self, path: str, model: str, content_type: bytes, body: bytes) -> bytes:
        """The head of a request to another path than chat's."""
        provider = self.provider
        url = provider.base_url + filled(path, {**self._values, "model": model})
        headers = [("Content-Type", content_type.decode("latin-1")), *self._headers[1:]]
        headers += await self._access.sign("POST", url, body)
        return request_head("POST", self.origin, request_target(url), headers)

    def _url_and_head(self, model: str, stream: bool) -> tuple[str, bytes]:
        path = self._paths[stream]
        url = self.provider.base_url + filled(path, {**self._values, "model": model})
        made = url, request_head("POST", self.origin, request_target(url), self._headers)
        self._heads[model, stream] = made
        return made


class Upstream:
    """Sends bodies to targets over one HTTP client."""

    def __init__(self, client: HttpClient, timeouts: Timeouts) -> None:
        self._client = client
        # by provider, credential, format and what follows its path
        self._prepared: dict[tuple[str, str, str, str], _Prepared] = {}
        self._tokens = GoogleTokens(client.fetch)  # outlives snapshots, unlike what is prepared
        self._whole = Limits(
            connect_seconds=timeouts.connect_seconds,
            head_seconds=timeouts.answer_seconds,
            chunk_seconds=timeouts.chunk_seconds,
        )
        self._stream = Limits(
            connect_seconds=timeouts.connect_seconds,
            head_seconds=timeouts.first_chunk_seconds,
            chunk_seconds=timeouts.chunk_seconds,
        )

    async def send(
        self,
        target: Target,
        body: bytes,
        *,
        credential: Credential,
        wire_format: str,
        below: str = "",
        stream: bool,
        client_headers: Mapping[bytes, bytes] | None,
        time_limits: TimeLimits | None = None,
        deadline: float | None = None,
    ) -> Response:
        """The head of the provider's answer, whatever its status. `client_headers`: the caller's, if its
        format is the one the target is called in. `below` is added to that format's path. `time_limits`,
        and `deadline` by `time.monotonic`: the caller's own. Raises ProviderUnreachable, AddressRefused, ProviderTimeout
        or ProviderUnusable."""
        prepared = self._prepared_for(target.provider, credential, wire_format, below)
        head = prepared.head or await prepared.head_for(target.model, stream, body)
        if client_headers is not None:
            for name, value in client_headers.items():
                if name.startswith(_PASSED_PREFIXES):
                    head = _with_header(head, prepared, name, value)
        head = b"%sContent-Length: %d\r\n\r\n" % (head, len(body))
        limits = self._limits(target, stream, time_limits, deadline)
        return await self._client.send(prepared.origin, head, body, limits)

    async def send_to(
        self,
        target: Target,
        path: str,
        body: bytes,
        *,
        credential: Credential,
        content_type: bytes,
        stream: bool,
        client_headers: Mapping[bytes, bytes],
        time_limits: TimeLimits | None = None,
        deadline: float | None = None,
    ) -> Response:
        """The same for another path of the provider and a body of any type; for calls beside chat."""
        prepared = self._prepared_for(target.provider, credential, target.provider.spec.format, "")
        head = await prepared.head_of(path, target.model, content_type, body)
        for name, value in client_headers.items():
            if name.startswith(b"openai-"):
                head = _with_header(head, prepared, name, value)
        head = b"%sContent-Length: %d\r\n\r\n" % (head, len(body))
        limits = self._limits(target, stream, time_limits, deadline)
        return await self._client.send(prepared.origin, head, body, limits)

    def _limits(
        self, target: Target, stream: bool, wished: TimeLimits | None, deadline: float | None
    ) -> Limits:
        """The installation's, the provider's and the model's in their place, tightened by the request's."""
        limits = self._stream if stream else self._whole
        if target.time_limits is not None:
            limits = _replaced(limits, target.time_limits, stream)
        if wished is not None:
            limits = _tightened(limits, wished, stream)
        if deadline is not None:
            left = max(deadline - time.monotonic(), 0.001)
            limits = _tightened(limits, TimeLimits(connect_seconds=left, total_seconds=left), stream)
        return limits

    def _prepared_for(
        self, provider: Provider, credential: Credential, wire_format: str, below: str
    ) -> _Prepared:
        key = (provider.id, credential.id, wire_format, below)
        prepared = self._prepared.get(key)
        if prepared is None or prepared.provider is not provider or prepared.credential is not credential:
            if len(self._prepared) >= _MOST_PREPARED:  # credentials come and go
                self._prepared.clear()
            prepared = self._prepared[key] = _Prepared(provider, credential, self._tokens, wire_format, below)
        return prepared


def _replaced(limits: Limits, own: TimeLimits, stream: bool) -> Limits:
    """A whole answer arrives with its head, so that its first chunk is its end."""
    head = own.first_chunk_seconds if stream else own.total_seconds
    return Limits(
        connect_seconds=own.connect_seconds or limits.connect_seconds,
        head_seconds=head or limits.head_seconds,
        chunk_seconds=own.chunk_seconds or limits.chunk_seconds,
        total_seconds=own.total_seconds or limits.total_seconds,
    )


def _tightened(limits: Limits, wished: TimeLimits, stream: bool) -> Limits:
    """A request may shorten a wait; what it says beyond what holds has no effect."""
    most = _replaced(limits, wished, stream)
    return Limits(
        connect_seconds=min(limits.connect_seconds, most.connect_seconds),
        head_seconds=min(limits.head_seconds, most.head_seconds),
        chunk_seconds=min(limits.chunk_seconds, most.chunk_seconds),
        total_seconds=most.total_seconds
        if limits.total_seconds is None or most.total_seconds is None
        else min(limits.total_seconds, most.total_seconds),
    )


def _with_header(head: bytes, prepared: _Prepared, name: bytes, value: bytes) -> bytes:
    if name in prepared.own_headers:
        # The client's version of a header that we would send by ourselves.
        lines = [line for line in head.split(b"\r\n") if line.partition(b":")[0].lower() != name]
        head = b"\r\n".join(lines)
    return b"%s%s: %s\r\n" % (head, name, value)


async def refusal(response: Response, target: Target, wire_format: str) -> ProviderError:
    """Read a non-200 answer and say what it means, by its status and structured code."""
    status = response.status
    body = _without_keys(await response.read(_MAX_ERROR_BYTES), target.provider)
    facts = WIRES[wire_format].read_provider_error(status, body)
    detail = f"HTTP {status}" + (f" {facts.code or facts.type}" if facts.code or facts.type else "")
    if status == 403 and _refused_content(body):
        return ProviderRejected(
            facts.message or "The provider refused the content of the request.",
            provider_status=status,
            detail=detail,
            code=facts.code,
            body=body if facts.message else b"",
        )
    if refuses_credential(status, facts):
        if target.provider.credential_source is CredentialSource.BYOK:
            return _own_key_refused(target.provider, status, detail)
        return ProviderAuthError(
            "The provider refused the gateway's credential.", provider_status=status, detail=detail
        )
    if status == 429:
        return ProviderRateLimited(
            "The provider's rate limit is reached.",
            provider_status=status,
            detail=detail,
            retry_after_seconds=rest_seconds(response.headers, datetime.now(UTC))
            or facts.retry_after_seconds,
        )
    if status == 408:
        return ProviderTimeout("The provider timed out.", provider_status=status, detail=detail)
    if status >= 500 or status == 424:  # Bedrock's word for a model that failed
        return ProviderFailed("The provider failed.", provider_status=status, detail=detail)
    if status >= 400:
        return ProviderRejected(
            facts.message or f"The provider refused the request (HTTP {status}).",
            provider_status=status,
            detail=detail,
            code=facts.code,
            body=body if facts.message else b"",
        )
    return ProviderUnusable("The provider's answer is unusable.", provider_status=status, detail=detail)


def _without_keys(body: bytes, provider: Provider) -> bytes:
    """Some providers repeat the key that they were sent; it is not the caller's to know."""
    for credential in provider.credentials:
        if len(credential.secret) >= _SHORTEST_KEY:
            body = body.replace(credential.secret.encode(), b"[key]")
    return body


def _own_key_refused(provider: Provider, status: int, detail: str) -> ProviderAuthError:
    """The caller's own to put right, so it carries the provider's status: asking again is no use."""
    error = ProviderAuthError(
        f"{provider.name} refused your own API key (HTTP {status}).",
        provider_status=status,
        detail=detail,
        hint="Test or replace it under Provider Keys in the console.",
    )
    error.status = status if status in (401, 402, 403) else 401  # Gemini says 400
    return error


class _Moderation(msgspec.Struct):
    flagged_input: msgspec.Raw = msgspec.Raw(b"null")


class _ModeratedError(msgspec.Struct):
    metadata: _Moderation


class _Moderated(msgspec.Struct):
    error: _ModeratedError


def _refused_content(body: bytes) -> bool:
    """Whether a 403 is about the prompt, not the key: OpenRouter's moderation says so in its metadata
    (https://openrouter.ai/docs/api-reference/errors, 2026-11)."""
    try:
        flagged = msgspec.json.decode(body, type=_Moderated).error.metadata.flagged_input
    except (msgspec.DecodeError, RecursionError):
        return False
    return bytes(flagged) != b"null"
