"""Writes `afresh.json`: the statements that make a new SQLite database what all revisions make of it.

`python -m ops_center.storage.migrations.afresh`, after every new revision. Not used by the server.
"""

from __future__ import annotations

import sqlite3

import msgspec
from sqlalchemy import create_engine
from sqlalchemy.pool import StaticPool

from ops_center.storage.migrate import _upgrade
from ops_center.storage.migrations import AFRESH


def statements() -> list[str]:
    """Run every revision on a database in memory and take down what is there then."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    engine = create_engine("sqlite://", creator=lambda: connection, poolclass=StaticPool)
    try:
        with engine.begin() as migrated:
            _upgrade(migrated)
        return [
            each.removesuffix(";")
            for each in connection.iterdump()
            if each not in ("BEGIN TRANSACTION;", "COMMIT;")
        ]
    finally:
        engine.dispose()
        connection.close()


if __name__ == "__main__":
    AFRESH.write_bytes(msgspec.json.format(msgspec.json.encode(statements()), indent=1) + b"\n")
