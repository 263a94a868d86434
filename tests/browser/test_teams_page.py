"""Teams in the console: made with members, given a service key that works, dissolved."""

from __future__ import annotations

import httpx
from playwright.sync_api import expect

from browser.conftest import Console
from live import LiveServer, SimulatorThread


def test_a_team_is_made_uses_its_service_key_and_is_dissolved(
    console: Console, server: LiveServer, simulator: SimulatorThread
) -> None:
    server.add_provider("openai", api_key="sk-good", base_url=simulator.simulator.openai_url)
    server.admin.post("/users", json={"email": "ben@example.com"})
    page = console.open("/admin/teams")
    console.sign_in()
    expect(page.get_by_text("No team yet")).to_be_visible()
    page.get_by_role("button", name="Add Team").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name").fill("Platform")
    dialog.get_by_label("Members").fill("ben")
    page.get_by_role("option", name="ben@example.com").click()
    dialog.get_by_role("button", name="Add Team").click()
    expect(dialog).to_have_count(0)
    row = page.get_by_role("region", name="Teams").get_by_role("row").filter(has_text="Platform")
    expect(row).to_contain_text("ben@example.com")

    page.get_by_role("button", name="Create Service Key").click()
    dialog.get_by_label("Name").fill("nightly")
    dialog.get_by_role("button", name="Create Key").click()
    expect(page.get_by_text("sk-oc-").first).to_be_visible()
    [key] = server.admin.get("/llm/api-keys").json()["api_keys"]
    assert key["team_name"] == "Platform"
    secret = server.admin.post(f"/teams/{key['team_id']}/api-keys/{key['id']}/rotate").json()["secret"]
    answer = httpx.post(
        f"{server.url}/v1/chat/completions",
        json={"model": "gpt-4o-mini", "max_tokens": 10, "messages": [{"role": "user", "content": "hi"}]},
        headers={"authorization": f"Bearer {secret}"},
        timeout=30,
    )
    assert answer.status_code == 200
    page.reload()
    expect(row).to_contain_text("1 request")

    page.get_by_role("button", name="Delete Platform").click()
    expect(dialog).to_contain_text("1 service key")
    dialog.get_by_role("button", name="Delete team").click()
    expect(page.get_by_text("No team yet")).to_be_visible()
    assert server.admin.get("/llm/api-keys").json()["api_keys"][0]["revoked_at"] is not None
