"""AWS's binary event stream: bytes in, whole messages out, each checked against its checksums; sans-IO.

A message is four bytes of its whole length, four of its headers' length, a CRC-32 of these eight, the
headers, the payload, and a CRC-32 of all before it, everything big-endian.
Reference: https://smithy.io/2.0/aws/amazon-eventstream.html (2026-11). Knows nothing of what payloads mean.
"""

from __future__ import annotations

import struct
import zlib

from ops_center.wire.reading import unusable
from ops_center.wire.sse import MAX_EVENT_BYTES, SseEvent

EXCEPTION = "exception:"  # before the type of an exception, in place of an event's name

_PRELUDE = struct.Struct(">III")
_CRC = struct.Struct(">I")
_LEAST = _PRELUDE.size + _CRC.size
# The sizes of header values by their type; None for those that carry a length of two bytes.
_SIZES: tuple[int | None, ...] = (0, 0, 1, 2, 4, 8, None, None, 8, 16)
_TEXT = 7


class EventStreamReader:
    """Turns the bytes of a stream into its messages, however they are cut."""

    def __init__(self, max_message_bytes: int = MAX_EVENT_BYTES) -> None:
        self._max_message_bytes = max_message_bytes
        self._held = bytearray()
        self._broken = ""

    def feed(self, data: bytes) -> list[SseEvent]:
        """The messages that `data` completes, as events: the name of an event, or `exception:` and its type.

        Raises ProviderUnusable for bytes that are no message; never before the good ones were handed out.
        """
        held = self._held
        held += data
        events: list[SseEvent] = []
        start = 0
        while not self._broken and len(held) - start >= _PRELUDE.size:
            total, headers, crc = _PRELUDE.unpack_from(held, start)
            # the checksum first: a broken length must not make us wait for bytes that never come
            if crc != zlib.crc32(memoryview(held)[start : start + 8]):
                self._broken = "the checksum of a message's lengths is wrong"
            elif not _LEAST <= total <= self._max_message_bytes or headers > total - _LEAST:
                self._broken = "a message's lengths are impossible"
            elif len(held) - start < total:
                break
            else:
                message = bytes(held[start : start + total])
                start += total
                if _CRC.unpack_from(message, total - _CRC.size)[0] != zlib.crc32(message[: -_CRC.size]):
                    self._broken = "the checksum of a message is wrong"
                else:
                    events.append(_event(message, headers))
        del held[:start]
        if self._broken and not events:
            raise unusable(self._broken)
        return events

    def close(self) -> list[SseEvent]:
        """Nothing: what is no whole message is none. Raises ProviderUnusable for bytes that are none."""
        if self._broken:
            raise unusable(self._broken)
        return []


def _event(message: bytes, headers_length: int) -> SseEvent:
    end = _PRELUDE.size + headers_length
    names = _headers(message, _PRELUDE.size, end)
    kind = names.get(":message-type")
    if kind == "event":
        name = names.get(":event-type", "")
    else:  # an exception that the service has a type for, or an error that it has none for
        name = EXCEPTION + (names.get(":exception-type") or names.get(":error-code") or "")
    return SseEvent(name, message[end : -_CRC.size])


def _headers(message: bytes, at: int, end: int) -> dict[str, str]:
    """The headers that are text; the others are passed over."""
    found: dict[str, str] = {}
    try:
        while at < end:
            name_end = at + 1 + message[at]
            name = message[at + 1 : name_end].decode()
            kind = message[name_end]
            at = name_end + 1
            size = _SIZES[kind]
            if size is None:
                (size,) = struct.unpack_from(">H", message, at)
                at += 2
            if kind == _TEXT:
                found[name] = message[at : at + size].decode()
            at += size
    except (IndexError, struct.error, UnicodeDecodeError):
        raise unusable("the headers of a message could not be read") from None
    if at != end:
        raise unusable("the headers of a message could not be read")
    return found
