"""What the simulated providers served: their own books, to compare a gateway's totals with."""

from __future__ import annotations

import hashlib
from collections import deque
from decimal import Decimal
from typing import Any

import msgspec

from ops_center.simulator.reply import Request


class RequestLog(msgspec.Struct, kw_only=True):
    """One request as it arrived, and what became of it. Filled in while the answer goes out."""

    number: int  # from 1
    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes
    family: str = ""
    key: str = ""
    model: str = ""
    stream: bool = False
    status: int | None = None  # None: no headers went out
    fault: str | None = None
    input_tokens: int = 0
    output_tokens: int = 0  # those that went out; fewer than the answer has when the client left
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cost_usd: Decimal | None = None
    events_sent: int = 0
    finished: bool = False  # everything that was to be sent was sent
    client_left: bool = False  # the client closed the connection before that

    @property
    def body_sha256(self) -> str:
        return hashlib.sha256(self.body).hexdigest()

    @property
    def json(self) -> Any:
        """The decoded body."""
        return msgspec.json.decode(self.body)

    def as_json(self) -> dict[str, Any]:
        """For `GET /__simulator/requests`."""
        shown: dict[str, Any] = {
            field: getattr(self, field) for field in self.__struct_fields__ if field != "body"
        }
        shown["body"] = self.body.decode("utf-8", "replace")
        shown["body_sha256"] = self.body_sha256
        shown["cost_usd"] = None if self.cost_usd is None else float(self.cost_usd)
        return shown


class Totals(msgspec.Struct, kw_only=True):
    """Sums over the inference calls that were answered with 200."""

    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: Decimal = Decimal(0)

    def add(self, entry: RequestLog) -> None:
        self.calls += 1
        self.input_tokens += entry.input_tokens
        self.output_tokens += entry.output_tokens
        self.cost_usd += entry.cost_usd or 0


class Books:
    """The log of requests (bounded) and the totals (exact, whatever the log forgot)."""

    def __init__(self, keep: int) -> None:
        self.requests: deque[RequestLog] = deque(maxlen=keep)
        self.received = 0
        self.refused = 0
        self.totals = Totals()
        self.by_model: dict[str, Totals] = {}
        self.by_key: dict[str, Totals] = {}

    def open(self, request: Request) -> RequestLog:
        self.received += 1
        entry = RequestLog(
            number=self.received,
            method=request.method,
            path=request.path,
            query=request.query,
            headers=request.headers,
            body=request.body,
        )
        self.requests.append(entry)
        return entry

    def close(self, entry: RequestLog) -> None:
        """Add a call to the totals once nothing more of it will go out."""
        if not entry.model:
            return
        if entry.status != 200:
            self.refused += 1
            return
        self.totals.add(entry)
        self.by_model.setdefault(entry.model, Totals()).add(entry)
        self.by_key.setdefault(entry.key, Totals()).add(entry)

    def as_json(self) -> dict[str, Any]:
        """For `GET /__simulator/ledger`."""
        return {
            "received": self.received,
            "refused": self.refused,
            "totals": _shown(self.totals),
            "by_model": {name: _shown(totals) for name, totals in self.by_model.items()},
        }


def _shown(totals: Totals) -> dict[str, Any]:
    return {
        "calls": totals.calls,
        "input_tokens": totals.input_tokens,
        "output_tokens": totals.output_tokens,
        "cost_usd": float(totals.cost_usd),
    }
