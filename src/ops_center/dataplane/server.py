"""uvicorn's HTTP protocol with one addition: it calls back when a client goes away before its answer is whole.

ASGI tells an application of that only through a task waiting in `receive`; a call per request is cheaper.
"""

from __future__ import annotations

from collections.abc import Callable

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

# In the scope: a list of callbacks. An application that finds it need not wait in `receive`.
WHEN_GONE = "ops_center.when_gone"


class Protocol(HttpToolsProtocol):
    """For `uvicorn.Config(http=...)`."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope[WHEN_GONE] = []  # type: ignore[literal-required]

    def connection_lost(self, exc: Exception | None) -> None:
        cycle = self.cycle
        if cycle is not None and not cycle.response_complete:
            callbacks: list[Callable[[], None]] = cycle.scope.get(WHEN_GONE, [])  # type: ignore[assignment]
            for callback in callbacks:
                callback()
        super().connection_lost(exc)
