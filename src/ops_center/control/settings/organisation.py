"""The organisation that runs this installation: its name, and the time zone its calendar goes by."""

from __future__ import annotations

import zoneinfo
from functools import cache
from typing import Annotated, ClassVar

from pydantic import AfterValidator, StringConstraints

from ops_center.control.fields import printable
from ops_center.control.settings.section import Section


@cache
def time_zones() -> frozenset[str]:
    """Names of the IANA time zone database that this machine knows."""
    return frozenset(zoneinfo.available_timezones() - {"localtime", "posixrules", "Factory"})


def _known_time_zone(name: str) -> str:
    if name not in time_zones():
        raise ValueError("must be a time zone's name, such as Europe/Berlin or UTC")
    return name


TimeZone = Annotated[str, StringConstraints(max_length=64), AfterValidator(_known_time_zone)]


class OrganisationSettings(Section):
    """`name` is shown in invitations and authenticator apps; empty for none. `time_zone`: where its days and months begin."""

    key: ClassVar[str] = "organisation"

    name: Annotated[
        str, StringConstraints(strip_whitespace=True, max_length=100), AfterValidator(printable)
    ] = ""
    time_zone: TimeZone = "UTC"

    @property
    def zone(self) -> zoneinfo.ZoneInfo:
        return zoneinfo.ZoneInfo(self.time_zone)
