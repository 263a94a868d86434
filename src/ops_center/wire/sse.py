"""Server-sent events: bytes in, whole events out, and back; the framing of every stream in step 5.

Follows https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
(2026-11), without `id` and `retry`, which no provider uses. Knows nothing of what the data means.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from ops_center.errors import ProviderUnusable

MAX_EVENT_BYTES = 16 * 1024 * 1024

BOM = b"\xef\xbb\xbf"
# A blank line. A CR at the very end does not count yet: an LF that belongs to it may follow.
_BLANK_LINE = re.compile(rb"(?:\r\n|\n|\r(?!\n))(?:\r\n|\n|\r(?!\n|\Z))")
_LINE_END = re.compile(rb"\r\n|\n|\r")


class SseEvent(NamedTuple):
    """`event` is "" when the stream names none; `data` joins its data lines with a line feed."""

    event: str
    data: bytes


class EventBuffer:
    """Cuts a byte stream behind its last complete event and holds the rest back, in linear time."""

    def __init__(self, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self._max_event_bytes = max_event_bytes
        self._held = bytearray()

    def push(self, data: bytes) -> bytes:
        """The bytes up to and including the last blank line, as they came; b"" while there is none.

        Raises ProviderUnusable when an event grows beyond the bound.
        """
        held = self._held
        if not held:
            end = end_of_last_event(data)
            if end == len(data):
                return data
            held += data[end:]
            whole = data[:end]
        else:
            seam = bytes(held[-3:])  # the blank line may itself be cut in two
            end = end_of_last_event(seam + data)
            if end:
                end += len(held) - len(seam)
            held += data
            whole = bytes(held[:end])
            del held[:end]
        if len(held) > self._max_event_bytes:
            raise ProviderUnusable(
                "The provider sent an event that is too large.",
                detail=f"one event of the stream exceeds {self._max_event_bytes} bytes",
            )
        return whole

    def rest(self) -> bytes:
        """What no blank line has ended; the buffer is empty afterwards."""
        rest = bytes(self._held)
        self._held.clear()
        return rest


class SseReader:
    """Turns the bytes of a stream into its events, however they are cut."""

    def __init__(self, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self._buffer = EventBuffer(max_event_bytes)
        self._at_start = True

    def feed(self, data: bytes) -> list[SseEvent]:
        """The events that `data` completes. Raises ProviderUnusable when one is beyond the bound."""
        whole = self._buffer.push(data)
        return self._read(whole) if whole else []

    def close(self) -> list[SseEvent]:
        """The last event, if the stream ended without the blank line behind it."""
        rest = self._buffer.rest()
        return self._read(rest) if rest else []

    def _read(self, block: bytes) -> list[SseEvent]:
        if self._at_start:
            self._at_start = False
            block = block.removeprefix(BOM)
        return [event for raw in cut_events(block) if (event := parse_event(raw)) is not None]


def end_of_last_event(data: bytes) -> int:
    """The offset behind the last blank line that is certainly one; 0 when there is none."""
    if b"\r" not in data:
        return data.rfind(b"\n\n") + 2 if b"\n\n" in data else 0
    if data.endswith(b"\r\n\r\n"):
        return len(data)
    start = max(data.rfind(b"\r\n\r\n"), data.rfind(b"\n\n"), 0)
    end = 0
    for match in _BLANK_LINE.finditer(data, start):
        end = match.end()
    return end


def cut_events(block: bytes) -> list[bytes]:
    """The raw events of a block, each with its blank line, so that joined they are the block again."""
    if b"\r" not in block:
        pieces = block.split(b"\n\n")
        last = pieces.pop()
        events = [piece + b"\n\n" for piece in pieces]
        return [*events, last] if last else events
    ends = [match.end() for match in _BLANK_LINE.finditer(block)]
    if not ends or ends[-1] != len(block):
        ends.append(len(block))
    return [block[start:end] for start, end in zip([0, *ends], ends, strict=False)]


def parse_event(raw: bytes) -> SseEvent | None:
    """One raw event; None when it has no data (a comment, an empty event), which is never dispatched."""
    if b"\r" not in raw:
        raw = raw.rstrip(b"\n")
        if raw.startswith(b"data: ") and b"\n" not in raw:
            return SseEvent("", raw[6:])
    name = ""
    data: list[bytes] = []
    for line in _LINE_END.split(raw) if b"\r" in raw else raw.split(b"\n"):
        field, _, value = line.partition(b":")
        if field == b"data":
            data.append(value[1:] if value.startswith(b" ") else value)
        elif field == b"event":
            name = value.removeprefix(b" ").decode("utf-8", "replace")
    if not data:
        return None
    return SseEvent(name, data[0] if len(data) == 1 else b"\n".join(data))


def encode_event(data: bytes, event: str | None = None) -> bytes:
    """One event as bytes. Line feeds in `data` become several data lines, as the format demands."""
    if b"\n" in data or b"\r" in data:
        data = b"\ndata: ".join(_LINE_END.split(data))
    if event:
        return b"event: " + event.encode() + b"\ndata: " + data + b"\n\n"
    return b"data: " + data + b"\n\n"
