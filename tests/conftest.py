"""Fixtures that every test may use: the asyncio backend, a clock that only moves when told, databases.

A test that asks for `database` runs twice, on SQLite and on PostgreSQL, each time on its own fresh copy
of the migrated tables. Without a PostgreSQL server on the machine that half is left out, and said so.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

import postgresql_server
from clock import Clock
from left_out import LEFT_OUT, left_out
from ops_center.storage.database import Database
from ops_center.storage.migrate import migrate
from postgresql_server import PostgresqlServer

pytest_plugins = ["control_fixtures"]

# What takes longest begins first, so that no worker is left alone with a long file at the end.
BEGIN_FIRST = (
    "test_openapi_contract.py",
    "test_client_libraries.py",
    "test_guide.py",
    "test_known_day.py",
    "test_rollups.py",
    "test_journal.py",
    "test_people.py",
    "test_usage_page.py",
    "test_provider_keys.py",
    "test_retention.py",
    "test_explore.py",
    "test_openai_client.py",
    "test_models_page.py",
    "test_conformance.py",
    "test_benchmarks.py",
    "test_requests_page.py",
    "test_opentelemetry.py",
    "test_survival.py",
    "test_budgets_hold.py",
    "test_demo.py",
    "test_time_limits.py",
    "test_arrears.py",
    "test_budgets.py",
    "test_analytics.py",
    "test_browser_storage.py",
    "test_routing_page.py",
    "test_settings_notifications.py",
    "test_playground.py",
    "test_time_machine.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    place = {name: number for number, name in enumerate(BEGIN_FIRST)}
    items.sort(key=lambda item: place.get(item.path.name, len(place)))


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """The folder that one server would call its own; empty."""
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    return folder


@pytest.fixture(params=["sqlite", "postgresql"])
def dialect(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgresqlServer]:
    programs = postgresql_server.programs()
    if programs is None:
        left_out("PostgreSQL tests (no server installed)")
    with postgresql_server.running(programs) as server:
        yield server


@pytest.fixture(scope="session")
def postgresql_template(postgresql: PostgresqlServer, tmp_path_factory: pytest.TempPathFactory) -> str:
    name = postgresql.create()
    asyncio.run(migrate(postgresql.url(name), tmp_path_factory.mktemp("postgresql-template")))
    return name


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sqlite-template")
    asyncio.run(migrate(f"sqlite+aiosqlite:///{folder}/template.db", folder))
    return folder / "template.db"


@pytest.fixture
def empty_database_url(dialect: str, data_dir: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """A database without tables; on SQLite the file does not even exist."""
    if dialect == "sqlite":
        yield f"sqlite+aiosqlite:///{data_dir}/ops-center.db"
        return
    server: PostgresqlServer = request.getfixturevalue("postgresql")
    name = server.create()
    yield server.url(name)
    server.drop(name)


@pytest.fixture
def database_url(dialect: str, data_dir: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """A database of this test's own, with every table and no row."""
    if dialect == "sqlite":
        file = data_dir / "ops-center.db"
        shutil.copyfile(request.getfixturevalue("sqlite_template"), file)
        file.chmod(0o600)
        yield f"sqlite+aiosqlite:///{file}"
        return
    server: PostgresqlServer = request.getfixturevalue("postgresql")
    name = server.create(request.getfixturevalue("postgresql_template"))
    yield server.url(name)
    server.drop(name)


@pytest.fixture
async def database(anyio_backend: str, database_url: str) -> AsyncIterator[Database]:
    """An open database with every table and no row, on each engine in turn."""
    opened = await Database.open(database_url)
    yield opened
    await opened.close()


def _left_out(report: pytest.TestReport) -> str | None:
    """Why the test of this report was left out; None where it was not."""
    if not report.skipped or isinstance(report.longrepr, str) or report.longrepr is None:
        return None
    _, _, reason = report.longrepr  # of a skip: file, line, reason
    _, found, why = str(reason).partition(LEFT_OUT)
    return why if found else None


def pytest_report_teststatus(report: pytest.TestReport) -> tuple[str, str, str] | None:
    """Tests left out are counted as such, not listed one by one among the skipped."""
    return ("left out", "s", "LEFT OUT") if _left_out(report) else None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for reason in sorted({_left_out(report) or "" for report in terminalreporter.getreports("left out")}):
        terminalreporter.write_line(f"{LEFT_OUT}{reason}", yellow=True, bold=True)
