"""What differs between two configurations of routing, one line per difference, in words that a person reads.

Pure. It judges nothing and knows of no version.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal

import msgspec

from ops_center.catalog.aliases import PACKAGED
from ops_center.control.fields import ResponseModel
from ops_center.control.routing_versions.configuration import Configuration, ProviderState
from ops_center.snapshot import Rules
from ops_center.types import Strategy

Area = Literal["rules", "power_levels", "aliases", "providers", "models"]

_DEFAULT_RULES: dict[str, Any] = {"strategy": Strategy.BALANCED.value, **msgspec.to_builtins(Rules())}
_STRATEGIES = {"cost": "Cost Optimized", "balanced": "Balanced", "quality": "Quality Optimized"}
_LABELS = {
    "replace_named": "strategy for named models",
    "larger_window": "larger window for long prompts",
    "auto_fallback": "auto-fallback",
    "max_usd_mtok": "highest price per 1M tokens",
    "min_score": "lowest score",
    "input_mtok": "input price per 1M tokens",
    "output_mtok": "output price per 1M tokens",
    "cache_read_mtok": "cache read price per 1M tokens",
    "cache_write_mtok": "cache write price per 1M tokens",
    "context_window": "context window",
}
_LEVELS = {"eco": "Eco Mode", "balanced": "Balanced Mode", "precision": "Precision Mode"}


class Change(ResponseModel):
    """`subject`: whose `field` it is: a provider, `provider/model`, an alias, a level; empty for the rules.
    Of what came or went as a whole, `field` is null."""

    area: Area
    subject: str
    field: str | None
    before: Any
    after: Any
    text: str
    """The same in one line, such as "OpenAI: priority 50 → 80"."""


def changes(before: Configuration, after: Configuration) -> list[Change]:
    """Every difference, in the order in which a request meets it: rules, levels, aliases, providers, models."""
    found = [*_rules(before, after), *_levels(before, after), *_aliases(before, after)]
    of_models: list[Change] = []
    for provider_id in {**before.providers, **after.providers}:
        old, new = before.providers.get(provider_id), after.providers.get(provider_id)
        if old is None or new is None:
            found.append(_whole(old, new))
        if new is not None:
            found += _provider(old or new, new)
            of_models += _models(old, new)
    return found + of_models


def summary(found: list[Change]) -> str:
    """One line for a list."""
    if not found:
        return ""
    more = len(found) - 1
    return found[0].text + (f", and {more} more" if more else "")


def _rules(before: Configuration, after: Configuration) -> Iterator[Change]:
    old, new = {**_DEFAULT_RULES, **before.rules}, {**_DEFAULT_RULES, **after.rules}
    for field in {**old, **new}:
        if old.get(field) != new.get(field):
            was, now = (
                _STRATEGIES.get(str(v), v) if field == "strategy" else v
                for v in (old.get(field), new.get(field))
            )
            yield _change(
                "rules", "", field, old.get(field), new.get(field), f"{_label(field).capitalize()}:", was, now
            )


def _levels(before: Configuration, after: Configuration) -> Iterator[Change]:
    old, new = (each.power_levels.model_dump(mode="json") for each in (before, after))
    for field in new:
        if old[field] == new[field]:
            continue
        if field not in _LEVELS:
            yield _change(
                "power_levels", "", field, old[field], new[field], f"{field.capitalize()} power level:"
            )
            continue
        for part in new[field]:
            if old[field][part] != new[field][part]:
                words = f"{_LEVELS[field]}: {_label(part)}"
                yield _change("power_levels", field, part, old[field][part], new[field][part], words)


def _aliases(before: Configuration, after: Configuration) -> Iterator[Change]:
    for name in sorted(before.aliases.keys() | after.aliases.keys()):
        old, new = (each.aliases.get(name, list(PACKAGED.get(name, ())) or None) for each in (before, after))
        if old != new:
            yield _change("aliases", name, "candidates", old, new, f"Alias {name}:")


def _whole(old: ProviderState | None, new: ProviderState | None) -> Change:
    state = new or old
    assert state is not None
    word = "added" if old is None else "deleted"
    return Change(
        area="providers",
        subject=state.name,
        field=None,
        before=None if old is None else old.name,
        after=None if new is None else new.name,
        text=f"{state.name}: {word}",
    )


def _provider(old: ProviderState, new: ProviderState) -> Iterator[Change]:
    for field in ("name", "enabled", "priority", "auto_fallback"):
        was, now = getattr(old, field), getattr(new, field)
        if was == now:
            continue
        if field == "enabled":
            yield _change("providers", new.name, field, was, now, f"{new.name}:", *_enabled(was, now))
        else:
            yield _change("providers", new.name, field, was, now, f"{new.name}: {_label(field)}")


def _models(old: ProviderState | None, new: ProviderState) -> Iterator[Change]:
    was = old or ProviderState(
        name=new.name, type=new.type, enabled=new.enabled, priority=0, auto_fallback=True
    )
    for name, before, after in _membership(was.manual_models, new.manual_models):
        subject = f"{new.name}/{name}"
        yield Change(
            area="models",
            subject=subject,
            field=None,
            before=name if before else None,
            after=name if after else None,
            text=f"{subject}: {'added' if after else 'removed'} by hand",
        )
    for name, before, after in _membership(was.disabled_models, new.disabled_models):
        subject = f"{new.name}/{name}"
        yield _change(
            "models",
            subject,
            "enabled",
            not before,
            not after,
            f"{subject}:",
            *_enabled(not before, not after),
        )
    for name in sorted(was.overrides.keys() | new.overrides.keys()):
        given, wanted = was.overrides.get(name, {}), new.overrides.get(name, {})
        subject = f"{new.name}/{name}"
        for field in {**given, **wanted}:
            if field != "as_of" and given.get(field) != wanted.get(field):
                words = f"{subject}: {_label(field)}"
                yield _change("models", subject, field, given.get(field), wanted.get(field), words)


def _membership(old: Iterable[str], new: Iterable[str]) -> Iterator[tuple[str, bool, bool]]:
    before, after = set(old), set(new)
    for name in sorted(before ^ after):
        yield name, name in before, name in after


def _enabled(was: bool, now: bool) -> tuple[str, str]:
    return ("enabled" if was else "disabled", "enabled" if now else "disabled")


def _change(
    area: Area,
    subject: str,
    field: str,
    before: Any,
    after: Any,
    words: str,
    was: Any = None,
    now: Any = None,
) -> Change:
    """`was` and `now`: how the values are said, where that differs from what they are."""
    said = _said(field, before if was is None else was), _said(field, after if now is None else now)
    return Change(
        area=area,
        subject=subject,
        field=field,
        before=before,
        after=after,
        text=f"{words} {said[0]} → {said[1]}",
    )


def _label(field: str) -> str:
    return _LABELS.get(field, field.replace("_", " "))


def _said(field: str, value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "on" if value else "off"
    if field.endswith(("_mtok", "_usd")):
        return f"${value}"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_said('', inner)}" for name, inner in value.items()) or "none"
    if isinstance(value, (list, tuple)):
        return ", ".join(str(each) for each in value) or "any"
    if isinstance(value, float):
        return f"{value:g}"
    return str(value)
