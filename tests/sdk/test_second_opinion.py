"""`llmock`, a mock of other hands, as a custom provider: what we and our simulator may have misread alike."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import openai
import pytest
from llmock.testing import LLMockServer

from live import LiveServer

HELLO: list[Any] = [{"role": "user", "content": "hello from the other side"}]


@pytest.fixture(scope="module")
def other_mock(server: LiveServer) -> Iterator[LLMockServer]:
    with LLMockServer() as running:
        server.add_provider(
            "custom",
            name="Second opinion",
            base_url=running.base_url("openai"),
            api_key="test",
        )
        yield running


@pytest.fixture
def client(server: LiveServer, api_key: str, other_mock: LLMockServer) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=server.openai_url, api_key=api_key, max_retries=0, timeout=20) as made:
        yield made


MODEL = "Second opinion/gpt-4o-mini"


def test_plain_answer_is_what_the_mock_says_directly(client: openai.OpenAI, other_mock: LLMockServer) -> None:
    with openai.OpenAI(base_url=other_mock.base_url("openai"), api_key="test", max_retries=0) as direct:
        expected = direct.chat.completions.create(model="gpt-4o-mini", messages=HELLO)
    answer = client.chat.completions.create(model=MODEL, messages=HELLO)
    assert answer.choices[0].message.content == expected.choices[0].message.content
    assert answer.choices[0].finish_reason == expected.choices[0].finish_reason
    assert answer.usage == expected.usage


@pytest.mark.parametrize("include_usage", [False, True])
def test_stream_ends_well_and_hides_usage_nobody_asked_for(
    client: openai.OpenAI, server: LiveServer, include_usage: bool
) -> None:
    options: dict[str, Any] = {"stream_options": {"include_usage": True}} if include_usage else {}
    raw = client.chat.completions.with_raw_response.create(
        model=MODEL, messages=HELLO, stream=True, **options
    )
    text, usages = "", 0
    for chunk in raw.parse():
        usages += chunk.usage is not None
        text += (chunk.choices[0].delta.content or "") if chunk.choices else ""
    assert text
    assert usages == include_usage
    row = server.wait_for_request(raw.headers["x-request-id"])
    assert row["status"] == 200
    assert row["output_tokens"] > 0
