"""OpenRouter's additions to OpenAI's format: its cost, its comments, its public model list, its key record.

Shapes: https://openrouter.ai/docs/api-reference/overview (2026-11). The model list answers strangers; only
`/key` proves a key.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from ops_center.simulator import openai_chat
from ops_center.simulator.answers import compose
from ops_center.simulator.catalogues import SimulatedModel
from ops_center.simulator.config import SimulatorConfig
from ops_center.simulator.reply import EVENT_TYPE, Event, Reply, Tokens, json_reply, sse

PROCESSING = b": OPENROUTER PROCESSING\n\n"

_numbers = itertools.count(1)


def error_body(message: str, code: int) -> dict[str, Any]:
    return {"error": {"message": message, "code": code}}


def chat(body: dict[str, Any], model: SimulatedModel, config: SimulatorConfig) -> Reply:
    """A chat completion with `usage.cost`; a stream always ends with its usage. Raises openai_chat.Refused."""
    ask = openai_chat.read_ask(body)
    answer = compose(ask, seed=config.seed, answer_tokens=config.answer_tokens)
    tokens = Tokens(
        input=ask.input_tokens,
        output=answer.output_tokens,
        cache_read=min(config.cached_tokens, ask.input_tokens),
    )
    cost = model.cost_usd(tokens.input - tokens.cache_read, tokens.output, tokens.cache_read)
    usage = openai_chat.usage_body(tokens, answer.reasoning_tokens) | {
        "cost": float(cost or 0),
        "is_byok": False,
        "cost_details": {"upstream_inference_cost": None},
    }
    head = {
        "id": f"gen-{int(time.time())}-sim{next(_numbers):020d}",
        "created": int(time.time()),
        "model": model.id,
    }
    reply = Reply(model=model.id, tokens=tokens, cost_usd=cost or Decimal(0))
    failed = {"object": "chat.completion.chunk", "provider": "Simulator", **head}
    failed["error"] = {"code": 502, "message": "Provider returned error"}
    failed["choices"] = [{"index": 0, "delta": {"content": ""}, "finish_reason": "error"}]
    reply.error_event = sse(failed)
    if body.get("stream"):
        reply.headers = [EVENT_TYPE, ("cache-control", "no-cache")]
        events = openai_chat.stream(head, [answer], usage, True, config.chunk_tokens)
        reply.events = [Event(PROCESSING), *events]
        return reply
    completion = openai_chat.completion(head, [answer], usage) | {"provider": "Simulator"}
    for choice in completion["choices"]:
        choice["native_finish_reason"] = choice["finish_reason"]
    plain = json_reply(completion)
    reply.headers, reply.body = plain.headers, plain.body
    return reply


def model_list(models: Mapping[str, SimulatedModel], retiring: Mapping[str, str]) -> dict[str, Any]:
    """The public list; prices are strings in USD per token, "-1" where they depend on the route."""
    return {"data": [_model_row(model, retiring.get(model.id)) for model in models.values()]}


def _per_token(mtok: Decimal | None, dynamic: bool) -> str:
    if dynamic:
        return "-1"
    return format((mtok or Decimal(0)) / 1_000_000, "f")


def _model_row(model: SimulatedModel, last_day: str | None) -> dict[str, Any]:
    pricing = {
        "prompt": _per_token(model.input_mtok, model.dynamic_price),
        "completion": _per_token(model.output_mtok, model.dynamic_price),
        "request": "0",
        "image": "0",
        "web_search": "0",
        "internal_reasoning": "0",
    }
    if model.cache_read_mtok is not None:
        pricing["input_cache_read"] = _per_token(model.cache_read_mtok, False)
    if model.cache_write_mtok is not None:
        pricing["input_cache_write"] = _per_token(model.cache_write_mtok, False)
    parameters = ["max_tokens", "temperature", "top_p", "stop", "seed", "response_format"]
    if model.tools:
        parameters += ["tools", "tool_choice"]
    if model.reasoning:
        parameters += ["reasoning", "include_reasoning"]
    return {
        "id": model.id,
        "canonical_slug": model.id,
        "name": model.name,
        "created": model.created,
        "description": f"{model.name}, simulated.",
        "context_length": model.context_window,
        "architecture": {
            "modality": "+".join(model.input_modalities) + "->text",
            "input_modalities": list(model.input_modalities),
            "output_modalities": ["text"],
            "tokenizer": "Other",
            "instruct_type": None,
        },
        "pricing": pricing,
        "top_provider": {
            "context_length": model.context_window,
            "max_completion_tokens": model.max_output_tokens,
            "is_moderated": False,
        },
        "per_request_limits": None,
        "supported_parameters": parameters,
        "expiration_date": last_day,
    }


def key_record(key: str, spent_usd: Decimal) -> dict[str, Any]:
    """What `GET /key` says about a valid key."""
    return {
        "data": {
            "label": f"{key[:12]}...{key[-3:]}",
            "limit": None,
            "limit_reset": None,
            "limit_remaining": None,
            "include_byok_in_limit": False,
            "usage": float(spent_usd),
            "usage_daily": float(spent_usd),
            "usage_weekly": float(spent_usd),
            "usage_monthly": float(spent_usd),
            "byok_usage": 0,
            "is_free_tier": False,
            "is_provisioning_key": False,
            "rate_limit": {"requests": -1, "interval": "10s"},
        }
    }
