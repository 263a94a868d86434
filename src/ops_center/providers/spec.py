"""What we know about a kind of provider, as one frozen row with careful defaults.

A provider that speaks OpenAI's format is one `ProviderSpec` in `registry.py` and no code. This module
holds no address of a configured provider and no secret: those live in the database and the snapshot.
"""

from __future__ import annotations

from typing import Literal
from urllib.parse import urlsplit

import msgspec

FormatName = Literal["openai_chat", "anthropic_messages"]
AuthScheme = Literal["bearer", "x-api-key"]


class KeyProof(msgspec.Struct, frozen=True, kw_only=True):
    """How a key is proven at no cost: a GET that only a valid key gets a 200 from.

    `proves_key` is False where the endpoint also answers strangers; the test then asks once more without
    the key and claims success only when the stranger was refused.
    """

    path: str
    proves_key: bool = True


class ProviderSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One row. Paths are relative to the base URL; the base URL holds the version segment (`/v1`)."""

    type: str
    name: str
    color: str
    format: FormatName = "openai_chat"
    default_base_url: str | None = None  # None: the operator must give one
    default_path: str = "/v1"  # added to a base URL that has no path of its own
    auth: AuthScheme = "bearer"
    requires_key: bool = True
    extra_headers: tuple[tuple[str, str], ...] = ()
    chat_path: str = "/chat/completions"
    models_path: str = "/models"
    key_proof: KeyProof = KeyProof(path="/models")
    get_key_url: str | None = None
    key_prefix: str | None = None
    recommended_for: str | None = None
    description: str = ""
    catalog_id: str | None = None  # the provider's id in the packaged catalogue
    request_id_header: str = "x-request-id"
    quirks: tuple[str, ...] = ()  # each a sentence with link and date


def normalise_base_url(base_url: str, spec: ProviderSpec) -> str:
    """A base URL without trailing slash, with the type's version path when it has none.

    Raises ValueError with a sentence for the operator when it is not an http(s) URL with a host.
    """
    text = base_url.strip()
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ValueError("Base URL is not a valid address") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("Base URL must start with http:// or https:// and name a host")
    if port == 0:
        raise ValueError("Base URL must not use port 0")
    if parts.username or parts.password:
        raise ValueError("Base URL must not contain a user name or password")
    if parts.query or parts.fragment:
        raise ValueError("Base URL must not contain a query or a fragment")
    if any(ch.isspace() or ord(ch) < 33 or ord(ch) == 127 for ch in text):
        raise ValueError("Base URL must not contain spaces or control characters")
    path = parts.path.rstrip("/") or spec.default_path
    return f"{parts.scheme}://{parts.netloc}{path}"
