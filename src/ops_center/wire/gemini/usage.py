"""Reads Gemini's usage. Its thoughts stand beside the candidates' tokens; our output includes them.

Reference: https://ai.google.dev/api/generate-content#UsageMetadata (2026-11). Tolerant of anything: a
figure that is no sensible number counts as absent.
"""

from __future__ import annotations

from typing import Any

import msgspec

from ops_center.types import Usage
from ops_center.wire.figures import at_tier, extras, read_object, tokens, with_tools


def read_usage(raw: msgspec.Raw | bytes | None, *, tool_input: bool = True) -> Usage | None:
    """The `usageMetadata` of an answer or of one event; None when there is none.

    The prompt's count includes what came from a cache. What a built-in tool brought into the prompt is
    counted beside it, and `tool_input` says whether that is billed as input.
    """
    usage = read_object(raw)
    if usage is None or "promptTokenCount" not in usage:
        return None
    input_tokens = tokens(usage["promptTokenCount"])
    if tool_input:
        input_tokens += tokens(usage.get("toolUsePromptTokenCount"))
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


class OwnTools:
    """What Google's own tools did for one answer, gathered from its candidates, of a stream event by event.

    A search is billed by its query, each different one once and an empty one not at all; with Gemini 2.5 and older
    by the prompt, which is for the price to know (https://ai.google.dev/gemini-api/docs/google-search, of
    2026-09-23). What a search brought in is not billed as input (https://ai.google.dev/gemini-api/docs/pricing,
    2026-10). Places of Google Maps are billed too, but an answer does not show by how much.
    """

    __slots__ = ("_brought_in", "_maps", "_queries")

    def __init__(self) -> None:
        self._queries: set[str] = set()
        self._maps = False
        self._brought_in = False  # by another tool, whose tokens are billed

    def see(self, grounding: msgspec.Raw, urls: msgspec.Raw, *, ran_code: bool) -> bool:
        """Reads a candidate's `groundingMetadata` and `urlContextMetadata`, and whether a part of it ran code; True
        when they say anything."""
        brought_in = ran_code or bytes(urls) not in (b"null", b"{}")
        self._brought_in = self._brought_in or brought_in
        if bytes(grounding) == b"null":
            return brought_in
        found = read_object(grounding) or {}
        self._queries.update(
            query for query in _list(found, "webSearchQueries") if isinstance(query, str) and query.strip()
        )
        chunks = _list(found, "groundingChunks")
        self._maps = self._maps or any(isinstance(chunk, dict) and "maps" in chunk for chunk in chunks)
        return True

    def usage(self, raw: msgspec.Raw | bytes | None) -> Usage | None:
        """The usage in `raw` with what the tools did."""
        found = read_usage(raw, tool_input=self._brought_in or not self._queries)
        if found is None:
            return None
        maps = {"google_maps": 1} if self._maps else {}
        return with_tools(found, web_searches=len(self._queries), tool_calls=maps)


def _list(value: dict[str, Any], name: str) -> list[Any]:
    found = value.get(name)
    return found if isinstance(found, list) else []


def _sound(usage: dict[str, Any], name: str) -> int:
    """The tokens of sound in one of the lists of tokens by modality."""
    details = usage.get(name)
    return sum(
        tokens(one.get("tokenCount"))
        for one in (details if isinstance(details, list) else ())
        if isinstance(one, dict) and one.get("modality") == "AUDIO"
    )
