"""The secrets of admins' own API keys "Replay", in this process's memory alone: a restart makes new ones."""

from __future__ import annotations

import asyncio


class ReplayKeys:
    """`secrets` are by user id; who finds none that works makes one, holding `lock`."""

    def __init__(self) -> None:
        self.secrets: dict[str, str] = {}
        self.lock = asyncio.Lock()
