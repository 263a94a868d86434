"""What a test run leaves out for want of something on this machine, said once at the end of the run.

With `OPS_CENTER_REQUIRE_ALL=1` (CI) nothing may be left out: the tests concerned fail instead.
"""

from __future__ import annotations

import os
from typing import NoReturn

import pytest

LEFT_OUT = "left out: "  # conftest.py finds the reasons in the reports, whichever process made them


def left_out(reason: str) -> NoReturn:
    """Skip the current test because of `reason`, such as "PostgreSQL tests (no server installed)".

    Each reason makes one line of the summary, however many tests it concerns.
    """
    if os.environ.get("OPS_CENTER_REQUIRE_ALL") == "1":
        pytest.fail(f"OPS_CENTER_REQUIRE_ALL=1, but left out: {reason}", pytrace=False)
    pytest.skip(LEFT_OUT + reason)
