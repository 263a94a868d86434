"""Relay: the answer's bytes out to the client, under back-pressure. Step five on the way of a request.

The usage record is written before the bytes that end the answer go out, so that no process can die
between a complete answer and its record. After the first byte nothing is asked anew and nothing is
pretended: a stream that breaks ends with an error event in the client's format.
"""

from __future__ import annotations

import functools

from ops_center.dataplane.answer import Answer, StreamAnswer, WholeAnswer, stream_failure
from ops_center.dataplane.call import Call, Headers, line, printable
from ops_center.dataplane.meter import Attempt, Meter
from ops_center.errors import ProviderError, ProviderUnusable
from ops_center.types import CredentialSource

_DRAIN_SECONDS = 2.0


async def relay(answer: Answer, call: Call, meter: Meter) -> None:
    """Send the answer and settle the meter. A client that goes away ends this by cancellation."""
    if isinstance(answer, WholeAnswer):
        await _relay_whole(answer, call, meter)
    else:
        try:
            await _relay_stream(answer, call, meter)
        finally:
            answer.response.close()


async def _relay_whole(answer: WholeAnswer, call: Call, meter: Meter) -> None:
    meter.settle(answer)
    headers = _headers(call, answer.attempt)
    headers.append(b"content-type: application/json\r\n")
    if meter.cost_usd is not None:
        headers.append(f"x-ops-cost-usd: {meter.cost_usd:f}\r\n".encode())
    if meter.own_cost_usd is not None:
        headers.append(line(b"x-ops-own-cost-usd", f"{meter.own_cost_usd:f}".encode()))
    await call.exchange.answer(200, headers, answer.body)


async def _relay_stream(answer: StreamAnswer, call: Call, meter: Meter) -> None:
    exchange, watch, response = call.exchange, answer.watch, answer.response
    meter.measured = watch  # whatever ends this stream, what it had used by then is known
    data = answer.first
    kind = _EVENT_STREAM if answer.content_type is None else line(b"content-type", answer.content_type)
    await exchange.start(200, [*_headers(call, answer.attempt), kind])
    try:
        while not watch.finished:
            await exchange.write(data)
            chunk = await response.chunk()
            data = watch.feed(chunk) if chunk else watch.close()
            failure = stream_failure(watch)
            if failure is not None:
                await exchange.write(data)  # what came whole before the error
                raise failure
            if not chunk and not watch.finished:
                raise ProviderUnusable(
                    "The provider's stream broke off before its end.",
                    detail="ended without its terminal event",
                )
        meter.settle(watch)
    except ProviderError as error:
        answer.attempt.fail(error)
        meter.settle(watch, status=error.status, error_type=error.type)
        if answer.content_type is not None:
            raise  # sound has no word for an error: the answer breaks off, as the provider's did
        data = call.wire.encode_stream_error(error)
    await exchange.end(data)
    if watch.finished:
        await response.drain(_DRAIN_SECONDS)


def _headers(call: Call, attempt: Attempt) -> Headers:
    provider = attempt.target.provider
    headers = [
        b"x-request-id: %b\r\n%bx-ops-attempts: %d\r\n"
        % (
            call.request_id.encode(),
            _who_answered(provider.name, attempt.target.model, provider.credential_source),
            attempt.number,
        )
    ]
    if call.limit_headers:
        headers += call.limit_headers
    if call.dropped:
        headers.append(line(b"x-ops-dropped", printable(", ".join(d.parameter for d in call.dropped))))
    return headers


@functools.lru_cache(maxsize=4096)
def _who_answered(provider: str, model: str, credential: CredentialSource) -> bytes:
    """The same for every answer of one model, so it is rendered once."""
    return b"".join(
        [
            line(b"x-ops-provider", printable(provider)),
            line(b"x-ops-model", printable(model)),
            line(b"x-ops-credential", credential.value.encode()),
        ]
    )


_EVENT_STREAM = b"".join(
    [
        b"content-type: text/event-stream; charset=utf-8\r\n",
        b"cache-control: no-cache\r\n",
        b"x-accel-buffering: no\r\n",
    ]
)
