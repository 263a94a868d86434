"""Aliases as JSON."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ops_center.control.fields import LongName, RequestModel, ResponseModel


class Alias(ResponseModel):
    name: str
    candidates: list[str]
    """The names of models, the best first; the first that somebody serves is called."""
    origin: Literal["packaged", "changed", "own"]
    """Ours, ours with an admin's candidates, or an admin's own."""
    resolves_to: str | None
    """The candidate that is called now; null while nobody serves one."""
    providers: list[str]
    """Who serves it, the highest priority first."""
    hidden_by_model: bool
    """A model of this very name is served, and wins over the alias."""


class AliasList(ResponseModel):
    aliases: list[Alias]


class AliasUpdate(RequestModel):
    candidates: Annotated[list[LongName], Field(min_length=1, max_length=50)]
