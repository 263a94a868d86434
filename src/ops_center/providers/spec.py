"""What we know about a kind of provider, as one frozen row with careful defaults.

A provider that speaks OpenAI's format is one `ProviderSpec` in `registry.py` and no code. This module
holds no address of a configured provider and no secret: those live in the database and the snapshot.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal
from urllib.parse import quote, urlsplit

import msgspec

FormatName = Literal[
    "openai_chat",
    "openai_responses",
    "openai_completions",
    "anthropic_messages",
    "gemini",
    "bedrock_converse",
    "cohere_chat",
]
AuthScheme = Literal["bearer", "x-api-key", "api-key", "x-goog-api-key", "aws", "google", "litellm"]

NO_OPTIONS: Mapping[str, str] = {}

_SECTION = re.compile(r"\[([^\[\]]*)\]")
_PLACE = re.compile(r"\{(\w+)\}")


class OptionField(msgspec.Struct, frozen=True, kw_only=True):
    """What a provider type asks for beside key and base URL: a region, a project, an API version.

    `pattern` is matched against the whole value. It has to shut out everything that could lead a call to
    another host, since values are put into URLs.
    """

    name: str
    label: str
    required: bool = False
    default: str = ""  # taken when the field is left blank
    placeholder: str = ""
    help: str = ""
    pattern: str = r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}"


class KeyProof(msgspec.Struct, frozen=True, kw_only=True):
    """How a key is proven at no cost: a GET that only a valid key gets a 200 from.

    `proves_key` is False where the endpoint also answers strangers; the test then asks once more without
    the key and claims success only when the stranger was refused. Where such a stranger is answered too,
    `empty_post` names a path that is sent an empty JSON object, with the key and without: a server that
    turns the stranger away but finds fault with the key's *request* has taken the key, and has generated
    nothing.
    """

    path: str
    proves_key: bool = True
    empty_post: str | None = None
    # asked instead of `path` at the type's own base URL: another host of the same company
    url: str | None = None
    record_fields: tuple[str, ...] = ()  # what the answer holds, one at least, when it is no list of models


class OtherFormat(msgspec.Struct, frozen=True, kw_only=True):
    """A format that a provider speaks beside its main one, under a path of its own.

    `models` and `only` are regular expressions over the whole of a model's id: which models this path
    serves (None: all), and which of them are served nowhere else.
    """

    format: FormatName
    path: str
    models: str | None = None
    only: str | None = None


class ProviderSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One row. Paths are relative to the base URL; the base URL holds the version segment (`/v1`).

    URLs and paths are templates: `{model}` and the names of options stand for their values, and a section
    in square brackets is left out when one of its values is blank. A section `[!option:text]` is the text
    where that option is blank.
    """

    type: str
    name: str
    color: str
    format: FormatName = "openai_chat"
    default_base_url: str | None = None  # None: the operator must give one
    default_path: str = "/v1"  # added to a base URL that has no path of its own
    pasted_path: str = ""  # what people paste at a base URL's end although the row's paths begin with it
    local: bool = False  # a server of the operator's own: its default base URL is this machine
    auth: AuthScheme = "bearer"
    requires_key: bool = True
    extra_headers: tuple[tuple[str, str], ...] = ()
    chat_path: str = "/chat/completions"
    stream_path: str | None = None  # the path of streamed chats, where it is another one
    other_formats: tuple[OtherFormat, ...] = ()
    models_path: str = "/models"
    more_models_path: str | None = None  # a second list whose models stand beside those of the first
    models_from_catalog: bool = False  # it publishes no list of its chat models: ours is taken
    models_by_hand: bool = False  # only the operator knows the names
    key_proof: KeyProof = KeyProof(path="/models")
    get_key_url: str | None = None
    key_prefix: str | None = None
    recommended_for: str | None = None
    description: str = ""
    catalog_id: str | None = None  # the provider's id in the packaged catalogue
    request_id_header: str = "x-request-id"
    task_paths: tuple[tuple[str, str], ...] = ()  # (endpoint of `tasks.py`, path), where it is another one
    no_tasks: frozenset[str] = frozenset()  # endpoints that it does not have
    lacks: frozenset[str] = frozenset()  # capabilities that none of its models has through this API
    quirks: tuple[str, ...] = ()  # each a sentence with link and date
    option_fields: tuple[OptionField, ...] = ()
    # (option, value, base URL): where a value of an option leads to another address than the default
    base_urls_by_option: tuple[tuple[str, str, str], ...] = ()
    # where models are listed and keys are proven, when the base URL is the type's own
    lists_base_url: str | None = None
    key_help: str | None = None  # what to paste as key, where that needs a sentence
    extra: str | None = None  # the optional package that its calls run through, in a process of our own

    def formats_of(self, model: str) -> tuple[FormatName, ...]:
        """The formats that a model can be called in; the first is the one that all others are translated to."""
        formats: list[FormatName] = [self.format]
        for other in self.other_formats:
            if other.only is not None and re.fullmatch(other.only, model):
                return (other.format,)
            if other.models is None or re.fullmatch(other.models, model):
                formats.append(other.format)
        return tuple(formats)

    def path_of(self, wire_format: str) -> str:
        """The path under the base URL where a format is spoken; the main one's for a format not listed."""
        return next((o.path for o in self.other_formats if o.format == wire_format), self.chat_path)

    def task_path(self, endpoint: str) -> str | None:
        """The path of an endpoint beside chat; None where it is not served in OpenAI's shape."""
        if endpoint in self.no_tasks:
            return None
        usual = f"/{endpoint}" if self.format == "openai_chat" else None
        return dict(self.task_paths).get(endpoint, usual)


def filled(template: str, values: Mapping[str, str]) -> str:
    """A template of a row with its values in place, percent-encoded."""

    def section(match: re.Match[str]) -> str:
        inner = match[1]
        if inner.startswith("!"):
            name, _, text = inner[1:].partition(":")
            return "" if values.get(name) else text
        return inner if all(values.get(name) for name in _PLACE.findall(inner)) else ""

    return _PLACE.sub(
        lambda match: quote(values.get(match[1], ""), safe="~"), _SECTION.sub(section, template)
    )


def default_base_url(spec: ProviderSpec, options: Mapping[str, str] = NO_OPTIONS) -> str | None:
    """The type's own base URL for these options; None when the operator must give one."""
    for name, value, base_url in spec.base_urls_by_option:
        if options.get(name) == value:
            return filled(base_url, options)
    return None if spec.default_base_url is None else filled(spec.default_base_url, options)


def own_place(spec: ProviderSpec) -> tuple[str, Mapping[str, str]] | None:
    """Base URL and options where a key alone is enough; None for a type that somebody must set up first."""
    options = {field.name: field.default for field in spec.option_fields if field.default}
    if any(field.required and field.name not in options for field in spec.option_fields):
        return None
    base_url = default_base_url(spec, options)
    return None if base_url is None else (base_url, options)


def lists_base_url(spec: ProviderSpec, base_url: str, options: Mapping[str, str] = NO_OPTIONS) -> str:
    """Where a provider at `base_url` lists its models: at the same place, unless its type says otherwise."""
    if spec.lists_base_url is None or base_url != default_base_url(spec, options):
        return base_url
    return filled(spec.lists_base_url, options)


def normalise_base_url(base_url: str, spec: ProviderSpec) -> str:
    """A base URL without trailing slash, with the type's version path when it has none.

    Raises ValueError with a sentence for the operator when it is not an http(s) URL with a host.
    """
    text = base_url.strip()
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ValueError("Base URL is not a valid address") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("Base URL must start with http:// or https:// and name a host")
    if port == 0:
        raise ValueError("Base URL must not use port 0")
    if parts.username or parts.password:
        raise ValueError("Base URL must not contain a user name or password")
    if parts.query or parts.fragment:
        raise ValueError("Base URL must not contain a query or a fragment")
    if any(ch.isspace() or ord(ch) < 33 or ord(ch) == 127 for ch in text):
        raise ValueError("Base URL must not contain spaces or control characters")
    path = parts.path.rstrip("/").removesuffix(spec.pasted_path) or spec.default_path
    return f"{parts.scheme}://{parts.netloc}{path}"
