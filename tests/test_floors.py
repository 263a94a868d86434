"""The floors of the house: who may import whom. See ARCHITECTURE.md."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

SRC = Path(__file__).parent.parent / "src" / "ops_center"

# Each part may import parts of a lower floor only; parts of one floor never import each other.
FLOORS: list[set[str]] = [
    {"types", "settings"},
    {"errors", "telemetry"},
    {"wire", "catalog", "transport"},
    {"providers"},
    {
        "snapshot",
        "ranking",
        "route_request",
        "routing",
        "model_names",
        "plan_record",
        "own_keys",
        "health",
        "limits",
        "storage",
        "litellm_sdk",
    },
    {"dataplane", "control"},
    {"workers"},
    {"app", "check", "console", "demo"},
    {"cli"},
]
FLOOR_OF = {part: level for level, parts in enumerate(FLOORS) for part in parts}
# `snapshot` and the pure functions over it are one part in several files.
SNAPSHOT_PARTS = {
    "snapshot",
    "ranking",
    "route_request",
    "routing",
    "model_names",
    "plan_record",
    "own_keys",
    "health",
    "limits",
}
# The data plane must start, and run in a worker of its own, without these.
FORBIDDEN_BELOW_CONTROL = ("fastapi", "pydantic", "pydantic_settings", "sqlalchemy", "alembic", "starlette")


def modules() -> list[Path]:
    return sorted(p for p in SRC.rglob("*.py") if "public" not in p.parts)


def part_of(path: Path) -> str:
    relative = path.relative_to(SRC)
    return relative.parts[0] if len(relative.parts) > 1 else relative.stem


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found.add(node.module or "")
            if node.module == "ops_center":
                found |= {f"ops_center.{alias.name}" for alias in node.names}
    return found


def imported_parts(path: Path) -> set[str]:
    return {name.split(".")[1] for name in imports(path) if name.startswith("ops_center.")}


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(SRC)))
def test_a_module_imports_lower_floors_only(path: Path) -> None:
    part = part_of(path)
    if part in ("__init__", "__main__"):
        return
    if part == "simulator":  # stands beside the house: it plays the providers, so it may not know us
        allowed = {"simulator", "catalog", "types", "errors"}
        assert imported_parts(path) - {"__version__"} <= allowed
        return
    assert part in FLOOR_OF, f"{part} has no floor; give it one here and in ARCHITECTURE.md"
    for other in imported_parts(path) - {part, "__version__"}:
        if {part, other} <= SNAPSHOT_PARTS:
            continue
        if part in ("app", "cli", "demo") and other in ("simulator", "console", "demo", "app"):
            continue
        assert FLOOR_OF[other] < FLOOR_OF[part], f"{part} must not import {other}"


def test_the_data_plane_never_imports_the_control_planes_libraries() -> None:
    parts = {
        "dataplane",
        "wire",
        "catalog",
        "transport",
        "providers",
        "types",
        "errors",
        "workers",
    } | SNAPSHOT_PARTS
    for path in modules():
        if part_of(path) in parts:
            bad = {n for n in imports(path) if n.split(".")[0] in FORBIDDEN_BELOW_CONTROL}
            assert not bad, f"{path} imports {bad}"


def test_there_is_no_import_cycle() -> None:
    graph: dict[str, set[str]] = {}
    names = {
        ".".join(("ops_center", *p.relative_to(SRC).with_suffix("").parts)).removesuffix(".__init__"): p
        for p in modules()
    }
    for name, path in names.items():
        targets: set[str] = set()
        tree = ast.parse(path.read_text())
        for node in tree.body:  # module level only: an import inside a function is not a cycle
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("ops_center"):
                for alias in node.names:
                    full = f"{node.module}.{alias.name}"
                    targets.add(full if full in names else (node.module or ""))
        graph[name] = {t for t in targets if t in names and t != name}
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, " → ".join((*trail[trail.index(name) :], name))
        if name in done:
            return
        for target in graph[name]:
            visit(target, (*trail, name))
        done.add(name)

    for name in graph:
        visit(name, ())


def test_the_pipeline_stays_short() -> None:
    lines = (SRC / "dataplane" / "pipeline.py").read_text().splitlines()
    assert len(lines) < 80
