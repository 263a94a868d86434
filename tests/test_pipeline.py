from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from ipaddress import ip_network

import httpx
import msgspec
import pytest

from ops_center.dataplane.upstream import Timeouts
from ops_center.snapshot import Alias
from ops_center.types import BudgetScope, CostSource
from plane import SECRET, RunningPlane, budget, provider, rate, running_plane, snapshot, target

pytestmark = pytest.mark.anyio

MESSAGES = [{"role": "user", "content": "Say hello"}]


@pytest.fixture
async def plane() -> AsyncIterator[RunningPlane]:
    async with running_plane(
        timeouts=Timeouts(answer_seconds=0.5, first_chunk_seconds=0.5, chunk_seconds=0.5)
    ) as running:
        yield running


async def events(response: httpx.Response) -> list[str]:
    return [line.removeprefix("data: ") async for line in response.aiter_lines() if line.startswith("data: ")]


async def stream(plane: RunningPlane, **body: object) -> tuple[httpx.Response, list[str]]:
    async with plane.client.stream(
        "POST",
        "/v1/chat/completions",
        json={"model": "gpt-4o-mini", "messages": MESSAGES, "stream": True, **body},
    ) as response:
        return response, await events(response)


# ── the good way ──────────────────────────────────────────────────────────────


async def test_an_answer_says_who_served_it_and_what_it_cost(plane: RunningPlane) -> None:
    response = await plane.chat()
    assert response.status_code == 200
    usage = response.json()["usage"]
    cost = (Decimal(usage["prompt_tokens"]) + 4 * Decimal(usage["completion_tokens"])) / 1_000_000
    assert Decimal(response.headers["x-ops-cost-usd"]) == cost
    headers = {k: v for k, v in response.headers.items() if k.startswith("x-")}
    record = plane.sink.only
    assert headers == {
        "x-request-id": record.request_id,
        "x-ops-provider": "openai",
        "x-ops-model": "gpt-4o-mini",
        "x-ops-credential": "platform",
        "x-ops-attempts": "1",
        "x-ops-cost-usd": headers["x-ops-cost-usd"],
    }
    assert (record.status, record.cost_usd, record.cost_source) == (200, cost, CostSource.COMPUTED)
    assert record.price_source == "test 2026-11-23"
    assert record.usage.input_tokens == usage["prompt_tokens"]
    assert (record.user_email, record.api_key_name, record.finish_reason) == (
        "a@example.com",
        "test key",
        "stop",
    )
    assert [a.outcome for a in record.attempts] == ["success"]


async def test_bytes_pass_untouched_where_the_format_is_the_same(plane: RunningPlane) -> None:
    body = b'{ "model" : "gpt-4o-mini",\n "messages":[{"role":"user","content":"\xc3\xa9 \\u00e9"}], "x_new": {"a": 1.10} }'
    response = await plane.client.post("/v1/chat/completions", content=body)
    assert response.status_code == 200
    sent = plane.simulator.inference_requests[0]
    assert json.loads(sent.body) == json.loads(body)
    assert b'"x_new"' in sent.body and b"1.10" in sent.body
    plain = body.replace(b"\\u00e9", b"e")
    await plane.client.post("/v1/chat/completions", content=plain)
    assert plane.simulator.inference_requests[1].body == plain


async def test_anthropic_bytes_pass_untouched_with_the_clients_beta_header(plane: RunningPlane) -> None:
    body = b'{"model": "claude-haiku-4-5", "max_tokens": 20, "messages": [{"role": "user", "content": "hi"}], "metadata": {"user_id": "u"}}'
    headers = {"x-api-key": SECRET, "anthropic-beta": "fresh-2026-11-01", "anthropic-version": "2023-06-01"}
    response = await plane.client.post("/v1/messages", content=body, headers=headers)
    assert response.status_code == 200, response.text
    sent = plane.simulator.inference_requests[0]
    assert sent.body == body
    assert sent.headers["anthropic-beta"] == "fresh-2026-11-01"
    assert sent.headers["x-api-key"] == "sk-upstream"
    assert plane.sink.only.usage.input_tokens > 0


async def test_the_callers_key_never_reaches_a_provider(plane: RunningPlane) -> None:
    await plane.chat()
    await plane.chat(model="claude-haiku-4-5")
    for sent in plane.simulator.inference_requests:
        assert SECRET not in repr(sent.headers) + sent.body.decode()


async def test_a_stream_costs_what_a_whole_answer_costs(plane: RunningPlane) -> None:
    for model in ("gpt-4o-mini", "claude-haiku-4-5", "meta-llama/llama-3-8b-instruct"):
        plane.sink.records.clear()
        assert (await plane.chat(model=model)).status_code == 200
        _, got = await stream(plane, model=model)
        assert got[-1] == "[DONE]"
        whole, streamed = plane.sink.records
        assert (whole.cost_usd, whole.cost_source) == (streamed.cost_usd, streamed.cost_source)
        assert (whole.usage.input_tokens, whole.usage.output_tokens) == (
            streamed.usage.input_tokens,
            streamed.usage.output_tokens,
        )
        assert streamed.time_to_first_chunk_seconds is not None


async def test_usage_is_asked_for_and_its_chunk_left_out_unless_the_client_asked(plane: RunningPlane) -> None:
    _, without = await stream(plane)
    assert json.loads(plane.simulator.inference_requests[0].body)["stream_options"] == {"include_usage": True}
    assert all(json.loads(e)["choices"] for e in without[:-1])
    assert plane.sink.records[0].usage.output_tokens > 0
    _, with_usage = await stream(plane, stream_options={"include_usage": True})
    last = json.loads(with_usage[-2])
    assert last["choices"] == [] and last["usage"]["completion_tokens"] > 0


async def test_openrouters_own_cost_wins(plane: RunningPlane) -> None:
    response = await plane.chat(model="meta-llama/llama-3-8b-instruct")
    record = plane.sink.only
    assert record.cost_source is CostSource.PROVIDER
    assert record.cost_usd == Decimal(str(response.json()["usage"]["cost"]))


async def test_a_model_without_a_price_costs_unknown_not_nothing(plane: RunningPlane) -> None:
    plane.source.current = snapshot(target(provider(plane.simulator), "gpt-4o-mini", price=None))
    response = await plane.chat()
    assert "x-ops-cost-usd" not in response.headers
    assert (plane.sink.only.cost_usd, plane.sink.only.cost_source) == (None, CostSource.UNKNOWN)


async def test_an_alias_reaches_the_model_behind_it(plane: RunningPlane) -> None:
    plane.source.current = snapshot(
        target(provider(plane.simulator), "gpt-4o-mini"),
        aliases=[Alias(name="small", candidates=("gpt-4o-mini",))],
    )
    assert (await plane.chat(model="small")).headers["x-ops-model"] == "gpt-4o-mini"
    assert json.loads(plane.simulator.inference_requests[0].body)["model"] == "gpt-4o-mini"
    assert plane.sink.only.requested_model == "small"


async def test_the_model_list_shows_what_can_be_asked_for(plane: RunningPlane) -> None:
    ids = [m["id"] for m in (await plane.client.get("/v1/models")).json()["data"]]
    assert {"auto", "eco", "gpt-4o-mini", "claude-haiku-4-5", "meta-llama/llama-3-8b-instruct"} <= set(ids)
    assert (await plane.client.get("/v1/models/gpt-4o-mini")).json()["id"] == "gpt-4o-mini"
    assert (await plane.client.get("/models/nope")).status_code == 404


@pytest.mark.parametrize(
    "path", ["/v1/chat/completions", "/chat/completions", "/api/v1/llm/chat/completions"]
)
async def test_every_prefix_answers(plane: RunningPlane, path: str) -> None:
    response = await plane.client.post(path, json={"model": "gpt-4o-mini", "messages": MESSAGES})
    assert response.status_code == 200


# ── bad input: nothing is sent upstream ───────────────────────────────────────


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b"not json", None),
        (b"", None),
        (b"[1]", None),
        (b'"text"', None),
        (b'{"messages": []', None),
        (b'{"model": 5, "messages": []}', "model"),
        (b'{"model": "gpt-4o-mini"}', "messages"),
        (b'{"model": "gpt-4o-mini", "messages": "hi"}', "messages"),
        (b'{"model": "gpt-4o-mini", "messages": [], "stream": "yes"}', "stream"),
        (b'{"model": "gpt-4o-mini", "messages": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", None),
        (b'{"model": "gpt-4o-mini", "messages": [' + b'{"a":' * 50_000 + b"1" + b"}" * 50_000 + b"]}", None),
        (b'\xff\xfe{"model": "gpt-4o-mini"}', None),
    ],
)
async def test_a_bad_body_is_refused_in_the_callers_format(
    plane: RunningPlane, body: bytes, param: str | None
) -> None:
    for path, shape in (("/v1/chat/completions", "openai"), ("/v1/messages", "anthropic")):
        response = await plane.client.post(path, content=body)
        assert response.status_code == 400, response.text
        error = response.json()["error"]
        assert error["message"] and error["type"] == "invalid_request_error"
        if shape == "openai":
            assert error["param"] == param
        else:
            assert response.json()["type"] == "error"
    assert plane.simulator.inference_requests == []
    assert [r.status for r in plane.sink.records] == [400, 400]


async def test_a_body_above_the_bound_is_413_and_nothing_is_read_further(plane: RunningPlane) -> None:
    response = await plane.client.post("/v1/chat/completions", content=b"x" * (33 * 1024 * 1024))
    assert response.status_code == 413
    assert plane.simulator.inference_requests == []


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Bearer"},
        {"authorization": "Bearer sk-oc-other"},
        {"x-api-key": "x" * 9000},
        {"authorization": "Basic abc"},
    ],
)
async def test_without_a_known_key_nobody_is_served(plane: RunningPlane, headers: dict[str, str]) -> None:
    async with httpx.AsyncClient(base_url=plane.url) as stranger:
        for path in ("/v1/chat/completions", "/v1/messages", "/v1/nothing"):
            response = await stranger.post(
                path, json={"model": "gpt-4o-mini", "messages": MESSAGES}, headers=headers
            )
            assert response.status_code == 401
        assert (await stranger.get("/v1/models", headers=headers)).status_code == 401
    assert plane.simulator.inference_requests == []


async def test_an_unknown_model_is_404_with_near_matches(plane: RunningPlane) -> None:
    response = await plane.chat(model="gpt-4o-mino")
    assert response.status_code == 404
    assert "gpt-4o-mini" in response.json()["error"]["message"]
    assert plane.sink.only.error_type == "model_not_found"


async def test_two_model_fields_cannot_smuggle_one_past_us(plane: RunningPlane) -> None:
    body = b'{"model":"claude-haiku-4-5","model":"gpt-4o-mini","messages":[{"role":"user","content":"hi"}]}'
    await plane.client.post("/v1/chat/completions", content=body)
    sent = plane.simulator.inference_requests[0].body
    assert sent.count(b'"model"') == 1 and b"gpt-4o-mini" in sent


# ── a provider that fails ─────────────────────────────────────────────────────


FAULTS = [
    ("status-500", 503, "provider_failed"),
    ("status-529", 503, "provider_failed"),
    ("status-429", 429, "provider_rate_limited"),
    ("status-401", 503, "provider_auth_error"),
    ("status-403", 503, "provider_auth_error"),
    ("status-408", 504, "provider_timeout"),
    ("html-200", 502, "provider_unusable_answer"),
    ("half-json", 502, "provider_unusable_answer"),
    ("empty-200", 502, "provider_unusable_answer"),
    ("error-in-200", 502, "provider_unusable_answer"),
    ("hang", 504, "provider_timeout"),
    ("close", 503, "provider_unreachable"),
    ("reset", 503, "provider_unreachable"),
    ("redirect", 502, "provider_unusable_answer"),
]


# Half a JSON in a stream is a stream that breaks later, not at its beginning.
FAULTS_EITHER_WAY = [
    (*row, streamed)
    for row in FAULTS
    for streamed in (False, True)
    if not (streamed and row[0] == "half-json")
]


@pytest.mark.parametrize(("fault", "status", "error_type", "streamed"), FAULTS_EITHER_WAY)
async def test_a_failure_is_a_clear_error_and_a_record(
    plane: RunningPlane, fault: str, status: int, error_type: str, streamed: bool
) -> None:
    plane.simulator.configure(fault=fault)
    response = await plane.chat(stream=streamed)
    assert (response.status_code, plane.sink.only.error_type) == (status, error_type), response.text
    assert response.json()["error"]["message"]
    assert (plane.sink.only.status, plane.sink.only.cost_usd) == (status, 0)
    assert plane.sink.only.attempts[0].outcome == error_type


@pytest.mark.parametrize(("fault", "status", "error_type", "streamed"), FAULTS_EITHER_WAY)
async def test_before_the_first_byte_the_next_provider_is_tried(
    fault: str, status: int, error_type: str, streamed: bool
) -> None:
    async with running_plane(
        simulators=2, timeouts=Timeouts(answer_seconds=0.4, first_chunk_seconds=0.4)
    ) as plane:
        bad, good = plane.simulators
        bad.configure(fault=fault)
        plane.source.current = snapshot(
            target(provider(bad, name="first", priority=60), "gpt-4o-mini"),
            target(provider(good, name="second"), "gpt-4o-mini"),
        )
        response = await plane.chat(stream=streamed)
        assert (
            response.status_code,
            response.headers["x-ops-provider"],
            response.headers["x-ops-attempts"],
        ) == (200, "second", "2")
        assert [a.outcome for a in plane.sink.only.attempts] == [error_type, "success"]
        assert plane.sink.only.provider_name == "second"


async def test_without_auto_fallback_the_failure_is_the_answer(plane: RunningPlane) -> None:
    plane.simulator.configure(fault_for_models={"gpt-4o-mini": "status-500"})
    plane.source.current = snapshot(
        target(provider(plane.simulator, name="first", priority=60, auto_fallback=False), "gpt-4o-mini"),
        target(provider(plane.simulator, name="second"), "gpt-4o-mini"),
    )
    assert (await plane.chat()).status_code == 503
    assert len(plane.simulator.inference_requests) == 1


@pytest.mark.parametrize("status", [400, 404, 422])
async def test_the_callers_own_fault_is_not_asked_elsewhere(plane: RunningPlane, status: int) -> None:
    plane.simulator.configure(fault=f"status-{status}")
    plane.source.current = snapshot(
        target(provider(plane.simulator, name="first", priority=60), "gpt-4o-mini"),
        target(provider(plane.simulator, name="second"), "gpt-4o-mini"),
    )
    response = await plane.chat()
    assert response.status_code == status and response.json()["error"]["message"]
    assert len(plane.simulator.inference_requests) == 1


async def test_when_all_fail_the_caller_hears_who_and_why(plane: RunningPlane) -> None:
    plane.simulator.configure(fault="status-500")
    plane.source.current = snapshot(
        target(provider(plane.simulator, name="first", priority=60), "gpt-4o-mini"),
        target(provider(plane.simulator, name="second"), "gpt-4o-mini"),
    )
    response = await plane.chat()
    assert response.status_code == 503
    assert "first" in response.json()["error"]["message"] and "second" in response.json()["error"]["message"]
    assert plane.sink.only.error_type == "no_provider_left"


@pytest.mark.parametrize(
    "fault", ["stream-cut", "stream-ends-early", "error-mid-stream", "stream-stalls", "reset-mid-stream"]
)
@pytest.mark.parametrize("model", ["gpt-4o-mini", "claude-haiku-4-5", "meta-llama/llama-3-8b-instruct"])
async def test_a_stream_that_breaks_ends_with_an_error_event_and_no_failover(
    plane: RunningPlane, fault: str, model: str
) -> None:
    plane.simulator.configure(fault=fault, tokens_per_second=400)
    _, got = await stream(plane, model=model)
    assert len(got) > 1
    assert "[DONE]" not in got
    assert json.loads(got[-1])["error"]["message"]
    record = plane.sink.only
    assert record.status >= 500 and record.error_type
    assert record.cost_source is CostSource.ESTIMATED and record.cost_usd
    assert record.usage.output_tokens > 0
    assert len(plane.simulator.inference_requests) == 1


async def test_a_stream_that_never_starts_times_out_before_any_byte(plane: RunningPlane) -> None:
    plane.simulator.configure(fault="stream-never-starts")
    response = await plane.chat(stream=True)
    assert response.status_code == 504
    assert plane.sink.only.error_type == "provider_timeout"


async def test_a_first_event_that_is_an_error_is_an_error_status(plane: RunningPlane) -> None:
    plane.simulator.configure(fault="first-event-error")
    response = await plane.chat(stream=True)
    assert response.status_code >= 500
    assert plane.sink.only.status == response.status_code


# ── a client that goes away ───────────────────────────────────────────────────


async def test_a_client_that_leaves_a_stream_closes_the_upstream_call_and_is_billed(
    plane: RunningPlane,
) -> None:
    plane.simulator.configure(tokens_per_second=50, answer_tokens=500)
    async with plane.client.stream(
        "POST", "/v1/chat/completions", json={"model": "gpt-4o-mini", "messages": MESSAGES, "stream": True}
    ) as response:
        async for line in response.aiter_lines():
            if '"content"' in line and '"content":""' not in line and '"content": ""' not in line:
                break
    await plane.simulator.until(lambda: plane.simulator.inference_requests[0].client_left)
    record = await plane.sink.until()
    assert (record.status, record.error_type, record.cost_source) == (
        499,
        "client_closed",
        CostSource.ESTIMATED,
    )
    assert record.cost_usd
    assert record.usage.output_tokens > 0


async def test_a_client_that_leaves_before_the_answer_closes_the_upstream_call(plane: RunningPlane) -> None:
    plane.simulator.configure(latency_seconds=0.45)
    request = asyncio.create_task(plane.chat())
    await plane.simulator.until(lambda: bool(plane.simulator.requests))
    request.cancel()
    await asyncio.gather(request, return_exceptions=True)
    await plane.simulator.until(lambda: plane.simulator.requests[0].client_left)
    assert (await plane.sink.until()).error_type == "client_closed"
    assert len(plane.simulator.inference_requests) == 1


# ── limits ────────────────────────────────────────────────────────────────────


async def test_the_keys_limits_hold(plane: RunningPlane) -> None:
    now = plane.source.current
    plane.source.current = snapshot(*now.targets, rates=(rate(requests_per_minute=2),))
    statuses = [(await plane.chat()).status_code for _ in range(3)]
    assert statuses == [200, 200, 429]
    assert int((await plane.chat()).headers["retry-after"]) > 0
    plane.source.current = snapshot(*now.targets, budgets=(budget("0.000001"),))
    assert (await plane.chat()).status_code == 402


async def test_fifty_at_once_spend_no_more_than_the_budget(plane: RunningPlane) -> None:
    cost = Decimal((await plane.chat(max_tokens=10)).headers["x-ops-cost-usd"])
    bound = cost * 12
    plane.source.current = snapshot(*plane.source.current.targets, budgets=(budget(bound),))
    plane.sink.records.clear()
    answers = await asyncio.gather(*[plane.chat(max_tokens=10) for _ in range(50)])
    assert {a.status_code for a in answers} == {200, 402}
    spent = sum((r.cost_usd or 0 for r in plane.sink.records), Decimal(0))
    assert 0 < spent <= bound


async def test_a_client_reads_where_it_stands_in_its_limits(plane: RunningPlane) -> None:
    limits = rate(requests_per_minute=9, tokens_per_minute=100_000)
    plane.source.current = snapshot(*plane.source.current.targets, rates=(limits,))
    first, second = await plane.chat(), await plane.chat()
    assert first.headers["x-ratelimit-limit-requests"] == "9"
    assert first.headers["x-ratelimit-remaining-requests"] == "8"
    assert second.headers["x-ratelimit-remaining-requests"] == "7"
    assert second.headers["x-ratelimit-limit-tokens"] == "100000"
    assert 90_000 < int(second.headers["x-ratelimit-remaining-tokens"]) < 100_000
    assert re.fullmatch(r"[\d.]+m?s", second.headers["x-ratelimit-reset-requests"])
    body = {"model": "claude-haiku-4-5", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
    answer = await plane.client.post("/v1/messages", json=body)
    assert answer.headers["anthropic-ratelimit-requests-limit"] == "9"
    assert answer.headers["anthropic-ratelimit-requests-remaining"] == "6"
    reset = datetime.fromisoformat(answer.headers["anthropic-ratelimit-tokens-reset"])
    assert timedelta(0) < reset - datetime.now(UTC) <= timedelta(seconds=61)


async def test_a_429_says_where_the_client_stands(plane: RunningPlane) -> None:
    plane.source.current = snapshot(*plane.source.current.targets, rates=(rate(requests_per_minute=1),))
    await plane.chat()
    refused = await plane.chat()
    assert refused.status_code == 429
    assert refused.headers["x-ratelimit-remaining-requests"] == "0"


async def test_a_provider_without_budget_is_passed_over_and_the_last_one_is_a_402(
    plane: RunningPlane,
) -> None:
    poor = provider(
        plane.simulator, name="poor", priority=90, budgets=(budget("0", BudgetScope.PROVIDER, counter="p"),)
    )
    rich = provider(plane.simulator, name="rich", priority=10)
    plane.source.current = snapshot(target(poor, "gpt-4o-mini"), target(rich, "gpt-4o-mini"))
    assert (await plane.chat()).headers["x-ops-provider"] == "rich"
    plane.source.current = snapshot(target(poor, "gpt-4o-mini"))
    refused = await plane.chat()
    assert refused.status_code == 402
    assert "poor" in refused.json()["error"]["message"]


async def test_what_a_provider_costs_counts_in_its_own_budget_alone(plane: RunningPlane) -> None:
    bound = budget("0.01", BudgetScope.PROVIDER, counter="first")
    other = budget("0.01", BudgetScope.PROVIDER, counter="other")
    first = provider(plane.simulator, name="first", priority=90, budgets=(bound,))
    second = provider(plane.simulator, name="second", priority=10, budgets=(other,))
    plane.source.current = snapshot(target(first, "gpt-4o-mini"), target(second, "gpt-4o-mini"))
    cost = Decimal((await plane.chat(max_tokens=10)).headers["x-ops-cost-usd"])
    assert cost > 0
    assert await plane.limiter.spent(bound) == int(cost * 10**9)
    assert await plane.limiter.spent(other) == 0


async def test_a_key_works_from_its_own_addresses_alone(plane: RunningPlane) -> None:
    now = plane.source.current
    plane.source.current = snapshot(*now.targets, ip_ranges=(ip_network("203.0.113.0/24"),))
    refused = await plane.chat()
    assert refused.status_code == 403
    assert refused.json()["error"]["message"] == "This API key may not be used from this address."
    assert (
        await plane.client.get("/v1/models", headers={"x-forwarded-for": "203.0.113.9"})
    ).status_code == 403
    plane.source.current = snapshot(*now.targets, ip_ranges=(ip_network("127.0.0.0/8"),))
    assert (await plane.chat()).status_code == 200


async def test_a_key_reaches_its_own_providers_alone(plane: RunningPlane) -> None:
    now = plane.source.current
    plane.source.current = snapshot(*now.targets, providers=frozenset({"prov_anthropic"}))
    assert (await plane.chat()).status_code == 403
    assert (await plane.chat(model="claude-haiku-4-5")).status_code == 200
    listed = (await plane.client.get("/v1/models")).json()["data"]
    assert {model["id"] for model in listed if model["owned_by"] != "ops-center"} == {"claude-haiku-4-5"}


async def test_records_travel_as_json(plane: RunningPlane) -> None:
    await plane.chat()
    record = plane.sink.only
    assert msgspec.json.decode(msgspec.json.encode(record), type=type(record)) == record
