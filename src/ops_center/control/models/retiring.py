"""Models whose end is known while requests still go to them: by the provider's own list, or by a catalogue."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from urllib.parse import urlencode

from sqlalchemy.ext.asyncio import AsyncConnection

from ops_center.control.context import Control
from ops_center.control.models import repository
from ops_center.control.models.repository import Filters as ModelFilters
from ops_center.control.usage.conditions import Filters
from ops_center.control.usage.dimensions import Dimension
from ops_center.control.usage.repository import calendar_zone, sums
from ops_center.control.usage.sums import by_value
from ops_center.control.usage.windows import Window

IN_USE = timedelta(days=7)


@dataclass(frozen=True, slots=True, kw_only=True)
class Retiring:
    model_id: str
    model: str
    provider_id: str
    provider_name: str
    retires_on: date
    successor: str | None
    calls: int  # of the last seven days

    @property
    def path(self) -> str:
        """Its place on the console's page of models."""
        return "/admin/models?" + urlencode({"search": self.model, "provider_id": self.provider_id})

    @property
    def text(self) -> str:
        then = (
            f"{self.provider_name} names {self.successor} instead"
            if self.successor
            else "no successor is named"
        )
        calls = "1 request" if self.calls == 1 else f"{self.calls:,} requests"
        return f"{calls} went to it in the last 7 days; {then}."


async def retiring_in_use(
    control: Control, conn: AsyncConnection, now: datetime, days: int
) -> list[Retiring]:
    """Enabled models with requests in the last seven days that retire within `days`, or have; the soonest first."""
    window = Window.last(IN_USE, now)
    used = by_value(await sums(conn, window, by=Dimension.MODEL, figures=["calls"]))
    names = [name for name in used if name is not None]
    if not names:
        return []
    last_day = now.astimezone(await calendar_zone(conn)).date() + timedelta(days=days)
    found = []
    for row in await repository.listed(conn, ModelFilters(enabled=True, names=names), None):
        facts = control.publisher.facts_of(row.facts_key)
        if facts.retires_on is None or not row.provider_enabled:
            continue
        day = date.fromisoformat(facts.retires_on)
        if day > last_day:
            continue
        here = Filters(
            values={
                Dimension.MODEL: frozenset({row.name}),
                Dimension.PROVIDER: frozenset({row.provider_id}),
            }
        )
        calls = sum(one.calls for one in (await sums(conn, window, filters=here, figures=["calls"])).values())
        if calls:
            found.append(
                Retiring(
                    model_id=row.id,
                    model=row.name,
                    provider_id=row.provider_id,
                    provider_name=row.provider_name,
                    retires_on=day,
                    successor=facts.successor,
                    calls=calls,
                )
            )
    return sorted(found, key=lambda one: (one.retires_on, one.model, one.provider_name))
