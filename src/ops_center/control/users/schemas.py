"""Users as JSON."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr, StringConstraints

from ops_center.control.fields import (
    ConcurrentRequests,
    Instant,
    Name,
    RequestModel,
    RequestsPerMinute,
    ResponseModel,
    TokensPerMinute,
    Usd,
    UsdInput,
)
from ops_center.types import ByokPolicy, PowerLevel, Role

MIN_PASSWORD_LENGTH = 12
_EMAIL = re.compile(r"[^@\s\x00-\x1f\x7f]{1,64}@[^@\s\x00-\x1f\x7f]{1,255}")


def checked_email(text: str) -> str:
    """`text` trimmed and in lower case. Raises ValueError when it has not the shape of an email address."""
    email = text.strip().lower()
    if not _EMAIL.fullmatch(email):
        raise ValueError("must be an email address")
    return email


Email = Annotated[str, StringConstraints(max_length=320), AfterValidator(checked_email)]

NewPassword = Annotated[SecretStr, Field(min_length=MIN_PASSWORD_LENGTH, max_length=1000)]
"""A password to be set. One that is only compared may have any length."""


class User(ResponseModel):
    id: str
    email: str
    name: str
    role: Role
    power_level: PowerLevel | None
    power_level_max: PowerLevel | None
    """How high the user may go; null: as high as the settings say."""
    byok_policy: ByokPolicy | None
    """Tightens the global policy over own keys; null: nothing does."""
    budget_usd: Usd | None
    """What all keys of the user together may spend in a calendar month."""
    requests_per_minute: int | None
    tokens_per_minute: int | None
    concurrent_requests: int | None
    created_at: Instant
    disabled: bool
    second_factor: bool
    """Whether a code is asked for at the sign-in."""


class UserList(ResponseModel):
    users: list[User]


class UserCreate(RequestModel):
    """Without a password the user cannot sign in until one is set."""

    email: Email
    name: Name | None = None
    password: NewPassword | None = None
    role: Role = Role.USER


class UserUpdate(RequestModel):
    """Only what is sent changes. `power_level: null` returns to the global strategy, `power_level_max` and
    `byok_policy` to the settings'; null for `budget_usd` or a limit lifts it."""

    name: Name | None = None
    role: Role | None = None
    power_level: PowerLevel | None = None
    power_level_max: PowerLevel | None = None
    byok_policy: ByokPolicy | None = None
    budget_usd: UsdInput | None = None
    requests_per_minute: RequestsPerMinute | None = None
    tokens_per_minute: TokensPerMinute | None = None
    concurrent_requests: ConcurrentRequests | None = None
    disabled: bool | None = None
    password: NewPassword | None = None
