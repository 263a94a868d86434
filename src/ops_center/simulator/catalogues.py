"""The model lists that the simulated providers show, with names and prices of real models (models.json).

The prices are those of the simulated price list; the gateway under test reads them as it would read a
real provider's. Nothing here is imported by the gateway itself.
"""

from __future__ import annotations

from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import Literal, get_args

import msgspec

from ops_center.simulator.config import FAULT_KINDS, MAGIC_PREFIX, fault_of_model

Family = Literal["openai", "anthropic", "openrouter", "custom", "gemini", "bedrock", "cohere"]
FAMILIES: tuple[Family, ...] = get_args(Family)


class SimulatedModel(msgspec.Struct, frozen=True, kw_only=True):
    """One row of models.json. Prices in USD per million tokens; None where the list shows none."""

    id: str
    name: str
    created: int  # Unix seconds
    context_window: int | None = None
    max_output_tokens: int | None = None
    input_mtok: Decimal | None = None
    output_mtok: Decimal | None = None
    cache_read_mtok: Decimal | None = None
    cache_write_mtok: Decimal | None = None
    input_modalities: tuple[str, ...] = ("text",)
    tools: bool = False
    reasoning: bool = False
    dynamic_price: bool = False  # OpenRouter's routers: the list says "-1"

    def cost_usd(
        self,
        uncached_input: int,
        output: int,
        cache_read: int = 0,
        cache_write: int = 0,
        cache_write_1h: int = 0,
    ) -> Decimal | None:
        """What a call costs at this list's price; None without a price. The token counts do not overlap."""
        if self.input_mtok is None or self.output_mtok is None:
            return None
        read = self.input_mtok if self.cache_read_mtok is None else self.cache_read_mtok
        write = self.input_mtok if self.cache_write_mtok is None else self.cache_write_mtok
        total = (
            uncached_input * self.input_mtok
            + output * self.output_mtok
            + cache_read * read
            + cache_write * write
            + cache_write_1h * 2 * self.input_mtok
        )
        return total / 1_000_000


@cache
def models_of(family: Family) -> dict[str, SimulatedModel]:
    """The list of one family by model id."""
    raw = msgspec.json.decode(files("ops_center.simulator").joinpath("models.json").read_bytes())
    rows = msgspec.convert(raw[family], list[SimulatedModel], strict=False)
    return {row.id: row for row in rows}


def find(family: Family, name: str) -> SimulatedModel | None:
    """A model of the list, or one that a magic name makes up; None for neither."""
    model = models_of(family).get(name)
    if model is None and fault_of_model(name) is not None:
        return _magic(name)
    return model


def listed(family: Family, with_magic: bool) -> dict[str, SimulatedModel]:
    """What `GET /models` shows."""
    if not with_magic:
        return models_of(family)
    figures = {"status": ("400", "429", "500", "503", "529"), "slow": ("1",)}
    words = [f"{kind}-{n}" for kind in FAULT_KINDS for n in figures.get(kind, ())]
    words += [kind for kind in FAULT_KINDS if kind not in figures]
    return models_of(family) | {name: _magic(name) for word in words for name in (MAGIC_PREFIX + word,)}


def _magic(name: str) -> SimulatedModel:
    return SimulatedModel(
        id=name,
        name=name,
        created=1_700_000_000,
        context_window=128_000,
        max_output_tokens=16_384,
        input_mtok=Decimal(1),
        output_mtok=Decimal(2),
        input_modalities=("text", "image"),
        tools=True,
    )
