from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.core.problems import DomainError
from domain.customers.edges import (
    AlreadyMerged,
    AlreadyUndone,
    Edge,
    EdgeKind,
    EdgeNotFound,
    MergedWithItself,
    MergeVetoed,
    check_merge,
    check_undo,
    check_veto,
    components,
    members,
    moved,
    touched,
    vetoes,
)

if TYPE_CHECKING:
    from random import Random

START = datetime(2026, 1, 1, tzinfo=UTC)
A, B, C, D, E, F = (UUID(int=number) for number in range(1, 7))


def edge(number: int, kind: str, into: UUID, customer: UUID, undoes: Edge | None = None) -> Edge:
    at = START + timedelta(minutes=number)
    return Edge(UUID(int=1000 + number), EdgeKind(kind), customer, into, UUID(int=9), at, undoes.id if undoes else None)


def undo(number: int, of: Edge) -> Edge:
    return edge(number, "UNMERGE", of.into_id, of.customer_id, of)


@st.composite
def logs(draw: st.DrawFn) -> list[Edge]:
    """A log as the checks let it grow: merges and vetoes that are allowed, and undone ones."""
    log: list[Edge] = []
    for number in range(draw(st.integers(0, 14))):
        into, customer = draw(st.tuples(*[st.sampled_from([A, B, C, D, E, F])] * 2))
        kind = draw(st.sampled_from(["MERGE", "MERGE", "MERGE", "VETO", "UNMERGE"]))
        try:
            if kind == "UNMERGE":
                log.append(undo(number, check_undo(log, draw(st.sampled_from(log)).id if log else A)))
            else:
                (check_merge if kind == "MERGE" else check_veto)(log, into, customer)
                log.append(edge(number, kind, into, customer))
        except DomainError:
            continue
    return log


def test_the_absorbing_side_of_the_latest_merge_survives() -> None:
    log = [edge(1, "MERGE", A, B), edge(2, "MERGE", C, D), edge(3, "MERGE", D, B)]
    assert components(log) == {A: C, B: C, C: C, D: C}
    assert members(components(log)) == {C: (A, B, C, D)}


def test_any_subset_is_undone_exactly() -> None:
    log = [edge(n, "MERGE", into, who) for n, (into, who) in enumerate([(A, B), (B, C), (D, E), (A, D), (F, C)])]
    after = [*log, undo(10, log[1]), undo(11, log[4])]
    assert components(after) == components([log[0], log[2], log[3]]) == {A: A, B: A, D: A, E: A}


@given(logs(), st.data())
def test_merge_then_unmerge_is_the_identity_for_any_subset_in_any_order(log: list[Edge], data: st.DataObject) -> None:
    undone = {e.undoes for e in log}
    merges = [e for e in log if e.kind is EdgeKind.MERGE and e.id not in undone]
    taken = data.draw(st.lists(st.sampled_from(merges), unique=True) if merges else st.just([]))
    undoing = data.draw(st.permutations([undo(100 + n, e) for n, e in enumerate(taken)]))
    assert components([*log, *undoing]) == components([e for e in log if e not in taken])


@given(logs(), st.randoms(use_true_random=False))
def test_components_depend_neither_on_the_order_of_reading_nor_on_unrelated_merges(
    log: list[Edge], rnd: Random
) -> None:
    elsewhere = [edge(n, "MERGE", UUID(int=50 + n), UUID(int=51 + n)) for n in range(4)]
    mixed = [*log, *elsewhere]
    rnd.shuffle(mixed)
    ours = {customer: root for customer, root in components(mixed).items() if customer.int < 50}
    assert ours == components(log)


@given(logs())
def test_no_veto_is_ever_broken(log: list[Edge]) -> None:
    roots = components(log)
    lifted = {e.undoes for e in log}
    for veto in log:
        if veto.kind is EdgeKind.VETO and veto.id not in lifted:
            assert roots.get(veto.into_id, veto.into_id) != roots.get(veto.customer_id, veto.customer_id)


@given(logs())
def test_old_ids_resolve_to_a_survivor_that_is_its_own(log: list[Edge]) -> None:
    roots = components(log)
    assert all(roots[root] == root for root in roots.values())


@given(logs(), st.integers(0, 14))
def test_touched_are_all_whose_root_or_members_change(log: list[Edge], at: int) -> None:
    before, change = log[:at], log[at : at + 2]
    old, new = components(before), components(log[: at + 2])
    old_members, new_members = members(old), members(new)
    changed = {
        one
        for one in old | new
        if old.get(one, one) != new.get(one, one) or old_members.get(one, (one,)) != new_members.get(one, (one,))
    }
    assert changed <= touched(before, change)
    assert moved(before, change) == {one: new.get(one, one) for one in touched(before, change)}


def test_touched_leaves_everyone_else_alone() -> None:
    log = [edge(1, "MERGE", A, B), edge(2, "MERGE", C, D)]
    assert touched(log, [edge(3, "MERGE", B, E)]) == {A, B, E}
    assert touched(log, [undo(3, log[1])]) == {C, D}
    assert touched(log, [edge(3, "VETO", A, C)]) == frozenset()
    assert moved(log, [undo(3, log[1])]) == {C: C, D: D}


def test_a_customer_is_not_merged_with_itself_or_again() -> None:
    log = [edge(1, "MERGE", A, B), edge(2, "MERGE", B, C)]
    with pytest.raises(MergedWithItself):
        check_merge(log, A, A)
    with pytest.raises(AlreadyMerged) as refused:
        check_merge(log, C, A)
    assert refused.value.details == {"root": A}
    with pytest.raises(AlreadyMerged):
        check_veto(log, A, C)


def test_a_veto_between_members_forbids_the_merge_of_their_roots_until_it_is_lifted() -> None:
    veto = edge(3, "VETO", B, D)
    log = [edge(1, "MERGE", A, B), edge(2, "MERGE", C, D), veto]
    with pytest.raises(MergeVetoed) as refused:
        check_merge(log, C, A)
    assert refused.value.details == {"evidence": [veto]}
    assert vetoes(log, A, E) == []
    check_merge([*log, undo(4, veto)], C, A)


def test_what_is_unknown_or_undone_cannot_be_undone() -> None:
    merge = edge(1, "MERGE", A, B)
    log = [merge, undo(2, merge)]
    assert check_undo([merge], merge.id) == merge
    with pytest.raises(AlreadyUndone):
        check_undo(log, merge.id)
    with pytest.raises(EdgeNotFound):
        check_undo(log, log[1].id)
