"""Alerts in the console: a real one of failing traffic, over a restart, acknowledged; rules that are tuned."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from browser.conftest import Console
from live import LiveServer, SimulatorThread, wait_until


@pytest.fixture(scope="module")
def simulator() -> Iterator[SimulatorThread]:
    with SimulatorThread() as running:
        yield running


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    path: Path = tmp_path_factory.mktemp("alerts") / "data"
    with LiveServer(path) as running:
        yield running


def test_failing_traffic_rings_and_is_acknowledged(
    console: Console, server: LiveServer, simulator: SimulatorThread
) -> None:
    page = console.open("/admin/alerts")
    console.sign_in()
    expect(page.get_by_text("Nothing rings")).to_be_visible()
    least = page.get_by_label("Many requests fail: Fewest requests")
    expect(least).to_have_value("20")
    least.fill("")
    page.get_by_role("button", name="Save Rules").click()
    expect(page.get_by_text("From 1 to 1,000,000")).to_be_visible()
    least.fill("3")
    page.get_by_role("button", name="Save Rules").click()
    wait_until(
        lambda: server.admin.get("/settings").json()["alerts"]["error_rate_least_requests"] == 3,
        what="the rule",
    )

    server.add_provider("openai", api_key="sk-good", base_url=simulator.openai_url)
    secret = server.create_api_key("traffic")
    simulator.configure(fault="status-500", fault_on="inference")
    for _ in range(3):
        httpx.post(
            f"{server.url}/v1/chat/completions",
            headers={"authorization": f"Bearer {secret}"},
            json={"model": "gpt-4o", "messages": [{"role": "user", "content": "Hello"}]},
        )
    server.restart()  # a start looks at once
    wait_until(lambda: server.admin.get("/alerts").json()["open"], what="the alert")
    console.open("/admin/alerts")
    alert = page.get_by_role("listitem", name=re.compile("^Error rate: "))
    expect(alert).to_contain_text("3 of 3 requests failed (100%)")
    main = page.get_by_role("navigation", name="Main")
    expect(main.get_by_label("1 alert rings")).to_be_visible()
    page.wait_for_load_state("networkidle")
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    alert.get_by_role("button", name=re.compile("^Acknowledge")).click()
    expect(alert).to_contain_text("Acknowledged by admin@example.com")
    expect(main.get_by_label("1 alert rings")).to_have_count(0)
    alert.get_by_role("link", name="Requests behind it").click()
    expect(page.get_by_role("region", name="Requests", exact=True).get_by_role("row")).to_have_count(1 + 3)

    page.set_viewport_size({"width": 390, "height": 900})
    console.open("/admin/alerts?state=closed")
    expect(page.get_by_text("Nothing has rung yet")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
