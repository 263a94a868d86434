"""Oneself as JSON; what comes back is `users.schemas.User`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, SecretStr

from ops_center.control.fields import Instant, Name, RequestModel, ResponseModel
from ops_center.control.users.schemas import NewPassword
from ops_center.types import PowerLevel


class Activity(ResponseModel):
    """Changes with every request of one's own that enters the ledger."""

    requests_24h: int
    last_request_at: Instant | None
    """Of these; null: none."""


class OwnModels(ResponseModel):
    names: list[str]
    """As `GET /v1/models` lists them for a key of one's own without limits."""


class ProfileUpdate(RequestModel):
    """Only what is sent changes. A new password needs the current one beside it."""

    name: Name | None = None
    power_level: PowerLevel | None = None
    password: NewPassword | None = None
    current_password: Annotated[SecretStr, Field(max_length=1000)] | None = None
