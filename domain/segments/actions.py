"""What can happen to segments, and when their members are looked at again."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from domain.core.events import OutboxEvent, on
from domain.core.problems import Conflict, Invalid, StaleVersion
from domain.customers.touched import named_by
from domain.segments import queries, settling, steering
from domain.segments.criteria import AttributeIs, Criteria, Metric, Spent, encode, nodes
from domain.segments.model import Segment, SegmentRole, SegmentVersion
from domain.segments.templates import template

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from uuid import UUID

    from domain.core.unit_of_work import Writing

_KEY = re.compile(r"[a-z][a-z0-9_]{0,62}")


class SegmentExists(Conflict):
    """A segment with this key exists already. Choose another key, or change that one."""


class BadSegmentKey(Invalid):
    """The key of a segment is written in snake_case. Use small letters, digits and underscores, 63 at most."""


class SegmentInUse(Conflict):
    """Other segments ask about this one. Change or archive those that are named first."""


class SegmentMovesCustomers(Conflict):
    """Rules of lifecycles ask about this segment. Publish those that are named without it first."""


async def create(
    work: Writing,
    key: str,
    labels: Mapping[str, str],
    criteria: Criteria,
    *,
    role: SegmentRole = SegmentRole.MEASURED,
    template_key: str | None = None,
) -> Segment:
    """Make a segment; its members are worked out soon, all at once.

    Raises BadSegmentKey, SegmentExists, or what `queries.check` raises; then nothing changed.
    """
    if not _KEY.fullmatch(key):
        raise BadSegmentKey(path=("key",), key=key)
    if await work.one(select(Segment.id).where(Segment.tenant_id == work.tenant_id, Segment.key == key)):
        raise SegmentExists(path=("key",), key=key)
    await queries.check(work, criteria)
    made = Segment(
        id=work.ids(), key=key, labels=dict(labels), role=role, template_key=template_key, created_at=work.now,
        updated_at=work.now, version=1,
    )  # fmt: skip
    await work.add(made).flush()
    await _write_version(work, made, criteria, number=1)
    work.audit("segments.create", f"segment:{made.id.hex}", after={"key": key, "role": role})
    await settling.run_soon(work, made)
    return made


async def create_from_template(work: Writing, template_key: str, *, key: str | None = None) -> Segment:
    """Make one of the ready-made segments, under its own key or another.

    Raises UnknownSegmentTemplate, or what `create` raises.
    """
    chosen = template(template_key)
    labels = {"en": chosen.title.en, "fa": chosen.title.fa or chosen.title.en}
    return await create(
        work, key or chosen.key, labels, chosen.criteria, role=SegmentRole(chosen.role), template_key=chosen.key
    )


async def update(
    work: Writing,
    segment_id: UUID,
    version: int,
    *,
    labels: Mapping[str, str] | None = None,
    role: SegmentRole | None = None,
    criteria: Criteria | None = None,
) -> Segment:
    """Change a segment; new criteria are a new version, which counts when it has been worked out for everybody.

    Raises UnknownSegment, SegmentArchived, StaleVersion, or what `queries.check` raises; then nothing changed.
    """
    of = await _guarded(work, segment_id, version)
    if labels is not None:
        of.labels = dict(labels)
    if role is not None:
        of.role = role
    if criteria is not None:
        await queries.check(work, criteria, of=of)
        number = select(func.max(SegmentVersion.number)).where(
            SegmentVersion.tenant_id == work.tenant_id, SegmentVersion.segment_id == of.id
        )
        await _write_version(work, of, criteria, number=(await work.one(number) or 0) + 1)
        await settling.run_soon(work, of)
    _changed(work, of)
    await work.flush()
    work.audit(
        "segments.update", f"segment:{of.id.hex}",
        after={"key": of.key, "role": of.role, "criteria": criteria is not None},
    )  # fmt: skip
    return of


async def archive(work: Writing, segment_id: UUID, version: int) -> Segment:
    """Give a segment up: nobody is in it from now on; its history stays.

    Raises UnknownSegment, SegmentArchived, StaleVersion, SegmentInUse or SegmentMovesCustomers; then nothing changed.
    """
    of = await _guarded(work, segment_id, version)
    asking = [other.key for other in await queries.dependents(work, of.id)]
    if asking:
        raise SegmentInUse(f"These segments ask about it: {', '.join(asking)}.", segments=asking)
    if moving := await steering.asking(work, of.id):
        message = f"Rules of these lifecycles ask about it: {', '.join(moving)}."
        raise SegmentMovesCustomers(message, lifecycles=moving)
    newest = await queries.latest_version(work, of.id)
    left = await settling.empty(work, of, of.published_version_id or newest.id)
    of.archived_at, of.due_at = work.now, None
    _changed(work, of)
    await work.flush()
    work.emit("segments.SegmentArchived", of.id, segment=of.key, exited=left)
    work.audit("segments.archive", f"segment:{of.id.hex}", after={"key": of.key, "members": left})
    return of


@on("customers.CustomerCreated")
@on("customers.CustomerChanged")
@on("customers.CustomerErased")
@on("customers.CustomersMerged")
@on("customers.CustomersUnmerged")
@on("stages.CustomersMoved")
async def settle_touched(work: Writing, event: OutboxEvent) -> None:
    """Look at the segments of the customers whom an event names; after what has days, metrics look at them."""
    await settling.settle(work, named_by(event))


@on("customers.AttributeDefined")
async def settle_attribute(work: Writing, event: OutboxEvent) -> None:
    """Work the segments out anew that ask about an attribute whose values may be others now."""
    key = event.body["key"]
    await _again(work, lambda node: isinstance(node, AttributeIs) and node.key == key)


async def measured_anew(work: Writing, keys: Collection[str]) -> None:
    """Work the segments out anew that ask about these measures: what everybody is placed against is another now."""
    await _again(work, lambda node: isinstance(node, Metric) and node.key in keys)


@on("purchases.RateRecorded")
async def settle_amounts(work: Writing, _event: OutboxEvent) -> None:
    """Work the segments out anew that ask about amounts: some may be known only now."""
    await _again(work, lambda node: isinstance(node, Spent))


async def _again(work: Writing, concerned: Callable[[Criteria], bool]) -> None:
    for each in await queries.in_force(work):
        if any(concerned(node) for node in nodes(each.criteria)):
            await settling.run_soon(work, await queries.segment(work, each.id))


async def _guarded(work: Writing, segment_id: UUID, version: int) -> Segment:
    """A living segment in the version that the caller has seen, which nobody else changes until this is over."""
    found = await settling.guarded(work, segment_id)
    if found.version != version:
        raise StaleVersion(path=("version",), current_version=found.version)
    return found


async def _write_version(work: Writing, of: Segment, criteria: Criteria, *, number: int) -> None:
    made = SegmentVersion(
        id=work.ids(), segment_id=of.id, number=number, criteria=encode(criteria), author=str(work.actor),
        created_at=work.now,
    )  # fmt: skip
    await work.add(made).flush()


def _changed(work: Writing, of: Segment) -> None:
    of.version, of.updated_at = of.version + 1, work.now
