"""What every provider has to get right, as one list of scenarios, each through a running data plane.

`python tests/conformance.py` runs the list over every provider row, and the client libraries, and writes the
results to `docs/compatibility.md`; `test_conformance.py` and `sdk/test_client_libraries.py` run the same and
compare.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import openai
from openai.lib.streaming.chat import ChatCompletionStreamState

import client_libraries
from live import LiveServer, SimulatorThread
from ops_center.providers.registry import PROVIDER_SPECS
from ops_center.providers.spec import ProviderSpec
from ops_center.types import CostSource, UsageRecord
from plane import SECRET, RunningPlane, provider, running_plane, snapshot, target

PAGE = Path(__file__).parent.parent / "docs" / "compatibility.md"

# A model of the simulated list that reads pictures, and one that reasons; OpenAI's where none is named.
MODELS = {
    "anthropic": ("claude-haiku-4-5", "claude-haiku-4-5"),
    "custom-anthropic": ("claude-haiku-4-5", "claude-haiku-4-5"),
    "openrouter": ("anthropic/claude-haiku-4.5", "deepseek/deepseek-r1"),
    "gemini": ("gemini-3-flash-preview", "gemini-3-flash-preview"),
    "vertex": ("gemini-3-flash-preview", "gemini-3-flash-preview"),
    "bedrock": ("anthropic.claude-haiku-4-5-20251001-v1:0", "anthropic.claude-haiku-4-5-20251001-v1:0"),
    "cohere": ("command-a-03-2025", "command-a-reasoning-08-2025"),
    "custom": ("llama-3.2-3b-instruct", "llama-3.2-3b-instruct"),
}
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
WEATHER = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
TOOL = {"type": "function", "function": {"name": "weather", "parameters": WEATHER}}
LONG = "A long answer, word by word, number after number. " * 400


@dataclass
class Asked:
    """One row under test, and how to ask its models."""

    spec: ProviderSpec
    plane: RunningPlane
    client: openai.AsyncOpenAI
    stream: bool
    models: tuple[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self.models = MODELS.get(self.spec.type, ("gpt-4o-mini", "gpt-5-mini"))

    @property
    def record(self) -> UsageRecord:
        return self.plane.sink.records[-1]

    @property
    def sent(self) -> str:
        """The body that the provider got last."""
        return self.plane.simulator.inference_requests[-1].body.decode()

    def serve(self, *models: str) -> None:
        """Put these models of the row into a new snapshot, as those of a provider that nothing is known of."""
        name = f"{self.spec.type} {next(_numbers)}"
        of = provider(self.plane.simulator, self.spec.type, name=name)
        self.plane.source.current = snapshot(*(target(of, model) for model in models))

    async def chat(self, text: str = "say: hello there", model: str | None = None, **body: Any) -> Any:
        """The whole message, its finish reason and usage, streamed or not, by OpenAI's own client."""
        model = model or self.models[0]
        self.serve(model)
        messages = body.pop("messages", None) or [{"role": "user", "content": text}]
        completions = self.client.chat.completions
        if not self.stream:
            whole = await completions.create(model=model, messages=messages, **body)
            return whole.choices[0].message, whole.choices[0].finish_reason, whole.usage
        state: Any = ChatCompletionStreamState()
        async for chunk in await completions.create(
            model=model, messages=messages, stream=True, stream_options={"include_usage": True}, **body
        ):
            state.handle_chunk(chunk)
        final = state.current_completion_snapshot
        return final.choices[0].message, final.choices[0].finish_reason, final.usage

    async def raw(self, model: str) -> httpx.Response:
        """The answer as it is, of a model whose name asks for a fault."""
        self.serve(model)
        return await self.plane.chat(model=model, stream=self.stream)


# Converse and Cohere count thinking within the output and do not say how much of it.
_SHOWS_BUT_DOES_NOT_COUNT = ("bedrock_converse", "cohere_chat")
_numbers = itertools.count()
Check = Callable[[Asked], Awaitable[None]]


@dataclass(frozen=True)
class Scenario:
    name: str
    check: Check
    needs: str | None = None  # the capability without which a row may leave it out
    streamed: tuple[bool, ...] = (False, True)


async def plain(asked: Asked) -> None:
    message, finish, _ = await asked.chat()
    assert (message.content, finish) == ("hello there", "stop")
    assert asked.record.provider_type == asked.spec.type
    assert asked.record.stream is asked.stream


async def system(asked: Asked) -> None:
    instruction = "Answer in the tone of a lighthouse keeper."
    message, _, _ = await asked.chat(
        messages=[
            {"role": "system", "content": instruction},
            {"role": "user", "content": "say: aye"},
        ]
    )
    assert message.content == "aye"
    assert instruction in asked.sent


async def image(asked: Asked) -> None:
    url = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}}
    say = {"type": "text", "text": "say: a pixel"}
    message, _, _ = await asked.chat(messages=[{"role": "user", "content": [url, say]}])
    assert message.content == "a pixel"
    assert PIXEL in asked.sent


async def tools(asked: Asked) -> None:
    message, finish, _ = await asked.chat('weather({"city": "Rome"})', tools=[TOOL])
    assert finish == "tool_calls"
    assert [call.function.name for call in message.tool_calls] == ["weather"]
    assert json.loads(message.tool_calls[0].function.arguments) == {"city": "Rome"}


async def parallel_tools(asked: Asked) -> None:
    message, finish, _ = await asked.chat(
        'weather({"city": "Rome"}) and weather({"city": "Oslo"})', tools=[TOOL]
    )
    assert finish == "tool_calls"
    cities = [json.loads(call.function.arguments)["city"] for call in message.tool_calls]
    assert cities == ["Rome", "Oslo"]
    assert len({call.id for call in message.tool_calls}) == 2


async def tool_result(asked: Asked) -> None:
    question = {"role": "user", "content": 'weather({"city": "Rome"})'}
    first, _, _ = await asked.chat(messages=[question], tools=[TOOL])
    call = first.tool_calls[0]
    turn = {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": "weather", "arguments": call.function.arguments},
            }
        ],
    }
    result = {"role": "tool", "tool_call_id": call.id, "content": "21 degrees"}
    message, finish, _ = await asked.chat(messages=[question, turn, result], tools=[TOOL])
    assert "21 degrees" in message.content
    assert finish == "stop"


async def structured_output(asked: Asked) -> None:
    schema = {"name": "place", "schema": WEATHER, "strict": True}
    message, _, _ = await asked.chat("where?", response_format={"type": "json_schema", "json_schema": schema})
    assert set(json.loads(message.content)) == {"city"}


async def reasoning(asked: Asked) -> None:
    message, _, _ = await asked.chat(
        model=asked.models[1], reasoning_effort="low", max_completion_tokens=8000
    )
    assert message.content == "hello there"
    counted = asked.record.usage
    assert counted.output_tokens > 3
    if asked.spec.format in _SHOWS_BUT_DOES_NOT_COUNT:
        assert message.reasoning_content
    else:
        assert 0 < counted.reasoning_tokens < counted.output_tokens


async def usage(asked: Asked) -> None:
    _, _, told = await asked.chat("say: " + "abcd" * 25)
    simulated = asked.plane.simulator.requests[-1]
    counted = asked.record.usage
    assert (counted.input_tokens, counted.output_tokens) == (simulated.input_tokens, 25)
    assert (told.prompt_tokens, told.completion_tokens) == (counted.input_tokens, 25)
    assert asked.record.cost_source in (CostSource.COMPUTED, CostSource.PROVIDER)
    assert asked.record.cost_usd


async def stop(asked: Asked) -> None:
    message, finish, _ = await asked.chat("say: one two STOP three", stop=["STOP"])
    assert (message.content.rstrip(), finish) == ("one two", "stop")


async def limited_answer(asked: Asked) -> None:
    message, finish, _ = await asked.chat("say: " + "abcd" * 100, max_tokens=20)
    assert (message.content, finish) == ("abcd" * 20, "length")


async def long_answer(asked: Asked) -> None:
    message, finish, _ = await asked.chat("say: " + LONG, max_tokens=6_000)
    assert message.content.strip() == LONG.strip()
    assert finish == "stop"


def error(status: int, ours: int) -> Check:
    async def check(asked: Asked) -> None:
        answer = await asked.raw(f"sim-status-{status}")
        assert answer.status_code == ours, answer.text
        assert answer.json()["error"]["message"]
        assert asked.record.attempts[0].status == status
        assert (asked.record.status, asked.record.cost_usd) == (ours, 0)

    return check


async def cut_answer(asked: Asked) -> None:
    """An answer that breaks off is never passed off as a whole one."""
    if not asked.stream:
        assert (await asked.raw("sim-half-json")).status_code == 502
        return
    answer = await asked.raw("sim-stream-cut")
    assert answer.status_code == 200
    events = [line for line in answer.text.split("\n\n") if line]
    assert '"error"' in events[-1]
    assert "[DONE]" not in answer.text
    assert asked.record.error_type == "provider_unusable_answer"
    assert asked.record.usage.input_tokens > 0


async def slow_answer(asked: Asked) -> None:
    answer = await asked.raw("sim-slow-0.05")
    assert answer.status_code == 200
    assert asked.record.duration_seconds >= 0.05
    assert asked.record.error_type is None


async def anthropic_client(asked: Asked) -> None:
    """The same provider asked in Anthropic's format."""
    asked.serve(asked.models[0])
    answer = await asked.plane.client.post(
        "/v1/messages",
        headers={"anthropic-version": "2023-06-01"},
        json={
            "model": asked.models[0],
            "max_tokens": 100,
            "stream": asked.stream,
            "messages": [{"role": "user", "content": "say: hello there"}],
        },
    )
    assert answer.status_code == 200, answer.text
    if asked.stream:
        events = [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: ")]
        text = "".join(e["delta"].get("text", "") for e in events if e["type"] == "content_block_delta")
        assert events[-1]["type"] == "message_stop"
    else:
        text = answer.json()["content"][0]["text"]
    assert text == "hello there"


SCENARIOS = (
    Scenario("plain", plain),
    Scenario("system", system),
    Scenario("image", image, needs="vision"),
    Scenario("tools", tools, needs="tools"),
    Scenario("parallel tools", parallel_tools, needs="tools"),
    Scenario("tool result", tool_result, needs="tools"),
    Scenario("structured output", structured_output, needs="structured_output"),
    Scenario("reasoning", reasoning, needs="reasoning"),
    Scenario("usage and cost", usage),
    Scenario("stop", stop),
    Scenario("length", limited_answer),
    Scenario("long answer", long_answer),
    Scenario("error 400", error(400, 400)),
    Scenario("error 401", error(401, 503)),
    Scenario("error 403", error(403, 503)),
    Scenario("error 404", error(404, 404)),
    Scenario("error 429", error(429, 429)),
    Scenario("error 500", error(500, 503)),
    Scenario("error 529", error(529, 503)),
    Scenario("cut answer", cut_answer),
    Scenario("slow answer", slow_answer),
    Scenario("Anthropic's client", anthropic_client),
)
Case = tuple[ProviderSpec, Scenario, bool]
# Rows that speak a format of ours; what runs through an optional package is tested beside it, in litellm_sdk/.
ROWS = [spec for spec in PROVIDER_SPECS if not spec.extra]

CASES: list[Case] = [
    (spec, scenario, stream)
    for spec in ROWS
    for scenario in SCENARIOS
    for stream in scenario.streamed
    if scenario.needs not in spec.lacks
]


class Runner:
    """A data plane that stays up between cases."""

    def __init__(self, loop: asyncio.Runner, plane: RunningPlane) -> None:
        self._loop = loop
        self._plane = plane
        self._client = openai.AsyncOpenAI(
            base_url=f"{plane.url}/v1", api_key=SECRET, max_retries=0, http_client=httpx.AsyncClient()
        )

    def close(self) -> None:
        self._loop.run(self._client.close())

    def run(self, case: Case) -> None:
        """Raises what the scenario finds wrong."""
        spec, scenario, stream = case
        self._plane.sink.records.clear()
        self._plane.simulator.reset()
        self._loop.run(scenario.check(Asked(spec, self._plane, self._client, stream)))


@contextmanager
def runner() -> Iterator[Runner]:
    with asyncio.Runner() as loop:
        context = running_plane()
        plane = loop.run(context.__aenter__())
        try:
            running = Runner(loop, plane)
            yield running
            running.close()
        finally:
            loop.run(context.__aexit__(None, None, None))


_CLIENT_LIBRARIES = """## Client libraries

Each library, unchanged, against a live server, with models of OpenAI, Anthropic and Google Gemini behind it:
one of them passes through, the others are translated. Versions are those of `requirements/` and of
`tests/sdk/javascript/package-lock.json`.

"""
_NOTES_ON_CLIENTS = """
- **@ai-sdk/openai** speaks `/v1/responses` and refers to earlier items by their id unless told
  `providerOptions: {openai: {store: false}}`. Nothing is kept for models that are not OpenAI's, so that they
  need that setting; or use `@ai-sdk/openai-compatible`.
- **LlamaIndex**'s `Anthropic` asks only models whose names it knows by itself; `OpenAILike` asks all.
- **LangChain**'s `OpenAIEmbeddings` sends numbers of OpenAI's tokens in place of text, which only OpenAI's models
  can read, unless told `check_embedding_ctx_length=False`.
"""
_GROUPS = {
    "errors": [s.name for s in SCENARIOS if s.name.startswith("error ")],
    "faults": ["cut answer", "slow answer"],
    "ends": ["stop", "length", "long answer"],
}
_COLUMNS = [
    "plain",
    "system",
    "image",
    "tools",
    "parallel tools",
    "tool result",
    "structured output",
    "reasoning",
    "usage and cost",
    "ends",
    "errors",
    "faults",
    "Anthropic's client",
]


def page(passed: set[tuple[str, str, bool]], client_libraries: str) -> str:
    """The documentation page of these results: type, scenario and streamed, of everything that passed; and
    the table of the client libraries."""
    lines = [
        "# Compatibility",
        "",
        "What works with whom, streamed and not. Generated by `.venv/bin/python tests/conformance.py` from the",
        "conformance list, which runs every scenario over every provider type through a running data plane;",
        "tests compare. The providers are simulated after their public references: the table says what the",
        "gateway does with a provider that keeps to its own documentation.",
        "",
        "✓ works, whole and streamed · — the provider's API does not have it · ✗ does not work",
        "",
        "## Providers",
        "",
        "| provider | " + " | ".join(_COLUMNS) + " |",
        "|---|" + "---|" * len(_COLUMNS),
    ]
    by_name = {scenario.name: scenario for scenario in SCENARIOS}
    for spec in ROWS:
        cells = []
        for column in _COLUMNS:
            scenarios = [by_name[name] for name in _GROUPS.get(column, [column])]
            if any(scenario.needs in spec.lacks for scenario in scenarios if scenario.needs):
                cells.append("—")
                continue
            wanted = {(spec.type, s.name, stream) for s in scenarios for stream in s.streamed}
            cells.append("✓" if wanted <= passed else "✗")
        lines.append(f"| {spec.name} | " + " | ".join(cells) + " |")
    lines += [
        "",
        "- **ends**: stop sequences, the limit of tokens, an answer of 20,000 characters.",
        "- **errors**: 400 and 404 reach the caller as they are, 429 with its waiting time; 401 and 403 are the",
        "  platform's fault and become 503, as do 500 and 529.",
        "- **faults**: an answer cut short is an error, never a shorter answer; a slow one is waited for.",
        "- **Anthropic's client**: the same provider asked at `/v1/messages`.",
        "",
        "",
    ]
    return "\n".join(lines) + _CLIENT_LIBRARIES + client_libraries + "\n" + _NOTES_ON_CLIENTS


def main() -> None:
    """Run everything and write the page."""
    passed: set[tuple[str, str, bool]] = set()
    with runner() as running:
        for case in CASES:
            try:
                running.run(case)
            except Exception as error:  # noqa: BLE001 - a failure is a result here
                print(case[0].type, case[1].name, case[2], repr(error)[:300])
            else:
                passed.add((case[0].type, case[1].name, case[2]))
    missing = [client.id for client in client_libraries.CLIENTS if not client.installed]
    if missing:
        sys.exit(f"not installed: {', '.join(missing)}; run make clients")
    PAGE.write_text(page(passed, client_libraries.table(_passed_by_clients())))
    print(f"{len(passed)} of {len(CASES)} passed; wrote {PAGE.relative_to(PAGE.parent.parent)}")


def _passed_by_clients() -> set[client_libraries.Result]:
    passed: set[client_libraries.Result] = set()
    with (
        SimulatorThread() as simulator,
        tempfile.TemporaryDirectory() as folder,
        LiveServer(Path(folder) / "data") as server,
    ):
        client_libraries.add_providers(server, simulator)
        api_key = server.create_api_key("conformance")
        for result, error in client_libraries.everything(server, api_key).items():
            if error is None:
                passed.add(result)
            else:
                print(*result, error)
    return passed


if __name__ == "__main__":
    main()
