"""Which customers are one: merges, vetoes and their exact undoing, by one writer at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, bindparam, case, or_, select, text, update
from sqlalchemy.orm import aliased

from domain.core.problems import Conflict, Invalid, NotFound
from domain.customers import edges, identity, queries
from domain.customers.edges import Edge, EdgeKind
from domain.customers.heads import refresh_heads
from domain.customers.model import (
    CandidateState,
    Customer,
    CustomerRelation,
    CustomerStatus,
    IdentityEdge,
    MergeCandidate,
    RelationKind,
)
from domain.customers.queries import within

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy import ColumnElement, Table

    from domain.core.unit_of_work import Reading, Writing

    Pair = tuple[UUID, UUID]


class NothingToMerge(Invalid):
    """No customer was named. Name at least one customer to merge into the other."""


class CustomerErased(Conflict):
    """This customer was erased. Nothing can be added to it any more."""


class CandidateDecided(Conflict):
    """This proposal was decided before."""


@dataclass(frozen=True)
class Merged:
    """What one decision about identities did: its batch, its edges, and the survivor of everyone it touched."""

    batch_id: UUID
    edges: tuple[UUID, ...]
    survivors: Mapping[UUID, UUID]


async def lock_identities(work: Writing) -> None:
    """Wait until nobody else decides in this tenant who is one with whom; held until the transaction ends.

    Whoever will write claims and merge in one transaction takes it first, so that no two wait for each other.
    """
    await work.execute(_LOCK, {"tenant": work.tenant_id.hex})


async def merge(
    work: Writing, into_id: UUID, customer_ids: Sequence[UUID], reason: str | None = None, *,
    evidence: dict[str, Any] | None = None,
) -> Merged:  # fmt: skip
    """Make customers one: `into_id` absorbs the others, and no row of theirs is rewritten.

    Raises NothingToMerge, NotFound, CustomerErased, MergedWithItself, AlreadyMerged or MergeVetoed (`evidence`: the
    vetoes); then nothing changed.
    """
    if not customer_ids:
        raise NothingToMerge(path=("customers",))
    await lock_identities(work)
    log = await _log_of(work, [into_id, *customer_ids])
    batch_id, at, made = work.ids(), _next_moment(work, log), list[Edge]()
    for customer_id in customer_ids:
        edges.check_merge([*log, *made], into_id, customer_id)
        made.append(Edge(work.ids(), EdgeKind.MERGE, customer_id, into_id, batch_id, at))
    work.audit(
        "customers.merge", f"customer:{into_id.hex}",
        after={"customers": [each.hex for each in customer_ids], "batch": batch_id.hex},
    )  # fmt: skip
    proof = {edge.id: evidence for edge in made} if evidence else None
    return await _record(work, log, made, reason=reason, evidence=proof)


async def unmerge(
    work: Writing, edge_ids: Sequence[UUID] = (), *, batch_id: UUID | None = None, reason: str | None = None
) -> Merged:
    """Take back merges or vetoes, by their ids or all that are left of one batch; what others did stays as it is.

    Raises EdgeNotFound or AlreadyUndone; then nothing changed.
    """
    await lock_identities(work)
    named = await _edges_named(work, edge_ids, batch_id)
    log = await _log_of(work, {end for edge in named for end in (edge.into_id, edge.customer_id)}, also_erased=True)
    undone_before = {edge.undoes for edge in log}
    left = [edge for edge in named if edge.id not in undone_before]
    if not left or (batch_id is None and len(left) < len(named)):
        raise edges.AlreadyUndone(ids=[edge.id.hex for edge in named if edge.id in undone_before])
    batch, at = work.ids(), _next_moment(work, log)
    made = [Edge(work.ids(), EdgeKind.UNMERGE, edge.customer_id, edge.into_id, batch, at, edge.id) for edge in left]
    work.audit("customers.unmerge", f"batch:{batch.hex}", after={"undone": [edge.id.hex for edge in left]})
    await _reopen(work, [edge for edge in left if edge.kind is EdgeKind.VETO])
    return await _record(work, log, made, reason=reason)


async def veto(work: Writing, customer_id: UUID, other_id: UUID, reason: str | None = None) -> Merged:
    """Decide that two customers are different and stay so until the veto is undone, as a merge is.

    Raises NotFound, CustomerErased, MergedWithItself or AlreadyMerged; then nothing changed.
    """
    await lock_identities(work)
    log = await _log_of(work, [customer_id, other_id])
    edges.check_veto(log, customer_id, other_id)
    edge = Edge(work.ids(), EdgeKind.VETO, other_id, customer_id, work.ids(), _next_moment(work, log))
    work.audit("customers.veto", f"customer:{customer_id.hex}", after={"other": other_id.hex})
    await _refuse_candidates(work, customer_id, other_id)
    return await _record(work, log, [edge], reason=reason)


async def merge_proven(
    work: Writing, log: Sequence[Edge], proven: Sequence[identity.AutomaticMerge]
) -> Mapping[UUID, UUID]:
    """Make the merges that identifiers prove, whose customers' log this is, and return the survivor of everyone whom
    they touch.
    """
    if not proven:
        return {}
    batch_id, at = work.ids(), _next_moment(work, log)
    made = [Edge(work.ids(), EdgeKind.MERGE, each.absorbed, each.into, batch_id, at) for each in proven]
    evidence = {
        edge.id: {"shared": [list(pair) for pair in each.proposal.shared]}
        for edge, each in zip(made, proven, strict=True)
    }
    work.audit("customers.merge_proven", f"batch:{batch_id.hex}", after={"merges": len(made)})
    return (await _record(work, log, made, evidence=evidence)).survivors


async def decide_candidate(work: Writing, candidate_id: UUID, *, accept: bool) -> MergeCandidate:
    """Merge the two customers of a proposal into the older one, or remember for ever that they are two (a veto).

    Raises NotFound, CandidateDecided, or what `merge` and `veto` raise.
    """
    await lock_identities(work)
    candidate = await work.one(
        select(MergeCandidate)
        .where(MergeCandidate.tenant_id == work.tenant_id, MergeCandidate.id == candidate_id)
        .execution_options(populate_existing=True)
    )
    if candidate is None:
        raise NotFound(id=str(candidate_id))
    if candidate.state != CandidateState.OPEN:
        raise CandidateDecided(state=candidate.state)
    pair = (candidate.left_id, candidate.right_id)
    older, younger = sorted([await queries.resolve(work, each) for each in pair])
    if accept:
        await merge(work, older, [younger])
    else:
        await veto(work, older, younger)
    await work.session.refresh(candidate)
    return candidate


def pair_of(one: UUID, other: UUID) -> Pair:
    """Two customers in the order in which a proposal names them."""
    return (one, other) if one < other else (other, one)


_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended('tenure.identity:' || :tenant, 0))")

_CUSTOMERS: Table = Customer.__table__  # type: ignore[assignment]
_MOVE = (
    update(_CUSTOMERS)
    .where(_CUSTOMERS.c.tenant_id == bindparam("of_tenant"), _CUSTOMERS.c.id == bindparam("of_id"))
    .values(
        root_id=bindparam("root"),
        merged_into=bindparam("into"),
        member_ids=bindparam("members"),
        status=case((_CUSTOMERS.c.status == CustomerStatus.ERASED, CustomerStatus.ERASED), else_=bindparam("stands")),
        version=_CUSTOMERS.c.version + 1,
        updated_at=bindparam("now"),
    )
)


def _next_moment(work: Writing, log: Iterable[Edge]) -> datetime:
    """When an edge is recorded: a transaction that waited for another began before it, yet comes after it."""
    return max([work.now, *(edge.recorded_at for edge in log)])


async def _log_of(work: Reading, customers: Collection[UUID], *, also_erased: bool = False) -> list[Edge]:
    """The identity log of everyone who is one with these customers. Raises NotFound or CustomerErased."""
    members = await queries.members_of(work, customers)
    known = select(Customer.id, Customer.status).where(
        Customer.tenant_id == work.tenant_id, within(Customer.id, members)
    )
    status = {row.id: row.status for row in await work.rows(known)}
    for customer_id in customers:
        if customer_id not in status:
            raise NotFound(id=str(customer_id))
        if status[customer_id] == CustomerStatus.ERASED and not also_erased:
            raise CustomerErased(id=str(customer_id))
    return await queries.edges_of(work, list(status))


async def _edges_named(work: Reading, edge_ids: Sequence[UUID], batch_id: UUID | None) -> list[Edge]:
    """The merges and vetoes of a batch, or with these ids. Raises EdgeNotFound."""
    named = within(IdentityEdge.id, edge_ids) if batch_id is None else IdentityEdge.batch_id == batch_id
    found = await work.all(
        select(IdentityEdge)
        .where(IdentityEdge.tenant_id == work.tenant_id, named, IdentityEdge.kind != EdgeKind.UNMERGE)
        .order_by(IdentityEdge.id)
    )
    missing = [] if batch_id is not None and found else sorted({*edge_ids} - {row.id for row in found})
    if missing or not found:
        raise edges.EdgeNotFound(ids=[each.hex for each in missing])
    return [queries.edge_of(row) for row in found]


async def _record(
    work: Writing, log: Sequence[Edge], made: Sequence[Edge], *, reason: str | None = None,
    evidence: Mapping[UUID, dict[str, Any]] | None = None,
) -> Merged:  # fmt: skip
    """Append edges to the log and make every projection of it right, for those whom they touch and nobody else."""
    work.add(
        *(
            IdentityEdge(
                id=edge.id, kind=edge.kind, customer_id=edge.customer_id, into_id=edge.into_id, undoes=edge.undoes,
                batch_id=edge.batch_id, recorded_at=edge.recorded_at, actor=str(work.actor), reason=reason,
                evidence=(evidence or {}).get(edge.id),
            )
            for edge in made
        )
    )  # fmt: skip
    await work.flush()
    survivors = edges.moved(log, made)
    if survivors:
        await _move(work, survivors)
        await refresh_heads(work, [*survivors, *await _people_of(work, list(survivors))])
        await _settle_candidates(work, list(survivors))
    merged = any(edge.kind is EdgeKind.MERGE for edge in made)
    name = "customers.CustomersMerged" if merged else "customers.CustomersUnmerged"
    for survivor, members in edges.members(survivors).items():
        ids = [member.hex for member in members]
        work.emit(name, survivor, customers=ids, batch=made[0].batch_id.hex)
    return Merged(made[0].batch_id, tuple(edge.id for edge in made), survivors)


async def _move(work: Writing, survivors: Mapping[UUID, UUID]) -> None:
    """Write the projections of the log for customers, given the survivor of each."""
    members = edges.members(survivors)
    locked = select(Customer.id).where(Customer.tenant_id == work.tenant_id, within(Customer.id, survivors))
    await work.rows(locked.order_by(Customer.id).with_for_update(key_share=True))
    await work.execute(
        _MOVE,
        [
            {
                "of_tenant": work.tenant_id,
                "of_id": customer,
                "root": survivor,
                "into": None if survivor == customer else survivor,
                "members": list(members.get(customer, ())),
                "stands": CustomerStatus.ACTIVE if survivor == customer else CustomerStatus.MERGED,
                "now": work.now,
            }
            for customer, survivor in sorted(survivors.items())
        ],
    )


async def _people_of(work: Reading, organisations: Sequence[UUID]) -> Sequence[UUID]:
    """Whose head rows name one of these organisations."""
    return await work.all(
        select(CustomerRelation.to_id).where(
            CustomerRelation.tenant_id == work.tenant_id,
            CustomerRelation.kind == RelationKind.EMPLOYS,
            within(CustomerRelation.from_id, organisations),
            CustomerRelation.valid_to.is_(None),
        )
    )


async def _settle_candidates(work: Writing, touched: Sequence[UUID]) -> None:
    """Close the proposals that a merge fulfilled, and remember as refused those that an unmerge took back."""
    left, right = aliased(Customer), aliased(Customer)
    pairs = (
        select(MergeCandidate.id, MergeCandidate.state, (left.root_id == right.root_id).label("are_one"))
        .join(left, and_(left.tenant_id == MergeCandidate.tenant_id, left.id == MergeCandidate.left_id))
        .join(right, and_(right.tenant_id == MergeCandidate.tenant_id, right.id == MergeCandidate.right_id))
        .where(
            MergeCandidate.tenant_id == work.tenant_id,
            or_(within(MergeCandidate.left_id, touched), within(MergeCandidate.right_id, touched)),
        )
    )
    rows = await work.rows(pairs)
    fulfilled = [row.id for row in rows if row.are_one and row.state == CandidateState.OPEN]
    taken_back = [row.id for row in rows if not row.are_one and row.state == CandidateState.ACCEPTED]
    await _decide(work, within(MergeCandidate.id, fulfilled), CandidateState.ACCEPTED)
    await _decide(work, within(MergeCandidate.id, taken_back), CandidateState.REJECTED)


async def _refuse_candidates(work: Writing, customer_id: UUID, other_id: UUID) -> None:
    """Close every open proposal to make these two one, by whichever of their members it names them."""
    ours, theirs = await queries.members_of(work, [customer_id]), await queries.members_of(work, [other_id])
    left, right = MergeCandidate.left_id, MergeCandidate.right_id
    between = or_(and_(within(left, ours), within(right, theirs)), and_(within(left, theirs), within(right, ours)))
    await _decide(work, and_(between, MergeCandidate.state == CandidateState.OPEN), CandidateState.REJECTED)


async def _decide(work: Writing, which: ColumnElement[bool], state: CandidateState) -> None:
    await work.execute(
        update(MergeCandidate)
        .where(MergeCandidate.tenant_id == work.tenant_id, which)
        .values(state=state, decided_by=str(work.actor), decided_at=work.now, updated_at=work.now)
        .execution_options(synchronize_session=False)
    )


async def _reopen(work: Writing, vetoes: Iterable[Edge]) -> None:
    """Propose again the pairs whose refusal is taken back."""
    for edge in vetoes:
        left, right = pair_of(edge.customer_id, edge.into_id)
        await work.execute(
            update(MergeCandidate)
            .where(
                MergeCandidate.tenant_id == work.tenant_id,
                MergeCandidate.left_id == left,
                MergeCandidate.right_id == right,
                MergeCandidate.state == CandidateState.REJECTED,
            )
            .values(state=CandidateState.OPEN, decided_by=None, decided_at=None, updated_at=work.now)
            .execution_options(synchronize_session=False)
        )
