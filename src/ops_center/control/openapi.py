"""The OpenAPI document of the control API, from which the console's client is generated.

`python -m ops_center.control.openapi > web/openapi.json` writes it; it needs no database and gives the same
bytes for the same code. It describes no data plane route: those follow other people's documents.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

_SCHEMES = {
    "session": {"type": "apiKey", "in": "cookie", "name": "ops_center_session"},
    "api_key": {"type": "http", "scheme": "bearer", "description": "An API key of scope admin"},
}


def document(app: FastAPI) -> dict[str, Any]:
    """The document of `app`'s routes; each operation names its permission in `x-permission`."""
    if app.openapi_schema is None:
        described = get_openapi(
            title=app.title,
            version="1",
            routes=[route for route in app.routes if isinstance(route, APIRoute)],
            separate_input_output_schemas=False,
        )
        described.setdefault("components", {})["securitySchemes"] = _SCHEMES
        for operations in described["paths"].values():
            for operation in operations.values():
                public = operation["x-permission"] == "public"
                operation["security"] = [] if public else [{"session": []}, {"api_key": []}]
        app.openapi_schema = described
    return app.openapi_schema


def rendered(app: FastAPI) -> str:
    """The document as the text of `web/openapi.json`."""
    return json.dumps(document(app), indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def main() -> None:
    from ops_center.control.api import create_control_app

    sys.stdout.write(rendered(create_control_app(None)))


if __name__ == "__main__":
    main()
