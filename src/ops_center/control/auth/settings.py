"""The section of the settings about signing in."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field

from ops_center.control.settings.section import Section
from ops_center.types import Role


def _in_order(roles: list[Role]) -> list[Role]:
    return [role for role in Role if role in roles]


class SignInSettings(Section):
    """`second_factor_roles`: who may do nothing in the console before a second factor is set up."""

    key: ClassVar[str] = "sign_in"

    second_factor_roles: Annotated[list[Role], Field(max_length=20), AfterValidator(_in_order)] = Field(
        default_factory=list
    )
