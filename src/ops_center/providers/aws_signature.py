"""AWS Signature Version 4: the headers that prove a request to AWS, signed over method, path and body.

Reference: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
(2026-11). Signs what it is given; sends nothing and reads no clock but the one handed in.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from urllib.parse import parse_qsl, quote, urlsplit

import msgspec

_ALGORITHM = "AWS4-HMAC-SHA256"


class AwsKey(msgspec.Struct, frozen=True, kw_only=True):
    access_key_id: str
    secret_access_key: str
    session_token: str | None = None  # of temporary credentials

    def __repr__(self) -> str:  # the secret stays out of logs and tracebacks
        return f"AwsKey({self.access_key_id})"


def sign(
    key: AwsKey,
    *,
    method: str,
    url: str,
    body: bytes,
    region: str,
    service: str,
    at: datetime,
    headers: Sequence[tuple[str, str]] = (),
) -> tuple[tuple[str, str], ...]:
    """The headers to add to a request whose path is already percent-encoded once, as it will be sent.

    `headers` are further ones to be signed; `Host` is always signed, as the URL has it. `at` is UTC.
    """
    parts = urlsplit(url)
    stamp = at.strftime("%Y%m%dT%H%M%SZ")
    added = [("X-Amz-Date", stamp)]
    if key.session_token:
        added.append(("X-Amz-Security-Token", key.session_token))
    signed = sorted(
        (name.lower(), " ".join(value.split())) for name, value in (("host", parts.netloc), *headers, *added)
    )
    names = ";".join(name for name, _ in signed)
    canonical = "\n".join(
        [
            method,
            # encoded once more, as every service but S3 has it
            quote(parts.path or "/", safe="/-_.~"),
            _canonical_query(parts.query),
            *(f"{name}:{value}" for name, value in signed),
            "",
            names,
            hashlib.sha256(body).hexdigest(),
        ]
    )
    scope = f"{stamp[:8]}/{region}/{service}/aws4_request"
    to_sign = f"{_ALGORITHM}\n{stamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    signature = hmac.new(
        _signing_key(key.secret_access_key, stamp[:8], region, service), to_sign.encode(), hashlib.sha256
    ).hexdigest()
    credential = f"Credential={key.access_key_id}/{scope}"
    authorization = f"{_ALGORITHM} {credential}, SignedHeaders={names}, Signature={signature}"
    return (*added, ("Authorization", authorization))


def _canonical_query(query: str) -> str:
    pairs = parse_qsl(query, keep_blank_values=True)
    return "&".join(
        sorted(f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}" for name, value in pairs)
    )


@lru_cache(maxsize=64)
def _signing_key(secret: str, day: str, region: str, service: str) -> bytes:
    """The same for a whole day, so that a request costs one hash of its own."""
    key = ("AWS4" + secret).encode()
    for step in (day, region, service, "aws4_request"):
        key = hmac.new(key, step.encode(), hashlib.sha256).digest()
    return key
