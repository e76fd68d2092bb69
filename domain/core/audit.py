"""The audit log: one chain of hashes per tenant, so that a removed or altered entry shows."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import insert, select, text
from sqlalchemy.orm import Mapped, mapped_column

from domain.core.problems import Conflict
from domain.core.tables import TenantTable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncSession

    from domain.core.unit_of_work import Reading

Values = dict[str, Any]
GENESIS = bytes(32)
_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('tenure.audit:' || :tenant, 0))"


class AuditEntry(TenantTable):
    """AO: A deed, chained to the one before it; personal values stand in it as digests only."""

    __tablename__ = "audit_entries"

    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[datetime]
    actor: Mapped[str]
    action: Mapped[str]
    subject: Mapped[str]
    before: Mapped[Values | None]
    after: Mapped[Values | None]
    request_id: Mapped[str | None]
    prev_hash: Mapped[bytes]
    hash: Mapped[bytes]


class AuditChainBroken(Conflict):
    """The audit log was altered: an entry is missing or does not match its hash."""


@dataclass(frozen=True)
class Entry:
    """A deed on its way into the chain."""

    actor: str
    action: str
    subject: str
    before: Values | None
    after: Values | None
    request_id: str | None


@dataclass(frozen=True)
class Head:
    """The end of a chain: its length and the hash of its last entry."""

    length: int
    digest: bytes


def digest(key: bytes, value: str) -> str:
    """A personal value as the audit log may keep it: comparable under the key, unreadable without it."""
    return hashlib.blake2b(value.encode(), key=key, digest_size=16).hexdigest()


async def write(session: AsyncSession, tenant_id: UUID, entries: Sequence[Entry], at: datetime) -> None:
    """Append entries to the tenant's chain, one transaction after the other."""
    if not entries:
        return
    await session.execute(text(_LOCK), {"tenant": tenant_id.hex})
    head = await _head(session, tenant_id)
    rows, previous = [], head.digest
    for position, entry in enumerate(entries, head.length + 1):
        values = {
            "position": position,
            "at": at,
            "actor": entry.actor,
            "action": entry.action,
            "subject": entry.subject,
            "before": entry.before,
            "after": entry.after,
            "request_id": entry.request_id,
        }
        chained = _chain(previous, tenant_id, values)
        rows.append({"tenant_id": tenant_id, **values, "prev_hash": previous, "hash": chained})
        previous = chained
    await session.execute(insert(AuditEntry), rows)


async def verify(reading: Reading, earlier: Head | None = None) -> Head:
    """Recompute the whole chain and return its head. Raises AuditChainBroken at the first entry that does not fit.

    With the head of an earlier check, the chain must still contain it.
    """
    head = Head(0, GENESIS)
    chain = select(AuditEntry).where(AuditEntry.tenant_id == reading.tenant_id).order_by(AuditEntry.position)
    stream = await reading.session.stream_scalars(chain.execution_options(yield_per=1000))
    async for entry in stream:
        values = {name: getattr(entry, name) for name in _CHAINED}
        fits = entry.position == head.length + 1 and entry.prev_hash == head.digest
        if not fits or entry.hash != _chain(head.digest, reading.tenant_id, values):
            raise AuditChainBroken(position=entry.position)
        head = Head(entry.position, entry.hash)
        if earlier is not None and head.length == earlier.length and head.digest != earlier.digest:
            raise AuditChainBroken(position=entry.position)
    if earlier is not None and head.length < earlier.length:
        raise AuditChainBroken(position=head.length + 1)
    return head


_CHAINED = ("position", "at", "actor", "action", "subject", "before", "after", "request_id")


def _chain(previous: bytes, tenant_id: UUID, values: Values) -> bytes:
    canonical = {**values, "at": values["at"].astimezone(UTC), "tenant": tenant_id.hex}
    return hashlib.sha256(previous + orjson.dumps(canonical, option=orjson.OPT_SORT_KEYS)).digest()


async def _head(session: AsyncSession, tenant_id: UUID) -> Head:
    last = (
        select(AuditEntry.position, AuditEntry.hash)
        .where(AuditEntry.tenant_id == tenant_id)
        .order_by(AuditEntry.position.desc())
        .limit(1)
    )
    found = (await session.execute(last)).first()
    return Head(found.position, found.hash) if found else Head(0, GENESIS)
