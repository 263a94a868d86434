"""Keeps the outbound-address rules inside the process that runs LiteLLM, whatever library connects there.

An audit hook sees every connection that Python code opens, with the very address, and cannot be taken off
again. What it cannot see: libraries that open sockets in C on their own (gRPC), and the look-up of names.
"""

from __future__ import annotations

import sys
from contextvars import ContextVar
from typing import Any

from ops_center.transport.addresses import classify_address


class Refused(PermissionError):
    """An address that is never called, or only with the admin's tick."""


# Of one request: what was refused while it was served, so that its failure can be told from others.
refused: ContextVar[list[str] | None] = ContextVar("refused", default=None)


def install(*, allow_private_network: bool) -> None:
    """From now on, for as long as this process lives."""

    def look(event: str, arguments: tuple[Any, ...]) -> None:
        if event != "socket.connect":
            return
        address = arguments[1]
        # A path leads to a socket of this machine; a name was not looked up by us.
        host = str(address[0]) if isinstance(address, tuple) else ""
        kind = classify_address(host)
        if kind == "public" or (kind == "private" and allow_private_network):
            return
        seen = refused.get()
        if seen is not None:
            seen.append(host)
        raise Refused("Address not allowed")

    sys.addaudithook(look)
