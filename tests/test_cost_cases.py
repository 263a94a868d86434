"""Bytes in, cost out: what each provider sends, and what the ledger must hold for it. The cases: `cost_cases/`.

Each goes through the gateway whole, streamed, translated and cut; the provider is a list of bytes, and there is no
other stand-in.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ops_center.catalog.facts import resolve_model_facts
from ops_center.catalog.pricing import price_lines
from ops_center.dataplane.call import Call
from ops_center.dataplane.pipeline import Plane, handle
from ops_center.dataplane.tasks import TaskCall
from ops_center.errors import OpsCenterError
from ops_center.limits import MemoryLimiter
from ops_center.providers.registry import provider_spec
from ops_center.simulator.bedrock import frame
from ops_center.snapshot import Provider, Target
from ops_center.types import CostSource, Price, Usage, UsageRecord
from ops_center.wire.formats import WIRES
from plane import SECRET, Records, Source, snapshot

pytestmark = pytest.mark.anyio
CASES = Path(__file__).parent / "cost_cases"
TEXTS = ("Grüße", ' "und"\n', "mehr 🌍 und noch ein paar Worte")
TEXT_TOKENS = -(-len("".join(TEXTS).encode()) // 4)
USAGE = b'"USAGE"'
PATH = {"openai_chat": "chat/completions", "openai_responses": "responses", "anthropic_messages": "messages"}


class Case(msgspec.Struct, kw_only=True):
    name: str
    model: str
    price: dict[str, Decimal] | None
    usage: msgspec.Raw
    start: msgspec.Raw = msgspec.Raw(b"null")
    answer: dict[str, Any] = {}
    output: list[Any] = []
    tokens: Usage
    sum: str
    cost: Decimal | None
    cost_source: CostSource = CostSource.COMPUTED
    note: str | None = None
    listed: Decimal | None = None
    override: dict[str, str] | None = None
    task: str | None = None  # the endpoint, where it is none of conversations
    type: str = ""
    speaks: str = ""
    format: str = ""


class _File(msgspec.Struct, kw_only=True):
    type: str
    source: list[str]
    cases: list[Case]
    speaks: str | None = None
    format: str | None = None


def read() -> Iterator[Case]:
    for path in sorted(CASES.glob("*.json")):
        file = msgspec.json.decode(path.read_bytes(), type=_File)
        for case in file.cases:
            case.type, case.speaks = file.type, file.speaks or file.type
            case.format = file.format or provider_spec(case.speaks).format
            yield case


ALL = list(read())
TASK_CASES = [case for case in ALL if case.task is not None]
CHATS = [case for case in ALL if case.task is None]


def of_each(cases: Sequence[Case]) -> pytest.MarkDecorator:
    names = [f"{case.type} {case.task or case.format}: {case.name}".replace("'", "") for case in cases]
    return pytest.mark.parametrize("case", cases, ids=names)


def price_of(case: Case) -> Price | None:
    return resolve_model_facts(case.type, case.model, None, case.override).price


# one of each format, cut at every byte; the first of each file has figures of all kinds
ONE_PER_FORMAT = {case.format: case for case in reversed(CHATS) if case.cost is not None}


def answer_of(case: Case) -> bytes:
    """A whole answer of the provider's."""
    text, more = "".join(TEXTS), case.answer
    body: dict[str, Any]
    match case.format:
        case "openai_chat":
            choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
            body = {
                "id": "c",
                "object": "chat.completion",
                "created": 1,
                "model": "m",
                "choices": [choice],
                **more,
            }
        case "openai_responses":
            body = {**response(case, text), "usage": "USAGE"}
        case "anthropic_messages":
            content = [{"type": "text", "text": text}]
            body = {"id": "m", "type": "message", "role": "assistant", "model": "m", "content": content}
            body |= {"stop_reason": "end_turn", "stop_sequence": None, **more}
        case "gemini":
            content = {"role": "model", "parts": [{"text": text}]}
            body = {"candidates": [{"content": content, "finishReason": "STOP", "index": 0, **more}]}
            body |= {"usageMetadata": "USAGE"}
        case "bedrock_converse":
            message = {"role": "assistant", "content": [{"text": text}]}
            body = {
                "output": {"message": message},
                "stopReason": "end_turn",
                "metrics": {"latencyMs": 1},
                **more,
            }
        case "cohere_chat":
            message = {"role": "assistant", "content": [{"type": "text", "text": text}]}
            body = {"id": "c", "finish_reason": "COMPLETE", "message": message}
        case _:
            raise AssertionError(case.format)
    if case.format != "gemini":
        body["usage"] = "USAGE"
    return json.dumps(body, ensure_ascii=False).encode().replace(USAGE, bytes(case.usage))


def response(case: Case, text: str) -> dict[str, Any]:
    part = {"type": "output_text", "text": text, "annotations": []}
    message = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "status": "completed",
        "content": [part],
    }
    body = {"id": "r", "object": "response", "created_at": 1, "model": "m", "status": "completed"}
    return {**body, "error": None, "output": [*case.output, message], **case.answer}


def events_of(case: Case) -> list[bytes]:
    """The same answer as a stream, event by event; the usage is where this provider puts it."""
    match case.format:
        case "openai_chat":
            chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", **case.answer}

            def said(delta: dict[str, Any], reason: str | None = None) -> dict[str, Any]:
                return {**chunk, "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}

            bodies = [
                said({"role": "assistant", "content": ""}),
                *(said({"content": text}) for text in TEXTS),
                said({}, "stop"),
                {**chunk, "choices": [], "usage": "USAGE"},
            ]
            return [*(b"data: " + filled(case, body) + b"\n\n" for body in bodies), b"data: [DONE]\n\n"]
        case "openai_responses":
            bodies = [
                {"type": "response.created", "response": {"id": "r", "status": "in_progress", "output": []}},
                {"type": "response.output_item.added", "output_index": 0, "item": {"type": "message"}},
                *({"type": "response.output_text.delta", "output_index": 0, "delta": text} for text in TEXTS),
                {
                    "type": "response.completed",
                    "response": {**response(case, "".join(TEXTS)), "usage": "USAGE"},
                },
            ]
            return [named(case, body) for body in bodies]
        case "anthropic_messages":
            message = {"id": "m", "type": "message", "role": "assistant", "model": "m", "content": []}
            begun = named(
                case, {"type": "message_start", "message": {**message, "usage": "USAGE"}}, start=True
            )
            block = {"type": "text", "text": ""}
            bodies = [
                {"type": "content_block_start", "index": 0, "content_block": block},
                *(
                    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}
                    for text in TEXTS
                ),
                {"type": "content_block_stop", "index": 0},
                {
                    "type": "message_delta",
                    "delta": {"stop_reason": "end_turn", **case.answer},
                    "usage": "USAGE",
                },
                {"type": "message_stop"},
            ]
            return [begun, *(named(case, body) for body in bodies)]
        case "gemini":
            bodies = [
                {"candidates": [{"content": {"role": "model", "parts": [{"text": text}]}, "index": 0}]}
                for text in TEXTS
            ]
            bodies[-1]["candidates"][0] |= {"finishReason": "STOP", **case.answer}
            bodies[-1]["usageMetadata"] = "USAGE"
            return [b"data: " + filled(case, body) + b"\r\n\r\n" for body in bodies]
        case "bedrock_converse":
            deltas = [
                ("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": text}}) for text in TEXTS
            ]
            end = {"usage": json.loads(bytes(case.usage)), "metrics": {"latencyMs": 1}, **case.answer}
            messages = [
                ("messageStart", {"role": "assistant"}),
                *deltas,
                ("contentBlockStop", {"contentBlockIndex": 0}),
                ("messageStop", {"stopReason": "end_turn"}),
                ("metadata", end),
            ]
            return [
                frame(
                    body, {":event-type": kind, ":content-type": "application/json", ":message-type": "event"}
                )
                for kind, body in messages
            ]
        case "cohere_chat":
            bodies = [
                {"type": "message-start", "id": "c", "delta": {"message": {"role": "assistant"}}},
                {"type": "content-start", "index": 0, "delta": {"message": {"content": {"type": "text"}}}},
                *(
                    {"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": text}}}}
                    for text in TEXTS
                ),
                {"type": "content-end", "index": 0},
                {"type": "message-end", "delta": {"finish_reason": "COMPLETE", "usage": "USAGE"}},
            ]
            return [named(case, body) for body in bodies]
    raise AssertionError(case.format)


def filled(case: Case, body: dict[str, Any], *, start: bool = False) -> bytes:
    usage = case.start if start and bytes(case.start) != b"null" else case.usage
    return json.dumps(body, separators=(",", ":")).encode().replace(USAGE, bytes(usage).replace(b"\n", b""))


def named(case: Case, body: dict[str, Any], *, start: bool = False) -> bytes:
    return f"event: {body['type']}\ndata: ".encode() + filled(case, body, start=start) + b"\n\n"


class Provided:
    """A provider's response, as `transport` hands it on; then it breaks off, or its client leaves."""

    status = 200

    def __init__(self, pieces: Sequence[bytes], exchange: Exchange, *, client_leaves: bool = False) -> None:
        self._pieces = list(pieces)
        self._exchange = exchange
        self._client_leaves = client_leaves

    def header(self, name: bytes) -> bytes | None:
        return b"application/json" if name == b"content-type" else None

    async def read(self, most: int) -> bytes:
        return b"".join(self._pieces)

    async def chunk(self) -> bytes:
        if self._pieces:
            return self._pieces.pop(0)
        if self._client_leaves:
            self._exchange.gone = True
            raise asyncio.CancelledError
        return b""

    async def drain(self, seconds: float) -> None: ...

    def close(self) -> None: ...


class Exchange:
    """A client that takes everything."""

    gone = False
    client_address = "127.0.0.1"

    async def answer(self, status: int, headers: Any, body: bytes) -> None: ...

    async def start(self, status: int, headers: Any) -> None: ...

    async def write(self, data: bytes) -> None: ...

    async def end(self, data: bytes = b"") -> None: ...


class Upstream:
    def __init__(self, provided: Provided) -> None:
        self._provided = provided

    async def send(self, *_: Any, **__: Any) -> Provided:
        return self._provided

    send_to = send


async def metered(
    case: Case, client: str, pieces: Sequence[bytes], *, stream: bool, client_leaves: bool = False
) -> UsageRecord:
    """The record of one call whose provider sent these bytes."""
    provider = Provider(
        id="prov_1", name="one", spec=provider_spec(case.speaks), base_url="http://x", credential="sk"
    )
    target = Target(id="mdl_1", provider=provider, model=case.model, price=price_of(case))
    message = {"role": "user", "content": "Say hello"}
    asked: dict[str, Any] = {"model": case.model, "messages": [message], "max_tokens": 100, "stream": stream}
    if client == "openai_responses":
        asked = {"model": case.model, "input": "Say hello", "stream": stream}
    exchange, sink = Exchange(), Records()
    call = (Call if case.task is None else TaskCall)(
        endpoint=case.task or PATH[client],
        client_format=client,
        wire=WIRES[client],
        headers={b"authorization": f"Bearer {SECRET}".encode()},
        exchange=exchange,
        body=json.dumps(asked).encode() + b" " * stream,  # as long as with "false"
    )
    upstream = Upstream(Provided(pieces, exchange, client_leaves=client_leaves))
    plane = Plane(
        snapshots=Source(snapshot(target)),
        upstream=upstream,  # type: ignore[arg-type]
        limiter=MemoryLimiter(),
        sink=sink,
    )
    try:
        await handle(call, plane)
    except (OpsCenterError, asyncio.CancelledError):
        pass
    return sink.only


def clients_of(case: Case) -> list[str]:
    return (
        ["openai_responses"] if case.format == "openai_responses" else ["openai_chat", "anthropic_messages"]
    )


def seen(record: UsageRecord) -> tuple[Usage, Decimal | None, CostSource, Decimal | None]:
    return record.usage, record.cost_usd, record.cost_source, record.listed_cost_usd


@of_each(ALL)
def test_the_price_is_the_one_written_beside_the_sum(case: Case) -> None:
    price = price_of(case)
    if case.price is None:
        assert price is None
        return
    assert price is not None
    named = {name: value for name in PRICES if (value := getattr(price, name)) is not None}
    assert named == case.price


PRICES = (
    "input_mtok",
    "output_mtok",
    "cache_read_mtok",
    "cache_write_mtok",
    "cache_write_1h_mtok",
    "reasoning_mtok",
    "input_audio_mtok",
    "output_audio_mtok",
    "input_image_mtok",
    "input_audio_minute_usd",
)


@of_each(CHATS)
async def test_bytes_in_cost_out_whole_streamed_and_translated(case: Case) -> None:
    expected = (case.tokens, case.cost, case.cost_source, case.listed)
    for client in clients_of(case):
        whole = await metered(case, client, [answer_of(case)], stream=False)
        streamed = await metered(case, client, events_of(case), stream=True)
        for record in (whole, streamed):
            assert record.status == 200, record
            assert seen(record) == expected, case.sum
            assert (case.note is None) == (record.cost_note is None)
            assert (case.note or "") in (record.cost_note or "")
        price = price_of(case)
        if price is not None and case.cost is not None and case.cost_source is not CostSource.PROVIDER:
            lines = sum((line.usd for line in price_lines(case.tokens, price)), Decimal(0))
            assert abs(lines - case.cost) < Decimal("1e-9"), "the lines of the request's page add up to it"


@of_each(TASK_CASES)
async def test_what_is_no_conversation_costs_by_tokens_or_by_the_piece(case: Case) -> None:
    answer = dict(case.answer)
    if bytes(case.usage) != b"null":
        answer["usage"] = "USAGE"
    body = json.dumps(answer).encode().replace(USAGE, bytes(case.usage))
    record = await metered(case, "openai_chat", [body], stream=False)
    assert record.status == 200, record
    assert seen(record) == (case.tokens, case.cost, case.cost_source, case.listed), case.sum
    assert (case.note or "") in (record.cost_note or "")


@pytest.mark.parametrize("client_leaves", [False, True], ids=["the provider breaks off", "the client leaves"])
@pytest.mark.parametrize("wire", sorted(ONE_PER_FORMAT))
async def test_a_stream_cut_at_any_byte_has_the_last_usage_or_a_marked_estimate(
    wire: str, client_leaves: bool
) -> None:
    case = ONE_PER_FORMAT[wire]
    events = events_of(case)
    stream, usage_at = b"".join(events), len(b"".join(events[:-1]))
    if wire in ("openai_chat", "anthropic_messages"):
        usage_at = len(b"".join(events[:-2]))
    client = clients_of(case)[-1]
    before = Decimal(0)
    for cut in range(len(stream) + 1):
        record = await metered(case, client, [stream[:cut]], stream=True, client_leaves=client_leaves)
        if record.cost_source is CostSource.ESTIMATED:
            assert cut < len(stream)
            assert record.cost_note is not None
            assert record.cost_usd is not None
            assert record.cost_usd >= before, "more of an answer never costs less"
            before = record.cost_usd
            known = case.tokens if wire == "anthropic_messages" and record.usage.cache_read_tokens else None
            assert record.usage.output_tokens <= max(TEXT_TOKENS, 2)
            assert known is None or record.usage.input_tokens == known.input_tokens
        elif record.usage == Usage():
            assert before == 0, "nothing was answered yet"
            assert record.cost_usd == 0
        else:
            assert cut > usage_at
            assert seen(record) == (case.tokens, case.cost, case.cost_source, case.listed)
    assert before > 0
    assert seen(record) == (case.tokens, case.cost, case.cost_source, case.listed)


@pytest.mark.parametrize("case", ONE_PER_FORMAT.values(), ids=ONE_PER_FORMAT)
async def test_without_usage_whole_and_streamed_are_estimated_alike(case: Case) -> None:
    case = msgspec.structs.replace(
        case, usage=msgspec.Raw(b"null"), start=msgspec.Raw(b"null"), answer={}, output=[]
    )
    for client in clients_of(case):
        whole = await metered(case, client, [answer_of(case)], stream=False)
        streamed = await metered(case, client, events_of(case), stream=True)
        assert seen(whole) == seen(streamed)
        assert whole.usage.output_tokens == TEXT_TOKENS
        known = case.price is not None
        assert whole.cost_source is (CostSource.ESTIMATED if known else CostSource.UNKNOWN)
        assert whole.cost_note is not None


async def test_searches_told_before_and_after_the_usage_are_counted_once() -> None:
    [case] = [case for case in CHATS if "what it brought in is not" in case.name]
    searched = [
        {"index": 0, "groundingMetadata": {"webSearchQueries": queries}}
        for queries in (["euro 2024 winner"], ["euro 2024 winner", "euro 2024 final score"])
    ]
    before, after = (b"data: " + json.dumps({"candidates": [one]}).encode() + b"\n\n" for one in searched)
    *texts, end = events_of(msgspec.structs.replace(case, answer={}))
    for pieces in ([before, after, *texts, end], [before, *texts, end, after]):
        record = await metered(case, "openai_chat", pieces, stream=True)
        assert seen(record) == (case.tokens, case.cost, case.cost_source, case.listed)
