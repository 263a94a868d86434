"""Notifications in the console: set, tested by either way, and said in one sentence."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from playwright.sync_api import expect

from browser.conftest import Console
from live import LiveServer


@pytest.fixture
def server(reused_server: LiveServer) -> LiveServer:
    return reused_server


def test_both_ways_are_set_and_tested_and_no_secret_comes_back(console: Console, server: LiveServer) -> None:
    signatures: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            signatures.append(self.headers["webhook-signature"])
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    receiver = HTTPServer(("127.0.0.1", 0), Handler)
    serving = threading.Thread(target=receiver.serve_forever, args=(0.05,))
    serving.start()
    try:
        page = console.open("/admin/settings")
        console.sign_in()
        panel = page.get_by_role("region", name="Notifications", exact=True)
        expect(panel.get_by_text("Nothing was sent yet")).to_be_visible()
        save = panel.get_by_role("button", name="Save Notifications")
        panel.get_by_role("switch", name="Call a webhook").check()
        panel.get_by_label("Address", exact=True).fill(f"http://127.0.0.1:{receiver.server_port}/hook")
        save.click()
        expect(panel.get_by_text("webhook_secret is required")).to_be_visible()
        panel.get_by_role("button", name="Make a Secret").click()
        panel.get_by_role("switch", name="These are on a private network").check()
        panel.get_by_role("switch", name="Send email").check()
        panel.get_by_label("SMTP host").fill("127.0.0.1")
        panel.get_by_label("Port").fill("1")
        panel.get_by_label("From").fill("ops@example.com")
        save.click()
        expect(page.get_by_text("Saved.")).to_be_visible()
        expect(panel.get_by_label("Signing secret")).to_have_value("")

        panel.get_by_role("button", name="Call It with a Test").click()
        expect(panel.get_by_text("The webhook answered 204.")).to_be_visible()
        assert [one[:3] for one in signatures] == ["v1,"]
        panel.get_by_role("button", name="Send a Test to Me").click()
        expect(panel.get_by_text("127.0.0.1:1 could not be reached.")).to_be_visible()
        assert "whsec_" not in server.admin.get("/settings").text
    finally:
        receiver.shutdown()
        serving.join()
        receiver.server_close()


def test_whether_requests_wait_is_switched_in_the_settings(console: Console, server: LiveServer) -> None:
    page = console.open("/admin/settings")
    console.sign_in()
    panel = page.get_by_role("region", name="Limits", exact=True)
    panel.get_by_role("switch", name="Let requests wait for a place").check()
    panel.get_by_label("Longest wait").fill("")
    panel.get_by_role("button", name="Save Limits").click()
    expect(panel.get_by_text("Say for how long")).to_be_visible()
    panel.get_by_label("Longest wait").fill("5")
    panel.get_by_role("button", name="Save Limits").click()
    expect(page.get_by_text("Saved.")).to_be_visible()
    page.get_by_role("button", name="Dismiss").click()
    expect(page.get_by_text("Saved.")).to_have_count(0)
    page.reload()
    expect(panel.get_by_label("Longest wait")).to_have_value("5")
    limits = server.admin.get("/settings").json()["limits"]
    assert (limits["queue"], limits["queue_seconds"]) == (True, 5)


def test_how_long_details_are_kept_is_set_and_less_asks_first(console: Console, server: LiveServer) -> None:
    page = console.open("/admin/settings")
    console.sign_in()
    panel = page.get_by_role("region", name="Retention", exact=True)
    panel.get_by_label("Requests", exact=True).fill("0")
    panel.get_by_role("button", name="Save Retention").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Save and Delete").click()
    expect(panel.get_by_text("must be at least 1")).to_be_visible()
    panel.get_by_label("Requests", exact=True).fill("30")
    panel.get_by_label("Sums by quarter-hour").fill("")
    panel.get_by_role("button", name="Save Retention").click()
    expect(dialog.get_by_text("Requests older than 30 days: deleted within minutes")).to_be_visible()
    dialog.get_by_role("button", name="Save and Delete").click()
    expect(page.get_by_text("Saved.")).to_be_visible()
    kept = {"request_days": 30, "plan_days": 90, "quarter_days": None, "day_days": None}
    assert server.admin.get("/settings").json()["retention"] == kept
