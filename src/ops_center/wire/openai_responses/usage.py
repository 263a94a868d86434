"""Reads and writes the usage figures of OpenAI's Responses.

Reference: https://platform.openai.com/docs/api-reference/responses/object (2026-11). Tolerant of anything: a
figure that is no sensible number counts as absent.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from ops_center.types import Usage
from ops_center.wire.figures import at_tier, extras, read_object, tokens
from ops_center.wire.openai_chat.usage import reported_cost


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
        provider_cost_usd=reported_cost(usage),
    )


class _Action(msgspec.Struct):
    type: str = "search"


class _Call(msgspec.Struct):
    type: str = ""
    action: _Action | None = None


_call_decoder = msgspec.json.Decoder(_Call)


def usage_of(
    usage: msgspec.Raw | bytes | None, service_tier: str | None, output: Sequence[msgspec.Raw]
) -> Usage | None:
    """The usage of a response, with its tier and the searches that its own tool made: each is billed, opening
    a page that was found is not (https://platform.openai.com/docs/guides/tools-web-search, 2026-11)."""
    found = at_tier(read_usage(usage), service_tier)
    searches = sum(1 for item in output if b'"web_search_call"' in bytes(item)[:300] and _searched(item))
    if found is None or not searches:
        return found
    if found.extras is None:
        return msgspec.structs.replace(found, extras=extras(web_searches=searches))
    return msgspec.structs.replace(found, extras=msgspec.structs.replace(found.extras, web_searches=searches))


def _searched(item: msgspec.Raw) -> bool:
    try:
        call = _call_decoder.decode(item)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    return call.type == "web_search_call" and (call.action is None or call.action.type == "search")


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
