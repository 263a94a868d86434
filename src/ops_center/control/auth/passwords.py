"""Passwords become argon2id hashes, in two threads of their own so that the event loop never waits.

Each hash takes 19 MiB and some 30 ms (OWASP's parameters, https://cheatsheetseries.owasp.org/cheatsheets/
Password_Storage_Cheat_Sheet.html, 2026-11); two threads bound what a flood of logins may take.
"""

from __future__ import annotations

import asyncio
import functools
import secrets
from concurrent.futures import ThreadPoolExecutor

from pwdlib import PasswordHash
from pwdlib.exceptions import UnknownHashError
from pwdlib.hashers.argon2 import Argon2Hasher

_POOL = ThreadPoolExecutor(max_workers=2, thread_name_prefix="password")
_HASHER = PasswordHash((Argon2Hasher(time_cost=2, memory_cost=19_456, parallelism=1),))


async def hash_password(password: str) -> str:
    return await asyncio.get_running_loop().run_in_executor(_POOL, _HASHER.hash, password)


async def verify_password(password: str, password_hash: str | None) -> bool:
    """Whether they belong together. Without a hash it is False, after just as long as with one."""
    return await asyncio.get_running_loop().run_in_executor(_POOL, _verify, password, password_hash)


def _verify(password: str, password_hash: str | None) -> bool:
    try:
        matches = _HASHER.verify(password, password_hash or _nobodys_hash())
    except UnknownHashError:
        return False
    return matches and password_hash is not None


@functools.cache
def _nobodys_hash() -> str:
    return _HASHER.hash(secrets.token_urlsafe(32))
