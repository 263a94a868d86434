"""`/llm/aliases`: names that stand for families of models."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path

from ops_center.control.access import ActorDep, Permission, Routes
from ops_center.control.aliases import service
from ops_center.control.aliases.schemas import Alias, AliasList, AliasUpdate
from ops_center.control.context import ControlDep

routes = Routes("aliases", prefix="/llm/aliases")

AliasName = Annotated[str, Path(min_length=1, max_length=300)]


@routes.get("", permission=Permission.MODELS_READ)
async def list_aliases(control: ControlDep) -> AliasList:
    """Every alias, and what it means now."""
    return await service.list_aliases(control)


@routes.put("/{name:path}", permission=Permission.MODELS_WRITE)
async def put_alias(control: ControlDep, actor: ActorDep, name: AliasName, body: AliasUpdate) -> Alias:
    """Make an alias, or change what it stands for."""
    return await service.put_alias(control, actor, name, body)


@routes.delete("/{name:path}", permission=Permission.MODELS_WRITE, status_code=204)
async def take_alias_back(control: ControlDep, actor: ActorDep, name: AliasName) -> None:
    """Remove an alias of one's own, or give a packaged one its own candidates again."""
    await service.take_back(control, actor, name)
