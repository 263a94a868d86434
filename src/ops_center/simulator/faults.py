"""Bends a faultless reply into what a sick provider would send. No sockets: `server.py` plays the result."""

from __future__ import annotations

from typing import Literal

import msgspec

from ops_center.simulator.catalogues import Family
from ops_center.simulator.config import Fault
from ops_center.simulator.reply import JSON_TYPE, Event, Reply
from ops_center.simulator.routes import error_reply, moderated_reply, too_long_reply

Ending = Literal["normal", "close", "early", "silence", "reset"]

_HTML = (
    b"<!DOCTYPE html>\n<html><head><title>Just a moment...</title></head>"
    b"<body><h1>Checking your browser before accessing this site</h1></body></html>\n"
)


class Play(msgspec.Struct, kw_only=True):
    """A reply and how its sending ends. `cut_after` events (or body bytes) go out, then the ending comes."""

    reply: Reply | None  # None: not even headers
    ending: Ending = "normal"
    cut_after: int | None = None
    delay_seconds: float = 0.0


def apply(fault: Fault | None, reply: Reply, family: Family, redirect_to: str) -> Play:
    """The play of a reply under a fault."""
    if fault is None or fault.kind == "ok":
        return Play(reply=reply)
    kind = fault.kind
    if kind == "slow":
        return Play(reply=reply, delay_seconds=fault.figure)
    if kind in ("hang", "close", "reset"):
        endings: dict[str, Ending] = {"hang": "silence", "close": "close", "reset": "reset"}
        return Play(reply=None, ending=endings[kind])
    if kind == "status":
        return Play(reply=error_reply(family, int(fault.figure)))
    if kind == "redirect":
        return Play(reply=Reply(status=307, headers=[("location", redirect_to)], body=b""))
    if kind in ("context-length", "moderated"):
        return Play(reply=too_long_reply(family) if kind == "context-length" else moderated_reply())
    if kind in ("html-200", "empty-200"):
        html = [("content-type", "text/html; charset=utf-8")]
        return Play(reply=Reply(headers=html, body=_HTML if kind == "html-200" else b"", model=reply.model))
    if kind == "error-in-200" or (kind in ("first-event-error", "error-mid-stream") and reply.events is None):
        return Play(reply=Reply(headers=[JSON_TYPE], body=error_reply(family, 500).body, model=reply.model))
    return _broken(kind, reply)


def _broken(kind: str, reply: Reply) -> Play:
    """The faults that strike in the middle of a good reply."""
    events = reply.events
    if events is None:
        size = len(reply.body or b"")
        if kind == "half-json":
            reply.body = (reply.body or b"")[: size // 2]
            return Play(reply=reply)
        after: dict[str, tuple[Ending, int]] = {
            "stream-cut": ("close", size // 2),
            "stream-ends-early": ("close", size // 2),
            "stream-never-starts": ("silence", 0),
            "stream-stalls": ("silence", size // 2),
            "reset-mid-stream": ("reset", size // 2),
        }
        ending, cut = after[kind]
        return Play(reply=reply, ending=ending, cut_after=cut)
    middle = len(events) // 2
    if kind == "half-json":
        broken = events[middle].data
        reply.events = [*events[:middle], Event(broken[: len(broken) // 2] + b"\n\n", events[middle].tokens)]
        return Play(reply=reply)
    if kind == "first-event-error":
        reply.events = [Event(reply.error_event)]
        return Play(reply=reply)
    if kind == "error-mid-stream":
        reply.events = [*events[:middle], Event(reply.error_event)]
        return Play(reply=reply)
    stream_endings: dict[str, tuple[Ending, int]] = {
        "stream-cut": ("close", middle),
        "stream-ends-early": ("early", middle),
        "stream-never-starts": ("silence", 0),
        "stream-stalls": ("silence", middle),
        "reset-mid-stream": ("reset", middle),
    }
    ending, cut = stream_endings[kind]
    return Play(reply=reply, ending=ending, cut_after=cut)
