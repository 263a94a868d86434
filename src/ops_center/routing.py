"""Resolve: model name + principal + request → a plan. Step two on the way of a request.

A pure function over a snapshot and what is known of the targets at this moment (`Live`): the same one
serves traffic, the "explain" screen and any replay. It calls nobody, knows no clock and keeps nothing.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence

import msgspec

from ops_center.catalog.names import canonical_name
from ops_center.errors import BadRequest, CallerError, Forbidden, ModelNotFound
from ops_center.ranking import Speeds
from ops_center.route_request import NO_OPTIONS, Options, Sort
from ops_center.route_request import RouteRequest as RouteRequest
from ops_center.snapshot import Principal, Provider, Snapshot, Target
from ops_center.types import PowerLevel, Strategy

MAX_TARGETS = 8  # a plan longer than this would outlive every caller's patience
ASSUMED_OUTPUT_TOKENS = 500  # of an answer, until there is something to learn from

# Prefixes that name us or a client library, not a provider (LiteLLM's proxy prefix, Google's "models/").
_OUR_PREFIXES = ("litellm_proxy/", "ops-center/", "models/")
_CHOOSE_FOR_ME = frozenset({"", "auto", "ops-center/auto", "openrouter/auto"})
_LEVELS = {level.value: level for level in PowerLevel}
# OpenRouter's suffixes (https://openrouter.ai/docs/features/provider-routing, 2026-11).
_SORT_OF_SUFFIX: dict[str, Sort] = {":floor": "price", ":nitro": "throughput"}
_MOST_COMPARED = 64  # targets of nearly the lowest cost that are compared to the cent
_LARGER = 2  # targets with a larger window that stand behind a named model
_MUCH_MORE = 1.25  # a load this much larger is worth leaving the turn for


class Blocked(msgspec.Struct, frozen=True):
    """Why a target takes no request now, and for how much longer."""

    reason: str
    seconds: float
    limited: bool = False  # by a rate limit, not by a failure


class Live:
    """What is known of targets at this moment. This one knows nothing; see `health.py` for the other."""

    speeds: Speeds = Speeds()
    troubled: Collection[str] = ()  # ids of targets and providers that `blocked` has to be asked about
    busy: bool = False  # whether `load` has anything to tell

    def blocked(self, target: Target, *, own_key: bool = False) -> Blocked | None:
        """Why nobody may ask it now; `own_key`: for a user with a key of their own for its provider."""
        return None

    def load(self, target_id: str) -> float:
        """Outstanding requests × latency; only its proportions mean something."""
        return 1.0

    def output_tokens(self, api_key_id: str) -> int:
        """How long answers to this API key have been lately."""
        return ASSUMED_OUTPUT_TOKENS

    def home(self, session: Hashable) -> str | None:
        """The id of the target that holds a conversation's prompt cache."""
        return None


KNOWS_NOTHING = Live()


class Choice(msgspec.Struct, frozen=True):
    """A target of a plan, and why it stands where it stands (or was left out)."""

    target: Target
    reason: str
    value: float | None = None  # what the strategy's order goes by, higher is better
    cost_usd: float | None = None  # what the request is expected to cost there
    larger: bool = False  # asked only when the prompt turns out too long for those before it
    momentary: bool = False  # left out for what is so just now: its health, a budget used up


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """Ordered targets, and every target left out with its reason. `strategy` is None for a named model.

    Without choices, everybody who could have answered is unwell just now: see `retry_after_seconds`.
    """

    requested_model: str
    request: RouteRequest = RouteRequest()  # what it was made for
    routing_version: int = 0
    snapshot_version: int = 0
    strategy: Strategy | None = None
    power_level: PowerLevel | None = None  # in force, if the strategy chose
    speeds: Speeds = Speeds()  # as they were measured when it was made
    home: str | None = None  # the target that holds the conversation's prompt cache
    choices: tuple[Choice, ...] = ()
    excluded: tuple[Choice, ...] = ()
    output_tokens: int = ASSUMED_OUTPUT_TOKENS  # the expected answer that costs were compared by
    fallbacks: bool = True  # whether another target may be asked when one fails
    retries: int = 0  # how often the last target may be asked once more
    conversation: Hashable = None  # what its home is remembered by
    retry_after_seconds: float | None = None
    limited: bool = False  # nobody is left because of rate limits alone


def resolve(
    snapshot: Snapshot, principal: Principal | None, request: RouteRequest, live: Live = KNOWS_NOTHING
) -> Plan:
    """The plan for one request.

    Names, in this order: nothing or `auto` (the strategy chooses), `eco`/`balanced`/`precision` (that
    level chooses), `provider/model`, a model's own id or the same model under another provider's id, an
    alias. Raises ModelNotFound with near matches, Forbidden when the key may not use the model, or
    BadRequest when no model is large enough for the prompt.
    """
    name = (request.model or "").strip()
    if name.startswith(_OUR_PREFIXES):
        for prefix in _OUR_PREFIXES:
            name = name.removeprefix(prefix)
    options = request.options
    if name[-6:] in _SORT_OF_SUFFIX and name not in snapshot.by_model:
        if options.sort is None:
            options = msgspec.structs.replace(options, sort=_SORT_OF_SUFFIX[name[-6:]])
        name = name[:-6]
    output_tokens = live.output_tokens(principal.api_key_id if principal is not None else "")
    if request.max_output_tokens is not None and request.max_output_tokens < output_tokens:
        output_tokens = max(1, request.max_output_tokens)
    query = _Query(snapshot, principal, request, options, live, output_tokens)
    level = _LEVELS.get(name)
    if request.task is not None:
        return query.by_name(name)
    if level is not None or name in _CHOOSE_FOR_ME:
        return query.by_strategy(level)
    if snapshot.rules.replace_named and not request.pinned and _named(snapshot, name)[0]:
        return query.by_strategy(None)
    return query.by_name(name)


class _Query:
    """One call of `resolve`: its arguments, and the two ways to a plan."""

    __slots__ = ("live", "options", "output_tokens", "own", "principal", "request", "snapshot")

    def __init__(
        self,
        snapshot: Snapshot,
        principal: Principal | None,
        request: RouteRequest,
        options: Options,
        live: Live,
        output_tokens: int,
    ) -> None:
        self.snapshot = snapshot
        self.principal = principal
        self.request = request
        self.options = options
        self.live = live
        self.output_tokens = output_tokens
        own = principal.own_keys if principal is not None else None
        self.own = own.providers if own is not None else _NO_KEYS

    # ── a model that was named ────────────────────────────────────────────────

    def by_name(self, name: str) -> Plan:
        principal, live = self.principal, self.live
        found, reason = self._found(name)
        if not found and not self.options.models:
            raise self._not_found(name)
        allowed = found if principal is None else _allowed(found, principal, name)
        choices = [
            Choice(target, reason, None, self._cost(target))
            for target in (_share(allowed, self.request.turn, live) if len(allowed) > 1 else allowed)
        ]
        for other in self.options.models:
            choices += self._alternative(other, choices)
        if not choices:
            if not found:
                raise self._not_found(name)
            raise Forbidden(f"This API key may not use the model “{name}”.", param="model")
        excluded: list[Choice] = []
        if self.options is not NO_OPTIONS:
            choices, excluded = self._as_wished(choices)
        if len(choices) > 1:
            choices = self._fitting(choices, excluded)
        if live.troubled:
            choices, blocked = self._well(choices, excluded)
        else:
            blocked = _NOBODY
        if self.request.session is not None:
            choices = self._home_first(choices)
        if self.snapshot.rules.larger_window and choices and not self.request.pinned:
            choices = self._with_larger(choices)
        return self._plan(name, None, None, choices, excluded, blocked)

    def _found(self, name: str) -> tuple[Sequence[Target], str]:
        """Who serves this name, and for a task beside chat: whose provider answers its endpoint, too."""
        task = self.request.task
        if task is None:
            return _named(self.snapshot, name)
        if name in _LEVELS or name in _CHOOSE_FOR_ME:
            found: Sequence[Target] = self.snapshot.by_task.get(task.capability, ())
            reason = f"made for /v1/{task.endpoint}"
        else:
            found, reason = _named(self.snapshot, name)
        serving = [t for t in found if t.provider.spec.task_path(task.endpoint) is not None]
        if found and not serving:
            raise ModelNotFound(f"No provider of this model answers /v1/{task.endpoint} here.", param="model")
        return serving, reason

    def _not_found(self, name: str) -> ModelNotFound:
        return ModelNotFound(
            f"The model “{name}” is not served by any provider here.{_near(self.snapshot, name)}",
            param="model",
        )

    def _alternative(self, name: str, before: Sequence[Choice]) -> list[Choice]:
        """The targets of a further model that the caller would take; none where nobody serves it."""
        principal = self.principal
        found, _ = self._found(name)
        if principal is not None:
            found = _allowed(found, principal, name)
        known = {choice.target.id for choice in before}
        return [
            Choice(target, f"the caller's alternative “{name}”", None, self._cost(target))
            for target in _share(found, self.request.turn, self.live)
            if target.id not in known
        ]

    def _fitting(self, choices: list[Choice], excluded: list[Choice]) -> list[Choice]:
        """Without those too small for the request; all of them where none is known to fit, for who names a
        model has the last word and an estimate may be wrong."""
        reasons = [unfit(choice.target, self.request) for choice in choices]
        if all(reasons):
            return choices
        excluded += [Choice(c.target, r) for c, r in zip(choices, reasons, strict=True) if r]
        return [c for c, r in zip(choices, reasons, strict=True) if not r]

    def _with_larger(self, choices: list[Choice]) -> list[Choice]:
        """With what the strategy would take for a prompt that is longer than any of these can hold."""
        largest = max((c.target.context_window or 0 for c in choices), default=0)
        asked = self.request.max_output_tokens or 0
        longer = msgspec.structs.replace(self.request, input_tokens=max(largest + 1 - asked, 0), session=None)
        query = _Query(self.snapshot, self.principal, longer, self.options, self.live, self.output_tokens)
        try:
            others = query.by_strategy(None).choices
        except CallerError:
            return choices
        return [
            *choices[: MAX_TARGETS - _LARGER],
            *[
                Choice(
                    c.target, "a larger context window, should the prompt be too long", None, c.cost_usd, True
                )
                for c in others
                if c.target.context_window is not None
            ][:_LARGER],
        ]

    # ── a model that we choose ────────────────────────────────────────────────

    def by_strategy(self, level: PowerLevel | None) -> Plan:
        # Precedence: request header or model name → API key → user → global. The snapshot has already put
        # the user's level into a key without one.
        request, principal, live = self.request, self.principal, self.live
        level = request.power_level or level or (principal.power_level if principal else None)
        if level is not None and principal is not None and level.exceeds(principal.highest_level):
            raise Forbidden(
                f"The highest power level of this user is {principal.highest_level}; {level} is above it.",
                param="x-power-level" if request.power_level is level else "model",
            )
        strategy = level.strategy if level else self.snapshot.strategy
        if self.options.sort == "price":
            strategy = Strategy.COST
        rule, rankings = None, self.snapshot.rankings
        if level is not None and self.snapshot.levels:
            rule = self.snapshot.levels.get(level)
            rankings = self.snapshot.level_rankings.get(level, rankings)
        order, slack = rankings.order(strategy, request.input_tokens, self.output_tokens, live.speeds)
        limits = principal is not None and (principal.models is not None or principal.providers is not None)
        wishes = self.options is not NO_OPTIONS
        troubled, needed = live.troubled, request.input_tokens + (request.max_output_tokens or 0)
        picked: list[Choice] = []
        excluded: list[Choice] = []
        blocked: list[Blocked] = []
        seen: set[tuple[str, str]] = set()
        last_value: float | None = None
        enough = float("inf")  # the nominal cost beyond which nothing can be cheaper
        full = False
        for target, value, nominal in order:
            if full:
                excluded.append(Choice(target, _why_not(target, self) or LOWER))
                continue
            window = target.context_window
            if (
                request.needs
                or limits
                or wishes
                or (window is not None and window < needed)
                or (target.max_output_tokens is not None and needed)
            ):
                reason = _why_not(target, self)
                if reason is not None:
                    excluded.append(Choice(target, reason))
                    continue
            if troubled and (target.id in troubled or target.provider.id in troubled):
                trouble = live.blocked(target, own_key=target.provider.id in self.own)
                if trouble is not None:
                    blocked.append(trouble)
                    excluded.append(Choice(target, trouble.reason, momentary=True))
                    continue
            if len(picked) >= MAX_TARGETS and (
                len(picked) >= _MOST_COMPARED
                or (nominal > enough if strategy is Strategy.COST else value != last_value)
            ):
                full = True
                excluded.append(Choice(target, LOWER))
                if not request.explain:
                    break
                continue
            key = (target.provider.id, target.model)
            if key in seen:
                continue
            seen.add(key)
            if not picked:
                enough = nominal * slack * slack
            last_value = value
            picked.append(Choice(target, _REASON[strategy], value, self._cost(target)))
        if rule is not None and rule.narrows and (request.explain or not picked):
            excluded += [Choice(t, why) for t in self.snapshot.targets if t.chat and (why := rule.why_not(t))]
        if not picked and not blocked:
            raise self._nobody(excluded)
        if strategy is not Strategy.BALANCED:
            picked.sort(key=_by_quality_then_cost)
        if len(picked) > MAX_TARGETS:
            excluded[:0] = [Choice(c.target, LOWER, c.value, c.cost_usd) for c in picked[MAX_TARGETS:]]
            del picked[MAX_TARGETS:]
        picked = self._shared_head(picked)
        if self.options.sort not in (None, "price") or self.options.order:
            picked, _ = self._as_wished(picked)
        if request.session is not None:
            picked = self._home_first(picked)
        return self._plan(request.model or "auto", strategy, level, picked, excluded, blocked)

    def _nobody(self, excluded: Sequence[Choice]) -> ModelNotFound | BadRequest:
        if excluded and all(choice.reason.startswith(_TOO_SMALL) for choice in excluded):
            return BadRequest(
                f"No model's context window holds this request: about {self.request.input_tokens:,} tokens"
                f" and {self.request.max_output_tokens or 0:,} asked for.",
                param="messages",
            )
        return ModelNotFound(
            "No model is available for this request: "
            + (excluded[0].reason if excluded else "no provider serves any model yet")
            + ".",
            param="model",
        )

    def _shared_head(self, picked: list[Choice]) -> list[Choice]:
        """The first model's equals (the same model, priority and cost elsewhere) share its requests."""
        if len(picked) < 2:
            return picked
        first = picked[0]
        cost, priority, name = first.cost_usd, first.target.provider.priority, None
        equals = [0]
        for place in range(1, len(picked)):
            other = picked[place]
            if other.cost_usd == cost and other.target.provider.priority == priority:
                if name is None:
                    name = canonical_name(first.target.model)
                if canonical_name(other.target.model) == name:
                    equals.append(place)
        if len(equals) == 1:
            return picked
        by_id = {picked[place].target.id: picked[place] for place in equals}
        shared = [
            by_id[t.id] for t in _share([c.target for c in by_id.values()], self.request.turn, self.live)
        ]
        return shared + [c for c in picked if c.target.id not in by_id]

    # ── both ──────────────────────────────────────────────────────────────────

    def _cost(self, target: Target) -> float | None:
        return self.snapshot.rankings.cost_usd(target, self.request.input_tokens, self.output_tokens)

    def _unwished(self, target: Target) -> str | None:
        """What the request itself says against a target."""
        options, provider = self.options, target.provider
        if options.only or options.ignore:
            names = {provider.name.lower(), provider.id, provider.spec.type}
            if options.only and not names.intersection(options.only):
                return "not among the providers that the request allows"
            if names.intersection(options.ignore):
                return "the request ignores this provider"
        for bound, side in ((options.max_input_mtok, "input"), (options.max_output_mtok, "output")):
            if bound is None:
                continue
            price = target.price
            if price is None:
                return "its price is unknown, and the request sets a highest price"
            if (price.input_mtok if side == "input" else price.output_mtok) > bound:
                return f"its {side} price is above the request's ${bound:g} per 1M tokens"
        return None

    def _as_wished(self, choices: list[Choice]) -> tuple[list[Choice], list[Choice]]:
        """Choices in the order that the request wishes, and those it does not want."""
        options, live = self.options, self.live
        excluded = [Choice(c.target, reason) for c in choices if (reason := self._unwished(c.target))]
        if excluded:
            unwanted = {choice.target.id for choice in excluded}
            choices = [c for c in choices if c.target.id not in unwanted]
            if not choices:
                raise ModelNotFound(
                    f"No provider is left for this request: {excluded[0].reason}.", param="provider"
                )
        if options.sort == "price":
            choices = sorted(choices, key=lambda c: float("inf") if c.cost_usd is None else c.cost_usd)
        elif options.sort is not None:
            tokens = 0 if options.sort == "latency" else 10_000  # the more tokens, the more throughput counts
            speeds = live.speeds
            choices = sorted(
                choices,
                key=lambda c: (
                    float("inf")
                    if (seconds := speeds.answer_seconds(c.target.id, tokens)) is None
                    else seconds
                ),
            )
        if options.order:
            place = {name: number for number, name in enumerate(options.order)}
            last = len(place)
            choices = sorted(
                choices,
                key=lambda c: min(
                    place.get(c.target.provider.name.lower(), last),
                    place.get(c.target.provider.spec.type, last),
                    place.get(c.target.provider.id, last),
                ),
            )
        return choices, excluded

    def _well(self, choices: list[Choice], excluded: list[Choice]) -> tuple[list[Choice], Sequence[Blocked]]:
        """Without targets whose circuit is open or whose credentials all rest."""
        live, troubled = self.live, self.live.troubled
        well: list[Choice] = []
        blocked: list[Blocked] = []
        for choice in choices:
            target = choice.target
            trouble = (
                live.blocked(target, own_key=target.provider.id in self.own)
                if target.id in troubled or target.provider.id in troubled
                else None
            )
            if trouble is None:
                well.append(choice)
            else:
                blocked.append(trouble)
                excluded.append(Choice(target, trouble.reason, momentary=True))
        return well, blocked

    def _home_first(self, choices: list[Choice]) -> list[Choice]:
        home = self.live.home(conversation(self.principal, self.request))
        if home is None or not choices or choices[0].target.id == home:
            return choices
        for place, choice in enumerate(choices):
            if choice.target.id == home:
                stays = Choice(choice.target, _HOME, choice.value, choice.cost_usd)
                return [stays, *choices[:place], *choices[place + 1 :]]
        return choices

    def _plan(
        self,
        name: str,
        strategy: Strategy | None,
        level: PowerLevel | None,
        choices: Sequence[Choice],
        excluded: Sequence[Choice],
        blocked: Sequence[Blocked],
    ) -> Plan:
        nobody = not choices
        snapshot, request = self.snapshot, self.request
        belongs_to = conversation(self.principal, request)
        return Plan(
            requested_model=name,
            request=request,
            routing_version=snapshot.routing_version,
            snapshot_version=snapshot.version,
            strategy=strategy,
            power_level=level,
            speeds=self.live.speeds,
            home=None if belongs_to is None else self.live.home(belongs_to),
            choices=tuple(choices[:MAX_TARGETS]),
            excluded=tuple(excluded),
            output_tokens=self.output_tokens,
            fallbacks=self.options.allow_fallbacks,
            retries=snapshot.rules.retries,
            conversation=belongs_to,
            retry_after_seconds=min(b.seconds for b in blocked) if nobody and blocked else None,
            limited=nobody and all(b.limited for b in blocked),
        )


_NOBODY: Sequence[Blocked] = ()
_NO_KEYS: Mapping[str, Provider] = {}
LOWER = "ranked lower than the targets chosen"
_HOME = "holds this conversation's prompt cache"
_TOO_SMALL = "has a context window"
_REASON = {
    Strategy.COST: "the cheapest for this request",
    Strategy.BALANCED: "the best balance of price, speed and quality",
    Strategy.QUALITY: "the best score",
}


def conversation(principal: Principal | None, request: RouteRequest) -> Hashable:
    """What a conversation is remembered by; None for a request that belongs to none."""
    if request.session is None:
        return None
    return (principal.api_key_id if principal is not None else "", request.session)


def _by_quality_then_cost(choice: Choice) -> tuple[float, float, int, str, str]:
    """Exact where the order was only nearly so; under `cost` there is no value."""
    target = choice.target
    return (
        -(choice.value or 0.0),
        float("inf") if choice.cost_usd is None else choice.cost_usd,
        -target.provider.priority,
        target.provider.id,
        target.model,
    )


def chooses_for_caller(name: str) -> bool:
    """Whether a model's name leaves the choice to the strategy or a power level, so that no model has it."""
    return name in _CHOOSE_FOR_ME or name in _LEVELS


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


def _allowed(targets: Sequence[Target], principal: Principal, name: str) -> Sequence[Target]:
    models, providers = principal.models, principal.providers
    if providers is not None:
        targets = [t for t in targets if t.provider.id in providers]
    if models is None or name in models:
        return targets
    return [t for t in targets if t.model in models or canonical_name(t.model) in models]


def _share(targets: Sequence[Target], turn: int, live: Live) -> Sequence[Target]:
    """Higher priorities first; targets of equal priority share the head of their group.

    Power of two choices: the one whose turn it is, unless a second one, drawn by the turn too, is clearly
    less loaded (Mitzenmacher, https://doi.org/10.1109/71.963420, 2001). Equals so take exact turns.
    """
    ordered: list[Target] = []
    start = 0
    while start < len(targets):
        priority = targets[start].provider.priority
        end = start + 1
        while end < len(targets) and targets[end].provider.priority == priority:
            end += 1
        group = targets[start:end]
        count = len(group)
        first = turn % count
        if live.busy and count > 1:
            # A second one among the others, by Knuth's multiplicative hash of the turn.
            step = 1 + (turn * 2654435761 >> 16) % (count - 1)
            second = (first + step) % count
            if live.load(group[first].id) > live.load(group[second].id) * _MUCH_MORE:
                first = second
        ordered += group[first:]
        ordered += group[:first]
        start = end
    return ordered


def unfit(target: Target, request: RouteRequest) -> str | None:
    """A fact about the model for which this request cannot succeed there."""
    if request.needs and target.capabilities:
        missing = request.needs - target.capabilities
        if missing:
            return f"lacks {', '.join(sorted(missing))}"
    asked = request.max_output_tokens or 0
    if target.context_window is not None and request.input_tokens + asked > target.context_window:
        return (
            f"{_TOO_SMALL} of {target.context_window:,} tokens: the request needs about"
            f" {request.input_tokens:,} and asks for {asked:,}"
        )
    if target.max_output_tokens is not None and asked > target.max_output_tokens:
        return f"writes at most {target.max_output_tokens:,} tokens; {asked:,} are asked for"
    return None


def _why_not(target: Target, query: _Query) -> str | None:
    principal = query.principal
    if (
        principal is not None
        and principal.models is not None
        and not _allowed([target], principal, target.model)
    ):
        return "not among the models of this API key"
    if (
        principal is not None
        and principal.providers is not None
        and target.provider.id not in principal.providers
    ):
        return "not among the providers of this API key"
    return unfit(target, query.request) or (
        query._unwished(target) if query.options is not NO_OPTIONS else None
    )


def _near(snapshot: Snapshot, name: str) -> str:
    """A sentence with up to three near names, or nothing. Only names that share a start, to stay quick."""
    wanted = canonical_name(name)
    served = [
        alias for alias, models in snapshot.aliases.items() if any(m in snapshot.by_model for m in models)
    ]
    close = {n for n in (*snapshot.by_model, *served) if wanted[:3] and wanted[:3] in n.lower()}
    matches = difflib.get_close_matches(wanted, sorted(close)[:400], n=3, cutoff=0.5)
    return f" Did you mean {', '.join(matches)}?" if matches else " GET /v1/models lists what is."
