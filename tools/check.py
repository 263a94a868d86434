"""`make test`: everything that must be true of a commit, in one run; stops at the first step that fails.

The Python tests come last, so that the last line shows their count.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent

# Spelt apart, so that this file does not contain what it forbids.
_FORBIDDEN = re.compile("|".join([r"py" + r"pi\.org", r"python" + "hosted", r"registry\." + "npmjs"]))


def no_registry_addresses() -> int:
    """No tracked file may name a package registry's address: the project must install from any mirror."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False).stdout
    bad = []
    for name in filter(None, listed.decode().split("\0")):
        file = ROOT / name
        try:
            if file.is_file() and _FORBIDDEN.search(file.read_text(errors="ignore")):
                bad.append(name)
        except OSError:
            continue
    for name in bad:
        print(f"registry address in {name}")
    return 1 if bad else 0


def command(*words: str) -> int:
    return subprocess.run(words, cwd=ROOT, check=False).returncode


def main() -> int:
    python = str(BIN / "python")
    steps = [
        ("no registry addresses", no_registry_addresses),
        (
            "ruff check",
            lambda: command(str(BIN / "ruff"), "check", "--quiet", "src", "tests", "tools", "benchmarks"),
        ),
        (
            "ruff format",
            lambda: command(
                str(BIN / "ruff"), "format", "--check", "--quiet", "src", "tests", "tools", "benchmarks"
            ),
        ),
        ("mypy", lambda: command(str(BIN / "mypy"))),
        ("console check", lambda: command(python, "tools/node.py", "run", "check")),
        ("console tests", lambda: command(python, "tools/node.py", "run", "test")),
        # A file's tests stay together, for they share servers; the files are shared out among the cores.
        (
            "python tests",
            lambda: command(python, "-m", "pytest", "-n", "auto", "--dist", "loadfile", *sys.argv[1:]),
        ),
    ]
    for name, step in steps:
        started = time.monotonic()
        print(f"── {name}", flush=True)
        status = step()
        if status:
            print(f"── {name} failed", flush=True)
            return status
        if name != "python tests":
            print(f"   done in {time.monotonic() - started:.1f} s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
