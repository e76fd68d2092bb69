"""Addresses at which other sides call: one for each integration, secret and changeable, and the promises to call it."""

from __future__ import annotations

from datetime import timedelta
from hashlib import sha256
from secrets import token_urlsafe
from typing import TYPE_CHECKING

import msgspec
from sqlalchemy import delete, insert, select, update

from domain.integrations.model import HookToken, Integration, RemoteSubscription
from sync.access import secrets
from tenure_sdk import Subscribe, Subscription, Webhook

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from domain.core.unit_of_work import Reading, Writing
    from domain.core.vault import Vault
    from sync.errands import Trip

RENEW = "renew"
"""The kind of due work that keeps the other side calling; its key is the integration."""

TOKEN, SECRET, FORMER = "hook_token", "hook_secret", "hook_secret_former"
"""The names of secrets: what stands in the address, what calls are signed with, and what they were signed with."""

_HALF_LIFE = 0.5
_AT_LEAST = timedelta(minutes=5)
_USUALLY = timedelta(hours=12)


async def rotate(work: Writing, vault: Vault, integration_id: UUID) -> tuple[str, str]:
    """A new address and a new secret; the former secret is accepted until the next time. The path and the secret."""
    known = await secrets.secrets_of(work, vault, integration_id)
    token, secret = token_urlsafe(32), token_urlsafe(32)
    await work.execute(
        delete(HookToken).where(HookToken.tenant_id == work.tenant_id, HookToken.integration_id == integration_id)
    )
    await work.execute(
        insert(HookToken).values(digest=digest(token), tenant_id=work.tenant_id, integration_id=integration_id)
    )
    for name, value in ((TOKEN, token), (SECRET, secret), (FORMER, known.get(SECRET))):
        plain = None if value is None else msgspec.json.encode(value)
        await secrets.keep(work, vault, integration_id, name, plain)
    await work.execute(
        update(Integration)
        .where(Integration.tenant_id == work.tenant_id, Integration.id == integration_id)
        .values(refused_calls=0, refused_call_at=None, refused_call_reason=None)
    )
    work.audit("integrations.rotate_webhook_secret", f"integration:{integration_id.hex}")
    return f"/hooks/{token}", secret


def digest(token: str) -> bytes:
    """What the directory knows of the token in an address."""
    return sha256(token.encode()).digest()


async def renew(trip: Trip) -> datetime | None:
    """Have the other side call, or go on calling; polling goes on all the while, as the safety net."""
    if not trip.remote.connector.declared(Subscribe) or trip.board.settings.public_url is None:
        return None
    vault = trip.board.remotes.vault
    async with trip.database.unit_of_work(trip.tenant_id) as work:
        known = await secrets.secrets_of(work, vault, trip.integration_id)
        if TOKEN not in known:
            await rotate(work, vault, trip.integration_id)
            known = await secrets.secrets_of(work, vault, trip.integration_id)
        current = await subscriptions(work, trip.integration_id)
    path = next((each.path for each in trip.remote.connector.declared(Webhook)), "events")
    url = f"{trip.board.settings.public_url}/hooks/{known[TOKEN]}/{path}"
    promised = await trip.remote.subscribe(url, known[SECRET], current)
    async with trip.database.unit_of_work(trip.tenant_id) as work:
        await _keep(work, trip.integration_id, promised)
        return _next(work.now, promised)


async def subscriptions(work: Reading, integration_id: UUID) -> list[Subscription]:
    """What the other side has promised to call for."""
    rows = await work.all(
        select(RemoteSubscription)
        .where(RemoteSubscription.tenant_id == work.tenant_id, RemoteSubscription.integration_id == integration_id)
        .order_by(RemoteSubscription.remote_id)
    )
    return [Subscription(row.remote_id, row.resource, row.expires_at) for row in rows]


async def _keep(work: Writing, integration_id: UUID, promised: Sequence[Subscription]) -> None:
    await work.execute(
        delete(RemoteSubscription).where(
            RemoteSubscription.tenant_id == work.tenant_id, RemoteSubscription.integration_id == integration_id
        )
    )
    work.add(
        *(
            RemoteSubscription(
                integration_id=integration_id, remote_id=each.id, resource=each.resource, expires_at=each.expires_at,
                updated_at=work.now,
            )
            for each in promised
        )
    )  # fmt: skip


def _next(now: datetime, promised: Sequence[Subscription]) -> datetime:
    """At half of the shortest promise's life."""
    left = [each.expires_at - now for each in promised if each.expires_at is not None]
    return now + max(min(left, default=_USUALLY / _HALF_LIFE) * _HALF_LIFE, _AT_LEAST)
