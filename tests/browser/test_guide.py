"""The guide's own steps in a real browser, against real traffic."""

from __future__ import annotations

import re

import openai
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, expect

from browser.conftest import Console
from live import LiveServer, SimulatorThread, wait_until


@pytest.fixture
def server(reused_server: LiveServer) -> LiveServer:
    return reused_server


def card(page: Page, name: str) -> Locator:
    return page.get_by_role("article", name=name)


def stat(page: Page, label: str) -> Locator:
    return page.locator(f"[data-stat='{label}']")


def fill_provider(page: Page, provider_type: str, api_key: str, base_url: str) -> Locator:
    """Fill the Add Provider dialog for a provider at `base_url`; returns the dialog."""
    page.get_by_role("button", name="Add Provider").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Provider Type").click()
    page.get_by_role("option", name=re.compile(provider_type)).first.click()
    dialog.get_by_label("API Key").first.fill(api_key)
    if not dialog.get_by_label("Base URL").is_visible():
        dialog.get_by_text("Advanced").click()
    dialog.get_by_label("Base URL").fill(base_url)
    dialog.get_by_label("Allow private network address").check(force=True)
    return dialog


STANDS_STILL = """async () => {
    for (let frame = 0; frame < 2; frame++) await new Promise(requestAnimationFrame);
    const finite = document.getAnimations().filter((one) => one.effect.getComputedTiming().endTime < Infinity);
    await Promise.allSettled(finite.map((one) => one.finished));
}"""


def no_violations(page: Page) -> None:
    # Colours in motion are nobody's contrast: wait until what is on screen stands still.
    page.evaluate(STANDS_STILL)
    found = Axe().run(page).response["violations"]
    assert [(v["id"], [n["html"][:200] for n in v["nodes"]][:3]) for v in found] == []


def test_the_main_job_from_login_to_cost(
    console: Console, server: LiveServer, simulator: SimulatorThread
) -> None:
    page = console.open("/")
    console.sign_in()

    # Services → LiteLLM Providers
    page.get_by_role("link", name="LiteLLM Providers").click()
    expect(page).to_have_url(re.compile("/admin/litellm-providers"))
    expect(page.get_by_role("heading", name="LLM Provider Management")).to_be_visible()

    # Add Provider → Test Connection → Add Provider; the pasted key has stray spaces
    dialog = fill_provider(page, "OpenAI", "  sk-proj-good  ", simulator.simulator.openai_url)
    dialog.get_by_role("button", name="Test Connection").click()
    expect(dialog.get_by_role("alert")).to_contain_text(re.compile(r"Connection successful! \(\d+ms\)"))
    dialog.get_by_role("button", name="Add Provider").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(card(page, "OpenAI")).to_be_visible()

    # it is still there after a reload, and the card's own test says the same
    page.reload()
    card(page, "OpenAI").get_by_role("button", name="Test").click()
    expect(page.get_by_role("alert").filter(has_text="Connection successful!")).to_be_visible()

    # an API key of our own, shown once
    page.goto(server.url + "/account/api-keys")
    page.get_by_role("button", name=re.compile("Create API key", re.I)).first.click()
    create = page.get_by_role("dialog")
    create.get_by_label("Name").fill("browser test")
    create.get_by_role("button", name=re.compile("^Create", re.I)).click()
    expect(page.get_by_text(re.compile(r"sk-oc-[\w-]{20,}")).first).to_be_visible()
    secret = re.search(r"sk-oc-[\w-]{20,}", page.get_by_role("dialog").last.inner_text())
    assert secret is not None

    # a request by the official client, unchanged
    client = openai.OpenAI(base_url=server.openai_url, api_key=secret.group())
    answer = client.chat.completions.create(
        model="gpt-4o-mini", messages=[{"role": "user", "content": "Say hello"}]
    )
    assert answer.choices[0].message.content
    wait_until(lambda: server.requests(), what="the usage record")
    row = server.requests()[0]
    assert row["cost_usd"] > 0

    # the cards move
    page.goto(server.url + "/admin/litellm-providers")
    figures = server.admin.get("/llm/usage", params={"period": "30d"}).json()["cards"]
    assert (figures["total_providers"], figures["calls_30d"]) == (1, 1)
    for label, figure in (("Total Providers", "1"), ("API Calls (30d)", "1")):
        region = page.get_by_role("group", name=label)
        expect(region).to_contain_text(figure)
    expect(page.get_by_role("group", name="Total Cost (30d)")).to_contain_text(
        f"${row['cost_usd']:.7f}".rstrip("0")[:6]
    )

    # Delete says what used it, and takes the name before it goes
    card(page, "OpenAI").get_by_role("button", name="Delete").click()
    confirm = page.get_by_role("dialog")
    expect(confirm).to_contain_text("models would have no provider left")
    expect(confirm.get_by_role("button", name="Delete OpenAI")).to_be_disabled()
    confirm.get_by_role("textbox").fill("OpenAI")
    confirm.get_by_role("button", name="Delete OpenAI").click()
    expect(card(page, "OpenAI")).to_have_count(0)
    assert server.admin.get("/llm/providers").json()["providers"] == []
    with pytest.raises(openai.APIStatusError):
        client.chat.completions.create(model="gpt-4o-mini", messages=[{"role": "user", "content": "again"}])


def test_a_wrong_key_says_so_and_needs_add_anyway(console: Console, simulator: SimulatorThread) -> None:
    page = console.open("/admin/litellm-providers")
    console.sign_in()
    dialog = fill_provider(page, "Anthropic", "sk-ant-wrong", simulator.simulator.anthropic_url)
    dialog.get_by_role("button", name="Test Connection").click()
    expect(dialog.get_by_role("alert")).to_contain_text("Invalid API key")
    dialog.get_by_role("button", name="Add Provider").click()
    expect(dialog).to_be_visible()
    dialog.get_by_role("button", name="Add anyway").click()
    expect(card(page, "Anthropic")).to_be_visible()
    expect(card(page, "Anthropic")).to_contain_text("Invalid API key")


def test_bad_fields_are_named_beside_the_field_and_nothing_typed_is_lost(
    console: Console, server: LiveServer
) -> None:
    page = console.open("/admin/litellm-providers")
    console.sign_in()
    dialog = fill_provider(page, "OpenAI", "sk-good", "ftp://example.com")
    dialog.get_by_role("button", name="Add Provider").click()
    if dialog.get_by_role("button", name="Add anyway").is_visible():
        dialog.get_by_role("button", name="Add anyway").click()
    expect(dialog.get_by_text(re.compile("http://|https://")).first).to_be_visible()
    expect(dialog.get_by_label("API Key").first).to_have_value("sk-good")
    assert server.admin.get("/llm/providers").json()["providers"] == []


def test_a_deep_link_leads_through_login_and_back(console: Console) -> None:
    page = console.open("/admin/litellm-providers")
    expect(page).to_have_url(re.compile("/login"))
    console.sign_in()
    expect(page).to_have_url(re.compile("/admin/litellm-providers"))


def test_a_wrong_password_is_refused_with_one_sentence(console: Console) -> None:
    page = console.open("/login")
    console.sign_in(password="not the password")
    expect(page.get_by_role("alert")).to_contain_text("Email or password is wrong")


def test_the_strategy_saves_at_once_and_is_right_after_reload(console: Console, server: LiveServer) -> None:
    page = console.open("/admin/litellm-providers")
    console.sign_in()
    panel = page.get_by_role("region", name="Routing Strategy")
    expect(panel.get_by_role("radio", name=re.compile("Balanced"))).to_be_checked()
    panel.get_by_role("radio", name=re.compile("Cost Optimized")).check(force=True)
    wait_until(
        lambda: server.admin.get("/llm/routing/rules").json()["strategy"] == "cost", what="the strategy"
    )
    page.reload()
    expect(panel.get_by_role("radio", name=re.compile("Cost Optimized"))).to_be_checked()


def accessible_and_fitting(page: Page) -> None:
    """In both colour schemes, which a page takes on without being loaded anew."""
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
        expect(page.locator("html")).to_have_attribute("data-mantine-color-scheme", scheme)
        no_violations(page)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), page.url


@pytest.mark.parametrize("width", [1440, 390])
def test_pages_have_no_accessibility_violations_and_do_not_scroll_sideways(
    console: Console, server: LiveServer, simulator: SimulatorThread, width: int
) -> None:
    server.add_provider("openai", api_key="sk-good", base_url=simulator.simulator.openai_url)
    page = console.page
    page.set_viewport_size({"width": width, "height": 900})
    console.open("/login")
    accessible_and_fitting(page)
    console.sign_in()
    for path in (
        "/admin/litellm-providers",
        "/account/api-keys",
        "/admin/requests",
        "/admin/models",
        "/admin/users",
        "/admin/api-keys",
        "/admin/teams",
        "/admin/budgets",
        "/admin/audit-log",
        "/account/usage",
        "/account/provider-keys",
        "/admin/byok",
        "/account/security",
        "/admin/settings",
    ):
        page.goto(server.url + path)
        page.wait_for_load_state("networkidle")
        expect(page.get_by_role("heading").first).to_be_visible()
        accessible_and_fitting(page)


def test_the_page_recovers_by_itself_after_the_server_was_away(
    console: Console, server: LiveServer, simulator: SimulatorThread
) -> None:
    server.add_provider("openai", api_key="sk-good", base_url=simulator.simulator.openai_url)
    page = console.open("/admin/litellm-providers")
    console.sign_in()
    expect(card(page, "OpenAI")).to_be_visible()
    expect(page.get_by_role("button", name="90 days")).to_be_visible()
    server.stop()
    page.get_by_role("button", name="90 days").click()
    expect(card(page, "OpenAI")).to_be_visible()  # the last good data stays
    server.start()
    page.get_by_role("button", name="7 days").click()
    expect(page.get_by_role("alert")).to_have_count(0, timeout=60_000)
    expect(card(page, "OpenAI")).to_be_visible()
    console.errors.clear()
