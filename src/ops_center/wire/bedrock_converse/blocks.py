"""Writes messages of the neutral form as Converse's turns and content blocks (part of step 4).

Converse wants turns that alternate, tool results inside a user turn, a system prompt outside of them, no
empty text, and pictures as bytes: nothing is fetched, so an address other than S3's is refused.
"""

from __future__ import annotations

import mimetypes
import re
from collections.abc import Iterable
from typing import Any

from msgspec import Raw

from ops_center.errors import BadRequest
from ops_center.wire import chat
from ops_center.wire.json_fields import OBJECT, decode

Block = dict[str, Any]

_IMAGES = {
    "image/png": "png",
    "image/jpeg": "jpeg",
    "image/jpg": "jpeg",
    "image/gif": "gif",
    "image/webp": "webp",
}
_DOCUMENTS = {
    "application/pdf": "pdf",
    "text/csv": "csv",
    "application/msword": "doc",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/vnd.ms-excel": "xls",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    "text/html": "html",
    "text/plain": "txt",
    "text/markdown": "md",
}
_NOT_IN_AN_ID = re.compile(r"[^a-zA-Z0-9_.:-]")
# https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_DocumentBlock.html (2026-11)
_NOT_IN_A_NAME = re.compile(r"[^a-zA-Z0-9\s\-()\[\]]+")
_SPACES = re.compile(r"\s+")
_MOST_NAME = 200


class TurnWriter:
    """Takes the messages once; then `system` and `messages` hold them as Converse wants them.

    `calls_tools` is True when the conversation holds calls or results, which demand a tool configuration.
    """

    def __init__(self, *, claude: bool, caches: bool, dropped: list[chat.Dropped]) -> None:
        self.system: list[Block] = []
        self.messages: list[dict[str, Any]] = []
        self.calls_tools = False
        self._claude = claude
        self._caches = caches
        self._dropped = dropped
        self._names: set[str] = set()
        self._mark_dropped = False

    def write(self, messages: Iterable[chat.Message]) -> None:
        for message in messages:
            if message.name:
                self._drop(f"{message.place}.name", "Converse's messages carry no names")
            if message.role in ("system", "developer"):
                self._write_system(message)
            else:
                role = "assistant" if message.role == "assistant" else "user"
                self._append(role, self._blocks(message))
        if not self.messages:
            if not self.system:
                raise BadRequest("`messages` holds nothing to answer.", param="messages")
            text = next(block for block in reversed(self.system) if "text" in block)
            self.system.remove(text)
            self._append("user", [text])
            self._drop("messages", "the last system message was sent as a user turn: Converse needs one")
        if self.messages[0]["role"] == "assistant":
            self.messages.insert(0, {"role": "user", "content": [{"text": "Continue."}]})
            self._drop("messages", 'a user turn "Continue." was put first: Converse begins with one')

    def _write_system(self, message: chat.Message) -> None:
        if self.messages:
            self._drop(f"{message.place}.role", "moved up into the system prompt")
        for position, part in enumerate(message.parts):
            if not isinstance(part, chat.Text | chat.Refusal):
                place = f"{message.place}.content[{position}]"
                raise BadRequest(f"`{place}`: Converse's system prompt holds text only.", param=place)
            if part.text:
                self.system.append({"text": part.text})
                self.system += self.cache_point(getattr(part, "cache", None))

    def _append(self, role: str, blocks: list[Block]) -> None:
        if not blocks:
            return
        if self.messages and self.messages[-1]["role"] == role:
            self.messages[-1]["content"] += blocks
        else:
            self.messages.append({"role": role, "content": blocks})

    def _drop(self, parameter: str, reason: str) -> None:
        self._dropped.append(chat.Dropped(parameter, reason))

    def cache_point(self, mark: chat.CacheMark | None) -> list[Block]:
        """The mark behind a block, where the model takes marks."""
        if mark is None:
            return []
        if not self._caches:
            if not self._mark_dropped:
                self._mark_dropped = True
                self._drop("cache_control", "this model takes no marks for a cache")
            return []
        point = {"type": "default"}
        if mark.ttl == "1h":
            point["ttl"] = "1h"
        return [{"cachePoint": point}]

    def _blocks(self, message: chat.Message) -> list[Block]:
        blocks: list[Block] = []
        calls = 0
        for position, part in enumerate(message.parts):
            place = f"{message.place}.content[{position}]"
            if isinstance(part, chat.ToolCall):
                place = f"{message.place}.tool_calls[{calls}].function.arguments"
                calls += 1
            block = self._block(part, place, message.place)
            if block is not None:
                blocks.append(block)
                blocks += self.cache_point(getattr(part, "cache", None))
        return blocks

    def _block(self, part: chat.Part, place: str, outer: str) -> Block | None:
        """None for a part that says nothing: empty text, unproven thinking."""
        if isinstance(part, chat.Text | chat.Refusal):
            return {"text": part.text} if part.text.strip() else None
        if isinstance(part, chat.ToolCall):
            self.calls_tools = True
            return {
                "toolUse": {
                    "toolUseId": _NOT_IN_AN_ID.sub("_", part.id),
                    "name": part.name,
                    "input": _input(part.arguments, place),
                }
            }
        if isinstance(part, chat.ToolResult):
            self.calls_tools = True
            return {"toolResult": self._result(part, outer)}
        if isinstance(part, chat.Image):
            return {"image": self._image(part, place)}
        if isinstance(part, chat.File):
            return self._document(part, place)
        if isinstance(part, chat.Thinking):
            return self._thinking(part, outer)
        raise BadRequest(f"`{place}`: Converse takes no part of type {part.type}.", param=place)

    def _result(self, part: chat.ToolResult, outer: str) -> Block:
        inner = [self._block(p, f"{outer}.content[{i}]", outer) for i, p in enumerate(part.parts)]
        content = [block for block in inner if block is not None]
        result: Block = {
            "toolUseId": _NOT_IN_AN_ID.sub("_", part.tool_call_id),
            # an empty list is refused, and so is an empty text
            "content": content or [{"text": "(empty)"}],
        }
        if part.is_error:
            result["status"] = "error"
        return result

    def _thinking(self, part: chat.Thinking, outer: str) -> Block | None:
        claudes = self._claude and part.origin == chat.ANTHROPIC_MESSAGES
        if claudes and part.redacted is not None:
            return {"reasoningContent": {"redactedContent": part.redacted}}
        if claudes and part.signature is not None:
            return {"reasoningContent": {"reasoningText": {"text": part.text, "signature": part.signature}}}
        self._drop(f"{outer}.thinking", "thinking goes back to its own maker only, with its signature")
        return None

    def _image(self, part: chat.Image, place: str) -> Block:
        media_type = part.media_type or mimetypes.guess_type(part.url or "")[0] or ""
        image_format = _IMAGES.get(media_type.lower())
        source = self._source(part, place)
        if image_format is None:
            raise BadRequest(
                f"`{place}`: Converse takes PNG, JPEG, GIF and WebP, not {media_type or 'this type'}.",
                param=place,
            )
        if part.detail in ("low", "high"):
            self._drop(f"{place}.image_url.detail", "Converse has no such wish")
        return {"format": image_format, "source": source}

    def _document(self, part: chat.File, place: str) -> Block:
        if part.text is not None:
            return {"text": f"{part.name}:\n{part.text}" if part.name else part.text}
        media_type = part.media_type or mimetypes.guess_type(part.name or part.url or "")[0]
        media_type = media_type or "application/pdf"
        source = self._source(part, place)
        document_format = _DOCUMENTS.get(media_type.lower())
        if document_format is None:
            raise BadRequest(f"`{place}`: Converse takes no files of type {media_type}.", param=place)
        return {"document": {"format": document_format, "name": self._name(part.name), "source": source}}

    def _source(self, part: chat.Image | chat.File, place: str) -> Block:
        if part.data is not None:
            return {"bytes": part.data}
        if part.url is not None and part.url.startswith("s3://"):
            return {"s3Location": {"uri": part.url}}
        if part.url is not None:
            raise BadRequest(f"`{place}`: Converse takes base64 data or an s3:// address.", param=place)
        raise BadRequest(f"`{place}`: the file id belongs to another provider.", param=place)

    def _name(self, given: str | None) -> str:
        """A name that Converse takes: few characters, single spaces, and no two alike."""
        stem = (given or "document").rpartition(".")[0] or given or "document"
        base = _SPACES.sub(" ", _NOT_IN_A_NAME.sub("-", stem)).strip()[:_MOST_NAME] or "document"
        name, number = base, 1
        while name in self._names:
            number += 1
            name = f"{base} {number}"
        self._names.add(name)
        return name


def _input(arguments: str, place: str) -> Raw:
    """The model's arguments as the JSON object that Converse wants; none at all mean an empty one."""
    if not arguments.strip():
        return Raw(b"{}")
    raw = arguments.encode()
    decode(OBJECT, raw, place)
    return Raw(raw)
