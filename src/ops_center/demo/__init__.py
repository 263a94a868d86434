"""A filled console without a key or a network: simulated providers and 90 days of made-up traffic."""

from __future__ import annotations

from ops_center.demo.start import run_demo

__all__ = ["run_demo"]
