"""A real OpenTelemetry collector; `make test-collector` builds it, and what is in here runs where it is built."""

from __future__ import annotations

from pathlib import Path

PROGRAM = Path(__file__).parent.parent.parent / ".make" / "collector"

if not PROGRAM.exists():
    collect_ignore_glob = ["test_*.py"]
