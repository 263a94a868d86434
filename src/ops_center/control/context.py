"""Everything a noun of the control plane needs, in one value: it is made once at the start.

Endpoints receive it as `ControlDep`. It holds no configuration that a database row could hold.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Protocol

from fastapi import Depends, Request

from ops_center.control.auth.setup_token import SetupToken
from ops_center.control.auth.throttle import LoginThrottle
from ops_center.control.background import BackgroundWork
from ops_center.control.publish import Publisher
from ops_center.control.replays.keys import ReplayKeys
from ops_center.control.savings.looks import Looks
from ops_center.errors import InternalError
from ops_center.health import Health
from ops_center.storage.database import Database
from ops_center.storage.secrets import SecretBox
from ops_center.transport.client import FetchAnswer
from ops_center.transport.mail import Mailer
from ops_center.types import KeptCall, TimeLimits


class HttpFetcher(Protocol):
    """The way out to providers, for tests of keys and for model lists (`transport/client.py`)."""

    async def fetch(
        self,
        method: str,
        url: str,
        *,
        headers: Sequence[tuple[str, str]] = (),
        body: bytes = b"",
        allow_private_network: bool = False,
        timeout_seconds: float = 10.0,
        max_bytes: int = 8_000_000,
    ) -> FetchAnswer:
        """One exchange. Follows no redirect.

        Raises ProviderUnreachable, ProviderTimeout, AddressRefused or ProviderUnusable.
        """
        ...

    async def check_address(self, url: str, *, allow_private_network: bool) -> None:
        """Raise AddressRefused when no address of the URL's host may be called, ProviderUnreachable
        when it has none."""
        ...


class Replays(Protocol):
    """The data plane's way for a request that is sent again (`dataplane/endpoint.py`)."""

    def __call__(
        self, of: str, endpoint: str, headers: dict[bytes, bytes], body: bytes, client_address: str, /
    ) -> Awaitable[KeptCall]: ...


def utc_now() -> datetime:
    return datetime.now(UTC)


async def _nothing_to_drain() -> None:
    return None


async def _no_data_plane(
    of: str, endpoint: str, headers: dict[bytes, bytes], body: bytes, client_address: str, /
) -> KeptCall:
    raise InternalError("There is no data plane in this process")


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """The control plane's own things. `drain_journal` brings every finished request into the database,
    so that what is read after it is complete, and `rejected_lines` counts those of the journal that can never come
    into it; `time_limits` are the installation's own; `health` is how targets are doing in this process."""

    database: Database
    secrets: SecretBox
    http: HttpFetcher
    publisher: Publisher
    mailer: Mailer = field(default_factory=Mailer)
    clock: Callable[[], datetime] = utc_now
    public_url: str = "http://127.0.0.1:8084"
    demo: bool = False
    time_limits: TimeLimits = field(default_factory=TimeLimits)
    drain_journal: Callable[[], Awaitable[None]] = _nothing_to_drain
    rejected_lines: Callable[[], int] = int
    health: Health = field(default_factory=Health)
    replay: Replays = _no_data_plane
    replay_keys: ReplayKeys = field(default_factory=ReplayKeys)
    looks: Looks = field(default_factory=Looks.new)
    background: BackgroundWork = field(default_factory=BackgroundWork)
    setup_token: SetupToken = field(default_factory=SetupToken)
    login_throttle: LoginThrottle = field(default_factory=LoginThrottle)


def get_control(request: Request) -> Control:
    control: Control = request.app.state.control
    return control


ControlDep = Annotated[Control, Depends(get_control)]
