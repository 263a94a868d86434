"""providers/registry.py: rows that hold what a row promises, and a new provider as a row alone."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from ops_center.control.providers.proof import Address, fetch_models, prove
from ops_center.providers import registry
from ops_center.providers.registry import PROVIDER_SPECS, provider_spec
from ops_center.providers.spec import KeyProof, ProviderSpec, normalise_base_url
from ops_center.simulator import SimulatorConfig, serve
from ops_center.snapshot import Provider
from ops_center.transport.client import HttpClient
from plane import PRICE, provider, running_plane, snapshot, target

pytestmark = pytest.mark.anyio

CONTRIBUTING = Path(__file__).parent.parent / "CONTRIBUTING.md"


def shown_row() -> ProviderSpec:
    """The row that CONTRIBUTING.md shows to whoever adds a provider."""
    shown = CONTRIBUTING.read_text().partition("## Add an OpenAI-compatible provider")[2]
    code = shown.partition("```python\n")[2].partition("```")[0]
    row = eval(code.strip().rstrip(","), {"ProviderSpec": ProviderSpec, "KeyProof": KeyProof})
    assert isinstance(row, ProviderSpec)
    return row


EXAMPLE = shown_row()


async def test_a_new_openai_compatible_provider_is_one_row_and_no_code() -> None:
    async with running_plane(config=SimulatorConfig(valid_keys=("ex-right",))) as plane:
        provider = Provider(
            id="prov_example",
            name="Example",
            spec=EXAMPLE,
            base_url=plane.simulator.openai_url,
            credential="ex-right",
            allow_private_network=True,
        )
        address = Address(
            spec=EXAMPLE, base_url=provider.base_url, api_key="ex-right", allow_private_network=True
        )
        tested = await prove(plane.http, address)
        found = await fetch_models(plane.http, address, datetime.now(UTC))
        assert tested.success
        assert isinstance(found, list)
        assert tested.models_found == len(found) > 0

        plane.source.current = snapshot(target(provider, "gpt-4o-mini", PRICE))
        whole = await plane.chat(messages=[{"role": "user", "content": "say: one row"}])
        async with plane.client.stream(
            "POST",
            "/v1/chat/completions",
            json={
                "model": "example/gpt-4o-mini",
                "stream": True,
                "messages": [{"role": "user", "content": "x"}],
            },
        ) as streamed:
            events = (await streamed.aread()).decode()
        assert whole.json()["choices"][0]["message"]["content"] == "one row"
        assert streamed.headers["x-ops-provider"] == "Example"
        assert events.endswith("data: [DONE]\n\n")
        assert all(record.cost_usd for record in plane.sink.records)


def test_types_names_and_colours_are_the_providers_own() -> None:
    types = [spec.type for spec in PROVIDER_SPECS]
    assert len(types) == len(set(types))
    assert len({spec.name for spec in PROVIDER_SPECS}) == len(PROVIDER_SPECS)
    assert len({spec.color.lower() for spec in PROVIDER_SPECS}) == len(PROVIDER_SPECS)
    for spec in PROVIDER_SPECS:
        assert re.fullmatch(r"[a-z][a-z-]{1,38}", spec.type), spec.type
        assert re.fullmatch(r"#[0-9A-F]{6}", spec.color, re.IGNORECASE), spec.type
        assert spec.description, spec.type
        assert "/" not in spec.name, "callers write name/model"


def test_the_recommended_one_is_first_and_custom_ones_are_last() -> None:
    assert PROVIDER_SPECS[0].type == "openrouter"
    assert PROVIDER_SPECS[0].recommended_for == "cost optimization"
    assert {spec.type for spec in PROVIDER_SPECS[-2:]} == {"custom", "custom-anthropic"}


@pytest.mark.parametrize("spec", PROVIDER_SPECS, ids=lambda spec: spec.type)
def test_a_row_is_whole(spec: ProviderSpec) -> None:
    if spec.default_base_url is not None:
        parts = urlsplit(spec.default_base_url)
        wanted = "process" if spec.extra else "http" if spec.local else "https"
        assert parts.scheme == wanted, "keys travel encrypted"
        if not spec.extra and "{" not in spec.default_base_url:
            assert normalise_base_url(spec.default_base_url, spec) == spec.default_base_url
            # who types the host alone means the same address
            assert normalise_base_url(f"{parts.scheme}://{parts.netloc}", spec) == spec.default_base_url
    if spec.requires_key:
        assert spec.get_key_url, "where the key comes from"
    if spec.get_key_url:
        assert spec.get_key_url.startswith("https://")
    if spec.key_proof.url is not None:
        ours, theirs = (urlsplit(url).hostname for url in (spec.default_base_url, spec.key_proof.url))
        assert str(ours).split(".")[-2:] == str(theirs).split(".")[-2:], "a key goes to its own company only"
    for quirk in spec.quirks:
        assert re.search(r"\(https://\S+, 20\d\d-\d\d\)\.$", quirk), quirk


def test_every_row_says_where_its_proof_was_read() -> None:
    """The three first ones are held by the guide; each other row with a key names its page and month."""
    source = Path(registry.__file__).read_text()
    for row in source.split("    ProviderSpec(")[1:]:
        spec_type = re.search(r'type="([a-z-]+)"', row)
        assert spec_type is not None
        if spec_type[1] not in ("openai", "custom", "custom-anthropic"):
            assert re.search(r"# https://\S+ \(20\d\d-\d\d\)", row), spec_type[1]


def test_an_unknown_type_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        provider_spec("unheard-of")


# ── how keys are proven ───────────────────────────────────────────────────────


@pytest.fixture
async def http(anyio_backend: str) -> AsyncIterator[HttpClient]:
    client = HttpClient()
    yield client
    await client.close()


# Its proof asks for a list that no other provider has: see test_provider_test.py; or runs through an optional
# package: see litellm_sdk/.
_PROVEN_ELSEWHERE = ("perplexity", "litellm")


@pytest.mark.parametrize(
    "spec", [s for s in PROVIDER_SPECS if s.type not in _PROVEN_ELSEWHERE], ids=lambda spec: spec.type
)
async def test_every_row_tells_a_right_key_from_a_wrong_one(spec: ProviderSpec, http: HttpClient) -> None:
    async with await serve(SimulatorConfig(valid_keys=("right",))) as simulator:
        base_url = provider(simulator, spec.type).base_url

        async def outcome(key: str) -> str | None:
            address = Address(spec=spec, base_url=base_url, api_key=key, allow_private_network=True)
            return (await prove(http, address)).error_type

        assert await outcome("right") is None
        assert await outcome("wrong") == "invalid_api_key"


# ── rows with options ─────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("options", "path", "query"),
    [
        ({"resource": "r"}, "/azure/openai/v1/", ""),
        (
            {"resource": "r", "api_version": "2024-10-21"},
            "/azure/openai/deployments/gpt-4o-mini/",
            "api-version=2024-10-21",
        ),
    ],
)
async def test_azure_is_called_by_its_v1_api_or_by_a_dated_version(
    options: dict[str, str], path: str, query: str
) -> None:
    async with running_plane() as plane:
        azure = provider(plane.simulator, "azure", options=options)
        plane.source.current = snapshot(target(azure, "gpt-4o-mini"))
        answers = [await plane.chat(model="azure/gpt-4o-mini", stream=stream) for stream in (False, True)]
        sent = plane.simulator.inference_requests[-1]
        assert [answer.status_code for answer in answers] == [200, 200]
        assert (sent.path, sent.query) == (path + "chat/completions", query)
        assert sent.headers["api-key"] == "sk-upstream"
        assert "authorization" not in sent.headers

        plane.source.current = snapshot(target(azure, "text-embedding-3-small"))
        body = {"model": "text-embedding-3-small", "input": "x"}
        embedded = await plane.client.post("/v1/embeddings", json=body)
        assert embedded.status_code == 200
        assert plane.simulator.inference_requests[-1].path == path.replace(
            "gpt-4o-mini", "text-embedding-3-small"
        ) + ("embeddings")


async def test_azures_models_are_entered_by_hand(http: HttpClient) -> None:
    address = Address(
        spec=provider_spec("azure"),
        base_url="https://r.openai.azure.com/openai",
        api_key="k",
        allow_private_network=False,
    )
    assert await fetch_models(http, address, datetime.now(UTC)) == []


async def test_cloudflares_list_gives_names_and_tasks(http: HttpClient) -> None:
    async with await serve() as simulator:
        address = Address(
            spec=provider_spec("cloudflare"),
            base_url=simulator.cloudflare_url,
            api_key="k",
            allow_private_network=True,
        )
        found = await fetch_models(http, address, datetime.now(UTC))
    assert isinstance(found, list)
    capabilities = {model.name: model.facts.get("capabilities") for model in found}
    assert capabilities["@cf/simulated/gpt-4o-mini"] is None, "the catalogue knows more about it"
    assert capabilities["@cf/simulated/text-embedding-3-small"] == ["embedding"]


@pytest.mark.parametrize(
    ("spec_type", "pasted", "meant"),
    [
        ("azure", "https://r.openai.azure.com/", "https://r.openai.azure.com/openai"),
        ("azure", "https://r.openai.azure.com/openai/v1/", "https://r.openai.azure.com/openai"),
        ("azure", "https://r.services.ai.azure.com/openai/v1", "https://r.services.ai.azure.com/openai"),
        ("cloudflare", "https://g.example.com/a/ai/v1", "https://g.example.com/a/ai"),
        ("openai", "https://proxy.example.com/v1", "https://proxy.example.com/v1"),
    ],
)
def test_a_pasted_base_url_is_understood(spec_type: str, pasted: str, meant: str) -> None:
    assert normalise_base_url(pasted, provider_spec(spec_type)) == meant
