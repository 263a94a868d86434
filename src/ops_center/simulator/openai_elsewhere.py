"""OpenAI's API at other companies' paths: Azure's resources and Cloudflare's accounts, put back into OpenAI's.

References (2026-11): https://learn.microsoft.com/en-us/azure/foundry/openai/reference,
https://developers.cloudflare.com/workers-ai/configuration/open-ai-compatibility,
https://developers.cloudflare.com/api/resources/ai/subresources/models/methods/list.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import parse_qs, unquote

import msgspec

from ops_center.simulator.catalogues import SimulatedModel
from ops_center.simulator.reply import Reply, Request, json_reply

PREFIXES = ("/azure/openai/", "/cloudflare/ai/")

_DEPLOYMENT = re.compile(r"/azure/openai/deployments/([^/]+)(/.+)")


def as_openai(request: Request) -> Request:
    """The same request as OpenAI itself would get it; one that Azure or Cloudflare does not know keeps its path."""
    path, body = request.path, request.body
    versioned = "api-version" in parse_qs(request.query)
    match = _DEPLOYMENT.fullmatch(path)
    if match is not None and versioned:
        path = "/v1" + match[2]
        if request.headers.get("content-type", "").startswith("application/json"):
            body = _named(body, unquote(match[1]))
    elif path == "/azure/openai/models" and versioned:
        path = "/v1/models"
    elif path.startswith("/azure/openai/v1/"):
        path = path.removeprefix("/azure/openai")
    elif path.startswith("/cloudflare/ai/v1/"):
        path = path.removeprefix("/cloudflare/ai")
    return msgspec.structs.replace(request, path=path, body=body)


def _named(body: bytes, deployment: str) -> bytes:
    """The deployment of the path wins over whatever the body says."""
    try:
        fields = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    except msgspec.DecodeError:
        return body
    return msgspec.json.encode({**fields, "model": deployment})


def cloudflare_list(models: Iterable[SimulatedModel]) -> Reply:
    """`GET /models/search`."""
    result = [
        {
            "id": f"00000000-0000-4000-8000-{number:012d}",
            "source": 1,
            "name": f"@cf/simulated/{model.id}",
            "task": {"id": "t", "name": "Text Embeddings" if "embedding" in model.id else "Text Generation"},
            "properties": [{"property_id": "context_window", "value": str(model.context_window)}],
        }
        for number, model in enumerate(models)
    ]
    return json_reply({"success": True, "errors": [], "messages": [], "result": result})
