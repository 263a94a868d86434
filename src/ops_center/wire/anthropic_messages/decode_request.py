"""A body in Anthropic's messages format, read into the neutral form. Everything unknown is kept as it came.

Reference: https://platform.claude.com/docs/en/api/messages (2026-11).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

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
    TEXTS,
    Fields,
    read_body,
)
from ops_center.wire.signatures import unmark

_ROLES = ("user", "assistant", "system")
_TOOL_CHOICES = {"auto": "auto", "any": "required", "none": "none", "tool": "function"}


def decode_request(body: bytes, *, counting: bool = False) -> chat.ChatRequest:
    """Raises BadRequest, with `param`, for anything that is not a request of this format.

    `counting`: only its tokens are to be counted, and nobody need say how many the answer may have.
    """
    fields = read_body(body)
    messages: list[chat.Message] = []
    system = fields.take("system", TEXT_OR_LIST)
    if system:
        messages.append(chat.Message(role="system", parts=_parts(system, "system"), place="system"))
    for index, raw in enumerate(fields.require("messages", LIST)):
        messages.append(_message(Fields(raw, f"messages[{index}]")))
    tool_choice, parallel = _tool_choice(fields.take_fields("tool_choice"))
    reasoning, response_format, output_rest = _output(fields)
    user, metadata = _metadata(fields.take_fields("metadata"))
    known: dict[str, Any] = {
        "model": fields.take("model", TEXT) or "",
        "max_output_tokens": fields.take("max_tokens", INTEGER)
        if counting
        else fields.require("max_tokens", INTEGER),
        "temperature": fields.take("temperature", NUMBER),
        "top_p": fields.take("top_p", NUMBER),
        "top_k": fields.take("top_k", INTEGER),
        "stop": tuple(fields.take("stop_sequences", TEXTS) or ()),
        "service_tier": fields.take("service_tier", TEXT),
        "stream": fields.take("stream", BOOLEAN) or False,
        "tools": tuple(
            _tool(Fields(raw, f"tools[{index}]"), raw)
            for index, raw in enumerate(fields.take("tools", LIST) or ())
        ),
    }
    return chat.ChatRequest(
        format=chat.ANTHROPIC_MESSAGES,
        messages=tuple(messages),
        tool_choice=tool_choice,
        parallel_tool_calls=parallel,
        reasoning=reasoning,
        response_format=response_format,
        user=user,
        include_usage=True,  # Anthropic's streams always carry it
        extra={**fields.rest, **output_rest, **metadata},
        **known,
    )


def _message(fields: Fields) -> chat.Message:
    role = fields.require("role", TEXT)
    if role not in _ROLES:
        raise BadRequest(
            f"`{fields.place('role')}` must be one of user, assistant and system.", param=fields.place("role")
        )
    content = fields.require("content", TEXT_OR_LIST)
    parts = _parts(content, fields.place("content"))
    return chat.Message(role=role, parts=parts, place=fields.path, extra=fields.rest)


def _parts(content: str | list[Raw], path: str, *, in_result: bool = False) -> tuple[chat.Part, ...]:
    if isinstance(content, str):
        return (chat.Text(content),) if content else ()
    return tuple(
        read_block(raw, f"{path}[{index}]", in_result=in_result) for index, raw in enumerate(content)
    )


def read_block(raw: Raw, path: str, *, in_result: bool = False) -> chat.Part:
    """One content block; a kind that no other format has stays as it was written.

    `in_result`: the block stands in a tool's result, where no further result may stand.
    """
    fields = Fields(raw, path)
    kind = fields.require("type", TEXT)
    if kind == "text":
        text = fields.require("text", TEXT)
        return chat.Text(text, cache=_cache(fields), extra=_rest(fields))
    if kind == "tool_use":
        return _tool_use(fields)
    if kind == "tool_result":
        if in_result:
            raise BadRequest(f"`{path}`: a tool's result cannot hold another.", param=path)
        return chat.ToolResult(
            tool_call_id=fields.require("tool_use_id", TEXT),
            parts=_parts(fields.take("content", TEXT_OR_LIST) or "", fields.place("content"), in_result=True),
            is_error=fields.take("is_error", BOOLEAN) or False,
            cache=_cache(fields),
            extra=_rest(fields),
        )
    if kind == "thinking":
        return _thinking(fields)
    if kind == "redacted_thinking":
        return chat.Thinking(redacted=fields.require("data", TEXT), origin=chat.ANTHROPIC_MESSAGES)
    if kind in ("image", "document"):
        return _image_or_document(fields, kind) or _native(kind, raw)
    return _native(kind, raw)


def _thinking(fields: Fields) -> chat.Thinking:
    """Without a proof when another maker's model thought it, which has none."""
    text, given = fields.require("thinking", TEXT), fields.take("signature", TEXT)
    if not given:
        return chat.Thinking(text=text)
    signature, origin = unmark(given, chat.ANTHROPIC_MESSAGES)
    return chat.Thinking(text=text, signature=signature, origin=origin)


def _native(kind: str, raw: Raw) -> chat.Native:
    return chat.Native(format=chat.ANTHROPIC_MESSAGES, type=kind, raw=raw)


def _tool_use(fields: Fields) -> chat.ToolCall:
    call_input = fields.take_fields("input")
    return chat.ToolCall(
        id=fields.require("id", TEXT),
        name=fields.require("name", TEXT),
        arguments=call_input.text if call_input else "{}",
        cache=_cache(fields),
        extra=_rest(fields),
    )


def _image_or_document(fields: Fields, kind: str) -> chat.Part | None:
    """None for a source that only Anthropic knows."""
    source = fields.take_fields("source")
    if source is None:
        raise BadRequest(f"`{fields.place('source')}` is required.", param=fields.place("source"))
    how = source.require("type", TEXT)
    where: dict[str, str | None]
    if how == "base64":
        where = {"data": source.require("data", TEXT), "media_type": source.require("media_type", TEXT)}
    elif how == "url":
        where = {"url": source.require("url", TEXT)}
    elif how == "file":
        where = {"file_id": source.require("file_id", TEXT)}
    elif how == "text" and kind == "document":
        where = {"text": source.require("data", TEXT), "media_type": source.take("media_type", TEXT)}
    else:
        return None
    cache = _cache(fields)
    if kind == "image":
        return chat.Image(**where, cache=cache, extra=_rest(fields))
    name = fields.take("title", TEXT)
    return chat.File(**where, name=name, cache=cache, extra=_rest(fields))


def _cache(fields: Fields) -> chat.CacheMark | None:
    mark = fields.take_fields("cache_control")
    return chat.CacheMark(mark.take("ttl", TEXT)) if mark else None


def _rest(fields: Fields) -> Mapping[str, Raw]:
    return {name: raw for name, raw in fields.rest.items() if bytes(raw) != b"null"} or chat.NOTHING


def _tool(fields: Fields, raw: Raw) -> chat.Tool:
    kind = fields.take("type", TEXT)
    name = fields.take("name", TEXT)
    if kind not in (None, "custom"):
        return chat.Tool(name=name or kind, native=_native(kind, raw))
    if name is None:
        raise BadRequest(f"`{fields.place('name')}` is required.", param=fields.place("name"))
    schema = fields.take_fields("input_schema")
    if schema is None:
        raise BadRequest(f"`{fields.place('input_schema')}` is required.", param=fields.place("input_schema"))
    return chat.Tool(
        name=name,
        description=fields.take("description", TEXT),
        parameters=schema.raw,
        strict=fields.take("strict", BOOLEAN),
        cache=_cache(fields),
        extra=_rest(fields),
    )


def _tool_choice(fields: Fields | None) -> tuple[chat.ToolChoice | None, bool | None]:
    if fields is None:
        return None, None
    kind = fields.require("type", TEXT)
    mode = _TOOL_CHOICES.get(kind)
    if mode is None:
        place = fields.place("type")
        raise BadRequest(f"`{place}` must be one of auto, any, tool and none.", param=place)
    single = fields.take("disable_parallel_tool_use", BOOLEAN)
    name = fields.require("name", TEXT) if mode == "function" else None
    return chat.ToolChoice(mode=mode, name=name), None if single is None else not single


def _output(
    fields: Fields,
) -> tuple[chat.Reasoning | None, chat.ResponseFormat | None, Mapping[str, Raw]]:
    """Thinking and effort, the format of the answer, and what else stood in output_config."""
    thinking = fields.take_fields("thinking")
    config = fields.take_fields("output_config")
    effort = config.take("effort", TEXT) if config else None
    response_format = None
    if config and "format" in config:
        shape = config.take_fields("format")
        if shape is not None:
            if shape.require("type", TEXT) != "json_schema":
                raise BadRequest(f"`{shape.place('type')}` must be json_schema.", param=shape.place("type"))
            response_format = chat.ResponseFormat(type="json_schema", schema=shape.take_raw("schema"))
    reasoning = None
    if thinking or effort:
        reasoning = chat.Reasoning(
            effort=effort,
            mode=thinking.require("type", TEXT) if thinking else None,
            budget_tokens=thinking.take("budget_tokens", INTEGER) if thinking else None,
            display=thinking.take("display", TEXT) if thinking else None,
        )
    rest = {f"output_config.{name}": raw for name, raw in config.rest.items()} if config else {}
    return reasoning, response_format, rest


def _metadata(fields: Fields | None) -> tuple[str | None, Mapping[str, Raw]]:
    if fields is None:
        return None, {}
    user = fields.take("user_id", TEXT)
    return user, {f"metadata.{name}": raw for name, raw in fields.rest.items()}
