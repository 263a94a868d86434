"""Rate limits of a simulated provider, and the three families of headers that announce them.

A fixed window of 60 seconds per key, which opens with the first call in it. OpenAI announces durations,
Anthropic RFC 3339 instants, OpenRouter nothing until it refuses, and then Unix milliseconds.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from datetime import UTC, datetime

import msgspec

from ops_center.simulator.catalogues import Family
from ops_center.simulator.config import SimulatorConfig
from ops_center.simulator.reply import Header

WINDOW_SECONDS = 60.0


class _Window(msgspec.Struct):
    ends_at: float  # Unix seconds
    requests: int = 0
    tokens: int = 0


class Admission(msgspec.Struct, frozen=True):
    allowed: bool
    headers: list[Header]


class RateLimits:
    """Counts calls and tokens per key."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._windows: dict[tuple[Family, str], _Window] = {}

    def _window(self, family: Family, key: str) -> _Window:
        now = self._clock()
        window = self._windows.get((family, key))
        if window is None or window.ends_at <= now:
            window = self._windows[family, key] = _Window(now + WINDOW_SECONDS)
        return window

    def admit(self, family: Family, key: str, config: SimulatorConfig) -> Admission:
        """Count one call, or refuse it; the headers belong on the answer either way."""
        if config.requests_per_minute is None and config.tokens_per_minute is None:
            return Admission(True, [])
        window = self._window(family, key)
        allowed = (config.requests_per_minute is None or window.requests < config.requests_per_minute) and (
            config.tokens_per_minute is None or window.tokens < config.tokens_per_minute
        )
        if allowed:
            window.requests += 1
        return Admission(allowed, self._headers(family, window, config, allowed))

    def used(self, family: Family, key: str, tokens: int) -> None:
        """Book the tokens of an admitted call."""
        window = self._windows.get((family, key))
        if window is not None:
            window.tokens += tokens

    def clear(self) -> None:
        self._windows.clear()

    def _headers(
        self, family: Family, window: _Window, config: SimulatorConfig, allowed: bool
    ) -> list[Header]:
        left = max(window.ends_at - self._clock(), 0.0)
        parts = [
            ("requests", config.requests_per_minute, window.requests),
            ("tokens", config.tokens_per_minute, window.tokens),
        ]
        headers: list[Header] = []
        for noun, limit, used in parts:
            if limit is None:
                continue
            remaining = str(max(limit - used, 0))
            if family == "anthropic":
                reset = datetime.fromtimestamp(window.ends_at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
                headers += [
                    (f"anthropic-ratelimit-{noun}-limit", str(limit)),
                    (f"anthropic-ratelimit-{noun}-remaining", remaining),
                    (f"anthropic-ratelimit-{noun}-reset", reset),
                ]
            elif family == "openrouter":
                if not allowed and noun == "requests":
                    headers += [
                        ("x-ratelimit-limit", str(limit)),
                        ("x-ratelimit-remaining", remaining),
                        ("x-ratelimit-reset", str(int(window.ends_at * 1000))),
                    ]
            else:
                headers += [
                    (f"x-ratelimit-limit-{noun}", str(limit)),
                    (f"x-ratelimit-remaining-{noun}", remaining),
                    (f"x-ratelimit-reset-{noun}", f"{left:.3f}s"),
                ]
        if not allowed:
            headers.append(("retry-after", str(math.ceil(left))))
        return headers
