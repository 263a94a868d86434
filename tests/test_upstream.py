"""dataplane/upstream: models in URLs and headers signed per request, against a simulator that logs them."""

from __future__ import annotations

import msgspec
import pytest

from ops_center.dataplane.upstream import Timeouts, Upstream
from ops_center.providers.registry import provider_spec
from ops_center.providers.spec import ProviderSpec
from ops_center.simulator.server import serve
from ops_center.snapshot import Provider, Target
from ops_center.transport.client import HttpClient

pytestmark = pytest.mark.anyio


async def paths_asked(spec: ProviderSpec, model: str) -> list[str]:
    """The paths of a whole and of a streamed request, twice each."""
    http = HttpClient()
    async with await serve() as simulator:
        provider = Provider(
            id="prov_1",
            name="one",
            spec=spec,
            base_url=simulator.url,
            options={"version": "2026-11"},
            credential="sk-upstream",
            allow_private_network=True,
        )
        target = Target(id="mdl_1", provider=provider, model=model)
        upstream = Upstream(http, Timeouts())
        for stream in (False, True, False, True):
            response = await upstream.send(
                target,
                b"{}",
                credential=target.provider.credentials[0],
                wire_format=target.provider.spec.format,
                stream=stream,
                client_headers=None,
            )
            await response.read(100_000)
        await http.close()
        return [entry.path for entry in simulator.requests]


async def test_a_row_may_put_model_options_and_streaming_into_the_url() -> None:
    spec = msgspec.structs.replace(
        provider_spec("custom"),
        chat_path="/of/{model}:whole?version={version}",
        stream_path="/of/{model}:streamed",
    )
    whole, streamed = "/of/maker%2Fmodel%3A1:whole", "/of/maker%2Fmodel%3A1:streamed"
    assert await paths_asked(spec, "maker/model:1") == [whole, streamed, whole, streamed]


async def test_a_row_without_them_keeps_one_address() -> None:
    assert await paths_asked(provider_spec("custom"), "a") == ["/chat/completions"] * 4
