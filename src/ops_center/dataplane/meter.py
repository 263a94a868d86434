"""Meter: usage → cost → one usage record per request, handed to the sink before the answer's last byte.

Everything that happens to a request is noted here in passing; `settle` prices it and writes it, once.
"""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from decimal import Decimal
from types import TracebackType
from typing import Protocol

import msgspec

from ops_center.catalog.pricing import (
    NO_PRICE,
    NO_REQUEST_PRICE,
    missing_rate,
    price_units,
    price_usage,
)
from ops_center.dataplane.call import Call
from ops_center.dataplane.fingerprint import fingerprint, opening
from ops_center.dataplane.ports import UsageSink
from ops_center.errors import OpsCenterError, ProviderError
from ops_center.health import Health, Ticket
from ops_center.limits.demand import Reservation
from ops_center.plan_record import encoded
from ops_center.routing import Plan
from ops_center.snapshot import Credential, Principal, Target
from ops_center.types import (
    NO_PLAN,
    AttemptRecord,
    CostSource,
    CredentialSource,
    Extras,
    Price,
    Usage,
    UsageRecord,
)

_BYTES_PER_TOKEN = 4
CLIENT_CLOSED = 499


class Attempt:
    """One call to one provider while it lasts. `ticket` tells the target's health how it went."""

    __slots__ = (
        "detail",
        "ended",
        "first_chunk",
        "number",
        "outcome",
        "started",
        "status",
        "target",
        "ticket",
    )

    def __init__(self, number: int, target: Target, ticket: Ticket) -> None:
        self.number = number
        self.target = target
        self.ticket = ticket
        self.started = time.perf_counter()
        self.ended: float | None = None
        self.first_chunk: float | None = None
        self.status: int | None = None
        self.outcome = "success"
        self.detail: str | None = None

    @property
    def credential(self) -> Credential:
        return self.ticket.credential

    def answered(self) -> None:
        """A usable answer has begun."""
        self.first_chunk = time.perf_counter()
        self.ticket.answered(self.first_chunk - self.started)

    def fail(self, error: ProviderError) -> None:
        self.ended = time.perf_counter()
        self.outcome = error.type
        self.detail = error.detail or error.message
        self.ticket.failed(error)


class Measured(Protocol):
    """What an answer knows of itself when it is settled."""

    usage: Usage | None
    partial_usage: Usage | None  # what the provider had reported when it broke off
    finish_reason: str | None
    output_bytes: int  # of text, for an estimate when the provider sent no usage


class _Unseen:
    """An answer nobody saw: the client left while the provider was still at it."""

    usage: Usage | None = None
    partial_usage: Usage | None = None
    finish_reason: str | None = None
    output_bytes = 0


_UNSEEN = _Unseen()


class Meter:
    """Collects what happened to one request and writes its record exactly once, on every way out."""

    __slots__ = (
        "_call",
        "_health",
        "_key",
        "_principal",
        "_settled",
        "_sink",
        "attempts",
        "cost_usd",
        "measured",
        "own_cost_usd",
        "plan",
        "reservation",
    )

    def __init__(self, call: Call, principal: Principal, key: bytes, sink: UsageSink, health: Health) -> None:
        """`key`: what fingerprints are made with."""
        self._call = call
        self._health = health
        self._key = key
        self._principal = principal
        self._sink = sink
        self._settled = False
        self.attempts: list[Attempt] = []
        self.measured: Measured | None = None  # of a stream under way
        self.plan: Plan | None = None
        self.reservation: Reservation | None = None
        self.cost_usd: Decimal | None = None  # the platform's
        self.own_cost_usd: Decimal | None = None  # the user's, on their own key

    def __enter__(self) -> Meter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Whatever left without settling is settled here as what it was."""
        if self._settled:
            return
        if isinstance(error, OpsCenterError):
            self.settle(status=error.status, error_type=error.type)
        elif self._call.exchange.gone:
            self.settle(self.measured or _UNSEEN, status=CLIENT_CLOSED, error_type="client_closed")
        elif isinstance(error, asyncio.CancelledError):
            self.settle(self.measured or _UNSEEN, status=503, error_type="shutdown")
        else:
            self.settle(status=500, error_type="internal_error")

    def settle(
        self, measured: Measured | None = None, *, status: int = 200, error_type: str | None = None
    ) -> None:
        """Price and record. `measured` is None when no provider's answer was used."""
        if self._settled:
            return
        self._settled = True
        now = time.perf_counter()
        call, principal = self._call, self._principal
        last = self.attempts[-1] if self.attempts else None
        if last is not None and last.ended is None:
            last.ended = now
            if error_type is not None and last.outcome == "success":
                last.outcome = error_type
        target = last.target if last else None
        usage, cost_usd, source, note = self._cost(measured, target)
        if last is not None:
            self._teach(last, usage, complete=status == 200 and measured is not None)
        provider = target.provider if target is not None else None
        credential_source = provider.credential_source if provider else CredentialSource.PLATFORM
        own_source: CostSource | None = None
        saved_usd: Decimal | None = None
        price_source = _price_source(target) if source in _PRICED else None
        if target is not None and credential_source is CredentialSource.BYOK:
            saved_usd = _saved(usage, target, cost_usd, source)
            self.own_cost_usd, own_source = cost_usd, source
            cost_usd, source = _FREE, CostSource.COMPUTED
        self.cost_usd = cost_usd
        first_chunk = last.first_chunk if last and call.stream else None
        begins = None if measured is None or call.replay_of else opening(self._key, call, target, usage)
        self._sink.record(
            UsageRecord(
                request_id=call.request_id,
                started_at=call.started_at,
                duration_seconds=now - call.started,
                queue_seconds=call.queue_seconds,
                endpoint=call.endpoint,
                status=status,
                stream=call.stream,
                time_to_first_chunk_seconds=None if first_chunk is None else first_chunk - call.started,
                error_type=error_type,
                finish_reason=measured.finish_reason if measured else None,
                requested_model=(call.head.model or "")[:300],
                strategy=self.plan.strategy if self.plan else None,
                api_key_id=principal.api_key_id,
                api_key_name=principal.api_key_name,
                user_id=principal.user_id,
                user_email=principal.user_email,
                team_id=principal.team_id,
                team_name=principal.team_name,
                provider_id=provider.id if provider else None,
                provider_name=provider.name if provider else None,
                provider_type=provider.spec.type if provider else None,
                model=target.model if target else None,
                credential_source=credential_source,
                usage=usage,
                cost_usd=cost_usd,
                cost_source=source,
                cost_note=note,
                price_source=price_source,
                listed_cost_usd=price_usage(usage, target.price)
                if target is not None and usage.provider_cost_usd is not None
                else None,
                own_cost_usd=self.own_cost_usd,
                own_cost_source=own_source,
                saved_usd=saved_usd,
                fallback_from=self._fallback_from(credential_source),
                tags=principal.tags,
                fingerprint=None if measured is None or call.replay_of else fingerprint(self._key, call.body),
                opening=begins[0] if begins else None,
                opening_tokens=begins[1] if begins else None,
                replay_of=call.replay_of,
                attempts=tuple([self._attempt_record(attempt, now) for attempt in self.attempts]),
                traceparent=_traceparent(call),
                plan=encoded(self.plan, call.dropped, target.price if target else None)
                if self.plan
                else NO_PLAN,
            )
        )
        if self.reservation is not None:
            self.reservation.settle(cost_usd, usage, target)

    def _teach(self, last: Attempt, usage: Usage, *, complete: bool) -> None:
        """Tell the target's health how the call went that was used; those before it failed and said so."""
        if not complete:
            last.ticket.dropped()
            return
        ended, first_chunk = last.ended or last.started, last.first_chunk
        last.ticket.finished(
            seconds=ended - last.started,
            first_chunk_seconds=first_chunk - last.started if first_chunk and self._call.stream else None,
            output_tokens=usage.output_tokens,
        )
        if usage.output_tokens:
            self._health.learn_length(self._principal.api_key_id, usage.output_tokens)
        if self.plan is not None and self.plan.conversation is not None:
            self._health.remember(self.plan.conversation, last.target.id)

    def _cost(
        self, measured: Measured | None, target: Target | None
    ) -> tuple[Usage, Decimal | None, CostSource, str | None]:
        if measured is None or target is None:
            return _NO_USAGE, _FREE, CostSource.COMPUTED, None
        usage = measured.usage
        if usage is not None:
            if usage.provider_cost_usd is not None:
                return (
                    usage,
                    round(usage.provider_cost_usd, 9),
                    CostSource.PROVIDER,
                    None,
                )  # nano-dollars, as stored
            cost = price_usage(usage, target.price)
            if cost is None:
                return usage, None, CostSource.UNKNOWN, NO_PRICE
            note = missing_rate(usage, target.price) if usage.extras and target.price else None
            return usage, cost, CostSource.COMPUTED if note is None else CostSource.ESTIMATED, note
        if not self._call.countable:
            return _by_units(target.price, getattr(measured, "units", 1))
        output_tokens = -(-measured.output_bytes // _BYTES_PER_TOKEN)
        known = measured.partial_usage
        if known is not None:
            usage = msgspec.structs.replace(known, output_tokens=max(known.output_tokens, output_tokens))
        else:
            input_tokens = self.plan.request.input_tokens if self.plan else 0
            usage = Usage(input_tokens=input_tokens, output_tokens=output_tokens)
        cost = price_usage(usage, target.price)
        note = (
            "the client left before the answer; input is estimated, output is not known and counted as none"
            if measured is _UNSEEN
            else "the provider sent no usage; tokens are estimated from the length of the text"
        )
        return usage, cost, CostSource.UNKNOWN if cost is None else CostSource.ESTIMATED, note

    def _fallback_from(self, served: CredentialSource) -> CredentialSource | None:
        """Whose credential had been asked in vain, if another's was asked last."""
        if len(self.attempts) < 2:
            return None
        asked = {attempt.target.provider.credential_source for attempt in self.attempts[:-1]}
        return next(iter(asked - {served}), None)

    def _attempt_record(self, attempt: Attempt, now: float) -> AttemptRecord:
        target = attempt.target
        return AttemptRecord(
            number=attempt.number,
            provider_id=target.provider.id,
            provider_name=target.provider.name,
            model=target.model,
            started_at=self._call.started_at + timedelta(seconds=attempt.started - self._call.started),
            duration_seconds=(attempt.ended or now) - attempt.started,
            time_to_first_chunk_seconds=None
            if attempt.first_chunk is None
            else attempt.first_chunk - attempt.started,
            status=attempt.status,
            outcome=attempt.outcome,
            detail=attempt.detail,
            credential_source=target.provider.credential_source,
        )


def _by_units(price: Price | None, units: int) -> tuple[Usage, Decimal | None, CostSource, str | None]:
    """What a call costs that counts no tokens."""
    usage = Usage(extras=Extras(units=units)) if units > 1 else _NO_USAGE
    cost = price_units(units, price)
    if cost is not None:
        return usage, cost, CostSource.COMPUTED, None
    if price is None:
        return usage, None, CostSource.UNKNOWN, NO_PRICE
    return usage, None, CostSource.UNKNOWN, NO_REQUEST_PRICE


def _traceparent(call: Call) -> str | None:
    """55 characters (https://www.w3.org/TR/trace-context/, read 2026-11); anything else is not one."""
    header = call.headers.get(b"traceparent")
    return header.decode("latin-1") if header is not None and len(header) == _TRACEPARENT_BYTES else None


_TRACEPARENT_BYTES = 55
_NO_USAGE = Usage()
_FREE = Decimal(0)
_PRICED = frozenset({CostSource.COMPUTED, CostSource.ESTIMATED})


def _saved(usage: Usage, target: Target, own_cost_usd: Decimal | None, source: CostSource) -> Decimal | None:
    """What a call on an own key would have cost the platform at its price; without one, what the user paid."""
    if source is not CostSource.PROVIDER:
        return own_cost_usd  # that was reckoned at our price already
    at_our_price = price_usage(usage, target.price)
    return own_cost_usd if at_our_price is None else at_our_price


def _price_source(target: Target | None) -> str | None:
    price = target.price if target else None
    return f"{price.source} {price.as_of}" if price else None
