"""Watches a stream that passes through untouched: usage, end and errors are read in passing (step 5).

Never changes a byte it forwards. It holds back an event until it is whole, and parses only events that may
matter to the ledger: all others are known by what they do not contain, a block of them at a time.
"""

from __future__ import annotations

import re

import msgspec
from msgspec import Raw

from ops_center.types import Usage
from ops_center.wire import anthropic_messages, chat, openai_chat
from ops_center.wire.chat import ProviderErrorFacts
from ops_center.wire.figures import at_tier
from ops_center.wire.openai_responses.answer import neutral_reason
from ops_center.wire.openai_responses.read_stream import ENDS, EVENT, Event
from ops_center.wire.openai_responses.usage import usage_of
from ops_center.wire.provider_errors import carries_error, read_provider_error
from ops_center.wire.sse import BOM, EventBuffer, SseEvent, cut_events, parse_event

_MOST_BODY = 256 * 1024  # bytes kept of an answer that is no stream, to read its error
_STRING = re.compile(rb'(?:[^"\\]|\\.)*', re.DOTALL)
_BACKSLASH = 0x5C
_CUT = 20
_LEARN_FROM = 4  # events of a block that are looked at in the hope for a pattern
_PADDING = re.compile(rb'"obfuscation": ?"')  # OpenAI pads its events against observers of their length
_NULL = Raw(b"null")


class _Pattern:
    """What every ordinary event of one stream looks like around its text, learnt from one of them.

    A stream's text events differ only in their text (and OpenAI's padding), so that a block which is
    nothing but them can be told by comparing bytes, in a fraction of the time of looking for every key
    that could matter.
    """

    __slots__ = ("_head", "_middle", "_seam", "_tail")

    def __init__(self, raw: bytes, text_start: int) -> None:
        text_end = _end_of_string(raw, text_start)
        padding = _PADDING.search(raw, text_end)
        self._head = raw[:text_start]
        self._middle = b""
        if padding is not None:
            self._middle = raw[text_end : padding.end()]
            text_end = _end_of_string(raw, padding.end())
        self._tail = raw[text_end:]
        self._seam = self._tail + self._head

    def measure(self, block: bytes) -> tuple[int, int] | None:
        """Events with text and bytes of text, when the block holds only such events; None otherwise."""
        head, tail, middle = self._head, self._tail, self._middle
        if not block.startswith(head) or not block.endswith(tail) or len(block) < len(head) + len(tail):
            return None
        # bytes.split is slow with a long separator: it cuts at the beginning of the seam instead, and the
        # count shows that each cut was at a whole one.
        inner, seam = block[len(head) : -len(tail)], self._seam
        texts = inner.split(seam[:_CUT])
        if len(texts) > 1:
            if inner.count(seam) != len(texts) - 1:
                return None
            skip = len(seam) - len(seam[:_CUT])
            texts[1:] = [piece[skip:] for piece in texts[1:]]
        if middle:
            padded = texts
            texts = []
            for piece in padded:
                text, found, padding = piece.partition(middle)
                if not found or b'"' in padding:
                    return None
                texts.append(text)
        whole = b"".join(texts)
        # A quote that is not escaped would be the end of the text, and the event another kind than it looks.
        if b'"' in whole and not all(_STRING.fullmatch(text) for text in texts):
            return None
        return len(texts) - texts.count(b""), _text_bytes(whole)


def _text_bytes(text: bytes) -> int:
    """How long the inside of a JSON string is as UTF-8, so that a server's way of escaping makes no difference."""
    if b"\\" not in text:
        return len(text)
    try:
        return len(_TEXT.decode(b'"%b"' % text).encode())
    except (msgspec.DecodeError, UnicodeError):
        return len(text)  # half a character


_TEXT = msgspec.json.Decoder(str)


def _end_of_string(raw: bytes, start: int) -> int:
    """The offset of the quote that ends the JSON string beginning at `start`."""
    match = _STRING.match(raw, start)
    return match.end() if match else start


class StreamWatch:
    """What was seen of a stream so far. `feed` and `close` return the bytes to forward.

    `started`: the first real event has come (no comment, ping or empty start-up event).
    `finished`: the terminal event has come; it is set before its bytes are returned.
    `error`: an error event, whose own bytes are not forwarded. `unusable`: the body is no event stream;
    nothing of it is forwarded, and `error` says what it holds if that could be read.
    `usage` is final; `partial_usage` is what was known of a stream that broke off before.
    `output_events` and `output_bytes` count the pieces of generated text and their bytes in UTF-8.
    """

    # JSON keys before generated text; the names in a group mean the same, and some servers send it twice.
    _text_keys: tuple[tuple[bytes, ...], ...] = ()

    def __init__(self) -> None:
        self.usage: Usage | None = None
        self.partial_usage: Usage | None = None
        self.finish_reason: str | None = None
        self.started = False
        self.finished = False
        self.unusable = False
        self.error: ProviderErrorFacts | None = None
        self.output_events = 0
        self.output_bytes = 0
        self._buffer = EventBuffer()
        self._head: bytes | None = b""  # the first bytes, until they show whether this is a stream
        self._body = bytearray()
        self._spaced = False
        self._pattern: _Pattern | None = None
        self._chosen: dict[tuple[bytes, ...], bytes] = {}

    def feed(self, data: bytes) -> bytes:
        """The whole events that `data` completes. Raises ProviderUnusable for an event beyond 16 MB."""
        if self._head is not None and not self._begin(data):
            return b""
        block = self._buffer.push(data)
        return self._pass(block) if block else b""

    def close(self) -> bytes:
        """The stream has ended; a last event without its blank line is still read and forwarded."""
        rest = self._buffer.rest()
        out = b""
        if rest and _is_half(rest):
            self.unusable = True
        elif rest:
            out = self._pass(rest)
        if self.finish_reason is not None and self.error is None:
            self.finished = True  # some servers say why they stopped and leave out the last event
        return out

    def _begin(self, data: bytes) -> bool:
        """Decides on the first bytes; False when they begin a JSON or HTML body instead of a stream."""
        if not self.unusable:
            head = ((self._head or b"") + data[:64]).lstrip()
            if len(head) < len(BOM) and BOM.startswith(head):
                self._head = head
                return True
            head = head.removeprefix(BOM).lstrip()
            if head[:1] not in (b"{", b"[", b"<"):
                self._head = None if head else b""
                return True
            self.unusable = True
            self._body += self._buffer.rest()
        if len(self._body) < _MOST_BODY:
            self._body += data
            facts = read_provider_error(200, bytes(self._body).removeprefix(BOM))
            if facts != ProviderErrorFacts():
                self.error = facts
        return False

    def _pass(self, block: bytes) -> bytes:
        if self._passes_unread(block):
            return block
        # What matters stands at the ends of a stream, and one of its first events shows what the ordinary ones
        # look like: those are looked at one by one, and what lies between them passes whole.
        events = cut_events(block)
        kept: list[bytes] = []
        first, last = 0, len(events)
        while first < last and (not self.started or (self._pattern is None and first < _LEARN_FROM)):
            self._sift(events[first : first + 1], kept)
            first += 1
        while last > first and self._matters(events[last - 1]):
            last -= 1
        self._sift(events[first:last], kept)
        for event in events[last:]:
            self._sift([event], kept)
        self._settle()
        return b"".join(kept)

    def _passes_unread(self, block: bytes) -> bool:
        """Whether nothing in the block has to be read; then its texts are counted."""
        measured = self._pattern.measure(block) if self._pattern else None
        if measured is not None:
            self.output_events += measured[0]
            self.output_bytes += measured[1]
            return True
        if not self.started or self._matters(block) or _is_torn(block):
            return False
        self._learn(block, self._count(block))
        return True

    def _sift(self, events: list[bytes], kept: list[bytes]) -> None:
        """Reads the events that matter and keeps the others in passing; halves are looked at whole before
        their events are."""
        if not events or self.error is not None or self.unusable:
            return
        block = events[0] if len(events) == 1 else b"".join(events)
        if self._passes_unread(block):
            kept.append(block)
        elif len(events) > 1:
            middle = len(events) // 2
            self._sift(events[:middle], kept)
            self._sift(events[middle:], kept)
        elif _is_torn(block):
            self.unusable = True  # half an event would break the client's parser without a word
        elif self._see(block):
            kept.append(block)

    def _see(self, raw: bytes) -> bool:
        """Reads one event; False when its bytes are not to be forwarded."""
        event = parse_event(raw.removeprefix(BOM))
        if event is None or not event.data:
            return True
        if not self.started:
            self._spaced = b'": ' in event.data[:64]
        keep = self._read(event)
        if keep:
            self._count(raw)
        return keep

    def _matters(self, block: bytes) -> bool:
        """Whether some event in the block may have to be read. Quotes inside generated text are escaped,
        so that no text can look like one of the keys."""
        raise NotImplementedError

    def _read(self, event: SseEvent) -> bool:
        raise NotImplementedError

    def _settle(self) -> None:
        """Called after the events of a block were read."""

    def _count(self, block: bytes) -> bytes | None:
        """Counts the texts in events that need not be read; returns the key of the last kind of them."""
        last = None
        for names in self._text_keys:
            key = self._key(names, block)
            if key is None:
                continue
            last = key
            pieces = block.split(key)
            del pieces[0]
            for piece in pieces:
                length = piece.find(b'"')
                if length > 0:
                    if piece[length - 1] == _BACKSLASH:
                        length = _end_of_string(piece, 0)
                    self.output_events += 1
                    self.output_bytes += _text_bytes(piece[:length])
        return last

    def _key(self, names: tuple[bytes, ...], block: bytes) -> bytes | None:
        """The key in the block, written as this server writes it. Of several names for one text the first
        that the stream shows is the one that counts from then on."""
        if len(names) == 1:
            key = names[0][:-1] + b' "' if self._spaced else names[0]
            return key if key in block else None
        chosen = self._chosen.get(names)
        if chosen is None:
            places = {block.find(found): found for name in names if (found := self._key((name,), block))}
            if not places:
                return None
            chosen = self._chosen[names] = places[min(places)]
        return chosen if chosen in block else None

    def _learn(self, block: bytes, key: bytes | None) -> None:
        if key is not None:
            last = next(raw for raw in reversed(cut_events(block)) if key in raw)
            self._pattern = _Pattern(last, last.rfind(key) + len(key))


def _is_torn(block: bytes) -> bool:
    """Whether the last event of the block holds a JSON object that does not end."""
    data = block.rstrip()
    return (
        data[-1:] != b"}"
        and b"data:" in (line := data[max(data.rfind(b"\n"), data.rfind(b"\r")) + 1 :])
        and (line[5:].lstrip()[:1] == b"{")
    )


def _is_half(raw: bytes) -> bool:
    """Whether what a stream ended with is part of an event: its JSON may break off behind any brace."""
    event = parse_event(raw)
    if event is None or not event.data.lstrip().startswith(b"{"):
        return False
    try:
        _ANYTHING.decode(event.data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return True
    return False


class _ChunkChoice(msgspec.Struct):
    index: int = 0
    finish_reason: str | None = None


class _Chunk(msgspec.Struct):
    choices: list[_ChunkChoice] | None = None
    usage: Raw = _NULL
    service_tier: str | None = None
    error: Raw = _NULL


_CHUNK = msgspec.json.Decoder(_Chunk)
_ANYTHING = msgspec.json.Decoder()


class OpenAIStreamWatch(StreamWatch):
    """`hide_usage_chunk`: we asked for usage and the client did not, so the chunk that holds nothing else
    is left out."""

    _text_keys: tuple[tuple[bytes, ...], ...] = (
        (b'"content":"',),
        (b'"arguments":"',),
        (b'"reasoning_content":"', b'"reasoning":"'),
        (b'"refusal":"',),
    )

    def __init__(self, *, hide_usage_chunk: bool) -> None:
        super().__init__()
        self._hide_usage_chunk = hide_usage_chunk
        self._last_usage: _Chunk | None = None  # of this block; some servers send one with every event

    def _matters(self, block: bytes) -> bool:
        return (
            _has_value(block, b'"finish_reason"', b'"finish_reason":null', b'"finish_reason": null')
            or _has_value(block, b'"usage"', b'"usage":null', b'"usage": null')
            or _has_value(block, b'"error"', b'"error":null', b'"error": null')
            or b"[DONE]" in block
            or b"event:" in block
        )

    def _read(self, event: SseEvent) -> bool:
        if event.data.startswith(b"[DONE]"):
            self.finished = True
            return True
        try:
            chunk = _CHUNK.decode(event.data)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            chunk = _Chunk()  # not ours to judge: the client gets what the provider wrote
        suspicious = bytes(chunk.error) not in (b"null", b"{}") or chunk.choices is None
        if event.event == "error" or (suspicious and _holds_error(event.data)):
            self.error = read_provider_error(200, event.data)
            return False
        for choice in chunk.choices or ():
            self.started = True
            if choice.finish_reason and (choice.index == 0 or self.finish_reason is None):
                self.finish_reason = openai_chat.neutral_reason(choice.finish_reason)
        if not bytes(chunk.usage).startswith(b"{"):
            return True
        self._last_usage = chunk
        return not (self._hide_usage_chunk and not chunk.choices)

    def _settle(self) -> None:
        if self._last_usage is not None:
            last = self._last_usage
            self.usage = at_tier(openai_chat.read_usage(last.usage), last.service_tier) or self.usage
            self._last_usage = None


def _has_value(block: bytes, key: bytes, null: bytes, spaced_null: bytes) -> bool:
    """Whether the key occurs with another value than null."""
    count = block.count(key)
    return count != 0 and count != block.count(null) and count != block.count(spaced_null)


def _holds_error(data: bytes) -> bool:
    try:
        return carries_error(_ANYTHING.decode(data))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False


class _Message(msgspec.Struct):
    usage: Raw = _NULL


class _MessageEvent(msgspec.Struct):
    type: str = ""
    message: _Message | None = None
    delta: Raw = _NULL
    usage: Raw = _NULL


_MESSAGE_EVENT = msgspec.json.Decoder(_MessageEvent)


class AnthropicStreamWatch(StreamWatch):
    _text_keys = ((b'"text":"',), (b'"partial_json":"',), (b'"thinking":"',))

    def __init__(self) -> None:
        super().__init__()
        self._counter = anthropic_messages.UsageCounter()

    def _matters(self, block: bytes) -> bool:
        return b'"message_' in block or b'"error"' in block or b"event: error" in block

    def _read(self, event: SseEvent) -> bool:
        try:
            read = _MESSAGE_EVENT.decode(event.data)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            read = _MessageEvent()  # not ours to judge: the client gets what the provider wrote
        kind = read.type or event.event
        if kind == "error" or event.event == "error":
            self.error = read_provider_error(200, event.data)
            return False
        if kind == "message_start":
            self.started = True
            if read.message:
                self._counter.add(read.message.usage)
                self.partial_usage = self._counter.usage
        elif kind == "message_delta":
            end = anthropic_messages.read_end(read.delta)
            self.finish_reason = end.finish_reason or self.finish_reason
            self._counter.add_container(end.container)
            if bytes(read.usage) != b"null":
                self._counter.add(read.usage)
                self.usage = self._counter.usage
        elif kind == "message_stop":
            self.usage = self._counter.usage
            self.finished = True
        elif kind.startswith("content_block"):
            self.started = True
        return True


class CompletionsStreamWatch(OpenAIStreamWatch):
    """OpenAI's legacy completions: chunks like those of chat, with their text in another place."""

    _text_keys = ((b'"text":"',),)


class ResponsesStreamWatch(StreamWatch):
    """OpenAI's Responses. The first events only say that the request was taken: the stream has started with
    the first one that belongs to an item, so that before it another target may still be asked."""

    _text_keys = ((b'"delta":"',),)

    def __init__(self) -> None:
        super().__init__()
        self._calls = False

    def _matters(self, block: bytes) -> bool:
        return (
            b'"response"' in block
            or b'"error"' in block
            or b"event: error" in block
            or (not self._calls and b'"function_call"' in block)
        )

    def _read(self, event: SseEvent) -> bool:
        try:
            read = EVENT.decode(event.data)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            read = Event()  # not ours to judge: the client gets what the provider wrote
        kind = read.type or event.event
        response = read.response
        if kind in ("error", "response.failed") or event.event == "error":
            inner = bytes(response.error) if response is not None else b"null"
            self.error = read_provider_error(200, inner if inner != b"null" else event.data)
            return False
        if kind in ENDS and response is not None:
            self.started = self.finished = True
            self.finish_reason = neutral_reason(
                response.status or "completed", response.incomplete_details, calls=self._calls
            )
            self.usage = usage_of(response.usage, response.service_tier, response.output, response.tools)
        elif kind.startswith("response.") and kind not in _TAKEN:
            self.started = True
            self._calls = self._calls or (read.item is not None and read.item.type == "function_call")
        return True


_TAKEN = frozenset(["response.created", "response.in_progress", "response.queued"])


def watch_of(wire_format: str, *, hide_usage_chunk: bool) -> StreamWatch:
    """A watch for a stream that passes through in this format."""
    if wire_format == chat.OPENAI_CHAT:
        return OpenAIStreamWatch(hide_usage_chunk=hide_usage_chunk)
    if wire_format == chat.OPENAI_COMPLETIONS:
        return CompletionsStreamWatch(hide_usage_chunk=hide_usage_chunk)
    return _WATCHES[wire_format]()


_WATCHES: dict[str, type[AnthropicStreamWatch] | type[ResponsesStreamWatch]] = {
    chat.ANTHROPIC_MESSAGES: AnthropicStreamWatch,
    chat.OPENAI_RESPONSES: ResponsesStreamWatch,
}
