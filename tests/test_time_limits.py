"""Time limits: each of the four, of a provider, a model and a request, ends what it is about and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from control_fixtures import ScriptedFetcher
from ops_center.control.context import Control
from ops_center.transport.client import FetchAnswer
from ops_center.types import TimeLimits
from plane import RunningPlane, provider, running_plane, snapshot, target

pytestmark = pytest.mark.anyio

SHORT = 0.2
BODY = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Say hello"}]}


@pytest.fixture
async def plane() -> AsyncIterator[RunningPlane]:
    async with running_plane() as running:
        yield running


def limit(plane: RunningPlane, limits: TimeLimits | None) -> None:
    plane.source.current = snapshot(target(provider(plane.simulator), "gpt-4o-mini", time_limits=limits))


async def ask(plane: RunningPlane, *, stream: bool = True, **headers: str) -> httpx.Response:
    async with asyncio.timeout(5):
        return await plane.client.post(
            "/v1/chat/completions",
            json={**BODY, "stream": stream},
            headers={name.replace("_", "-"): value for name, value in headers.items()},
        )


@pytest.mark.parametrize("by_request", [False, True])
async def test_a_stream_has_to_begin_in_time(plane: RunningPlane, by_request: bool) -> None:
    plane.simulator.configure(fault="stream-never-starts")
    limit(plane, None if by_request else TimeLimits(first_chunk_seconds=SHORT, chunk_seconds=SHORT))
    headers = {"x_ops_first_chunk_timeout": "0.2", "x_ops_chunk_timeout": "0.2"} if by_request else {}
    response = await ask(plane, **headers)
    assert (response.status_code, plane.sink.only.error_type) == (504, "provider_timeout")


@pytest.mark.parametrize("by_request", [False, True])
async def test_a_stream_that_stalls_ends_with_an_error_event(plane: RunningPlane, by_request: bool) -> None:
    plane.simulator.configure(fault="stream-stalls")
    limit(plane, None if by_request else TimeLimits(chunk_seconds=SHORT))
    response = await ask(plane, **({"x_ops_chunk_timeout": "0.2"} if by_request else {}))
    assert response.status_code == 200  # it had begun
    assert '"error"' in response.text
    record = await plane.sink.until()
    assert (record.status, record.error_type) == (504, "provider_timeout")


@pytest.mark.parametrize("by_request", [False, True])
async def test_a_stream_that_goes_on_for_too_long_is_ended(plane: RunningPlane, by_request: bool) -> None:
    plane.simulator.configure(tokens_per_second=20.0)  # each chunk comes in time
    limit(plane, None if by_request else TimeLimits(total_seconds=0.4))
    response = await ask(plane, **({"x_ops_timeout": "0.4"} if by_request else {}))
    assert response.status_code == 200
    assert '"error"' in response.text
    assert (await plane.sink.until()).error_type == "provider_timeout"


async def test_a_whole_answer_has_its_total_alone(plane: RunningPlane) -> None:
    plane.simulator.configure(latency_seconds=0.4)
    limit(plane, TimeLimits(first_chunk_seconds=0.1, chunk_seconds=10.0))
    assert (await ask(plane, stream=False)).status_code == 200
    limit(plane, TimeLimits(total_seconds=0.1))
    assert (await ask(plane, stream=False)).status_code == 504


async def test_a_request_tightens_and_never_loosens(plane: RunningPlane) -> None:
    plane.simulator.configure(latency_seconds=0.4)
    limit(plane, TimeLimits(total_seconds=0.1))
    assert (await ask(plane, stream=False, x_ops_timeout="5")).status_code == 504


@pytest.mark.parametrize(
    "header", ["x-ops-connect-timeout", "x-ops-first-chunk-timeout", "x-ops-chunk-timeout"]
)
@pytest.mark.parametrize("value", ["soon", "0", "-1", "nan", "1e9"])
async def test_a_wrong_limit_names_its_header(plane: RunningPlane, header: str, value: str) -> None:
    response = await plane.client.post("/v1/chat/completions", json=BODY, headers={header: value})
    assert (response.status_code, response.json()["error"]["param"]) == (400, header)


def test_a_models_own_limits_stand_over_its_providers() -> None:
    own, below = TimeLimits(total_seconds=9.0), TimeLimits(total_seconds=3.0, connect_seconds=1.0)
    assert own.over(below) == TimeLimits(total_seconds=9.0, connect_seconds=1.0)


async def test_limits_are_set_kept_and_taken_back(
    control_client: httpx.AsyncClient, control: Control, http_fetcher: ScriptedFetcher
) -> None:
    http_fetcher.answers["https://api.openai.com/v1/models"] = FetchAnswer(
        200, {}, b'{"data": [{"id": "gpt-4o"}]}'
    )
    added = await control_client.post(
        "/llm/providers",
        json={
            "type": "openai",
            "api_key": "sk-x",
            "time_limits": {"connect_seconds": 2, "total_seconds": 60},
        },
    )
    assert added.status_code == 201, added.text
    await control.background.finished()
    place = f"/llm/providers/{added.json()['id']}"
    changed = await control_client.patch(
        place, json={"time_limits": {"total_seconds": None, "chunk_seconds": 5}}
    )
    none = {
        "connect_seconds": None,
        "first_chunk_seconds": None,
        "chunk_seconds": None,
        "total_seconds": None,
    }
    assert changed.json()["time_limits"] == none | {"connect_seconds": 2, "chunk_seconds": 5}
    [model] = (await control_client.get("/llm/models")).json()["models"]
    assert model["time_limits"] == none
    own = await control_client.patch(f"/llm/models/{model['id']}", json={"time_limits": {"chunk_seconds": 9}})
    assert own.json()["time_limits"] == none | {"chunk_seconds": 9}
    assert "time_limits" in own.json()["overridden"]

    def held() -> TimeLimits | None:
        [found] = control.publisher.current.targets
        return found.time_limits

    assert held() == TimeLimits(connect_seconds=2.0, chunk_seconds=9.0)
    await control_client.patch(f"/llm/models/{model['id']}", json={"time_limits": None})
    assert held() == TimeLimits(connect_seconds=2.0, chunk_seconds=5.0)
    for wrong in ({"chunk_seconds": 0}, {"chunk_seconds": -1}, {"total_seconds": 90_000}, {"hop_seconds": 1}):
        refused = await control_client.patch(place, json={"time_limits": wrong})
        assert refused.status_code == 422
        assert next(iter(wrong)) in refused.json()["error"]["param"]
    await control_client.patch(place, json={"time_limits": {"connect_seconds": None, "chunk_seconds": None}})
    assert held() is None
