"""Savings advice as JSON."""

from __future__ import annotations

from typing import Literal

from ops_center.control.fields import Instant, ResponseModel, Usd


class Advice(ResponseModel):
    """One thing to do. `saving_usd`: what the requests of the window would have cost less, exactly, under
    `assumption`; null where it is not about money. `path`: where in the console to try it or to act."""

    kind: Literal["cheaper_model", "caching", "caching_would_pay", "duplicates", "unused_key"]
    subject: str
    text: str
    saving_usd: Usd | None
    cost_usd: Usd | None
    """What they did cost."""
    calls: int
    assumption: str
    requests: str | None
    """The evidence, as the query of `/llm/requests`."""
    examples: list[str]
    """Ids of requests among it."""
    path: str
    action: str


class Unsure(ResponseModel):
    """Where the evidence is not enough, and why."""

    subject: str
    text: str


class Savings(ResponseModel):
    """The largest first. Two pieces of advice may be about the same requests, so there is no sum of them."""

    from_at: Instant
    to_at: Instant
    calls: int
    cost_usd: Usd
    estimated_share: float
    """How much of that cost is estimated, 0 to 1."""
    advice: list[Advice]
    unsure: list[Unsure]
    generated_at: Instant
