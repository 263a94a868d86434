"""control/settings: sections with defaults, changed field by field, secrets sealed and never shown."""

from __future__ import annotations

import asyncio
from typing import Annotated, ClassVar

import httpx
import pytest
from pydantic import Field
from sqlalchemy import select

from control_fixtures import Clients
from ops_center.control.context import Control
from ops_center.control.settings.organisation import OrganisationSettings
from ops_center.control.settings.repository import (
    read_secret,
    read_setting,
    restored,
    row,
    write_secrets,
    write_setting,
)
from ops_center.control.settings.section import MASK, SecretText, Section
from ops_center.control.settings.service import _merged
from ops_center.storage.tables import sealed_secrets
from ops_center.types import Role

pytestmark = pytest.mark.anyio
one_engine = pytest.mark.parametrize("dialect", ["sqlite"])  # no SQL in question


class MailSettings(Section):
    key: ClassVar[str] = "mail"
    secret_fields: ClassVar[frozenset[str]] = frozenset({"password"})

    host: str = ""
    port: Annotated[int, Field(ge=1)] = 25
    password: SecretText | None = None


async def test_what_nobody_set_has_its_default(control_client: httpx.AsyncClient) -> None:
    found = (await control_client.get("/settings")).json()
    assert (found["version"], found["updated_at"]) == (0, None)
    assert found["organisation"] == {"name": "", "time_zone": "UTC"}


async def test_only_what_is_sent_changes(control_client: httpx.AsyncClient, control: Control) -> None:
    await control_client.patch("/settings", json={"organisation": {"name": " Example Ltd "}})
    answer = await control_client.patch("/settings", json={"organisation": {"time_zone": "Europe/Berlin"}})
    assert answer.status_code == 200
    assert answer.json()["organisation"] == {"name": "Example Ltd", "time_zone": "Europe/Berlin"}
    assert answer.json()["version"] == 2
    async with control.database.read() as conn:  # as after a restart
        organisation = await read_setting(conn, OrganisationSettings)
    assert organisation.zone.key == "Europe/Berlin"
    system = (await control_client.get("/system")).json()
    assert (system["organisation"], system["time_zone"]) == ("Example Ltd", "Europe/Berlin")


async def test_a_change_is_audited_and_no_change_is_not(control_client: httpx.AsyncClient) -> None:
    for _ in range(2):
        await control_client.patch("/settings", json={"organisation": {"name": "Example"}})
    await control_client.patch("/settings", json={})
    [entry] = (await control_client.get("/audit-log")).json()["entries"]
    assert (entry["action"], entry["object_id"]) == ("settings.update", "organisation")
    assert (entry["before"], entry["after"]) == ({"name": ""}, {"name": "Example"})
    assert (await control_client.get("/settings")).json()["version"] == 1


@one_engine
@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"organisation": {"time_zone": "Mars/Olympus"}}, "organisation.time_zone"),
        ({"organisation": {"time_zone": "../../etc/passwd"}}, "organisation.time_zone"),
        ({"organisation": {"time_zone": None}}, "organisation.time_zone"),
        ({"organisation": {"name": "x" * 101}}, "organisation.name"),
        ({"organisation": {"name": "two\nlines"}}, "organisation.name"),
        ({"organisation": {"colour": "red"}}, "organisation.colour"),
        ({"organisation": None}, "organisation"),
        ({"limits": {"queue": "yes"}}, "limits.queue"),
        ({"limits": {"queue_seconds": 0}}, "limits.queue_seconds"),
        ({"limits": {"queue_seconds": 601}}, "limits.queue_seconds"),
        ({"limits": {"queue_per_key": 1.5}}, "limits.queue_per_key"),
        ({"power_levels": {"eco": {"min_score": 101}}}, "power_levels.eco.min_score"),
        ({"retention": {"request_days": 0}}, "retention.request_days"),
        ({"retention": {"plan_days": "90"}}, "retention.plan_days"),
        ({"retention": {"quarter_days": 189}}, "retention.quarter_days"),
        ({"retention": {"day_days": 400}}, "retention.day_days"),
        ({"retention": {"quarter_days": None, "day_days": 1000}}, "retention.day_days"),
        ({"weather": {}}, "weather"),
    ],
)
async def test_a_bad_value_names_its_field_and_changes_nothing(
    control_client: httpx.AsyncClient, body: dict[str, object], param: str
) -> None:
    before = (await control_client.get("/settings")).json()
    answer = await control_client.patch("/settings", json=body)
    assert (answer.status_code, answer.json()["error"]["param"]) == (422, param)
    assert (await control_client.get("/settings")).json() == before


async def test_only_an_admin_sees_or_changes_them(clients: Clients) -> None:
    for role in (Role.OPERATOR, Role.VIEWER, Role.USER):
        client = await clients.signed_in(role)
        assert (await client.get("/settings")).status_code == 403
        assert (await client.patch("/settings", json={})).status_code == 403


async def test_a_secret_is_sealed_and_comes_back_to_its_reader_only(control: Control) -> None:
    now, box = control.clock(), control.secrets
    after, secrets = _merged(MailSettings(), MailSettings(host="mail", password="hunter2-hunter2"))
    assert (after.model_dump(), secrets) == (
        {"host": "mail", "port": 25, "password": MASK},
        {"password": "hunter2-hunter2"},
    )
    async with control.database.write() as conn:
        await write_setting(control.database, conn, after, now, by=None)
        await write_secrets(conn, box, MailSettings, secrets, now)
    async with control.database.read() as conn:
        assert await read_setting(conn, MailSettings) == after
        assert await read_secret(conn, box, MailSettings, "password") == "hunter2-hunter2"
        sealed = (await conn.execute(select(sealed_secrets))).one()
    assert b"hunter2" not in sealed.secret
    async with control.database.write() as conn:
        await write_secrets(conn, box, MailSettings, {"password": None}, now)
        assert await read_secret(conn, box, MailSettings, "password") is None


def test_the_mask_keeps_a_secret_and_null_removes_it() -> None:
    saved = MailSettings(host="mail", password=MASK)
    assert _merged(saved, MailSettings(password=MASK, port=26)) == (
        MailSettings(host="mail", port=26, password=MASK),
        {},
    )
    assert _merged(saved, MailSettings(password=None)) == (
        MailSettings(host="mail", password=None),
        {"password": None},
    )


async def test_a_field_of_a_newer_release_is_left_aside(control: Control) -> None:
    async with control.database.write() as conn:
        await write_setting(control.database, conn, MailSettings(host="kept"), control.clock(), by=None)
        found = await row(conn, MailSettings.key)
    assert found is not None
    found.value["of_tomorrow"] = 1
    assert restored(MailSettings, found) == MailSettings(host="kept")


async def test_changes_at_once_are_either_made_or_refused(control_client: httpx.AsyncClient) -> None:
    bodies = [{"organisation": {"name": f"Example {n}"}} for n in range(8)]
    answers = await asyncio.gather(*(control_client.patch("/settings", json=body) for body in bodies))
    statuses = [answer.status_code for answer in answers]
    assert set(statuses) <= {200, 409}
    assert (await control_client.get("/settings")).json()["version"] == statuses.count(200) > 0
