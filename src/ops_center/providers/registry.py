"""The table of provider types: one row each, the recommended one first. Data only."""

from __future__ import annotations

from ops_center.providers.spec import KeyProof, OptionField, OtherFormat, ProviderSpec
from ops_center.providers.tasks import TASKS

# https://platform.openai.com/docs/models (2026-11): these have no chat completions endpoint.
_RESPONSES_ONLY = (
    r"(o1-pro|o3-pro|gpt-5(\.\d+)?-pro|gpt-5(\.\d+)?-codex|codex-mini|o3-deep-research|o4-mini-deep-research"
    r"|computer-use-preview)(-.*)?"
)
# https://platform.openai.com/docs/api-reference/completions (2026-11): legacy, for these models only.
_LEGACY_COMPLETIONS = r"(gpt-3\.5-turbo-instruct.*|davinci-002|babbage-002)"

# With an API version the deployment stands in the path; the v1 API finds it in the body.
_AZURE = "[/deployments/{{model}}/{0}?api-version={{api_version}}][!api_version:/v1/{0}]"

PROVIDER_SPECS: tuple[ProviderSpec, ...] = (
    ProviderSpec(
        type="openrouter",
        name="OpenRouter",
        color="#7C3AED",
        description="One key for models of every maker",
        default_base_url="https://openrouter.ai/api/v1",
        default_path="/api/v1",
        # https://openrouter.ai/docs/api-reference/limits (2026-11): the model list is public, /key is not.
        key_proof=KeyProof(path="/key", record_fields=("label", "usage", "limit", "is_free_tier")),
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
        other_formats=(
            OtherFormat(format="openai_responses", path="/responses", only=_RESPONSES_ONLY),
            OtherFormat(format="openai_completions", path="/completions", models=_LEGACY_COMPLETIONS),
        ),
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
        type="gemini",
        name="Google Gemini",
        color="#4285F4",
        description="Gemini models by an API key of AI Studio",
        format="gemini",
        default_base_url="https://generativelanguage.googleapis.com/v1beta",
        default_path="/v1beta",
        auth="x-goog-api-key",
        chat_path="/models/{model}:generateContent",
        stream_path="/models/{model}:streamGenerateContent?alt=sse",
        # https://ai.google.dev/api/models (2026-11): strangers and wrong keys get no list.
        models_path="/models?pageSize=1000",
        key_proof=KeyProof(path="/models?pageSize=1000"),
        get_key_url="https://aistudio.google.com/apikey",
        key_prefix="AIza",
        recommended_for="long context",
        catalog_id="google",
        request_id_header="x-goog-request-id",
        quirks=(
            "A wrong key is a 400 with the reason API_KEY_INVALID (https://ai.google.dev/gemini-api/docs/"
            "troubleshooting, 2026-11).",
        ),
    ),
    ProviderSpec(
        type="vertex",
        name="Google Vertex AI",
        color="#34A853",
        description="Gemini models in a Google Cloud project",
        format="gemini",
        # https://cloud.google.com/vertex-ai/generative-ai/docs/learn/locations (2026-11)
        default_base_url="https://{location}-aiplatform.googleapis.com",
        base_urls_by_option=(
            ("location", "global", "https://aiplatform.googleapis.com"),
            ("location", "us", "https://aiplatform.us.rep.googleapis.com"),
            ("location", "eu", "https://aiplatform.eu.rep.googleapis.com"),
        ),
        default_path="",
        auth="google",
        chat_path="/v1[/projects/{project}/locations/{location}]/publishers/google/models/{model}:generateContent",
        stream_path="/v1[/projects/{project}/locations/{location}]/publishers/google/models/{model}"
        ":streamGenerateContent?alt=sse",
        # https://cloud.google.com/vertex-ai/docs/reference/rest/v1beta1/publishers.models/list (2026-11)
        models_path="/v1beta1/publishers/google/models?pageSize=300",
        key_proof=KeyProof(path="/v1beta1/publishers/google/models?pageSize=300"),
        get_key_url="https://console.cloud.google.com/iam-admin/serviceaccounts",
        key_help="The JSON key of a service account with the role Vertex AI User, or an API key of Vertex AI.",
        recommended_for="models inside Google Cloud",
        catalog_id="google-vertex",
        request_id_header="x-goog-request-id",
        option_fields=(
            OptionField(
                name="project",
                label="Project",
                placeholder="my-project",
                help="The id of the Google Cloud project. Blank: that of the service account; "
                "with an API key, the project that the key belongs to.",
                pattern=r"[a-z][a-z0-9-]{4,28}[a-z0-9]",
            ),
            OptionField(
                name="location",
                label="Location",
                required=True,
                default="global",
                placeholder="global",
                help="Where the models run: global, us, eu, or a region such as europe-west4.",
                pattern=r"global|us|eu|[a-z]{2,12}(-[a-z]+)?-[a-z]+[0-9]{1,2}",
            ),
        ),
    ),
    ProviderSpec(
        type="bedrock",
        name="AWS Bedrock",
        color="#FF9900",
        description="Claude, Nova, Llama and others in an AWS account",
        format="bedrock_converse",
        default_base_url="https://bedrock-runtime.{region}.amazonaws.com",
        default_path="",
        auth="aws",
        chat_path="/model/{model}/converse",
        stream_path="/model/{model}/converse-stream",
        # https://docs.aws.amazon.com/bedrock/latest/APIReference/API_ListFoundationModels.html (2026-11)
        lists_base_url="https://bedrock.{region}.amazonaws.com",
        models_path="/foundation-models",
        # Newer models answer under their profiles only:
        # https://docs.aws.amazon.com/bedrock/latest/userguide/inference-profiles-support.html (2026-11)
        more_models_path="/inference-profiles?maxResults=1000&type=SYSTEM_DEFINED",
        key_proof=KeyProof(path="/foundation-models"),
        get_key_url="https://console.aws.amazon.com/bedrock/home#/api-keys",
        key_help="A Bedrock API key, or an IAM key as ACCESS_KEY_ID:SECRET_ACCESS_KEY. Listing models needs "
        "bedrock:ListFoundationModels and bedrock:ListInferenceProfiles.",
        recommended_for="models inside AWS",
        catalog_id="amazon-bedrock",
        request_id_header="x-amzn-requestid",
        option_fields=(
            OptionField(
                name="region",
                label="Region",
                required=True,
                default="us-east-1",
                placeholder="us-east-1",
                help="The AWS region whose models are called, such as us-east-1 or eu-central-1.",
                pattern=r"[a-z]{2}(-[a-z]+)+-[0-9]{1,2}",
            ),
        ),
    ),
    ProviderSpec(
        type="azure",
        name="Azure OpenAI",
        color="#0078D4",
        description="OpenAI's models in your own Azure resource",
        auth="api-key",
        # https://learn.microsoft.com/en-us/azure/foundry/openai/api-version-lifecycle (2026-11): without a
        # version the v1 API, which takes the deployment as the model; with one, the path of that deployment.
        default_base_url="https://{resource}.openai.azure.com/openai",
        default_path="/openai",
        pasted_path="/v1",
        chat_path=_AZURE.format("chat/completions"),
        key_proof=KeyProof(
            path="[/models?api-version={api_version}][!api_version:/v1/models]", record_fields=("data",)
        ),
        models_by_hand=True,
        task_paths=tuple(
            (endpoint, _AZURE.format(endpoint))
            for endpoint in ("embeddings", "images/generations", "audio/transcriptions", "audio/speech")
        ),
        no_tasks=frozenset({"moderations", "rerank"}),
        get_key_url="https://portal.azure.com/#view/Microsoft_Azure_ProjectOxford/CognitiveServicesHub/~/OpenAI",
        key_help="A key of the resource, from “Keys and Endpoint”.",
        recommended_for="OpenAI models inside Azure",
        catalog_id="azure",
        request_id_header="apim-request-id",
        option_fields=(
            OptionField(
                name="resource",
                label="Resource",
                required=True,
                placeholder="my-resource",
                help="The name of the Azure OpenAI resource: what stands before .openai.azure.com.",
                pattern=r"[A-Za-z0-9][A-Za-z0-9-]{0,62}",
            ),
            OptionField(
                name="api_version",
                label="API version",
                placeholder="v1",
                help="Blank for the v1 API; else a dated version such as 2024-10-21.",
            ),
        ),
        quirks=(
            "Models go by the names of their deployments, which are entered by hand "
            "(https://learn.microsoft.com/en-us/azure/foundry/openai/how-to/working-with-models, 2026-11).",
        ),
    ),
    ProviderSpec(
        type="cloudflare",
        name="Cloudflare Workers AI",
        color="#F6821F",
        description="Open models on Cloudflare's network",
        # https://developers.cloudflare.com/workers-ai/configuration/open-ai-compatibility (2026-11)
        default_base_url="https://api.cloudflare.com/client/v4/accounts/{account_id}/ai",
        default_path="",
        pasted_path="/v1",
        chat_path="/v1/chat/completions",
        models_path="/models/search?per_page=1000",
        key_proof=KeyProof(path="/models/search?per_page=1000"),
        task_paths=(("embeddings", "/v1/embeddings"),),
        no_tasks=frozenset(
            {"images/generations", "audio/transcriptions", "audio/speech", "moderations", "rerank"}
        ),
        get_key_url="https://dash.cloudflare.com/profile/api-tokens",
        key_help="An API token with the permission Workers AI: Read.",
        catalog_id="cloudflare-workers-ai",
        request_id_header="cf-ray",
        option_fields=(
            OptionField(
                name="account_id",
                label="Account ID",
                required=True,
                placeholder="023e105f4ecef8ad9ca31a8372d0c353",
                help="From the dashboard, under Workers & Pages.",
                pattern=r"[0-9a-f]{32}",
            ),
        ),
    ),
    ProviderSpec(
        type="cohere",
        name="Cohere",
        color="#39594D",
        description="Command models for business and retrieval",
        format="cohere_chat",
        default_base_url="https://api.cohere.com",
        default_path="",
        chat_path="/v2/chat",
        # https://docs.cohere.com/reference/list-models (2026-11)
        models_path="/v1/models?page_size=1000",
        key_proof=KeyProof(path="/v1/models?page_size=1000"),
        # https://docs.cohere.com/docs/compatibility-api, https://docs.cohere.com/reference/rerank (2026-11)
        task_paths=(("embeddings", "/compatibility/v1/embeddings"), ("rerank", "/v2/rerank")),
        get_key_url="https://dashboard.cohere.com/api-keys",
        recommended_for="retrieval",
        catalog_id="cohere",
        request_id_header="x-debug-trace-id",
        quirks=(
            "Bills fewer input tokens than it counts; what is billed is taken "
            "(https://docs.cohere.com/docs/how-does-cohere-pricing-work, 2026-11).",
        ),
    ),
    ProviderSpec(
        type="mistral",
        name="Mistral",
        color="#EC4899",
        description="Mistral's own models, served in Europe",
        default_base_url="https://api.mistral.ai/v1",
        # https://docs.mistral.ai/api/endpoint/models (2026-11)
        get_key_url="https://console.mistral.ai/api-keys",
        catalog_id="mistral",
        request_id_header="mistral-correlation-id",
        quirks=(
            "Tool call ids are nine letters and digits (https://docs.mistral.ai/capabilities/function_calling, 2026-11).",
        ),
    ),
    ProviderSpec(
        type="groq",
        name="Groq",
        color="#06B6D4",
        description="Open models at very high speed",
        default_base_url="https://api.groq.com/openai/v1",
        default_path="/openai/v1",
        # https://console.groq.com/docs/api-reference#models (2026-11)
        get_key_url="https://console.groq.com/keys",
        key_prefix="gsk_",
        recommended_for="speed",
        catalog_id="groq",
        quirks=(
            "Log probabilities and n above 1 are refused (https://console.groq.com/docs/openai, 2026-11).",
        ),
    ),
    ProviderSpec(
        type="together",
        name="Together",
        color="#3B82F6",
        description="Open models, images and embeddings",
        default_base_url="https://api.together.xyz/v1",
        # https://docs.together.ai/reference/models-1 (2026-11): a bare JSON array, for valid keys only
        get_key_url="https://api.together.ai/settings/api-keys",
        catalog_id="togetherai",
    ),
    ProviderSpec(
        type="fireworks",
        name="Fireworks",
        color="#6D28D9",
        description="Open models, tuned for speed",
        default_base_url="https://api.fireworks.ai/inference/v1",
        default_path="/inference/v1",
        # https://docs.fireworks.ai/tools-sdks/openai-compatibility (2026-11)
        get_key_url="https://app.fireworks.ai/settings/users/api-keys",
        key_prefix="fw_",
        catalog_id="fireworks-ai",
        quirks=(
            "Models are named accounts/fireworks/models/… (https://docs.fireworks.ai/tools-sdks/openai-compatibility, "
            "2026-11).",
        ),
    ),
    ProviderSpec(
        type="deepseek",
        name="DeepSeek",
        color="#4D6BFE",
        description="DeepSeek's own models, off-peak and cache prices",
        default_base_url="https://api.deepseek.com",
        default_path="",  # https://api-docs.deepseek.com (2026-11): the base URL has no version
        # https://api-docs.deepseek.com/api/list-models (2026-11)
        get_key_url="https://platform.deepseek.com/api_keys",
        key_prefix="sk-",
        catalog_id="deepseek",
        lacks=frozenset({"vision", "structured_output"}),
        quirks=(
            "Takes JSON mode, no JSON schema (https://api-docs.deepseek.com/guides/json_mode, 2026-11).",
            "Keeps a busy stream open with comment lines (https://api-docs.deepseek.com/quick_start/rate_limit, 2026-11).",
            "Takes no images (https://api-docs.deepseek.com/api/create-chat-completion, 2026-11).",
        ),
    ),
    ProviderSpec(
        type="xai",
        name="xAI",
        color="#475569",
        description="Grok models",
        default_base_url="https://api.x.ai/v1",
        # https://docs.x.ai/docs/api-reference#list-models (2026-11)
        get_key_url="https://console.x.ai/",
        key_prefix="xai-",
        catalog_id="xai",
        quirks=(
            "Reasoning models refuse stop, presence_penalty and frequency_penalty "
            "(https://docs.x.ai/docs/guides/reasoning, 2026-11).",
        ),
    ),
    ProviderSpec(
        type="huggingface",
        name="Hugging Face",
        color="#F59E0B",
        description="One token for many hosts of open models",
        default_base_url="https://router.huggingface.co/v1",
        # https://huggingface.co/docs/hub/api (2026-11): the router's list is public; whoami-v2 is not.
        key_proof=KeyProof(
            path="/models",
            proves_key=False,
            url="https://huggingface.co/api/whoami-v2",
            record_fields=("name", "type", "auth"),
        ),
        get_key_url="https://huggingface.co/settings/tokens",
        key_prefix="hf_",
        catalog_id="huggingface",
        quirks=(
            "The token needs the permission “Make calls to Inference Providers” "
            "(https://huggingface.co/docs/inference-providers, 2026-11).",
        ),
    ),
    ProviderSpec(
        type="perplexity",
        name="Perplexity",
        color="#20808D",
        description="Answers with searches and citations",
        default_base_url="https://api.perplexity.ai",
        default_path="",  # https://docs.perplexity.ai/api-reference/chat-completions-post (2026-11)
        models_from_catalog=True,
        # https://docs.perplexity.ai/api-reference/async-chat-completions-get (2026-11): the key's own jobs
        key_proof=KeyProof(path="/async/chat/completions", record_fields=("requests",)),
        get_key_url="https://www.perplexity.ai/account/api/keys",
        key_prefix="pplx-",
        catalog_id="perplexity",
        lacks=frozenset({"tools"}),
        quirks=(
            "Bills searches beside tokens, so its models carry no token price "
            "(https://docs.perplexity.ai/getting-started/pricing, 2026-11).",
            "/v1/models lists the models of another API, not those of chat completions "
            "(https://docs.perplexity.ai/docs/agent-api/models, 2026-11).",
            "Takes no tools in chat completions "
            "(https://docs.perplexity.ai/api-reference/chat-completions-post, 2026-11).",
        ),
    ),
    ProviderSpec(
        type="cerebras",
        name="Cerebras",
        color="#F05A28",
        description="Open models on wafer-scale chips",
        default_base_url="https://api.cerebras.ai/v1",
        # https://inference-docs.cerebras.ai/api-reference/models (2026-11)
        get_key_url="https://cloud.cerebras.ai/",
        key_prefix="csk-",
        catalog_id="cerebras",
        lacks=frozenset({"vision"}),
        quirks=("Takes no images (https://inference-docs.cerebras.ai/resources/openai, 2026-11).",),
    ),
    ProviderSpec(
        type="sambanova",
        name="SambaNova",
        color="#EE7624",
        description="Open models on its own chips",
        default_base_url="https://api.sambanova.ai/v1",
        # https://docs.sambanova.ai/cloud/api-reference/endpoints/model-list (2026-11): public, with prices
        key_proof=KeyProof(path="/models", proves_key=False, empty_post="/chat/completions"),
        get_key_url="https://cloud.sambanova.ai/apis",
    ),
    ProviderSpec(
        type="nvidia",
        name="NVIDIA NIM",
        color="#76B900",
        description="NVIDIA's catalogue of hosted models, and NIM containers",
        default_base_url="https://integrate.api.nvidia.com/v1",
        # https://docs.api.nvidia.com/nim/reference/llm-apis (2026-11): the list is public
        key_proof=KeyProof(path="/models", proves_key=False, empty_post="/chat/completions"),
        get_key_url="https://build.nvidia.com/settings/api-keys",
        key_prefix="nvapi-",
        catalog_id="nvidia",
    ),
    ProviderSpec(
        type="nebius",
        name="Nebius Token Factory",
        color="#65A30D",
        description="Open models from Europe",
        default_base_url="https://api.tokenfactory.nebius.com/v1",
        # https://docs.tokenfactory.nebius.com/api-reference (2026-11)
        get_key_url="https://tokenfactory.nebius.com/",
        catalog_id="nebius",
    ),
    ProviderSpec(
        type="deepinfra",
        name="DeepInfra",
        color="#2563EB",
        description="Open models at low prices",
        default_base_url="https://api.deepinfra.com/v1/openai",
        default_path="/v1/openai",
        # https://api.deepinfra.com/openapi.json (2026-11): the list is public, the account's record is not.
        key_proof=KeyProof(
            path="/models",
            proves_key=False,
            url="https://api.deepinfra.com/v1/me",
            record_fields=("uid", "email", "display_name"),
        ),
        get_key_url="https://deepinfra.com/dash/api_keys",
        catalog_id="deepinfra",
    ),
    ProviderSpec(
        type="moonshot",
        name="Moonshot",
        color="#0F766E",
        description="Kimi models",
        default_base_url="https://api.moonshot.ai/v1",
        # https://platform.moonshot.ai/docs/api/list-models (2026-11)
        get_key_url="https://platform.moonshot.ai/console/api-keys",
        key_prefix="sk-",
        catalog_id="moonshotai",
        quirks=(
            "Keys of platform.moonshot.cn are for https://api.moonshot.cn/v1 "
            "(https://platform.moonshot.ai/docs, 2026-11).",
        ),
    ),
    ProviderSpec(
        type="qwen",
        name="Qwen (DashScope)",
        color="#615CED",
        description="Qwen models of Alibaba Cloud Model Studio",
        default_base_url="https://dashscope-intl.aliyuncs.com/compatible-mode/v1",
        default_path="/compatible-mode/v1",
        # https://www.alibabacloud.com/help/en/model-studio/compatibility-of-openai-with-dashscope (2026-11)
        get_key_url="https://bailian.console.alibabacloud.com/?tab=model#/api-key",
        key_prefix="sk-",
        catalog_id="alibaba",
        quirks=(
            "Keys belong to a region: mainland keys are for https://dashscope.aliyuncs.com/compatible-mode/v1 "
            "(https://www.alibabacloud.com/help/en/model-studio/regions, 2026-11).",
        ),
    ),
    ProviderSpec(
        type="zai",
        name="Z.ai",
        color="#1D4ED8",
        description="GLM models",
        default_base_url="https://api.z.ai/api/paas/v4",
        default_path="/api/paas/v4",
        # https://docs.z.ai/api-reference/introduction (2026-11)
        get_key_url="https://z.ai/manage-apikey/apikey-list",
        catalog_id="zai",
    ),
    ProviderSpec(
        type="minimax",
        name="MiniMax",
        color="#E1306C",
        description="MiniMax models",
        default_base_url="https://api.minimax.io/v1",
        # https://platform.minimax.io/docs/api-reference/text-openai-api (2026-11)
        get_key_url="https://platform.minimax.io/user-center/basic-information/interface-key",
        catalog_id="minimax",
        quirks=(
            "Reasoning stands inside <think> tags unless reasoning_split is sent "
            "(https://platform.minimax.io/docs/api-reference/text-openai-api, 2026-11).",
        ),
    ),
    ProviderSpec(
        type="ollama",
        name="Ollama",
        color="#334155",
        description="Models on your own machine",
        default_base_url="http://127.0.0.1:11434/v1",
        local=True,
        requires_key=False,
        # https://docs.ollama.com/api/openai-compatibility (2026-11): the server itself asks for no key.
        key_proof=KeyProof(path="/models", proves_key=False, empty_post="/chat/completions"),
        quirks=(
            "Cuts the prompt at its own context length without an error, 4,096 tokens unless set higher "
            "(https://docs.ollama.com/faq, 2026-11).",
        ),
    ),
    ProviderSpec(
        type="vllm",
        name="vLLM",
        color="#B45309",
        description="Your own vLLM server",
        default_base_url="http://127.0.0.1:8000/v1",
        local=True,
        requires_key=False,
        # https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html (2026-11): --api-key guards /v1
        key_proof=KeyProof(path="/models", proves_key=False, empty_post="/chat/completions"),
        quirks=(
            "Tools need --enable-auto-tool-choice and a --tool-call-parser "
            "(https://docs.vllm.ai/en/latest/features/tool_calling.html, 2026-11).",
        ),
    ),
    ProviderSpec(
        type="lmstudio",
        name="LM Studio",
        color="#4338CA",
        description="Models on your own desktop",
        default_base_url="http://127.0.0.1:1234/v1",
        local=True,
        requires_key=False,
        # https://lmstudio.ai/docs/developer/openai-compat (2026-11)
        key_proof=KeyProof(path="/models", proves_key=False, empty_post="/chat/completions"),
        catalog_id="lmstudio",
    ),
    ProviderSpec(
        type="llamacpp",
        name="llama.cpp server",
        color="#9A3412",
        description="Your own llama-server",
        default_base_url="http://127.0.0.1:8080/v1",
        local=True,
        requires_key=False,
        # https://github.com/ggml-org/llama.cpp/tree/master/tools/server (2026-11): the list is public, also
        # with --api-key.
        key_proof=KeyProof(path="/models", proves_key=False, empty_post="/chat/completions"),
        quirks=(
            "Tools need --jinja "
            "(https://github.com/ggml-org/llama.cpp/blob/master/docs/function-calling.md, 2026-11).",
        ),
    ),
    ProviderSpec(
        type="litellm-proxy",
        name="LiteLLM proxy",
        color="#0369A1",
        description="A LiteLLM proxy that runs already",
        default_base_url="http://127.0.0.1:4000/v1",
        local=True,
        requires_key=False,
        # https://docs.litellm.ai/docs/proxy/virtual_keys (2026-11): with a master key set, /models needs a key.
        key_proof=KeyProof(path="/models", proves_key=False, empty_post="/chat/completions"),
        key_prefix="sk-",
        request_id_header="x-litellm-call-id",
    ),
    ProviderSpec(
        type="litellm",
        name="LiteLLM (any provider)",
        color="#BE185D",
        description="Any provider that LiteLLM's SDK can call, by LiteLLM's model string",
        default_base_url="process://litellm",
        default_path="",
        auth="litellm",
        requires_key=False,
        extra="litellm",
        # https://docs.litellm.ai/docs/completion/input (2026-11)
        chat_path="/v1/chat/completions",
        no_tasks=frozenset(TASKS),
        key_help="The provider's key; or what LiteLLM's documentation of the provider names instead, as a JSON "
        'object such as {"aws_access_key_id": "…", "aws_secret_access_key": "…"}.',
        recommended_for="providers without a row of their own",
        option_fields=(
            OptionField(
                name="models",
                label="Models",
                required=True,
                placeholder="watsonx/ibm/granite-3-8b-instruct",
                help="LiteLLM's model strings, separated by commas: docs.litellm.ai/docs/providers has one "
                "page per provider. The first is asked by Test Connection.",
                pattern=r"[\x21-\x7e]+([,\s]+[\x21-\x7e]+)*",
            ),
            OptionField(
                name="api_base",
                label="API base",
                placeholder="https://eu-de.ml.cloud.ibm.com",
                help="LiteLLM's api_base. Blank for the provider's own address.",
                pattern=r"[\x21-\x7e]+",
            ),
            OptionField(
                name="parameters",
                label="Parameters",
                placeholder='{"project_id": "my-project"}',
                help="Further parameters of LiteLLM's documentation as a JSON object; secret ones go into the key.",
                pattern=r"(?s).+",
            ),
        ),
        quirks=(
            "Calls run through LiteLLM's SDK in a process of its own (https://docs.litellm.ai/docs/completion/input, "
            "2026-11).",
        ),
    ),
    ProviderSpec(
        type="custom",
        name="Custom (OpenAI-compatible)",
        color="#64748B",
        description="Any server that speaks OpenAI's chat completions: a gateway, a proxy, your own",
        requires_key=False,
        key_proof=KeyProof(path="/models", proves_key=False),
    ),
    ProviderSpec(
        type="custom-anthropic",
        name="Custom (Anthropic-compatible)",
        color="#78716C",
        description="Any server that speaks Anthropic's messages",
        format="anthropic_messages",
        auth="x-api-key",
        requires_key=False,
        extra_headers=(("anthropic-version", "2023-06-01"),),
        chat_path="/messages",
        models_path="/models?limit=1000",
        key_proof=KeyProof(path="/models?limit=1000", proves_key=False),
        request_id_header="request-id",
    ),
)

_BY_TYPE = {spec.type: spec for spec in PROVIDER_SPECS}


def provider_spec(provider_type: str) -> ProviderSpec:
    """The row of a type; KeyError for a type we do not know."""
    return _BY_TYPE[provider_type]
