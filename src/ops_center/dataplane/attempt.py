"""Attempt: walk the plan until the first byte of an answer arrives. Step four on the way of a request.

Before that byte another target may be asked; after it never. Decides on the first real event, not on the
status line, since providers also send errors inside a 200.
"""

from __future__ import annotations

import time

from ops_center.dataplane.answer import Answer, StreamAnswer, Watch, WholeAnswer, error_inside, stream_failure
from ops_center.dataplane.call import Call
from ops_center.dataplane.meter import Attempt
from ops_center.dataplane.request_body import passed_through, translated, wants_usage
from ops_center.dataplane.tasks import TaskCall
from ops_center.dataplane.tasks import ask as ask_task
from ops_center.dataplane.upstream import Upstream, refusal
from ops_center.errors import (
    NoProviderLeft,
    ProviderError,
    ProviderRejected,
    ProviderUnusable,
)
from ops_center.routing import Plan
from ops_center.snapshot import Target
from ops_center.transport.client import Response
from ops_center.wire import chat
from ops_center.wire.formats import WIRES
from ops_center.wire.translate import StreamTranslator
from ops_center.wire.watch import AnthropicStreamWatch, OpenAIStreamWatch

_MAX_ANSWER_BYTES = 64 * 1024 * 1024


async def first_answer(plan: Plan, call: Call, upstream: Upstream, attempts: list[Attempt]) -> Answer:
    """The first usable answer of the plan's targets; every call made is noted in `attempts`.

    A target is followed by the next one when its provider (not the caller) is to blame and has
    auto-fallback on; without it, only by another credential for the same provider. Raises the
    provider's error, or NoProviderLeft when several were asked in vain.
    """
    if not plan.choices:
        raise NoProviderLeft(
            "No provider is left to ask: all that serve this are failing or resting just now.",
            detail="; ".join(f"{c.target.provider.name}: {c.reason}" for c in plan.excluded[:20]),
            retry_after_seconds=plan.retry_after_seconds,
        )
    stay_with: str | None = None  # the provider that has failed and that no other may follow
    for choice in plan.choices:
        if stay_with is not None and choice.target.provider.id != stay_with:
            break
        call.credential_source = choice.target.provider.credential_source
        attempt = Attempt(len(attempts) + 1, choice.target)
        attempts.append(attempt)
        try:
            return await _ask(attempt, call, upstream)
        except ProviderRejected as error:
            attempt.fail(error)
            if choice.target.provider.spec.format != call.client_format:
                error.body = b""
            raise
        except ProviderError as error:
            attempt.fail(error)
            failure = error
        if not (plan.fallbacks and choice.target.provider.auto_fallback):
            stay_with = choice.target.provider.id
    if len(attempts) == 1:
        raise failure
    raise _nobody_left(attempts, failure)


def _nobody_left(attempts: list[Attempt], last: ProviderError) -> ProviderError:
    names = ", ".join(f"{a.target.provider.name} ({a.outcome.removeprefix('provider_')})" for a in attempts)
    error = NoProviderLeft(
        f"No provider is left to ask: {names}.",
        detail="; ".join(f"{a.target.provider.name}: {a.detail or a.outcome}" for a in attempts),
        retry_after_seconds=last.retry_after_seconds,
    )
    # What the last one did decides whether the caller should wait (429), come back (503) or expect more time (504).
    error.status = last.status
    return error


async def _ask(attempt: Attempt, call: Call, upstream: Upstream) -> Answer:
    if isinstance(call, TaskCall):
        return await ask_task(attempt, call, upstream)
    target = attempt.target
    same_format = target.provider.spec.format == call.client_format
    body = passed_through(call, target) if same_format else translated(call, target)
    response = await upstream.send(
        target, body, stream=call.stream, client_headers=call.headers if same_format else None
    )
    attempt.status = response.status
    try:
        if response.status != 200:
            raise await refusal(response, target)
        if call.stream:
            watch = _watch(call, target, same_format)
            return await _first_event(attempt, response, watch)
        whole = await response.read(_MAX_ANSWER_BYTES)
        attempt.first_chunk = time.perf_counter()
        return _whole(attempt, call, whole, same_format)
    except BaseException:
        response.close()
        raise


async def _first_event(attempt: Attempt, response: Response, watch: Watch) -> StreamAnswer:
    first = b""
    while True:
        data = await response.chunk()
        first += watch.feed(data) if data else watch.close()
        failure = stream_failure(watch)
        if failure is not None:
            raise failure
        if watch.started:
            attempt.first_chunk = time.perf_counter()
            return StreamAnswer(attempt, response, watch, first)
        if not data:
            raise ProviderUnusable(
                "The provider's stream ended before it began.", detail="no event in the stream"
            )


def _watch(call: Call, target: Target, same_format: bool) -> Watch:
    provider_format = target.provider.spec.format
    if not same_format:
        return StreamTranslator(
            provider=WIRES[provider_format],
            client=call.wire,
            model=target.model,
            request_id=call.request_id,
            created=int(call.started_at.timestamp()),
            include_usage=wants_usage(call),
        )
    if provider_format == "anthropic_messages":
        return AnthropicStreamWatch()
    return OpenAIStreamWatch(hide_usage_chunk=not wants_usage(call))


def _whole(attempt: Attempt, call: Call, body: bytes, same_format: bool) -> WholeAnswer:
    target = attempt.target
    wire = WIRES[target.provider.spec.format]
    if same_format:
        facts = wire.read_answer_usage(body)
        if facts.error or not facts.valid:
            raise error_inside(wire.read_provider_error(200, body))
        return WholeAnswer(attempt, body, facts.usage, facts.finish_reason, len(body))
    answer: chat.ChatAnswer = wire.decode_answer(body)
    translated = call.wire.encode_answer(
        answer,
        model=answer.model or target.model,
        request_id=call.request_id,
        created=int(call.started_at.timestamp()),
    )
    return WholeAnswer(attempt, translated, answer.usage, answer.finish_reason, len(body))
