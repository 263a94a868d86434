"""Power levels as JSON: target beside measured price, what a level is for, what it picks now, who has it."""

from __future__ import annotations

from ops_center.control.fields import ResponseModel, Usd
from ops_center.control.power_levels.settings import Level
from ops_center.control.routing.schemas import PickedModel
from ops_center.types import PowerLevel, Strategy


class LevelChoice(ResponseModel):
    level: PowerLevel
    name: str
    best_for: str
    use_cases: list[str]
    example_models: list[str]
    allowed: bool


class OwnPowerLevel(ResponseModel):
    """`level`: one's own wish; null follows the global strategy. `holds`: what requests go by that say
    nothing, as a level."""

    level: PowerLevel | None
    holds: PowerLevel
    choices: list[LevelChoice]


class PowerLevelFigures(ResponseModel):
    """`measured_usd_mtok`: what a million tokens cost over the last 30 days where this level (or the strategy
    that it stands for) chose. `users`: enabled ones that have this level themselves."""

    level: PowerLevel
    name: str
    best_for: str
    use_cases: list[str]
    example_models: list[str]
    strategy: Strategy
    target_usd_mtok: Usd
    measured_usd_mtok: Usd | None
    models: list[PickedModel]
    users: int
    rule: Level


class PowerLevels(ResponseModel):
    """`users_without_level` follow the global strategy."""

    levels: list[PowerLevelFigures]
    default: PowerLevel | None
    maximum: PowerLevel
    users_without_level: int
    strategy: Strategy
