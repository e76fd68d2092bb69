"""Conflicts: a person chooses between our value, theirs and another one, and both sides get it."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any

from sqlalchemy import select, update

from domain import customers
from domain.core.problems import Conflict, NotFound
from domain.integrations.model import ChangeStatus, OutboundChange, RecordLink, SyncConflict
from sync.two_way import comparing, documents
from sync.two_way.documents import NoSuchValue
from sync.two_way.merging import NEVER

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from domain.core.unit_of_work import Writing
    from sync.registry import Registry


class Choice(StrEnum):
    """Whose value both sides shall have."""

    OURS = "OURS"
    THEIRS = "THEIRS"
    VALUE = "VALUE"


class ConflictResolved(Conflict):
    """This conflict was resolved before."""


async def resolve(
    work: Writing, registry: Registry, conflict_id: UUID, choice: Choice, value: Any = None
) -> SyncConflict:
    """Give both sides the value that a person chose. Raises NotFound, ConflictResolved or NoSuchValue."""
    await customers.lock_identities(work)
    conflict = await work.one(
        select(SyncConflict)
        .where(SyncConflict.tenant_id == work.tenant_id, SyncConflict.id == conflict_id)
        .with_for_update()
    )
    if conflict is None:
        raise NotFound(id=conflict_id)
    if conflict.resolution is not None:
        raise ConflictResolved(resolution=conflict.resolution)
    chosen = {Choice.OURS: _value(conflict.ours), Choice.THEIRS: _value(conflict.theirs), Choice.VALUE: value}[choice]
    conflict.resolution, conflict.resolved = choice, {"value": chosen}
    conflict.resolved_at, conflict.resolved_by = work.now, work.actor.principal_id
    work.audit("integrations.resolve_conflict", f"conflict:{conflict.id.hex}", after={"choice": choice})
    if conflict.type == documents.TYPE:
        await _about_document(work, conflict, choice, value)
    else:
        await _about_customer(work, registry, conflict, choice, value)
    return conflict


async def _about_customer(
    work: Writing, registry: Registry, conflict: SyncConflict, choice: Choice, value: Any
) -> None:  # fmt: skip
    ours, theirs = _value(conflict.ours), _value(conflict.theirs)
    if choice is Choice.VALUE:
        await _say(work, conflict, value)
    await _set_base(work, conflict, [ours, NEVER] if choice is Choice.THEIRS else [NEVER, theirs])
    await comparing.compare(work, registry, [conflict.local_id])


async def _about_document(work: Writing, conflict: SyncConflict, choice: Choice, value: Any) -> None:
    """The books have theirs already; they are asked again for everything else."""
    if choice is Choice.OURS:
        await documents.insist(work, conflict)
    elif choice is Choice.VALUE:
        await documents.ask_for(work, conflict, value)
    await work.execute(
        update(OutboundChange)
        .where(
            OutboundChange.tenant_id == work.tenant_id, OutboundChange.integration_id == conflict.integration_id,
            OutboundChange.local_id == conflict.local_id, OutboundChange.status == ChangeStatus.CONFLICTED,
        )
        .values(status=ChangeStatus.SUPERSEDED)
    )  # fmt: skip


async def _set_base(work: Writing, conflict: SyncConflict, pair: list[Any]) -> None:
    link = await work.one(
        select(RecordLink)
        .where(
            RecordLink.tenant_id == work.tenant_id, RecordLink.integration_id == conflict.integration_id,
            RecordLink.type == conflict.type, RecordLink.remote_id == conflict.remote_id,
        )
        .with_for_update()
        .execution_options(populate_existing=True)
    )  # fmt: skip
    if link is not None:
        link.agreed = {**(link.agreed or {}), conflict.field: pair}
    await work.flush()


async def _say(work: Writing, conflict: SyncConflict, value: Any) -> None:
    changes = {
        "name": lambda: customers.Changes(name=value),
        "emails": lambda: customers.Changes(emails=value if isinstance(value, list) else [value]),
        "phones": lambda: customers.Changes(phones=value if isinstance(value, list) else [value]),
    }.get(conflict.field)
    if changes is None or value is None:
        raise NoSuchValue(path=("value",), field=conflict.field)
    known = await customers.customer(work, conflict.local_id)
    await customers.update(work, known.id, known.version, changes())


def _value(kept: Mapping[str, Any] | None) -> Any:
    return (kept or {}).get("value")
