"""The simulated OpenAI endpoints beside chat: pictures, speech, transcriptions, moderations, and reranking
as Jina answers it. What comes back depends on the request alone.

References (2026-11): https://platform.openai.com/docs/api-reference/images,
https://platform.openai.com/docs/api-reference/audio, https://platform.openai.com/docs/api-reference/moderations,
https://api.jina.ai/redoc.
"""

from __future__ import annotations

import base64
import hashlib
import struct
import zlib
from collections.abc import Callable, Mapping
from email import message_from_bytes
from typing import Any

from ops_center.simulator.answers import count_tokens
from ops_center.simulator.catalogues import Family, SimulatedModel
from ops_center.simulator.openai_chat import Refused, decode, find_model
from ops_center.simulator.reply import EVENT_TYPE, Event, Reply, Request, Tokens, json_reply, sse

IMAGE_OUTPUT_TOKENS = 272
AUDIO_SECONDS_PER_KILOBYTE = 1
_CATEGORIES = ("harassment", "hate", "illicit", "self-harm", "sexual", "violence")
_SOUND_TYPES = {
    "mp3": "audio/mpeg",
    "opus": "audio/ogg",
    "aac": "audio/aac",
    "flac": "audio/flac",
    "wav": "audio/wav",
    "pcm": "audio/pcm",
}


def answer(path: str, request: Request, family: Family) -> Reply | None:
    """The reply of one of these endpoints; None for a path that is none of them. Raises Refused."""
    handler = _HANDLERS.get(path)
    if handler is None:
        return None
    body = read_form(request) if path == "/audio/transcriptions" else decode(request.body)
    if path == "/moderations":
        body = {"model": "omni-moderation-latest", **body}
    model = find_model(body, family)
    reply = handler(body, model)
    reply.model = model.id
    return reply


def read_form(request: Request) -> dict[str, Any]:
    """The fields of a multipart form; files as bytes. Raises Refused."""
    head = f"Content-Type: {request.headers.get('content-type', '')}\r\n\r\n".encode()
    form = message_from_bytes(head + request.body)
    if not form.is_multipart():
        raise Refused("Could not parse multipart form")
    fields: dict[str, Any] = {}
    for part in form.get_payload():
        name = part.get_param("name", header="content-disposition")  # type: ignore[union-attr]
        value = part.get_payload(decode=True)  # type: ignore[union-attr]
        fields[str(name)] = value if part.get_filename() else value.decode()  # type: ignore[union-attr]
    return fields


def _needed(body: Mapping[str, Any], field: str) -> Any:
    value = body.get(field)
    if value in (None, "", []):
        raise Refused(
            f"Missing required parameter: '{field}'.", param=field, code="missing_required_parameter"
        )
    return value


def _images(body: Mapping[str, Any], model: SimulatedModel) -> Reply:
    prompt, count = str(_needed(body, "prompt")), int(body.get("n") or 1)
    counted = model.id.startswith("gpt-image")
    shade = hashlib.sha256(prompt.encode()).digest()[:3]
    data: list[dict[str, str]]
    if counted or body.get("response_format") == "b64_json":
        data = [{"b64_json": base64.b64encode(_picture(shade)).decode()} for _ in range(count)]
    else:
        data = [{"url": f"https://images.example.com/{shade.hex()}-{n}.png"} for n in range(count)]
    value: dict[str, Any] = {"created": model.created, "data": data}
    tokens = Tokens(input=count_tokens(prompt), output=IMAGE_OUTPUT_TOKENS * count if counted else 0)
    if counted:
        value["usage"] = {
            "input_tokens": tokens.input,
            "output_tokens": tokens.output,
            "total_tokens": tokens.input + tokens.output,
            "input_tokens_details": {"text_tokens": tokens.input, "image_tokens": 0},
        }
    reply = json_reply(value)
    if counted:
        reply.tokens, reply.cost_usd = tokens, model.cost_usd(tokens.input, tokens.output)
    return reply


def _picture(shade: bytes) -> bytes:
    """A PNG of one pixel."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    pixel = zlib.compress(b"\x00" + shade)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", pixel) + chunk(b"IEND", b"")


def _speech(body: Mapping[str, Any], model: SimulatedModel) -> Reply:
    text = str(_needed(body, "input"))
    sound_type = _SOUND_TYPES.get(str(body.get("response_format") or "mp3"))
    if sound_type is None:
        raise Refused("Invalid value: 'response_format'.", param="response_format", code="invalid_value")
    sound = b"".join(
        hashlib.sha256(f"{model.id}/{text}/{n}".encode()).digest() for n in range(16 * len(text))
    )
    pieces = [sound[start : start + 2048] for start in range(0, len(sound), 2048)]
    return Reply(headers=[("content-type", sound_type)], events=[Event(piece) for piece in pieces])


def _transcription(body: Mapping[str, Any], model: SimulatedModel) -> Reply:
    sound = _needed(body, "file")
    if not isinstance(sound, bytes):
        raise Refused("Expected file upload.", param="file")
    text = f"A sound of {len(sound)} bytes."
    wanted = str(body.get("response_format") or "json")
    if wanted == "text":
        return Reply(headers=[("content-type", "text/plain; charset=utf-8")], body=text.encode() + b"\n")
    if wanted == "srt":
        lines = f"1\n00:00:00,000 --> 00:00:01,000\n{text}\n\n"
        return Reply(headers=[("content-type", "text/plain; charset=utf-8")], body=lines.encode())
    seconds = max(1, len(sound) // 1024 * AUDIO_SECONDS_PER_KILOBYTE)
    if model.id.startswith("whisper"):
        return json_reply({"text": text, "usage": {"type": "duration", "seconds": seconds}})
    tokens = Tokens(input=seconds * 10, output=count_tokens(text))
    usage = {
        "type": "tokens",
        "input_tokens": tokens.input,
        "output_tokens": tokens.output,
        "total_tokens": tokens.input + tokens.output,
        "input_token_details": {"text_tokens": 0, "audio_tokens": tokens.input},
    }
    if str(body.get("stream")).lower() == "true":
        events = [
            Event(sse({"type": "transcript.text.delta", "delta": text})),
            Event(sse({"type": "transcript.text.done", "text": text, "usage": usage}), tokens.output),
            Event(b"data: [DONE]\n\n"),
        ]
        reply = Reply(headers=[EVENT_TYPE], events=events)
    else:
        reply = json_reply({"text": text, "usage": usage})
    reply.tokens, reply.cost_usd = tokens, model.cost_usd(tokens.input, tokens.output)
    return reply


def _moderations(body: Mapping[str, Any], model: SimulatedModel) -> Reply:
    given = _needed(body, "input")
    texts = [part if isinstance(part, str) else str(part.get("text", "")) for part in _as_list(given)]
    results = []
    for text in texts:
        found = {category: category in text.lower() for category in _CATEGORIES}
        results.append(
            {
                "flagged": any(found.values()),
                "categories": found,
                "category_scores": {category: 0.9 if hit else 0.001 for category, hit in found.items()},
                "category_applied_input_types": {category: ["text"] for category in _CATEGORIES},
            }
        )
    return json_reply({"id": "modr-simulator", "model": model.id, "results": results})


def _rerank(body: Mapping[str, Any], model: SimulatedModel) -> Reply:
    query = set(str(_needed(body, "query")).lower().split())
    texts = [
        d if isinstance(d, str) else str(d.get("text", "")) for d in _as_list(_needed(body, "documents"))
    ]
    scores = [len(query & set(text.lower().split())) / max(1, len(query)) for text in texts]
    order = sorted(range(len(texts)), key=lambda index: (-scores[index], index))[: body.get("top_n")]
    results = [
        {"index": index, "relevance_score": scores[index]}
        | ({"document": {"text": texts[index]}} if body.get("return_documents") else {})
        for index in order
    ]
    tokens = Tokens(input=sum(count_tokens(text) for text in texts))
    usage = {"total_tokens": tokens.input}
    reply = json_reply({"model": model.id, "object": "list", "usage": usage, "results": results})
    reply.tokens, reply.cost_usd = tokens, model.cost_usd(tokens.input, 0)
    return reply


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


_HANDLERS: dict[str, Callable[[Mapping[str, Any], SimulatedModel], Reply]] = {
    "/images/generations": _images,
    "/audio/speech": _speech,
    "/audio/transcriptions": _transcription,
    "/moderations": _moderations,
    "/rerank": _rerank,
}
