"""What a request says about its route and size: read leniently, and never sent to who does not know it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from ops_center.dataplane.call import Call
from ops_center.errors import BadRequest
from ops_center.route_request import Options, estimated_tokens, needs_of, read_options
from ops_center.wire import chat, openai_chat
from plane import RunningPlane, provider, running_plane, snapshot, target

MESSAGES = [{"role": "user", "content": "Say hello"}]


def options(models: object = None, provider: object = None, fallbacks: object = None) -> Options:
    return read_options(*[json.dumps(value).encode() for value in (models, provider, fallbacks)])


def test_openrouters_and_litellms_words_are_read() -> None:
    assert options() == Options()
    assert options(models=["a", "b", "a"]).models == ("a", "b")
    assert options(fallbacks=["a", {"model": "b"}, {"x": ["c", "d"]}]).models == ("a", "b", "c", "d")
    wishes = {
        "order": ["OpenAI"],
        "only": "x",
        "ignore": [],
        "allow_fallbacks": False,
        "sort": {"by": "price"},
    }
    read = options(provider=wishes | {"max_price": {"prompt": "1.5", "completion": 2}})
    assert (read.order, read.only, read.ignore) == (("openai",), ("x",), ())
    assert (read.allow_fallbacks, read.sort) == (False, "price")
    assert (read.max_input_mtok, read.max_output_mtok) == (1.5, 2.0)


def test_a_field_of_another_shape_belongs_to_the_provider() -> None:
    assert options(provider="azure") == Options()
    assert options(provider={"data_collection": "deny"}) == Options()


@pytest.mark.parametrize(
    ("given", "param"),
    [
        ({"models": "a"}, "models"),
        ({"models": [1]}, "models"),
        ({"models": ["m"] * 51}, "models"),
        ({"fallbacks": {"a": "b"}}, "fallbacks"),
        ({"provider": {"order": 1}}, "provider.order"),
        ({"provider": {"only": [1]}}, "provider.only"),
        ({"provider": {"sort": "beauty"}}, "provider.sort"),
        ({"provider": {"sort": ["price"]}}, "provider.sort"),
        ({"provider": {"max_price": {"prompt": "much"}}}, "provider.max_price.prompt"),
        ({"provider": {"max_price": {"completion": -1}}}, "provider.max_price.completion"),
        ({"provider": {"max_price": {"completion": True}}}, "provider.max_price.completion"),
    ],
)
def test_a_wrong_wish_names_its_field(given: dict[str, object], param: str) -> None:
    with pytest.raises(BadRequest) as caught:
        options(**given)
    assert caught.value.param == param


def test_a_picture_does_not_weigh_what_its_base64_weighs() -> None:
    text = b'{"messages": "' + b"word " * 400 + b'"}'
    assert 480 < estimated_tokens(text) < 520
    picture = b'{"url": "data:image/png;base64,' + b"A" * 2_000_000 + b'"}'
    assert 1000 <= estimated_tokens(picture) < 1020


def test_needs_are_read_from_tools_format_and_pictures() -> None:
    assert needs_of(b"null", b"null", b"{}") == frozenset()
    assert needs_of(b"[]", b"null", b"{}") == frozenset()
    assert needs_of(b"[{}]", b'{"type":"json_schema"}', b'{"type" : "image"}') == {
        "tools",
        "structured_output",
        "vision",
    }


@pytest.fixture
async def plane() -> AsyncIterator[RunningPlane]:
    async with running_plane() as running:
        first = running.simulator
        running.source.current = snapshot(
            target(provider(first, "openai", name="OpenAI", priority=90), "sim-ok"),
            target(provider(first, "custom", name="Mine", priority=10), "sim-ok"),
            target(provider(first, "openrouter", name="OpenRouter"), "meta-llama/llama-3-8b-instruct"),
        )
        yield running


@pytest.mark.anyio
async def test_wishes_steer_and_are_not_sent_to_who_does_not_know_them(plane: RunningPlane) -> None:
    response = await plane.chat(
        model="sim-ok", models=["x"], provider={"order": ["mine"]}, fallbacks=["y"], route="fallback"
    )
    assert response.headers["x-ops-provider"] == "Mine"
    assert set(json.loads(plane.simulator.inference_requests[0].body)) == {"model", "messages"}


@pytest.mark.anyio
async def test_openrouter_gets_its_own_provider_wishes(plane: RunningPlane) -> None:
    wishes = {"data_collection": "deny"}
    await plane.chat(model="meta-llama/llama-3-8b-instruct", provider=wishes, models=["gpt-4o-mini"])
    sent = json.loads(plane.simulator.inference_requests[0].body)
    assert sent["provider"] == wishes
    assert "models" not in sent


@pytest.mark.anyio
async def test_who_allows_no_fallback_gets_the_first_failure(plane: RunningPlane) -> None:
    model = "sim-status-500"
    first = plane.simulator
    plane.source.current = snapshot(
        target(provider(first, "openai", name="OpenAI", priority=90), model),
        target(provider(first, "custom", name="Mine", priority=10), model),
    )
    await plane.chat(model=model, provider={"allow_fallbacks": False})
    assert len(plane.sink.records[-1].attempts) == 1
    await plane.chat(model=model)
    assert len(plane.sink.records[-1].attempts) == 2


@pytest.mark.anyio
async def test_a_wrong_wish_is_refused_before_anything_is_sent(plane: RunningPlane) -> None:
    response = await plane.chat(model="sim-ok", provider={"sort": "beauty"})
    assert (response.status_code, response.json()["error"]["param"]) == (400, "provider.sort")
    assert plane.simulator.inference_requests == []


@pytest.mark.parametrize(
    ("client_format", "body"),
    [
        (chat.OPENAI_CHAT, {"messages": [], "max_tokens": 77, "response_format": {"type": "json_schema"}}),
        (
            chat.OPENAI_RESPONSES,
            {"input": "hi", "max_output_tokens": 77, "text": {"format": {"type": "json_schema"}}},
        ),
        (
            chat.OPENAI_RESPONSES,
            {
                "input": "hi",
                "max_tokens": 5,
                "max_output_tokens": 77,
                "text": {"format": {"type": "json_schema"}},
            },
        ),
    ],
    ids=["chat", "responses", "responses-with-a-field-of-chat"],
)
def test_length_and_schema_are_read_under_the_names_of_the_format(client_format: str, body: Any) -> None:
    call = Call(
        endpoint="",
        client_format=client_format,
        wire=openai_chat,
        headers={},
        exchange=None,  # type: ignore[arg-type]
        body=json.dumps({"model": "m", **body}).encode(),
    )
    request = call.read()
    assert request.max_output_tokens == 77
    assert request.needs == {"structured_output"}
