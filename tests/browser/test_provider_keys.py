"""A user brings a key of their own, sends a request on it, and an admin sees what that saves; in a browser."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest
from playwright.sync_api import expect

from browser.conftest import Console
from live import LiveServer, SimulatorThread, wait_until
from test_google_tokens import key_file

pytestmark = pytest.mark.browser

EMAIL, PASSWORD = "ben@example.com", "a password that is long"
PLATFORM_KEY, OWN_KEY = "sk-proj-the-platforms", "sk-proj-bens-own-0123456789"


def test_from_an_own_key_to_the_saving_that_the_admin_sees(
    console: Console, server: LiveServer, simulator: SimulatorThread
) -> None:
    simulator.configure(valid_keys=(PLATFORM_KEY, OWN_KEY))
    server.add_provider("openai", api_key=PLATFORM_KEY, base_url=simulator.simulator.openai_url)
    made = server.admin.post("/users", json={"email": EMAIL, "password": PASSWORD, "role": "user"})
    assert made.status_code == 201, made.text

    # the user adds a key: a wrong one is refused, the right one is kept
    page = console.open("/account/provider-keys")
    console.sign_in(EMAIL, PASSWORD)
    page.get_by_role("button", name="Add Provider Key").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("combobox", name="Provider Type").click()
    page.get_by_role("option", name="OpenAI", exact=True).click()
    dialog.get_by_label("API Key", exact=True).fill("sk-proj-wrong-0123456789")
    dialog.get_by_role("button", name="Save Key").click()
    expect(dialog.get_by_role("alert")).to_contain_text("Invalid API key")
    dialog.get_by_label("API Key", exact=True).fill(f"  {OWN_KEY}  ")
    dialog.get_by_role("button", name="Test Key").click()
    expect(dialog.get_by_role("alert")).to_contain_text(re.compile(r"Connection successful! \(\d+ms\)"))
    dialog.get_by_role("button", name="Save Key").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    card = page.get_by_role("article", name="OpenAI")
    expect(card).to_contain_text("Working")
    expect(card).to_contain_text(simulator.simulator.openai_url)
    stored = page.evaluate(
        "JSON.stringify({...localStorage}) + JSON.stringify({...sessionStorage}) + document.cookie"
    )
    assert OWN_KEY not in stored
    assert OWN_KEY not in page.content()

    # a request of theirs runs on it
    page.goto(server.url + "/account/api-keys")
    page.get_by_role("button", name=re.compile("Create API key", re.I)).first.click()
    create = page.get_by_role("dialog")
    create.get_by_label("Name").fill("browser test")
    create.get_by_role("button", name=re.compile("^Create", re.I)).click()
    expect(page.get_by_text(re.compile(r"sk-oc-[\w-]{20,}")).first).to_be_visible()
    secret = re.search(r"sk-oc-[\w-]{20,}", page.get_by_role("dialog").last.inner_text())
    assert secret is not None
    answer = httpx.post(
        f"{server.openai_url}/chat/completions",
        json={"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Say hello"}]},
        headers={"authorization": f"Bearer {secret.group()}"},
        timeout=20,
    )
    assert (answer.status_code, answer.headers["x-ops-credential"]) == (200, "byok")
    row = server.wait_for_request(answer.headers["x-request-id"])
    assert row["cost_usd"] == 0
    assert row["own_cost_usd"] == row["saved_usd"] > 0

    # their own page keeps what they paid apart
    page.goto(server.url + "/account/usage")
    paid = page.get_by_role("region", name="Paid with my own keys")
    expect(paid).to_contain_text("1 request")
    page.goto(server.url + "/admin/byok")
    expect(page).not_to_have_url(re.compile("/admin/byok"))  # not theirs to see

    # the admin sees user and saving, and nothing of the key
    page.context.clear_cookies()
    console.open("/admin/litellm-providers")
    console.sign_in()
    panel = page.get_by_role("region", name="BYOK Management")
    expect(panel.get_by_role("group", name="BYOK users")).to_contain_text("1")
    expect(panel.get_by_role("group", name="Active BYOK accounts")).to_contain_text("1 request")
    expect(panel.get_by_role("group", name="Total cost saved")).to_contain_text("$0.00")
    panel.get_by_role("link", name="View BYOK users").click()
    expect(page).to_have_url(re.compile("/admin/byok"))
    expect(page.get_by_role("cell", name=re.compile(EMAIL))).to_be_visible()
    expect(page.get_by_text("Working")).to_be_visible()
    assert OWN_KEY[-4:] not in page.content()

    # the key stops working: it is marked, its owner is told, and the admin sees that much
    simulator.configure(valid_keys=(PLATFORM_KEY,))
    page.context.clear_cookies()
    console.open("/account/provider-keys")
    console.sign_in(EMAIL, PASSWORD)
    card.get_by_role("button", name="Test").click()
    told = page.get_by_role("alert").filter(has_text="OpenAI refuses your key")
    expect(told).to_contain_text("Invalid API key")
    expect(told.get_by_role("button", name="Replace key")).to_be_visible()
    expect(card).to_contain_text("Refused")
    [seen] = server.admin.get("/llm/byok/users").json()["users"]
    assert [key["status"] for key in seen["keys"]] == ["failing"]


def test_a_key_that_is_a_file_is_pasted_with_its_lines(
    console: Console, server: LiveServer, simulator: SimulatorThread
) -> None:
    page = console.open("/account/provider-keys")
    console.sign_in()
    page.get_by_role("button", name="Add Provider Key").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("combobox", name="Provider Type").click()
    page.get_by_role("option", name="Google Vertex AI").click()
    field = dialog.get_by_label("API Key", exact=True)
    file = key_file(token_uri="https://tokens.example/token")  # refused before anybody is called
    field.fill(file)
    assert field.input_value() == file
    assert field.evaluate("one => getComputedStyle(one).webkitTextSecurity") == "disc"
    dialog.get_by_role("button", name="Save Key").click()
    expect(dialog.get_by_role("alert")).to_contain_text("token_uri is not Google's")
    assert "PRIVATE KEY" not in dialog.get_by_role("alert").inner_text()


def test_levels_are_shown_narrowed_and_given_to_users(
    console: Console, server: LiveServer, simulator: SimulatorThread
) -> None:
    server.add_provider("openai", api_key="sk-good", base_url=simulator.simulator.openai_url)
    server.admin.post("/users", json={"email": EMAIL, "password": PASSWORD, "role": "user"})
    page = console.open("/admin/litellm-providers")
    console.sign_in()
    panel = page.get_by_role("region", name="User Power Levels")
    for name, price in (("Eco Mode", "$0.20"), ("Balanced Mode", "$1.00"), ("Precision Mode", "$5.00")):
        expect(panel.get_by_role("article", name=name)).to_contain_text(price)
    eco = panel.get_by_role("article", name="Eco Mode")
    for name, words in (
        (
            "Eco Mode",
            ("High-volume, simple tasks", "Bulk data processing", "Simple Q&A", "llama-3-8b, mixtral-8x7b"),
        ),
        ("Balanced Mode", ("General purpose", "Most user interactions", "gpt-4o-mini, claude-haiku")),
        (
            "Precision Mode",
            ("Complex reasoning", "Advanced analysis", "Coding", "Research", "gpt-4, claude-opus"),
        ),
    ):
        for word in words:
            expect(panel.get_by_role("article", name=name)).to_contain_text(word)
    # the models shown are those that requests of the level get; which comes first may hang on a request's length
    key = server.create_api_key()
    for level in server.admin.get("/llm/power-levels").json()["levels"]:
        models = [one["model"] for one in level["models"]]
        for model in models:
            expect(panel.get_by_role("article", name=level["name"])).to_contain_text(model)
        answer = ask(server, key, {"x-power-level": level["level"]})
        assert answer.status_code == 200
        assert answer.headers["x-ops-model"] in models
    eco.get_by_role("button", name="Edit Eco Mode").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Highest price").fill("0.5")
    dialog.get_by_role("button", name="Save Level").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(eco).to_contain_text("narrowed to up to $0.50")
    assert server.admin.get("/settings").json()["power_levels"]["eco"]["max_usd_mtok"] == 0.5

    page.goto(server.url + "/admin/users")
    page.get_by_role("button", name=f"Edit {EMAIL}").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("combobox", name="Power level", exact=True).click()
    page.get_by_role("option", name="Eco", exact=True).click()
    dialog.get_by_role("combobox", name="Highest power level").click()
    page.get_by_role("option", name="Balanced", exact=True).click()
    dialog.get_by_role("button", name="Save Changes").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    ben = user(server)
    assert (ben["power_level"], ben["power_level_max"]) == ("eco", "balanced")
    page.goto(server.url + "/admin/litellm-providers")
    expect(eco).to_contain_text("1 user")

    page.context.clear_cookies()
    console.open("/account/usage")
    console.sign_in(EMAIL, PASSWORD)
    level = page.get_by_role("region", name="My Power Level")
    level.get_by_role("combobox", name="My power level").click()
    expect(page.get_by_role("option", name=re.compile("Precision Mode"))).to_have_attribute(
        "data-combobox-disabled", "true"
    )
    page.get_by_role("option", name="Balanced Mode").click()
    expect(level).to_contain_text("Balanced Mode: general purpose")
    wait_until(
        lambda: user(server)["power_level"] == "balanced", what="the choice"
    )  # shown before it is kept
    made = page.evaluate(
        """async () => (await fetch("/api/v1/me/api-keys", {method: "POST",
            headers: {"content-type": "application/json"}, body: '{"name": "k"}'})).json()"""
    )
    assert ask(server, made["secret"], {}).status_code == 200
    refused = ask(server, made["secret"], {"x-power-level": "precision"})
    assert (refused.status_code, "balanced" in refused.json()["error"]["message"]) == (403, True)


def user(server: LiveServer) -> dict[str, Any]:
    [one] = [one for one in server.admin.get("/users").json()["users"] if one["email"] == EMAIL]
    return dict(one)


def ask(server: LiveServer, key: str, headers: dict[str, str]) -> httpx.Response:
    return httpx.post(
        f"{server.openai_url}/chat/completions",
        json={"model": "auto", "messages": [{"role": "user", "content": "Say hello"}]},
        headers={"authorization": f"Bearer {key}", **headers},
        timeout=20,
    )
