"""All settings as JSON: one field per section. A new section is one line here, twice."""

from __future__ import annotations

from pydantic import Field

from ops_center.control.alerts.settings import AlertSettings
from ops_center.control.auth.settings import SignInSettings
from ops_center.control.bodies.settings import BodySettings
from ops_center.control.budgets.settings import LimitSettings
from ops_center.control.byok.policy import ByokSettings
from ops_center.control.fields import Instant, RequestModel, ResponseModel
from ops_center.control.notifications.settings import NotificationSettings
from ops_center.control.oidc.settings import OidcSettings
from ops_center.control.power_levels.settings import PowerLevelSettings
from ops_center.control.settings.organisation import OrganisationSettings
from ops_center.control.settings.section import Section
from ops_center.control.usage.retention import RetentionSettings


class Settings(ResponseModel):
    """Every section whole. A secret appears as a mask where there is one, else as null."""

    version: int
    """Counts changes; 0 before the first."""
    updated_at: Instant | None
    organisation: OrganisationSettings
    sign_in: SignInSettings
    oidc: OidcSettings
    byok: ByokSettings
    power_levels: PowerLevelSettings
    limits: LimitSettings
    notifications: NotificationSettings
    retention: RetentionSettings
    bodies: BodySettings
    alerts: AlertSettings


class SettingsUpdate(RequestModel):
    """Only what is sent changes, field by field. A secret: null removes it, its mask leaves it as it is."""

    organisation: OrganisationSettings = Field(default_factory=OrganisationSettings)
    sign_in: SignInSettings = Field(default_factory=SignInSettings)
    oidc: OidcSettings = Field(default_factory=OidcSettings)
    byok: ByokSettings = Field(default_factory=ByokSettings)
    power_levels: PowerLevelSettings = Field(default_factory=PowerLevelSettings)
    limits: LimitSettings = Field(default_factory=LimitSettings)
    notifications: NotificationSettings = Field(default_factory=NotificationSettings)
    retention: RetentionSettings = Field(default_factory=RetentionSettings)
    bodies: BodySettings = Field(default_factory=BodySettings)
    alerts: AlertSettings = Field(default_factory=AlertSettings)


SECTIONS: dict[str, type[Section]] = {
    name: field.annotation
    for name, field in SettingsUpdate.model_fields.items()
    if isinstance(field.annotation, type) and issubclass(field.annotation, Section)
}
