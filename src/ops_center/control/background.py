"""Work that goes on after its request was answered, such as the discovery of models.

Holds on to each task until it ends, logs what went wrong, and stops everything at shutdown. It keeps no
queue, retries nothing and survives no restart: whatever must, belongs in the database.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import structlog

_log = structlog.get_logger(__name__)


class BackgroundWork:
    """The tasks of one server."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[Any, Any, object], *, name: str) -> None:
        """Run `work` beside the requests; an exception of it is logged under `name`."""
        task = asyncio.create_task(self._run(work, name), name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def finished(self) -> None:
        """Wait until nothing is left running, also what that work started in turn."""
        while self._tasks:
            await asyncio.wait(set(self._tasks))

    async def close(self) -> None:
        """Cancel what still runs and wait for its end."""
        for task in set(self._tasks):
            task.cancel()
        await self.finished()

    async def _run(self, work: Coroutine[Any, Any, object], name: str) -> None:
        try:
            await work
        except Exception as error:  # noqa: BLE001 - the outermost edge of a background task
            _log.error("background_work_failed", work=name, exc_info=error)
