"""What control process and workers say to each other. Values only; how they travel is `wire.py`'s business."""

from __future__ import annotations

from datetime import datetime

import msgspec

from ops_center.limits.demand import Demand, Pace
from ops_center.snapshot import Budget, Queueing, Rate
from ops_center.types import KeptCall

# ── from a worker ─────────────────────────────────────────────────────────────


class Hello(msgspec.Struct, frozen=True, array_like=True, tag=1):
    """The first message. `version` is that of the program: both ends must be the same."""

    version: str
    index: int
    pid: int


class Applied(msgspec.Struct, frozen=True, array_like=True, tag=2):
    """Requests see this snapshot from now on: the one that was sent, or an older one when that was unusable."""

    version: int


class Subject(msgspec.Struct, frozen=True, array_like=True, tag=3):
    """From now on `number` stands for this caller and its limits."""

    number: int
    api_key_id: str
    rates: tuple[Rate, ...]
    budgets: tuple[Budget, ...]
    queueing: Queueing | None


class Reserve(msgspec.Struct, frozen=True, array_like=True, tag=4):
    """Take a place. `again`: an earlier control process had granted it, and the request is still under way."""

    id: int
    subject: int
    demand: Demand
    again: bool = False


class Wait(msgspec.Struct, frozen=True, array_like=True, tag=7):
    """Take a place as soon as there is one and it is this request's turn. `deadline`: of the caller, by the
    machine's monotonic clock."""

    id: int
    subject: int
    demand: Demand
    deadline: float | None


class Leave(msgspec.Struct, frozen=True, array_like=True, tag=8):
    """The one who waits has gone."""

    id: int


class Settle(msgspec.Struct, frozen=True, array_like=True, tag=5):
    """What it came to: nano-dollars, tokens, and the id of the provider that answered."""

    id: int
    cost: int = 0
    tokens: int = 0
    served_by: str = ""


class TargetReport(msgspec.Struct, frozen=True, array_like=True):
    """How one target is doing in one worker. Times are of the machine's monotonic clock."""

    id: str
    provider_id: str
    outstanding: int
    seen: float
    latency: float | None = None
    first_chunk: float | None = None
    token_seconds: float | None = None
    open_until: float | None = None
    probing: bool = False
    reason: str = ""
    opened_at: datetime | None = None


class CredentialReport(msgspec.Struct, frozen=True, array_like=True):
    """A credential in trouble in one worker."""

    id: str
    provider_id: str
    open_until: float | None = None
    reason: str = ""
    opened_at: datetime | None = None
    rests: dict[str, float] = {}


class HealthReport(msgspec.Struct, frozen=True, array_like=True, tag=6):
    """The targets that changed since the last report, and every credential in trouble."""

    targets: tuple[TargetReport, ...]
    credentials: tuple[CredentialReport, ...]


FromWorker = Hello | Applied | Subject | Reserve | Wait | Leave | Settle | HealthReport | KeptCall


# ── from the control process ──────────────────────────────────────────────────


class NewSnapshot(msgspec.Struct, frozen=True, array_like=True, tag=1):
    version: int
    packed: bytes


class Granted(msgspec.Struct, frozen=True, array_like=True, tag=2):
    """`plenty`: its settling may wait a moment, until there is more to say."""

    id: int
    spent_providers: tuple[str, ...] = ()
    pace: Pace | None = None
    plenty: bool = False


class Refused(msgspec.Struct, frozen=True, array_like=True, tag=3):
    """`kind` is the error's word (`type`) in the one tree."""

    id: int
    kind: str
    message: str
    detail: str | None = None
    retry_after_seconds: float | None = None
    pace: Pace | None = None


class Proven(msgspec.Struct, frozen=True, array_like=True, tag=4):
    """A test showed that this credential is good."""

    credential_id: str


class Retire(msgspec.Struct, frozen=True, array_like=True, tag=5):
    """Finish what is under way and end; another worker takes the place."""

    reason: str


FromControl = NewSnapshot | Granted | Refused | Proven | Retire
