"""The machine: which cores do what, and what the reader of a result must know about it. Measures nothing."""

from __future__ import annotations

import os
import platform
import sys
from importlib.metadata import version

import msgspec


class Cores(msgspec.Struct, frozen=True):
    """The gateway (and nginx in its turn) alone on one core, upstream and clients on the others."""

    measured: frozenset[int]
    others: frozenset[int]


def cores() -> Cores:
    """Split what this process may use; with a single core everything shares it."""
    usable = sorted(os.sched_getaffinity(0))
    measured = frozenset(usable[-1:])
    return Cores(measured=measured, others=frozenset(usable[:-1]) or measured)


class Machine(msgspec.Struct, frozen=True):
    cpu: str
    cores: int
    memory_gb: float
    system: str
    python: str
    uvloop: str
    httptools: str
    nginx: str | None


def describe(nginx_version: str | None) -> Machine:
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return Machine(
        cpu=_cpu_name(),
        cores=len(os.sched_getaffinity(0)),
        memory_gb=round(pages / 1024**3, 1),
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
        python=f"{platform.python_implementation()} {sys.version.split()[0]}",
        uvloop=version("uvloop"),
        httptools=version("httptools"),
        nginx=nginx_version,
    )


def _cpu_name() -> str:
    with open("/proc/cpuinfo", encoding="utf-8") as lines:
        for line in lines:
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.machine()


class Neighbours:
    """What other processes take of the machine meanwhile: the reader's measure for trust in wall times."""

    def __init__(self) -> None:
        self._then = _machine_seconds(), _own_seconds()

    def share(self) -> float:
        """Their part of all cores since the start, 0..1. Own children count once they have ended."""
        (busy_then, all_then), own_then = self._then
        (busy, everything), own = _machine_seconds(), _own_seconds()
        if everything <= all_then:
            return 0.0
        return min(1.0, max(0.0, (busy - busy_then - (own - own_then)) / (everything - all_then)))


def _machine_seconds() -> tuple[float, float]:
    with open("/proc/stat", encoding="ascii") as lines:
        ticks = [int(word) for word in next(lines).split()[1:9]]
    per_second = os.sysconf("SC_CLK_TCK")
    idle = ticks[3] + ticks[4]
    return (sum(ticks) - idle) / per_second, sum(ticks) / per_second


def _own_seconds() -> float:
    return sum(os.times()[:4])
