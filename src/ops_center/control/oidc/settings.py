"""The section of the settings about single sign-on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, StringConstraints

from ops_center.control.fields import printable
from ops_center.control.settings.section import SecretText, Section
from ops_center.errors import Invalid
from ops_center.types import Role

if TYPE_CHECKING:
    from ops_center.control.context import Control

_Text = Annotated[str, StringConstraints(strip_whitespace=True, max_length=300), AfterValidator(printable)]


def _issuer(text: str) -> str:
    parts = urlsplit(text)
    if text and (
        parts.scheme not in ("https", "http") or not parts.hostname or parts.query or parts.fragment
    ):
        raise ValueError("must be an address like https://login.example.com")
    return text


def _domain(text: str) -> str:
    domain = text.lower().removeprefix("@")
    if not domain or "@" in domain or "." not in domain:
        raise ValueError("must be a domain like example.com")
    return domain


class OidcSettings(Section):
    """One provider. `allowed_domains`: whose accounts are made at their first sign-in; none: nobody's.
    `group_roles`: from a group in the claim `groups_claim` to a role, the highest counts; `default_role`: for
    whom no group names one; null: they are refused. With `group_roles` the provider decides at each sign-in."""

    key: ClassVar[str] = "oidc"
    secret_fields: ClassVar[frozenset[str]] = frozenset({"client_secret"})

    enabled: bool = False
    label: Annotated[_Text, StringConstraints(max_length=40)] = ""
    issuer: Annotated[_Text, AfterValidator(_issuer)] = ""
    client_id: _Text = ""
    client_secret: SecretText | None = None
    allowed_domains: Annotated[list[Annotated[_Text, AfterValidator(_domain)]], Field(max_length=100)] = (
        Field(default_factory=list)
    )
    groups_claim: Annotated[_Text, StringConstraints(min_length=1)] = "groups"
    group_roles: Annotated[dict[_Text, Role], Field(max_length=100)] = Field(default_factory=dict)
    default_role: Role | None = Role.USER
    allow_private_network: bool = False

    async def check(self, control: Control) -> None:
        if not self.enabled:
            return
        for field in ("issuer", "client_id"):
            if not getattr(self, field):
                raise Invalid(f"{field} is required to enable single sign-on", param=f"oidc.{field}")
        if urlsplit(self.issuer).scheme != "https" and not self.allow_private_network:
            raise Invalid("issuer must be an https address", param="oidc.issuer")

    def role(self, groups: frozenset[str]) -> Role | None:
        """The highest role that a group names (in the order of `Role`), else the default."""
        named = {self.group_roles[group] for group in groups & self.group_roles.keys()}
        return next((role for role in Role if role in named), self.default_role)
