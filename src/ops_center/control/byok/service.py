"""Own keys as an admin sees them: who has some, whether they work, what runs on them and what that saves.

Sums of the ledger alone; nothing of any key is read here.
"""

from __future__ import annotations

from ops_center.control.byok import repository
from ops_center.control.byok.own_keys import status_of
from ops_center.control.byok.policy import global_policy
from ops_center.control.byok.repository import OwnKeyRow, OwnSums, Person
from ops_center.control.byok.schemas import ByokKey, ByokSummary, ByokUser, ByokUserList, KeyStatus
from ops_center.control.context import Control
from ops_center.control.usage.sums import NOTHING, Sums, added_up
from ops_center.providers.registry import provider_spec

_NOTHING = OwnSums()


async def get_summary(control: Control) -> ByokSummary:
    await control.drain_journal()
    now = control.clock()
    async with control.database.read() as conn:
        keys = await repository.everybodys(conn)
        sums = (await repository.sums_by_user(conn, now)).values()
        fallbacks = added_up(list((await repository.fallbacks_by_user(conn, now)).values()))
        policy = await global_policy(conn)
    recent, ever = added_up([one.recent for one in sums]), added_up([one.ever for one in sums])
    return ByokSummary(
        byok_users=len({key.user_id for key in keys}),
        active_accounts=sum(one.recent.calls > 0 for one in sums),
        keys=len(keys),
        failing_keys=sum(status_of(key) is KeyStatus.FAILING for key in keys),
        requests_30d=recent.calls,
        own_cost_30d_usd=recent.own_cost_usd,
        own_cost_30d_estimated_share=recent.own_estimated_share,
        own_cost_total_usd=ever.own_cost_usd,
        own_cost_total_estimated_share=ever.own_estimated_share,
        saved_30d_usd=recent.saved_usd,
        saved_30d_estimated_share=recent.saved_estimated_share,
        saved_total_usd=ever.saved_usd,
        saved_total_estimated_share=ever.saved_estimated_share,
        unknown_saving_requests_30d=recent.unknown_saving_calls,
        fallbacks_30d=fallbacks.fallback_calls,
        fallback_cost_30d_usd=fallbacks.fallback_cost_usd,
        fallback_cost_30d_estimated_share=fallbacks.fallback_estimated_share,
        policy=policy,
        computed_at=now,
    )


async def list_users(control: Control) -> ByokUserList:
    """Everybody who has an own key or has used one, the largest saving first."""
    await control.drain_journal()
    now = control.clock()
    async with control.database.read() as conn:
        keys = await repository.everybodys(conn)
        sums = await repository.sums_by_user(conn, now)
        fallbacks = await repository.fallbacks_by_user(conn, now)
        people = await repository.people(conn, sorted({key.user_id for key in keys} | sums.keys()))
    of_user: dict[str, list[OwnKeyRow]] = {}
    for key in keys:
        of_user.setdefault(key.user_id, []).append(key)
    listed = [
        _user(
            person,
            of_user.get(person.id, []),
            sums.get(person.id, _NOTHING),
            fallbacks.get(person.id, NOTHING),
        )
        for person in people.values()
    ]
    return ByokUserList(users=sorted(listed, key=lambda user: (-user.saved_total_usd, user.email)))


def _user(person: Person, keys: list[OwnKeyRow], used: OwnSums, fallbacks: Sums) -> ByokUser:
    return ByokUser(
        user_id=person.id,
        email=person.email,
        name=person.name,
        disabled=person.disabled,
        active=used.recent.calls > 0,
        keys=[_key(key) for key in keys],
        requests_30d=used.recent.calls,
        own_cost_30d_usd=used.recent.own_cost_usd,
        own_cost_30d_estimated_share=used.recent.own_estimated_share,
        saved_30d_usd=used.recent.saved_usd,
        saved_30d_estimated_share=used.recent.saved_estimated_share,
        saved_total_usd=used.ever.saved_usd,
        saved_total_estimated_share=used.ever.saved_estimated_share,
        unknown_saving_requests_30d=used.recent.unknown_saving_calls,
        fallbacks_30d=fallbacks.fallback_calls,
        last_used_at=used.ever.last_at,
    )


def _key(row: OwnKeyRow) -> ByokKey:
    spec = provider_spec(row.provider_type)
    return ByokKey(
        type=row.provider_type,
        type_name=spec.name,
        color=spec.color,
        status=status_of(row),
        last_check_at=row.check_at,
        failing_since=row.failing_since,
        created_at=row.created_at,
    )
