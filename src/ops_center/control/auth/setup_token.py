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

    def claim(self, candidate: str) -> bool:
        """Use the token up if `candidate` is it (compared in constant time); True for one caller only."""
        if self._token is None or not hmac.compare_digest(self._token.encode(), candidate.encode()):
            return False
        self._token = None
        return True

    def restore(self, token: str) -> None:
        """Make a claimed token valid again, because what it was claimed for did not happen."""
        self._token = token
