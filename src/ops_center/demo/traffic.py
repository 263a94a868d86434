"""Made-up traffic of a small company: who asked what, when, and what became of it. Pure and seeded.

The shape is invented (a working week, night batches, an outage); every cost is computed from the usage with
the price the snapshot holds for that model, exactly as the gateway would, and is unknown where there is no
price. Writes nothing: `seed.py` does.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import msgspec

from ops_center.catalog.names import canonical_name
from ops_center.catalog.pricing import price_usage
from ops_center.catalog.prompt_caching import cached_from_tokens
from ops_center.snapshot import Target
from ops_center.types import AttemptRecord, CostSource, CredentialSource, Usage, UsageRecord

# share of a day's calls in each hour, UTC
OFFICE = (1, 1, 1, 1, 1, 2, 6, 14, 30, 42, 48, 44, 34, 40, 46, 44, 38, 26, 14, 8, 6, 4, 2, 1)
NIGHT = (2, 40, 60, 55, 20, 4, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2)
ROUND_THE_CLOCK = (
    14,
    12,
    10,
    10,
    11,
    14,
    18,
    24,
    30,
    34,
    36,
    36,
    34,
    35,
    36,
    35,
    34,
    33,
    32,
    30,
    28,
    24,
    20,
    16,
)

MORNING = (*[0] * 7, 60, 30, *[1] * 3, *[0] * 12)  # one batch, and a few that came late

OUTAGE_DAYS_AGO = 12
OUTAGE_HOURS = (13, 15)  # UTC, start and end
_FAILURES = (
    ("provider_failed", 500),
    ("provider_failed", 503),
    ("provider_timeout", None),
    ("provider_rate_limited", 429),
)


class Program(msgspec.Struct, frozen=True, kw_only=True):
    """One application with its own API key: how often, when and what it asks."""

    key_name: str
    user_email: str
    calls_per_day: float  # on a working day at the end of the period
    hours: tuple[int, ...]
    weekend: float  # share of a working day's calls on Saturday and Sunday
    growth: float  # calls at the end of the period for one call at its start
    models: tuple[tuple[str, str, float], ...]  # provider name, model, weight
    input_tokens: int  # medians
    output_tokens: int
    cached: float = 0.0  # share of the input that a prompt cache may hold
    stream: float = 1.0
    repeats: float = 0.0  # share of the calls that send the one before again, to the byte
    opening: float = 0.0  # share of the input that all calls begin with and nobody marks for the cache
    strategy: str | None = None
    requested_model: str | None = None  # None: the model's own name


class KeyOwner(msgspec.Struct, frozen=True, kw_only=True):
    api_key_id: str
    api_key_name: str
    user_id: str
    user_email: str
    own_types: frozenset[str] = frozenset()  # types of provider that the user has an own key for


class Served(msgspec.Struct, frozen=True, kw_only=True):
    """The targets that the demo's providers really serve, found by provider and model."""

    by_place: dict[tuple[str, str], Target]
    elsewhere: dict[str, tuple[Target, ...]]  # canonical name → every target, highest priority first

    @classmethod
    def of(cls, targets: Sequence[Target]) -> Served:
        elsewhere: dict[str, tuple[Target, ...]] = {}
        for target in targets:
            name = canonical_name(target.model)
            elsewhere[name] = (*elsewhere.get(name, ()), target)
        return cls(by_place={(t.provider.name, t.model): t for t in targets}, elsewhere=elsewhere)

    def next_after(self, target: Target) -> Target | None:
        """Who else serves the same model."""
        for other in self.elsewhere[canonical_name(target.model)]:
            if other.provider.id != target.provider.id:
                return other
        return None


def make_traffic(
    programs: Sequence[Program],
    owners: dict[str, KeyOwner],
    served: Served,
    *,
    now: datetime,
    days: int,
    seed: int,
) -> Iterator[UsageRecord]:
    """Records of `days` days before `now`, day by day. The same arguments give the same records.

    A model that no provider serves is left out of its program; a program without models is silent.
    """
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    for age in range(days, -1, -1):
        day = midnight - timedelta(days=age)
        for number, program in enumerate(programs):
            # a sequence per program and day, so that one day does not depend on the others
            rng = random.Random(f"{seed}/{number}/{day.date().isoformat()}")
            places = [(served.by_place.get((p, m)), weight) for p, m, weight in program.models]
            choices = [(target, weight) for target, weight in places if target is not None]
            if not choices:
                continue
            before: UsageRecord | None = None
            marks = random.Random(f"{seed}/{number}/{day.date().isoformat()}/bodies")
            for started_at in _moments(program, day, age, days, rng):
                if now - timedelta(days=days) <= started_at < now - timedelta(seconds=30):
                    target = rng.choices([t for t, _ in choices], [w for _, w in choices])[0]
                    record = _record(program, owners[program.key_name], target, served, started_at, now, rng)
                    record = _with_opening(_with_body(record, before, program, marks), program)
                    yield record
                    before = record


def _with_body(
    record: UsageRecord, before: UsageRecord | None, program: Program, rng: random.Random
) -> UsageRecord:
    """With a fingerprint of its own, or as one who sends the request before again."""
    mark = rng.getrandbits(63)
    if (
        rng.random() < program.repeats
        and before is not None
        and (before.status, before.model, before.provider_id) == (200, record.model, record.provider_id)
        and record.status == 200
    ):
        return msgspec.structs.replace(
            record,
            fingerprint=before.fingerprint,
            usage=before.usage,
            cost_usd=before.cost_usd,
            cost_source=before.cost_source,
            own_cost_usd=before.own_cost_usd,
            saved_usd=before.saved_usd,
        )
    return msgspec.structs.replace(record, fingerprint=mark if record.status == 200 else None)


def _with_opening(record: UsageRecord, program: Program) -> UsageRecord:
    """With how it begins, where that could have been cached."""
    tokens = int(record.usage.input_tokens * program.opening)
    least = cached_from_tokens(record.model or "")
    if least is None or tokens < least or record.status != 200:
        return record
    mark = random.Random(f"{program.key_name}/{record.provider_id}/{record.model}").getrandbits(63)
    return msgspec.structs.replace(record, opening=mark, opening_tokens=tokens)


def _moments(program: Program, day: datetime, age: int, days: int, rng: random.Random) -> list[datetime]:
    grown = 1 / program.growth + (1 - 1 / program.growth) * (1 - age / days)
    weekend = program.weekend if day.weekday() >= 5 else 1.0
    count = max(0, round(program.calls_per_day * grown * weekend * rng.gauss(1, 0.12)))
    hours = rng.choices(range(24), program.hours, k=count)
    return sorted(day + timedelta(hours=hour, seconds=rng.uniform(0, 3600)) for hour in hours)


def _record(
    program: Program,
    owner: KeyOwner,
    target: Target,
    served: Served,
    started_at: datetime,
    now: datetime,
    rng: random.Random,
) -> UsageRecord:
    usage = _usage(program, target, rng)
    stream = rng.random() < program.stream
    attempts: list[AttemptRecord] = []
    at = started_at
    answered_by: Target | None = target
    if rng.random() < _failure_share(target, started_at, now):
        attempts.append(_failed(1, target, at, rng))
        at += timedelta(seconds=attempts[-1].duration_seconds)
        answered_by = served.next_after(target) if target.provider.auto_fallback else None
        if target.provider.spec.type in owner.own_types:
            answered_by = None  # never onto the platform's money: the user's switch is off
    status, error_type, finish = 200, None, "stop"
    fate = rng.random()
    if answered_by is None:
        status, error_type = _status_of(attempts[-1])
    elif fate < 0.003:
        attempts.append(_refused(len(attempts) + 1, answered_by, at, rng))
        status, error_type = 400, "invalid_request_error"
    else:
        attempts.append(_answered(len(attempts) + 1, answered_by, at, usage, stream, rng))
        if stream and fate < 0.008:
            status, error_type, finish = 499, "client_closed", ""
            usage = msgspec.structs.replace(usage, output_tokens=usage.output_tokens // 3)
        elif fate < 0.05:
            finish = "length"
    last = attempts[-1]
    duration = (last.started_at - started_at).total_seconds() + last.duration_seconds
    answerer = answered_by or target
    record = UsageRecord(
        request_id=f"req_{int(started_at.timestamp() * 1000):012x}{rng.getrandbits(56):014x}",
        started_at=started_at,
        duration_seconds=round(duration, 6),
        endpoint="messages" if rng.random() < 0.5 and _speaks_anthropic(answerer) else "chat/completions",
        status=status,
        stream=stream,
        error_type=error_type,
        requested_model=program.requested_model or target.model,
        strategy=program.strategy,
        api_key_id=owner.api_key_id,
        api_key_name=owner.api_key_name,
        user_id=owner.user_id,
        user_email=owner.user_email,
        provider_id=answerer.provider.id,
        provider_name=answerer.provider.name,
        provider_type=answerer.provider.spec.type,
        model=answerer.model,
        attempts=tuple(_on_whose_key(attempt, answerer, owner) for attempt in attempts),
        credential_source=_credential_source(answerer, owner),
    )
    if status not in (200, 499):
        return _paid_by(msgspec.structs.replace(record, cost_usd=Decimal(0), cost_source=CostSource.COMPUTED))
    first_chunk = last.time_to_first_chunk_seconds
    return _paid_by(
        _charged(
            msgspec.structs.replace(
                record,
                finish_reason=finish or None,
                time_to_first_chunk_seconds=None if first_chunk is None else first_chunk + _before(attempts),
            ),
            usage,
            answerer,
            complete=status == 200,
        )
    )


def _credential_source(target: Target, owner: KeyOwner) -> CredentialSource:
    own = target.provider.spec.type in owner.own_types
    return CredentialSource.BYOK if own else CredentialSource.PLATFORM


def _on_whose_key(attempt: AttemptRecord, answerer: Target, owner: KeyOwner) -> AttemptRecord:
    if attempt.provider_id != answerer.provider.id:
        return attempt
    return msgspec.structs.replace(attempt, credential_source=_credential_source(answerer, owner))


def _paid_by(record: UsageRecord) -> UsageRecord:
    """On a user's own key the user paid what the platform would have paid, and the platform nothing."""
    if record.credential_source is not CredentialSource.BYOK:
        return record
    return msgspec.structs.replace(
        record,
        own_cost_usd=record.cost_usd,
        own_cost_source=record.cost_source,
        saved_usd=record.cost_usd,
        cost_usd=Decimal(0),
        cost_source=CostSource.COMPUTED,
    )


def _before(attempts: Sequence[AttemptRecord]) -> float:
    return sum(attempt.duration_seconds for attempt in attempts[:-1])


def _speaks_anthropic(target: Target) -> bool:
    return target.provider.spec.format == "anthropic_messages"


def _charged(record: UsageRecord, usage: Usage, target: Target, *, complete: bool) -> UsageRecord:
    """Price the record as the gateway prices a live one."""
    cost = price_usage(usage, target.price)
    source, note = CostSource.COMPUTED, None
    if target.price is None or cost is None:
        source, note = CostSource.UNKNOWN, "this model has no price"
    elif not complete:
        source = CostSource.ESTIMATED
        note = "the provider sent no usage; tokens are estimated from the length of the text"
    elif target.provider.spec.type == "openrouter":
        # this provider bills and reports: its own word, at the price of its own list
        source = CostSource.PROVIDER
        usage = msgspec.structs.replace(usage, provider_cost_usd=cost)
    return msgspec.structs.replace(
        record,
        usage=usage,
        cost_usd=cost,
        cost_source=source,
        cost_note=note,
        price_source=f"{target.price.source} {target.price.as_of}"
        if target.price is not None and source in (CostSource.COMPUTED, CostSource.ESTIMATED)
        else None,
    )


def _usage(program: Program, target: Target, rng: random.Random) -> Usage:
    input_tokens = _spread(program.input_tokens, 0.7, rng)
    output_tokens = _spread(program.output_tokens, 0.6, rng)
    if target.max_output_tokens is not None:
        output_tokens = min(output_tokens, target.max_output_tokens)
    if target.context_window is not None:
        input_tokens = min(input_tokens, max(target.context_window - output_tokens, 16))
    cache_read = cache_write = 0
    if program.cached and target.price is not None and target.price.cache_read_mtok is not None:
        cached = int(input_tokens * program.cached)
        if rng.random() < 0.85:
            cache_read = cached
        elif _speaks_anthropic(target):
            cache_write = cached
    return Usage(
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        cache_read_tokens=cache_read,
        cache_write_tokens=cache_write,
    )


def _spread(median: int, sigma: float, rng: random.Random) -> int:
    return max(8, round(median * math.exp(rng.gauss(0, sigma))))


def _failure_share(target: Target, at: datetime, now: datetime) -> float:
    if target.provider.spec.type == "openai" and _in_outage(at, now):
        return 0.7
    return {"openrouter": 0.012, "custom": 0.02}.get(target.provider.spec.type, 0.007)


def _in_outage(at: datetime, now: datetime) -> bool:
    day = (now - timedelta(days=OUTAGE_DAYS_AGO)).date()
    return at.date() == day and OUTAGE_HOURS[0] <= at.hour < OUTAGE_HOURS[1]


def _status_of(attempt: AttemptRecord) -> tuple[int, str]:
    return {
        "provider_timeout": (504, "provider_timeout"),
        "provider_rate_limited": (429, "provider_rate_limited"),
    }.get(attempt.outcome, (503, attempt.outcome))


def _failed(number: int, target: Target, at: datetime, rng: random.Random) -> AttemptRecord:
    outcome, status = rng.choice(_FAILURES)
    seconds = rng.uniform(9.5, 10.5) if outcome == "provider_timeout" else rng.uniform(0.08, 0.9)
    return _attempt(number, target, at, seconds, status, outcome)


def _refused(number: int, target: Target, at: datetime, rng: random.Random) -> AttemptRecord:
    return _attempt(number, target, at, rng.uniform(0.05, 0.2), 400, "invalid_request_error")


def _answered(
    number: int, target: Target, at: datetime, usage: Usage, stream: bool, rng: random.Random
) -> AttemptRecord:
    first = _first_chunk_seconds(target) * math.exp(rng.gauss(0, 0.35)) + usage.input_tokens / 60_000
    seconds = first + usage.output_tokens / (_tokens_per_second(target) * math.exp(rng.gauss(0, 0.2)))
    return _attempt(number, target, at, seconds, 200, "success", first if stream else None)


def _first_chunk_seconds(target: Target) -> float:
    return {"openai": 0.38, "anthropic": 0.55, "openrouter": 0.62}.get(target.provider.spec.type, 0.18)


def _tokens_per_second(target: Target) -> float:
    """Cheap models are small and fast: 150 tokens a second at $0.1, 45 at $10 per million."""
    blended = target.blended_mtok or Decimal("0.2")
    return min(180.0, max(35.0, 97.0 - 52.0 * math.log10(max(float(blended), 0.02)) / 2))


def _attempt(
    number: int,
    target: Target,
    at: datetime,
    seconds: float,
    status: int | None,
    outcome: str,
    first_chunk: float | None = None,
) -> AttemptRecord:
    return AttemptRecord(
        number=number,
        provider_id=target.provider.id,
        provider_name=target.provider.name,
        model=target.model,
        started_at=at,
        duration_seconds=round(seconds, 6),
        time_to_first_chunk_seconds=None if first_chunk is None else round(first_chunk, 6),
        status=status,
        outcome=outcome,
    )
