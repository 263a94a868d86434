"""Reads Gemini's usage. Its thoughts stand beside the candidates' tokens; our output includes them.

Reference: https://ai.google.dev/api/generate-content#UsageMetadata (2026-11). Tolerant of anything: a
figure that is no sensible number counts as absent.
"""

from __future__ import annotations

from typing import Any

import msgspec

from ops_center.types import Usage
from ops_center.wire.figures import at_tier, extras, read_object, tokens


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
    cached_sound = _sound(usage, "cacheTokensDetails")
    found = Usage(
        input_tokens=input_tokens,
        output_tokens=tokens(usage.get("candidatesTokenCount")) + thoughts,
        cache_read_tokens=min(tokens(usage.get("cachedContentTokenCount")), input_tokens),
        reasoning_tokens=thoughts,
        extras=extras(
            input_audio=max(0, _sound(usage, "promptTokensDetails") - cached_sound),
            output_audio=_sound(usage, "candidatesTokensDetails"),
        ),
    )
    tier = usage.get("serviceTier")
    return at_tier(found, _TRAFFIC.get(str(usage.get("trafficType"))) if tier is None else tier)


# Vertex AI's word for the tier (https://cloud.google.com/vertex-ai/generative-ai/docs/reference/rest/v1/
# GenerateContentResponse#TrafficType, 2026-11)
_TRAFFIC = {
    "ON_DEMAND_FLEX": "flex",
    "ON_DEMAND_PRIORITY": "priority",
    "PROVISIONED_THROUGHPUT": "provisioned throughput",
}


def _sound(usage: dict[str, Any], name: str) -> int:
    """The tokens of sound in one of the lists of tokens by modality."""
    details = usage.get(name)
    return sum(
        tokens(one.get("tokenCount"))
        for one in (details if isinstance(details, list) else ())
        if isinstance(one, dict) and one.get("modality") == "AUDIO"
    )
