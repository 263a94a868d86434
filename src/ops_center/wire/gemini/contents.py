"""Writes messages of the neutral form as Gemini's contents and parts (part of step 4).

Gemini has the roles user and model, a system instruction outside of them, function results that name their
function, and proofs of thinking that stand on the part they belong to; this is where other formats'
conversations are brought into that shape. Nothing is fetched: an address goes to Gemini as an address.
"""

from __future__ import annotations

import mimetypes
import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

import msgspec
from msgspec import Raw

from ops_center.errors import BadRequest
from ops_center.wire import chat
from ops_center.wire.gemini.models import Generation
from ops_center.wire.json_fields import OBJECT, TEXT, Fields, decode

# What Google names for calls whose signature is lost, or that another model made:
# https://ai.google.dev/gemini-api/docs/thought-signatures (2026-11, "FAQs").
NO_SIGNATURE = "skip_thought_signature_validator"

_DATA_URL = re.compile(r"data:([\w.+-]+/[\w.+-]+);base64,")
_OUR_URIS = ("https://", "http://", "gs://")


class ContentWriter:
    """Takes the messages once; then `system` and `contents` hold them as Gemini wants them."""

    def __init__(self, generation: Generation, dropped: list[chat.Dropped]) -> None:
        self.system: list[dict[str, Any]] = []
        self.contents: list[dict[str, Any]] = []
        self._generation = generation
        self._dropped = dropped
        self._names: dict[str, str] = {}  # id of a call -> name of its function
        self._marked = False

    def write(self, messages: Iterable[chat.Message]) -> None:
        for message in messages:
            if message.name:
                self._drop(f"{message.place}.name", "Gemini's contents carry no names")
            if message.role in ("system", "developer"):
                self._write_system(message)
            elif message.role == "assistant":
                self._append("model", self._model_parts(message))
            else:
                self._write_user(message)
        if not self.contents:
            if not self.system:
                raise BadRequest("`messages` holds nothing to answer.", param="messages")
            self._append("user", [self.system.pop()])
            self._drop("messages", "the last system message was sent as a user turn: Gemini needs one")
        if self._marked:
            self._drop("cache_control", "Gemini finds by itself what is worth caching")

    # ── roles ─────────────────────────────────────────────────────────────────

    def _write_system(self, message: chat.Message) -> None:
        if self.contents:
            self._drop(f"{message.place}.role", "moved up into the system instruction")
        for position, part in enumerate(message.parts):
            if not isinstance(part, chat.Text | chat.Refusal):
                place = f"{message.place}.content[{position}]"
                raise BadRequest(f"`{place}`: Gemini's system instruction holds text only.", param=place)
            self._note_mark(part)
            if part.text:
                self.system.append({"text": part.text})

    def _write_user(self, message: chat.Message) -> None:
        results: list[dict[str, Any]] = []
        rest: list[dict[str, Any]] = []
        for place, part in _placed(message):
            self._note_mark(part)
            if isinstance(part, chat.ToolResult):
                results.append(self._result(part, message.place))
                for index, inner in enumerate(part.parts):
                    if not isinstance(inner, chat.Text):  # a picture that a tool returned
                        inner_place = f"{place}.content[{index}]"
                        rest.append({"text": f"Returned by {self._names[part.tool_call_id]}:"})
                        rest += self._parts(inner, inner_place)
            else:
                rest += self._parts(part, place)
        self._append("user", results, apart=True)
        self._append("user", rest)

    def _model_parts(self, message: chat.Message) -> list[dict[str, Any]]:
        """A signature goes onto the part that follows it; one behind all parts, onto an empty one."""
        parts: list[dict[str, Any]] = []
        signature: str | None = None
        called = False
        calls = 0
        for place, part in _placed(message):
            self._note_mark(part)
            if isinstance(part, chat.Thinking):
                if part.origin == chat.GEMINI:
                    signature = part.signature or signature
                else:
                    self._drop(f"{message.place}.thinking", "Gemini takes only thinking it has signed")
                continue
            if isinstance(part, chat.ToolCall):
                written = [self._call(part, f"{message.place}.tool_calls[{calls}].function.arguments")]
                calls += 1
                proof = signature or _google_signature(part)
                if proof is None and self._generation.signed_calls and not called:
                    proof = NO_SIGNATURE  # of parallel calls only the first one is signed
                called = True
                if proof is not None:
                    written[0]["thoughtSignature"] = proof
                    signature = None
            else:
                written = self._parts(part, place)
                # A call that follows needs it more than the text before it.
                later_call = any(isinstance(p, chat.ToolCall) for p in message.parts)
                if signature is not None and written and not later_call:
                    written[-1]["thoughtSignature"] = signature
                    signature = None
            parts += written
        for index, url in enumerate(_drawn(message)):  # drawn in an earlier turn, to be drawn on
            found = _DATA_URL.match(url)
            place = f"{message.place}.images[{index}]"
            picture = (
                chat.Image(media_type=found[1], data=url[found.end() :]) if found else chat.Image(url=url)
            )
            parts.append(self._media(picture, picture.media_type, place))
        if signature is not None and parts:
            parts.append({"text": "", "thoughtSignature": signature})
        return parts

    def _append(self, role: str, parts: list[dict[str, Any]], *, apart: bool = False) -> None:
        """`apart`: function results stand in a content of their own, all those of one turn together."""
        if not parts:
            return
        last = self.contents[-1] if self.contents else None
        if last is not None and last["role"] == role and ("functionResponse" in last["parts"][0]) == apart:
            last["parts"] += parts
        else:
            self.contents.append({"role": role, "parts": parts})

    # ── parts ─────────────────────────────────────────────────────────────────

    def _parts(self, part: chat.Part, place: str) -> list[dict[str, Any]]:
        """None or one; none for empty text."""
        if isinstance(part, chat.Text | chat.Refusal):
            return [{"text": part.text}] if part.text else []
        if isinstance(part, chat.Image):
            if part.detail in ("low", "high"):
                self._drop(f"{place}.image_url.detail", "Gemini chooses the resolution itself")
            return [self._media(part, part.media_type, place)]
        if isinstance(part, chat.File):
            if part.text is not None:
                return [{"text": f"{part.name}:\n{part.text}" if part.name else part.text}]
            guessed = mimetypes.guess_type(part.name)[0] if part.name else None
            return [self._media(part, part.media_type or guessed, place)]
        if isinstance(part, chat.Native) and part.type == "input_audio":
            return [_audio(part, place)]
        if isinstance(part, chat.Native):
            raise BadRequest(f"`{place}`: Gemini takes no part of type {part.type}.", param=place)
        raise BadRequest(f"`{place}` does not belong into a message of this role.", param=place)

    def _media(self, part: chat.Image | chat.File, media_type: str | None, place: str) -> dict[str, Any]:
        if part.data is not None:
            media_type = media_type or "application/pdf"
            mime = "image/jpeg" if media_type == "image/jpg" else media_type
            return {"inlineData": {"mimeType": mime, "data": part.data}}
        uri = part.url or part.file_id or ""
        if not uri.startswith(_OUR_URIS):
            if part.url:
                raise BadRequest(f"`{place}`: Gemini takes base64 data or an https address.", param=place)
            raise BadRequest(f"`{place}`: the file id belongs to another provider.", param=place)
        data: dict[str, Any] = {"fileUri": uri}
        mime_type = media_type or mimetypes.guess_type(urlsplit(uri).path)[0]
        if mime_type:
            data["mimeType"] = mime_type
        return {"fileData": data}

    def _call(self, part: chat.ToolCall, place: str) -> dict[str, Any]:
        self._names[part.id] = part.name
        call: dict[str, Any] = {"name": part.name, "args": Raw(b"{}")}
        if part.arguments.strip():
            raw = part.arguments.encode()
            decode(OBJECT, raw, place)
            call["args"] = Raw(raw)
        if self._generation.signed_calls:
            call["id"] = part.id
        return {"functionCall": call}

    def _result(self, part: chat.ToolResult, place: str) -> dict[str, Any]:
        name = self._names.get(part.tool_call_id)
        if name is None:
            param = f"{place}.tool_call_id"
            raise BadRequest(f"`{param}`: no tool call with this id comes before it.", param=param)
        text = "\n".join(inner.text for inner in part.parts if isinstance(inner, chat.Text))
        result: dict[str, Any] = {"name": name, "response": _response(text, part.is_error)}
        if self._generation.signed_calls:
            result["id"] = part.tool_call_id
        return {"functionResponse": result}

    def _note_mark(self, part: chat.Part) -> None:
        self._marked = self._marked or getattr(part, "cache", None) is not None

    def _drop(self, parameter: str, reason: str) -> None:
        self._dropped.append(chat.Dropped(parameter, reason))


class _Url(msgspec.Struct):
    url: str


class _Drawn(msgspec.Struct):
    image_url: _Url


_DRAWN = msgspec.json.Decoder(list[_Drawn])


def _drawn(message: chat.Message) -> list[str]:
    """The pictures that a client sends back as it got them."""
    raw = message.extra.get("images")
    try:
        return [each.image_url.url for each in _DRAWN.decode(raw)] if raw is not None else []
    except (msgspec.MsgspecError, RecursionError):
        raise BadRequest(
            f"`{message.place}.images` must be a list of image_url parts.", param=f"{message.place}.images"
        ) from None


def _placed(message: chat.Message) -> list[tuple[str, chat.Part]]:
    return [(f"{message.place}.content[{index}]", part) for index, part in enumerate(message.parts)]


def _response(text: str, is_error: bool) -> Raw | dict[str, str]:
    """A result as the object that Gemini wants: the tool's own, if it returned one."""
    if is_error:
        return {"error": text}
    raw = text.encode()
    try:
        OBJECT.decode(raw)
    except (msgspec.DecodeError, RecursionError):
        return {"output": text}
    return Raw(raw)


def _audio(part: chat.Native, place: str) -> dict[str, Any]:
    audio = Fields(part.raw, place).take_fields("input_audio")
    if audio is None:
        raise BadRequest(f"`{place}.input_audio` is required.", param=f"{place}.input_audio")
    mime_type = f"audio/{audio.take('format', TEXT) or 'wav'}"
    return {"inlineData": {"mimeType": mime_type, "data": audio.require("data", TEXT)}}


class _Google(msgspec.Struct):
    thought_signature: str | None = None


class _ExtraContent(msgspec.Struct):
    google: _Google | None = None


_EXTRA = msgspec.json.Decoder(_ExtraContent)


def _google_signature(part: chat.ToolCall) -> str | None:
    """Where clients of Google's OpenAI-compatible endpoint keep the signature of a call."""
    raw = part.extra.get("extra_content")
    if raw is None:
        return None
    try:
        google = _EXTRA.decode(raw).google
    except (msgspec.MsgspecError, RecursionError):
        return None
    return google.thought_signature if google else None
