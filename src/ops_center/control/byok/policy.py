"""Which policy over own keys holds: the global one, an admin's setting, tightened on the way down."""

from __future__ import annotations

from typing import ClassVar

from sqlalchemy.ext.asyncio import AsyncConnection

from ops_center.control.settings.repository import read_setting
from ops_center.control.settings.section import Section
from ops_center.types import ByokPolicy


class ByokSettings(Section):
    """`policy` holds for everybody; teams, users, API keys and requests can only tighten it."""

    key: ClassVar[str] = "byok"

    policy: ByokPolicy = ByokPolicy.BYOK_THEN_SHARED


async def global_policy(conn: AsyncConnection) -> ByokPolicy:
    return (await read_setting(conn, ByokSettings)).policy


def tightened(policy: ByokPolicy, *wishes: str | None) -> ByokPolicy:
    """`policy`, tightened by each wish in turn (of a team, of a user, then of a key)."""
    for wish in wishes:
        policy = policy.tightened(ByokPolicy(wish) if wish else None)
    return policy
