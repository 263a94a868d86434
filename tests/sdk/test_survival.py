"""A server that is killed in the middle of its work loses no record and counts none twice."""

from __future__ import annotations

from pathlib import Path

import openai

from live import LiveServer, SimulatorThread


def test_no_record_is_lost_or_doubled_by_kill_minus_nine(tmp_path: Path) -> None:
    with SimulatorThread() as simulator, LiveServer(tmp_path / "data") as server:
        server.add_provider("openai", api_key="sk-simulated", base_url=simulator.openai_url)
        secret = server.create_api_key()
        answered: set[str] = set()
        for _ in range(2):
            with openai.OpenAI(base_url=server.openai_url, api_key=secret, max_retries=0) as client:
                for number in range(5):
                    raw = client.chat.completions.with_raw_response.create(
                        model="gpt-4o-mini",
                        messages=[{"role": "user", "content": str(number)}],
                        stream=number % 2 == 0,
                    )
                    if number % 2 == 0:
                        for _chunk in raw.parse():
                            pass
                    answered.add(raw.headers["x-request-id"])
                server.kill()
            server.restart()
        rows = server.requests(limit=100)
        assert {row["id"] for row in rows} == answered
        assert len(rows) == len(answered) == 10
        assert all(row["cost_source"] == "computed" and row["cost_usd"] > 0 for row in rows)
        assert sum(row["output_tokens"] for row in rows) == simulator.totals.output_tokens
        usage = server.admin.get("/llm/usage", params={"period": "7d"}).json()
        assert usage["totals"]["calls"] == 10


def test_session_and_key_survive_a_restart(tmp_path: Path) -> None:
    with LiveServer(tmp_path / "data") as server:
        server.create_api_key()
        cookies = dict(server.admin.cookies)
        assert server.stop() == 0
        server.restart()
        with server.client() as client:
            client.cookies.update(cookies)
            assert client.get("/auth/me").json()["user"]["role"] == "admin"
            assert len(client.get("/me/api-keys").json()["api_keys"]) == 1


def test_answer_under_way_is_finished_before_the_server_stops(tmp_path: Path) -> None:
    with SimulatorThread() as simulator, LiveServer(tmp_path / "data") as server:
        server.add_provider("openai", api_key="sk-simulated", base_url=simulator.openai_url)
        simulator.configure(tokens_per_second=100, answer_tokens=60)
        secret = server.create_api_key()
        with openai.OpenAI(base_url=server.openai_url, api_key=secret, max_retries=0) as client:
            stream = client.chat.completions.create(
                model="gpt-4o-mini", messages=[{"role": "user", "content": "x"}], stream=True
            )
            chunks = iter(stream)
            next(chunks)
            assert server.process is not None
            server.process.terminate()
            finishes = [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices]
        assert finishes[-1] == "stop"
