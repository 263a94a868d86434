"""LiteLLM's parameters, its table of models and its absence: all that needs no SDK. The rest: tests/litellm_sdk."""

from __future__ import annotations

import base64
import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx
import pytest

from ops_center.catalog.litellm_table import read_table
from ops_center.control.context import Control
from ops_center.litellm_sdk import guard
from ops_center.litellm_sdk.install import missing
from ops_center.providers.access import access_to, is_usable_credential, public_name
from ops_center.providers.google_tokens import GoogleTokens
from ops_center.providers.litellm_parameters import (
    HEADER,
    check_credential,
    check_options,
    header_value,
    model_names,
)
from ops_center.providers.registry import provider_spec

SPEC = provider_spec("litellm")
AWS = '{"aws_access_key_id": "AKIA1", "aws_secret_access_key": "hush"}'


def test_the_names_of_models_are_split_at_commas_and_spaces() -> None:
    assert model_names({"models": " a/b, c/d\n c/d,e "}) == ["a/b", "c/d", "e"]


def test_everything_a_provider_says_goes_in_one_header() -> None:
    options = {"models": "a/b", "api_base": "https://x.example", "parameters": '{"project_id": "p"}'}
    said = json.loads(base64.b64decode(header_value(options, AWS)))
    assert said == {
        "project_id": "p",
        "aws_access_key_id": "AKIA1",
        "aws_secret_access_key": "hush",
        "api_base": "https://x.example",
    }
    access = access_to(SPEC, {"models": "a/b"}, "sk-1", tokens=GoogleTokens(None))  # type: ignore[arg-type]
    [(name, value)] = access.fixed
    assert (name, json.loads(base64.b64decode(value))) == (HEADER, {"api_key": "sk-1"})


def test_a_preview_names_parameters_and_shows_none() -> None:
    assert public_name(SPEC, AWS) == "aws_access_key_id, aws_secret_access_key"
    assert public_name(SPEC, "sk-1") is None
    assert is_usable_credential(SPEC, AWS)
    assert not is_usable_credential(SPEC, "two words")


@pytest.mark.parametrize(
    ("options", "name", "words"),
    [
        ({"api_base": "ftp://x"}, "api_base", "http"),
        ({"api_base": "https://user@x"}, "api_base", "host"),
        ({"parameters": "[1]"}, "parameters", "JSON object"),
        ({"parameters": "{"}, "parameters", "not valid JSON"),
        ({"parameters": '{"aws_secret_access_key": "x"}'}, "parameters", "sealed"),
        ({"parameters": '{"watsonx_token": "x"}'}, "parameters", "sealed"),
        ({"parameters": '{"api_base": "http://x"}'}, "parameters", "API base"),
        ({"parameters": '{"mock_response": "x"}'}, "parameters", "cannot be set"),
        ({"parameters": '{"success_callback": ["x"]}'}, "parameters", "cannot be set"),
        ({"parameters": '{"ssl_verify": false}'}, "parameters", "cannot be set"),
        ({"parameters": '{"model": "x"}'}, "parameters", "each request"),
        ({"parameters": '{"region": "os.environ/AWS"}'}, "parameters", "not looked up"),
        ({"parameters": '{"nested": {"a": ["oidc/file/etc/passwd"]}}'}, "parameters", "not looked up"),
    ],
)
def test_what_is_no_data_is_refused(options: dict[str, str], name: str, words: str) -> None:
    with pytest.raises(ValueError) as refused:
        check_options(options)
    assert refused.value.args[0] == name
    assert words in refused.value.args[1]


def test_limits_on_tokens_are_no_secrets() -> None:
    check_options({"parameters": '{"max_completion_tokens": 5, "tokens_per_minute": 9, "drop_params": true}'})


@pytest.mark.parametrize("key", ['{"api_base": "http://x"}', '{"vertex_credentials": "/etc/passwd"}', "{no"])
def test_a_key_leads_nowhere_and_reads_no_file(key: str) -> None:
    with pytest.raises(ValueError):
        check_credential(key)


def test_the_table_inside_the_package_is_read_without_importing_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package, info = tmp_path / "litellm", tmp_path / "litellm-9.9.9.dist-info"
    package.mkdir()
    info.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: litellm\nVersion: 9.9.9\n")
    entry = {
        "litellm_provider": "openai",
        "mode": "chat",
        "max_input_tokens": 1000,
        "input_cost_per_token": 1.5e-07,
        "output_cost_per_token": 6e-07,
        "input_cost_per_token_above_200k_tokens": 3e-07,
        "output_cost_per_token_above_200k_tokens": 1.2e-06,
        "supports_function_calling": True,
        "deprecation_date": "2027-01-31",
    }
    listed = {
        "sample_spec": {},
        "gpt-x": entry,
        "dall-e": {"litellm_provider": "openai", "mode": "embedding"},
    }
    (package / "model_prices_and_context_window_backup.json").write_text(json.dumps(listed))
    monkeypatch.syspath_prepend(str(tmp_path))
    table = read_table()
    assert table is not None
    assert (table["source"], table["as_of"]) == ("litellm", "9.9.9")
    assert table["models"]["gpt-x"] == table["models"]["openai/gpt-x"] == {
        "name": "gpt-x",
        "context_window": 1000,
        "max_output_tokens": None,
        "capabilities": ["tools"],
        "price": {
            "input_mtok": "0.15",
            "output_mtok": "0.6",
            "tiers": [{"above_input_tokens": 200_000, "input_mtok": "0.3", "output_mtok": "1.2"}],
        },
        "retires_on": "2027-01-31",
    }  # fmt: skip
    assert table["models"]["dall-e"]["price"] is None
    assert missing() is None


def test_releases_that_carried_a_stealer_are_never_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for release, refused in (("1.82.7", True), ("1.82.8", True), ("1.82.9", False)):
        folder = tmp_path / release
        (folder / "litellm").mkdir(parents=True)
        (folder / "litellm" / "__init__.py").touch()
        info = folder / f"litellm-{release}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: litellm\nVersion: {release}\n")
        with monkeypatch.context() as patch:
            patch.syspath_prepend(str(folder))
            assert ("stealer" in (missing() or "")) is refused


def test_a_guarded_process_connects_to_public_addresses_only(tmp_path: Path) -> None:
    import subprocess
    import sys

    script = (
        "import socket, sys\n"
        "from ops_center.litellm_sdk import guard\n"
        "guard.install(allow_private_network='--private' in sys.argv)\n"
        "for host in ('127.0.0.1', '169.254.169.254', 'localhost'):\n"
        "    try:\n"
        "        socket.socket().connect((host, 9))\n"
        "    except guard.Refused:\n"
        "        print('refused')\n"
        "    except OSError as error:\n"
        "        print('tried')\n"
    )
    for arguments, expected in (([], "refused refused refused"), (["--private"], "tried refused refused")):
        run = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", script, *arguments],
            capture_output=True,
            text=True,
            check=True,
        )
        assert " ".join(run.stdout.split()) == expected
    assert guard.refused.get() is None


@pytest.mark.anyio
@pytest.mark.skipif(find_spec("litellm") is not None, reason="the extra is installed here")
async def test_without_the_extra_the_api_says_how_to_get_it(
    control_client: httpx.AsyncClient, control: Control
) -> None:
    types = (await control_client.get("/llm/provider-types")).json()["provider_types"]
    [row] = [one for one in types if one["type"] == "litellm"]
    assert row["missing"] == "LiteLLM's SDK is not installed"
    assert "pip install 'ops-center[litellm]'" in row["how_to_get"]
    assert (row["takes_base_url"], row["requires_base_url"], row["cost_range"]) == (False, False, None)
    body: dict[str, Any] = {"type": "litellm", "api_key": "x", "options": {"models": "a/b"}}
    answer = await control_client.post("/llm/providers", json=body)
    assert (answer.status_code, answer.json()["error"]["param"]) == (422, "type")
    assert "pip install" in answer.json()["error"]["hint"]
    tested = (await control_client.post("/llm/test", json=body)).json()
    assert (tested["success"], tested["error_type"]) == (False, "not_installed")
    assert "pip install" in tested["hint"]
