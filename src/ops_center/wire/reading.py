"""Reads providers' JSON, where the provider is to blame for what cannot be read (ProviderUnusable).

The message is for the caller and the detail for the operator; neither holds a byte of the body.
"""

from __future__ import annotations

from typing import TypeVar

import msgspec

from ops_center.errors import ProviderUnusable

T = TypeVar("T")


def unusable(detail: str) -> ProviderUnusable:
    return ProviderUnusable("The provider's answer is unusable.", provider_status=200, detail=detail)


def read_answer(decoder: msgspec.json.Decoder[T], body: bytes | msgspec.Raw, what: str = "the body") -> T:
    """`body` as the decoder's type. Raises ProviderUnusable, naming only places and types."""
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise unusable(f"{what} is not an answer: {error}") from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        if not body:
            raise unusable(f"{what} is empty") from None
        if bytes(body[:64] if isinstance(body, bytes) else body).lstrip().startswith(b"<"):
            raise unusable(f"{what} is HTML, not JSON") from None
        raise unusable(f"{what} is not whole JSON") from None
    except RecursionError:
        raise unusable(f"{what} is nested too deeply") from None
