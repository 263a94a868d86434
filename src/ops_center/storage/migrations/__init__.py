"""The order of the schema's revisions; the steps themselves are in `versions/`, run by `migrate.py`.

The list is here, as a constant, so that a start on an up-to-date database need not load Alembic.
"""

from __future__ import annotations

from pathlib import Path

REVISIONS = (
    "0001",
    "0002",
    "0003",
    "0004",
    "0005",
    "0006",
    "0007",
    "0008",
    "0009",
    "0010",
    "0011",
    "0012",
    "0013",
    "0014",
    "0015",
    "0016",
    "0017",
    "0018",
    "0019",
    "0020",
    "0021",
    "0022",
    "0023",
    "0024",
    "0025",
    "0026",
    "0027",
    "0028",
    "0029",
    "0030",
    "0031",
    "0032",
    "0033",
    "0034",
    "0035",
    "0036",
    "0037",
    "0038",
)  # oldest first; each is `versions/r<revision>_<what it does>.py`
HEAD = REVISIONS[-1]
TABLE = "schema_revision"  # our own name, so that a foreign `alembic_version` is never taken for ours
FOLDER = Path(__file__).parent
AFRESH = FOLDER / "afresh.json"  # written by `python -m ops_center.storage.migrations.afresh`
