"""The home page: what to do on the first day, then figures that are sums of requests and lead to them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from browser.conftest import Console
from live import LiveServer, SimulatorThread, wait_until


@pytest.fixture(scope="module")
def simulator() -> Iterator[SimulatorThread]:
    with SimulatorThread() as simulated:
        yield simulated


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    path: Path = tmp_path_factory.mktemp("home") / "data"
    with LiveServer(path) as running:
        yield running


def test_from_the_first_day_to_figures_that_lead_to_their_requests(
    console: Console, server: LiveServer, simulator: SimulatorThread
) -> None:
    page = console.open("/")
    console.sign_in()
    expect(page).to_have_url(re.compile("/admin$"))
    expect(page.get_by_role("heading", name="Home", exact=True)).to_be_visible()
    expect(page.get_by_role("heading", name="From here to the first answer")).to_be_visible()
    expect(page.get_by_role("listitem").filter(has_text="Set a budget").get_by_role("link")).to_be_visible()
    broken = page.get_by_role("region", name="Is anything broken?")
    expect(broken).to_contain_text("Not set up yet")
    expect(broken.get_by_role("link", name="Add a provider")).to_be_visible()
    expect(page.get_by_text("All good")).to_have_count(0)
    expect(page.get_by_role("region", name="What does it cost?")).to_have_count(0)  # no figure out of nothing
    page.get_by_role("button", name="Add a provider now").click()
    expect(page.get_by_role("dialog", name="Add Provider")).to_be_visible()

    provider = server.add_provider("openai", api_key="sk-good", base_url=simulator.openai_url)
    secret = server.create_api_key("traffic")
    for model in ("gpt-4o", "gpt-4o", "gpt-4o-mini", "no-such-model"):
        httpx.post(
            f"{server.url}/v1/chat/completions",
            headers={"authorization": f"Bearer {secret}"},
            json={"model": model, "messages": [{"role": "user", "content": "Hello"}]},
        )
    wait_until(lambda: len(server.requests()) == 4, what="the records")
    rows = server.requests()
    cost = sum(row["cost_usd"] or 0 for row in rows)
    console.open("/admin?span=24h")
    today = page.get_by_role("group", name="Today")
    expect(today).to_contain_text("4 requests")
    answer = server.admin.get("/home", params={"span": "24h"}).json()
    assert answer["cost"]["today"]["cost_usd"] == pytest.approx(cost)
    expect(page.get_by_role("group", name="Forecast for the month")).to_contain_text("Not yet")
    expect(page.get_by_text("Nothing to compare with yet")).to_be_visible()
    today.get_by_role("link", name="4 requests").click()
    listed = page.get_by_role("region", name="Requests", exact=True).get_by_role("row")
    expect(listed).to_have_count(1 + 4)

    # what breaks is said, with the way to mend it
    server.admin.patch(f"/llm/providers/{provider['id']}", json={"enabled": False})
    page.get_by_role("link", name="Home", exact=True).click()
    broken = page.get_by_role("list", name="What is broken")
    expect(broken).to_contain_text("Every provider is disabled")
    broken.get_by_role("link", name="Enable one").click()
    expect(page).to_have_url(re.compile("/admin/litellm-providers"))


def test_a_repeated_request_is_advice_with_its_money(console: Console, server: LiveServer) -> None:
    [provider] = server.admin.get("/llm/providers").json()["providers"]
    server.admin.patch(f"/llm/providers/{provider['id']}", json={"enabled": True})
    secret = server.create_api_key("twice")
    for text in ("word " * 8000, "word " * 8000, "other " * 8000):
        answer = httpx.post(
            f"{server.url}/v1/chat/completions",
            headers={"authorization": f"Bearer {secret}"},
            json={"model": "gpt-4o", "messages": [{"role": "user", "content": text}]},
        )
        assert answer.status_code == 200
    rows = wait_until(
        lambda: [row for row in server.requests() if row["api_key_name"] == "twice"][:3], what="the records"
    )
    page = console.open("/admin/savings")
    console.sign_in()
    advice = page.get_by_role("listitem", name="Duplicate requests: twice")
    expect(advice).to_contain_text("1 of its requests had been sent before")
    cost = {row["id"]: row["cost_usd"] for row in rows}
    [found] = [
        one for one in server.admin.get("/llm/savings").json()["advice"] if one["kind"] == "duplicates"
    ]
    assert found["saving_usd"] == pytest.approx(cost[found["examples"][0]])
    advice.get_by_role("link", name="See one of them").click()
    expect(page).to_have_url(re.compile("/admin/requests/req_"))


@pytest.mark.parametrize(("width", "scheme"), [(1440, "dark"), (390, "light")])
def test_it_is_accessible_and_fits(console: Console, width: int, scheme: Any) -> None:
    page = console.page
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    page.set_viewport_size({"width": width, "height": 900})
    console.open("/admin")
    console.sign_in()
    expect(page.get_by_role("heading", name="Home", exact=True)).to_be_visible()
    for path, region in (("/admin", "What changed?"), ("/admin/savings", "Advice")):
        console.open(path)
        expect(page.get_by_role("region", name=region)).to_be_visible()
        page.wait_for_load_state("networkidle")
        found = Axe().run(page)
        assert found.violations_count == 0, found.generate_report()
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
