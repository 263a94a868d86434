"""A body of OpenAI's legacy completions, read into the neutral form: the prompt is one user turn.

Reference: https://platform.openai.com/docs/api-reference/completions/create (2026-11).
"""

from __future__ import annotations

import msgspec

from ops_center.errors import BadRequest
from ops_center.wire import chat
from ops_center.wire.json_fields import (
    BOOLEAN,
    INTEGER,
    NUMBER,
    TEXT,
    TEXT_OR_TEXTS,
    Fields,
    decode,
    read_body,
)

# What only a model that continues text can do.
_REFUSED = {
    "echo": "the prompt cannot be echoed by a model that chats",
    "suffix": "a model that chats cannot fill in text before a suffix",
    "logprobs": "log probabilities of this format cannot be had from a model that chats",
    "logit_bias": "token ids differ between providers",
}
_ASKS_NOTHING = (b"null", b"false", b"{}", b"[]", b'""')
_DEFAULT_LIMIT = 16  # this format's own default


def decode_request(body: bytes) -> chat.ChatRequest:
    """Raises BadRequest, with `param`, for anything that is not a request of this format."""
    fields = read_body(body)
    prompt = _prompt(fields)
    stop = fields.take("stop", TEXT_OR_TEXTS)
    limit = fields.take("max_tokens", INTEGER)
    options = fields.take_fields("stream_options")
    include_usage = (options.take("include_usage", BOOLEAN) or False) if options else False
    return chat.ChatRequest(
        format=chat.OPENAI_COMPLETIONS,
        model=fields.take("model", TEXT) or "",
        messages=(chat.Message(role="user", parts=(chat.Text(prompt),), place="prompt"),),
        max_output_tokens=_DEFAULT_LIMIT if limit is None else limit,
        temperature=fields.take("temperature", NUMBER),
        top_p=fields.take("top_p", NUMBER),
        stop=(stop,) if isinstance(stop, str) else tuple(stop or ()),
        seed=fields.take("seed", INTEGER),
        frequency_penalty=fields.take("frequency_penalty", NUMBER),
        presence_penalty=fields.take("presence_penalty", NUMBER),
        n=fields.take("n", INTEGER),
        user=fields.take("user", TEXT),
        stream=fields.take("stream", BOOLEAN) or False,
        include_usage=include_usage,
        extra=fields.rest,
    )


def _prompt(fields: Fields) -> str:
    raw = fields.take_raw("prompt")
    if raw is None:
        raise BadRequest("`prompt` is required.", param="prompt")
    if bytes(raw).lstrip().startswith(b"[") and bytes(raw).lstrip(b"[ \t\r\n")[:1].isdigit():
        raise BadRequest("`prompt`: token ids differ between providers; send text.", param="prompt")
    value = decode(TEXT_OR_TEXTS, raw, "prompt")
    texts = [value] if isinstance(value, str) else value or []
    if len(texts) != 1:
        raise BadRequest(
            "`prompt`: this provider answers one prompt per request." if texts else "`prompt` is empty.",
            param="prompt",
        )
    return texts[0]


def without_own(request: chat.ChatRequest) -> tuple[chat.ChatRequest, tuple[chat.Dropped, ...]]:
    """The request for a model that chats. Raises BadRequest, with `param`, for what such a model cannot do."""
    kept: dict[str, msgspec.Raw] = {}
    for name, raw in request.extra.items():
        if bytes(raw) in _ASKS_NOTHING:
            continue
        if name in _REFUSED:
            raise BadRequest(f"`{name}`: {_REFUSED[name]}.", param=name)
        if name == "best_of":
            if bytes(raw) != b"1" and bytes(raw) != str(request.n or 1).encode():
                raise BadRequest("`best_of`: a model that chats answers as often as `n`.", param="best_of")
        else:
            kept[name] = raw  # unknown to us: a provider's own parameter
    if not isinstance(request.messages[0].parts[0], chat.Text) or not request.messages[0].parts[0].text:
        raise BadRequest("`prompt` is empty.", param="prompt")
    return msgspec.structs.replace(request, extra=kept), ()
