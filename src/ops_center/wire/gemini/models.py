"""Which generation of Gemini takes which form of thinking; part of translating a request for it (step 4).

Facts by version number, so that a new model of a known generation needs no change; an alias without a
version (`gemini-flash-latest`) is the newest. Says nothing about prices or context windows.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

_VERSION = re.compile(r"gemini-(\d{1,2})(?:\.(\d{1,2}))?")


class Generation(NamedTuple):
    """`levels`: thinking is set by a word, the lowest first; `budget`: by a number of tokens, the least
    one and whether 0 switches it off. `signed_calls`: a function call must come back with its signature.
    """

    levels: tuple[str, ...] = ()
    budget: bool = False
    least_budget: int = 0
    switch_off: bool = True
    signed_calls: bool = False


@lru_cache(maxsize=512)
def generation(model: str) -> Generation:
    """Sources, 2026-11: https://ai.google.dev/gemini-api/docs/thinking (budgets and levels),
    https://ai.google.dev/gemini-api/docs/thought-signatures (calls that must come back signed)."""
    name = model.lower()
    match = _VERSION.search(name)
    if match:
        version = (int(match[1]), int(match[2] or 0))
    elif "gemini" in name:
        version = (99, 0)
    else:
        return Generation()
    if version < (2, 5):
        return Generation()
    if version < (3, 0):
        pro = "pro" in name
        return Generation(
            budget=True, least_budget=128 if pro else 512 if "lite" in name else 0, switch_off=not pro
        )
    if "pro" in name:
        levels: tuple[str, ...] = ("low", "high") if version == (3, 0) else ("low", "medium", "high")
    else:
        levels = ("minimal", "low", "medium", "high")
    return Generation(levels=levels, switch_off=False, signed_calls=True)
