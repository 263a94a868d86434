"""The time machine in a browser: a draft, its replay with real recorded requests, and what publishing does."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from playwright.sync_api import expect

from live import LiveServer, SimulatorThread


@pytest.fixture
def server(reused_server: LiveServer) -> LiveServer:
    return reused_server


def test_a_draft_is_replayed_and_published(
    console: Any, server: LiveServer, simulator: SimulatorThread
) -> None:
    server.add_provider("openai", name="OpenAI", api_key="sk-sim", base_url=simulator.openai_url)
    server.admin.put("/llm/routing/rules", json={"strategy": "quality"})
    secret = server.create_api_key()

    def send() -> str:
        answer = httpx.post(
            f"{server.url}/v1/chat/completions",
            headers={"authorization": f"Bearer {secret}"},
            json={"model": "auto", "messages": [{"role": "user", "content": "Hello"}]},
        )
        assert answer.status_code == 200, answer.text
        return answer.headers["x-ops-model"]

    [best] = {send() for _ in range(5)}
    page = console.open("/admin/litellm-providers")
    console.sign_in()
    page.get_by_role("region", name="Routing Strategy").get_by_role("link", name="Time machine").click()
    page.get_by_role("button", name="New draft").click()
    page.get_by_role("dialog").get_by_label("Name").fill("Cheaper")
    page.get_by_role("button", name="Make draft").click()
    page.get_by_role("combobox", name="Strategy").click()
    page.get_by_role("option", name="Cost Optimized").click()
    page.get_by_role("button", name="Save draft").click()
    expect(page.get_by_role("region", name="Against what is live")).to_contain_text(
        "Strategy: Quality Optimized → Cost Optimized"
    )
    page.get_by_role("button", name="Replay").click()
    replay = page.get_by_role("region", name="Replay")
    expect(replay).to_contain_text("5 of 5 requests go under the live policy where they really went first")
    expect(replay.get_by_role("group", name="Moving")).to_contain_text("5")
    expect(replay.get_by_role("row", name=best)).to_be_visible()
    page.get_by_role("button", name="Publish…").click()
    page.get_by_role("dialog").get_by_role("button", name="Publish", exact=True).click()
    expect(page.get_by_text("No draft", exact=True)).to_be_visible()
    assert server.admin.get("/llm/routing/rules").json()["strategy"] == "cost"
    assert send() != best
    [newest, *_] = server.admin.get("/llm/routing/versions").json()["versions"]
    assert newest["action"] == "routing.publish"


def test_a_draft_holds_every_field_of_its_form(
    console: Any, server: LiveServer, simulator: SimulatorThread
) -> None:
    server.add_provider("openai", name="OpenAI", api_key="sk-sim", base_url=simulator.openai_url)
    made = server.admin.post("/llm/routing/drafts", json={"name": "Everything"}).json()
    page = console.open(f"/admin/time-machine?draft={made['id']}")
    console.sign_in()
    page.get_by_role("switch", name="The strategy replaces named models").check()
    page.get_by_role("switch", name="Long prompts may move to a larger window").check()
    page.get_by_label("Retries").fill("3")
    page.get_by_role("switch", name="Auto-fallback of OpenAI").uncheck()
    page.get_by_label("Priority of OpenAI").fill("70")
    page.get_by_role("combobox", name="Switch a model").fill("gpt-4o-mini")
    page.get_by_role("option", name="gpt-4o-mini at OpenAI").first.click()
    page.get_by_role("combobox", name="Eco Mode: models").fill("gpt-4o-mini")
    page.keyboard.press("Enter")
    page.get_by_label("Eco Mode: highest price").fill("0.5")
    page.get_by_role("button", name="Save draft").click()
    changes = page.get_by_role("region", name="Against what is live")
    for text in (
        "Strategy for named models: off → on",
        "OpenAI: priority 50 → 70",
        "OpenAI: auto-fallback on → off",
        "OpenAI/gpt-4o-mini: enabled → disabled",
    ):
        expect(changes).to_contain_text(text)
    page.reload()
    expect(page.get_by_role("switch", name="gpt-4o-mini at OpenAI")).not_to_be_checked()
    expect(page.get_by_label("Retries")).to_have_value("3")
    kept = server.admin.get(f"/llm/routing/drafts/{made['id']}").json()["changes"]
    assert kept["rules"] | {"strategy": None, "weights": None} == {
        "replace_named": True,
        "larger_window": True,
        "retries": 3,
        "strategy": None,
        "weights": None,
    }
    assert kept["power_levels"]["eco"]["models"] == ["gpt-4o-mini"]
    assert list(kept["providers"].values()) == [{"enabled": None, "priority": 70, "auto_fallback": False}]
