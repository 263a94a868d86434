"""Attempt: walk the plan until the first byte of an answer arrives. Step four on the way of a request.

Before that byte another target may be asked; after it never. Decides on the first real event, not on the
status line, since providers also send errors inside a 200.
"""

from __future__ import annotations

import asyncio
from types import ModuleType

from ops_center.dataplane.answer import Answer, StreamAnswer, Watch, WholeAnswer, error_inside, stream_failure
from ops_center.dataplane.call import Call
from ops_center.dataplane.meter import Attempt
from ops_center.dataplane.request_body import passed_through, translated, wants_usage
from ops_center.dataplane.tasks import TaskCall
from ops_center.dataplane.tasks import ask as ask_task
from ops_center.dataplane.upstream import Upstream, refusal
from ops_center.dataplane.walk import Step, Walk
from ops_center.errors import (
    NoProviderLeft,
    ProviderError,
    ProviderRejected,
    ProviderUnusable,
)
from ops_center.health import Health
from ops_center.routing import Plan
from ops_center.snapshot import Target
from ops_center.transport.client import Response
from ops_center.wire import chat
from ops_center.wire.formats import WIRES
from ops_center.wire.translate import StreamTranslator
from ops_center.wire.watch import watch_of

_MAX_ANSWER_BYTES = 64 * 1024 * 1024


async def first_answer(
    plan: Plan, call: Call, upstream: Upstream, health: Health, attempts: list[Attempt]
) -> Answer:
    """The first usable answer on the walk over the plan; every call made is noted in `attempts`.

    Raises the provider's error, or NoProviderLeft when several were asked in vain.
    """
    walk = Walk(plan, health, retries=plan.retries, deadline=call.deadline)
    step: Step | None = walk.first()
    while step is not None:
        if step.pause_seconds:
            await asyncio.sleep(step.pause_seconds)
        call.credential_source = step.target.provider.credential_source
        attempt = Attempt(len(attempts) + 1, step.target, health.begin(step.target, step.credential))
        attempts.append(attempt)
        try:
            return await _ask(attempt, call, upstream)
        except ProviderError as error:
            attempt.fail(error)
            failure = error
        step = walk.after(failure)
    if isinstance(failure, ProviderRejected):
        if attempt.target.format_for(call.client_format) != call.client_format:
            failure.body = b""
        raise failure
    if len({(a.target.id, a.target.provider.credential_source) for a in attempts}) == 1:
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
    wire_format = target.format_for(call.client_format)
    same_format = wire_format == call.client_format
    call.dropped = ()
    body = passed_through(call, target) if same_format else translated(call, target, wire_format)
    response = await upstream.send(
        target,
        body,
        credential=attempt.credential,
        wire_format=wire_format,
        stream=call.stream,
        client_headers=call.headers if same_format else None,
        time_limits=call.time_limits,
        deadline=call.deadline,
    )
    attempt.status = response.status
    try:
        if response.status != 200:
            raise await refusal(response, target, wire_format)
        if call.stream:
            watch = _watch(call, target, wire_format)
            return await _first_event(attempt, response, watch)
        whole = await response.read(_MAX_ANSWER_BYTES)
        answer = _whole(attempt, call, whole, wire_format)
        attempt.answered()
        return answer
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
            attempt.answered()
            return StreamAnswer(attempt, response, watch, first)
        if not data:
            raise ProviderUnusable(
                "The provider's stream ended before it began.", detail="no event in the stream"
            )


def _watch(call: Call, target: Target, wire_format: str) -> Watch:
    if wire_format == call.client_format:
        return watch_of(wire_format, hide_usage_chunk=not wants_usage(call))
    return StreamTranslator(
        provider=WIRES[wire_format],
        client=call.wire,
        model=target.model,
        request_id=call.request_id,
        created=int(call.started_at.timestamp()),
        include_usage=wants_usage(call),
        request=call.neutral,
    )


def _whole(attempt: Attempt, call: Call, body: bytes, wire_format: str) -> WholeAnswer:
    target = attempt.target
    wire = WIRES[wire_format]
    if wire_format == call.client_format:
        facts = wire.read_answer_usage(body)
        if facts.error or not facts.valid:
            raise error_inside(wire.read_provider_error(200, body))
        said = _text_bytes(wire, body) if facts.usage is None else 0
        return WholeAnswer(attempt, body, facts.usage, facts.finish_reason, said)
    answer: chat.ChatAnswer = wire.decode_answer(body)
    translated = call.wire.encode_answer(
        answer,
        model=answer.model or target.model,
        request_id=call.request_id,
        created=int(call.started_at.timestamp()),
        request=call.neutral,
    )
    return WholeAnswer(attempt, translated, answer.usage, answer.finish_reason, answer.text_bytes)


def _text_bytes(wire: ModuleType, body: bytes) -> int:
    """How much an answer says that nobody counted; all of it, where it cannot be read."""
    try:
        answer: chat.ChatAnswer = wire.decode_answer(body)
    except ProviderUnusable:
        return len(body)
    return answer.text_bytes
