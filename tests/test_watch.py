"""Streams passed through: nothing but the asked-for chunk changes, and usage is seen however it is cut."""

from __future__ import annotations

import json
import timeit
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ops_center.types import Extras, Usage
from ops_center.wire.chat import ProviderErrorFacts
from ops_center.wire.watch import AnthropicStreamWatch, OpenAIStreamWatch, StreamWatch

SAMPLES = Path(__file__).parent / "samples"
OPENAI = [
    "openai_stream",
    "openai_stream_tools",
    "openrouter_stream",
    "azure_stream",
    "deepseek_stream",
    "mistral_stream",
]
ANTHROPIC = ["anthropic_stream", "anthropic_stream_tools", "anthropic_stream_server_tools"]
BROKEN = ["openrouter_stream_error", "anthropic_stream_error"]


def sample(name: str) -> bytes:
    return (SAMPLES / f"{name}.txt").read_bytes()


def new_watch(name: str, *, hide: bool = True) -> StreamWatch:
    return (
        AnthropicStreamWatch() if name.startswith("anthropic") else OpenAIStreamWatch(hide_usage_chunk=hide)
    )


def run(watch: StreamWatch, *pieces: bytes) -> bytes:
    return b"".join(watch.feed(piece) for piece in pieces) + watch.close()


def seen(watch: StreamWatch) -> dict[str, object]:
    return {name: value for name, value in vars(watch).items() if not name.startswith("_")}


@pytest.mark.parametrize("name", OPENAI + ANTHROPIC)
def test_bytes_pass_untouched(name: str) -> None:
    watch = new_watch(name, hide=False)
    assert run(watch, sample(name)) == sample(name)
    assert watch.started
    assert watch.finished
    assert watch.error is None
    assert not watch.unusable


@pytest.mark.parametrize("name", OPENAI + ANTHROPIC + BROKEN)
@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"])
def test_the_result_is_the_same_cut_at_every_byte(name: str, line_end: bytes) -> None:
    stream = sample(name).replace(b"\n", line_end)
    whole = new_watch(name)
    expected = run(whole, stream)
    for cut in range(len(stream) + 1):
        watch = new_watch(name)
        assert run(watch, stream[:cut], stream[cut:]) == expected
        assert seen(watch) == seen(whole)
    single = new_watch(name)
    assert run(single, *(bytes([byte]) for byte in stream)) == expected
    assert seen(single) == seen(whole)


def test_openai_usage_is_read_and_its_chunk_hidden_when_the_client_did_not_ask() -> None:
    watch = OpenAIStreamWatch(hide_usage_chunk=True)
    out = run(watch, sample("openai_stream"))
    events = sample("openai_stream").split(b"\n\n")
    del events[-3]  # the usage chunk stands before [DONE]
    assert out == b"\n\n".join(events)
    assert watch.finish_reason == "stop"
    assert watch.usage == Usage(
        input_tokens=2006, output_tokens=300, cache_read_tokens=1920, reasoning_tokens=128
    )


def test_a_usage_chunk_with_choices_null_or_absent_is_hidden_too() -> None:
    first = b'data: {"choices":[{"index":0,"delta":{"content":"x"}}]}\n\n'
    for choices in (b'"choices":null,', b'"choices":[],', b""):
        watch = OpenAIStreamWatch(hide_usage_chunk=True)
        last = b"data: {" + choices + b'"usage":{"prompt_tokens":1,"completion_tokens":2}}\n\n'
        assert run(watch, first, last, b"data: [DONE]\n\n") == first + b"data: [DONE]\n\n"
        assert watch.usage == Usage(input_tokens=1, output_tokens=2)


def test_usage_on_a_chunk_with_choices_stays_and_money_is_exact() -> None:
    watch = OpenAIStreamWatch(hide_usage_chunk=True)
    assert run(watch, sample("openrouter_stream")) == sample("openrouter_stream")
    assert watch.usage == Usage(
        input_tokens=13,
        output_tokens=16,
        cache_read_tokens=4,
        cache_write_tokens=5,
        reasoning_tokens=3,
        provider_cost_usd=Decimal("0.000093"),
    )
    assert str(watch.usage.provider_cost_usd) == "0.000093"


def test_deepseeks_cache_hits_are_cached_input() -> None:
    watch = OpenAIStreamWatch(hide_usage_chunk=False)
    run(watch, sample("deepseek_stream"))
    assert watch.usage == Usage(input_tokens=20, output_tokens=17, cache_read_tokens=12, reasoning_tokens=8)


def test_usage_with_every_chunk_means_the_last() -> None:
    chunk = (
        '{"choices":[{"index":0,"delta":{"content":"x"}}],"usage":{"prompt_tokens":5,"completion_tokens":%d}}'
    )
    stream = b"".join(b"data: " + (chunk % n).encode() + b"\n\n" for n in range(1, 65))
    watch = OpenAIStreamWatch(hide_usage_chunk=True)
    assert run(watch, stream) == stream
    assert watch.usage == Usage(input_tokens=5, output_tokens=64)


def test_anthropic_usage_includes_cached_input_and_takes_the_cumulative_output() -> None:
    watch = AnthropicStreamWatch()
    run(watch, sample("anthropic_stream_tools"))
    assert watch.finish_reason == "tool_calls"
    assert watch.usage == Usage(
        input_tokens=25 + 100 + 2000,
        output_tokens=89,
        cache_read_tokens=2000,
        cache_write_tokens=100,
        cache_write_1h_tokens=60,
        reasoning_tokens=20,
    )


def test_server_tools_raise_the_input_in_message_delta() -> None:
    watch = AnthropicStreamWatch()
    run(watch, sample("anthropic_stream_server_tools"))
    assert watch.usage == Usage(input_tokens=10682, output_tokens=510, extras=Extras(web_searches=1))


def test_a_stream_that_breaks_off_knows_its_input_but_claims_no_usage() -> None:
    watch = AnthropicStreamWatch()
    stream = sample("anthropic_stream")
    run(watch, stream[: stream.index(b"event: message_delta")])
    assert watch.usage is None
    assert watch.partial_usage is not None
    assert watch.partial_usage.input_tokens == 2125
    assert not watch.finished
    assert watch.output_events == 2


def test_a_stream_without_its_last_event_is_finished_once_it_said_why() -> None:
    for name, end in (("openai_stream", b"data: [DONE]"), ("anthropic_stream", b"event: message_stop")):
        watch = new_watch(name)
        stream = sample(name)
        watch.feed(stream[: stream.index(end)])
        assert not watch.finished
        watch.close()
        assert watch.finished


def test_comments_pings_and_start_up_events_do_not_start_a_stream() -> None:
    azure = sample("azure_stream").split(b"\n\n")
    watch = OpenAIStreamWatch(hide_usage_chunk=True)
    assert watch.feed(b": OPENROUTER PROCESSING\n\n" + azure[0] + b"\n\n")
    assert not watch.started
    assert watch.feed(azure[1] + b"\n\n")
    assert watch.started
    anthropic = AnthropicStreamWatch()
    assert anthropic.feed(b'event: ping\ndata: {"type": "ping"}\n\n')
    assert not anthropic.started


def test_finished_is_known_before_the_last_bytes_are_handed_out() -> None:
    watch = OpenAIStreamWatch(hide_usage_chunk=False)
    stream = sample("openai_stream")
    last = stream.index(b"data: [DONE]")
    watch.feed(stream[:last])
    assert watch.feed(stream[last:-1]) == b""
    assert not watch.finished
    assert watch.feed(stream[-1:]) == b"data: [DONE]\n\n"
    assert watch.finished


@pytest.mark.parametrize(
    ("name", "facts", "text"),
    [
        ("openrouter_stream_error", ProviderErrorFacts(code="502", message="Provider disconnected"), b"Hel"),
        (
            "anthropic_stream_error",
            ProviderErrorFacts(type="overloaded_error", message="Overloaded"),
            b"Hello",
        ),
    ],
)
def test_an_error_event_ends_the_stream_and_is_not_forwarded(
    name: str, facts: ProviderErrorFacts, text: bytes
) -> None:
    watch = new_watch(name)
    out = run(watch, sample(name))
    assert watch.error == facts
    assert watch.started
    assert not watch.finished
    assert text in out
    assert (facts.message or "").encode() not in out
    assert sample(name).startswith(out)


@pytest.mark.parametrize(
    "event",
    [
        b'data: {"error":{"message":"boom","code":"x"}}\n\n',
        b'data: {"error": {"message": "boom", "code": "x"}}\n\n',
        b'event: error\ndata: {"message":"boom","code":"x"}\n\n',
        b'data: {"object":"error","message":"boom","code":"x"}\n\n',
        b'data: {"choices":[{"index":0,"delta":{}}],"error":{"message":"boom","code":"x"}}\n\n',
    ],
)
def test_errors_are_seen_in_every_shape_first_or_in_the_middle(event: bytes) -> None:
    chunk = b'data: {"choices":[{"index":0,"delta":{"content":"x"},"finish_reason":null}]}\n\n'
    for before in (b"", chunk * 3):
        watch = OpenAIStreamWatch(hide_usage_chunk=True)
        assert run(watch, before + event) == before
        assert watch.error == ProviderErrorFacts(code="x", message="boom")
        assert watch.started is bool(before)


@pytest.mark.parametrize("make", [AnthropicStreamWatch, lambda: OpenAIStreamWatch(hide_usage_chunk=True)])
def test_a_body_that_is_no_stream_is_unusable_and_its_error_read(make: type[AnthropicStreamWatch]) -> None:
    error = b'\n {"error": {"type": "server_error", "message": "no", "code": null}}\n'
    for body, facts in (
        (error, ProviderErrorFacts(type="server_error", message="no")),
        (b"\xef\xbb\xbf" + error, ProviderErrorFacts(type="server_error", message="no")),
        (b"<html><body>502</body></html>", None),
        (b'{"choices": [{"mess', None),
    ):
        for size in (1, 7, 1000):
            watch = make()
            pieces = [body[i : i + size] for i in range(0, len(body), size)]
            assert run(watch, *pieces) == b""
            assert watch.unusable
            assert watch.error == facts
            assert not watch.started


def test_half_an_event_is_never_forwarded() -> None:
    whole = b'data: {"choices":[{"index":0,"delta":{"content":"a"}}]}\n\n'
    torn = b'data: {"choices":[{"ind\n\n'
    for before in (0, 1, 5):
        watch = OpenAIStreamWatch(hide_usage_chunk=True)
        assert run(watch, whole * before + torn) == whole * before
        assert watch.unusable
        assert not watch.finished


def test_text_is_counted_the_same_in_every_style() -> None:
    texts = ["Hello", ' wor"ld"', "\\", "\n", "é", "", '{"usage":1}', "data: [DONE]\n\n", "event: error"]
    counts = set()
    for style in ({"separators": (",", ":")}, {}):
        for padded in (False, True):
            lines = []
            for index, text in enumerate(["start", *texts * 3]):
                chunk: dict[str, object] = {
                    "id": "c",
                    "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}],
                    "usage": None,
                }
                if padded:
                    chunk["obfuscation"] = "p" * (index % 7)
                lines.append(b"data: " + json.dumps(chunk, **style).encode() + b"\n\n")  # type: ignore[arg-type]
            for size in (1, 3, 100):
                watch = OpenAIStreamWatch(hide_usage_chunk=True)
                blocks = [b"".join(lines[i : i + size]) for i in range(0, len(lines), size)]
                assert run(watch, *blocks) == b"".join(lines)
                assert watch.error is None
                assert not watch.finished
                counts.add((watch.output_events, watch.output_bytes))
    expected = [t for t in ["start", *texts * 3] if t]
    assert counts == {(len(expected), sum(len(t.encode()) for t in expected))}


def test_a_block_of_ordinary_events_costs_less_than_parsing_it() -> None:
    chunk = sample("openai_stream_tools").split(b"\n\n")[2]
    watch = OpenAIStreamWatch(hide_usage_chunk=True)
    watch.feed(chunk + b"\n\n" + chunk + b"\n\n")
    decoder = msgspec.json.Decoder()
    block = (chunk + b"\n\n") * 64
    watching = min(timeit.repeat(lambda: watch.feed(block), number=20, repeat=10))
    parsing = min(timeit.repeat(lambda: [decoder.decode(chunk[6:]) for _ in range(64)], number=20, repeat=10))
    assert watching < parsing  # about a third on an idle machine


def test_thinking_and_tool_arguments_count_as_output() -> None:
    for name, events in (("deepseek_stream", 3), ("openai_stream_tools", 8), ("anthropic_stream_tools", 5)):
        watch = new_watch(name)
        run(watch, sample(name))
        assert watch.output_events == events


EVENT = st.sampled_from(
    [
        *(raw + b"\n\n" for name in OPENAI for raw in sample(name).split(b"\n\n")[:-2]),
        b": keep-alive\n\n",
        b'data: {"choices":[{"index":0,"delta":{"content":"\\"a\\\\"}}]}\n\n',
        b'data: {"choices":[{"index":0,"delta":{"content":"b"}}]}\n\n',
        b'data: {"choices":[{"index":0,"delta":{"content":"c","role":"x"}}]}\n\n',
        b"data: nonsense\n\n",
    ]
)


@given(st.lists(EVENT, max_size=12), st.data())
@settings(max_examples=300, deadline=None)
def test_any_mixture_of_events_is_seen_the_same_however_it_is_cut(
    events: list[bytes], data: st.DataObject
) -> None:
    stream = b"".join(events) + b"data: [DONE]\n\n"
    one_by_one = OpenAIStreamWatch(hide_usage_chunk=True)
    expected = run(one_by_one, *events, b"data: [DONE]\n\n")
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    watch = OpenAIStreamWatch(hide_usage_chunk=True)
    parts = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert run(watch, *parts) == expected
    assert seen(watch) == seen(one_by_one)
