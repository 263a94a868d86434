"""One word and one sentence on a provider's health: from what traffic runs into at this moment, else from its
latest traffic or its last test, whichever is newer. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal

from ops_center.control.providers.schemas import Health
from ops_center.control.usage.repository import AttemptCount
from ops_center.errors import (
    AddressRefused,
    ProviderAuthError,
    ProviderError,
    ProviderFailed,
    ProviderRateLimited,
    ProviderTimeout,
    ProviderUnreachable,
    ProviderUnusable,
)
from ops_center.health import ProviderReport

WINDOW = timedelta(minutes=15)

# Ways to end that are the provider's fault; a request it refused as wrong, or a client that left, is not.
_WORDS = {
    ProviderUnreachable.type: "address unreachable",
    AddressRefused.type: "address not allowed",
    ProviderTimeout.type: "timeout",
    ProviderRateLimited.type: "rate limit exceeded",
    ProviderAuthError.type: "credential refused",
    ProviderFailed.type: "provider error",
    ProviderUnusable.type: "unusable answer",
    ProviderError.type: "provider error",
}
FAILURES = tuple(_WORDS)


def health_of(
    outcomes: Sequence[AttemptCount],
    *,
    test_at: datetime | None,
    test_success: bool | None,
    test_message: str | None,
    test_since: datetime | None = None,
    report: ProviderReport = ProviderReport(),
    credentials: int = 1,
    models: int = 1,
) -> Health:
    """Every key set aside, or the circuit of every model open: down; of some: degraded. Else by the calls of
    the last 15 minutes: more than half failed: down; any: degraded; none: healthy. A test newer than all of
    these has the last word. `test_since`: when tests began to say what the last one said."""
    now = _right_now(report, credentials, models)
    if now is not None:
        return now
    judged = [o for o in outcomes if o.outcome == "success" or o.outcome in _WORDS]
    by_traffic = _of_traffic(judged)
    if test_at is None:
        return by_traffic or Health(
            status="unknown", reason="Neither used in the last 15 minutes nor tested yet", since=None
        )
    status: Literal["healthy", "down"] = "healthy" if test_success else "down"
    if by_traffic is not None and (by_traffic.status == status or max(o.last_at for o in judged) >= test_at):
        return by_traffic
    return Health(status=status, reason=f"Last test: {test_message}", since=test_since or test_at)


def _of_traffic(judged: Sequence[AttemptCount]) -> Health | None:
    total = sum(o.calls for o in judged)
    failures = [o for o in judged if o.outcome != "success"]
    failed = sum(o.calls for o in failures)
    if failed:
        most = max(failures, key=lambda o: (o.calls, o.outcome))
        return Health(
            status="down" if failed * 2 > total else "degraded",
            reason=f"{failed} of {_calls(total)} in the last 15 minutes failed, mostly: {_WORDS[most.outcome]}"
            if len(failures) > 1
            else f"{failed} of {_calls(total)} in the last 15 minutes failed: {_WORDS[most.outcome]}",
            since=min(o.first_at for o in failures),
        )
    if total:
        succeeded = "The one call" if total == 1 else f"All {total} calls"
        return Health(
            status="healthy",
            reason=f"{succeeded} in the last 15 minutes succeeded",
            since=min(o.first_at for o in judged),
        )
    return None


def _right_now(report: ProviderReport, credentials: int, models: int) -> Health | None:
    if report.aside:
        every = len(report.aside) >= credentials
        which = "Its key" if credentials == 1 else f"{len(report.aside)} of {credentials} keys"
        verb = "was" if len(report.aside) == 1 else "were"
        return Health(
            status="down" if every else "degraded",
            reason=f"{which} {verb} refused ({report.aside[0].reason}) and set aside: replace it, or test again",
            since=min((a.since for a in report.aside if a.since is not None), default=None),
        )
    if report.open_models:
        count = len(report.open_models)
        which = (
            "Its one model is"
            if models == 1
            else f"{count} of {models} models {'is' if count == 1 else 'are'}"
        )
        return Health(
            status="down" if count >= models else "degraded",
            reason=f"{which} left out after failing, and tried again soon: {report.open_models[0][1]}",
            since=report.opened_at,
        )
    return None


def _calls(count: int) -> str:
    return "1 call" if count == 1 else f"{count} calls"
