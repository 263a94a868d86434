"""When a condition rings, and when it is calm again: one function per rule, over sums. Pure.

Between ringing and calm lies a gap, so that a figure that moves about its threshold opens one alert, not many.
What has too little traffic to judge is calm.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from ops_center.control.alerts.schemas import Figure, Rule
from ops_center.control.alerts.settings import AlertSettings
from ops_center.control.models.retiring import Retiring

_CALM_SHARE = 0.5  # of the error rate that rings
_CALM_LATENCY = 0.75  # of the latency that rings
_CALM_SPEND = Decimal("0.75")
LEAST_BASELINE_CALLS = 100
LEAST_BASELINE_HOURS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a look found about one subject. Neither ringing nor calm: in the gap between."""

    rule: Rule
    subject_id: str
    subject_name: str
    rings: bool
    calm: bool
    text: str
    calm_text: str
    path: str
    figures: Sequence[Figure] = field(default_factory=tuple)
    requests: str | None = None

    @property
    def key(self) -> str:
        return f"{self.rule}:{self.subject_id}"


def error_rate(
    settings: AlertSettings, subject: tuple[str, str], calls: int, failed: int, requests: str
) -> Finding:
    """Of one provider: requests that ended with a status of 500 and above."""
    subject_id, name = subject
    share = failed / calls if calls else 0.0
    threshold = settings.error_rate_percent / 100
    enough = calls >= settings.error_rate_least_requests
    return Finding(
        rule=Rule.ERROR_RATE,
        subject_id=subject_id,
        subject_name=name,
        rings=enough and share >= threshold,
        calm=not enough or share < threshold * _CALM_SHARE,
        text=f"{failed:,} of {calls:,} requests failed ({share:.0%}); from {threshold:.0%} on it rings.",
        calm_text=f"{failed:,} of {calls:,} requests failed ({share:.0%})."
        if enough
        else f"Only {calls:,} requests: too few to judge.",
        path="/admin/litellm-providers",
        figures=(
            Figure(name="Failed requests", value=failed, unit="calls"),
            Figure(name="Requests", value=calls, unit="calls"),
            Figure(name="Error rate", value=share, unit="share"),
            Figure(name="Threshold", value=threshold, unit="share"),
        ),
        requests=requests,
    )


def latency(
    settings: AlertSettings,
    model: str,
    now: tuple[int, float | None],
    usual: tuple[int, float | None],
    requests: str,
) -> Finding | None:
    """Of one model: how many calls succeeded and their p95, now and in the seven days before. None where that
    time says nothing to compare with."""
    (calls, seconds), (usual_calls, usual_seconds) = now, usual
    if usual_seconds is None or usual_calls < LEAST_BASELINE_CALLS:
        return None
    threshold = max(usual_seconds * settings.latency_factor, settings.latency_least_seconds)
    enough = calls >= settings.latency_least_requests and seconds is not None
    p95 = seconds or 0.0
    return Finding(
        rule=Rule.LATENCY,
        subject_id=model,
        subject_name=model,
        rings=enough and p95 >= threshold,
        calm=not enough or p95 < threshold * _CALM_LATENCY,
        text=f"95 in 100 requests took up to {_seconds(p95)}; usual are {_seconds(usual_seconds)}, and from "
        f"{_seconds(threshold)} on it rings.",
        calm_text=f"95 in 100 requests took up to {_seconds(p95)}."
        if enough
        else f"Only {calls:,} requests: too few to judge.",
        path="/admin/usage?metric=latency_p95&group=model&period=7d",
        figures=(
            Figure(name="Latency p95", value=p95, unit="seconds"),
            Figure(name="Usual p95", value=usual_seconds, unit="seconds"),
            Figure(name="Threshold", value=threshold, unit="seconds"),
            Figure(name="Requests", value=calls, unit="calls"),
        ),
        requests=requests,
    )


def spend(
    settings: AlertSettings,
    spent: Decimal,
    same_hours: Sequence[Decimal],
    movers: Mapping[str, Decimal],
    requests: str,
) -> Finding | None:
    """Of everything in the last hour, against the same hour of the days before. None while there are too few.

    `movers`: what the API keys that spent most in this hour spent."""
    if len(same_hours) < LEAST_BASELINE_HOURS:
        return None
    usual = sum(same_hours, Decimal(0)) / len(same_hours)
    threshold = max(usual * Decimal(str(settings.spend_factor)), settings.spend_least_usd)
    most = ", ".join(f"{name} {_usd(amount)}" for name, amount in movers.items())
    return Finding(
        rule=Rule.SPEND,
        subject_id="",
        subject_name="Everything",
        rings=spent >= threshold,
        calm=spent < threshold * _CALM_SPEND,
        text=f"{_usd(spent)} in the last hour; the same hour of the last {len(same_hours)} days cost {_usd(usual)} "
        f"on average, and from {_usd(threshold)} on it rings." + (f" Most by {most}." if most else ""),
        calm_text=f"{_usd(spent)} in the last hour.",
        path="/admin/usage?metric=cost&group=api_key&period=7d",
        figures=(
            Figure(name="Spent in the last hour", value=float(spent), unit="usd"),
            Figure(name="Usual for this hour", value=float(usual), unit="usd"),
            Figure(name="Threshold", value=float(threshold), unit="usd"),
            Figure(name="Days compared", value=len(same_hours), unit="days"),
        ),
        requests=requests,
    )


def retirement(model: Retiring, today: date, requests: str) -> Finding:
    """Of one model at one provider, whose end is known and near."""
    left = (model.retires_on - today).days
    when = "retired on" if left <= 0 else "retires on"
    return Finding(
        rule=Rule.RETIREMENT,
        subject_id=model.model_id,
        subject_name=f"{model.model} at {model.provider_name}",
        rings=True,
        calm=False,
        text=f"{model.model} {when} {model.retires_on}. {model.text}",
        calm_text="It is not used any more, or its end has moved.",
        path=model.path,
        figures=(
            Figure(name="Days left", value=left, unit="days"),
            Figure(name="Requests of 7 days", value=model.calls, unit="calls"),
        ),
        requests=requests,
    )


def _seconds(value: float) -> str:
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.1f} s"


def _usd(amount: Decimal) -> str:
    """Two places; below a cent two digits that say something."""
    if not amount or amount >= Decimal("0.01"):
        return f"${amount:,.2f}"
    return f"${amount.quantize(Decimal(1).scaleb(amount.adjusted() - 1)).normalize():f}"
