"""Which parameters which generation of Claude takes; part of translating a request for Anthropic (step 4).

Facts by version number, so that a new model of a known generation needs no change. A name without a
version (another maker's model behind this format) is taken to accept everything. Says nothing about
prices or context windows: those live in the catalogue.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

_VERSION = re.compile(r"claude-(?:([a-z]+)-)?(\d{1,2})(?:[-.](\d{1,2}))?(?!\d)")


class Generation(NamedTuple):
    """What one model takes.

    `sampling`: temperature, top_p, top_k. `temperature_with_top_p`: both in one request.
    `adaptive`, `budget`, `switch_off`: the forms of `thinking` it accepts. `thinks_by_default`: without any.
    `extra_effort`: the efforts above high. `prefill`: an assistant turn at the end, to be continued.
    `structured`: output_config.format and strict tools.
    """

    sampling: bool = True
    temperature_with_top_p: bool = True
    adaptive: bool = False
    budget: bool = True
    switch_off: bool = True
    thinks_by_default: bool = False
    extra_effort: bool = False
    prefill: bool = True
    structured: bool = True


_UNKNOWN = Generation()


@lru_cache(maxsize=512)
def generation(model: str) -> Generation:
    """The abilities behind a model id, in any maker's or reseller's spelling of it.

    Sources, 2026-11: https://platform.claude.com/docs/en/build-with-claude/thinking-troubleshooting (forms
    of thinking), https://platform.claude.com/docs/en/models/sonnet-5-5/migration-guide (sampling, prefill,
    switching off), https://platform.claude.com/docs/en/build-with-claude/structured-outputs.
    """
    name = model.lower()
    always_thinks = "mythos" in name or "fable" in name
    match = _VERSION.search(name)
    if match:
        version = (int(match[2]), int(match[3] or 0))
    elif always_thinks:
        version = (5, 0)  # claude-mythos-preview
    else:
        return _UNKNOWN
    return Generation(
        sampling=version < (4, 7),
        temperature_with_top_p=version < (4, 1),
        adaptive=version >= (4, 6),
        budget=(3, 7) <= version < (4, 6),
        switch_off=version < (5, 5) and not always_thinks,
        thinks_by_default=version >= (5, 0),
        extra_effort=version >= (4, 7),
        prefill=version < (4, 6),
        structured=version >= (4, 5),
    )
