"""The section of the settings about power levels, and the bound of a user that follows from it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainSerializer

from ops_center.catalog.aliases import ALIASES
from ops_center.catalog.names import canonical_name
from ops_center.control.fields import LongName, UsdInput
from ops_center.control.settings.section import Section
from ops_center.errors import Invalid
from ops_center.snapshot import LevelRule
from ops_center.types import LEVEL_OF_STRATEGY, PowerLevel, Strategy

if TYPE_CHECKING:
    from ops_center.control.context import Control

_ALIASES = {alias.name: tuple(alias.candidates) for alias in ALIASES}


def _without_repeats(names: list[str]) -> list[str]:
    return list(dict.fromkeys(names))


class Level(BaseModel):
    """What one level chooses among. Without any bound: among everything, by its strategy.

    `models`: ids or aliases. `max_usd_mtok`: of three parts input and one part output, per million tokens.
    `min_score`: quality, 0 to 100. A model whose price or score is unknown is outside a bound on it.
    """

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    models: Annotated[list[LongName], Field(max_length=500), AfterValidator(_without_repeats)] = Field(
        default_factory=list
    )
    max_usd_mtok: Annotated[UsdInput, PlainSerializer(float, return_type=float)] | None = None
    min_score: Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)] | None = None

    def rule(self) -> LevelRule:
        """The level as routing reads it: models by their canonical names, aliases resolved."""
        names: set[str] = set()
        for name in self.models:
            names.update(canonical_name(each) for each in (name, *_ALIASES.get(name.lower(), ())))
        return LevelRule(models=frozenset(names), max_usd_mtok=self.max_usd_mtok, min_score=self.min_score)


class PowerLevelSettings(Section):
    """`default`: what a new user starts with; null: the global strategy. `maximum`: how high users may go
    who have no maximum of their own. `eco`, `balanced`, `precision`: each is replaced whole."""

    key: ClassVar[str] = "power_levels"

    default: PowerLevel | None = None
    maximum: PowerLevel = PowerLevel.PRECISION
    eco: Level = Field(default_factory=Level)
    balanced: Level = Field(default_factory=Level)
    precision: Level = Field(default_factory=Level)

    async def check(self, control: Control) -> None:
        if self.default is not None and self.default.exceeds(self.maximum):
            raise Invalid("default must not be above maximum", param="power_levels.default")

    def level(self, level: PowerLevel) -> Level:
        found: Level = getattr(self, level.value)
        return found

    def highest(self, of_user: PowerLevel | None) -> PowerLevel | None:
        """How high a user with this own maximum may go; None: as high as there is."""
        highest = of_user or self.maximum
        return None if highest is PowerLevel.PRECISION else highest

    def bounded(
        self, level: PowerLevel | None, of_user: PowerLevel | None, strategy: Strategy
    ) -> PowerLevel | None:
        """What holds of a wished level (None: the global strategy) under the user's maximum."""
        highest = self.highest(of_user)
        return highest if (level or LEVEL_OF_STRATEGY[strategy]).exceeds(highest) else level

    def rules(self) -> dict[PowerLevel, LevelRule]:
        """The levels that are narrowed."""
        found = {level: self.level(level).rule() for level in PowerLevel}
        return {level: rule for level, rule in found.items() if rule.narrows}
