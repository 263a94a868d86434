"""Takes what the data plane saw of a request and brings it, redacted and sealed, into the database.

Beside the requests, never on their way: what comes faster than it can be stored is given up and counted.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import msgspec
import structlog

from ops_center.control.bodies import repository
from ops_center.control.bodies.assembly import assembled, events_of
from ops_center.control.bodies.redaction import Redaction
from ops_center.control.bodies.settings import BodySettings
from ops_center.control.settings.repository import read_setting
from ops_center.snapshot import Snapshot
from ops_center.storage.database import Database
from ops_center.storage.secrets import SecretBox
from ops_center.types import KeptCall

_log = structlog.get_logger(__name__)
_MOST_WAITING_BYTES = 32 * 1024 * 1024
_AT_ONCE = 20
_AGAIN_SECONDS = 5.0


class BodyKeeper:
    """`take` on the event loop, for each call; `run` beside it. `given_up` counts those that were not kept."""

    def __init__(
        self,
        database: Database,
        secrets: SecretBox,
        clock: Callable[[], datetime],
        snapshot: Callable[[], Snapshot],
    ) -> None:
        self._database = database
        self._secrets = secrets
        self._clock = clock
        self._snapshot = snapshot
        self._waiting: deque[KeptCall] = deque()
        self._bytes = 0
        self._noted = asyncio.Event()
        self._box: SecretBox | None = None
        self.given_up = 0

    def take(self, kept: KeptCall) -> None:
        size = len(kept.request) + len(kept.answer)
        if self._bytes + size > _MOST_WAITING_BYTES:
            if not self.given_up:
                _log.warning("bodies_not_kept", reason="they come faster than they can be stored")
            self.given_up += 1
            return
        self._bytes += size
        self._waiting.append(kept)
        self._noted.set()

    async def run(self) -> None:
        """Until cancelled; outlives whatever the database does."""
        while True:
            await self._noted.wait()
            try:
                await self.store()
            except Exception as error:  # noqa: BLE001 what waits is tried again
                _log.warning("bodies_wait_for_database", error=type(error).__name__)
                await asyncio.sleep(_AGAIN_SECONDS)

    async def store(self) -> None:
        """Everything that waits."""
        while self._waiting:
            some = [self._waiting[n] for n in range(min(_AT_ONCE, len(self._waiting)))]
            async with self._database.read() as conn:
                settings = await read_setting(conn, BodySettings)
            if settings.keep:
                if self._box is None:
                    self._box = await repository.box_of_bodies(self._database, self._secrets, self._clock())
                rows = await asyncio.to_thread(self._rows, some, settings, self._box)
                async with self._database.write() as conn:
                    await repository.add(self._database, conn, rows)
            for kept in some:
                self._waiting.popleft()
                self._bytes -= len(kept.request) + len(kept.answer)
        self._noted.clear()

    def _rows(self, some: list[KeptCall], settings: BodySettings, box: SecretBox) -> list[dict[str, Any]]:
        known = credentials(self._snapshot())
        rows = []
        for kept in some:
            text = msgspec.json.encode(content_of(kept, settings, known)).decode()
            rows.append(
                {
                    "request_id": kept.request_id,
                    "started_at": kept.started_at,
                    "sealed": box.seal(text, f"bodies:{kept.request_id}"),
                }
            )
        return rows


async def delete_old_bodies(database: Database, now: datetime, request_days: int | None) -> int:
    """How many were older than the settings say, or than requests are kept."""
    async with database.read() as conn:
        days = (await read_setting(conn, BodySettings)).days
    async with database.write() as conn:
        return await repository.remove_before(conn, now - timedelta(days=min(days, request_days or days)))


class Body(msgspec.Struct, frozen=True, kw_only=True):
    """`content`: JSON, or text where it was none. `complete`: nothing was cut off for want of room."""

    content: Any
    complete: bool


class Bodies(msgspec.Struct, frozen=True, kw_only=True):
    request: Body
    answer: Body
    removed: dict[str, int]


def content_of(kept: KeptCall, settings: BodySettings, known: list[str]) -> Bodies:
    """Both bodies without what must go; of a stream, the answer that it came to."""
    redaction = Redaction(
        emails=settings.remove_emails,
        phones=settings.remove_phones,
        cards=settings.remove_cards,
        secrets=known,
    )
    most = settings.kilobytes * 1024
    request = _body(kept.request, kept.request_type, kept.client_format, kept.request_size, redaction, most)
    answer = _body(kept.answer, kept.answer_type, kept.client_format, kept.answer_size, redaction, most)
    return Bodies(request=request, answer=answer, removed=dict(redaction.removed))


def _body(
    data: bytes, content_type: str, client_format: str, size: int, redaction: Redaction, most: int
) -> Body:
    complete = size == len(data)
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "text/event-stream":
        content: Any = assembled(client_format, events_of(data))
    elif kind and kind != "application/json" and not kind.startswith("text/"):
        return Body(content=f"[{kind}, {size} bytes]", complete=False)
    else:
        try:
            content = msgspec.json.decode(data)
        except (msgspec.DecodeError, RecursionError):
            content = data.decode("utf-8", "replace")
    clean = redaction.clean(content)
    text = msgspec.json.encode(clean)
    if len(text) > most:
        return Body(content=text[:most].decode("utf-8", "ignore"), complete=False)
    return Body(content=clean, complete=complete)


def credentials(snapshot: Snapshot) -> list[str]:
    """The secrets of every provider that is served, and of own keys."""
    providers = [*{target.provider.id: target.provider for target in snapshot.targets}.values()]
    providers += [provider for own in snapshot.own_keys.values() for provider in own.providers.values()]
    secrets = {each.secret for provider in providers for each in provider.credentials}
    return sorted(secrets | {part for secret in secrets for part in secret.split(":") if len(part) >= 16})
