"""How every target is doing right now: load, measured speed, open circuits, resting credentials, homes.

Fed by `attempt` and `meter` in passing, read by `resolve` through `Live`. It lives in the memory of one
process and is forgotten at its end; a second process finds out for itself, and `workers/health.py` takes
together what several found. Nothing here waits, calls anybody or touches a disk, and everything it
remembers is bounded.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from datetime import UTC, datetime

import msgspec

from ops_center.errors import (
    AddressRefused,
    ProviderAuthError,
    ProviderError,
    ProviderFailed,
    ProviderRateLimited,
    ProviderTimeout,
    ProviderUnreachable,
    ProviderUnusable,
)
from ops_center.ranking import Speeds, speed_of
from ops_center.routing import ASSUMED_OUTPUT_TOKENS, Blocked, Live
from ops_center.snapshot import Credential, Provider, Target
from ops_center.types import CredentialSource

# ── when a circuit opens, and for how long ────────────────────────────────────
FAILURES_IN_A_ROW = 5
WINDOW_SECONDS = 30.0
LEAST_CALLS = 10  # in a window, before its share of failures says anything
FAILED_SHARE = 0.5
FIRST_PAUSE_SECONDS = 5.0
LONGEST_PAUSE_SECONDS = 300.0
# A refused credential stays refused until somebody acts: it is tried again rarely.
FIRST_ASIDE_SECONDS = 60.0
LONGEST_ASIDE_SECONDS = 3600.0
LIMITED_SECONDS = 1.0  # after a 429 that does not say when to come back

_LATENCY_SHARE = 0.2  # of the newest measurement in an average
_LENGTH_SHARE = 0.1
_FRESH_SECONDS = 60.0  # how long a latency counts when requests are shared
_LEAST_LATENCY_SECONDS = 0.1  # below, differences are noise
_SPEEDS_EVERY_SECONDS = 5.0
_SPEED_MATTERS = 0.02  # on the scale of speeds
_FORGOTTEN_AFTER_SECONDS = 3600.0
_MOST_TARGETS = 20_000
_MOST_KEYS = 20_000
_MOST_HOMES = 20_000
# Providers keep a prompt for five minutes or more after its last use
# (https://docs.claude.com/en/docs/build-with-claude/prompt-caching, 2026-11).
HOME_SECONDS = 600.0
_RETRY_SHARE = 0.1  # retries a provider may cost, per request
_RETRY_SAVINGS = 10.0

_BREAKING = (ProviderUnreachable, AddressRefused, ProviderTimeout, ProviderFailed, ProviderUnusable)

_OF_THE_KEY = (ProviderAuthError, ProviderRateLimited)


class Circuit:
    """Closed while calls succeed. Opens on failures in a row or on their share of a window; after a pause
    lets one real call through, and closes or opens again, for longer, by its result."""

    __slots__ = (
        "_bad",
        "_calls",
        "_pause",
        "_row",
        "_window_start",
        "opened_at",
        "probing",
        "reason",
        "until",
    )

    def __init__(self) -> None:
        self._row = 0
        self._calls = 0
        self._bad = 0
        self._window_start = 0.0
        self._pause = 0.0
        self.until: float | None = None  # None: closed
        self.probing = False
        self.reason = ""
        self.opened_at: datetime | None = None

    @property
    def clean(self) -> bool:
        """Whether there is nothing to remember."""
        return self.until is None and not self._row and not self._bad

    def success(self) -> None:
        self._row = 0
        self._calls += 1
        if self.until is not None:
            self.until, self.probing, self.opened_at = None, False, None
            self._calls = self._bad = 0
            self._pause = 0.0

    def failure(
        self,
        now: float,
        reason: str,
        at: datetime,
        *,
        first_pause: float = FIRST_PAUSE_SECONDS,
        longest_pause: float = LONGEST_PAUSE_SECONDS,
        at_once: bool = False,
    ) -> bool:
        """Whether the circuit is open now."""
        if now - self._window_start > WINDOW_SECONDS:
            self._window_start, self._calls, self._bad = now, 0, 0
        self._row += 1
        self._calls += 1
        self._bad += 1
        self.reason = reason
        if self.until is not None and not self.probing:
            return True  # a call from before it opened
        if (
            self.probing
            or at_once
            or self._row >= FAILURES_IN_A_ROW
            or (self._calls >= LEAST_CALLS and self._bad >= FAILED_SHARE * self._calls)
        ):
            self._pause = min(self._pause * 2 or first_pause, longest_pause)
            self.until = now + self._pause
            self.probing = False
            self.opened_at = self.opened_at or at
            return True
        return False


class TargetState:
    __slots__ = ("circuit", "first_chunk", "latency", "outstanding", "provider_id", "seen", "token_seconds")

    def __init__(self, provider_id: str) -> None:
        self.provider_id = provider_id
        self.outstanding = 0
        self.latency: float | None = None  # seconds to the first byte
        self.first_chunk: float | None = None  # of streams
        self.token_seconds: float | None = None
        self.seen = 0.0
        self.circuit = Circuit()


class CredentialState:
    __slots__ = ("circuit", "provider_id", "rests")

    def __init__(self, provider_id: str) -> None:
        self.provider_id = provider_id
        self.circuit = Circuit()  # opened at once by a refusal
        self.rests: dict[str, float] = {}  # target id → until when its rate limit is spent


class CredentialTrouble(msgspec.Struct, frozen=True):
    """A credential that is set aside, for the admin's eyes."""

    credential_id: str
    reason: str
    since: datetime | None


class ProviderReport(msgspec.Struct, frozen=True, kw_only=True):
    """What the console shows of one provider."""

    open_models: tuple[tuple[str, str], ...] = ()  # target id, reason
    opened_at: datetime | None = None  # of the circuit that opened first
    newest_opened_at: datetime | None = None  # of the one that opened last
    aside: tuple[CredentialTrouble, ...] = ()
    outstanding: int = 0
    last_call_seconds_ago: float | None = None


class Ticket:
    """One call under way. Ended exactly once: by `failed`, or by `finished`; `dropped` says nothing."""

    __slots__ = ("_answered", "_ended", "_health", "_state", "credential", "target")

    def __init__(self, health: Health, state: TargetState, target: Target, credential: Credential) -> None:
        self._health = health
        self._state = state
        self._answered = False
        self._ended = False
        self.target = target
        self.credential = credential

    def answered(self, seconds: float) -> None:
        """A usable answer has begun, so many seconds after it was asked for."""
        self._answered = True
        self._health._answered(self, self._state, seconds)

    def failed(self, error: ProviderError) -> None:
        if not self._ended:
            self._ended = True
            self._health._failed(self, self._state, error)

    def finished(self, *, seconds: float, first_chunk_seconds: float | None, output_tokens: int) -> None:
        """The whole answer is there; `first_chunk_seconds` of a stream only."""
        if not self._ended:
            self._ended = True
            self._health._finished(self._state, seconds, first_chunk_seconds, output_tokens)

    def dropped(self) -> None:
        """Given up by the caller: no verdict on the target."""
        if not self._ended:
            self._ended = True
            self._health._dropped(self, self._state, self._answered)


class Health(Live):
    """See the module. `monotonic` counts pauses, `clock` dates what people see; both are seams for tests."""

    def __init__(
        self,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._now = monotonic
        self._clock = clock
        self.targets: dict[str, TargetState] = {}
        self.credentials: dict[str, CredentialState] = {}
        self._shares: dict[str, dict[str, float]] = {}  # provider id → credential id → its claim to be next
        self._lengths: OrderedDict[str, float] = OrderedDict()
        self._homes: OrderedDict[Hashable, tuple[str, float]] = OrderedDict()
        self._retries: dict[str, float] = {}  # provider id → retries saved up
        self._speeds_at = monotonic()
        self.speeds = Speeds()
        self.troubled: set[str] = set()
        self.busy = False

    # ── what `resolve` asks ───────────────────────────────────────────────────

    def blocked(self, target: Target, *, own_key: bool = False) -> Blocked | None:
        now = self._now()
        state = self.targets.get(target.id)
        if state is not None and (trouble := _of_circuit(state.circuit, now)) is not None:
            return trouble
        return None if own_key else self._all_credentials_rest(target, now)

    def load(self, target_id: str) -> float:
        state = self.targets.get(target_id)
        if state is None:
            return _LEAST_LATENCY_SECONDS
        latency = state.latency
        if latency is None or self._now() - state.seen > _FRESH_SECONDS:
            latency = _LEAST_LATENCY_SECONDS
        return (state.outstanding + 1) * max(latency, _LEAST_LATENCY_SECONDS)

    def output_tokens(self, api_key_id: str) -> int:
        length = self._lengths.get(api_key_id)
        return ASSUMED_OUTPUT_TOKENS if length is None else max(1, round(length))

    def home(self, session: Hashable) -> str | None:
        found = self._homes.get(session)
        return found[0] if found is not None and found[1] > self._now() else None

    # ── what `attempt` asks and tells ─────────────────────────────────────────

    def credential(self, target: Target, but: frozenset[str] = frozenset()) -> Credential | None:
        """The next of the provider's credentials by weight; None while all of them rest, or are in `but`.

        Smooth weighted rotation, as nginx shares requests among servers
        (https://github.com/nginx/nginx/commit/52327e0627f49dbda1e8db695e63a4b0af4448b1, 2012).
        """
        provider = target.provider
        all_of_them = provider.credentials
        if len(all_of_them) == 1 and not but and provider.id not in self.troubled:
            return all_of_them[0]
        now = self._now()
        free = [c for c in all_of_them if c.id not in but and self._resting(c, target.id, now) is None]
        if not free:
            return None
        if len(free) == 1:
            return free[0]
        claims = self._shares.setdefault(provider.id, {})
        total = 0
        best = free[0]
        for one in free:
            claims[one.id] = claims.get(one.id, 0.0) + one.weight
            total += one.weight
            if claims[one.id] > claims.get(best.id, 0.0):
                best = one
        claims[best.id] -= total
        if len(claims) > 2 * len(all_of_them):
            living = {c.id for c in all_of_them}
            self._shares[provider.id] = {id: claim for id, claim in claims.items() if id in living}
        return best

    def begin(self, target: Target, credential: Credential) -> Ticket:
        """A call begins; whoever calls this ends the ticket."""
        state = self.targets.get(target.id)
        if state is None:
            if len(self.targets) >= _MOST_TARGETS:
                self._forget()
            state = self.targets[target.id] = TargetState(target.provider.id)
        state.outstanding += 1
        self.busy = True
        if self.troubled:
            if state.circuit.until is not None:
                state.circuit.probing = True
            kept = self.credentials.get(credential.id)
            if kept is not None and kept.circuit.until is not None:
                kept.circuit.probing = True
        provider_id = target.provider.id
        saved = self._retries.get(provider_id, _RETRY_SAVINGS)
        if saved < _RETRY_SAVINGS:
            self._retries[provider_id] = saved + _RETRY_SHARE
        return Ticket(self, state, target, credential)

    def take_retry(self, provider_id: str) -> bool:
        """Whether this provider may be asked the same once more: one retry in ten requests, ten saved up at
        most, so that an outage is not multiplied."""
        saved = self._retries.get(provider_id, _RETRY_SAVINGS)
        if saved < 1.0:
            return False
        self._retries[provider_id] = saved - 1.0
        return True

    def remember(self, session: Hashable, target_id: str) -> None:
        """This target holds the conversation's prompt cache now."""
        homes = self._homes
        homes[session] = (target_id, self._now() + HOME_SECONDS)
        homes.move_to_end(session)
        if len(homes) > _MOST_HOMES:
            homes.popitem(last=False)

    def learn_length(self, api_key_id: str, output_tokens: int) -> None:
        """An answer to this API key had so many tokens."""
        lengths = self._lengths
        known = lengths.get(api_key_id)
        lengths[api_key_id] = (
            float(output_tokens) if known is None else known + _LENGTH_SHARE * (output_tokens - known)
        )
        lengths.move_to_end(api_key_id)
        if len(lengths) > _MOST_KEYS:
            lengths.popitem(last=False)

    # ── what the control plane asks and tells ─────────────────────────────────

    def report(self, provider_id: str) -> ProviderReport:
        now = self._now()
        mine = {id: s for id, s in self.targets.items() if s.provider_id == provider_id}
        open_ones = {id: s.circuit for id, s in mine.items() if s.circuit.until is not None}
        opened = [c.opened_at for c in open_ones.values() if c.opened_at is not None]
        seen = max((s.seen for s in mine.values() if s.seen), default=None)
        return ProviderReport(
            open_models=tuple((id, circuit.reason) for id, circuit in open_ones.items()),
            opened_at=min(opened, default=None),
            newest_opened_at=max(opened, default=None),
            aside=tuple(
                CredentialTrouble(id, c.circuit.reason, c.circuit.opened_at)
                for id, c in self.credentials.items()
                if c.provider_id == provider_id and c.circuit.until is not None
            ),
            outstanding=sum(s.outstanding for s in mine.values()),
            last_call_seconds_ago=None if seen is None else now - seen,
        )

    def proven(self, credential_id: str) -> None:
        """A test at no cost showed that this credential is good: whatever set it aside is over."""
        kept = self.credentials.get(credential_id)
        if kept is not None:
            kept.circuit.success()
            self._tidy(kept.provider_id)

    # ── what tickets tell ─────────────────────────────────────────────────────

    def _answered(self, ticket: Ticket, state: TargetState, seconds: float) -> None:
        known = state.latency
        state.latency = seconds if known is None else known + _LATENCY_SHARE * (seconds - known)
        state.seen = self._now()
        circuit = state.circuit
        if circuit.until is not None:
            circuit.success()
            self.troubled.discard(ticket.target.id)
        else:
            circuit.success()
        if self.troubled:
            kept = self.credentials.get(ticket.credential.id)
            if kept is not None:
                kept.circuit.success()
                kept.rests.pop(ticket.target.id, None)
                self._tidy(kept.provider_id)

    def _failed(self, ticket: Ticket, state: TargetState, error: ProviderError) -> None:
        state.outstanding -= 1
        now = self._now()
        state.seen = now
        target, credential = ticket.target, ticket.credential
        reason = f"{error.detail or error.message}"
        if target.provider.credential_source is CredentialSource.BYOK and isinstance(error, _OF_THE_KEY):
            pass  # a user's own key: theirs to know, and to be told each time
        elif isinstance(error, ProviderRateLimited):
            kept = self._credential_state(credential, target.provider)
            rest = error.retry_after_seconds
            kept.rests[target.id] = now + (LIMITED_SECONDS if rest is None else rest)
            self.troubled.add(target.provider.id)
        elif isinstance(error, ProviderAuthError):
            kept = self._credential_state(credential, target.provider)
            kept.circuit.failure(
                now,
                reason,
                self._clock(),
                first_pause=FIRST_ASIDE_SECONDS,
                longest_pause=LONGEST_ASIDE_SECONDS,
                at_once=True,
            )
            self.troubled.add(target.provider.id)
        elif isinstance(error, _BREAKING):
            if state.circuit.failure(now, reason, self._clock()):
                self.troubled.add(target.id)
        else:  # the caller's own fault: the target answered
            state.circuit.success()
            self.troubled.discard(target.id)
        self._end_probe(ticket, state)

    def _finished(
        self, state: TargetState, seconds: float, first_chunk_seconds: float | None, output_tokens: int
    ) -> None:
        state.outstanding -= 1
        now = state.seen = self._now()
        if first_chunk_seconds is not None:
            known = state.first_chunk
            state.first_chunk = (
                first_chunk_seconds
                if known is None
                else known + _LATENCY_SHARE * (first_chunk_seconds - known)
            )
        if output_tokens > 0:
            per_token = max(0.0, seconds - (first_chunk_seconds or 0.0)) / output_tokens
            known = state.token_seconds
            state.token_seconds = per_token if known is None else known + _LATENCY_SHARE * (per_token - known)
        if now - self._speeds_at > _SPEEDS_EVERY_SECONDS:
            self._refresh_speeds(now)

    def _dropped(self, ticket: Ticket, state: TargetState, answered: bool) -> None:
        state.outstanding -= 1
        if not answered:
            self._end_probe(ticket, state)

    def _end_probe(self, ticket: Ticket, state: TargetState) -> None:
        """A probe that ended without a verdict leaves the place to the next one."""
        state.circuit.probing = False
        kept = self.credentials.get(ticket.credential.id)
        if kept is not None:
            kept.circuit.probing = False

    # ── parts ─────────────────────────────────────────────────────────────────

    def _credential_state(self, credential: Credential, provider: Provider) -> CredentialState:
        kept = self.credentials.get(credential.id)
        if kept is None:
            kept = self.credentials[credential.id] = CredentialState(provider.id)
        return kept

    def _resting(self, credential: Credential, target_id: str, now: float) -> Blocked | None:
        kept = self.credentials.get(credential.id)
        if kept is None:
            return None
        aside = _of_circuit(kept.circuit, now)
        if aside is not None:
            return Blocked(f"its key was refused: {kept.circuit.reason}", aside.seconds)
        until = kept.rests.get(target_id)
        if until is not None and until > now:
            return Blocked("its rate limit is spent", until - now, limited=True)
        return None

    def _all_credentials_rest(self, target: Target, now: float) -> Blocked | None:
        if target.provider.id not in self.troubled:
            return None
        soonest: Blocked | None = None
        for credential in target.provider.credentials:
            trouble = self._resting(credential, target.id, now)
            if trouble is None:
                return None
            if soonest is None or (trouble.limited, -trouble.seconds) > (soonest.limited, -soonest.seconds):
                soonest = trouble
        return soonest

    def _tidy(self, provider_id: str) -> None:
        """Take a provider out of the troubled ones once none of its credentials is in trouble."""
        now = self._now()
        for id, kept in list(self.credentials.items()):
            if kept.provider_id == provider_id:
                kept.rests = {target: until for target, until in kept.rests.items() if until > now}
                if kept.circuit.clean and not kept.rests:
                    del self.credentials[id]
                else:
                    return
        self.troubled.discard(provider_id)

    def refresh_speeds(self) -> None:
        """Publish what was measured, if that is due."""
        now = self._now()
        if now - self._speeds_at > _SPEEDS_EVERY_SECONDS:
            self._refresh_speeds(now)

    def _refresh_speeds(self, now: float) -> None:
        """Publish what was measured, if it moved enough to matter: each publication makes rankings anew."""
        self._speeds_at = now
        seconds = {
            id: (state.latency if state.first_chunk is None else state.first_chunk, state.token_seconds)
            for id, state in self.targets.items()
            if state.token_seconds is not None and now - state.seen < _FORGOTTEN_AFTER_SECONDS
        }
        measured: dict[str, tuple[float, float]] = {}
        moved = len(seconds) != len(self.speeds.seconds)
        for id, (first, per_token) in seconds.items():
            # Answers that were not streamed have no first chunk: all of their time is in their tokens.
            pair = (
                first if first is not None and self.targets[id].first_chunk is not None else 0.0,
                per_token or 0.0,
            )
            measured[id] = pair
            old = self.speeds.seconds.get(id)
            moved = moved or old is None or abs(speed_of(*pair) - speed_of(*old)) > _SPEED_MATTERS
        if moved:
            self.speeds = Speeds(version=self.speeds.version + 1, seconds=measured)

    def _forget(self) -> None:
        """Make room: what was idle for long goes, and if that is nothing, everything idle."""
        now = self._now()
        idle = {id: s for id, s in self.targets.items() if not s.outstanding and s.circuit.clean}
        old = [id for id, s in idle.items() if now - s.seen > _FORGOTTEN_AFTER_SECONDS] or list(idle)
        for id in old:
            del self.targets[id]


def _of_circuit(circuit: Circuit, now: float) -> Blocked | None:
    if circuit.until is None:
        return None
    if now < circuit.until:
        return Blocked(f"its circuit is open: {circuit.reason}", circuit.until - now)
    if circuit.probing:
        return Blocked("its circuit is half open: one request is trying it", LIMITED_SECONDS)
    return None
