"""Reads and writes OpenAI's usage figures, with what DeepSeek, Mistral, OpenRouter, xAI and others add to them.

References (2026-11): https://platform.openai.com/docs/api-reference/chat/object,
https://openrouter.ai/docs/use-cases/usage-accounting, https://api-docs.deepseek.com/guides/kv_cache,
https://docs.x.ai/developers/cost-tracking, https://docs.mistral.ai/api (`prompt_audio_seconds`).
Tolerant of anything: a figure that is no sensible number counts as absent.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec

from ops_center.types import Extras, Usage
from ops_center.wire.figures import extras, read_object, seconds, tokens, usd


class _InputDetails(msgspec.Struct):
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    audio_tokens: int = 0


class _OutputDetails(msgspec.Struct):
    reasoning_tokens: int = 0
    audio_tokens: int = 0


class _Plain(msgspec.Struct):
    """Usage as nearly everybody sends it: whole numbers, and no cost of the provider's own."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int = 0
    prompt_tokens_details: _InputDetails | None = None
    completion_tokens_details: _OutputDetails | None = None
    prompt_cache_hit_tokens: int = 0
    cache_read_input_tokens: int = 0
    cache_creation_input_tokens: int = 0
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    prompt_audio_seconds: int | None = None
    cost: None = None  # anything but null is for the thorough reader
    cost_in_usd_ticks: None = None


_plain_decoder = msgspec.json.Decoder(_Plain)
_NO_INPUT_DETAILS = _InputDetails()
_NO_OUTPUT_DETAILS = _OutputDetails()
_SENSIBLE = 10**12


def read_usage(raw: msgspec.Raw | bytes | None) -> Usage | None:
    """The usage of an answer or of a stream's last chunk; None when there is none."""
    if raw is None:
        return None
    try:
        plain = _plain_decoder.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _read_anything(raw)
    details = plain.prompt_tokens_details or _NO_INPUT_DETAILS
    cache_read = (
        details.cached_tokens
        or plain.prompt_cache_hit_tokens
        or plain.cache_read_input_tokens
        or plain.cached_tokens
    )
    cache_write = details.cache_write_tokens or plain.cache_creation_input_tokens
    out = plain.completion_tokens_details or _NO_OUTPUT_DETAILS
    reasoning = out.reasoning_tokens or plain.reasoning_tokens
    figures = (
        plain.prompt_tokens,
        plain.completion_tokens,
        plain.total_tokens,
        cache_read,
        cache_write,
        reasoning,
        details.audio_tokens,
        out.audio_tokens,
        plain.prompt_audio_seconds or 0,
    )
    if min(figures) < 0 or max(figures) > _SENSIBLE:
        return _read_anything(raw)
    return _usage(*figures)


def _read_anything(raw: msgspec.Raw | bytes) -> Usage | None:
    """The same from usage in any shape and with any odd figure in it."""
    usage = read_object(raw)
    if usage is None or not ("prompt_tokens" in usage or "completion_tokens" in usage):
        return None
    details, output_details = (
        _object(usage, "prompt_tokens_details"),
        _object(usage, "completion_tokens_details"),
    )
    return _usage(
        tokens(usage.get("prompt_tokens")),
        tokens(usage.get("completion_tokens")),
        tokens(usage.get("total_tokens")),
        _first(
            details.get("cached_tokens"),
            usage.get("prompt_cache_hit_tokens"),
            usage.get("cache_read_input_tokens"),
            usage.get("cached_tokens"),  # Moonshot, Together
        ),
        _first(details.get("cache_write_tokens"), usage.get("cache_creation_input_tokens")),
        _first(output_details.get("reasoning_tokens"), usage.get("reasoning_tokens")),
        tokens(details.get("audio_tokens")),
        tokens(output_details.get("audio_tokens")),
        seconds(usage.get("prompt_audio_seconds")),
        reported_cost(usage),
    )


def _usage(
    input_tokens: int,
    output_tokens: int,
    total_tokens: int,
    cache_read: int,
    cache_write: int,
    reasoning: int,
    input_audio: int,
    output_audio: int,
    audio_seconds: int,
    cost_usd: Decimal | None = None,
) -> Usage:
    # Gemini and Grok report reasoning beside the output instead of inside it; only the total shows that.
    beside = total_tokens - input_tokens - output_tokens
    if audio_seconds:
        # Mistral bills sound by its length. Its tokens stand in the total alone, and where they do not, they
        # come out of the input.
        input_tokens -= 0 if beside > 0 else min(input_audio, input_tokens)
        input_audio = 0
    elif beside > 0 and reasoning in (0, beside):
        output_tokens += beside
        reasoning = beside
    cache_read = min(cache_read, input_tokens)
    return Usage(
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        cache_read_tokens=cache_read,
        cache_write_tokens=min(cache_write, input_tokens - cache_read),
        reasoning_tokens=min(reasoning, output_tokens),
        provider_cost_usd=cost_usd,
        extras=extras(
            input_audio=min(input_audio, input_tokens),
            output_audio=min(output_audio, output_tokens),
            audio_seconds=audio_seconds,
        )
        if input_audio or output_audio or audio_seconds
        else None,
    )


_TICK_USD = Decimal("1e-10")  # xAI's unit


def reported_cost(usage: dict[str, Any]) -> Decimal | None:
    """What the provider says it billed: OpenRouter's figure, and with a key of one's own there also what the
    provider behind it charged that key. Perplexity wraps the figure in an object, xAI counts ticks."""
    cost = usage.get("cost")
    ticks = usage.get("cost_in_usd_ticks")
    if cost is None and isinstance(ticks, int) and not isinstance(ticks, bool):
        return usd(ticks * _TICK_USD)
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
    output_details: dict[str, int] = {"reasoning_tokens": usage.reasoning_tokens}
    found = usage.extras or _NO_EXTRAS
    if found.input_audio_tokens:
        details["audio_tokens"] = found.input_audio_tokens
    if found.output_audio_tokens:
        output_details["audio_tokens"] = found.output_audio_tokens
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
        "prompt_tokens_details": details,
        "completion_tokens_details": output_details,
    }


_NO_EXTRAS = Extras()
