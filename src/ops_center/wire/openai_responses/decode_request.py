"""A body of OpenAI's Responses, read into the neutral form. Everything unknown is kept as it came.

Reference: https://platform.openai.com/docs/api-reference/responses/create (2026-11).
"""

from __future__ import annotations

import msgspec
from msgspec import Raw

from ops_center.errors import BadRequest
from ops_center.wire import chat
from ops_center.wire.json_fields import (
    BOOLEAN,
    INTEGER,
    LIST,
    NUMBER,
    TEXT,
    TEXT_OR_LIST,
    Fields,
    decode,
    read_body,
)
from ops_center.wire.openai_responses.items import read_item

# What hangs on something that OpenAI keeps: another provider would answer a different question.
_REFUSED = {
    "previous_response_id": "no earlier response is kept for this provider; send the whole conversation",
    "conversation": "no conversation is kept for this provider; send it whole",
    "prompt": "stored prompts are OpenAI's own; send the text",
    "background": "this provider answers at once or not at all",
}
# What may be left out: the answer is the one that was asked for.
_HARMLESS = {
    "store": "nothing is stored by this provider",
    "include": "this provider's answers hold nothing more to include",
    "metadata": "this provider keeps no metadata",
    "truncation": "this provider does not shorten conversations by itself",
    "max_tool_calls": "this provider runs no tools by itself",
    "prompt_cache_key": "only OpenAI has this parameter",
    "prompt_cache_options": "only OpenAI has this parameter",
    "prompt_cache_retention": "only OpenAI has this parameter",
    "safety_identifier": "only OpenAI has this parameter",
    "context_management": "only OpenAI has this parameter",
    "text.verbosity": "only OpenAI has this parameter",
    "stream_options.include_obfuscation": "only OpenAI pads its streams",
}
_ASKS_NOTHING = (b"null", b"false", b"{}", b"[]", b'"disabled"')


def decode_request(body: bytes) -> chat.ChatRequest:
    """Raises BadRequest, with `param`, for anything that is not a request of this format."""
    fields = read_body(body)
    messages: list[chat.Message] = []
    instructions = fields.take("instructions", TEXT_OR_LIST)
    if isinstance(instructions, str):
        if instructions:
            parts = (chat.Text(instructions),)
            messages.append(chat.Message(role="system", parts=parts, place="instructions"))
    elif instructions:
        messages += [read_item(raw, f"instructions[{i}]") for i, raw in enumerate(instructions)]
    given = fields.take("input", TEXT_OR_LIST)
    if isinstance(given, str):
        messages.append(chat.Message(role="user", parts=(chat.Text(given),), place="input"))
    else:
        messages += [read_item(raw, f"input[{index}]") for index, raw in enumerate(given or ())]
    if given is None and not ("prompt" in fields or "previous_response_id" in fields):
        raise BadRequest("`input` is required.", param="input")
    response_format, text_rest = _text(fields.take_fields("text"))
    reasoning, reasoning_rest = _reasoning(fields.take_fields("reasoning"))
    options = fields.take_fields("stream_options")
    option_rest = {f"stream_options.{name}": raw for name, raw in options.rest.items()} if options else {}
    return chat.ChatRequest(
        format=chat.OPENAI_RESPONSES,
        model=fields.take("model", TEXT) or "",
        messages=tuple(messages),
        tools=tuple(
            _tool(Fields(raw, f"tools[{index}]"), raw)
            for index, raw in enumerate(fields.take("tools", LIST) or ())
        ),
        tool_choice=_tool_choice(fields),
        parallel_tool_calls=fields.take("parallel_tool_calls", BOOLEAN),
        response_format=response_format,
        max_output_tokens=fields.take("max_output_tokens", INTEGER),
        temperature=fields.take("temperature", NUMBER),
        top_p=fields.take("top_p", NUMBER),
        top_logprobs=fields.take("top_logprobs", INTEGER),
        reasoning=reasoning,
        user=fields.take("user", TEXT),
        service_tier=fields.take("service_tier", TEXT),
        stream=fields.take("stream", BOOLEAN) or False,
        include_usage=True,  # this format's streams always carry it
        extra={**fields.rest, **text_rest, **reasoning_rest, **option_rest},
    )


def without_own(request: chat.ChatRequest) -> tuple[chat.ChatRequest, tuple[chat.Dropped, ...]]:
    """The request as another format may say it. Raises BadRequest, with `param`, for what hangs on state."""
    dropped: list[chat.Dropped] = []
    kept: dict[str, Raw] = {}
    for name, raw in request.extra.items():
        if bytes(raw) in _ASKS_NOTHING:
            continue
        if name in _REFUSED:
            raise BadRequest(f"`{name}`: {_REFUSED[name]}.", param=name)
        if name == "include":
            _refuse_logprobs(raw)
        if name in _HARMLESS:
            if not (name == "store" or (name == "include" and _sealed_thinking_only(raw))):
                dropped.append(chat.Dropped(name, _HARMLESS[name]))
        elif name.startswith(("text.", "reasoning.", "stream_options.")):
            dropped.append(chat.Dropped(name, "only OpenAI has this parameter"))
        else:
            kept[name] = raw  # unknown to us: a provider's own parameter
    for message in request.messages:
        for part in message.parts:
            if isinstance(part, chat.Native) and part.type == "item_reference":
                raise BadRequest(
                    f"`{message.place}`: no item is kept for this provider; send it whole.",
                    param=message.place,
                )
    if request.top_logprobs:
        dropped.append(chat.Dropped("top_logprobs", "they are shown only where `include` asks for them"))
    tier = request.service_tier
    if tier is not None and tier not in ("auto", "default"):
        dropped.append(chat.Dropped("service_tier", "only OpenAI has this tier"))
    changed = msgspec.structs.replace(request, extra=kept, service_tier=None, top_logprobs=None)
    return changed, tuple(dropped)


def _refuse_logprobs(include: Raw) -> None:
    if b'"message.output_text.logprobs"' in bytes(include):
        raise BadRequest("`include`: log probabilities cannot be had from this provider.", param="include")


def _sealed_thinking_only(include: Raw) -> bool:
    """Thinking always comes with its seal, so that this wish is met."""
    return bytes(include).replace(b" ", b"") == b'["reasoning.encrypted_content"]'


def _tool(fields: Fields, raw: Raw) -> chat.Tool:
    kind = fields.require("type", TEXT)
    if kind != "function":
        native = chat.Native(format=chat.OPENAI_RESPONSES, type=kind, raw=raw)
        return chat.Tool(name=fields.take("name", TEXT) or kind, native=native)
    return chat.Tool(
        name=fields.require("name", TEXT),
        description=fields.take("description", TEXT),
        parameters=fields.take_raw("parameters"),
        strict=fields.take("strict", BOOLEAN),
        extra={name: raw for name, raw in fields.rest.items() if bytes(raw) != b"null"} or chat.NOTHING,
    )


def _tool_choice(fields: Fields) -> chat.ToolChoice | None:
    """A choice of a tool that only OpenAI has stays among the unknown parameters."""
    raw = fields.take_raw("tool_choice")
    if raw is None:
        return None
    if bytes(raw).startswith(b'"'):
        mode = decode(TEXT, raw, "tool_choice") or ""
        if mode not in ("none", "auto", "required"):
            raise BadRequest("`tool_choice` must be none, auto, required or an object.", param="tool_choice")
        return chat.ToolChoice(mode=mode)
    choice = Fields(raw, "tool_choice")
    kind = choice.take("type", TEXT)
    if kind == "function":
        return chat.ToolChoice(mode="function", name=choice.require("name", TEXT))
    tools = choice.take("tools", LIST) if kind == "allowed_tools" else None
    if tools is not None:
        listed = [Fields(tool, f"tool_choice.tools[{index}]") for index, tool in enumerate(tools)]
        if all(tool.take("type", TEXT) == "function" for tool in listed):
            names = tuple(tool.require("name", TEXT) for tool in listed)
            return chat.ToolChoice(mode=choice.take("mode", TEXT) or "auto", allowed=names)
    fields.put_back("tool_choice", raw)
    return None


def _text(fields: Fields | None) -> tuple[chat.ResponseFormat | None, dict[str, Raw]]:
    if fields is None:
        return None, {}
    shape = fields.take_fields("format")
    response_format = None
    if shape is not None:
        kind = shape.require("type", TEXT)
        if kind not in ("text", "json_object", "json_schema"):
            place = shape.place("type")
            raise BadRequest(f"`{place}` must be text, json_object or json_schema.", param=place)
        response_format = chat.ResponseFormat(
            type=kind,
            name=shape.take("name", TEXT),
            description=shape.take("description", TEXT),
            schema=shape.take_raw("schema"),
            strict=shape.take("strict", BOOLEAN),
        )
    return response_format, {f"text.{name}": raw for name, raw in fields.rest.items()}


def _reasoning(fields: Fields | None) -> tuple[chat.Reasoning | None, dict[str, Raw]]:
    if fields is None:
        return None, {}
    effort, summary = fields.take("effort", TEXT), fields.take("summary", TEXT)
    rest = {f"reasoning.{name}": raw for name, raw in fields.rest.items()}
    return chat.Reasoning(effort=effort, summary=summary) if effort or summary else None, rest
