"""The chain of the audit log: each entry's hash covers the entry and the hash of the one before it.

Whoever changes, removes or inserts an entry behind our back breaks the chain from there on, and `verify`
says where. It proves nothing about a database whose whole chain was computed anew: for that, note the
newest hash elsewhere from time to time and have it looked for.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from ops_center.storage.database import Database
from ops_center.storage.tables import audit_head, audit_log

BEFORE_THE_FIRST: Final = "0" * 64
_BATCH = 1000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """`entries` are in order up to number `sequence`; with a `problem`, what comes after is not."""

    entries: int
    sequence: int
    at: datetime | None
    hash: str
    problem: str | None = None

    @property
    def intact(self) -> bool:
        return self.problem is None


@dataclass(frozen=True, slots=True)
class Noted:
    """An entry's number and hash, as noted at an earlier verification."""

    sequence: int
    hash: str


def entry_hash(entry: Mapping[str, Any]) -> str:
    """SHA-256, as hex, of the entry's canonical JSON: every column but `hash`, sorted by name, no spaces,
    ASCII only, `at` in microseconds since 1970 UTC."""
    fields = {name: value for name, value in entry.items() if name != "hash"}
    fields["at"] = (fields["at"] - _EPOCH) // timedelta(microseconds=1)
    return hashlib.sha256(json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


async def linked(conn: AsyncConnection, entry: Mapping[str, Any]) -> dict[str, Any]:
    """The entry with its place in the chain, which no other transaction gets before this one ends."""
    head = (await conn.execute(select(audit_head).with_for_update())).one()
    link = dict(entry) | {"sequence": head.sequence + 1, "previous_hash": head.hash}
    link["hash"] = entry_hash(link)
    await conn.execute(update(audit_head).values(sequence=link["sequence"], hash=link["hash"]))
    return link


async def verify(database: Database, noted: Noted | None = None) -> Verification:
    """Read the whole log in order and compute every hash anew. With `noted`, that entry must be in it
    unchanged. Entries written meanwhile are left for the next time."""
    async with database.read() as conn:
        head = (await conn.execute(select(audit_head))).one()
    sequence, previous, at = 0, BEFORE_THE_FIRST, None

    def broken(problem: str) -> Verification:
        return Verification(entries=sequence, sequence=sequence, at=at, hash=previous, problem=problem)

    while sequence < head.sequence:
        query = (
            select(audit_log)
            .where(audit_log.c.sequence > sequence, audit_log.c.sequence <= head.sequence)
            .order_by(audit_log.c.sequence)
            .limit(_BATCH)
        )
        async with database.read() as conn:  # one per batch: nobody waits for us
            rows = [row._asdict() for row in await conn.execute(query)]
        if not rows:
            return broken(f"The entries after number {sequence} are missing, up to number {head.sequence}")
        for row in rows:
            if row["sequence"] != sequence + 1:
                return broken(f"Entry {sequence + 1} is missing")
            if row["previous_hash"] != previous or entry_hash(row) != row["hash"]:
                return broken(f"Entry {sequence + 1} is not what was written ({row['id']})")
            if noted is not None and noted.sequence == row["sequence"] and noted.hash != row["hash"]:
                return broken(f"Entry {sequence + 1} has another hash than the one that was noted")
            sequence, previous, at = row["sequence"], row["hash"], row["at"]
    if previous != head.hash:
        return broken("The newest entry is not the one that was written last")
    if noted is not None and noted.sequence > sequence:
        return broken(f"The log ends before entry {noted.sequence}, which was noted")
    return Verification(entries=sequence, sequence=sequence, at=at, hash=previous)
