"""Writes usage records as CSV or JSON, batch by batch, so that no export is held in memory whole.

Exact where the console rounds: costs leave with every digit. Only rows that exist; no sums.
"""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec

from ops_center.control.context import Control
from ops_center.control.requests.repository import RecordRow, cursor_of
from ops_center.control.requests.repository import export as export_page
from ops_center.control.requests.service import record_fields
from ops_center.control.usage.schemas import ExportFormat, Period
from ops_center.control.usage.service import window_of
from ops_center.control.usage.windows import Window

_BATCH = 2000
_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet would compute what starts with these

MEDIA_TYPES = {ExportFormat.CSV: "text/csv; charset=utf-8", ExportFormat.JSON: "application/json"}


def file_name(period: Period, form: ExportFormat, now: datetime) -> str:
    return f"ops-center-usage-{period.value}-{now:%Y-%m-%d}.{form.value}"


async def export(control: Control, period: Period, form: ExportFormat) -> AsyncIterator[bytes]:
    """The records of a period up to now, newest first, in pieces."""
    await control.drain_journal()
    async with control.database.read() as conn:
        window = await window_of(conn, period, control.clock())
    write = _json_rows if form is ExportFormat.JSON else _csv_rows
    yield b"[" if form is ExportFormat.JSON else _csv_line(_NAMES)
    first = True
    async for batch in _batches(control, window):
        yield write(batch, first)
        first = False
    if form is ExportFormat.JSON:
        yield b"\n]\n"


async def _batches(control: Control, window: Window) -> AsyncIterator[Sequence[RecordRow]]:
    cursor = None
    while True:
        # a transaction per batch: a slow download must not keep one open
        async with control.database.read() as conn:
            rows = await export_page(conn, window, cursor, _BATCH)
        if rows:
            yield rows
        if len(rows) < _BATCH:
            return
        cursor = cursor_of(rows[-1])


def _json_rows(rows: Sequence[RecordRow], first: bool) -> bytes:
    lines = [msgspec.json.encode(_plain(record_fields(row), _json_value)) for row in rows]
    return (b"\n" if first else b",\n") + b",\n".join(lines)


def _csv_rows(rows: Sequence[RecordRow], _first: bool) -> bytes:
    return b"".join(_csv_line(_plain(record_fields(row), _csv_value).values()) for row in rows)


def _csv_line(values: Any) -> bytes:
    line = io.StringIO()
    csv.writer(line).writerow(values)
    return line.getvalue().encode()


def _plain(fields: dict[str, Any], value: Callable[[Any], Any]) -> dict[str, Any]:
    return {name: value(fields[name]) for name in _NAMES}


def _json_value(value: Any) -> Any:
    if isinstance(value, Decimal):
        return msgspec.Raw(f"{value:f}".encode())  # a number, with every digit
    return _instant(value) if isinstance(value, datetime) else value


def _csv_value(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str) and value.startswith(_FORMULA):
        return "'" + value
    if isinstance(value, Decimal):
        return f"{value:f}"
    return _instant(value) if isinstance(value, datetime) else value


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


_NAMES = (
    "id",
    "started_at",
    "duration_ms",
    "time_to_first_chunk_ms",
    "endpoint",
    "status",
    "error_type",
    "finish_reason",
    "stream",
    "requested_model",
    "strategy",
    "provider_id",
    "provider_name",
    "provider_type",
    "model",
    "api_key_id",
    "api_key_name",
    "user_id",
    "user_email",
    "team_id",
    "team_name",
    "credential",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
    "cost_usd",
    "cost_source",
    "cost_note",
    "price_source",
    "listed_cost_usd",
    "priced_later",
    "own_cost_usd",
    "own_cost_source",
    "saved_usd",
    "fallback_from",
    "demo",
)
