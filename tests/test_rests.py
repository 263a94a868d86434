from __future__ import annotations

from datetime import UTC, datetime

import pytest

from ops_center.dataplane.rests import rest_seconds

NOW = datetime(2026, 11, 24, tzinfo=UTC)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7),
        ({"retry-after": "0"}, 0),
        ({"retry-after": "-3"}, 0),
        ({"retry-after": "1e99"}, 86_400),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "Tue, 24 Nov 2026 00:01:00 GMT"}, 60),
        ({"retry-after-ms": "250", "retry-after": "1"}, 0.25),
        ({"x-ratelimit-reset-requests": "6m0s"}, 360),
        ({"x-ratelimit-reset-tokens": "120ms"}, 0.12),
        ({"x-ratelimit-reset-requests": "1h2m3.5s"}, 3723.5),
        (
            {
                "x-ratelimit-reset-requests": "1s",
                "x-ratelimit-remaining-requests": "3",
                "x-ratelimit-reset-tokens": "20s",
                "x-ratelimit-remaining-tokens": "0",
            },
            20,
        ),
        ({"x-ratelimit-reset-requests": "5s", "x-ratelimit-reset-tokens": "2s"}, 2),
        ({"x-ratelimit-reset": str(int(NOW.timestamp() * 1000) + 4000)}, 4),
        ({"x-ratelimit-reset": str(int(NOW.timestamp()) + 9)}, 9),
        ({"anthropic-ratelimit-requests-reset": "2026-11-24T00:00:30Z"}, 30),
        (
            {
                "anthropic-ratelimit-requests-reset": "2026-11-24T00:00:01Z",
                "anthropic-ratelimit-requests-remaining": "49",
                "anthropic-ratelimit-input-tokens-reset": "2026-11-24T00:00:45Z",
                "anthropic-ratelimit-input-tokens-remaining": "0",
            },
            45,
        ),
        ({"retry-after": "3", "x-ratelimit-reset-requests": "9s"}, 3),
    ],
)
def test_each_family_of_headers_says_when_to_come_back(
    headers: dict[str, str], seconds: float | None
) -> None:
    found = rest_seconds([(k.encode(), v.encode()) for k, v in headers.items()], NOW)
    assert found == (None if seconds is None else pytest.approx(seconds))
