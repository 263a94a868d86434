"""`make test`: everything that must be true of a commit, in one run; the Python tests only when the rest holds.

They come last, so that the last line shows their count. What comes before them runs side by side. `checks` or
`tests` as the first word does only the one or the other half.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Check:
    name: str
    words: tuple[str, ...]

    def run(self) -> tuple[Check, int, str, float]:
        """Its exit code, what it said, and how long it took."""
        started = time.monotonic()
        ended = subprocess.run(
            self.words, cwd=ROOT, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        return self, ended.returncode, ended.stdout, time.monotonic() - started


def checks() -> int:
    """Everything but the Python tests; all of it, so that one run shows all that is wrong."""
    python, ruff = str(BIN / "python"), str(BIN / "ruff")
    folders = ("src", "tests", "tools", "benchmarks")
    side_by_side = [
        Check("mypy", (str(BIN / "mypy"),)),
        Check("console tests", (python, "tools/node.py", "run", "test")),
        Check("console check", (python, "tools/node.py", "run", "check")),
        Check("ruff check", (ruff, "check", "--quiet", *folders)),
        Check("ruff format", (ruff, "format", "--check", "--quiet", *folders)),
    ]
    print("── no registry addresses", flush=True)
    failed = no_registry_addresses()
    with ThreadPoolExecutor(len(side_by_side)) as threads:
        for done in as_completed([threads.submit(check.run) for check in side_by_side]):
            check, status, said, seconds = done.result()
            print(f"── {check.name}\n{said}   done in {seconds:.1f} s", flush=True)
            if status:
                print(f"── {check.name} failed", flush=True)
                failed = failed or status
    return failed


def tests(*words: str) -> int:
    # A file's tests stay together, for they share servers; the files are shared out among the cores, those that take
    # longest first (tests/conftest.py).
    print("── python tests", flush=True)
    shared_out = ("-n", "auto", "--dist", "loadfile", "--no-loadscope-reorder")
    return command(str(BIN / "python"), "-m", "pytest", *shared_out, *words)


def main(*words: str) -> int:
    if words[:1] == ("checks",):
        return checks()
    if words[:1] == ("tests",):
        return tests(*words[1:])
    return checks() or tests(*words)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
