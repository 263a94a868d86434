"""How targets are doing, taken together from all workers: for the console, alerts and the explained plan.

Each worker goes by what it found out itself; this is the sum that people see. Nothing flows back but the
news that a credential was proven good.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Iterable, Sequence

from ops_center.health import CredentialState, Health, TargetState
from ops_center.workers.messages import CredentialReport, HealthReport, TargetReport


class HealthReporter:
    """A worker's side: what changed since the last report."""

    def __init__(self, health: Health) -> None:
        self._health = health
        self._sent: dict[str, TargetReport] = {}
        self._credentials: tuple[CredentialReport, ...] = ()

    def forget(self) -> None:
        """The next report tells everything."""
        self._sent = {}
        self._credentials = ()

    def report(self) -> HealthReport | None:
        """None when there is nothing to tell."""
        targets: list[TargetReport] = []
        known = self._health.targets
        for id, state in known.items():
            before = self._sent.get(id)
            circuit = state.circuit
            if before is not None and (
                before.seen,
                before.outstanding,
                before.open_until,
                before.probing,
            ) == (
                state.seen,
                state.outstanding,
                circuit.until,
                circuit.probing,
            ):
                continue
            now = TargetReport(
                id,
                state.provider_id,
                state.outstanding,
                state.seen,
                state.latency,
                state.first_chunk,
                state.token_seconds,
                circuit.until,
                circuit.probing,
                circuit.reason if circuit.until is not None else "",
                circuit.opened_at,
            )
            self._sent[id] = now
            targets.append(now)
        for id in self._sent.keys() - known.keys():
            targets.append(TargetReport(id, self._sent.pop(id).provider_id, 0, 0.0))
        credentials = tuple(
            CredentialReport(
                id,
                kept.provider_id,
                kept.circuit.until,
                kept.circuit.reason,
                kept.circuit.opened_at,
                dict(kept.rests),
            )
            for id, kept in self._health.credentials.items()
        )
        if not targets and credentials == self._credentials:
            return None
        self._credentials = credentials
        return HealthReport(tuple(targets), credentials)


class SharedHealth(Health):
    """The control process's side. `on_proven` passes on that a credential is good."""

    def __init__(self, on_proven: Callable[[str], None]) -> None:
        super().__init__(monotonic=time.monotonic)
        self._on_proven = on_proven
        self._reports: dict[Hashable, dict[str, TargetReport]] = {}
        self._credential_reports: dict[Hashable, Sequence[CredentialReport]] = {}

    def proven(self, credential_id: str) -> None:
        super().proven(credential_id)
        self._on_proven(credential_id)

    def hear(self, worker: Hashable, report: HealthReport) -> None:
        """Take in what one worker says."""
        mine = self._reports.setdefault(worker, {})
        for target in report.targets:
            mine[target.id] = target
        self._merge_targets(target.id for target in report.targets)
        self._credential_reports[worker] = report.credentials
        self._merge_credentials()
        self.refresh_speeds()

    def forget(self, worker: Hashable) -> None:
        """A worker has ended: what it had under way is no more."""
        gone = self._reports.pop(worker, {})
        self._credential_reports.pop(worker, None)
        self._merge_targets(gone)
        self._merge_credentials()

    def _merge_targets(self, ids: Iterable[str]) -> None:
        for id in list(ids):
            reports = [mine[id] for mine in self._reports.values() if id in mine]
            self.troubled.discard(id)
            if not reports:
                self.targets.pop(id, None)
                continue
            state = TargetState(reports[0].provider_id)
            state.outstanding = sum(r.outstanding for r in reports)
            newest = max(reports, key=lambda r: r.seen)
            state.seen = newest.seen
            state.latency = _mean([r.latency for r in reports])
            state.first_chunk = _mean([r.first_chunk for r in reports])
            state.token_seconds = _mean([r.token_seconds for r in reports])
            open_ones = [r for r in reports if r.open_until is not None]
            if open_ones:
                last = max(open_ones, key=lambda r: r.open_until or 0.0)
                opened = [r.opened_at for r in open_ones if r.opened_at is not None]
                state.circuit.until = last.open_until
                state.circuit.reason = last.reason
                state.circuit.probing = any(r.probing for r in open_ones)
                state.circuit.opened_at = min(opened, default=None)
                self.troubled.add(id)
            self.targets[id] = state
        self.busy = any(state.outstanding for state in self.targets.values())

    def _merge_credentials(self) -> None:
        self.troubled -= {kept.provider_id for kept in self.credentials.values()}
        self.credentials.clear()
        for reports in self._credential_reports.values():
            for report in reports:
                kept = self.credentials.setdefault(report.id, CredentialState(report.provider_id))
                if report.open_until is not None and report.open_until >= (kept.circuit.until or 0.0):
                    kept.circuit.until = report.open_until
                    kept.circuit.reason = report.reason
                    kept.circuit.opened_at = report.opened_at
                for target_id, until in report.rests.items():
                    kept.rests[target_id] = max(until, kept.rests.get(target_id, 0.0))
                self.troubled.add(report.provider_id)


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
