"""The control API under test: the real application on a real database, called through ASGI.

`control_client` is an admin's client; `clients` signs in anybody else. What would leave the machine goes to
`http_fetcher`, which answers what a test put in and refuses everything else.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import httpx
import pytest
from fastapi import FastAPI

from clock import Clock
from ops_center.control.api import create_control_app
from ops_center.control.auth import sessions
from ops_center.control.context import Control
from ops_center.control.publish import Publisher
from ops_center.control.users import repository as users
from ops_center.errors import AddressRefused, ProviderUnreachable
from ops_center.storage.database import Database
from ops_center.storage.secrets import SecretBox
from ops_center.transport.client import FetchAnswer
from ops_center.types import Role

BASE_URL = "http://ops.test"


@dataclass
class Sent:
    """One call that went out."""

    method: str
    url: str
    headers: dict[str, str]
    body: bytes
    allow_private_network: bool


@dataclass
class ScriptedFetcher:
    """Answers by URL; a URL that nobody scripted is unreachable. An exception is raised, a function asked."""

    answers: dict[str, FetchAnswer | Exception | Callable[[Sent], FetchAnswer]] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)
    sent: list[Sent] = field(default_factory=list)

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
        call = Sent(
            method, url, {name.lower(): value for name, value in headers}, body, allow_private_network
        )
        self.sent.append(call)
        await self.check_address(url, allow_private_network=allow_private_network)
        answer = self.answers.get(url, ProviderUnreachable("Address unreachable"))
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, FetchAnswer) else answer(call)

    async def check_address(self, url: str, *, allow_private_network: bool) -> None:
        if url in self.refused:
            raise AddressRefused("Address not allowed")


@dataclass
class Clients:
    """Makes clients of the application, each with its own cookies."""

    control: Control
    app: FastAPI
    _stack: AsyncExitStack

    async def anonymous(self) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(app=self.app)
        return await self._stack.enter_async_context(
            httpx.AsyncClient(transport=transport, base_url=f"{BASE_URL}/api/v1")
        )

    async def signed_in(self, role: Role | str, email: str | None = None) -> httpx.AsyncClient:
        """A client with the session of a user that is made here; by default with a made-up email."""
        client = await self.anonymous()
        client.cookies.set(sessions.COOKIE, await self.session(role, email))
        return client

    async def session(self, role: Role | str, email: str | None = None) -> str:
        now = self.control.clock()
        async with self.control.database.write() as conn:
            user = await users.insert(
                self.control.database,
                conn,
                email=email or f"{role}-{secrets.token_hex(4)}@example.com",
                name="",
                role=Role(role),
                password_hash=None,
                now=now,
            )
            assert user is not None, "the email is taken"
            return await sessions.start(conn, user.id, now, method="password", address="", user_agent="")


@pytest.fixture
def http_fetcher() -> ScriptedFetcher:
    return ScriptedFetcher()


@pytest.fixture
def secret_box() -> SecretBox:
    return SecretBox([secrets.token_bytes(32)])


@pytest.fixture
async def control(
    database: Database, clock: Clock, http_fetcher: ScriptedFetcher, secret_box: SecretBox
) -> AsyncIterator[Control]:
    made = Control(
        database=database,
        secrets=secret_box,
        http=http_fetcher,
        publisher=Publisher(database, secret_box, clock),
        clock=clock,
        public_url=BASE_URL,
    )
    yield made
    await made.background.close()


@pytest.fixture
def control_app(control: Control) -> FastAPI:
    return create_control_app(control)


@pytest.fixture
async def clients(control: Control, control_app: FastAPI) -> AsyncIterator[Clients]:
    async with AsyncExitStack() as stack:
        yield Clients(control, control_app, stack)


@pytest.fixture
async def control_client(clients: Clients) -> httpx.AsyncClient:
    """An admin's client: `admin@example.com`."""
    return await clients.signed_in(Role.ADMIN, "admin@example.com")


@pytest.fixture
async def anonymous_client(clients: Clients) -> httpx.AsyncClient:
    return await clients.anonymous()
