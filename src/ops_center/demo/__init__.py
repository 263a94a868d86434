"""A filled console without a key or a network: simulated providers and 90 days of made-up traffic."""

from __future__ import annotations

__all__ = ["run_demo"]
