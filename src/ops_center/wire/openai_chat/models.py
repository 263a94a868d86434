"""Which parameters OpenAI's own models take, and who else hides behind a model name (part of step 4).

By name alone, since the same format serves every maker; a name we do not know is taken to accept all.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, NamedTuple

from ops_center.wire import chat

# https://platform.openai.com/docs/guides/reasoning (2026-11): these take max_completion_tokens, an effort
# and no sampling parameters; "-chat" variants do not reason.
_REASONS = re.compile(r"(o\d|gpt-[5-9]|gpt-\d\d|codex)")
_CLASSIC = re.compile(r"(gpt-3|gpt-4|chatgpt-4)")


class Model(NamedTuple):
    """`completion_limit`: the limit is called max_completion_tokens. `effort`: reasoning_effort is taken.
    `sampling`: temperature and top_p are. `claude`: cache marks and signed thinking reach their maker."""

    completion_limit: bool
    effort: bool
    sampling: bool
    claude: bool


@lru_cache(maxsize=512)
def model_facts(model: str) -> Model:
    name = model.lower()
    base = name.rsplit("/", 1)[-1]
    newer = _REASONS.match(base) is not None
    reasons = newer and "-chat" not in base
    return Model(
        completion_limit=newer,
        effort=_CLASSIC.match(base) is None and (reasons or not newer),
        sampling=not reasons,
        claude="claude" in name,
    )


def write_sampling(
    body: dict[str, Any], request: chat.ChatRequest, facts: Model, dropped: list[chat.Dropped]
) -> None:
    """Temperature and top_p, where the model takes them; 1 is what it does by itself."""
    for name, value in (("temperature", request.temperature), ("top_p", request.top_p)):
        if value is None:
            continue
        if facts.sampling:
            body[name] = value
        elif value != 1:
            dropped.append(chat.Dropped(name, "this model takes no sampling parameters"))
