"""Budgets and API keys in the console: set, seen, held to, changed and lifted."""

from __future__ import annotations

import re

import httpx
from playwright.sync_api import expect

from browser.conftest import Console
from live import LiveServer, SimulatorThread


def ask(server: LiveServer, secret: str) -> httpx.Response:
    return httpx.post(
        f"{server.url}/v1/chat/completions",
        json={"model": "gpt-4o-mini", "max_tokens": 10, "messages": [{"role": "user", "content": "hi"}]},
        headers={"authorization": f"Bearer {secret}"},
    )


def test_a_budget_is_set_watched_and_lifted(
    console: Console, server: LiveServer, simulator: SimulatorThread
) -> None:
    server.add_provider("openai", api_key="sk-good", base_url=simulator.simulator.openai_url)
    secret = server.create_api_key("shop")
    page = console.open("/admin/budgets")
    console.sign_in()
    page.get_by_role("button", name="Add Budget").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Add Budget").click()
    expect(dialog).to_contain_text("Enter an amount")
    dialog.get_by_label("Of", exact=True).click()
    page.get_by_role("option", name="An API key").click()
    dialog.get_by_label("Which one").click()
    page.get_by_role("option", name=re.compile("^shop")).click()
    dialog.get_by_label("Amount").fill("0.0000001")
    dialog.get_by_role("button", name="Add Budget").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    row = page.get_by_role("row").filter(has_text="shop")
    expect(row).to_contain_text("Refuse")
    assert ask(server, secret).status_code == 402

    row.get_by_role("button", name="Edit the budget of shop per month").click()
    dialog.get_by_label("Amount").fill("0.00001")
    dialog.get_by_label("Warn only").check()
    dialog.get_by_role("button", name="Save").click()
    expect(row).to_contain_text("Warn only")
    for _ in range(3):
        assert ask(server, secret).status_code == 200
    page.reload()
    expect(row).to_contain_text("Used up: requests go on")
    expect(page.get_by_role("link", name="1 budget used up")).to_be_visible()

    row.get_by_role("button", name="Delete the budget of shop per month").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete budget").click()
    expect(page.get_by_text("No budget yet")).to_be_visible()
    expect(page.get_by_role("link", name="1 budget used up")).to_have_count(0)


def test_a_key_gets_every_limit_and_both_secrets_work_for_a_while(
    console: Console, server: LiveServer, simulator: SimulatorThread
) -> None:
    server.add_provider("openai", api_key="sk-good", base_url=simulator.simulator.openai_url)
    page = console.open("/account/api-keys?create=1")
    console.sign_in()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name").fill("till")
    dialog.get_by_label("Budget per month").fill("5")
    dialog.get_by_role("button", name="More limits").click()
    dialog.get_by_label("Requests per minute").fill("7")
    dialog.get_by_label("Tokens per minute").fill("9000")
    dialog.get_by_label("Requests at once").fill("3")
    dialog.get_by_role("combobox", name="Own keys").click()
    page.get_by_role("option", name="Own keys, then shared").click()
    dialog.get_by_label("Addresses").fill("not an address")
    dialog.get_by_label("Addresses").press("Enter")
    dialog.get_by_role("button", name="Create Key").click()
    expect(dialog).to_contain_text("must be an address or a network")
    dialog.get_by_label("Addresses").press("Backspace")
    dialog.get_by_label("Addresses").fill("127.0.0.0/8")
    dialog.get_by_label("Addresses").press("Enter")
    dialog.get_by_label("Tags").fill("shop")
    dialog.get_by_label("Tags").press("Enter")
    dialog.get_by_role("button", name="Create Key").click()
    old = page.get_by_test_id("secret").inner_text()
    page.get_by_role("button", name="I have copied it").click()
    [key] = server.admin.get("/me/api-keys").json()["api_keys"]
    shown = ("requests_per_minute", "tokens_per_minute", "concurrent_requests", "ip_ranges", "tags")
    assert [key[name] for name in shown] == [7, 9000, 3, ["127.0.0.0/8"], ["shop"]]
    assert (key["budget_usd"], key["byok_policy"]) == (5, "byok_then_shared")
    assert key["expires_at"] is not None

    page.get_by_role("button", name="Rotate till").click()
    page.get_by_role("button", name="Rotate key").click()
    new = page.get_by_test_id("secret").inner_text()
    assert [ask(server, secret).status_code for secret in (old, new)] == [200, 200]
    page.get_by_role("button", name="I have copied it").click()

    console.open("/admin/api-keys")
    page.get_by_role("searchbox").fill("nothing like it")
    expect(page.get_by_text("No key fits")).to_be_visible()
    page.get_by_role("searchbox").fill("SHOP")
    page.get_by_role("button", name="Revoke till").click()
    page.get_by_role("button", name="Revoke key").click()
    expect(page.get_by_text("Revoked")).to_be_visible()
    assert [ask(server, secret).status_code for secret in (old, new)] == [401, 401]
