"""Checks what an operator typed for a provider: the key, the base URL, the address behind it.

Raises `Invalid` with the field's name; changes nothing and calls nobody but the resolver of names.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from pydantic import SecretStr

from ops_center.control.context import HttpFetcher
from ops_center.errors import AddressRefused, Invalid, ProviderError
from ops_center.litellm_sdk.install import HOW_TO_GET, missing
from ops_center.providers.access import is_usable_credential, public_name
from ops_center.providers.litellm_parameters import check_credential, check_options
from ops_center.providers.registry import PROVIDER_SPECS
from ops_center.providers.spec import NO_OPTIONS, ProviderSpec, default_base_url, normalise_base_url
from ops_center.storage.secrets import preview

_QUOTES = "\"'`“”‘’"
_MOST_PREVIEW = 40
_SPECS = {spec.type: spec for spec in PROVIDER_SPECS}


def spec_of(provider_type: str) -> ProviderSpec:
    """Raises Invalid naming `type` for a type we do not know."""
    spec = _SPECS.get(provider_type)
    if spec is None:
        raise Invalid("There is no provider type of this name", param="type")
    return spec


def check_extra(spec: ProviderSpec) -> None:
    """Raises Invalid naming `type` where the optional package is missing that the type's calls run through."""
    problem = missing() if spec.extra is not None else None
    if problem is not None:
        raise Invalid(problem, param="type", hint=HOW_TO_GET)


def trimmed_key(api_key: SecretStr | None) -> str:
    """The key without the spaces and quotes that come along when it is pasted; empty for none."""
    return "" if api_key is None else api_key.get_secret_value().strip().strip(_QUOTES).strip()


def checked_key(api_key: SecretStr | None, spec: ProviderSpec) -> str:
    """A trimmed key. Raises Invalid naming `api_key` for one that no provider can have given out."""
    key = trimmed_key(api_key)
    if spec.auth == "litellm":
        try:
            check_credential(key)
        except ValueError as error:
            raise Invalid(str(error), param="api_key") from None
    if not is_usable_credential(spec, key):
        raise Invalid(
            "The API key contains spaces or characters that no key has",
            param="api_key",
            hint="Copy it again from the provider's page.",
        )
    return key


def checked_options(
    options: Mapping[str, str | None],
    spec: ProviderSpec,
    before: Mapping[str, str] = NO_OPTIONS,
    *,
    base_url: str | None = None,
) -> dict[str, str]:
    """All options of the type: those given, else those of `before`, else their defaults; blank ones left out.

    What only makes up the type's own address may be left out where `base_url` gives another one.

    Raises Invalid naming `options.<name>`.
    """
    fields = {field.name: field for field in spec.option_fields}
    for name in options:
        if name not in fields:
            raise Invalid("This type has no such option", param=f"options.{name}")
    given = (base_url or "").strip()
    elsewhere = given not in ("", spec.default_base_url)
    checked: dict[str, str] = {}
    for name, field in fields.items():
        value = (options[name] if name in options else before.get(name)) or ""
        value = value.strip() or field.default
        if (
            not value
            and field.required
            and not (elsewhere and f"{{{name}}}" in (spec.default_base_url or ""))
        ):
            raise Invalid(f"{field.label} is required for this type", param=f"options.{name}")
        if value and not re.fullmatch(field.pattern, value):
            raise Invalid(
                f"This is not a valid {field.label}", param=f"options.{name}", hint=field.help or None
            )
        if value:
            checked[name] = value
    if spec.auth == "litellm":
        try:
            check_options(checked)
        except ValueError as error:
            name, sentence = error.args
            raise Invalid(sentence, param=f"options.{name}") from None
    return checked


def key_preview(spec: ProviderSpec, key: str) -> str:
    """What a card shows of a key: its name where it has a public one, else a few of its characters."""
    return (public_name(spec, key) or preview(key))[:_MOST_PREVIEW]


def checked_base_url(
    base_url: str | None, spec: ProviderSpec, options: Mapping[str, str] = NO_OPTIONS
) -> str:
    """A normalised base URL, the type's own when none is given. Raises Invalid naming `base_url`."""
    if base_url is None or not base_url.strip() or base_url.strip() == spec.default_base_url:
        own = default_base_url(spec, options)
        if own is None:
            raise Invalid("Base URL is required for this type", param="base_url")
        return own
    if spec.extra is not None:
        raise Invalid("This type has no base URL; where its calls go is said by API base", param="base_url")
    try:
        return normalise_base_url(base_url, spec)
    except ValueError as error:
        raise Invalid(str(error), param="base_url") from None


async def check_address(http: HttpFetcher, base_url: str, *, allow_private_network: bool) -> None:
    """Raises Invalid naming `base_url` when it leads to an address that is never called.

    A name that does not resolve now may resolve later, and is checked again on every connection.
    """
    try:
        await http.check_address(base_url, allow_private_network=allow_private_network)
    except AddressRefused as error:
        raise Invalid("Address not allowed", param="base_url", hint=error.hint) from None
    except ProviderError:
        pass


def keeps_its_key(
    one: tuple[str, Mapping[str, str]], other: tuple[str, Mapping[str, str]], spec: ProviderSpec
) -> bool:
    """Whether a key stored for one base URL (with its options) may be sent to the other: to the same server,
    or between addresses of the provider itself, such as two of its regions."""
    if spec.auth == "litellm":
        return one[1].get("api_base") == other[1].get("api_base")
    return same_origin(one[0], other[0]) or all(
        base_url == default_base_url(spec, options) for base_url, options in (one, other)
    )


def same_origin(one: str, other: str) -> bool:
    """Whether two base URLs lead to the same server: scheme, host and port."""
    return _origin(one) == _origin(other)


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)
