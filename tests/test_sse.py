"""Framing of server-sent events: every legal way of writing and cutting them gives the same events."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ops_center.errors import ProviderUnusable
from ops_center.wire.sse import EventBuffer, SseEvent, SseReader, cut_events, encode_event


def read(*pieces: bytes) -> list[SseEvent]:
    reader = SseReader()
    events = [event for piece in pieces for event in reader.feed(piece)]
    return events + reader.close()


def by_the_book(stream: bytes) -> list[SseEvent]:
    """The specification, line by line and slowly; an unterminated last event is flushed, as ours does."""
    text = stream.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    events: list[SseEvent] = []
    name, data = "", None
    for line in [*text.split(b"\n"), b""]:
        if not line:
            if data is not None:
                events.append(SseEvent(name, data))
            name, data = "", None
            continue
        field, _, value = line.partition(b":")
        value = value[1:] if value[:1] == b" " else value
        if field == b"data":
            data = value if data is None else data + b"\n" + value
        elif field == b"event":
            name = value.decode("utf-8", "replace")
    return events


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        (b"data: a\n\n", [("", b"a")]),
        (b"data:a\n\n", [("", b"a")]),
        (b"data:  a\n\n", [("", b" a")]),
        (b"data: a\r\n\r\ndata: b\r\n\r\n", [("", b"a"), ("", b"b")]),
        (b"data: a\r\rdata: b\r\r", [("", b"a"), ("", b"b")]),
        (b"data: a\n\r\ndata: b\r\n\n", [("", b"a"), ("", b"b")]),
        (b"event: ping\ndata: {}\n\n", [("ping", b"{}")]),
        (b"data: {\ndata: }\n\n", [("", b"{\n}")]),
        (b": comment\n\ndata: a\n\n", [("", b"a")]),
        (b": comment\ndata: a\n\n", [("", b"a")]),
        (b"\xef\xbb\xbfdata: a\n\n", [("", b"a")]),
        (b"\n\n\ndata: a\n\n\n\n", [("", b"a")]),
        (b"id: 1\nretry: 5\ndata: a\nunknown\n\n", [("", b"a")]),
        (b"event: only a name\n\n", []),
        (b"data\n\n", [("", b"")]),
        (b"data: unterminated", [("", b"unterminated")]),
        (b"data: unterminated\n", [("", b"unterminated")]),
        (b"", []),
    ],
)
def test_events_are_read_as_the_specification_says(stream: bytes, expected: list[tuple[str, bytes]]) -> None:
    assert read(stream) == expected == by_the_book(stream)


PIECES = st.sampled_from(
    [
        b"data: x",
        b"data:",
        b"data: {}",
        b"event: e",
        b": c",
        b"\n",
        b"\r",
        b"\r\n",
        b"\n\n",
        b"\r\n\r\n",
        b"y",
    ]
)


@given(st.lists(PIECES, max_size=14), st.data())
@settings(max_examples=400, deadline=None)
def test_any_stream_gives_the_same_events_however_it_is_cut(pieces: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(pieces)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    parts = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert read(*parts) == by_the_book(stream)


@given(st.lists(PIECES, max_size=14))
@settings(max_examples=200, deadline=None)
def test_cut_events_join_to_the_block_again(pieces: list[bytes]) -> None:
    block = b"".join(pieces)
    assert b"".join(cut_events(block)) == block


@given(st.binary(max_size=60), st.sampled_from([None, "error", "message_start"]))
def test_an_encoded_event_reads_back(data: bytes, name: str | None) -> None:
    folded = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    assert read(encode_event(data, name)) == [SseEvent(name or "", folded)]


def test_the_buffer_hands_out_every_byte_untouched_and_in_order() -> None:
    stream = b": hi\r\n\r\ndata: a\n\ndata: b\r\rdata: rest"
    buffer = EventBuffer()
    out = b"".join(buffer.push(bytes([byte])) for byte in stream) + buffer.rest()
    assert out == stream


def test_an_event_beyond_the_bound_is_refused() -> None:
    reader = SseReader(max_event_bytes=100)
    assert reader.feed(b"data: " + b"x" * 50 + b"\n\n")
    reader.feed(b"x" * 100)
    with pytest.raises(ProviderUnusable):
        reader.feed(b"x")


def test_many_events_together_may_be_larger_than_the_bound() -> None:
    reader = SseReader(max_event_bytes=100)
    assert len(reader.feed(b"data: 1\n\n" * 1000)) == 1000


def test_a_large_event_in_small_pieces_takes_linear_time() -> None:
    reader = SseReader()
    reader.feed(b"data: ")
    piece = b"x" * 1000
    for _ in range(8000):  # quadratic copying would take minutes
        reader.feed(piece)
    (event,) = reader.feed(b"\n\n")
    assert len(event.data) == 8_000_000
