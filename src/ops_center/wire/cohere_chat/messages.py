"""Writes messages of the neutral form as Cohere's (part of step 4).

Cohere wants tool results as messages of their own, and beside tool calls a plan instead of content; this is
where other formats' conversations are brought into that shape.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ops_center.errors import BadRequest
from ops_center.wire import chat
from ops_center.wire.json_fields import OBJECT, decode


class MessageWriter:
    """Takes the messages once; then `messages` holds them as Cohere wants them."""

    def __init__(self, dropped: list[chat.Dropped]) -> None:
        self.messages: list[dict[str, Any]] = []
        self._dropped = dropped
        self._marked = False

    def write(self, messages: Iterable[chat.Message]) -> None:
        for message in messages:
            if message.name:
                self._drop(f"{message.place}.name", "Cohere's messages carry no names")
            self._marked = self._marked or any(getattr(part, "cache", None) for part in message.parts)
            if message.role in ("system", "developer"):
                self._put("system", self._content(message, message.parts))
            elif message.role == "assistant":
                self._assistant(message)
            else:
                self._user(message)
        if not self.messages:
            raise BadRequest("`messages` holds nothing to answer.", param="messages")
        if self._marked:
            self._drop("cache_control", "Cohere finds by itself what is worth caching")

    def _put(self, role: str, content: list[dict[str, Any]]) -> None:
        if content:
            self.messages.append({"role": role, "content": _short(content)})

    def _user(self, message: chat.Message) -> None:
        rest: list[chat.Part] = []
        for part in message.parts:
            if not isinstance(part, chat.ToolResult):
                rest.append(part)
                continue
            texts = [inner.text for inner in part.parts if isinstance(inner, chat.Text)]
            pictures = [inner for inner in part.parts if not isinstance(inner, chat.Text)]
            if part.is_error:
                self._drop(f"{message.place}.is_error", "Cohere's tool messages have no mark for errors")
            if pictures:  # Cohere takes pictures from the user only
                rest += [chat.Text(f"Returned by tool call {part.tool_call_id}:"), *pictures]
            # an empty content is refused
            text = "\n".join(texts) or "(empty)"
            self.messages.append({"role": "tool", "tool_call_id": part.tool_call_id, "content": text})
        self._put("user", self._content(message, rest))

    def _assistant(self, message: chat.Message) -> None:
        calls = [part for part in message.parts if isinstance(part, chat.ToolCall)]
        thinking = [part for part in message.parts if isinstance(part, chat.Thinking)]
        rest = [part for part in message.parts if not isinstance(part, chat.ToolCall | chat.Thinking)]
        if not calls:
            if thinking:
                self._drop(f"{message.place}.thinking", "Cohere needs its thinking only beside tool calls")
            self._put("assistant", self._content(message, rest))
            return
        written: dict[str, Any] = {
            "role": "assistant",
            "tool_calls": [
                self._call(part, f"{message.place}.tool_calls[{index}].function.arguments")
                for index, part in enumerate(calls)
            ],
        }
        unsigned = [part.text for part in thinking if part.signature is None and part.redacted is None]
        if len(unsigned) < len(thinking):
            self._drop(f"{message.place}.thinking", "thinking goes back to its own maker only")
        texts = [part.text for part in rest if isinstance(part, chat.Text | chat.Refusal)]
        plan = "\n".join(text for text in (*unsigned, *texts) if text)
        if plan:
            written["tool_plan"] = plan
        self.messages.append(written)

    def _call(self, part: chat.ToolCall, place: str) -> dict[str, Any]:
        arguments = part.arguments if part.arguments.strip() else "{}"
        decode(OBJECT, arguments.encode(), place)
        return {
            "id": part.id,
            "type": "function",
            "function": {"name": part.name, "arguments": arguments},
        }

    def _content(self, message: chat.Message, parts: Iterable[chat.Part]) -> list[dict[str, Any]]:
        places = {id(part): index for index, part in enumerate(message.parts)}
        content: list[dict[str, Any]] = []
        for part in parts:
            place = f"{message.place}.content[{places.get(id(part), 0)}]"
            if isinstance(part, chat.Text | chat.Refusal):
                if part.text:
                    content.append({"type": "text", "text": part.text})
            elif isinstance(part, chat.File) and part.text is not None:
                text = f"{part.name}:\n{part.text}" if part.name else part.text
                content.append({"type": "text", "text": text})
            elif isinstance(part, chat.Image) and part.file_id is None and message.role != "system":
                url = part.url or f"data:{part.media_type};base64,{part.data}"
                image = {"url": url, "detail": part.detail} if part.detail else {"url": url}
                content.append({"type": "image_url", "image_url": image})
            else:
                raise BadRequest(f"`{place}`: Cohere takes text and pictures only.", param=place)
        return content

    def _drop(self, parameter: str, reason: str) -> None:
        self._dropped.append(chat.Dropped(parameter, reason))


def _short(content: list[dict[str, Any]]) -> list[dict[str, Any]] | str:
    """Text alone is written as a string, which means the same."""
    if len(content) == 1 and content[0]["type"] == "text":
        return str(content[0]["text"])
    return content
