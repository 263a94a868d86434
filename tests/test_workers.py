"""A server of two workers and a control process: exact, complete and alive, whichever of them is killed."""

from __future__ import annotations

import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path

import httpx
import openai
import pytest

from live import LiveServer, SimulatorThread, wait_until
from postgresql_server import PostgresqlServer

BODY = {"model": "gpt-4o-mini", "max_tokens": 10, "messages": [{"role": "user", "content": "hi"}]}
CONNECTIONS = 16  # half of them to each of the two workers


@pytest.fixture(scope="module")
def simulator() -> Iterator[SimulatorThread]:
    with SimulatorThread() as running:
        yield running


@pytest.fixture(autouse=True)
def _plain_simulator(simulator: SimulatorThread) -> Iterator[None]:
    yield
    simulator.reset()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, simulator: SimulatorThread) -> Iterator[LiveServer]:
    folder = tmp_path_factory.mktemp("workers")
    with LiveServer(folder / "data", env={"OPS_CENTER_WORKERS": "2"}) as running:
        running.add_provider("openai", api_key="sk-simulated", base_url=simulator.openai_url)
        yield running


@pytest.fixture
def connections(server: LiveServer) -> Iterator[list[httpx.Client]]:
    """Clients that each keep one connection, to the one and the other worker in turn.

    Both accept from the same socket, and who is awake first gets the next: so the other is put to sleep.
    """
    with ExitStack() as stack:
        clients = [stack.enter_context(httpx.Client(base_url=server.url)) for _ in range(CONNECTIONS)]
        for half, asleep in enumerate(pids(server, "worker")):
            os.kill(asleep, signal.SIGSTOP)
            try:
                for client in clients[half::2]:
                    assert client.get("/healthz").status_code == 200
            finally:
                os.kill(asleep, signal.SIGCONT)
        yield clients


def ask(client: httpx.Client, secret: str, **body: object) -> httpx.Response:
    return client.post(
        "/v1/chat/completions", json=BODY | body, headers={"authorization": f"Bearer {secret}"}, timeout=30
    )


def children(server: LiveServer) -> dict[int, str]:
    """The supervisor's children and what they are: "worker" or "control"."""
    found: dict[int, str] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        try:
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            command = (entry / "cmdline").read_bytes()
        except (OSError, IndexError):
            continue
        if parent == server.pid and command:
            found[int(entry.name)] = "worker" if b"ops_center.workers.process" in command else "control"
    return found


def pids(server: LiveServer, kind: str) -> list[int]:
    return [pid for pid, what in children(server).items() if what == kind]


def written_by(server: LiveServer) -> set[int]:
    """Processes with records in the journal."""
    segments = (server.data_dir / "journal").glob("usage-*.jsonl")
    return {int(each.stem.rpartition("-")[2]) for each in segments if each.stat().st_size}


def test_all_workers_serve_and_every_request_is_in_the_ledger(
    server: LiveServer, connections: list[httpx.Client]
) -> None:
    secret = server.create_api_key()
    answers = [ask(client, secret) for client in connections]
    assert {answer.status_code for answer in answers} == {200}
    assert written_by(server) == set(pids(server, "worker"))
    for answer in answers:
        assert server.wait_for_request(answer.headers["x-request-id"])["status"] == 200
    metrics = httpx.get(f"{server.url}/metrics").text
    counted = re.findall(r"^ops_center_requests_total\{.*\} ([\d.]+)$", metrics, re.MULTILINE)
    assert sum(map(float, counted)) == len(server.requests(limit=100))


def test_a_worker_loads_nothing_of_the_control_plane() -> None:
    program = (
        "import sys, ops_center.workers.process\n"
        "print([m for m in ('fastapi', 'starlette', 'pydantic', 'sqlalchemy', 'alembic', 'typer')"
        " if m in sys.modules] + [m for m in sys.modules if m.startswith('ops_center.control')])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_server_that_nobody_asks_for_its_control_api_does_not_load_it() -> None:
    program = (
        "import sys, ops_center.app\n"
        "print([m for m in sys.modules if m.startswith('ops_center.control.') and m.endswith('endpoints')]"
        " + [m for m in ('segno', 'joserfc', 'alembic', 'redis') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_revoked_key_is_refused_by_all_workers_once_the_call_returns(
    server: LiveServer, connections: list[httpx.Client]
) -> None:
    secret = server.create_api_key("to be revoked")
    assert {ask(client, secret).status_code for client in connections} == {200}
    [key] = [k for k in server.admin.get("/me/api-keys").json()["api_keys"] if k["name"] == "to be revoked"]
    server.admin.delete(f"/me/api-keys/{key['id']}")
    assert {ask(client, secret).status_code for client in connections} == {401}


def test_a_changed_strategy_is_followed_by_all_workers(
    server: LiveServer, connections: list[httpx.Client]
) -> None:
    secret = server.create_api_key()

    def chosen() -> set[str]:
        return {ask(client, secret, model="auto").headers["x-ops-model"] for client in connections}

    server.admin.put("/llm/routing/rules", json={"strategy": "cost"})
    cheapest = chosen()
    server.admin.put("/llm/routing/rules", json={"strategy": "quality"})
    best = chosen()
    server.admin.put("/llm/routing/rules", json={"strategy": "balanced"})
    assert len(cheapest) == len(best) == 1
    assert cheapest != best


def test_no_request_is_lost_while_the_configuration_changes(
    server: LiveServer, connections: list[httpx.Client]
) -> None:
    secret = server.create_api_key()
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        asked = [
            pool.submit(lambda c: [ask(c, secret).status_code for _ in range(20)], client)
            for client in connections
        ]
        for number in range(10):
            server.create_api_key(f"meanwhile {number}")
        assert {status for each in asked for status in each.result()} == {200}


def test_limits_are_exact_across_workers(server: LiveServer, connections: list[httpx.Client]) -> None:
    secret = server.create_api_key("hurried", requests_per_minute=25)
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        statuses = list(pool.map(lambda n: ask(connections[n % CONNECTIONS], secret).status_code, range(64)))
    assert statuses.count(200) == 25
    assert statuses.count(429) == 39


def test_a_budget_is_exact_across_workers(server: LiveServer, connections: list[httpx.Client]) -> None:
    cost = float(ask(connections[0], server.create_api_key()).headers["x-ops-cost-usd"])
    secret = server.create_api_key("bounded", budget_usd=cost * 10)
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        statuses = list(pool.map(lambda c: ask(c, secret).status_code, connections * 2))
    while ask(connections[len(statuses) % CONNECTIONS], secret).status_code == 200:
        statuses.append(200)
    assert set(statuses) == {200, 402}
    assert statuses.count(200) <= 10
    [budget] = [
        b
        for b in server.admin.get("/llm/budgets").json()["budgets"]
        if b["amount_usd"] == pytest.approx(cost * 10)
    ]
    assert 0 < budget["spent_usd"] <= budget["amount_usd"]


def test_those_who_wait_for_a_place_take_turns_across_workers(
    server: LiveServer, connections: list[httpx.Client], simulator: SimulatorThread
) -> None:
    server.admin.patch("/settings", json={"limits": {"queue": True}})
    try:
        secret = server.create_api_key("patient", concurrent_requests=1)
        simulator.configure(latency_seconds=0.05)
        with ThreadPoolExecutor(CONNECTIONS) as pool:
            answers = list(pool.map(lambda client: ask(client, secret), connections))
        assert {answer.status_code for answer in answers} == {200}
        assert sum("x-ops-queue-seconds" in answer.headers for answer in answers) >= CONNECTIONS - 1
    finally:
        server.admin.patch("/settings", json={"limits": {"queue": False}})


def test_the_console_and_exports_come_through_whole(server: LiveServer) -> None:
    page = httpx.get(f"{server.url}/login")
    assert page.status_code == 200
    script = re.findall(r'src="(/assets/[^"]+\.js)"', page.text)[0]
    whole = httpx.get(f"{server.url}{script}")
    assert len(whole.content) > 100_000
    assert httpx.head(f"{server.url}{script}").headers["content-length"]
    assert whole.headers.get_list("date") == whole.headers.get_list("date")[:1]
    export = server.admin.get("/llm/usage/export", params={"format": "csv"})
    assert export.status_code == 200
    assert export.text.count("\n") > len(server.requests(limit=10))


def test_who_calls_is_known_behind_a_worker_and_cannot_be_claimed(server: LiveServer) -> None:
    metrics = f"{server.url}/metrics"
    assert httpx.get(metrics).status_code == 200  # from this machine
    assert httpx.get(metrics, headers={"x-forwarded-for": "192.0.2.1"}).status_code == 401
    assert httpx.get(metrics, headers={"x-ops-center-client": "192.0.2.1 1"}).status_code == 200


@pytest.mark.parametrize(
    "head",
    [
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Content-Length: 5\r\nContent-Length: 6",
        "Transfer-Encoding: chunked, identity",
        "Content-Length: +5",
    ],
)
def test_an_ambiguous_request_reaches_nobody(server: LiveServer, head: str) -> None:
    hidden = "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as client:
        client.sendall(
            f"POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\n{head}\r\n\r\n0\r\n\r\n{hidden}".encode()
        )
        answer = b""
        while data := client.recv(65536):
            answer += data
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1 ") == 1
    assert b"ops_center_requests" not in answer


def test_bodies_reach_the_control_process_in_either_framing(server: LiveServer) -> None:
    wrong = b'{"email": "nobody@example.com", "password": "long enough but wrong"}'
    url, headers = f"{server.url}/api/v1/auth/login", {"content-type": "application/json"}
    assert httpx.post(url, content=wrong, headers=headers).status_code == 401
    assert httpx.post(url, content=iter([wrong[:20], wrong[20:]]), headers=headers).status_code == 401
    too_large = httpx.post(url, content=b" " * 3_000_000, headers=headers)
    assert too_large.status_code == 413


def test_a_killed_worker_takes_only_its_own_streams_along(
    server: LiveServer, simulator: SimulatorThread
) -> None:
    secret = server.create_api_key("streams", concurrent_requests=8)
    simulator.configure(tokens_per_second=40, answer_tokens=120)
    workers = pids(server, "worker")

    def stream(_: int) -> tuple[str, bool]:
        with (
            httpx.Client(base_url=server.url, timeout=20) as client,
            client.stream(
                "POST",
                "/v1/chat/completions",
                json=BODY | {"stream": True, "max_tokens": 120},
                headers={"authorization": f"Bearer {secret}"},
            ) as answer,
        ):
            try:
                return answer.headers["x-request-id"], "[DONE]" in answer.read().decode()
            except httpx.TransportError:
                return answer.headers["x-request-id"], False

    with ThreadPoolExecutor(8) as pool:
        running = [pool.submit(stream, n) for n in range(8)]
        wait_until(
            lambda: (
                sum(r.status == 200 and not r.finished and not r.client_left for r in simulator.requests) == 8
            ),
            what="eight streams",
        )
        os.kill(workers[0], signal.SIGKILL)
        ended = [each.result() for each in running]
    for request_id, whole in ended:
        if whole:
            assert server.wait_for_request(request_id)["status"] == 200
    wait_until(lambda: len(pids(server, "worker")) == 2, what="a new worker")
    simulator.reset()
    # The places of the killed streams are free again: eight at once, and all of them are answered.
    with ThreadPoolExecutor(8) as pool:
        again = list(pool.map(stream, range(8)))
    assert all(whole for _, whole in again)
    ids = [row["id"] for row in server.requests(limit=200)]
    assert len(ids) == len(set(ids))


def test_workers_serve_on_while_the_control_process_is_killed_and_comes_back(
    server: LiveServer, connections: list[httpx.Client], simulator: SimulatorThread
) -> None:
    cost = float(ask(connections[0], server.create_api_key()).headers["x-ops-cost-usd"])
    free = server.create_api_key("without limits")
    bounded = server.create_api_key("bounded twice", budget_usd=cost * 6)
    assert [ask(client, bounded).status_code for client in connections[:4]] == [200] * 4
    [control] = pids(server, "control")
    with openai.OpenAI(base_url=server.openai_url, api_key=bounded, max_retries=0) as client:
        simulator.configure(tokens_per_second=20, answer_tokens=10)
        chunks = iter(
            client.chat.completions.create(
                model="gpt-4o-mini",
                messages=[{"role": "user", "content": "hi"}],
                max_tokens=10,
                stream=True,
            )
        )
        next(chunks)
        os.kill(control, signal.SIGKILL)
        # Nothing to ask for: these are served at once, by the last snapshot.
        answers = [ask(client, free) for client in connections]
        assert {answer.status_code for answer in answers} == {200}
        finishes = [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices]
    assert finishes[-1] == "stop"
    simulator.reset()
    # With a budget: waits for somebody who counts, and the budget holds.
    wait_until(
        lambda: httpx.get(f"{server.url}/readyz", timeout=30).status_code == 200,
        seconds=30,
        what="its return",
    )
    statuses = [ask(client, bounded).status_code for client in connections[:6]]
    assert set(statuses) <= {200, 402, 503}
    assert statuses.count(200) <= 1
    for answer in answers:
        assert server.wait_for_request(answer.headers["x-request-id"], seconds=15)["status"] == 200
    ids = [row["id"] for row in server.requests(limit=200)]
    assert len(ids) == len(set(ids))
    secret = server.create_api_key("after it")
    assert {ask(client, secret).status_code for client in connections} == {200}


def test_everything_ends_with_the_supervisor_and_starts_again_without_loss(
    server: LiveServer, connections: list[httpx.Client]
) -> None:
    secret = server.create_api_key("before and after")
    answers = [ask(client, secret) for client in connections]
    before = children(server)
    server.kill()
    wait_until(lambda: not any(_runs(pid) for pid in before), seconds=10, what="the end of all its processes")
    server.restart()
    for answer in answers:
        assert server.wait_for_request(answer.headers["x-request-id"])["status"] == 200
    ids = [row["id"] for row in server.requests(limit=200)]
    assert len(ids) == len(set(ids))
    # who sent the same twice is known across workers and starts
    with httpx.Client(base_url=server.url) as client:
        again = ask(client, secret)
    server.wait_for_request(again.headers["x-request-id"])
    with closing(sqlite3.connect(server.data_dir / "ops-center.db")) as db:
        found = db.execute(
            "SELECT fingerprint, count(*) FROM usage_records WHERE api_key_name = 'before and after' GROUP BY 1"
        ).fetchall()
    assert [count for mark, count in found if mark is not None] == [CONNECTIONS + 1]


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_streams_finish_before_it_stops_and_nobody_new_is_let_in(
    server: LiveServer, simulator: SimulatorThread
) -> None:
    secret = server.create_api_key()
    simulator.configure(tokens_per_second=40, answer_tokens=60)
    before = children(server)
    with openai.OpenAI(base_url=server.openai_url, api_key=secret, max_retries=0) as client:
        chunks = iter(
            client.chat.completions.create(
                model="gpt-4o-mini", messages=[{"role": "user", "content": "x"}], stream=True
            )
        )
        next(chunks)
        assert server.process is not None
        server.process.terminate()
        wait_until(lambda: not server.listens(), what="the end of new connections")
        assert server.process.poll() is None
        finishes = [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices]
    assert finishes[-1] == "stop"
    assert server.stop() == 0
    assert not any(_runs(pid) for pid in before)
    server.restart()


def test_a_port_in_use_and_a_wrong_number_stop_the_start_with_one_line(
    server: LiveServer, tmp_path: Path
) -> None:
    for arguments, complaint in (
        (["--port", str(server.port), "--workers", "2"], f"Cannot listen on 127.0.0.1:{server.port}"),
        (["--workers", "0"], "OPS_CENTER_WORKERS"),
        (["--workers", "65"], "OPS_CENTER_WORKERS"),
    ):
        done = subprocess.run(
            [sys.executable, "-m", "ops_center.cli", "serve", "--data-dir", str(tmp_path), *arguments],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert done.returncode == 2
        assert complaint in done.stderr
        assert len(done.stderr.splitlines()) == 1


def test_a_control_process_that_cannot_start_ends_the_server(tmp_path: Path) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"postgresql://x:y@127.0.0.1:{nobody.getsockname()[1]}/none"
        server = LiveServer(
            tmp_path / "data", env={"OPS_CENTER_WORKERS": "2", "OPS_CENTER_DATABASE_URL": url}
        )
        server.launch()
        assert server.process is not None
        assert server.process.wait(30) == 2
        assert "ops-center: " in server.logs
        assert "Traceback" not in server.logs


def test_on_postgresql_a_killed_control_process_loses_no_record(
    tmp_path: Path, simulator: SimulatorThread, postgresql: PostgresqlServer
) -> None:
    url = postgresql.url(postgresql.create())
    env = {"OPS_CENTER_WORKERS": "2", "OPS_CENTER_DATABASE_URL": url}
    with LiveServer(tmp_path / "data", env=env) as server:
        server.add_provider("openai", api_key="sk-simulated", base_url=simulator.openai_url)
        secret = server.create_api_key(requests_per_minute=1000)
        with httpx.Client(base_url=server.url) as client:
            answers = [ask(client, secret) for _ in range(10)]
            os.kill(pids(server, "control")[0], signal.SIGKILL)
            answers += [ask(client, secret) for _ in range(10)]
        served = {answer.headers["x-request-id"] for answer in answers if answer.status_code == 200}
        assert {answer.status_code for answer in answers} <= {200, 503}
        assert len(served) >= 10
        wait_until(
            lambda: httpx.get(f"{server.url}/readyz", timeout=30).status_code == 200,
            seconds=30,
            what="its return",
        )
        for request_id in served:
            assert server.wait_for_request(request_id)["status"] == 200
        assert len([row for row in server.requests(limit=100) if row["status"] == 200]) == len(served)
