"""Reads Gemini's usage. Its thoughts stand beside the candidates' tokens; our output includes them.

Reference: https://ai.google.dev/api/generate-content#UsageMetadata (2026-11). Tolerant of anything: a
figure that is no sensible number counts as absent.
"""

from __future__ import annotations

import msgspec

from ops_center.types import Usage
from ops_center.wire.figures import read_object, tokens


def read_usage(raw: msgspec.Raw | bytes | None) -> Usage | None:
    """The `usageMetadata` of an answer or of one event; None when there is none.

    The prompt's count includes what came from a cache. What a built-in tool brought into the prompt is
    counted beside it and billed as input.
    """
    usage = read_object(raw)
    if usage is None or "promptTokenCount" not in usage:
        return None
    input_tokens = tokens(usage["promptTokenCount"]) + tokens(usage.get("toolUsePromptTokenCount"))
    thoughts = tokens(usage.get("thoughtsTokenCount"))
    return Usage(
        input_tokens=input_tokens,
        output_tokens=tokens(usage.get("candidatesTokenCount")) + thoughts,
        cache_read_tokens=min(tokens(usage.get("cachedContentTokenCount")), input_tokens),
        reasoning_tokens=thoughts,
    )
