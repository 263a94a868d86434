"""What is worth telling, in words: one function per kind. Pure; no secret and no text of others gets in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal
from zoneinfo import ZoneInfo

from ops_center.control.alerts.repository import AlertRow
from ops_center.control.budgets.schemas import Budget
from ops_center.types import BudgetPeriod

EventType = Literal[
    "alert.closed",
    "alert.opened",
    "budget.runs_out",
    "budget.threshold_reached",
    "own_key.failing",
    "provider.down",
    "provider.up",
    "provider_key.set_aside",
]

_ALERTS = "/admin/alerts"
_BUDGETS = "/admin/budgets"
_PROVIDERS = "/admin/litellm-providers"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """`key` is the event's own, so that it is told once. `paths` lead into the console: an admin's, and that
    of the user (`owner_id`) whom it concerns beside them."""

    key: str
    type: EventType
    subject: str
    text: str
    data: Mapping[str, Any]
    admins: bool = True
    admin_path: str
    owner_id: str | None = None
    owner_path: str = "/account"


def budget_threshold(budget: Budget, percent: int, owner_id: str | None) -> Event:
    """So much of a budget is used up. A changed amount begins its thresholds anew."""
    start = budget.period_start_at
    name = "The budget of everything" if budget.subject_id is None else f"The budget of {budget.subject_name}"
    used = f"{_spent(budget)}."
    if budget.status != "spent":
        then = "Requests beyond it will be refused." if budget.hard else "It only warns: requests go on."
    else:
        then = (
            "Requests are refused until"
            if budget.hard
            else "It only warns: requests go on. It begins anew on"
        )
        then += f" {budget.period_end_at:%Y-%m-%d %H:%M} UTC."
    return Event(
        key=f"budget:{budget.id}:{start:%Y%m%d%H%M}:{budget.amount_usd.normalize():f}:{percent}",
        type="budget.threshold_reached",
        subject=f"{name} is used up" if percent >= 100 else f"{name} has reached {percent} %",
        text=f"{used}\n{then}",
        data=_budget_facts(budget) | {"threshold_percent": percent},
        admin_path=_BUDGETS,
        owner_id=owner_id,
        owner_path="/account/api-keys",
    )


def _spent(budget: Budget) -> str:
    estimated = f" ({budget.estimated_share:.1%} of it estimated)" if budget.estimated_share else ""
    return f"{usd(budget.spent_usd)} of {usd(budget.amount_usd)} per {budget.period} are spent{estimated}"


def budget_runs_out(budget: Budget, zone: ZoneInfo, owner_id: str | None) -> Event:
    """At the pace of its period so far it does not last; told once per period and amount."""
    assert budget.runs_out_at is not None and budget.projected_usd is not None
    at = budget.runs_out_at.astimezone(zone)
    when = f"at {at:%H:%M}" if budget.period is BudgetPeriod.DAY else f"on {at.day} {at:%B}"
    name = "The budget of everything" if budget.subject_id is None else f"The budget of {budget.subject_name}"
    return Event(
        key=f"budget:{budget.id}:{budget.period_start_at:%Y%m%d%H%M}:{budget.amount_usd.normalize():f}:runs_out",
        type="budget.runs_out",
        subject=f"{name} runs out {when} at this pace",
        text=f"{_spent(budget)}; "
        f"it would come to {usd(budget.projected_usd)}.\n"
        + ("Requests beyond it will be refused." if budget.hard else "It only warns: requests go on."),
        data=_budget_facts(budget)
        | {
            "runs_out_at": _instant(budget.runs_out_at.replace(microsecond=0)),
            "projected_usd": float(budget.projected_usd),
        },
        admin_path=_BUDGETS,
        owner_id=owner_id,
        owner_path="/account/api-keys",
    )


def _budget_facts(budget: Budget) -> dict[str, Any]:
    return {
        "budget_id": budget.id,
        "scope": budget.scope.value,
        "subject_id": budget.subject_id,
        "subject_name": budget.subject_name,
        "period": budget.period.value,
        "period_start_at": _instant(budget.period_start_at),
        "period_end_at": _instant(budget.period_end_at),
        "amount_usd": float(budget.amount_usd),
        "spent_usd": float(budget.spent_usd),
        "hard": budget.hard,
    }


def own_key_failing(
    credential_id: str, user_id: str, user_email: str, provider_type: str, provider: str, at: datetime
) -> Event:
    """A user's own key is refused. Its owner alone gets mail: it is theirs to replace."""
    return Event(
        key=f"own_key:{credential_id}:{_moment(at)}",
        type="own_key.failing",
        subject=f"Your own key for {provider} has stopped working",
        text=f"{provider} refused it. Replace it, or switch it off.",
        data={"user_id": user_id, "user_email": user_email, "provider_type": provider_type},
        admins=False,
        admin_path="/admin/users",
        owner_id=user_id,
        owner_path="/account/provider-keys",
    )


def alert_opened(alert: AlertRow) -> Event:
    """A condition holds. Of a provider that is down in words of its own."""
    if alert.rule == "provider_down":
        return Event(
            key=f"alert:{alert.id}:opened",
            type="provider.down",
            subject=f"{alert.subject_name} is down",
            text=alert.text,
            data=_provider_facts(alert) | {"since": _instant(alert.opened_at)},
            admin_path=_ALERTS,
        )
    return Event(
        key=f"alert:{alert.id}:opened",
        type="alert.opened",
        subject=f"{_RINGS[alert.rule]}: {alert.subject_name}",
        text=alert.text,
        data=_alert_facts(alert),
        admin_path=_ALERTS,
    )


def alert_closed(alert: AlertRow, why: str) -> Event:
    """It holds no more."""
    since = f"It was so since {alert.opened_at:%Y-%m-%d %H:%M} UTC."
    if alert.rule == "provider_down":
        return Event(
            key=f"alert:{alert.id}:closed",
            type="provider.up",
            subject=f"{alert.subject_name} is back",
            text=f"{why} It was down since {alert.opened_at:%Y-%m-%d %H:%M} UTC.",
            data=_provider_facts(alert) | {"down_since": _instant(alert.opened_at)},
            admin_path=_ALERTS,
        )
    return Event(
        key=f"alert:{alert.id}:closed",
        type="alert.closed",
        subject=f"Over: {_RINGS[alert.rule].lower()}: {alert.subject_name}",
        text=f"{why} {since}",
        data=_alert_facts(alert) | {"closed_because": why},
        admin_path=_ALERTS,
    )


_RINGS = {
    "error_rate": "Many requests fail",
    "latency": "Answers are slow",
    "spend": "Spending is unusually high",
    "retirement": "A model in use retires",
}


def _provider_facts(alert: AlertRow) -> dict[str, Any]:
    return {"alert_id": alert.id, "provider_id": alert.subject_id, "provider_name": alert.subject_name}


def _alert_facts(alert: AlertRow) -> dict[str, Any]:
    return {
        "alert_id": alert.id,
        "rule": alert.rule,
        "subject_id": alert.subject_id,
        "subject_name": alert.subject_name,
        "text": alert.text,
        "figures": list(alert.figures),
        "opened_at": _instant(alert.opened_at),
    }


def key_set_aside(
    provider_id: str, name: str, credential_id: str, aside: int, keys: int, at: datetime
) -> Event:
    """The provider refuses one of the platform's keys. Told once a day for as long as that lasts."""
    which = "its key" if keys == 1 else "one of its keys"
    rest = (
        f"{name} serves nothing until it is replaced."
        if aside >= keys
        else f"{aside} of its {keys} keys are set aside; the others go on."
    )
    return Event(
        key=f"provider_key:{credential_id}:{at:%Y%m%d}",
        type="provider_key.set_aside",
        subject=f"{name} refuses {which}",
        text=f"{which[0].upper()}{which[1:]} was refused (401, 402 or 403) and is set aside.\n{rest}",
        data={
            "provider_id": provider_id,
            "provider_name": name,
            "credential_id": credential_id,
            "keys_set_aside": aside,
            "keys": keys,
        },
        admin_path=_PROVIDERS,
    )


def usd(amount: Decimal) -> str:
    """Two places; more for what would vanish in them."""
    return f"${amount:,.2f}" if not amount or amount >= Decimal("0.01") else f"${amount.normalize():f}"


def _moment(at: datetime) -> str:
    return str(int(at.timestamp() * 1000))


def _instant(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")
