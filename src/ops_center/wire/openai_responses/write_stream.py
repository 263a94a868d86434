"""Writes a stream in the events of OpenAI's Responses, out of the neutral form (step 5).

Items follow each other: a new kind of content ends the item before it. Tool calls stay open until the end,
since some servers write several at once.
Reference: https://platform.openai.com/docs/api-reference/responses-streaming (2026-11).
"""

from __future__ import annotations

from typing import Any

import msgspec

from ops_center.types import Usage
from ops_center.wire import chat
from ops_center.wire.openai_responses.response import (
    COMPLETED,
    IN_PROGRESS,
    INCOMPLETE,
    ItemIds,
    call_item,
    finish,
    message_item,
    picture_item,
    reasoning_item,
    refusal_part,
    response_head,
    seal,
    text_part,
)
from ops_center.wire.reading import unusable


class _Open:
    """An item that is being written. `pieces` is the text of its open part, or a call's arguments."""

    __slots__ = ("call", "content", "index", "item_id", "kind", "pieces")

    def __init__(self, kind: str, index: int, item_id: str) -> None:
        self.kind = kind  # text, refusal, thinking, picture or call
        self.index = index
        self.item_id = item_id
        self.pieces: list[str] = []
        self.content: list[Any] = []  # a message's parts that are whole
        self.call: chat.ToolCallStart | None = None


class StreamEncoder:
    """Writes one answer as events. Call `close` when the provider's stream has ended well."""

    def __init__(
        self,
        *,
        model: str,
        request_id: str,
        created: int,
        include_usage: bool,
        request: chat.ChatRequest | None = None,
    ) -> None:
        self._head = response_head(request, request_id=request_id, model=model, created=created)
        self._ids = ItemIds(request_id)
        self._number = 0
        self._started = False
        self._output: list[dict[str, Any] | None] = []  # by output_index; None while an item is open
        self._open: _Open | None = None
        self._calls: dict[int, _Open] = {}
        self._finish: chat.Finish | None = None
        self._usage: Usage | None = None
        self._refused = False
        self._around_text = b""  # the ever same bytes of a text delta, before its text

    def encode(self, event: chat.StreamEvent) -> bytes:
        if isinstance(event, chat.TextDelta):
            return self._text(event) if event.text and not event.choice else self._start()
        if isinstance(event, chat.ToolCallDelta):
            return self._arguments(event)
        if isinstance(event, chat.ThinkingDelta):
            return self._thinking(event.text) if event.text and not event.choice else b""
        if isinstance(event, chat.Start):
            return self._start()
        if isinstance(event, chat.ToolCallStart):
            return self._call(event) if not event.choice else b""
        if isinstance(event, chat.ThinkingSignature):
            return self._signature(event) if not event.choice else b""
        if isinstance(event, chat.RedactedThinking):
            return self._redacted(event) if not event.choice else b""
        if isinstance(event, chat.RefusalDelta):
            return self._refusal(event.text) if event.text and not event.choice else b""
        if isinstance(event, chat.Finish):
            if event.choice == 0:
                self._finish = event
        elif isinstance(event, chat.UsageEvent):
            self._usage = event.usage
        elif isinstance(event, chat.ImageDelta):
            return self._picture(event) if not event.choice else b""
        elif isinstance(event, chat.StreamError):
            raise unusable("an error event in the stream")
        return b""

    def close(self) -> bytes:
        """The end: what was open is ended, then the whole response once more."""
        out = self._start()
        reason = self._finish.finish_reason if self._finish else None
        if not self._output:
            out += self._part("text")
        status = INCOMPLETE if reason == chat.LENGTH else COMPLETED
        last = max((open_.index for open_ in (self._open, *self._calls.values()) if open_), default=-1)
        for open_ in sorted((*self._calls.values(), *([self._open] if self._open else [])), key=_index):
            out += self._end(open_, status if open_.index == last else COMPLETED)
        output = [item for item in self._output if item is not None]
        response = finish(self._head, output, reason=reason, usage=self._usage, refused=self._refused)
        response["completed_at"] = self._head["created_at"]
        return out + self._event(f"response.{response['status']}", response=response)

    def _start(self) -> bytes:
        if self._started:
            return b""
        self._started = True
        return self._event("response.created", response=self._head) + self._event(
            "response.in_progress", response=self._head
        )

    def _text(self, event: chat.TextDelta) -> bytes:
        before = b""
        if self._open is None or self._open.kind != "text":
            before = self._part("text")
            self._around_text = b""
        open_ = self._open
        assert open_ is not None
        open_.pieces.append(event.text)
        if not self._around_text:
            # The one event that is written thousands of times is put together from bytes.
            self._around_text = (
                b'{"type":"response.output_text.delta","item_id":"%s","output_index":%d,"content_index":%d,'
                b'"logprobs":[],"delta":' % (open_.item_id.encode(), open_.index, len(open_.content))
            )
        number = self._number
        self._number += 1
        return before + (
            b"event: response.output_text.delta\ndata: %s%s,"
            % (self._around_text, msgspec.json.encode(event.text))
            + b'"sequence_number":%d}\n\n' % number
        )

    def _refusal(self, text: str) -> bytes:
        before = b""
        if self._open is None or self._open.kind != "refusal":
            before = self._part("refusal")
            self._refused = True
        assert self._open is not None
        self._open.pieces.append(text)
        return before + self._event(
            "response.refusal.delta",
            item_id=self._open.item_id,
            output_index=self._open.index,
            content_index=len(self._open.content),
            delta=text,
        )

    def _part(self, kind: str) -> bytes:
        """Begins a part of a message: of the open one, or of a new one."""
        out = self._start()
        open_ = self._open
        if open_ is not None and open_.kind in ("text", "refusal"):
            out += self._end_part(open_)
        else:
            open_, opening = self._item("text", "msg", message_item("", [], IN_PROGRESS))
            out += opening
        open_.kind = kind
        part = text_part("") if kind == "text" else refusal_part("")
        return out + self._event(
            "response.content_part.added",
            item_id=open_.item_id,
            output_index=open_.index,
            content_index=len(open_.content),
            part=part,
        )

    def _end_part(self, open_: _Open) -> bytes:
        text, place = "".join(open_.pieces), len(open_.content)
        where = {"item_id": open_.item_id, "output_index": open_.index, "content_index": place}
        if open_.kind == "text":
            part = text_part(text)
            out = self._event("response.output_text.done", **where, text=text, logprobs=[])
        else:
            part = refusal_part(text)
            out = self._event("response.refusal.done", **where, refusal=text)
        open_.content.append(part)
        open_.pieces = []
        return out + self._event("response.content_part.done", **where, part=part)

    def _thinking(self, text: str) -> bytes:
        before = b""
        if self._open is None or self._open.kind != "thinking":
            before = self._begin_thinking()
            assert self._open is not None
            before += self._summary("response.reasoning_summary_part.added", part=_summary_text(""))
        assert self._open is not None
        self._open.pieces.append(text)
        return before + self._summary("response.reasoning_summary_text.delta", delta=text)

    def _begin_thinking(self) -> bytes:
        out = self._start()
        _, opening = self._item("thinking", "rs", reasoning_item("", "", None, IN_PROGRESS))
        return out + opening

    def _summary(self, kind: str, **fields: Any) -> bytes:
        assert self._open is not None
        return self._event(
            kind, item_id=self._open.item_id, output_index=self._open.index, summary_index=0, **fields
        )

    def _signature(self, event: chat.ThinkingSignature) -> bytes:
        out = b""
        if self._open is None or self._open.kind != "thinking":
            out = self._begin_thinking()
        assert self._open is not None
        sealed = seal(chat.Thinking(signature=event.signature, origin=event.origin))
        return out + self._end(self._open, COMPLETED, sealed)

    def _redacted(self, event: chat.RedactedThinking) -> bytes:
        out = self._begin_thinking()
        assert self._open is not None
        sealed = seal(chat.Thinking(redacted=event.data, origin=event.origin))
        return out + self._end(self._open, COMPLETED, sealed)

    def _picture(self, event: chat.ImageDelta) -> bytes:
        out = self._start()
        open_, opening = self._item("picture", "ig", picture_item("", None, IN_PROGRESS))
        item = self._output[open_.index] = picture_item(open_.item_id, event)
        self._open = None
        return out + opening + self._event("response.output_item.done", output_index=open_.index, item=item)

    def _call(self, event: chat.ToolCallStart) -> bytes:
        out = self._start()
        call = chat.ToolCall(id=event.id, name=event.name, arguments="")
        open_, opening = self._item("call", "fc", call_item("", call, IN_PROGRESS))
        open_.call = event
        self._calls[event.index] = open_
        self._open = None
        return out + opening

    def _arguments(self, event: chat.ToolCallDelta) -> bytes:
        open_ = self._calls.get(event.index)
        if event.choice or open_ is None:
            return b""
        open_.pieces.append(event.arguments)
        return self._event(
            "response.function_call_arguments.delta",
            item_id=open_.item_id,
            output_index=open_.index,
            delta=event.arguments,
        )

    def _item(self, kind: str, prefix: str, empty: dict[str, Any]) -> tuple[_Open, bytes]:
        """Begins an item behind the one that was open."""
        out = self._end(self._open, COMPLETED) if self._open is not None else b""
        open_ = self._open = _Open(kind, len(self._output), self._ids.next(prefix))
        self._output.append(None)
        item = {**empty, "id": open_.item_id}
        return open_, out + self._event("response.output_item.added", output_index=open_.index, item=item)

    def _end(self, open_: _Open, status: str, sealed: str | None = None) -> bytes:
        out = b""
        if open_.call is not None:
            arguments = "".join(open_.pieces)
            out = self._event(
                "response.function_call_arguments.done",
                item_id=open_.item_id,
                output_index=open_.index,
                name=open_.call.name,
                arguments=arguments,
            )
            call = chat.ToolCall(id=open_.call.id, name=open_.call.name, arguments=arguments)
            item = call_item(open_.item_id, call, status)
        elif open_.kind == "thinking":
            text = "".join(open_.pieces)
            if text:
                out = self._summary("response.reasoning_summary_text.done", text=text)
                out += self._summary("response.reasoning_summary_part.done", part=_summary_text(text))
            item = reasoning_item(open_.item_id, text, sealed, status)
        else:
            out = self._end_part(open_)
            item = message_item(open_.item_id, open_.content, status)
        if open_ is self._open:
            self._open = None
        self._output[open_.index] = item
        return out + self._event("response.output_item.done", output_index=open_.index, item=item)

    def _event(self, kind: str, **fields: Any) -> bytes:
        number = self._number
        self._number += 1
        data = msgspec.json.encode({"type": kind, "sequence_number": number, **fields})
        return b"event: %s\ndata: %s\n\n" % (kind.encode(), data)


def _index(open_: _Open) -> int:
    return open_.index


def _summary_text(text: str) -> dict[str, str]:
    return {"type": "summary_text", "text": text}
