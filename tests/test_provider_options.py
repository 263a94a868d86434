"""Options of a provider through the control API: checked, kept, put into addresses; on both databases."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from control_fixtures import ScriptedFetcher
from ops_center.control.context import Control
from ops_center.storage.tables import models
from ops_center.transport.client import FetchAnswer

pytestmark = pytest.mark.anyio

KEY = "ABSKQmVkcm9ja0FQSUtleS1leGFtcGxlLWtleQ"
IAM_KEY = "AKIAIOSFODNN7EXAMPLE:wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"


def lists(fetcher: ScriptedFetcher, region: str) -> None:
    """The two lists of a region, after the references that `catalog/discovered.py` names."""

    def answer(**body: Any) -> FetchAnswer:
        return FetchAnswer(200, {}, json.dumps(body).encode())

    base = f"https://bedrock.{region}.amazonaws.com"
    fetcher.answers[f"{base}/foundation-models"] = answer(
        modelSummaries=[
            {
                "modelId": "amazon.nova-lite-v1:0",
                "modelName": "Nova Lite",
                "inferenceTypesSupported": ["ON_DEMAND"],
            },
            {"modelId": "anthropic.claude-sonnet-4-6", "inferenceTypesSupported": ["INFERENCE_PROFILE"]},
        ]
    )
    fetcher.answers[f"{base}/inference-profiles?maxResults=1000&type=SYSTEM_DEFINED"] = answer(
        inferenceProfileSummaries=[
            {
                "inferenceProfileId": "eu.anthropic.claude-sonnet-4-6",
                "inferenceProfileName": "EU Claude Sonnet 4.6",
            }
        ]
    )


async def add(client: httpx.AsyncClient, **fields: Any) -> httpx.Response:
    return await client.post("/llm/providers", json={"type": "bedrock", "api_key": KEY} | fields)


async def test_the_type_says_what_it_asks_for(control_client: httpx.AsyncClient) -> None:
    types = (await control_client.get("/llm/provider-types")).json()["provider_types"]
    bedrock = next(each for each in types if each["type"] == "bedrock")
    assert [(f["name"], f["label"], f["required"], f["default"]) for f in bedrock["option_fields"]] == [
        ("region", "Region", True, "us-east-1")
    ]
    assert "ACCESS_KEY_ID" in bedrock["key_help"]
    assert all(each["option_fields"] == [] for each in types if each["type"] in ("openai", "custom"))


async def test_options_are_kept_and_lead_to_the_address(
    control_client: httpx.AsyncClient, control: Control, http_fetcher: ScriptedFetcher
) -> None:
    lists(http_fetcher, "eu-central-1")
    answer = await add(control_client, options={"region": " eu-central-1 "})
    assert answer.status_code == 201, answer.text
    provider = answer.json()
    assert provider["options"] == {"region": "eu-central-1"}
    assert provider["base_url"] == "https://bedrock-runtime.eu-central-1.amazonaws.com"
    refreshed = await control_client.post(f"/llm/providers/{provider['id']}/models/refresh")
    assert refreshed.json()["discovery"]["status"] == "ok"
    async with control.database.read() as conn:
        names = set((await conn.execute(select(models.c.name))).scalars())
    assert names == {"amazon.nova-lite-v1:0", "eu.anthropic.claude-sonnet-4-6"}
    targets = (await control.publisher.publish()).targets
    assert {target.provider.options["region"] for target in targets} == {"eu-central-1"}


@pytest.mark.parametrize(
    ("options", "param"),
    [
        ({"region": "evil.example/"}, "options.region"),
        ({"region": "us-east-1.evil.example"}, "options.region"),
        ({"region": "x" * 400}, "options.region"),
        ({"zone": "a"}, "options.zone"),
        ({"region": 5}, "options.region"),
        ("us-east-1", "options"),
    ],
)
async def test_a_wrong_option_is_named(control_client: httpx.AsyncClient, options: Any, param: str) -> None:
    for answer in (
        await add(control_client, options=options),
        await control_client.post("/llm/test", json={"type": "bedrock", "api_key": KEY, "options": options}),
    ):
        assert answer.status_code == 422, answer.text
        assert answer.json()["error"]["param"] == param


async def test_a_blank_option_takes_its_default(control_client: httpx.AsyncClient) -> None:
    for options in ({}, {"region": ""}, {"region": None}):
        assert (await add(control_client, options=options)).json()["options"] == {"region": "us-east-1"}


async def test_another_region_keeps_the_key_and_moves_the_address(
    control_client: httpx.AsyncClient, http_fetcher: ScriptedFetcher
) -> None:
    provider = (await add(control_client)).json()
    lists(http_fetcher, "eu-west-1")
    path = f"/llm/providers/{provider['id']}"
    changed = await control_client.patch(path, json={"options": {"region": "eu-west-1"}})
    assert changed.status_code == 200, changed.text
    assert changed.json()["base_url"] == "https://bedrock-runtime.eu-west-1.amazonaws.com"
    tested = (await control_client.post(f"{path}/test")).json()
    assert tested["success"], tested
    assert http_fetcher.sent[-1].headers["authorization"] == f"Bearer {KEY}"
    # what is not sent stays
    assert (await control_client.patch(path, json={"priority": 3})).json()["options"] == {
        "region": "eu-west-1"
    }


async def test_a_stored_key_never_follows_an_address_of_ones_own(control_client: httpx.AsyncClient) -> None:
    provider = (await add(control_client)).json()
    path = f"/llm/providers/{provider['id']}"
    answer = await control_client.patch(path, json={"base_url": "https://proxy.example.com"})
    assert (answer.status_code, answer.json()["error"]["param"]) == (422, "api_key")
    moved = await control_client.patch(path, json={"base_url": "https://proxy.example.com", "api_key": KEY})
    assert moved.status_code == 200
    # an address of one's own stays when the region changes
    moved = await control_client.patch(path, json={"options": {"region": "eu-west-1"}})
    assert moved.json()["base_url"] == "https://proxy.example.com"


async def test_an_iam_key_signs_the_test_and_is_never_sent(
    control_client: httpx.AsyncClient, http_fetcher: ScriptedFetcher
) -> None:
    lists(http_fetcher, "us-east-1")
    answer = await control_client.post("/llm/test", json={"type": "bedrock", "api_key": IAM_KEY})
    assert answer.json()["success"], answer.text
    sent = http_fetcher.sent[-1]
    assert sent.url == "https://bedrock.us-east-1.amazonaws.com/foundation-models"
    assert sent.headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/")
    assert "/us-east-1/bedrock/aws4_request" in sent.headers["authorization"]
    assert IAM_KEY.partition(":")[2] not in str(sent.headers)


AZURE = {"type": "azure", "api_key": "azure-key-0123456789"}


async def test_an_option_of_the_types_address_may_be_left_out_where_another_is_given(
    control_client: httpx.AsyncClient,
) -> None:
    refused = await control_client.post("/llm/providers", json=AZURE)
    assert (refused.status_code, refused.json()["error"]["param"]) == (422, "options.resource")
    named = await control_client.post("/llm/providers", json=AZURE | {"options": {"resource": "mine"}})
    assert named.json()["base_url"] == "https://mine.openai.azure.com/openai"
    pasted = await control_client.post(
        "/llm/providers", json=AZURE | {"name": "Other", "base_url": "https://8.8.8.8/openai/v1"}
    )
    assert pasted.status_code == 201, pasted.text
    assert (pasted.json()["base_url"], pasted.json()["options"]) == ("https://8.8.8.8/openai", {})
