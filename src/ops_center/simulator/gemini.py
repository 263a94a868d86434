"""Google's generateContent as the Gemini API and Vertex AI answer it: content, streams, the model lists, errors.

Shapes: https://ai.google.dev/api/generate-content (2026-11). Refuses what Google refuses: function results
without a call, and in the newer generation calls that come back without their signature.
"""

from __future__ import annotations

import base64
import itertools
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, unquote

import msgspec

from ops_center.simulator.answers import (
    IMAGE_TOKENS,
    MESSAGE_TOKENS,
    REASONING_TOKENS,
    Answer,
    Ask,
    Tool,
    compact,
    compose,
    count_tokens,
)
from ops_center.simulator.catalogues import SimulatedModel, find
from ops_center.simulator.config import SimulatorConfig
from ops_center.simulator.openai_chat import pieces
from ops_center.simulator.reply import EVENT_TYPE, JSON_TYPE, Event, Reply, Tokens, json_reply, sse

SIGNATURE = "c2ltdWxhdGVkIHNpZ25hdHVyZQ=="
THOUGHT = "**Looking at the question** The simulator thinks about it."

GRANT_PATH = "/vertex/token"

_PATH = re.compile(r"/models/([^/:]+(?:%3A[^/:]*)?):(generateContent|streamGenerateContent|countTokens)$")
_SIGNED = re.compile(r"gemini-[3-9]|latest")
_SKIP = (
    "skip_thought_signature_validator"  # https://ai.google.dev/gemini-api/docs/thought-signatures (2026-11)
)
_WORDS = {400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND"}
_WORDS |= {429: "RESOURCE_EXHAUSTED", 500: "INTERNAL", 503: "UNAVAILABLE", 504: "DEADLINE_EXCEEDED"}
_numbers = itertools.count(1)


class Refused(Exception):
    """The request is one that Google refuses."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status, self.message = status, message

    def reply(self) -> Reply:
        return json_reply(error_body(self.status, self.message), status=self.status)


def error_body(status: int, message: str | None = None) -> dict[str, Any]:
    error: dict[str, Any] = {
        "code": status,
        "message": message or "The simulated service could not answer.",
        "status": _WORDS.get(status, "UNKNOWN"),
    }
    if status == 429:
        error["details"] = [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "17s"}]
    return {"error": error}


def refused_key() -> Reply:
    """A wrong API key is a 400 at Google; only the reason inside tells it from other faults."""
    body = error_body(400, "API key not valid. Please pass a valid API key.")
    body["error"]["details"] = [
        {
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": "API_KEY_INVALID",
            "domain": "googleapis.com",
        }
    ]
    return json_reply(body, status=400)


def model_list(models: Mapping[str, SimulatedModel]) -> dict[str, Any]:
    return {
        "models": [
            {
                "name": f"models/{model.id}",
                "version": "001",
                "displayName": model.name,
                "inputTokenLimit": model.context_window,
                "outputTokenLimit": model.max_output_tokens,
                "supportedGenerationMethods": ["generateContent", "countTokens"],
                "thinking": model.reasoning,
            }
            for model in models.values()
        ]
    }


def publisher_model_list(models: Mapping[str, SimulatedModel]) -> dict[str, Any]:
    """Vertex AI's list."""
    return {
        "publisherModels": [
            {"name": f"publishers/google/models/{model.id}", "versionId": "default", "launchStage": "GA"}
            for model in models.values()
        ]
    }


def token(body: bytes) -> Reply:
    """What Google's token endpoint grants for a service account's assertion. Looks at its claims, not at its
    signature: the simulator knows nobody's key."""
    form = parse_qs(body.decode("latin-1"))
    try:
        claims = form["assertion"][0].split(".")[1]
        claim = msgspec.json.decode(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
        issuer = str(claim["iss"])
    except (KeyError, IndexError, ValueError, msgspec.DecodeError):
        return json_reply({"error": "invalid_request", "error_description": "Bad assertion."}, status=400)
    if "wrong" in issuer:
        return json_reply({"error": "invalid_grant", "error_description": "Invalid JWT."}, status=400)
    granted = {"access_token": f"ya29.sim-{next(_numbers)}", "expires_in": 3599, "token_type": "Bearer"}
    return json_reply(granted)


def generate(path: str, query: str, body: bytes, config: SimulatorConfig) -> Reply:
    """The answer to a POST. Raises Refused."""
    match = _PATH.search(path)
    if match is None:
        raise Refused(f"Not found: {path}", 404)
    name = unquote(match[1])
    model = find("gemini", name)
    if model is None:
        raise Refused(f"models/{name} is not found for API version v1beta.", 404)
    try:
        request = msgspec.json.decode(body)
    except msgspec.DecodeError:
        raise Refused("Invalid JSON payload received.") from None
    if not isinstance(request, dict):
        raise Refused("Invalid JSON payload received.")
    generation = request.get("generationConfig") or {}
    ask = _ask(request, generation, model)
    if match[2] == "countTokens":
        return json_reply({"totalTokens": ask.input_tokens})
    if match[2] == "streamGenerateContent" and query != "alt=sse":
        raise Refused("The simulator streams with alt=sse only.")
    answers: list[Answer] = []
    for choice in range(generation.get("candidateCount") or 1):
        ask.choice = choice
        answers.append(compose(ask, seed=config.seed, answer_tokens=config.answer_tokens))
    reasoning = sum(answer.reasoning_tokens for answer in answers)
    tokens = Tokens(
        input=ask.input_tokens,
        output=sum(answer.output_tokens for answer in answers),
        cache_read=min(config.cached_tokens, ask.input_tokens),
    )
    thoughts = bool((generation.get("thinkingConfig") or {}).get("includeThoughts"))
    head = {"modelVersion": model.id, "responseId": f"sim{next(_numbers):020d}"}
    reply = Reply(
        model=model.id,
        tokens=tokens,
        cost_usd=model.cost_usd(tokens.input - tokens.cache_read, tokens.output, tokens.cache_read),
        error_event=sse(error_body(500)),
    )
    usage = _usage(tokens, reasoning)
    if match[2] == "generateContent":
        candidates = [
            {
                "content": {"role": "model", "parts": _parts(answer, model, thoughts)},
                "finishReason": _finish(answer),
                "index": index,
            }
            for index, answer in enumerate(answers)
        ]
        reply.headers = [JSON_TYPE]
        reply.body = msgspec.json.encode({"candidates": candidates, "usageMetadata": usage, **head})
    else:
        reply.headers = [EVENT_TYPE]
        reply.events = list(_stream(answers, model, thoughts, usage, head, config.chunk_tokens))
    return reply


def _ask(request: Mapping[str, Any], generation: Mapping[str, Any], model: SimulatedModel) -> Ask:
    contents = request.get("contents")
    if not isinstance(contents, list) or not contents:
        raise Refused("* GenerateContentRequest.contents: contents is not specified")
    system = "".join(
        part.get("text", "") for part in (request.get("systemInstruction") or {}).get("parts", ())
    )
    tokens = MESSAGE_TOKENS + count_tokens(system) if system else 0
    last_text = ""
    results: list[str] = []
    asked: list[str] = []  # functions of the last model turn without a result yet
    for number, content in enumerate(contents):
        parts = content.get("parts") if isinstance(content, dict) else None
        if not parts or content.get("role") not in ("user", "model"):
            raise Refused(f"Invalid content at contents[{number}]")
        text = "".join(part.get("text", "") for part in parts)
        tokens += MESSAGE_TOKENS + count_tokens(text)
        calls = [part for part in parts if "functionCall" in part]
        returned = [part["functionResponse"] for part in parts if "functionResponse" in part]
        tokens += IMAGE_TOKENS * sum("inlineData" in part or "fileData" in part for part in parts)
        for part in parts:
            data = part.get("inlineData") or part.get("fileData")
            if data is not None and not (data.get("data") or data.get("fileUri")):
                raise Refused(f"Unable to process input image at contents[{number}]")
        if returned:
            if sorted(result.get("name", "") for result in returned) != sorted(asked):
                raise Refused(
                    "Please ensure that the number of function response parts is equal to the number of "
                    "function call parts of the function call turn."
                )
            results = [_result_text(result) for result in returned]
            tokens += sum(count_tokens(result) for result in results)
            asked = []
        elif content["role"] == "user" and text:
            last_text, results = text, []
        if calls:
            if _SIGNED.search(model.id) and not calls[0].get("thoughtSignature"):
                raise Refused(
                    f"Function call is missing a thought_signature in functionCall parts, position {number}."
                )
            if calls[0].get("thoughtSignature") not in (None, SIGNATURE, _SKIP):
                raise Refused("Corrupted thought signature.")
            asked = [part["functionCall"].get("name", "") for part in calls]
            for part in calls:
                call = part["functionCall"]
                tokens += count_tokens(call.get("name", "") + compact(call.get("args") or {}))
    tools = tuple(
        Tool(function["name"], function.get("parametersJsonSchema") or function.get("parameters") or {})
        for tool in request.get("tools") or ()
        for function in tool.get("functionDeclarations") or ()
    )
    tokens += sum(count_tokens(tool.name + compact(tool.schema)) for tool in tools)
    choice = (request.get("toolConfig") or {}).get("functionCallingConfig") or {}
    forced = None
    if choice.get("mode") == "ANY":
        names = choice.get("allowedFunctionNames")
        forced = names[0] if names and len(names) == 1 else "*"
    thinking = generation.get("thinkingConfig") or {}
    if "thinkingBudget" in thinking and "thinkingLevel" in thinking:
        raise Refused("You can only set only one of thinking budget and thinking level.")
    level = thinking.get("thinkingLevel")
    if level is None and thinking.get("thinkingBudget"):
        level = "low"
    schema = None
    if generation.get("responseMimeType") == "application/json":
        schema = generation.get("responseJsonSchema") or generation.get("responseSchema") or {}
    return Ask(
        model=model.id,
        last_text=last_text,
        tool_results=tuple(results),
        input_tokens=tokens,
        max_tokens=generation.get("maxOutputTokens"),
        stops=tuple(generation.get("stopSequences") or ()),
        tools=tools,
        forced_tool=forced,
        tools_allowed=choice.get("mode") != "NONE",
        json_schema=schema,
        reasoning_tokens=REASONING_TOKENS.get(str(level), 0),
    )


def _result_text(result: Mapping[str, Any]) -> str:
    response = result.get("response") or {}
    if set(response) in ({"output"}, {"error"}):
        return str(next(iter(response.values())))
    return compact(response)


def _usage(tokens: Tokens, reasoning: int) -> dict[str, Any]:
    usage = {
        "promptTokenCount": tokens.input,
        "candidatesTokenCount": tokens.output - reasoning,
        "totalTokenCount": tokens.input + tokens.output,
    }
    if reasoning:
        usage["thoughtsTokenCount"] = reasoning
    if tokens.cache_read:
        usage["cachedContentTokenCount"] = tokens.cache_read
    return usage


def _finish(answer: Answer) -> str:
    return "MAX_TOKENS" if answer.finish == "length" else "STOP"


def _call_parts(answer: Answer, model: SimulatedModel) -> list[dict[str, Any]]:
    parts: list[dict[str, Any]] = []
    for call in answer.calls:
        function: dict[str, Any] = {"name": call.name, "args": msgspec.json.decode(call.arguments)}
        if _SIGNED.search(model.id):
            function["id"] = call.id[:12]
        parts.append({"functionCall": function})
    if parts and _SIGNED.search(model.id):
        parts[0]["thoughtSignature"] = SIGNATURE
    return parts


def _parts(answer: Answer, model: SimulatedModel, thoughts: bool) -> list[dict[str, Any]]:
    parts: list[dict[str, Any]] = [{"text": THOUGHT, "thought": True}] if thoughts else []
    if answer.text:
        parts.append({"text": answer.text})
    return parts + _call_parts(answer, model)


def _stream(
    answers: list[Answer],
    model: SimulatedModel,
    thoughts: bool,
    usage: Mapping[str, Any],
    head: Mapping[str, Any],
    chunk_tokens: int,
) -> list[Event]:
    """Each event is a whole answer object with the next parts; the last of a candidate says why it ended."""
    events: list[Event] = []
    so_far = {"promptTokenCount": usage["promptTokenCount"], "totalTokenCount": usage["promptTokenCount"]}

    def event(index: int, parts: list[dict[str, Any]], tokens: int, finish: str | None = None) -> None:
        candidate: dict[str, Any] = {"content": {"role": "model", "parts": parts}, "index": index}
        if finish:
            candidate["finishReason"] = finish
        last = finish is not None and index == len(answers) - 1
        body = {"candidates": [candidate], "usageMetadata": usage if last else so_far, **head}
        events.append(Event(sse(body), tokens))

    for index, answer in enumerate(answers):
        if thoughts:
            event(index, [{"text": THOUGHT, "thought": True}], answer.reasoning_tokens)
        for piece in pieces(answer.text, chunk_tokens):
            event(index, [{"text": piece}], count_tokens(piece))
        calls = _call_parts(answer, model)
        if calls:
            spoken = sum(count_tokens(call.name + call.arguments) for call in answer.calls)
            event(index, calls, spoken)
        left = 0 if thoughts else answer.reasoning_tokens
        event(index, [{"text": ""}], left, _finish(answer))
    return events
