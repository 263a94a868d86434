"""Reads and writes OpenAI's usage figures, with what DeepSeek, OpenRouter and others add to them.

References (2026-11): https://platform.openai.com/docs/api-reference/chat/object,
https://openrouter.ai/docs/use-cases/usage-accounting, https://api-docs.deepseek.com/guides/kv_cache.
Tolerant of anything: a figure that is no sensible number counts as absent.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec

from ops_center.types import Usage
from ops_center.wire.figures import read_object, tokens, usd


def read_usage(raw: msgspec.Raw | bytes | None) -> Usage | None:
    """The usage of an answer or of a stream's last chunk; None when there is none."""
    usage = read_object(raw)
    if usage is None or not ("prompt_tokens" in usage or "completion_tokens" in usage):
        return None
    details, output_details = (
        _object(usage, "prompt_tokens_details"),
        _object(usage, "completion_tokens_details"),
    )
    input_tokens, output_tokens = tokens(usage.get("prompt_tokens")), tokens(usage.get("completion_tokens"))
    cache_read = _first(
        details.get("cached_tokens"),
        usage.get("prompt_cache_hit_tokens"),
        usage.get("cache_read_input_tokens"),
    )
    cache_write = _first(details.get("cache_write_tokens"), usage.get("cache_creation_input_tokens"))
    reasoning = _first(output_details.get("reasoning_tokens"), usage.get("reasoning_tokens"))
    # Gemini and Grok report reasoning beside the output instead of inside it; only the total shows that.
    beside = tokens(usage.get("total_tokens")) - input_tokens - output_tokens
    if beside > 0 and reasoning in (0, beside):
        output_tokens += beside
        reasoning = beside
    return Usage(
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        cache_read_tokens=min(cache_read, input_tokens),
        cache_write_tokens=min(cache_write, input_tokens - min(cache_read, input_tokens)),
        reasoning_tokens=min(reasoning, output_tokens),
        provider_cost_usd=_cost(usage),
    )


def _cost(usage: dict[str, Any]) -> Decimal | None:
    """What the provider says it cost: OpenRouter's figure, and with a key of one's own there also what the
    provider behind it charged that key. Perplexity wraps the figure in an object."""
    cost = usage.get("cost")
    if isinstance(cost, dict):
        cost = cost.get("total_cost")
    billed = usd(cost)
    if billed is not None and usage.get("is_byok") is True:
        billed += usd(_object(usage, "cost_details").get("upstream_inference_cost")) or 0
    return billed


def _object(usage: dict[str, Any], name: str) -> dict[str, Any]:
    value = usage.get(name)
    return value if isinstance(value, dict) else {}


def _first(*values: object) -> int:
    return next((count for value in values if (count := tokens(value))), 0)


def write_usage(usage: Usage) -> dict[str, Any]:
    """Usage in OpenAI's words."""
    details: dict[str, int] = {"cached_tokens": usage.cache_read_tokens}
    if usage.cache_write_tokens:
        details["cache_write_tokens"] = usage.cache_write_tokens
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
        "prompt_tokens_details": details,
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
    }
