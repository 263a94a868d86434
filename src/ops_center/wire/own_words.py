"""What each caller's format calls the parameters that translating names in OpenAI's words (step 4).

Whoever writes a request for a provider names what it drops or refuses as chat completions do; this is where
that becomes the name that the caller sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ops_center.errors import BadRequest
from ops_center.wire import chat

_NAMES: Mapping[str, Mapping[str, str]] = {
    chat.ANTHROPIC_MESSAGES: {
        "reasoning_effort": "thinking",
        "response_format": "output_config.format",
        "stop": "stop_sequences",
    },
    chat.OPENAI_RESPONSES: {
        "max_tokens": "max_output_tokens",
        "messages": "input",
        "reasoning_effort": "reasoning.effort",
        "response_format": "text.format",
    },
    chat.OPENAI_COMPLETIONS: {"messages": "prompt"},
}


def dropped(wire_format: str, drops: Iterable[chat.Dropped]) -> tuple[chat.Dropped, ...]:
    """What was dropped, by the names of the caller's format."""
    names = _NAMES.get(wire_format, {})
    return tuple(
        chat.Dropped(names[drop.parameter], drop.reason) if drop.parameter in names else drop
        for drop in drops
    )


def refusal(wire_format: str, error: BadRequest) -> BadRequest:
    """The same refusal by the names of the caller's format."""
    name = _NAMES.get(wire_format, {}).get(error.param or "")
    if name is None:
        return error
    return BadRequest(error.message.replace(f"`{error.param}`", f"`{name}`"), param=name)
