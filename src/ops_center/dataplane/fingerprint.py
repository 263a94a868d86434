"""Tells equal requests, and equal beginnings, from others without keeping what they said: keyed hashes for records.

SHA-256 behind a secret prefix, cut to 64 bits: whoever has the ledger but not the key can guess no body from it, and
what is cut off leaves nothing to lengthen. Processors hash with it in hardware (https://www.felixcloutier.com/x86/sha256rnds2,
read 2026-11), which makes it twice as fast as BLAKE2b here.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

import msgspec

from ops_center.catalog.prompt_caching import cached_from_tokens
from ops_center.dataplane.call import Call, RequestHead
from ops_center.snapshot import Target
from ops_center.types import Usage

_BYTES = 8  # as much as the ledger's column holds
_BYTES_PER_TOKEN = 4
_EDGE = 1024  # bytes looked at on either side of a long part
_INSTRUCTS = re.compile(rb'\s*\{\s*"role"\s*:\s*"(?:system|developer)"')


def fingerprint(key: bytes, body: bytes) -> int | None:
    """Equal for equal bodies, in every process that was given the same key. None without a key."""
    if not key:
        return None
    digest = hashlib.sha256(key)
    digest.update(body)
    return _cut(digest.digest())


def opening(key: bytes, call: Call, target: Target | None, usage: Usage) -> tuple[int, int] | None:
    """What is equal for requests to one target that could have cached the same beginning, and about how many tokens
    that is. None where it caches by itself, where the caller does mark, and where there is too little to cache."""
    if (
        target is None
        or not key
        or usage.cache_read_tokens
        or usage.cache_write_tokens
        or target.price is None
        or target.price.cache_read_mtok is None
        or target.price.cache_write_mtok is None
        or (least := cached_from_tokens(target.model)) is None
        or usage.input_tokens < least
    ):
        return None
    found = _beginning(call.head, least * _BYTES_PER_TOKEN)
    if found is None:
        return None
    looked_at, size = found
    tokens = min(usage.input_tokens, usage.input_tokens * size // len(call.body))
    if tokens < least:
        return None
    return _cut(hashlib.sha256(b"\0".join((key, target.id.encode(), looked_at))).digest()), tokens


def _beginning(head: RequestHead, enough: int) -> tuple[bytes, int] | None:
    """Tools and instructions, and where those are short, as many messages as it takes; None if all are too few.

    In the order in which they are cached, wherever they stand in the JSON
    (https://platform.claude.com/docs/en/build-with-claude/prompt-caching, 2026-11). Long ones are told by both ends and
    their length: what changes within five minutes (a date, a user's name) stands at an end or changes the length.
    """
    pieces: list[bytes | memoryview | msgspec.Raw] = []
    size = 0
    for number, part in enumerate(_parts(head)):
        if size >= enough and number > 1 and not _instructs(part):
            break
        length = len(part)
        if length > 2 * _EDGE:
            view = memoryview(part)
            pieces += (view[:_EDGE], b"%d" % length, view[-_EDGE:])
        else:
            pieces.append(part)
        size += length
    return (b"\0".join(pieces), size) if size >= enough else None


def _parts(head: RequestHead) -> Iterable[msgspec.Raw]:
    yield head.tools
    yield head.system
    yield from getattr(head, "messages", ())


def _instructs(message: msgspec.Raw) -> bool:
    """By the beginning of its JSON, where clients put the role."""
    return _INSTRUCTS.match(message) is not None


def _cut(digest: bytes) -> int:
    return int.from_bytes(digest[:_BYTES], signed=True)
