"""Many rows into one table in few large statements: the interpreter's lock is taken a handful of times per
batch and not once per row. It knows no table and decides nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncConnection

from ops_center.storage.database import Dialect

Row = Sequence[Any]

_POSTGRESQL = postgresql.dialect()  # type: ignore[no-untyped-call]
_ROWS_PER_STATEMENT = (256, 64, 16, 4, 1)  # few shapes, so that each is prepared once


class Inserter:
    """Many rows into one table, leaving alone what is there; or, with `on_conflict`, doing that to it."""

    def __init__(
        self,
        table: Table,
        names: Sequence[str],
        dialect: Dialect,
        *,
        on_conflict: str = "ON CONFLICT DO NOTHING",
    ) -> None:
        columns = ", ".join(f'"{name}"' for name in names)
        self._dialect = dialect
        self._on_conflict = on_conflict
        self._head = f"INSERT INTO {table.name} ({columns}) "
        self._one = f"({', '.join('?' * len(names))})"
        # PostgreSQL takes a batch as one array per column
        arrays = ", ".join(
            f"${place}::{table.c[name].type.compile(_POSTGRESQL)}[]"
            for place, name in enumerate(names, start=1)
        )
        self._of_arrays = f"{self._head}SELECT * FROM unnest({arrays}) {on_conflict}"  # noqa: S608 our names
        self._statements = {count: self._of_rows(count) for count in _ROWS_PER_STATEMENT}

    def _of_rows(self, count: int) -> str:
        return f"{self._head}VALUES {', '.join([self._one] * count)} {self._on_conflict}"

    async def insert(self, connection: AsyncConnection, rows: Sequence[Row]) -> None:
        if not rows:
            return
        if self._dialect == "postgresql":
            await connection.exec_driver_sql(self._of_arrays, tuple(map(list, zip(*rows, strict=True))))
            return
        position = 0
        for count in _ROWS_PER_STATEMENT:
            while len(rows) - position >= count:
                values = tuple(chain.from_iterable(rows[position : position + count]))
                await connection.exec_driver_sql(self._statements[count], values)
                position += count
