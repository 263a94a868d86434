"""What a request asks of the limits, and what it holds of them until it is settled. Values and one seam."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import TypeVar

import msgspec

from ops_center.snapshot import Budget, Target
from ops_center.types import Usage

NO_USAGE = Usage()


class ProviderDemand(msgspec.Struct, frozen=True, array_like=True):
    """What a request may cost at one provider of its plan that has a budget."""

    provider_id: str
    budgets: tuple[Budget, ...]
    expected_nano_usd: int
    most_nano_usd: int


class Demand(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """Amounts in nano-dollars. `expected` is what is likely, `most` what it may come to."""

    tokens: int = 0
    expected_nano_usd: int = 0
    most_nano_usd: int = 0
    providers: tuple[ProviderDemand, ...] = ()
    spends: bool = True  # False: somebody else pays, and no budget of ours is concerned


class Pace(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """Where a caller stands in its tightest limits per minute; resets are seconds until a place comes free."""

    requests_limit: int | None = None
    requests_left: int = 0
    requests_reset_seconds: float = 0.0
    tokens_limit: int | None = None
    tokens_left: int = 0
    tokens_reset_seconds: float = 0.0

    @classmethod
    def of(
        cls, requests: tuple[int, int, float] | None, tokens: tuple[int, int, float] | None
    ) -> Pace | None:
        """From what is left, the limit and the reset of each; None without either."""
        if requests is None and tokens is None:
            return None
        return cls(
            requests_limit=requests[1] if requests else None,
            requests_left=max(requests[0], 0) if requests else 0,
            requests_reset_seconds=requests[2] if requests else 0.0,
            tokens_limit=tokens[1] if tokens else None,
            tokens_left=max(tokens[0], 0) if tokens else 0,
            tokens_reset_seconds=tokens[2] if tokens else 0.0,
        )


class Reservation:
    """A place held in every limit that applies. This one holds nothing."""

    __slots__ = ("pace", "spent_providers")

    def __init__(self) -> None:
        self.pace: Pace | None = None
        self.spent_providers: frozenset[str] = frozenset()  # ids of providers whose budget is used up

    def settle(self, cost_usd: Decimal | None, usage: Usage = NO_USAGE, target: Target | None = None) -> None:
        """Put what it came to in place of what was held: the cost to us (None: not known), what was used,
        and who answered. Only the first call counts."""


NOTHING_HELD = Reservation()

_Place = TypeVar("_Place", bound=Reservation)


async def granted(answer: asyncio.Future[_Place]) -> _Place:
    """The place, once the answer is here; it is given back where the caller left in the very moment it came."""
    try:
        return await answer
    except asyncio.CancelledError:
        if answer.done() and not answer.cancelled() and answer.exception() is None:
            answer.result().settle(None)
        raise


class OutputLengths:
    """How long answers were of late, per model: the guess for a request that sets no bound itself."""

    _UNKNOWN_EXPECTED = 500
    _UNKNOWN_MOST = 4096

    def __init__(self) -> None:
        self._seen: dict[str, tuple[float, float]] = {}  # by target id: average, and a high that fades

    def guess(self, target: Target) -> tuple[int, int]:
        """Tokens expected, and the most to reckon with."""
        seen = self._seen.get(target.id)
        if seen is None:
            return self._UNKNOWN_EXPECTED, max(
                target.max_output_tokens or self._UNKNOWN_MOST, self._UNKNOWN_EXPECTED
            )
        most = int(seen[1] * 1.25) + 1
        return int(seen[0]) + 1, min(most, target.max_output_tokens or most)

    def observe(self, target: Target, output_tokens: int) -> None:
        seen = self._seen.get(target.id)
        if seen is None:
            if len(self._seen) > 10_000:  # models come and go; what is forgotten is learned again
                self._seen.clear()
            self._seen[target.id] = (output_tokens, output_tokens)
            return
        average, high = seen
        high = output_tokens if output_tokens > high else high + (output_tokens - high) * 0.01
        self._seen[target.id] = (average + (output_tokens - average) * 0.1, high)
