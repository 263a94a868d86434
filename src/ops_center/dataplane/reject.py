"""Reject: an error of ours in the caller's own format, rendered in this one place for the data plane."""

from __future__ import annotations

import math

from ops_center.dataplane.call import Call, Headers, line
from ops_center.errors import OpsCenterError, ProviderRejected


async def reject(call: Call, error: OpsCenterError) -> None:
    """Answer `call` with `error`; nothing may have been sent before."""
    headers: Headers = [
        b"content-type: application/json\r\n",
        line(b"x-request-id", call.request_id.encode()),
        *call.limit_headers,
    ]
    if call.credential_source is not None:
        headers.append(line(b"x-ops-credential", call.credential_source.encode()))
    if error.retry_after_seconds is not None:
        headers.append(b"retry-after: %d\r\n" % max(1, math.ceil(error.retry_after_seconds)))
    if error.status == 401:
        headers.append(b"www-authenticate: Bearer\r\n")
    own = (
        error.body if isinstance(error, ProviderRejected) else b""
    )  # the provider's own words, in the caller's format
    await call.exchange.answer(error.status, headers, own or call.wire.encode_error(error))
