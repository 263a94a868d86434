"""Stops `make` with one clear line when the machine's Python is too old (so it is written for old ones)."""

import sys

if sys.version_info < (3, 11):  # noqa: UP036
    sys.exit("Ops-Center needs Python 3.11 or newer. Name one with: make PYTHON=python3.11 ...")
