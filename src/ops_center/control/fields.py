"""The kinds of fields that requests and answers of the control API are made of.

Amounts are `Decimal` inside and JSON numbers outside, rounded for display only; instants leave as ISO 8601
UTC with a Z. Text that a database could not store (NUL and other control characters) is refused here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated

from fastapi import Path, Query
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
    WithJsonSchema,
)

from ops_center.errors import NotFound

_CONTROL_CHARACTERS = re.compile(r"[\x00-\x1f\x7f]")
_OBJECT_ID = re.compile(r"[a-z]{2,8}_[0-9a-z_]{1,31}", re.ASCII)


class RequestModel(BaseModel):
    """A body that is sent to us; a field it does not have is refused, so a slip is noticed."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class ResponseModel(BaseModel):
    """A body that we send."""

    model_config = ConfigDict(extra="forbid", from_attributes=True)


def printable(value: str) -> str:
    """`value`, unless it holds something that is no text. Raises ValueError."""
    if _CONTROL_CHARACTERS.search(value):
        raise ValueError("must not contain line breaks or control characters")
    return value


def _searchable(value: str) -> str:
    return _CONTROL_CHARACTERS.sub(" ", value).strip()


def _object_id(value: str) -> str:
    if not _OBJECT_ID.fullmatch(value):
        raise NotFound("There is nothing with this id")
    return value


def _not_a_boolean(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("must be a number")
    return value


Name = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100), AfterValidator(printable)
]
"""A name that people give things: one line, 1 to 100 characters."""

LongName = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=300), AfterValidator(printable)
]
"""A name from outside, such as a model's id: one line, 1 to 300 characters."""

ObjectId = Annotated[str, AfterValidator(_object_id), Path(max_length=40)]
"""An id in a path. One that cannot be an id of ours is a 404 like any other unknown one."""

SearchText = Annotated[str, AfterValidator(_searchable), Query(max_length=300)]
"""What to search for, in a query string."""

Usd = Annotated[Decimal, PlainSerializer(float, return_type=float), WithJsonSchema({"type": "number"})]
"""An amount that we send, as a JSON number."""

UsdInput = Annotated[
    Decimal,
    BeforeValidator(_not_a_boolean),
    Field(ge=0, le=1_000_000_000, allow_inf_nan=False),
    WithJsonSchema({"type": "number", "minimum": 0, "maximum": 1_000_000_000}),
]
"""An amount that is sent to us, in USD or USD per million tokens."""

RequestsPerMinute = Annotated[int, Field(strict=True, ge=1, le=1_000_000)]
TokensPerMinute = Annotated[int, Field(strict=True, ge=1, le=1_000_000_000)]
ConcurrentRequests = Annotated[int, Field(strict=True, ge=1, le=100_000)]

Seconds = Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)]


class TimeLimitsInput(RequestModel):
    """Seconds; null goes back to what the installation says. A whole answer has `total_seconds` alone."""

    connect_seconds: Seconds | None = None
    first_chunk_seconds: Seconds | None = None
    chunk_seconds: Seconds | None = None
    total_seconds: Seconds | None = None

    def merged(self, before: Mapping[str, float] | None) -> dict[str, float] | None:
        """`before` with what was sent put in; None when nothing is left."""
        sent = {name: getattr(self, name) for name in self.model_fields_set}
        return {
            name: value for name, value in {**(before or {}), **sent}.items() if value is not None
        } or None


class TimeLimits(ResponseModel):
    """Seconds; null: what the installation says."""

    connect_seconds: float | None = None
    first_chunk_seconds: float | None = None
    chunk_seconds: float | None = None
    total_seconds: float | None = None


Instant = AwareDatetime
"""An instant with its offset; ours leave with a Z."""

Limit = Annotated[int, Query(ge=1, le=200)]
"""How many rows a page has."""
