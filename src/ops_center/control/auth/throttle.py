"""Slows down guessing of passwords: counts failures per email and per address, in memory.

A restart forgets them, which is worth less to an attacker than a table that grows with each guess.
"""

from __future__ import annotations

from collections import OrderedDict
from datetime import datetime, timedelta

from ops_center.errors import RateLimited

_WINDOW = timedelta(minutes=15)
_PER_EMAIL = 5
_PER_ADDRESS = 20
_MAX_NAMES = 10_000  # of each kind; the one that failed longest ago is forgotten first


class LoginThrottle:
    """At most 5 failures for one email and 20 from one address within 15 minutes."""

    def __init__(self) -> None:
        self._emails = _Failures(_PER_EMAIL)
        self._addresses = _Failures(_PER_ADDRESS)

    def begin(self, email: str, address: str, now: datetime) -> None:
        """Count a try as a failure before the password is looked at, so that many at once gain nothing.

        Raises RateLimited with the seconds until the next try is allowed.
        """
        wait = max(self._emails.wait_seconds(email, now), self._addresses.wait_seconds(address, now))
        if wait > 0:
            raise RateLimited(
                "Too many wrong passwords", hint="Wait a few minutes and try again.", retry_after_seconds=wait
            )
        self._emails.add(email, now)
        self._addresses.add(address, now)

    def undo(self, email: str, address: str, began_at: datetime) -> None:
        """Nothing was guessed in this try after all."""
        self._emails.remove(email, began_at)
        self._addresses.remove(address, began_at)

    def succeeded(self, email: str, address: str, began_at: datetime) -> None:
        """The password was right. Other failures of the address stay: it may be guessing other emails."""
        self._emails.forget(email)
        self._addresses.remove(address, began_at)


class _Failures:
    def __init__(self, allowed: int) -> None:
        self._allowed = allowed
        self._at: OrderedDict[str, list[datetime]] = OrderedDict()

    def wait_seconds(self, name: str, now: datetime) -> float:
        recent = [at for at in self._at.get(name, ()) if now - at < _WINDOW]
        if len(recent) < self._allowed:
            return 0.0
        return (recent[-self._allowed] + _WINDOW - now).total_seconds()

    def add(self, name: str, now: datetime) -> None:
        recent = [at for at in self._at.pop(name, ()) if now - at < _WINDOW]
        recent.append(now)
        self._at[name] = recent[-self._allowed :]
        if len(self._at) > _MAX_NAMES:
            self._at.popitem(last=False)

    def remove(self, name: str, at: datetime) -> None:
        failures = self._at.get(name, [])
        if at in failures:
            failures.remove(at)
        if not failures:
            self._at.pop(name, None)

    def forget(self, name: str) -> None:
        self._at.pop(name, None)
