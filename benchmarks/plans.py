"""`python -m benchmarks.plans`: what planning a route costs over 20 providers and 2,000 models, in CPU time.

Alone in its process, with no server and no socket: the pure function that traffic goes through.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from decimal import Decimal
from statistics import median

from ops_center import plan_record
from ops_center.health import Health
from ops_center.providers.registry import provider_spec
from ops_center.route_request import RouteRequest
from ops_center.routing import resolve
from ops_center.snapshot import Principal, Provider, Snapshot, Target, build_snapshot
from ops_center.types import Price, Strategy

PROVIDERS = 20
MODELS = 2000
# Every way to ask: the strategy, the levels, a model that 20 providers serve, one provider's own.
NAMES = ("auto", "eco", "precision", "shared-model", "P7/model-7")
NEEDS: Mapping[str, frozenset[str]] = {"": frozenset(), " with tools": frozenset({"tools"})}


def snapshot() -> Snapshot:
    """Prices, scores, windows and capabilities of every kind, from the number alone."""
    providers = [
        Provider(
            id=f"prov_{n}",
            name=f"P{n}",
            spec=provider_spec("custom"),
            base_url="https://provider.example/v1",
            priority=40 + n % 3,
        )
        for n in range(PROVIDERS)
    ]
    return build_snapshot(
        version=1,
        strategy=Strategy.BALANCED,
        principals={},
        targets=[
            Target(
                id=f"mdl_{n}",
                provider=providers[n % PROVIDERS],
                model=f"model-{n}" if n >= PROVIDERS or n == 7 else "shared-model",
                price=Price(
                    input_mtok=Decimal(n * 37 % 997) / 100,
                    output_mtok=Decimal(n * 53 % 997) / 50,
                    source="benchmark",
                    as_of="2026-11-27",
                ),
                score=float(n * 17 % 100),
                context_window=(8_000, 128_000, 1_000_000)[n % 3],
                max_output_tokens=64_000,
                capabilities=frozenset({"tools", "vision"} if n % 2 else {"tools"}),
            )
            for n in range(MODELS)
        ],
    )


def medians(requests: int = 2000) -> dict[str, tuple[float, float]]:
    """By what is asked: the median CPU time of a plan, and of writing it down, in microseconds."""
    here, health = snapshot(), Health()
    who = Principal(api_key_id="key_1", api_key_name="key", user_id="usr_1", user_email="a@example.com")
    found = {}
    for name in NAMES:
        for said, needs in NEEDS.items():
            planning, writing = [], []
            for turn in range(requests):
                request = RouteRequest(model=name, input_tokens=900 + turn % 9, needs=needs, turn=turn)
                start = time.thread_time_ns()
                plan = resolve(here, who, request, health)
                planned = time.thread_time_ns()
                plan_record.encoded(plan)
                planning.append(planned - start)
                writing.append(time.thread_time_ns() - planned)
            found[name + said] = median(planning) / 1000, median(writing) / 1000
    return found


def main() -> None:
    print(f"{PROVIDERS} providers, {MODELS:,} models: median CPU time in microseconds")
    print(f"{'asked for':28}{'plan':>8}{'record':>10}")
    for name, (plan, record) in medians().items():
        print(f"{name:28}{plan:8.1f}{record:10.1f}")


if __name__ == "__main__":
    main()
