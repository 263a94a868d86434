"""The time machine in a browser: a draft, its replay with real recorded requests, and what publishing does."""

from __future__ import annotations

from typing import Any

import httpx
from playwright.sync_api import expect

from live import LiveServer, SimulatorThread


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
