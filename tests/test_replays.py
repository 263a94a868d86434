"""control/replays: what cannot be sent again says why. A real replay is in `test_bodies.py`, on live servers."""

from __future__ import annotations

from typing import Any

import httpx
import msgspec
import pytest

from clock import Clock
from control_fixtures import Clients
from ledger_rows import add_records, record
from ops_center.control.bodies.keeper import BodyKeeper
from ops_center.control.context import Control
from ops_center.storage.secrets import SecretBox
from ops_center.types import KeptCall, Role

pytestmark = pytest.mark.anyio
CHAT = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hello"}]}
PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGVsbG8="}}


async def kept(control: Control, clock: Clock, body: bytes, **fields: Any) -> str:
    """The path of a request in the ledger whose prompt is kept; without `body` it is not."""
    row = record(clock.now, **fields)
    await add_records(control.database, [row])
    keeper = BodyKeeper(control.database, control.secrets, clock, lambda: control.publisher.current)
    if body:
        keeper.take(
            KeptCall(
                request_id=row["request_id"],
                started_at=row["started_at"],
                client_format="openai_chat",
                request=body,
                request_size=len(body),
                request_type="application/json",
                answer=b"{}",
                answer_size=2,
                answer_type="application/json",
            )
        )
        await keeper.store()
    return f"/llm/requests/{row['request_id']}"


async def test_what_cannot_be_sent_again_says_why(
    control_client: httpx.AsyncClient, control: Control, clock: Clock
) -> None:
    await control_client.patch("/settings", json={"bodies": {"keep": True, "kilobytes": 1}})
    whole = msgspec.json.encode(CHAT)
    picture = msgspec.json.encode({"model": "m", "messages": [{"role": "user", "content": [PICTURE]}]})
    long = msgspec.json.encode({"model": "m", "messages": [{"role": "user", "content": "no secret " * 200}]})
    own = {"credential_source": "byok", "own_cost_source": "computed"}
    cases: list[tuple[bytes, dict[str, Any], str]] = [
        (b"", {}, "Nothing is kept"),
        (whole, own, "a user's own key"),
        (b"form", {"endpoint": "audio/transcriptions"}, "its body is not kept"),
        (long, {}, "longer than what is kept"),
        (picture, {}, "a file or a picture"),
        (b'["no object"]', {}, "no JSON object"),
    ]
    target = {"provider_id": "prov_1", "model": "gpt-4o"}
    for body, fields, reason in cases:
        path = await kept(control, clock, body, **fields)
        found = (await control_client.get(f"{path}/replay")).json()
        assert (found["possible"], found["targets"]) == (False, []) and reason in found["reason"]
        answer = await control_client.post(f"{path}/replay", json=target)
        assert (answer.status_code, answer.json()["error"]["message"]) == (409, found["reason"])

    path = await kept(control, clock, whole)
    await control_client.patch("/settings", json={"byok": {"policy": "byok_only"}})
    assert "Only own keys" in (await control_client.get(f"{path}/replay")).json()["reason"]
    await control_client.patch("/settings", json={"byok": {"policy": "byok_then_shared"}})
    assert (await control_client.get(f"{path}/replay")).json()["possible"] is True
    answer = await control_client.post(f"{path}/replay", json=target)
    assert (answer.status_code, answer.json()["error"]["param"]) == (422, "provider_id")
    assert (await control_client.get("/llm/requests/req_0/replay")).status_code == 404
    log = (await control_client.get("/audit-log", params={"action": "request.replay"})).json()
    assert log["entries"] == []  # nothing was sent


async def test_without_the_key_that_sealed_it_a_request_cannot_be_sent_again(
    control_client: httpx.AsyncClient, control: Control, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await control_client.patch("/settings", json={"bodies": {"keep": True}})
    path = await kept(control, clock, msgspec.json.encode(CHAT))
    monkeypatch.setattr(control.secrets, "_ciphers", SecretBox([b"x" * 32])._ciphers)
    assert "master key" in (await control_client.get(f"{path}/replay")).json()["reason"]


async def test_a_replay_and_its_original_lead_to_each_other(
    control_client: httpx.AsyncClient, clients: Clients, control: Control, clock: Clock
) -> None:
    original = await kept(control, clock, b"")
    id = original.rpartition("/")[2]
    replay = await kept(control, clock, b"", replay_of=id)
    assert (await control_client.get(replay)).json()["replay_of"] == id
    [found] = (await control_client.get(original)).json()["replays"]
    assert f"/llm/requests/{found['id']}" == replay
    for role in (Role.OPERATOR, Role.VIEWER, Role.USER):
        client = await clients.signed_in(role)
        assert (await client.get(f"{original}/replay")).status_code == 403
        sent = {"provider_id": "prov_1", "model": "gpt-4o"}
        assert (await client.post(f"{original}/replay", json=sent)).status_code == 403


async def test_a_bundle_holds_bodies_where_an_admin_asks_for_them(
    control_client: httpx.AsyncClient, clients: Clients, control: Control, clock: Clock
) -> None:
    await control_client.patch("/settings", json={"bodies": {"keep": True, "remove_emails": False}})
    body = msgspec.json.encode({"prompt": "I am ana@example.com, my key is sk-abcdefghijkl"})
    path = await kept(control, clock, body)
    assert "bodies" not in (await control_client.get(f"{path}/bundle")).json()
    operator = await clients.signed_in(Role.OPERATOR)
    assert (await operator.get(f"{path}/bundle")).status_code == 200
    refused = await operator.get(f"{path}/bundle", params={"bodies": True})
    assert (refused.status_code, refused.json()["error"]["param"]) == (403, "bodies")
    looks = {"action": "request.bodies_view"}
    assert (await control_client.get("/audit-log", params=looks)).json()["entries"] == []
    content = (await control_client.get(f"{path}/bundle", params={"bodies": True})).json()
    assert content["bodies"]["request"]["content"] == {"prompt": "I am [removed], my key is sk-••••"}
    assert "prompts" not in content["bundle"]["left_out"]
    [look] = (await control_client.get("/audit-log", params=looks)).json()["entries"]
    assert f"/llm/requests/{look['object_id']}" == path
    nothing = await kept(control, clock, b"")
    assert (await control_client.get(f"{nothing}/bundle", params={"bodies": True})).status_code == 404
