"""Change notices: servers that share a database tell each other over Valkey that its configuration has changed.

A notice says who sent it and nothing else: whoever hears one reads the database anew. While Valkey is away
nobody hears anything, so the database is read every few seconds instead.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import redis.asyncio
import structlog
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from ops_center.types import new_id

_CHANNEL = "ops-center:changed"
_ANSWER_SECONDS = 1.0
_HEARTBEAT_SECONDS = 5.0  # a connection that died without a word is noticed within twice this
_TRY_AGAIN_SECONDS = 1.0
_READ_ANYWAY_SECONDS = 5.0

_log = structlog.get_logger(__name__)
_AWAY = (RedisError, OSError, TimeoutError)


class ChangeNotices:
    """One per server. `announce` after each change, `listen` beside the requests."""

    def __init__(self, url: str, *, channel: str = _CHANNEL) -> None:
        self._client = redis.asyncio.Redis.from_url(
            url.replace("valkey", "redis", 1) if url.startswith("valkey") else url,
            socket_timeout=_ANSWER_SECONDS,
            socket_connect_timeout=_ANSWER_SECONDS,
            health_check_interval=_HEARTBEAT_SECONDS,
            retry=Retry(NoBackoff(), 0),
        )
        self._channel = channel
        self._me = new_id("node").encode()

    async def announce(self) -> None:
        """Tell the others. Never raises: while Valkey is away, they read the database by themselves."""
        try:
            await self._client.publish(self._channel, self._me)
        except _AWAY as error:
            _log.warning("change_not_announced", error=type(error).__name__)

    async def listen(self, follow: Callable[[], Awaitable[object]]) -> None:
        """Call `follow` whenever another server changed something, until cancelled."""
        read_at = time.monotonic()
        while True:
            try:
                await self._hear(follow)
            except _AWAY:
                await asyncio.sleep(_TRY_AGAIN_SECONDS)
            if time.monotonic() - read_at >= _READ_ANYWAY_SECONDS:
                read_at = time.monotonic()
                await _followed(follow)

    async def _hear(self, follow: Callable[[], Awaitable[object]]) -> None:
        async with self._client.pubsub(ignore_subscribe_messages=True) as heard:
            await heard.subscribe(self._channel)
            await heard.get_message(timeout=_ANSWER_SECONDS)
            await _followed(follow)  # what was said before we listened
            while True:
                message = await heard.get_message(timeout=_HEARTBEAT_SECONDS)
                if message is not None and message["data"] != self._me:
                    await _followed(follow)

    async def close(self) -> None:
        await self._client.aclose()


async def _followed(follow: Callable[[], Awaitable[object]]) -> None:
    try:
        await follow()
    except Exception as error:  # noqa: BLE001 - the database may be away; the next notice tries again
        _log.warning("change_not_followed", error=type(error).__name__)
