"""What the power levels are at this moment: set by an admin, measured by the ledger, picked by routing.

Changing them is a change of settings (`settings/service.py`).
"""

from __future__ import annotations

from datetime import timedelta

import msgspec
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from ops_center.control.context import Control
from ops_center.control.power_levels.schemas import LevelChoice, OwnPowerLevel, PowerLevelFigures, PowerLevels
from ops_center.control.power_levels.settings import PowerLevelSettings
from ops_center.control.routing.service import TARGETS_USD_MTOK, picks
from ops_center.control.settings.repository import read_setting
from ops_center.control.usage.repository import by_strategy
from ops_center.control.usage.sums import NOTHING
from ops_center.control.usage.windows import Window
from ops_center.storage.tables import users
from ops_center.types import LEVEL_OF_STRATEGY, PowerLevel

_MONTH = timedelta(days=30)


class _About(msgspec.Struct, frozen=True):
    name: str
    best_for: str
    use_cases: tuple[str, ...]
    example_models: tuple[str, ...]  # aliases, as people know them


_ABOUT = {
    PowerLevel.ECO: _About(
        "Eco Mode",
        "High-volume, simple tasks",
        ("Bulk data processing", "Simple Q&A"),
        ("llama-3-8b", "mixtral-8x7b"),
    ),
    PowerLevel.BALANCED: _About(
        "Balanced Mode", "General purpose", ("Most user interactions",), ("gpt-4o-mini", "claude-haiku")
    ),
    PowerLevel.PRECISION: _About(
        "Precision Mode",
        "Complex reasoning",
        ("Advanced analysis", "Coding", "Research"),
        ("gpt-4", "claude-opus"),
    ),
}


async def get_power_levels(control: Control) -> PowerLevels:
    await control.drain_journal()
    async with control.database.read() as conn:
        settings = await read_setting(conn, PowerLevelSettings)
        measured = await by_strategy(conn, Window.last(_MONTH, control.clock()))
        counts = await _users_by_level(conn)
    snapshot = control.publisher.current
    return PowerLevels(
        levels=[
            PowerLevelFigures(
                level=level,
                name=about.name,
                best_for=about.best_for,
                use_cases=list(about.use_cases),
                example_models=list(about.example_models),
                strategy=level.strategy,
                target_usd_mtok=TARGETS_USD_MTOK[level.strategy],
                measured_usd_mtok=measured.get(level.strategy.value, NOTHING).average_mtok,
                models=picks(snapshot, level),
                users=counts.get(level.value, 0),
                rule=settings.level(level),
            )
            for level, about in _ABOUT.items()
        ],
        default=settings.default,
        maximum=settings.maximum,
        users_without_level=counts.get(None, 0),
        strategy=snapshot.strategy,
    )


async def get_own_power_level(control: Control, user_id: str) -> OwnPowerLevel:
    """One's own level, and how high one may go. It is changed with one's profile."""
    async with control.database.read() as conn:
        settings = await read_setting(conn, PowerLevelSettings)
        row = (
            await conn.execute(
                select(users.c.power_level, users.c.power_level_max).where(users.c.id == user_id)
            )
        ).one()
    wished = PowerLevel(row.power_level) if row.power_level else None
    maximum = PowerLevel(row.power_level_max) if row.power_level_max else None
    strategy = control.publisher.current.strategy
    highest = settings.highest(maximum)
    return OwnPowerLevel(
        level=wished,
        holds=settings.bounded(wished, maximum, strategy) or LEVEL_OF_STRATEGY[strategy],
        choices=[
            LevelChoice(
                level=level,
                name=about.name,
                best_for=about.best_for,
                use_cases=list(about.use_cases),
                example_models=list(about.example_models),
                allowed=not level.exceeds(highest),
            )
            for level, about in _ABOUT.items()
        ],
    )


async def _users_by_level(conn: AsyncConnection) -> dict[str | None, int]:
    query = (
        select(users.c.power_level, func.count().label("users"))
        .where(users.c.disabled_at.is_(None))
        .group_by(users.c.power_level)
    )
    return {row.power_level: row.users for row in await conn.execute(query)}
