"""Reads and writes the usage figures of OpenAI's Responses.

Reference: https://platform.openai.com/docs/api-reference/responses/object (2026-11). Tolerant of anything: a
figure that is no sensible number counts as absent.
"""

from __future__ import annotations

from typing import Any

import msgspec

from ops_center.types import Usage
from ops_center.wire.figures import read_object, tokens, usd


def read_usage(raw: msgspec.Raw | bytes | None) -> Usage | None:
    """The usage of a response; None when there is none."""
    usage = read_object(raw)
    if usage is None or not ("input_tokens" in usage or "output_tokens" in usage):
        return None
    input_details, output_details = usage.get("input_tokens_details"), usage.get("output_tokens_details")
    input_tokens, output_tokens = tokens(usage.get("input_tokens")), tokens(usage.get("output_tokens"))
    cache_read = min(_detail(input_details, "cached_tokens"), input_tokens)
    return Usage(
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        cache_read_tokens=cache_read,
        cache_write_tokens=min(_detail(input_details, "cache_write_tokens"), input_tokens - cache_read),
        reasoning_tokens=min(_detail(output_details, "reasoning_tokens"), output_tokens),
        provider_cost_usd=usd(usage.get("cost")),  # OpenRouter's
    )


def _detail(details: object, name: str) -> int:
    return tokens(details.get(name)) if isinstance(details, dict) else 0


def write_usage(usage: Usage) -> dict[str, Any]:
    return {
        "input_tokens": usage.input_tokens,
        "input_tokens_details": {
            "cached_tokens": usage.cache_read_tokens,
            "cache_write_tokens": usage.cache_write_tokens,
        },
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "total_tokens": usage.input_tokens + usage.output_tokens,
    }
