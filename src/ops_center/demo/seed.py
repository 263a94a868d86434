"""Fills an empty installation for the demo, through the same services that the console uses.

Providers, people and keys are made by the control plane and audited like any other; only the history of
requests is written directly, because it never happened. Every row of it is marked `demo`.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal

import msgspec
from pydantic import SecretStr

from ops_center.control.access import Actor
from ops_center.control.api_keys import service as api_keys
from ops_center.control.api_keys.schemas import ApiKeyCreate
from ops_center.control.budgets import service as budgets
from ops_center.control.budgets.schemas import BudgetCreate
from ops_center.control.byok import own_keys
from ops_center.control.byok.schemas import ProviderKeyPut, ProviderKeyTest
from ops_center.control.context import Control
from ops_center.control.providers import service as providers
from ops_center.control.providers.schemas import ProviderCreate
from ops_center.control.users import repository as users_repository
from ops_center.control.users import service as users
from ops_center.control.users.schemas import UserCreate, UserUpdate
from ops_center.demo.company import (
    ADMIN_EMAIL,
    MONTHLY_BUDGET_USD,
    PEOPLE,
    PROGRAMS,
    PROVIDERS,
    UNUSED_KEY,
)
from ops_center.demo.traffic import KeyOwner, Served, make_traffic
from ops_center.storage.journal.ledger import Ledger
from ops_center.types import BudgetScope


class Seeded(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it. `api_key` is the secret of the admin's own key, for a first request."""

    api_key: str
    requests: int
    attempts: int


async def seed_demo(
    control: Control, simulator_urls: Mapping[str, str], *, now: datetime, days: int = 90, seed: int = 7
) -> Seeded:
    """Fill the database behind `control`, which must hold the admin `ADMIN_EMAIL` and nothing else.

    `simulator_urls`: the origin of a running simulator per provider type. The same arguments give the same
    traffic but for the ids of keys and people, which are fresh. Publishes the snapshot.
    """
    founded = now - timedelta(days=days, hours=1)
    # people, keys and providers were there before the traffic: their birthday is the clock's
    then = dataclasses.replace(control, clock=lambda: founded)
    admin = await _actor(control, ADMIN_EMAIL)
    await _add_providers(then, control, admin, simulator_urls)
    owners, admin_key = await _add_people_and_keys(then, control, admin)
    amount = Decimal(MONTHLY_BUDGET_USD)
    await budgets.create_budget(
        then, admin, BudgetCreate(scope=BudgetScope.EVERYTHING, amount_usd=amount, hard=False)
    )
    snapshot = await control.publisher.publish()
    records = list(make_traffic(PROGRAMS, owners, Served.of(snapshot.targets), now=now, days=days, seed=seed))
    await Ledger(control.database).add_demo(records)
    return Seeded(
        api_key=admin_key, requests=len(records), attempts=sum(len(record.attempts) for record in records)
    )


async def _actor(control: Control, email: str) -> Actor:
    async with control.database.read() as connection:
        user = await users_repository.by_email(connection, email)
    assert user is not None, f"the demo has no user {email}"
    return Actor(user_id=user.id, email=user.email, role=user.role, ip_address="127.0.0.1")


async def _add_providers(
    then: Control, control: Control, admin: Actor, simulator_urls: Mapping[str, str]
) -> None:
    ids = []
    for provider in PROVIDERS:
        wanted = ProviderCreate(
            type=provider.type,
            name=provider.name,
            api_key=None if provider.api_key is None else SecretStr(provider.api_key),
            base_url=simulator_urls[provider.type] + provider.path,
            priority=provider.priority,
            models=[],
            allow_private_network=True,
        )
        ids.append((await providers.create_provider(then, admin, wanted)).id)
    await control.background.finished()
    # found at the founding, looked at and tested just now
    await asyncio.gather(*(providers.refresh_models(control, provider_id) for provider_id in ids))
    for provider_id in ids:
        await providers.run_saved_test(control, admin, provider_id)


async def _add_people_and_keys(
    then: Control, control: Control, admin: Actor
) -> tuple[dict[str, KeyOwner], str]:
    for person in PEOPLE:
        wanted = UserCreate(email=person.email, name=person.name, role=person.role)
        user = await users.create_user(then, admin, wanted)
        if person.power_level is not None:
            await users.update_user(then, admin, user.id, UserUpdate(power_level=person.power_level))
        someone = await _actor(then, person.email)
        for own in person.own_keys:
            key = ProviderKeyPut(api_key=SecretStr(own.api_key), force=True)
            await own_keys.put_key(then, someone, own.type, key)
            # brought at the founding, looked at just now
            await own_keys.test_key(control, someone, own.type, ProviderKeyTest())
    owners: dict[str, KeyOwner] = {}
    for program in PROGRAMS:
        owner = await _actor(then, program.user_email)
        key_made = await api_keys.create(then, owner, ApiKeyCreate(name=program.key_name, expires_at=None))
        owners[program.key_name] = KeyOwner(
            api_key_id=key_made.id,
            api_key_name=key_made.name,
            user_id=owner.user_id,
            user_email=owner.email,
            own_types=frozenset(
                own.type for p in PEOPLE if p.email == owner.email for own in p.own_keys if own.good
            ),
        )
    name, email = UNUSED_KEY
    await api_keys.create(then, await _actor(then, email), ApiKeyCreate(name=name, expires_at=None))
    mine = await api_keys.create(control, admin, ApiKeyCreate(name="Playground", expires_at=None))
    return owners, mine.secret
