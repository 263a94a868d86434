"""control/bodies: prompts and answers are kept when an admin says so, redacted, sealed, and seen by admins alone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import msgspec
import pytest
from sqlalchemy import select

from canaries import Canaries
from clock import Clock
from control_fixtures import Clients
from ledger_rows import add_records, record
from live import LiveServer, SimulatorThread, wait_until
from ops_center.control.bodies.assembly import assembled, events_of
from ops_center.control.bodies.keeper import BodyKeeper, content_of, delete_old_bodies
from ops_center.control.bodies.redaction import Redaction
from ops_center.control.bodies.settings import BodySettings
from ops_center.control.context import Control
from ops_center.simulator import SimulatorConfig
from ops_center.storage.tables import request_bodies
from ops_center.types import KeptCall, Role

PRIVATE_KEY = "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA\n-----END RSA PRIVATE KEY-----"


@pytest.mark.parametrize(
    ("text", "clean", "removed"),
    [
        ("use sk-ant-api03-abcdefgh123 now", "use sk-•••• now", {"secret": 1}),
        ("Authorization: Bearer abc.def.ghi", "Authorization: Bearer ••••", {"secret": 1}),
        (PRIVATE_KEY, "••••", {"secret": 1}),
        (PRIVATE_KEY[:50], "••••", {"secret": 1}),
        ("AKIAIOSFODNN7EXAMPLE", "••••", {"secret": 1}),
        ("ghp_abcdefgh12345678", "••••", {"secret": 1}),
        ("eyJhbGciOiJI.eyJzdWIiOiIx.c2lnbmF0dXJl", "••••", {"secret": 1}),
        ("the configured-secret-1 twice configured-secret-1", "the •••• twice ••••", {"secret": 2}),
        ("write to ana.b+c@mail.example.com, please", "write to [email], please", {"email": 1}),
        ("call +49 30 901820 or (030) 555-1234", "call [phone] or [phone]", {"phone": 2}),
        ("call (212) 555-0123 or 212-555-0199", "call [phone] or [phone]", {"phone": 2}),
        ("pay with 4242 4242 4242 4242", "pay with [card]", {"card": 1}),
        ("order 4242 4242 4242 4243 of 2026-11-28 12:30:45", "order 4242 4242 4242 4243 of 2026-11-28 12:30:45", {}),
        ("see data:image/png;base64,aGVsbG8=", "see [image/png, 30 characters]", {"file": 1}),
        ("a" * 2000, "[2000 characters of data]", {"file": 1}),
        ("nothing at all: 1,234.56 at 10:20", "nothing at all: 1,234.56 at 10:20", {}),
    ],
    ids=range(16),
)  # fmt: skip
def test_a_text_loses_what_must_go(text: str, clean: str, removed: dict[str, int]) -> None:
    redaction = Redaction(secrets=["configured-secret-1", "short"])
    assert redaction.clean([{"text": text}]) == [{"text": clean}]
    assert dict(redaction.removed) == removed


def test_fields_with_telling_names_lose_their_words_and_settings_are_followed() -> None:
    redaction = Redaction(emails=False, phones=False, cards=False)
    value = {
        "password": "hunter2",
        "db_password": "x",
        "max_tokens": 5,
        "tokens": "ok",
        "ana@example.com": "4242 4242 4242 4242 +49 30 901820",
        "nested": {"api_key": ["kept apart", {"secret": "y"}]},
    }
    assert redaction.clean(value) == value | {
        "password": "••••",
        "db_password": "••••",
        "nested": {"api_key": ["kept apart", {"secret": "••••"}]},
    }


def kept(request: bytes, answer: bytes = b"{}", **fields: Any) -> KeptCall:
    values: dict[str, Any] = {
        "request_id": "req_1",
        "started_at": Clock().now,
        "client_format": "openai_chat",
        "request": request,
        "request_size": len(request),
        "request_type": "application/json",
        "answer": answer,
        "answer_size": len(answer),
        "answer_type": "application/json",
    }
    return KeptCall(**(values | fields))


def test_a_body_is_bounded_and_says_so() -> None:
    settings = BodySettings(kilobytes=1)
    long = msgspec.json.encode({"text": "no secret here " * 200})
    bodies = content_of(kept(long, b'{"ok": true}'), settings, [])
    assert (bodies.request.complete, len(bodies.request.content)) == (False, 1024)
    assert (bodies.answer.complete, bodies.answer.content) == (True, {"ok": True})
    cut = content_of(kept(b'{"text": "sk-abcdefghijkl', request_size=99), settings, []).request
    assert (cut.complete, cut.content) == (False, '{"text": "sk-••••')
    form = kept(b"--x\r\nsecret sound", request_type="multipart/form-data; boundary=x")
    assert content_of(form, settings, []).request.content == "[multipart/form-data, 17 bytes]"


def test_a_secret_that_a_stream_tells_in_pieces_is_taken_out_of_the_whole() -> None:
    pieces = ["the key is sk-", "abcdef", "ghijklmnop", " and more"]
    events = b"".join(
        b"data: " + msgspec.json.encode({"id": "c1", "choices": [{"index": 0, "delta": {"content": piece}}]})
        + b"\n\n"
        for piece in pieces
    )  # fmt: skip
    bodies = content_of(
        kept(b"{}", events + b"data: [DONE]\n\n", answer_type="text/event-stream"), BodySettings(), []
    )
    assert bodies.answer.content["choices"][0]["message"]["content"] == "the key is sk-•••• and more"


def test_tools_and_thinking_are_put_together() -> None:
    def delta(**fields: Any) -> bytes:
        return b"data: " + msgspec.json.encode({"choices": [{"index": 0, "delta": fields}]}) + b"\n"

    data = delta(
        tool_calls=[{"index": 0, "id": "t1", "type": "function", "function": {"name": "f", "arguments": "{"}}]
    )
    data += delta(tool_calls=[{"index": 0, "function": {"arguments": '"a":1}'}}]) + b"data: nonsense\n"
    [choice] = assembled("openai_chat", events_of(data))["choices"]
    assert choice["message"]["tool_calls"] == [
        {"id": "t1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}
    ]
    assert assembled("openai_chat", events_of(b'data: {"error": {"message": "x"}}\n')) == {
        "error": {"message": "x"}
    }
    assert assembled("something_new", events_of(b'data: {"delta": "sk-"}\n')) == "[1 events]"


@pytest.mark.anyio
async def test_what_is_kept_is_sealed_seen_by_admins_and_gone_after_its_days(
    clients: Clients, control_client: httpx.AsyncClient, control: Control, clock: Clock
) -> None:
    answer = await control_client.patch("/settings", json={"bodies": {"keep": True, "days": 3}})
    assert answer.status_code == 200, answer.text
    assert control.publisher.current.keep_bodies
    rows = [record(clock.now), record(clock.now - timedelta(days=4))]
    await add_records(control.database, rows)
    keeper = BodyKeeper(control.database, control.secrets, clock, lambda: control.publisher.current)
    for row in rows:
        keeper.take(
            kept(b'{"prompt": "very private"}', request_id=row["request_id"], started_at=row["started_at"])
        )
    await keeper.store()
    async with control.database.read() as conn:
        for sealed in (await conn.execute(select(request_bodies.c.sealed))).scalars():
            assert b"private" not in sealed

    path = f"/llm/requests/{rows[0]['request_id']}"
    assert (await control_client.get(path)).json()["bodies_kept"] is True
    for role in (Role.OPERATOR, Role.VIEWER, Role.USER):
        assert (await (await clients.signed_in(role)).get(f"{path}/bodies")).status_code == 403
    body = (await control_client.get(f"{path}/bodies")).json()
    assert body["request"] == {"content": {"prompt": "very private"}, "complete": True}
    assert body["deleted_at"] == "2026-11-26T12:00:00Z"
    log = (await control_client.get("/audit-log", params={"action": "request.bodies_view"})).json()
    assert [entry["object_id"] for entry in log["entries"]] == [rows[0]["request_id"]]

    assert await delete_old_bodies(control.database, clock.now, None) == 1
    assert (await control_client.get(f"/llm/requests/{rows[1]['request_id']}/bodies")).status_code == 404
    assert await delete_old_bodies(control.database, clock.now + timedelta(days=2), 1) == 1
    await control_client.patch("/settings", json={"bodies": {"keep": False}})
    assert not control.publisher.current.keep_bodies
    gone = await control_client.get(f"{path}/bodies")
    assert (gone.status_code, gone.json()["error"]["hint"]) == (404, "Storing them is off: see the settings.")
    keeper.take(kept(b"{}", request_id=rows[0]["request_id"]))
    await keeper.store()  # it was under way when storing was switched off
    assert (await control_client.get(f"{path}/bodies")).status_code == 404


@pytest.mark.anyio
@pytest.mark.parametrize("dialect", ["sqlite"])
async def test_what_comes_too_fast_is_given_up(
    control: Control, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ops_center.control.bodies.keeper._MOST_WAITING_BYTES", 100)
    keeper = BodyKeeper(control.database, control.secrets, clock, lambda: control.publisher.current)
    for _ in range(3):
        keeper.take(kept(b"x" * 60, b""))
    assert keeper.given_up == 2


@pytest.fixture(scope="module")
def simulator() -> Iterator[SimulatorThread]:
    with SimulatorThread(SimulatorConfig()) as running:
        yield running


@pytest.fixture(scope="module", params=["1", "2"], ids=["one process", "two workers"])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, simulator: SimulatorThread
) -> Iterator[LiveServer]:
    env = {"OPS_CENTER_WORKERS": request.param}
    with LiveServer(tmp_path_factory.mktemp("bodies") / "data", env=env) as running:
        running.add_provider("openai", api_key="sk-good", base_url=simulator.simulator.openai_url)
        yield running


def test_live_traffic_is_kept_in_every_format_and_nothing_in_clear(server: LiveServer) -> None:
    canaries = Canaries()
    secret, prompt = canaries.new("a key in a prompt", "sk-"), canaries.new("prompt")
    key = server.create_api_key("kept")
    said = f"My key is {secret}, my mail ana@example.com, and I say {prompt}"
    chat = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": said}]}
    calls: list[tuple[str, dict[str, Any]]] = [
        ("/chat/completions", chat),
        ("/chat/completions", chat | {"stream": True}),
        ("/messages", chat | {"stream": True, "max_tokens": 50}),
        ("/responses", {"model": "gpt-4o-mini", "input": said, "stream": True}),
        ("/chat/completions", chat | {"model": "no-such-model"}),
    ]

    def send(path: str, body: dict[str, Any], secret: str = key) -> str:
        headers = {"authorization": f"Bearer {secret}"}
        answer = httpx.post(f"{server.openai_url}{path}", json=body, headers=headers, timeout=20)
        return str(answer.headers["x-request-id"])

    before = send(*calls[0])  # while storing is off
    server.wait_for_request(before)
    assert server.admin.patch("/settings", json={"bodies": {"keep": True}}).status_code == 200
    stranger = send(*calls[0], "sk-oc-unknown")
    ids = [send(*call) for call in calls]

    def look(request_id: str) -> dict[str, Any] | None:
        answer = server.admin.get(f"/llm/requests/{request_id}/bodies")
        return answer.json() if answer.status_code == 200 else None

    found = [wait_until(lambda id=id: look(id), seconds=15, what="the kept bodies") for id in ids]
    assert look(before) is None and look(stranger) is None
    for body in found:
        text = msgspec.json.encode(body["request"]["content"]).decode()
        assert prompt in text and secret not in text and "ana@example.com" not in text
        assert body["removed"] == {"secret": 1, "email": 1} or body["removed"]["secret"] >= 1
        assert body["answer"]["complete"]
    whole, stream, message, response, refused = (body["answer"]["content"] for body in found)
    words = whole["choices"][0]["message"]["content"]
    assert words and stream["choices"][0]["message"]["content"]
    assert stream["choices"][0]["finish_reason"] == "stop"
    assert message["content"][0]["text"] and message["usage"]["output_tokens"] > 0
    assert response["output"][0]["content"][0]["text"]
    assert refused["error"]["code"] == "model_not_found" or refused["error"]["message"]
    server.admin.patch("/settings", json={"bodies": {"keep": False}})
    files = [path for path in server.data_dir.rglob("*") if path.is_file() and path.name != "master.key"]
    assert any(path.name == "ops-center.db" for path in files)
    for path in [*files, server.log_path]:
        assert canaries.found_in(path.read_bytes()) == set(), path
    bundle = server.admin.get(f"/llm/requests/{ids[0]}/bundle").content
    assert canaries.found_in(bundle) == set()


def test_a_kept_request_is_sent_again_elsewhere_and_stands_beside_the_original(
    server: LiveServer, simulator: SimulatorThread
) -> None:
    claude = server.add_provider("anthropic", api_key="sk-good", base_url=simulator.simulator.anthropic_url)
    rules = {"replace_named": True, "larger_window": True}  # neither may send a replay to another model
    assert server.admin.put("/llm/routing/rules", json=rules).status_code == 200
    server.admin.patch("/settings", json={"bodies": {"keep": True}})
    key = server.create_api_key("an application")
    body = {
        "model": "openai/gpt-4o-mini",
        "stream": True,
        "messages": [{"role": "user", "content": "I am ana@example.com"}],
        "provider": {"only": ["openai"]},
    }
    answer = httpx.post(
        f"{server.openai_url}/chat/completions", json=body, headers={"authorization": f"Bearer {key}"}
    )
    path = f"/llm/requests/{answer.headers['x-request-id']}"
    wait_until(lambda: server.admin.get(f"{path}/bodies").status_code == 200, seconds=15, what="the bodies")

    found = server.admin.get(f"{path}/replay").json()
    assert found["possible"] and found["removed"] == {"email": 1}, found
    target = next(each for each in found["targets"] if each["provider_id"] == claude["id"])
    sent = {"provider_id": claude["id"], "model": target["model"]}
    own_key = {"api_key": "sk-good-own", "force": True}
    assert server.admin.put("/me/provider-keys/anthropic", json=own_key).is_success
    before = server.admin.get("/me/api-keys").json()["api_keys"]
    answers = [server.admin.post(f"{path}/replay", json=sent, timeout=30) for _ in range(2)]
    assert [each.status_code for each in answers] == [200, 200], answers[0].text
    made = answers[1].json()
    original, replay = made["original"], made["replay"]
    assert (replay["provider_id"], replay["model"], replay["status"]) == (claude["id"], target["model"], 200)
    assert (replay["replay_of"], replay["strategy"], len(replay["attempts"])) == (original["id"], None, 1)
    assert replay["stream"] and replay["time_to_first_chunk_ms"] is not None
    assert (replay["api_key_name"], original["api_key_name"]) == ("Replay", "an application")
    assert replay["cost_usd"] > 0 and replay["price_lines"]
    assert replay["credential"] == "platform"  # the admin's own key for it is left aside
    assert made["difference"]["cost_usd"] == pytest.approx(replay["cost_usd"] - original["cost_usd"])
    assert made["difference"]["duration_ms"] == replay["duration_ms"] - original["duration_ms"]
    for each in (made["answer"], made["original_answer"]):
        assert each["complete"] and each["content"]["choices"][0]["message"]["content"]
    keys = server.admin.get("/me/api-keys").json()["api_keys"]
    assert [each["name"] for each in keys if each not in before] == ["Replay"]  # one for both
    kept = wait_until(
        lambda: (
            found.json()
            if (found := server.admin.get(f"/llm/requests/{replay['id']}/bodies")).status_code == 200
            else None
        ),
        seconds=15,
        what="the replay's own bodies",
    )
    assert kept["request"]["content"]["messages"][0]["content"] == "I am [email]"
    assert "provider" not in kept["request"]["content"]
    linked = server.admin.get(path).json()["replays"]
    assert [each["id"] for each in linked] == [each.json()["replay"]["id"] for each in reversed(answers)]
    log = server.admin.get("/audit-log?action=request.replay").json()["entries"]
    assert (len(log), log[0]["object_id"]) == (2, original["id"])

    assert server.admin.delete("/me/provider-keys/anthropic").is_success
    server.admin.patch(f"/llm/providers/{claude['id']}", json={"api_key": "sk-wrong"})
    failed = server.admin.post(f"{path}/replay", json=sent, timeout=30).json()
    assert failed["replay"]["status"] >= 400 and failed["replay"]["error_type"] == "provider_auth_error"
    assert failed["answer"]["content"]["error"]["message"]
    server.admin.put("/llm/routing/rules", json=dict.fromkeys(rules, False))
    server.admin.patch("/settings", json={"bodies": {"keep": False}})
