"""Looks through the last 30 days for what could have cost less, and says so only where the ledger shows it.

Money is that of the recorded tokens at known prices. Nothing is tried, changed or promised here.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from urllib.parse import urlencode

from sqlalchemy.ext.asyncio import AsyncConnection

from ops_center.catalog.names import canonical_name
from ops_center.control.access import Actor, Permission
from ops_center.control.context import Control
from ops_center.control.notifications.events import usd
from ops_center.control.savings import repository
from ops_center.control.savings.cheaper import (
    break_even,
    caching_gain,
    caching_would_gain,
    cheapest,
    cost_at,
)
from ops_center.control.savings.repository import Duplicates, Looked, Opening, OpeningsLooked
from ops_center.control.savings.schemas import Advice, Savings, Unsure
from ops_center.control.usage import repository as usage
from ops_center.control.usage.conditions import EVERYTHING, Filters
from ops_center.control.usage.dimensions import Dimension
from ops_center.control.usage.filters import requests_of
from ops_center.control.usage.sums import Sums, by_value
from ops_center.control.usage.windows import Window
from ops_center.snapshot import Target
from ops_center.types import CredentialSource

_LENGTH = timedelta(days=30)
_LEAST_CALLS = 20
_LEAST_USD = Decimal("0.01")
_LEAST_SHARE = Decimal("0.1")  # of the cost, so that nobody moves for a rounding
_CACHED_FROM_TOKENS = 1024  # https://docs.claude.com/en/docs/build-with-claude/prompt-caching (2026-11)
_LEAST_OPENING_USD = Decimal("0.001")  # below, marking one is not worth the trouble
_MOST_KEYS_NAMED = 20
_MOST_OPENINGS = 200  # whose API keys are looked up


async def get_savings(control: Control, actor: Actor) -> Savings:
    await control.drain_journal()
    now = control.clock()
    window = Window.last(_LENGTH, now)
    assert window.from_at is not None
    advice: list[Advice] = []
    unsure: list[Unsure] = []
    async with control.database.read() as conn:
        whole = await usage.totals(conn, window)
        used = await _used(control, conn, window)
        (found, looked), then = await control.looks.openings.at(
            window, now, lambda window: repository.openings(conn, window)
        )
        for target, sums in used:
            place = target.provider.id, target.model
            _about_model(control, target, sums, window, advice, unsure)
            _about_caching(target, sums, window, advice, unsure, noted=place in looked.by_target)
            there = [one for one in found if (one.provider_id, one.model) == place]
            await _about_openings(conn, target, there, looked, then, advice)
        equal, then = await control.looks.duplicates.at(
            window, now, lambda window: repository.duplicates(conn, window)
        )
        _about_duplicates(*equal, then, advice, unsure)
        if actor.may(Permission.API_KEYS_READ):
            await _about_keys(conn, now, advice)
    return Savings(
        from_at=window.from_at,
        to_at=window.to_at,
        calls=whole.calls,
        cost_usd=whole.cost_usd,
        estimated_share=whole.estimated_share,
        advice=sorted(advice, key=lambda one: (one.saving_usd is None, -(one.saving_usd or 0), one.subject)),
        unsure=unsure,
        generated_at=now,
    )


def _filters(target: Target) -> Filters:
    """What the platform paid at one target."""
    return Filters(
        values={
            Dimension.PROVIDER: frozenset({target.provider.id}),
            Dimension.MODEL: frozenset({target.model}),
            Dimension.CREDENTIAL: frozenset({CredentialSource.PLATFORM.value}),
        }
    )


async def _used(control: Control, conn: AsyncConnection, window: Window) -> list[tuple[Target, Sums]]:
    """Every target of today with what went to it on the platform's money, the dearest first."""
    places: Mapping[str, Mapping[str, Target]] = control.publisher.current.by_provider
    found = []
    for provider_id in by_value(await usage.sums(conn, window, by=Dimension.PROVIDER, figures=["calls"])):
        if provider_id is None or provider_id not in places:
            continue
        there = {target.model: target for target in places[provider_id].values()}
        filters = Filters(
            values={
                Dimension.PROVIDER: frozenset({provider_id}),
                Dimension.CREDENTIAL: frozenset({CredentialSource.PLATFORM.value}),
            }
        )
        of_model = by_value(await usage.sums(conn, window, by=Dimension.MODEL, filters=filters))
        found += [(there[model], sums) for model, sums in of_model.items() if model in there]
    return sorted(found, key=lambda pair: (-pair[1].cost_usd, pair[0].id))


def _about_model(
    control: Control,
    target: Target,
    sums: Sums,
    window: Window,
    advice: list[Advice],
    unsure: list[Unsure],
) -> None:
    """The same tokens at a model that is judged at least as good, and can do as much."""
    name = f"{target.model} at {target.provider.name}"
    if not target.chat or sums.calls < _LEAST_CALLS or sums.cost_usd < _LEAST_USD:
        return
    if target.score is None:
        unsure.append(Unsure(subject=name, text="It has no score, so no model can be said to be as good."))
        return
    if sums.unknown_cost_calls:
        unsure.append(
            Unsure(subject=name, text=f"The cost of {sums.unknown_cost_calls:,} of its requests is unknown.")
        )
        return
    better = cheapest(target, sums, control.publisher.current.targets)
    if better is None:
        return
    # what was billed beside tokens would be billed elsewhere too
    cost = sums.cost_usd if target.price is None else min(sums.cost_usd, cost_at(sums, target.price))
    saving = cost - better.cost_usd
    if saving < _LEAST_USD or saving < cost * _LEAST_SHARE:
        return
    other = better.target
    same = canonical_name(other.model) == canonical_name(target.model)
    who = f"The same model at {other.provider.name}" if same else f"{other.model} at {other.provider.name}"
    assert other.price is not None
    advice.append(
        Advice(
            kind="cheaper_model",
            subject=name,
            text=f"{who} (score {other.score:.1f}, here {target.score:.1f}) would have served its {sums.calls:,} requests "
            f"for {usd(better.cost_usd)} instead of {usd(cost)}.",
            saving_usd=saving,
            cost_usd=cost,
            calls=sums.calls,
            assumption=f"The recorded tokens ({sums.input_tokens:,} in, {sums.output_tokens:,} out) at the price of "
            f"{other.price.source} {other.price.as_of}"
            + (", at its dearest tier" if other.price.tiers else "")
            + ". Another model may count or write more or fewer tokens, and prompt caches are taken to hold as much there"
            + " as here. Scores are of public benchmarks, not of your prompts: try it with them.",
            requests=_requests(target, window),
            examples=[],
            path="/playground?" + urlencode({"model": f"{other.provider.spec.type}/{other.model}"}),
            action="Try it in the playground",
        )
    )


def _about_caching(
    target: Target,
    sums: Sums,
    window: Window,
    advice: list[Advice],
    unsure: list[Unsure],
    *,
    noted: bool,
) -> None:
    """Whether writing the prompt cache pays; where nobody writes it and no beginning was noted, what would have to be
    true."""
    price, name = target.price, f"{target.model} at {target.provider.name}"
    if price is None or sums.calls < _LEAST_CALLS:
        return
    if sums.cache_write_tokens:
        gain = caching_gain(sums, price)
        if gain is None or gain > -_LEAST_USD:
            return
        through = sums.cache_write_tokens + sums.cache_read_tokens
        needed = break_even(price)
        advice.append(
            Advice(
                kind="caching",
                subject=name,
                text=f"Prompt caching lost {usd(-gain)}: {sums.cache_write_tokens:,} tokens were written to the cache and "
                f"{sums.cache_read_tokens:,} read from it, {sums.cache_read_tokens / through:.1%} of both"
                + (f"; it pays from {needed:.1%} on" if needed is not None else "")
                + ". Mark only what comes again within its lifetime, or nothing.",
                saving_usd=-gain,
                cost_usd=sums.cost_usd,
                calls=sums.calls,
                assumption="All that was written or read, as ordinary input instead, at the price of "
                f"{price.source} {price.as_of}.",
                requests=_requests(target, window),
                examples=[],
                path="/admin/usage?"
                + urlencode(
                    {"metric": "cache_hit_rate", "group": "api_key", "model": target.model, "period": "30d"}
                ),
                action="See hits by API key",
            )
        )
        return
    needed = break_even(price)
    mean = sums.input_tokens // sums.calls
    if noted or needed is None or sums.cache_read_tokens or mean < _CACHED_FROM_TOKENS or price.tiers:
        return
    # what could be won at most: everything but one write is a read
    assert price.cache_read_mtok is not None
    most = sums.input_tokens * (price.input_mtok - price.cache_read_mtok) / 1_000_000
    if most < _LEAST_USD:
        return
    unsure.append(
        Unsure(
            subject=name,
            text=f"Its {sums.calls:,} requests of {mean:,} input tokens on average use no prompt cache. Whether their "
            "beginnings repeat was not noted, so what caching would save is not known: it pays once "
            f"{needed:.1%} of what is marked is read again, and could save less than {usd(most)} here.",
        )
    )


async def _about_openings(
    conn: AsyncConnection,
    target: Target,
    found: list[Opening],
    looked: OpeningsLooked,
    window: Window,
    advice: list[Advice],
) -> None:
    """What marking beginnings for the cache would have saved: those for which it pays, and no others."""
    price = target.price
    if price is None:
        return
    paying = [
        one
        for one in found
        if caching_would_gain(one.read_tokens, one.write_tokens, price) >= _LEAST_OPENING_USD
    ]
    read, written = sum(one.read_tokens for one in paying), sum(one.write_tokens for one in paying)
    gain = caching_would_gain(read, written, price)
    calls, reads = sum(one.calls for one in paying), sum(one.reads for one in paying)
    if calls < _LEAST_CALLS or gain < _LEAST_USD:
        return
    assert looked.from_at is not None
    paying.sort(key=lambda one: (-one.read_tokens, one.mark))
    ids = await repository.keys_of(
        conn, Window(from_at=looked.from_at, to_at=window.to_at), paying[:_MOST_OPENINGS]
    )
    filters = _filters(target)
    if len(ids) <= _MOST_KEYS_NAMED and len(paying) <= _MOST_OPENINGS:
        filters = Filters(values={**filters.values, Dimension.API_KEY: ids})
    noted = looked.by_target[target.provider.id, target.model]
    examples = [await repository.newest_of(conn, one) for one in paying[:3]]
    advice.append(
        Advice(
            kind="caching_would_pay",
            subject=f"{target.model} at {target.provider.name}",
            text=f"{reads:,} of {calls:,} requests began as another had no more than five minutes before, and none of them "
            f"used the prompt cache ({_named(await repository.key_names(conn, ids), len(ids))}). Marked for it, these "
            f"beginnings of {(read + written) // calls:,} tokens on average would have cost {usd(gain)} less. Mark the "
            "last part that stays the same with cache_control.",
            saving_usd=gain,
            cost_usd=None,
            calls=calls,
            assumption=f"An estimate from the newest {noted:,} requests that could have used it, since "
            f"{looked.from_at:%Y-%m-%d %H:%M} UTC: {read:,} tokens read and {written:,} written instead of "
            f"sent, at the price of {price.source} {price.as_of}. Tokens of a beginning are its share of the body's bytes; "
            "requests at the same moment would each have to write it.",
            requests=requests_of(looked.from_at, window.to_at, filters),
            examples=examples,
            path=f"/admin/requests/{examples[0]}",
            action="See one of them",
        )
    )


def _named(names: list[str], count: int) -> str:
    shown = ", ".join(names[:3])
    more = count - len(names[:3])
    return (
        f"API key {shown}"
        if count == 1 and names
        else f"API keys {shown}" + (f" and {more} more" if more else "")
    )


def _about_duplicates(
    found: list[Duplicates], looked: Looked, window: Window, advice: list[Advice], unsure: list[Unsure]
) -> None:
    assert window.from_at is not None
    for one in found:
        if one.cost_usd < _LEAST_USD:
            continue
        advice.append(
            Advice(
                kind="duplicates",
                subject=one.api_key_name,
                text=f"{one.repetitions:,} of its requests had been sent before, to the byte, and cost {usd(one.cost_usd)}. "
                "Keep the first answer where it is meant to be the same.",
                saving_usd=one.cost_usd,
                cost_usd=None,
                calls=one.repetitions,
                assumption=f"Among the newest {looked.requests:,} requests. Of equal ones the dearest counts as the first.",
                requests=requests_of(
                    looked.from_at or window.from_at,
                    window.to_at,
                    EVERYTHING,
                    Dimension.API_KEY,
                    one.api_key_id,
                ),
                examples=list(one.examples),
                path=f"/admin/requests/{one.examples[0]}",
                action="See one of them",
            )
        )
    if looked.requests and not looked.with_fingerprint:
        unsure.append(
            Unsure(
                subject="Duplicate requests",
                text="None of the requests bears a fingerprint, so which were sent twice is not known.",
            )
        )


async def _about_keys(conn: AsyncConnection, now: datetime, advice: list[Advice]) -> None:
    keys = await repository.living_keys(conn, now - _LENGTH, now)
    last = await usage.last_at(conn, Dimension.API_KEY)
    idle = [key for key in keys if (at := last.get(key.id)) is None or at < now - _LENGTH]
    for key in idle[:_MOST_KEYS_NAMED]:
        at = last.get(key.id)
        said = "It has never been used" if at is None else f"It was used last on {at:%Y-%m-%d}"
        advice.append(
            Advice(
                kind="unused_key",
                subject=key.name,
                text=f"{said}, and was made on {key.created_at:%Y-%m-%d} by {key.owner}. Who finds it can spend with it: "
                "revoke it.",
                saving_usd=None,
                cost_usd=None,
                calls=0,
                assumption="It costs nothing as long as nobody uses it.",
                requests=None,
                examples=[],
                path="/admin/api-keys",
                action="Revoke it",
            )
        )


def _requests(target: Target, window: Window) -> str:
    assert window.from_at is not None
    return requests_of(window.from_at, window.to_at, _filters(target))
