"""Writes messages of the neutral form as OpenAI's (part of step 4).

OpenAI wants tool results as messages of their own, tool calls beside the text of an assistant, and text
only in system and tool messages; this is where other formats' conversations are brought into that shape.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from msgspec import Raw

from ops_center.errors import BadRequest
from ops_center.wire import chat
from ops_center.wire.openai_chat.thinking import thinking_blocks

Content = str | list[Any] | None
Placed = tuple[str, chat.Part]  # a part and where it stood in the caller's body


def write_messages(
    request: chat.ChatRequest, *, keep_thinking: bool, dropped: list[chat.Dropped]
) -> list[dict[str, Any]]:
    """`keep_thinking`: the provider hands signed thinking and cache marks on to the model's maker."""
    own = request.format == chat.OPENAI_CHAT
    writer = _Writer(own, keep_thinking, dropped)
    for message in request.messages if own else chat.one_turn_each(request.messages):
        writer.write(message, message.place)
    return writer.messages


class _Writer:
    def __init__(self, own: bool, keep_marks: bool, dropped: list[chat.Dropped]) -> None:
        self.messages: list[dict[str, Any]] = []
        self._own = own
        self._keep_marks = own or keep_marks
        self._dropped = dropped

    def write(self, message: chat.Message, path: str) -> None:
        if message.role == "assistant":
            written = self._assistant(message, path)
        elif message.role in ("system", "developer"):
            # Not every server knows developers, and those that do take a system message for one.
            role = message.role if self._own else "system"
            written = {"role": role, "content": self._system(message.parts, path)}
        else:
            rest = self._tool_results(message, path)
            if message.role == "tool" or (message.parts and not rest):
                return
            written = {"role": "user", "content": self._content(rest)}
        if message.name:
            written["name"] = message.name
        if self._own:
            written.update(message.extra)
        self.messages.append(written)

    def _tool_results(self, message: chat.Message, path: str) -> list[Placed]:
        """Writes the results as tool messages and returns what stays for a user message."""
        rest: list[Placed] = []
        for place, part in _placed(message.parts, path):
            if not isinstance(part, chat.ToolResult):
                rest.append((place, part))
                continue
            kept: list[Placed] = []
            for inner_place, inner in _placed(part.parts, path if self._own else place):
                if self._own or isinstance(inner, chat.Text):
                    kept.append((inner_place, inner))
                else:  # a picture that a tool returned: OpenAI takes it from the user only
                    notice = chat.Text(f"Returned by tool call {part.tool_call_id}:")
                    rest += [(place, notice), (inner_place, inner)]
            content = self._content(kept) if self._own else _joined(part.parts, "\n")
            written: dict[str, Any] = {"role": "tool", "tool_call_id": part.tool_call_id, "content": content}
            if self._own:
                written |= message.extra
            elif part.is_error:
                self._dropped.append(
                    chat.Dropped(f"{place}.is_error", "OpenAI's tool messages have no mark for errors")
                )
            self.messages.append(written)
        return rest

    def _system(self, parts: tuple[chat.Part, ...], path: str) -> Content:
        if not self._own and not (self._keep_marks and any(getattr(p, "cache", None) for p in parts)):
            return _joined(parts, "\n\n")  # not every server takes a list here
        return self._content(_placed(parts, path))

    def _assistant(self, message: chat.Message, path: str) -> dict[str, Any]:
        content: list[Placed] = []
        thinking: list[chat.Thinking] = []
        calls: list[dict[str, Any] | Raw] = []
        refusals: list[str] = []
        for place, part in _placed(message.parts, path):
            if isinstance(part, chat.ToolCall):
                calls.append(self._tool_call(part))
            elif isinstance(part, chat.Thinking):
                thinking.append(part)
            elif isinstance(part, chat.Refusal):
                refusals.append(part.text)
            elif isinstance(part, chat.Native):
                raw = self._native(part, place)
                if part.type == "custom":  # a call of one of OpenAI's custom tools
                    calls.append(raw)
                else:
                    content.append((place, part))
            else:
                content.append((place, part))
        written: dict[str, Any] = {"role": "assistant"}
        if content:
            marked = self._keep_marks and any(getattr(part, "cache", None) for _, part in content)
            plain = not self._own and not marked and all(isinstance(part, chat.Text) for _, part in content)
            texts = [part for _, part in content]
            written["content"] = _joined(texts, "") if plain else self._content(content)
        else:
            written["content"] = None if calls or refusals else ""
        if refusals:
            written["refusal"] = "".join(refusals)
        if calls:
            written["tool_calls"] = calls
        self._write_thinking(written, thinking, path)
        return written

    def _write_thinking(self, written: dict[str, Any], thinking: list[chat.Thinking], path: str) -> None:
        kept = [part for part in thinking if self._own or self._may_see(part)]
        if len(kept) < len(thinking):
            self._dropped.append(chat.Dropped(f"{path}.thinking", "thinking goes back to its own maker only"))
        thinking = kept
        if any(part.signature or part.redacted for part in thinking):
            written["thinking_blocks"] = thinking_blocks(thinking)
        elif thinking:
            written["reasoning_content"] = "".join(part.text for part in thinking)

    def _may_see(self, part: chat.Thinking) -> bool:
        """Whether the model behind this provider is the maker's, or nothing was signed."""
        return self._keep_marks and part.origin in (None, chat.ANTHROPIC_MESSAGES)

    def _tool_call(self, part: chat.ToolCall) -> dict[str, Any]:
        function = {"name": part.name, "arguments": part.arguments}
        written: dict[str, Any] = {"id": part.id, "type": "function", "function": function}
        return self._finish(written, part)

    def _content(self, parts: Iterable[Placed]) -> Content:
        written = [self._part(part, place) for place, part in parts]
        if not written:
            return ""
        first = written[0]
        if len(written) == 1 and isinstance(first, dict) and first["type"] == "text" and len(first) == 2:
            return str(first["text"])
        return written

    def _part(self, part: chat.Part, path: str) -> dict[str, Any] | Raw:
        written: dict[str, Any]
        if isinstance(part, chat.Text):
            written = {"type": "text", "text": part.text}
        elif isinstance(part, chat.Image):
            url = part.url or (
                f"data:{part.media_type};base64,{part.data}" if part.data is not None else None
            )
            if url is None:
                raise BadRequest(f"`{path}`: the file id belongs to another provider.", param=path)
            image = {"url": url, "detail": part.detail} if part.detail else {"url": url}
            written = {"type": "image_url", "image_url": image}
        elif isinstance(part, chat.File):
            return self._file(part, path)
        elif isinstance(part, chat.Refusal):
            return {"type": "refusal", "refusal": part.text}
        elif isinstance(part, chat.Native):
            return self._native(part, path)
        else:
            raise BadRequest(f"`{path}` does not belong into a message of this role.", param=path)
        return self._finish(written, part)

    def _file(self, part: chat.File, path: str) -> dict[str, Any]:
        if part.text is not None:
            text = f"{part.name}:\n{part.text}" if part.name else part.text
            return self._finish({"type": "text", "text": text}, part)
        file: dict[str, Any] = {}
        if part.name:
            file["filename"] = part.name
        if part.data is not None:
            file.setdefault("filename", "document.pdf")
            known = part.media_type is not None
            file["file_data"] = f"data:{part.media_type};base64,{part.data}" if known else part.data
        elif part.url is not None:
            file["file_data"] = part.url
        elif self._own:
            file["file_id"] = part.file_id
        else:
            raise BadRequest(f"`{path}`: the file id belongs to another provider.", param=path)
        return self._finish({"type": "file", "file": file}, part)

    def _finish(self, written: dict[str, Any], part: Any) -> dict[str, Any]:
        """The mark for the cache, and what only this format knows of the part."""
        if part.cache and self._keep_marks:
            written["cache_control"] = cache_control(part.cache)
        if self._own:
            written.update(part.extra)
        return written

    def _native(self, part: chat.Native, path: str) -> Raw:
        if part.format != chat.OPENAI_CHAT:
            raise BadRequest(f"`{path}`: this provider takes no part of type {part.type}.", param=path)
        return part.raw


def cache_control(mark: chat.CacheMark) -> dict[str, str]:
    """OpenRouter's and LiteLLM's mark, which OpenAI itself does not know."""
    return {"type": "ephemeral", "ttl": mark.ttl} if mark.ttl else {"type": "ephemeral"}


def _placed(parts: Iterable[chat.Part], path: str) -> list[Placed]:
    return [(f"{path}.content[{index}]", part) for index, part in enumerate(parts)]


def _joined(parts: Iterable[chat.Part], by: str) -> str:
    return by.join(part.text for part in parts if isinstance(part, chat.Text))
