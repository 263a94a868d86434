"""`python -m benchmarks.analytics`: a large ledger, made up, and how fast everything that reads it answers.

The server is the real one, asked over HTTP. `--database` names an empty PostgreSQL database; without it the
ledger is SQLite in a folder that is thrown away. Measures dashboards, pages of the request list, and both again
while records arrive at 2,000 a second through the journal.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import math
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import msgspec
from sqlalchemy import func, select, text

from benchmarks.gateway import Gateway
from benchmarks.machine import Machine, Neighbours, cores, describe
from benchmarks.processes import BenchmarkError
from benchmarks.results import RESULTS
from ops_center import __version__
from ops_center.storage.database import Database
from ops_center.storage.journal import UsageJournal
from ops_center.storage.journal.rows import RECORD_COLUMNS
from ops_center.storage.migrate import migrate
from ops_center.storage.partitions import DAY_US, DETAILS, Partitions
from ops_center.storage.rollups.rebuild import close, rebuild
from ops_center.storage.rollups.store import change_state, read_state
from ops_center.storage.rollups.sums import COLUMNS, KINDS_OF
from ops_center.storage.tables import usage_days, usage_hours, usage_quarters, usage_records
from ops_center.types import CostSource, Usage, UsageRecord, new_id

DAYS = 90
KEYS, USERS, TEAMS, PROVIDERS, MODELS_EACH = 300, 100, 12, 8, 5
_DASHBOARD_MS, _PAGE_MS = 200, 100

_EXPLORE = "/llm/usage/explore?metric="
DASHBOARDS: Mapping[str, str] = {
    **{f"usage {period}": f"/llm/usage?period={period}" for period in ("7d", "30d", "90d", "all")},
    "usage 24h by hour": "/llm/usage?period=24h&bucket=hour",
    **{
        f"cost by {group}, 90 d": f"{_EXPLORE}cost&period=90d&group={group}"
        for group in ("provider", "model", "user", "team", "api_key", "tag", "credential", "status")
    },
    "calls by key, 24 h by hour": f"{_EXPLORE}calls&period=24h&bucket=hour&group=api_key",
    "p95 by provider, 90 d": f"{_EXPLORE}latency_p95&period=90d&group=provider",
    "p95 by key, 90 d": f"{_EXPLORE}latency_p95&period=90d&group=api_key",
    "first chunk by model, 30 d": f"{_EXPLORE}time_to_first_chunk_p95&period=30d&group=model",
    "cost by model of a provider, 90 d": f"{_EXPLORE}cost&period=90d&group=model&provider_id=prov_1",
    "cost by model of a user, 90 d": f"{_EXPLORE}cost&period=90d&group=model&user_id=usr_7",
    "errors by provider, 30 d": f"{_EXPLORE}errors&period=30d&group=provider&status=error",
    "p95 by model of a provider, 30 d": f"{_EXPLORE}latency_p95&period=30d&group=model&provider_id=prov_1",
    "cost by model, own keys left out, 30 d": f"{_EXPLORE}cost&period=30d&group=model&credential=platform",
    "cost by key of a provider, 90 d": f"{_EXPLORE}cost&period=90d&group=api_key&provider_id=prov_1",
    "cost by user on the platform's keys, 90 d": f"{_EXPLORE}cost&period=90d&group=user&credential=platform",
    "calls by key that failed, 90 d": f"{_EXPLORE}calls&period=90d&group=api_key&status=error",
    "cost by model of a team, 30 d": f"{_EXPLORE}cost&period=30d&group=model&team_id=team_1",
    "p95 by model of a user, 90 d": f"{_EXPLORE}latency_p95&period=90d&group=model&user_id=usr_7",
    "cost by model of a user, 7 d by hour": f"{_EXPLORE}cost&period=7d&bucket=hour&group=model&user_id=usr_7",
    "cost by key of a provider that failed, 30 d": (
        f"{_EXPLORE}cost&period=30d&group=api_key&status=error&provider_id=prov_1"
    ),
    "home page": "/home",
    "savings": "/llm/savings",
    "providers' cards": "/llm/providers",
    "API keys": "/llm/api-keys",
    "own keys": "/llm/byok/summary",
}
PAGES: Mapping[str, str] = {
    "newest": "/llm/requests?limit=50",
    "of a provider": "/llm/requests?limit=50&provider_id=prov_3",
    "of a rare model": "/llm/requests?limit=50&model=model-7-4",
    "of a key": "/llm/requests?limit=50&api_key_id=key_250",
    "errors": "/llm/requests?limit=50&status=error",
    "errors of a user": "/llm/requests?limit=50&status_code=429&user_id=usr_7",
    "search that finds nothing": "/llm/requests?limit=50&search=no-such-thing",
    "a month ago": "/llm/requests?limit=50&to_at={month_ago}",
}


class Timing(msgspec.Struct, frozen=True):
    """On the clock; and CPU time of the server, which a busy machine does not change (SQLite's is in it)."""

    p50_ms: float
    p95_ms: float
    cpu_ms: float | None = None


class Ingest(msgspec.Struct, frozen=True):
    """What happened while records arrived and dashboards were read."""

    records_per_second: float
    records: int
    behind_seconds: float  # until the last record was in the tables
    cpu_us_per_record: float  # of the server, alone with the records
    dashboards: Timing
    pages: Timing


class Result(msgspec.Struct, frozen=True):
    version: str
    measured_at: str
    machine: Machine
    neighbours: float
    engine: str
    records: int
    database_mb: float
    dashboards: dict[str, Timing]
    pages: dict[str, Timing]
    ingest: Ingest


# -- the ledger -----------------------------------------------------------------------------------------


def _made_up(dialect: str) -> str:
    """Rows `first` to `last` of the made-up ledger, made by the database itself: spread evenly over time, the keys
    unevenly, each with a handful of models at three providers."""

    def dice(salt: int, sides: int) -> str:
        return f"(((n * 7919 + {salt}) * 104729 + (n / 97) * {salt * 31 + 7}) % 1000003 % {sides})"

    if dialect == "sqlite":
        numbers = (
            "WITH RECURSIVE numbers(n) AS (SELECT :first UNION ALL SELECT n + 1 FROM numbers WHERE n < :last)"
        )
        request_id = "'req_' || printf('%012x%014x', at / 1000, n)"
        power, true, false = "* (d1 / 1000.0) * (d1 / 1000.0)", "1", "0"
        tags = "CASE WHEN k % 5 = 0 THEN '[\"batch\"]' END"
        numbers_n = "SELECT n FROM numbers"
    else:
        numbers = "WITH numbers(n) AS (SELECT generate_series(CAST(:first AS BIGINT), CAST(:last AS BIGINT)))"
        request_id = "'req_' || lpad(to_hex(at / 1000), 12, '0') || lpad(to_hex(n), 14, '0')"
        power, true, false = "* (d1 / 1000.0) * (d1 / 1000.0)", "true", "false"
        tags = "CASE WHEN k % 5 = 0 THEN CAST('[\"batch\"]' AS JSON) END"
        numbers_n = "SELECT n FROM numbers"
    columns = {
        "request_id": request_id,
        "started_at": "at",
        "duration_seconds": f"0.2 + 20.0 {power}",
        "time_to_first_chunk_seconds": f"CASE WHEN d2 % 2 = 0 THEN 0.1 + 2.0 {power} END",
        "endpoint": "'chat/completions'",
        "status": "CASE WHEN d3 < 970 THEN 200 WHEN d3 < 985 THEN 429 WHEN d3 < 995 THEN 502 ELSE 499 END",
        "finish_reason": "'stop'",
        "stream": f"CASE WHEN d2 % 2 = 0 THEN {true} ELSE {false} END",
        "requested_model": "'model-' || p || '-' || m",
        "api_key_id": "'key_' || k",
        "api_key_name": "'program ' || k",
        "user_id": f"'usr_' || (k % {USERS})",
        "user_email": f"'person' || (k % {USERS}) || '@example.com'",
        "team_id": f"'team_' || (k % {TEAMS})",
        "team_name": f"'Team ' || (k % {TEAMS})",
        "provider_id": "'prov_' || p",
        "provider_name": "'Provider ' || p",
        "provider_type": "'custom'",
        "model": "'model-' || p || '-' || m",
        "credential_source": "'platform'",
        "input_tokens": "200 + d1 * 3",
        "output_tokens": "20 + d2",
        "cache_read_tokens": "CASE WHEN d1 < 300 THEN 100 ELSE 0 END",
        "cache_write_tokens": "0",
        "cache_write_1h_tokens": "0",
        "reasoning_tokens": "0",
        "cost_usd": "CASE WHEN d3 % 50 = 0 THEN NULL ELSE (200 + d1 * 3) * 150 + (20 + d2) * 600 END",
        "cost_source": "CASE WHEN d3 % 50 = 0 THEN 'unknown' WHEN d3 % 50 = 1 THEN 'estimated' ELSE 'computed' END",
        "price_source": "'models.dev 2026-07-02'",
        "tags": tags,
        "fingerprint": "CASE WHEN d1 % 20 = 0 THEN d2 ELSE n END",  # some requests are sent again
        "opening": "CASE WHEN d2 % 2 = 0 THEN k * 100 + d1 % 100 END",
        "opening_tokens": "CASE WHEN d2 % 2 = 0 THEN 2000 END",
        "demo": true,
    }
    assert columns.keys() <= set(RECORD_COLUMNS)
    return f"""
        INSERT INTO usage_records ({", ".join(columns)})
        {numbers}, diced AS (
            SELECT n, CAST(:oldest + (n * :span) / :count AS BIGINT) AS at,
                {dice(11, 1000)} AS d1, {dice(23, 1000)} AS d2, {dice(37, 1000)} AS d3,
                ({dice(41, KEYS)} * {dice(53, KEYS)}) / {KEYS} AS k, {dice(67, 3)} AS d4, {dice(71, 2)} AS d5
            FROM ({numbers_n}) AS every_number
        ), placed AS (SELECT *, (k + d4) % {PROVIDERS} AS p, (k + d5) % {MODELS_EACH} AS m FROM diced)
        SELECT {", ".join(columns.values())} FROM placed
    """


async def fill(url: str, data_dir: Path, count: int, now: datetime, *, days: int = DAYS) -> int:
    """Make `count` records of the days before today, and the sums that belong to them, where there are none; how many
    there are.

    One day is made up and added up as the product does it. All others are like it, sums too, so that ten million
    records take minutes; `ops-center verify-usage` finds no difference.
    """
    await migrate(url, data_dir)
    database = await Database.open(url)
    try:
        async with database.read() as connection:
            found = (await connection.execute(select(func.count()).select_from(usage_records))).scalar_one()
        if found:
            return int(found)
        today = int(now.timestamp() * 1e6) // DAY_US
        of_day = count // days
        await _begin_days(database, today - days, days)
        if database.dialect == "sqlite":
            async with database.write() as connection:  # room for the indexes, for as long as they are filled
                await connection.exec_driver_sql("PRAGMA cache_size = -2000000")
        async with database.write() as connection:
            values = {
                "first": 0,
                "last": of_day - 1,
                "oldest": (today - days) * DAY_US,
                "span": DAY_US,
                "count": of_day,
            }
            await connection.execute(text(_made_up(database.dialect)), values)
        started = time.process_time()
        await rebuild(database)
        await close(database, now)
        seconds = time.process_time() - started
        print(f"{of_day:,} records of a day added up in {seconds * 1e6 / of_day:.1f} µs each", flush=True)
        repeat = [text(statement) for statement in _repeated(database.dialect)]
        for day in range(1, days):
            values = {"by": day, "day_us": DAY_US, "from_us": (today - days) * DAY_US, "day": today - days}
            async with database.write() as connection:
                for statement in repeat:
                    await connection.execute(statement, values)
            print(f"\r{of_day * (day + 1):,} records", end="", flush=True)
        print(flush=True)
        async with database.write() as connection:
            await change_state(connection, days_until=today, hours_until=today * 24, weeks_until=0)
        await close(database, now)
        if database.dialect == "postgresql":
            async with database.write() as connection:
                await connection.exec_driver_sql("ANALYZE")
        return of_day * days
    finally:
        await database.close()


async def _begin_days(database: Database, first: int, days: int) -> None:
    """On PostgreSQL a partition for each day, as if the installation had been there all the time."""
    if database.dialect != "postgresql":
        return
    async with database.write() as connection:
        for table in DETAILS:
            before = f"{table.name}_before"
            await connection.exec_driver_sql(f"ALTER TABLE {table.name} DETACH PARTITION {before}")
            await connection.exec_driver_sql(
                f"ALTER TABLE {table.name} ATTACH PARTITION {before} FOR VALUES FROM (MINVALUE) TO ({first * DAY_US})"
            )
        await change_state(connection, partitions_from=first)
        state = await read_state(connection)
        await Partitions(database).prepare(connection, range(first, first + days + 2), state)


def _repeated(dialect: str) -> list[str]:
    """Statements that put what there is of one day `by` days later."""
    later = "CAST(:by AS BIGINT) * CAST(:day_us AS BIGINT)"
    moved = {
        "started_at": f"started_at + {later}",
        "request_id": f"'req_' || printf('%012x', (started_at + {later}) / 1000) || substr(request_id, 17)"
        if dialect == "sqlite"
        else f"'req_' || lpad(to_hex((started_at + {later}) / 1000), 12, '0') || substr(request_id, 17)",
    }
    chosen = ", ".join(moved.get(name, name) for name in RECORD_COLUMNS)
    statements = [
        f"INSERT INTO usage_records ({', '.join(RECORD_COLUMNS)}) SELECT {chosen} FROM usage_records "
        "WHERE started_at >= CAST(:from_us AS BIGINT) AND started_at < CAST(:from_us AS BIGINT) + CAST(:day_us AS BIGINT)"
    ]
    for table, slots in ((usage_quarters, 96), (usage_hours, 24), (usage_days, 1)):
        by = f"CAST(:by AS INTEGER) * {slots}"
        moved = {"slot": f"slot + {by}", "last_started_at": f"last_started_at + {later}"}
        chosen = ", ".join(moved.get(name, name) for name in COLUMNS)
        first = f"CAST(:day AS INTEGER) * {slots}"
        statements += [
            f"INSERT INTO {table.name} ({', '.join(COLUMNS)}) SELECT {chosen} FROM {table.name} "
            f"WHERE kind = '{kind}' AND slot >= {first} AND slot < {first} + {slots}"
            for kind in KINDS_OF[table]
        ]
    return statements


async def size_mb(url: str) -> float:
    database = await Database.open(url)
    try:
        async with database.read() as connection:
            query = (
                "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"
                if database.dialect == "sqlite"
                else "SELECT pg_database_size(current_database())"
            )
            return float((await connection.execute(text(query))).scalar_one()) / 1e6
    finally:
        await database.close()


# -- asking ---------------------------------------------------------------------------------------------


def timed(gateway: Gateway, path: str, times: int) -> Timing:
    taken = []
    gateway.control("GET", path)
    cpu = gateway.cpu_seconds()
    for _ in range(times):
        started = time.perf_counter()
        gateway.control("GET", path)
        taken.append((time.perf_counter() - started) * 1000)
    timing = _timing(taken)
    cpu_ms = (gateway.cpu_seconds() - cpu) * 1000 / times
    return msgspec.structs.replace(timing, cpu_ms=round(cpu_ms, 1))


def _timing(taken: list[float]) -> Timing:
    ordered = sorted(taken)
    return Timing(round(ordered[len(ordered) // 2], 1), round(ordered[math.ceil(0.95 * len(ordered)) - 1], 1))


def record_now(number: int) -> UsageRecord:
    """One of those that arrive while dashboards are read."""
    key, provider = (number * 7919) % KEYS, number % PROVIDERS
    return UsageRecord(
        request_id=new_id("req"),
        started_at=datetime.now(UTC),
        duration_seconds=0.5 + number % 100 / 50,
        endpoint="chat/completions",
        status=200,
        requested_model=f"model-{provider}-1",
        api_key_id=f"key_{key}",
        api_key_name=f"program {key}",
        user_id=f"usr_{key % USERS}",
        user_email=f"person{key % USERS}@example.com",
        team_id=f"team_{key % TEAMS}",
        team_name=f"Team {key % TEAMS}",
        provider_id=f"prov_{provider}",
        provider_name=f"Provider {provider}",
        provider_type="custom",
        model=f"model-{provider}-1",
        usage=Usage(input_tokens=500, output_tokens=100),
        cost_usd=Decimal("0.00042"),
        cost_source=CostSource.COMPUTED,
        price_source="models.dev 2026-07-02",
    )


def arriving(journal: UsageJournal, per_second: int, seconds: float) -> int:
    """Write records at a steady rate; how many."""
    started, written = time.monotonic(), 0
    while (elapsed := time.monotonic() - started) < seconds:
        for _ in range(int(elapsed * per_second) - written):
            journal.record(record_now(written))
            written += 1
        time.sleep(0.01)
    return written


def ingest(
    gateway: Gateway, data_dir: Path, per_second: int, seconds: float, pages: Mapping[str, str]
) -> Ingest:
    def calls() -> int:
        return int(gateway.control("GET", "/llm/usage?period=all")["totals"]["calls"])

    def once(path: str) -> float:
        started = time.perf_counter()
        gateway.control("GET", path)
        return (time.perf_counter() - started) * 1000

    journal = UsageJournal(data_dir / "journal")
    try:
        gateway.until_quiet()
        cpu = gateway.cpu_seconds()
        alone = arriving(journal, per_second, seconds / 4)
        gateway.until_quiet()
        cpu_us = (gateway.cpu_seconds() - cpu) * 1e6 / alone
        before = calls()
        counted: list[int] = []
        writer = threading.Thread(target=lambda: counted.append(arriving(journal, per_second, seconds)))
        writer.start()
        of_dashboards, of_pages = [], []
        while writer.is_alive():
            for path in DASHBOARDS.values():
                of_dashboards.append(once(path))
            for path in pages.values():
                of_pages.append(once(path))
        writer.join()
        ended = time.monotonic()
        gateway.until(lambda: calls() >= before + counted[0], "bringing all records into the tables", 120)
        behind = time.monotonic() - ended
        return Ingest(
            round(counted[0] / seconds, 1),
            counted[0],
            round(behind, 2),
            round(cpu_us, 1),
            _timing(of_dashboards),
            _timing(of_pages),
        )
    finally:
        journal.close()


# -- the run --------------------------------------------------------------------------------------------


def measure(
    records: int, database_url: str | None, folder: Path | None, times: int, seconds: float
) -> Result:
    neighbours = Neighbours()
    thrown_away = tempfile.TemporaryDirectory(prefix="ops-center-analytics-")
    with thrown_away if folder is None else contextlib.nullcontext(folder) as used:
        data_dir = Path(used)
        url = database_url or f"sqlite+aiosqlite:///{data_dir}/ops-center.db"
        now = datetime.now(UTC)
        records = asyncio.run(fill(url, data_dir, records, now))
        month_ago = (now - timedelta(days=30)).strftime("%Y-%m-%dT%H:%M:%SZ")
        pages = {name: path.format(month_ago=month_ago) for name, path in PAGES.items()}
        with Gateway(
            data_dir, cores=cores().measured, log=data_dir / "server.log", database_url=database_url
        ) as gateway:
            gateway.wait_until_ready()

            def asked(paths: Mapping[str, str]) -> dict[str, Timing]:
                found = {}
                for name, path in paths.items():
                    found[name] = timed(gateway, path, times)
                    print(
                        f"  {name}: {found[name].p50_ms} ms, p95 {found[name].p95_ms} ms, CPU {found[name].cpu_ms} ms",
                        flush=True,
                    )
                return found

            dashboards, listed = asked(DASHBOARDS), asked(pages)
            arrived = ingest(gateway, data_dir, 2000, seconds, pages)
            print(f"  while records arrive: {arrived}", flush=True)
        return Result(
            version=__version__,
            measured_at=now.strftime("%Y-%m-%dT%H:%MZ"),
            machine=describe(None),
            neighbours=neighbours.share(),
            engine="postgresql" if database_url else "sqlite",
            records=records,
            database_mb=round(asyncio.run(size_mb(url)), 1),
            dashboards=dashboards,
            pages=listed,
            ingest=arrived,
        )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.analytics", description=__doc__)
    parser.add_argument("--records", type=int, default=10_000_000)
    parser.add_argument("--database", help="URL of an empty PostgreSQL database; SQLite without it")
    parser.add_argument(
        "--folder", type=Path, help="keep the ledger here; one that is filled is used as it is"
    )
    parser.add_argument("--times", type=int, default=20, help="how often each question is asked")
    parser.add_argument("--seconds", type=float, default=20, help="how long records arrive")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder for the JSON")
    options = parser.parse_args()
    try:
        result = measure(options.records, options.database, options.folder, options.times, options.seconds)
    except BenchmarkError as error:
        print(f"\nno result: {error}", file=sys.stderr)
        return 1
    slow = [
        f"{name}: p95 {timing.p95_ms} ms, at most {most} were wanted"
        for found, most in ((result.dashboards, _DASHBOARD_MS), (result.pages, _PAGE_MS))
        for name, timing in found.items()
        if timing.p95_ms > most
    ]
    print("\n".join(slow) if slow else "everything is as quick as wanted")
    target = options.out / f"analytics-{result.engine}-{__version__}.json"
    target.write_bytes(msgspec.json.format(msgspec.json.encode(result), indent=2) + b"\n")
    print(f"written: {target}; other processes took {result.neighbours:.0%} of the machine")
    return 0


if __name__ == "__main__":
    sys.exit(main())
