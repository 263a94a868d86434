"""Anthropic's messages: what its bytes mean, for requests, answers, streams and errors."""

from __future__ import annotations

from ops_center.errors import OpsCenterError
from ops_center.wire import chat
from ops_center.wire.sse import SseEvent


def decode_request(body: bytes) -> chat.ChatRequest:
    """Raises BadRequest, with `param`, for anything that is not a request of this format."""
    raise NotImplementedError


def encode_request(
    request: chat.ChatRequest, *, model: str, default_max_output_tokens: int = 4096
) -> tuple[bytes, tuple[chat.Dropped, ...]]:
    """The body for a provider, and what it could not say. BadRequest when leaving it out would do harm."""
    raise NotImplementedError


def decode_answer(body: bytes) -> chat.ChatAnswer:
    """Raises ProviderUnusable for HTML, half a JSON, an error inside a 200, missing fields."""
    raise NotImplementedError


def encode_answer(answer: chat.ChatAnswer, *, model: str, request_id: str, created: int) -> bytes:
    raise NotImplementedError


class StreamDecoder:
    finished: bool = False

    def feed(self, event: SseEvent) -> list[chat.StreamEvent]:
        raise NotImplementedError


class StreamEncoder:
    def __init__(self, *, model: str, request_id: str, created: int, include_usage: bool) -> None:
        raise NotImplementedError

    def encode(self, event: chat.StreamEvent) -> bytes:
        raise NotImplementedError


def encode_error(error: OpsCenterError, *, request_id: str | None = None) -> bytes:
    raise NotImplementedError


def encode_stream_error(error: OpsCenterError, *, request_id: str | None = None) -> bytes:
    raise NotImplementedError


def read_provider_error(status: int, body: bytes) -> chat.ProviderErrorFacts:
    raise NotImplementedError


def read_answer_usage(body: bytes) -> chat.AnswerFacts:
    raise NotImplementedError
