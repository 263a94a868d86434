"""People in the console: invited by link, signed in, signed out from elsewhere."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import httpx
from playwright.sync_api import Browser, Page, expect

from browser.conftest import PATIENCE_MS, Console
from live import LiveServer, SimulatorThread
from oidc_provider import OidcProvider
from ops_center.control.second_factor import codes

PASSWORD = "a long enough password"


def stranger(browser: Browser) -> Page:
    """Somebody else's browser."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    context.set_default_timeout(PATIENCE_MS)
    return context.new_page()


def invite(console: Console, email: str, role: str = "User") -> str:
    """The link that the admin's console shows once."""
    page = console.open("/admin/users")
    page.get_by_role("button", name="Invite by Link").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Email").fill(email)
    dialog.get_by_role("combobox", name="Role").click()
    page.get_by_role("option", name=role, exact=True).click()
    dialog.get_by_role("button", name="Make Link").click()
    link = dialog.get_by_test_id("link").inner_text()
    dialog.get_by_role("button", name="Done").click()
    return link


def test_an_invited_user_gets_in_by_the_link_once(
    console: Console, server: LiveServer, browser: Browser
) -> None:
    console.open("/login")
    console.sign_in()
    expect(console.page).to_have_url(re.compile("/admin$"))
    link = invite(console, "grace@example.com")
    assert link.startswith(server.url + "/invite?token=")
    listed = console.page.get_by_role("region", name="Invitations")
    expect(listed.get_by_text("grace@example.com")).to_be_visible()

    guest = stranger(browser)
    guest.goto(link)
    expect(guest.get_by_label("Email")).to_have_value("grace@example.com")
    guest.get_by_label("Password", exact=True).fill("short")
    guest.get_by_role("button", name="Create account").click()
    expect(guest.get_by_text("At least 12 characters").last).to_be_visible()
    guest.get_by_label("Password", exact=True).fill(PASSWORD)
    guest.get_by_role("button", name="Create account").click()
    expect(guest).to_have_url(re.compile("/account/usage"))

    again = stranger(browser)
    again.goto(link)
    expect(again.get_by_text("This invitation was used already")).to_be_visible()
    again.context.close()

    console.page.reload()
    expect(console.page.get_by_text("grace@example.com")).to_be_visible()
    expect(listed).not_to_be_visible()
    console.page.get_by_role("button", name="Sessions of grace@example.com").click()
    dialog = console.page.get_by_role("dialog")
    expect(dialog.get_by_text("Invitation", exact=True)).to_be_visible()
    dialog.get_by_role("button", name="Sign out everywhere").click()
    expect(dialog.get_by_text("Signed in nowhere")).to_be_visible()
    guest.goto(server.url + "/account/security")
    expect(guest).to_have_url(re.compile("/login"))
    guest.context.close()


def test_ones_other_session_is_ended_from_the_security_page(
    console: Console, server: LiveServer, browser: Browser
) -> None:
    other = Console(stranger(browser), server)
    other.open("/login")
    other.sign_in()
    expect(other.page).to_have_url(re.compile("/admin$"))
    page = console.open("/account/security")
    console.sign_in()
    expect(page.get_by_text("This one")).to_be_visible()
    page.get_by_role("button", name=re.compile("End the session in Chrome")).click()
    expect(page.get_by_role("button", name=re.compile("End the session"))).to_have_count(0)
    other.page.reload()
    expect(other.page).to_have_url(re.compile("/login"))
    other.page.context.close()


def app_code(secret: str) -> str:
    """What the authenticator app shows; good for one step of 30 seconds longer."""
    return codes.code_at(secret, codes.step_at(datetime.now(UTC)))


def test_a_role_that_must_have_a_second_factor_sets_it_up_and_signs_in_with_it(
    console: Console, server: LiveServer
) -> None:
    page = console.open("/admin/settings")
    console.sign_in()
    page.get_by_label("Name").fill("Example Ltd")
    page.get_by_role("button", name="Save Organisation").click()
    page.get_by_role("checkbox", name="Admin").check()
    page.get_by_role("button", name="Save Sign-in").click()
    expect(page).to_have_url(re.compile("/second-factor"))
    page.goto(server.url + "/admin/users")
    expect(page).to_have_url(re.compile("/second-factor"))

    expect(page.get_by_role("img", name="QR code of the new secret")).to_be_visible()
    secret = page.get_by_test_id("totp-secret").inner_text()
    page.get_by_label("Code", exact=True).fill(app_code(secret))
    page.get_by_role("button", name="Turn On").click()
    recovery = page.get_by_test_id("recovery-codes").inner_text().split()
    assert len(recovery) == 10
    page.get_by_role("button", name="I have kept them").click()
    expect(page).to_have_url(re.compile("/admin$"))
    page.goto(server.url + "/admin/settings")
    expect(page.get_by_label("Name")).to_have_value("Example Ltd")
    expect(page.get_by_role("checkbox", name="Admin")).to_be_checked()

    page.get_by_role("button", name="Account of").click()
    page.get_by_role("menuitem", name="Sign out").click()
    expect(page).to_have_url(re.compile("/login"))  # the page before has fields of emails, too
    console.sign_in()
    page.get_by_label("Code", exact=True).fill("000000")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_text("This code is wrong or was used already")).to_be_visible()
    page.get_by_label("Code", exact=True).fill(recovery[0])
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(re.compile("/admin$"))
    page.goto(server.url + "/account/security")
    expect(page.get_by_text("9 recovery codes left")).to_be_visible()


def test_who_must_have_a_second_factor_from_now_on_is_led_to_its_set_up_and_back(
    console: Console, server: LiveServer
) -> None:
    made = {"email": "otto@example.com", "password": PASSWORD, "role": "operator"}
    assert server.admin.post("/users", json=made).status_code == 201
    page = console.open("/admin/requests")
    console.sign_in("otto@example.com", PASSWORD)
    expect(page.get_by_text("No request yet")).to_be_visible()
    required = {"sign_in": {"second_factor_roles": ["operator"]}}
    assert server.admin.patch("/settings", json=required).status_code == 200
    page.get_by_role("button", name="Refresh").click()  # the page was open all the while
    expect(page.get_by_role("heading", name="Set up a second factor")).to_be_visible()
    secret = page.get_by_test_id("totp-secret").inner_text()
    page.get_by_label("Code", exact=True).fill(app_code(secret))
    page.get_by_role("button", name="Turn On").click()
    page.get_by_role("button", name="I have kept them").click()
    expect(page).to_have_url(re.compile("/admin/requests"))
    expect(page.get_by_text("No request yet")).to_be_visible()


def test_an_invited_user_gets_to_an_answer_on_their_own_key_in_one_sitting(
    console: Console, server: LiveServer, simulator: SimulatorThread, browser: Browser
) -> None:
    platform_key, own_key = "sk-proj-the-platforms", "sk-proj-graces-own-0123456789"
    simulator.configure(valid_keys=(platform_key, own_key))
    server.add_provider("openai", api_key=platform_key, base_url=simulator.simulator.openai_url)
    console.open("/login")
    console.sign_in()
    expect(console.page).to_have_url(re.compile("/admin$"))
    link = invite(console, "grace@example.com")

    # From here on only what the console itself offers, without another sign-in.
    guest = Console(stranger(browser), server)
    page = guest.page
    page.goto(link)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Create account").click()
    page.get_by_role("link", name="Provider Keys").click()
    page.get_by_role("button", name="Add Provider Key").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("combobox", name="Provider Type").click()
    page.get_by_role("option", name="OpenAI", exact=True).click()
    dialog.get_by_label("API Key", exact=True).fill(own_key)
    dialog.get_by_role("button", name="Save Key").click()
    expect(page.get_by_role("article", name="OpenAI")).to_contain_text("Working")

    page.get_by_role("link", name="API Keys").click()
    page.get_by_role("button", name=re.compile("Create API key", re.I)).first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name").fill("first")
    dialog.get_by_role("button", name=re.compile("^Create", re.I)).click()
    secret = page.get_by_test_id("secret").inner_text()
    answer = httpx.post(
        f"{server.openai_url}/chat/completions",
        json={"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Say hello"}]},
        headers={"authorization": f"Bearer {secret}"},
        timeout=20,
    )
    assert (answer.status_code, answer.headers["x-ops-credential"]) == (200, "byok")
    assert answer.json()["choices"][0]["message"]["content"]
    row = server.wait_for_request(answer.headers["x-request-id"])
    assert (row["user_email"], row["cost_usd"]) == ("grace@example.com", 0)
    assert row["own_cost_usd"] > 0

    page.get_by_role("button", name="I have copied it").click()
    page.get_by_role("link", name="Usage").click()
    expect(page.get_by_role("region", name="Paid with my own keys")).to_contain_text("1 request")
    figures = page.get_by_role("region", name="Usage Analytics")
    expect(figures).to_contain_text("1 call ")
    httpx.post(  # and the next one shows by itself, long before the next poll
        f"{server.openai_url}/chat/completions",
        json={"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Say more"}]},
        headers={"authorization": f"Bearer {secret}"},
        timeout=20,
    )
    expect(figures).to_contain_text("2 calls")
    grace = next(u for u in server.admin.get("/users").json()["users"] if u["email"] == "grace@example.com")
    server.admin.patch(f"/users/{grace['id']}", json={"budget_usd": 5})
    page.reload()
    mine = page.get_by_role("region", name="My Budgets")
    expect(mine.get_by_label("Budget of You")).to_contain_text("$5.00 per month")
    page.get_by_role("link", name="API Keys").click()
    expect(page.get_by_role("row", name=re.compile("first"))).to_contain_text("2")
    page.context.close()
    assert guest.errors == []


def test_single_sign_on_leads_to_the_provider_and_back_in(console: Console, server: LiveServer) -> None:
    with OidcProvider() as provider:
        section = provider.settings | {"label": "Example ID", "allowed_domains": ["example.com"]}
        assert server.admin.patch("/settings", json={"oidc": section}).status_code == 200
        page = console.open("/login")
        page.get_by_role("button", name="Continue with Example ID").click()
        expect(page).to_have_url(re.compile("/account/usage"))
        page.get_by_role("button", name="Account of grace@example.com").click()
        page.get_by_role("menuitem", name="Security").click()
        expect(page.get_by_role("cell", name="Single sign-on")).to_be_visible()
        page.goto(server.url + "/sso?error=access_denied")
        expect(page.get_by_text("The provider did not sign you in.")).to_be_visible()


def test_a_key_is_changed_and_offered_only_policies_that_tighten(
    console: Console, server: LiveServer
) -> None:
    server.create_api_key("laptop")
    page = console.open("/account/api-keys")
    console.sign_in()
    row = page.get_by_role("row").filter(has_text="laptop")
    row.get_by_role("button", name="Edit laptop").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Budget per month").fill("12")
    dialog.get_by_role("button", name="More limits").click()
    dialog.get_by_label("Requests per minute").fill("60")
    dialog.get_by_role("combobox", name="Own keys").click()
    offered = page.get_by_role("listbox", name="Own keys").get_by_role("option")
    expect(offered).to_have_text(["As for the owner", "Own keys, then shared", "Own keys only"])
    offered.get_by_text("Own keys only").click()
    dialog.get_by_label("Addresses").fill("nowhere")
    dialog.get_by_role("button", name="Save Changes").click()
    expect(dialog.get_by_text("must be an address or a network")).to_be_visible()
    dialog.get_by_label("Addresses").press("Backspace")
    dialog.get_by_role("button", name="Save Changes").click()
    expect(dialog).to_have_count(0)
    expect(row).to_contain_text("60 per minute · own keys only")
    expect(row).to_contain_text("of $12")

    page.goto(f"{server.url}/admin/api-keys")
    row.get_by_role("button", name="Edit laptop").click()
    expect(dialog.get_by_label("Budget per month")).to_have_value("$12")
    dialog.get_by_label("Budget per month").clear()
    dialog.get_by_role("button", name="Save Changes").click()
    expect(row).not_to_contain_text("of $12")
    [key] = server.admin.get("/me/api-keys").json()["api_keys"]
    assert (key["requests_per_minute"], key["budget_usd"]) == (60, None)
