"""The documentation under test: what it names exists, and what exists is named.

Each table that mirrors the code is read and compared, in both directions where a reader could be misled.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, get_args

import pytest
import typer.main
from prometheus_client.parser import text_string_to_metric_families

from ops_center import errors
from ops_center.cli import app
from ops_center.control.access import PERMISSIONS, Permission
from ops_center.control.api import create_control_app
from ops_center.control.notifications.events import EventType
from ops_center.control.openapi import document
from ops_center.control.providers.schemas import TestErrorType
from ops_center.dataplane.endpoint import DataPlane
from ops_center.providers.registry import PROVIDER_SPECS, provider_spec
from ops_center.settings import Settings
from ops_center.simulator.config import FAULT_KINDS, SimulatorConfig
from ops_center.storage.database import DatabaseError
from ops_center.storage.journal import JournalError
from ops_center.storage.migrate import MigrationError
from ops_center.storage.secrets import SecretError
from ops_center.telemetry.metrics import Metrics
from ops_center.types import AttemptRecord, CostSource, PowerLevel, Role, Strategy, UsageRecord
from test_floors import FLOORS

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])
SRC = ROOT / "src" / "ops_center"

_LINK = re.compile(r"(?<!\\)!?\[[^\]]*\]\(([^)\s]+)\)")
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_LOCAL = re.compile(r"http://127\.0\.0\.1:8084([^\s\"'?]*)")
_INDENTED_FENCE = re.compile(r"^( +)```(\w*)\n(.*?)^\1```", re.MULTILINE | re.DOTALL)


def page(name: str) -> str:
    return (DOCS / name).read_text()


def prose(text: str) -> str:
    """The text without its code blocks."""
    return _FENCE.sub("", _INDENTED_FENCE.sub("", text))


def rows(text: str) -> Iterator[list[str]]:
    """The cells of every table row."""
    for line in prose(text).splitlines():
        if line.startswith("|"):
            yield [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))]


def first_words(text: str) -> set[str]:
    """Everything in code marks in the first column of a page's tables."""
    return {word for row in rows(text) for word in re.findall(r"`([^`]+)`", row[0])}


def words(text: str) -> set[str]:
    """Everything in code marks."""
    return set(re.findall(r"`([^`\n]+)`", prose(text)))


@cache
def anchors(file: Path) -> frozenset[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    found = set()
    for heading in re.findall(r"^#+ (.+)$", prose(file.read_text()), re.MULTILINE):
        plain = re.sub(r"[^\w\- ]", "", heading.replace("`", "").lower())
        found.add(plain.strip().replace(" ", "-"))
    return frozenset(found)


@cache
def control_document() -> dict[str, Any]:
    return document(create_control_app(None))


def control_routes() -> dict[str, str]:
    """Each call of the control API as `METHOD /path`, and its permission."""
    return {
        f"{method.upper()} {path.removeprefix('/api/v1')}": operation["x-permission"]
        for path, operations in control_document()["paths"].items()
        for method, operation in operations.items()
    }


def code_blocks(text: str) -> Iterator[tuple[str, str]]:
    """Language and content of every code block, indented ones included."""
    for language, body in _FENCE.findall(text):
        yield language, body
    for indent, language, body in _INDENTED_FENCE.findall(text):
        yield language, re.sub(f"^{indent}", "", body, flags=re.MULTILINE)


def commands(text: str, program: str) -> Iterator[list[str]]:
    """The words of each command in a page's shell blocks that calls `program`."""
    for language, body in code_blocks(text):
        if language == "sh":
            for line in body.replace("\\\n", " ").splitlines():
                found = shlex.split(line, comments=True)
                for start, word in enumerate(found):
                    if word.rpartition("/")[2] == program:
                        yield found[start:]
                        break


# ── links ─────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("file", PAGES, ids=lambda file: str(file.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(file: Path) -> None:
    for link in _LINK.findall(prose(file.read_text())):
        if link.startswith(("http://", "https://", "mailto:")):
            continue
        path, _, anchor = link.partition("#")
        target = (file.parent / path).resolve() if path else file
        assert target.is_file(), f"{link} leads nowhere"
        if anchor:
            assert anchor in anchors(target), f"{link}: {target.name} has no such heading"


def test_the_readme_leads_to_every_page() -> None:
    readme = (ROOT / "README.md").read_text()
    linked = set(_LINK.findall(readme))
    for file in DOCS.glob("*.md"):
        assert f"docs/{file.name}" in linked, f"README.md does not link docs/{file.name}"


def test_every_decision_is_in_the_index() -> None:
    linked = set(_LINK.findall(page("decisions/README.md")))
    assert linked == {file.name for file in (DOCS / "decisions").glob("0*.md")}


def test_decisions_are_one_page() -> None:
    for file in (DOCS / "decisions").glob("0*.md"):
        text = file.read_text()
        assert len(text.splitlines()) <= 60, file.name
        for part in ("## Context", "## Decision", "## Consequences", "## Think again when"):
            assert part in text, f"{file.name} has no {part}"


# ── commands and settings ─────────────────────────────────────────────────────


def test_every_command_and_option_is_documented_and_no_other() -> None:
    documented = {
        row[0].strip("`").removeprefix("ops-center "): set(re.findall(r"--[a-z-]+", row[1]))
        for row in rows(page("operations.md"))
        if row[0].startswith("`ops-center ")
    }
    real = {
        name: {option for parameter in command.params for option in parameter.opts if option.startswith("--")}
        for name, command in typer.main.get_command(app).commands.items()  # type: ignore[attr-defined]
    }
    assert documented == real


def test_every_setting_is_documented_and_no_other() -> None:
    documented = {word for word in first_words(page("operations.md")) if word.startswith("OPS_CENTER_")}
    assert documented == {f"OPS_CENTER_{name.upper()}" for name in Settings.model_fields}


def test_documented_defaults_are_the_real_ones() -> None:
    defaults = {
        row[0].strip("`"): row[1].strip("`")
        for row in rows(page("operations.md"))
        if row[0].startswith("`OPS_CENTER_") and row[1].startswith("`")
    }
    assert len(defaults) >= 8
    for name, shown in defaults.items():
        real = Settings.model_fields[name.removeprefix("OPS_CENTER_").lower()].default
        assert shown == (f"{real:g}" if isinstance(real, (int, float)) else str(real)), name


def test_no_page_names_a_setting_that_does_not_exist() -> None:
    real = {f"OPS_CENTER_{name.upper()}" for name in Settings.model_fields}
    in_examples = {"OPS_CENTER_KEY", "OPS_CENTER_ADMIN_KEY"}  # a reader's own variables
    for file in PAGES:
        named = set(re.findall(r"OPS_CENTER_[A-Z_]+[A-Z]", file.read_text()))
        assert named <= real | in_examples, f"{file.name}: {named - real - in_examples}"


def test_every_example_calls_a_command_that_exists() -> None:
    known = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    found = [words for file in PAGES for words in commands(file.read_text(), "ops-center")]
    assert found
    for example in found:
        options = {option for parameter in known[example[1]].params for option in parameter.opts}
        assert {word for word in example[2:] if word.startswith("--")} <= options


# ── APIs ──────────────────────────────────────────────────────────────────────


def test_every_control_route_is_documented_with_its_permission_and_no_other() -> None:
    documented = {
        row[0].strip("`"): row[1]
        for row in rows(page("api.md"))
        if re.fullmatch(r"`(GET|POST|PUT|PATCH|DELETE) /(?!v1).*`", row[0])
    }
    assert documented == control_routes()


def test_documented_permissions_are_the_real_ones() -> None:
    documented: dict[str, set[str]] = {role.value: set() for role in Role}
    header: list[str] = []
    for row in rows(page("users.md")):
        if row[0] == "permission":
            header = row
        elif header and ":" in row[0] and "`" in row[0]:
            for role, cell in zip(header[1:], row[1:], strict=True):
                if cell == "yes":
                    documented[role] |= set(re.findall(r"`([^`]+)`", row[0]))
    assert documented == {role.value: {p.value for p in PERMISSIONS[role]} for role in Role}
    assert set.union(*documented.values()) == {permission.value for permission in Permission}


@pytest.mark.parametrize("file", PAGES, ids=lambda file: str(file.relative_to(ROOT)))
def test_every_curl_has_a_real_path_and_valid_json(file: Path) -> None:
    control = [
        re.compile(re.sub(r"\{[^}]+\}", "[^/]+", "/api/v1" + call.split(" ")[1])) for call in control_routes()
    ]
    for example in commands(file.read_text(), "curl"):
        for word in example:
            for path in _LOCAL.findall(word):
                known = DataPlane.serves(path) or any(pattern.fullmatch(path) for pattern in control)
                assert known, f"nothing answers at {path}"
        if "-d" in example:
            json.loads(example[example.index("-d") + 1])


def test_the_readme_and_the_quick_start_show_a_first_request() -> None:
    for text in ((ROOT / "README.md").read_text(), page("quick-start.md")):
        called = {path for words in commands(text, "curl") for word in words for path in _LOCAL.findall(word)}
        assert "/v1/chat/completions" in called


@pytest.mark.parametrize("file", PAGES, ids=lambda file: str(file.relative_to(ROOT)))
def test_every_python_example_compiles(file: Path) -> None:
    for language, body in code_blocks(file.read_text()):
        if language == "python":
            compile(body, str(file), "exec")


# ── words ─────────────────────────────────────────────────────────────────────


def error_classes() -> set[type[errors.OpsCenterError]]:
    """Every class of the tree that errors.py draws; branches are raised too."""
    return {
        value
        for value in vars(errors).values()
        if isinstance(value, type) and issubclass(value, errors.OpsCenterError)
    }


def test_every_error_type_is_documented_with_its_status() -> None:
    documented: dict[str, set[str]] = {}
    for row in rows(page("errors.md")):
        if len(row) > 2 and re.match(r"\d{3}", row[0]):
            documented.setdefault(row[1].strip("`"), set()).update(re.findall(r"\d{3}", row[0]))
    for error in error_classes():
        assert error.type in documented, f"docs/errors.md does not explain {error.type}"
        assert str(error.status) in documented[error.type], f"{error.type} is {error.status}"


def test_no_error_type_is_documented_that_does_not_exist() -> None:
    real = {error.type for error in error_classes()}
    elsewhere = {"client_closed", "shutdown", "method_not_allowed"}  # set where they happen, without a class
    documented = {
        row[1].strip("`") for row in rows(page("errors.md")) if len(row) > 2 and re.match(r"\d{3}", row[0])
    }
    assert documented == real | elsewhere
    source = "".join(file.read_text() for file in SRC.rglob("*.py"))
    for word in elsewhere:
        assert f'"{word}"' in source


def test_every_error_of_the_start_is_documented() -> None:
    for error in (DatabaseError, MigrationError, SecretError, JournalError):
        assert error.type in first_words(page("errors.md"))


def test_every_provider_type_is_documented_with_its_base_url() -> None:
    documented = {row[0].strip("`"): row for row in rows(page("providers.md")) if row[0].startswith("`")}
    for spec in PROVIDER_SPECS:
        row = documented[spec.type]
        assert row[1] == spec.name
        assert row[3].strip("`") == spec.default_base_url or spec.default_base_url is None
        assert row[4] == ("required" if spec.requires_key else "optional")


def test_the_quick_start_says_where_the_first_keys_come_from() -> None:
    text = page("quick-start.md")
    for spec in map(provider_spec, ("openrouter", "openai", "anthropic", "custom")):
        assert f"**{spec.name}**" in text
        if spec.get_key_url:
            assert spec.get_key_url in text
        if spec.key_prefix:
            assert f"`{spec.key_prefix}..." in text


def test_the_providers_page_says_where_each_key_comes_from_and_how_it_looks() -> None:
    documented = {row[0].strip("`"): row for row in rows(page("providers.md")) if row[0].startswith("`")}
    for spec in PROVIDER_SPECS:
        row = documented[spec.type]
        assert row[5] == (f"`{spec.key_prefix}`" if spec.key_prefix else "")
        assert row[6] == (f"[get one]({spec.get_key_url})" if spec.get_key_url else "")


def test_every_outcome_of_a_test_is_documented() -> None:
    documented = {row[1].strip("`") for row in rows(page("providers.md")) if len(row) == 3}
    assert set(TestErrorType.__args__) <= documented  # type: ignore[attr-defined]


def test_every_audited_action_is_documented_and_no_other() -> None:
    # The types of notifications look the same; they are compared below.
    files = (file for file in (SRC / "control").rglob("*.py") if file.name != "events.py")
    source = "".join(file.read_text() for file in files)
    nouns = "alias|request|team|auth|session|second_factor|invitation|user|api_key|budget|provider|provider_key|model|routing|settings"
    real = set(re.findall(rf'"((?:{nouns})\.[a-z_]+)"', source))
    assert real
    assert {word for word in first_words(page("audit-log.md")) if "." in word} == real


def test_every_notification_is_documented_and_no_other() -> None:
    told = {row[0].strip("`") for row in rows(page("notifications.md")) if "." in row[0]}
    assert told == set(get_args(EventType))


def priced_record(**changes: object) -> UsageRecord:
    now = datetime(2026, 11, 23, tzinfo=UTC)
    fields: dict[str, object] = {
        "request_id": "req_1",
        "started_at": now,
        "duration_seconds": 1.0,
        "time_to_first_chunk_seconds": 0.5,
        "queue_seconds": 0.2,
        "endpoint": "messages",
        "status": 200,
        "provider_id": "prov_1",
        "cost_usd": Decimal(1),
        "attempts": (
            AttemptRecord(
                number=1,
                provider_id="prov_1",
                provider_name="Anthropic",
                model="claude",
                started_at=now,
                duration_seconds=1.0,
                outcome="success",
            ),
        ),
    }
    return UsageRecord(**(fields | changes))  # type: ignore[arg-type]


def test_every_metric_is_documented_with_its_labels() -> None:
    documented = {
        row[0].strip("`").removesuffix("_total"): set(row[1].split(", "))
        for row in rows(page("operations.md"))
        if row[0].startswith("`ops_center_")
    }
    metrics = Metrics()
    metrics.count([priced_record(), priced_record(cost_usd=None)])
    families = text_string_to_metric_families(metrics.render().decode())
    real = {
        family.name: {label for sample in family.samples for label in sample.labels} - {"le"}
        for family in families
    }
    assert documented == real


def test_every_log_event_that_is_documented_exists() -> None:
    source = "".join(file.read_text() for file in SRC.rglob("*.py"))
    events = {
        word
        for row in rows(page("operations.md"))
        for word in re.findall(r"`([a-z]+_[a-z_]+)`", row[0])
        if not word.startswith("ops_center_")
    }
    assert len(events) > 10
    for event in events:
        assert f'"{event}"' in source, f"nothing logs {event}"


def test_every_fault_and_field_of_the_simulator_is_documented() -> None:
    text = page("simulator-and-demo.md")
    faults = {re.sub(r"-[NS]$", "", word) for word in first_words(text)}
    assert set(FAULT_KINDS) <= faults
    assert set(SimulatorConfig.__struct_fields__) <= words(text)


def test_every_strategy_level_and_cost_source_is_documented() -> None:
    routing = words(page("routing.md"))
    assert {strategy.value for strategy in Strategy} | {level.value for level in PowerLevel} <= routing
    assert {source.value for source in CostSource} <= first_words(page("usage.md"))


def test_every_floor_stands_in_the_architecture() -> None:
    drawn = [set(re.findall(r"`([a-z_]+)`", row[1])) for row in rows(_architecture()) if row[0].isdigit()]
    assert list(reversed(drawn)) == FLOORS


def test_every_step_of_the_way_stands_in_the_architecture() -> None:
    named = set(re.findall(r"`((?:dataplane/)?[a-z_]+\.py)`", _architecture()))
    for file in named:
        assert (SRC / file).is_file(), file
    for step in ("authenticate", "admit", "attempt", "relay", "meter"):
        assert f"dataplane/{step}.py" in named


def _architecture() -> str:
    return (ROOT / "ARCHITECTURE.md").read_text()
