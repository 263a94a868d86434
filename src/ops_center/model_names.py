"""Which names somebody may send as the model: what `GET /v1/models` lists, and what the console offers.

Pure over a snapshot. Does not know whether a target is healthy, and chooses nothing: that is `routing`.
"""

from __future__ import annotations

from collections.abc import Iterator

from ops_center.catalog.names import canonical_name
from ops_center.snapshot import Principal, Snapshot

# Names by which the strategy or a power level chooses; see routing.py.
CHOOSING_NAMES = ("auto", "eco", "balanced", "precision")
OURS = "ops-center"


def model_names(snapshot: Snapshot, principal: Principal) -> Iterator[tuple[str, str]]:
    """Each name with whose it is (`OURS` or a provider's type), once: the choosing names, aliases that resolve, and
    the models themselves."""
    allowed = principal.models
    providers = principal.providers
    snapshot = snapshot.seen_by(principal)
    if snapshot.targets and allowed is None:
        for name in CHOOSING_NAMES:
            yield name, OURS
    seen: set[str] = set()
    for name, candidates in snapshot.aliases.items():
        served = any(
            providers is None or target.provider.id in providers
            for candidate in candidates
            for target in snapshot.by_model.get(candidate, ())
        )
        if served and (allowed is None or name in allowed):
            seen.add(name)
            yield name, OURS
    for target in sorted(snapshot.targets, key=lambda t: t.model):
        if target.model in seen or (providers is not None and target.provider.id not in providers):
            continue
        if allowed is None or target.model in allowed or canonical_name(target.model) in allowed:
            seen.add(target.model)
            yield target.model, target.provider.spec.type
