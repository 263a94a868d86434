"""Reads the input items of OpenAI's Responses as messages of the neutral form (part of step 4).

Each item becomes one message; what only this format knows of it rides along. Kinds of items that no other
format has stay as they were written.
Reference: https://platform.openai.com/docs/api-reference/responses/create#responses-create-input (2026-11).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from msgspec import Raw

from ops_center.errors import BadRequest
from ops_center.wire import chat
from ops_center.wire.json_fields import LIST, TEXT, TEXT_OR_LIST, Fields
from ops_center.wire.signatures import unmark

REDACTED = chat.ANTHROPIC_MESSAGES + "/redacted"  # marks opaque thinking, which has no signature but is one
_ROLES = ("user", "assistant", "system", "developer")
_DATA_URL = re.compile(r"data:([\w.+-]+/[\w.+-]+);base64,")
_TEXTS = ("input_text", "output_text", "text", "summary_text")


def read_item(raw: Raw, path: str) -> chat.Message:
    """Raises BadRequest, with `param`, for an item that lacks what its kind must have."""
    fields = Fields(raw, path)
    kind = fields.take("type", TEXT)
    if kind in (None, "message"):
        return _message(fields)
    if kind == "function_call":
        part: chat.Part = chat.ToolCall(
            id=fields.require("call_id", TEXT),
            name=fields.require("name", TEXT),
            arguments=fields.take("arguments", TEXT) or "",
            extra=_rest(fields),
        )
        return chat.Message(role="assistant", parts=(part,), place=path)
    if kind == "function_call_output":
        output = fields.require("output", TEXT_OR_LIST)
        part = chat.ToolResult(
            tool_call_id=fields.require("call_id", TEXT),
            parts=_parts(output, fields.place("output")),
            extra=_rest(fields),
        )
        return chat.Message(role="tool", parts=(part,), place=path)
    if kind == "reasoning":
        return chat.Message(role="assistant", parts=(read_reasoning(fields),), place=path)
    native = chat.Native(format=chat.OPENAI_RESPONSES, type=kind, raw=raw)
    return chat.Message(role="assistant", parts=(native,), place=path)


def _message(fields: Fields) -> chat.Message:
    role = fields.require("role", TEXT)
    if role not in _ROLES:
        place = fields.place("role")
        raise BadRequest(f"`{place}` must be one of {', '.join(_ROLES)}.", param=place)
    parts = _parts(fields.require("content", TEXT_OR_LIST), fields.place("content"))
    return chat.Message(role=role, parts=parts, place=fields.path, extra=_rest(fields))


def _parts(content: str | list[Raw], path: str) -> tuple[chat.Part, ...]:
    if isinstance(content, str):
        return (chat.Text(content),) if content else ()
    return tuple(read_part(raw, f"{path}[{index}]") for index, raw in enumerate(content))


def read_part(raw: Raw, path: str) -> chat.Part:
    """One part of a message's content, or of a tool's output."""
    fields = Fields(raw, path)
    kind = fields.require("type", TEXT)
    if kind in _TEXTS:
        return chat.Text(fields.require("text", TEXT), extra=_rest(fields))
    if kind == "refusal":
        return chat.Refusal(fields.require("refusal", TEXT))
    if kind == "input_image":
        return _image(fields)
    if kind == "input_file":
        return _file(fields)
    return chat.Native(format=chat.OPENAI_RESPONSES, type=kind, raw=raw)


def _image(fields: Fields) -> chat.Image:
    url, file_id = fields.take("image_url", TEXT), fields.take("file_id", TEXT)
    detail = fields.take("detail", TEXT)
    extra = _rest(fields)
    if url is None:
        if file_id is None:
            place = fields.place("image_url")
            raise BadRequest(f"`{place}` or `{fields.place('file_id')}` is required.", param=place)
        return chat.Image(file_id=file_id, detail=detail, extra=extra)
    data = _DATA_URL.match(url)
    if data:
        return chat.Image(data=url[data.end() :], media_type=data[1], detail=detail, extra=extra)
    return chat.Image(url=url, detail=detail, extra=extra)


def _file(fields: Fields) -> chat.File:
    name, file_id = fields.take("filename", TEXT), fields.take("file_id", TEXT)
    content, url = fields.take("file_data", TEXT), fields.take("file_url", TEXT)
    extra = _rest(fields)
    if content is not None:
        data = _DATA_URL.match(content)
        if data:
            return chat.File(data=content[data.end() :], media_type=data[1], name=name, extra=extra)
        return chat.File(data=content, name=name, extra=extra)
    if url is not None:
        return chat.File(url=url, name=name, extra=extra)
    if file_id is None:
        place = fields.place("file_data")
        raise BadRequest(
            f"`{place}`, `{fields.place('file_url')}` or `{fields.place('file_id')}` is required.",
            param=place,
        )
    return chat.File(file_id=file_id, name=name, extra=extra)


def read_reasoning(fields: Fields) -> chat.Thinking:
    """A reasoning item: its text is the summary, or the thinking itself where a server shows that."""
    raw = fields.raw
    texts: list[str] = []
    for name in ("content", "summary"):
        pieces = [
            Fields(piece, f"{fields.place(name)}[{index}]").take("text", TEXT) or ""
            for index, piece in enumerate(fields.take(name, LIST) or ())
        ]
        texts = texts or pieces
    text = "\n\n".join(piece for piece in texts if piece)
    sealed = fields.take("encrypted_content", TEXT)
    extra = {"item": raw}
    if not sealed:
        return chat.Thinking(text=text, extra=extra)
    signature, origin = unmark(sealed, chat.OPENAI_RESPONSES)
    if origin == REDACTED:
        return chat.Thinking(redacted=signature, origin=chat.ANTHROPIC_MESSAGES, extra=extra)
    return chat.Thinking(text=text, signature=signature, origin=origin, extra=extra)


def _rest(fields: Fields) -> Mapping[str, Raw]:
    return {name: raw for name, raw in fields.rest.items() if bytes(raw) != b"null"} or chat.NOTHING
