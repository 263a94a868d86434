"""Adds usage records up, in memory: rows of `usage_records` in, sums per quarter-hour and series out. Pure.

A series is what records are counted under: all facts that they can be grouped by ("full"), those of who asked,
those of which way it went, or a single one. The narrower, the fewer rows a question reads.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from operator import add, itemgetter, sub
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy import Table

from ops_center.storage.journal.rows import RECORD_COLUMNS, Row
from ops_center.storage.rollups import histogram
from ops_center.storage.tables import usage_days, usage_hours, usage_quarters, usage_series, usage_weeks
from ops_center.types import CostSource, CredentialSource

QUARTER = timedelta(minutes=15)
QUARTER_US: Final = 900_000_000
QUARTERS_A_DAY: Final = 96  # of UTC, which never changes its clock
QUARTERS_AN_HOUR: Final = 4
DAYS_A_WEEK: Final = 7
DAYS_INTO_WEEK: Final = 3  # 1970 began on a Thursday, weeks begin on Monday as ISO 8601 has it
LAYOUT: Final = 5  # one more whenever what is added up changes: a start then builds the rollups anew

FULL: Final = "full"
CALLER: Final = "caller"  # who asked, and how that ended
WAY: Final = "way"  # where it went, and how that ended
OWN: Final = "own"  # of calls on users' own keys alone
_HOW: Final = ("credential_source", "status", "strategy")  # few values each
_HOW_CALLED: Final = ("credential", "status", "strategy")
IDENTITY = tuple(column.name for column in usage_series.columns if column.name not in ("id", "kind"))
KINDS: Final[dict[str, tuple[str, ...]]] = {
    FULL: IDENTITY,
    CALLER: ("api_key_id", "api_key_name", "user_id", "user_email", "team_id", "team_name", *_HOW, "tags"),
    WAY: ("provider_id", "provider_name", "provider_type", "model", *_HOW),
    "provider": ("provider_id", "provider_name", "provider_type"),
    "model": ("model",),
    "user": ("user_id", "user_email"),
    "team": ("team_id", "team_name"),
    "credential": ("credential_source",),
    "status": ("status",),
    "strategy": ("strategy",),
    "tag": ("tags",),
    OWN: ("user_id", "provider_type"),
}
_KEY: Final = "api_key"
KINDS[_KEY] = ("api_key_id", "api_key_name")
# One fact of who asked with one of where it went or how it ended. Pairs on one side need none: "caller" and "way" are
# hardly more.
_PAIRS: Final = {
    f"{who.removeprefix('api_')}/{what}": (who, what)
    for who in (_KEY, "user", "team", "tag")
    for what in ("provider", "model", "credential", "status", "strategy")
}
KINDS.update({pair: KINDS[who] + KINDS[what] for pair, (who, what) in _PAIRS.items()})
# Which kinds sums are kept by. Who asked in a quarter-hour are hardly more series than there are keys, and the full
# ones of an hour are hardly fewer than those of its quarter-hours; days and weeks are written once, so pairs cost
# little there.
KINDS_OF: Final[dict[Table, tuple[str, ...]]] = {
    usage_quarters: tuple(kind for kind in KINDS if kind != _KEY and kind not in _PAIRS),
    usage_hours: tuple(kind for kind in KINDS if kind != FULL and kind not in _PAIRS),
    usage_days: tuple(KINDS),
    usage_weeks: tuple(KINDS),
}

_KEYS = ("kind", "slot", "series_id")
_APART = ("last_started_at", "latencies", "first_chunks")
FIGURES = tuple(column.name for column in usage_days.columns if column.name not in (*_KEYS, *_APART))
COLUMNS = (*_KEYS, *FIGURES, *_APART)

Identity = tuple[Any, ...]  # the values of IDENTITY
Series = tuple[str, Identity]  # kind and identity

_ZEROES = [0] * len(FIGURES)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_DAY = date(1970, 1, 1).toordinal()

_identity_of = itemgetter(*(RECORD_COLUMNS.index(name) for name in IDENTITY))
_facts_of = itemgetter(
    *(
        RECORD_COLUMNS.index(name)
        for name in (
            "started_at",
            "duration_seconds",
            "time_to_first_chunk_seconds",
            "status",
            "input_tokens",
            "output_tokens",
            "cache_read_tokens",
            "cache_write_tokens",
            "cache_write_1h_tokens",
            "reasoning_tokens",
            "cost_usd",
            "cost_source",
            "credential_source",
            "own_cost_usd",
            "own_cost_source",
            "saved_usd",
            "fallback_from",
        )
    )
)
_places = {
    kind: tuple(position if name in names else None for position, name in enumerate(IDENTITY))
    for kind, names in KINDS.items()
}
# Which kinds are added up from which: the narrow ones from the two in between, which are far fewer than the full.
_FROM: Final[dict[str, tuple[str, ...]]] = {
    FULL: (CALLER, WAY),
    CALLER: ("user", "team"),
    WAY: ("provider", "model", "credential", "status", "strategy"),
}
_PAIRS_FROM: Final = {
    FULL: [pair for pair, (_, what) in _PAIRS.items() if what not in _HOW_CALLED],
    CALLER: [pair for pair, (_, what) in _PAIRS.items() if what in _HOW_CALLED],
}
_TAGS, _CREDENTIAL = IDENTITY.index("tags"), IDENTITY.index("credential_source")
_COST = {
    CostSource.PROVIDER.value: FIGURES.index("provider_cost_usd"),
    CostSource.COMPUTED.value: FIGURES.index("computed_cost_usd"),
    CostSource.ESTIMATED.value: FIGURES.index("estimated_cost_usd"),
    CostSource.UNKNOWN.value: FIGURES.index("computed_cost_usd"),  # a known cost of no known source
}
_ESTIMATED = CostSource.ESTIMATED.value
_PLATFORM = CredentialSource.PLATFORM.value
_BYOK_SOURCE = CredentialSource.BYOK.value
_AT = {name: place for place, name in enumerate(FIGURES)}


class Sum:
    """What some records of one series add up to."""

    __slots__ = ("figures", "first_chunks", "last_us", "latencies")

    def __init__(self) -> None:
        self.figures = list(_ZEROES)
        self.last_us = 0
        self.latencies: histogram.Histogram = {}
        self.first_chunks: histogram.Histogram = {}

    def add(self, other: Sum) -> None:
        self.figures = list(map(add, self.figures, other.figures))
        if other.last_us > self.last_us:
            self.last_us = other.last_us
        if other.latencies:
            histogram.add(self.latencies, other.latencies)
        if other.first_chunks:
            histogram.add(self.first_chunks, other.first_chunks)

    def subtract(self, other: Sum) -> None:
        """Leave the difference of the figures, and nothing of when and how long: that is the same in both."""
        self.figures = list(map(sub, self.figures, other.figures))
        self.last_us = 0
        self.latencies, self.first_chunks = {}, {}

    def row(self, kind: str, slot: int, series_id: int) -> tuple[Any, ...]:
        """The values of COLUMNS."""
        latencies, chunks = histogram.packed(self.latencies), histogram.packed(self.first_chunks)
        return (kind, slot, series_id, *self.figures, self.last_us, latencies, chunks)


def of_row(values: Sequence[Any]) -> Sum:
    """The sum that a row holds: the values of COLUMNS without the key."""
    found = Sum()
    found.figures = [int(value) for value in values[:-3]]
    found.last_us = int(values[-3])
    found.latencies = histogram.unpacked(values[-2])
    found.first_chunks = histogram.unpacked(values[-1])
    return found


Sums = dict[tuple[int, Series], Sum]  # by slot and series


def add_up(rows: Iterable[Row]) -> Sums:
    """Rows of RECORD_COLUMNS, as the tables hold them, by quarter-hour and full series."""
    found: dict[tuple[int, Identity], Sum] = {}
    bucket_of = histogram.bucket_of
    for row in rows:
        (
            started_us,
            duration,
            first_chunk,
            status,
            input_tokens,
            output_tokens,
            cache_read,
            cache_write,
            cache_write_1h,
            reasoning,
            cost,
            cost_source,
            credential,
            own_cost,
            own_cost_source,
            saved,
            fallback_from,
        ) = _facts_of(row)
        key = (started_us // QUARTER_US, _identity_of(row))
        one = found.get(key)
        if one is None:
            one = found[key] = Sum()
        figures = one.figures
        figures[0] += 1
        if status >= 400:
            figures[1] += 1
        elif output_tokens:
            figures[_ANSWER_TOKENS] += output_tokens
            figures[_ANSWER_US] += int((duration - (first_chunk or 0.0)) * 1e6)
        figures[2] += input_tokens
        figures[3] += output_tokens
        if cache_read:
            figures[4] += cache_read
            figures[_CACHE_HITS] += 1
        if cache_write:
            figures[5] += cache_write
            figures[6] += cache_write_1h
        figures[7] += reasoning
        if cost is None:
            figures[_UNKNOWN] += 1
        else:
            figures[_COST[cost_source]] += cost
            if cost_source == _ESTIMATED:
                figures[_ESTIMATED_CALLS] += 1
            if credential == _PLATFORM:
                figures[_PRICED] += input_tokens + output_tokens
        if credential != _PLATFORM:
            _add_own(figures, own_cost, own_cost_source, saved)
        elif fallback_from == _BYOK_SOURCE:
            figures[_FALLBACKS] += 1
            figures[_FALLBACK_COST] += cost or 0
            if cost_source == _ESTIMATED:
                figures[_ESTIMATED_FALLBACK] += cost or 0
        if started_us > one.last_us:
            one.last_us = started_us
        if status < 400:
            bucket = bucket_of(duration)
            one.latencies[bucket] = one.latencies.get(bucket, 0) + 1
            if first_chunk is not None:
                bucket = bucket_of(first_chunk)
                one.first_chunks[bucket] = one.first_chunks.get(bucket, 0) + 1
    return {(slot, (FULL, identity)): one for (slot, identity), one in found.items()}


_ANSWER_TOKENS, _ANSWER_US = _AT["answer_tokens"], _AT["answer_microseconds"]
_CACHE_HITS, _UNKNOWN, _PRICED = _AT["cache_hit_calls"], _AT["unknown_cost_calls"], _AT["priced_tokens"]
_ESTIMATED_CALLS, _BYOK = _AT["estimated_cost_calls"], _AT["byok_calls"]
_OWN_COST, _UNKNOWN_OWN = _AT["own_cost_usd"], _AT["unknown_own_cost_calls"]
_ESTIMATED_OWN, _ESTIMATED_FALLBACK = _AT["estimated_own_cost_usd"], _AT["estimated_fallback_cost_usd"]
_SAVED, _UNKNOWN_SAVING = _AT["saved_usd"], _AT["unknown_saving_calls"]
_FALLBACKS, _FALLBACK_COST = _AT["fallback_calls"], _AT["fallback_cost_usd"]


def _add_own(figures: list[int], own_cost: int | None, source: str | None, saved: int | None) -> None:
    figures[_BYOK] += 1
    if own_cost is None:
        figures[_UNKNOWN_OWN] += 1
    else:
        figures[_OWN_COST] += own_cost
        if source == _ESTIMATED:
            figures[_ESTIMATED_OWN] += own_cost
    if saved is None:
        figures[_UNKNOWN_SAVING] += 1
    else:
        figures[_SAVED] += saved


def with_every_kind(full: Sums) -> Sums:
    """The same sums under every kind of series."""
    between = _added_up(full, _between)
    return full | between | _added_up(between, _narrow)


def with_keys(sums: Sums) -> Sums:
    """Sums of hours or days under that kind too that quarter-hours have not."""
    return sums | _added_up(sums, _keys)


def with_pairs(days: Sums) -> Sums:
    """Sums of days under the kinds that only days and weeks have."""
    return days | _added_up(days, _pairs)


def _added_up(sums: Sums, series_of: Callable[[Series], Sequence[Series]]) -> Sums:
    """The sums under each of the series that count them too."""
    cells: dict[tuple[int, Series], list[Sum]] = {}
    for (slot, series), one in sums.items():
        for other in series_of(series):
            key = (slot, other)
            cell = cells.get(key)
            if cell is None:
                cells[key] = [one]
            else:
                cell.append(one)
    return {key: cell[0] if len(cell) == 1 else _whole(cell) for key, cell in cells.items()}


def _whole(parts: Sequence[Sum]) -> Sum:
    """Many at once: column by column, which is several times quicker than one after the other."""
    whole = Sum.__new__(Sum)
    whole.figures = list(map(sum, zip(*[part.figures for part in parts], strict=True)))
    whole.last_us = max([part.last_us for part in parts])
    whole.latencies, whole.first_chunks = {}, {}
    for part in parts:
        if part.latencies:
            histogram.add(whole.latencies, part.latencies)
        if part.first_chunks:
            histogram.add(whole.first_chunks, part.first_chunks)
    return whole


@lru_cache(maxsize=20_000)
def _between(full: Series) -> list[Series]:
    """The series that count what a full one counts, but for the narrow ones: those of the calls on own keys too."""
    _, identity = full
    own = (OWN,) if identity[_CREDENTIAL] == _BYOK_SOURCE else ()
    return [(kind, _only(_places[kind], identity)) for kind in (*_FROM[FULL], *own)]


@lru_cache(maxsize=20_000)
def _narrow(between: Series) -> list[Series]:
    """The series of one fact that count what one of those counts; of tags one each, else none."""
    kind, identity = between
    series = [(narrow, _only(_places[narrow], identity)) for narrow in _FROM.get(kind, ())]
    if kind == CALLER:
        nothing: Identity = (None,) * len(IDENTITY)
        for tag in tags_of(identity[_TAGS]) or (None,):
            text = None if tag is None else _only_tag(tag)
            series.append(("tag", (*nothing[:_TAGS], text, *nothing[_TAGS + 1 :])))
    return series


@lru_cache(maxsize=20_000)
def _keys(between: Series) -> list[Series]:
    kind, identity = between
    return [(_KEY, _only(_places[_KEY], identity))] if kind == CALLER else []


@lru_cache(maxsize=20_000)
def _pairs(wide: Series) -> list[Series]:
    """The series of two facts that count what one of these counts; of tags one each, else none."""
    kind, identity = wide
    series = []
    for pair in _PAIRS_FROM.get(kind, ()):
        narrow = _only(_places[pair], identity)
        tags = tags_of(narrow[_TAGS]) if "tags" in KINDS[pair] else []
        series += [(pair, (*narrow[:_TAGS], _only_tag(tag), *narrow[_TAGS + 1 :])) for tag in tags]
        if not tags:
            series.append((pair, narrow))
    return series


def _only(mask: Sequence[int | None], identity: Identity) -> Identity:
    return tuple(None if place is None else identity[place] for place in mask)


def _only_tag(tag: str) -> str:
    """As a `tags` column holds it."""
    return msgspec.json.encode([tag]).decode()


def tags_of(text: str | None) -> list[str]:
    """What a `tags` column holds."""
    return msgspec.json.decode(text, type=list[str]) if text else []


def by_hour(quarters: Sums, hour_of_slot: Callable[[int], int | None]) -> Sums:
    """Sums per hour under every kind that hours have, of the quarter-hours that belong to one."""
    hours = _longer(quarters, hour_of_slot)
    return with_keys({key: one for key, one in hours.items() if key[1][0] in KINDS_OF[usage_hours]})


def by_day(quarters: Sums, day_of_slot: Callable[[int], int | None]) -> Sums:
    """Sums per day under every kind, of the quarter-hours that belong to one."""
    return with_pairs(with_keys(_longer(quarters, day_of_slot)))


def by_week(days: Sums, week_of_slot: Callable[[int], int | None]) -> Sums:
    """The same per week, of days."""
    return _longer(days, week_of_slot)


def _longer(sums: Sums, longer_of: Callable[[int], int | None]) -> Sums:
    slot_of = {slot: longer_of(slot) for slot in {slot for slot, _ in sums}}
    if all(slot is None for slot in slot_of.values()):
        return {}
    cells: dict[tuple[int, Series], list[Sum]] = {}
    for (slot, series), one in sums.items():
        longer = slot_of[slot]
        if longer is not None:
            cells.setdefault((longer, series), []).append(one)
    return {key: cell[0] if len(cell) == 1 else _whole(cell) for key, cell in cells.items()}


def hour_of(quarter: int) -> int:
    """The hour of UTC, since 1970, that a quarter-hour lies in."""
    return quarter // QUARTERS_AN_HOUR


def week_of(day: int) -> int:
    """The week that a day lies in, both since 1970."""
    return (day + DAYS_INTO_WEEK) // DAYS_A_WEEK


def first_day_of_week(week: int) -> int:
    return week * DAYS_A_WEEK - DAYS_INTO_WEEK


@lru_cache(maxsize=20_000)
def day_of_quarter(slot: int, zone: ZoneInfo) -> int:
    """The day, since 1970 on the calendar of `zone`, on which a quarter-hour begins."""
    return (_EPOCH + slot * QUARTER).astimezone(zone).toordinal() - _EPOCH_DAY


@lru_cache(maxsize=2_000)
def first_quarter_of_day(day: int, zone: ZoneInfo) -> int:
    """The quarter-hour with which a day of `zone` begins: at midnight, or when the clock jumps over that."""
    at = date.fromordinal(day + _EPOCH_DAY)
    midnight = datetime(at.year, at.month, at.day, tzinfo=zone).astimezone(UTC)
    slot = (midnight - _EPOCH) // QUARTER
    # a midnight that happens twice, or never
    while day_of_quarter(slot, zone) >= day:
        slot -= 1
    while day_of_quarter(slot, zone) < day:
        slot += 1
    return slot


def instant_of(slot: int) -> datetime:
    """When a quarter-hour begins."""
    return _EPOCH + slot * QUARTER


def quarter_of(at: datetime) -> int:
    """The quarter-hour, since 1970, that an instant lies in."""
    return (at - _EPOCH) // QUARTER


def series_id(series: Series) -> int:
    """A number that only this series has, the same in every process: 63 bits of a hash."""
    kind, identity = series
    digest = hashlib.blake2b(msgspec.json.encode([kind, *identity]), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1
