"""The filters that usage and requests share, as they stand in a query string, so that a figure and the list of its
requests can never mean different things."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal
from urllib.parse import urlencode

from fastapi import Depends, Query

from ops_center.control.usage.conditions import EVERYTHING, Filters
from ops_center.control.usage.dimensions import NONE, Dimension

_Values = Annotated[list[str] | None, Query(max_length=50)]

PARAMETERS = {
    Dimension.PROVIDER: "provider_id",
    Dimension.MODEL: "model",
    Dimension.USER: "user_id",
    Dimension.TEAM: "team_id",
    Dimension.API_KEY: "api_key_id",
    Dimension.TAG: "tag",
    Dimension.CREDENTIAL: "credential",
    Dimension.STATUS: "status_code",
    Dimension.STRATEGY: "strategy",
}


def filters(
    provider_id: _Values = None,
    model: _Values = None,
    user_id: _Values = None,
    team_id: _Values = None,
    api_key_id: _Values = None,
    tag: _Values = None,
    credential: Annotated[list[Literal["platform", "byok", "none"]] | None, Query()] = None,
    status_code: Annotated[list[Annotated[int, Query(ge=100, le=599)]] | None, Query(max_length=50)] = None,
    strategy: _Values = None,
    status: Annotated[
        Literal["ok", "error"] | None, Query(description="An error is a status of 400 or more.")
    ] = None,
) -> Filters:
    """Each may stand several times: any of the values will do. `none` means requests that have none."""
    given = {
        Dimension.PROVIDER: provider_id,
        Dimension.MODEL: model,
        Dimension.USER: user_id,
        Dimension.TEAM: team_id,
        Dimension.API_KEY: api_key_id,
        Dimension.TAG: tag,
        Dimension.CREDENTIAL: credential,
        Dimension.STATUS: [str(code) for code in status_code or ()],
        Dimension.STRATEGY: strategy,
    }
    return Filters(
        values={dimension: frozenset(filter(None, values)) for dimension, values in given.items() if values},
        failed=None if status is None else status == "error",
    )


FiltersDep = Annotated[Filters, Depends(filters)]


def query_of(filters: Filters, by: Dimension | None, value: str | None) -> list[tuple[str, str]]:
    """The filters as a query string has them, narrowed to one value of a dimension."""
    pairs = [
        (PARAMETERS[dimension], each)
        for dimension, values in filters.values.items()
        if dimension is not by
        for each in sorted(values)
    ]
    if filters.failed is not None:
        pairs.append(("status", "error" if filters.failed else "ok"))
    if by is not None:
        pairs.append((PARAMETERS[by], NONE if value is None else value))
    return pairs


def requests_of(
    from_at: datetime,
    to_at: datetime,
    filters: Filters = EVERYTHING,
    by: Dimension | None = None,
    value: str | None = None,
) -> str:
    """The requests behind a figure, as the query of `/llm/requests` and of the console's page."""
    ends = [("from_at", _instant(from_at)), ("to_at", _instant(to_at))]
    return urlencode([*ends, *query_of(filters, by, value)])


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
