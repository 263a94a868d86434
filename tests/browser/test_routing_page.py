"""The providers' page routes: strategy, rules, Try routing; and a request's own page says how it was routed."""

from __future__ import annotations

import httpx
import pytest
from playwright.sync_api import Route, expect

from browser.conftest import Console
from live import LiveServer, SimulatorThread, wait_until

PROVIDERS = "/admin/litellm-providers"


@pytest.fixture
def server(reused_server: LiveServer) -> LiveServer:
    return reused_server


@pytest.fixture
def secret(server: LiveServer, simulator: SimulatorThread) -> str:
    for type, url in (("openai", simulator.openai_url), ("anthropic", simulator.anthropic_url)):
        server.add_provider(type, api_key="sk-simulated", base_url=url, allow_private_network=True)
    return server.create_api_key()


def ask(server: LiveServer, secret: str, model: str, **body: object) -> httpx.Response:
    return httpx.post(
        f"{server.url}/v1/chat/completions",
        headers={"authorization": f"Bearer {secret}"},
        json={"model": model, "messages": [{"role": "user", "content": "Hello"}], **body},
    )


def test_what_try_routing_says_is_what_the_requests_page_shows_later(
    console: Console, server: LiveServer, secret: str
) -> None:
    page = console.open(PROVIDERS)
    console.sign_in()
    page.get_by_role("button", name="Try routing").click()
    drawer = page.get_by_role("dialog", name="Try routing")
    drawer.get_by_role("textbox", name="Model").fill("claude-haiku")
    expected = drawer.get_by_role("region", name="Expected")
    expect(expected).to_contain_text("claude-haiku-4-5 at Anthropic")
    expect(expected).to_contain_text("for this request")
    drawer.get_by_role("textbox", name="Model").fill("nobody-has-this")
    expect(drawer.get_by_text("is not served by any provider here")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Try routing")).to_be_focused()
    assert server.requests() == []  # nothing was sent

    answer = ask(server, secret, "claude-haiku", frequency_penalty=0.5)
    assert answer.status_code == 200
    wait_until(lambda: server.requests(), what="the usage record")
    page = console.open(f"/admin/requests/{answer.headers['x-request-id']}")
    expect(page.get_by_role("region", name="Attempts")).to_contain_text("1. claude-haiku-4-5 at Anthropic")
    expect(page.get_by_role("region", name="Dropped parameters")).to_contain_text("frequency_penalty")
    expect(page.get_by_role("region", name="Plan", exact=True)).to_contain_text("alias “claude-haiku”")
    lines = page.get_by_role("table", name="Price lines")
    expect(lines).to_contain_text("Output")
    expect(lines).to_contain_text("Together")


def test_the_fallback_order_is_moved_by_keyboard_and_is_what_traffic_follows(
    console: Console, server: LiveServer, simulator: SimulatorThread
) -> None:
    for name in ("Alpha", "Beta"):
        server.add_provider(
            "openai", name=name, api_key="sk-x", base_url=simulator.openai_url, allow_private_network=True
        )
    secret = server.create_api_key()
    page = console.open(PROVIDERS)
    console.sign_in()
    panel = page.get_by_role("region", name="Fallback Order")
    rows = panel.get_by_role("list", name="Fallback order").get_by_role("listitem")
    expect(rows).to_have_count(2)
    expect(rows.nth(0)).to_contain_text("Alpha")
    panel.get_by_role("button", name="Move Beta").focus()
    page.keyboard.press("Space")
    expect(page.get_by_text("Beta is at number 2 of 2.")).to_be_attached()
    page.keyboard.press("ArrowUp")
    expect(page.get_by_text("Beta is at number 1 of 2.")).to_be_attached()
    page.keyboard.press("Space")
    expect(panel.get_by_text("Saved: traffic follows this order now.")).to_be_visible()
    expect(rows.nth(0)).to_contain_text("Beta")
    asked = {ask(server, secret, "gpt-4o-mini").headers["x-ops-provider"] for _ in range(6)}
    assert asked == {"Beta"}

    page.reload()
    expect(rows.nth(0)).to_contain_text("Beta")
    priority = panel.get_by_label("Priority of Alpha")
    priority.fill("99")
    priority.press("Enter")
    expect(rows.nth(0)).to_contain_text("Alpha")
    wait_until(
        lambda: ask(server, secret, "gpt-4o-mini").headers["x-ops-provider"] == "Alpha", what="the new order"
    )


def test_strategy_and_rules_save_roll_back_and_are_right_after_reload(
    console: Console, server: LiveServer, secret: str
) -> None:
    page = console.open(PROVIDERS)
    console.sign_in()
    panel = page.get_by_role("region", name="Routing Strategy")
    cost, quality = (panel.get_by_role("radio", name=f"{name} Optimized") for name in ("Cost", "Quality"))
    cost.check()
    expect(panel.get_by_text("Cost Optimized is in force now")).to_be_visible()
    page.reload()
    expect(cost).to_be_checked()
    assert ask(server, secret, "auto").headers["x-ops-model"] == "gpt-5-nano"

    def fail(route: Route) -> None:
        route.fulfill(status=500, json={"error": {"type": "internal_error", "message": "It broke"}})

    page.route("**/llm/routing/rules", lambda r: fail(r) if r.request.method == "PUT" else r.continue_())
    quality.click()
    expect(panel.get_by_text("Not saved: It broke")).to_be_visible()
    expect(cost).to_be_checked()
    page.unroute("**/llm/routing/rules")

    panel.get_by_role("button", name="Weights and other rules").click()
    price, speed = panel.get_by_label("Price", exact=True), panel.get_by_label("Speed", exact=True)
    price.fill("0.9")
    expect(panel.get_by_text("The three must sum to 1; these sum to 1.5")).to_be_visible()
    expect(panel.get_by_role("button", name="Save weights")).to_be_disabled()
    speed.fill("0.1")
    panel.get_by_label("Quality", exact=True).fill("0")
    panel.get_by_role("button", name="Save weights").click()
    expect(panel.get_by_role("button", name="Save weights")).to_have_count(0)
    panel.get_by_label("The strategy replaces named models").check()
    expect(panel.get_by_text("Saved, and in force now.")).to_be_visible()
    page.reload()
    panel.get_by_role("button", name="Weights and other rules").click()
    expect(price).to_have_value("0.9")
    expect(panel.get_by_label("The strategy replaces named models")).to_be_checked()
    assert ask(server, secret, "gpt-4o").headers["x-ops-model"] == "gpt-5-nano"
