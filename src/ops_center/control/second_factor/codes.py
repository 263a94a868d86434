"""Time-based one-time codes (RFC 6238: SHA-1, 30 seconds, 6 digits, what every app knows) and recovery codes.

Nothing here is stored or remembered: that a code counts once is the caller's part (`repository.py`).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import io
import secrets
from datetime import datetime
from urllib.parse import quote, urlencode

STEP_SECONDS = 30
RECOVERY_CODES = 10
_DIGITS = 6
_SECRET_BYTES = 20
_RECOVERY_BYTES = 10
_RECOVERY_LENGTH = 16  # base32 characters


def new_secret() -> str:
    """160 random bits as base32, which is how apps take them."""
    return base64.b32encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def uri(secret: str, email: str, issuer: str) -> str:
    """What an app reads from the QR code.

    Source: https://github.com/google/google-authenticator/wiki/Key-Uri-Format (2026-11).
    """
    label = quote(f"{issuer}:{email}", safe="@")
    return f"otpauth://totp/{label}?{urlencode({'secret': secret, 'issuer': issuer}, quote_via=quote)}"


def qr_svg(text: str) -> str:
    """`text` as a QR code: a picture of its own, dark on white whatever surrounds it."""
    import segno  # for this alone

    picture = io.BytesIO()
    segno.make(text, error="m").save(
        picture, kind="svg", scale=4, border=4, dark="#000", light="#fff", xmldecl=False, nl=False
    )
    return picture.getvalue().decode()


def code_at(secret: str, step: int) -> str:
    digest = hmac.digest(base64.b32decode(secret), step.to_bytes(8, "big"), "sha1")
    offset = digest[-1] & 0xF
    number = int.from_bytes(digest[offset : offset + 4], "big") & 0x7FFF_FFFF
    return f"{number % 10**_DIGITS:0{_DIGITS}d}"


def step_at(now: datetime) -> int:
    return int(now.timestamp()) // STEP_SECONDS


def matching_step(secret: str, code: str, now: datetime) -> int | None:
    """The step whose code it is, one either side of now allowed; None for no such step."""
    current, found = step_at(now), None
    for step in (current - 1, current, current + 1):
        if hmac.compare_digest(code_at(secret, step), code):
            found = step
    return found


def new_recovery_codes() -> list[str]:
    """Ten codes of 80 random bits, in groups of four."""
    made = (
        base64.b32encode(secrets.token_bytes(_RECOVERY_BYTES)).decode().lower() for _ in range(RECOVERY_CODES)
    )
    return ["-".join(code[at : at + 4] for at in range(0, _RECOVERY_LENGTH, 4)) for code in made]


def typed(code: str) -> str:
    """A code as a person typed it, without its spaces and dashes, in lower case."""
    return "".join(ch for ch in code.lower() if ch.isascii() and ch.isalnum())


def is_one_time_code(code: str) -> bool:
    return len(code) == _DIGITS and code.isdecimal()


def digest(recovery_code: str) -> bytes:
    """80 random bits need no slow hash."""
    return hashlib.sha256(typed(recovery_code).encode()).digest()
