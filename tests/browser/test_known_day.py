"""A known day: traffic of which every figure is known, faults included, and every screen that shows figures.

What must stand on the screens is added up here, from what the simulated providers say they served, with prices of this
file's own; nothing of the product takes part in it.
"""

from __future__ import annotations

import csv
import io
import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page, expect

from browser.conftest import PATIENCE_MS, Console
from live import LiveServer, SimulatorThread, wait_until

# USD per million tokens: input, output, read from cache (https://openai.com/api/pricing, https://claude.com/pricing;
# 2026-07). OpenRouter bills by itself; the house's own machine has no price.
PRICES = {
    "gpt-4o": ("2.5", "10", "1.25"),
    "gpt-4o-mini": ("0.15", "0.6", "0.075"),
    "claude-haiku-4-5": ("1", "5", "0.1"),
}
HOUSE_MODEL, HOUSE_PRICE = "mistral-7b-instruct-v0.3", ("3", "9", "3")
NAMES = {"openai": "OpenAI", "anthropic": "Anthropic", "openrouter": "OpenRouter", "custom": "House"}
USER, USER_PASSWORD = "ada@example.com", "a rather long password"
TEXT = "Tell me about the weather in the mountains, please. "


def priced(price: tuple[str, str, str], input_tokens: int, output_tokens: int, cached: int = 0) -> Decimal:
    plain, output, read = (Decimal(each) for each in price)
    return nano(((input_tokens - cached) * plain + cached * read + output_tokens * output) / 1_000_000)


def nano(usd: Decimal) -> Decimal:
    """What is kept of a request's cost: nine decimals."""
    return round(usd, 9)


@dataclass
class Expected:
    """One request, as the ledger must hold it."""

    id: str
    key: str
    user: str
    status: int
    provider: str | None = None
    model: str | None = None
    input_tokens: int = 0
    output_tokens: int = 0
    cached: int = 0
    cost: Decimal | None = Decimal(0)
    estimated: bool = False

    @property
    def failed(self) -> bool:
        return self.status >= 400


@dataclass
class Sum:
    """What some requests add up to."""

    rows: list[Expected] = field(default_factory=list)

    def of(self, name: str) -> int:
        return sum(int(getattr(row, name)) for row in self.rows)

    @property
    def cost(self) -> Decimal:
        return sum((row.cost for row in self.rows if row.cost is not None), Decimal(0))

    @property
    def guess(self) -> Decimal:
        return sum((row.cost for row in self.rows if row.estimated and row.cost is not None), Decimal(0))

    @property
    def unknown(self) -> int:
        return sum(row.cost is None for row in self.rows)

    @property
    def calls(self) -> int:
        return len(self.rows)

    def by(self, name: str) -> dict[Any, Sum]:
        groups: dict[Any, Sum] = {}
        for row in self.rows:
            groups.setdefault(getattr(row, name), Sum()).rows.append(row)
        return groups


class Day:
    """Sends the traffic, and keeps for each request what became of it by the providers' own word."""

    def __init__(
        self, server: LiveServer, simulator: SimulatorThread, secrets: dict[tuple[str, str], str]
    ) -> None:
        self._server, self._simulator, self._secrets = server, simulator, secrets
        self.rows: list[Expected] = []

    def ask(
        self,
        user: str,
        key: str,
        model: str,
        *,
        stream: bool = False,
        leave: bool = False,
        path: str = "chat/completions",
    ) -> None:
        seen = len(self._simulator.requests)
        body = {
            "model": model,
            "stream": stream,
            "max_tokens": 40,
            "messages": [{"role": "user", "content": TEXT}],
        }
        content = json.dumps(body).encode()
        text = ""
        with httpx.stream(
            "POST",
            f"{self._server.url}/v1/{path}",
            headers={
                "authorization": f"Bearer {self._secrets[user, key]}",
                "content-type": "application/json",
            },
            content=content,
            timeout=httpx.Timeout(10, read=0.5 if leave else 10),
        ) as answer:
            try:
                for line in answer.iter_lines():
                    text += text_of(line)
            except httpx.ReadTimeout:
                assert leave
            row = Expected(
                id=answer.headers["x-request-id"],
                key=key,
                user=user,
                status=499 if leave else answer.status_code,
            )
        asked = [entry for entry in self._simulator.requests[seen:] if entry.method == "POST" and entry.model]
        if asked:
            last = asked[-1]
            deadline = time.monotonic() + 5  # the provider's books close after its last byte
            while not (last.finished or last.client_left) and time.monotonic() < deadline:
                time.sleep(0.002)
            self._note(row, last, text, len(content))
        self.rows.append(row)

    def _note(self, row: Expected, last: Any, text: str, body_bytes: int) -> None:
        row.provider, row.model = NAMES[last.family], last.model
        if last.status != 200:
            return
        if last.fault in (None, "ok") or (last.finished and "stream" not in last.fault):
            row.input_tokens, row.output_tokens = last.input_tokens, last.output_tokens
            row.cached = last.cache_read_tokens
            if last.family == "openrouter":
                row.cost = nano(last.cost_usd)
            elif row.model in PRICES:
                row.cost = priced(PRICES[row.model], row.input_tokens, row.output_tokens, row.cached)
            else:
                row.cost = None
            return
        # Broken off before its usage came: a quarter of the bytes, for want of anything better.
        row.status = 499 if row.status == 499 else 502
        row.input_tokens, row.output_tokens = body_bytes // 4, -(-len(text.encode()) // 4)
        row.cost, row.estimated = priced(PRICES[last.model], row.input_tokens, row.output_tokens), True


def text_of(line: str) -> str:
    """What one line of a stream says, in OpenAI's words."""
    if not line.startswith("data: {"):
        return ""
    choices = json.loads(line[6:]).get("choices") or [{}]
    return (choices[0].get("delta") or {}).get("content") or ""


@pytest.fixture(scope="module")
def simulator() -> Iterator[SimulatorThread]:
    with SimulatorThread() as simulated:
        yield simulated


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, simulator: SimulatorThread) -> Iterator[LiveServer]:
    path: Path = tmp_path_factory.mktemp("known") / "data"
    with LiveServer(path) as running:
        for type, url in (
            ("openai", simulator.openai_url),
            ("anthropic", simulator.anthropic_url),
            ("openrouter", simulator.openrouter_url),
            ("custom", simulator.custom_url),
        ):
            running.add_provider(
                type,
                name=NAMES[type],
                api_key="sk-good",
                base_url=url,
                priority=90 if type == "openai" else 50,
            )
        yield running


@pytest.fixture(scope="module")
def day(server: LiveServer, simulator: SimulatorThread) -> Day:
    created = server.admin.post("/users", json={"email": USER, "password": USER_PASSWORD, "role": "user"})
    assert created.status_code == 201, created.text
    secrets = {("admin@example.com", name): server.create_api_key(name) for name in ("batch", "app")}
    with server.client() as ada:
        ada.post("/auth/login", json={"email": USER, "password": USER_PASSWORD})
        secrets[USER, "laptop"] = ada.post("/me/api-keys", json={"name": "laptop"}).json()["secret"]
    budget = server.admin.post(
        "/llm/budgets", json={"scope": "everything", "amount_usd": 1, "period": "month"}
    )
    assert budget.status_code == 201, budget.text
    day = Day(server, simulator, secrets)
    who = [("admin@example.com", "batch"), ("admin@example.com", "app"), (USER, "laptop")]
    for number, model in enumerate(
        ["gpt-4o", "gpt-4o-mini", "claude-haiku-4-5", "deepseek/deepseek-chat"] * 3
    ):
        day.ask(*who[number % 3], model, stream=number % 2 == 0)
    simulator.configure(cached_tokens=8)
    day.ask(*who[0], "gpt-4o")  # partly read from OpenAI's cache
    simulator.configure(cached_tokens=0)
    day.ask(*who[2], HOUSE_MODEL)  # nobody knows its price
    day.ask(*who[2], HOUSE_MODEL, stream=True)
    day.ask(*who[1], "no-such-model")  # nobody is asked
    for fault, user, model, stream, leave in (
        ("status-400", who[1], "claude-haiku-4-5", False, False),
        ("status-503", who[0], "gpt-4o-mini", False, False),  # OpenAI fails, OpenRouter answers
        ("stream-cut", who[0], "gpt-4o", True, False),  # the provider breaks off
        ("stream-stalls", who[2], "gpt-4o", True, True),  # the client leaves in the middle
    ):
        simulator.configure(fault=fault, fault_times=1, fault_on="inference")
        day.ask(*user, model, stream=stream, leave=leave)
        simulator.configure(fault=None, fault_times=None)
    expected = len(day.rows)
    wait_until(lambda: len(server.requests(limit=200)) == expected, what="the records")
    return day


@pytest.fixture(scope="module")
def whole(day: Day) -> Sum:
    return Sum(day.rows)


# ── what is read from a screen ────────────────────────────────────────────────


def money(usd: Decimal | None) -> str:
    """As the console writes it below $10,000."""
    if usd is None:
        return "unknown"
    if usd == 0:
        return "$0"
    places = 2 if usd >= Decimal("0.1") else max(2, 1 - usd.adjusted())
    text = f"{usd.quantize(Decimal(1).scaleb(-places), 'ROUND_HALF_EVEN'):f}"
    whole, _, cents = text.partition(".")
    cents = cents[:2] + cents[2:].rstrip("0")
    return f"${whole}.{cents}"


def with_unknown(one: Sum) -> str:
    if not one.unknown:
        return money(one.cost)
    return f"{money(one.cost)} +" if one.cost else "unknown"


def exact(title: str | None) -> Decimal:
    assert title is not None
    return Decimal(re.sub(r"[$,]", "", title))


def percent(part: Decimal, whole: Decimal) -> float:
    return float(100 * part / whole)


def estimated_in(text: str) -> float:
    found = re.search(r"([\d.]+)% estimated", text)
    assert found is not None, text
    return float(found[1])


def region(page: Page, name: str) -> Locator:
    return page.get_by_role("region", name=name, exact=True)


def row_of(page: Page, table: str, label: str) -> Locator:
    named = page.get_by_role("link", name=label, exact=True).or_(page.get_by_text(label, exact=True))
    return region(page, table).get_by_role("row").filter(has=named)


# ── the day itself ────────────────────────────────────────────────────────────


def test_the_day_holds_what_it_should(whole: Sum) -> None:
    assert whole.calls == 20
    assert {row.status for row in whole.rows} == {200, 400, 404, 499, 502}
    assert sum(row.estimated for row in whole.rows) == 2
    assert whole.unknown == 2
    assert whole.of("cached") >= 8
    assert set(whole.by("provider")) == {"OpenAI", "Anthropic", "OpenRouter", "House", None}
    assert whole.guess > 0


def test_every_request_is_recorded_as_it_was(server: LiveServer, day: Day) -> None:
    rows = {row["id"]: row for row in server.requests(limit=200)}
    for want in day.rows:
        row = rows.pop(want.id)
        assert (row["status"], row["provider_name"], row["model"]) == (want.status, want.provider, want.model)
        tokens = (row["input_tokens"], row["output_tokens"], row["cache_read_tokens"])
        assert tokens == (want.input_tokens, want.output_tokens, want.cached), want
        assert (row["api_key_name"], row["user_email"]) == (want.key, want.user)
        assert (None if row["cost_usd"] is None else Decimal(str(row["cost_usd"]))) == want.cost, want
        assert (row["cost_source"] == "estimated") is want.estimated
        assert (row["cost_source"] == "unknown") is (want.cost is None)
    assert rows == {}


VALUES: dict[str, Callable[[Sum], Decimal | int | float | None]] = {
    "cost": lambda one: one.cost,
    "calls": lambda one: one.calls,
    "errors": lambda one: one.of("failed"),
    "error_rate": lambda one: one.of("failed") / one.calls,
    "tokens": lambda one: one.of("input_tokens") + one.of("output_tokens"),
    "input_tokens": lambda one: one.of("input_tokens"),
    "output_tokens": lambda one: one.of("output_tokens"),
    "cache_hit_rate": lambda one: (
        one.of("cached") / one.of("input_tokens") if one.of("input_tokens") else None
    ),
}
GROUPS = {"provider": "provider", "model": "model", "user": "user", "api_key": "key", "status": "status"}


def test_every_metric_by_every_group_is_the_independent_sum(server: LiveServer, whole: Sum) -> None:
    for metric in VALUES:
        check_metric(server, whole, metric, GROUPS)


def check_metric(server: LiveServer, whole: Sum, metric: str, groups: dict[str, str]) -> None:
    value = VALUES[metric]
    for group, attribute in groups.items():
        asked = {"metric": metric, "group": group, "period": "24h", "bucket": "hour", "top": 20}
        answer = server.admin.get("/llm/usage/explore", params=asked).json()
        assert answer["total"] == pytest.approx(float(value(whole) or 0)), (metric, group)
        expected = whole.by(attribute)
        assert len(answer["groups"]) == len(expected)
        for one in answer["groups"]:
            name = one["name"] if one["value"] is not None else None
            mine = expected[int(name) if group == "status" else name]
            wanted = value(mine)
            assert one["total"] == (None if wanted is None else pytest.approx(float(wanted))), (
                metric,
                name,
            )
            assert one["cost_usd"] == pytest.approx(float(mine.cost))
            assert one["estimated_share"] == pytest.approx(float(mine.guess / mine.cost) if mine.cost else 0)
            assert (one["calls"], one["unknown_cost_calls"]) == (mine.calls, mine.unknown)
            if metric in ("cost", "calls", "tokens", "errors"):
                assert sum(point["value"] or 0 for point in one["points"]) == pytest.approx(one["total"])
        if metric == "cost":
            shares = [(p["value"], p["estimated_share"]) for p in answer["points"] if p["value"]]
            assert sum(cost * part for cost, part in shares) == pytest.approx(float(whole.guess))


@pytest.mark.parametrize("form", ["csv", "json"])
def test_exports_hold_the_same(server: LiveServer, whole: Sum, form: str) -> None:
    text = server.admin.get("/llm/usage/export", params={"period": "7d", "format": form}).text
    rows = list(csv.DictReader(io.StringIO(text))) if form == "csv" else json.loads(text, parse_float=Decimal)
    assert len(rows) == whole.calls
    known = [Decimal(row["cost_usd"]) for row in rows if row["cost_usd"] not in ("", None)]
    assert sum(known) == whole.cost
    guesses = [Decimal(row["cost_usd"]) for row in rows if row["cost_source"] == "estimated"]
    assert sum(guesses) == whole.guess
    assert sum(int(row["output_tokens"]) for row in rows) == whole.of("output_tokens")


@pytest.fixture(scope="module")
def screens(browser: Browser, server: LiveServer) -> Iterator[Console]:
    """One admin's page, signed in once."""
    context = browser.new_context(viewport={"width": 1440, "height": 1000}, reduced_motion="reduce")
    context.set_default_timeout(PATIENCE_MS)
    console = Console(context.new_page(), server)
    console.open("/admin/settings")
    console.sign_in()
    expect(console.page.get_by_role("heading", name="Settings", exact=True)).to_be_visible()
    yield console
    context.close()
    assert console.errors == []


# ── the screens ───────────────────────────────────────────────────────────────


def test_providers_page(screens: Console, whole: Sum) -> None:
    page = screens.open("/admin/litellm-providers")
    calls = page.get_by_role("group", name="API Calls (30d)")
    expect(calls).to_contain_text(str(whole.calls))
    expect(page.get_by_role("group", name="Total Providers")).to_contain_text("4")
    cost = page.get_by_role("group", name="Total Cost (30d)")
    expect(cost).to_contain_text(money(whole.cost))
    expect(cost).to_contain_text(f"without {whole.unknown} calls of unknown cost")
    assert estimated_in(cost.inner_text()) == pytest.approx(percent(whole.guess, whole.cost), abs=0.06)

    for name, one in whole.by("provider").items():
        if name is None:
            continue
        card = page.get_by_role("article", name=name)
        figures = dict(
            zip(card.locator("dt").all_inner_texts(), card.locator("dd").all_inner_texts(), strict=True)
        )
        assert figures["Requests 30d"] == str(one.calls)
        assert figures["Cost 30d"].split("\n")[0] == with_unknown(one)
        if one.guess:
            guess = estimated_in(figures["Cost 30d"])
            assert guess == pytest.approx(percent(one.guess, one.cost), abs=0.06)

    panel = page.get_by_role("region", name="Usage Analytics")
    summary = panel.get_by_title("input and").first
    said = summary.get_attribute("title") or ""
    assert said.startswith(
        f"{whole.calls} calls, {whole.of('input_tokens')} input and {whole.of('output_tokens')} output tokens, $"
    )
    assert [exact(figure) for figure in re.findall(r"\$[\d.,]*\d", said)] == [whole.cost, whole.guess]
    panel.get_by_text("Table", exact=True).click()
    over_time = panel.get_by_role("table").first.locator("tbody tr").first.locator("td").all_inner_texts()
    assert over_time[1:3] == [str(whole.calls), with_unknown(whole)]
    by_provider = panel.get_by_role("table").last
    for name, one in whole.by("provider").items():
        if name is not None:
            cells = by_provider.get_by_role("row").filter(has_text=name).locator("td").all_inner_texts()
            assert cells[1] == with_unknown(one)
            assert float(cells[3].rstrip("%")) == pytest.approx(percent(one.cost, whole.cost), abs=0.51)
            guess = percent(one.guess, one.cost) if one.cost else None
            assert (
                cells[2] == "–"
                if guess is None
                else float(cells[2].rstrip("%")) == pytest.approx(guess, abs=0.51)
            )


@pytest.mark.parametrize("group", GROUPS)
def test_usage_page_by(screens: Console, whole: Sum, group: str) -> None:
    label = {
        "provider": "provider",
        "model": "model",
        "user": "user",
        "api_key": "API key",
        "status": "status",
    }[group]
    page = screens.open(f"/admin/usage?metric=cost&group={group}&period=7d&view=table")
    table = f"Totals by {label}"
    expect(region(page, table)).to_be_visible()
    for name, one in {**whole.by(GROUPS[group]), "Everything": whole}.items():
        shown = f"No {group}" if name is None else str(name)
        row = row_of(page, table, shown)
        cells = row.locator("td")
        if one.cost or not one.unknown:
            assert exact(cells.nth(1).get_by_title("$").first.get_attribute("title")) == one.cost
        expect(cells.nth(1)).to_have_text(with_unknown(one))
        headers = region(page, table).locator("thead th").all_inner_texts()
        assert cells.nth(headers.index("Calls")).inner_text() == str(one.calls)
        guess = cells.nth(headers.index("Cost estimated")).inner_text()
        assert (
            guess == "–"
            if not one.cost
            else float(guess.rstrip("%")) == pytest.approx(percent(one.guess, one.cost), abs=0.51)
        )
        assert cells.nth(headers.index("Cost unknown")).inner_text() == str(one.unknown)
    expect(region(page, "Cost over time")).to_contain_text("estimated")


def test_requests_and_one_of_each_kind(screens: Console, day: Day) -> None:
    page = screens.open("/admin/requests")
    listed = region(page, "Requests").locator("tbody tr")
    expect(listed).to_have_count(len(day.rows))
    newest_first = sorted(day.rows, key=lambda row: row.id, reverse=True)
    for cells, want in zip(listed.all(), newest_first, strict=True):
        said = cells.locator("td").all_inner_texts()
        assert said[3] == f"{want.input_tokens} / {want.output_tokens}"
        assert said[4] == money(want.cost) + (" est." if want.estimated else "")
    guess = next(row for row in day.rows if row.estimated)
    cached = next(row for row in day.rows if row.cached and row.provider == "OpenAI")
    billed = next(row for row in day.rows if row.provider == "OpenRouter" and row.status == 200)
    for want in (guess, cached):
        screens.open(f"/admin/requests/{want.id}")
        lines = page.get_by_role("table", name="Price lines")
        expect(lines).to_contain_text("Together")
        amounts = [exact(each.get_attribute("title")) for each in lines.get_by_title("$").all()]
        assert amounts[-1] == want.cost
        assert sum(amounts[:-1]) == pytest.approx(want.cost, abs=Decimal("1e-9"))
    screens.open(f"/admin/requests/{billed.id}")
    expect(page.get_by_text("At the price known here it comes to")).to_be_visible()


def test_keys_budgets_and_home(screens: Console, server: LiveServer, whole: Sum) -> None:
    page = screens.open("/admin/api-keys")
    for key, one in whole.by("key").items():
        row = page.locator("tbody tr").filter(has_text=key)
        expect(row).to_contain_text(with_unknown(one))
        assert exact(row.get_by_title("$").first.get_attribute("title")) == one.cost
        if one.guess:
            assert estimated_in(row.inner_text()) == pytest.approx(percent(one.guess, one.cost), abs=0.51)

    screens.open("/admin/budgets")
    spent = page.locator("tbody tr").first
    expect(spent).to_contain_text(money(whole.cost))
    expect(spent).to_contain_text(f"and {whole.unknown} requests of unknown cost")
    assert estimated_in(spent.inner_text()) == pytest.approx(percent(whole.guess, whole.cost), abs=0.51)
    [budget] = server.admin.get("/llm/budgets").json()["budgets"]
    assert Decimal(str(budget["spent_usd"])) == whole.cost

    screens.open("/admin?span=24h")
    for title in ("Today", "This month"):
        card = page.get_by_role("group", name=title)
        expect(card).to_contain_text(f"{whole.calls} requests")
        expect(card).to_contain_text(with_unknown(whole))
        assert estimated_in(card.inner_text()) == pytest.approx(percent(whole.guess, whole.cost), abs=0.51)
    home = server.admin.get("/home", params={"span": "24h"}).json()["cost"]
    for span in ("today", "month"):
        assert Decimal(str(home[span]["cost_usd"])) == whole.cost
        assert Decimal(str(home[span]["estimated_cost_usd"])) == whole.guess


def test_a_users_own_usage(console: Console, whole: Sum) -> None:
    own = whole.by("user")[USER]
    page = console.open("/account/usage")
    console.sign_in(USER, USER_PASSWORD)
    said = (
        page.get_by_role("region", name="Usage Analytics")
        .get_by_title("input and")
        .first.get_attribute("title")
    )
    assert said is not None
    assert said.startswith(
        f"{own.calls} calls, {own.of('input_tokens')} input and {own.of('output_tokens')} output"
    )
    assert [exact(figure) for figure in re.findall(r"\$[\d.,]*\d", said)] == [own.cost, own.guess]


@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (390, "dark")])
def test_needs_a_price_is_accessible_and_fits(screens: Console, day: Day, width: int, scheme: Any) -> None:
    page = screens.page
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    page.set_viewport_size({"width": width, "height": 900})
    screens.open("/admin/models?view=needs-price")
    expect(region(page, "Models that need a price")).to_be_visible()
    page.wait_for_load_state("networkidle")
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_a_price_set_later_prices_the_day_and_every_sum_of_it(
    screens: Console, server: LiveServer, day: Day, whole: Sum
) -> None:
    waiting = [row for row in day.rows if row.cost is None]
    page = screens.open("/admin/models")
    page.get_by_role("tab", name="Needs a price").click()
    row = region(page, "Models that need a price").get_by_role("row").filter(has_text=HOUSE_MODEL)
    expect(row).to_contain_text(str(len(waiting)))
    row.get_by_role("button", name=f"Set the price of {HOUSE_MODEL} at House").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Save Price").click()
    expect(dialog.get_by_text("Enter a price; 0 where it is free").first).to_be_visible()
    dialog.get_by_label("Input $ per 1M").fill(HOUSE_PRICE[0])
    dialog.get_by_label("Output $ per 1M").fill(HOUSE_PRICE[1])
    dialog.get_by_role("button", name="Save Price").click()
    expect(dialog).to_have_count(0)
    for each in waiting:
        each.cost = priced(HOUSE_PRICE, each.input_tokens, each.output_tokens)
    expect(page.get_by_text("Every request has a price")).to_be_visible()
    came_to = region(page, "Priced later").get_by_role("row").filter(has_text=HOUSE_MODEL)
    assert exact(came_to.get_by_title("$").get_attribute("title")) == sum(each.cost or 0 for each in waiting)

    assert whole.unknown == 0
    test_every_request_is_recorded_as_it_was(server, day)
    check_metric(server, whole, "cost", {"provider": "provider", "user": "user"})
    screens.open(f"/admin/requests/{waiting[0].id}")
    expect(page.get_by_role("table", name="Price lines")).to_contain_text("priced later")
    screens.open("/admin/usage?metric=cost&group=provider&period=7d")
    everything = row_of(page, "Totals by provider", "Everything")
    assert exact(everything.get_by_title("$").first.get_attribute("title")) == whole.cost
    [budget] = server.admin.get("/llm/budgets").json()["budgets"]
    assert (Decimal(str(budget["spent_usd"])), budget["unknown_cost_requests"]) == (whole.cost, 0)


@pytest.fixture(autouse=True, scope="module")
def _not_over_midnight() -> None:
    """The day must not end in the middle of it."""
    now = datetime.now(UTC)
    left = 86_400 - (now.hour * 3600 + now.minute * 60 + now.second)
    if left < 120:
        time.sleep(left + 1)
