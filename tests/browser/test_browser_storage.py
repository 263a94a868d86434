"""Secrets in the browser: none on any page, none in what it keeps; the one that is shown once is gone after."""

from __future__ import annotations

import json
import re

from playwright.sync_api import expect

from browser.conftest import Console
from canaries import EchoProvider, plant
from live import LiveServer, SimulatorThread

PAGES = (
    "/admin/litellm-providers",
    "/admin/models",
    "/admin/requests",
    "/admin/usage",
    "/admin/users",
    "/admin/teams",
    "/admin/budgets",
    "/admin/byok",
    "/admin/api-keys",
    "/admin/audit-log",
    "/admin/settings",
    "/account/usage",
    "/account/api-keys",
    "/account/provider-keys",
    "/account/security",
)
KEPT = """async () => JSON.stringify({
  local: {...localStorage}, session: {...sessionStorage}, cookies: document.cookie, state: history.state,
  address: location.href, databases: (await indexedDB.databases()).map((one) => one.name), caches: await caches.keys(),
})"""


def test_no_secret_is_on_a_page_or_stays_in_the_browser(
    console: Console, server: LiveServer, simulator: SimulatorThread
) -> None:
    with EchoProvider() as echo:
        canaries = plant(server, simulator, echo)
    page = console.open("/login")
    console.sign_in()
    expect(page).to_have_url(re.compile("/admin$"))
    mine = {cookie["name"]: cookie for cookie in page.context.cookies()}["ops_center_session"]
    canaries.keep("the session of this browser", str(mine["value"]))
    assert mine["httpOnly"] is True
    for path in PAGES:
        page.goto(server.url + path)
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        page.wait_for_load_state("networkidle")
        assert canaries.found_in(page.content().encode()) == set(), path
    page.goto(server.url + "/account/api-keys?create=1")
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name").fill("made here")
    dialog.get_by_role("button", name="Create Key").click()
    canaries.keep("the key made here", page.get_by_test_id("secret").inner_text())
    page.get_by_role("button", name="I have copied it").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert canaries.found_in(page.content().encode()) == set()
    kept = page.evaluate(KEPT)
    assert json.loads(kept)["cookies"] == "" and json.loads(kept)["databases"] == []
    assert canaries.found_in(kept.encode()) == set(), kept
