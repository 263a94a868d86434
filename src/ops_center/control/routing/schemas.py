"""The routing strategy, and the explanation of one route, as JSON."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from ops_center.control.fields import Instant, RequestModel, ResponseModel, Usd
from ops_center.types import PowerLevel, Strategy

Weight = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class PickedModel(ResponseModel):
    provider: str
    model: str
    blended_mtok: Usd | None
    """USD per million tokens, three parts input and one part output."""


class StrategyFigures(ResponseModel):
    """`measured_usd_mtok`: what a million tokens cost over the last 30 days under this strategy."""

    target_usd_mtok: Usd
    measured_usd_mtok: Usd | None
    models: list[PickedModel]
    """What it would pick now, the first choice first."""


class Strategies(ResponseModel):
    cost: StrategyFigures
    balanced: StrategyFigures
    quality: StrategyFigures


class BalanceWeights(ResponseModel):
    """What `balanced` makes of price, speed and quality."""

    price: float
    speed: float
    quality: float


class RoutingRules(ResponseModel):
    strategy: Strategy
    weights: BalanceWeights
    replace_named: bool
    """The strategy chooses for requests that name a model, too."""
    larger_window: bool
    """A prompt too long for the models asked may go to one with a larger context window."""
    retries: int
    """How often the last target of a plan may be asked once more, where that can help."""
    version: int
    """Counts changes; 0 before the first."""
    updated_at: Instant | None
    strategies: Strategies


class WeightsInput(RequestModel):
    """Each from 0 to 1, together 1."""

    price: Weight
    speed: Weight
    quality: Weight


class RoutingRulesUpdate(RequestModel):
    """Merged into what is set; what is left out stays."""

    strategy: Strategy | None = None
    weights: WeightsInput | None = None
    replace_named: Annotated[bool, Field(strict=True)] | None = None
    larger_window: Annotated[bool, Field(strict=True)] | None = None
    retries: Annotated[int, Field(strict=True, ge=0, le=5)] | None = None


class RouteExplain(RequestModel):
    """A request as it would be sent, to be planned and not sent. `user_id`: as this user would send it.

    `input_tokens` takes the place of the estimate from `messages` and `tools`."""

    model: Annotated[str, Field(max_length=300)] | None = None
    messages: Annotated[list[dict[str, Any]], Field(max_length=10_000)] | None = None
    tools: Annotated[list[dict[str, Any]], Field(max_length=1000)] | None = None
    response_format: dict[str, Any] | None = None
    max_tokens: Annotated[int, Field(ge=1, le=100_000_000)] | None = None
    input_tokens: Annotated[int, Field(ge=0, le=100_000_000)] | None = None
    models: list[Any] | None = None
    provider: dict[str, Any] | None = None
    fallbacks: list[Any] | None = None
    power_level: PowerLevel | None = None
    user_id: Annotated[str, Field(max_length=40)] | None = None


class PlannedTarget(ResponseModel):
    """A target to be asked, with names, prices and score as they were when the plan was made."""

    model_id: str
    provider: str
    provider_id: str
    model: str
    priority: int
    score: float | None
    input_mtok: Usd | None
    output_mtok: Usd | None
    blended_mtok: Usd | None
    value: float | None
    """What the strategy's order goes by, higher is better: the balance (0 to 1), or the score."""
    expected_cost_usd: float | None
    """Of this request there; null without a price."""
    expected_seconds: float | None
    """For the expected answer, by what was measured there; null where nothing was."""
    credential: Literal["platform", "byok"]
    """Whose key serves there: the platform's or the user's own."""
    larger: bool
    """Asked only when the prompt turns out too long for those before it."""
    reason: str


class ExcludedTarget(ResponseModel):
    """A target left out. `momentary`: for what was so just then, such as an open circuit."""

    model_id: str
    provider: str
    provider_id: str
    model: str
    reason: str
    momentary: bool


class RouteError(ResponseModel):
    message: str


class RoutePlan(ResponseModel):
    """Who is asked in which order, who is not and why, and what that was decided by."""

    model: str | None
    """As the caller wrote it."""
    strategy: Strategy | None
    """Null where the request names its model."""
    power_level: PowerLevel | None
    """In force, whether it came from the request, the key or the user."""
    routing_version: int
    """Of the routing rules; 0 before their first change."""
    needs: list[str]
    """Capabilities without which a model could not answer."""
    input_tokens: int | None
    """Estimated; costs and context windows are compared by it. `output_tokens`: the expected answer."""
    output_tokens: int | None
    max_output_tokens: int | None
    """As the request asks for."""
    wishes: dict[str, Any]
    """What the request itself says about its route."""
    stays_at: str | None
    """The id of the model that holds the conversation's prompt cache."""
    targets: list[PlannedTarget]
    excluded: list[ExcludedTarget]
    excluded_total: int
    """Those counted too that are not shown one by one."""
    error: RouteError | None = None
