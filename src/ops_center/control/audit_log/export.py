"""Writes the audit log as CSV or JSON, batch by batch, so that no export is held in memory whole."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import AsyncIterator, Iterable
from datetime import datetime
from enum import StrEnum

from ops_center.control.audit_log import repository
from ops_center.control.audit_log.repository import Filters
from ops_center.control.audit_log.schemas import AuditEntry
from ops_center.control.context import Control
from ops_center.control.paging import Cursor

_BATCH = 1000
_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet would compute what starts with these


class AuditFormat(StrEnum):
    CSV = "csv"
    JSON = "json"


MEDIA_TYPES = {AuditFormat.CSV: "text/csv; charset=utf-8", AuditFormat.JSON: "application/json"}


def file_name(form: AuditFormat, now: datetime) -> str:
    return f"ops-center-audit-log-{now:%Y-%m-%d}.{form.value}"


async def export(control: Control, form: AuditFormat, filters: Filters) -> AsyncIterator[bytes]:
    """The entries that fit, newest first, in pieces."""
    is_json = form is AuditFormat.JSON
    yield b"[" if is_json else _csv_line(AuditEntry.model_fields)
    first, cursor = True, None
    while True:
        async with control.database.read() as conn:  # one per batch: a slow download keeps none open
            batch = await repository.page(conn, _BATCH, cursor, filters)
        for entry in batch:
            if is_json:
                yield (b"\n" if first else b",\n") + entry.model_dump_json().encode()
            else:
                yield _csv_line(_cell(value) for value in entry.model_dump(mode="json").values())
            first = False
        if len(batch) < _BATCH:
            break
        cursor = Cursor(batch[-1].at, batch[-1].id)
    if is_json:
        yield b"\n]\n"


def _cell(value: object) -> object:
    if value is None:
        return ""
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False, sort_keys=True)
    return "'" + value if isinstance(value, str) and value.startswith(_FORMULA) else value


def _csv_line(cells: Iterable[object]) -> bytes:
    line = io.StringIO()
    csv.writer(line).writerow(cells)
    return line.getvalue().encode()
