"""Whom the other side may know already: before a customer is made there, one of the same name waits for a person.

Who shares an e-mail address, a tax id or another strong identifier with a record of the other side is one customer by
then: landing has settled that. What is left is the name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from domain import customers
from domain.core.problems import Conflict, NotFound
from domain.customers.model import Customer
from domain.customers.queries import within
from domain.integrations.model import LinkCandidate, RecordLink
from sync.two_way import queue

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from domain.core.unit_of_work import Writing

SAME, DIFFERENT = "SAME", "DIFFERENT"


class LinkDecided(Conflict):
    """Somebody has decided about this link before."""


async def unmatched(work: Writing, integration_id: UUID, roots: Sequence[UUID]) -> list[UUID]:
    """Those of these customers whom the other side surely does not know; about the others a person is asked."""
    candidates = await _namesakes(work, integration_id, roots)
    known = await work.rows(
        select(LinkCandidate.local_id, LinkCandidate.remote_id, LinkCandidate.decision).where(
            LinkCandidate.tenant_id == work.tenant_id, LinkCandidate.integration_id == integration_id,
            within(LinkCandidate.local_id, roots),
        )
    )  # fmt: skip
    decided = {(row.local_id, row.remote_id): row.decision for row in known}
    for root, remote_id, name in candidates:
        if (root, remote_id) not in decided:
            decided[root, remote_id] = None
            work.add(
                LinkCandidate(
                    id=work.ids(), integration_id=integration_id, type="customer", remote_id=remote_id, local_id=root,
                    because="Both have the same name." if name else "", recorded_at=work.now,
                )
            )  # fmt: skip
    waiting = {root for (root, _), decision in decided.items() if decision is None}
    return [root for root in roots if root not in waiting]


async def decide(work: Writing, candidate_id: UUID, *, same: bool) -> LinkCandidate:
    """Say whether a record of the other side is a customer of ours: then both are merged; else it is made there.

    Raises NotFound or LinkDecided.
    """
    candidate = await work.one(
        select(LinkCandidate)
        .where(LinkCandidate.tenant_id == work.tenant_id, LinkCandidate.id == candidate_id)
        .with_for_update()
    )
    if candidate is None:
        raise NotFound(id=candidate_id)
    if candidate.decision is not None:
        raise LinkDecided(decision=candidate.decision)
    candidate.decision, candidate.decided_at = SAME if same else DIFFERENT, work.now
    candidate.decided_by = work.actor.principal_id
    work.audit("integrations.decide_link", f"link:{candidate.id.hex}", after={"decision": candidate.decision})
    if same:
        other = await work.one(
            select(RecordLink.local_id).where(
                RecordLink.tenant_id == work.tenant_id, RecordLink.integration_id == candidate.integration_id,
                RecordLink.type == candidate.type, RecordLink.remote_id == candidate.remote_id,
            )
        )  # fmt: skip
        if other is not None:
            await customers.merge(work, candidate.local_id, [other], reason="An admin linked them.")
    else:
        await queue.look_again(work, candidate.integration_id, [candidate.local_id])
    await work.flush()
    return candidate


async def _namesakes(work: Writing, integration_id: UUID, roots: Sequence[UUID]) -> list[tuple[UUID, str, str]]:
    """Customers and records of the other side that have the same name."""
    if not roots:
        return []
    mine, theirs = Customer.__table__.alias("mine"), Customer.__table__.alias("theirs")
    rows = await work.rows(
        select(mine.c.id, RecordLink.remote_id, mine.c.display_name)
        .join(theirs, (theirs.c.tenant_id == mine.c.tenant_id) & (theirs.c.display_name == mine.c.display_name))
        .join(
            RecordLink,
            (RecordLink.tenant_id == mine.c.tenant_id)
            & (RecordLink.local_id == theirs.c.member_ids.any_())
            & (RecordLink.type == "customer"),
        )
        .where(
            mine.c.tenant_id == work.tenant_id, within(mine.c.id, roots), theirs.c.id != mine.c.id,
            theirs.c.status == "ACTIVE", RecordLink.integration_id == integration_id,
        )
    )  # fmt: skip
    return [(row.id, row.remote_id, row.display_name) for row in rows]
