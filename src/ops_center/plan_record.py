"""A plan as the ledger keeps it: who was to be asked, who was left out and why, and what it was decided by.

Written beside the usage record, so that every request can be opened later and planned once more. Metadata
alone: never a prompt, an answer or a credential. Bounded, since each request pays for its own.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from ops_center.route_request import NO_OPTIONS, Options
from ops_center.routing import LOWER, Choice, Plan
from ops_center.types import NO_PLAN, ByokPolicy, CredentialSource, PowerLevel, Price, Strategy
from ops_center.wire.chat import Dropped

MOST_EXCLUDED = 32  # targets left out that are kept one by one; `excluded_total` counts all
_LONGEST_NAME = 300
_LONGEST_OPTIONS = 4096
_MOST_DROPPED = 50


class RecordedTarget(msgspec.Struct, frozen=True, array_like=True):
    """A target that was to be asked, with the names, price and score that it had then. New fields go last."""

    target_id: str
    provider_id: str
    provider_name: str
    model: str
    priority: int
    score: float | None
    input_nano_mtok: int | None  # nano-dollars per million tokens
    output_nano_mtok: int | None
    own_key: bool
    reason: str
    value: float | None  # what the strategy's order went by, higher is better
    cost_usd: float | None  # what the request was expected to cost there
    seconds: tuple[float, float] | None  # measured: to the first chunk, per output token
    larger: bool = False  # only for a prompt too long for those before it


class RecordedExclusion(msgspec.Struct, frozen=True, array_like=True):
    """A target left out. `momentary`: for what was so just then, such as an open circuit."""

    target_id: str
    provider_id: str
    provider_name: str
    model: str
    reason: str
    momentary: bool = False


class PlanRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One plan. What the caller's key and user were allowed is known by their ids in the usage record."""

    routing_version: int = 0  # of the routing rules that were in force
    snapshot_version: int = 0
    model: str | None = None  # as the caller wrote it
    strategy: Strategy | None = None  # None: the model was named
    power_level: PowerLevel | None = None  # in force, wherever it came from
    asked_level: PowerLevel | None = None  # by the request's header
    asked_byok_policy: ByokPolicy | None = None  # by the request's header
    needs: tuple[str, ...] = ()
    input_tokens: int = 0  # estimated
    max_output_tokens: int | None = None  # as asked for
    output_tokens: int = 0  # of the answer that costs were compared by
    options: Options | None = None  # the request's own wishes
    session: bool = False  # whether it belonged to a conversation
    home: str | None = None  # the target that held the conversation's prompt cache
    turn: int = 0  # by which equals took turns
    targets: tuple[RecordedTarget, ...] = ()
    excluded: tuple[RecordedExclusion, ...] = ()
    excluded_total: int = 0
    dropped: tuple[tuple[str, str], ...] = ()  # parameters that the provider does not take, and why
    price: Price | None = None  # of who was asked last, as it was then


def encoded(plan: Plan, dropped: Sequence[Dropped] = (), price: Price | None = None) -> msgspec.Raw:
    """The plan as JSON of a `PlanRecord`; nothing where a name cannot be written as UTF-8."""
    try:
        return msgspec.Raw(_encode(recorded(plan, dropped=dropped, price=price)))
    except UnicodeEncodeError:
        return NO_PLAN


def recorded(
    plan: Plan,
    most_excluded: int = MOST_EXCLUDED,
    *,
    lower: bool = False,
    dropped: Sequence[Dropped] = (),
    price: Price | None = None,
) -> PlanRecord:
    """`lower`: also those left out only because others rank higher, last."""
    request = plan.request
    options = request.options
    seconds = plan.speeds.seconds
    model = request.model
    return PlanRecord(
        routing_version=plan.routing_version,
        snapshot_version=plan.snapshot_version,
        model=model if model is None or len(model) <= _LONGEST_NAME else model[:_LONGEST_NAME],
        strategy=plan.strategy,
        power_level=plan.power_level,
        asked_level=request.power_level,
        asked_byok_policy=request.byok_policy,
        needs=tuple(sorted(request.needs)) if request.needs else (),
        input_tokens=request.input_tokens,
        max_output_tokens=request.max_output_tokens,
        output_tokens=plan.output_tokens,
        options=None if options is NO_OPTIONS else _bounded(options),
        session=request.session is not None,
        home=plan.home,
        turn=request.turn,
        targets=tuple([_target(choice, seconds.get(choice.target.id)) for choice in plan.choices]),
        excluded=_exclusions(plan.excluded, most_excluded, lower) if plan.excluded else (),
        excluded_total=len(plan.excluded),
        dropped=tuple([(d.parameter, d.reason) for d in dropped[:_MOST_DROPPED]]) if dropped else (),
        price=price,
    )


def decoded(text: str | bytes) -> PlanRecord:
    """Raises msgspec.DecodeError for what `encoded` did not write."""
    return _decode(text)


def _target(choice: Choice, seconds: tuple[float, float] | None) -> RecordedTarget:
    target = choice.target
    provider, price = target.provider, target.estimate
    return RecordedTarget(
        target.id,
        provider.id,
        provider.name,
        target.model,
        provider.priority,
        target.score,
        None if price is None else price.input_nano_mtok,
        None if price is None else price.output_nano_mtok,
        provider.credential_source is CredentialSource.BYOK,
        choice.reason,
        choice.value,
        choice.cost_usd,
        seconds,
        choice.larger,
    )


def _exclusions(excluded: Sequence[Choice], most: int, lower: bool) -> tuple[RecordedExclusion, ...]:
    told = [choice for choice in excluded if choice.reason is not LOWER]
    if lower:
        told += [choice for choice in excluded if choice.reason is LOWER]
    found = []
    for choice in told[:most]:
        target = choice.target
        provider = target.provider
        found.append(
            RecordedExclusion(
                target.id, provider.id, provider.name, target.model, choice.reason, choice.momentary
            )
        )
    return tuple(found)


def _bounded(options: Options) -> Options | None:
    """A caller's lists of names may be long; beyond a bound they are not kept."""
    return options if len(_encode(options)) <= _LONGEST_OPTIONS else None


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(PlanRecord).decode
