"""The table of provider types: one row each, the recommended one first. Data only."""

from __future__ import annotations

from ops_center.providers.spec import KeyProof, ProviderSpec

PROVIDER_SPECS: tuple[ProviderSpec, ...] = (
    ProviderSpec(
        type="openrouter",
        name="OpenRouter",
        color="#7C3AED",
        description="One key for models of every maker",
        default_base_url="https://openrouter.ai/api/v1",
        default_path="/api/v1",
        # https://openrouter.ai/docs/api-reference/limits (2026-11): the model list is public, /key is not.
        key_proof=KeyProof(path="/key"),
        get_key_url="https://openrouter.ai/keys",
        key_prefix="sk-or-v1-",
        recommended_for="cost optimization",
        catalog_id="openrouter",
        quirks=(
            "Reports its cost in usage.cost (https://openrouter.ai/docs/use-cases/usage-accounting, 2026-11).",
        ),
    ),
    ProviderSpec(
        type="openai",
        name="OpenAI",
        color="#10A37F",
        description="High quality GPT models",
        default_base_url="https://api.openai.com/v1",
        get_key_url="https://platform.openai.com/api-keys",
        key_prefix="sk-",
        recommended_for="high quality",
        catalog_id="openai",
    ),
    ProviderSpec(
        type="anthropic",
        name="Anthropic",
        color="#D97706",
        description="Claude models",
        format="anthropic_messages",
        default_base_url="https://api.anthropic.com/v1",
        auth="x-api-key",
        # https://docs.anthropic.com/en/api/versioning (2026-11)
        extra_headers=(("anthropic-version", "2023-06-01"),),
        chat_path="/messages",
        models_path="/models?limit=1000",
        key_proof=KeyProof(path="/models?limit=1"),
        get_key_url="https://console.anthropic.com/",
        key_prefix="sk-ant-",
        recommended_for="Claude models",
        catalog_id="anthropic",
        request_id_header="request-id",
    ),
    ProviderSpec(
        type="custom",
        name="Custom (OpenAI-compatible)",
        color="#64748B",
        description="Any server that speaks OpenAI's chat completions: vLLM, Ollama, LM Studio, LiteLLM",
        requires_key=False,
        key_proof=KeyProof(path="/models", proves_key=False),
    ),
)

_BY_TYPE = {spec.type: spec for spec in PROVIDER_SPECS}


def provider_spec(provider_type: str) -> ProviderSpec:
    """The row of a type; KeyError for a type we do not know."""
    return _BY_TYPE[provider_type]
