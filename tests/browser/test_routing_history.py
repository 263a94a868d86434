"""The routing history in a browser: what changed, and the way back that traffic follows."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import expect

from live import LiveServer, SimulatorThread


def test_a_version_is_read_and_returned_to(
    console: Any, server: LiveServer, simulator: SimulatorThread
) -> None:
    where = {"api_key": "sk-sim", "base_url": simulator.openai_url}
    first = server.add_provider("openai", name="First", **where)
    second = server.add_provider("openai", name="Second", **where)
    server.admin.put("/llm/routing/rules", json={"strategy": "cost"})
    server.admin.patch(f"/llm/providers/{first['id']}", json={"priority": 7})
    server.admin.delete(f"/llm/providers/{second['id']}")
    page = console.open("/admin/routing-history")
    console.sign_in()
    expect(page.get_by_role("heading", name="Routing history")).to_be_visible()
    expect(page.get_by_role("row", name="Version 4")).to_contain_text("First: priority 50 → 7")
    expect(page.get_by_role("row", name="Version 5")).to_contain_text("In force")
    page.get_by_role("button", name="Version 3", exact=True).click()
    drawer = page.get_by_role("dialog", name="Version 3")
    expect(drawer).to_contain_text("Strategy: Balanced → Cost Optimized")
    drawer.get_by_role("button", name="Return to this version").click()
    dialog = page.get_by_role("dialog", name="Return to version 3?")
    expect(dialog).to_contain_text("First: priority 7 → 50")
    expect(dialog).to_contain_text("The provider “Second” was deleted with its key")
    back = dialog.get_by_role("button", name="Return to version 3")
    expect(back).to_be_disabled()
    dialog.get_by_label("Bring back the rest").check()
    back.click()
    expect(page.get_by_role("dialog", name="Version 6")).to_contain_text("Return to version 3")
    assert server.admin.get(f"/llm/providers/{first['id']}").json()["priority"] == 50
    page.reload()
    expect(page.get_by_role("dialog", name="Version 6")).to_contain_text("In force")
