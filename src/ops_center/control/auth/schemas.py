"""Signing in and setting up, as JSON."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, SecretStr, StringConstraints

from ops_center.control.fields import RequestModel, ResponseModel
from ops_center.control.second_factor.schemas import Code
from ops_center.control.users.schemas import Email, NewPassword, User


class SetupState(ResponseModel):
    needed: bool


class SetupRequest(RequestModel):
    token: Annotated[str, StringConstraints(strip_whitespace=True, max_length=200)]
    email: Email
    password: NewPassword


class LoginRequest(RequestModel):
    email: Annotated[str, StringConstraints(max_length=320)]
    password: Annotated[SecretStr, Field(max_length=1000)]
    code: Code | None = None
    """Of the second factor: the app's, or a recovery code."""


class SignedIn(ResponseModel):
    user: User
    second_factor_missing: bool = False
    """The role must have a second factor and the user has none: nothing else works before it is set up."""
