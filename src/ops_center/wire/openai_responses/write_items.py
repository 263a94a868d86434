"""Writes messages of the neutral form as input items of OpenAI's Responses (part of step 4).

Tool calls, tool results and thinking are items of their own there; texts and pictures are parts of messages.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from msgspec import Raw

from ops_center.errors import BadRequest
from ops_center.wire import chat
from ops_center.wire.openai_responses.response import reasoning_item, seal

Item = dict[str, Any] | Raw


def write_items(messages: Iterable[chat.Message], *, own: bool, dropped: list[chat.Dropped]) -> list[Item]:
    """`own`: the messages came in this format, and go back as they were."""
    writer = _Writer(own, dropped)
    for message in messages:
        writer.write(message)
    return writer.items


class _Writer:
    def __init__(self, own: bool, dropped: list[chat.Dropped]) -> None:
        self.items: list[Item] = []
        self._own = own
        self._dropped = dropped

    def write(self, message: chat.Message) -> None:
        if message.name:
            self._drop(f"{message.place}.name", "the Responses API knows no names")
        role = "user" if message.role == "tool" else message.role
        content: list[Item] = []
        wrote = False
        for index, part in enumerate(message.parts):
            path = f"{message.place}.content[{index}]"
            item = self._item(part, path)
            if item is None and not isinstance(part, chat.Thinking):
                content.append(self._part(part, path, role))
            elif item is not None:
                self._message(message, role, content)
                content = []
                self.items.append(item)
            wrote = True
        if content or (self._own and not wrote):
            self._message(message, role, content)

    def _message(self, message: chat.Message, role: str, content: list[Item]) -> None:
        if not content and message.parts:
            return
        item: dict[str, Any] = {"type": "message", "role": role, "content": content}
        if self._own:
            item.update(message.extra)
        self.items.append(item)

    def _item(self, part: chat.Part, path: str) -> Item | None:
        """The part as an item of its own; None for one that stands in a message, and for lost thinking."""
        item: dict[str, Any]
        if isinstance(part, chat.ToolCall):
            item = {
                "type": "function_call",
                "call_id": part.id,
                "name": part.name,
                "arguments": part.arguments,
            }
        elif isinstance(part, chat.ToolResult):
            item = {
                "type": "function_call_output",
                "call_id": part.tool_call_id,
                "output": self._output(part.parts, path),
            }
            if part.is_error:
                self._drop(f"{path}.is_error", "the Responses API has no mark for errors")
        elif isinstance(part, chat.Thinking):
            return self._thinking(part, path)
        elif isinstance(part, chat.Native) and part.type not in _IN_A_MESSAGE:
            return self._native(part, path)
        else:
            return None
        if self._own:
            item.update(part.extra)
        return item

    def _output(self, parts: tuple[chat.Part, ...], path: str) -> str | list[Item]:
        if all(isinstance(part, chat.Text) and (not self._own or not part.extra) for part in parts):
            return "\n".join(part.text for part in parts if isinstance(part, chat.Text))
        return [self._part(part, f"{path}.content[{i}]", "user") for i, part in enumerate(parts)]

    def _thinking(self, part: chat.Thinking, path: str) -> Item | None:
        if self._own and "item" in part.extra and part.origin in (None, chat.OPENAI_RESPONSES):
            return part.extra["item"]
        if part.origin != chat.OPENAI_RESPONSES or part.signature is None:
            self._drop(f"{path.rpartition('.')[0]}.thinking", "thinking goes back to its own maker only")
            return None
        item = reasoning_item("", part.text, seal(part))
        return {name: value for name, value in item.items() if name not in ("id", "status")}

    def _part(self, part: chat.Part, path: str, role: str) -> Item:
        written: dict[str, Any]
        if isinstance(part, chat.Text):
            kind = "output_text" if role == "assistant" else "input_text"
            written = {"type": kind, "text": part.text}
        elif isinstance(part, chat.Refusal):
            return {"type": "refusal", "refusal": part.text}
        elif isinstance(part, chat.Image):
            written = self._image(part, path)
        elif isinstance(part, chat.File):
            written = self._file(part, path)
        elif isinstance(part, chat.Native):
            return self._native(part, path)
        else:
            raise BadRequest(f"`{path}` does not belong into a message of this role.", param=path)
        if self._own:
            written.update(part.extra)
        return written

    def _image(self, part: chat.Image, path: str) -> dict[str, Any]:
        written: dict[str, Any] = {"type": "input_image"}
        if part.url is not None:
            written["image_url"] = part.url
        elif part.data is not None:
            written["image_url"] = f"data:{part.media_type};base64,{part.data}"
        elif self._own:
            written["file_id"] = part.file_id
        else:
            raise BadRequest(f"`{path}`: the file id belongs to another provider.", param=path)
        if part.detail or not self._own:
            written["detail"] = part.detail or "auto"
        return written

    def _file(self, part: chat.File, path: str) -> dict[str, Any]:
        if part.text is not None:
            text = f"{part.name}:\n{part.text}" if part.name else part.text
            return {"type": "input_text", "text": text}
        written: dict[str, Any] = {"type": "input_file"}
        if part.url is not None:
            written["file_url"] = part.url
            if self._own and part.name:
                written["filename"] = part.name
            return written
        if part.name or not self._own:
            written["filename"] = part.name or "document.pdf"
        if part.data is not None:
            media_type = part.media_type or (None if self._own else "application/pdf")
            written["file_data"] = f"data:{media_type};base64,{part.data}" if media_type else part.data
        elif self._own:
            written["file_id"] = part.file_id
        else:
            raise BadRequest(f"`{path}`: the file id belongs to another provider.", param=path)
        return written

    def _native(self, part: chat.Native, path: str) -> Raw:
        if part.format != chat.OPENAI_RESPONSES:
            raise BadRequest(f"`{path}`: the Responses API takes no part of type {part.type}.", param=path)
        return part.raw

    def _drop(self, parameter: str, reason: str) -> None:
        self._dropped.append(chat.Dropped(parameter, reason))


_IN_A_MESSAGE = frozenset(["input_audio", "input_video", "summary_text", "reasoning_text"])
