"""Whose credential serves: resolve, and then the user's own keys put into the plan by policy. Part of step two.

A pure function like `routing.resolve`, which it calls; a caller without own keys, whose policy is any but
`byok_only`, costs nothing here. It proves no key and counts no money.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from ops_center import routing
from ops_center.errors import Forbidden, ModelNotFound
from ops_center.route_request import Options, RouteRequest
from ops_center.routing import KNOWS_NOTHING, MAX_TARGETS, Choice, Live, Plan
from ops_center.snapshot import Principal, Provider, Snapshot
from ops_center.types import ByokPolicy, CredentialSource

_NONE: Mapping[str, Provider] = {}
_HINT = "Add your key under Provider Keys in the console."
_NO_KEY = "you have no key of your own for it"
_OWN_ASKED = "once an own key was asked, the platform's keys do not serve"


def resolve(
    snapshot: Snapshot, principal: Principal | None, request: RouteRequest, live: Live = KNOWS_NOTHING
) -> Plan:
    """The plan for one request, each target with the credential that is to serve.

    `byok_then_shared`: the user's own key where there is one, the platform's elsewhere; once an own key has
    been asked in vain, the platform's follows only with the user's switch. Of a model that was named, the
    providers that the user has a key for come first. `shared_then_byok`: the platform's, then own keys. A replay
    is the platform's to pay, whatever keys the admin who asks for it has.

    Raises what `routing.resolve` raises, and Forbidden for a request that loosens its key's policy, and under
    `byok_only` where the user has no key, or for a replay.
    """
    if principal is None:
        return routing.resolve(snapshot, None, request, live)
    policy = principal.byok_policy
    if request.pinned:
        if policy is ByokPolicy.BYOK_ONLY:
            raise Forbidden("Only own keys may be used here, and a replay is paid with the platform's.")
        return routing.resolve(snapshot, msgspec.structs.replace(principal, own_keys=None), request, live)
    if request.byok_policy is not None:
        policy = _tightened(policy, request.byok_policy)
    own = principal.own_keys.providers if principal.own_keys is not None else _NONE
    if policy is ByokPolicy.SHARED_ONLY or (policy is not ByokPolicy.BYOK_ONLY and not own):
        return routing.resolve(snapshot, principal, request, live)
    seen = snapshot.seen_by(principal)
    if policy is ByokPolicy.BYOK_ONLY:
        plan = _only_own(seen, principal, request, live, own)
    else:
        plan = routing.resolve(seen, principal, request, live)
    if policy is ByokPolicy.SHARED_THEN_BYOK:
        choices = _shared_first(plan.choices, own)
    else:
        fallback = principal.byok_fallback and policy is ByokPolicy.BYOK_THEN_SHARED
        choices = _own_first(_one_model_own_first(plan, request.options, own), own, fallback)
    return msgspec.structs.replace(
        plan,
        request=request,
        choices=tuple(choices[:MAX_TARGETS]),
        excluded=plan.excluded + _kept_from(plan.choices, choices),
    )


def _tightened(policy: ByokPolicy, wish: ByokPolicy) -> ByokPolicy:
    if wish not in policy.tighter:
        raise Forbidden(
            f"The policy for this API key is {policy}; a request may tighten it, and {wish} does not.",
            param="x-ops-byok-policy",
        )
    return wish


def _only_own(
    snapshot: Snapshot,
    principal: Principal,
    request: RouteRequest,
    live: Live,
    own: Mapping[str, Provider],
) -> Plan:
    """The plan over nothing but the providers that the user has a key for."""
    if not own:
        raise Forbidden("Only own keys may be used here, and you have added none.", hint=_HINT)
    wanted = set(request.options.only)
    ids = [
        provider.id
        for provider in own.values()
        if not wanted or wanted & {provider.id, provider.name.lower(), provider.spec.type}
    ]
    options = msgspec.structs.replace(request.options, only=tuple(ids) or ("",))
    try:
        plan = routing.resolve(snapshot, principal, msgspec.structs.replace(request, options=options), live)
    except ModelNotFound:
        routing.resolve(snapshot, principal, request, live)  # what is nobody's to serve says so itself
        raise Forbidden(
            "Only own keys may be used here, and you have none for a provider of "
            + (f"“{request.model}”." if request.model else "a model that can answer this."),
            hint=_HINT,
            param="model",
        ) from None
    excluded = [
        choice if choice.target.provider.id in own else msgspec.structs.replace(choice, reason=_NO_KEY)
        for choice in plan.excluded
    ]
    return msgspec.structs.replace(plan, excluded=tuple(excluded))


def _one_model_own_first(plan: Plan, wishes: Options, own: Mapping[str, Provider]) -> Sequence[Choice]:
    """Where all choices are the one model that was named, those on own keys come first; else as they stand."""
    if plan.strategy is not None or wishes.models or wishes.order or wishes.sort:
        return plan.choices
    return sorted(plan.choices, key=lambda choice: choice.target.provider.id not in own)


def _own_first(choices: Sequence[Choice], own: Mapping[str, Provider], fallback: bool) -> list[Choice]:
    found: list[Choice] = []
    asked_own = False
    for choice in choices:
        provider = own.get(choice.target.provider.id)
        if provider is not None:
            asked_own = True
            found.append(_with(choice, provider))
        if _is_shared(choice) and (fallback if asked_own else True):
            found.append(choice)
    return found


def _kept_from(planned: Sequence[Choice], choices: Sequence[Choice]) -> tuple[Choice, ...]:
    """Those of the plan that nobody's key is left to ask."""
    left = {choice.target.id for choice in choices}
    return tuple([Choice(c.target, _OWN_ASKED) for c in planned if c.target.id not in left])


def _shared_first(choices: Sequence[Choice], own: Mapping[str, Provider]) -> list[Choice]:
    found: list[Choice] = []
    for choice in choices:
        provider = own.get(choice.target.provider.id)
        if _is_shared(choice):
            found.append(choice)
        if provider is not None:
            found.append(_with(choice, provider))
    return found


def _is_shared(choice: Choice) -> bool:
    """Whether the platform has a key there; to some providers only own keys lead."""
    return choice.target.provider.credential_source is CredentialSource.PLATFORM


def _with(choice: Choice, provider: Provider) -> Choice:
    return msgspec.structs.replace(
        choice,
        target=msgspec.structs.replace(choice.target, provider=provider),
        reason=f"{choice.reason}; with the user's own key",
    )
