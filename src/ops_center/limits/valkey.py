"""The same limits kept in Valkey (or Redis), for several processes and nodes that share them.

Each call is one script on the server (`valkey.lua`), so reservations of all processes are one atomic step.
A reservation is a lease that its process renews; what a killed process held lapses and is given back. While
the server is away, either every process goes by its own memory or requests are refused, as the setting
says; what was spent meanwhile is put right from the ledger afterwards. One server, not a cluster.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from importlib.resources import files
from typing import Any, Literal

import msgspec
import redis.asyncio
import structlog
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from ops_center.errors import LimitsUnavailable, RateLimited
from ops_center.limits.demand import NO_USAGE, Demand, OutputLengths, Pace, Reservation
from ops_center.limits.memory import MemoryLimiter, budget_exceeded, rate_limited
from ops_center.limits.periods import bounds
from ops_center.limits.queue import FairQueue
from ops_center.snapshot import Budget, Principal, Snapshot, Target
from ops_center.types import Usage, new_id

_PREFIX = "ops-center:"
_LEASE_SECONDS = 30.0
_ANSWER_SECONDS = 1.0  # longer than this and the server counts as away
_TRY_AGAIN_SECONDS = 1.0
_CONNECTIONS = 16
_QUEUE_SECONDS = 5.0
_LOOK_AGAIN_SECONDS = 0.1  # for a place that another process gave back
_SILENCE_MS = 400  # so long unheard of, and a key waits no more
_KEEP = timedelta(days=2)  # a period's counter, after its end
_NANO = Decimal(1_000_000_000)
_SCRIPT = files("ops_center.limits").joinpath("valkey.lua").read_text()

_log = structlog.get_logger(__name__)


class ValkeyLimiter:
    """`when_away`: "open" goes by this process's own memory, "closed" refuses with 503.

    `start()` before the first call, `close()` after the last.
    """

    def __init__(
        self,
        url: str,
        *,
        when_away: Literal["open", "closed"] = "open",
        prefix: str = _PREFIX,
        lease_seconds: float = _LEASE_SECONDS,
        answer_seconds: float = _ANSWER_SECONDS,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Raises ValueError for a URL that is none of redis:, rediss: or unix:."""
        # Calls wait for a free connection: many at once must not look like a server that is away.
        self._client = redis.asyncio.Redis.from_pool(
            redis.asyncio.BlockingConnectionPool.from_url(
                url.replace("valkey", "redis", 1) if url.startswith("valkey") else url,
                max_connections=_CONNECTIONS,
                timeout=_QUEUE_SECONDS,
                socket_timeout=answer_seconds,
                socket_connect_timeout=answer_seconds,
                # A reservation asked for twice would be taken twice.
                retry=Retry(NoBackoff(), 0),
            )
        )
        self._script = self._client.register_script(_SCRIPT)
        self._closed_when_away = when_away == "closed"
        self._prefix = prefix
        self._lease_seconds = lease_seconds
        self._clock = clock
        self._memory = MemoryLimiter(clock=clock)
        self.queue = FairQueue(self, look_again_seconds=_LOOK_AGAIN_SECONDS)
        self._places: dict[str, asyncio.Event] = {}
        self._away_until = 0.0  # monotonic; > 0 while the server is away
        self._live: set[str] = set()
        self._work: set[asyncio.Task[Any]] = set()
        self._renewing: asyncio.Task[None] | None = None

    @property
    def lengths(self) -> OutputLengths:
        return self._memory.lengths

    async def start(self) -> None:
        """Say in the log whether the server answers; being away is no reason not to start."""
        with contextlib.suppress(RedisError, OSError, TimeoutError):
            await self._call({"op": "renew", "ids": [], "lease_ms": 0})
            _log.info("valkey_connected")
        self._renewing = asyncio.create_task(self._renew(), name="limits")

    async def close(self) -> None:
        """Bring what was settled to the server, then part from it."""
        if self._renewing is not None:
            self._renewing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._renewing
        if self._work:
            await asyncio.wait(set(self._work), timeout=2 * _ANSWER_SECONDS)
        await self._client.aclose()

    # ── the data plane's side ─────────────────────────────────────────────────

    def reserve(self, principal: Principal, demand: Demand) -> Reservation | Awaitable[Reservation]:
        """As `MemoryLimiter.reserve`, once the server has answered.

        Raises LimitsUnavailable while it is away and the setting says so.
        """
        if self._away_until and time.monotonic() < self._away_until:
            return self._without_server(principal, demand)
        return self._reserve(principal, demand)

    def take_turn(
        self, principal: Principal, demand: Demand, counter: str, waiting: Mapping[str, int]
    ) -> Reservation | Awaitable[Reservation]:
        """As `reserve`; every process is told who waits here, so that the key whose turn it is goes first
        wherever it waits."""
        if self._away_until and time.monotonic() < self._away_until:
            return self._without_server(principal, demand)
        last = waiting[principal.api_key_id] == 1
        return self._reserve(principal, demand, {"counter": counter, "keys": list(waiting), "last": last})

    async def _reserve(
        self, principal: Principal, demand: Demand, line: dict[str, Any] | None = None
    ) -> Reservation:
        asking = self._start(self._ask(principal, demand, line))
        try:
            return await asyncio.shield(asking)
        except asyncio.CancelledError:
            # The caller left; whatever the server still grants is given back.
            asking.add_done_callback(_give_back)
            raise

    async def _ask(
        self, principal: Principal, demand: Demand, line: dict[str, Any] | None = None
    ) -> Reservation:
        wanted: list[tuple[Budget, int, int, str]] = []
        if demand.spends:
            for budget in principal.budgets:
                wanted.append((budget, demand.expected_nano_usd, demand.most_nano_usd, ""))
            for one in demand.providers:
                for budget in one.budgets:
                    wanted.append((budget, one.expected_nano_usd, one.most_nano_usd, one.provider_id))
        keys = [self._key(budget) for budget, *_ in wanted]
        reservation_id = new_id("res")
        call = {
            "op": "reserve",
            "id": reservation_id,
            "lease_ms": int(self._lease_seconds * 1000),
            "tokens": demand.tokens,
            "key": principal.api_key_id,
            "queues": principal.queueing is not None,
            "silence_ms": _SILENCE_MS,
            "budgets": [
                {
                    "key": key,
                    "forget_at": forget_at,
                    "amount": budget.amount_nano_usd,
                    "expected": expected,
                    "most": most,
                    "provider": provider,
                }
                for (key, forget_at), (budget, expected, most, provider) in zip(keys, wanted, strict=True)
            ],
            "rates": [
                {
                    "counter": rate.counter,
                    "running": _or_none(rate.concurrent_requests),
                    "requests": _or_none(rate.requests_per_minute),
                    "tokens": _or_none(rate.tokens_per_minute),
                }
                for rate in principal.rates
            ],
        }
        if line is not None:
            call["line"] = line
        self._live.add(reservation_id)
        try:
            answer = msgspec.json.decode(await self._call(call))
        except (RedisError, OSError, TimeoutError):
            self._live.discard(reservation_id)
            return self._without_server(principal, demand)
        refused = answer.get("refused")
        if refused is None:
            self._remember(wanted, answer["held"])
            spent_providers = frozenset(answer["spent_providers"])
            return _Leased(
                self,
                reservation_id,
                [
                    (key, provider)
                    for (key, _), (*_, provider) in zip(keys, wanted, strict=True)
                    if provider not in spent_providers
                ],
                [rate.counter for rate in principal.rates],
                [rate.counter for rate in principal.rates if rate.tokens_per_minute is not None],
                demand.tokens,
                answer["second"],
                spent_providers,
                _pace(principal, answer["pace"]),
            )
        self._live.discard(reservation_id)
        place = answer["place"]
        if refused == "budget":
            budget, _, most, _ = wanted[place]
            raise budget_exceeded(budget, answer["spent"], answer["reserved"], most)
        error: RateLimited = rate_limited(
            principal.rates[place], refused, demand.tokens, max(answer["wait"], 1) / 1000
        )
        error.pace, error.turn = _pace(principal, answer["pace"]), answer.get("turn")
        raise error

    def _without_server(self, principal: Principal, demand: Demand) -> Reservation:
        if self._closed_when_away:
            raise LimitsUnavailable(
                "The limits of this API key cannot be checked just now.",
                detail="Valkey is away, and OPS_CENTER_VALKEY_FAILURE is closed",
                retry_after_seconds=_TRY_AGAIN_SECONDS,
            )
        return self._memory.reserve(principal, demand)

    def _remember(self, wanted: list[tuple[Budget, int, int, str]], held: list[list[int]]) -> None:
        """What is known to be spent, should the server go away: then our own memory goes on from it."""
        for (budget, *_), (spent, _) in zip(wanted, held, strict=True):
            self._memory.set_spent(budget, int(spent))

    def _settle(self, reservation: _Leased, cost: int, tokens: int, served_by: str) -> None:
        self._live.discard(reservation.id)
        call = {
            "op": "settle",
            "id": reservation.id,
            "cost": cost,
            "budgets": [key for key, provider in reservation.keys if not provider or provider == served_by],
            "metered": reservation.metered,
            "second": reservation.second,
            "correction": tokens - reservation.tokens,
        }
        self._start(self._settled(call, reservation.counters))

    async def _settled(self, call: dict[str, Any], counters: list[str]) -> None:
        # When the server is away, the lease gives back what was held, and the ledger has the cost.
        with contextlib.suppress(RedisError, OSError, TimeoutError):
            await self._call(call)
        for counter in counters:
            if counter in self._places:
                self._places[counter].set()

    # ── the control plane's side ──────────────────────────────────────────────

    async def knows(self, budget: Budget) -> bool:
        """Whether the current period of this budget is counted already; while the server is away, true:
        there is nothing to be told."""
        try:
            key = f"{self._prefix}b:{self._key(budget)[0]}"
            return bool(await self._guarded(self._client.hexists(key, "seeded")))
        except (RedisError, OSError, TimeoutError):
            return True

    async def spent(self, budget: Budget) -> int:
        """Nano-dollars settled in the current period. Raises LimitsUnavailable."""
        key = f"{self._prefix}b:{self._key(budget)[0]}"
        try:
            return int(await self._guarded(self._client.hget(key, "spent")) or 0)
        except (RedisError, OSError, TimeoutError) as error:
            raise LimitsUnavailable("Valkey is away") from error

    async def add_spent(self, budget: Budget, nano_usd: int) -> None:
        """Correct what counts as spent. Raises LimitsUnavailable."""
        key, forget_at = self._key(budget)
        try:
            await self._call({"op": "add_spent", "key": key, "amount": nano_usd, "forget_at": forget_at})
        except (RedisError, OSError, TimeoutError) as error:
            raise LimitsUnavailable("Valkey is away") from error

    def on_free(self, counter: str, place: asyncio.Event | None) -> None:
        """What other processes give back nobody tells; whoever waits looks again by itself."""
        if place is None:
            self._places.pop(counter, None)
        else:
            self._places[counter] = place

    def keep_only(self, snapshot: Snapshot) -> None:
        """The server forgets by itself; only our own memory is tidied."""
        self.queue.renew(snapshot)
        self._memory.keep_only(snapshot)

    # ── the server ────────────────────────────────────────────────────────────

    def _key(self, budget: Budget) -> tuple[str, int]:
        start, end = bounds(budget.period, self._clock(), budget.time_zone)
        return f"{budget.counter}:{start:%Y-%m-%dT%H%M}", int((end + _KEEP).timestamp())

    async def _call(self, call: dict[str, Any]) -> Any:
        return await self._guarded(self._script(args=[self._prefix, msgspec.json.encode(call)]))

    async def _guarded(self, answer: Any) -> Any:
        """The answer, with a note of whether the server is there."""
        try:
            found = await answer
        except (RedisError, OSError, TimeoutError) as error:
            if not self._away_until:
                _log.error(
                    "valkey_away",
                    error=type(error).__name__,
                    until_it_is_back="requests with limits are refused"
                    if self._closed_when_away
                    else "each process counts for itself",
                )
            self._away_until = time.monotonic() + _TRY_AGAIN_SECONDS
            raise
        if self._away_until:
            self._away_until = 0.0
            _log.info("valkey_back")
        return found

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(self._lease_seconds / 3)
            call = {"op": "renew", "ids": list(self._live), "lease_ms": int(self._lease_seconds * 1000)}
            with contextlib.suppress(RedisError, OSError, TimeoutError):
                await self._call(call)

    def _start(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = asyncio.create_task(work)
        self._work.add(task)
        task.add_done_callback(self._work.discard)
        return task


class _Leased(Reservation):
    __slots__ = ("_limiter", "counters", "id", "keys", "metered", "second", "tokens")

    def __init__(
        self,
        limiter: ValkeyLimiter,
        reservation_id: str,
        keys: list[tuple[str, str]],
        counters: list[str],
        metered: list[str],
        tokens: int,
        second: int,
        spent_providers: frozenset[str],
        pace: Pace | None,
    ) -> None:
        self._limiter: ValkeyLimiter | None = limiter
        self.id = reservation_id
        self.keys = keys  # of budgets, with the provider's id where it is a provider's
        self.counters = counters  # of rates
        self.metered = metered  # those of them that count tokens
        self.tokens = tokens
        self.second = second  # in which its tokens were counted
        self.spent_providers = spent_providers
        self.pace = pace

    def settle(self, cost_usd: Decimal | None, usage: Usage = NO_USAGE, target: Target | None = None) -> None:
        limiter, self._limiter = self._limiter, None
        if limiter is None:
            return
        if target is not None and usage.output_tokens:
            limiter.lengths.observe(target, usage.output_tokens)
        limiter._settle(
            self,
            int(cost_usd * _NANO) if cost_usd else 0,
            usage.input_tokens + usage.output_tokens,
            target.provider.id if target is not None else "",
        )


def _give_back(asking: asyncio.Task[Reservation]) -> None:
    if not asking.cancelled() and asking.exception() is None:
        asking.result().settle(None)


def _or_none(limit: int | None) -> int:
    return -1 if limit is None else limit


def _pace(principal: Principal, facts: Any) -> Pace | None:
    """The tightest of the limits per minute, from what the script says of each rate."""
    requests: tuple[int, int, float] | None = None
    tokens: tuple[int, int, float] | None = None
    for rate, (used, used_tokens, free_in, tokens_free_in) in zip(principal.rates, facts or (), strict=True):
        limit = rate.requests_per_minute
        if limit is not None and (requests is None or limit - used < requests[0]):
            requests = (limit - used, limit, free_in / 1000)
        limit = rate.tokens_per_minute
        if limit is not None and (tokens is None or limit - used_tokens < tokens[0]):
            tokens = (limit - used_tokens, limit, tokens_free_in / 1000)
    return Pace.of(requests, tokens)
