"""Client libraries as users run them, each a script in a process of its own, and the table of what they can do.

The scripts stand in `sdk/python` and `sdk/javascript`; `sdk/test_client_libraries.py` runs them against a
live server. `python tests/conformance.py` writes the table into `docs/compatibility.md`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from live import LiveServer, SimulatorThread

HERE = Path(__file__).parent / "sdk"
ROOT = HERE.parent.parent
FRAMEWORKS = ROOT / ".make" / "clients" / "bin" / "python"
SECONDS = 100

CHAT, STREAM, TOOLS = "chat", "stream", "tools over several turns"
STRUCTURED, EMBEDDINGS = "structured output", "embeddings"
SCENARIOS = (CHAT, STREAM, TOOLS, STRUCTURED, EMBEDDINGS)


@lru_cache
def node() -> str:
    """The path of a Node.js that is new enough."""
    tool = [sys.executable, str(ROOT / "tools" / "node.py"), "--which"]
    return subprocess.run(tool, capture_output=True, text=True, check=True).stdout.strip()


@dataclass(frozen=True)
class Client:
    """`runs_on`: "python" (the tests' own), "frameworks" (`make clients`) or "javascript"."""

    name: str
    speaks: str
    runs_on: str
    script: str
    argument: str = ""
    embeds: bool = False
    openai_model: str = "openai/gpt-4o-mini"

    @property
    def id(self) -> str:
        return " ".join(filter(None, (self.runs_on, self.script.split(".")[0], self.argument)))

    @property
    def scenarios(self) -> tuple[str, ...]:
        return SCENARIOS if self.embeds else SCENARIOS[:-1]

    def models(self, scenario: str) -> dict[str, str]:
        """One model of each way, with whose it is: some client's own format, and another's not."""
        if scenario == EMBEDDINGS:
            return {"openai/text-embedding-3-small": "OpenAI"}
        return {
            self.openai_model: "OpenAI",
            "anthropic/claude-haiku-4-5": "Anthropic",
            "gemini/gemini-3-flash-preview": "Google Gemini",
        }

    @property
    def installed(self) -> bool:
        if self.runs_on == "frameworks":
            return FRAMEWORKS.exists()
        return self.runs_on == "python" or (HERE / "javascript" / "node_modules").is_dir()

    @property
    def command(self) -> list[str]:
        if self.runs_on == "javascript":
            words = [node(), str(HERE / "javascript" / self.script)]
        else:
            python = str(FRAMEWORKS) if self.runs_on == "frameworks" else sys.executable
            words = [python, str(HERE / "python" / self.script)]
        return [*words, self.argument] if self.argument else words


_CHAT, _RESPONSES, _MESSAGES = "/v1/chat/completions", "/v1/responses", "/v1/messages"
CLIENTS = (
    Client("Python `openai`", _CHAT, "python", "openai_client.py", embeds=True),
    Client("Python `anthropic`", _MESSAGES, "python", "anthropic_client.py"),
    Client("LangChain `ChatOpenAI`", _CHAT, "frameworks", "langchain_client.py", embeds=True),
    Client("LangChain `ChatAnthropic`", _MESSAGES, "frameworks", "langchain_client.py", "anthropic"),
    Client("pydantic-ai `OpenAIChatModel`", _CHAT, "frameworks", "pydantic_ai_client.py", embeds=True),
    Client(
        "pydantic-ai `OpenAIResponsesModel`",
        _RESPONSES,
        "frameworks",
        "pydantic_ai_client.py",
        "responses",
        openai_model="openai/gpt-5-mini",  # it takes a model whose name it does not know for one that reasons
    ),
    Client("pydantic-ai `AnthropicModel`", _MESSAGES, "frameworks", "pydantic_ai_client.py", "anthropic"),
    Client("LlamaIndex `OpenAILike`", _CHAT, "frameworks", "llama_index_client.py", embeds=True),
    Client("JavaScript `openai`", _CHAT, "javascript", "openai_client.js", embeds=True),
    Client("JavaScript `@anthropic-ai/sdk`", _MESSAGES, "javascript", "anthropic_client.js"),
    Client(
        "Vercel AI SDK `@ai-sdk/openai-compatible`",
        _CHAT,
        "javascript",
        "ai_sdk_client.js",
        "openai-compatible",
        embeds=True,
    ),
    Client(
        "Vercel AI SDK `@ai-sdk/openai`", _RESPONSES, "javascript", "ai_sdk_client.js", "openai", embeds=True
    ),
    Client("Vercel AI SDK `@ai-sdk/anthropic`", _MESSAGES, "javascript", "ai_sdk_client.js", "anthropic"),
)
Result = tuple[str, str, str]  # client, scenario, model
RESULTS: tuple[Result, ...] = tuple(
    (client.id, scenario, model)
    for client in CLIENTS
    for scenario in client.scenarios
    for model in client.models(scenario)
)


@contextmanager
def running(client: Client, server: LiveServer, api_key: str) -> Iterator[subprocess.Popen[str]]:
    """The script at work; ended with the block."""
    process = subprocess.Popen(
        client.command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={
            "PATH": os.environ["PATH"],
            "HOME": os.environ.get("HOME", "/"),
            "OPS_CENTER_URL": server.url,
            "OPS_CENTER_KEY": api_key,
            "OPS_CENTER_MODELS": " ".join(client.models(CHAT)),
            "OPS_CENTER_EMBEDDING_MODELS": " ".join(client.models(EMBEDDINGS)),
            # nothing of these may call home or look for a network
            "LANGSMITH_TRACING": "false",
            "AI_SDK_LOG_WARNINGS": "false",
            "NO_PROXY": "127.0.0.1",
        },
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait(10)


def results_of(client: Client, server: LiveServer, api_key: str) -> dict[Result, str | None]:
    """What went wrong in each scenario with each model; None for nothing."""
    with running(client, server, api_key) as process:
        out, problems = process.communicate(timeout=SECONDS)
    results: dict[Result, str | None] = {}
    for line in out.splitlines():
        if line.startswith('{"scenario"'):
            told = json.loads(line)
            results[client.id, told["scenario"], told["model"]] = told["error"]
    if process.returncode:
        print(f"{client.id} ended with {process.returncode}: {problems[-3000:]}")
    return results  # without those that it did not come to


def everything(server: LiveServer, api_key: str) -> dict[Result, str | None]:
    """The results of every client that is installed; two scripts run at a time."""
    results: dict[Result, str | None] = {}
    with ThreadPoolExecutor(2) as pool:
        for told in pool.map(
            lambda client: results_of(client, server, api_key),
            [client for client in CLIENTS if client.installed],
        ):
            results |= told
    return results


def add_providers(server: LiveServer, simulator: SimulatorThread) -> None:
    """The providers whose models are asked and that are not there yet."""
    urls = {
        "openai": simulator.simulator.openai_url,
        "anthropic": simulator.simulator.anthropic_url,
        "gemini": simulator.simulator.gemini_url,
    }
    known = {provider["type"] for provider in server.admin.get("/llm/providers").json()["providers"]}
    for type, url in urls.items():
        if type not in known:
            server.add_provider(type, api_key="sk-simulated", base_url=url, priority=10)


def table(passed: set[Result]) -> str:
    """What works with which client library, of everything that passed."""
    lines = [
        "| client | speaks | " + " | ".join(SCENARIOS) + " |",
        "|---|" + "---|" * (1 + len(SCENARIOS)),
    ]
    for client in CLIENTS:
        cells = [_cell(client, scenario, passed) for scenario in SCENARIOS]
        lines.append(f"| {client.name} | `{client.speaks}` | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell(client: Client, scenario: str, passed: set[Result]) -> str:
    wanted = [result for result in RESULTS if result[:2] == (client.id, scenario)]
    if not wanted:
        return "—"
    names = client.models(scenario)
    failed = [names[result[2]] for result in wanted if result not in passed]
    return f"✗ {', '.join(failed)}" if failed else "✓"
