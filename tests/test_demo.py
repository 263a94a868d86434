"""The demo's traffic is made up, but its arithmetic is not."""

from __future__ import annotations

import itertools
import re
import time
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import httpx
import pytest
from sqlalchemy import func, select

from live import LiveServer, wait_until
from ops_center.catalog.pricing import price_usage
from ops_center.control.access import Actor
from ops_center.control.alerts.service import list_alerts
from ops_center.control.alerts.watch import look
from ops_center.control.byok import service as byok
from ops_center.control.context import Control, utc_now
from ops_center.control.providers import service as providers
from ops_center.control.publish import Publisher
from ops_center.control.savings.service import get_savings
from ops_center.control.users import service as users
from ops_center.demo.company import ADMIN_EMAIL, PROGRAMS, PROVIDERS, RETIRES_SOON
from ops_center.demo.seed import seed_demo
from ops_center.demo.start import simulated_providers
from ops_center.demo.traffic import KeyOwner, Served, make_traffic
from ops_center.providers.registry import provider_spec
from ops_center.simulator.catalogues import models_of
from ops_center.snapshot import Provider, Target, api_key_digest
from ops_center.storage.database import Database
from ops_center.storage.migrate import migrate
from ops_center.storage.secrets import load_master_key
from ops_center.storage.tables import api_keys, attempts, usage_records
from ops_center.transport.client import HttpClient
from ops_center.types import CostSource, Price, Role, Usage, UsageRecord

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)  # a Monday
OWNERS = {
    program.key_name: KeyOwner(
        api_key_id=f"key_{n}",
        api_key_name=program.key_name,
        user_id=f"usr_{n}",
        user_email=program.user_email,
    )
    for n, program in enumerate(PROGRAMS)
}


def targets() -> list[Target]:
    """Every model that the simulated providers list, at their list's price."""
    found = []
    for number, row in enumerate(PROVIDERS):
        provider = Provider(
            id=f"prov_{number}",
            name=row.name,
            spec=provider_spec(row.type),
            base_url="http://127.0.0.1/v1",
            priority=row.priority,
        )
        for model in models_of(row.type).values():  # type: ignore[arg-type]
            price = None
            if model.input_mtok is not None and model.output_mtok is not None:
                price = Price(
                    input_mtok=model.input_mtok,
                    output_mtok=model.output_mtok,
                    cache_read_mtok=model.cache_read_mtok,
                    cache_write_mtok=model.cache_write_mtok,
                    source="simulator",
                    as_of="2026-07-02",
                )
            found.append(
                Target(
                    id=f"mdl_{number}_{model.id}",
                    provider=provider,
                    model=model.id,
                    price=price,
                    context_window=model.context_window,
                    max_output_tokens=model.max_output_tokens,
                )
            )
    return found


TARGETS = targets()
PRICES = {(target.provider.id, target.model): target.price for target in TARGETS}


def traffic(days: int = 90, seed: int = 7) -> list[UsageRecord]:
    return list(make_traffic(PROGRAMS, OWNERS, Served.of(TARGETS), now=NOW, days=days, seed=seed))


@pytest.fixture(scope="module")
def records() -> list[UsageRecord]:
    return traffic()


def test_same_seed_makes_the_same_traffic() -> None:
    assert traffic(days=5) == traffic(days=5)
    assert traffic(days=5) != traffic(days=5, seed=8)


def test_every_model_of_a_program_is_served_by_the_simulated_providers() -> None:
    served = Served.of(TARGETS)
    wanted = {(provider, model) for program in PROGRAMS for provider, model, _ in program.models}
    assert wanted <= set(served.by_place)


def test_every_cost_is_what_the_pricing_function_says(records: list[UsageRecord]) -> None:
    answered = [record for record in records if record.status == 200]
    assert len(answered) > 10_000
    for record in answered:
        price = PRICES[record.provider_id or "", record.model or ""]
        assert record.cost_usd == price_usage(record.usage, price)
        if price is None:
            assert record.cost_source is CostSource.UNKNOWN
        elif record.provider_type == "openrouter":
            assert record.cost_source is CostSource.PROVIDER
            assert record.usage.provider_cost_usd == record.cost_usd
        else:
            assert record.cost_source is CostSource.COMPUTED
            assert record.price_source == "simulator 2026-07-02"


def test_models_without_a_price_have_an_unknown_cost_and_never_zero(records: list[UsageRecord]) -> None:
    local = [r for r in records if r.provider_type == "custom" and r.status == 200]
    assert local
    assert {record.cost_usd for record in local} == {None}


def test_failed_requests_cost_nothing_and_used_nothing(records: list[UsageRecord]) -> None:
    failed = [record for record in records if record.status not in (200, 499)]
    assert failed
    for record in failed:
        assert (record.cost_usd, record.usage.input_tokens) == (Decimal(0), 0)
        assert record.error_type


def test_invoices_begin_alike_and_nobody_marks_it(records: list[UsageRecord]) -> None:
    begin = [record for record in records if record.opening is not None]
    assert len(begin) > 1000 and {record.api_key_name for record in begin} == {"Invoice check"}
    assert len({record.opening for record in begin}) == len({record.provider_id for record in begin})
    for record in begin:
        assert record.opening_tokens is not None
        assert 1024 <= record.opening_tokens < record.usage.input_tokens
        assert record.usage.cache_read_tokens == record.usage.cache_write_tokens == 0


def test_working_days_are_busier_than_weekends(records: list[UsageRecord]) -> None:
    per_day = Counter(record.started_at.date() for record in records)
    working = [count for day, count in per_day.items() if day.weekday() < 5]
    weekend = [count for day, count in per_day.items() if day.weekday() >= 5]
    assert sum(working) / len(working) > 1.5 * sum(weekend) / len(weekend)


def test_traffic_fills_the_days_and_never_the_future(records: list[UsageRecord]) -> None:
    assert len({record.started_at.date() for record in records}) >= 90
    assert all(NOW - timedelta(days=90) <= record.started_at < NOW for record in records)


def test_ids_are_unique_and_sort_by_time(records: list[UsageRecord]) -> None:
    assert len({record.request_id for record in records}) == len(records)
    by_id = sorted(records, key=lambda record: record.request_id)
    assert all(
        one.started_at - other.started_at < timedelta(milliseconds=2)
        for one, other in itertools.pairwise(by_id)
    )


def test_attempts_tell_the_same_story_as_the_record(records: list[UsageRecord]) -> None:
    rescued = 0
    for record in records:
        assert [attempt.number for attempt in record.attempts] == list(range(1, len(record.attempts) + 1))
        last = record.attempts[-1]
        assert (last.provider_id, last.model) == (record.provider_id, record.model)
        assert (last.outcome == "success") is (record.status in (200, 499))
        rescued += len(record.attempts) == 2 and record.status == 200
    assert rescued > 50


def test_outage_shows_as_fallbacks_of_one_afternoon(records: list[UsageRecord]) -> None:
    failed = Counter(
        attempt.started_at.date()
        for record in records
        for attempt in record.attempts
        if attempt.provider_name == PROVIDERS[0].name and attempt.outcome != "success"
    )
    assert failed.most_common(1)[0][0] == (NOW - timedelta(days=12)).date()


def test_a_program_whose_models_nobody_serves_is_silent() -> None:
    empty = list(make_traffic(PROGRAMS, OWNERS, Served.of([]), now=NOW, days=10, seed=1))
    assert empty == []


# --- seeding ---


@pytest.fixture
async def control(tmp_path: Path) -> AsyncIterator[Control]:
    """The control plane of an empty installation with the demo's admin."""
    url = f"sqlite+aiosqlite:///{tmp_path / 'demo.db'}"
    await migrate(url, tmp_path)
    database = await Database.open(url)
    http = HttpClient()
    box = load_master_key(None, tmp_path)
    made = Control(
        database=database,
        secrets=box,
        http=http,
        publisher=Publisher(database, box, utc_now),
        demo=True,
    )
    await users.create_admin(database, ADMIN_EMAIL, "correct horse battery staple", now=utc_now())
    yield made
    await made.background.close()
    await http.close()
    await database.close()


@pytest.mark.anyio
async def test_seeding_fills_an_installation_in_seconds(control: Control) -> None:
    now = datetime.now(UTC)
    started = time.process_time()  # what it takes, whoever else works on the machine
    async with simulated_providers() as urls:
        seeded = await seed_demo(control, urls, now=now)
        took = time.process_time() - started
        cards = await providers.list_providers(control)
    assert took < 10
    assert seeded.requests > 10_000
    assert [card.name for card in cards] == [row.name for row in PROVIDERS]
    for card in cards:
        assert card.demo
        assert (card.discovery.status, card.status) == ("ok", "enabled")
        assert card.last_test is not None
        assert card.last_test.success is (card.type != "custom" or card.credential_preview is None)
        assert card.requests_30d > 100
        assert card.models_count > 3
    async with control.database.read() as connection:
        real = (
            await connection.execute(select(func.count()).where(usage_records.c.demo.is_(False)))
        ).scalar_one()
        stored = (await connection.execute(select(func.count()).select_from(usage_records))).scalar_one()
        tries = (await connection.execute(select(func.count()).select_from(attempts))).scalar_one()
        of_programs = select(func.max(api_keys.c.created_at)).where(api_keys.c.name != "Playground")
        keys = (await connection.execute(of_programs)).scalar_one()
    assert (real, stored, tries) == (0, seeded.requests, seeded.attempts)
    assert keys <= now - timedelta(days=90)
    principals = control.publisher.current.principals
    assert principals[api_key_digest(seeded.api_key)].user_email == ADMIN_EMAIL
    # something for each page that gives advice, reckoned from these records like any other
    admin = Actor(user_id="", email="", role=Role.ADMIN, ip_address="")
    kinds = {one.kind for one in (await get_savings(control, admin)).advice}
    assert {"cheaper_model", "duplicates", "unused_key"} <= kinds
    await look(control)
    [alert] = [
        one for one in (await list_alerts(control, "open", None, 9)).alerts if one.rule == "retirement"
    ]
    assert alert.subject_name == f"{RETIRES_SOON} at OpenRouter (demo)"


@pytest.mark.anyio
async def test_seeded_costs_use_the_prices_that_live_requests_would_use(control: Control) -> None:
    async with simulated_providers() as urls:
        await seed_demo(control, urls, now=datetime.now(UTC), days=3)
    prices = {(t.provider.id, t.model): t.price for t in control.publisher.current.targets}
    columns = usage_records.c
    async with control.database.read() as connection:
        rows = (await connection.execute(select(usage_records).where(columns.status == 200))).all()
    assert len(rows) > 300
    for row in rows:
        usage = Usage(
            input_tokens=row.input_tokens,
            output_tokens=row.output_tokens,
            cache_read_tokens=row.cache_read_tokens,
            cache_write_tokens=row.cache_write_tokens,
        )
        cost = price_usage(usage, prices[row.provider_id, row.model])
        if row.credential_source == "byok":
            assert (row.cost_usd, row.own_cost_usd, row.saved_usd) == (0, cost, cost)
        else:
            assert (row.cost_usd, row.own_cost_usd, row.saved_usd) == (cost, None, None)


@pytest.mark.anyio
async def test_some_people_bring_their_own_keys_and_one_of_them_is_refused(control: Control) -> None:
    async with simulated_providers() as urls:
        await seed_demo(control, urls, now=datetime.now(UTC), days=40)
    summary = await byok.get_summary(control)
    assert (summary.byok_users, summary.keys, summary.active_accounts, summary.failing_keys) == (3, 3, 2, 1)
    assert 0 < summary.saved_30d_usd < summary.saved_total_usd
    assert summary.own_cost_total_usd == summary.saved_total_usd
    statuses = {
        user.email: [key.status for key in user.keys] for user in (await byok.list_users(control)).users
    }
    assert statuses == {
        "ben@example.com": ["working"],
        "ana@example.com": ["working"],
        "dora@example.com": ["failing"],
    }


# --- the command ---


def test_demo_command_opens_filled_and_leaves_nothing_behind(tmp_path: Path) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    with LiveServer(tmp_path / "unused", command="demo", env={"TMPDIR": str(temporary)}) as server:
        wait_until(lambda: "Password" in server.logs, what="the welcome")
        password, secret = (
            re.search(pattern, server.logs)[1]  # type: ignore[index]
            for pattern in (r"Password +(\S+)", r"Bearer (sk-oc-[\w-]+)")
        )
        with server.client() as client:
            answer = client.post("/auth/login", json={"email": ADMIN_EMAIL, "password": password})
            assert answer.status_code == 200
            cards = client.get("/llm/usage", params={"period": "90d"}).json()["cards"]
            assert cards["total_providers"] == 4
            assert cards["calls_30d"] > 3000
            assert cards["cost_30d_usd"] > 1
            assert cards["calls_trend_pct"] is not None
            assert client.get("/system").json()["demo"] is True
        body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "say: hi"}]}
        live = httpx.post(
            f"{server.openai_url}/chat/completions",
            json=body,
            headers={"authorization": f"Bearer {secret}"},
            timeout=20,
        )
        assert live.json()["choices"][0]["message"]["content"] == "hi"
        assert [path.name[:16] for path in temporary.iterdir()] == ["ops-center-demo-"]
    assert list(temporary.iterdir()) == []
    assert not (tmp_path / "unused").exists()


def test_demo_stopped_while_it_fills_leaves_nothing_behind(tmp_path: Path) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    server = LiveServer(tmp_path / "unused", command="demo", env={"TMPDIR": str(temporary)})
    server.launch()
    wait_until(lambda: list(temporary.glob("*/data/ops-center.db")), seconds=20, what="the filling")
    server.stop()
    assert list(temporary.iterdir()) == []
