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
    load_average: float  # of the last minute before the run: what else was going on


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
        load_average=round(os.getloadavg()[0], 2),
    )


def _cpu_name() -> str:
    with open("/proc/cpuinfo", encoding="utf-8") as lines:
        for line in lines:
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.machine()
