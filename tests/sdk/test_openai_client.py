"""The official `openai` client, unchanged, against a live server with simulated providers behind it."""

from __future__ import annotations

import json
from typing import Any

import openai
import pytest
from pydantic import BaseModel

from live import LiveServer, SimulatorThread
from ops_center.simulator.answers import words

PIXEL = (
    "data:image/png;base64,"
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather of a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
PARALLEL = 'Call get_weather({"city": "Paris"}) and get_weather({"city": "Rome"})'
# one model of each provider: the format is passed through, translated, passed through, passed through
MODELS = [
    "openai/gpt-4o-mini",
    "anthropic/claude-haiku-4-5",
    "openrouter/meta-llama/llama-3.1-8b-instruct",
    "Local/llama-3.2-3b-instruct",
]
every_provider = pytest.mark.parametrize("model", MODELS)


def user(text: str) -> list[Any]:
    return [{"role": "user", "content": text}]


@every_provider
def test_chat(openai_client: openai.OpenAI, simulator: SimulatorThread, model: str) -> None:
    answer = openai_client.chat.completions.create(
        model=model, messages=user("say: hello there"), max_tokens=50
    )
    assert answer.choices[0].message.content == "hello there"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (8, 3)
    assert simulator.requests[-1].input_tokens == 8


@every_provider
@pytest.mark.parametrize("include_usage", [False, True])
def test_stream(openai_client: openai.OpenAI, model: str, include_usage: bool) -> None:
    extra: dict[str, Any] = {"stream_options": {"include_usage": True}} if include_usage else {}
    text, usages, finishes = "", [], []
    with openai_client.chat.completions.create(
        model=model, messages=user("say: " + "abcd" * 30), stream=True, max_tokens=100, **extra
    ) as stream:
        for chunk in stream:
            if chunk.usage is not None:
                usages.append(chunk.usage)
                assert chunk.choices == []
            for choice in chunk.choices:
                text += choice.delta.content or ""
                if choice.finish_reason:
                    finishes.append(choice.finish_reason)
    assert text == "abcd" * 30
    assert finishes == ["stop"]
    if include_usage:
        assert len(usages) == 1
        assert (usages[0].prompt_tokens, usages[0].completion_tokens) == (4 + 32, 30)
    elif not model.startswith("openrouter/"):  # OpenRouter sends its usage unasked
        assert usages == []


@every_provider
def test_stop_and_length(openai_client: openai.OpenAI, model: str) -> None:
    stopped = openai_client.chat.completions.create(
        model=model, messages=user("say: one END two"), stop=["END"]
    )
    assert (stopped.choices[0].message.content or "").strip() == "one"
    assert stopped.choices[0].finish_reason == "stop"
    cut = openai_client.chat.completions.create(model=model, messages=user("say: abcdefghijkl"), max_tokens=2)
    assert cut.choices[0].message.content == "abcdefgh"
    assert cut.choices[0].finish_reason == "length"


@every_provider
@pytest.mark.parametrize("stream", [False, True])
def test_parallel_tools_over_several_turns(
    openai_client: openai.OpenAI, simulator: SimulatorThread, model: str, stream: bool
) -> None:
    turns: list[Any] = [{"role": "system", "content": "Be brief."}, *user(PARALLEL)]
    tools: Any = [WEATHER]
    said = _message(openai_client, model, turns, tools, stream)
    calls = said["tool_calls"]
    assert [json.loads(call["function"]["arguments"])["city"] for call in calls] == ["Paris", "Rome"]
    assert len({call["id"] for call in calls}) == 2
    turns.append(said)
    for call in calls:
        city = json.loads(call["function"]["arguments"])["city"]
        turns.append({"role": "tool", "tool_call_id": call["id"], "content": f"sunny in {city}"})
    final = _message(openai_client, model, turns, tools, stream)
    assert final["content"] == "The tools answered: sunny in Paris; sunny in Rome"
    turns += [final, *user("say: bye")]
    assert _message(openai_client, model, turns, tools, stream)["content"] == "bye"
    assert len(simulator.inference_requests) == 3


def _message(client: openai.OpenAI, model: str, turns: list[Any], tools: Any, stream: bool) -> dict[str, Any]:
    if not stream:
        answer = client.chat.completions.create(model=model, messages=turns, tools=tools, max_tokens=200)
        choice = answer.choices[0]
        assert choice.finish_reason == ("tool_calls" if choice.message.tool_calls else "stop")
        return choice.message.to_dict()
    with client.chat.completions.stream(model=model, messages=turns, tools=tools, max_tokens=200) as events:
        choice = events.get_final_completion().choices[0]
    assert choice.finish_reason == ("tool_calls" if choice.message.tool_calls else "stop")
    message: dict[str, Any] = {"role": "assistant", "content": choice.message.content}
    if choice.message.tool_calls:
        message["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.function.name, "arguments": call.function.arguments},
            }
            for call in choice.message.tool_calls
        ]
    return message


@every_provider
def test_tool_choice_is_kept(openai_client: openai.OpenAI, model: str) -> None:
    tools: Any = [WEATHER]
    none = openai_client.chat.completions.create(
        model=model, messages=user("get_weather"), tools=tools, tool_choice="none"
    )
    assert none.choices[0].message.tool_calls is None
    forced = openai_client.chat.completions.create(
        model=model, messages=user("hello"), tools=tools, tool_choice="required"
    )
    assert forced.choices[0].message.tool_calls is not None
    one = openai_client.chat.completions.create(
        model=model, messages=user(PARALLEL), tools=tools, parallel_tool_calls=False
    )
    assert len(one.choices[0].message.tool_calls or []) == 1


@every_provider
@pytest.mark.parametrize("url", [PIXEL, "https://example.com/cat.png"])
def test_images(openai_client: openai.OpenAI, simulator: SimulatorThread, model: str, url: str) -> None:
    content: Any = [
        {"type": "text", "text": "say: a cat"},
        {"type": "image_url", "image_url": {"url": url}},
    ]
    answer = openai_client.chat.completions.create(
        model=model, messages=[{"role": "user", "content": content}]
    )
    assert answer.choices[0].message.content == "a cat"
    assert simulator.requests[-1].input_tokens == 4 + 3 + 85


class City(BaseModel):
    name: str
    people: int


@pytest.mark.parametrize("model", [MODELS[0], MODELS[2], MODELS[3]])
def test_structured_output(openai_client: openai.OpenAI, model: str) -> None:
    answer = openai_client.chat.completions.parse(model=model, messages=user("Rome"), response_format=City)
    assert answer.choices[0].message.parsed == City(name="text", people=1)


def test_structured_output_of_anthropic_is_valid(openai_client: openai.OpenAI) -> None:
    answer = openai_client.chat.completions.parse(
        model="anthropic/claude-haiku-4-5", messages=user("Rome"), response_format=City
    )
    assert isinstance(answer.choices[0].message.parsed, City)


def test_body_reaches_openai_untouched(openai_client: openai.OpenAI, simulator: SimulatorThread) -> None:
    openai_client.chat.completions.create(
        model="gpt-4o-mini", messages=user("hi"), seed=7, extra_body={"a_field_of_tomorrow": {"deep": [1]}}
    )
    sent = simulator.requests[-1].json
    assert sent["a_field_of_tomorrow"] == {"deep": [1]}
    assert sent["seed"] == 7
    assert sent["model"] == "gpt-4o-mini"


def test_plain_answer_is_the_providers_own(openai_client: openai.OpenAI) -> None:
    answer = openai_client.chat.completions.with_raw_response.create(
        model="gpt-4o-mini", messages=user("why")
    )
    assert answer.headers["x-ops-provider"] == "OpenAI"
    assert answer.headers["x-ops-model"] == "gpt-4o-mini"
    assert answer.headers["x-ops-credential"] == "platform"
    assert answer.headers["x-ops-attempts"] == "1"
    assert answer.headers["x-request-id"].startswith("req_")
    body = answer.http_response.json()
    assert body["choices"][0]["message"]["content"] == words("0/0/gpt-4o-mini/why", 32)
    assert body["system_fingerprint"] == "fp_simulator"


def test_providers_credential_is_the_platforms(
    openai_client: openai.OpenAI, api_key: str, simulator: SimulatorThread
) -> None:
    openai_client.chat.completions.create(model="gpt-4o-mini", messages=user("hi"))
    entry = simulator.requests[-1]
    assert entry.key == "sk-simulated-openai"
    assert api_key not in json.dumps(entry.as_json())


def test_models_list(openai_client: openai.OpenAI) -> None:
    names = {model.id for model in openai_client.models.list()}
    assert {"gpt-4o-mini", "claude-haiku-4-5"} <= {name.rsplit("/", 1)[-1] for name in names}
    first = sorted(names)[0]
    assert openai_client.models.retrieve(first).id == first


# --- errors ---


def test_unknown_key(server: LiveServer) -> None:
    with (
        openai.OpenAI(base_url=server.openai_url, api_key="sk-oc-unknown", max_retries=0) as client,
        pytest.raises(openai.AuthenticationError),
    ):
        client.chat.completions.create(model="gpt-4o-mini", messages=user("hi"))


def test_revoked_key(server: LiveServer) -> None:
    made = server.admin.post("/me/api-keys", json={"name": "short life"}).json()
    with openai.OpenAI(base_url=server.openai_url, api_key=made["secret"], max_retries=0) as client:
        client.chat.completions.create(model="gpt-4o-mini", messages=user("hi"))
        assert server.admin.delete(f"/me/api-keys/{made['id']}").status_code == 204
        with pytest.raises(openai.AuthenticationError):
            client.chat.completions.create(model="gpt-4o-mini", messages=user("hi"))


def test_unknown_model(openai_client: openai.OpenAI, simulator: SimulatorThread) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        openai_client.chat.completions.create(model="gpt-4o-minni", messages=user("hi"))
    assert caught.value.code == "model_not_found"
    assert "gpt-4o-mini" in caught.value.message
    assert simulator.inference_requests == []


@pytest.mark.parametrize("bad", [{"messages": "hello"}, {"messages": user("x"), "stream": "yes"}])
def test_bad_request(openai_client: openai.OpenAI, simulator: SimulatorThread, bad: dict[str, Any]) -> None:
    with pytest.raises(openai.BadRequestError):
        openai_client.post("/chat/completions", body={"model": "gpt-4o-mini", **bad}, cast_to=object)
    assert simulator.inference_requests == []


def test_providers_own_refusal_reaches_the_caller(openai_client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        openai_client.chat.completions.create(
            model="openai/gpt-4o-mini", messages=[{"role": "tool", "tool_call_id": "x", "content": "y"}]
        )
    assert "preceeding" in caught.value.message


def test_rate_limit_of_the_key(server: LiveServer, simulator: SimulatorThread) -> None:
    secret = server.create_api_key("slow", requests_per_minute=1)
    with openai.OpenAI(base_url=server.openai_url, api_key=secret, max_retries=0) as client:
        client.chat.completions.create(model="gpt-4o-mini", messages=user("hi"))
        with pytest.raises(openai.RateLimitError) as caught:
            client.chat.completions.create(model="gpt-4o-mini", messages=user("hi"))
    assert 0 < int(caught.value.response.headers["retry-after"]) <= 60
    assert len(simulator.inference_requests) == 1


def test_rate_limit_of_the_last_provider(openai_client: openai.OpenAI) -> None:
    with pytest.raises(openai.RateLimitError):
        openai_client.chat.completions.create(model="openai/sim-status-429", messages=user("hi"))


def test_our_refused_credential_is_not_the_callers_fault(
    openai_client: openai.OpenAI, simulator: SimulatorThread
) -> None:
    simulator.configure(valid_keys=["another"])
    with pytest.raises(openai.InternalServerError) as caught:
        openai_client.chat.completions.create(model="openai/gpt-4.1", messages=user("hi"))
    assert caught.value.status_code == 503
    assert "sk-simulated" not in caught.value.response.text


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("fault", "statuses"),
    [
        ("status-500", {503}),
        ("html-200", {502}),
        ("empty-200", {502}),
        ("error-in-200", {502, 503}),
        ("close", {502, 503}),
        ("reset", {502, 503}),
        ("redirect", {502}),
    ],
)
def test_sick_provider_is_a_clear_error(
    openai_client: openai.OpenAI, simulator: SimulatorThread, fault: str, statuses: set[int], stream: bool
) -> None:
    with pytest.raises(openai.InternalServerError) as caught:
        openai_client.chat.completions.create(model=f"openai/sim-{fault}", messages=user("hi"), stream=stream)
    assert caught.value.status_code in statuses
    assert caught.value.response.json()["error"]["message"]
    assert not [entry for entry in simulator.requests if entry.path == "/redirected"]


@every_provider
def test_half_an_answer_is_a_clear_error(openai_client: openai.OpenAI, model: str) -> None:
    with pytest.raises(openai.InternalServerError) as caught:
        openai_client.chat.completions.create(
            model=model.split("/", 1)[0] + "/sim-half-json", messages=user("hi")
        )
    assert caught.value.status_code == 502


@pytest.mark.parametrize(
    ("prefix", "fault"),
    [
        (prefix, fault)
        for prefix in ("openai", "anthropic", "openrouter")
        for fault in ("stream-cut", "stream-ends-early", "reset-mid-stream", "error-mid-stream")
    ]
    + [("anthropic", "half-json")],
)
def test_stream_that_breaks_ends_in_an_error(
    openai_client: openai.OpenAI, simulator: SimulatorThread, fault: str, prefix: str
) -> None:
    simulator.configure(tokens_per_second=400)  # event by event, so that some are out before it breaks
    pieces: list[str] = []

    def read() -> None:
        with openai_client.chat.completions.create(
            model=f"{prefix}/sim-{fault}", messages=user("say: " + "abcd" * 40), stream=True
        ) as stream:
            for chunk in stream:
                pieces.append((chunk.choices[0].delta.content or "") if chunk.choices else "")

    with pytest.raises(openai.APIError):
        read()
    assert "".join(pieces)
    assert ("abcd" * 40).startswith("".join(pieces))


@pytest.mark.parametrize("prefix", ["openai", "openrouter"])
def test_half_an_event_is_never_a_silent_end(
    openai_client: openai.OpenAI, server: LiveServer, simulator: SimulatorThread, prefix: str
) -> None:
    simulator.configure(tokens_per_second=400)
    request_ids: list[str] = []

    def read() -> None:
        with openai_client.chat.completions.create(
            model=f"{prefix}/sim-half-json", messages=user("say: " + "abcd" * 40), stream=True
        ) as stream:
            request_ids.append(stream.response.headers["x-request-id"])
            for _ in stream:
                pass

    with pytest.raises(openai.APIError):
        read()
    assert server.wait_for_request(request_ids[0])["error_type"] == "provider_unusable_answer"


def test_error_as_first_event_is_an_error_status(openai_client: openai.OpenAI) -> None:
    with pytest.raises(openai.InternalServerError):
        openai_client.chat.completions.create(
            model="openai/sim-first-event-error", messages=user("hi"), stream=True
        )


@pytest.mark.parametrize("stream", [False, True])
def test_next_provider_answers_when_the_first_fails(
    openai_client: openai.OpenAI, server: LiveServer, simulator: SimulatorThread, stream: bool
) -> None:
    # gpt-4.1 is at OpenAI (priority 90) and, as openai/gpt-4.1, at OpenRouter (priority 40)
    simulator.configure(fault_for_models={"gpt-4.1": "status-500"})
    raw = openai_client.chat.completions.with_raw_response.create(
        model="gpt-4.1", messages=user("say: rescued"), stream=stream
    )
    assert raw.headers["x-ops-attempts"] == "2"
    assert raw.headers["x-ops-provider"] == "OpenRouter"
    if stream:
        text = "".join((c.choices[0].delta.content or "") if c.choices else "" for c in raw.parse())
    else:
        text = raw.parse().choices[0].message.content or ""
    assert text == "rescued"
    row = server.wait_for_request(raw.headers["x-request-id"])
    assert [attempt["outcome"] == "success" for attempt in row["attempts"]] == [False, True]


@every_provider
def test_client_that_leaves_closes_the_upstream_call(
    openai_client: openai.OpenAI, server: LiveServer, simulator: SimulatorThread, model: str
) -> None:
    simulator.configure(tokens_per_second=50, answer_tokens=500)
    stream = openai_client.chat.completions.create(model=model, messages=user("long"), stream=True)
    request_id = stream.response.headers["x-request-id"]
    for chunk in stream:
        if chunk.choices and chunk.choices[0].delta.content:
            break
    stream.close()
    simulator.until(lambda running: running.inference_requests[-1].client_left)
    row = server.wait_for_request(request_id)
    assert row["status"] == 499
    assert row["input_tokens"] > 0
    assert 0 < row["output_tokens"] < 500
    assert row["cost_source"] in ("estimated", "unknown")


@every_provider
@pytest.mark.parametrize("stream", [False, True])
def test_ledger_agrees_with_the_provider(
    openai_client: openai.OpenAI, server: LiveServer, simulator: SimulatorThread, model: str, stream: bool
) -> None:
    raw = openai_client.chat.completions.with_raw_response.create(
        model=model, messages=user("count me"), stream=stream
    )
    if stream:
        for _ in raw.parse():
            pass
    row = server.wait_for_request(raw.headers["x-request-id"])
    entry = simulator.inference_requests[-1]
    assert (row["input_tokens"], row["output_tokens"]) == (entry.input_tokens, entry.output_tokens)
    assert row["status"] == 200
    assert row["stream"] is stream
    if model.startswith("openrouter/"):
        assert row["cost_source"] == "provider"
        assert row["cost_usd"] == pytest.approx(float(entry.cost_usd), abs=1e-9)
    elif model.startswith("Local/"):
        assert (row["cost_usd"], row["cost_source"]) == (None, "unknown")
    else:
        assert row["cost_source"] == "computed"
        assert row["cost_usd"] > 0
        assert row["price_source"]


@pytest.mark.anyio
async def test_async_client_with_many_calls_at_once(
    server: LiveServer, api_key: str, simulator: SimulatorThread
) -> None:
    import asyncio

    async with openai.AsyncOpenAI(base_url=server.openai_url, api_key=api_key, max_retries=0) as client:

        async def ask(number: int) -> str | None:
            answer = await client.chat.completions.create(
                model=MODELS[number % len(MODELS)], messages=user(f"say: {number}"), max_tokens=20
            )
            return answer.choices[0].message.content

        assert await asyncio.gather(*(ask(n) for n in range(40))) == [str(n) for n in range(40)]
