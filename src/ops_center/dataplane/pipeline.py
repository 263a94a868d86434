"""The way of a request: authenticate → resolve → admit → attempt → relay → meter. Nothing else happens here."""

from __future__ import annotations

from dataclasses import dataclass, field

from ops_center.dataplane.admit import admit
from ops_center.dataplane.attempt import first_answer
from ops_center.dataplane.authenticate import authenticate
from ops_center.dataplane.call import Call
from ops_center.dataplane.meter import Meter
from ops_center.dataplane.ports import BodySink, Limiter, SnapshotSource, UsageSink
from ops_center.dataplane.relay import relay
from ops_center.dataplane.upstream import Upstream
from ops_center.health import Health
from ops_center.own_keys import resolve


@dataclass(frozen=True, slots=True)
class Plane:
    """What the data plane stands on; all of it is handed in."""

    snapshots: SnapshotSource
    upstream: Upstream
    limiter: Limiter
    sink: UsageSink
    health: Health = field(default_factory=Health)
    bodies: BodySink | None = None  # None: nobody could keep them


async def handle(call: Call, plane: Plane) -> None:
    """Answer one call. Raises an OpsCenterError while nothing has been sent to the client yet."""
    snapshot = plane.snapshots.current
    principal = authenticate(call, snapshot)
    with Meter(call, principal, snapshot.fingerprint_key, plane.sink, plane.health) as meter:
        route = call.read()
        plan = meter.plan = resolve(snapshot, principal, route, plane.health)
        admitted = admit(call, principal, route, plan, plane)
        plan, meter.reservation = admitted if isinstance(admitted, tuple) else await admitted
        meter.plan = plan
        answer = await first_answer(plan, call, plane.upstream, plane.health, meter.attempts)
        await relay(answer, call, meter)
