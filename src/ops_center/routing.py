"""Resolve: model name + principal + request → a plan. Step two on the way of a request.

A pure function over a snapshot: the same one serves traffic, the "explain" screen and any replay. It
calls nobody, knows no clock and keeps nothing; health and failures are `attempt`'s business.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

import msgspec

from ops_center.catalog.names import canonical_name
from ops_center.errors import Forbidden, ModelNotFound
from ops_center.snapshot import Principal, Snapshot, Target
from ops_center.types import PowerLevel, Strategy

MAX_TARGETS = 8  # a plan longer than this would outlive every caller's patience

# Prefixes that name us or a client library, not a provider (LiteLLM's proxy prefix, Google's "models/").
_OUR_PREFIXES = ("litellm_proxy/", "ops-center/", "models/")
_CHOOSE_FOR_ME = frozenset({"", "auto", "ops-center/auto", "openrouter/auto"})
_LEVELS = {level.value: level for level in PowerLevel}


class RouteRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What of a request decides where it goes."""

    model: str | None = None
    power_level: PowerLevel | None = None  # from the header x-power-level
    needs: frozenset[str] = frozenset()  # capabilities: tools, vision, structured_output
    explain: bool = False  # list every target left out, not only those met before the plan was full
    turn: int = 0  # rotates targets of equal priority; any integer, the same one gives the same plan


class Choice(msgspec.Struct, frozen=True):
    """A target of a plan, and why it stands where it stands."""

    target: Target
    reason: str


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """Ordered targets, and every target left out with its reason. `strategy` is None for a named model."""

    requested_model: str
    strategy: Strategy | None = None
    choices: tuple[Choice, ...] = ()
    excluded: tuple[Choice, ...] = ()


def resolve(snapshot: Snapshot, principal: Principal | None, request: RouteRequest) -> Plan:
    """The plan for one request.

    Names, in this order: nothing or `auto` (the strategy chooses), `eco`/`balanced`/`precision` (that
    level chooses), `provider/model`, a model's own id or the same model under another provider's id, an
    alias. Raises ModelNotFound with near matches, or Forbidden when the key may not use the model.
    """
    name = (request.model or "").strip()
    for prefix in _OUR_PREFIXES:
        if name.startswith(prefix):
            name = name[len(prefix) :]
    level = _LEVELS.get(name)
    if level is not None or name in _CHOOSE_FOR_ME:
        return _by_strategy(snapshot, principal, request, level)

    found, reason = _named(snapshot, name)
    if not found:
        raise ModelNotFound(
            f"The model “{name}” is not served by any provider here.{_near(snapshot, name)}", param="model"
        )
    allowed = found if principal is None or principal.models is None else _allowed(found, principal, name)
    if not allowed:
        raise Forbidden(f"This API key may not use the model “{name}”.", param="model")
    ordered = _share(allowed, request.turn) if len(allowed) > 1 else allowed
    return Plan(
        requested_model=name, choices=tuple([Choice(target, reason) for target in ordered[:MAX_TARGETS]])
    )


def _named(snapshot: Snapshot, name: str) -> tuple[Sequence[Target], str]:
    head, slash, rest = name.partition("/")
    if slash and (of_provider := snapshot.by_provider.get(head.lower())) is not None:
        target = of_provider.get(rest) or of_provider.get(name)
        if target is None:
            wanted = canonical_name(rest)
            target = next((t for m, t in of_provider.items() if canonical_name(m) == wanted), None)
        if target is not None:
            others = [t for t in snapshot.by_model.get(canonical_name(target.model), ()) if t is not target]
            same_type = [t for t in others if head.lower() in (t.provider.spec.type, t.provider.name.lower())]
            return _by_priority([target, *same_type]), f"named by provider “{head}”"
    found = snapshot.by_model.get(name)
    if found is not None:
        wider = snapshot.by_model.get(canonical_name(name), ())
        return (found if len(wider) <= len(found) else wider), "named by model"
    for canonical in snapshot.aliases.get(name.lower(), ()):
        if found := snapshot.by_model.get(canonical):
            return found, f"alias “{name}” → {canonical}"
    if found := snapshot.by_model.get(canonical_name(name)):
        return found, "the same model under another name"
    return (), ""


def _by_priority(targets: Iterable[Target]) -> list[Target]:
    return sorted({t.id: t for t in targets}.values(), key=lambda t: -t.provider.priority)


def _allowed(targets: Sequence[Target], principal: Principal, name: str) -> list[Target]:
    models = principal.models
    if models is None or name in models:
        return list(targets)
    return [t for t in targets if t.model in models or canonical_name(t.model) in models]


def _share(targets: Sequence[Target], turn: int) -> Sequence[Target]:
    """Higher priorities first; targets of equal priority take turns at the head of their group."""
    ordered: list[Target] = []
    start = 0
    while start < len(targets):
        priority = targets[start].provider.priority
        end = start + 1
        while end < len(targets) and targets[end].provider.priority == priority:
            end += 1
        group = targets[start:end]
        by = turn % len(group)
        ordered += group[by:]
        ordered += group[:by]
        start = end
    return ordered


def _by_strategy(
    snapshot: Snapshot, principal: Principal | None, request: RouteRequest, level: PowerLevel | None
) -> Plan:
    # Precedence: request header or model name → API key → user → global. The snapshot has already put the
    # user's level into a key without one.
    level = request.power_level or level or (principal.power_level if principal else None)
    strategy = level.strategy if level else snapshot.strategy
    choices: list[Choice] = []
    excluded: list[Choice] = []
    seen: set[tuple[str, str]] = set()
    for target in snapshot.ranked[strategy]:
        reason = _why_not(target, principal, request)
        if reason:
            excluded.append(Choice(target, reason))
        elif len(choices) == MAX_TARGETS:
            if not request.explain:
                break
            excluded.append(Choice(target, "ranked lower than the targets chosen"))
        elif (key := (target.provider.id, target.model)) not in seen:
            seen.add(key)
            choices.append(Choice(target, _REASON[strategy]))
    if not choices:
        raise ModelNotFound(
            "No model is available for this request: "
            + (excluded[0].reason if excluded else "no provider serves any model yet")
            + ".",
            param="model",
        )
    return Plan(
        requested_model=request.model or "auto",
        strategy=strategy,
        choices=tuple(choices),
        excluded=tuple(excluded),
    )


_REASON = {
    Strategy.COST: "the cheapest",
    Strategy.BALANCED: "the best balance of price and quality",
    Strategy.QUALITY: "the best score",
}


def _why_not(target: Target, principal: Principal | None, request: RouteRequest) -> str | None:
    if (
        principal is not None
        and principal.models is not None
        and not _allowed([target], principal, target.model)
    ):
        return "not among the models of this API key"
    missing = request.needs - target.capabilities if request.needs and target.capabilities else None
    return f"lacks {', '.join(sorted(missing))}" if missing else None


def _near(snapshot: Snapshot, name: str) -> str:
    """A sentence with up to three near names, or nothing. Only names that share a start, to stay quick."""
    wanted = canonical_name(name)
    served = [
        alias for alias, models in snapshot.aliases.items() if any(m in snapshot.by_model for m in models)
    ]
    close = {n for n in (*snapshot.by_model, *served) if wanted[:3] and wanted[:3] in n.lower()}
    matches = difflib.get_close_matches(wanted, sorted(close)[:400], n=3, cutoff=0.5)
    return f" Did you mean {', '.join(matches)}?" if matches else " GET /v1/models lists what is."
