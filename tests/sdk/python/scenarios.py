"""What every client library has to get right, and how one is run: in a process of its own, as users run it.

A script names its scenarios with `@scenario` and ends with `run()`. It is told by the environment where the
server is and which models to ask, and prints one line of JSON per scenario and model. What the simulated
models say is predictable: see `ops_center.simulator.answers`.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import os
import traceback
from collections.abc import Callable
from typing import Any

URL = os.environ["OPS_CENTER_URL"]
KEY = os.environ["OPS_CENTER_KEY"]

HELLO = "say: hello there"
LONG = "abcd" * 30
WEATHER_OF_TWO = 'weather({"city": "Paris"}) and weather({"city": "Rome"})'
WEATHERS = "The tools answered: sunny in Paris; sunny in Rome"
PLACE = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "people": {"type": "integer"}},
    "required": ["name", "people"],
    "additionalProperties": False,
}
A_PLACE = {"name": "text", "people": 1}
DIMENSIONS = 1536

Check = Callable[[str], Any]
_scenarios: dict[str, Check] = {}


def scenario(name: str) -> Callable[[Check], Check]:
    """Enter a function of one model's name; it may be a coroutine function."""

    def enter(check: Check) -> Check:
        _scenarios[name] = check
        return check

    return enter


def same(found: object, expected: object) -> None:
    assert found == expected, f"{found!r} is not {expected!r}"


def run() -> None:
    asyncio.run(_run())


async def _run() -> None:
    for name, check in _scenarios.items():
        variable = "OPS_CENTER_EMBEDDING_MODELS" if name == "embeddings" else "OPS_CENTER_MODELS"
        for model in os.environ[variable].split():
            error = None
            try:
                result = check(model)
                if inspect.isawaitable(result):
                    await result
            except Exception:  # noqa: BLE001 - a failure is a result here
                error = traceback.format_exc()[-3000:]
            print(json.dumps({"scenario": name, "model": model, "error": error}), flush=True)
