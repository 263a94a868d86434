"""The one-time secret of the set-up link: in memory only, new at each start, gone after its use.

It never reaches the database; whoever can read the server's log may become the first admin.
"""

from __future__ import annotations

import hmac
import secrets


class SetupToken:
    """32 random bytes, URL-safe."""

    def __init__(self) -> None:
        self._token: str | None = secrets.token_urlsafe(32)

    @property
    def value(self) -> str | None:
        """The token, or None once it was used."""
        return self._token

    def matches(self, candidate: str) -> bool:
        """Whether `candidate` is the unused token, compared in constant time."""
        return self._token is not None and hmac.compare_digest(self._token.encode(), candidate.encode())

    def consume(self) -> None:
        self._token = None
