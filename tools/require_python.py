"""Stops `make` with one clear line when the machine's Python is too old."""

import sys

if sys.version_info < (3, 11):
    sys.exit(
        "Ops-Center needs Python 3.11 or newer; this is %d.%d. "
        "Name another with: make PYTHON=/path/to/python3.11" % sys.version_info[:2]
    )
