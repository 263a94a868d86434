"""control/background.py: work beside the requests ends with the server, and fails aloud."""

from __future__ import annotations

import asyncio

import pytest
from structlog.testing import capture_logs

from ops_center.control.background import BackgroundWork

pytestmark = pytest.mark.anyio


async def test_finished_waits_for_what_work_started_in_turn() -> None:
    background, done = BackgroundWork(), []

    async def second() -> None:
        await asyncio.sleep(0)
        done.append("second")

    async def first() -> None:
        await asyncio.sleep(0)
        background.start(second(), name="second")
        done.append("first")

    background.start(first(), name="first")
    await background.finished()
    assert done == ["first", "second"]


async def test_a_failure_is_logged_by_name_and_harms_nobody() -> None:
    background = BackgroundWork()

    async def fails() -> None:
        raise ValueError("no")

    with capture_logs() as logs:
        background.start(fails(), name="discovery of prov_1")
        await background.finished()
    assert [(log["event"], log["work"]) for log in logs] == [
        ("background_work_failed", "discovery of prov_1")
    ]


async def test_close_stops_what_still_runs() -> None:
    background, ended = BackgroundWork(), asyncio.Event()

    async def endless() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    background.start(endless(), name="endless")
    await asyncio.sleep(0)
    await background.close()
    assert ended.is_set()
