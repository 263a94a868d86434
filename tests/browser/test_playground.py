"""The playground: a question asked in the browser goes the way of every request, and says what it cost."""

from __future__ import annotations

import msgspec
import pytest
from playwright.sync_api import expect

from browser.conftest import Console
from live import LiveServer, SimulatorThread


@pytest.fixture
def server(reused_server: LiveServer) -> LiveServer:
    return reused_server


def test_a_question_is_answered_priced_and_asked_again(
    console: Console, server: LiveServer, simulator: SimulatorThread
) -> None:
    server.add_provider("openai", name="OpenAI", api_key="sk-good", base_url=simulator.simulator.openai_url)
    page = console.open("/playground?model=gpt-4o-mini")
    console.sign_in()
    expect(page.get_by_role("combobox", name="Model")).to_have_value("gpt-4o-mini")
    message = page.get_by_label("Message")
    page.get_by_role("combobox", name="Model").click()
    # the list of what may be asked for needs no key
    expect(page.get_by_role("option", name="gpt-4o-mini", exact=True)).to_be_visible()
    message.fill("Hello")
    expect(page.get_by_role("button", name="Send")).to_be_enabled()
    assert server.admin.get("/me/api-keys").json()["api_keys"] == []  # it is made with the first question
    message.press("Enter")
    answer = page.get_by_role("listitem", name="Answer").first
    expect(answer).to_contain_text("gpt-4o-mini at OpenAI")
    expect(answer).to_contain_text("first word after")
    expect(answer).to_contain_text("$0.0")
    [record] = server.requests()
    assert (record["api_key_name"], record["stream"], record["requested_model"]) == (
        "Playground",
        True,
        "gpt-4o-mini",
    )
    assert record["status"] == 200 and record["cost_source"] == "computed"

    page.get_by_role("switch", name="Stream").uncheck()
    page.get_by_label("System prompt").fill("Be brief")
    message.fill("And now?")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("listitem", name="Answer").nth(1)).to_contain_text("in all")
    sent = msgspec.json.decode(simulator.simulator.inference_requests[-1].body)
    assert [m["role"] for m in sent["messages"]] == ["system", "user", "assistant", "user"]

    # What was asked stands behind the link, and the secret stands nowhere in the browser's storage.
    stored = page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])")
    assert "sk-oc-" not in stored
    answer.get_by_role("link", name="Open request").click()
    expect(page.get_by_text(record["id"])).to_be_visible()


def test_a_refusal_stands_under_the_question_and_can_be_tried_again(
    console: Console, server: LiveServer, simulator: SimulatorThread
) -> None:
    server.add_provider("openai", api_key="sk-good", base_url=simulator.simulator.openai_url)
    page = console.open("/playground?model=no-such-model")
    console.sign_in()
    page.get_by_label("Message").fill("Hello")
    page.get_by_role("button", name="Send").click()
    answer = page.get_by_role("listitem", name="Answer")
    expect(answer).to_contain_text("No answer")
    page.get_by_role("combobox", name="Model").fill("gpt-4o-mini")
    answer.get_by_role("button", name="Retry").click()
    expect(answer).to_contain_text("gpt-4o-mini at")
    expect(answer.get_by_text("No answer")).to_have_count(0)

    page.get_by_label("Another API key").fill("sk-oc-nobody")
    page.get_by_label("Message").fill("Hello?")
    page.get_by_label("Message").press("Enter")
    expect(page.get_by_text("No key has this secret")).to_be_visible()
    expect(page.get_by_role("listitem", name="Answer").nth(1)).to_contain_text("unknown, disabled or revoked")
