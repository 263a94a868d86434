"""The test of a provider's key: one free GET that only a valid key answers, turned into a sentence.

Works the same for saved and unsaved providers, and for an end user's own key. It stores nothing, and of
what came back it keeps the status, the time it took and how many models were listed: never a byte of the
body or of a header.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec

from ops_center import __version__
from ops_center.catalog.discovered import DiscoveredModel, parse_model_list
from ops_center.catalog.packaged import packaged_models
from ops_center.control.context import HttpFetcher
from ops_center.control.providers.schemas import TestErrorType, TestResult
from ops_center.errors import (
    AddressRefused,
    ProviderAuthError,
    ProviderError,
    ProviderRateLimited,
    ProviderTimeout,
    ProviderUnreachable,
    ProviderUnusable,
)
from ops_center.litellm_sdk.install import HOW_TO_GET, missing
from ops_center.providers.access import access_to, url_values
from ops_center.providers.google_tokens import GoogleTokens
from ops_center.providers.litellm_parameters import model_names
from ops_center.providers.spec import ProviderSpec, default_base_url, filled, lists_base_url
from ops_center.transport.client import FetchAnswer
from ops_center.wire.formats import WIRES
from ops_center.wire.provider_errors import refuses_credential

TIMEOUT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Failure:
    """Why something that was asked of a provider did not work, in words for the operator."""

    error_type: TestErrorType
    message: str
    hint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Whom to call, and with which key (empty: none)."""

    spec: ProviderSpec
    base_url: str
    options: Mapping[str, str] = field(default_factory=dict)
    api_key: str
    allow_private_network: bool

    def url(self, path: str) -> str:
        """Where a GET of the row's `path` goes."""
        values = url_values(self.spec, self.options, self.api_key)
        return lists_base_url(self.spec, self.base_url, self.options) + filled(path, values)

    async def headers(
        self, http: HttpFetcher, url: str, *, method: str = "GET", body: bytes = b"", with_key: bool = True
    ) -> list[tuple[str, str]]:
        """What a call to this provider carries."""
        headers = [("Accept", "application/json"), ("User-Agent", f"ops-center/{__version__}")]
        headers += self.spec.extra_headers
        access = access_to(
            self.spec,
            self.options,
            self.api_key if with_key else "",
            tokens=GoogleTokens(http.fetch),  # none is kept: a test proves that one can be had now
            allow_private_network=self.allow_private_network,
        )
        return [*headers, *access.fixed, *(await access.sign(method, url, body))]

    @property
    def own_proof_url(self) -> str | None:
        """Where the type's own service proves a key, if not beside its models; None at any other address."""
        proof_url = self.spec.key_proof.url
        return proof_url if self.base_url == default_base_url(self.spec, self.options) else None


def invalid_api_key(hint: str = "Check the key for typos and extra spaces, or make a new one.") -> Failure:
    return Failure("invalid_api_key", "Invalid API key", hint)


def unexpected_answer(hint: str = "Check the base URL: what answered does not speak this API.") -> Failure:
    return Failure("unexpected_answer", "Unexpected answer", hint)


_KEY_NOT_PROVEN = Failure(
    "key_not_proven",
    "Key could not be proven",
    "The server answers without a key too, so this key may be right or wrong.",
)


_RATE_LIMITED = Failure(
    "rate_limited",
    "Rate limit exceeded",
    "Wait before testing again, and check the limits in the provider's dashboard.",
)


def failure_of_error(error: ProviderError) -> Failure:
    """The words for a call that got no usable answer."""
    match error:
        case AddressRefused():
            return Failure(
                "address_not_allowed",
                "Address not allowed",
                "Only public addresses are called; “Allow private network address” adds those of your own "
                "network. Link-local, metadata and reserved addresses are never called.",
            )
        case ProviderTimeout():
            return Failure(
                "timeout",
                "Connection timeout",
                "The provider may be down. Check the internet connection and try again in a few minutes.",
            )
        case ProviderUnreachable():
            return Failure(
                "unreachable",
                "Address unreachable",
                "Nothing answers at this address. Check the base URL and the network.",
            )
        case ProviderAuthError():
            return invalid_api_key()
        case ProviderRateLimited():
            return _RATE_LIMITED
        case ProviderUnusable():
            return unexpected_answer()
        case _:
            return Failure(
                "provider_error", "Provider error", "The provider failed. Try again in a few minutes."
            )


def failure_of_answer(spec: ProviderSpec, answer: FetchAnswer) -> Failure | None:
    """The words for an answer's status, or for the code that says more; None for 200."""
    if answer.status == 400:
        facts = WIRES[spec.format].read_provider_error(answer.status, answer.body)
        if refuses_credential(answer.status, facts):
            return invalid_api_key()
    return failure_of_status(answer.status)


def failure_of_status(status: int) -> Failure | None:
    """The words for an HTTP status; None for 200."""
    if status == 200:
        return None
    if status in (401, 403):
        return invalid_api_key()
    if status == 429:
        return _RATE_LIMITED
    if status >= 500:
        return Failure(
            "provider_error",
            f"Provider error (HTTP {status})",
            "The provider has a problem of its own. Try again in a few minutes.",
        )
    if 300 <= status < 400:
        return unexpected_answer(
            "The address redirects elsewhere, which is not followed. Check the base URL."
        )
    return unexpected_answer()


async def fetch_models(http: HttpFetcher, address: Address, now: datetime) -> list[DiscoveredModel] | Failure:
    """The provider's own list of models, ours where it publishes none, or why there is none."""
    if address.spec.models_by_hand:
        return []
    if address.spec.extra is not None:
        return [DiscoveredModel(name, {}) for name in model_names(address.options)]
    if address.spec.models_from_catalog:
        return [DiscoveredModel(name, {}) for name in packaged_models(address.spec.type)]
    answer = await _ask(http, address, address.url(address.spec.models_path), TIMEOUT_SECONDS)
    if isinstance(answer, Failure):
        return answer
    failure = failure_of_answer(address.spec, answer)
    if failure is not None:
        return failure
    as_of = now.astimezone(UTC).date().isoformat()
    found = parse_model_list(address.spec.type, answer.body, as_of)
    if found is None:
        return unexpected_answer()
    return found + await _more_models(http, address, as_of)


async def _more_models(http: HttpFetcher, address: Address, as_of: str) -> list[DiscoveredModel]:
    """Those of a second list, where the type has one and the key may read it."""
    path = address.spec.more_models_path
    if path is None:
        return []
    answer = await _ask(http, address, address.url(path), TIMEOUT_SECONDS)
    if isinstance(answer, Failure) or answer.status != 200:
        return []
    return parse_model_list(address.spec.type, answer.body, as_of) or []


async def prove(
    http: HttpFetcher,
    address: Address,
    *,
    timeout_seconds: float = TIMEOUT_SECONDS,
    clock: Callable[[], float] = time.perf_counter,
) -> TestResult:
    """Whether the provider answers and the key is valid. Costs nothing; the time limit is for each call.

    Where the endpoint answers strangers too, it is asked again without the key, and only a stranger who is
    turned away proves the key; see `KeyProof` for servers that turn nobody away there.
    """
    proof = address.spec.key_proof
    if address.spec.extra is not None:
        return await _proven_by_an_answer(http, address, clock)
    url = address.own_proof_url or address.url(proof.path)
    if address.spec.requires_key and not address.api_key:
        return failed(invalid_api_key("Paste the provider's API key first."))
    started = clock()
    answer = await _ask(http, address, url, timeout_seconds)
    latency_ms = max(1, round((clock() - started) * 1000))
    if isinstance(answer, Failure):
        return failed(answer, None)
    failure = failure_of_answer(address.spec, answer)
    if failure is not None:
        if failure.error_type == "invalid_api_key" and not address.api_key:
            failure = invalid_api_key("This server asks for a key.")
        return failed(failure, latency_ms)
    content = _content(address, answer.body)
    if content is None:
        return failed(unexpected_answer(), latency_ms)
    models_found = content if isinstance(content, int) and not isinstance(content, bool) else None
    if address.api_key and not proof.proves_key and not address.own_proof_url:
        stranger = await _ask(http, address, url, timeout_seconds, with_key=False)
        doubt = None if _turned_away(stranger) else await _doubt(http, address, timeout_seconds)
        if doubt is not None:
            return failed(doubt, latency_ms, models_found)
    return TestResult(
        success=True,
        latency_ms=latency_ms,
        message=f"Connection successful! ({latency_ms}ms)",
        models_found=models_found,
    )


async def _proven_by_an_answer(http: HttpFetcher, address: Address, clock: Callable[[], float]) -> TestResult:
    """LiteLLM has no way that is free at every provider, so one request for one token is asked, and said."""
    problem = missing()
    if problem is not None:
        return failed(Failure("not_installed", problem, HOW_TO_GET))
    model = model_names(address.options)[0]
    asked = {"model": model, "max_tokens": 1, "messages": [{"role": "user", "content": "Hi"}]}
    url = address.base_url + address.spec.chat_path
    started = clock()
    answer = await _ask(http, address, url, _STARTING_SECONDS, body=msgspec.json.encode(asked))
    latency_ms = max(1, round((clock() - started) * 1000))
    if isinstance(answer, Failure):
        return failed(answer)
    code = WIRES[address.spec.format].read_provider_error(answer.status, answer.body).code
    if code == "address_refused":
        return failed(failure_of_error(AddressRefused("Address not allowed")))
    failure = failure_of_answer(address.spec, answer)
    if failure is not None and failure.error_type == "unexpected_answer":
        failure = unexpected_answer(
            f"Check the model string {model} and the parameters against LiteLLM's docs."
        )
    if failure is not None:
        return failed(failure, latency_ms)
    return TestResult(
        success=True,
        latency_ms=latency_ms,
        message=f"Connection successful! ({latency_ms}ms)",
        hint=f"One request for one token was sent to {model}: LiteLLM has no free way to prove a key.",
        models_found=len(model_names(address.options)),
    )


_STARTING_SECONDS = 120.0  # the first call starts LiteLLM


def failed(failure: Failure, latency_ms: int | None = None, models_found: int | None = None) -> TestResult:
    """A result that says what went wrong."""
    return TestResult(
        success=False,
        latency_ms=latency_ms,
        message=failure.message,
        error_type=failure.error_type,
        hint=failure.hint,
        models_found=models_found,
    )


async def _doubt(http: HttpFetcher, address: Address, timeout_seconds: float) -> Failure | None:
    """What is left to doubt about a key where lists are public; None when an empty request proves it.

    The empty object names no model and no message, so nothing can be generated and billed.
    """
    path = address.spec.key_proof.empty_post
    if path is None:
        return _KEY_NOT_PROVEN
    url = address.base_url + filled(path, address.options)
    ours = await _ask(http, address, url, timeout_seconds, body=b"{}")
    if _turned_away(ours):
        return invalid_api_key()
    if isinstance(ours, Failure) or ours.status not in _FOUND_FAULT:
        return _KEY_NOT_PROVEN
    stranger = await _ask(http, address, url, timeout_seconds, body=b"{}", with_key=False)
    return None if _turned_away(stranger) else _KEY_NOT_PROVEN


_FOUND_FAULT = (400, 404, 422)


def _turned_away(answer: FetchAnswer | Failure) -> bool:
    return not isinstance(answer, Failure) and answer.status in (401, 403)


async def _ask(
    http: HttpFetcher,
    address: Address,
    url: str,
    timeout_seconds: float,
    *,
    body: bytes = b"",
    with_key: bool = True,
) -> FetchAnswer | Failure:
    method = "POST" if body else "GET"
    try:
        headers = await address.headers(http, url, method=method, body=body, with_key=with_key)
        if body:
            headers.append(("Content-Type", "application/json"))
        return await http.fetch(
            method,
            url,
            headers=headers,
            body=body,
            allow_private_network=address.allow_private_network,
            timeout_seconds=timeout_seconds,
        )
    except ProviderError as error:
        return failure_of_error(error)


def _content(address: Address, body: bytes) -> int | Literal[True] | None:
    """How many models the answer lists, True for a key's own record, None when it is neither."""
    spec, proof = address.spec, address.spec.key_proof
    path = proof.path.partition("?")[0]
    if not address.own_proof_url and path == spec.models_path.partition("?")[0]:
        found = parse_model_list(spec.type, body, "")
        if found is None:
            return None
        return len(found) if proof.path == spec.models_path else True
    try:
        record: Any = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        return None
    if not isinstance(record, dict):
        return None
    inner = record.get("data")
    held = {*record, *inner} if isinstance(inner, dict) else set(record)
    return True if held.intersection(proof.record_fields) else None
