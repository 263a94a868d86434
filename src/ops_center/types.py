"""The values that every floor shares: usage, cost, records, prices. No behaviour, no I/O.

Everything here is an immutable msgspec struct, so it can be written to the journal, published in a
snapshot or handed between planes without copying. Money is `Decimal` in USD, prices are USD per million
tokens (`_mtok`), instants are aware datetimes, durations are float seconds.
"""

from __future__ import annotations

import random
import time
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

import msgspec


class Strategy(StrEnum):
    """How a target is chosen when the caller leaves the choice to us."""

    COST = "cost"
    BALANCED = "balanced"
    QUALITY = "quality"


class PowerLevel(StrEnum):
    """A user's, key's or request's own wish; mirrors the three strategies one to one."""

    ECO = "eco"
    BALANCED = "balanced"
    PRECISION = "precision"

    @property
    def strategy(self) -> Strategy:
        return _STRATEGY_OF_LEVEL[self]

    def exceeds(self, maximum: PowerLevel | None) -> bool:
        """Whether this level is above `maximum` (None: no bound)."""
        return maximum is not None and _RANK_OF_LEVEL[self] > _RANK_OF_LEVEL[maximum]


_STRATEGY_OF_LEVEL = {
    PowerLevel.ECO: Strategy.COST,
    PowerLevel.BALANCED: Strategy.BALANCED,
    PowerLevel.PRECISION: Strategy.QUALITY,
}
_RANK_OF_LEVEL = {level: rank for rank, level in enumerate(PowerLevel)}
LEVEL_OF_STRATEGY = {strategy: level for level, strategy in _STRATEGY_OF_LEVEL.items()}


class Role(StrEnum):
    ADMIN = "admin"
    OPERATOR = "operator"
    USER = "user"
    VIEWER = "viewer"


class Scope(StrEnum):
    """What an API key may open: the data plane only, or the control API too."""

    INFERENCE = "inference"
    ADMIN = "admin"


class BudgetScope(StrEnum):
    """Whose spending a budget bounds."""

    EVERYTHING = "everything"
    PROVIDER = "provider"
    TEAM = "team"
    USER = "user"
    API_KEY = "api_key"


class BudgetPeriod(StrEnum):
    """Calendar periods, in the organisation's time zone; weeks begin on Monday."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"


class CostSource(StrEnum):
    """Where a cost comes from; shown beside every figure."""

    PROVIDER = "provider"  # billed by the provider and reported in its answer
    COMPUTED = "computed"  # measured tokens x known price
    ESTIMATED = "estimated"  # tokens counted by us; the record's cost_note says why
    UNKNOWN = "unknown"  # no price: never shown as $0


class CredentialSource(StrEnum):
    PLATFORM = "platform"
    BYOK = "byok"


class ByokPolicy(StrEnum):
    """Whose credentials may serve, and whose are asked first: the user's own (byok) or the platform's (shared)."""

    BYOK_ONLY = "byok_only"
    BYOK_THEN_SHARED = "byok_then_shared"
    SHARED_THEN_BYOK = "shared_then_byok"
    SHARED_ONLY = "shared_only"

    @property
    def tighter(self) -> frozenset[ByokPolicy]:
        """What a lower level may put in its place: never a credential, or a turn on the platform's money,
        that this one does not give. Holds itself."""
        return _TIGHTER[self]

    def tightened(self, lower: ByokPolicy | None) -> ByokPolicy:
        """The policy that holds where a lower level wishes for `lower`; a wish that loosens has no effect."""
        return lower if lower is not None and lower in _TIGHTER[self] else self


_TIGHTER: dict[ByokPolicy, frozenset[ByokPolicy]] = {
    ByokPolicy.BYOK_ONLY: frozenset({ByokPolicy.BYOK_ONLY}),
    ByokPolicy.BYOK_THEN_SHARED: frozenset({ByokPolicy.BYOK_THEN_SHARED, ByokPolicy.BYOK_ONLY}),
    ByokPolicy.SHARED_THEN_BYOK: frozenset(ByokPolicy),
    ByokPolicy.SHARED_ONLY: frozenset({ByokPolicy.SHARED_ONLY}),
}


class Extras(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What few calls have: tokens and other things billed at rates of their own. The tokens are part of
    `Usage.input_tokens` and `output_tokens`."""

    input_audio_tokens: int = 0
    output_audio_tokens: int = 0
    input_image_tokens: int = 0
    input_audio_seconds: int = 0  # of sound that is billed by its length; its tokens are counted nowhere
    web_searches: int = 0  # made by the provider's own tool
    tool_calls: dict[str, int] = {}  # of the provider's other tools that it bills by the call or the hour
    units: int = 0  # what a price per request counts, of an answer without tokens: pictures, searches
    service_tier: str | None = None  # in the provider's word, where it is not the ordinary one


class Usage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Tokens of one call. `input_tokens` includes cached ones, `output_tokens` includes reasoning."""

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0  # all cache writes, the one-hour ones included
    cache_write_1h_tokens: int = 0
    reasoning_tokens: int = 0
    provider_cost_usd: Decimal | None = None  # what the provider says it billed (OpenRouter: usage.cost)
    extras: Extras | None = None  # None: nothing of the kind


class PriceTier(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Prices that apply to the whole request once its input is larger than `above_input_tokens`."""

    above_input_tokens: int
    input_mtok: Decimal
    output_mtok: Decimal
    cache_read_mtok: Decimal | None = None
    cache_write_mtok: Decimal | None = None
    cache_write_1h_mtok: Decimal | None = None


class Price(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """USD per million tokens, with the place and the day the figure was taken from."""

    input_mtok: Decimal
    output_mtok: Decimal
    cache_read_mtok: Decimal | None = None  # None: cached input is billed as ordinary input
    cache_write_mtok: Decimal | None = None
    cache_write_1h_mtok: Decimal | None = None
    reasoning_mtok: Decimal | None = None  # None: reasoning is billed as ordinary output
    input_audio_mtok: Decimal | None = None  # None: not known
    output_audio_mtok: Decimal | None = None
    input_image_mtok: Decimal | None = None  # None: pictures are billed as ordinary input
    input_audio_minute_usd: Decimal | None = None  # sound that is billed by its length; None: not known
    request_usd: Decimal = Decimal(0)
    web_search_usd: Decimal | None = None  # each; None: not known
    web_search_once: bool = False  # a request pays for one search, however many it made
    web_search_doubt: str | None = None  # why the invoice may say less or more, a word of `pricing.DOUBTS`
    tool_call_usd: dict[str, Decimal] = {}  # each call of another tool of the provider's; absent: not known
    service_tiers: dict[str, Decimal] = {}  # which part of all token prices such a tier costs
    tiers: tuple[PriceTier, ...] = ()  # ascending by above_input_tokens
    source: str  # "provider", "override", "models.dev", ...
    as_of: str  # ISO date of the source


class TimeLimits(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How long one call to a provider may take, in seconds; None: what the level below says.

    `first_chunk_seconds` is of streams; a whole answer has `total_seconds`, from sending to the last byte.
    """

    connect_seconds: float | None = None
    first_chunk_seconds: float | None = None
    chunk_seconds: float | None = None  # between two chunks
    total_seconds: float | None = None

    def over(self, below: TimeLimits) -> TimeLimits:
        """These, and where they say nothing, those of `below`."""
        return TimeLimits(
            connect_seconds=_first(self.connect_seconds, below.connect_seconds),
            first_chunk_seconds=_first(self.first_chunk_seconds, below.first_chunk_seconds),
            chunk_seconds=_first(self.chunk_seconds, below.chunk_seconds),
            total_seconds=_first(self.total_seconds, below.total_seconds),
        )


def _first(value: float | None, otherwise: float | None) -> float | None:
    return otherwise if value is None else value


class AttemptRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One call to one provider, as it was then."""

    number: int  # from 1
    provider_id: str
    provider_name: str
    model: str
    started_at: datetime
    duration_seconds: float
    time_to_first_chunk_seconds: float | None = None
    status: int | None = None  # the provider's HTTP status; None when no answer arrived
    outcome: str  # "success" or an error type of errors.py
    detail: str | None = None  # for the operator; never a fragment of a body or a secret
    credential_source: CredentialSource = CredentialSource.PLATFORM


NO_PLAN = msgspec.Raw()  # itself, and no other empty one, is left out when a record is encoded


class UsageRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One request of a client, whatever became of it. Written once, to the journal, before its last byte."""

    request_id: str
    started_at: datetime
    duration_seconds: float
    queue_seconds: float | None = None  # of it, waited for a place in a limit; None: not at all
    endpoint: str  # "chat/completions", "messages", ...
    status: int  # what the client got; 499 when it went away first
    stream: bool = False
    time_to_first_chunk_seconds: float | None = None
    error_type: str | None = None
    finish_reason: str | None = None

    requested_model: str = ""
    strategy: str | None = None  # set when the strategy or a power level chose the model
    api_key_id: str = ""
    api_key_name: str = ""
    user_id: str = ""
    user_email: str = ""
    team_id: str | None = None  # whose the key is, or the team of its user then
    team_name: str | None = None

    provider_id: str | None = None  # who answered (or was asked last)
    provider_name: str | None = None
    provider_type: str | None = None
    model: str | None = None  # the provider's own model id
    credential_source: CredentialSource = CredentialSource.PLATFORM

    usage: Usage = Usage()
    cost_usd: Decimal | None = None  # what the platform pays; None: unknown, 0 on a user's own key
    cost_source: CostSource = CostSource.UNKNOWN
    cost_note: str | None = None
    price_source: str | None = None  # "models.dev 2026-07-02"
    listed_cost_usd: Decimal | None = None  # beside a cost of the provider's: the same at the price we know
    # on a user's own key only: what the user paid, where that figure comes from, and what the platform
    # would have paid for the same tokens at its price
    own_cost_usd: Decimal | None = None  # None: unknown
    own_cost_source: CostSource | None = None
    saved_usd: Decimal | None = None  # None: unknown
    fallback_from: CredentialSource | None = None  # whose credential had failed before the other's served
    tags: tuple[str, ...] = ()  # of the API key
    # equal for requests with the same body; made with a key of the installation, so that it reveals nothing of it
    fingerprint: int | None = None
    opening: int | None = (
        None  # equal where the provider could have cached the same beginning, had it been marked
    )
    opening_tokens: int | None = None  # of that beginning, estimated
    replay_of: str | None = None  # the request that an admin had sent again

    attempts: tuple[AttemptRecord, ...] = ()
    traceparent: str | None = None  # the caller's W3C trace context
    plan: msgspec.Raw = NO_PLAN  # JSON of a `plan_record.PlanRecord`


class KeptCall(msgspec.Struct, frozen=True, array_like=True, tag=9):
    """What one request and its answer said, as they came: on its way to be redacted and sealed, in memory alone.
    The sizes are those of the whole, of which the beginning may be all there is."""

    request_id: str
    started_at: datetime
    client_format: str
    request: bytes
    request_size: int
    request_type: str
    answer: bytes
    answer_size: int
    answer_type: str

    def __repr__(self) -> str:  # prompts stay out of logs and tracebacks
        return f"KeptCall({self.request_id})"


def new_id(prefix: str) -> str:
    """A fresh id such as `req_019a...`: 12 hex digits of Unix milliseconds, then 14 random ones.

    Ids of one kind sort by the moment they were made, to the millisecond.
    """
    return f"{prefix}_{time.time_ns() // 1_000_000:012x}{_random.getrandbits(56):014x}"


_random = random.Random()  # seeded by the system; an id names something and is no secret
