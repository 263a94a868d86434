"""A stream as the one answer it would have been. Reads events of the four formats that clients speak; what it does
not know it leaves out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

Event = dict[str, Any]


def events_of(data: bytes) -> list[Event]:
    """The JSON objects among a stream's events, also of one that was cut off."""
    found = []
    for line in data.split(b"\n"):
        if line.startswith(b"data:"):
            try:
                event = msgspec.json.decode(line[5:].strip())
            except msgspec.DecodeError:
                continue
            if isinstance(event, dict):
                found.append(event)
    return found


def assembled(client_format: str, events: Iterable[Event]) -> Any:
    """An answer in the client's own format; for another, how many events there were."""
    events = list(events)
    if client_format == "anthropic_messages":
        return _message(events)
    if client_format == "openai_responses":
        return _response(events)
    if client_format in ("openai_chat", "openai_completions") and any("choices" in each for each in events):
        return _completion(events)
    error = next((each for each in events if "error" in each), None)
    return error if error is not None else f"[{len(events)} events]"


def _completion(events: list[Event]) -> Event:
    whole: Event = {}
    choices: dict[int, Event] = {}
    for event in events:
        whole |= {name: value for name, value in event.items() if name != "choices" and value is not None}
        for piece in event.get("choices") or ():
            choice = choices.setdefault(piece.get("index", 0), {"index": piece.get("index", 0)})
            if piece.get("finish_reason"):
                choice["finish_reason"] = piece["finish_reason"]
            if "text" in piece:
                choice["text"] = choice.get("text", "") + (piece["text"] or "")
            if piece.get("delta"):
                _add(choice.setdefault("message", {}), piece["delta"])
    if whole.get("object") == "chat.completion.chunk":
        whole["object"] = "chat.completion"
    return whole | {"choices": [choices[index] for index in sorted(choices)]}


def _add(message: Event, delta: Event) -> None:
    for name, value in delta.items():
        if name == "tool_calls" and isinstance(value, list):
            calls = message.setdefault("tool_calls", [])
            for piece in value:
                place = piece.get("index", 0)
                while len(calls) <= place:
                    calls.append({})
                _add(calls[place], {key: each for key, each in piece.items() if key != "index"})
        elif isinstance(value, dict):
            _add(message.setdefault(name, {}), value)
        elif isinstance(value, str) and name not in ("role", "id", "type", "name"):
            message[name] = (message.get(name) or "") + value
        elif value is not None:
            message[name] = value


def _message(events: list[Event]) -> Event:
    message: Event = {}
    blocks: dict[int, Event] = {}
    for event in events:
        match event.get("type"):
            case "message_start":
                message = dict(event.get("message") or {})
            case "content_block_start":
                blocks[event.get("index", 0)] = dict(event.get("content_block") or {})
            case "content_block_delta":
                _add_block(blocks.setdefault(event.get("index", 0), {}), event.get("delta") or {})
            case "message_delta":
                message |= event.get("delta") or {}
                message["usage"] = {**(message.get("usage") or {}), **(event.get("usage") or {})}
            case "error":
                message["error"] = event.get("error")
    return message | {"content": [blocks[index] for index in sorted(blocks)]}


def _add_block(block: Event, delta: Event) -> None:
    for name, value in delta.items():
        if isinstance(value, str) and name != "type":
            place = "input" if name == "partial_json" else name
            before = block.get(place)
            block[place] = (before if isinstance(before, str) else "") + value


def _response(events: list[Event]) -> Any:
    for event in reversed(events):
        response = event.get("response")
        if isinstance(response, dict) and (response.get("output") or event["type"] == "response.completed"):
            return response
    return {
        "output_text": "".join(e["delta"] for e in events if e.get("type") == "response.output_text.delta")
    }
