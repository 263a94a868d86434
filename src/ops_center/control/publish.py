"""Builds the snapshot that the data plane reads, and swaps it in: the one way from the database down.

A build that fails changes nothing: the data plane keeps the configuration it had. Reads rows and opens
credentials; it changes no row and calls nobody.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_network
from typing import Any

import msgspec
import structlog
from sqlalchemy import Row, Text, and_, cast, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from ops_center.catalog.aliases import merged
from ops_center.catalog.facts import ModelFacts, resolve_model_facts
from ops_center.catalog.packaged import packaged_models
from ops_center.control.aliases.repository import listed as listed_aliases
from ops_center.control.bodies.settings import BodySettings
from ops_center.control.budgets.settings import LimitSettings
from ops_center.control.byok.policy import ByokSettings, tightened
from ops_center.control.power_levels.settings import PowerLevelSettings
from ops_center.control.routing.rules import rules_of, strategy_of
from ops_center.control.settings.organisation import OrganisationSettings
from ops_center.control.settings.repository import read_setting
from ops_center.providers.registry import PROVIDER_SPECS
from ops_center.providers.spec import ProviderSpec, own_place
from ops_center.snapshot import (
    Alias,
    Budget,
    OwnKeys,
    Principal,
    Provider,
    Queueing,
    Rate,
    Snapshot,
    Target,
    build_snapshot,
)
from ops_center.storage.database import Database
from ops_center.storage.secrets import SecretBox, SecretError
from ops_center.storage.tables import (
    api_keys,
    budgets,
    credentials,
    models,
    providers,
    routing_versions,
    team_members,
    teams,
    users,
)
from ops_center.types import (
    BudgetPeriod,
    BudgetScope,
    ByokPolicy,
    CredentialSource,
    PowerLevel,
    Role,
    Scope,
    TimeLimits,
)

_log = structlog.get_logger(__name__)
_SPECS: Mapping[str, ProviderSpec] = {spec.type: spec for spec in PROVIDER_SPECS}
OWN_PROVIDER_PREFIX = "own_"  # ids of the providers that only users' own keys open
_EMPTY = Snapshot(version=0)

_Row = Row[*tuple[Any, ...]]
FactsKey = tuple[str, str, str | None, str | None]  # provider type, model, both JSON columns as text


@dataclass(frozen=True, slots=True)
class _Rows:
    """Everything a snapshot is made of, as it came from the database."""

    providers: Sequence[_Row]
    credentials: Sequence[_Row]
    own_credentials: Sequence[_Row]
    models: Sequence[_Row]
    api_keys: Sequence[_Row]
    budgets: Sequence[_Row]
    aliases: Mapping[str, Sequence[str]]
    rules: Mapping[str, Any]  # of routing, as they are stored
    routing_version: int
    time_zone: str
    byok_policy: ByokPolicy
    power_levels: PowerLevelSettings
    queueing: Queueing | None
    keep_bodies: bool


class Publisher:
    """Holds the current snapshot; satisfies the data plane's `SnapshotSource`."""

    def __init__(
        self,
        database: Database,
        secrets: SecretBox,
        clock: Callable[[], datetime],
        fingerprint_key: bytes = b"",
    ) -> None:
        self._database = database
        self._fingerprint_key = fingerprint_key
        self._secrets = secrets
        self._clock = clock
        self._current = _EMPTY
        self._before_swap: Callable[[Snapshot], Awaitable[None]] | None = None
        self._after_swap: Callable[[Snapshot], Awaitable[None]] | None = None
        self._announce: Callable[[], Awaitable[None]] | None = None
        self._turn = asyncio.Lock()
        self._asked = 0  # calls of publish so far
        self._answered = 0  # of those, how many the current snapshot covers
        self._facts: dict[FactsKey, ModelFacts] = {}

    @property
    def current(self) -> Snapshot:
        return self._current

    def facts_of(self, key: FactsKey) -> ModelFacts:
        """What is believed about a model; known already where it is part of the current snapshot."""
        return self._facts.get(key) or _resolved(key)

    def before_swap(self, prepare: Callable[[Snapshot], Awaitable[None]]) -> None:
        """Let `prepare` see each new snapshot before traffic does; when it raises, traffic never will."""
        self._before_swap = prepare

    def after_swap(self, pass_on: Callable[[Snapshot], Awaitable[None]]) -> None:
        """Let `pass_on` bring each new snapshot to other processes. It must not raise."""
        self._after_swap = pass_on

    def announce_by(self, announce: Callable[[], Awaitable[None]]) -> None:
        """Let `announce` tell other servers of each change that was made here. It must not raise."""
        self._announce = announce

    async def publish(self) -> Snapshot:
        """`follow`, after a change that was made here: other servers are told before this returns."""
        current = await self.follow()
        if self._announce is not None:
            await self._announce()
        return current

    async def follow(self) -> Snapshot:
        """Build from what is committed now and swap the pointer; returns once such a snapshot is current.

        Builds come one after the other, and calls that wait while one runs share the next. Raises what
        the database raises, and then `current` is what it was.
        """
        self._asked += 1
        ticket = self._asked
        async with self._turn:
            if self._answered < ticket:
                covered = self._asked
                built = await self._build()
                if self._before_swap is not None:
                    await self._before_swap(built)
                self._current = built
                if self._after_swap is not None:
                    await self._after_swap(built)
                self._answered = covered
            return self._current

    async def imagine(self, change: Callable[[AsyncConnection], Awaitable[None]]) -> Snapshot:
        """The snapshot that would be if `change` were made. It is taken back again, and traffic sees nothing."""
        rows: _Rows | None = None
        try:
            async with self._database.write() as conn:
                await change(conn)
                rows = await self._read(conn)
                raise _TakenBack
        except _TakenBack:
            assert rows is not None
        snapshot, _ = await asyncio.to_thread(
            _assemble, rows, self._secrets, self._clock(), self._facts, self._current.version
        )
        return snapshot

    async def _build(self) -> Snapshot:
        async with self._database.read() as conn:
            rows = await self._read(conn)
        now = self._clock()
        # Thousands of models take a while to index: not on the event loop, where requests are waiting.
        snapshot, self._facts = await asyncio.to_thread(
            _assemble, rows, self._secrets, now, self._facts, self._current.version + 1
        )
        snapshot = msgspec.structs.replace(snapshot, fingerprint_key=self._fingerprint_key)
        _log.info(
            "snapshot_published",
            version=snapshot.version,
            targets=len(snapshot.targets),
            api_keys=len(snapshot.principals),
        )
        return snapshot

    async def _read(self, conn: AsyncConnection) -> _Rows:
        routing = (await conn.execute(_NEWEST_RULES)).one_or_none()
        return _Rows(
            providers=(await conn.execute(_ENABLED_PROVIDERS)).all(),
            credentials=(await conn.execute(_PLATFORM_CREDENTIALS)).all(),
            own_credentials=(await conn.execute(_OWN_CREDENTIALS)).all(),
            models=(await conn.execute(_ENABLED_MODELS)).all(),
            api_keys=(await conn.execute(_LIVING_KEYS)).all(),
            budgets=(await conn.execute(_HARD_BUDGETS)).all(),
            aliases=await listed_aliases(conn),
            rules=dict(routing.rules) if routing and routing.rules else {},
            routing_version=routing.version if routing else 0,
            time_zone=(await read_setting(conn, OrganisationSettings)).time_zone,
            byok_policy=(await read_setting(conn, ByokSettings)).policy,
            power_levels=await read_setting(conn, PowerLevelSettings),
            queueing=(await read_setting(conn, LimitSettings)).queueing,
            keep_bodies=(await read_setting(conn, BodySettings)).keep,
        )


class _TakenBack(Exception):
    """Ends a transaction that was never meant to stay."""


_NEWEST_RULES = (
    select(routing_versions.c.version, routing_versions.c.rules)
    .order_by(routing_versions.c.version.desc())
    .limit(1)
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
    providers.c.time_limits,
).where(providers.c.enabled)

_PLATFORM_CREDENTIALS = (
    select(credentials.c.id, credentials.c.provider_id, credentials.c.secret)
    .where(credentials.c.provider_id.is_not(None))
    .order_by(credentials.c.id)
)

_OWN_CREDENTIALS = (
    select(credentials.c.id, credentials.c.user_id, credentials.c.provider_type, credentials.c.secret)
    .join(users, users.c.id == credentials.c.user_id)
    .where(credentials.c.enabled, users.c.disabled_at.is_(None))
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

_HARD_BUDGETS = (
    select(budgets.c.id, budgets.c.scope, budgets.c.subject_id, budgets.c.period, budgets.c.amount_usd)
    .where(budgets.c.hard)
    .order_by(budgets.c.id)
)

_LIVING_KEYS = (
    select(
        api_keys.c.id,
        api_keys.c.name,
        api_keys.c.secret_hash,
        api_keys.c.scope,
        api_keys.c.models,
        api_keys.c.power_level,
        api_keys.c.requests_per_minute,
        api_keys.c.tokens_per_minute,
        api_keys.c.concurrent_requests,
        api_keys.c.providers,
        api_keys.c.ip_ranges,
        api_keys.c.tags,
        api_keys.c.expires_at,
        api_keys.c.previous_secret_hash,
        api_keys.c.previous_secret_ends_at,
        api_keys.c.user_id,
        users.c.email.label("user_email"),
        users.c.role.label("user_role"),
        users.c.power_level.label("user_power_level"),
        users.c.requests_per_minute.label("user_requests_per_minute"),
        users.c.tokens_per_minute.label("user_tokens_per_minute"),
        users.c.concurrent_requests.label("user_concurrent_requests"),
        users.c.power_level_max,
        users.c.byok_policy.label("user_byok_policy"),
        users.c.byok_fallback,
        api_keys.c.byok_policy,
        api_keys.c.team_id.is_not(None).label("of_service"),
        teams.c.id.label("team_id"),
        teams.c.name.label("team_name"),
        teams.c.byok_policy.label("team_byok_policy"),
    )
    .join(users, users.c.id == api_keys.c.user_id)
    .outerjoin(team_members, team_members.c.user_id == users.c.id)
    .outerjoin(teams, teams.c.id == func.coalesce(api_keys.c.team_id, team_members.c.team_id))
    .where(
        api_keys.c.revoked_at.is_(None),
        # a service key outlives the account of whoever made it, but not its team
        or_(
            and_(api_keys.c.team_id.is_(None), users.c.disabled_at.is_(None)),
            and_(api_keys.c.team_id.is_not(None), teams.c.id.is_not(None)),
        ),
    )
)


def _assemble(
    rows: _Rows, secrets: SecretBox, now: datetime, known: Mapping[FactsKey, ModelFacts], version: int
) -> tuple[Snapshot, dict[FactsKey, ModelFacts]]:
    facts: dict[FactsKey, ModelFacts] = {}
    bounds = _Budgets(rows)
    usable = _providers(rows, bounds, secrets)
    elsewhere = _own_only_providers(rows, usable)
    own_keys = _own_keys(rows.own_credentials, secrets, (*usable.values(), *elsewhere.values()))
    packaged = [
        (f"mdl_{provider.id}_{name}", provider.id, name, None, None)
        for provider in elsewhere.values()
        for name in packaged_models(provider.spec.type)
    ]
    snapshot = build_snapshot(
        version=version,
        strategy=strategy_of(rows.rules),
        rules=rules_of(rows.rules),
        routing_version=rows.routing_version,
        principals=_principals(rows, bounds, own_keys, now),
        targets=_targets(rows.models, usable, known, facts),
        levels=rows.power_levels.rules(),
        own_keys=own_keys,
        own_targets=_targets(packaged, elsewhere, known, facts),
        aliases=(Alias(name=row.name, candidates=row.candidates) for row in merged(rows.aliases)),
        budgets=bounds.all,
        time_zone=rows.time_zone,
    )
    return msgspec.structs.replace(snapshot, keep_bodies=rows.keep_bodies), facts


class _Budgets:
    """The hard budgets by whose spending they bound."""

    def __init__(self, rows: _Rows) -> None:
        names = {row.id: row.name for row in rows.providers}
        found: dict[tuple[str, str], list[Budget]] = {}
        for row in rows.budgets:
            scope = BudgetScope(row.scope)
            subject = f"the provider “{names.get(row.subject_id, '')}”"
            found.setdefault((row.scope, row.subject_id), []).append(
                Budget(
                    counter=f"{row.id}:{row.period}:{rows.time_zone}",
                    scope=scope,
                    subject_id=row.subject_id,
                    subject=_SUBJECTS.get(scope, subject),
                    amount_nano_usd=int(row.amount_usd * 1_000_000_000),
                    period=BudgetPeriod(row.period),
                    time_zone=rows.time_zone,
                )
            )
        self._found = {whose: tuple(of_one) for whose, of_one in found.items()}

    @property
    def all(self) -> list[Budget]:
        return [budget for of_one in self._found.values() for budget in of_one]

    def of(self, scope: BudgetScope, subject_id: str = "") -> tuple[Budget, ...]:
        return self._found.get((scope.value, subject_id), ())


_SUBJECTS = {
    BudgetScope.API_KEY: "this API key",
    BudgetScope.TEAM: "this team",
    BudgetScope.USER: "this user",
    BudgetScope.EVERYTHING: "this installation",
}


def _providers(rows: _Rows, bounds: _Budgets, secrets: SecretBox) -> dict[str, Provider]:
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
            time_limits=TimeLimits(**row.time_limits) if row.time_limits else None,
            budgets=bounds.of(BudgetScope.PROVIDER, row.id),
        )
    return usable


def _own_only_providers(rows: _Rows, usable: Mapping[str, Provider]) -> dict[str, Provider]:
    """Types that users have keys for and the platform has no provider of: each at its own address, which
    nobody can set, with the models of the packaged catalogue."""
    served = {provider.spec.type for provider in usable.values()}
    wanted = {row.provider_type for row in rows.own_credentials} - served
    found = {}
    for spec in PROVIDER_SPECS:
        place = own_place(spec) if spec.type in wanted else None
        if place is not None:
            provider_id = OWN_PROVIDER_PREFIX + spec.type
            found[provider_id] = Provider(
                id=provider_id,
                name=spec.name,
                spec=spec,
                base_url=place[0],
                options=place[1],
                credential_source=CredentialSource.BYOK,
            )
    return found


def _own_keys(rows: Sequence[_Row], secrets: SecretBox, providers: Sequence[Provider]) -> dict[str, OwnKeys]:
    """By user id: every provider of a type that the user has a key for, with that key."""
    of_type: dict[str, list[Provider]] = {}
    for provider in providers:
        of_type.setdefault(provider.spec.type, []).append(provider)
    opened: dict[str, dict[str, Provider]] = {}
    for row in rows:
        try:
            secret = secrets.open(row.secret, f"credential:{row.id}")
        except SecretError as error:
            _log.error("own_key_left_out", type=row.provider_type, detail=error.message)
            continue
        for provider in of_type.get(row.provider_type, ()):
            opened.setdefault(row.user_id, {})[provider.id] = msgspec.structs.replace(
                provider,
                credential=secret,
                credential_id=row.id,
                credential_source=CredentialSource.BYOK,
                budgets=(),
            )
    return {
        user_id: OwnKeys(
            providers=found,
            view=frozenset(p.spec.type for p in found.values() if p.id.startswith(OWN_PROVIDER_PREFIX)),
        )
        for user_id, found in opened.items()
    }


def _targets(
    rows: Sequence[_Row | tuple[str, str, str, str | None, str | None]],
    usable: Mapping[str, Provider],
    known: Mapping[FactsKey, ModelFacts],
    facts: dict[FactsKey, ModelFacts],
) -> Iterable[Target]:
    for model_id, provider_id, name, discovered, override in rows:
        provider = usable.get(provider_id)
        if provider is None:
            continue
        key = (provider.spec.type, name, discovered, override)
        found = facts[key] = known.get(key) or _resolved(key)
        yield Target(
            id=model_id,
            provider=provider,
            model=name,
            price=found.price,
            score=found.score,
            context_window=found.context_window,
            max_output_tokens=found.max_output_tokens,
            capabilities=found.capabilities - provider.spec.lacks,
            time_limits=_over(found.time_limits, provider.time_limits),
        )


def _resolved(key: FactsKey) -> ModelFacts:
    provider_type, name, discovered, override = key
    return resolve_model_facts(provider_type, name, decoded(discovered), decoded(override))


def _over(own: TimeLimits | None, below: TimeLimits | None) -> TimeLimits | None:
    return own.over(below) if own and below else own or below


def decoded(text: str | None) -> dict[str, Any] | None:
    """A JSON column that was read as text; None for anything but an object."""
    value = None if text is None else msgspec.json.decode(text)
    return value if isinstance(value, dict) else None


def _principals(
    rows: _Rows, bounds: _Budgets, own_keys: Mapping[str, OwnKeys], now: datetime
) -> dict[bytes, Principal]:
    principals: dict[bytes, Principal] = {}
    for row in rows.api_keys:
        if row.expires_at is not None and row.expires_at <= now:
            continue
        # A service key stands for its team alone: nothing of the user who made it holds for it.
        service = bool(row.of_service)
        user_id = row.team_id if service else row.user_id
        chosen = row.power_level or (None if service else row.user_power_level)
        highest = PowerLevel(row.power_level_max) if row.power_level_max and not service else None
        # A key of scope admin opens no more than its owner's role does today.
        admin = row.scope == Scope.ADMIN and row.user_role == Role.ADMIN and not service
        principal = Principal(
            api_key_id=row.id,
            api_key_name=row.name,
            user_id=user_id,
            user_email=team_as_user(row.team_name) if service else row.user_email,
            team_id=row.team_id,
            team_name=row.team_name,
            tags=tuple(row.tags or ()),
            scope=Scope.ADMIN if admin else Scope.INFERENCE,
            power_level=rows.power_levels.bounded(
                PowerLevel(chosen) if chosen else None, highest, strategy_of(rows.rules)
            ),
            highest_level=rows.power_levels.highest(highest),
            models=None if row.models is None else frozenset(row.models),
            expires_at=row.expires_at,
            providers=None if row.providers is None else frozenset(row.providers),
            ip_ranges=tuple(ip_network(text) for text in row.ip_ranges or ()),
            rates=tuple(_rates(row, service)),
            budgets=bounds.of(BudgetScope.API_KEY, row.id)
            + bounds.of(BudgetScope.USER, user_id)
            + (bounds.of(BudgetScope.TEAM, row.team_id) if row.team_id else ())
            + bounds.of(BudgetScope.EVERYTHING),
            byok_policy=tightened(
                rows.byok_policy,
                row.team_byok_policy,
                None if service else row.user_byok_policy,
                row.byok_policy,
            ),
            queueing=rows.queueing,
            byok_fallback=row.byok_fallback and not service,
            own_keys=None if service else own_keys.get(row.user_id),
        )
        principals[bytes(row.secret_hash)] = principal
        ends_at = row.previous_secret_ends_at
        if row.previous_secret_hash is not None and ends_at is not None and ends_at > now:
            # The same principal, and so the same counters, until the grace period of its rotation is over.
            principals[bytes(row.previous_secret_hash)] = msgspec.structs.replace(
                principal, expires_at=min(ends_at, row.expires_at or ends_at)
            )
    return principals


def team_as_user(name: str) -> str:
    """What stands in a user's place where a team's own key has called."""
    return f"{name} (team)"


def _rates(row: _Row, service: bool) -> Iterable[Rate]:
    of_key = (row.requests_per_minute, row.tokens_per_minute, row.concurrent_requests)
    of_user = (row.user_requests_per_minute, row.user_tokens_per_minute, row.user_concurrent_requests)
    if service:
        of_user = (None, None, None)
    for counter, subject, limits in (
        (f"key:{row.id}", "This API key", of_key),
        (f"user:{row.user_id}", "This user", of_user),
    ):
        if any(limit is not None for limit in limits):
            yield Rate(
                counter=counter,
                subject=subject,
                requests_per_minute=limits[0],
                tokens_per_minute=limits[1],
                concurrent_requests=limits[2],
            )
