"""The made-up company of the demo: its people, its programs with their habits, its providers. Data only."""

from __future__ import annotations

import msgspec

from ops_center.demo.traffic import MORNING, NIGHT, OFFICE, ROUND_THE_CLOCK, Program
from ops_center.types import PowerLevel, Role

ADMIN_EMAIL = "demo@example.com"


class OwnKey(msgspec.Struct, frozen=True, kw_only=True):
    """A person's own key for a type of provider. One that is not `good` the simulator refuses."""

    type: str
    api_key: str
    good: bool = True


class Person(msgspec.Struct, frozen=True, kw_only=True):
    email: str
    name: str
    role: Role
    power_level: PowerLevel | None = None
    own_keys: tuple[OwnKey, ...] = ()


class DemoProvider(msgspec.Struct, frozen=True, kw_only=True):
    """`path` is the simulator's path for this type; `api_key` one that the simulator takes."""

    type: str
    name: str
    path: str
    api_key: str | None
    priority: int
    # how the simulated one behaves for live requests
    latency_seconds: float
    first_chunk_seconds: float
    tokens_per_second: float


PEOPLE = (
    Person(
        email="ana@example.com",
        name="Ana Sousa",
        role=Role.OPERATOR,
        own_keys=(OwnKey(type="openrouter", api_key="sk-or-v1-demo-anas-own-not-a-real-key"),),
    ),
    Person(
        email="ben@example.com",
        name="Ben Okafor",
        role=Role.USER,
        power_level=PowerLevel.PRECISION,
        own_keys=(OwnKey(type="anthropic", api_key="sk-ant-demo-bens-own-not-a-real-key"),),
    ),
    Person(
        email="chen@example.com",
        name="Chen Wei",
        role=Role.USER,
        power_level=PowerLevel.ECO,
    ),
    Person(
        email="dora@example.com",
        name="Dora Lind",
        role=Role.VIEWER,
        own_keys=(OwnKey(type="openai", api_key="sk-demo-doras-expired-not-a-real-key", good=False),),
    ),
)

OPENAI, ANTHROPIC, OPENROUTER, LOCAL = (
    "OpenAI (demo)",
    "Anthropic (demo)",
    "OpenRouter (demo)",
    "Local vLLM (demo)",
)

RETIRES_SOON = "mistralai/mixtral-8x7b-instruct"  # at OpenRouter, in three weeks
UNUSED_KEY = ("Prototype", "ben@example.com")
MONTHLY_BUDGET_USD = 42

PROVIDERS = (
    DemoProvider(
        type="openai",
        name=OPENAI,
        path="/v1",
        api_key="sk-demo-openai-not-a-real-key",
        priority=70,
        latency_seconds=0.12,
        first_chunk_seconds=0.25,
        tokens_per_second=90,
    ),
    DemoProvider(
        type="anthropic",
        name=ANTHROPIC,
        path="/v1",
        api_key="sk-ant-demo-not-a-real-key",
        priority=60,
        latency_seconds=0.15,
        first_chunk_seconds=0.4,
        tokens_per_second=75,
    ),
    DemoProvider(
        type="openrouter",
        name=OPENROUTER,
        path="/api/v1",
        api_key="sk-or-v1-demo-not-a-real-key",
        priority=50,
        latency_seconds=0.2,
        first_chunk_seconds=0.45,
        tokens_per_second=80,
    ),
    DemoProvider(
        type="custom",
        name=LOCAL,
        path="/custom/v1",
        api_key=None,
        priority=30,
        latency_seconds=0.02,
        first_chunk_seconds=0.1,
        tokens_per_second=55,
    ),
)

PROGRAMS = (
    Program(
        key_name="Support chat",
        user_email="ana@example.com",
        calls_per_day=95,
        hours=ROUND_THE_CLOCK,
        weekend=0.55,
        growth=1.5,
        models=((OPENAI, "gpt-4o-mini", 7), (ANTHROPIC, "claude-haiku-4-5", 3)),
        input_tokens=1400,
        output_tokens=260,
        cached=0.6,
        strategy="balanced",
        requested_model="auto",
    ),
    Program(
        key_name="Document search",
        user_email="chen@example.com",
        calls_per_day=70,
        hours=OFFICE,
        weekend=0.15,
        growth=1.2,
        models=(
            (OPENROUTER, "meta-llama/llama-3-8b-instruct", 5),
            (OPENROUTER, "mistralai/mixtral-8x7b-instruct", 2),
            (OPENROUTER, "google/gemini-2.5-flash-lite", 3),
        ),
        input_tokens=3800,
        output_tokens=180,
        stream=0.2,
        strategy="cost",
        requested_model="eco",
    ),
    Program(
        key_name="Code review",
        user_email="ben@example.com",
        calls_per_day=22,
        hours=OFFICE,
        weekend=0.05,
        growth=1.3,
        models=(
            (ANTHROPIC, "claude-sonnet-4-6", 6),
            (ANTHROPIC, "claude-opus-4-5", 2),
            (OPENAI, "gpt-5", 2),
        ),
        input_tokens=9000,
        output_tokens=1100,
        cached=0.7,
        strategy="quality",
        requested_model="precision",
    ),
    Program(
        key_name="Reports",
        user_email="ana@example.com",
        calls_per_day=16,
        hours=OFFICE,
        weekend=0.0,
        growth=0.7,
        models=((OPENAI, "gpt-4o", 6), (OPENAI, "gpt-4.1", 3), (OPENROUTER, "google/gemini-2.5-pro", 1)),
        input_tokens=5200,
        output_tokens=900,
        stream=0.4,
        repeats=0.15,
    ),
    Program(
        key_name="Nightly tagging",
        user_email="chen@example.com",
        calls_per_day=45,
        hours=NIGHT,
        weekend=1.0,
        growth=1.1,
        models=((LOCAL, "llama-3.2-3b-instruct", 8), (OPENROUTER, "qwen/qwen3-8b", 2)),
        input_tokens=700,
        output_tokens=60,
        stream=0.0,
    ),
    Program(
        key_name="Invoice check",
        user_email="chen@example.com",
        calls_per_day=45,
        hours=MORNING,
        weekend=0.0,
        growth=1.1,
        models=((ANTHROPIC, "claude-sonnet-4-6", 1),),
        input_tokens=6500,
        output_tokens=150,
        stream=0.0,
        opening=0.7,
    ),
)
