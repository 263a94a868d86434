"""Sends a kept request again: as it was redacted, to the one target an admin chose, on that admin's own API key and
with the platform's key of the provider, whatever keys the admin has.

The call goes the way of any request (`Control.replay`), so limits, budgets, address checks and the ledger are the
ordinary ones; nothing is priced or measured here.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

import msgspec

from ops_center.catalog.pricing import price_usage
from ops_center.control.access import Actor
from ops_center.control.api_keys import repository as api_keys
from ops_center.control.api_keys import service as api_key_service
from ops_center.control.api_keys.schemas import ApiKeyCreate
from ops_center.control.audit_log.service import record
from ops_center.control.bodies.keeper import content_of, credentials
from ops_center.control.bodies.redaction import lacks_files
from ops_center.control.bodies.schemas import KeptBody, RequestBodies
from ops_center.control.bodies.service import opened
from ops_center.control.bodies.settings import BodySettings
from ops_center.control.byok.policy import global_policy
from ops_center.control.context import Control
from ops_center.control.replays.schemas import (
    ReplayCreate,
    ReplayDifference,
    ReplayOptions,
    ReplayTarget,
    RequestReplay,
)
from ops_center.control.requests.schemas import RequestDetail
from ops_center.control.requests.service import get_request
from ops_center.control.settings.repository import read_setting
from ops_center.errors import Conflict, Invalid, NotFound
from ops_center.providers.tasks import TASKS
from ops_center.route_request import FIELDS, RouteRequest, estimated_tokens, needs_of
from ops_center.routing import unfit
from ops_center.snapshot import Target, api_key_digest
from ops_center.storage.secrets import SecretError
from ops_center.types import ByokPolicy, CredentialSource, Usage

KEY_NAME = "Replay"
_KEY_LIFE = timedelta(days=1)
_GRACE = timedelta(minutes=5)  # another server may be at it with the secret before
_CHATS = frozenset({"chat/completions", "completions", "responses", "messages"})
_JSON_TASKS = TASKS.keys() - {"audio/transcriptions"}  # that one comes as a form
_MOST_TOKENS = ("max_completion_tokens", "max_tokens", "max_output_tokens")


async def options(control: Control, request_id: str) -> ReplayOptions:
    """Raises NotFound for a request that is not there."""
    original = await get_request(control, request_id)
    try:
        kept = await _kept(control, original)
    except Conflict as error:
        return ReplayOptions(
            request_id=request_id,
            possible=False,
            reason=error.message,
            hint=error.hint,
            removed={},
            targets=[],
        )
    targets = [
        ReplayTarget(
            provider_id=target.provider.id,
            provider_name=target.provider.name,
            provider_type=target.provider.spec.type,
            model=target.model,
            expected_cost_usd=_expected_cost(original, target),
        )
        for target in control.publisher.current.targets
        if _why_not(target, kept.wanted) is None
    ]
    return ReplayOptions(
        request_id=request_id,
        possible=True,
        reason=None,
        hint=None,
        removed=kept.bodies.removed,
        targets=sorted(targets, key=_by_cost),
    )


async def replay(control: Control, actor: Actor, request_id: str, wanted: ReplayCreate) -> RequestReplay:
    """Raises NotFound, Conflict with the reason why it cannot be sent again, or Invalid naming the field."""
    original = await get_request(control, request_id)
    kept = await _kept(control, original)
    target = _target(control, wanted, kept.wanted)
    async with control.database.write() as conn:
        settings = await read_setting(conn, BodySettings)
        sent_to = {"provider_id": target.provider.id, "provider": target.provider.name, "model": target.model}
        await record(
            conn,
            actor,
            "request.replay",
            "request",
            request_id,
            request_id,
            None,
            sent_to,
            at=control.clock(),
        )
    # Named by its provider's id, which leads to this one target, and pinned, so that nobody else is asked.
    body = msgspec.json.encode(kept.content | {"model": f"{target.provider.id}/{target.model}"})
    headers = {
        b"content-type": b"application/json",
        b"authorization": b"Bearer " + (await _secret(control, actor)).encode(),
    }
    call = await control.replay(request_id, original.endpoint, headers, body, actor.ip_address)
    known = credentials(control.publisher.current)
    answer = (await asyncio.to_thread(content_of, call, settings, known)).answer
    try:
        made = await get_request(control, call.request_id)
    except NotFound:
        raise Conflict(
            "The replay was refused before it was anybody's request",
            hint=f"Look at your API key “{KEY_NAME}” under API Keys.",
        ) from None
    return RequestReplay(
        original=original,
        original_answer=kept.bodies.answer,
        replay=made,
        answer=KeptBody(content=answer.content, complete=answer.complete),
        difference=_difference(original, made),
    )


@dataclass(frozen=True, slots=True)
class _Kept:
    """What can be sent again: `content` is the prompt without wishes about the route, `wanted` what it needs."""

    bodies: RequestBodies
    content: dict[str, Any]
    wanted: RouteRequest


async def _kept(control: Control, original: RequestDetail) -> _Kept:
    """Raises Conflict with the reason why there is nothing to send."""
    if original.credential == "byok":
        raise Conflict(
            "This request was made on a user's own key, and such requests are not sent again",
            hint="Neither may that key be used for it, nor is it the platform's to pay.",
        )
    async with control.database.read() as conn:
        if await global_policy(conn) is ByokPolicy.BYOK_ONLY:
            raise Conflict(
                "Only own keys may be used here, and a replay is paid with the platform's",
                hint="The policy for own keys is under Settings.",
            )
    if original.endpoint not in _CHATS and original.endpoint not in _JSON_TASKS:
        raise Conflict(f"A request to /v1/{original.endpoint} cannot be sent again: its body is not kept")
    try:
        bodies = await opened(control, original.id)
    except NotFound as error:
        raise Conflict(
            "Nothing is kept of this request's prompt",
            hint=error.hint or "It was made while storing was off, or what was kept has been deleted.",
        ) from None
    except SecretError as error:
        raise Conflict(
            "What is kept of this request cannot be opened: the master key that sealed it is not here",
            detail=error.message,
            hint="Start the server with the master key of then.",
        ) from None
    content = bodies.request.content
    if not bodies.request.complete:
        raise Conflict(
            "The prompt is not whole: it was longer than what is kept",
            hint="The settings say how much is kept of requests from then on.",
        )
    if not isinstance(content, dict):
        raise Conflict("What was sent is no JSON object, so it cannot be sent again")
    if lacks_files(msgspec.json.encode(content).decode()):
        raise Conflict("The prompt held a file or a picture, and those are not kept")
    chat = original.endpoint in _CHATS
    content = {name: value for name, value in content.items() if not (chat and name in FIELDS)}
    return _Kept(bodies, content, _wanted(original.endpoint, content))


def _wanted(endpoint: str, content: dict[str, Any]) -> RouteRequest:
    body = msgspec.json.encode(content)
    asked = next((n for name in _MOST_TOKENS if isinstance(n := content.get(name), int)), None)
    task = TASKS.get(endpoint)
    answer_format = content.get("text" if endpoint == "responses" else "response_format")
    return RouteRequest(
        needs=frozenset()
        if task is not None
        else needs_of(msgspec.json.encode(content.get("tools")), msgspec.json.encode(answer_format), body),
        input_tokens=estimated_tokens(body),
        max_output_tokens=asked,
        task=task,
    )


def _why_not(target: Target, wanted: RouteRequest) -> str | None:
    """Why this target cannot be sent the request."""
    task = wanted.task
    if target.provider.credential_source is not CredentialSource.PLATFORM:
        return "the platform has no key for its provider"
    if task is None:
        return unfit(target, wanted) if target.chat else "it answers no conversations"
    if task.capability not in target.capabilities or target.provider.spec.task_path(task.endpoint) is None:
        return f"it does not answer /v1/{task.endpoint}"
    return None


def _target(control: Control, wanted: ReplayCreate, request: RouteRequest) -> Target:
    of_provider = [t for t in control.publisher.current.targets if t.provider.id == wanted.provider_id]
    if not of_provider:
        raise Invalid("provider_id names no enabled provider with enabled models", param="provider_id")
    target = next((each for each in of_provider if each.model == wanted.model), None)
    if target is None:
        raise Invalid("model names no enabled model of this provider", param="model")
    reason = _why_not(target, request)
    if reason is not None:
        raise Invalid(f"This model cannot be sent the request: {reason}", param="model")
    return target


def _expected_cost(original: RequestDetail, target: Target) -> Decimal | None:
    usage = Usage(input_tokens=original.input_tokens, output_tokens=original.output_tokens)
    return None if usage == Usage() else price_usage(usage, target.price)


def _by_cost(target: ReplayTarget) -> tuple[bool, Decimal, str, str]:
    cost = target.expected_cost_usd
    return cost is None, cost or Decimal(0), target.model, target.provider_name


async def _secret(control: Control, actor: Actor) -> str:
    """Of the admin's own API key for replays: made when it is first needed, good for a day."""
    keys, now = control.replay_keys, control.clock()
    async with keys.lock:
        secret = keys.secrets.get(actor.user_id)
        if secret is not None:
            principal = control.publisher.current.principals.get(api_key_digest(secret))
            if principal is not None and principal.expires_at is not None and principal.expires_at > now:
                return secret
        async with control.database.read() as conn:
            rows = await api_keys.listed(conn, now, user_id=actor.user_id)
        alive = (row for row in rows if row.revoked_at is None and row.expires_at and row.expires_at > now)
        old = next((row for row in alive if row.name == KEY_NAME and row.team_id is None), None)
        made = (
            await api_key_service.create(
                control, actor, ApiKeyCreate(name=KEY_NAME, expires_at=now + _KEY_LIFE)
            )
            if old is None
            else await api_key_service.rotate(control, actor, old.id, _GRACE)
        )
        keys.secrets[actor.user_id] = made.secret
        return made.secret


def _difference(original: RequestDetail, replay: RequestDetail) -> ReplayDifference:
    def less(now: Any, then: Any) -> Any:
        return None if now is None or then is None else now - then

    return ReplayDifference(
        cost_usd=less(replay.cost_usd, original.cost_usd),
        duration_ms=replay.duration_ms - original.duration_ms,
        time_to_first_chunk_ms=less(replay.time_to_first_chunk_ms, original.time_to_first_chunk_ms),
        input_tokens=replay.input_tokens - original.input_tokens,
        output_tokens=replay.output_tokens - original.output_tokens,
    )
