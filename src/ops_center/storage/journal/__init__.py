"""The usage journal: what `relay` measured, first in a file, then in the database; see the two ends.

`UsageJournal` (writer.py) takes a record while a request ends, in microseconds and without the database.
`JournalIngester` (ingester.py) brings it into the tables, exactly once, whatever is killed in between.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ops_center.storage.journal.segments import JournalError, rejected_lines
from ops_center.storage.journal.writer import UsageJournal

if TYPE_CHECKING:
    from ops_center.storage.journal.ingester import JournalIngester

__all__ = ["JournalError", "JournalIngester", "UsageJournal", "rejected_lines"]


def __getattr__(name: str) -> object:
    """The ingester when asked for: a process that only writes need not load SQLAlchemy."""
    if name == "JournalIngester":
        from ops_center.storage.journal.ingester import JournalIngester

        return JournalIngester
    raise AttributeError(name)
