"""`GET /v1/models` in one shape that both OpenAI's and Anthropic's clients read. Built from the snapshot."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

import msgspec

from ops_center.errors import ModelNotFound
from ops_center.model_names import model_names
from ops_center.snapshot import Principal, Snapshot


class _Model(msgspec.Struct, frozen=True):
    id: str
    owned_by: str
    display_name: str
    object: str = "model"
    type: str = "model"
    # Neither API lets this be absent; we do not know when a model was made, so it is the epoch.
    created: int = 0
    created_at: str = datetime.fromtimestamp(0, UTC).isoformat().replace("+00:00", "Z")


class _Page(msgspec.Struct, frozen=True):
    data: list[_Model]
    first_id: str | None
    last_id: str | None
    object: str = "list"
    has_more: bool = False


def list_models(snapshot: Snapshot, principal: Principal) -> bytes:
    """Every name the caller may send."""
    models = list(_models(snapshot, principal))
    return msgspec.json.encode(
        _Page(models, models[0].id if models else None, models[-1].id if models else None)
    )


def find_model(snapshot: Snapshot, principal: Principal, name: str) -> bytes:
    """One entry of the list. Raises ModelNotFound."""
    for model in _models(snapshot, principal):
        if model.id == name:
            return msgspec.json.encode(model)
    raise ModelNotFound(f"The model “{name}” is not served by any provider here.", param="model")


def _models(snapshot: Snapshot, principal: Principal) -> Iterable[_Model]:
    return (_Model(name, owner, name) for name, owner in model_names(snapshot, principal))
