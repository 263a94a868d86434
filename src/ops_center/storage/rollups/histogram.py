"""How long things took, as counts in fixed buckets that grow by 9 %: merged by adding. Pure.

Any percentile read from it is within 4.5 % of the true one, whatever was merged before.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import msgspec

Histogram = dict[int, int]  # bucket → how many; empty buckets are not there

_FIRST_SECONDS = 0.001  # bucket 0 holds everything up to here
_PER_DOUBLING = 8
_LAST = 176  # 4,200 seconds; what took longer is counted there
_SCALE = _PER_DOUBLING / math.log(2)
_log, _ceil = math.log, math.ceil

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(dict[int, int]).decode


def bucket_of(seconds: float) -> int:
    """The bucket whose upper bound is the first one not below `seconds`."""
    if seconds <= _FIRST_SECONDS:
        return 0
    place = _ceil(_log(seconds / _FIRST_SECONDS) * _SCALE - 1e-9)
    return place if place < _LAST else _LAST


def packed(histogram: Mapping[int, int]) -> bytes | None:
    """As a column holds it; equal histograms give equal bytes, an empty one none."""
    return _encode(dict(sorted(histogram.items()))) if histogram else None


def unpacked(data: bytes | None) -> Histogram:
    return _decode(data) if data else {}


def merged(parts: Iterable[bytes | None]) -> Histogram:
    """The sum of packed histograms."""
    some = [data for data in parts if data]
    whole = unpacked(some[0]) if some else {}
    get = whole.get
    for data in some[1:]:
        for bucket, count in _decode(data).items():
            whole[bucket] = get(bucket, 0) + count
    return whole


def add(whole: Histogram, part: Mapping[int, int]) -> None:
    """Put `part` into `whole`."""
    get = whole.get
    for bucket, count in part.items():
        whole[bucket] = get(bucket, 0) + count


def percentile(histogram: Mapping[int, int], share: float) -> float | None:
    """Seconds that a `share` (0 to 1) of the calls did not exceed, by nearest rank; None of nothing."""
    count = sum(histogram.values())
    if not count:
        return None
    rank = max(1, _ceil(share * count - 1e-9))
    for bucket in sorted(histogram):
        rank -= histogram[bucket]
        if rank <= 0:
            return _middle(bucket)
    raise AssertionError("the ranks end with the last bucket")


def _middle(bucket: int) -> float:
    """The geometric middle of a bucket, in seconds: as far from its lower bound as from its upper."""
    return _FIRST_SECONDS * float(2 ** ((bucket - 0.5) / _PER_DOUBLING)) if bucket else _FIRST_SECONDS
