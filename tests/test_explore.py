"""control/usage/explore: every metric by every dimension against sums of the records themselves, on both databases."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import msgspec
import pytest

from clock import Clock
from ledger_rows import add_records, random_records, record, some_record
from ops_center.control.context import Control
from ops_center.control.usage.dimensions import Dimension
from ops_center.control.usage.filters import PARAMETERS
from ops_center.storage.journal.ledger import Ledger, entry
from ops_center.storage.rollups.rebuild import change_time_zone

pytestmark = pytest.mark.anyio

ZONE = ZoneInfo("Europe/Berlin")  # whose clocks go back on 2026-10-25
Row = dict[str, Any]

FIELDS: dict[str, Callable[[Row], list[str | None]]] = {
    "provider": lambda r: [r["provider_id"]],
    "model": lambda r: [r["model"]],
    "user": lambda r: [r["user_id"]],
    "team": lambda r: [r["team_id"]],
    "api_key": lambda r: [r["api_key_id"]],
    "tag": lambda r: r["tags"] or [None],
    "credential": lambda r: [r["credential_source"]],
    "status": lambda r: [str(r["status"])],
    "strategy": lambda r: [r["strategy"]],
}


def money(rows: list[Row], name: str = "cost_usd") -> float:
    return float(sum((r[name] for r in rows if r[name] is not None), Decimal(0)))


def tokens(rows: list[Row], *names: str) -> float:
    return float(sum(r[name] for r in rows for name in names))


def answered(rows: list[Row]) -> list[Row]:
    return [r for r in rows if r["status"] < 400]


def nearest(values: list[float | None], share: float) -> float | None:
    known = sorted(value for value in values if value is not None)
    return known[max(1, math.ceil(share * len(known))) - 1] if known else None


def seconds_of_answering(rows: list[Row]) -> float:
    return sum(r["duration_seconds"] - (r["time_to_first_chunk_seconds"] or 0) for r in answered(rows))


EXPECTED: dict[str, Callable[[list[Row]], float | None]] = {
    "cost": money,
    "calls": lambda rows: len(rows),
    "errors": lambda rows: len(rows) - len(answered(rows)),
    "error_rate": lambda rows: (len(rows) - len(answered(rows))) / len(rows) if rows else None,
    "tokens": lambda rows: tokens(rows, "input_tokens", "output_tokens"),
    "input_tokens": lambda rows: tokens(rows, "input_tokens"),
    "output_tokens": lambda rows: tokens(rows, "output_tokens"),
    "latency_p50": lambda rows: nearest([r["duration_seconds"] for r in answered(rows)], 0.5),
    "latency_p95": lambda rows: nearest([r["duration_seconds"] for r in answered(rows)], 0.95),
    "time_to_first_chunk_p50": lambda rows: nearest(
        [r["time_to_first_chunk_seconds"] for r in answered(rows)], 0.5
    ),
    "time_to_first_chunk_p95": lambda rows: nearest(
        [r["time_to_first_chunk_seconds"] for r in answered(rows)], 0.95
    ),
    "tokens_per_second": lambda rows: (
        tokens(answered(rows), "output_tokens") / seconds_of_answering(rows) if answered(rows) else None
    ),
    "cache_hit_rate": lambda rows: (
        tokens(rows, "cache_read_tokens") / tokens(rows, "input_tokens") if rows else None
    ),
    "savings": lambda rows: money(rows, "saved_usd"),
}
SUMS = {"cost", "calls", "errors", "tokens", "input_tokens", "output_tokens", "savings"}


def some_records(now: datetime) -> list[Row]:
    dice = random.Random(11)
    rows = random_records(now, 300, days=200, seed=11)
    for row in rows:
        row["duration_seconds"] = dice.lognormvariate(0, 1)
        row["time_to_first_chunk_seconds"] = (
            row["duration_seconds"] * dice.random() if dice.random() < 0.5 else None
        )
        row["team_id"] = dice.choice([None, "team_1", "team_2"])
        row["tags"] = dice.choice([None, ["pilot"], ["pilot", "nightly"]])
        row["output_tokens"] += 1
        row["input_tokens"] += 1
        row["cache_read_tokens"] = dice.choice([0, row["input_tokens"] // 2])
        row["model"] = dice.choice(["small", "large"]) if row["provider_id"] else None
        if row["provider_id"] and dice.random() < 0.2:
            source = "estimated" if row["output_tokens"] % 2 else "computed"
            row |= {"credential_source": "byok", "own_cost_source": source}
            row |= {"own_cost_usd": row["cost_usd"], "saved_usd": row["cost_usd"]}
    return rows


def guessed(metric: str, rows: list[Row]) -> float | None:
    """How much of a sum of money is estimated."""
    columns = {"cost": ("cost_usd", "cost_source"), "savings": ("saved_usd", "own_cost_source")}
    if metric not in columns:
        return None
    amount, source = columns[metric]
    whole = money(rows, amount)
    return money([row for row in rows if row[source] == "estimated"], amount) / whole if whole else None


async def ask(client: httpx.AsyncClient, **params: Any) -> dict[str, Any]:
    answer = await client.get("/llm/usage/explore", params=params)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


def between(rows: list[Row], start: str, end: str) -> list[Row]:
    return [r for r in rows if instant(start) <= r["started_at"] < instant(end)]


def agrees(found: float | None, expected: float | None) -> bool:
    if found is None or expected is None:
        return found is expected
    return found == pytest.approx(expected, rel=1e-9)


def check(metric: str, found: float | None, rows: list[Row]) -> None:
    expected = EXPECTED[metric](rows)
    if metric.endswith(("_p50", "_p95")) and found is not None and expected is not None:
        assert found == pytest.approx(expected, rel=0.046)
    elif metric == "tokens_per_second" and found is not None:
        assert found == pytest.approx(expected, rel=1e-3)
    else:
        assert agrees(found, expected), (metric, found, expected)


async def test_every_metric_by_every_dimension_is_that_of_its_records(
    control_client: httpx.AsyncClient, control: Control, clock: Clock
) -> None:
    rows = some_records(clock.now)
    await add_records(control.database, rows)
    await change_time_zone(control.database, ZONE.key)
    groups = list(FIELDS)
    for number, metric in enumerate(EXPECTED):
        group, period = groups[number % len(groups)], ["7d", "30d", "90d", "all"][number % 4]
        bucket = ["day", "week", "month"][number % 3]
        answer = await ask(control_client, metric=metric, group=group, period=period, bucket=bucket, top=50)
        current = between(rows, answer["from_at"], answer["to_at"])
        check(metric, answer["total"], current)
        assert answer["totals"]["calls"] == len(current)
        if period == "all":
            assert answer["previous"] is None
        else:
            before = between(rows, answer["previous_from_at"], answer["from_at"])
            check(metric, answer["previous"], before)
        for point in answer["points"]:
            there = between(rows, point["start_at"], point["end_at"])
            check(metric, point["value"], there)
            assert agrees(point["estimated_share"], guessed(metric, there))
        for point in answer["points"][1:]:
            local = instant(point["start_at"]).astimezone(ZONE)
            assert (local.hour, local.minute) == (0, 0)
            assert bucket != "week" or local.weekday() == 0
            assert bucket != "month" or local.day == 1
        assert {one["value"] for one in answer["groups"]} == {
            value for row in current for value in FIELDS[group](row)
        }
        for one in answer["groups"]:
            of_group = [row for row in current if one["value"] in FIELDS[group](row)]
            check(metric, one["total"], of_group)
            assert (one["calls"], one["cost_usd"]) == (len(of_group), pytest.approx(money(of_group)))
            for point in one["points"]:
                check(metric, point["value"], between(of_group, point["start_at"], point["end_at"]))
        if metric in SUMS and group != "tag":
            assert sum(one["total"] for one in answer["groups"]) == pytest.approx(answer["total"])


async def test_every_figure_leads_to_its_requests(
    control_client: httpx.AsyncClient, control: Control, clock: Clock
) -> None:
    await add_records(control.database, some_records(clock.now))

    async def behind(query: str) -> int:
        answer = await control_client.get(f"/llm/requests?{query}&limit=200")
        assert answer.status_code == 200, answer.text
        return len(answer.json()["requests"])

    for group in FIELDS:
        answer = await ask(control_client, metric="calls", group=group, status="ok", user_id="usr_1")
        assert await behind(answer["requests"]) == answer["total"]
        for one in answer["groups"]:
            assert await behind(one["requests"]) == one["total"], one


async def test_a_question_of_the_same_shape_is_about_its_own_values(
    control_client: httpx.AsyncClient, control: Control, clock: Clock
) -> None:
    rows = [row for row in some_records(clock.now) if row["started_at"] > clock.now - timedelta(days=29)]
    await add_records(control.database, rows)
    for dimension, values_of in FIELDS.items():
        values = sorted({value for row in rows for value in values_of(row) if value is not None})
        some = [*([value] for value in values), values[:2], values[-2:]]
        if dimension != "status":  # each has one
            some.append([values[0], "none"])
        for asked in some:
            wanted = {None if value == "none" else value for value in asked}
            answer = await ask(
                control_client, metric="calls", group="model", **{PARAMETERS[Dimension(dimension)]: asked}
            )
            expected = [row for row in rows if wanted & set(values_of(row))]
            assert answer["total"] == len(expected), (dimension, asked)
            assert sum(one["total"] for one in answer["groups"]) == len(expected)
    several = await ask(
        control_client, metric="calls", group="model", status_code=[200, 500, 502], status="error"
    )
    assert several["total"] == len([row for row in rows if row["status"] in (500, 502)])


async def test_what_is_not_shown_by_itself_is_added_up_as_other(
    control_client: httpx.AsyncClient, control: Control, clock: Clock
) -> None:
    rows = [record(clock.now, model=f"m{n:02}", cost_usd=Decimal(n)) for n in range(1, 13)]
    await add_records(control.database, rows)
    answer = await ask(control_client, metric="cost", group="model", top=8)
    assert [one["value"] for one in answer["groups"]] == [f"m{n:02}" for n in range(12, 4, -1)]
    assert (answer["other"]["total"], answer["other"]["calls"], answer["groups_total"]) == (10, 4, 12)
    assert sum(one["share"] for one in answer["groups"]) + answer["other"]["share"] == pytest.approx(1)
    parts = [*answer["groups"], answer["other"]]
    for number, point in enumerate(answer["points"]):
        assert sum(one["points"][number]["value"] for one in parts) == point["value"]
    assert (await ask(control_client, metric="latency_p95", group="model", top=8))["other"] is None


async def test_the_parts_of_an_answer_add_up_while_records_arrive(
    control_client: httpx.AsyncClient, control: Control, clock: Clock
) -> None:
    dice, ledger, stop = random.Random(4), Ledger(control.database), asyncio.Event()

    async def arrive() -> int:
        number = 0
        while not stop.is_set():
            records = [some_record(dice, number + n, clock.now) for n in range(5)]
            number += len(records)
            lines = [msgspec.json.encode(each) for each in records]
            entries = [entry(each, line, number) for each, line in zip(records, lines, strict=True)]
            await ledger.add(entries, "a", number)
        return number

    arriving = asyncio.create_task(arrive())
    seen = []
    for _ in range(8):
        answer = await ask(control_client, metric="calls", group="api_key", period="7d")
        seen.append(answer["total"])
        assert sum(one["total"] for one in answer["groups"]) == answer["total"]
        assert sum(point["value"] for one in answer["groups"] for point in one["points"]) == answer["total"]
        usage = (await control_client.get("/llm/usage")).json()
        assert usage["cards"]["calls_30d"] == usage["totals"]["calls"]
    stop.set()
    assert len(set(seen)) > 1, "nothing arrived between two answers"
    assert seen[-1] <= await arriving


async def test_an_hour_of_the_clock_that_happens_twice_is_two_hours(
    control_client: httpx.AsyncClient, control: Control, clock: Clock
) -> None:
    twice = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)  # 02:30 in Berlin, and an hour later again
    await add_records(control.database, [record(twice), record(twice + timedelta(hours=1))])
    await change_time_zone(control.database, ZONE.key)
    window = {"from_at": "2026-10-24T22:00:00Z", "to_at": "2026-10-25T23:00:00Z"}
    hours = await ask(control_client, metric="calls", bucket="hour", **window)
    assert len(hours["points"]) == 25
    assert [point["start_at"] for point in hours["points"] if point["value"]] == [
        "2026-10-25T00:00:00Z",
        "2026-10-25T01:00:00Z",
    ]
    days = await ask(control_client, metric="calls", bucket="day", **window)
    assert [point["value"] for point in days["points"]] == [2]


async def test_an_empty_ledger_has_nothing_to_explore(control_client: httpx.AsyncClient) -> None:
    for period in ("24h", "30d", "all"):
        answer = await ask(control_client, metric="latency_p95", group="provider", period=period)
        assert (answer["total"], answer["groups"], answer["other"]) == (None, [], None)
        assert all(point["value"] is None for point in answer["points"])


@pytest.mark.parametrize("dialect", ["sqlite"])
@pytest.mark.parametrize(
    ("params", "name"),
    [
        ({"metric": "happiness"}, "metric"),
        ({"group": "colour"}, "group"),
        ({"bucket": "hour", "period": "30d"}, "bucket"),
        ({"top": "51"}, "top"),
        ({"to_at": "2026-11-23T00:00:00Z"}, "from_at"),
        ({"from_at": "2026-11-23T00:01:00Z"}, "from_at"),
        ({"from_at": "2026-11-23T00:00:00Z", "to_at": "2026-11-22T00:00:00Z"}, "to_at"),
        ({"status_code": "7"}, "status_code"),
    ],
)
async def test_a_wrong_question_is_named(
    control_client: httpx.AsyncClient, params: dict[str, str], name: str
) -> None:
    answer = await control_client.get("/llm/usage/explore", params=params)
    assert (answer.status_code, answer.json()["error"]["param"]) == (422, name)
