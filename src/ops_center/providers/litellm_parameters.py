"""The parameters of LiteLLM's SDK: which an admin may set, openly or under seal, and which a request may.

LiteLLM takes everything as keyword arguments of one function, also what leads a key to another server, reads
files or switches off checks. So a request may name the fields of OpenAI's chat alone, and an admin no more
than data. Rules over text; it imports no LiteLLM and sends nothing.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import msgspec

HEADER = "x-ops-parameters"

# https://docs.litellm.ai/docs/completion/input (2026-11)
REQUEST_FIELDS = frozenset(
    {
        *("audio", "frequency_penalty", "function_call", "functions", "logit_bias", "logprobs"),
        *("max_completion_tokens", "max_tokens", "messages", "modalities", "model", "n"),
        *("parallel_tool_calls", "prediction", "presence_penalty", "prompt_cache_key", "reasoning_effort"),
        *("response_format", "safety_identifier", "seed", "service_tier", "stop", "stream"),
        *("stream_options", "temperature", "thinking", "tool_choice", "tools", "top_k", "top_logprobs"),
        *("top_p", "user", "verbosity", "web_search_options"),
    }
)
# Of OpenAI's fields, those that mean something else to LiteLLM or nothing to others; harmless to leave out.
DROPPED_FIELDS = frozenset({"metadata", "store"})

_OF_THE_REQUEST = frozenset({"messages", "model", "stream", "stream_options"})
_ADDRESSES = frozenset({"api_base", "base_url"})
_NO_DATA = frozenset(
    {
        *(
            "acompletion",
            "client",
            "context_window_fallback_dict",
            "custom_prompt_dict",
            "fallbacks",
            "hooks",
        ),
        *("http_client", "logger_fn", "mock_response", "mock_timeout", "mock_tool_calls", "model_list"),
        *("num_retries", "max_retries", "retry_policy", "shared_session", "ssl_verify", "verbose"),
    }
)
_SECRET = re.compile(r"key|secret|token|password|credential|extra_headers|^headers$")
_NOT_SECRET = re.compile(r"max_.*tokens$|tokens?_(?:per|limit)")
# What LiteLLM would fetch from the environment, a file or a metadata service in place of the text.
_FETCHED = ("os.environ/", "oidc/")


def model_names(options: Mapping[str, str]) -> list[str]:
    """The model strings of the option `models`, in order."""
    return list(dict.fromkeys(re.split(r"[,\s]+", options.get("models", "").strip(", \n\t"))))


def check_options(options: Mapping[str, str]) -> None:
    """Raises ValueError as (name of the option, sentence)."""
    base = options.get("api_base")
    if base is not None:
        parts = urlsplit(base)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
            raise ValueError("api_base", "API base must start with http:// or https:// and name a host")
    if "parameters" in options:
        try:
            for name in _object(options["parameters"]):
                if _SECRET.search(name) and not _NOT_SECRET.search(name):
                    raise ValueError(
                        f"{name} may be a secret: put it into the API key field, which is sealed, "
                        f'as {{"{name}": ...}}'
                    )
        except ValueError as error:
            raise ValueError("parameters", str(error)) from None


def check_credential(credential: str) -> None:
    """Raises ValueError with a sentence."""
    secret_parameters(credential)


def secret_parameters(credential: str) -> dict[str, Any]:
    """What a stored key says: itself, or a JSON object of parameters. Raises ValueError with a sentence."""
    if credential.startswith("{"):
        return _object(credential)
    return {"api_key": credential} if credential else {}


def header_value(options: Mapping[str, str], credential: str) -> str:
    """All that a provider's settings say, in one header for the process that runs LiteLLM."""
    parameters = _object(options["parameters"]) if "parameters" in options else {}
    parameters |= secret_parameters(credential)
    if "api_base" in options:
        parameters["api_base"] = options["api_base"]
    return base64.b64encode(msgspec.json.encode(parameters)).decode()


def _object(text: str) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        raise ValueError('This is not valid JSON, such as {"name": "value"}') from None
    if not isinstance(found, dict):
        raise ValueError('Parameters are a JSON object, such as {"name": "value"}')
    for name, value in found.items():
        if name in _OF_THE_REQUEST:
            raise ValueError(f"{name} comes from each request")
        if name in _ADDRESSES:
            raise ValueError("The address has a field of its own: API base")
        if name in _NO_DATA or "callback" in name or not re.fullmatch(r"[a-z][a-z0-9_]*", name):
            raise ValueError(f"{name} cannot be set here")
        if name == "vertex_credentials" and isinstance(value, str) and not value.lstrip().startswith("{"):
            raise ValueError("vertex_credentials is the JSON itself here; no file is read")
        if any(text.startswith(_FETCHED) for text in _texts(value)):
            raise ValueError(f"{name} is taken as it is written; os.environ/ and oidc/ are not looked up")
    return found


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for one in inner for text in _texts(one)]
