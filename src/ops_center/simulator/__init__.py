"""Simulated providers: the formats of the real ones with settable latency, prices and faults.

For the demo, the tests and the benchmarks. Serves no real model, and the gateway never imports it.
"""

from __future__ import annotations

from ops_center.simulator.config import SimulatorConfig
from ops_center.simulator.ledger import RequestLog
from ops_center.simulator.server import Simulator, run, serve

__all__ = ["RequestLog", "Simulator", "SimulatorConfig", "run", "serve"]
