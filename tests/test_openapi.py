"""control/openapi.py: the document from which the console's client is generated."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from ops_center.control import openapi
from ops_center.control.api import create_control_app, guarded_routes

DOCUMENT = Path(__file__).parent.parent / "web" / "openapi.json"
MAKE_IT = "python -m ops_center.control.openapi > web/openapi.json"


@pytest.fixture(scope="module")
def app() -> FastAPI:
    return create_control_app(None)


@pytest.fixture(scope="module")
def described(app: FastAPI) -> dict[str, Any]:
    return openapi.document(app)


def test_the_committed_document_is_the_codes_own(app: FastAPI) -> None:
    assert DOCUMENT.read_text() == openapi.rendered(app), f"run {MAKE_IT}"


def test_the_command_writes_the_same_bytes_whatever_the_hash_seed() -> None:
    written = subprocess.run(
        [sys.executable, "-m", "ops_center.control.openapi"],
        capture_output=True,
        check=True,
        env={"PYTHONHASHSEED": "7"},
    )
    assert written.stdout == DOCUMENT.read_bytes()
    assert written.stderr == b""


def test_every_operation_has_a_name_a_noun_a_sentence_and_a_permission(
    app: FastAPI, described: dict[str, Any]
) -> None:
    operations = [operation for path in described["paths"].values() for operation in path.values()]
    hidden = {"get_openapi_document"}
    assert {op["operationId"] for op in operations} == {r.unique_id for r in guarded_routes(app)} - hidden
    for operation in operations:
        assert operation["operationId"].replace("_", "").isalpha()
        assert len(operation["tags"]) == 1
        assert operation["x-permission"]
        assert operation["security"] == [] or operation["x-permission"] != "public"
        assert "default" in operation["responses"]


def test_names_of_schemas_are_plain_words(described: dict[str, Any]) -> None:
    assert [name for name in described["components"]["schemas"] if not name.isalnum()] == []


def test_no_request_can_carry_a_field_that_nobody_reads(described: dict[str, Any]) -> None:
    for path in described["paths"].values():
        for operation in path.values():
            for content in operation.get("requestBody", {}).get("content", {}).values():
                name = content["schema"]["$ref"].rsplit("/", 1)[1]
                assert described["components"]["schemas"][name]["additionalProperties"] is False, name


@pytest.mark.anyio
async def test_the_document_is_served_to_who_is_signed_in(
    control_client: httpx.AsyncClient, anonymous_client: httpx.AsyncClient
) -> None:
    assert (await anonymous_client.get("/openapi.json")).status_code == 401
    assert (await control_client.get("/openapi.json")).json() == json.loads(DOCUMENT.read_text())
