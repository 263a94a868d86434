"""Which simulated provider a path belongs to, who may come in, and what it answers. No sockets, no waiting.

/v1          OpenAI, and Anthropic where the path or the headers say so
/api/v1      OpenRouter
/custom/v1   an OpenAI-compatible server that asks for no key
/gemini      Google's Gemini API, /vertex the same of Vertex AI
/bedrock     Amazon Bedrock
/azure/openai, /cloudflare/ai   OpenAI's API as Azure and Cloudflare serve it
/cohere      Cohere
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs

from ops_center.simulator import (
    anthropic_messages,
    bedrock,
    cohere,
    gemini,
    openai_chat,
    openai_completions,
    openai_elsewhere,
    openai_responses,
    openai_tasks,
    openrouter,
)
from ops_center.simulator.catalogues import Family, listed
from ops_center.simulator.config import SimulatorConfig
from ops_center.simulator.reply import JSON_TYPE, Reply, Request, json_reply

_NO_KEY = (
    "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer "
    "auth (i.e. Authorization: Bearer YOUR_KEY)."
)


def family_of(request: Request) -> Family | None:
    """Whose path this is; None for a path of nobody."""
    path = request.path
    if path.startswith("/custom/v1/"):
        return "custom"
    if path.startswith("/api/v1/"):
        return "openrouter"
    if path.startswith(("/gemini/", "/vertex/")):
        return "gemini"
    if path.startswith("/bedrock/"):
        return "bedrock"
    if path.startswith("/cohere/"):
        return "cohere"
    if path.startswith(openai_elsewhere.PREFIXES):
        return "openai"
    if not path.startswith("/v1/"):
        return None
    if path.startswith("/v1/messages") or "anthropic-version" in request.headers:
        return "anthropic"
    return "anthropic" if "x-api-key" in request.headers else "openai"


def key_of(request: Request, family: Family) -> str:
    """The key that came along, "" for none."""
    if family == "anthropic" and "x-api-key" in request.headers:
        return request.headers["x-api-key"]
    if family == "gemini" and "x-goog-api-key" in request.headers:
        return request.headers["x-goog-api-key"]
    if family == "bedrock" and (signed := bedrock.ACCESS_KEY.match(request.headers.get("authorization", ""))):
        return signed[1]
    if family == "openai" and request.path.startswith("/azure/"):
        return request.headers.get("api-key", "")
    # Anthropic takes a bearer too, and its own client (2.x) sends its key that way (2026-11)
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" else ""


def is_inference(request: Request) -> bool:
    return request.method == "POST" and request.path != gemini.GRANT_PATH


def error_reply(family: Family, status: int, message: str | None = None) -> Reply:
    """An error of this status in the family's own shape."""
    if family == "anthropic":
        return json_reply(anthropic_messages.error_body(status, message), status=status)
    if family == "bedrock":
        return bedrock.error_reply(status, message)
    if family == "cohere":
        return json_reply(cohere.error_body(message), status=status)
    if family == "gemini":
        return json_reply(gemini.error_body(status, message), status=status)
    text, type, code = openai_chat.status_error(status)
    if family == "openrouter":
        return json_reply(openrouter.error_body(message or text, status), status=status)
    return json_reply(openai_chat.error_body(message or text, type, None, code), status=status)


def too_long_reply(family: Family) -> Reply:
    """A prompt longer than the model's window; OpenAI gives it a code of its own
    (https://platform.openai.com/docs/guides/error-codes, 2026-11), others say it in words."""
    text = "This model's maximum context length is 8192 tokens. Your messages resulted in more."
    if family in ("openai", "custom"):
        error = openai_chat.error_body(text, "invalid_request_error", "messages", "context_length_exceeded")
        return json_reply(error, status=400)
    return error_reply(family, 400, text)


def moderated_reply() -> Reply:
    """OpenRouter's refusal of a flagged prompt (https://openrouter.ai/docs/api-reference/errors, 2026-11)."""
    error = openrouter.error_body("Your input was flagged by the provider's moderation", 403)
    error["error"]["metadata"] = {
        "reasons": ["violence"],
        "flagged_input": "...",
        "provider_name": "Simulated",
    }
    return json_reply(error, status=403)


def check_key(request: Request, family: Family, key: str, config: SimulatorConfig) -> Reply | None:
    """The refusal of a missing or wrong key; None for a good one."""
    if request.path == gemini.GRANT_PATH:
        return None  # the assertion is the key
    if family == "openrouter" and request.method == "GET" and request.path == "/api/v1/models":
        return None
    wrong = (
        key not in config.valid_keys
        if config.valid_keys is not None
        else any(word in key.lower() for word in config.refused_key_words)
    )
    if key and not wrong:
        if family == "anthropic" and "anthropic-version" not in request.headers:
            return error_reply(family, 400, "anthropic-version: header is required")
        return None
    if family == "custom" and not key and config.valid_keys is None:
        return None
    if family == "anthropic":
        return error_reply(family, 401, "invalid x-api-key" if key else "x-api-key header is required")
    if family == "openrouter":
        return error_reply(family, 401, "User not found." if key else "No auth credentials found")
    if family == "cohere":
        return error_reply(family, 401, "invalid api token" if key else "no api key supplied")
    if family == "bedrock":
        return error_reply(family, 403, "The security token included in the request is invalid.")
    if family == "gemini":
        return gemini.refused_key() if key else error_reply(family, 403, "Method doesn't allow strangers.")
    if not key:
        return json_reply(openai_chat.error_body(_NO_KEY, "invalid_request_error"), status=401)
    shown = f"{key[:6]}{'*' * 8}{key[-4:]}" if len(key) > 12 else "*" * len(key)
    return error_reply(family, 401, f"Incorrect API key provided: {shown}.")


class Answerer:
    """Answers a request that was let in. Keeps Anthropic's prompt cache between requests."""

    def __init__(self) -> None:
        self.cache = anthropic_messages.PromptCache()

    def answer(
        self, request: Request, family: Family, key: str, config: SimulatorConfig, spent_usd: Decimal
    ) -> Reply:
        """The faultless reply. `spent_usd` is what OpenRouter's key record shows."""
        if request.path.startswith(openai_elsewhere.PREFIXES):
            request = openai_elsewhere.as_openai(request)
        path = request.path.removeprefix("/custom").removeprefix("/api").removeprefix("/v1")
        try:
            if request.method == "GET":
                return self._get(path, request, family, key, config, spent_usd)
            if request.method == "POST":
                return self._post(path, request, family, key, config)
        except (
            openai_chat.Refused,
            anthropic_messages.Refused,
            gemini.Refused,
            bedrock.Refused,
            cohere.Refused,
        ) as refused:
            if family == "openrouter":
                return error_reply(family, refused.status, refused.message)
            return refused.reply()
        return error_reply(family, 405, f"Not allowed: {request.method} {request.path}")

    def _get(
        self,
        path: str,
        request: Request,
        family: Family,
        key: str,
        config: SimulatorConfig,
        spent_usd: Decimal,
    ) -> Reply:
        models = listed(family, config.list_magic_models)
        if family == "openrouter":
            if path == "/models":
                return json_reply(openrouter.model_list(models, config.retiring))
            if path in ("/key", "/auth/key"):
                return json_reply(openrouter.key_record(key, spent_usd))
        elif family == "anthropic":
            if path == "/models":
                query = parse_qs(request.query)
                limit = int(query.get("limit", ["20"])[0])
                after = query.get("after_id", [None])[0]
                return json_reply(anthropic_messages.model_list(models, min(max(limit, 1), 1000), after))
        elif family == "cohere":
            if path == "/cohere/v1/models":
                return json_reply(cohere.model_list(models))
        elif family == "bedrock":
            if path == "/bedrock/foundation-models":
                return json_reply(bedrock.foundation_models(models))
            if path == "/bedrock/inference-profiles":
                return json_reply(bedrock.inference_profiles(models))
        elif family == "gemini":
            if request.path.endswith("/publishers/google/models"):
                return json_reply(gemini.publisher_model_list(models))
            if request.path.endswith("/models"):
                return json_reply(gemini.model_list(models))
        else:
            if request.path == "/cloudflare/ai/models/search":
                return openai_elsewhere.cloudflare_list(models.values())
            owner = "system" if family == "openai" else "local"
            if path == "/models":
                return json_reply(openai_chat.model_list(models, owner))
            name = path.removeprefix("/models/")
            if name in models:
                return json_reply(openai_chat.model_row(models[name], owner))
        return error_reply(family, 404, f"Not found: {request.path}")

    def _post(self, path: str, request: Request, family: Family, key: str, config: SimulatorConfig) -> Reply:
        if family == "anthropic":
            if path not in ("/messages", "/messages/count_tokens"):
                return error_reply(family, 404, f"Not found: {request.path}")
            body = anthropic_messages.decode(request.body)
            model = anthropic_messages.find_model(body)
            if path == "/messages/count_tokens":
                return anthropic_messages.count_message_tokens(body)
            return anthropic_messages.messages(body, model, config, self.cache, key)
        if request.path == gemini.GRANT_PATH:
            return gemini.token(request.body)
        if family == "gemini":
            return gemini.generate(request.path, request.query, request.body, config)
        if family == "cohere" and path == "/cohere/v2/chat":
            return cohere.chat(request.body, config)
        if family == "cohere" and path == "/cohere/compatibility/v1/embeddings":
            body = openai_chat.decode(request.body)
            return openai_chat.embeddings(body, openai_chat.find_model(body, family))
        if family == "cohere" and path == "/cohere/v2/rerank":
            reply = openai_tasks.answer("/rerank", request, family)
            assert reply is not None
            return cohere.reranked(reply)
        if family == "bedrock":
            return bedrock.converse(request.path, request.body, config)
        handlers: dict[str, Callable[[dict[str, Any]], Reply]] = {
            "/chat/completions": lambda body: self._chat(body, family, config),
            "/embeddings": lambda body: openai_chat.embeddings(body, openai_chat.find_model(body, family)),
        }
        if family in ("openai", "custom"):
            handlers["/responses"] = lambda body: openai_responses.responses(
                body, openai_chat.find_model(body, family), config
            )
            handlers["/completions"] = lambda body: openai_completions.completions(
                body, openai_chat.find_model(body, family), config
            )
        if path not in handlers:
            reply = openai_tasks.answer(path, request, family)
            return reply or error_reply(family, 404, f"Not found: {request.path}")
        return handlers[path](openai_chat.decode(request.body))

    def _chat(self, body: dict[str, Any], family: Family, config: SimulatorConfig) -> Reply:
        model = openai_chat.find_model(body, family)
        if family == "openrouter":
            return openrouter.chat(body, model, config)
        if openai_responses.ONLY_HERE.fullmatch(model.id):
            raise openai_chat.Refused(
                "This model is only supported in v1/responses and not in v1/chat/completions.",
                status=404,
                param="model",
            )
        return openai_chat.chat(body, model, config)


def not_found(path: str) -> Reply:
    return Reply(status=404, headers=[JSON_TYPE], body=b'{"error":{"message":"Unknown path"}}')
