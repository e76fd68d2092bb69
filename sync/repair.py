"""Repairing what a reconciliation found: the other side's records are taken over here, or ours are sent there."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from sync import reconcile
from sync.reconcile import PORTION, Difference
from sync.two_way import comparing, queue, sending
from tenure_sdk import Customer, Page

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from datetime import datetime
    from uuid import UUID

    from domain.core.database import Database
    from domain.integrations.model import ReconciliationReport
    from sync.reconcile import Found
    from sync.registry import Registry
    from sync.remote import Remote
    from tenure_sdk import Record


class RepairDirection(StrEnum):
    """Which side gives way where both differ."""

    PULL = "PULL"
    PUSH = "PUSH"


async def repair(
    database: Database, remote: Remote, registry: Registry, tenant_id: UUID, report_id: UUID,
    direction: RepairDirection = RepairDirection.PULL,
) -> int:  # fmt: skip
    """Make alike what a report found otherwise, and have sent what waits; how many records that changes.

    PULL takes over what the other side has. PUSH sends what is here of the customers that differ, where they go both
    ways; what only one side has stays then. Each record is fetched anew: what has become alike is left alone. Raises
    Transient while a change is on its way there that may be one of them.
    """
    async with database.reading(tenant_id) as work:
        report = await reconcile.report_of(work, report_id)
        found = await reconcile.differences(work, report_id)
    repairing = _pull if direction is RepairDirection.PULL else _push
    repaired = await repairing(database, remote, registry, report, found)
    async with database.unit_of_work(tenant_id) as work:
        await queue.wake(work, report.integration_id)
        told = {"repaired": repaired, "direction": direction}
        work.audit("integrations.repair", f"report:{report_id.hex}", after=told)
    return repaired


async def _pull(
    database: Database, remote: Remote, _: Registry, report: ReconciliationReport, found: Sequence[Found]
) -> int:  # fmt: skip
    repaired = 0
    wanted = [each for each in found if each.kind != Difference.AWAITING_PUSH]
    async for asked_at, kind, portion, records in _fetched(database, remote, wanted):
        gone = sorted(set(portion) - {record.id for record in records})
        async with database.unit_of_work(report.tenant_id) as work:
            await sending.check_outcomes(work, report.integration_id, [kind], records, asked_at)
            page, stream = Page(list(records), gone), reconcile.stream_of(remote, kind)
            counts = await sending.land_aside(work, report.integration_id, stream, page)
            repaired += counts.created + counts.updated + counts.deleted
    return repaired


async def _push(
    database: Database, remote: Remote, registry: Registry, report: ReconciliationReport, found: Sequence[Found]
) -> int:  # fmt: skip
    repaired = 0
    wanted = [each for each in found if each.kind == Difference.DIFFERENT and each.type == comparing.TYPE]
    async for _, _, _, records in _fetched(database, remote, wanted):
        async with database.unit_of_work(report.tenant_id) as work:
            theirs = [record for record in records if isinstance(record, Customer)]
            repaired += await comparing.give(work, registry, report.integration_id, theirs)
    return repaired


async def _fetched(
    database: Database, remote: Remote, wanted: Sequence[Found]
) -> AsyncIterator[tuple[datetime, str, Sequence[str], Sequence[Record]]]:
    """The records of these differences, portion by portion: when they were asked for, type, ids, and what is there."""
    for kind in sorted({each.type for each in wanted}):
        ids = [each.remote_id for each in wanted if each.type == kind]
        for start in range(0, len(ids), PORTION):
            portion = ids[start : start + PORTION]
            asked_at = database.clock.now()
            yield asked_at, kind, portion, await remote.fetch(kind, portion)
