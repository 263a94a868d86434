"""Providers that are called through LiteLLM's SDK: a live server, the SDK in its process, the simulator behind."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from live import LiveServer, SimulatorThread, wait_until

pytestmark = [pytest.mark.litellm, pytest.mark.timeout(600)]

MODEL = "openai/gpt-4o-mini"
CLAUDE = "anthropic/claude-haiku-4-5"
HELLO = [{"role": "user", "content": "hello there"}]


@pytest.fixture(scope="module")
def simulator() -> Iterator[SimulatorThread]:
    with SimulatorThread() as running:
        yield running


@pytest.fixture(autouse=True)
def _healthy(simulator: SimulatorThread) -> None:
    simulator.reset()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, simulator: SimulatorThread) -> Iterator[LiveServer]:
    path: Path = tmp_path_factory.mktemp("litellm") / "data"
    env = {"OPENAI_API_KEY": "sk-of-the-environment", "OPS_CENTER_ANSWER_TIMEOUT_SECONDS": "300"}
    with LiveServer(path, env=env) as running:
        base = simulator.simulator.openai_url
        running.add_provider("openai", name="Plain", api_key="sk-plain", base_url=base, priority=1)
        yield running


@pytest.fixture(scope="module")
def secret(server: LiveServer) -> str:
    return server.create_api_key("litellm")


@pytest.fixture(scope="module")
def provider(server: LiveServer, simulator: SimulatorThread) -> dict[str, Any]:
    """The SDK's first need is its first test: what other requests meanwhile take is looked at too."""
    added = server.add_provider(
        "litellm",
        name="Long tail",
        api_key="sk-good-and-long",
        options={"models": f"{MODEL}, openai/gpt-4.1-nano", "api_base": simulator.simulator.openai_url},
    )
    return added


@pytest.fixture(scope="module")
def started(server: LiveServer, secret: str, provider: dict[str, Any]) -> list[float]:
    """How long requests to another provider took while the SDK was imported, in seconds."""
    result: dict[str, Any] = {}

    def test() -> None:
        answer = server.admin.post(f"/llm/providers/{provider['id']}/test", timeout=400)
        result.update(answer.json())

    # once before, so that connections stand
    chat(server, secret, "plain/gpt-4o-mini")
    testing = threading.Thread(target=test)
    testing.start()
    taken: list[float] = []
    while testing.is_alive():
        begun = time.perf_counter()
        assert chat(server, secret, "plain/gpt-4o-mini").status_code == 200
        taken.append(time.perf_counter() - begun)
        time.sleep(0.05)
    testing.join()
    assert result["success"], result
    assert result["message"].startswith("Connection successful! (")
    assert "One request for one token" in result["hint"]
    assert result["models_found"] == 2
    return taken


def chat(server: LiveServer, secret: str, model: str = f"long tail/{MODEL}", **fields: Any) -> httpx.Response:
    return httpx.post(
        f"{server.openai_url}/chat/completions",
        json={"model": model, "messages": HELLO, "max_tokens": 12} | fields,
        headers={"authorization": f"Bearer {secret}"},
        timeout=300,
    )


def record_of(server: LiveServer, answer: httpx.Response) -> dict[str, Any]:
    return server.wait_for_request(answer.headers["x-request-id"], seconds=20)


def children(pid: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text()
            except OSError:
                continue
            if int(stat.rpartition(")")[2].split()[1]) == pid:
                found.append(int(entry.name))
    return found


def sdk_process(server: LiveServer) -> int:
    assert server.process is not None
    [found] = [
        pid
        for pid in children(server.process.pid)
        if b"litellm_sdk.server" in (line := Path(f"/proc/{pid}/cmdline").read_bytes())
        and b"--private" in line
    ]
    return found


def test_other_requests_go_on_while_the_sdk_is_imported(started: list[float]) -> None:
    assert len(started) > 10, "the import was over before anything could be measured"
    assert max(started) < sum(started) / 4  # nobody waited for it


def test_the_sdk_has_a_process_of_its_own_without_our_environment(
    server: LiveServer, started: list[float]
) -> None:
    pid = sdk_process(server)
    environment = Path(f"/proc/{pid}/environ").read_bytes()
    assert b"OPS_CENTER" not in environment
    assert b"sk-of-the-environment" not in environment
    assert os.stat(Path(f"/proc/{pid}/cwd").resolve()).st_mode & 0o077 == 0
    assert server.process is not None
    libraries = [Path(f"/proc/{one}/maps").read_text() for one in (pid, server.process.pid)]
    assert ["tiktoken" in mapped for mapped in libraries] == [True, False]


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_is_served_and_metered(
    server: LiveServer, secret: str, started: list[float], stream: bool
) -> None:
    answer = chat(server, secret, stream=stream)
    assert answer.status_code == 200, answer.text
    assert answer.headers["x-ops-provider"] == "Long tail"
    if stream:
        lines = [line[6:] for line in answer.text.splitlines() if line.startswith("data: ")]
        assert lines[-1] == "[DONE]"
        chunks = [json.loads(line) for line in lines[:-1]]
        text = "".join(c["choices"][0]["delta"].get("content") or "" for c in chunks if c["choices"])
        assert {c["choices"][0].get("finish_reason") for c in chunks if c["choices"]} == {None, "length"}
    else:
        text = answer.json()["choices"][0]["message"]["content"]
        assert answer.json()["choices"][0]["finish_reason"] == "length"
    assert text
    record = record_of(server, answer)
    assert (record["model"], record["output_tokens"], record["cost_source"]) == (MODEL, 12, "computed")
    assert record["input_tokens"] > 0
    # LiteLLM's own table prices its model strings: $0.15 and $0.60
    assert record["cost_usd"] == pytest.approx((record["input_tokens"] * 0.15 + 12 * 0.60) / 1e6, abs=1e-9)
    assert record["price_source"].startswith("litellm 1.")


def test_tools_and_claude_go_through_it_too(
    server: LiveServer, secret: str, simulator: SimulatorThread, started: list[float]
) -> None:
    base = simulator.simulator.openai_url.removesuffix("/v1")
    server.add_provider(
        "litellm", name="Claude", api_key="sk-ant-good", options={"models": CLAUDE, "api_base": base}
    )
    answer = httpx.post(
        f"{server.url}/v1/messages",
        json={"model": f"claude/{CLAUDE}", "messages": HELLO, "max_tokens": 9},
        headers={"x-api-key": secret, "anthropic-version": "2023-06-01"},
        timeout=300,
    )
    assert answer.status_code == 200, answer.text
    assert answer.json()["usage"]["output_tokens"] == 9
    tool = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}
    answer = chat(server, secret, f"claude/{CLAUDE}", tools=[tool], tool_choice="required", max_tokens=50)
    assert answer.status_code == 200, answer.text
    [call] = answer.json()["choices"][0]["message"]["tool_calls"]
    assert call["function"]["name"] == "weather"


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        ("status-401", "provider_auth_error"),
        ("status-429", "provider_rate_limited"),
        ("status-500", "provider_failed"),
        ("status-400", "invalid_request_error"),
    ],
)
def test_a_failure_is_classified_and_the_next_provider_asked_where_that_helps(
    server: LiveServer,
    secret: str,
    simulator: SimulatorThread,
    started: list[float],
    fault: str,
    outcome: str,
) -> None:
    options = {"models": MODEL, "api_base": simulator.simulator.openai_url}
    fresh = server.add_provider("litellm", name=fault, api_key="sk-good", options=options, priority=90)
    simulator.configure(fault=fault, fault_on="inference", fault_times=1)
    answer = chat(server, secret, "gpt-4o-mini")
    first, *others = record_of(server, answer)["attempts"]
    assert (first["provider_name"], first["outcome"]) == (fault, outcome)
    if outcome == "invalid_request_error":
        assert (answer.status_code, others) == (400, [])
    else:
        assert (answer.status_code, answer.headers["x-ops-provider"]) == (200, "Long tail")
    server.admin.delete(f"/llm/providers/{fresh['id']}").raise_for_status()


def test_a_request_may_name_no_parameter_of_litellm(
    server: LiveServer, secret: str, simulator: SimulatorThread, started: list[float]
) -> None:
    for field in ("api_base", "base_url", "api_key", "mock_response", "extra_headers", "custom_llm_provider"):
        answer = chat(server, secret, **{field: "http://127.0.0.1:9/v1"})
        assert answer.status_code == 400, (field, answer.text)
        assert field in answer.json()["error"]["message"]
    assert simulator.simulator.inference_requests == []


def test_a_client_that_leaves_closes_the_call(
    server: LiveServer, secret: str, simulator: SimulatorThread, started: list[float]
) -> None:
    simulator.configure(tokens_per_second=20.0, answer_tokens=2000)
    headers = {"authorization": f"Bearer {secret}"}
    body = {"model": f"long tail/{MODEL}", "messages": HELLO, "stream": True, "max_tokens": 2000}
    with httpx.stream(
        "POST", f"{server.openai_url}/chat/completions", json=body, headers=headers, timeout=60
    ) as answer:
        next(answer.iter_bytes())
    simulator.until(lambda s: s.inference_requests[-1].client_left, seconds=20)


def test_private_addresses_need_the_tick_even_while_others_have_it(
    server: LiveServer, secret: str, simulator: SimulatorThread, started: list[float]
) -> None:
    chat(server, secret)  # a connection to the simulator stands open, with permission
    body = {
        "type": "litellm",
        "api_key": "sk-good",
        "options": {"models": MODEL, "api_base": simulator.simulator.openai_url},
    }
    seen = len(simulator.simulator.inference_requests)
    result = server.admin.post("/llm/test", json=body, timeout=400).json()
    assert (result["success"], result["error_type"]) == (False, "address_not_allowed")
    body["options"] = {"models": MODEL, "api_base": "http://169.254.169.254/v1"}
    body["allow_private_network"] = True
    result = server.admin.post("/llm/test", json=body, timeout=400).json()
    assert (result["success"], result["error_type"]) == (False, "address_not_allowed")
    assert len(simulator.simulator.inference_requests) == seen


def test_a_wrong_key_and_an_unknown_model_are_told_apart(
    server: LiveServer, simulator: SimulatorThread, started: list[float]
) -> None:
    options = {"models": MODEL, "api_base": simulator.simulator.openai_url}
    body = {"type": "litellm", "api_key": "sk-wrong", "options": options, "allow_private_network": True}
    result = server.admin.post("/llm/test", json=body, timeout=400).json()
    assert result["message"] == "Invalid API key"
    options["models"] = "nobody/nothing"
    result = server.admin.post("/llm/test", json=body, timeout=400).json()
    assert result["error_type"] == "unexpected_answer"
    assert "nobody/nothing" in result["hint"]


def test_models_are_those_named_with_litellms_facts(
    server: LiveServer, provider: dict[str, Any], started: list[float]
) -> None:
    query = {"provider_id": provider["id"]}
    models = {m["name"]: m for m in server.admin.get("/llm/models", params=query).json()["models"]}
    assert set(models) == {MODEL, "openai/gpt-4.1-nano"}
    mini = models[MODEL]
    assert mini["context_window"] == 128000
    assert mini["sources"]["context_window"].startswith("litellm 1.")
    assert (mini["price"]["input_mtok"], mini["price"]["source"]) == (0.15, "litellm")
    added = {"provider_id": provider["id"], "name": "replicate/nobody/knows"}
    answer = server.admin.post("/llm/models", json=added)
    assert (answer.status_code, answer.json()["price"]) == (201, None)


def test_the_process_comes_back_and_ends_with_the_server(
    server: LiveServer, secret: str, started: list[float]
) -> None:
    pid = sdk_process(server)
    os.kill(pid, 9)
    wait_until(lambda: chat(server, secret).headers["x-ops-provider"] == "Long tail", seconds=240)
    again = sdk_process(server)
    assert again != pid
    server.kill()
    wait_until(lambda: not Path(f"/proc/{again}").exists(), seconds=20)
