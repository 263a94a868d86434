"""wire/bedrock_converse: the binary frames cut everywhere and broken everywhere, and what they mean."""

from __future__ import annotations

import json
import random
import struct
import zlib
from typing import Any

import pytest

from ops_center.errors import ProviderUnusable
from ops_center.simulator.bedrock import frame
from ops_center.types import Usage
from ops_center.wire import bedrock_converse, chat, openai_chat
from ops_center.wire.bedrock_converse.event_stream import EventStreamReader
from ops_center.wire.sse import SseEvent
from ops_center.wire.translate import StreamTranslator


def event(kind: str, **body: Any) -> bytes:
    headers = {":event-type": kind, ":content-type": "application/json", ":message-type": "event"}
    return frame(body, headers)


# After the events of https://docs.aws.amazon.com/bedrock/latest/userguide/conversation-inference-call.html
# (2026-11, "Response"), with thinking before the tool call as in its section on reasoning.
STREAM = b"".join(
    [
        event("messageStart", role="assistant"),
        event("contentBlockDelta", contentBlockIndex=0, delta={"reasoningContent": {"text": "Which "}}),
        event("contentBlockDelta", contentBlockIndex=0, delta={"reasoningContent": {"text": "song? 🎵"}}),
        event("contentBlockDelta", contentBlockIndex=0, delta={"reasoningContent": {"signature": "c2ln"}}),
        event("contentBlockStop", contentBlockIndex=0),
        event("contentBlockDelta", contentBlockIndex=1, delta={"text": "Let me see"}),
        event("contentBlockStop", contentBlockIndex=1),
        event(
            "contentBlockStart",
            contentBlockIndex=2,
            start={"toolUse": {"toolUseId": "tooluse_1", "name": "top_song"}},
        ),
        event("contentBlockDelta", contentBlockIndex=2, delta={"toolUse": {"input": '{"sign": '}}),
        event("contentBlockDelta", contentBlockIndex=2, delta={"toolUse": {"input": '"WZPZ"}'}}),
        event("contentBlockStop", contentBlockIndex=2),
        event("messageStop", stopReason="tool_use"),
        event(
            "metadata",
            usage={"inputTokens": 47, "outputTokens": 20, "totalTokens": 167, "cacheReadInputTokens": 100},
            metrics={"latencyMs": 100},
        ),
    ]
)


def events_of(*pieces: bytes) -> list[SseEvent]:
    reader = EventStreamReader()
    return [event for piece in pieces for event in reader.feed(piece)] + reader.close()


def neutral(*pieces: bytes) -> list[chat.StreamEvent]:
    decoder = bedrock_converse.StreamDecoder()
    found = [each for event in events_of(*pieces) for each in decoder.feed(event)]
    assert decoder.finished
    return found


def test_a_stream_means_the_same_wherever_it_is_cut() -> None:
    whole = neutral(STREAM)
    assert whole == [
        chat.Start(),
        chat.ThinkingDelta("Which "),
        chat.ThinkingDelta("song? 🎵"),
        chat.ThinkingSignature("c2ln", origin=chat.ANTHROPIC_MESSAGES),
        chat.TextDelta("Let me see"),
        chat.ToolCallStart(index=0, id="tooluse_1", name="top_song"),
        chat.ToolCallDelta(index=0, arguments='{"sign": '),
        chat.ToolCallDelta(index=0, arguments='"WZPZ"}'),
        chat.Finish(finish_reason="tool_calls", native_finish_reason="tool_use"),
        chat.UsageEvent(Usage(input_tokens=147, output_tokens=20, cache_read_tokens=100)),
    ]
    for at in range(1, len(STREAM)):
        assert neutral(STREAM[:at], STREAM[at:]) == whole, at
    assert neutral(*(STREAM[at : at + 1] for at in range(len(STREAM)))) == whole


def test_every_flipped_bit_is_noticed() -> None:
    good = event("contentBlockDelta", contentBlockIndex=0, delta={"text": "one"})
    for position in range(len(good)):
        broken = bytearray(good)
        broken[position] ^= 1 << (position % 8)
        with pytest.raises(ProviderUnusable):
            events_of(bytes(broken))


def test_good_messages_are_handed_out_before_a_broken_one() -> None:
    reader = EventStreamReader()
    good = event("messageStart", role="assistant")
    assert [e.event for e in reader.feed(good + b"<html>this is no message at all</html>")] == [
        "messageStart"
    ]
    with pytest.raises(ProviderUnusable):
        reader.close()


@pytest.mark.parametrize("length", [0, 15, 16 * 1024 * 1024 + 1, 0xFFFFFFFF])
def test_an_impossible_length_waits_for_nothing(length: int) -> None:
    prelude = struct.pack(">II", length, 0)
    with pytest.raises(ProviderUnusable):
        events_of(prelude + struct.pack(">I", zlib.crc32(prelude)))


def test_headers_of_every_kind_are_passed_over() -> None:
    def header(name: bytes, kind: int, value: bytes) -> bytes:
        return bytes([len(name)]) + name + bytes([kind]) + value

    head = (
        header(b"yes", 0, b"")
        + header(b"no", 1, b"")
        + header(b"byte", 2, b"\x01")
        + header(b"short", 3, b"\x00\x01")
        + header(b"int", 4, b"\x00" * 4)
        + header(b"long", 5, b"\x00" * 8)
        + header(b"bytes", 6, b"\x00\x03abc")
        + header(b":message-type", 7, b"\x00\x05event")
        + header(b":event-type", 7, b"\x00\x08metadata")
        + header(b"time", 8, b"\x00" * 8)
        + header(b"uuid", 9, b"\x00" * 16)
    )
    payload = b'{"usage":{"inputTokens":1,"outputTokens":2}}'
    prelude = struct.pack(">II", 16 + len(head) + len(payload), len(head))
    message = prelude + struct.pack(">I", zlib.crc32(prelude)) + head + payload
    message += struct.pack(">I", zlib.crc32(message))
    assert events_of(message) == [SseEvent("metadata", payload)]


def test_noise_is_never_taken_for_a_stream() -> None:
    noise = random.Random(7)
    for _ in range(300):
        with pytest.raises(ProviderUnusable):
            events_of(noise.randbytes(noise.randint(12, 400)))


@pytest.mark.parametrize(
    "kind",
    [
        "internalServerException",
        "modelStreamErrorException",
        "serviceUnavailableException",
        "throttlingException",
        "validationException",
    ],
)
def test_an_exception_ends_the_stream_with_its_type(kind: str) -> None:
    translator = StreamTranslator(
        provider=bedrock_converse,
        client=openai_chat,
        model="m",
        request_id="req_1",
        created=1,
        include_usage=True,
    )
    first = translator.feed(STREAM[: len(event("messageStart", role="assistant"))])
    assert first and translator.started
    headers = {":message-type": "exception", ":exception-type": kind}
    assert translator.feed(frame({"message": "no"}, headers) + STREAM) == b""
    assert translator.error is not None and translator.error.code == kind
    assert not translator.finished


def test_every_documented_usage_is_read() -> None:
    usage = {
        "inputTokens": 10,
        "outputTokens": 5,
        "totalTokens": 345,
        "cacheReadInputTokens": 30,
        "cacheWriteInputTokens": 300,
        "cacheDetails": [{"inputTokens": 100, "ttl": "1h"}, {"inputTokens": 200, "ttl": "5m"}],
    }
    assert bedrock_converse.read_usage(json.dumps(usage).encode()) == Usage(
        input_tokens=340,
        output_tokens=5,
        cache_read_tokens=30,
        cache_write_tokens=300,
        cache_write_1h_tokens=100,
    )
    for odd in (b"null", b"[]", b"{}", b'{"inputTokens":"x"', b'"text"'):
        assert bedrock_converse.read_usage(odd) is None
