"""The page of requests: live as they end, narrowed by what the address says."""

from __future__ import annotations

import json
import math
import re
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


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    path: Path = tmp_path_factory.mktemp("requests") / "data"
    with SimulatorThread() as simulated, LiveServer(path) as running:
        running.add_provider("openai", api_key="sk-good", base_url=simulated.openai_url)
        yield running


@pytest.fixture(scope="module")
def secret(server: LiveServer) -> str:
    return server.create_api_key("traffic")


def ask(server: LiveServer, secret: str, model: str = "gpt-4o-mini") -> str:
    """The id of a request that was made."""
    answer = httpx.post(
        f"{server.url}/v1/chat/completions",
        headers={"authorization": f"Bearer {secret}"},
        json={"model": model, "messages": [{"role": "user", "content": "Hello"}]},
    )
    return str(answer.headers["x-request-id"])


def rows(page: Page) -> Locator:
    return page.get_by_role("region", name="Requests", exact=True).locator("tbody tr")


def show(page: Page, state: str) -> None:
    """Let the page believe that its tab is hidden, or visible again."""
    page.evaluate(
        """state => {
            Object.defineProperty(document, "visibilityState", { configurable: true, get: () => state });
            document.dispatchEvent(new Event("visibilitychange"));
        }""",
        state,
    )


def test_live_shows_each_request_once_and_says_when_it_cannot(
    console: Console, server: LiveServer, secret: str
) -> None:
    known = len(server.requests(limit=200))
    page = console.open("/admin/requests")
    console.sign_in()
    page.get_by_role("switch", name="Live").focus()
    page.keyboard.press("Space")
    expect(page).to_have_url(re.compile("live=on"))
    status = page.get_by_role("status")
    expect(status).to_contain_text("Requests appear as they end")
    for _ in range(3):
        ask(server, secret)
    expect(rows(page)).to_have_count(known + 3)

    show(page, "hidden")
    expect(status).to_contain_text("Paused")
    ask(server, secret)
    wait_until(lambda: len(server.requests(limit=200)) == known + 4, what="the record", seconds=15)
    expect(rows(page)).to_have_count(known + 3)
    show(page, "visible")
    expect(rows(page)).to_have_count(known + 4)

    page.route("**/requests/tail*", lambda route: route.abort())
    expect(status).to_contain_text("Behind")
    ask(server, secret, model="no-such-model")
    page.unroute("**/requests/tail*")
    expect(rows(page)).to_have_count(known + 5)
    expect(rows(page).first).to_contain_text("no-such-model")
    expect(status).to_contain_text("Requests appear")
    page.get_by_role("switch", name="Live").uncheck()
    expect(rows(page)).to_have_count(known + 5)


def test_every_filter_stands_in_the_address(console: Console, server: LiveServer, secret: str) -> None:
    dear, lost = ask(server, secret, "gpt-4o"), ask(server, secret, "no-such-model")
    wait_until(
        lambda: {dear, lost} <= {row["id"] for row in server.requests(limit=200)},
        what="the records",
        seconds=15,
    )
    page = console.open("/admin/requests")
    console.sign_in()
    page.get_by_role("button", name="More filters").click()
    page.get_by_role("combobox", name="Error").or_(page.get_by_role("textbox", name="Error")).click()
    page.get_by_role("option", name="model not found", exact=True).click()
    lost_rows = [row for row in server.requests(limit=200) if row["error_type"] == "model_not_found"]
    expect(rows(page)).to_have_count(len(lost_rows))
    page.get_by_role("button", name="Clear filters").click()
    page.get_by_label("Cost from").fill("0.000001")
    cost = [row for row in server.requests(limit=200) if (row["cost_usd"] or 0) >= 0.000001]
    expect(rows(page)).to_have_count(len(cost))
    page.get_by_label("Started from").fill("2020-01-01T10:00")
    expect(page).to_have_url(re.compile("from_at=2020-01-01T"))
    asked = parse_qs(urlsplit(page.url).query)
    assert asked["min_cost_usd"] == ["0.000001"]
    page.reload()
    expect(page.get_by_role("button", name="More filters (2)")).to_have_attribute("aria-expanded", "true")
    expect(page.get_by_label("Started from")).to_have_value("2020-01-01T10:00")
    expect(rows(page)).to_have_count(len(cost))
    page.get_by_role("button", name="Clear filters").click()
    page.get_by_label("Search", exact=True).fill(dear)
    expect(rows(page)).to_have_count(1)
    expect(rows(page)).to_contain_text("gpt-4o")


def test_a_request_leaves_as_a_bundle(console: Console, server: LiveServer, secret: str) -> None:
    request_id = ask(server, secret)
    server.wait_for_request(request_id)
    page = console.open(f"/admin/requests/{request_id}")
    console.sign_in()
    with page.expect_download() as leaving:
        page.get_by_role("link", name="Bundle").click()
    assert leaving.value.suggested_filename == f"ops-center-{request_id}.json"
    bundle = json.loads(Path(leaving.value.path()).read_text())
    assert bundle["request"]["attempts"][0]["outcome"] == "success"
    assert bundle["routing"]["version"] >= 1
    assert len(bundle["routing"]["providers"]) == 1


def test_prompt_and_answer_are_kept_when_switched_on_and_each_look_is_audited(
    console: Console, server: LiveServer, secret: str
) -> None:
    before = ask(server, secret)
    page = console.open(f"/admin/requests/{before}")
    console.sign_in()
    part = page.get_by_role("region", name="Prompt and answer", exact=True)
    expect(part).to_contain_text("They are not kept.")
    part.get_by_role("link", name="settings").click()
    panel = page.get_by_role("region", name="Prompts and Answers", exact=True)
    panel.get_by_role("switch", name="Keep prompts and answers").check()
    panel.get_by_role("button", name="Save Storing").click()
    expect(page.get_by_text("Saved.")).to_be_visible()
    kept = ask(server, secret)
    wait_until(
        lambda: server.admin.get(f"/llm/requests/{kept}/bodies").status_code == 200,
        what="the bodies",
        seconds=15,
    )
    looks = len(server.admin.get("/audit-log?action=request.bodies_view").json()["entries"])
    console.open(f"/admin/requests/{kept}")
    part.get_by_role("button", name="Show prompt and answer").click()
    expect(part.get_by_role("region", name="Prompt", exact=True)).to_contain_text('"content": "Hello"')
    expect(part.get_by_role("region", name="Answer", exact=True)).to_contain_text("choices")
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    log = server.admin.get("/audit-log?action=request.bodies_view").json()["entries"]
    assert (len(log), log[0]["object_id"]) == (looks + 1, kept)

    with page.expect_download() as leaving:
        part.get_by_role("link", name="Bundle with both").click()
    bundle = json.loads(Path(leaving.value.path()).read_text())
    assert bundle["bodies"]["request"]["content"]["messages"][0]["content"] == "Hello"

    again = page.get_by_role("region", name="Replay", exact=True)
    again.get_by_role("button", name="Replay").click()
    expect(again).to_contain_text("costs money")
    send = again.get_by_role("button", name="Send again")
    expect(send).to_be_disabled()
    again.get_by_role("combobox", name="Send to").or_(again.get_by_role("textbox", name="Send to")).click()
    targets = server.admin.get(f"/llm/requests/{kept}/replay").json()["targets"]
    costs = [target["expected_cost_usd"] for target in targets]
    assert costs == sorted(costs, key=lambda usd: (usd is None, usd)) and None not in costs[:2]
    expect(page.get_by_role("option").first).to_contain_text(f"{targets[0]['model']} at")
    expect(page.get_by_role("option", name=re.compile("^gpt-4o at .*\\$0.00"))).to_be_visible()
    page.get_by_role("option", name=re.compile("^gpt-4o at")).click()
    expect(again).to_contain_text("costs money, about $0.00")
    send.click()
    table = again.get_by_role("table", name="The replay beside the original")
    expect(table).to_be_visible()
    original = server.admin.get(f"/llm/requests/{kept}").json()
    [replay] = original["replays"]
    less = replay["cost_usd"] - original["cost_usd"]
    row = {name: table.get_by_role("row", name=re.compile(f"^{name}")) for name in ("Served", "Cost")}
    expect(row["Served"]).to_contain_text("gpt-4o-mini at")
    expect(row["Served"].get_by_role("cell").last).to_contain_text("gpt-4o at")
    places = 1 - math.floor(math.log10(less))
    expect(row["Cost"]).to_contain_text(f"+${less:.{places}f}".rstrip("0"))
    expect(again.get_by_role("region", name="Answer of the replay")).not_to_be_empty()
    expect(again.get_by_role("list", name="Earlier replays").get_by_role("link")).to_have_count(1)
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    table.get_by_role("link", name="Replay").click()
    expect(page).to_have_url(re.compile(replay["id"]))
    page.get_by_role("region", name="Facts").get_by_role("link", name=kept).click()
    expect(page).to_have_url(re.compile(kept))
    assert server.admin.patch("/settings", json={"bodies": {"keep": False}}).status_code == 200


@pytest.mark.parametrize(("width", "scheme"), [(1440, "dark"), (390, "light")])
def test_it_is_accessible_and_fits(
    console: Console, server: LiveServer, secret: str, width: int, scheme: Any
) -> None:
    page = console.page
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    page.set_viewport_size({"width": width, "height": 900})
    console.open("/admin/requests?live=on&min_duration_ms=1")
    console.sign_in()
    expect(rows(page).first).to_be_visible()
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_the_search_of_the_console_reaches_requests_models_and_users(
    console: Console, server: LiveServer, secret: str
) -> None:
    request = ask(server, secret)
    email = "grace.hopper@example.com"
    answer = server.admin.post("/users", json={"email": email, "password": "a long enough password"})
    assert answer.status_code == 201, answer.text
    wait_until(lambda: request in {row["id"] for row in server.requests()}, what="the record", seconds=15)
    page = console.open("/admin/settings")
    console.sign_in()
    title = page.get_by_role("heading", level=1)
    expect(title).to_have_text("Settings")
    dialog = page.get_by_role("dialog", name="Search and commands")

    def look_for(text: str, choose: str) -> None:
        page.keyboard.press("Control+k")
        dialog.get_by_placeholder("Page, provider, model").fill(text)
        dialog.get_by_role("button", name=choose).first.click()

    look_for(request, request)
    expect(page).to_have_url(re.compile(f"/admin/requests/{request}$"))
    look_for("gpt-4o-mini", "gpt-4o-mini OpenAI")
    expect(page).to_have_url(re.compile("/admin/models.*search=gpt-4o-mini"))
    look_for("hopper", email)
    users = page.get_by_role("region", name="Users", exact=True).locator("tbody tr")
    expect(users).to_have_count(1)
    expect(users).to_contain_text(email)
    page.get_by_label("Search", exact=True).fill("nobody")
    page.get_by_role("button", name="Clear Search").click()
    expect(users).to_have_count(len(server.admin.get("/users").json()["users"]))
