"""Measured values beside their targets: the rows of a result, on the terminal and in the docs."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Literal

import msgspec

Unit = Literal["× nginx", "µs", "/s", "ms", "MB", "s", "streams"]


class Bound(msgspec.Struct, frozen=True):
    """A target: at most, less than, or at least."""

    sign: Literal["≤", "<", "≥"]
    limit: float

    def holds(self, value: float) -> bool:
        return _SIGNS[self.sign](value, self.limit)

    def __str__(self) -> str:
        return f"{self.sign} {self.limit:g}"


_SIGNS: dict[str, Callable[[float, float], bool]] = {"≤": operator.le, "<": operator.lt, "≥": operator.ge}


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """`value` is None where it could not be measured; `note` then says why."""

    key: str
    name: str
    unit: Unit
    value: float | None
    nginx: float | None = None  # the same figure of nginx, in the same unit
    first_target: Bound | None = None
    goal: Bound | None = None
    note: str = ""


_HEAD = ("", "measured", "nginx", "first target", "goal", "")


def _cells(row: Row) -> tuple[str, ...]:
    return (
        row.name,
        "not measured" if row.value is None else f"{figure(row.value)} {row.unit}",
        "" if row.nginx is None else f"{figure(row.nginx)} {row.unit}",
        _verdict(row.first_target, row.value),
        _verdict(row.goal, row.value),
        row.note,
    )


def _verdict(bound: Bound | None, value: float | None) -> str:
    if bound is None:
        return ""
    if value is None:
        return str(bound)
    return f"{bound} {'✓' if bound.holds(value) else '✗'}"


def figure(value: float) -> str:
    """Three significant digits are all that a measurement on a shared machine deserves."""
    if abs(value) >= 1000:
        return f"{float(f'{value:.3g}'):,.0f}"
    if abs(value) >= 100:
        return f"{value:.0f}"
    if abs(value) >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}"


def as_text(rows: Sequence[Row]) -> str:
    """For the terminal."""
    lines = [_HEAD, *map(_cells, rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(_HEAD))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def as_markdown(rows: Sequence[Row]) -> str:
    """For the docs: the same cells."""
    head = ("What", "Measured", "nginx", "First target", "Goal", "Notes")
    lines = ["| " + " | ".join(head) + " |", "|---|---:|---:|---:|---:|---|"]
    lines += ["| " + " | ".join(_cells(row)) + " |" for row in rows]
    return "\n".join(lines)
