"""`POST /v1/messages/count_tokens`: how many tokens a request would have, without asking for its answer.

A provider that speaks Anthropic's messages counts them itself, at no cost; for every other one the answer is
an estimate and says so. Nothing is generated, so that nothing is metered and no usage record is written.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from ops_center.dataplane.authenticate import authenticate
from ops_center.dataplane.call import Call, Headers, line
from ops_center.dataplane.pipeline import Plane
from ops_center.dataplane.request_body import passed_through
from ops_center.dataplane.upstream import Upstream, refusal
from ops_center.errors import ProviderError, ProviderRejected, ProviderUnusable
from ops_center.limits.demand import NOTHING_HELD, Demand, Reservation
from ops_center.routing import resolve
from ops_center.snapshot import Target
from ops_center.wire.estimate import estimate_input_tokens

_MAX_ANSWER_BYTES = 64 * 1024
_NO_SUCH_PATH = (404, 405, 501)
_FREE = Decimal(0)
_NOTHING = Demand(spends=False)


class _Count(msgspec.Struct):
    input_tokens: int


_COUNT = msgspec.json.Decoder(_Count)


async def count_tokens(call: Call, plane: Plane) -> None:
    """Answer one call. Raises an OpsCenterError while nothing has been sent to the client yet."""
    snapshot = plane.snapshots.current
    principal = authenticate(call, snapshot)
    plan = resolve(snapshot, principal, call.read(), plane.health)
    held = plane.limiter.reserve(principal, _NOTHING) if principal.rates else NOTHING_HELD
    reservation = held if isinstance(held, Reservation) else await held
    try:
        target = plan.choices[0].target if plan.choices else None
        tokens = None
        if target is not None and target.format_for(call.client_format) == call.client_format:
            tokens = await _ask(target, call, plane.upstream)
        how = b"provider" if tokens is not None else b"estimated"
        if tokens is None:
            tokens = estimate_input_tokens(call.wire.decode_request(call.body, counting=True))
    finally:
        reservation.settle(_FREE)
    headers: Headers = [
        b"content-type: application/json\r\n",
        line(b"x-request-id", call.request_id.encode()),
        line(b"x-ops-token-count", how),
    ]
    await call.exchange.answer(200, headers, msgspec.json.encode({"input_tokens": tokens}))


async def _ask(target: Target, call: Call, upstream: Upstream) -> int | None:
    """The provider's own count; None when it has no such path. Raises what the provider's failure means."""
    response = await upstream.send(
        target,
        passed_through(call, target),
        credential=target.provider.credentials[0],
        wire_format=call.client_format,
        below="/count_tokens",
        stream=False,
        client_headers=call.headers,
    )
    try:
        if response.status != 200:
            error: ProviderError = await refusal(response, target, call.client_format)
            if response.status in _NO_SUCH_PATH and isinstance(error, ProviderRejected):
                return None
            raise error
        body = await response.read(_MAX_ANSWER_BYTES)
    finally:
        response.close()
    try:
        return _COUNT.decode(body).input_tokens
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise ProviderUnusable(
            "The provider's answer is unusable.", provider_status=200, detail="no count of tokens"
        ) from None
