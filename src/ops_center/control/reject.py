"""Turns every failure of the control plane into `{"error": {...}}`: the one place where errors get a body.

Classified by type alone. The operator's `detail` goes to the log, never into an answer; neither does the
value that was wrong, which may be a pasted secret.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from ops_center.errors import Invalid, NotFound, OpsCenterError, TooLarge

_log = structlog.get_logger(__name__)


class ErrorBody(BaseModel):
    type: str
    message: str
    hint: str | None = None
    param: str | None = None


class ErrorAnswer(BaseModel):
    """What every failed call answers with."""

    error: ErrorBody


def install(app: FastAPI) -> None:
    """Render the errors of `app` in our shape, also those that the framework raises.

    What nobody foresaw goes on to the outermost edge (`edge.py`).
    """

    async def ours(_request: Request, error: Exception) -> Response:
        assert isinstance(error, OpsCenterError)
        return render(error)

    async def invalid(_request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        return render(first_problem(error.errors()))

    async def http(_request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return _of_framework(error)

    app.add_exception_handler(OpsCenterError, ours)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, http)


def render(error: OpsCenterError) -> JSONResponse:
    """The answer for `error`: its status, its text for the caller, and when to come back."""
    body = {"type": error.type, "message": error.message, "hint": error.hint, "param": error.param}
    if error.detail:
        _log.info("control_request_refused", type=error.type, status=error.status, detail=error.detail)
    headers = {}
    if error.retry_after_seconds is not None:
        headers["Retry-After"] = str(max(1, math.ceil(error.retry_after_seconds)))
    return JSONResponse(
        {"error": {name: value for name, value in body.items() if value is not None}},
        status_code=error.status,
        headers=headers,
    )


def _of_framework(error: HTTPException) -> Response:
    refusal: OpsCenterError
    if error.status_code == 404:
        refusal = NotFound("There is nothing at this address")
    elif error.status_code == 405:
        refusal = OpsCenterError("This address does not take this method")
        refusal.status, refusal.type = 405, "method_not_allowed"
    elif error.status_code == 413:
        refusal = TooLarge("The request is too large")
    else:
        refusal = OpsCenterError("The body could not be read")
        refusal.status, refusal.type = error.status_code, "invalid_request_error"
    response = render(refusal)
    for name, value in (error.headers or {}).items():
        response.headers[name] = value
    return response


def first_problem(problems: Sequence[Mapping[str, Any]]) -> Invalid:
    """The first thing that pydantic found wrong, as one plain sentence that names the field."""
    problem = problems[0]
    path = [part for part in problem["loc"][1:] if isinstance(part, str)]
    kind = str(problem["type"])
    if kind == "json_invalid":
        return Invalid("The body is not valid JSON")
    if not path or not _is_field_name(path[-1]):
        return Invalid("The body must be a JSON object", hint="Send it with Content-Type: application/json.")
    return Invalid(f"{path[-1]} {_sentence(kind, problem)}", param=".".join(path))


def _is_field_name(text: str) -> bool:
    return text.isidentifier() and len(text) <= 60


def _sentence(kind: str, problem: Mapping[str, Any]) -> str:
    context: Mapping[str, Any] = problem.get("ctx") or {}
    match kind:
        case "missing":
            return "is required"
        case "extra_forbidden":
            return "is not a field of this request"
        case "string_type":
            return "must be text"
        case "string_too_short" | "too_short":
            shortest = context.get("min_length")
            return "must not be empty" if shortest == 1 else f"must have at least {shortest} {_unit(context)}"
        case "string_too_long" | "too_long":
            return f"must have at most {context.get('max_length')} {_unit(context)}"
        case "greater_than_equal":
            return f"must be at least {context.get('ge')}"
        case "greater_than":
            return f"must be more than {context.get('gt')}"
        case "less_than_equal":
            return f"must be at most {context.get('le')}"
        case "less_than":
            return f"must be less than {context.get('lt')}"
        case "enum" | "literal_error":
            return f"must be {context.get('expected')}"
        case "value_error":
            return str(context.get("error") or "has an impossible value")
        case "bool_type" | "bool_parsing":
            return "must be true or false"
        case "list_type" | "tuple_type":
            return "must be a list"
        case "dict_type" | "model_type" | "model_attributes_type":
            return "must be a JSON object"
        case "finite_number":
            return "must be a finite number"
    if kind.startswith("int"):
        return "must be a whole number"
    if kind.startswith(("float", "decimal")):
        return "must be a number"
    if kind.startswith(("datetime", "timezone")):
        return "must be an instant with its time zone, such as 2026-11-23T12:00:00Z"
    return "has an impossible value"


def _unit(context: Mapping[str, Any]) -> str:
    return "entries" if context.get("field_type") in ("List", "Tuple", "Set", "Dictionary") else "characters"
