"""A request as routing sees it: the model it names, its needs, its size, and its own wishes on the route.

Read from the body by the data plane, and from a made-up request by the explanation, in the same way.
Wishes come in OpenRouter's words (`models`, `provider`;
https://openrouter.ai/docs/features/provider-routing, 2026-11) and LiteLLM's (`fallbacks`;
https://docs.litellm.ai/docs/proxy/reliability, 2026-11). Pure; it decides nothing, `routing.py` does.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable
from typing import Any, Literal

import msgspec

from ops_center.errors import BadRequest
from ops_center.providers.tasks import Task
from ops_center.types import ByokPolicy, PowerLevel

Sort = Literal["price", "throughput", "latency"]
FIELDS = ("models", "provider", "fallbacks", "route")  # of the body; no provider but OpenRouter knows them

_BYTES_PER_TOKEN = 4
_TOKENS_PER_ATTACHMENT = 1000  # a picture or a page; what its base64 weighs says nothing
_BASE64_RUN = re.compile(rb"[A-Za-z0-9+/=_-]{1024,}")
_MOST_NAMES = 50
_SORTS: dict[str, Sort] = {"price": "price", "throughput": "throughput", "latency": "latency"}
_NO_NEEDS: frozenset[str] = frozenset()


class Options(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A request's own wishes on routing, in OpenRouter's words. Names are of providers or types, lower case."""

    models: tuple[str, ...] = ()  # asked after `model`, in this order
    order: tuple[str, ...] = ()  # these providers first
    only: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    allow_fallbacks: bool = True
    sort: Sort | None = None
    max_input_mtok: float | None = None
    max_output_mtok: float | None = None


NO_OPTIONS = Options()


class RouteRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What of a request decides where it goes."""

    model: str | None = None
    power_level: PowerLevel | None = None  # from the header x-power-level
    byok_policy: ByokPolicy | None = None  # from the header x-ops-byok-policy; see own_keys.py
    needs: frozenset[str] = frozenset()  # capabilities: tools, vision, structured_output
    input_tokens: int = 0  # estimated
    max_output_tokens: int | None = None  # what the caller asked for at most
    session: Hashable = None  # the conversation it belongs to
    options: Options = NO_OPTIONS
    task: Task | None = None  # what is asked for, when it is no conversation
    pinned: bool = False  # a replay: the model that is named and no other, on the platform's key
    explain: bool = False  # list every target left out, not only those met before the plan was full
    turn: int = 0  # rotates targets of equal priority; any integer, the same one gives the same plan


def needs_of(tools: bytes, answer_format: bytes, body: bytes) -> frozenset[str]:
    """Capabilities without which a model could not answer. The first two are raw JSON of their fields."""
    if tools == b"null" and answer_format == b"null" and b'"image' not in body:
        return _NO_NEEDS
    needs = set()
    if tools not in (b"null", b"[]"):
        needs.add("tools")
    if b'"json_schema"' in answer_format:
        needs.add("structured_output")
    if b'"image_url"' in body or b'"type":"image"' in body.replace(b" ", b""):
        needs.add("vision")
    return frozenset(needs)


def estimated_tokens(body: bytes) -> int:
    """About how many tokens a request's input has: a quarter of its bytes, attachments counted apart."""
    if b"base64" in body or b'"data"' in body:
        text, attachments = _BASE64_RUN.subn(b"", body)
        return len(text) // _BYTES_PER_TOKEN + attachments * _TOKENS_PER_ATTACHMENT
    return len(body) // _BYTES_PER_TOKEN


def read_options(models: bytes, provider: bytes, fallbacks: bytes) -> Options:
    """The wishes in a body's fields, each as raw JSON. Raises BadRequest naming the field."""
    alternatives = [*_names(_decoded(models), "models"), *_names(_decoded(fallbacks), "fallbacks")]
    wishes = _decoded(provider)
    if not isinstance(wishes, dict):
        return Options(models=tuple(alternatives)) if alternatives else NO_OPTIONS
    max_price = wishes.get("max_price")
    if not isinstance(max_price, dict):
        max_price = {}
    return Options(
        models=tuple(alternatives),
        order=_lower(wishes, "order"),
        only=_lower(wishes, "only"),
        ignore=_lower(wishes, "ignore"),
        allow_fallbacks=wishes.get("allow_fallbacks") is not False,
        sort=_sort(wishes.get("sort")),
        max_input_mtok=_price(max_price, "prompt"),
        max_output_mtok=_price(max_price, "completion"),
    )


def _decoded(raw: bytes) -> Any:
    return None if raw == b"null" else msgspec.json.decode(raw)


def _names(value: Any, param: str) -> Iterable[str]:
    """Model names in a list of names, of `{"model": name}`, or of LiteLLM's `{name: [names]}`."""
    if value is None:
        return ()
    if not isinstance(value, list) or len(value) > _MOST_NAMES:
        raise BadRequest(f"“{param}” must be a list of at most {_MOST_NAMES} models.", param=param)
    found: list[str] = []
    for item in value:
        if isinstance(item, dict):
            model = item.get("model")
            lists = [one for one in item.values() if isinstance(one, list)] if model is None else [[model]]
            found += [name for one in lists for name in one if isinstance(name, str)]
        elif isinstance(item, str):
            found.append(item)
        else:
            raise BadRequest(f"“{param}” must be a list of model names.", param=param)
    return [name for name in dict.fromkeys(found) if 0 < len(name) <= 300]


def _lower(wishes: dict[str, Any], name: str) -> tuple[str, ...]:
    value = wishes.get(name)
    if value is None:
        return ()
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, list) or len(value) > _MOST_NAMES or not all(isinstance(v, str) for v in value):
        raise BadRequest(f"“provider.{name}” must be a list of provider names.", param=f"provider.{name}")
    return tuple(text.lower() for text in value)


def _sort(value: Any) -> Sort | None:
    if isinstance(value, dict):  # OpenRouter's longer form: {"by": "price"}
        value = value.get("by")
    if value is None:
        return None
    if not isinstance(value, str) or value not in _SORTS:
        raise BadRequest("“provider.sort” must be price, throughput or latency.", param="provider.sort")
    return _SORTS[value]


def _price(max_price: dict[str, Any], name: str) -> float | None:
    value = max_price.get(name)
    if value is None:
        return None
    try:
        price = float(value)
    except (TypeError, ValueError):
        price = -1.0
    if isinstance(value, bool) or not 0 <= price < 1e9:
        raise BadRequest(
            f"“provider.max_price.{name}” must be USD per million tokens.", param=f"provider.max_price.{name}"
        )
    return price
