"""What may happen to aliases: looked at with what they mean now, made, changed, and taken back.

A packaged alias cannot be removed, only given other candidates; taking that back makes it packaged again.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.exc import IntegrityError

from ops_center.catalog.aliases import PACKAGED, merged
from ops_center.catalog.names import canonical_name
from ops_center.control.access import Actor
from ops_center.control.aliases import repository
from ops_center.control.aliases.schemas import Alias, AliasList, AliasUpdate
from ops_center.control.audit_log.service import record
from ops_center.control.context import Control
from ops_center.control.routing_versions.service import keep
from ops_center.errors import Conflict, Invalid, NotFound
from ops_center.routing import chooses_for_caller
from ops_center.snapshot import Snapshot

_MAX_NAME = 200


async def list_aliases(control: Control) -> AliasList:
    """All of them by name, with what they lead to in the snapshot that serves now."""
    async with control.database.read() as conn:
        changed = await repository.listed(conn)
    current = control.publisher.current
    shown = [_alias(row.name, row.candidates, changed, current) for row in merged(changed)]
    return AliasList(aliases=sorted(shown, key=lambda alias: alias.name))


async def put_alias(control: Control, actor: Actor, given: str, wanted: AliasUpdate) -> Alias:
    """Make an alias, or give it other candidates. Raises Invalid naming `name` or `candidates`."""
    name = checked_name(given)
    candidates = tuple(dict.fromkeys(wanted.candidates))
    if any(canonical_name(candidate) == canonical_name(name) for candidate in candidates):
        raise Invalid("An alias cannot stand for itself", param="candidates")
    now = control.clock()
    try:
        async with control.database.write() as conn:
            before = await repository.by_name(conn, name)
            await repository.put(conn, name, candidates, now)
            await keep(conn, actor, "alias.update", at=now)
            await record(
                conn,
                actor,
                "alias.update",
                "alias",
                name,
                name,
                {"candidates": list(before if before is not None else PACKAGED.get(name, ()))},
                {"candidates": list(candidates)},
                at=now,
            )
    except IntegrityError:
        raise Conflict("Somebody else has just made this alias", param="name") from None
    await control.publisher.publish()
    return await get_alias(control, name)


async def get_alias(control: Control, given: str) -> Alias:
    """Raises NotFound."""
    name = given.strip().lower()
    async with control.database.read() as conn:
        changed = await repository.listed(conn)
    candidates = changed.get(name) or PACKAGED.get(name)
    if candidates is None:
        raise NotFound("There is no alias of this name")
    return _alias(name, candidates, changed, control.publisher.current)


async def take_back(control: Control, actor: Actor, given: str) -> None:
    """Remove an alias of an admin's, or give a packaged one its own candidates again. Raises NotFound, or
    Conflict for a packaged one that nobody changed."""
    name = given.strip().lower()
    now = control.clock()
    async with control.database.write() as conn:
        before = await repository.by_name(conn, name)
        if before is None and name in PACKAGED:
            raise Conflict(
                "This alias comes with Ops-Center",
                hint="Give it other candidates to make it mean another model.",
            )
        if before is None:
            raise NotFound("There is no alias of this name")
        await repository.remove(conn, name)
        await keep(conn, actor, "alias.delete", at=now)
        packaged = PACKAGED.get(name)
        await record(
            conn,
            actor,
            "alias.delete",
            "alias",
            name,
            name,
            {"candidates": list(before)},
            None if packaged is None else {"candidates": list(packaged)},
            at=now,
        )
    await control.publisher.publish()


def checked_name(given: str) -> str:
    """As it is stored. Raises Invalid naming `name`."""
    name = given.strip().lower()
    if not name or len(name) > _MAX_NAME or not name.isprintable() or any(ch.isspace() for ch in name):
        raise Invalid(f"An alias is one word of at most {_MAX_NAME} characters", param="name")
    if "/" in name:
        raise Invalid(
            "An alias cannot contain a slash: provider/model names a model at one provider", param="name"
        )
    if chooses_for_caller(name):
        raise Invalid("This name leaves the choice to the strategy", param="name")
    return name


def _alias(
    name: str, candidates: Sequence[str], changed: dict[str, tuple[str, ...]], snapshot: Snapshot
) -> Alias:
    served = next((c for c in candidates if canonical_name(c) in snapshot.by_model), None)
    targets = snapshot.by_model[canonical_name(served)] if served is not None else ()
    origin = "packaged" if name not in changed else ("changed" if name in PACKAGED else "own")
    return Alias(
        name=name,
        candidates=list(candidates),
        origin=origin,  # type: ignore[arg-type]
        resolves_to=targets[0].model if targets else None,
        providers=list(dict.fromkeys(target.provider.name for target in targets)),
        hidden_by_model=name in snapshot.by_model,
    )
