"""Both ends of the socket between control process and workers: snapshots, limits, health, and one end gone."""

from __future__ import annotations

import asyncio
import ipaddress
import os
import pickle
import socket
import stat
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from decimal import Decimal
from pathlib import Path
from typing import Any, get_args, get_type_hints

import msgspec
import pytest

from ops_center import __version__
from ops_center.errors import BudgetExceeded, LimitsUnavailable, ProviderFailed, RateLimited
from ops_center.health import FAILURES_IN_A_ROW, Health
from ops_center.limits import MemoryLimiter
from ops_center.limits.demand import Demand, ProviderDemand
from ops_center.providers.registry import provider_spec
from ops_center.snapshot import (
    Budget,
    Credential,
    Principal,
    Provider,
    Rate,
    Snapshot,
    Target,
    api_key_digest,
    build_snapshot,
)
from ops_center.types import Price, Strategy
from ops_center.workers.hub import Hub
from ops_center.workers.lifeline import LINK_SOCKET
from ops_center.workers.link import Link
from ops_center.workers.messages import Hello, NewSnapshot
from ops_center.workers.supervisor import _local_socket
from ops_center.workers.wire import _OURS, Channel, pack, unpack
from plane import budget, rate

pytestmark = pytest.mark.anyio
CENT = 10_000_000  # nano-dollars
FREE = Demand(tokens=1)


def snapshot(version: int = 1, **principals: Principal) -> Snapshot:
    provider = Provider(
        id="prov_1",
        name="P",
        spec=provider_spec("openai"),
        base_url="http://127.0.0.1:1/v1",
        credentials=(Credential(id="cred_1", secret="sk-secret"),),
    )
    targets = [
        Target(
            id=f"mdl_{number}",
            provider=provider,
            model=f"m-{number}",
            price=Price(
                input_mtok=Decimal("0.1"), output_mtok=Decimal("0.4"), source="test", as_of="2026-11-27"
            ),
            score=float(number),
        )
        for number in range(3)
    ]
    return build_snapshot(
        version=version,
        strategy=Strategy.COST,
        principals={api_key_digest(secret): who for secret, who in principals.items()},
        targets=targets,
    )


def principal(*limits: Budget | Rate, id: str = "key_1") -> Principal:
    return Principal(
        api_key_id=id,
        api_key_name="k",
        user_id="usr_1",
        user_email="a@b.c",
        ip_ranges=(ipaddress.ip_network("10.0.0.0/8"),),
        rates=tuple(limit for limit in limits if isinstance(limit, Rate)),
        budgets=tuple(limit for limit in limits if isinstance(limit, Budget)),
    )


class Control:
    """A control process's side, which can be killed and come back."""

    def __init__(self, run_dir: Path) -> None:
        self._run_dir = run_dir
        self.hub: Hub
        self.limiter: MemoryLimiter

    async def start(self, first: Snapshot | None = None) -> None:
        self.hub, self.limiter = Hub(), MemoryLimiter()
        await self.hub.publish(first or snapshot())
        (self._run_dir / LINK_SOCKET).unlink(missing_ok=True)
        await self.hub.open(_local_socket(self._run_dir / LINK_SOCKET), self.limiter)


@asynccontextmanager
async def linked(run_dir: Path, index: int = 1) -> AsyncIterator[Link]:
    link = Link(run_dir, index, Health(), on_snapshot=lambda _: None, on_retire=lambda: None)
    running = asyncio.create_task(link.run())
    try:
        async with asyncio.timeout(5):
            await link.first_snapshot.wait()
        yield link
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


@pytest.fixture
async def control(anyio_backend: str, tmp_path: Path) -> AsyncIterator[Control]:
    running = Control(tmp_path)
    await running.start()
    yield running
    await running.hub.close()


async def until(fact: Callable[[], Any]) -> None:
    async with asyncio.timeout(5):
        while not fact():
            await asyncio.sleep(0.01)


async def outcome(reserving: Awaitable[Any]) -> Any:
    try:
        return await reserving
    except (RateLimited, BudgetExceeded) as error:
        return error


# ── the snapshot ──────────────────────────────────────────────────────────────


def test_a_snapshot_arrives_as_it_was_and_shares_what_it_shared() -> None:
    before = snapshot(secret=principal(rate(requests_per_minute=5), budget("0.01")))
    after = unpack(pack(before))
    assert msgspec.structs.replace(after, rankings=before.rankings) == before
    assert after.by_model["m-1"][0] is next(t for t in after.targets if t.model == "m-1")
    assert len({id(t.provider) for t in after.targets}) == 1
    assert [e.target.id for e in after.rankings.order(Strategy.QUALITY, 10, 10).entries] == [
        e.target.id for e in before.rankings.order(Strategy.QUALITY, 10, 10).entries
    ]


class Bad:
    def __init__(self, does: Callable[..., object], *arguments: object) -> None:
        self._does = does, arguments

    def __reduce__(self) -> Any:
        return self._does


@pytest.mark.parametrize(
    "bad",
    [Bad(os.system, "true"), Bad(eval, "1"), Bad(provider_spec, "openai"), {"a": 1}],
    ids=["a command", "an expression", "a function of ours", "a dictionary"],
)
def test_nothing_but_values_of_a_snapshot_is_unpacked(bad: object) -> None:
    with pytest.raises(pickle.UnpicklingError):
        unpack(pickle.dumps(bad))


def test_every_kind_of_value_that_a_snapshot_may_hold_is_taken() -> None:
    seen: set[type] = set()

    def look(kind: Any) -> None:
        for argument in get_args(kind):
            look(argument)
        if not isinstance(kind, type) or kind in seen or not kind.__module__.startswith("ops_center."):
            return
        seen.add(kind)
        assert kind.__module__.split(".")[1] in _OURS, f"a worker would refuse {kind}"
        for hint in get_type_hints(kind).values() if issubclass(kind, msgspec.Struct) else ():
            look(hint)

    look(Snapshot)
    assert {Principal, Target, Provider, Credential, Rate, Budget} <= seen


async def test_what_cannot_be_read_does_not_replace_what_is_good(control: Control, tmp_path: Path) -> None:
    async with linked(tmp_path) as link:
        [worker] = control.hub._workers
        worker.offer(NewSnapshot(7, b"no snapshot"))
        await until(lambda: not worker._busy)
        assert link.current.version == 1
        await control.hub.publish(snapshot(8))
        assert link.current.version == 8


async def test_a_new_snapshot_is_there_when_publishing_returns(control: Control, tmp_path: Path) -> None:
    async with linked(tmp_path, 1) as one, linked(tmp_path, 2) as two:
        await control.hub.publish(snapshot(2))
        assert (one.current.version, two.current.version) == (2, 2)


async def test_a_worker_that_applies_nothing_delays_a_change_by_a_second_at_most(
    control: Control, tmp_path: Path
) -> None:
    async with linked(tmp_path, 1) as one:
        stuck = socket.socket(socket.AF_UNIX)
        stuck.setblocking(False)
        await asyncio.get_running_loop().sock_connect(stuck, str(tmp_path / LINK_SOCKET))
        frame = msgspec.msgpack.encode([Hello(__version__, 2, 1)])
        await asyncio.get_running_loop().sock_sendall(stuck, len(frame).to_bytes(4, "big") + frame)
        await until(lambda: sum(w.introduced for w in control.hub._workers) == 2)
        async with asyncio.timeout(2):
            await control.hub.publish(snapshot(2))
        assert one.current.version == 2
        stuck.close()


def test_the_socket_is_its_owners_alone(tmp_path: Path) -> None:
    with _local_socket(tmp_path / "it.sock"):
        assert stat.S_IMODE((tmp_path / "it.sock").stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "junk", [b"GET / HTTP/1.1\r\n\r\n", b"\x00\x00\x00\x02\xff\xff", b"\xff\xff\xff\xff"], ids=repr
)
async def test_whoever_says_something_else_is_cut_off(control: Control, tmp_path: Path, junk: bytes) -> None:
    reader, writer = await asyncio.open_unix_connection(str(tmp_path / LINK_SOCKET))
    writer.write(junk)
    async with asyncio.timeout(5):
        assert await reader.read() == b""
    writer.close()
    await until(lambda: not control.hub._workers)


# ── limits ────────────────────────────────────────────────────────────────────


async def test_limits_are_counted_once_for_all_workers(control: Control, tmp_path: Path) -> None:
    who = principal(rate(requests_per_minute=30))
    async with linked(tmp_path, 1) as one, linked(tmp_path, 2) as two:
        asked = [outcome((one, two)[n % 2].limiter.reserve(who, FREE)) for n in range(50)]
        found = await asyncio.gather(*asked)
    refused = [each for each in found if isinstance(each, RateLimited)]
    assert len(refused) == 20
    assert all(each.pace.requests_left == 0 and 0 < each.retry_after <= 60 for each in refused)


async def test_what_is_settled_is_free_again_for_the_other_worker(control: Control, tmp_path: Path) -> None:
    who = principal(rate(concurrent_requests=1), budget("0.01"))
    asks = Demand(tokens=1, expected_nano_usd=CENT, most_nano_usd=CENT)
    async with linked(tmp_path, 1) as one, linked(tmp_path, 2) as two:
        held = await one.limiter.reserve(who, asks)
        assert isinstance(await outcome(two.limiter.reserve(who, asks)), BudgetExceeded)
        held.settle(Decimal("0.004"))
        await until(lambda: not control.hub._workers or not any(w._held for w in control.hub._workers))
        less = msgspec.structs.replace(asks, expected_nano_usd=CENT // 2, most_nano_usd=CENT // 2)
        (await two.limiter.reserve(who, less)).settle(None)
        assert await control.limiter.spent(who.budgets[0]) == 4_000_000


async def test_a_provider_without_budget_is_named_and_nothing_is_held_there(
    control: Control, tmp_path: Path
) -> None:
    of_provider = budget("0.01")
    asks = Demand(providers=(ProviderDemand("prov_1", (of_provider,), 2 * CENT, 2 * CENT),))
    async with linked(tmp_path) as link:
        held = await link.limiter.reserve(principal(rate(requests_per_minute=5)), asks)
        assert held.spent_providers == {"prov_1"}


async def test_what_a_dead_worker_held_is_given_back(control: Control, tmp_path: Path) -> None:
    who = principal(rate(concurrent_requests=1))
    async with linked(tmp_path, 2) as two:
        async with linked(tmp_path, 1) as one:
            await one.limiter.reserve(who, FREE)
            assert isinstance(await outcome(two.limiter.reserve(who, FREE)), RateLimited)
        await until(lambda: len(control.hub._workers) == 1)
        (await two.limiter.reserve(who, FREE)).settle(None)


async def test_a_request_whose_client_left_holds_nothing(control: Control, tmp_path: Path) -> None:
    who = principal(rate(concurrent_requests=1))
    async with linked(tmp_path) as link:
        asking = asyncio.ensure_future(link.limiter.reserve(who, FREE))
        await asyncio.sleep(0)
        asking.cancel()
        await until(lambda: not link.limiter._asked)
        (await link.limiter.reserve(who, FREE)).settle(None)


async def test_a_request_whose_client_left_as_its_place_was_granted_holds_nothing(
    control: Control, tmp_path: Path
) -> None:
    who = principal(rate(concurrent_requests=1))
    async with linked(tmp_path) as link:
        hear = link.limiter.answered

        def hear_and_leave(message: Any) -> None:
            hear(message)
            asking.cancel()  # the answer is here, and whoever waits for it has not run yet

        link.limiter.answered = hear_and_leave  # type: ignore[method-assign]
        asking = asyncio.ensure_future(link.limiter.reserve(who, FREE))
        await asyncio.wait([asking])
        assert asking.cancelled()
        link.limiter.answered = hear  # type: ignore[method-assign]
        (await link.limiter.reserve(who, FREE)).settle(None)


async def test_a_new_control_process_hears_who_is_under_way(control: Control, tmp_path: Path) -> None:
    who = principal(rate(concurrent_requests=2))
    async with linked(tmp_path, 1) as one:
        first = await one.limiter.reserve(who, FREE)
        await control.hub.close()
        await until(lambda: not one.limiter._there.is_set())
        meanwhile = asyncio.ensure_future(one.limiter.reserve(who, FREE))
        await control.start(snapshot(1))
        second = await meanwhile
        assert isinstance(await outcome(one.limiter.reserve(who, FREE)), RateLimited)
        first.settle(None)
        second.settle(None)
        (await one.limiter.reserve(who, FREE)).settle(None)


async def test_without_anybody_who_counts_a_request_with_limits_is_refused_in_time(
    control: Control, tmp_path: Path
) -> None:
    who = principal(rate(requests_per_minute=5))
    async with linked(tmp_path) as link:
        await control.hub.close()
        await until(lambda: not link.limiter._there.is_set())
        with pytest.raises(LimitsUnavailable):
            async with asyncio.timeout(8):
                await link.limiter.reserve(who, FREE)


async def test_a_settling_that_may_wait_leaves_by_itself(control: Control, tmp_path: Path) -> None:
    who = principal(rate(requests_per_minute=1000))
    async with linked(tmp_path) as link:
        held = await link.limiter.reserve(who, FREE)
        held.settle(None)
        await until(lambda: not any(w._held for w in control.hub._workers))


# ── health ────────────────────────────────────────────────────────────────────


async def test_what_workers_find_out_is_told_as_one(control: Control, tmp_path: Path) -> None:
    target = snapshot().targets[0]
    [credential] = target.provider.credentials
    async with AsyncExitStack() as stack:
        links = [await stack.enter_async_context(linked(tmp_path, n)) for n in (1, 2)]
        for link in links:
            ticket = link._health.begin(target, credential)
            ticket.answered(0.25)
        for _ in range(FAILURES_IN_A_ROW):
            links[0]._health.begin(target, credential).failed(ProviderFailed("no", detail="HTTP 500"))
        shared = control.hub.health
        await until(lambda: shared.report("prov_1").open_models and shared.report("prov_1").outstanding == 2)
        report = shared.report("prov_1")
        assert report.open_models == ((target.id, "HTTP 500"),)
        assert shared.blocked(target) is not None
    await until(lambda: not control.hub._workers)
    assert shared.report("prov_1").outstanding == 0


async def test_a_channel_says_nothing_after_its_end(tmp_path: Path) -> None:
    class Nobody:
        def heard(self, message: Any) -> None: ...

        def lost(self) -> None: ...

    channel = Channel(int, lambda _: Nobody())
    channel.connection_lost(None)
    channel.send(1)
    channel.send(2, patient=True)
    await asyncio.sleep(0.01)
