"""Secrets stay where they are sealed: none in the database, journal, log, metrics, lists, exports or errors."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from canaries import Canaries, EchoProvider, plant
from live import LiveServer, SimulatorThread, wait_until
from postgresql_server import PostgresqlServer

OPENAPI = Path(__file__).parent.parent / "web" / "openapi.json"


@dataclass
class Planted:
    server: LiveServer
    canaries: Canaries
    database: str  # the URL, where it is a server of its own
    traces: list[bytes]  # what an OpenTelemetry collector was sent


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def planted(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Planted]:
    url, env = "", {"OPS_CENTER_LOG_LEVEL": "debug"}
    if request.param == "postgresql":
        postgresql: PostgresqlServer = request.getfixturevalue("postgresql")
        url = postgresql.url(postgresql.create())
        env["OPS_CENTER_DATABASE_URL"] = url
    folder = tmp_path_factory.mktemp("canaries")
    with (
        SimulatorThread() as simulator,
        EchoProvider() as echo,
        LiveServer(folder / "data", env=env | traced_to(echo)) as server,
    ):
        yield Planted(server, plant(server, simulator, echo), url, echo.traces)


def traced_to(collector: EchoProvider) -> dict[str, str]:
    return {
        "OPS_CENTER_OTLP_ENDPOINT": collector.url.removesuffix("/v1"),
        "OTEL_BSP_SCHEDULE_DELAY": "200",
        "OTEL_METRIC_EXPORT_INTERVAL": "500",
    }


def test_what_was_planted_is_found_where_it_is() -> None:
    """The search itself: whichever way a secret is written down."""
    canaries = Canaries()
    canaries.keep("one", 'a "quoted" secret of some length')
    for text in ('x a "quoted" secret of some length', 'x: "a \\"quoted\\" secret of some length"'):
        assert canaries.found_in(text.encode()) == {"one"}
    for before in ("", "a", "ab", "abc"):
        hidden = base64.b64encode(f'{before}a "quoted" secret of some length, and more'.encode())
        assert canaries.found_in(hidden) == {"one"}
    assert canaries.found_in(b"nothing of it") == set()


def test_no_secret_is_in_the_database_the_journal_or_any_other_file(planted: Planted) -> None:
    wait_until(lambda: len(planted.server.requests(limit=200)) >= 10, what="the ledger")
    files = [path for path in planted.server.data_dir.rglob("*") if path.is_file()]
    assert any("journal" in path.parts for path in files)
    for path in files:
        assert planted.canaries.found_in(path.read_bytes()) == set(), path
    if planted.database:
        dump = asyncio.run(dumped(planted.database))
        assert len(dump) > 10_000 and b"canary@example.com" in dump
        assert planted.canaries.found_in(dump) == set()
    else:
        assert b"canary@example.com" in b"".join(path.read_bytes() for path in files)


def test_no_secret_is_in_the_log(planted: Planted) -> None:
    log = planted.server.log_path.read_bytes()
    assert b"request_failed" in log  # the careless provider's errors were worth a line
    assert planted.canaries.found_in(log) == set()


def test_no_secret_is_in_a_trace(planted: Planted) -> None:
    wait_until(lambda: any(b"echo-400" in body for body in planted.traces), what="the traces")
    for body in planted.traces:
        assert planted.canaries.found_in(body) == set()


def test_no_secret_is_in_an_error_or_any_other_answer_on_the_way(planted: Planted) -> None:
    assert len(planted.canaries.answers) > 20
    for answer in planted.canaries.answers:
        assert planted.canaries.found_in(answer.encode()) == set(), answer


def test_no_secret_is_in_anything_that_can_be_read(planted: Planted) -> None:
    """Every list, every item of it, every export and the metrics, as an admin sees them."""
    admin = planted.server.admin
    seen = 0
    for path in readable(planted.server):
        answer = admin.get(path)
        assert answer.status_code == 200, (path, answer.text)
        seen += len(answer.content)
        assert planted.canaries.found_in(answer.content) == set(), path
    key = planted.canaries.secrets["admin key"]
    metrics = admin.get(f"{planted.server.url}/metrics", headers={"authorization": f"Bearer {key}"})
    assert b"ops_center_requests_total" in metrics.content
    assert planted.canaries.found_in(metrics.content) == set()
    assert seen > 20_000


def readable(server: LiveServer) -> list[str]:
    """Every GET of the control API, with the ids that its lists name."""
    document = json.loads(OPENAPI.read_text())
    gets = [path.removeprefix("/api/v1") for path, methods in document["paths"].items() if "get" in methods]
    paths = [path for path in gets if "{" not in path]
    paths += ["/llm/usage/export?format=json&period=all", "/audit-log/export?format=json"]
    for noun, key, item in (
        ("/llm/requests", "requests", "/llm/requests/{}"),
        ("/llm/requests", "requests", "/llm/requests/{}/bundle"),
        ("/llm/providers", "providers", "/llm/providers/{}"),
        ("/llm/providers", "providers", "/llm/providers/{}/impact"),
        ("/users", "users", "/users/{}"),
        ("/users", "users", "/users/{}/sessions"),
        ("/teams", "teams", "/teams/{}/api-keys"),
    ):
        paths += [item.format(one["id"]) for one in server.admin.get(noun).json()[key]]
    assert len(paths) > 50
    return paths


async def dumped(url: str) -> bytes:
    """Every row of every table, as text."""
    connection = await asyncpg.connect(url.replace("postgresql+asyncpg", "postgresql"))
    try:
        tables = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        rows: list[Any] = []
        for table in tables:
            rows += await connection.fetch(f'SELECT t::text AS row FROM "{table["tablename"]}" t')
    finally:
        await connection.close()
    return "\n".join(row["row"] for row in rows).encode()
