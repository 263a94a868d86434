"""Reject: an error of ours in the caller's own format, rendered in this one place for the data plane."""

from __future__ import annotations

import math
from types import ModuleType

from ops_center.dataplane.call import Exchange, Headers, line
from ops_center.errors import OpsCenterError, ProviderRejected


async def reject(
    exchange: Exchange, wire: ModuleType, request_id: str, error: OpsCenterError, more: Headers | None = None
) -> None:
    """Answer with `error`; `more` are headers of this call that stand beside the usual ones."""
    headers: Headers = [b"content-type: application/json\r\n", line(b"x-request-id", request_id.encode())]
    if more:
        headers += more
    if error.retry_after_seconds is not None:
        headers.append(b"retry-after: %d\r\n" % max(1, math.ceil(error.retry_after_seconds)))
    if error.status == 401:
        headers.append(b"www-authenticate: Bearer\r\n")
    own = (
        error.body if isinstance(error, ProviderRejected) else b""
    )  # the provider's own words, in the caller's format
    await exchange.answer(error.status, headers, own or wire.encode_error(error))
