"""storage/notices: two servers on one database and one Valkey are one installation."""

from __future__ import annotations

import asyncio
import base64
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from decimal import Decimal
from typing import Any

import httpx
import pytest

import valkey_server
from left_out import left_out
from live import LiveServer, SimulatorThread, wait_until
from ops_center.storage.notices import ChangeNotices
from postgresql_server import PostgresqlServer
from valkey_server import ValkeyServer


@pytest.fixture(scope="module")
def valkey() -> Iterator[ValkeyServer]:
    path = valkey_server.program() or left_out("Valkey tests (no server installed)")
    with valkey_server.running(path) as running:
        yield running


@pytest.fixture(scope="module")
def simulator() -> Iterator[SimulatorThread]:
    with SimulatorThread() as running:
        yield running


@pytest.fixture(scope="module")
def pair(
    valkey: ValkeyServer,
    postgresql: PostgresqlServer,
    simulator: SimulatorThread,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[list[LiveServer]]:
    env = {
        "OPS_CENTER_DATABASE_URL": postgresql.url(postgresql.create()),
        "OPS_CENTER_VALKEY_URL": valkey.url,
        "OPS_CENTER_MASTER_KEY": base64.b64encode(os.urandom(32)).decode(),
    }
    with ExitStack() as running:
        servers = []
        for name in ("one", "other"):  # one after the other: the first makes the tables
            folder = tmp_path_factory.mktemp(name) / "data"
            servers.append(running.enter_context(LiveServer(folder, env=env)))
        servers[0].add_provider("openai", api_key="sk-good", base_url=simulator.simulator.openai_url)
        yield servers


def ask(server: LiveServer, secret: str, **more: Any) -> httpx.Response:
    body = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Say hello"}], **more}
    headers = {"authorization": f"Bearer {secret}"}
    return httpx.post(f"{server.openai_url}/chat/completions", json=body, headers=headers, timeout=20)


def test_a_key_made_at_one_works_at_the_other_and_is_dead_there_within_a_second(
    pair: list[LiveServer],
) -> None:
    one, other = pair
    made = one.admin.post("/me/api-keys", json={"name": "travels"}).json()
    wait_until(lambda: ask(other, made["secret"]).status_code == 200, what="the key at the other server")
    assert one.admin.delete(f"/me/api-keys/{made['id']}").status_code == 204
    revoked = time.monotonic()
    wait_until(lambda: ask(other, made["secret"]).status_code == 401, what="the end of the key")
    assert time.monotonic() - revoked < 1
    assert ask(one, made["secret"]).status_code == 401


def test_fifty_at_once_through_both_cannot_spend_a_cent_twice(
    pair: list[LiveServer], simulator: SimulatorThread
) -> None:
    secret = pair[0].create_api_key("one cent", budget_usd=0.01)
    wait_until(lambda: ask(pair[1], secret, max_tokens=1).status_code == 200, what="the key at the other")
    simulator.configure(latency_seconds=0.1, answer_tokens=300)
    try:
        with ThreadPoolExecutor(50) as threads:
            # 300 tokens of output cost 0.3 cents: three fit, fifty would be fifteen cents
            tries = [threads.submit(ask, pair[n % 2], secret, max_tokens=300) for n in range(50)]
            answers = [each.result() for each in tries]
    finally:
        simulator.reset()
    statuses = [answer.status_code for answer in answers]
    assert set(statuses) == {200, 402}
    assert 1 <= statuses.count(200) <= 3

    def in_ledger() -> list[dict[str, Any]] | None:
        rows = [row for row in pair[0].requests(limit=200) if row["api_key_name"] == "one cent"]
        return rows if len([row for row in rows if row["status"] == 402]) == statuses.count(402) else None

    rows = wait_until(in_ledger, what="the records of both servers")
    assert sum(Decimal(str(row["cost_usd"] or 0)) for row in rows) <= Decimal("0.01")


async def heard(notices: ChangeNotices, until: int) -> int:
    """Listen until so many calls came, or five seconds have gone."""
    calls = 0
    enough = asyncio.Event()

    async def follow() -> None:
        nonlocal calls
        calls += 1
        if calls >= until:
            enough.set()

    listening = asyncio.create_task(notices.listen(follow))
    with suppress(TimeoutError):
        async with asyncio.timeout(8):
            await enough.wait()
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)
    return calls


@pytest.mark.anyio
async def test_while_valkey_is_away_the_database_is_read_all_the_same() -> None:
    notices = ChangeNotices("redis://127.0.0.1:1/0")
    await notices.announce()  # says so in the log, and nothing else
    assert await heard(notices, 1) == 1
    await notices.close()


@pytest.mark.anyio
async def test_ones_own_notices_are_not_followed(valkey: ValkeyServer) -> None:
    one, other = (ChangeNotices(valkey.url, channel="test") for _ in range(2))
    listening = asyncio.create_task(heard(one, 2))  # the first look, and one notice
    await asyncio.sleep(0.3)
    await one.announce()
    await asyncio.sleep(0.2)
    assert not listening.done()
    await other.announce()
    assert await listening == 2
    await one.close()
    await other.close()
