"""The bytes a target is sent: the caller's own, edited only where they must differ, or translated.

Part of `attempt`. Between equal formats only the model's name is put in place and, on OpenAI streams,
usage asked for; every other byte passes untouched.
"""

from __future__ import annotations

import re

import msgspec

from ops_center.dataplane.call import NULL, Call
from ops_center.errors import BadRequest
from ops_center.route_request import FIELDS
from ops_center.snapshot import Target
from ops_center.wire import own_words
from ops_center.wire.formats import WIRES

_MODEL_FIELD = re.compile(rb'"model"\s*:\s*("(?:[^"\\]|\\.)*")')
# Thinking of another maker's model, which an earlier turn got through us: these providers refuse it.
_UNPROVEN_THINKING = {
    "anthropic_messages": (b'"signature":""', b'"signature": ""', b'"ops:'),
    "openai_responses": (b'"ops:',),
}
_DEFAULT_OUTPUT_TOKENS = 8192  # Anthropic demands a limit; callers of other formats need not name one
_USAGE_ON_WISH = ("openai_chat", "openai_completions")  # streams of other formats carry it always
_USAGE_FIELD = b'"stream_options":{"include_usage":true}'
_object_decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])


def wants_usage(call: Call) -> bool:
    """Whether the caller itself asked for a usage chunk at the end of its OpenAI stream."""
    options = call.head.stream_options
    return options is not NULL and bytes(_fields(options).get("include_usage", b"")) == b"true"


def passed_through(call: Call, target: Target) -> bytes:
    """The caller's body for a provider of the same format, with the target's model name."""
    body, head = _without_route_fields(call, target), call.head
    if any(mark in body for mark in _UNPROVEN_THINKING.get(call.client_format, ())):
        return translated(call, target, call.client_format)
    ask_usage = call.stream and call.client_format in _USAGE_ON_WISH and not wants_usage(call)
    plain = _plain(body, b'"model"', b'"stream"')
    if plain and not ask_usage and head.model == target.model:
        return body
    if plain and head.model is not None and not (ask_usage and bytes(head.stream_options) != b"null"):
        found = _MODEL_FIELD.search(body)
        if found is not None:
            if head.model != target.model:
                body = body[: found.start(1)] + msgspec.json.encode(target.model) + body[found.end(1) :]
            return body[: body.rindex(b"}")] + b"," + _USAGE_FIELD + b"}" if ask_usage else body
    fields = _object_decoder.decode(body)
    fields["model"] = msgspec.Raw(msgspec.json.encode(target.model))
    if ask_usage:
        fields["stream_options"] = _with_usage(head.stream_options)
    return msgspec.json.encode(fields)


def _without_route_fields(call: Call, target: Target) -> bytes:
    """The body without what was said to the gateway about the route; OpenRouter gets its own `provider`."""
    head, body = call.head, call.body
    if head.models is NULL and head.provider is NULL and head.fallbacks is NULL:
        return body
    fields = _object_decoder.decode(body)
    for name in FIELDS:
        if name != "provider" or target.provider.spec.type != "openrouter":
            fields.pop(name, None)
    return msgspec.json.encode(fields)


def with_model(body: bytes, asked: str | None, model: str) -> bytes:
    """A JSON object with this model's name in place; `asked` is the one that stands in it."""
    plain = _plain(body, b'"model"')
    if asked == model and plain:
        return body
    found = _MODEL_FIELD.search(body) if plain and asked is not None else None
    if found is not None:
        return body[: found.start(1)] + msgspec.json.encode(model) + body[found.end(1) :]
    fields = _object_decoder.decode(body)
    fields["model"] = msgspec.Raw(msgspec.json.encode(model))
    return msgspec.json.encode(fields)


def _plain(body: bytes, *keys: bytes) -> bool:
    """Whether each key stands in the body at most once and unescaped: then no reader can see another value
    than we did, and the one occurrence of a key we decoded is that key."""
    for key in keys:  # not `all` of a generator: this is on the way of every request
        if body.count(key) > 1:
            return False
    return b"\\u00" not in body


def _with_usage(options: msgspec.Raw) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode({**_fields(options), "include_usage": msgspec.Raw(b"true")}))


def _fields(raw: msgspec.Raw) -> dict[str, msgspec.Raw]:
    """The fields of an object; none for anything else."""
    return _object_decoder.decode(raw) if bytes(raw).startswith(b"{") else {}


def translated(call: Call, target: Target, wire_format: str) -> bytes:
    """The caller's request in another format. Raises BadRequest for what that one cannot say."""
    if call.neutral is None:
        call.neutral = call.wire.decode_request(_without_route_fields(call, target))
    own = wire_format == call.client_format
    request, lost = (call.neutral, ()) if own else call.wire.without_own(call.neutral)
    wire, limits = WIRES[wire_format], {}
    if wire_format == "anthropic_messages":
        limits["default_max_output_tokens"] = min(
            target.max_output_tokens or _DEFAULT_OUTPUT_TOKENS, _DEFAULT_OUTPUT_TOKENS
        )
    try:
        body, dropped = wire.encode_request(request, model=target.model, **limits)
    except BadRequest as error:
        raise own_words.refusal(call.client_format, error) from None
    call.dropped = lost + own_words.dropped(call.client_format, dropped)
    return bytes(body)
