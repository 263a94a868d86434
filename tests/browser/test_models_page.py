"""The Models page: found, filtered, sorted and paged in the address, switched many at once, edited; aliases."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from browser.conftest import Console
from live import LiveServer, wait_until

# A list in OpenRouter's form, of which every value is known.
LISTED: list[dict[str, Any]] = [
    {
        "id": f"maker/model-{number:03d}",
        "name": f"Model {number}",
        "context_length": 1000 * (number + 1),
        "supported_parameters": ["tools"] if number % 2 else [],
        "architecture": {"input_modalities": ["text"], "output_modalities": ["text"]},
        "pricing": {"prompt": f"{(number + 1) * 1e-6:.6f}", "completion": f"{(number + 1) * 2e-6:.6f}"},
    }
    for number in range(120)
]
LISTED[0] |= {"deprecation": "2030-01-31", "deprecation_replacement_model": "model-001"}


class _Lister(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = json.dumps({"data": LISTED}).encode()
        self.send_response(200 if self.headers.get("authorization") else 401)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture(scope="module")
def listing() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Lister)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, listing: str) -> Iterator[LiveServer]:
    path: Path = tmp_path_factory.mktemp("models") / "data"
    with LiveServer(path) as running:
        running.add_provider("custom", name="House", api_key="sk-x", base_url=listing)
        wait_until(lambda: models(running)["total"] == len(LISTED), seconds=20, what="discovery")
        yield running


def models(server: LiveServer, **params: Any) -> dict[str, Any]:
    answer = server.admin.get("/llm/models", params=params)
    answer.raise_for_status()
    body: dict[str, Any] = answer.json()
    return body


def choose(page: Page, label: str, option: str) -> None:
    page.get_by_role("combobox", name=label, exact=True).or_(
        page.get_by_role("textbox", name=label, exact=True)
    ).click()
    page.get_by_role("option", name=option).click()


def first_row(page: Page) -> Any:
    return page.get_by_role("row").nth(1)


def test_models_are_found_sorted_and_switched_and_the_address_says_how(
    console: Console, server: LiveServer
) -> None:
    page = console.open("/admin/models?sort=-price")
    console.sign_in()
    expect(first_row(page)).to_contain_text("model-119")
    expect(first_row(page)).to_contain_text("$120.00 / $240.00")
    expect(first_row(page)).to_contain_text("no benchmark")
    expect(page.get_by_text("1–50 of 120 models")).to_be_visible()
    page.get_by_text("Price in / out per 1M").click()
    expect(first_row(page)).to_contain_text("model-000")
    expect(first_row(page)).to_contain_text("Retires on Jan 31, 2030, succeeded by model-001")
    choose(page, "Capability", "Tools")
    choose(page, "Input price", "≤ $10.00")
    expect(page.get_by_text("5 models fit")).to_be_visible()
    assert re.search(r"sort=price.*capability=tools.*max_price=10|capability=tools", page.url)
    page.reload()
    expect(page.get_by_text("5 models fit")).to_be_visible()

    page.get_by_label("Select maker/model-001 at House").check()
    page.get_by_label("Select maker/model-003 at House").check()
    page.get_by_role("button", name="Disable ticked").click()
    expect(page.get_by_text("2 models disabled.")).to_be_visible()
    assert models(server, enabled="false")["total"] == 2
    page.get_by_role("button", name="Disable all").click()
    page.get_by_role("dialog").get_by_role("button", name="Disable 5 models").click()
    expect(page.get_by_text("3 models disabled.")).to_be_visible()
    page.get_by_role("button", name="Clear filters").click()
    choose(page, "State", "Disabled")
    expect(page.get_by_text("5 models fit")).to_be_visible()
    page.get_by_role("button", name="Enable all").click()
    page.get_by_role("dialog").get_by_role("button", name="Enable 5 models").click()
    expect(page.get_by_text("No model fits")).to_be_visible()
    assert models(server, enabled="false")["total"] == 0
    page.get_by_role("button", name="Clear filters").click()
    page.get_by_role("searchbox").fill("model-05")
    expect(page.get_by_text("10 models fit")).to_be_visible()


def test_a_fact_is_set_by_hand_and_goes_back_to_its_source(console: Console, server: LiveServer) -> None:
    page = console.open("/admin/models?search=model-004")
    console.sign_in()
    page.get_by_role("button", name="Edit maker/model-004 at House").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("The provider's own list")
    expect(dialog).to_contain_text("None of the sources knows it")
    dialog.get_by_role("textbox", name="Score, 0 to 100", exact=True).fill("101")
    dialog.get_by_role("button", name="Save Changes").click()
    expect(dialog).to_contain_text("From 0 to 100")
    dialog.get_by_role("textbox", name="Score, 0 to 100", exact=True).fill("61.5")
    dialog.get_by_role("textbox", name="Output $ per 1M", exact=True).fill("3.25")
    dialog.get_by_role("textbox", name="Longest answer", exact=True).fill("4096")
    dialog.get_by_role("button", name="Save Changes").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(first_row(page)).to_contain_text("$5.00 / $3.25")
    expect(first_row(page)).to_contain_text("set by an administrator")
    expect(first_row(page)).to_contain_text("61.5")
    [model] = models(server, search="model-004")["models"]
    assert model["overridden"] == ["max_output_tokens", "output_mtok", "score"]
    assert model["without_override"]["output_mtok"] == 10

    page.get_by_role("button", name="Edit maker/model-004 at House").click()
    dialog.get_by_role("button", name="Output $ per 1M: back to the source's $10.00").click()
    dialog.get_by_role("button", name="Score, 0 to 100: back to the source's no benchmark").click()
    dialog.get_by_role("button", name="Save Changes").click()
    expect(first_row(page)).to_contain_text("$5.00 / $10.00")
    expect(first_row(page)).to_contain_text("no benchmark")
    [model] = models(server, search="model-004")["models"]
    assert model["overridden"] == ["max_output_tokens"]


def test_time_limits_of_a_provider_and_of_its_model(console: Console, server: LiveServer) -> None:
    page = console.open("/admin/litellm-providers")
    console.sign_in()
    page.get_by_role("button", name="Configure", exact=True).click()
    dialog = page.get_by_role("dialog")
    connect = dialog.get_by_role("textbox", name="Connect", exact=True)
    expect(connect).to_be_visible()  # "Advanced" opens by itself, for this type needs an address
    expect(connect).to_have_attribute("placeholder", "10 s")
    connect.fill("0")
    dialog.get_by_role("button", name="Save Changes").click()
    expect(dialog).to_contain_text("More than 0, and a day at most")
    connect.fill("2.5")
    dialog.get_by_role("button", name="Save Changes").click()
    expect(page.get_by_role("dialog")).to_have_count(0)

    page.goto(server.url + "/admin/models?search=model-007")
    page.get_by_role("button", name="Edit maker/model-007 at House").click()
    expect(connect).to_have_attribute("placeholder", "2.5 s")  # its provider's
    total = dialog.get_by_role("textbox", name="Total", exact=True)
    expect(total).to_have_attribute("placeholder", "300 s")
    total.fill("45")
    dialog.get_by_role("button", name="Save Changes").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    [model] = models(server, search="model-007")["models"]
    assert (model["time_limits"]["total_seconds"], model["time_limits"]["connect_seconds"]) == (45, None)
    page.get_by_role("button", name="Edit maker/model-007 at House").click()
    total.fill("")
    dialog.get_by_role("button", name="Save Changes").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    [model] = models(server, search="model-007")["models"]
    assert (model["time_limits"]["total_seconds"], model["overridden"]) == (None, [])


def test_aliases_are_made_ordered_changed_and_taken_back(console: Console, server: LiveServer) -> None:
    page = console.open("/admin/models?view=aliases")
    console.sign_in()
    row = page.get_by_role("row").filter(has_text="claude-opus-latest")
    expect(row).to_contain_text("nobody serves a candidate")
    page.get_by_role("button", name="Add Alias").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name").fill("gpt-4")
    dialog.get_by_role("button", name="Add Alias").click()
    expect(dialog).to_contain_text("There is an alias of this name")
    expect(dialog).to_contain_text("Add at least one model")
    dialog.get_by_label("Name").fill("auto")
    for model in ("maker/model-001", "maker/model-002"):
        dialog.get_by_label("Add a model").fill(model)
        dialog.get_by_label("Add a model").press("Enter")
    dialog.get_by_role("button", name="Move maker/model-002 up").click()
    dialog.get_by_role("button", name="Add Alias").click()
    expect(dialog).to_contain_text("This name leaves the choice to the strategy")
    dialog.get_by_label("Name").fill("house/model")
    dialog.get_by_role("button", name="Add Alias").click()
    expect(dialog).to_contain_text("cannot contain a slash")
    dialog.get_by_label("Name").fill("House-Model")
    dialog.get_by_role("button", name="Add Alias").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    row = page.get_by_role("row").filter(has_text="house-model")
    expect(row).to_contain_text("maker/model-002")
    expect(row).to_contain_text("at House")
    page.get_by_role("button", name="Delete house-model").click()
    dialog.get_by_role("button", name="Delete alias").click()
    expect(row).to_have_count(0)

    page.get_by_role("searchbox").fill("gpt-4-turbo")
    page.get_by_role("button", name="Edit gpt-4-turbo", exact=True).click()
    dialog.get_by_label("Add a model").fill("maker/model-003")
    dialog.get_by_role("button", name="Save").click()
    row = page.get_by_role("row").filter(has_text="changed here")
    expect(row).to_contain_text("maker/model-003")
    page.get_by_role("button", name="Reset gpt-4-turbo").click()
    dialog.get_by_role("button", name="Reset alias").click()
    expect(page.get_by_role("row").filter(has_text="changed here")).to_have_count(0)


@pytest.mark.parametrize("view", ["models", "aliases"])
def test_axe_finds_nothing_and_narrow_screens_do_not_scroll_sideways(console: Console, view: str) -> None:
    page = console.open(f"/admin/models?view={view}")
    console.sign_in()
    expect(page.get_by_role("table")).to_be_visible()
    page.wait_for_timeout(200)
    violations = Axe().run(page).response["violations"]
    assert [(v["id"], [n["html"] for n in v["nodes"]][:3]) for v in violations] == []
    page.set_viewport_size({"width": 390, "height": 800})
    # once what was laid out for a wide screen has moved
    wait_until(
        lambda: page.evaluate("document.documentElement.scrollWidth <= innerWidth"), what="a narrow page"
    )
