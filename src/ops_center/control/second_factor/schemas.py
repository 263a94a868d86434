"""The second factor as JSON. The secret and the recovery codes are each in one answer only."""

from __future__ import annotations

from typing import Annotated

from pydantic import StringConstraints

from ops_center.control.fields import Instant, RequestModel, ResponseModel

Code = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=40)]
"""Six digits of the app, or a recovery code; spaces and dashes do not count."""


class SecondFactor(ResponseModel):
    enabled: bool
    required: bool
    """Whether the user's role must have one."""
    since: Instant | None
    recovery_codes_left: int


class NewSecondFactor(ResponseModel):
    """Not asked for before it is confirmed with a first code."""

    secret: str
    """Base32, to type into the app."""
    uri: str
    qr_svg: str


class CodeGiven(RequestModel):
    code: Code


class RecoveryCodes(ResponseModel):
    recovery_codes: list[str]
    """Each works once in place of the app's code. They are shown now and never again."""
