"""Whole answers of OpenAI's Responses: read into the neutral form, written out of it, or only metered.

Reference: https://platform.openai.com/docs/api-reference/responses/object (2026-11).
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw

from ops_center.errors import BadRequest
from ops_center.wire import chat
from ops_center.wire.json_fields import OBJECT
from ops_center.wire.openai_responses.items import read_item
from ops_center.wire.openai_responses.response import (
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
from ops_center.wire.openai_responses.usage import usage_of
from ops_center.wire.provider_errors import carries_error
from ops_center.wire.reading import read_answer, unusable

_NULL = Raw(b"null")


class IncompleteDetails(msgspec.Struct):
    reason: str | None = None


class _Response(msgspec.Struct):
    output: list[Raw]
    id: str = ""
    model: str = ""
    created_at: int | float | None = None
    status: str | None = None
    incomplete_details: IncompleteDetails | None = None
    usage: Raw = _NULL
    service_tier: str | None = None
    tools: Raw = _NULL
    error: Raw = _NULL


class _Facts(msgspec.Struct):
    output: list[Raw]
    status: str | None = None
    incomplete_details: IncompleteDetails | None = None
    usage: Raw = _NULL
    service_tier: str | None = None
    tools: Raw = _NULL
    error: Raw = _NULL


_RESPONSE = msgspec.json.Decoder(_Response)
_FACTS = msgspec.json.Decoder(_Facts)
_ANYTHING = msgspec.json.Decoder()


def neutral_reason(status: str | None, details: IncompleteDetails | None, *, calls: bool) -> str | None:
    """Why a response ended; None while it has not."""
    if status == "incomplete":
        why = details.reason if details else None
        return {"max_output_tokens": chat.LENGTH, "content_filter": chat.CONTENT_FILTER}.get(
            why or "", chat.OTHER
        )
    if status in (None, "completed"):
        return chat.TOOL_CALLS if calls else chat.STOP
    if status == "failed":
        return chat.ERROR
    return chat.OTHER  # cancelled; queued and in_progress, of responses in the background


def decode_answer(body: bytes) -> chat.ChatAnswer:
    """Raises ProviderUnusable for HTML, half a JSON, a failed response, missing fields."""
    try:
        answer = _RESPONSE.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        if _facts_of_no_answer(body).error:
            raise unusable("an error inside a 200") from None
        answer = read_answer(_RESPONSE, body)
    if answer.status == "failed" or bytes(answer.error) not in (b"null", b"{}"):
        raise unusable("an error inside a 200")
    fields = read_answer(OBJECT, body)
    parts: list[chat.Part] = []
    try:
        for index, raw in enumerate(answer.output):
            parts += read_item(raw, f"output[{index}]").parts
    except BadRequest as error:
        raise unusable(f"an output item could not be read: {error.param}") from None
    calls = any(isinstance(part, chat.ToolCall) for part in parts)
    reason = neutral_reason(answer.status, answer.incomplete_details, calls=calls)
    return chat.ChatAnswer(
        format=chat.OPENAI_RESPONSES,
        id=answer.id,
        model=answer.model,
        created=int(answer.created_at) if answer.created_at is not None else None,
        choices=(chat.Choice(parts=tuple(parts), finish_reason=reason, native_finish_reason=answer.status),),
        usage=usage_of(answer.usage, answer.service_tier, answer.output, answer.tools),
        native_usage=answer.usage if bytes(answer.usage) != b"null" else None,
        extra=fields,
    )


def encode_answer(
    answer: chat.ChatAnswer,
    *,
    model: str,
    request_id: str,
    created: int,
    request: chat.ChatRequest | None = None,
) -> bytes:
    """The answer's first choice as a response; `request` is repeated in it, as OpenAI does."""
    if answer.format == chat.OPENAI_RESPONSES:
        return msgspec.json.encode({**answer.extra, "model": model})
    head = response_head(
        request,
        request_id=request_id,
        model=model,
        created=answer.created if answer.created is not None else created,
    )
    choice = answer.choices[0]
    refused = any(isinstance(part, chat.Refusal) for part in choice.parts)
    response = finish(
        head, _items(choice, request_id), reason=choice.finish_reason, usage=answer.usage, refused=refused
    )
    response["completed_at"] = created
    return msgspec.json.encode(response)


def _items(choice: chat.Choice, request_id: str) -> list[dict[str, Any]]:
    """Texts and refusals that follow each other are one message; everything else is an item of its own."""
    ids = ItemIds(request_id)
    items: list[dict[str, Any]] = []
    content: list[Any] | None = None
    for part in choice.parts:
        if isinstance(part, chat.Text | chat.Refusal):
            if content is None:
                content = []
                items.append(message_item(ids.next("msg"), content))
            content.append(text_part(part.text) if isinstance(part, chat.Text) else refusal_part(part.text))
            continue
        content = None
        if isinstance(part, chat.Thinking):
            items.append(reasoning_item(ids.next("rs"), part.text, seal(part)))
        elif isinstance(part, chat.ToolCall):
            items.append(call_item(ids.next("fc"), part))
        elif isinstance(part, chat.Image):
            items.append(picture_item(ids.next("ig"), part))
        elif not isinstance(part, chat.Native):  # a server tool's own doings, which no other format shows
            raise unusable(f"an answer with a part of kind {type(part).__name__}")
    if not items:
        items.append(message_item(ids.next("msg"), [text_part("")]))
    if choice.finish_reason == chat.LENGTH:
        items[-1]["status"] = "incomplete"
    return items


def read_answer_usage(body: bytes) -> chat.AnswerFacts:
    """Usage and finish reason of an answer that passes through; decodes nothing else."""
    try:
        facts = _FACTS.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _facts_of_no_answer(body)
    calls = any(b'"function_call"' in bytes(item)[:200] for item in facts.output)
    return chat.AnswerFacts(
        usage=usage_of(facts.usage, facts.service_tier, facts.output, facts.tools),
        finish_reason=neutral_reason(facts.status, facts.incomplete_details, calls=calls),
        error=facts.status == "failed",
    )


def _facts_of_no_answer(body: bytes) -> chat.AnswerFacts:
    try:
        value = _ANYTHING.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return chat.AnswerFacts(valid=False)
    return chat.AnswerFacts(error=carries_error(value), valid=False)
