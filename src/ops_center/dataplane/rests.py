"""When a provider that said 429 may be asked again, by the headers of its answer. Part of `upstream`.

Three families: `retry-after` (seconds or a date; `retry-after-ms` at OpenAI and Azure), durations such as
`x-ratelimit-reset-requests: 6m0s` (https://platform.openai.com/docs/guides/rate-limits, 2026-11), and
instants such as `anthropic-ratelimit-requests-reset: 2026-11-24T00:00:00Z`
(https://docs.claude.com/en/api/rate-limits, 2026-11). OpenRouter's `x-ratelimit-reset` is in milliseconds
since 1970 (https://openrouter.ai/docs/api-reference/limits, 2026-11). Unreadable values count as absent.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

LONGEST_SECONDS = 86_400.0

_DURATION = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+(?:\.\d+)?)s)?(?:(\d+(?:\.\d+)?)ms)?")
_RESETS = re.compile(r"(?:x-ratelimit-reset(?:-(.+))?|anthropic-ratelimit-(.+)-reset)")
_YEAR_2001_SECONDS, _YEAR_2001_MS = 1e9, 1e12


def rest_seconds(headers: Iterable[tuple[bytes, bytes]], now: datetime) -> float | None:
    """Seconds until the limit is renewed, at most a day; None where the headers do not say."""
    found = {name.decode("latin-1"): value.decode("latin-1").strip() for name, value in headers}
    seconds = _number(found.get("retry-after-ms"), 0.001)
    if seconds is None and (value := found.get("retry-after")):
        seconds = _number(value) if _number(value) is not None else _until(value, now)
    if seconds is None:
        seconds = _by_resets(found, now)
    return None if seconds is None else min(max(0.0, seconds), LONGEST_SECONDS)


def _by_resets(headers: Mapping[str, str], now: datetime) -> float | None:
    """Of the limits that have nothing left, the one renewed last; where none says so, the one renewed first."""
    spent: list[float] = []
    others: list[float] = []
    for name, value in headers.items():
        match = _RESETS.fullmatch(name)
        if match is None:
            continue
        seconds = _until(value, now)
        if seconds is None:
            continue
        kind = match[1] or match[2]
        remaining = headers.get(
            f"anthropic-ratelimit-{kind}-remaining"
            if match[2]
            else "x-ratelimit-remaining" + (f"-{kind}" if kind else "")
        )
        (spent if remaining is not None and _number(remaining) == 0 else others).append(seconds)
    return max(spent) if spent else min(others, default=None)


def _until(value: str, now: datetime) -> float | None:
    """Seconds until an instant, or of a duration; plain numbers are seconds, or instants since 1970."""
    number = _number(value)
    if number is not None:
        if number >= _YEAR_2001_MS:
            return number / 1000 - now.timestamp()
        return number - now.timestamp() if number >= _YEAR_2001_SECONDS else number
    duration = _DURATION.fullmatch(value)
    if duration is not None and any(duration.groups()):
        days, hours, minutes, seconds, milliseconds = (float(part or 0) for part in duration.groups())
        return ((days * 24 + hours) * 60 + minutes) * 60 + seconds + milliseconds / 1000
    for parse in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            at = parse(value)
        except (ValueError, TypeError):
            continue
        return ((at if at.tzinfo else at.replace(tzinfo=UTC)) - now).total_seconds()
    return None


def _number(value: str | None, unit: float = 1.0) -> float | None:
    try:
        number = float(value) * unit if value else None
    except ValueError:
        return None
    return number if number is not None and number == number and abs(number) != float("inf") else None
