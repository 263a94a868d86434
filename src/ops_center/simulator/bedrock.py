"""Amazon Bedrock as it answers Converse: whole, streamed in AWS's binary frames, with its model lists and errors.

Shapes: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html (2026-11). Refuses
what Bedrock refuses: turns that do not alternate, calls without a tool configuration, thinking unsigned.
"""

from __future__ import annotations

import binascii
import re
import struct
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

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
from ops_center.simulator.reply import JSON_TYPE, Event, Reply, Tokens, json_reply

SIGNATURE = "c2ltdWxhdGVkIHNpZ25hdHVyZQ=="
THOUGHT = "The simulator thinks about it."
ACCESS_KEY = re.compile(r"AWS4-HMAC-SHA256 Credential=([A-Z0-9]+)/\d{8}/([a-z0-9-]+)/bedrock/aws4_request, ")

_PATH = re.compile(r"/model/([^/]+)/(converse|converse-stream)$")
_TYPES = {
    400: "ValidationException",
    403: "AccessDeniedException",
    404: "ResourceNotFoundException",
    408: "ModelTimeoutException",
    424: "ModelErrorException",
    429: "ThrottlingException",
    500: "InternalServerException",
    503: "ServiceUnavailableException",
}


class Refused(Exception):
    """The request is one that Bedrock refuses."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status, self.message = status, message

    def reply(self) -> Reply:
        return error_reply(self.status, self.message)


def error_reply(status: int, message: str | None = None) -> Reply:
    return json_reply(
        {"message": message or "The simulated service could not answer."},
        status=status,
        headers=[("x-amzn-errortype", _TYPES.get(status, "InternalServerException"))],
    )


def foundation_models(models: Mapping[str, SimulatedModel]) -> dict[str, Any]:
    """As `ListFoundationModels` has them; the newer Claude answers under its profiles only."""
    return {
        "modelSummaries": [
            {
                "modelArn": f"arn:aws:bedrock:us-east-1::foundation-model/{model.id}",
                "modelId": model.id,
                "modelName": model.name,
                "providerName": model.id.partition(".")[0],
                "inputModalities": [word.upper() for word in model.input_modalities if word != "pdf"],
                "outputModalities": ["TEXT"],
                "responseStreamingSupported": True,
                "inferenceTypesSupported": _types_of(model),
                "modelLifecycle": {"status": "ACTIVE"},
            }
            for model in models.values()
        ]
    }


def inference_profiles(models: Mapping[str, SimulatedModel]) -> dict[str, Any]:
    return {
        "inferenceProfileSummaries": [
            {
                "inferenceProfileId": f"us.{model.id}",
                "inferenceProfileName": f"US {model.name}",
                "status": "ACTIVE",
                "type": "SYSTEM_DEFINED",
            }
            for model in models.values()
            if _types_of(model) == ["INFERENCE_PROFILE"]
        ]
    }


def _types_of(model: SimulatedModel) -> list[str]:
    return ["INFERENCE_PROFILE"] if "sonnet" in model.id else ["ON_DEMAND"]


def converse(path: str, body: bytes, config: SimulatorConfig) -> Reply:
    """The answer to a POST. Raises Refused."""
    match = _PATH.search(path)
    if match is None:
        raise Refused(f"Unknown operation: {path}", 404)
    name = unquote(match[1])
    model = find("bedrock", name.removeprefix("us."))
    if model is None:
        raise Refused("The provided model identifier is invalid.")
    try:
        request = msgspec.json.decode(body)
    except msgspec.DecodeError:
        raise Refused("Unexpected token in the request body.") from None
    if not isinstance(request, dict):
        raise Refused("The request body must be an object.")
    ask, thinks = _ask(request, model)
    answer = compose(ask, seed=config.seed, answer_tokens=config.answer_tokens)
    tokens = Tokens(
        input=ask.input_tokens,
        output=answer.output_tokens,
        cache_read=min(config.cached_tokens, ask.input_tokens),
    )
    reply = Reply(
        model=model.id,
        tokens=tokens,
        cost_usd=model.cost_usd(tokens.input - tokens.cache_read, tokens.output, tokens.cache_read),
        error_event=frame(
            {"message": "The simulated service failed."},
            {":message-type": "exception", ":exception-type": "internalServerException"},
        ),
    )
    usage = {
        "inputTokens": tokens.input - tokens.cache_read,
        "outputTokens": tokens.output,
        "totalTokens": tokens.input + tokens.output,
        "cacheReadInputTokens": tokens.cache_read,
        "cacheWriteInputTokens": 0,
    }
    end: dict[str, Any] = {"stopReason": _stop_reason(answer)}
    if answer.stopped_by and "/stop_sequence" in (request.get("additionalModelResponseFieldPaths") or ()):
        end["additionalModelResponseFields"] = {"stop_sequence": answer.stopped_by}
    if match[2] == "converse":
        message = {"role": "assistant", "content": _content(answer, thinks)}
        whole = {"output": {"message": message}, "usage": usage, "metrics": {"latencyMs": 1}, **end}
        reply.headers = [JSON_TYPE]
        reply.body = msgspec.json.encode(whole)
    else:
        reply.headers = [("content-type", "application/vnd.amazon.eventstream")]
        reply.events = _stream(answer, thinks, end, usage, config.chunk_tokens)
    return reply


def _stop_reason(answer: Answer) -> str:
    words = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use"}
    return words.get(answer.finish, answer.finish)


def _ask(request: Mapping[str, Any], model: SimulatedModel) -> tuple[Ask, bool]:
    messages = request.get("messages")
    if not isinstance(messages, list) or not messages:
        raise Refused("A conversation must start with a user message.")
    system = "".join(block.get("text", "") for block in request.get("system") or ())
    tokens = MESSAGE_TOKENS + count_tokens(system) if system else 0
    tool_config = request.get("toolConfig") or {}
    last_text, results, asked, role = "", [], set[str](), "assistant"
    for number, message in enumerate(messages):
        if message.get("role") not in ("user", "assistant") or message["role"] == role:
            raise Refused("roles must alternate between user and assistant, beginning with user.")
        role = message["role"]
        text, found, calls, cost = _read(message.get("content") or [], number)
        tokens += MESSAGE_TOKENS + count_tokens(text) + cost
        if (found or calls) and not tool_config.get("tools"):
            raise Refused("The toolConfig field must be defined when using toolUse and toolResult.")
        if {result[0] for result in found} != asked:
            raise Refused(f"messages.{number}: the toolResult blocks do not match the toolUse blocks before.")
        asked = set(calls)
        if role == "user":
            results = [result[1] for result in found]
            tokens += sum(count_tokens(result) for result in results)
            last_text = text or last_text
    tools = tuple(
        Tool(tool["toolSpec"]["name"], tool["toolSpec"]["inputSchema"]["json"])
        for tool in tool_config.get("tools") or ()
        if "toolSpec" in tool
    )
    tokens += sum(count_tokens(tool.name + compact(tool.schema)) for tool in tools)
    choice = tool_config.get("toolChoice") or {}
    forced = "*" if "any" in choice else (choice.get("tool") or {}).get("name")
    inference = request.get("inferenceConfig") or {}
    more = request.get("additionalModelRequestFields") or {}
    thinks = (more.get("thinking") or {}).get("type") in ("enabled", "adaptive")
    if thinks and (more["thinking"].get("budget_tokens") or 0) >= (inference.get("maxTokens") or 10**9):
        raise Refused("`max_tokens` must be greater than `thinking.budget_tokens`.")
    schema = None
    text_format = (request.get("outputConfig") or {}).get("textFormat")
    if text_format:
        schema = msgspec.json.decode(text_format["structure"]["jsonSchema"]["schema"])
    ask = Ask(
        model=model.id,
        last_text=last_text,
        tool_results=tuple(results),
        input_tokens=tokens,
        max_tokens=inference.get("maxTokens"),
        stops=tuple(inference.get("stopSequences") or ()),
        tools=tools,
        forced_tool=forced,
        json_schema=schema,
        reasoning_tokens=REASONING_TOKENS["low"] if thinks else 0,
    )
    return ask, thinks


def _read(content: list[Any], number: int) -> tuple[str, list[tuple[str, str]], list[str], int]:
    """The text of a turn, its results (call and text), the ids of its calls, and what else it costs."""
    texts: list[str] = []
    results: list[tuple[str, str]] = []
    calls: list[str] = []
    cost = 0
    for block in content:
        if "text" in block:
            if not block["text"].strip():
                raise Refused(f"The text field in the ContentBlock object at messages.{number} is blank.")
            texts.append(block["text"])
        elif "image" in block or "document" in block:
            kind = "image" if "image" in block else "document"
            try:
                binascii.a2b_base64(block[kind]["source"]["bytes"], strict_mode=True)
            except (KeyError, binascii.Error):
                raise Refused(f"The {kind} at messages.{number} could not be processed.") from None
            cost += IMAGE_TOKENS
        elif "toolUse" in block:
            use = block["toolUse"]
            calls.append(use["toolUseId"])
            cost += count_tokens(use["name"] + compact(use["input"]))
        elif "toolResult" in block:
            result = block["toolResult"]
            results.append((result["toolUseId"], "".join(b.get("text", "") for b in result["content"])))
        elif "reasoningContent" in block:
            text = block["reasoningContent"].get("reasoningText")
            if text is not None and text.get("signature") != SIGNATURE:
                raise Refused(f"messages.{number}: Invalid `signature` in `thinking` block.")
        elif "cachePoint" not in block:
            raise Refused(f"messages.{number}: unknown content block.")
    return "".join(texts), results, calls, cost


def _content(answer: Answer, thinks: bool) -> list[dict[str, Any]]:
    content: list[dict[str, Any]] = []
    if thinks:
        text = {"text": THOUGHT, "signature": SIGNATURE}
        content.append({"reasoningContent": {"reasoningText": text}})
    if answer.text:
        content.append({"text": answer.text})
    for call in answer.calls:
        use = {
            "toolUseId": f"tooluse_{call.id}",
            "name": call.name,
            "input": msgspec.json.decode(call.arguments),
        }
        content.append({"toolUse": use})
    return content


def _stream(
    answer: Answer, thinks: bool, end: Mapping[str, Any], usage: Mapping[str, Any], chunk_tokens: int
) -> list[Event]:
    events: list[Event] = []
    index = 0

    def event(kind: str, body: Mapping[str, Any], tokens: int = 0) -> None:
        headers = {":event-type": kind, ":content-type": "application/json", ":message-type": "event"}
        events.append(Event(frame({**body, "p": "abcdefgh"}, headers), tokens))

    def delta(value: Mapping[str, Any], tokens: int = 0) -> None:
        event("contentBlockDelta", {"contentBlockIndex": index, "delta": value}, tokens)

    event("messageStart", {"role": "assistant"}, 0)
    if thinks:
        delta({"reasoningContent": {"text": THOUGHT}}, answer.reasoning_tokens)
        delta({"reasoningContent": {"signature": SIGNATURE}})
        event("contentBlockStop", {"contentBlockIndex": index})
        index += 1
    if answer.text:
        for piece in pieces(answer.text, chunk_tokens):
            delta({"text": piece}, count_tokens(piece))
        event("contentBlockStop", {"contentBlockIndex": index})
        index += 1
    for call in answer.calls:
        start = {"toolUse": {"toolUseId": f"tooluse_{call.id}", "name": call.name}}
        of_name = count_tokens(call.name + call.arguments) - count_tokens(call.arguments)
        event("contentBlockStart", {"contentBlockIndex": index, "start": start}, of_name)
        for piece in pieces(call.arguments, chunk_tokens):
            delta({"toolUse": {"input": piece}}, count_tokens(piece))
        event("contentBlockStop", {"contentBlockIndex": index})
        index += 1
    event("messageStop", end)
    event("metadata", {"usage": usage, "metrics": {"latencyMs": 1}})
    return events


def frame(body: Mapping[str, Any], headers: Mapping[str, str]) -> bytes:
    """One message of an event stream: https://smithy.io/2.0/aws/amazon-eventstream.html (2026-11)."""
    head = b"".join(
        bytes([len(name)]) + name.encode() + b"\x07" + struct.pack(">H", len(value)) + value.encode()
        for name, value in headers.items()
    )
    payload = msgspec.json.encode(body)
    prelude = struct.pack(">II", 16 + len(head) + len(payload), len(head))
    message = prelude + struct.pack(">I", binascii.crc32(prelude)) + head + payload
    return message + struct.pack(">I", binascii.crc32(message))
