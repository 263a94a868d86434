"""Reads Cohere's usage: what is billed, which leaves out the tokens that Cohere itself adds to a prompt.

Reference: https://docs.cohere.com/reference/chat (2026-11, `usage`). Tolerant of anything: a figure that is no
sensible number counts as absent.
"""

from __future__ import annotations

import msgspec

from ops_center.types import Usage
from ops_center.wire.figures import read_object, tokens


def read_usage(raw: msgspec.Raw | bytes | None) -> Usage | None:
    """The usage of an answer or of a stream's last event; None when there is none."""
    usage = read_object(raw)
    if usage is None:
        return None
    counts = next(
        (
            counts
            for counts in (usage.get("billed_units"), usage.get("tokens"))
            if isinstance(counts, dict) and ("input_tokens" in counts or "output_tokens" in counts)
        ),
        None,
    )
    if counts is None:
        return None
    input_tokens = tokens(counts.get("input_tokens"))
    return Usage(
        input_tokens=input_tokens,
        output_tokens=tokens(counts.get("output_tokens")),
        cache_read_tokens=min(tokens(usage.get("cached_tokens")), input_tokens),
    )
