"""Saved views as JSON. A `query` holds what the page's address does, under the same names."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints

from ops_center.control.fields import Instant, Name, RequestModel, ResponseModel, printable
from ops_center.control.requests.schemas import ErrorType
from ops_center.control.usage.dimensions import Dimension
from ops_center.control.usage.schemas import Bucket, Metric, Period

Flag = Annotated[bool, Field(strict=True)]
_Text = Annotated[str, StringConstraints(min_length=1, max_length=300), AfterValidator(printable)]
_Amount = Annotated[str, StringConstraints(pattern=r"^\d{1,12}(\.\d{1,9})?$")]


class ViewPage(StrEnum):
    USAGE = "usage"
    REQUESTS = "requests"


class ViewQuery(RequestModel):
    """Only what is said; the page has its own word for all else."""

    status: Literal["ok", "error"] | None = None
    provider_id: _Text | None = None
    model: _Text | None = None
    user_id: _Text | None = None
    team_id: _Text | None = None
    api_key_id: _Text | None = None
    tag: _Text | None = None
    credential: Literal["platform", "byok", "none"] | None = None
    status_code: Annotated[str, StringConstraints(pattern=r"^[1-5]\d\d$")] | None = None
    strategy: _Text | None = None
    # usage
    metric: Metric | None = None
    group: Dimension | Literal["none"] | None = None
    period: Period | None = None
    bucket: Bucket | None = None
    view: Literal["table"] | None = None
    # requests
    search: _Text | None = None
    error_type: ErrorType | None = None
    min_cost_usd: _Amount | None = None
    min_duration_ms: _Amount | None = None
    from_at: Instant | None = None
    to_at: Instant | None = None
    live: Literal["on"] | None = None

    def kept(self) -> dict[str, str]:
        """As it is stored."""
        return dict(self.model_dump(mode="json", exclude_none=True))


_OF_USAGE = frozenset({"metric", "group", "period", "bucket", "view"})
_OF_REQUESTS = frozenset(
    {"search", "error_type", "min_cost_usd", "min_duration_ms", "from_at", "to_at", "live"}
)
NOT_OF = {ViewPage.USAGE: _OF_REQUESTS, ViewPage.REQUESTS: _OF_USAGE}


class Missing(ResponseModel):
    """A filter of a view that names something which is gone; its history can be looked at all the same."""

    parameter: Literal["provider_id", "user_id", "team_id", "api_key_id"]
    value: str


class SavedView(ResponseModel):
    id: str
    page: ViewPage
    name: str
    query: ViewQuery
    shared: bool
    """Everybody who may see the page sees it."""
    owner_email: str
    own: bool
    may_change: bool
    """One's own, or a shared one that an admin sees."""
    is_default: bool
    """What the page opens with, for the reader alone."""
    missing: list[Missing]
    created_at: Instant
    updated_at: Instant


class SavedViewList(ResponseModel):
    views: list[SavedView]


class SavedViewCreate(RequestModel):
    page: ViewPage
    name: Name
    query: ViewQuery = Field(default_factory=ViewQuery)
    shared: Flag = False
    is_default: Flag = False


class SavedViewUpdate(RequestModel):
    """Only what is sent changes. `is_default` is the reader's own choice, also of a view that is somebody else's."""

    name: Name | None = None
    query: ViewQuery | None = None
    shared: Flag | None = None
    is_default: Flag | None = None
