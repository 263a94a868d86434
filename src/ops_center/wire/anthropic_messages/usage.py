"""Reads and writes Anthropic's usage figures. Its input excludes cached tokens; ours includes them.

Reference: https://platform.claude.com/docs/en/build-with-claude/prompt-caching#tracking-cache-performance
(2026-11). Tolerant of anything: a figure that is no sensible number counts as absent.
"""

from __future__ import annotations

from typing import Any

import msgspec

from ops_center.types import Usage
from ops_center.wire.figures import at_tier, read_object, tokens, with_tools


class UsageCounter:
    """Gathers the usage of one answer from the places where a stream reports it.

    message_start has the input, message_delta the output and, with server tools, a larger input; all
    figures are cumulative, so the largest of each is the true one.
    """

    __slots__ = (
        "_cache_read",
        "_cache_write",
        "_cache_write_1h",
        "_input",
        "_output",
        "_ran_code",
        "_reasoning",
        "_searches",
        "_seen",
        "_tier",
    )

    def __init__(self) -> None:
        self._seen = self._ran_code = False
        self._input = self._output = self._cache_read = self._cache_write = self._cache_write_1h = 0
        self._reasoning = self._searches = 0
        self._tier = ""

    def add(self, raw: msgspec.Raw | bytes | None) -> None:
        usage = read_object(raw)
        if usage is None or not ("input_tokens" in usage or "output_tokens" in usage):
            return
        self._seen = True
        self._input = max(self._input, tokens(usage.get("input_tokens")))
        self._output = max(self._output, tokens(usage.get("output_tokens")))
        self._cache_read = max(self._cache_read, tokens(usage.get("cache_read_input_tokens")))
        by_ttl = usage.get("cache_creation")
        hour = minutes = 0
        if isinstance(by_ttl, dict):
            hour = tokens(by_ttl.get("ephemeral_1h_input_tokens"))
            minutes = tokens(by_ttl.get("ephemeral_5m_input_tokens"))
        written = max(tokens(usage.get("cache_creation_input_tokens")), hour + minutes)
        self._cache_write = max(self._cache_write, written)
        self._cache_write_1h = max(self._cache_write_1h, hour)
        details = usage.get("output_tokens_details")
        if isinstance(details, dict):
            self._reasoning = max(self._reasoning, tokens(details.get("thinking_tokens")))
        tools = usage.get("server_tool_use")
        if isinstance(tools, dict):
            self._searches = max(self._searches, tokens(tools.get("web_search_requests")))
        self._tier = _tier(usage) or self._tier

    def add_container(self, raw: msgspec.Raw | bytes) -> None:
        """A container is named where code was run in it, which is billed by the hour, after hours that are free
        (https://platform.claude.com/docs/en/agents-and-tools/tool-use/code-execution-tool, 2026-11)."""
        self._ran_code = self._ran_code or bytes(raw) != b"null"

    @property
    def usage(self) -> Usage | None:
        if not self._seen:
            return None
        found = Usage(
            input_tokens=self._input + self._cache_read + self._cache_write,
            output_tokens=self._output,
            cache_read_tokens=self._cache_read,
            cache_write_tokens=self._cache_write,
            cache_write_1h_tokens=self._cache_write_1h,
            reasoning_tokens=min(self._reasoning, self._output),
        )
        found = with_tools(
            found, web_searches=self._searches, tool_calls={"code_execution": 1} if self._ran_code else {}
        )
        return at_tier(found, self._tier)


def _tier(usage: dict[str, Any]) -> str:
    """The tier, and what else multiplies every price: the fast mode, and inference in the United States alone
    (https://platform.claude.com/docs/en/about-claude/pricing, 2026-11)."""
    words = []
    if isinstance(tier := usage.get("service_tier"), str) and tier != "standard":
        words.append(tier)
    if usage.get("speed") == "fast":
        words.append("fast")
    if usage.get("inference_geo") == "us":
        words.append("us")
    return " ".join(words)


def read_usage(raw: msgspec.Raw | bytes | None, container: msgspec.Raw | bytes = b"null") -> Usage | None:
    """The usage of a whole answer, which may name a container; None when there is none."""
    counter = UsageCounter()
    counter.add_container(container)
    counter.add(raw)
    return counter.usage


def write_usage(usage: Usage | None) -> dict[str, Any]:
    """Usage in Anthropic's words; zeros when nothing is known, since the format demands the fields."""
    if usage is None:
        return {"input_tokens": 0, "output_tokens": 0}
    written: dict[str, Any] = {
        "input_tokens": max(usage.input_tokens - usage.cache_read_tokens - usage.cache_write_tokens, 0),
        "cache_creation_input_tokens": usage.cache_write_tokens,
        "cache_read_input_tokens": usage.cache_read_tokens,
        "output_tokens": usage.output_tokens,
    }
    if usage.cache_write_tokens:
        written["cache_creation"] = {
            "ephemeral_5m_input_tokens": usage.cache_write_tokens - usage.cache_write_1h_tokens,
            "ephemeral_1h_input_tokens": usage.cache_write_1h_tokens,
        }
    if usage.reasoning_tokens:
        written["output_tokens_details"] = {"thinking_tokens": usage.reasoning_tokens}
    if usage.extras is not None and usage.extras.web_searches:
        searches = usage.extras.web_searches
        written["server_tool_use"] = {"web_search_requests": searches, "web_fetch_requests": 0}
    return written
