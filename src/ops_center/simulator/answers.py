"""What a simulated model says: text, tool calls and token counts, all predictable from the request.

The token rule, for every format: a text has `ceil(characters / 4)` tokens; a message costs 4 tokens beside
its text; an image costs 85; tool definitions, and the arguments of tool calls, count as compact JSON text.
An answer's tokens are those of its text (or of name plus arguments for each tool call), plus reasoning.

What the model says:
- a last message that starts with `say:` is answered with exactly the rest of it;
- after tool results, the answer quotes them;
- with tools, each `name` of a tool in the last message (with its arguments as JSON in brackets, if given)
  becomes one tool call; a tool choice of "required" forces the first tool;
- a wish for JSON gets JSON that fits the schema;
- everything else gets `config.answer_tokens` tokens of words that depend on the text and the seed.
"""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import msgspec

MESSAGE_TOKENS = 4
IMAGE_TOKENS = 85
CHARACTERS_PER_TOKEN = 4
REASONING_TOKENS = {"none": 0, "minimal": 8, "low": 32, "medium": 64, "high": 128, "xhigh": 256}

_SENTENCE = (
    "the answer to this depends on a few things that are worth naming one by one first check what you "
    "already know then write down what is missing a small example often says more than a long rule and "
    "numbers should carry their source so that somebody else can follow the same way and reach the same end"
)
_WORDS = _SENTENCE.split()


class Tool(msgspec.Struct, frozen=True):
    name: str
    schema: Mapping[str, Any]


class ToolCall(msgspec.Struct, frozen=True):
    id: str
    name: str
    arguments: str  # compact JSON


class Ask(msgspec.Struct, kw_only=True):
    """A chat request of any format, reduced to what the answer depends on."""

    model: str
    last_text: str  # text of the last user message
    tool_results: tuple[str, ...] = ()  # texts of the tool results that end the conversation
    input_tokens: int = 0
    max_tokens: int | None = None
    stops: tuple[str, ...] = ()
    tools: tuple[Tool, ...] = ()
    forced_tool: str | None = None  # a tool's name, or "*" for any
    tools_allowed: bool = True
    parallel_calls: bool = True
    json_schema: Mapping[str, Any] | None = None  # {} for JSON of any shape
    reasoning_tokens: int = 0
    choice: int = 0  # which of n answers


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    text: str = ""
    calls: tuple[ToolCall, ...] = ()
    finish: str = "stop"  # stop | length | stop_sequence | tool_calls
    stopped_by: str | None = None
    reasoning_tokens: int = 0

    @property
    def output_tokens(self) -> int:
        """Reasoning included."""
        calls = sum(count_tokens(call.name + call.arguments) for call in self.calls)
        return count_tokens(self.text) + calls + self.reasoning_tokens


def count_tokens(text: str) -> int:
    """`ceil(characters / 4)`; 0 for an empty text."""
    return -(-len(text) // CHARACTERS_PER_TOKEN)


def compact(value: object) -> str:
    """JSON without spaces: how everything that is not text is counted."""
    return msgspec.json.encode(value).decode()


def compose(ask: Ask, *, seed: int, answer_tokens: int) -> Answer:
    """The answer to one request; the same request and seed always give the same one."""
    calls = _tool_calls(ask, seed)
    if calls:
        return Answer(calls=calls, finish="tool_calls", reasoning_tokens=ask.reasoning_tokens)
    if ask.last_text.startswith("say:"):
        text = ask.last_text.removeprefix("say:").strip()
    elif ask.tool_results:
        text = "The tools answered: " + "; ".join(ask.tool_results)
    elif ask.json_schema is not None:
        text = compact(example_of(ask.json_schema) if ask.json_schema else {"answer": "yes"})
    else:
        text = words(f"{seed}/{ask.choice}/{ask.model}/{ask.last_text}", answer_tokens)
    return _limited(text, ask)


def _limited(text: str, ask: Ask) -> Answer:
    found = [(at, stop) for stop in ask.stops if stop and (at := text.find(stop)) >= 0]
    stopped_by = None
    if found:
        at, stopped_by = min(found)
        text = text[:at]
    if ask.max_tokens is not None:
        room = max(ask.max_tokens - ask.reasoning_tokens, 0) * CHARACTERS_PER_TOKEN
        if len(text) > room:
            reasoning = min(ask.reasoning_tokens, ask.max_tokens)
            return Answer(text=text[:room], finish="length", reasoning_tokens=reasoning)
    return Answer(
        text=text,
        finish="stop_sequence" if stopped_by else "stop",
        stopped_by=stopped_by,
        reasoning_tokens=ask.reasoning_tokens,
    )


@lru_cache(maxsize=1024)
def words(key: str, tokens: int) -> str:
    """A text of exactly `tokens` tokens that depends on nothing but `key`."""
    length = tokens * CHARACTERS_PER_TOKEN
    rng = random.Random(hashlib.sha256(key.encode()).digest())
    text = ""
    while len(text) < length:
        sentence = " ".join(rng.choices(_WORDS, k=rng.randint(5, 12))).capitalize()
        text += sentence + ". "
    text = text[:length]
    return text[:-1] + "." if text else text


def _tool_calls(ask: Ask, seed: int) -> tuple[ToolCall, ...]:
    if not ask.tools or not ask.tools_allowed:
        return ()
    found: list[tuple[int, Tool, str | None]] = []
    if not ask.tool_results:
        for tool in ask.tools:
            for match in re.finditer(rf"\b{re.escape(tool.name)}\b(?:\((\{{.*?\}})\))?", ask.last_text):
                found.append((match.start(), tool, match.group(1)))
        found.sort(key=lambda item: item[0])
    if not found and ask.forced_tool is not None:
        named = [t for t in ask.tools if ask.forced_tool in ("*", t.name)]
        found = [(0, tool, None) for tool in named[:1]]
    if not ask.parallel_calls:
        found = found[:1]
    return tuple(
        ToolCall(
            id=_call_id(f"{seed}/{ask.model}/{ask.input_tokens}/{number}/{ask.last_text}"),
            name=tool.name,
            arguments=_arguments(arguments, tool),
        )
        for number, (_, tool, arguments) in enumerate(found)
    )


def _call_id(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:24]


def _arguments(given: str | None, tool: Tool) -> str:
    if given is not None:
        try:
            return compact(msgspec.json.decode(given))
        except msgspec.DecodeError:
            pass
    return compact(example_of(tool.schema))


def example_of(schema: Mapping[str, Any]) -> Any:
    """The smallest value that fits a JSON schema (of the subset that structured output allows)."""
    return _example(schema, schema, 0)


def _example(schema: Any, root: Mapping[str, Any], depth: int) -> Any:
    if not isinstance(schema, Mapping) or depth > 16:
        return "text"
    if isinstance(reference := schema.get("$ref"), str):
        target: Any = root
        for step in reference.removeprefix("#/").split("/"):
            target = target.get(step, {}) if isinstance(target, Mapping) else {}
        return _example(target, root, depth + 1)
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return schema["enum"][0]
    for union in ("anyOf", "oneOf", "allOf"):
        if schema.get(union):
            return _example(schema[union][0], root, depth + 1)
    kind = schema.get("type")
    if isinstance(kind, Sequence) and not isinstance(kind, str):
        kind = kind[0]
    if kind == "object" or (kind is None and "properties" in schema):
        properties = schema.get("properties") or {}
        wanted = schema.get("required", list(properties))
        return {name: _example(properties.get(name, {}), root, depth + 1) for name in wanted}
    if kind == "array":
        return [_example(schema.get("items", {}), root, depth + 1)]
    return {"integer": 1, "number": 1.5, "boolean": True, "null": None}.get(str(kind), "text")
