"""Every operation of the control API against its own document: made-up input, good and bad, and no 500.

The requests come from schemathesis, the same ones at each run. Half of them get ids that exist and other
plausible text put in, so that they go further than the first check.
"""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from control_fixtures import BASE_URL, Clients, ScriptedFetcher
from ledger_rows import add_records, record
from ops_center.control import openapi
from ops_center.control.api import create_control_app
from ops_center.control.context import Control
from ops_center.control.publish import Publisher
from ops_center.storage.database import Database
from ops_center.storage.secrets import SecretBox
from ops_center.transport.client import FetchAnswer
from ops_center.types import Role

EXAMPLES = 10  # good ones, and as many bad ones
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
MODEL_LIST = FetchAnswer(200, {}, json.dumps({"data": [{"id": "gpt-4o"}, {"id": "gpt-4o-mini"}]}).encode())


# Text that a document cannot describe and a random generator would never guess.
PLAUSIBLE = {"type": "openai", "api_key": "sk-" + "b" * 40, "base_url": None}


def put_in(fields: Any, known: dict[str, Any]) -> None:
    """Overwrite those of `fields` whose value is `known`."""
    if isinstance(fields, dict):
        fields.update((name, known[name]) for name in set(fields) & set(known))


def described_operations() -> list[Any]:
    document = openapi.document(create_control_app(None))
    for path in document["paths"].values():
        for operation in path.values():
            operation.pop("security")  # the session is ours to add, not schemathesis's to guess
    return [found.ok() for found in schemathesis.openapi.from_dict(document).get_all_operations()]


@dataclass(frozen=True)
class Filled:
    """A database with one object of each kind: made once, and copied for each test."""

    file: Path
    ids: dict[str, str]
    session: str


class World:
    """A server on SQLite, and an admin's session."""

    def __init__(self, runner: asyncio.Runner, file: Path) -> None:
        self._runner = runner
        self._file = file

    async def open(self, session: str | None = None) -> None:
        database = await Database.open(f"sqlite+aiosqlite:///{self._file}")
        box = SecretBox([bytes(32)])
        fetcher = ScriptedFetcher()
        fetcher.answers["https://api.openai.com/v1/models"] = MODEL_LIST

        def clock() -> datetime:
            return datetime(2026, 11, 23, 12, tzinfo=UTC)

        self._control = Control(
            database=database,
            secrets=box,
            http=fetcher,
            publisher=Publisher(database, box, clock),
            clock=clock,
            public_url=BASE_URL,
        )
        app = create_control_app(self._control)
        self._client = httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url=BASE_URL)
        self.session = session or await Clients(self._control, app, None).session(Role.ADMIN)  # type: ignore[arg-type]
        self._cookie = {"cookie": f"ops_center_session={self.session}"}
        await self._control.publisher.publish()

    async def fill(self) -> dict[str, str]:
        """Make one object of each kind; their ids."""
        key = await self._create("/me/api-keys", name="app")
        user = await self._create("/users", email="bob@example.com")
        provider = await self._create("/llm/providers", type="openai", api_key="sk-" + "a" * 40)
        await self._control.background.finished()
        model = await self._create("/llm/models", provider_id=provider, name="by-hand")
        rows = [record(self._control.clock() - timedelta(days=n), provider_id=provider) for n in range(5)]
        await add_records(self._control.database, rows)
        return {
            "key_id": key,
            "user_id": user,
            "provider_id": provider,
            "model_id": model,
            "request_id": rows[0]["request_id"],
        }

    async def _create(self, path: str, **body: Any) -> str:
        answer = await self._client.post(f"/api/v1{path}", json=body, headers=self._cookie)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def send(self, case: schemathesis.Case) -> httpx.Response:
        arguments = case.as_transport_kwargs(BASE_URL)
        arguments["headers"] = dict(arguments["headers"]) | self._cookie
        content = arguments.pop("data", None)
        arguments.pop("cookies", None)
        request = self._client.build_request(content=content, **arguments)
        return self._runner.run(self._client.send(request))

    async def close(self) -> None:
        await self._client.aclose()
        await self._control.background.close()
        await self._control.database.close()


@contextmanager
def world(filled: Filled, file: Path) -> Iterator[World]:
    shutil.copyfile(filled.file, file)
    with asyncio.Runner() as runner:
        made = World(runner, file)
        runner.run(made.open(filled.session))
        try:
            yield made
        finally:
            runner.run(made.close())


@pytest.fixture(scope="module")
def filled(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Filled:
    file = tmp_path_factory.mktemp("filled") / "contract.db"
    with asyncio.Runner() as runner:
        shutil.copyfile(sqlite_template, file)
        made = World(runner, file)
        runner.run(made.open())
        ids = runner.run(made.fill())
        runner.run(made.close())
    return Filled(file, ids, made.session)


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=lambda m: m.value)
@pytest.mark.parametrize("operation", described_operations(), ids=lambda op: op.definition.raw["operationId"])
def test_an_operation_keeps_to_its_document(
    operation: Any, mode: GenerationMode, filled: Filled, tmp_path: Path
) -> None:
    if mode is GenerationMode.NEGATIVE and not (
        operation.body or operation.query or operation.path_parameters
    ):
        return  # nothing that could be wrong
    with world(filled, tmp_path / "contract.db") as running:
        count = 0

        @settings(
            max_examples=EXAMPLES,
            derandomize=True,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def try_one(case: schemathesis.Case) -> None:
            nonlocal count
            count += 1
            if count % 2:
                put_in(case.path_parameters, filled.ids)
                if mode is GenerationMode.POSITIVE:
                    fresh = {"email": f"user{count}@example.com", "name": f"name {count}"}
                    put_in(case.body, filled.ids | PLAUSIBLE | fresh)
            answer = running.send(case)
            case.validate_response(answer, checks=CHECKS)
            if answer.status_code >= 400:
                assert set(answer.json()) == {"error"}

        try_one()
        assert count > 0
