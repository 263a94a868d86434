"""The real server, `ops-center serve`, set up over its own control API with everything on that costs time.

API-key check, routing, a rate limit and a budget on the key (with its reservation), and the durable ledger.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Collection
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.bodies import Question
from benchmarks.processes import BenchmarkError, Child, free_port

SWITCHED_ON = (
    "API-key check",
    "routing",
    "rate limit of the API key",
    "budget of the API key, reserved before and settled after each request",
    "failover",
    "durable usage ledger (journal, then SQLite)",
    "prices from the catalogue",
    "metrics",
    "both planes in one process, one worker",
)

_EMAIL = "admin@example.com"
_PASSWORD = "benchmark on loopback only"
_READY_SECONDS = 90.0


class Gateway(Child):
    """A running server. A second one on the same data directory is a restart."""

    def __init__(
        self,
        data_dir: Path,
        *,
        cores: Collection[int],
        log: Path,
        session: str = "",
        workers: int = 1,
        database_url: str | None = None,
    ) -> None:
        """`session` is the cookie of an earlier server on the same data. Without `database_url`: SQLite there."""
        self.port = free_port()
        self.session = session
        env = {name: value for name, value in os.environ.items() if not name.startswith("OPS_CENTER_")}
        env |= {"OPS_CENTER_ADMIN_EMAIL": _EMAIL, "OPS_CENTER_ADMIN_PASSWORD": _PASSWORD}
        if database_url is not None:
            env["OPS_CENTER_DATABASE_URL"] = database_url
        options = ["--port", str(self.port), "--data-dir", str(data_dir), "--workers", str(workers)]
        self.spawned = time.monotonic()
        super().__init__(
            [sys.executable, "-m", "ops_center.cli", "serve", *options],
            name="ops-center",
            cores=cores,
            log=log,
            env=env,
        )

    def wait_until_ready(self) -> float:
        """Seconds from the start of the process to the first 200 of `/readyz`."""
        self.until(lambda: self._answers("GET", "/readyz"), "getting ready", _READY_SECONDS)
        return time.monotonic() - self.spawned

    def wait_for_first_answer(self, question: Question, api_key: str) -> float:
        """Seconds from the start of the process to the end of the first answered chat request."""
        headers = {"authorization": f"Bearer {api_key}", "content-type": "application/json"}
        self.until(
            lambda: self._answers("POST", "/v1/chat/completions", question.body, headers),
            "answering the first request",
            _READY_SECONDS,
        )
        return time.monotonic() - self.spawned

    def _answers(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> bool:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, path, body, headers or {})
            return connection.getresponse().status == 200
        except (OSError, HTTPException):
            return False
        finally:
            connection.close()

    def control(self, method: str, path: str, body: object = None) -> Any:
        """A call of the control API as its admin. Raises BenchmarkError for any status but 2xx."""
        if not self.session and path != "/auth/login":
            self.control("POST", "/auth/login", {"email": _EMAIL, "password": _PASSWORD})
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            headers = {"content-type": "application/json", "cookie": self.session}
            connection.request(
                method, f"/api/v1{path}", None if body is None else msgspec.json.encode(body), headers
            )
            answer = connection.getresponse()
            data = answer.read()
            if not 200 <= answer.status < 300:
                raise BenchmarkError(f"{method} {path}: HTTP {answer.status}: {data[:500]!r}")
            cookie = answer.getheader("set-cookie")
            if cookie:
                self.session = cookie.partition(";")[0]
            return msgspec.json.decode(data) if data else None
        finally:
            connection.close()

    def add_provider(self, type: str, base_url: str, **more: str) -> str:
        """Add a provider on loopback and wait until its models are known; its id."""
        provider = self.control(
            "POST",
            "/llm/providers",
            {
                "type": type,
                "api_key": "sk-benchmark",
                "base_url": base_url,
                "allow_private_network": True,
                **more,
            },
        )

        def known() -> bool:
            now = self.control("GET", f"/llm/providers/{provider['id']}")["discovery"]
            if now["status"] == "failed":
                raise BenchmarkError(f"the models of {type} were not found: {now['message']}")
            return bool(now["status"] == "ok")

        self.until(known, "finding models")
        return str(provider["id"])

    def create_api_key(self) -> str:
        """A key with a rate limit and a budget, both too high to be reached."""
        limits = {"requests_per_minute": 1_000_000, "budget_usd": 1_000_000}
        secret: str = self.control("POST", "/me/api-keys", {"name": "benchmark", **limits})["secret"]
        return secret

    def recorded_calls(self) -> int:
        """How many requests stand in the ledger."""
        return int(self.control("GET", "/llm/usage?period=7d")["totals"]["calls"])
