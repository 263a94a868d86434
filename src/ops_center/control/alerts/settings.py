"""The section of the settings about alerts: each rule's switch, threshold and least traffic."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, ClassVar

from pydantic import Field, PlainSerializer

from ops_center.control.fields import UsdInput
from ops_center.control.settings.section import Section

_Switch = Annotated[bool, Field(strict=True)]
_LeastRequests = Annotated[int, Field(strict=True, ge=1, le=1_000_000)]
_Factor = Annotated[float, Field(ge=1.1, le=1000, allow_inf_nan=False)]


class AlertSettings(Section):
    """What rings. Rates and latencies are of the running and the two quarter-hours before; fewer requests than
    `..._least_requests` ring nothing. `latency_factor` is against the same model's last seven days, `spend_factor`
    against the same hour of the last seven days."""

    key: ClassVar[str] = "alerts"

    provider_down: _Switch = True
    error_rate: _Switch = True
    error_rate_percent: Annotated[int, Field(strict=True, ge=1, le=100)] = 20
    error_rate_least_requests: _LeastRequests = 20
    latency: _Switch = True
    latency_factor: _Factor = 2.0
    latency_least_seconds: Annotated[float, Field(ge=0, le=3600, allow_inf_nan=False)] = 5.0
    latency_least_requests: _LeastRequests = 20
    spend: _Switch = True
    spend_factor: _Factor = 3.0
    spend_least_usd: Annotated[UsdInput, PlainSerializer(float, return_type=float)] = Decimal(1)
    retirement: _Switch = True
    retirement_days: Annotated[int, Field(strict=True, ge=1, le=365)] = 30
