"""providers/spec: rows as templates, and what of an operator's options reaches a URL."""

from __future__ import annotations

import re

import pytest

from ops_center.providers.registry import PROVIDER_SPECS
from ops_center.providers.spec import ProviderSpec, default_base_url, filled, lists_base_url

REGIONAL = ProviderSpec(
    type="regional",
    name="Regional",
    color="#000000",
    default_base_url="https://models.{region}.example.com",
    base_urls_by_option=(("region", "global", "https://models.example.com"),),
    lists_base_url="https://lists.{region}.example.com",
)


def test_a_template_is_filled_and_its_values_are_percent_encoded() -> None:
    path = filled("/model/{model}/chat?v={version}", {"model": "a.b/c:1 é~_-", "version": "1&x=2"})
    assert path == "/model/a.b%2Fc%3A1%20%C3%A9~_-/chat?v=1%26x%3D2"


@pytest.mark.parametrize(
    ("options", "path"),
    [
        ({}, "/models"),
        ({"project": "p"}, "/models"),
        ({"project": "p", "location": ""}, "/models"),
        ({"project": "p", "location": "eu"}, "/projects/p/locations/eu/models"),
    ],
)
def test_a_section_needs_all_of_its_values(options: dict[str, str], path: str) -> None:
    assert filled("[/projects/{project}/locations/{location}]/models", options) == path


def test_the_default_address_follows_the_options() -> None:
    assert default_base_url(REGIONAL, {"region": "eu-1"}) == "https://models.eu-1.example.com"
    assert default_base_url(REGIONAL, {"region": "global"}) == "https://models.example.com"


def test_lists_have_an_address_of_their_own_only_beside_the_default_one() -> None:
    options = {"region": "eu-1"}
    assert (
        lists_base_url(REGIONAL, "https://models.eu-1.example.com", options)
        == "https://lists.eu-1.example.com"
    )
    assert lists_base_url(REGIONAL, "https://proxy.local/x", options) == "https://proxy.local/x"


# Where a package makes the calls, no option goes into a URL of ours.
@pytest.mark.parametrize("spec", [s for s in PROVIDER_SPECS if not s.extra], ids=lambda spec: spec.type)
def test_no_option_of_any_row_can_lead_to_another_host(spec: ProviderSpec) -> None:
    for field in spec.option_fields:
        for value in (
            "evil.com/",
            "a@evil.com",
            "a:80",
            "a?b",
            "a#b",
            "a b",
            "a\\b",
            "[::1]",
            "a\nb",
            ".",
            "é",
        ):
            assert not re.fullmatch(field.pattern, value), (field.name, value)
        if field.default:
            assert re.fullmatch(field.pattern, field.default)
