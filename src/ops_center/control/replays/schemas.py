"""Replays as JSON: what a request may be sent to, and what it came to there."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ops_center.control.bodies.schemas import KeptBody
from ops_center.control.fields import LongName, RequestModel, ResponseModel, Usd
from ops_center.control.requests.schemas import RequestDetail


class ReplayTarget(ResponseModel):
    provider_id: str
    provider_name: str
    provider_type: str
    model: str
    expected_cost_usd: Usd | None
    """What the original's tokens come to at this model's price; null: it has none, or the original no tokens."""


class ReplayOptions(ResponseModel):
    """Whether a request can be sent again, why not, and to whom."""

    request_id: str
    possible: bool
    reason: str | None
    """Why it cannot be."""
    hint: str | None
    removed: dict[str, int]
    """What was taken out of prompt and answer before they were kept, by kind; a replay is sent without it."""
    targets: list[ReplayTarget]
    """Enabled models, on the platform's credentials, that take a request of this kind and size: the cheapest first,
    those of unknown cost last."""


class ReplayCreate(RequestModel):
    """One of the targets that `GET` lists."""

    provider_id: Annotated[LongName, Field(max_length=40)]
    model: LongName


class ReplayDifference(ResponseModel):
    """The replay's figure less the original's; null where one of them is not known."""

    cost_usd: Usd | None
    duration_ms: int
    time_to_first_chunk_ms: int | None
    input_tokens: int
    output_tokens: int


class RequestReplay(ResponseModel):
    original: RequestDetail
    original_answer: KeptBody
    replay: RequestDetail
    """From the ledger, like any request; `status` and `error_type` say how it ended."""
    answer: KeptBody
    """What the replay was answered, redacted as if it were kept."""
    difference: ReplayDifference
