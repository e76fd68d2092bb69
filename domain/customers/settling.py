"""What identifiers prove or propose about who is one with whom, settled for the customers that a change touched."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace
from itertools import combinations
from typing import TYPE_CHECKING, TypeVar

from sqlalchemy import or_, select

from domain.core.statements import statement
from domain.customers import edges, folding, identity, queries
from domain.customers.edges import EdgeKind
from domain.customers.identity import MOST_HOLDERS
from domain.customers.merging import lock_identities, merge_proven, pair_of
from domain.customers.model import CandidateState, MergeCandidate
from domain.customers.queries import within

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from uuid import UUID

    from domain.core.unit_of_work import Reading, Writing
    from domain.customers.edges import Edge

    Identifier = tuple[str, str]
    Pair = tuple[UUID, UUID]

_Held = TypeVar("_Held")


async def settle_identities(work: Writing, customers: Sequence[UUID]) -> None:
    """Merge these customers with those whom a strong identifier proves to be the same, where nothing contradicts it,
    and propose those whom a weak identifier, an equal name among these customers, or a contradicted strong one names.

    An identifier that more than 20 customers hold proves nothing. Who was told apart by a person (a veto, a merge
    undone) is neither merged nor proposed again. Head rows of those who were merged are right afterwards.
    """
    if not customers:
        return
    await lock_identities(work)
    touched = await queries.members_of(work, customers)
    telling = await _sharing_identifiers(work, touched)
    groups = [*telling.values(), *await _sharing_names(work, touched)]
    if not groups:
        return
    involved = sorted(set().union(*groups))
    members = await queries.members_of(work, involved)
    log = await queries.edges_of(work, members)
    profiles = _without_crowded(await queries.profiles(work, involved), telling)
    apart = _told_apart(log)
    merged = await merge_proven(work, log, identity.automatic_merges(profiles, [*log, *apart]))
    await _propose(work, groups, _grown(profiles, merged), _vetoed([*log, *apart], merged), members)


# Claims beyond the limit are not even looked at: a placeholder that thousands hold must cost nothing. The survivors of
# the holders are read apart: of a new tenant statistics know nothing, and a join would read every customer each time.
_HOLDERS = statement(
    f"""
    SELECT identifier.scheme, identifier.normalised, held.customers
    FROM (
        SELECT DISTINCT scheme, normalised FROM identity_claims
        WHERE tenant_id = :tenant AND customer_id = ANY(:members) AND valid_to IS NULL AND normalised IS NOT NULL
    ) AS identifier
    CROSS JOIN LATERAL (
        SELECT array_agg(customer_id) AS customers
        FROM (
            SELECT customer_id FROM identity_claims
            WHERE tenant_id = :tenant AND scheme = identifier.scheme AND normalised = identifier.normalised
                AND valid_to IS NULL
            LIMIT {MOST_HOLDERS * 10}
        ) AS claim
    ) AS held
    WHERE cardinality(held.customers) > 1 AND cardinality(held.customers) < {MOST_HOLDERS * 10}
    ORDER BY identifier.scheme, identifier.normalised
    """,
    "members",
)
_NAMES = statement(
    f"""
    SELECT customer_id, text_value FROM customer_facts
    WHERE tenant_id = :tenant AND customer_id = ANY(:members) AND key = '{queries.NAME}' AND text_value IS NOT NULL
        AND {queries.FACT_HOLDS}
    """,
    "members",
)


async def _sharing_identifiers(work: Reading, members: Sequence[UUID]) -> dict[Identifier, set[UUID]]:
    """The identifiers that these customers share with few enough others, and who holds them."""
    held = await work.rows(_HOLDERS, {"tenant": work.tenant_id, "members": members})
    return await _held_by_few(work, {(row.scheme, row.normalised): row.customers for row in held})


async def _sharing_names(work: Reading, members: Sequence[UUID]) -> list[set[UUID]]:
    """Those among these customers who have a name in common, name by name."""
    named: defaultdict[str, list[UUID]] = defaultdict(list)
    for row in await work.rows(_NAMES, {"tenant": work.tenant_id, "members": members, "now": work.now}):
        named[" ".join(folding.words(row.text_value))].append(row.customer_id)
    shared = {name: named[name] for name in sorted(named) if name and len(named[name]) > 1}
    return [*(await _held_by_few(work, shared)).values()]


async def _held_by_few(work: Reading, held: Mapping[_Held, Sequence[UUID]]) -> dict[_Held, set[UUID]]:
    """The survivors of those who hold something, where they are several and not too many."""
    survivor_of = await queries.survivors(work, set().union(*held.values())) if held else {}
    holders = {each: {survivor_of[customer] for customer in customers} for each, customers in held.items()}
    return {each: roots for each, roots in holders.items() if 2 <= len(roots) <= MOST_HOLDERS}


def _without_crowded(
    profiles: Mapping[UUID, identity.Profile], telling: Collection[Identifier]
) -> dict[UUID, identity.Profile]:
    """The profiles without identifiers that several hold and that prove nothing, since too many others hold them."""
    holders = Counter((claim.scheme, claim.value) for profile in profiles.values() for claim in profile.claims)
    crowded = {identifier for identifier, count in holders.items() if count > 1 and identifier not in telling}
    return {
        customer: replace(
            profile,
            claims=frozenset(claim for claim in profile.claims if (claim.scheme, claim.value) not in crowded),
        )
        for customer, profile in profiles.items()
    }


def _told_apart(log: Sequence[Edge]) -> list[Edge]:
    """The merges that a person undid, as vetoes against making them again by machine."""
    roots = edges.components(log)
    made = {edge.id: edge for edge in log}
    undone = ((edge, made[edge.undoes]) for edge in log if edge.undoes in made)
    return [
        replace(merge, id=unmerge.id, kind=EdgeKind.VETO)
        for unmerge, merge in undone
        if merge.kind is EdgeKind.MERGE
        and roots.get(merge.into_id, merge.into_id) != roots.get(merge.customer_id, merge.customer_id)
    ]


def _grown(profiles: Mapping[UUID, identity.Profile], merged: Mapping[UUID, UUID]) -> dict[UUID, identity.Profile]:
    """What is known of each survivor once the merges are made."""
    grown: dict[UUID, identity.Profile] = {}
    for customer in sorted(profiles, key=lambda each: (merged.get(each, each) != each, each)):
        survivor = merged.get(customer, customer)
        grown[survivor] = grown[survivor] | profiles[customer] if survivor in grown else profiles[customer]
    return grown


def _vetoed(log: Sequence[Edge], merged: Mapping[UUID, UUID]) -> set[Pair]:
    """The pairs of survivors that must not become one."""
    roots = edges.components(log)
    vetoes = (edge for edge in edges.active(log) if edge.kind is EdgeKind.VETO)
    ends = ((roots.get(edge.into_id, edge.into_id), roots.get(edge.customer_id, edge.customer_id)) for edge in vetoes)
    return {pair_of(merged.get(one, one), merged.get(other, other)) for one, other in ends}


async def _propose(
    work: Writing,
    groups: Iterable[set[UUID]],
    profiles: Mapping[UUID, identity.Profile],
    vetoed: Collection[Pair],
    members: Sequence[UUID],
) -> None:
    """Write the candidates among those who share something; who was refused before is not proposed again."""
    survivor_of = await queries.survivors(work, members)
    pairs = {pair_of(survivor_of[one], survivor_of[other]) for group in groups for one, other in combinations(group, 2)}
    proposals = {pair: identity.score(*map(profiles.__getitem__, pair)) for pair in _open(pairs, profiles, vetoed)}
    known: defaultdict[Pair, list[MergeCandidate]] = defaultdict(list)
    named = or_(within(MergeCandidate.left_id, members), within(MergeCandidate.right_id, members))
    candidates = select(MergeCandidate).where(MergeCandidate.tenant_id == work.tenant_id, named)
    for row in await work.all(candidates.execution_options(populate_existing=True)):
        known[pair_of(survivor_of.get(row.left_id, row.left_id), survivor_of.get(row.right_id, row.right_id))].append(
            row
        )
    for pair, score in sorted(proposals.items()):
        _propose_pair(work, pair, score, known.get(pair, []))
    await work.flush()


def _open(pairs: Iterable[Pair], profiles: Mapping[UUID, identity.Profile], vetoed: Collection[Pair]) -> Iterator[Pair]:
    """The pairs that a person has to decide about."""
    for one, other in pairs:
        if one != other and (one, other) not in vetoed:
            outcome = identity.decide(profiles[one], profiles[other]).outcome
            if outcome in {identity.Outcome.CANDIDATE, identity.Outcome.VETO}:
                yield one, other


def _propose_pair(work: Writing, pair: Pair, score: identity.Score, known: Sequence[MergeCandidate]) -> None:
    features = [
        {"name": each.name, "value": each.value, "weight": each.weight, "explanation": each.explanation}
        for each in score.features
    ]
    says = {"score": round(score.value * 1000), "features": features}
    if not known:
        work.add(
            MergeCandidate(
                id=work.ids(), left_id=pair[0], right_id=pair[1], state=CandidateState.OPEN,
                created_at=work.now, updated_at=work.now, **says,
            )
        )  # fmt: skip
    for row in known:
        if row.state == CandidateState.OPEN and (row.score, row.features) != (says["score"], says["features"]):
            row.score, row.features, row.updated_at = round(score.value * 1000), features, work.now
