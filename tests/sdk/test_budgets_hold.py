"""Budgets of a real server: what was spent counts across `kill -9` and rotation, in one process and in workers,
with Valkey and without."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

import valkey_server
from left_out import left_out
from live import LiveServer, SimulatorThread

BODY = {"model": "gpt-4o-mini", "max_tokens": 10, "messages": [{"role": "user", "content": "hi"}]}


@pytest.fixture(params=["memory", "workers", "valkey"])
def environment(request: pytest.FixtureRequest) -> Iterator[dict[str, str]]:
    if request.param == "memory":
        yield {}
        return
    if request.param == "workers":
        yield {"OPS_CENTER_WORKERS": "2"}
        return
    path = valkey_server.program()
    if path is None:
        left_out("Valkey tests (no server installed)")
    with valkey_server.running(path) as server:
        yield {"OPS_CENTER_VALKEY_URL": server.url, "OPS_CENTER_WORKERS": "2"}


def ask(server: LiveServer, secret: str) -> httpx.Response:
    return httpx.post(
        f"{server.url}/v1/chat/completions",
        json=BODY,
        headers={"authorization": f"Bearer {secret}"},
        timeout=30,
    )


def test_a_budget_holds_at_once_after_a_kill_and_after_a_rotation(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    with (
        SimulatorThread() as simulator,
        LiveServer(tmp_path / "data", env=environment) as server,
    ):
        server.add_provider("openai", api_key="sk-simulated", base_url=simulator.openai_url)
        cost = float(ask(server, server.create_api_key()).headers["x-ops-cost-usd"])
        secret = server.create_api_key("bounded", budget_usd=cost * 10)

        with ThreadPoolExecutor(20) as pool:
            statuses = list(pool.map(lambda _: ask(server, secret).status_code, range(40)))
        assert set(statuses) == {200, 402}
        assert 1 <= statuses.count(200) <= 10

        while ask(server, secret).status_code == 200:
            statuses.append(200)
        assert statuses.count(200) <= 10
        server.kill()
        server.restart()
        assert ask(server, secret).status_code == 402

        [key] = [k for k in server.admin.get("/me/api-keys").json()["api_keys"] if k["name"] == "bounded"]
        rotated = server.admin.post(f"/me/api-keys/{key['id']}/rotate").json()
        assert ask(server, secret).status_code == 401
        assert ask(server, rotated["secret"]).status_code == 402

        [budget] = server.admin.get("/llm/budgets").json()["budgets"]
        assert 0 < budget["spent_usd"] <= budget["amount_usd"]
        server.admin.patch(f"/llm/budgets/{budget['id']}", json={"amount_usd": cost * 100})
        assert ask(server, rotated["secret"]).status_code == 200
