"""providers/google_tokens: what is signed, how long a token is kept, and Vertex AI through the data plane."""

from __future__ import annotations

import asyncio
import base64
import json
from functools import cache
from typing import Any
from urllib.parse import parse_qs

import httpx
import msgspec
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from control_fixtures import ScriptedFetcher, Sent
from ops_center.errors import (
    ProviderAuthError,
    ProviderError,
    ProviderFailed,
    ProviderRateLimited,
    ProviderUnusable,
)
from ops_center.providers.access import is_usable_credential, url_values
from ops_center.providers.google_tokens import GoogleTokens, service_account
from ops_center.providers.registry import provider_spec
from ops_center.transport.client import FetchAnswer
from plane import provider, running_plane, snapshot, target

pytestmark = pytest.mark.anyio

URI = "https://oauth2.googleapis.com/token"


@cache
def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def pem(key: Any) -> str:
    return str(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode()
    )


def key_file(**changes: Any) -> str:
    """As Google's console hands it out."""
    fields = {
        "type": "service_account",
        "project_id": "my-project",
        "private_key_id": "kid1",
        "private_key": pem(rsa_key()),
        "client_email": "gateway@my-project.iam.gserviceaccount.com",
        "client_id": "1",
        "auth_uri": "https://accounts.google.com/o/oauth2/auth",
        "token_uri": URI,
        "universe_domain": "googleapis.com",
    }
    return json.dumps({k: v for k, v in (fields | changes).items() if v is not None}, indent=2)


class Google:
    """Grants numbered tokens and counts; `clock` moves only when told."""

    def __init__(self, status: int = 200, body: bytes | None = None) -> None:
        self.now = 1_000_000.0
        self.status, self.body = status, body
        self.asked: list[dict[str, list[str]]] = []
        self.tokens = GoogleTokens(self.fetch, clock=lambda: self.now)

    async def fetch(self, method: str, url: str, **more: Any) -> FetchAnswer:
        assert (method, url) == ("POST", URI)
        self.asked.append(parse_qs(more["body"].decode()))
        number = len(self.asked)
        await asyncio.sleep(0)
        body = {"access_token": f"ya29.{number}", "expires_in": 3599, "token_type": "Bearer"}
        return FetchAnswer(self.status, {}, json.dumps(body).encode() if self.body is None else self.body)

    async def token(self) -> str:
        account = service_account(key_file())
        assert account is not None
        return await self.tokens.token(account)


def part(text: str) -> Any:
    return json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))


async def test_the_assertion_is_the_one_that_google_documents() -> None:
    google = Google()
    assert await google.token() == "ya29.1"
    assert google.asked[0]["grant_type"] == ["urn:ietf:params:oauth:grant-type:jwt-bearer"]
    head, claims, signature = google.asked[0]["assertion"][0].split(".")
    assert part(head) == {"alg": "RS256", "typ": "JWT", "kid": "kid1"}
    assert part(claims) == {
        "iss": "gateway@my-project.iam.gserviceaccount.com",
        "scope": "https://www.googleapis.com/auth/cloud-platform",
        "aud": URI,
        "iat": 1_000_000,
        "exp": 1_003_600,
    }
    raw = base64.urlsafe_b64decode(signature + "=" * (-len(signature) % 4))
    rsa_key().public_key().verify(raw, f"{head}.{claims}".encode(), padding.PKCS1v15(), hashes.SHA256())


async def test_a_token_is_kept_renewed_in_the_background_and_never_used_too_late() -> None:
    google = Google()
    assert [await google.token() for _ in range(3)] == ["ya29.1"] * 3
    google.now += 3599 - 299
    assert await google.token() == "ya29.1", "nobody waits for the renewal"
    async with asyncio.timeout(2):
        while await google.token() == "ya29.1":
            await asyncio.sleep(0)
    assert len(google.asked) == 2
    google.now += 3599
    assert await google.token() == "ya29.3", "an old one is not used"


async def test_many_who_wait_share_one_fetch_and_one_who_leaves_takes_nothing_along() -> None:
    google = Google()
    waiting = [asyncio.create_task(google.token()) for _ in range(5)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    assert await asyncio.gather(*waiting[1:]) == ["ya29.1"] * 4
    assert len(google.asked) == 1


async def test_a_failed_renewal_is_tried_again_while_the_old_token_holds() -> None:
    google = Google()
    await google.token()
    google.now += 3599 - 200
    google.status = 503
    for _ in range(3):
        assert await google.token() == "ya29.1"
        await asyncio.sleep(0.001)
    google.status = 200
    async with asyncio.timeout(2):
        while await google.token() == "ya29.1":
            await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (400, b'{"error":"invalid_grant"}', ProviderAuthError),
        (401, b"", ProviderAuthError),
        (429, b"", ProviderRateLimited),
        (503, b"", ProviderFailed),
        (200, b"<html>", ProviderUnusable),
        (200, b'{"access_token":""}', ProviderUnusable),
    ],
)
async def test_what_kept_a_token_from_coming_is_said(
    status: int, body: bytes, error: type[ProviderError]
) -> None:
    with pytest.raises(error) as caught:
        await Google(status, body).token()
    assert "ya29" not in f"{caught.value.message}{caught.value.detail}"


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "{",
        "[]",
        key_file(type="authorized_user"),
        key_file(private_key="-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"),
        key_file(private_key=pem(ec.generate_private_key(ec.SECP256R1()))),
        key_file(client_email=None),
        key_file(token_uri="http://tokens.example.com/"),
        key_file(token_uri="ftp://oauth2.googleapis.com/token"),
    ],
)
def test_what_is_no_key_of_a_service_account_is_none(text: str) -> None:
    assert service_account(text) is None
    assert not is_usable_credential(provider_spec("vertex"), text) or " " not in text


def test_an_account_never_shows_its_key_and_names_its_project() -> None:
    account = service_account(key_file())
    assert account is not None and "PRIVATE" not in repr(account)
    spec = provider_spec("vertex")
    assert url_values(spec, {"location": "eu"}, key_file())["project"] == "my-project"
    assert url_values(spec, {"project": "other-project"}, key_file())["project"] == "other-project"


@pytest.mark.parametrize("stream", [False, True])
async def test_vertex_is_called_with_a_token_at_its_project(stream: bool) -> None:
    async with running_plane() as plane:
        uri = f"{plane.simulator.url}/vertex/token"
        of = msgspec.structs.replace(
            provider(plane.simulator, "vertex", options={"location": "europe-west4"}),
            credential=key_file(token_uri=uri),
        )
        plane.source.current = snapshot(target(of, "gemini-2.5-flash"))
        for _ in range(2):
            answer = await plane.chat(model="gemini-2.5-flash", stream=stream)
            assert answer.status_code == 200, answer.text
            # as after any change of the configuration
            of = msgspec.structs.replace(of, name="renamed")
            plane.source.current = snapshot(target(of, "gemini-2.5-flash"))
        paths = [entry.path for entry in plane.simulator.requests]
        action = "streamGenerateContent" if stream else "generateContent"
        call = f"/vertex/v1/projects/my-project/locations/europe-west4/publishers/google/models/gemini-2.5-flash:{action}"
        assert paths == ["/vertex/token", call, call], "one token for both"
        assert plane.simulator.requests[-1].headers["authorization"].startswith("Bearer ya29.sim-")


async def test_a_refused_account_moves_on_to_the_next_target() -> None:
    async with running_plane() as plane:
        sick = msgspec.structs.replace(
            provider(plane.simulator, "vertex", options={"location": "global"}, priority=90),
            credential=key_file(token_uri=f"{plane.simulator.url}/vertex/token", client_email="wrong@x"),
        )
        well = provider(plane.simulator, "gemini")
        plane.source.current = snapshot(target(sick, "gemini-2.5-flash"), target(well, "gemini-2.5-flash"))
        answer = await plane.chat(model="gemini-2.5-flash")
        assert (answer.status_code, answer.headers["x-ops-provider"]) == (200, "gemini")


async def test_an_account_is_added_tested_and_shown_by_its_name(
    control_client: httpx.AsyncClient, http_fetcher: ScriptedFetcher
) -> None:
    def grant(sent: Sent) -> FetchAnswer:
        return FetchAnswer(200, {}, b'{"access_token":"ya29.x","expires_in":3599}')

    http_fetcher.answers[URI] = grant
    listed = {
        "publisherModels": [{"name": f"publishers/google/models/{n}"} for n in ("gemini-2.5-pro", "veo-3")]
    }
    list_url = "https://aiplatform.googleapis.com/v1beta1/publishers/google/models?pageSize=300"
    http_fetcher.answers[list_url] = FetchAnswer(200, {}, json.dumps(listed).encode())
    body = {"type": "vertex", "api_key": key_file()}
    tested = (await control_client.post("/llm/test", json=body)).json()
    assert (tested["success"], tested["models_found"]) == (True, 1), tested
    assert http_fetcher.sent[-1].headers["authorization"] == "Bearer ya29.x"
    answer = await control_client.post("/llm/providers", json=body)
    assert answer.status_code == 201, answer.text
    assert answer.json()["credential_preview"] == "gateway@my-project.iam.gserviceaccount.c"
    assert answer.json()["options"] == {"location": "global"}
    assert "PRIVATE" not in answer.text
    http_fetcher.answers[URI] = FetchAnswer(400, {}, b'{"error":"invalid_grant"}')
    refused = (await control_client.post("/llm/test", json=body)).json()
    assert (refused["message"], refused["error_type"]) == ("Invalid API key", "invalid_api_key")


async def test_half_a_key_file_is_refused_by_name(control_client: httpx.AsyncClient) -> None:
    body = {"type": "vertex", "api_key": key_file(private_key=None)}
    answer = await control_client.post("/llm/providers", json=body)
    assert (answer.status_code, answer.json()["error"]["param"]) == (422, "api_key")
