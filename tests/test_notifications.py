"""control/notifications: what is told, to whom, once; delivered to a real SMTP server and a real receiver."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest
from sqlalchemy import select, update

from clock import Clock
from control_fixtures import Clients, ScriptedFetcher
from ledger_rows import add_records, record
from mail_server import Mailbox, mailbox
from ops_center.control.byok.validation import check_due
from ops_center.control.context import Control
from ops_center.control.notifications import outbox
from ops_center.control.notifications.delivery import PAUSES, deliver_due
from ops_center.control.notifications.service import list_notifications
from ops_center.control.notifications.watch import look
from ops_center.errors import ProviderAuthError
from ops_center.health import Health
from ops_center.storage.tables import notifications, users
from ops_center.transport.client import FetchAnswer, HttpClient
from test_health import Time, fail

pytestmark = pytest.mark.anyio
one_engine = pytest.mark.parametrize("dialect", ["sqlite"])  # no SQL in question

SECRET_BYTES = b"0123456789abcdef0123456789abcdef"
SECRET = "whsec_" + base64.b64encode(SECRET_BYTES).decode()
DAY = 86_400.0
PATH = "/hooks?token=canary"


@dataclass
class Receiver:
    """Answers `status` to every POST and keeps what came."""

    status: int = 204
    port: int = 0
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        lines = [line.partition(": ") for line in head.split("\r\n")[1:] if line]
        headers = {name.lower(): value for name, _, value in lines}
        assert head.startswith(f"POST {PATH} ")
        self.got.append((headers, await reader.readexactly(int(headers["content-length"]))))
        writer.write(f"HTTP/1.1 {self.status} X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
        await writer.drain()
        writer.close()

    def verified(self, number: int = -1) -> dict[str, Any]:
        """The payload, once its signature has been checked as a receiver would."""
        headers, body = self.got[number]
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        wanted = base64.b64encode(hmac.new(SECRET_BYTES, signed, hashlib.sha256).digest()).decode()
        assert headers["webhook-signature"] == f"v1,{wanted}"
        payload: dict[str, Any] = json.loads(body)
        return payload


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    made = Receiver()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    yield made
    server.close()
    await server.wait_closed()


@pytest.fixture
async def box() -> AsyncIterator[Mailbox]:
    async with mailbox() as made:
        yield made


@pytest.fixture
async def sender(control: Control) -> AsyncIterator[Control]:
    """The control plane with the real way out."""
    http = HttpClient()
    yield replace(control, http=http)
    await http.close()


@pytest.fixture
async def admin(control_client: httpx.AsyncClient, box: Mailbox, receiver: Receiver) -> httpx.AsyncClient:
    """An admin who has both ways switched on."""
    answer = await control_client.patch(
        "/settings",
        json={
            "notifications": {
                "email_enabled": True,
                "smtp_host": "localhost",
                "smtp_port": box.port,
                "smtp_tls": "none",
                "email_from": "ops@example.com",
                "webhook_enabled": True,
                "webhook_url": f"http://127.0.0.1:{receiver.port}{PATH}",
                "webhook_secret": SECRET,
                "allow_private_network": True,
            }
        },
    )
    assert answer.status_code == 200, answer.text
    assert answer.json()["notifications"]["webhook_secret"] == "••••"
    return control_client


async def listed(client: httpx.AsyncClient) -> list[dict[str, Any]]:
    answer = await client.get("/notifications")
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["notifications"]
    return found


async def kept(control: Control) -> list[dict[str, Any]]:
    """The same without a session, which a long test outlives."""
    return [entry.model_dump() for entry in (await list_notifications(control, 200)).notifications]


async def spend(control: Control, cost_usd: str, **who: str) -> None:
    await add_records(control.database, [record(control.clock(), cost_usd=Decimal(cost_usd), **who)])


async def user_id(control: Control, email: str) -> str:
    async with control.database.read() as conn:
        return str(await conn.scalar(select(users.c.id).where(users.c.email == email)))


# ── budgets ───────────────────────────────────────────────────────────────────


async def test_a_threshold_is_told_once_to_admins_and_to_who_spends(
    admin: httpx.AsyncClient,
    clients: Clients,
    sender: Control,
    box: Mailbox,
    receiver: Receiver,
    clock: Clock,
) -> None:
    await clients.signed_in("user", "ben@example.com")
    await clients.signed_in("user", "else@example.com")
    ben = await user_id(sender, "ben@example.com")
    budget = {"scope": "user", "subject_id": ben, "amount_usd": 10}
    clock.advance(6 * DAY)  # late enough in the month for what follows to be no forecast
    made = await admin.post("/llm/budgets", json=budget)
    assert (made.status_code, made.json()["warn_at"]) == (201, [50, 80, 100])
    await spend(sender, "2.49", user_id=ben)
    await look(sender)
    assert await deliver_due(sender) == 0
    await spend(sender, "2.50", user_id=ben)
    await look(sender)
    assert await deliver_due(sender) == 0

    await spend(sender, "3.50", user_id=ben)  # past two at once: told of the higher
    for _ in range(2):
        await look(sender)
        await deliver_due(sender)
    assert sorted(mail["to"] for mail in box.messages) == ["admin@example.com", "ben@example.com"]
    mails = {mail["to"]: mail for mail in box.messages}
    assert (
        mails["ben@example.com"]["subject"] == "[Ops-Center] The budget of ben@example.com has reached 80 %"
    )
    assert mails["ben@example.com"]["from"] == "ops@example.com"
    text = mails["ben@example.com"].get_content()
    assert "$8.49 of $10.00 per month are spent." in text and "http://ops.test/account/api-keys" in text
    assert "http://ops.test/admin/budgets" in mails["admin@example.com"].get_content()
    [_] = receiver.got
    payload = receiver.verified()
    assert payload["type"] == "budget.threshold_reached"
    assert (
        payload["data"] | {"subject_id": ben, "threshold_percent": 80, "spent_usd": 8.49} == payload["data"]
    )

    await spend(sender, "1.51", user_id=ben)
    await look(sender)
    await deliver_due(sender)
    assert receiver.verified()["data"]["threshold_percent"] == 100
    assert box.messages[-1]["subject"].endswith("is used up")
    assert (len(receiver.got), len(box.messages)) == (2, 4)

    clock.advance(31 * DAY)  # a new period
    await spend(sender, "6", user_id=ben)
    await look(sender)
    await deliver_due(sender)
    assert receiver.verified()["data"]["threshold_percent"] == 50
    assert {entry["status"] for entry in await kept(sender)} == {"delivered"}


async def test_a_budget_that_will_not_last_is_told_once_with_the_day(
    admin: httpx.AsyncClient, sender: Control, box: Mailbox, receiver: Receiver, clock: Clock
) -> None:
    await admin.patch("/settings", json={"organisation": {"time_zone": "Pacific/Auckland"}})
    monthly = {"scope": "everything", "amount_usd": 10, "warn_at": [80]}
    daily = {"scope": "everything", "amount_usd": 100, "period": "day", "warn_at": [80]}
    quiet = {"scope": "everything", "amount_usd": 10, "period": "week", "warn_at": []}
    for budget in (monthly, daily, quiet):
        assert (await admin.post("/llm/budgets", json=budget)).status_code == 201
    await spend(sender, "2.4")  # on its way past the week's, of which nobody wants to hear
    await look(sender)
    assert await deliver_due(sender) == 0
    await spend(sender, "5.5")  # 7.9 after 23 days and an hour: more than 10 in 30
    for _ in range(2):
        await look(sender)
        await deliver_due(sender)
    [mail] = box.messages
    subject = mail["subject"].strip()  # long enough to begin on a line of its own
    assert subject == "[Ops-Center] The budget of everything runs out on 30 November at this pace"
    assert "$7.90 of $10.00 per month are spent; it would come to $10.2" in mail.get_content()
    [_] = receiver.got
    payload = receiver.verified()
    assert payload["type"] == "budget.runs_out"
    assert payload["data"]["runs_out_at"].startswith("2026-11-29T")  # UTC
    await admin.patch(f"/llm/budgets/{payload['data']['budget_id']}", json={"amount_usd": 10.1})
    await look(sender)
    await deliver_due(sender)
    assert len(receiver.got) == 2  # another amount is another budget
    assert {entry["status"] for entry in await kept(sender)} == {"delivered"}


async def test_a_budget_has_thresholds_of_its_own(admin: httpx.AsyncClient, sender: Control) -> None:
    made = (
        await admin.post("/llm/budgets", json={"scope": "everything", "amount_usd": 10, "warn_at": [90, 20]})
    ).json()
    assert made["warn_at"] == [20, 90]
    quiet = await admin.post(
        "/llm/budgets", json={"scope": "everything", "amount_usd": 1, "period": "day", "warn_at": []}
    )
    assert quiet.json()["warn_at"] == []
    for wrong in ([0], [101], ["a"], list(range(1, 12))):
        answer = await admin.patch(f"/llm/budgets/{made['id']}", json={"warn_at": wrong})
        assert (answer.status_code, answer.json()["error"]["param"].split(".")[0]) == (422, "warn_at")
    await spend(sender, "5")
    await look(sender)
    assert [entry["subject"] for entry in await listed(admin)] == [
        "The budget of everything has reached 20 %"
    ] * 2
    changed = await admin.patch(f"/llm/budgets/{made['id']}", json={"warn_at": [30]})
    assert changed.json()["warn_at"] == [30]
    await look(sender)
    assert (await listed(admin))[0]["subject"] == "The budget of everything has reached 30 %"


# ── providers and keys ────────────────────────────────────────────────────────


async def add_provider(client: httpx.AsyncClient, http_fetcher: ScriptedFetcher) -> dict[str, Any]:
    http_fetcher.answers["https://api.openai.com/v1/models"] = FetchAnswer(
        200, {}, b'{"data": [{"id": "gpt-4o-mini"}]}'
    )
    answer = await client.post(
        "/llm/providers", json={"name": "OpenAI", "type": "openai", "api_key": "sk-canary-4b1d0c9e8f7a6b5c"}
    )
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def test_a_key_that_the_provider_refuses_is_told_once_a_day(
    admin: httpx.AsyncClient, sender: Control, http_fetcher: ScriptedFetcher, clock: Clock
) -> None:
    provider_id = (await add_provider(admin, http_fetcher))["id"]
    await sender.background.finished()  # its models are discovered
    sender = replace(sender, health=Health(monotonic=Time(), clock=clock))
    there = next(t for t in sender.publisher.current.targets if t.provider.id == provider_id)
    fail(sender.health, there, ProviderAuthError("x", detail="wrong key sk-canary"))
    for _ in range(2):
        await look(sender)
    assert [e["subject"] for e in await listed(admin)] == ["OpenAI refuses its key"] * 2
    clock.advance(DAY)
    await look(sender)
    assert len(await listed(admin)) == 4
    assert "canary" not in json.dumps(await rows(sender))


async def rows(control: Control) -> list[list[str]]:
    async with control.database.read() as conn:
        return [
            [str(v) for v in row]
            for row in await conn.execute(select(notifications.c.subject, notifications.c.body))
        ]


async def test_the_owner_alone_gets_mail_about_an_own_key_that_stopped_working(
    admin: httpx.AsyncClient, clients: Clients, control: Control, http_fetcher: ScriptedFetcher, clock: Clock
) -> None:
    models = "https://api.openai.com/v1/models"
    http_fetcher.answers[models] = FetchAnswer(200, {}, b'{"data": []}')
    ben = await clients.signed_in("user", "ben@example.com")
    assert (
        await ben.put("/me/provider-keys/openai", json={"api_key": "sk-canary-4b1d0c9e8f7a6b5c"})
    ).status_code == 200
    http_fetcher.answers[models] = FetchAnswer(401, {}, b'{"error": {"message": "sk-canary is wrong"}}')
    for _ in range(2):
        clock.advance(DAY + 60)
        assert await check_due(control) == 1
    found = {(e["channel"], e["recipient"].partition(":")[0]) for e in await listed(admin)}
    assert found == {("email", "ben@example.com"), ("webhook", "http")}
    assert len(await listed(admin)) == 2
    assert "canary" not in json.dumps(await rows(control))
    assert "http://ops.test/account/provider-keys" in str(await rows(control))


# ── delivery ──────────────────────────────────────────────────────────────────


async def test_a_failed_delivery_is_tried_again_with_growing_pauses_and_then_given_up(
    admin: httpx.AsyncClient, sender: Control, receiver: Receiver, box: Mailbox, clock: Clock
) -> None:
    receiver.status, box.busy = 500, True
    await admin.post("/llm/budgets", json={"scope": "everything", "amount_usd": 1})
    await spend(sender, "2")
    await look(sender)
    for pause in PAUSES:
        assert await deliver_due(sender) == 2
        assert await deliver_due(sender) == 0
        clock.advance(pause.total_seconds())
    await deliver_due(sender)
    clock.advance(30 * DAY)
    assert await deliver_due(sender) == 0
    assert len(receiver.got) == len(PAUSES) + 1
    assert len({headers["webhook-id"] for headers, _ in receiver.got}) == 1
    assert len({headers["webhook-timestamp"] for headers, _ in receiver.got}) == len(receiver.got)
    ended = {e["channel"]: e for e in await kept(sender)}
    assert (ended["webhook"]["status"], ended["webhook"]["outcome"]) == (
        "failed",
        "The webhook answered 500.",
    )
    assert ended["webhook"]["attempts"] == len(PAUSES) + 1
    assert ended["email"]["outcome"] == f"localhost:{box.port} refused the mail (451)."
    assert "canary" not in str(ended)


@one_engine
async def test_what_will_never_be_taken_is_not_tried_again(
    admin: httpx.AsyncClient, sender: Control, receiver: Receiver, box: Mailbox
) -> None:
    receiver.status = 410
    box.refused.add("admin@example.com")
    await admin.post("/llm/budgets", json={"scope": "everything", "amount_usd": 1})
    await spend(sender, "2")
    await look(sender)
    await deliver_due(sender)
    assert {(e["status"], e["attempts"]) for e in await listed(admin)} == {("failed", 1)}


async def test_a_delivery_that_a_crash_cut_off_is_made_after_the_restart_and_by_one_process(
    admin: httpx.AsyncClient, sender: Control, receiver: Receiver, clock: Clock
) -> None:
    await admin.patch("/settings", json={"notifications": {"email_enabled": False}})
    await admin.post("/llm/budgets", json={"scope": "everything", "amount_usd": 1})
    await spend(sender, "2")
    await look(sender)
    async with sender.database.write() as conn:  # claimed, and then nothing: the process was killed
        [waiting] = await outbox.due(conn, clock(), 10)
        assert await outbox.claim(conn, waiting, clock()) is not None
    assert await deliver_due(sender) == 0
    clock.advance(outbox.CLAIM.total_seconds())
    await asyncio.gather(deliver_due(sender), deliver_due(sender), deliver_due(sender))
    assert len(receiver.got) == 1
    [entry] = await listed(admin)
    assert (entry["status"], entry["attempts"]) == ("delivered", 2)


async def test_old_entries_are_forgotten_but_none_that_waits(
    admin: httpx.AsyncClient, sender: Control
) -> None:
    await admin.post("/llm/budgets", json={"scope": "everything", "amount_usd": 1})
    await spend(sender, "2")
    await look(sender)
    async with sender.database.write() as conn:
        await conn.execute(
            update(notifications).where(notifications.c.channel == "email").values(status="delivered")
        )
        await outbox.forget(conn, sender.clock() + timedelta(seconds=1))
    assert [e["channel"] for e in await listed(admin)] == ["webhook"]


@one_engine
async def test_nothing_is_kept_while_nobody_is_to_be_told(
    control_client: httpx.AsyncClient, control: Control
) -> None:
    await control_client.post("/llm/budgets", json={"scope": "everything", "amount_usd": 1})
    await spend(control, "2")
    await look(control)
    assert await listed(control_client) == []


# ── settings ──────────────────────────────────────────────────────────────────


@one_engine
async def test_a_test_says_what_came_of_it(
    admin: httpx.AsyncClient, clients: Clients, sender: Control, box: Mailbox, receiver: Receiver
) -> None:
    clients.app.state.control = sender

    async def test(channel: str) -> dict[str, Any]:
        answer = await admin.post("/notifications/test", json={"channel": channel})
        assert answer.status_code == 200, answer.text
        result: dict[str, Any] = answer.json()
        return result

    assert await test("email") == {
        "success": True,
        "message": "localhost took the mail to admin@example.com.",
    }
    assert "http://ops.test/admin/settings" in box.messages[0].get_content()
    assert await test("webhook") == {"success": True, "message": "The webhook answered 204."}
    assert receiver.verified()["type"] == "test"
    receiver.status = 302
    assert await test("webhook") == {
        "success": False,
        "message": "The webhook answered 302: redirects are not followed.",
    }
    log = (await admin.get("/audit-log", params={"action": "settings.test"})).json()
    assert [entry["after"]["success"] for entry in log["entries"]] == [False, True, True]
    await admin.patch("/settings", json={"notifications": {"email_enabled": False}})
    assert await test("email") == {"success": False, "message": "Email was switched off."}
    assert await listed(admin) == []


@one_engine
@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"email_enabled": True, "email_from": "a@b.example"}, "smtp_host"),
        ({"email_enabled": True, "smtp_host": "smtp.example.com"}, "email_from"),
        (
            {"email_enabled": True, "smtp_host": "h", "email_from": "a@b.example", "smtp_tls": "none"},
            "smtp_tls",
        ),
        ({"email_from": "a@b.example\r\nBcc: c@d.example"}, "email_from"),
        ({"email_from": "nobody"}, "email_from"),
        ({"smtp_port": 0}, "smtp_port"),
        ({"smtp_host": "smtp.example.com/x"}, "smtp_host"),
        ({"webhook_enabled": True, "webhook_secret": SECRET}, "webhook_url"),
        ({"webhook_enabled": True, "webhook_url": "https://a.example"}, "webhook_secret"),
        (
            {"webhook_enabled": True, "webhook_url": "http://a.example", "webhook_secret": SECRET},
            "webhook_url",
        ),
        (
            {"webhook_enabled": True, "webhook_url": "https://no.example/", "webhook_secret": SECRET},
            "webhook_url",
        ),
        ({"webhook_url": "ftp://a.example"}, "webhook_url"),
        ({"webhook_secret": "short"}, "webhook_secret"),
        ({"webhook_secret": "whsec_not base64, though long enough"}, "webhook_secret"),
    ],
)
async def test_what_cannot_work_is_refused_by_its_field(
    control_client: httpx.AsyncClient, http_fetcher: ScriptedFetcher, wrong: dict[str, Any], field: str
) -> None:
    http_fetcher.refused.add("https://no.example/")
    answer = await control_client.patch("/settings", json={"notifications": wrong})
    assert (answer.status_code, answer.json()["error"]["param"].split(".")[-1]) == (422, field)
