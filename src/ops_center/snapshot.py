"""The configuration as the data plane sees it: one immutable value, built whole, swapped by one pointer.

The control plane builds a `Snapshot` after every change (`control/publish.py`); the data plane only
reads. It carries decrypted credentials, so it is never logged, printed or sent anywhere.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal

import msgspec

from ops_center.catalog.names import OTHER_TASKS, canonical_name
from ops_center.providers.spec import NO_OPTIONS, ProviderSpec
from ops_center.ranking import Rankings, Weights
from ops_center.types import PowerLevel, Price, Scope, Strategy


class Principal(msgspec.Struct, frozen=True, kw_only=True):
    """Who calls: an API key and the user behind it."""

    api_key_id: str
    api_key_name: str
    user_id: str
    user_email: str
    scope: Scope = Scope.INFERENCE
    power_level: PowerLevel | None = None  # the key's own, else the user's; None: the global strategy
    models: frozenset[str] | None = None  # names this key may use; None: all
    expires_at: datetime | None = None
    requests_per_minute: int | None = None
    budget_usd: Decimal | None = None


class Provider(msgspec.Struct, frozen=True, kw_only=True):
    """One configured provider with its secret, ready to be called."""

    id: str
    name: str
    spec: ProviderSpec
    base_url: str
    options: Mapping[str, str] = NO_OPTIONS
    credential: str = ""
    credential_id: str = ""
    priority: int = 50
    auto_fallback: bool = True
    allow_private_network: bool = False

    def __repr__(self) -> str:  # the credential stays out of logs and tracebacks
        return f"Provider({self.id}, {self.name!r}, {self.base_url})"


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
    strategy: Strategy = Strategy.BALANCED
    rules: Rules = Rules()
    principals: Mapping[bytes, Principal] = {}  # by SHA-256 of the secret
    targets: tuple[Target, ...] = ()  # enabled models of enabled providers, highest priority first
    by_model: Mapping[str, tuple[Target, ...]] = {}  # exact model id, and canonical name
    rankings: Rankings = msgspec.field(default_factory=lambda: Rankings((), Weights()))  # of all chat models
    by_provider: Mapping[
        str, Mapping[str, Target]
    ] = {}  # lower-cased provider name, id or type → model id → target
    aliases: Mapping[str, tuple[str, ...]] = {}  # alias → canonical names, best first


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
) -> Snapshot:
    """Index the targets by every name a client may send. Order: priority down, then price, then id."""
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
    for target in ordered:
        for name in {target.model, canonical_name(target.model)}:
            by_model.setdefault(name, []).append(target)
        for name in (target.provider.name.lower(), target.provider.id, target.provider.spec.type):
            by_provider.setdefault(name, {}).setdefault(target.model, target)
    return Snapshot(
        version=version,
        strategy=strategy,
        rules=rules,
        principals=principals,
        targets=tuple(ordered),
        by_model={name: tuple(found) for name, found in by_model.items()},
        rankings=Rankings(ordered, rules.weights),
        by_provider=by_provider,
        aliases={a.name: tuple(canonical_name(c) for c in a.candidates) for a in aliases},
    )
