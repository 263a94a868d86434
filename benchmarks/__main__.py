"""`python -m benchmarks`: the whole table in one run; `--quick` for a look that is not kept."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from benchmarks import measures, nginx, results
from benchmarks.gateway import SWITCHED_ON
from benchmarks.installed import KINDS, Installed
from benchmarks.machine import Neighbours, describe
from benchmarks.measures import FULL, QUICK, Effort
from benchmarks.others import Other, OtherFigures, parse
from benchmarks.others import measure as measure_other
from benchmarks.processes import BenchmarkError
from benchmarks.results import Raw, Result
from benchmarks.scene import Scene, scene
from benchmarks.table import as_text
from ops_center import __version__

T = TypeVar("T")


def measure(effort: Effort, gateways: Sequence[Other] = (), upstream_port: int | None = None) -> Raw:
    """Everything, in an order in which nothing spoils what comes after it."""
    with scene(upstream_port) as here:
        if here.nginx is None:
            print("left out: the comparison with nginx (not installed)", flush=True)
        seconds = _step("start", lambda: measures.starts(here, effort))
        here.gateway.until_quiet()
        idle_mb = here.gateway.resident_mb()
        whole = _step("CPU time, not streamed", lambda: measures.cpu_whole(here, effort))
        whole_many = _step(
            "CPU time, not streamed, many connections",
            lambda: measures.cpu_whole(here, effort, measures.MANY_CONNECTIONS),
        )
        streamed = _step("CPU time, streamed", lambda: measures.cpu_streamed(here, effort))
        translated = _step("CPU time, translated", lambda: measures.cpu_translated(here, effort))
        most = _step("requests per second", lambda: measures.rate(here, here.gateway, effort))
        nginx_rate = _nginx_rate(here, effort)
        one = _step("latency, 1 connection", lambda: measures.latency(here, effort, connections=1))
        many = _step(
            "latency, 32 connections",
            lambda: measures.latency(here, effort, connections=32, per_second=most.per_second / 2),
        )
        here.gateway.until_quiet()
        loaded_mb = here.gateway.resident_mb()
        streams = _step("open streams", lambda: measures.open_streams(here, effort))
        paced = _step("paced streams", lambda: measures.paced_streams(here, effort))
        many_models = _step("start with many models", lambda: measures.starts_with_many_models(here, effort))
        others = _installed(here, effort)
        others += [
            _step(other.name, lambda other=other: measure_other(here, other, effort)) for other in gateways
        ]
        records = _step("ledger", lambda: measures.ledger_is_complete(here))
        return Raw(
            effort=effort,
            whole=whole,
            whole_many=whole_many,
            streamed=streamed,
            translated=translated,
            gateway_rate=most,
            nginx_rate=nginx_rate,
            latency_one=one,
            latency_many=many,
            idle_mb=idle_mb,
            loaded_mb=loaded_mb,
            open_streams=streams,
            paced=paced,
            many_models_start_seconds=many_models,
            others=others,
            first_start_seconds=here.first_ready_seconds,
            start_seconds=seconds,
            ledger_records=records,
        )


def _installed(here: Scene, effort: Effort) -> list[OtherFigures]:
    """Those that are on this machine; one line for each that is left out. None of them spoils the run."""
    figures = []
    for kind in KINDS:
        found = kind.find()
        if found is None:
            print(f"left out: {kind.name} ({kind.package} is not installed)", flush=True)
            continue
        try:
            with Installed(kind, found, here) as running:
                other = running.other
                figures.append(_step(other.name, lambda other=other: measure_other(here, other, effort)))
        except BenchmarkError as error:
            print(f"left out: {kind.name} {found.version} ({error})", flush=True)
    return figures


def _nginx_rate(here: Scene, effort: Effort) -> measures.Rate | None:
    if here.nginx is None:
        return None
    proxy = here.nginx
    return _step("requests per second, nginx", lambda: measures.rate(here, proxy, effort))


def _step(name: str, work: Callable[[], T]) -> T:
    started = time.monotonic()
    print(f"{name} ...", end=" ", flush=True)
    value = work()
    print(f"{time.monotonic() - started:.1f} s", flush=True)
    return value


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="fewer requests; writes nothing unless --out is given"
    )
    parser.add_argument("--out", type=Path, help="folder for the JSON; the docs are then left alone")
    parser.add_argument(
        "--gateway", action="append", default=[], metavar="NAME=URL[,key=…][,model=…][,pid=…]",
        help="another gateway on this machine that already runs; may be given several times",
    )  # fmt: skip
    parser.add_argument(
        "--upstream-port", type=int, help="where those gateways expect the upstream: http://127.0.0.1:PORT/v1"
    )
    options = parser.parse_args()
    if options.gateway and options.upstream_port is None:
        parser.error("--gateway needs --upstream-port: all sides are measured before the same upstream")
    try:
        gateways = [parse(text) for text in options.gateway]
    except ValueError as error:
        parser.error(str(error))
    neighbours = Neighbours()
    started = time.monotonic()
    try:
        raw = measure(QUICK if options.quick else FULL, gateways, options.upstream_port)
    except BenchmarkError as error:
        print(f"\nno result: {error}", file=sys.stderr)
        return 1
    result = Result(
        version=__version__,
        measured_at=datetime.now(UTC).strftime("%Y-%m-%dT%H:%MZ"),
        seconds=round(time.monotonic() - started, 1),
        machine=describe(nginx.version()),
        neighbours=neighbours.share(),
        switched_on=list(SWITCHED_ON),
        rows=results.rows(raw),
        raw=raw,
    )
    print(f"\n{as_text(result.rows)}\n")
    print(
        f"{result.seconds:.0f} s in all; {raw.ledger_records:,} requests answered, checked and found in the ledger; "
        f"other processes took {result.neighbours:.0%} of the machine."
    )
    if options.out is not None:
        print(f"written: {results.write(result, options.out)}")
    elif not options.quick:
        print(f"written: {results.write(result)}")
        results.PAGE.write_text(results.into_page(results.PAGE.read_text(), result))
        print(f"written: {results.PAGE}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
