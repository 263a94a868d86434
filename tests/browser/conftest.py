"""A real Chromium against a live server whose providers are simulated."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from left_out import left_out
from live import ADMIN_EMAIL, ADMIN_PASSWORD, LiveServer, SimulatorThread
from ops_center.simulator import SimulatorConfig

CONSOLE = Path(__file__).parent.parent.parent / "src" / "ops_center" / "console" / "public" / "index.html"
PATIENCE_MS = 15_000  # for what a page does by itself: a busy machine is no fault of the console
expect.set_options(timeout=PATIENCE_MS)
_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "/browser/" in str(item.path):
            item.add_marker("browser")
            item.add_marker(pytest.mark.timeout(180))


@pytest.fixture(scope="module")  # its event loop must be gone before other modules run theirs
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        left_out("browser tests (no Chromium installed)")
    if not CONSOLE.exists():
        left_out("browser tests (the console is not built: make install)")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, args=_FLAGS)
        yield running
        running.close()


@pytest.fixture
def simulator() -> Iterator[SimulatorThread]:
    with SimulatorThread(SimulatorConfig()) as running:
        yield running


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LiveServer]:
    with LiveServer(tmp_path / "data") as running:
        yield running


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with LiveServer(tmp_path_factory.mktemp("shared") / "data") as running:
        yield running


@pytest.fixture
def reused_server(shared_server: LiveServer) -> Iterator[LiveServer]:
    """One server for all tests of a file, each of which finds it without providers; other traces stay."""
    yield shared_server
    for provider in shared_server.admin.get("/llm/providers").json()["providers"]:
        assert shared_server.admin.delete(f"/llm/providers/{provider['id']}").status_code == 204


class Console:
    """A page, and what went wrong in it: console errors and failed requests are test failures."""

    def __init__(self, page: Page, server: LiveServer) -> None:
        self.page = page
        self.server = server
        self.errors: list[str] = []
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on(
            "console",
            lambda m: (
                self.errors.append(m.text)
                if m.type == "error" and "Failed to load resource" not in m.text
                else None
            ),
        )

    def open(self, path: str) -> Page:
        self.page.goto(self.server.url + path)
        return self.page

    def sign_in(self, email: str = ADMIN_EMAIL, password: str = ADMIN_PASSWORD) -> None:
        self.page.wait_for_url("**/login*")  # the page left behind may have a field of this name, too
        self.page.get_by_label("Email").fill(email)
        self.page.get_by_label("Password", exact=True).fill(password)
        self.page.get_by_role("button", name="Sign in").click()


@pytest.fixture
def console(browser: Browser, server: LiveServer) -> Iterator[Console]:
    context = browser.new_context(viewport={"width": 1440, "height": 1000}, reduced_motion="reduce")
    context.set_default_timeout(PATIENCE_MS)
    console = Console(context.new_page(), server)
    yield console
    context.close()
    assert console.errors == []
