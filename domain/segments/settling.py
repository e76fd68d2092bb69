"""Who is in the segments: kept up to date for those whom a change touched, and worked out for everybody."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from time import perf_counter
from typing import TYPE_CHECKING, Any
from uuid import UUID
from zoneinfo import ZoneInfo

import orjson
from sqlalchemy import ARRAY, Text, Uuid, bindparam, func, select, text, update
from sqlalchemy.exc import SQLAlchemyError

from domain.core import events
from domain.core.due import due
from domain.core.problems import DomainError
from domain.customers.queries import within
from domain.segments import queries, steering
from domain.segments.compiling import compiled
from domain.segments.criteria import decode, encode
from domain.segments.model import (
    MembershipChange,
    Segment,
    SegmentMember,
    SegmentMembershipEvent,
    SegmentRun,
    SegmentSweep,
    SegmentVersion,
)
from domain.stages import queries as stages
from domain.tenants import queries as tenants

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy import Row
    from sqlalchemy.types import TypeEngine

    from domain.core.unit_of_work import Writing
    from domain.segments.compiling import Compiled, Known
    from domain.segments.queries import SegmentInForce

RUN = "segments.run"
"""The kind of due work that works a segment out for everybody; its key is the id of the segment."""

SWEEP = "segments.sweep"
"""The kind of due work that looks, once a day and in portions, at what time alone has changed."""

BATCH = 1_000
"""How many customers are looked at together: what bounds the memory, and the work of one portion of a sweep."""

RETRY = timedelta(hours=1)
"""When a run that failed is tried again."""


@dataclass(frozen=True)
class Change:
    """A customer comes into a segment, or goes out of it, for these reasons."""

    customer_id: UUID
    change: MembershipChange
    because: Sequence[dict[str, Any]]


async def settle(work: Writing, customers: Sequence[UUID]) -> int:
    """Make the memberships of these customers what the published criteria say now, and return how many changed.

    Whoever was merged into another or erased is in no segment. Each segment is settled after those that it asks
    about. For each change SegmentEntered or SegmentLeft is told; settling again with nothing new writes nothing.
    """
    if not customers:
        return 0
    segments = await queries.in_force(work, guard=True)
    if not segments:
        return 0
    known = await queries.meaning(work, segments)
    return sum(
        [await _settle(work, segments, known, customers[start : start + BATCH])
         for start in range(0, len(customers), BATCH)]
    )  # fmt: skip


async def run(work: Writing, segment_id: UUID) -> SegmentRun:
    """Work the newest version of a segment out for everybody and publish it, all at once.

    When that fails, the members stay who they were and the run says why; it is tried again after RETRY. Raises
    UnknownSegment or SegmentArchived.
    """
    of = await guarded(work, segment_id)
    version = await queries.latest_version(work, of.id)
    began = perf_counter()
    try:
        async with work.session.begin_nested():
            evaluated, changes = await _worked_out(work, of, version)
            error = None
    except (DomainError, SQLAlchemyError) as failed:
        evaluated, changes, error = 0, [], _told(failed)
    made = SegmentRun(
        id=work.ids(), segment_id=of.id, segment_version_id=version.id, watermark=work.now, evaluated=evaluated,
        entered=_count(changes, MembershipChange.ENTER), exited=_count(changes, MembershipChange.EXIT),
        milliseconds=round((perf_counter() - began) * 1000), error=error, published_at=None if error else work.now,
    )  # fmt: skip
    await work.add(made).flush()
    if error is None:
        await _publish(work, of, version, made)
    else:
        of.due_at = work.now + RETRY
        await work.flush()
    return made


async def run_soon(work: Writing, of: Segment) -> None:
    """Have a worker work a segment out for everybody, after this transaction; until then it says that it is stale."""
    of.due_at = work.now
    await work.flush()
    await events.make_due(work.session, work.tenant_id, RUN, of.id.hex, work.now)


async def guarded(work: Writing, segment_id: UUID) -> Segment:
    """A living segment that nobody else settles, publishes or changes until this transaction ends.

    Raises UnknownSegment or SegmentArchived.
    """
    await queries.segment(work, segment_id)
    found = await work.one(
        select(Segment)
        .where(Segment.tenant_id == work.tenant_id, Segment.id == segment_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if found is None or found.archived_at is not None:
        raise queries.SegmentArchived(id=segment_id)
    return found


async def empty(work: Writing, of: Segment, version_id: UUID) -> int:
    """Let everybody out of a segment that is given up, and return how many that were."""
    members = await work.all(
        select(SegmentMember.customer_id).where(
            SegmentMember.tenant_id == work.tenant_id, SegmentMember.segment_id == of.id
        )
    )
    reason = [{"type": "archived"}]
    await _write(work, of.id, version_id, [Change(each, MembershipChange.EXIT, reason) for each in members])
    return len(members)


@due(RUN)
async def run_due(work: Writing, key: str) -> datetime | None:
    """Work a segment out, and say when to try again where that failed."""
    of = await queries.segment(work, UUID(key))
    if of.archived_at is not None:
        return None
    return work.now + RETRY if (await run(work, of.id)).error else None


@due(SWEEP)
async def sweep_due(work: Writing, _key: str) -> datetime | None:
    """Look at a portion of all customers for what time has changed; the next one at once, or the next day."""
    segments = await queries.in_force(work, guard=True)
    timed = [each for each in segments if each.timed]
    sweep = await work.one(select(SegmentSweep).where(SegmentSweep.tenant_id == work.tenant_id).with_for_update())
    if not timed:
        return None
    if sweep is None:
        sweep = SegmentSweep(started_at=work.now, evaluated=0)
        work.add(sweep)
    who = {"tenant": work.tenant_id, "reached": sweep.reached, "most": BATCH}
    portion = [row.id for row in await work.rows(_PORTION, who)]
    if portion:
        await _settle(work, timed, await queries.meaning(work, segments), portion)
        sweep.reached, sweep.evaluated = portion[-1], sweep.evaluated + len(portion)
    if len(portion) == BATCH:
        await work.flush()
        return work.now
    return await _swept(work, timed, sweep)


_OF_TENANT = bindparam("tenant", type_=Uuid())

_PORTION = text(f"""
{queries.customers_who()} AND (CAST(:reached AS uuid) IS NULL OR c.id > CAST(:reached AS uuid))
ORDER BY c.id LIMIT :most
""").bindparams(_OF_TENANT, bindparam("reached", type_=Uuid()))

_EVERYBODY = text(f"SELECT count(*) AS customers FROM ({queries.customers_who()}) AS everybody").bindparams(_OF_TENANT)

# Each is looked up for himself, whatever the statistics say: so a few of many cost what a few of a few do.
_GONE = text("""
SELECT m.segment_id, gone.id AS customer_id, gone.status FROM unnest(:customers) AS named (id)
CROSS JOIN LATERAL (
    SELECT c.id, c.status, c.root_id FROM customers c WHERE c.tenant_id = :tenant AND c.id = named.id OFFSET 0
) AS gone
CROSS JOIN LATERAL (
    SELECT m.segment_id FROM segment_members m WHERE m.tenant_id = :tenant AND m.customer_id = gone.id OFFSET 0
) AS m
WHERE gone.status <> 'ACTIVE' OR gone.root_id <> gone.id
""").bindparams(_OF_TENANT, bindparam("customers", type_=ARRAY(Uuid())))

_ALL_GONE = text("""
SELECT m.segment_id, m.customer_id, c.status FROM segment_members m
JOIN customers c ON c.tenant_id = :tenant AND c.id = m.customer_id
WHERE m.tenant_id = :tenant AND m.segment_id = :segment AND (c.status <> 'ACTIVE' OR c.root_id <> c.id)
""").bindparams(_OF_TENANT, bindparam("segment", type_=Uuid()))

_LISTS: dict[str, TypeEngine[Any]] = {
    "customers": ARRAY(Uuid()),
    "becauses": ARRAY(Text()),
    "ids": ARRAY(Uuid()),
    "changes": ARRAY(Text()),
}

_COME = text("""
INSERT INTO segment_members (tenant_id, segment_id, customer_id, since, because)
SELECT :tenant, :segment, given.customer_id, :now, CAST(given.because AS jsonb)
FROM unnest(:customers, :becauses) AS given (customer_id, because)
""").bindparams(_OF_TENANT, *(bindparam(name, type_=_LISTS[name]) for name in ("customers", "becauses")))

_GO = text("""
DELETE FROM segment_members WHERE tenant_id = :tenant AND segment_id = :segment AND customer_id = ANY(:customers)
""").bindparams(_OF_TENANT, bindparam("customers", type_=ARRAY(Uuid())))

_LOG = text("""
INSERT INTO segment_membership_events
    (tenant_id, id, segment_id, segment_version_id, customer_id, change, at, because)
SELECT :tenant, given.id, :segment, :version, given.customer_id, given.change, :now, CAST(given.because AS jsonb)
FROM unnest(:ids, :customers, :changes, :becauses) AS given (id, customer_id, change, because)
""").bindparams(_OF_TENANT, *(bindparam(name, type_=kind) for name, kind in _LISTS.items()))


# As above: each is looked up for himself.
_SOME_OF = """(
    SELECT c.* FROM unnest(:roots) AS named (id)
    CROSS JOIN LATERAL (SELECT * FROM customers c WHERE c.tenant_id = :tenant AND c.id = named.id OFFSET 0) AS c
) AS c"""

_ONE_MEMBER = """LATERAL (
    SELECT m.customer_id FROM segment_members m
    WHERE m.tenant_id = :tenant AND m.segment_id = :segment AND m.customer_id = c.id OFFSET 0
) AS m ON true"""

_EVERYBODY_OF = "customers c"

_A_MEMBER = """segment_members m
            ON m.tenant_id = :tenant AND m.segment_id = :segment AND m.customer_id = c.id"""


async def _settle(work: Writing, segments: Sequence[SegmentInForce], known: Known, customers: Sequence[UUID]) -> int:
    """Settle a portion of customers in these segments."""
    families = await stages.families(work, customers, guard=True)
    roots = [family.root for family in families if not family.is_erased]
    members = {member for family in families for member in family.members} | set(customers)
    gone = await work.rows(_GONE, {"tenant": work.tenant_id, "customers": list(members)})
    known = await queries.with_figures(work, known, [segment.criteria for segment in segments], roots)
    changed: dict[UUID, list[UUID]] = {}
    for segment in segments:
        fitting = compiled(segment.criteria, known, work.now)
        changes = _left([row for row in gone if row.segment_id == segment.id])
        changes += await _differing(work, segment.id, fitting, roots)
        await _write(work, segment.id, segment.version_id, changes)
        for each in changes:
            _tell(work, segment, each)
        changed[segment.id] = [each.customer_id for each in changes]
    await steering.changed(work, changed)
    return sum(map(len, changed.values()))


async def _worked_out(work: Writing, of: Segment, version: SegmentVersion) -> tuple[int, list[Change]]:
    """Make the members of a segment those whom a version fits: how many customers were looked at, and who changed."""
    criteria = decode(version.criteria)
    known = await queries.with_figures(work, await queries.check(work, criteria, of=of), [criteria])
    gone = await work.rows(_ALL_GONE, {"tenant": work.tenant_id, "segment": of.id})
    everybody = (await work.rows(_EVERYBODY, {"tenant": work.tenant_id}))[0].customers
    changes = _left(gone) + await _differing(work, of.id, compiled(criteria, known, work.now), None)
    await _write(work, of.id, version.id, changes)
    await steering.changed(work, {of.id: [each.customer_id for each in changes]})
    return everybody, changes


async def _differing(work: Writing, segment_id: UUID, fitting: Compiled, roots: Sequence[UUID] | None) -> list[Change]:
    """Who of these surviving customers, or of all, fits and is no member, or is one and does not fit."""
    if roots is not None and not roots:
        return []
    literals = ", ".join(sql for _, sql in fitting.literals)
    customers, member = (_EVERYBODY_OF, _A_MEMBER) if roots is None else (_SOME_OF, _ONE_MEMBER)
    statement = fitting.statement(f"""
        SELECT c.id, m.customer_id IS NOT NULL AS is_member, ARRAY[{literals}] AS holding
        FROM {customers}{fitting.joins}
        LEFT JOIN {member}
        WHERE c.tenant_id = :tenant AND c.status = 'ACTIVE' AND c.root_id = c.id
            AND {fitting.condition} <> (m.customer_id IS NOT NULL)
        ORDER BY c.id
    """).bindparams(bindparam("segment", segment_id, Uuid()))
    if roots is not None:
        statement = statement.bindparams(bindparam("roots", list(roots), ARRAY(Uuid())))
    told = [encode(literal) for literal, _ in fitting.literals]
    return [
        Change(
            row.id,
            MembershipChange.EXIT if row.is_member else MembershipChange.ENTER,
            [reason for reason, holds in zip(told, row.holding, strict=True) if holds != row.is_member],
        )
        for row in await work.rows(statement, {"tenant": work.tenant_id})
    ]


def _left(gone: Iterable[Row[Any]]) -> list[Change]:
    """Those who are not there any more: erased, or merged into another customer."""
    return [
        Change(row.customer_id, MembershipChange.EXIT, [{"type": "erased" if row.status == "ERASED" else "merged"}])
        for row in gone
    ]


async def _write(work: Writing, segment_id: UUID, version_id: UUID, changes: Sequence[Change]) -> None:
    """Bring the members of a segment up to date, and enter each change into the log."""
    if not changes:
        return
    whose = {"tenant": work.tenant_id, "segment": segment_id, "now": work.now}
    leaving = [each.customer_id for each in changes if each.change is MembershipChange.EXIT]
    coming = [each for each in changes if each.change is MembershipChange.ENTER]
    if leaving:
        await work.execute(_GO, {**whose, "customers": leaving})
    if coming:
        await work.execute(_COME, {**whose, **_columns(coming)})
    more = {"ids": [work.ids() for _ in changes], "changes": [each.change.value for each in changes]}
    await work.execute(_LOG, {**whose, **_columns(changes), **more, "version": version_id})


def _columns(changes: Sequence[Change]) -> dict[str, Any]:
    return {
        "customers": [each.customer_id for each in changes],
        "becauses": [orjson.dumps(each.because).decode() for each in changes],
    }


def _tell(work: Writing, segment: SegmentInForce, change: Change) -> None:
    entered = change.change is MembershipChange.ENTER
    work.emit(
        "segments.SegmentEntered" if entered else "segments.SegmentLeft",
        change.customer_id,
        segment=segment.key,
        segment_id=segment.id.hex,
    )


async def _publish(work: Writing, of: Segment, version: SegmentVersion, made: SegmentRun) -> None:
    """Let a version that was worked out count, and have those that ask about it follow."""
    of.published_version_id, of.due_at = version.id, None
    if version.published_at is None:
        version.published_at = work.now
    await work.flush()
    if of.id in {each.id for each in await queries.in_force(work) if each.timed}:
        of.due_at = await _next_day(work)
        await events.make_due(work.session, work.tenant_id, SWEEP, "", of.due_at)
    work.emit(
        "segments.SegmentPublished", of.id, segment=of.key, version=version.number, entered=made.entered,
        exited=made.exited,
    )  # fmt: skip
    if made.entered or made.exited:
        for other in await queries.dependents(work, of.id):
            await run_soon(work, other)


async def _swept(work: Writing, timed: Sequence[SegmentInForce], sweep: SegmentSweep) -> datetime:
    """Note that everybody was looked at, and say when the next day begins."""
    counts = select(SegmentMembershipEvent.segment_id, SegmentMembershipEvent.change, func.count().label("customers"))
    swept = await work.rows(
        counts.where(
            SegmentMembershipEvent.tenant_id == work.tenant_id,
            within(SegmentMembershipEvent.segment_id, [each.id for each in timed]),
            SegmentMembershipEvent.at >= sweep.started_at,
        ).group_by(SegmentMembershipEvent.segment_id, SegmentMembershipEvent.change)
    )
    changed = {(row.segment_id, row.change): row.customers for row in swept}
    for each in timed:
        work.add(
            SegmentRun(
                id=work.ids(), segment_id=each.id, segment_version_id=each.version_id, watermark=sweep.started_at,
                evaluated=sweep.evaluated, entered=changed.get((each.id, MembershipChange.ENTER), 0),
                exited=changed.get((each.id, MembershipChange.EXIT), 0),
                milliseconds=(work.now - sweep.started_at) // timedelta(milliseconds=1), published_at=work.now,
            )
        )  # fmt: skip
    tomorrow = await _next_day(work)
    await work.flush()
    await work.session.delete(sweep)
    await work.execute(
        update(Segment)
        .where(
            Segment.tenant_id == work.tenant_id, within(Segment.id, [each.id for each in timed]),
            Segment.due_at <= work.now,
        )
        .values(due_at=tomorrow)
        .execution_options(synchronize_session=False)
    )  # fmt: skip
    return tomorrow


async def _next_day(work: Writing) -> datetime:
    """When the tenant's next calendar day begins."""
    zone = ZoneInfo((await tenants.tenant(work)).time_zone)
    tomorrow = work.now.astimezone(zone).date() + timedelta(days=1)
    return datetime.combine(tomorrow, time(), zone)


def _told(failed: Exception) -> str:
    """Why a run failed, without values that may be personal."""
    return failed.message if isinstance(failed, DomainError) else type(failed).__name__


def _count(changes: Iterable[Change], kind: MembershipChange) -> int:
    return sum(1 for each in changes if each.change is kind)
