"""Replays recorded requests through two policies and adds up what differs. Pure, and bounded in memory.

Both policies are snapshots, and both are asked through `own_keys.resolve`, the function that serves traffic.
Each request is planned as it was recorded: names, needs, sizes, wishes, turn and conversation. Who was failing
or busy then is not replayed: both policies see everybody well and idle, with the speeds of the same days.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import msgspec

from ops_center.catalog.pricing import price_usage
from ops_center.control.routing_drafts.repository import RecordedRow, Span
from ops_center.control.routing_drafts.schemas import (
    Move,
    Place,
    Policy,
    Refusal,
    ReplayResult,
    Reproduced,
)
from ops_center.errors import CallerError
from ops_center.own_keys import resolve
from ops_center.plan_record import PlanRecord, decoded
from ops_center.providers.tasks import TASKS
from ops_center.ranking import Speeds
from ops_center.route_request import NO_OPTIONS, RouteRequest
from ops_center.routing import Live, Plan
from ops_center.snapshot import Principal, Snapshot, Target
from ops_center.types import CostSource, CredentialSource, Usage

_NOTHING = Decimal(0)
_MOST_MOVES = 1000  # kinds of moves told apart while counting
_SHOWN_MOVES = 100
_MOST_REFUSALS = 50
_EXAMPLES = 3
_SESSION = "recorded"  # any conversation: its home is what was recorded


class _AsRecorded(Live):
    """What was known of the targets, as far as the request's record says; all of them are well."""

    def __init__(self, speeds: Speeds) -> None:
        self.speeds = speeds
        self.plan = PlanRecord()

    def output_tokens(self, api_key_id: str) -> int:
        return max(1, self.plan.output_tokens)

    def home(self, session: Hashable) -> str | None:
        return self.plan.home


class Side:
    """One policy: a snapshot, and everybody who may call it."""

    def __init__(self, snapshot: Snapshot, live: _AsRecorded) -> None:
        self._snapshot = snapshot
        self._live = live
        self._principals = {p.api_key_id: p for p in snapshot.principals.values()}

    def knows(self, api_key_id: str) -> bool:
        return api_key_id in self._principals

    def plan(self, row: RecordedRow, record: PlanRecord, request: RouteRequest) -> Plan | CallerError:
        """What it would have made of a request; of a key that is gone, nothing but its level is known."""
        principal = self._principals.get(row.api_key_id) or Principal(
            api_key_id=row.api_key_id,
            api_key_name="",
            user_id=row.user_id,
            user_email="",
            power_level=record.power_level,
        )
        self._live.plan = record
        try:
            return resolve(self._snapshot, principal, request, self._live)
        except CallerError as error:
            return error


def request_of(row: RecordedRow, record: PlanRecord) -> RouteRequest:
    """The request as routing saw it then."""
    return RouteRequest(
        model=record.model,
        power_level=record.asked_level,
        byok_policy=record.asked_byok_policy,
        needs=frozenset(record.needs),
        input_tokens=record.input_tokens,
        max_output_tokens=record.max_output_tokens,
        session=_SESSION if record.session else None,
        options=record.options or NO_OPTIONS,
        task=TASKS.get(row.endpoint),
        turn=record.turn,
    )


@dataclass(slots=True)
class _Sum:
    served: int = 0
    refused: int = 0
    cost_usd: Decimal = _NOTHING
    estimated_cost_usd: Decimal = _NOTHING
    seconds: float = 0.0
    score: float = 0.0


@dataclass(slots=True)
class _Moved:
    requests: int = 0
    before_usd: Decimal = _NOTHING
    after_usd: Decimal = _NOTHING
    unknown: int = 0
    examples: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Refused:
    message: str
    requests: int = 0
    examples: list[str] = field(default_factory=list)


class Replay:
    """Counts as requests come in; `result` says what has come of them."""

    def __init__(self, before: Snapshot, after: Snapshot, speeds: Mapping[str, tuple[float, float]]) -> None:
        live = _AsRecorded(Speeds(version=1, seconds=speeds))
        self._speeds = live.speeds
        self._before, self._after = Side(before, live), Side(after, live)
        self._routing_version = before.routing_version
        self._of_before, self._of_after = _Sum(), _Sum()
        self._moves: dict[tuple[tuple[str, str, bool], tuple[str, str, bool]], _Moved] = {}
        self._refusals: dict[tuple[str, str], _Refused] = {}
        self._same = {"same": 0, "older_policy": 0, "health": 0, "other": 0}
        self._counts = dict.fromkeys(
            (
                "replayed",
                "stay",
                "move",
                "other_moves",
                "other_model",
                "newly_refused",
                "newly_served",
                "cost_compared",
                "speed_compared",
                "quality_compared",
                "cost_unknown",
                "speed_unknown",
                "quality_unknown",
                "momentary",
                "unreadable",
                "key_gone",
                "cached_tokens",
                "billed_apart",
            ),
            0,
        )
        self._recorded_usd = self._recorded_estimated_usd = self._cold_usd = _NOTHING

    def add(self, row: RecordedRow) -> None:
        try:
            record = decoded(row.plan)
        except msgspec.MsgspecError:
            self._counts["unreadable"] += 1
            return
        counts = self._counts
        counts["replayed"] += 1
        counts["momentary"] += any(each.momentary for each in record.excluded)
        counts["key_gone"] += not self._before.knows(row.api_key_id)
        request = request_of(row, record)
        before, after = (side.plan(row, record, request) for side in (self._before, self._after))
        old, new = _first(before), _first(after)
        self._count_reproduced(record, old)
        for total, target in ((self._of_before, old), (self._of_after, new)):
            total.served += target is not None
            total.refused += target is None
        if old is None or new is None:
            counts["newly_served"] += old is None and new is not None
            if old is not None:
                counts["newly_refused"] += 1
                self._refuse(row, record, after)
            return
        costs = self._compare(row, record, old, new)
        if _place(old) == _place(new):
            counts["stay"] += 1
        else:
            self._move(row, old, new, costs)

    def _count_reproduced(self, record: PlanRecord, first: Target | None) -> None:
        recorded = record.targets[0] if record.targets else None
        then = (recorded.target_id, recorded.own_key) if recorded else None
        if then == ((first.id, _own(first)) if first else None):
            cause = "same"
        elif record.routing_version != self._routing_version:
            cause = "older_policy"
        elif any(each.momentary for each in record.excluded):
            cause = "health"
        else:
            cause = "other"
        self._same[cause] += 1

    def _compare(
        self, row: RecordedRow, record: PlanRecord, old: Target, new: Target
    ) -> tuple[Decimal, Decimal] | None:
        """Adds up cost, speed and quality where both sides know them; both costs."""
        counts, totals = self._counts, (self._of_before, self._of_after)
        tokens = row.output_tokens or record.output_tokens
        seconds = [self._speeds.answer_seconds(target.id, tokens) for target in (old, new)]
        if seconds[0] is not None and seconds[1] is not None:
            counts["speed_compared"] += 1
            for total, value in zip(totals, seconds, strict=True):
                total.seconds += value or 0.0
        else:
            counts["speed_unknown"] += 1
        if old.score is not None and new.score is not None:
            counts["quality_compared"] += 1
            self._of_before.score += old.score
            self._of_after.score += new.score
        else:
            counts["quality_unknown"] += 1
        before, after = _cost(row, old), _cost(row, new)
        if before is None or after is None:
            counts["cost_unknown"] += 1
            return None
        counts["cost_compared"] += 1
        counts["billed_apart"] += row.billed_apart
        guessed = CostSource.ESTIMATED in (row.cost_source, row.own_cost_source)
        for total, cost in zip(totals, (before, after), strict=True):
            total.cost_usd += cost
            total.estimated_cost_usd += cost if guessed else _NOTHING
        recorded = row.cost_usd or _NOTHING
        self._recorded_usd += recorded
        self._recorded_estimated_usd += recorded if row.cost_source == CostSource.ESTIMATED else _NOTHING
        return before, after

    def _move(
        self, row: RecordedRow, old: Target, new: Target, costs: tuple[Decimal, Decimal] | None
    ) -> None:
        counts = self._counts
        counts["move"] += 1
        counts["other_model"] += old.model != new.model
        if row.cache_read_tokens and costs is not None:
            counts["cached_tokens"] += row.cache_read_tokens
            cold = _cost(row, new, cold=True)
            self._cold_usd += max((cold or _NOTHING) - costs[1], _NOTHING)
        kind = (_place(old), _place(new))
        moved = self._moves.get(kind)
        if moved is None:
            if len(self._moves) >= _MOST_MOVES:
                counts["other_moves"] += 1
                return
            moved = self._moves[kind] = _Moved()
        moved.requests += 1
        if costs is None:
            moved.unknown += 1
        else:
            moved.before_usd += costs[0]
            moved.after_usd += costs[1]
        if len(moved.examples) < _EXAMPLES:
            moved.examples.append(row.request_id)

    def _refuse(self, row: RecordedRow, record: PlanRecord, refused: Plan | CallerError) -> None:
        error_type, message = (
            (refused.type, refused.message)
            if isinstance(refused, CallerError)
            else ("no_provider_left", "Nobody is left to ask.")
        )
        kind = (record.model or "auto", error_type)
        known = self._refusals.get(kind)
        if known is None:
            if len(self._refusals) >= _MOST_REFUSALS:
                return
            known = self._refusals[kind] = _Refused(message)
        known.requests += 1
        if len(known.examples) < _EXAMPLES:
            known.examples.append(row.request_id)

    def result(self, span: Span, *, requests: int, without_plan: int) -> ReplayResult:
        counts = self._counts
        moves = sorted(self._moves.items(), key=lambda item: (-item[1].requests, item[0]))
        shown = moves[:_SHOWN_MOVES]
        return ReplayResult(
            from_at=span.from_at,
            to_at=span.to_at,
            requests=requests,
            without_plan=without_plan,
            replayed=counts["replayed"],
            sampled=span.sampled,
            before=self._policy(self._of_before),
            after=self._policy(self._of_after),
            cost_compared=counts["cost_compared"],
            recorded_cost_usd=self._recorded_usd,
            recorded_estimated_cost_usd=self._recorded_estimated_usd,
            speed_compared=counts["speed_compared"],
            quality_compared=counts["quality_compared"],
            cold_cache_usd=self._cold_usd,
            stay=counts["stay"],
            move=counts["move"],
            moves=[
                Move(
                    source=_shown(source),
                    target=_shown(target),
                    requests=moved.requests,
                    cost_before_usd=moved.before_usd,
                    cost_after_usd=moved.after_usd,
                    unknown_cost=moved.unknown,
                    examples=moved.examples,
                )
                for (source, target), moved in shown
            ],
            moves_left_out=counts["move"] - sum(moved.requests for _, moved in shown),
            newly_refused=[
                Refusal(
                    requested_model=model,
                    error_type=error_type,
                    message=refused.message,
                    requests=refused.requests,
                    examples=refused.examples,
                )
                for (model, error_type), refused in sorted(
                    self._refusals.items(), key=lambda item: (-item[1].requests, item[0])
                )
            ],
            newly_refused_total=counts["newly_refused"],
            newly_served_total=counts["newly_served"],
            reproduced=Reproduced(**self._same),
            unknown=list(self._unknown(span, requests, without_plan)),
        )

    def _policy(self, total: _Sum) -> Policy:
        speed, quality = self._counts["speed_compared"], self._counts["quality_compared"]
        return Policy(
            served=total.served,
            refused=total.refused,
            cost_usd=total.cost_usd,
            estimated_cost_usd=total.estimated_cost_usd,
            mean_seconds=total.seconds / speed if speed else None,
            mean_score=total.score / quality if quality else None,
        )

    def _unknown(self, span: Span, requests: int, without_plan: int) -> list[str]:
        counts = self._counts
        said = [
            (
                span.sampled,
                f"A sample: {counts['replayed']:,} of {requests:,} requests, chosen evenly by their ids. Every "
                "figure is of the sample.",
            ),
            (
                counts["cost_compared"] > 0,
                "Both costs are the recorded tokens at the prices of today; what was billed then is shown apart.",
            ),
            (
                counts["billed_apart"] > 0,
                f"{counts['billed_apart']:,} requests had sound, searches, tools or a service tier that are billed "
                "at rates of their own. Both costs leave those out and count plain tokens.",
            ),
            (
                counts["other_model"] > 0,
                f"Requests that move to another model: {counts['other_model']:,}. Its answers may be longer or "
                "shorter; the recorded lengths are used.",
            ),
            (
                counts["cached_tokens"] > 0,
                f"{counts['cached_tokens']:,} input tokens came from a prompt cache that the new place may not "
                "have. They count as cached there; the difference is given as the cost of cold caches.",
            ),
            (
                counts["cost_unknown"] > 0,
                f"Requests without a known cost on one side, which count in neither: {counts['cost_unknown']:,}.",
            ),
            (
                counts["speed_unknown"] > 0,
                "Requests that go, now or then, to a model whose speed nobody has measured in this time: "
                f"{counts['speed_unknown']:,}.",
            ),
            (
                counts["quality_unknown"] > 0,
                f"Requests that go, now or then, to a model without a score: {counts['quality_unknown']:,}.",
            ),
            (
                counts["momentary"] > 0,
                "Requests that were planned while somebody was failing, resting or out of budget: "
                f"{counts['momentary']:,}. The replay sees everybody well.",
            ),
            (
                counts["key_gone"] > 0,
                f"Requests of API keys that are gone: {counts['key_gone']:,}. What those were allowed is "
                "not known any more; other keys count with what they are allowed today.",
            ),
            (
                without_plan > 0,
                "Requests without a plan to replay, because they were refused before one was made or recorded by "
                f"an older release: {without_plan:,}.",
            ),
            (counts["unreadable"] > 0, f"Recorded plans that cannot be read: {counts['unreadable']:,}."),
            (
                counts["replayed"] > 0,
                "Equals share by the recorded turn alone: how busy each was then is not recorded.",
            ),
        ]
        return [sentence for holds, sentence in said if holds]


def _first(plan: Plan | CallerError) -> Target | None:
    return plan.choices[0].target if isinstance(plan, Plan) and plan.choices else None


def _own(target: Target) -> bool:
    return target.provider.credential_source is CredentialSource.BYOK


def _place(target: Target) -> tuple[str, str, bool]:
    return target.provider.name, target.model, _own(target)


def _shown(place: tuple[str, str, bool]) -> Place:
    return Place(provider=place[0], model=place[1], own_key=place[2])


def _cost(row: RecordedRow, target: Target, *, cold: bool = False) -> Decimal | None:
    """What the platform would pay for the recorded tokens there, at today's price; None where unknown."""
    if _own(target):
        return _NOTHING
    if not (row.input_tokens or row.output_tokens):
        if row.status >= 400:
            return _NOTHING
        # pictures and the like, whose units are not recorded
        same = (row.provider_id, row.model) == (target.provider.id, target.model)
        recorded: Decimal | None = row.cost_usd if same else None
        return recorded
    return price_usage(usage_of(row, cold=cold), target.price)


def usage_of(row: Any, *, cold: bool = False) -> Usage:
    return Usage(
        input_tokens=row.input_tokens,
        output_tokens=row.output_tokens,
        cache_read_tokens=0 if cold else row.cache_read_tokens,
        cache_write_tokens=row.cache_write_tokens,
        cache_write_1h_tokens=row.cache_write_1h_tokens,
        reasoning_tokens=row.reasoning_tokens,
    )
