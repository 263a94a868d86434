"""A body in OpenAI's chat format, read into the neutral form. Everything unknown is kept as it came.

Also reads what LiteLLM's and OpenRouter's users add to the format: `cache_control` on messages, parts and
tools, `thinking_blocks` and `reasoning_content` on an assistant's message.
Reference: https://platform.openai.com/docs/api-reference/chat/create (2026-11).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

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
    TEXT_OR_TEXTS,
    Fields,
    decode,
    read_body,
)
from ops_center.wire.openai_chat.thinking import signed_thinking

_ROLES = ("system", "developer", "user", "assistant", "tool")
_DATA_URL = re.compile(r"data:([\w.+-]+/[\w.+-]+);base64,")


def decode_request(body: bytes) -> chat.ChatRequest:
    """Raises BadRequest, with `param`, for anything that is not a request of this format."""
    fields = read_body(body)
    messages = tuple(
        _message(Fields(raw, f"messages[{index}]"))
        for index, raw in enumerate(fields.require("messages", LIST))
    )
    newer_limit = fields.take("max_completion_tokens", INTEGER)
    older_limit = fields.take("max_tokens", INTEGER)
    stop = fields.take("stop", TEXT_OR_TEXTS)
    effort = fields.take("reasoning_effort", TEXT)
    include_usage, stream_options = _stream_options(fields.take_fields("stream_options"))
    return chat.ChatRequest(
        format=chat.OPENAI_CHAT,
        model=fields.take("model", TEXT) or "",
        messages=messages,
        tools=tuple(
            _tool(Fields(raw, f"tools[{index}]"), raw)
            for index, raw in enumerate(fields.take("tools", LIST) or ())
        ),
        tool_choice=_tool_choice(fields),
        parallel_tool_calls=fields.take("parallel_tool_calls", BOOLEAN),
        response_format=_response_format(fields),
        max_output_tokens=older_limit if newer_limit is None else newer_limit,
        temperature=fields.take("temperature", NUMBER),
        top_p=fields.take("top_p", NUMBER),
        top_k=fields.take("top_k", INTEGER),
        stop=(stop,) if isinstance(stop, str) else tuple(stop or ()),
        seed=fields.take("seed", INTEGER),
        frequency_penalty=fields.take("frequency_penalty", NUMBER),
        presence_penalty=fields.take("presence_penalty", NUMBER),
        n=fields.take("n", INTEGER),
        logprobs=fields.take("logprobs", BOOLEAN),
        top_logprobs=fields.take("top_logprobs", INTEGER),
        reasoning=chat.Reasoning(effort=effort) if effort else None,
        user=fields.take("user", TEXT),
        service_tier=fields.take("service_tier", TEXT),
        stream=fields.take("stream", BOOLEAN) or False,
        include_usage=include_usage,
        extra={**fields.rest, **stream_options},
    )


def _message(fields: Fields) -> chat.Message:
    role = fields.require("role", TEXT)
    if role not in _ROLES:
        place = fields.place("role")
        raise BadRequest(f"`{place}` must be one of {', '.join(_ROLES)}.", param=place)
    content = fields.take("content", TEXT_OR_LIST)
    parts = _parts(content, fields.place("content"))
    mark = _cache(fields)  # LiteLLM's mark on a whole message stands for one on its last part
    if mark and parts and not isinstance(parts[-1], chat.Thinking | chat.Refusal | chat.Native):
        parts[-1] = msgspec.structs.replace(parts[-1], cache=mark)
    if role == "assistant":
        parts = _thinking(fields) + parts
        refusal = fields.take("refusal", TEXT)
        if refusal:
            parts.append(chat.Refusal(refusal))
        for index, raw in enumerate(fields.take("tool_calls", LIST) or ()):
            parts.append(_tool_call(Fields(raw, f"{fields.place('tool_calls')}[{index}]"), raw))
    elif role == "tool":
        call_id = fields.require("tool_call_id", TEXT)
        parts = [chat.ToolResult(tool_call_id=call_id, parts=tuple(parts))]
    elif content is None:
        raise BadRequest(f"`{fields.place('content')}` is required.", param=fields.place("content"))
    name = fields.take("name", TEXT)
    return chat.Message(role=role, parts=tuple(parts), place=fields.path, name=name, extra=_rest(fields))


def _parts(content: str | list[Raw] | None, path: str) -> list[chat.Part]:
    if content is None or isinstance(content, str):
        return [chat.Text(content)] if content else []
    return [_part(Fields(raw, f"{path}[{index}]"), raw) for index, raw in enumerate(content)]


def _part(fields: Fields, raw: Raw) -> chat.Part:
    kind = fields.require("type", TEXT)
    if kind == "text":
        return chat.Text(fields.require("text", TEXT), cache=_cache(fields), extra=_rest(fields))
    if kind == "image_url":
        return _image(fields)
    if kind == "refusal":
        return chat.Refusal(fields.require("refusal", TEXT))
    if kind == "file":
        return _file(fields)
    return chat.Native(format=chat.OPENAI_CHAT, type=kind, raw=raw)


def _image(fields: Fields) -> chat.Image:
    place = fields.place("image_url")
    raw = fields.take_raw("image_url")
    detail = None
    if raw is None:
        raise BadRequest(f"`{place}` is required.", param=place)
    if bytes(raw).startswith(b'"'):
        url = decode(TEXT, raw, place) or ""  # the bare address, which many servers take
    else:
        inner = Fields(raw, place)
        url = inner.require("url", TEXT)
        detail = inner.take("detail", TEXT)
    cache, extra = _cache(fields), _rest(fields)
    data = _DATA_URL.match(url)
    if data:
        return chat.Image(data=url[data.end() :], media_type=data[1], detail=detail, cache=cache, extra=extra)
    return chat.Image(url=url, detail=detail, cache=cache, extra=extra)


def _file(fields: Fields) -> chat.File:
    inner = fields.take_fields("file")
    if inner is None:
        raise BadRequest(f"`{fields.place('file')}` is required.", param=fields.place("file"))
    name, file_id = inner.take("filename", TEXT), inner.take("file_id", TEXT)
    content = inner.take("file_data", TEXT)
    cache, extra = _cache(fields), _rest(fields)
    if content is None:
        if file_id is None:
            place = inner.place("file_data")
            raise BadRequest(f"`{place}` or `{inner.place('file_id')}` is required.", param=place)
        return chat.File(file_id=file_id, name=name, cache=cache, extra=extra)
    data = _DATA_URL.match(content)
    if data:
        return chat.File(data=content[data.end() :], media_type=data[1], name=name, cache=cache, extra=extra)
    if content.startswith(("https://", "http://")):  # OpenRouter takes an address here
        return chat.File(url=content, name=name, cache=cache, extra=extra)
    return chat.File(data=content, name=name, cache=cache, extra=extra)


def _thinking(fields: Fields) -> list[chat.Part]:
    """What LiteLLM's users send back: whole blocks with signatures, or only the text."""
    blocks = fields.take("thinking_blocks", LIST)
    if blocks:
        found: list[chat.Part] = []
        for index, raw in enumerate(blocks):
            block = Fields(raw, f"{fields.place('thinking_blocks')}[{index}]")
            if block.take("type", TEXT) == "redacted_thinking":
                data = block.require("data", TEXT)
                found.append(chat.Thinking(redacted=data, origin=chat.ANTHROPIC_MESSAGES))
            else:
                text, signature = block.take("thinking", TEXT) or "", block.take("signature", TEXT)
                found.append(signed_thinking(text, signature))
        return found
    text = fields.take("reasoning_content", TEXT)
    return [chat.Thinking(text=text)] if text else []


def _tool_call(fields: Fields, raw: Raw) -> chat.Part:
    kind = fields.take("type", TEXT)
    function = fields.take_fields("function")
    if function is None:
        if kind in (None, "function"):
            raise BadRequest(f"`{fields.place('function')}` is required.", param=fields.place("function"))
        return chat.Native(format=chat.OPENAI_CHAT, type=kind, raw=raw)
    return chat.ToolCall(
        id=fields.require("id", TEXT),
        name=function.require("name", TEXT),
        arguments=function.take("arguments", TEXT) or "",
        cache=_cache(fields),
        extra=_rest(fields),
    )


def _tool(fields: Fields, raw: Raw) -> chat.Tool:
    kind = fields.take("type", TEXT)
    function = fields.take_fields("function")
    if function is None:
        if kind in (None, "function"):
            raise BadRequest(f"`{fields.place('function')}` is required.", param=fields.place("function"))
        native = chat.Native(format=chat.OPENAI_CHAT, type=kind, raw=raw)
        return chat.Tool(name=kind, native=native)
    return chat.Tool(
        name=function.require("name", TEXT),
        description=function.take("description", TEXT),
        parameters=function.take_raw("parameters"),
        strict=function.take("strict", BOOLEAN),
        cache=_cache(fields) or _cache(function),
        extra=_rest(fields),
    )


def _tool_choice(fields: Fields) -> chat.ToolChoice | None:
    """A choice of a kind that only OpenAI has stays among the unknown parameters."""
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
    if kind == "allowed_tools":
        allowed = choice.take_fields("allowed_tools")
        if allowed is not None:
            names = tuple(
                function.require("name", TEXT)
                for index, tool in enumerate(allowed.take("tools", LIST) or ())
                if (
                    function := Fields(tool, f"tool_choice.allowed_tools.tools[{index}]").take_fields(
                        "function"
                    )
                )
            )
            return chat.ToolChoice(mode=allowed.take("mode", TEXT) or "auto", allowed=names)
    function = choice.take_fields("function")
    if function is None:
        fields.put_back("tool_choice", raw)
        return None
    return chat.ToolChoice(mode="function", name=function.require("name", TEXT))


def _response_format(fields: Fields) -> chat.ResponseFormat | None:
    """A format of a kind that only some server has stays among the unknown parameters."""
    raw = fields.take_raw("response_format")
    if raw is None:
        return None
    shape = Fields(raw, "response_format")
    kind = shape.require("type", TEXT)
    if kind in ("text", "json_object"):
        return chat.ResponseFormat(type=kind)
    inner = shape.take_fields("json_schema") if kind == "json_schema" else None
    if inner is None:
        fields.put_back("response_format", raw)
        return None
    return chat.ResponseFormat(
        type=kind,
        name=inner.take("name", TEXT),
        description=inner.take("description", TEXT),
        schema=inner.take_raw("schema"),
        strict=inner.take("strict", BOOLEAN),
    )


def _stream_options(fields: Fields | None) -> tuple[bool, Mapping[str, Raw]]:
    if fields is None:
        return False, {}
    wanted = fields.take("include_usage", BOOLEAN) or False
    return wanted, {f"stream_options.{name}": raw for name, raw in fields.rest.items()}


def _cache(fields: Fields) -> chat.CacheMark | None:
    mark = fields.take_fields("cache_control")
    return chat.CacheMark(mark.take("ttl", TEXT)) if mark else None


def _rest(fields: Fields) -> Mapping[str, Raw]:
    return {name: raw for name, raw in fields.rest.items() if bytes(raw) != b"null"} or chat.NOTHING
