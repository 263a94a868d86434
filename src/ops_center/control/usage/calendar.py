"""The calendar of charts: days, weeks from Monday and months, all in UTC. Pure."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from ops_center.control.usage.schemas import Bucket, Period

DAY = timedelta(days=1)
_EPOCH_DAY = date(1970, 1, 1).toordinal()
_LENGTHS = {Period.WEEK: 7 * DAY, Period.MONTH: 30 * DAY, Period.QUARTER: 90 * DAY, Period.ALL: None}


def length_of(period: Period) -> timedelta | None:
    """How far a period goes back from now; None for all time."""
    return _LENGTHS[period]


def date_of_epoch_day(number: int) -> date:
    """The day that is `number` days after 1970-01-01."""
    return date.fromordinal(_EPOCH_DAY + number)


def start_of(day: date, bucket: Bucket) -> date:
    """The first day of the bucket that `day` lies in."""
    match bucket:
        case Bucket.DAY:
            return day
        case Bucket.WEEK:
            return day - timedelta(days=day.weekday())
        case Bucket.MONTH:
            return day.replace(day=1)


def next_start(start: date, bucket: Bucket) -> date:
    """The first day of the bucket after the one that starts at `start`."""
    match bucket:
        case Bucket.DAY:
            return start + DAY
        case Bucket.WEEK:
            return start + 7 * DAY
        case Bucket.MONTH:
            return (start.replace(day=1) + timedelta(days=32)).replace(day=1)


def buckets(from_at: datetime, to_at: datetime, bucket: Bucket) -> list[date]:
    """The first days of all buckets from the one with `from_at` to the one with `to_at`, oldest first."""
    starts = [start_of(from_at.astimezone(UTC).date(), bucket)]
    last = start_of(to_at.astimezone(UTC).date(), bucket)
    while starts[-1] < last:
        starts.append(next_start(starts[-1], bucket))
    return starts


def midnight(day: date) -> datetime:
    """The instant at which a day starts in UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
