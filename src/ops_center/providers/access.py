"""What a request carries to prove to a provider who we are: a fixed header, or one signed for each request.

Part of `attempt`, and of the test of a key. It adds headers to requests that others address and send.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from ops_center.providers.spec import ProviderSpec

Headers: TypeAlias = tuple[tuple[str, str], ...]


class Access:
    """A credential in the form that its provider wants. `fixed` headers are the same for every request;
    with `signs`, each request carries in addition what `sign` says."""

    signs = False

    def __init__(self, fixed: Headers = ()) -> None:
        self.fixed = fixed

    async def sign(self, method: str, url: str, body: bytes) -> Headers:
        """The headers of this one request to an absolute URL. May raise a ProviderError."""
        return ()


def access_to(spec: ProviderSpec, options: Mapping[str, str], credential: str) -> Access:
    """How requests to a provider are proven; without a credential they carry nothing."""
    if not credential:
        return Access()
    if spec.auth == "bearer":
        return Access((("Authorization", f"Bearer {credential}"),))
    return Access(((spec.auth, credential),))
