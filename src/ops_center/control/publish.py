"""Builds the snapshot that the data plane reads, and swaps it in: the one way from the database down.

A build that fails changes nothing: the data plane keeps the configuration it had. Reads rows and opens
credentials; it changes no row and calls nobody.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
import structlog
from sqlalchemy import Row, Text, cast, select

from ops_center.catalog.aliases import ALIASES
from ops_center.catalog.facts import ModelFacts, resolve_model_facts
from ops_center.providers.registry import PROVIDER_SPECS
from ops_center.providers.spec import ProviderSpec
from ops_center.snapshot import Alias, Principal, Provider, Snapshot, Target, build_snapshot
from ops_center.storage.database import Database
from ops_center.storage.secrets import SecretBox, SecretError
from ops_center.storage.tables import api_keys, credentials, models, providers, routing_versions, users
from ops_center.types import PowerLevel, Role, Scope, Strategy

_log = structlog.get_logger(__name__)
_SPECS: Mapping[str, ProviderSpec] = {spec.type: spec for spec in PROVIDER_SPECS}
_EMPTY = Snapshot(version=0)

_Row = Row[*tuple[Any, ...]]
_FactsKey = tuple[str, str, str | None, str | None]  # provider type, model, both JSON columns as text


@dataclass(frozen=True, slots=True)
class _Rows:
    """Everything a snapshot is made of, as it came from the database."""

    providers: Sequence[_Row]
    credentials: Sequence[_Row]
    models: Sequence[_Row]
    api_keys: Sequence[_Row]
    strategy: Strategy


class Publisher:
    """Holds the current snapshot; satisfies the data plane's `SnapshotSource`."""

    def __init__(self, database: Database, secrets: SecretBox, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._secrets = secrets
        self._clock = clock
        self._current = _EMPTY
        self._turn = asyncio.Lock()
        self._asked = 0  # calls of publish so far
        self._answered = 0  # of those, how many the current snapshot covers
        self._facts: dict[_FactsKey, ModelFacts] = {}

    @property
    def current(self) -> Snapshot:
        return self._current

    async def publish(self) -> Snapshot:
        """Build from what is committed now and swap the pointer; returns once such a snapshot is current.

        Builds come one after the other, and calls that wait while one runs share the next. Raises what
        the database raises, and then `current` is what it was.
        """
        self._asked += 1
        ticket = self._asked
        async with self._turn:
            if self._answered < ticket:
                covered = self._asked
                self._current = await self._build()
                self._answered = covered
            return self._current

    async def _build(self) -> Snapshot:
        rows = await self._read()
        now = self._clock()
        # Thousands of models take a while to index: not on the event loop, where requests are waiting.
        snapshot, self._facts = await asyncio.to_thread(
            _assemble, rows, self._secrets, now, self._facts, self._current.version + 1
        )
        _log.info(
            "snapshot_published",
            version=snapshot.version,
            targets=len(snapshot.targets),
            api_keys=len(snapshot.principals),
        )
        return snapshot

    async def _read(self) -> _Rows:
        async with self._database.read() as conn:
            strategy = (
                await conn.execute(
                    select(routing_versions.c.rules).order_by(routing_versions.c.version.desc()).limit(1)
                )
            ).scalar_one_or_none()
            return _Rows(
                providers=(await conn.execute(_ENABLED_PROVIDERS)).all(),
                credentials=(await conn.execute(_PLATFORM_CREDENTIALS)).all(),
                models=(await conn.execute(_ENABLED_MODELS)).all(),
                api_keys=(await conn.execute(_LIVING_KEYS)).all(),
                strategy=_strategy(strategy),
            )


_ENABLED_PROVIDERS = select(
    providers.c.id,
    providers.c.name,
    providers.c.type,
    providers.c.base_url,
    providers.c.options,
    providers.c.priority,
    providers.c.auto_fallback,
    providers.c.allow_private_network,
).where(providers.c.enabled)

_PLATFORM_CREDENTIALS = (
    select(credentials.c.id, credentials.c.provider_id, credentials.c.secret)
    .where(credentials.c.provider_id.is_not(None))
    .order_by(credentials.c.id)
)

_ENABLED_MODELS = select(
    models.c.id,
    models.c.provider_id,
    models.c.name,
    # as text: most of them were decoded for an earlier snapshot already
    cast(models.c.discovered, Text).label("discovered"),
    cast(models.c.override, Text).label("override"),
).where(models.c.enabled)

_LIVING_KEYS = (
    select(
        api_keys.c.id,
        api_keys.c.name,
        api_keys.c.secret_hash,
        api_keys.c.scope,
        api_keys.c.models,
        api_keys.c.power_level,
        api_keys.c.requests_per_minute,
        api_keys.c.budget_usd,
        api_keys.c.expires_at,
        api_keys.c.user_id,
        users.c.email.label("user_email"),
        users.c.role.label("user_role"),
        users.c.power_level.label("user_power_level"),
    )
    .join(users, users.c.id == api_keys.c.user_id)
    .where(api_keys.c.revoked_at.is_(None), users.c.disabled_at.is_(None))
)


def _assemble(
    rows: _Rows, secrets: SecretBox, now: datetime, known: Mapping[_FactsKey, ModelFacts], version: int
) -> tuple[Snapshot, dict[_FactsKey, ModelFacts]]:
    facts: dict[_FactsKey, ModelFacts] = {}
    snapshot = build_snapshot(
        version=version,
        strategy=rows.strategy,
        principals=_principals(rows.api_keys, now),
        targets=_targets(rows.models, _providers(rows, secrets), known, facts),
        aliases=(Alias(name=alias.name, candidates=tuple(alias.candidates)) for alias in ALIASES),
    )
    return snapshot, facts


def _providers(rows: _Rows, secrets: SecretBox) -> dict[str, Provider]:
    """Enabled providers by id. One whose credential cannot be opened is left out, not fatal."""
    credential_of = {row.provider_id: row for row in rows.credentials}
    usable: dict[str, Provider] = {}
    for row in rows.providers:
        spec = _SPECS.get(row.type)
        if spec is None:
            _log.error("provider_left_out", provider=row.name, reason=f"unknown type {row.type}")
            continue
        credential = credential_of.get(row.id)
        try:
            secret = (
                "" if credential is None else secrets.open(credential.secret, f"credential:{credential.id}")
            )
        except SecretError as error:
            _log.error(
                "provider_left_out",
                provider=row.name,
                reason="its key cannot be opened",
                detail=error.message,
            )
            continue
        if spec.requires_key and not secret:
            _log.warning("provider_left_out", provider=row.name, reason="it has no key")
            continue
        usable[row.id] = Provider(
            id=row.id,
            name=row.name,
            spec=spec,
            base_url=row.base_url,
            options=row.options,
            credential=secret,
            credential_id=credential.id if credential is not None else "",
            priority=row.priority,
            auto_fallback=row.auto_fallback,
            allow_private_network=row.allow_private_network,
        )
    return usable


def _targets(
    rows: Sequence[_Row],
    usable: Mapping[str, Provider],
    known: Mapping[_FactsKey, ModelFacts],
    facts: dict[_FactsKey, ModelFacts],
) -> Iterable[Target]:
    for model_id, provider_id, name, discovered, override in rows:
        provider = usable.get(provider_id)
        if provider is None:
            continue
        key = (provider.spec.type, name, discovered, override)
        found = known.get(key)
        if found is None:
            found = resolve_model_facts(provider.spec.type, name, _decoded(discovered), _decoded(override))
        facts[key] = found
        yield Target(
            id=model_id,
            provider=provider,
            model=name,
            price=found.price,
            score=found.score,
            context_window=found.context_window,
            max_output_tokens=found.max_output_tokens,
            capabilities=found.capabilities - provider.spec.lacks,
        )


def _decoded(text: str | None) -> dict[str, Any] | None:
    value = None if text is None else msgspec.json.decode(text)
    return value if isinstance(value, dict) else None


def _principals(rows: Sequence[_Row], now: datetime) -> dict[bytes, Principal]:
    principals: dict[bytes, Principal] = {}
    for row in rows:
        if row.expires_at is not None and row.expires_at <= now:
            continue
        level = row.power_level or row.user_power_level
        # A key of scope admin opens no more than its owner's role does today.
        admin = row.scope == Scope.ADMIN and row.user_role == Role.ADMIN
        principals[bytes(row.secret_hash)] = Principal(
            api_key_id=row.id,
            api_key_name=row.name,
            user_id=row.user_id,
            user_email=row.user_email,
            scope=Scope.ADMIN if admin else Scope.INFERENCE,
            power_level=PowerLevel(level) if level else None,
            models=None if row.models is None else frozenset(row.models),
            expires_at=row.expires_at,
            requests_per_minute=row.requests_per_minute,
            budget_usd=row.budget_usd,
        )
    return principals


def _strategy(rules: Any) -> Strategy:
    chosen = rules.get("strategy") if isinstance(rules, dict) else None
    return Strategy(chosen) if chosen else Strategy.BALANCED
