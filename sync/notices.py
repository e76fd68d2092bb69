"""The outgoing webhook: one address of a tenant is told what waits for a person, signed, and again until it answers."""

from __future__ import annotations

import secrets
from base64 import b64encode
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import orjson
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert as upsert

from domain.core import events
from domain.core.problems import Invalid, NotFound
from domain.core.vault import key_of
from domain.integrations.model import IntegrationState, OutgoingWebhook
from sync.access import egress
from sync.access.places import outgoing_webhook
from tenure_sdk import ConfigInvalid
from tenure_sdk.http import httpx
from tenure_sdk.webhooks import standard_signature

if TYPE_CHECKING:
    from datetime import datetime

    from domain.core.database import Database
    from domain.core.events import DueWork, OutboxEvent
    from domain.core.unit_of_work import Reading, Writing
    from domain.core.vault import Vault
    from sync.switchboard import Switchboard

NOTICE = "notice"
"""The kind of due work that tells the tenant's address of an event; its key is the event."""

DESTINATION = "outgoing-webhook"
"""The name under which transports and sandboxes lead the calls elsewhere; no connector has it."""

PATIENCE = timedelta(days=3)
"""How long a call is tried again before it is given up."""

_SOONEST, _LATEST = timedelta(seconds=30), timedelta(hours=6)
_SECONDS = 10.0
_GONE = 410

TYPES = {
    "integrations.NeedsReauth": "integration.needs_reauth",
    "integrations.StateChanged": "integration.quarantined",
    "integrations.ConflictFound": "integration.conflict_found",
    "integrations.BulkDeleteWaiting": "integration.bulk_delete_waiting",
    "integrations.RecordsRejected": "integration.records_rejected",
    "integrations.ChangeRejected": "integration.change_rejected",
    "integrations.SchemaDrifted": "integration.schema_drifted",
}
"""The events that are told, with the type that the call has."""

_FACTS = ("reason", "field", "stream", "found", "known", "count", "type", "fields")
"""What a call says of an event, besides the ids: facts, never a value of a record."""


class AddressRefused(Invalid):
    """Calls go to public https addresses only. Correct the address."""


async def webhook(work: Reading) -> OutgoingWebhook | None:
    """The tenant's outgoing webhook."""
    return await work.one(select(OutgoingWebhook).where(OutgoingWebhook.tenant_id == work.tenant_id))


async def set_webhook(work: Writing, vault: Vault, url: str | None, *, enabled: bool, new_secret: bool) -> str | None:
    """Tell this address from now on; without one, the address stays. The secret, where it is new.

    Raises AddressRefused, or NotFound where there is no address yet and none is given.
    """
    known = await webhook(work)
    if url is not None:
        _check(url)
    elif known is None:
        raise NotFound(path=("url",))
    secret = f"whsec_{b64encode(secrets.token_bytes(32)).decode('ascii')}" if known is None or new_secret else None
    changed: dict[str, Any] = {"enabled": enabled, "failures": 0, "last_error": None, "updated_at": work.now}
    if url is not None:
        changed["url"] = url
    if secret is not None:
        changed["ciphertext"] = vault.seal(outgoing_webhook(work.tenant_id), secret.encode())
        changed["key_id"] = key_of(changed["ciphertext"])
    if known is None:
        entry = upsert(OutgoingWebhook).values(tenant_id=work.tenant_id, **changed)
        await work.execute(entry.on_conflict_do_update(index_elements=["tenant_id"], set_=changed))
    else:
        for name, value in changed.items():
            setattr(known, name, value)
    told = {"enabled": enabled, "new_secret": secret is not None}
    work.audit("tenants.set_outgoing_webhook", f"tenant:{work.tenant_id.hex}", after=told)
    await work.flush()
    return secret


def _check(url: str) -> None:
    try:
        egress.check_url(url)
    except ConfigInvalid as refused:
        raise AddressRefused(str(refused), path=("url",)) from refused


async def note(work: Writing, event: OutboxEvent) -> None:
    """Have the tenant's address told of an event that waits for a person."""
    if event.name == "integrations.StateChanged" and event.body["state"] != IntegrationState.QUARANTINED:
        return
    known = await webhook(work)
    if known is not None and known.enabled:
        await events.make_due(work.session, work.tenant_id, NOTICE, event.id.hex, work.now)


for _name in TYPES:
    events.on(_name)(note)


async def give(database: Database, board: Switchboard, entry: DueWork) -> datetime | None:
    """Call the tenant's address once; when to try again, None where it was told, is gone, or patience has ended."""
    async with database.reading(entry.tenant_id) as work:
        known = await webhook(work)
        event = await _event(work, UUID(entry.key))
    if known is None or not known.enabled or event is None:
        return None
    secret = board.remotes.vault.open(outgoing_webhook(entry.tenant_id), known.ciphertext).decode()
    now = database.clock.now()
    status, error = await _call(board, known.url, _signed(event, secret, now), _body(event))
    async with database.unit_of_work(entry.tenant_id) as writing:
        current = await webhook(writing)
        if current is None:
            return None
        current.failures = current.failures + 1 if error else 0
        current.last_error = error
        current.enabled = current.enabled and status != _GONE
    age = now - event.occurred_at
    return None if error is None or status == _GONE or age > PATIENCE else now + min(max(age, _SOONEST), _LATEST)


async def _event(work: Reading, event_id: UUID) -> OutboxEvent | None:
    of = events.OutboxEvent
    return await work.one(select(of).where(of.tenant_id == work.tenant_id, of.id == event_id))


def _body(event: OutboxEvent) -> bytes:
    integration = event.body.get("integration", event.subject.hex)
    facts = {name: event.body[name] for name in _FACTS if event.body.get(name) is not None}
    told = {
        "type": TYPES[event.name],
        "timestamp": event.occurred_at.isoformat(),
        "data": {"integration": f"ing_{integration}", **facts},
    }
    return orjson.dumps(told)


def _signed(event: OutboxEvent, secret: str, now: datetime) -> dict[str, str]:
    """The headers of Standard Webhooks: the id stays the same for every attempt."""
    name, at = f"msg_{event.id.hex}", str(int(now.timestamp()))
    return {
        "Content-Type": "application/json",
        "webhook-id": name,
        "webhook-timestamp": at,
        "webhook-signature": standard_signature(secret, name, at, _body(event)),
    }


async def _call(board: Switchboard, url: str, headers: dict[str, str], body: bytes) -> tuple[int | None, str | None]:
    """The status of the answer, and what went wrong, in words; a redirect is not followed."""
    client = board.remotes.client(DESTINATION)
    try:
        answer = await client.post(url, content=body, headers=headers, timeout=_SECONDS)
    except (httpx.HTTPError, ConfigInvalid) as failed:
        return None, f"The address does not answer: {failed or type(failed).__name__}."
    if answer.is_success:
        return answer.status_code, None
    return answer.status_code, f"The address answered {answer.status_code}."
