"""Writes messages of the neutral form as Anthropic's turns and content blocks (part of step 4).

Anthropic wants turns that alternate, tool results inside a user turn, a system prompt outside of them and
no empty text; this is where other formats' conversations are brought into that shape.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable
from typing import Any

from msgspec import Raw

from ops_center.errors import BadRequest
from ops_center.wire import chat
from ops_center.wire.json_fields import OBJECT, decode

Block = dict[str, Any] | Raw

_TURN_OF = {"user": "user", "tool": "user", "assistant": "assistant"}
_NOT_IN_AN_ID = re.compile(r"[^a-zA-Z0-9_-]")
_IMAGE_TYPES = {"image/jpg": "image/jpeg"}


class TurnWriter:
    """Takes the messages once; then `system` and `messages()` hold them as Anthropic wants them."""

    def __init__(self, origin: str, dropped: list[chat.Dropped]) -> None:
        self.system: list[Block] = []
        self._own = origin == chat.ANTHROPIC_MESSAGES
        self._dropped = dropped
        self._turns: list[tuple[str, list[Block], dict[str, Any]]] = []
        self._path = ""

    def write(self, messages: Iterable[chat.Message]) -> None:
        for message in messages:
            self._path = message.place
            if message.role in ("system", "developer"):
                self._write_system(message)
            else:
                if message.name:
                    self._drop("name", "Anthropic's messages carry no names")
                blocks = self._blocks(message.parts)
                if blocks or not message.parts:  # not a turn of which nothing is left
                    self._append(_TURN_OF[message.role], blocks, message.extra)

    def make_answerable(self, *, prefill: bool) -> None:
        """Makes sure that there is a turn to answer, and that it is one this model answers."""
        if not self._turns:
            if not self.system:
                raise BadRequest("`messages` holds nothing to answer.", param="messages")
            self._append("user", [self.system.pop()], {})
            self._dropped.append(
                chat.Dropped(
                    "messages", "the last system message was sent as a user turn: Anthropic needs one"
                )
            )
        role, blocks, _ = self._turns[-1]
        if role != "assistant":
            return
        if not prefill:
            self._append("user", [{"type": "text", "text": "Continue."}], {})
            self._dropped.append(
                chat.Dropped(
                    "messages", 'a user turn "Continue." was added: this model ends on no assistant turn'
                )
            )
            return
        last = blocks[-1]
        if isinstance(last, dict) and last["type"] == "text":
            last["text"] = last["text"].rstrip()
            if not last["text"]:
                blocks.pop()
            if not blocks:
                self._turns.pop()

    def system_prompt(self) -> list[Block] | str:
        return _short(self.system)

    def messages(self) -> list[dict[str, Any]]:
        return [{"role": role, "content": _short(blocks), **extra} for role, blocks, extra in self._turns]

    def _write_system(self, message: chat.Message) -> None:
        if self._own and (self._turns or self.system):
            self._turns.append(("system", self._blocks(message.parts), dict(message.extra)))
            return
        if self._turns:
            self._drop("role", "moved up into the system prompt")
        for position, part in enumerate(message.parts):
            if not isinstance(part, chat.Text | chat.Refusal) and not self._own:
                place = f"{self._path}.content[{position}]"
                raise BadRequest(f"`{place}`: Anthropic's system prompt holds text only.", param=place)
        self.system += self._blocks(message.parts)

    def _append(self, role: str, blocks: list[Block], extra: Any) -> None:
        if not self._own:
            extra = {}
            if not blocks:
                return
            if self._turns and self._turns[-1][0] == role:
                self._turns[-1][1].extend(blocks)
                return
        self._turns.append((role, blocks, dict(extra)))

    def _drop(self, field: str, reason: str) -> None:
        self._dropped.append(chat.Dropped(f"{self._path}.{field}", reason))

    def _blocks(self, parts: Iterable[chat.Part]) -> list[Block]:
        """The parts as blocks, each under the name it has in the caller's own format."""
        blocks: list[Block] = []
        content = calls = 0
        for part in parts:
            path = f"{self._path}.content[{content}]"
            if self._own or not isinstance(part, chat.ToolCall | chat.Thinking):
                content += 1
            elif isinstance(part, chat.ToolCall):
                path = f"{self._path}.tool_calls[{calls}].function"
                calls += 1
            block = self._block(part, path)
            if block is not None:
                blocks.append(block)
        return blocks

    def _block(self, part: chat.Part, path: str) -> Block | None:
        """None for a part that Anthropic would refuse and that says nothing: empty text, unproven thinking."""
        block: dict[str, Any]
        if isinstance(part, chat.Text):
            if not part.text and not self._own:
                return None
            block = {"type": "text", "text": part.text}
        elif isinstance(part, chat.ToolCall):
            block = {
                "type": "tool_use",
                "id": self._tool_id(part.id),
                "name": part.name,
                "input": _input(part.arguments, f"{path}.arguments"),
            }
        elif isinstance(part, chat.ToolResult):
            block = {"type": "tool_result", "tool_use_id": self._tool_id(part.tool_call_id)}
            outer = path if self._own else self._path
            content = [b for i, p in enumerate(part.parts) if (b := self._block(p, f"{outer}.content[{i}]"))]
            if content:
                block["content"] = _short(content)
            if part.is_error:
                block["is_error"] = True
        elif isinstance(part, chat.Image):
            block = {"type": "image", "source": self._image_source(part, path)}
        elif isinstance(part, chat.File):
            block = {"type": "document", "source": self._file_source(part, path)}
            if part.name:
                block["title"] = part.name
        elif isinstance(part, chat.Thinking):
            return self._thinking(part)
        elif isinstance(part, chat.Refusal):
            return {"type": "text", "text": part.text} if part.text else None
        else:
            if part.format != chat.ANTHROPIC_MESSAGES:
                raise BadRequest(f"`{path}`: Anthropic takes no part of type {part.type}.", param=path)
            return part.raw
        mark = cache_control(part.cache)
        if mark:
            block["cache_control"] = mark
        if self._own:
            block.update(part.extra)
        return block

    def _thinking(self, part: chat.Thinking) -> Block | None:
        if part.origin not in (None, chat.ANTHROPIC_MESSAGES):
            self._drop("thinking", "thinking goes back to its own maker only")
            return None
        if part.redacted is not None:
            return {"type": "redacted_thinking", "data": part.redacted}
        if part.signature is None:
            self._drop("reasoning_content", "Anthropic takes only thinking that carries its signature")
            return None
        return {"type": "thinking", "thinking": part.text, "signature": part.signature}

    def _tool_id(self, call_id: str) -> str:
        """Anthropic's ids hold letters, digits, - and _ only."""
        return call_id if self._own else _NOT_IN_AN_ID.sub("_", call_id)

    def _image_source(self, part: chat.Image, path: str) -> dict[str, Any]:
        if part.data is not None:
            media_type = (part.media_type or "").lower()
            return {
                "type": "base64",
                "media_type": _IMAGE_TYPES.get(media_type, media_type),
                "data": part.data,
            }
        if part.url is not None:
            if part.url.startswith("data:"):
                raise BadRequest(f"`{path}`: the image's data: URL is not base64.", param=path)
            return {"type": "url", "url": part.url}
        return self._file_id(part.file_id, path)

    def _file_source(self, part: chat.File, path: str) -> dict[str, Any]:
        if part.text is not None:
            return {"type": "text", "media_type": part.media_type or "text/plain", "data": part.text}
        if part.url is not None:
            return {"type": "url", "url": part.url}
        if part.data is None:
            return self._file_id(part.file_id, path)
        media_type = part.media_type or "application/pdf"
        if self._own or media_type == "application/pdf":
            return {"type": "base64", "media_type": media_type, "data": part.data}
        if not media_type.startswith("text/"):
            raise BadRequest(f"`{path}`: Anthropic takes PDF and plain text, not {media_type}.", param=path)
        try:
            text = base64.b64decode(part.data, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            raise BadRequest(f"`{path}`: the file is not base64 of UTF-8 text.", param=path) from None
        return {"type": "text", "media_type": "text/plain", "data": text}

    def _file_id(self, file_id: str | None, path: str) -> dict[str, Any]:
        if not self._own:
            raise BadRequest(f"`{path}`: the file id belongs to another provider.", param=path)
        return {"type": "file", "file_id": file_id}


def cache_control(mark: chat.CacheMark | None) -> dict[str, str] | None:
    if mark is None:
        return None
    return {"type": "ephemeral", "ttl": mark.ttl} if mark.ttl else {"type": "ephemeral"}


def _short(blocks: list[Block]) -> list[Block] | str:
    """One bare text block is written as a string, which means the same."""
    if not blocks:
        return ""
    first = blocks[0]
    if len(blocks) == 1 and isinstance(first, dict) and first["type"] == "text" and len(first) == 2:
        return str(first["text"])
    return blocks


def _input(arguments: str, path: str) -> Raw:
    """The model's arguments as the JSON object that Anthropic wants; none at all mean an empty one."""
    if not arguments.strip():
        return Raw(b"{}")
    raw = arguments.encode()
    decode(OBJECT, raw, path)
    return Raw(raw)
