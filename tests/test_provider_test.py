"""control/providers/proof.py: the test that tells the truth, through the real transport and real sockets."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import msgspec
import pytest
from structlog.testing import capture_logs

from ops_center.control.providers.proof import Address, fetch_models, prove
from ops_center.control.providers.schemas import TestResult
from ops_center.providers.registry import provider_spec
from ops_center.simulator import SimulatorConfig, serve
from ops_center.transport.client import HttpClient

pytestmark = pytest.mark.anyio

CANARY = "canary-5f2e9a"
MODELS = json.dumps({"data": [{"id": "model-a"}, {"id": "model-b"}], "note": CANARY}).encode()
KEY_RECORD = json.dumps({"data": {"label": f"sk-or-v1-{CANARY}", "usage": 0.5, "limit": None}}).encode()


def http_answer(
    status: int, body: bytes = b"", content_type: str = "application/json", extra: str = ""
) -> bytes:
    head = f"HTTP/1.1 {status} {CANARY}\r\nContent-Type: {content_type}\r\nX-Canary: {CANARY}\r\n{extra}"
    return f"{head}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body


Handler = Callable[[bytes], bytes | None]  # the request's head → the answer, None: silence


@asynccontextmanager
async def provider(answer: bytes | Handler | None) -> AsyncIterator[tuple[str, list[bytes]]]:
    """A server on a free port of 127.0.0.1; gives its base URL and the heads of the requests it saw."""
    seen: list[bytes] = []

    async def serve_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            seen.append(head)
            data = answer(head) if callable(answer) else answer
            if data is None:
                await reader.read()
            else:
                writer.write(data)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve_one, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", seen
    finally:
        server.close()


@pytest.fixture
async def http(anyio_backend: str) -> AsyncIterator[HttpClient]:
    client = HttpClient()
    yield client
    await client.close()


async def outcome(
    http: HttpClient,
    base_url: str,
    *,
    provider_type: str = "openai",
    api_key: str = "sk-test-0123456789",
    allow_private_network: bool = True,
    timeout_seconds: float = 5.0,
) -> TestResult:
    """The test's result, after making sure that no byte of the answer is in it or in the log."""
    with capture_logs() as logs:
        result = await prove(
            http,
            Address(
                spec=provider_spec(provider_type),
                base_url=base_url,
                api_key=api_key,
                allow_private_network=allow_private_network,
            ),
            timeout_seconds=timeout_seconds,
        )
    assert CANARY not in result.model_dump_json()
    assert CANARY not in repr(logs)
    assert api_key == "" or api_key not in repr(logs) + result.model_dump_json()
    return result


OUTCOMES: list[tuple[str, bytes, str | None, str]] = [
    ("401", http_answer(401, CANARY.encode()), "invalid_api_key", "Invalid API key"),
    ("403", http_answer(403, CANARY.encode()), "invalid_api_key", "Invalid API key"),
    ("429", http_answer(429, CANARY.encode()), "rate_limited", "Rate limit exceeded"),
    ("500", http_answer(500, CANARY.encode()), "provider_error", "Provider error (HTTP 500)"),
    ("503", http_answer(503, CANARY.encode()), "provider_error", "Provider error (HTTP 503)"),
    ("529", http_answer(529, CANARY.encode()), "provider_error", "Provider error (HTTP 529)"),
    ("404", http_answer(404, CANARY.encode()), "unexpected_answer", "Unexpected answer"),
    ("418", http_answer(418, CANARY.encode()), "unexpected_answer", "Unexpected answer"),
    (
        "HTML with 200",
        http_answer(200, f"<html>{CANARY}</html>".encode(), "text/html"),
        "unexpected_answer",
        "Unexpected answer",
    ),
    ("an error with 200", http_answer(200, b'{"error": "no"}'), "unexpected_answer", "Unexpected answer"),
    ("a list of numbers", http_answer(200, b'{"data": [1, 2]}'), "unexpected_answer", "Unexpected answer"),
    ("nothing with 200", http_answer(200), "unexpected_answer", "Unexpected answer"),
    ("204", http_answer(204), "unexpected_answer", "Unexpected answer"),
    ("half a JSON", http_answer(200, MODELS[:-9]), "unexpected_answer", "Unexpected answer"),
    (
        "a body cut short",
        http_answer(200, MODELS)[:-9],
        "unexpected_answer",
        "Unexpected answer",
    ),
    ("no HTTP at all", f"SSH-2.0-{CANARY}\r\n".encode(), "unexpected_answer", "Unexpected answer"),
    (
        "a redirect",
        http_answer(302, b"", extra=f"Location: http://127.0.0.1:1/{CANARY}\r\n"),
        "unexpected_answer",
        "Unexpected answer",
    ),
]


@pytest.mark.parametrize(
    ("answer", "error_type", "message"), [o[1:] for o in OUTCOMES], ids=[o[0] for o in OUTCOMES]
)
async def test_every_failure_has_its_words_and_a_hint(
    http: HttpClient, answer: bytes, error_type: str, message: str
) -> None:
    async with provider(answer) as (base_url, seen):
        result = await outcome(http, base_url)
    assert (result.success, result.error_type, result.message) == (False, error_type, message)
    assert result.hint
    assert result.models_found is None
    assert len(seen) == 1


async def test_a_valid_key_is_a_success_with_its_latency(http: HttpClient) -> None:
    async with provider(http_answer(200, MODELS)) as (base_url, seen):
        result = await outcome(http, base_url)
    assert result.success
    assert result.latency_ms is not None
    assert 1 <= result.latency_ms < 5000
    assert result.message == f"Connection successful! ({result.latency_ms}ms)"
    assert (result.error_type, result.hint, result.models_found) == (None, None, 2)
    assert seen[0].startswith(b"GET /v1/models HTTP/1.1\r\n")
    assert b"Authorization: Bearer sk-test-0123456789\r\n" in seen[0]


async def test_latency_is_the_time_until_the_answer(http: HttpClient) -> None:
    ticks = iter([100.0, 100.142])
    async with provider(http_answer(200, MODELS)) as (base_url, _):
        address = Address(
            spec=provider_spec("openai"), base_url=base_url, api_key="k", allow_private_network=True
        )
        result = await prove(http, address, clock=lambda: next(ticks))
    assert result.message == "Connection successful! (142ms)"


async def test_silence_is_a_timeout(http: HttpClient) -> None:
    async with provider(None) as (base_url, _):
        result = await outcome(http, base_url, timeout_seconds=0.2)
    assert (result.error_type, result.message) == ("timeout", "Connection timeout")
    assert "few minutes" in (result.hint or "")


async def test_a_closed_port_is_unreachable(http: HttpClient) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    result = await outcome(http, f"http://127.0.0.1:{port}/v1")
    assert (result.error_type, result.message) == ("unreachable", "Address unreachable")


async def test_a_name_that_does_not_exist_is_unreachable(http: HttpClient) -> None:
    result = await outcome(http, "http://nobody.invalid/v1")
    assert result.error_type == "unreachable"


@pytest.mark.parametrize(
    ("host", "allow"),
    [
        ("169.254.169.254", False),
        ("169.254.169.254", True),  # never, whatever is ticked
        ("[::ffff:169.254.169.254]", True),
        ("[::ffff:a9fe:a9fe]", True),
        ("[64:ff9b::a9fe:a9fe]", True),
        ("[2002:a9fe:a9fe::]", True),
        ("[fe80::1]", True),
        ("0.0.0.0", True),
        ("100.100.100.200", True),
        ("10.1.2.3", False),
        ("192.168.1.1", False),
        ("100.64.0.1", False),
        ("127.0.0.1", False),
        ("[::1]", False),
        ("[::ffff:127.0.0.1]", False),
        ("[::ffff:10.0.0.1]", False),
        ("[fd00::1]", False),
        ("localhost", False),
        ("2130706433", False),  # 127.0.0.1 as one number
        ("0x7f.1", False),
        ("127.1", False),
    ],
)
async def test_addresses_that_are_not_allowed_are_never_called(
    http: HttpClient, host: str, allow: bool
) -> None:
    async with provider(http_answer(200, MODELS)) as (base_url, seen):
        port = base_url.rpartition(":")[2]
        result = await outcome(http, f"http://{host}:{port}", allow_private_network=allow)
    assert (result.error_type, result.message) == ("address_not_allowed", "Address not allowed")
    assert result.latency_ms is None
    assert seen == []


async def test_a_redirect_to_the_metadata_service_is_not_followed(http: HttpClient) -> None:
    location = "Location: http://169.254.169.254/latest/meta-data/\r\n"
    async with provider(http_answer(307, extra=location)) as (base_url, seen):
        result = await outcome(http, base_url)
    assert (result.error_type, len(seen)) == ("unexpected_answer", 1)
    assert "redirects" in (result.hint or "")


async def test_a_key_is_asked_for_before_anybody_is_called(http: HttpClient) -> None:
    async with provider(http_answer(200, MODELS)) as (base_url, seen):
        result = await outcome(http, base_url, api_key="")
    assert (result.error_type, seen) == ("invalid_api_key", [])


# ── types ─────────────────────────────────────────────────────────────────────


async def test_openrouter_is_asked_for_the_key_itself(http: HttpClient) -> None:
    async with provider(http_answer(200, KEY_RECORD)) as (base_url, seen):
        result = await outcome(http, base_url, provider_type="openrouter")
    assert result.success
    assert result.models_found is None
    assert seen[0].startswith(b"GET /v1/key ")


async def test_a_list_of_models_is_no_record_of_a_key(http: HttpClient) -> None:
    async with provider(http_answer(200, MODELS)) as (base_url, _):
        result = await outcome(http, base_url, provider_type="openrouter")
    assert result.error_type == "unexpected_answer"


async def test_anthropic_gets_its_own_headers(http: HttpClient) -> None:
    async with provider(http_answer(200, MODELS)) as (base_url, seen):
        result = await outcome(http, base_url, provider_type="anthropic")
    assert result.success
    assert b"x-api-key: sk-test-0123456789\r\n" in seen[0]
    assert b"anthropic-version: " in seen[0]
    assert b"authorization" not in seen[0].lower()


def only_with(key: bytes, refusal: bytes) -> Handler:
    return lambda head: http_answer(200, MODELS) if b"Bearer " + key in head else refusal


async def test_a_custom_server_that_turns_strangers_away_proves_the_key(http: HttpClient) -> None:
    async with provider(only_with(b"mine", http_answer(401))) as (base_url, seen):
        right = await outcome(http, base_url, provider_type="custom", api_key="mine")
        wrong = await outcome(http, base_url, provider_type="custom", api_key="wrong")
    assert (right.success, right.models_found) == (True, 2)
    assert b"authorization" not in seen[1].lower()
    assert (wrong.success, wrong.error_type) == (False, "invalid_api_key")


async def test_a_custom_server_that_answers_everybody_proves_nothing(http: HttpClient) -> None:
    async with provider(http_answer(200, MODELS)) as (base_url, seen):
        result = await outcome(http, base_url, provider_type="custom", api_key="any")
    assert (result.success, result.error_type) == (False, "key_not_proven")
    assert (result.message, result.models_found) == ("Key could not be proven", 2)
    assert "without a key" in (result.hint or "")
    assert len(seen) == 2


async def test_a_stranger_who_meets_an_error_proves_nothing(http: HttpClient) -> None:
    async with provider(only_with(b"mine", http_answer(503))) as (base_url, _):
        result = await outcome(http, base_url, provider_type="custom", api_key="mine")
    assert result.error_type == "key_not_proven"


async def test_a_custom_server_without_a_key_needs_none(http: HttpClient) -> None:
    async with provider(http_answer(200, MODELS)) as (base_url, seen):
        result = await outcome(http, base_url, provider_type="custom", api_key="")
    assert (result.success, result.models_found, len(seen)) == (True, 2, 1)


async def test_a_custom_server_that_wants_a_key_says_so(http: HttpClient) -> None:
    async with provider(http_answer(401)) as (base_url, _):
        result = await outcome(http, base_url, provider_type="custom", api_key="")
    assert result.error_type == "invalid_api_key"
    assert "asks for a key" in (result.hint or "")


def public_list(post_with_key: bytes, post_without: bytes) -> Handler:
    """Lists its models to anybody; an empty request is answered as given."""

    def answer(head: bytes) -> bytes:
        if head.startswith(b"GET"):
            return http_answer(200, MODELS)
        return post_with_key if b"authorization:" in head.lower() else post_without

    return answer


async def test_an_empty_request_proves_a_key_where_lists_are_public(http: HttpClient) -> None:
    async with provider(public_list(http_answer(422), http_answer(401))) as (base_url, seen):
        result = await outcome(http, base_url, provider_type="sambanova")
    assert (result.success, result.models_found) == (True, 2)
    assert [head.split(b" ")[0] for head in seen] == [b"GET", b"GET", b"POST", b"POST"]
    assert b"POST /v1/chat/completions " in seen[2]
    assert b"Content-Length: 2\r\n" in seen[2]


async def test_an_empty_request_finds_out_a_wrong_key_where_lists_are_public(http: HttpClient) -> None:
    async with provider(public_list(http_answer(401), http_answer(401))) as (base_url, seen):
        result = await outcome(http, base_url, provider_type="sambanova")
    assert (result.error_type, len(seen)) == ("invalid_api_key", 3)


@pytest.mark.parametrize(
    ("ours", "strangers"),
    [
        (http_answer(400), http_answer(400)),  # checks the request before the key
        (http_answer(200, MODELS), http_answer(401)),  # takes an empty request
        (http_answer(503), http_answer(401)),
        (http_answer(429), http_answer(401)),
    ],
)
async def test_an_empty_request_proves_nothing_where_its_answers_do_not_tell(
    http: HttpClient, ours: bytes, strangers: bytes
) -> None:
    async with provider(public_list(ours, strangers)) as (base_url, _):
        result = await outcome(http, base_url, provider_type="nvidia")
    assert (result.success, result.error_type) == (False, "key_not_proven")


async def test_a_custom_server_is_never_sent_an_empty_request(http: HttpClient) -> None:
    async with provider(public_list(http_answer(422), http_answer(401))) as (base_url, seen):
        await outcome(http, base_url, provider_type="custom")
    assert all(head.startswith(b"GET ") for head in seen)


async def test_perplexity_is_asked_for_the_keys_own_jobs(http: HttpClient) -> None:
    jobs = http_answer(200, b'{"next_token": null, "requests": []}')
    async with provider(jobs) as (base_url, seen):
        assert (await outcome(http, base_url, provider_type="perplexity")).success
    assert seen[0].startswith(b"GET /v1/async/chat/completions ")
    async with provider(http_answer(200, MODELS)) as (base_url, _):
        other = await outcome(http, base_url, provider_type="perplexity")
    assert other.error_type == "unexpected_answer"


@pytest.mark.parametrize(
    ("provider_type", "record"),
    [("huggingface", b'{"type": "user", "name": "ann"}'), ("deepinfra", b'{"uid": "x", "email": "a@b.c"}')],
)
async def test_a_proof_at_another_host_is_for_the_types_own_address_alone(
    http: HttpClient, provider_type: str, record: bytes
) -> None:
    async with (
        provider(http_answer(200, record)) as (proof_url, proven),
        provider(http_answer(200, MODELS)) as (base_url, listed),
    ):
        spec = provider_spec(provider_type)
        proof = msgspec.structs.replace(spec.key_proof, url=proof_url)
        at_home = msgspec.structs.replace(spec, default_base_url=base_url, key_proof=proof)
        elsewhere = msgspec.structs.replace(spec, key_proof=proof)
        results = []
        for row in (at_home, elsewhere):
            address = Address(spec=row, base_url=base_url, api_key="k", allow_private_network=True)
            results.append(await prove(http, address))
        assert [result.error_type for result in results] == [None, "key_not_proven"]
        assert (len(proven), len(listed)) == (1, 2)


async def test_a_provider_that_publishes_no_list_has_the_catalogues(http: HttpClient) -> None:
    async with provider(None) as (base_url, seen):
        address = Address(
            spec=provider_spec("perplexity"), base_url=base_url, api_key="k", allow_private_network=True
        )
        found = await fetch_models(http, address, datetime.now(UTC))
    assert isinstance(found, list)
    assert "sonar" in [model.name for model in found]
    assert seen == []


@pytest.mark.parametrize("provider_type", ["openai", "anthropic", "openrouter", "custom"])
async def test_keys_are_told_apart_at_every_simulated_provider(http: HttpClient, provider_type: str) -> None:
    async with await serve(SimulatorConfig(valid_keys=("sk-right",))) as simulator:
        base_url = getattr(simulator, f"{provider_type}_url")
        right = await outcome(http, base_url, provider_type=provider_type, api_key="sk-right")
        wrong = await outcome(http, base_url, provider_type=provider_type, api_key="sk-wrong")
    assert right.success, right
    assert wrong.error_type == "invalid_api_key"


# ── lists of models ───────────────────────────────────────────────────────────


async def test_discovery_fails_with_the_words_of_the_test(http: HttpClient) -> None:
    for answer, error_type in (
        (http_answer(401), "invalid_api_key"),
        (http_answer(503), "provider_error"),
        (http_answer(200, b"{}"), "unexpected_answer"),
    ):
        async with provider(answer) as (base_url, _):
            address = Address(
                spec=provider_spec("openai"), base_url=base_url, api_key="k", allow_private_network=True
            )
            found = await fetch_models(http, address, datetime.now(UTC))
        assert not isinstance(found, list)
        assert found.error_type == error_type


@pytest.mark.parametrize("provider_type", ["openai", "anthropic", "openrouter", "custom"])
async def test_every_simulated_list_is_read(http: HttpClient, provider_type: str) -> None:
    async with await serve() as simulator:
        address = Address(
            spec=provider_spec(provider_type),
            base_url=getattr(simulator, f"{provider_type}_url"),
            api_key="sk-right",
            allow_private_network=True,
        )
        found = await fetch_models(http, address, datetime.now(UTC))
    assert isinstance(found, list)
    assert len(found) >= 2
    if provider_type == "openrouter":
        assert any(model.facts.get("price") for model in found)
