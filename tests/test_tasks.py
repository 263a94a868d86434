"""dataplane/tasks.py: the endpoints beside chat, through a running data plane against the simulator."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import httpx
import pytest

from ops_center.providers.tasks import TASKS
from ops_center.snapshot import Target
from ops_center.types import CostSource, Price
from plane import RunningPlane, provider, running_plane, snapshot, target

pytestmark = pytest.mark.anyio

SOUND = b"RIFF" + bytes(4096)
BODIES: dict[str, dict[str, Any]] = {
    "embeddings": {"model": "text-embedding-3-small", "input": "hello"},
    "images/generations": {"model": "gpt-image-1", "prompt": "a fox"},
    "audio/speech": {"model": "tts-1", "input": "hello", "voice": "alloy"},
    "moderations": {"model": "omni-moderation-latest", "input": "hello"},
    "rerank": {
        "model": "jina-reranker-v2-base-multilingual",
        "query": "a fox",
        "documents": ["a dog", "a fox"],
    },
}
PRICES = {
    "text-embedding-3-small": Price(
        input_mtok=Decimal("0.02"), output_mtok=Decimal(0), source="test", as_of="2026-11-24"
    ),
    "gpt-image-1": Price(input_mtok=Decimal(5), output_mtok=Decimal(40), source="test", as_of="2026-11-24"),
    "dall-e-3": Price(
        input_mtok=Decimal(0),
        output_mtok=Decimal(0),
        request_usd=Decimal("0.04"),
        source="test",
        as_of="2026-11-24",
    ),
    "gpt-4o-mini-transcribe": Price(
        input_mtok=Decimal("1.25"), output_mtok=Decimal(5), source="test", as_of="2026-11-24"
    ),
    "omni-moderation-latest": Price(
        input_mtok=Decimal(0), output_mtok=Decimal(0), source="test", as_of="2026-11-24"
    ),
}
CAPABILITY = {
    "text-embedding-3-small": "embedding",
    "gpt-image-1": "image_generation",
    "dall-e-3": "image_generation",
    "tts-1": "speech",
    "whisper-1": "transcription",
    "gpt-4o-mini-transcribe": "transcription",
    "omni-moderation-latest": "moderation",
    "jina-reranker-v2-base-multilingual": "rerank",
}


def task_target(of: Any, model: str) -> Target:
    capability = CAPABILITY.get(model)
    return Target(
        id=f"mdl_{of.name}_{model}",
        provider=of,
        model=model,
        price=PRICES.get(model),
        capabilities=frozenset({capability} if capability else set()),
    )


def serve_all(plane: RunningPlane) -> None:
    openai, custom = provider(plane.simulator), provider(plane.simulator, "custom")
    anthropic = provider(plane.simulator, "anthropic")
    models = [name for name in CAPABILITY if not name.startswith("jina")]
    plane.source.current = snapshot(
        *(task_target(openai, name) for name in models),
        task_target(openai, "gpt-4o-mini"),
        task_target(custom, "jina-reranker-v2-base-multilingual"),
        task_target(anthropic, "claude-haiku-4-5"),
    )


@pytest.fixture
async def plane(anyio_backend: str) -> AsyncIterator[RunningPlane]:
    async with running_plane() as running:
        serve_all(running)
        yield running


async def post(plane: RunningPlane, endpoint: str, **changes: Any) -> httpx.Response:
    return await plane.client.post(f"/v1/{endpoint}", json={**BODIES[endpoint], **changes})


async def transcribe(plane: RunningPlane, **fields: str) -> httpx.Response:
    return await plane.client.post(
        "/v1/audio/transcriptions", data=fields, files={"file": ("a.wav", SOUND, "audio/wav")}
    )


# ── what comes back ───────────────────────────────────────────────────────────


@pytest.mark.parametrize("endpoint", BODIES)
@pytest.mark.parametrize("prefix", ["/v1/", "/", "/api/v1/llm/"])
async def test_every_endpoint_answers_under_every_prefix(
    plane: RunningPlane, endpoint: str, prefix: str
) -> None:
    answer = await plane.client.post(prefix + endpoint, json=BODIES[endpoint])
    assert answer.status_code == 200, answer.text
    assert answer.headers["x-ops-model"] == BODIES[endpoint]["model"]
    assert answer.headers["x-request-id"] == plane.sink.only.request_id
    assert plane.sink.only.endpoint == endpoint


@pytest.mark.parametrize("endpoint", BODIES)
async def test_an_answer_is_the_providers_own_bytes(plane: RunningPlane, endpoint: str) -> None:
    base = plane.simulator.custom_url if endpoint == "rerank" else plane.simulator.openai_url
    async with httpx.AsyncClient(headers={"authorization": "Bearer sk-upstream"}) as client:
        direct = await client.post(f"{base}/{endpoint}", json=BODIES[endpoint])
    answer = await post(plane, endpoint)
    assert answer.content == direct.content
    assert answer.headers["content-type"] == direct.headers["content-type"]


async def test_speech_arrives_in_pieces(plane: RunningPlane) -> None:
    text = "a longer text " * 40
    async with plane.client.stream(
        "POST", "/v1/audio/speech", json={**BODIES["audio/speech"], "input": text}
    ) as answer:
        pieces = [piece async for piece in answer.aiter_raw()]
    assert answer.headers["content-type"] == "audio/mpeg"
    assert "content-length" not in answer.headers
    assert len(b"".join(pieces)) == 32 * 16 * len(text)


async def test_a_form_reaches_the_provider_whole(plane: RunningPlane) -> None:
    answer = await transcribe(plane, model="whisper-1", language="en")
    assert answer.json()["text"] == f"A sound of {len(SOUND)} bytes."
    assert plane.sink.only.model == "whisper-1"


async def test_a_forms_model_is_put_in_place(plane: RunningPlane) -> None:
    answer = await transcribe(plane, model="openai/whisper-1")
    assert answer.status_code == 200, answer.text
    assert plane.sink.only.requested_model == "openai/whisper-1"


async def test_a_transcription_may_be_plain_text(plane: RunningPlane) -> None:
    answer = await transcribe(plane, model="whisper-1", response_format="text")
    assert answer.headers["content-type"] == "text/plain"
    assert answer.text.startswith("A sound of")


async def test_a_streamed_transcription_is_metered_by_its_last_event(plane: RunningPlane) -> None:
    answer = await transcribe(plane, model="gpt-4o-mini-transcribe", stream="true")
    record = plane.sink.only
    assert answer.headers["content-type"] == "text/event-stream"
    assert "transcript.text.done" in answer.text
    assert record.stream
    assert (record.usage.input_tokens, record.cost_source) == (40, CostSource.COMPUTED)
    assert record.time_to_first_chunk_seconds is not None


# ── which model ───────────────────────────────────────────────────────────────


@pytest.mark.parametrize("endpoint", BODIES)
@pytest.mark.parametrize("name", ["auto", None, "balanced"])
async def test_without_a_name_a_model_made_for_the_task_is_chosen(
    plane: RunningPlane, endpoint: str, name: str | None
) -> None:
    answer = await post(plane, endpoint, model=name)
    assert answer.status_code == 200, answer.text
    chosen = answer.headers["x-ops-model"]
    assert CAPABILITY[chosen] == TASKS[endpoint].capability


async def test_a_provider_that_speaks_another_format_is_not_asked(plane: RunningPlane) -> None:
    answer = await post(plane, "embeddings", model="claude-haiku-4-5")
    assert answer.status_code == 404
    assert answer.json()["error"]["param"] == "model"
    assert "/v1/embeddings" in answer.json()["error"]["message"]
    assert plane.simulator.inference_requests == []


async def test_a_task_nobody_serves_says_so(plane: RunningPlane) -> None:
    plane.source.current = snapshot(task_target(provider(plane.simulator), "gpt-4o-mini"))
    answer = await post(plane, "moderations", model=None)
    assert answer.status_code == 404


async def test_a_key_limited_to_other_models_may_not(plane: RunningPlane) -> None:
    plane.source.current = snapshot(
        task_target(provider(plane.simulator), "text-embedding-3-small"), models=frozenset({"gpt-4o-mini"})
    )
    assert (await post(plane, "embeddings")).status_code == 403


@pytest.mark.parametrize(
    ("content", "param"),
    [(b"no json", None), (b'{"model": 5}', "model"), (b"[]", None), (b'{"stream": "yes"}', "stream")],
)
async def test_a_bad_body_is_refused_before_anybody_is_asked(
    plane: RunningPlane, content: bytes, param: str | None
) -> None:
    answer = await plane.client.post("/v1/embeddings", content=content)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)
    assert plane.simulator.inference_requests == []


async def test_a_form_without_boundary_is_refused(plane: RunningPlane) -> None:
    answer = await plane.client.post(
        "/v1/audio/transcriptions", content=b"x", headers={"content-type": "multipart/form-data"}
    )
    assert answer.status_code == 400


@pytest.mark.parametrize("endpoint", TASKS)
async def test_a_stranger_is_turned_away(plane: RunningPlane, endpoint: str) -> None:
    answer = await plane.client.post(
        f"/v1/{endpoint}", json={}, headers={"authorization": "Bearer sk-oc-wrong"}
    )
    assert answer.status_code == 401
    assert (await plane.client.get(f"/v1/{endpoint}")).status_code == 405


# ── cost ──────────────────────────────────────────────────────────────────────


async def test_embeddings_cost_what_their_tokens_cost(plane: RunningPlane) -> None:
    answer = await post(plane, "embeddings", input=["a" * 4000, "b" * 4000])
    assert plane.sink.only.usage.input_tokens == answer.json()["usage"]["prompt_tokens"] == 2000
    assert plane.sink.only.cost_usd == Decimal("0.00004")
    assert answer.headers["x-ops-cost-usd"] == "0.000040000"
    assert plane.sink.only.cost_usd == plane.simulator.totals.cost_usd


async def test_pictures_cost_their_tokens_where_they_are_counted(plane: RunningPlane) -> None:
    await post(plane, "images/generations", n=2)
    record = plane.sink.only
    assert record.usage.output_tokens == 544
    assert record.cost_usd == plane.simulator.totals.cost_usd


async def test_pictures_cost_their_price_each_where_they_are_not(plane: RunningPlane) -> None:
    await post(plane, "images/generations", model="dall-e-3", n=3)
    assert (plane.sink.only.cost_usd, plane.sink.only.cost_source) == (Decimal("0.12"), CostSource.COMPUTED)


async def test_what_counts_nothing_and_has_no_price_has_an_unknown_cost(plane: RunningPlane) -> None:
    await post(plane, "audio/speech")
    await transcribe(plane, model="whisper-1")
    for record in plane.sink.records:
        assert (record.cost_usd, record.cost_source) == (None, CostSource.UNKNOWN)
        assert record.cost_note == "this model has no price"
        assert record.usage.input_tokens == 0


async def test_a_price_for_tokens_prices_no_call_without_tokens(plane: RunningPlane) -> None:
    target = task_target(provider(plane.simulator), "tts-1")
    priced = Target(
        id=target.id,
        provider=target.provider,
        model="tts-1",
        price=PRICES["gpt-image-1"],
        capabilities=target.capabilities,
    )
    plane.source.current = snapshot(priced)
    await post(plane, "audio/speech")
    assert plane.sink.only.cost_source == CostSource.UNKNOWN
    assert "no price per request" in str(plane.sink.only.cost_note)


async def test_what_is_free_costs_nothing(plane: RunningPlane) -> None:
    await post(plane, "moderations")
    assert (plane.sink.only.cost_usd, plane.sink.only.cost_source) == (Decimal(0), CostSource.COMPUTED)


# ── when providers fail ───────────────────────────────────────────────────────


@pytest.mark.parametrize("endpoint", [e for e in BODIES if e != "rerank"])
async def test_the_next_provider_is_asked_before_the_first_byte(endpoint: str) -> None:
    async with running_plane(simulators=2) as plane:
        first, second = plane.simulators
        first.configure(fault="status-500")
        model = BODIES[endpoint]["model"]
        plane.source.current = snapshot(
            task_target(provider(first, name="first", priority=90), model),
            task_target(provider(second, name="second"), model),
        )
        answer = await post(plane, endpoint)
        assert answer.status_code == 200
        assert (answer.headers["x-ops-provider"], answer.headers["x-ops-attempts"]) == ("second", "2")
        assert [a.outcome for a in plane.sink.only.attempts] == ["provider_failed", "success"]


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        ("status-400", 400),
        ("status-429", 429),
        ("status-500", 503),
        ("html-200", 502),
        ("empty-200", 502),
        ("error-in-200", 502),
        ("half-json", 502),
    ],
)
async def test_a_failure_is_said_in_the_callers_format(plane: RunningPlane, fault: str, status: int) -> None:
    plane.simulator.configure(fault=fault)
    answer = await post(plane, "embeddings")
    assert answer.status_code == status, answer.text
    assert answer.json()["error"]["message"]
    assert plane.sink.only.status == status
    assert not plane.sink.only.cost_usd


async def test_sound_that_breaks_off_breaks_off_at_the_client(plane: RunningPlane) -> None:
    plane.simulator.configure(fault="stream-cut")
    with pytest.raises(httpx.RemoteProtocolError):
        await post(plane, "audio/speech", input="long " * 200)
    record = await plane.sink.until()
    assert record.error_type == "provider_unusable_answer"
    assert record.cost_source == CostSource.UNKNOWN


async def test_a_strange_kind_of_answer_is_not_passed_on(plane: RunningPlane) -> None:
    plane.simulator.configure(fault="html-200")
    answer = await post(plane, "audio/speech")
    assert answer.status_code == 502
    assert "<html" not in answer.text.lower()


async def test_cohere_embeds_and_reranks_though_it_chats_in_a_format_of_its_own(plane: RunningPlane) -> None:
    of = provider(plane.simulator, "cohere")
    tasks = {"embed-v4.0": "embedding", "rerank-v3.5": "rerank"}
    plane.source.current = snapshot(
        *(target(of, model, capabilities=frozenset({task})) for model, task in tasks.items())
    )
    made = await plane.client.post("/v1/embeddings", json={"model": "embed-v4.0", "input": ["a", "b"]})
    assert made.status_code == 200, made.text
    assert [len(one["embedding"]) for one in made.json()["data"]] == [1536, 1536]
    ranked = await plane.client.post(
        "/v1/rerank", json={"model": "rerank-v3.5", "query": "a fox", "documents": ["a dog", "a fox"]}
    )
    assert ranked.status_code == 200, ranked.text
    assert ranked.json()["results"][0]["index"] == 1
    assert [record.endpoint for record in plane.sink.records] == ["embeddings", "rerank"]
    spoken = await plane.client.post("/v1/audio/speech", json={"model": "cohere/embed-v4.0", "input": "x"})
    assert spoken.status_code == 404
