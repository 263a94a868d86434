"""Reads and writes the usage figures of OpenAI's Responses.

Reference: https://platform.openai.com/docs/api-reference/responses/object (2026-11). Tolerant of anything: a
figure that is no sensible number counts as absent.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from ops_center.types import Usage
from ops_center.wire.figures import at_tier, read_object, tokens, with_tools
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
_TOOL = re.compile(rb'"(?:web_search|file_search|code_interpreter)_call"')
_PREVIEW = b'"web_search_preview'
# output items of the tools that are billed beside their tokens, and what we call the tool
_BILLED = {"file_search_call": "file_search", "code_interpreter_call": "code_interpreter"}


def usage_of(
    usage: msgspec.Raw | bytes | None,
    service_tier: str | None,
    output: Sequence[msgspec.Raw],
    tools: msgspec.Raw | bytes = b"",
) -> Usage | None:
    """The usage of a response, with its tier and what its own tools did (2026-11).

    Each search is billed, opening a page that was found is not
    (https://platform.openai.com/docs/guides/tools-web-search). The tool of the preview, which the response names
    among its `tools`, has a price of its own, and so have searches in files; the interpreter is billed by the hour
    of its container (https://developers.openai.com/api/docs/pricing).
    """
    found = at_tier(read_usage(usage), service_tier)
    if found is None:
        return None
    searches, calls = 0, dict[str, int]()
    for item in output:
        call = _call(item)
        tool = _BILLED.get(call.type)
        if tool is not None:
            calls[tool] = calls.get(tool, 0) + 1
        elif call.type == "web_search_call" and (call.action is None or call.action.type == "search"):
            searches += 1
    if searches and _PREVIEW in bytes(tools):
        calls["web_search_preview"], searches = searches, 0
    return with_tools(found, web_searches=searches, tool_calls=calls)


_NO_CALL = _Call()


def _call(item: msgspec.Raw) -> _Call:
    if not _TOOL.search(bytes(item)[:300]):
        return _NO_CALL
    try:
        return _call_decoder.decode(item)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _NO_CALL


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
