"""The section of the settings about notifications: the SMTP server, and the webhook."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, StringConstraints

from ops_center.control.fields import printable
from ops_center.control.notifications.webhook import signing_key
from ops_center.control.settings.section import MASK, SecretText, Section
from ops_center.errors import Invalid, ProviderError
from ops_center.transport.mail import MailTls

if TYPE_CHECKING:
    from ops_center.control.context import Control

_Text = Annotated[str, StringConstraints(strip_whitespace=True, max_length=300), AfterValidator(printable)]


def _host(text: str) -> str:
    if text and (any(ch in text for ch in "/@ \t") or len(text) > 253):
        raise ValueError("must be a host name such as smtp.example.com")
    return text.lower()


def _sender(text: str) -> str:
    name, _, domain = text.rpartition("@")
    if text and (not name or not domain or any(ch in text for ch in ' <>,;"') or not text.isascii()):
        raise ValueError("must be an email address such as ops@example.com")
    return text


def _url(text: str) -> str:
    parts = urlsplit(text)
    if text and (parts.scheme not in ("https", "http") or not parts.hostname or parts.username):
        raise ValueError("must be an address like https://hooks.example.com/ops")
    return text.partition("#")[0]


def _secret(text: str) -> str:
    if text != MASK:
        signing_key(text)
    return text


class NotificationSettings(Section):
    """`webhook_secret`: `whsec_` and base64, as Standard Webhooks has it, or any text of 24 characters or
    more. `allow_private_network`: for both, and needed for http and for SMTP without TLS."""

    key: ClassVar[str] = "notifications"
    secret_fields: ClassVar[frozenset[str]] = frozenset({"smtp_password", "webhook_secret"})

    email_enabled: bool = False
    smtp_host: Annotated[_Text, AfterValidator(_host)] = ""
    smtp_port: Annotated[int, Field(strict=True, ge=1, le=65_535)] = 587
    smtp_tls: MailTls = "starttls"
    smtp_user: _Text = ""
    smtp_password: SecretText | None = None
    email_from: Annotated[_Text, AfterValidator(_sender)] = ""
    webhook_enabled: bool = False
    webhook_url: Annotated[
        str,
        StringConstraints(strip_whitespace=True, max_length=2000),
        AfterValidator(printable),
        AfterValidator(_url),
    ] = ""
    webhook_secret: Annotated[SecretText, AfterValidator(_secret)] | None = None
    allow_private_network: bool = False

    async def check(self, control: Control) -> None:
        if self.email_enabled:
            for field in ("smtp_host", "email_from"):
                if not getattr(self, field):
                    raise Invalid(f"{field} is required to send email", param=f"notifications.{field}")
            if self.smtp_tls == "none" and not self.allow_private_network:
                raise Invalid(
                    "smtp_tls may be none on a private network only", param="notifications.smtp_tls"
                )
        if self.webhook_enabled:
            for field in ("webhook_url", "webhook_secret"):
                if not getattr(self, field):
                    raise Invalid(f"{field} is required to call a webhook", param=f"notifications.{field}")
            if urlsplit(self.webhook_url).scheme != "https" and not self.allow_private_network:
                raise Invalid("webhook_url must be an https address", param="notifications.webhook_url")
            try:
                await control.http.check_address(
                    self.webhook_url, allow_private_network=self.allow_private_network
                )
            except ProviderError as error:
                raise Invalid(
                    "webhook_url cannot be called: " + error.message.lower(),
                    param="notifications.webhook_url",
                    hint=error.hint,
                ) from None
