"""Windows of time, and which sums they are made of: the longest slots that they hold whole. Pure but for `holds`."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import ColumnElement, Table, and_

from ops_center.storage.rollups.store import State
from ops_center.storage.rollups.sums import (
    DAYS_A_WEEK,
    QUARTERS_AN_HOUR,
    first_day_of_week,
    hour_of,
    instant_of,
    quarter_of,
    week_of,
)
from ops_center.storage.tables import usage_days, usage_hours, usage_quarters, usage_records, usage_weeks

_r = usage_records.c


@dataclass(frozen=True, slots=True)
class Window:
    """What started at or after `from_at` (None: ever) and before `to_at`. `is_open`: up to now, so that nothing
    can have started after it."""

    from_at: datetime | None
    to_at: datetime
    is_open: bool = False

    @classmethod
    def last(cls, length: timedelta | None, now: datetime) -> Window:
        """The last `length` (None: all time), up to the end of the quarter-hour that is running."""
        end = instant_of(quarter_of(now) + 1)
        return cls(None if length is None else end - length, end, is_open=True)

    @classmethod
    def since(cls, from_at: datetime, now: datetime) -> Window:
        """From the start of a day of the organisation's calendar up to now."""
        return cls(from_at, cls.last(None, now).to_at, is_open=True)

    def before(self) -> Window | None:
        """The window of the same length that ends where this one starts; None for all time."""
        if self.from_at is None:
            return None
        return Window(self.from_at - (self.to_at - self.from_at), self.from_at)

    def holds(self) -> ColumnElement[bool]:
        """The condition on usage records."""
        conditions = [_r.started_at < self.to_at]
        if self.from_at is not None:
            conditions.append(_r.started_at >= self.from_at)
        return and_(*conditions)


class Step(StrEnum):
    """How finely time is told apart."""

    QUARTER = "quarter"
    HOUR = "hour"  # of UTC, by its first quarter-hour
    DAY = "day"

    @property
    def is_fine(self) -> bool:
        return self is not Step.DAY


Slots = tuple[Table, int, int]  # of a table those from one on and before another


def parts(
    window: Window,
    state: State,
    step: Step | None = None,
    longer: Container[Table] = (usage_hours, usage_weeks),
) -> list[Slots]:
    """Which slots of which table a window is made of, told apart by `step`: the longest that it holds whole. Of
    hours and weeks those that `longer` allows."""
    found: list[Slots] = []
    for table, start, end in _days_and_quarters(window, state, finely=step is not None and step.is_fine):
        if table is usage_days and usage_weeks in longer and step is None:
            first = max(state.weeks_from, week_of(start + DAYS_A_WEEK - 1))
            found += _with_longer(
                (table, start, end),
                (usage_weeks, first, min(week_of(end), state.weeks_until)),
                first_day_of_week,
            )
        elif table is usage_quarters and usage_hours in longer and _hours_are_enough(step, start, end, state):
            first = max(state.hours_from, hour_of(start + QUARTERS_AN_HOUR - 1))
            found += _with_longer(
                (table, start, end),
                (usage_hours, first, min(hour_of(end), state.hours_until)),
                lambda hour: hour * QUARTERS_AN_HOUR,
            )
        else:
            found.append((table, start, end))
    return found


def _with_longer(slots: Slots, longer: Slots, begins: Callable[[int], int]) -> list[Slots]:
    """`longer` in place of the slots that it holds, and what is left of them before and after."""
    table, start, end = slots
    _, first, last = longer
    if first >= last:
        return [slots]
    found = [(table, start, begins(first)), longer, (table, begins(last), end)]
    return [(table, start, end) for table, start, end in found if start < end]


def _hours_are_enough(step: Step | None, start: int, end: int, state: State) -> bool:
    """Whether no hour lies in two of what is told apart: there are time zones whose days begin at half past."""
    if step is not Step.DAY:
        return step is not Step.QUARTER
    days = range(state.day_of(start) + 1, state.day_of(end - 1) + 1)
    return all(state.first_quarter_of(day) % QUARTERS_AN_HOUR == 0 for day in days)


def _days_and_quarters(window: Window, state: State, *, finely: bool) -> list[Slots]:
    """Days where they hold a window whole, else quarter-hours."""
    to_slot = quarter_of(window.to_at)
    if finely:
        start = state.quarters_from if window.from_at is None else quarter_of(window.from_at)
        return [(usage_quarters, start, to_slot)]
    end_day = state.day_of(to_slot)  # the first day that is not held whole
    if window.is_open:
        end_day = state.day_of(to_slot - 1) + 1
        to_slot = state.first_quarter_of(end_day)
    from_slot = first_day = 0
    if window.from_at is not None:
        from_slot = quarter_of(window.from_at)
        first_day = state.day_of(from_slot)
        if from_slot >= state.quarters_from and state.first_quarter_of(first_day) < from_slot:
            first_day += 1
    found: list[Slots] = []

    def add(table: Table, start: int, end: int) -> None:
        if start < end:
            found.append((table, start, end))

    fixed, end_day = state.days_fixed_before, min(end_day, state.days_until)
    add(usage_days, first_day, min(fixed, end_day))
    from_slot, first_day = max(from_slot, state.quarters_from), max(first_day, fixed, state.days_from)
    if first_day >= end_day:
        add(usage_quarters, from_slot, to_slot)
        return found
    if window.from_at is not None or state.days_from:
        add(usage_quarters, from_slot, state.first_quarter_of(first_day))
    add(usage_days, first_day, end_day)
    add(usage_quarters, state.first_quarter_of(end_day), to_slot)
    return found


def in_days(
    found: Iterable[Slots], step: Step | None, state: State
) -> Iterator[tuple[Table, int, int, int | None]]:
    """The same slots, those shorter than a day by the day that they belong to, where days are told apart."""
    for table, start, end in found:
        if step is not Step.DAY or table is usage_days:
            yield table, start, end, None
            continue
        length = QUARTERS_AN_HOUR if table is usage_hours else 1
        while start < end:
            day = state.day_of(start * length)
            # a day that begins within an hour has no hours here
            day_end = min(end, state.first_quarter_of(day + 1) // length)
            yield table, start, day_end, day
            start = day_end
