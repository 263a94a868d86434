"""The configuration as the data plane sees it: one immutable value, built whole, swapped by one pointer.

The control plane builds a `Snapshot` after every change (`control/publish.py`); the data plane only
reads. It carries decrypted credentials, so it is never logged, printed or sent anywhere.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from ipaddress import IPv4Network, IPv6Network

import msgspec

from ops_center.catalog.names import OTHER_TASKS, canonical_name
from ops_center.providers.spec import NO_OPTIONS, ProviderSpec
from ops_center.ranking import Rankings, Weights
from ops_center.types import (
    BudgetPeriod,
    BudgetScope,
    ByokPolicy,
    CredentialSource,
    PowerLevel,
    Price,
    Scope,
    Strategy,
    TimeLimits,
)

IpNetwork = IPv4Network | IPv6Network


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """A hard bound on what one subject spends in a calendar period. Soft ones never reach the data plane."""

    counter: str  # what its spending is counted under: it changes with whatever makes the count another one
    scope: BudgetScope
    subject_id: str = ""  # none for everything
    subject: str  # for a sentence: "this API key"
    amount_nano_usd: int
    period: BudgetPeriod
    time_zone: str = "UTC"


class Rate(msgspec.Struct, frozen=True, kw_only=True):
    """How fast one subject may go; each of the three may be absent. Minutes slide."""

    counter: str
    subject: str
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    concurrent_requests: int | None = None


class Queueing(msgspec.Struct, frozen=True, kw_only=True):
    """How a request may wait for a place in a limit instead of being refused."""

    seconds: float
    per_key: int  # requests that may wait at once
    in_all: int


class Principal(msgspec.Struct, frozen=True, kw_only=True):
    """Who calls: an API key and the user behind it; behind a service key, its team in the user's place."""

    api_key_id: str
    api_key_name: str
    user_id: str
    user_email: str
    team_id: str | None = None
    team_name: str | None = None
    tags: tuple[str, ...] = ()  # of the key, for its records
    scope: Scope = Scope.INFERENCE
    power_level: PowerLevel | None = None  # the key's own, else the user's; None: the global strategy
    highest_level: PowerLevel | None = None  # what key and request may choose at most; None: any
    models: frozenset[str] | None = None  # names this key may use; None: all
    expires_at: datetime | None = None
    providers: frozenset[str] | None = None  # ids of the providers this key may use; None: all
    ip_ranges: tuple[IpNetwork, ...] = ()  # where its calls must come from; none: anywhere
    # every limit that a call of this key takes a place in, its user's and everybody's included
    rates: tuple[Rate, ...] = ()
    budgets: tuple[Budget, ...] = ()
    queueing: Queueing | None = None  # None: what is over a limit is refused
    byok_policy: ByokPolicy = ByokPolicy.BYOK_THEN_SHARED  # global, team, user and key taken together
    byok_fallback: bool = False  # the user's switch: after an own key failed, the platform's may serve
    own_keys: OwnKeys | None = None  # the user's own credentials at providers


class Credential(msgspec.Struct, frozen=True, kw_only=True):
    """One key of a provider. `weight`: its share of the requests among the provider's keys."""

    id: str
    secret: str
    weight: int = 1

    def __repr__(self) -> str:  # the secret stays out of logs and tracebacks
        return f"Credential({self.id})"


class Provider(msgspec.Struct, frozen=True, kw_only=True):
    """One configured provider with its secret, ready to be called."""

    id: str
    name: str
    spec: ProviderSpec
    base_url: str
    options: Mapping[str, str] = NO_OPTIONS
    credential: str = ""
    credential_id: str = ""
    credential_source: CredentialSource = CredentialSource.PLATFORM
    credentials: tuple[Credential, ...] = ()  # all of them, the one above first
    priority: int = 50
    auto_fallback: bool = True
    allow_private_network: bool = False
    time_limits: TimeLimits | None = None
    budgets: tuple[Budget, ...] = ()

    def __post_init__(self) -> None:
        first = self.credentials[0] if self.credentials else None
        if first is None or (first.id, first.secret) != (self.credential_id, self.credential):
            # Also of a copy with another credential: nobody's request may go out with somebody else's key.
            only = Credential(id=self.credential_id or self.id, secret=self.credential)
            msgspec.structs.force_setattr(self, "credentials", (only,))

    def __repr__(self) -> str:  # the credential stays out of logs and tracebacks
        return f"Provider({self.id}, {self.name!r}, {self.base_url})"


class LevelRule(msgspec.Struct, frozen=True, kw_only=True):
    """What a power level chooses among; without any bound, among everything."""

    models: frozenset[str] = frozenset()  # canonical names; empty: all
    max_usd_mtok: Decimal | None = None  # of three parts input and one part output
    min_score: float | None = None

    @property
    def narrows(self) -> bool:
        """Whether it shuts out anything at all."""
        return bool(self.models) or self.max_usd_mtok is not None or self.min_score is not None

    def why_not(self, target: Target) -> str | None:
        """Why a target is outside; an unknown price or score is outside a bound on it."""
        if self.models and not {target.model, canonical_name(target.model)} & self.models:
            return "not among the models of this power level"
        if self.max_usd_mtok is not None:
            price = target.blended_mtok
            if price is None or price > self.max_usd_mtok:
                return f"its price is above this power level's ${self.max_usd_mtok:f} per 1M tokens"
        if self.min_score is not None and (target.score is None or target.score < self.min_score):
            return f"its score is below this power level's {self.min_score:g}"
        return None


class OwnKeys(msgspec.Struct, frozen=True, kw_only=True):
    """What the keys that one user brought open."""

    providers: Mapping[str, Provider]  # by provider id: the same provider with the user's key
    view: frozenset[str] = frozenset()  # types that the platform has no provider of; see Snapshot.views


class Estimate(msgspec.Struct, frozen=True):
    """A price in whole numbers: nano-dollars per million tokens, and per request."""

    input_nano_mtok: int
    output_nano_mtok: int
    request_nano: int
    tiers: tuple[tuple[int, int, int], ...]  # above so many input tokens: input, output

    @classmethod
    def of(cls, price: Price) -> Estimate:
        return cls(
            _nano(price.input_mtok),
            _nano(price.output_mtok),
            _nano(price.request_usd),
            tuple((t.above_input_tokens, _nano(t.input_mtok), _nano(t.output_mtok)) for t in price.tiers),
        )

    def nano_usd(self, input_tokens: int, output_tokens: int) -> int:
        """What a request of this size costs, without any discount for cached input; rounded up."""
        into, out = self.input_nano_mtok, self.output_nano_mtok
        for above, tier_input, tier_output in self.tiers:
            if input_tokens > above:
                into, out = tier_input, tier_output
        return -(-(input_tokens * into + output_tokens * out) // 1_000_000) + self.request_nano


def _nano(usd: Decimal) -> int:
    return int(usd * 1_000_000_000)


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """One model at one provider: what a plan is made of."""

    id: str  # the model's id in the catalogue, `mdl_...`
    provider: Provider
    model: str  # the provider's own model id
    price: Price | None = None
    score: float | None = None  # quality, 0 to 100
    context_window: int | None = None
    max_output_tokens: int | None = None
    capabilities: frozenset[str] = frozenset()  # tools, vision, structured_output, reasoning, ...
    # Formats it can be called in, the first for callers of any other; () is filled from the provider's row.
    formats: tuple[str, ...] = ()

    time_limits: TimeLimits | None = None  # its own over its provider's; None: the installation's hold
    # the price in nano-dollars per million tokens, for estimates that must be quick; None without one
    estimate: Estimate | None = None

    def __post_init__(self) -> None:
        if not self.formats:
            msgspec.structs.force_setattr(self, "formats", self.provider.spec.formats_of(self.model))
        if self.price is not None:
            msgspec.structs.force_setattr(self, "estimate", Estimate.of(self.price))

    def format_for(self, client_format: str) -> str:
        """The format in which a caller of `client_format` is served: its own where that is possible."""
        return client_format if client_format in self.formats else self.formats[0]

    @property
    def chat(self) -> bool:
        """Whether it answers conversations; models that only embed, draw, speak or judge do not."""
        return not (self.capabilities & OTHER_TASKS)

    @property
    def blended_mtok(self) -> Decimal | None:
        """One figure to compare prices by: three parts input, one part output; None without a price."""
        if self.price is None:
            return None
        return (3 * self.price.input_mtok + self.price.output_mtok) / 4


class Alias(msgspec.Struct, frozen=True, kw_only=True):
    """A name of ours that stands for the first of `candidates` somebody serves."""

    name: str
    candidates: tuple[str, ...]


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """How the admin wants requests to be routed, beside the strategy itself."""

    weights: Weights = Weights()
    replace_named: bool = False  # the strategy may choose for requests that name a model, too
    larger_window: bool = False  # a prompt too long for one model may go to one with a larger window
    retries: int = 1  # further tries on the last target of a plan, where they can help


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    version: int
    routing_version: int = 0  # of the routing rules, as their history counts
    strategy: Strategy = Strategy.BALANCED
    rules: Rules = Rules()
    principals: Mapping[bytes, Principal] = {}  # by SHA-256 of the secret
    targets: tuple[Target, ...] = ()  # enabled models of enabled providers, highest priority first
    by_model: Mapping[str, tuple[Target, ...]] = {}  # exact model id, and canonical name
    rankings: Rankings = msgspec.field(default_factory=lambda: Rankings((), Weights()))  # of all chat models
    by_provider: Mapping[
        str, Mapping[str, Target]
    ] = {}  # lower-cased provider name, id or type → model id → target
    by_task: Mapping[str, tuple[Target, ...]] = {}  # capability beside chat → models that have it
    aliases: Mapping[str, tuple[str, ...]] = {}  # alias → canonical names, best first
    keep_bodies: bool = False  # whether prompts and answers are noted
    fingerprint_key: bytes = b""  # of the installation, secret; none: requests get no fingerprints
    budgets: tuple[Budget, ...] = ()  # every hard one, whoever it belongs to
    time_zone: str = "UTC"  # the organisation's, whose calendar budgets follow
    levels: Mapping[PowerLevel, LevelRule] = {}  # those that an admin has narrowed
    level_rankings: Mapping[PowerLevel, Rankings] = {}  # of what they leave
    # The same configuration with providers added that the platform has none of but users have keys for, by
    # the types added.
    views: Mapping[frozenset[str], Snapshot] = {}
    own_keys: Mapping[str, OwnKeys] = {}  # by user id

    def seen_by(self, principal: Principal) -> Snapshot:
        """What `principal` can ask for: the platform's models, and those that own keys open besides."""
        own = principal.own_keys
        return self.views.get(own.view, self) if own is not None and own.view else self


def api_key_digest(secret: str | bytes) -> bytes:
    """SHA-256 of an API key: 256 bits of our own randomness need no slow hash."""
    return hashlib.sha256(secret if isinstance(secret, bytes) else secret.encode()).digest()


def build_snapshot(
    *,
    version: int,
    strategy: Strategy,
    principals: Mapping[bytes, Principal],
    targets: Iterable[Target],
    aliases: Iterable[Alias] = (),
    rules: Rules = Rules(),
    routing_version: int = 0,
    budgets: Iterable[Budget] = (),
    time_zone: str = "UTC",
    levels: Mapping[PowerLevel, LevelRule] | None = None,
    own_keys: Mapping[str, OwnKeys] | None = None,
    own_targets: Iterable[Target] = (),
) -> Snapshot:
    """Index the targets by every name a client may send. Order: priority down, then price, then id.

    `own_targets`: models of providers that only users' own keys open; they are in the views alone.
    """
    targets, aliases, budgets, own_keys = tuple(targets), tuple(aliases), tuple(budgets), own_keys or {}
    by_type: dict[str, list[Target]] = {}
    for target in own_targets:
        by_type.setdefault(target.provider.spec.type, []).append(target)
    views = {
        view: build_snapshot(
            version=version,
            strategy=strategy,
            principals=principals,
            targets=(*targets, *(target for each in view for target in by_type.get(each, ()))),
            aliases=aliases,
            rules=rules,
            routing_version=routing_version,
            levels=levels,
            budgets=budgets,
            time_zone=time_zone,
        )
        for view in {own.view for own in own_keys.values()}
        if view
    }
    ordered = sorted(
        targets,
        key=lambda t: (
            -t.provider.priority,
            t.blended_mtok is None,
            t.blended_mtok or Decimal(0),
            t.provider.id,
            t.model,
        ),
    )
    by_model: dict[str, list[Target]] = {}
    by_provider: dict[str, dict[str, Target]] = {}
    by_task: dict[str, list[Target]] = {}
    for target in ordered:
        for name in {target.model, canonical_name(target.model)}:
            by_model.setdefault(name, []).append(target)
        for task in target.capabilities & OTHER_TASKS:
            by_task.setdefault(task, []).append(target)
        for name in (target.provider.name.lower(), target.provider.id, target.provider.spec.type):
            by_provider.setdefault(name, {}).setdefault(target.model, target)
    return Snapshot(
        version=version,
        routing_version=routing_version,
        strategy=strategy,
        rules=rules,
        principals=principals,
        targets=tuple(ordered),
        by_model={name: tuple(found) for name, found in by_model.items()},
        rankings=Rankings(ordered, rules.weights),
        by_provider=by_provider,
        by_task={task: tuple(found) for task, found in by_task.items()},
        aliases={a.name: tuple(canonical_name(c) for c in a.candidates) for a in aliases},
        budgets=budgets,
        time_zone=time_zone,
        levels=levels or {},
        level_rankings={
            level: Rankings([t for t in ordered if rule.why_not(t) is None], rules.weights)
            for level, rule in (levels or {}).items()
            if rule.narrows
        },
        views=views,
        own_keys=own_keys,
    )
