"""Serves the built console from memory: hashed assets for ever, `index.html` for every page's own address.

Plain ASGI. It knows nothing of users: the pages ask the control API, which decides.
"""

from __future__ import annotations

import gzip
import mimetypes
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

PUBLIC = Path(__file__).parent / "public"

_COMPRESSIBLE = frozenset({".html", ".js", ".css", ".svg", ".json", ".map", ".txt"})
_SECURITY: Headers = [
    (
        b"content-security-policy",
        b"default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; font-src 'self' data:; "
        b"connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
]
_NOT_BUILT = (
    b"<!doctype html><title>Ops-Center</title><p>The console is not built. Run <code>make install</code>.</p>"
)


class ConsoleFiles:
    """The files under `root`, each read and compressed once, when first asked for."""

    def __init__(self, root: Path = PUBLIC) -> None:
        self._root = root.resolve()
        self._read: dict[str, tuple[Headers, bytes, bytes | None]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        method = scope["method"]
        if method not in ("GET", "HEAD"):
            await _answer(send, 405, [(b"allow", b"GET, HEAD")], b"", head=False)
            return
        path = scope["path"]
        if path == "/":
            await _answer(send, 307, [(b"location", b"/admin")], b"", head=False)
            return
        name = self._name(path)
        if name is None:
            await _answer(
                send,
                404,
                [(b"content-type", b"text/plain; charset=utf-8"), *_SECURITY],
                b"Not found",
                head=False,
            )
            return
        headers, plain, compressed = self._file(name)
        accepts = next((v for k, v in scope["headers"] if k == b"accept-encoding"), b"")
        if compressed is not None and b"gzip" in accepts:
            headers, plain = [*headers, (b"content-encoding", b"gzip")], compressed
        await _answer(send, 200, headers, plain, head=method == "HEAD")

    def _name(self, path: str) -> str | None:
        """The file for a path: itself, or index.html for an address of the console; None for a missing asset."""
        relative = path.lstrip("/")
        try:
            file = (self._root / relative).resolve()
            if file.is_relative_to(self._root) and file.is_file():
                return relative
        except (OSError, ValueError):
            return None
        return None if relative.startswith("assets/") else "index.html"

    def _file(self, name: str) -> tuple[Headers, bytes, bytes | None]:
        known = self._read.get(name)
        if known is not None:
            return known
        file = self._root / name
        data = file.read_bytes() if file.is_file() else _NOT_BUILT
        kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
        if kind.startswith("text/") or kind in ("application/javascript", "text/javascript"):
            kind += "; charset=utf-8"
        hashed = name.startswith("assets/")
        headers: Headers = [
            (b"content-type", kind.encode()),
            (b"cache-control", b"public, max-age=31536000, immutable" if hashed else b"no-cache"),
            (b"vary", b"accept-encoding"),
            *_SECURITY,
        ]
        compressed = (
            gzip.compress(data, 6) if Path(name).suffix in _COMPRESSIBLE and len(data) > 500 else None
        )
        answer = (headers, data, compressed)
        if file.is_file():
            self._read[name] = answer
        return answer


async def _answer(send: Send, status: int, headers: Headers, body: bytes, *, head: bool) -> None:
    length = (b"content-length", b"%d" % len(body))
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": b"" if head else body})
