"""The cursor of lists that go back in time: opaque to the client, an instant and an id to us.

It holds no secret and needs no signature: whatever a client makes up only chooses where its own list starts.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from ops_center.errors import Invalid

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ROW_ID = re.compile(r"[a-z]+_[0-9a-z_]{1,60}")
_MAX_MICROSECONDS = 253_402_300_799_000_000  # the end of the year 9999


@dataclass(frozen=True, slots=True)
class Cursor:
    """The last row of the page before: the next page starts with what is older."""

    at: datetime
    id: str

    def encode(self) -> str:
        microseconds = (self.at - _EPOCH) // timedelta(microseconds=1)
        return base64.urlsafe_b64encode(f"{microseconds}.{self.id}".encode()).decode().rstrip("=")

    @classmethod
    def decode(cls, text: str) -> Cursor:
        """Raises Invalid naming `cursor` when the text was not made by `encode`."""
        try:
            raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True).decode(
                "ascii"
            )
            microseconds, _, row_id = raw.partition(".")
            number = int(microseconds)
            if not 0 <= number <= _MAX_MICROSECONDS or not _ROW_ID.fullmatch(row_id):
                raise ValueError
        except (ValueError, binascii.Error):
            raise Invalid("The cursor is not one that a list of ours returned", param="cursor") from None
        return cls(_EPOCH + timedelta(microseconds=number), row_id)
