"""Walk: whom to ask next, after what has happened so far. Part of `attempt`; asks nobody itself.

Another credential of the same target after a refused key or a spent rate limit; the next target after any
other fault of a provider; the last target once more where that can help. Never anybody after the caller's
own fault, but for a prompt too long, where the admin lets it go to a larger window.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable

import msgspec

from ops_center.errors import (
    NoProviderLeft,
    ProviderAuthError,
    ProviderError,
    ProviderFailed,
    ProviderRateLimited,
    ProviderRejected,
    ProviderUnreachable,
)
from ops_center.health import Health
from ops_center.routing import Choice, Plan
from ops_center.snapshot import Credential, Target

_FIRST_PAUSE_SECONDS = 0.25
_LONGEST_PAUSE_SECONDS = 4.0
_BUSY = (503, 529)  # 529: Anthropic's "overloaded" (https://docs.claude.com/en/api/errors, 2026-11)
# Codes by which providers say that a prompt is longer than the model's window
# (https://platform.openai.com/docs/guides/error-codes, 2026-11).
_TOO_LONG = frozenset({"context_length_exceeded", "string_above_max_length"})


class Step(msgspec.Struct, frozen=True):
    """One call to be made, after a pause."""

    target: Target
    credential: Credential
    pause_seconds: float = 0.0


class Walk:
    """`first()`, then `after(error)` until it says None or raises what the caller gets."""

    def __init__(
        self,
        plan: Plan,
        health: Health,
        *,
        retries: int,
        deadline: float | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """`deadline`: by `monotonic`, after which nobody is asked any more."""
        self._plan = plan
        self._health = health
        self._retries = retries
        self._deadline = deadline
        self._now = monotonic
        self._chance = chance
        self._place = -1
        self._tried: frozenset[str] = frozenset()  # credentials of the current target
        self._step: Step | None = None
        self._repeated = 0
        self._too_long_for: int | None = None

    def first(self) -> Step:
        """Raises NoProviderLeft when everybody is unwell."""
        step = self._next_target()
        if step is None:
            raise self._nobody_well()
        return step

    def after(self, error: ProviderError) -> Step | None:
        """The next call after this failure; None when nobody else is to be asked."""
        last = self._step
        assert last is not None
        if isinstance(error, ProviderRejected):
            return self._larger_window(last.target, error)
        if self._deadline is not None and self._now() >= self._deadline:
            return None
        if isinstance(error, (ProviderAuthError, ProviderRateLimited)):
            self._tried |= {last.credential.id}
            other = self._health.credential(last.target, self._tried)
            if other is not None:
                return self._take(last.target, other)
        free = self._plan.fallbacks and last.target.provider.auto_fallback
        step = self._next_target(None if free else last.target.provider.id)
        if step is not None:
            return step
        return self._same_again(last, error)

    def _take(self, target: Target, credential: Credential, pause_seconds: float = 0.0) -> Step:
        self._step = step = Step(target, credential, pause_seconds)
        return step

    def _next_target(self, at: str | None = None) -> Step | None:
        """The next one of the plan that is well; `at`: at this provider only, as with another's key."""
        health, choices = self._health, self._plan.choices
        while self._place + 1 < len(choices):
            self._place += 1
            choice = choices[self._place]
            if choice.larger and not self._has_room(choice):
                continue
            target = choice.target
            if at is not None and target.provider.id != at:
                continue
            if self._place and health.troubled and health.blocked(target) is not None:
                continue  # it was well when the plan was made
            self._tried = frozenset()
            credential = health.credential(target)
            if credential is not None:
                return self._take(target, credential)
        return None

    def _has_room(self, choice: Choice) -> bool:
        window = choice.target.context_window
        return self._too_long_for is not None and window is not None and window > self._too_long_for

    def _larger_window(self, target: Target, error: ProviderRejected) -> Step | None:
        if error.code not in _TOO_LONG or not any(choice.larger for choice in self._plan.choices):
            return None
        self._too_long_for = target.context_window or 0
        # Others of the same size would say the same.
        while self._place + 1 < len(self._plan.choices) and not self._plan.choices[self._place + 1].larger:
            self._place += 1
        return self._next_target()

    def _same_again(self, last: Step, error: ProviderError) -> Step | None:
        """The last target once more, where it could not be reached or said that it is busy. Not after other
        failures: no provider honours an idempotency key, so each try may be an answer that somebody pays for."""
        if self._repeated >= self._retries:
            return None
        pause = min(_FIRST_PAUSE_SECONDS * 2**self._repeated, _LONGEST_PAUSE_SECONDS)
        pause *= 0.5 + self._chance() / 2  # jitter, so that callers do not come back together
        if isinstance(error, ProviderRateLimited):
            if error.retry_after_seconds is None or error.retry_after_seconds > _LONGEST_PAUSE_SECONDS:
                return None
            pause += error.retry_after_seconds
        elif not (
            isinstance(error, ProviderUnreachable)
            or (isinstance(error, ProviderFailed) and error.provider_status in _BUSY)
        ):
            return None
        target, health = last.target, self._health
        if self._deadline is not None and self._now() + pause >= self._deadline:
            return None
        if target.id in health.troubled and health.blocked(target) is not None:
            return None
        if not health.take_retry(target.provider.id):
            return None
        self._repeated += 1
        return self._take(target, last.credential, pause)

    def _nobody_well(self) -> ProviderError:
        plan = self._plan
        detail = "; ".join(f"{c.target.provider.name}: {c.reason}" for c in plan.excluded[:20])
        if plan.limited:
            return ProviderRateLimited(
                "The provider's rate limit is reached.",
                detail=detail,
                retry_after_seconds=plan.retry_after_seconds,
            )
        return NoProviderLeft(
            "No provider is left to ask: all that serve this are failing or resting just now.",
            detail=detail,
            retry_after_seconds=plan.retry_after_seconds,
        )
