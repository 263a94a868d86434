"""What this installation says about itself, as JSON."""

from __future__ import annotations

from ops_center.control.fields import ResponseModel, TimeLimits


class SystemAnswer(ResponseModel):
    version: str
    demo: bool
    base_url: str
    """Where clients reach the data plane, as far as the server knows: its own address, not a proxy's."""
    organisation: str | None
    """Whose installation this is; null when nobody said."""
    time_zone: str
    """Where the organisation's days and months begin."""
    time_limits: TimeLimits
    """What holds where neither model nor provider says otherwise; the total is of a whole answer, a stream has
    none."""
