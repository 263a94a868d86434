"""A data plane on a real socket: hand-made snapshot, the simulator upstream, records kept in a list."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import httpx
import msgspec
import uvicorn

from ops_center.dataplane.endpoint import DataPlane
from ops_center.dataplane.pipeline import Plane
from ops_center.dataplane.server import Connection
from ops_center.dataplane.upstream import Timeouts, Upstream
from ops_center.health import Health
from ops_center.limits import MemoryLimiter
from ops_center.providers.registry import provider_spec
from ops_center.simulator.config import SimulatorConfig
from ops_center.simulator.server import Simulator
from ops_center.simulator.server import serve as serve_simulator
from ops_center.snapshot import (
    Alias,
    Budget,
    Principal,
    Provider,
    Rate,
    Rules,
    Snapshot,
    Target,
    api_key_digest,
    build_snapshot,
)
from ops_center.transport.client import HttpClient
from ops_center.types import BudgetPeriod, BudgetScope, Price, Strategy, UsageRecord

SECRET = "sk-oc-test"
PRICE = Price(input_mtok=Decimal(1), output_mtok=Decimal(4), source="test", as_of="2026-11-23")


@dataclass
class Records:
    """A usage sink that keeps what it is given."""

    records: list[UsageRecord] = field(default_factory=list)

    def record(self, record: UsageRecord) -> None:
        line = msgspec.json.encode(record)  # as the journal writes it
        assert msgspec.json.decode(line, type=UsageRecord).request_id == record.request_id, line
        self.records.append(record)

    @property
    def only(self) -> UsageRecord:
        assert len(self.records) == 1, [r.error_type for r in self.records]
        return self.records[0]

    async def until(self, count: int = 1) -> UsageRecord:
        async with asyncio.timeout(5):
            while len(self.records) < count:
                await asyncio.sleep(0.005)
        return self.records[-1]


@dataclass
class Source:
    current: Snapshot


@dataclass
class RunningPlane:
    url: str
    source: Source
    sink: Records
    http: HttpClient
    client: httpx.AsyncClient
    simulators: Sequence[Simulator]
    limiter: MemoryLimiter
    health: Health

    @property
    def simulator(self) -> Simulator:
        return self.simulators[0]

    async def chat(self, **body: Any) -> httpx.Response:
        body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Say hello"}], **body}
        return await self.client.post("/v1/chat/completions", json=body)


def provider(
    simulator: Simulator,
    type: str = "openai",
    *,
    name: str | None = None,
    base_url: str | None = None,
    **given: Any,
) -> Provider:
    base = {
        "openai": simulator.openai_url,
        "anthropic": simulator.anthropic_url,
        "openrouter": simulator.openrouter_url,
        "custom": simulator.custom_url,
        "gemini": simulator.gemini_url,
        "bedrock": simulator.bedrock_url,
        "vertex": simulator.vertex_url,
        "cohere": simulator.cohere_url,
        "azure": simulator.azure_url,
        "cloudflare": simulator.cloudflare_url,
        "custom-anthropic": simulator.anthropic_url,
    }
    name = name or type
    return Provider(
        id=f"prov_{name}",
        name=name,
        spec=provider_spec(type),
        base_url=base_url or base.get(type, simulator.openai_url),  # the rest speaks as OpenAI does
        credential="sk-upstream",
        allow_private_network=True,
        **given,
    )


def target(of: Provider, model: str, price: Price | None = PRICE, **facts: Any) -> Target:
    return Target(id=f"mdl_{of.name}_{model}", provider=of, model=model, price=price, **facts)


def budget(amount_usd: Decimal | str, scope: BudgetScope = BudgetScope.API_KEY, **given: Any) -> Budget:
    """A hard monthly budget; its counter is the scope's name unless given."""
    return Budget(
        **{
            "counter": scope.value,
            "scope": scope,
            "subject": f"this {scope.value}",
            "amount_nano_usd": int(Decimal(amount_usd) * 1_000_000_000),
            "period": BudgetPeriod.MONTH,
            **given,
        }
    )


def rate(counter: str = "key:key_1", **given: Any) -> Rate:
    return Rate(counter=counter, subject="This API key", **given)


def snapshot(
    *targets: Target, aliases: Sequence[Alias] = (), rules: Rules = Rules(), **principal: Any
) -> Snapshot:
    who = Principal(
        api_key_id="key_1", api_key_name="test key", user_id="usr_1", user_email="a@example.com", **principal
    )
    return build_snapshot(
        version=1,
        strategy=Strategy.BALANCED,
        principals={api_key_digest(SECRET): who},
        targets=targets,
        aliases=aliases,
        rules=rules,
    )


async def _nothing_else(scope: Any, receive: Any, send: Any) -> None:
    """The application beside the data plane."""
    await send({"type": "http.response.start", "status": 404, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


@asynccontextmanager
async def running_plane(
    *,
    simulators: int = 1,
    config: SimulatorConfig | None = None,
    timeouts: Timeouts | None = None,
    health: Health | None = None,
) -> AsyncIterator[RunningPlane]:
    """Serves OpenAI, Anthropic, OpenRouter and a custom provider of the first simulator until told otherwise."""
    upstreams = [await serve_simulator(config) for _ in range(simulators)]
    first = upstreams[0]
    source = Source(
        snapshot(
            target(provider(first), "gpt-4o-mini"),
            target(provider(first, "anthropic"), "claude-haiku-4-5"),
            target(provider(first, "openrouter"), "meta-llama/llama-3-8b-instruct"),
        )
    )
    sink, http, limiter, health = Records(), HttpClient(), MemoryLimiter(), health or Health()
    plane = DataPlane(
        Plane(
            snapshots=source,
            upstream=Upstream(http, timeouts or Timeouts()),
            limiter=limiter,
            sink=sink,
            health=health,
        )
    )
    server = uvicorn.Server(
        uvicorn.Config(
            _nothing_else,
            port=0,
            http=functools.partial(Connection, plane),  # type: ignore[arg-type]
            lifespan="off",
            log_config=None,
            access_log=False,
            ws="none",
        )
    )
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined,method-assign]
    serving = asyncio.create_task(server._serve())
    while not server.started:
        await asyncio.sleep(0.005)
    url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    try:
        async with httpx.AsyncClient(
            base_url=url, headers={"authorization": f"Bearer {SECRET}"}, timeout=10
        ) as client:
            yield RunningPlane(url, source, sink, http, client, upstreams, limiter, health)
    finally:
        server.should_exit = True
        await serving
        await http.close()
        for upstream in upstreams:
            await upstream.close()
