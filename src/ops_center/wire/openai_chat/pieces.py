"""Pieces of answers that servers of this format write in more than one way, whole and streamed (step 5).

Mistral's reasoning models write `content` as a list of thinking and text:
https://docs.mistral.ai/studio-api/conversations/reasoning (2026-11). OpenRouter and Vercel add pictures:
https://openrouter.ai/docs/features/multimodal/image-generation (2026-11). What is only an addition to the answer
(pictures, log probabilities) costs nobody the answer when it cannot be read.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec
from msgspec import Raw

from ops_center.wire import chat

_DATA_URL = re.compile(r"data:([\w.+-]+/[\w.+-]+);base64,(.+)", re.DOTALL)


class Piece(msgspec.Struct):
    """One of a list that stands where others write a text."""

    type: str = ""
    text: str | None = None
    thinking: str | list[Piece] | None = None

    @property
    def thought(self) -> str:
        if isinstance(self.thinking, str):
            return self.thinking
        return "".join(piece.text or "" for piece in self.thinking or ())


Content = str | list[Piece] | None


class _Url(msgspec.Struct):
    url: str = ""


class _Picture(msgspec.Struct):
    image_url: _Url | None = None


class _Other(msgspec.Struct):
    token: str
    logprob: float


class _Token(_Other):
    top_logprobs: list[_Other] | None = None


class _Logprobs(msgspec.Struct):
    content: list[_Token] | None = None


_PICTURES = msgspec.json.Decoder(list[_Picture] | None)
_LOGPROBS = msgspec.json.Decoder(_Logprobs | None)
_TEXT = msgspec.json.Decoder(str)
_NULL = b"null"


def thoughts_and_text(content: Content) -> list[tuple[bool, str]]:
    """The texts of a content in order, each with whether it is thinking; none that is empty."""
    if isinstance(content, str) or content is None:
        return [(False, content)] if content else []
    found = [(True, p.thought) if p.type == "thinking" else (False, p.text or "") for p in content]
    return [(thinking, text) for thinking, text in found if text]


def arguments_text(raw: Raw) -> str:
    """A call's arguments as JSON text; some servers write the object itself instead of its text."""
    written = bytes(raw)
    if written.startswith(b'"'):
        return _TEXT.decode(written)
    return "" if written == _NULL else written.decode()


def read_pictures(raw: Raw) -> list[tuple[str, str]]:
    """Media type and base64 of each picture; none for addresses, which nobody in the field sends here."""
    if bytes(raw) == _NULL:
        return []
    try:
        pictures = _PICTURES.decode(raw) or ()
    except (msgspec.MsgspecError, RecursionError):
        return []
    found = [_DATA_URL.match(picture.image_url.url) for picture in pictures if picture.image_url]
    return [(match[1], match[2]) for match in found if match]


def write_picture(part: chat.Image | chat.ImageDelta, index: int) -> dict[str, Any]:
    """A picture the model drew, where OpenRouter puts it, since OpenAI's format has no place for one."""
    url = f"data:{part.media_type};base64,{part.data}"
    return {"type": "image_url", "image_url": {"url": url}, "index": index}


def read_logprobs(raw: Raw) -> tuple[chat.TokenLogprob, ...] | None:
    if bytes(raw) == _NULL:
        return None
    try:
        read = _LOGPROBS.decode(raw)
    except (msgspec.MsgspecError, RecursionError):
        return None
    if read is None or read.content is None:
        return None
    return tuple(
        chat.TokenLogprob(t.token, t.logprob, tuple((o.token, o.logprob) for o in t.top_logprobs or ()))
        for t in read.content
    )


def write_logprobs(tokens: tuple[chat.TokenLogprob, ...] | None) -> dict[str, Any] | None:
    if tokens is None:
        return None
    content = [
        {**_token(t.token, t.logprob), "top_logprobs": [_token(*other) for other in t.top]} for t in tokens
    ]
    return {"content": content, "refusal": None}


def _token(token: str, logprob: float) -> dict[str, Any]:
    return {"token": token, "logprob": logprob, "bytes": list(token.encode())}
