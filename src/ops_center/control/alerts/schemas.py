"""Alerts as JSON."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from ops_center.control.alerts.settings import AlertSettings
from ops_center.control.fields import Instant, RequestModel, ResponseModel


class Rule(StrEnum):
    PROVIDER_DOWN = "provider_down"
    ERROR_RATE = "error_rate"
    LATENCY = "latency"
    SPEND = "spend"
    RETIREMENT = "retirement"


class Figure(ResponseModel):
    """A figure that the alert stands on, at the newest look while its condition held."""

    name: str
    value: float
    unit: Literal["usd", "calls", "share", "seconds", "days"]


class Alert(ResponseModel):
    """A condition from the moment it held until it did not. `text` says it in a sentence. `requests`: those that
    it was seen in, as the query of `/llm/requests`; null where none are meant."""

    id: str
    rule: Rule
    subject_id: str
    """A provider's or a model's; empty for everything."""
    subject_name: str
    status: Literal["open", "closed"]
    text: str
    figures: list[Figure]
    requests: str | None
    path: str
    """The page of the console where one acts."""
    opened_at: Instant
    seen_at: Instant
    """When it was seen to hold last."""
    closed_at: Instant | None
    closed_text: str | None
    """Why it was closed."""
    acknowledged_at: Instant | None
    acknowledged_by: str | None
    muted_until: Instant | None
    """Until then nobody is told of this condition, should it close and come back; null where nothing is muted."""


class AlertList(ResponseModel):
    """The newest first. `ringing`: how many are open that nobody has acknowledged or muted."""

    alerts: list[Alert]
    next_cursor: str | None
    open: int
    ringing: int
    rules: AlertSettings


class AlertUpdate(RequestModel):
    """Only what is sent changes. `mute_hours`: from now on; 0 unmutes."""

    acknowledged: Annotated[bool, Field(strict=True)] | None = None
    mute_hours: Annotated[int, Field(strict=True, ge=0, le=720)] | None = None
