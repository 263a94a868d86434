"""Reads in passing what OpenAI's endpoints beside chat are asked and answer: model, tokens, errors.

Embeddings, images, audio, moderations, and reranking as Cohere and Jina answer it. The bodies themselves
pass untouched. References (2026-11): https://platform.openai.com/docs/api-reference,
https://docs.cohere.com/reference/rerank, https://api.jina.ai/redoc.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from ops_center.types import Usage
from ops_center.wire.chat import ProviderErrorFacts
from ops_center.wire.figures import extras, read_object, seconds, tokens
from ops_center.wire.openai_chat.usage import read_usage as read_chat_usage
from ops_center.wire.sse import SseReader

_NULL = msgspec.Raw(b"null")


class TaskHead(msgspec.Struct, frozen=True):
    """The fields of a request that decide; everything else passes by unread."""

    model: str | None = None
    stream: bool | None = None


class TaskFacts(msgspec.Struct, frozen=True):
    """What a whole JSON answer says of itself. `units` counts what a price per request is for: the pictures of an
    answer with pictures, the searches that a reranking is billed as."""

    valid: bool
    usage: Usage | None = None
    units: int = 1


class _Answer(msgspec.Struct):
    error: msgspec.Raw = _NULL
    usage: msgspec.Raw = _NULL
    meta: msgspec.Raw = _NULL
    created: msgspec.Raw = _NULL
    data: msgspec.Raw = _NULL


_answer_decoder = msgspec.json.Decoder(_Answer)
_list_decoder = msgspec.json.Decoder(list[msgspec.Raw])


def read_answer(body: bytes, *, pictures: bool = False) -> TaskFacts:
    """The facts of an answer; invalid when it is no JSON object, or an error that came with a 200."""
    try:
        answer = _answer_decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return TaskFacts(False)
    if bytes(answer.error) not in (b"null", b'""'):
        return TaskFacts(False)
    usage = read_usage(answer.usage)
    meta = read_object(answer.meta)
    if usage is None:
        usage = _billed_tokens(meta)
    units = _searches(meta)
    if pictures and bytes(answer.data).startswith(b"["):
        units = len(_list_decoder.decode(answer.data))
    return TaskFacts(True, usage, units)


def read_usage(raw: msgspec.Raw | bytes | None) -> Usage | None:
    """Tokens in any of the shapes of these endpoints; None where the answer counts none.

    Embeddings count like chat; images and audio say `input_tokens` and `output_tokens`; Jina gives a total
    alone, which is all input; models that are billed by the length of the sound say its seconds instead.
    """
    found = read_chat_usage(raw)
    if found is not None:
        return found
    usage = read_object(raw)
    if usage is None:
        return None
    if "input_tokens" in usage or "output_tokens" in usage:
        # pictures say `input_tokens_details`, transcriptions `input_token_details`
        details = usage.get("input_tokens_details") or usage.get("input_token_details")
        if not isinstance(details, dict):
            details = {}
        return Usage(
            input_tokens=tokens(usage.get("input_tokens")),
            output_tokens=tokens(usage.get("output_tokens")),
            cache_read_tokens=min(tokens(details.get("cached_tokens")), tokens(usage.get("input_tokens"))),
            # sound is what a transcription's input price is for
            extras=extras(input_image=tokens(details.get("image_tokens"))),
        )
    if usage.get("type") == "duration":
        return Usage(extras=extras(audio_seconds=seconds(usage.get("seconds"))))
    if "total_tokens" in usage:
        return Usage(input_tokens=tokens(usage["total_tokens"]))
    return None


def _billed_tokens(meta: Mapping[str, Any] | None) -> Usage | None:
    billed = (meta or {}).get("billed_units")
    if not isinstance(billed, dict) or not ("input_tokens" in billed or "output_tokens" in billed):
        return None
    return Usage(
        input_tokens=tokens(billed.get("input_tokens")), output_tokens=tokens(billed.get("output_tokens"))
    )


def _searches(meta: Mapping[str, Any] | None) -> int:
    """How many searches Cohere bills a reranking as: one per query and hundred documents."""
    billed = (meta or {}).get("billed_units")
    return max(1, tokens(billed.get("search_units"))) if isinstance(billed, dict) else 1


class PassingWatch:
    """Lets bytes pass that are no chat: sound, plain text, or the events of a transcription or a picture.

    Of events the last usage is kept. The answer is over when the provider says so by closing it.
    """

    def __init__(self, *, events: bool) -> None:
        self.usage: Usage | None = None
        self.partial_usage: Usage | None = None
        self.finish_reason: str | None = None
        self.started = False
        self.finished = False
        self.output_bytes = 0
        self.error: ProviderErrorFacts | None = None
        self.unusable = False
        self._reader = SseReader() if events else None

    def feed(self, data: bytes) -> bytes:
        self.started = True
        if self._reader is not None:
            for event in self._reader.feed(data):
                self._see(event.data)
        return data

    def close(self) -> bytes:
        if self._reader is not None:
            for event in self._reader.close():
                self._see(event.data)
        self.finished = self.started
        return b""

    def _see(self, data: bytes) -> None:
        if b'"usage"' in data:
            found = read_answer(data).usage
            self.usage = self.usage if found is None else found
