"""The calendar of charts: hours, days, weeks from Monday and months, as a clock on the organisation's wall shows
them. Pure."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from ops_center.control.usage.schemas import Bucket, Period
from ops_center.storage.rollups.sums import QUARTER, first_quarter_of_day, instant_of

DAY = timedelta(days=1)
_EPOCH_DAY = date(1970, 1, 1).toordinal()
_LENGTHS = {
    Period.DAY: DAY,
    Period.WEEK: 7 * DAY,
    Period.MONTH: 30 * DAY,
    Period.QUARTER: 90 * DAY,
    Period.ALL: None,
}


def length_of(period: Period) -> timedelta | None:
    """How far a period goes back from now; None for all time."""
    return _LENGTHS[period]


def date_of_epoch_day(number: int) -> date:
    """The day that is `number` days after 1970-01-01."""
    return date.fromordinal(_EPOCH_DAY + number)


def start_of(day: date, bucket: Bucket) -> date:
    """The first day of the bucket that `day` lies in."""
    match bucket:
        case Bucket.WEEK:
            return day - timedelta(days=day.weekday())
        case Bucket.MONTH:
            return day.replace(day=1)
        case _:
            return day


def next_start(start: date, bucket: Bucket) -> date:
    """The first day of the bucket after the one that starts at `start`."""
    match bucket:
        case Bucket.WEEK:
            return start + 7 * DAY
        case Bucket.MONTH:
            return (start.replace(day=1) + timedelta(days=32)).replace(day=1)
        case _:
            return start + DAY


@lru_cache(maxsize=10_000)
def bucket_start(at: datetime, bucket: Bucket, zone: ZoneInfo) -> datetime:
    """The instant, in UTC, at which the bucket begins that `at` lies in."""
    local = at.astimezone(zone)
    if bucket is Bucket.HOUR:
        # by subtraction, since an hour of the clock may happen twice
        start = at.astimezone(UTC) - timedelta(
            minutes=local.minute, seconds=local.second, microseconds=local.microsecond
        )
        # where clocks move by half an hour, an hour that they cut short begins when they move
        while start.astimezone(zone).utcoffset() != local.utcoffset():
            start += QUARTER
        return start
    return midnight(start_of(local.date(), bucket), zone)


@lru_cache(maxsize=10_000)
def next_bucket(start: datetime, bucket: Bucket, zone: ZoneInfo) -> datetime:
    """The start, in UTC, of the bucket after the one that starts at `start`."""
    if bucket is Bucket.HOUR:
        # an hour may be cut short by quarters: on the Chatham Islands clocks move at a quarter to
        following = start + QUARTER
        while bucket_start(following, bucket, zone) == start:
            following += QUARTER
        return following
    return midnight(next_start(start.astimezone(zone).date(), bucket), zone)


def buckets(from_at: datetime, to_at: datetime, bucket: Bucket, zone: ZoneInfo) -> list[datetime]:
    """The starts, in UTC, of all buckets that [from_at, to_at) touches, oldest first; at least one."""
    starts = [bucket_start(from_at, bucket, zone)]
    while (following := next_bucket(starts[-1], bucket, zone)) < to_at:
        starts.append(following)
    return starts


@lru_cache(maxsize=10_000)
def midnight(day: date, zone: ZoneInfo) -> datetime:
    """The instant, in UTC, at which a day of `zone` starts: its first moment, where clocks jump over midnight."""
    return instant_of(first_quarter_of_day(day.toordinal() - _EPOCH_DAY, zone))
