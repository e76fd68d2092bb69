"""What stage rules know of segments: who was in which and when, and that somebody came or went."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from domain.customers.queries import within
from domain.segments import queries
from domain.segments.model import MembershipChange, SegmentMembershipEvent
from domain.stages import memberships, settling
from domain.stages import queries as stages
from domain.stages.conditions import Span

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from uuid import UUID

    from domain.core.unit_of_work import Reading, Writing
    from domain.stages.rules import Lifecycle


class _Kept:
    """The log of memberships, as stage rules ask it."""

    async def spans(
        self, reading: Reading, customers: Sequence[UUID], segments: Collection[UUID], /
    ) -> Mapping[UUID, Mapping[UUID, Sequence[Span]]]:
        log = select(SegmentMembershipEvent).where(
            SegmentMembershipEvent.tenant_id == reading.tenant_id,
            within(SegmentMembershipEvent.customer_id, customers),
            within(SegmentMembershipEvent.segment_id, segments),
        )
        found: dict[UUID, dict[UUID, list[Span]]] = {}
        for row in await reading.all(log.order_by(SegmentMembershipEvent.at, SegmentMembershipEvent.id)):
            spans = found.setdefault(row.customer_id, {}).setdefault(row.segment_id, [])
            if row.change == MembershipChange.ENTER:
                spans.append(Span(row.at, None))
            else:
                spans[-1] = Span(spans[-1].since, row.at)
        return found

    async def check(self, reading: Reading, lifecycle: Lifecycle, /) -> None:
        await queries.check_rules(reading, lifecycle)


memberships.provide(_Kept())


async def asking(reading: Reading, segment_id: UUID) -> list[str]:
    """The keys of the lifecycles whose rules ask about a segment."""
    return [each.key for each in await stages.lifecycles(reading) if segment_id in each.definition.needs.segments]


async def changed(work: Writing, whom: Mapping[UUID, Iterable[UUID]]) -> None:
    """Have the stage rules look, soon, at who came into a segment or went out of it that they ask about.

    `whom` are customers by segment. The rules look after this transaction; what they move is settled in its turn.
    """
    if any(whom.values()):
        asked = {segment for each in await stages.lifecycles(work) for segment in each.definition.needs.segments}
        moving = {customer for segment in asked & whom.keys() for customer in whom[segment]}
        if moving:
            await settling.settle_soon(work, moving)
