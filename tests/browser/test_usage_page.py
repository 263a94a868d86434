"""The usage page: its figures are those of the requests behind them, its address holds all of it, files say the same."""

from __future__ import annotations

import csv
import json
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, expect

from browser.conftest import Console
from live import LiveServer, SimulatorThread, wait_until

Row = dict[str, Any]
CALLS = [("gpt-4o", 3), ("gpt-4o-mini", 2), ("claude-haiku-4-5", 2), ("no-such-model", 1)]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    path: Path = tmp_path_factory.mktemp("usage") / "data"
    with SimulatorThread() as simulated, LiveServer(path) as running:
        for type, url in (("openai", simulated.openai_url), ("anthropic", simulated.anthropic_url)):
            running.add_provider(type, api_key="sk-good", base_url=url)
        running.create_api_key("first day")
        yield running


@pytest.fixture(scope="module")
def rows(server: LiveServer) -> list[Row]:
    """What was called on the first day, as the list of requests has it."""
    secret = server.create_api_key("traffic")
    for model, times in CALLS:
        for _ in range(times):
            httpx.post(
                f"{server.url}/v1/chat/completions",
                headers={"authorization": f"Bearer {secret}"},
                json={"model": model, "messages": [{"role": "user", "content": "Hello"}]},
            )
    expected = sum(times for _, times in CALLS)
    wait_until(lambda: len(server.requests(limit=200)) == expected, what="the records")
    return server.requests(limit=200)


def table(page: Page, name: str) -> Locator:
    return page.get_by_role("region", name=name, exact=True)


def row_of(page: Page, name: str, label: str) -> Locator:
    named = page.get_by_role("link", name=label, exact=True).or_(page.get_by_text(label, exact=True))
    return table(page, name).get_by_role("row").filter(has=named)


def choose(page: Page, label: str, option: str) -> None:
    page.get_by_role("combobox", name=label, exact=True).or_(
        page.get_by_role("textbox", name=label, exact=True)
    ).click()
    page.get_by_role("option", name=option, exact=True).click()


def cost(rows: list[Row]) -> float:
    return sum(row["cost_usd"] or 0 for row in rows)


def exact(title: str | None) -> float:
    assert title is not None
    return float(re.sub(r"[$,]", "", title))


def test_the_first_page_of_an_unused_gateway_says_what_to_do(console: Console) -> None:
    page = console.open("/admin/usage")
    console.sign_in()
    expect(page.get_by_text("No calls in this period")).to_be_visible()
    for name in ("7 days", "30 days", "90 days", "All Time"):
        expect(page.get_by_role("button", name=name)).to_be_visible()


def test_every_figure_is_the_sum_of_its_requests_and_leads_to_them(
    console: Console, server: LiveServer, rows: list[Row]
) -> None:
    page = console.open("/admin/usage")
    console.sign_in()
    by_provider: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_provider[row["provider_name"] or "No provider"].append(row)
    assert len(by_provider) == 3
    answer = server.admin.get("/llm/usage/explore", params={"metric": "cost", "group": "provider"}).json()
    assert answer["total"] == pytest.approx(cost(rows))
    for label, own in by_provider.items():
        row = row_of(page, "Totals by provider", label)
        assert exact(row.get_by_title("$").first.get_attribute("title")) == pytest.approx(cost(own))
        expect(row.get_by_title(str(len(own)), exact=True)).to_be_visible()
        expect(row).to_contain_text("no baseline yet")
    everything = row_of(page, "Totals by provider", "Everything")
    assert exact(everything.get_by_title("$").first.get_attribute("title")) == pytest.approx(cost(rows))

    # a row lists its requests, and Back returns to the figures
    row_of(page, "Totals by provider", "OpenAI").get_by_role("link").click()
    expect(page).to_have_url(re.compile(r"/admin/requests\?.*from_at=.*provider_id="))
    listed = table(page, "Requests").get_by_role("row")
    expect(listed).to_have_count(1 + len(by_provider["OpenAI"]))
    page.go_back()

    # so does a point, by keyboard
    page.get_by_role("slider").press("End")
    page.get_by_role("slider").press("Enter")
    expect(listed).to_have_count(1 + len(rows))
    page.go_back()
    page.get_by_role("slider").press("End")
    page.get_by_role("group", name=re.compile("^Requests of")).get_by_role("link", name="Anthropic").click()
    expect(listed).to_have_count(1 + len(by_provider["Anthropic"]))
    asked = parse_qs(urlsplit(page.url).query)
    assert asked["from_at"] < asked["to_at"]
    page.get_by_role("button", name="Any time").click()
    page.get_by_role("button", name="Clear filters").click()
    expect(listed).to_have_count(1 + len(rows))


def test_metric_group_filters_and_view_stand_in_the_address(console: Console, rows: list[Row]) -> None:
    page = console.open("/admin/usage")
    console.sign_in()
    page.get_by_role("button", name="7 days").click()
    choose(page, "Metric", "Errors")
    choose(page, "By", "Status")
    choose(page, "API key", "traffic")
    choose(page, "Status", "Failed")
    page.get_by_text("Table", exact=True).click()
    failed = [row for row in rows if row["status"] >= 400]
    assert len(failed) == 1
    for _ in range(2):
        expect(row_of(page, "Totals by status", str(failed[0]["status"]))).to_contain_text("100%")
        expect(table(page, "Errors over time").get_by_role("link", name="1", exact=True)).to_have_count(1)
        expect(page.get_by_label("API key", exact=True).first).to_have_value("traffic")
        page.reload()
    asked = {name: value for name, [value] in parse_qs(urlsplit(page.url).query).items()}
    assert asked.pop("api_key_id") == rows[0]["api_key_id"]
    assert asked == {
        "period": "7d",
        "metric": "errors",
        "group": "status",
        "status": "error",
        "view": "table",
    }

    choose(page, "Model", "gpt-4o")  # whose calls all went well
    expect(page.get_by_text("No request fits in this period")).to_be_visible()
    page.get_by_role("button", name="Clear filters").first.click()
    expect(row_of(page, "Totals by status", "200")).to_be_visible()


def test_a_saved_view_opens_by_itself_and_says_what_is_gone(
    console: Console, server: LiveServer, rows: list[Row]
) -> None:
    page = console.open("/admin/usage?metric=calls&group=model&model=gpt-4o&period=7d")
    console.sign_in()
    page.get_by_role("button", name="Views").click()
    page.get_by_role("menuitem", name="Save as a view").click()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Views")).to_be_focused()
    page.keyboard.press("Enter")
    found = Axe().run(
        page, options={"rules": {"region": {"enabled": False}}}
    )  # a menu floats outside of them
    assert found.violations_count == 0, found.generate_report()
    page.keyboard.press("ArrowDown")
    page.get_by_role("menuitem", name="Save as a view").press("Enter")
    page.get_by_label("Name", exact=True).fill("The large one")
    page.get_by_label("Open this page with it").check()
    page.get_by_role("button", name="Save view").click()
    expect(page.get_by_role("button", name="The large one", exact=True)).to_be_visible()
    page.get_by_role("button", name="30 days").click()
    expect(page.get_by_role("button", name="The large one (changed)")).to_be_visible()

    page.get_by_role("link", name="Requests", exact=True).click()
    expect(table(page, "Requests").get_by_role("row").nth(1)).to_be_visible()
    page.get_by_role("link", name="Usage", exact=True).click()
    expect(page).to_have_url(re.compile("/admin/usage.*saved=view_"))
    assert parse_qs(urlsplit(page.url).query)["model"] == ["gpt-4o"]
    expect(page.get_by_role("heading", name="Calls by model")).to_be_visible()
    expect(page.get_by_role("button", name="7 days")).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name="The large one").click()
    page.get_by_role("menuitem", name="Without a view").click()
    expect(page.get_by_role("heading", name="Cost by provider")).to_be_visible()

    gone = {"page": "usage", "name": "Of somebody", "query": {"user_id": "usr_gone"}, "shared": True}
    assert server.admin.post("/llm/views", json=gone).status_code == 201
    page.reload()
    page.get_by_role("button", name="The large one").or_(page.get_by_role("button", name="Views")).click()
    page.get_by_role("menuitem", name="Of somebody").click()
    expect(page.get_by_text("Of somebody filters by something that is gone")).to_be_visible()
    page.get_by_role("button", name="Of somebody").click()
    page.get_by_role("menuitem", name="Manage views").click()
    page.get_by_role("button", name="Rename Of somebody").click()
    page.get_by_label("Name", exact=True).fill("Of Ana")
    page.keyboard.press("Enter")
    row = page.get_by_role("listitem", name="Of Ana")
    row.get_by_role("switch", name="Shared").click()
    expect(row.get_by_role("switch", name="Shared")).not_to_be_checked()
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    for name in ("Of Ana", "The large one"):
        page.get_by_role("button", name=f"Delete {name}").click()
        page.get_by_role("button", name="Delete view").click()
        expect(page.get_by_role("listitem", name=name)).to_have_count(0)
    assert server.admin.get("/llm/views").json() == {"views": []}


def test_files_hold_what_is_shown(console: Console, rows: list[Row]) -> None:
    page = console.open("/admin/usage?metric=cost&group=model")
    console.sign_in()
    files = {}
    for form in ("CSV", "JSON"):
        page.get_by_role("button", name="Export").click()
        with page.expect_download() as leaving:
            page.get_by_role("menuitem", name=f"What is shown, as {form}").click()
        files[form] = Path(leaving.value.path()).read_text()
    by_model: dict[str, float] = defaultdict(float)
    for line in csv.DictReader(files["CSV"].splitlines()):
        by_model[line["name"]] += float(line["value"] or 0)
    for model in ("gpt-4o", "gpt-4o-mini", "claude-haiku-4-5"):
        assert by_model[model] == pytest.approx(cost([row for row in rows if row["model"] == model]))
    assert json.loads(files["JSON"])["total"] == pytest.approx(cost(rows))
    assert sum(by_model.values()) == pytest.approx(cost(rows))


def test_lines_are_toggled_and_a_failed_load_is_said(console: Console, rows: list[Row]) -> None:
    page = console.open("/admin/usage")
    console.sign_in()
    lines = page.get_by_role("list", name="Lines")
    drawn = page.locator(".recharts-line-curve")
    expect(drawn).to_have_count(3)
    lines.get_by_role("button", name="OpenAI").click()
    expect(lines.get_by_role("button", name="OpenAI")).to_have_attribute("aria-pressed", "false")
    expect(drawn).to_have_count(2)

    broken = {"error": {"type": "internal_error", "message": "It broke"}}
    page.route("**/usage/explore*", lambda route: route.fulfill(status=500, json=broken))
    page.reload()
    expect(page.get_by_text("The usage could not be loaded")).to_be_visible()
    page.unroute("**/usage/explore*")
    page.get_by_role("button", name="Retry").click()
    expect(row_of(page, "Totals by provider", "OpenAI")).to_be_visible()


@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (390, "dark")])
def test_it_is_accessible_and_fits(console: Console, rows: list[Row], width: int, scheme: Any) -> None:
    page = console.page
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    page.set_viewport_size({"width": width, "height": 900})
    console.open("/admin/usage")
    console.sign_in()
    expect(page.get_by_role("link", name="Everything")).to_be_visible()
    for view in ("", "?view=table&group=model"):
        console.open("/admin/usage" + view)
        expect(page.get_by_role("link", name="Everything")).to_be_visible()
        if width == 390:  # the fields stand behind a button, which leaves the figures in sight
            expect(page.get_by_role("combobox", name="Provider")).to_be_hidden()
            page.get_by_role("button", name="Filters").click()
            expect(page.get_by_role("combobox", name="Provider")).to_be_visible()
        page.wait_for_load_state("networkidle")
        found = Axe().run(page)
        assert found.violations_count == 0, found.generate_report()
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
