"""Reads Bedrock's usage. Its input excludes cached tokens, as Anthropic's does; ours includes them.

Reference: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_TokenUsage.html (2026-11).
Tolerant of anything: a figure that is no sensible number counts as absent.
"""

from __future__ import annotations

import msgspec

from ops_center.types import Usage
from ops_center.wire.figures import read_object, tokens


def read_usage(raw: msgspec.Raw | bytes | None) -> Usage | None:
    """The usage of an answer or of a stream's metadata; None when there is none."""
    usage = read_object(raw)
    if usage is None or not ("inputTokens" in usage or "outputTokens" in usage):
        return None
    read, written = tokens(usage.get("cacheReadInputTokens")), tokens(usage.get("cacheWriteInputTokens"))
    details = usage.get("cacheDetails")
    hour = sum(
        tokens(detail.get("inputTokens"))
        for detail in (details if isinstance(details, list) else ())
        if isinstance(detail, dict) and detail.get("ttl") == "1h"
    )
    return Usage(
        input_tokens=tokens(usage.get("inputTokens")) + read + written,
        output_tokens=tokens(usage.get("outputTokens")),
        cache_read_tokens=read,
        cache_write_tokens=written,
        cache_write_1h_tokens=min(hour, written),
    )
