"""control/requests: the ledger row by row, page by page."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest

from clock import Clock
from ledger_rows import add_attempts, add_records, attempt, random_records, record
from ops_center.control.context import Control

pytestmark = pytest.mark.anyio


async def page(client: httpx.AsyncClient, **params: Any) -> dict[str, Any]:
    answer = await client.get("/llm/requests", params=params)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def every_page(client: httpx.AsyncClient, **params: Any) -> list[str]:
    ids: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        found = await page(client, **params, **cursor)
        ids += [request["id"] for request in found["requests"]]
        if found["next_cursor"] is None:
            return ids
        cursor = {"cursor": found["next_cursor"]}


@pytest.mark.parametrize("limit", [1, 7, 50, 200])
async def test_pages_hold_every_request_once_newest_first(
    control_client: httpx.AsyncClient, control: Control, clock: Clock, limit: int
) -> None:
    rows = random_records(clock.now, 40)
    rows += [record(clock.now - timedelta(hours=1)) for _ in range(9)]  # at one instant
    await add_records(control.database, rows)
    expected = sorted(rows, key=lambda r: (r["started_at"], r["request_id"]), reverse=True)
    assert await every_page(control_client, limit=limit) == [r["request_id"] for r in expected]


async def test_a_page_that_ends_with_the_list_has_no_cursor(
    control_client: httpx.AsyncClient, control: Control, clock: Clock
) -> None:
    assert await page(control_client) == {"requests": [], "next_cursor": None}
    await add_records(control.database, [record(clock.now) for _ in range(3)])
    assert (await page(control_client, limit=3))["next_cursor"] is None
    assert (await page(control_client, limit=2))["next_cursor"] is not None


async def test_new_requests_do_not_shift_older_pages(
    control_client: httpx.AsyncClient, control: Control, clock: Clock
) -> None:
    rows = [record(clock.now - timedelta(minutes=n)) for n in range(6)]
    await add_records(control.database, rows)
    first = await page(control_client, limit=3)
    await add_records(control.database, [record(clock.now + timedelta(seconds=1))])
    second = await page(control_client, limit=3, cursor=first["next_cursor"])
    assert [r["id"] for r in second["requests"]] == [r["request_id"] for r in rows[3:]]


async def test_filters_leave_out_the_others(
    control_client: httpx.AsyncClient, control: Control, clock: Clock
) -> None:
    rows = {
        "plain": record(clock.now),
        "failed": record(clock.now, status=503, error_type="provider_timeout"),
        "gone": record(clock.now, status=499, error_type="client_closed"),
        "other": record(
            clock.now,
            provider_id="prov_2",
            provider_name="Mine 100%",
            api_key_id="key_2",
            api_key_name="CI_bot",
            model="llama",
            requested_model="cheap",
            user_id="usr_2",
            user_email="Bob@example.com",
        ),
    }
    await add_records(control.database, rows.values())
    names = {row["request_id"]: name for name, row in rows.items()}

    async def found(**params: Any) -> set[str]:
        return {names[r["id"]] for r in (await page(control_client, **params))["requests"]}

    assert await found(status="error") == {"failed", "gone"}
    assert await found(status="ok") == {"plain", "other"}
    assert await found(provider_id="prov_2") == {"other"}
    assert await found(api_key_id="key_1") == {"plain", "failed", "gone"}
    assert await found(user_id="usr_2") == {"other"}
    assert await found(model="llama") == {"other"}
    assert await found(model="cheap") == {"other"}
    assert await found(search="BOB@") == {"other"}
    assert await found(search="ci_b") == {"other"}
    assert await found(search="ciXb") == set()  # _ is no wildcard
    assert await found(search="100%") == {"other"}
    assert await found(search="%") == {"other"}
    assert await found(search="timeout") == {"failed"}
    assert await found(search=rows["plain"]["request_id"]) == {"plain"}
    assert await found(search="  ") == set(rows)
    assert await found(status="error", provider_id="prov_2") == set()
    assert await found(provider_id="prov_9") == set()


async def test_a_request_shows_its_attempts_in_order(
    control_client: httpx.AsyncClient, control: Control, clock: Clock
) -> None:
    row = record(
        clock.now,
        stream=True,
        duration_seconds=1.2345,
        time_to_first_chunk_seconds=0.25,
        cache_read_tokens=10,
        cost_usd=Decimal("0.000000123"),
    )
    await add_records(control.database, [row])
    await add_attempts(
        control.database,
        [
            attempt(row["request_id"], clock.now, 2, provider_name="Second", time_to_first_chunk_seconds=0.2),
            attempt(
                row["request_id"],
                clock.now,
                1,
                outcome="provider_timeout",
                status=None,
                detail="no answer",
            ),
            attempt("req_other", clock.now),
        ],
    )
    answer = await control_client.get(f"/llm/requests/{row['request_id']}")
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert (body["duration_ms"], body["time_to_first_chunk_ms"]) == (1234, 250)
    assert (body["cost_usd"], body["cost_source"], body["credential"]) == (1.23e-7, "computed", "platform")
    assert body["started_at"] == "2026-11-23T12:00:00Z"
    first, second = body["attempts"]
    assert (first["number"], first["outcome"], first["status"]) == (1, "provider_timeout", None)
    assert (first["detail"], first["time_to_first_chunk_ms"]) == ("no answer", None)
    assert (second["provider_name"], second["outcome"]) == ("Second", "success")
    assert (second["status"], second["time_to_first_chunk_ms"]) == (200, 200)


async def test_an_unknown_cost_is_null(
    control_client: httpx.AsyncClient, control: Control, clock: Clock
) -> None:
    await add_records(control.database, [record(clock.now, cost_usd=None)])
    [request] = (await page(control_client))["requests"]
    assert (request["cost_usd"], request["cost_source"]) == (None, "unknown")


async def test_an_unknown_request_is_404(control_client: httpx.AsyncClient) -> None:
    assert (await control_client.get("/llm/requests/req_0")).status_code == 404


@pytest.mark.parametrize("dialect", ["sqlite"])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("limit", "0"),
        ("limit", "201"),
        ("limit", "ten"),
        ("status", "fine"),
        ("cursor", "nonsense"),
        ("cursor", "x" * 201),
        ("search", "x" * 301),
    ],
)
async def test_a_wrong_parameter_is_named(control_client: httpx.AsyncClient, name: str, value: str) -> None:
    answer = await control_client.get("/llm/requests", params={name: value})
    assert answer.status_code == 422
    assert answer.json()["error"]["param"] == name
