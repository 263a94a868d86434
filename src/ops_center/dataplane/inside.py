"""A call that comes from inside the process instead of a socket: an exchange whose answer goes nowhere by itself.

Who asks so has the answer noted by `keep.Kept`; everything else is as for any client.
"""

from __future__ import annotations

from ops_center.dataplane.call import Headers


class InsideExchange:
    """`call.Exchange` without a client; never slow, never gone."""

    gone = False
    too_large = False
    method = b"POST"

    def __init__(self, path: str, headers: dict[bytes, bytes], body: bytes, client_address: str) -> None:
        self.path = path
        self.headers = headers
        self.body = body
        self.client_address = client_address
        self.started = False

    async def answer(self, status: int, headers: Headers, body: bytes) -> None:
        self.started = True

    async def start(self, status: int, headers: Headers) -> None:
        self.started = True

    async def write(self, data: bytes) -> None:
        pass

    async def end(self, data: bytes = b"") -> None:
        pass
