"""The log of who is the same customer as whom, and what follows from it: pure, exact, and undone in any order."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from domain.core.problems import Conflict, Invalid, NotFound

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime
    from uuid import UUID


class EdgeKind(StrEnum):
    """What an edge says about two customers."""

    MERGE = "MERGE"
    UNMERGE = "UNMERGE"
    VETO = "VETO"


@dataclass(frozen=True, slots=True)
class Edge:
    """One entry of the identity log. MERGE: `customer_id` is absorbed by `into_id`. VETO: they are two and stay so.
    UNMERGE: the merge or veto that it `undoes` counts no longer.
    """

    id: UUID
    kind: EdgeKind
    customer_id: UUID
    into_id: UUID
    batch_id: UUID
    recorded_at: datetime
    undoes: UUID | None = None


class MergedWithItself(Invalid):
    """A customer cannot be merged with itself. Name two different customers."""


class AlreadyMerged(Conflict):
    """These two are one customer already. To tell them apart, undo the merge first."""


class MergeVetoed(Conflict):
    """It was decided that these are different customers. Lift the veto first if that was wrong."""


class EdgeNotFound(NotFound):
    """No merge or veto with this id is known. Check the id."""


class AlreadyUndone(Conflict):
    """This merge or veto was undone before."""


def active(edges: Iterable[Edge]) -> list[Edge]:
    """The merges and vetoes that nobody has undone, in the order of the log (recorded_at, then id)."""
    log = list(edges)
    undone = {edge.undoes for edge in log if edge.kind is EdgeKind.UNMERGE}
    holding = [edge for edge in log if edge.kind is not EdgeKind.UNMERGE and edge.id not in undone]
    return sorted(holding, key=lambda edge: (edge.recorded_at, edge.id))


def components(edges: Iterable[Edge]) -> dict[UUID, UUID]:
    """The surviving customer (root) of every customer that an active merge names; whoever is missing is his own.

    The active merges are replayed in the order of the log: the root of `into_id` absorbs everyone under the root of
    `customer_id`, so the root of a component is the absorbing side of its latest merge. Nothing else decides: a log
    with merges undone gives exactly what the log without them gives, and merges elsewhere change nothing here.
    A part of a log that holds every edge of the customers it is asked about gives their true roots.
    """
    roots: dict[UUID, UUID] = {}
    members: dict[UUID, list[UUID]] = {}
    for edge in active(edges):
        if edge.kind is EdgeKind.MERGE:
            into = roots.setdefault(edge.into_id, edge.into_id)
            absorbed = roots.setdefault(edge.customer_id, edge.customer_id)
            if into != absorbed:
                joining = members.pop(absorbed, [absorbed])
                members.setdefault(into, [into]).extend(joining)
                roots.update(dict.fromkeys(joining, into))
    return roots


def members(roots: Mapping[UUID, UUID]) -> dict[UUID, tuple[UUID, ...]]:
    """The customers under each root, itself included, in the order of their ids."""
    found: defaultdict[UUID, list[UUID]] = defaultdict(list)
    for customer in sorted(roots):
        found[roots[customer]].append(customer)
    return {root: tuple(customers) for root, customers in found.items()}


def vetoes(edges: Iterable[Edge], a: UUID, b: UUID) -> list[Edge]:
    """The active vetoes that a merge of these two would break: those between anyone of a's and anyone of b's."""
    log = list(edges)
    roots = components(log)
    pair = {roots.get(a, a), roots.get(b, b)}
    standing = (edge for edge in active(log) if edge.kind is EdgeKind.VETO)
    return [edge for edge in standing if {roots.get(end, end) for end in _ends(edge)} == pair]


def check_merge(edges: Iterable[Edge], a: UUID, b: UUID) -> None:
    """Raise MergedWithItself, AlreadyMerged or MergeVetoed (`evidence`: the vetoes) unless these two may be merged."""
    log = list(edges)
    _check_two(log, a, b)
    if standing := vetoes(log, a, b):
        raise MergeVetoed(evidence=standing)


def check_veto(edges: Iterable[Edge], a: UUID, b: UUID) -> None:
    """Raise MergedWithItself or AlreadyMerged when these two are one, so that no veto stands inside a customer."""
    _check_two(list(edges), a, b)


def check_undo(edges: Iterable[Edge], undoes: UUID) -> Edge:
    """The merge or veto that an UNMERGE would undo; raises EdgeNotFound or AlreadyUndone.

    An UNMERGE itself is never undone: merge again instead, so that the vetoes made since are heard.
    """
    log = list(edges)
    edge = next((e for e in log if e.id == undoes and e.kind is not EdgeKind.UNMERGE), None)
    if edge is None:
        raise EdgeNotFound(id=undoes)
    if any(e.undoes == undoes for e in log):
        raise AlreadyUndone(id=undoes)
    return edge


def touched(edges: Iterable[Edge], change: Iterable[Edge]) -> frozenset[UUID]:
    """Every customer whose root, or whose members if he is one, may be others after `change` is added to the log."""
    log, changes = list(edges), list(change)
    by_id = {edge.id: edge for edge in (*log, *changes)}
    named = [by_id.get(edge.undoes, edge) if edge.undoes else edge for edge in changes]
    ends = {end for edge in named if edge.kind is not EdgeKind.VETO for end in _ends(edge)}
    roots = components(log)
    old = {roots.get(end, end) for end in ends}
    return frozenset(ends | {customer for customer, root in roots.items() if root in old})


def moved(edges: Iterable[Edge], change: Iterable[Edge]) -> dict[UUID, UUID]:
    """The root of every touched customer once `change` is added to the log: what the projection is set to."""
    log, changes = list(edges), list(change)
    roots = components([*log, *changes])
    return {customer: roots.get(customer, customer) for customer in touched(log, changes)}


def _ends(edge: Edge) -> tuple[UUID, UUID]:
    return edge.into_id, edge.customer_id


def _check_two(log: list[Edge], a: UUID, b: UUID) -> None:
    if a == b:
        raise MergedWithItself(customer=a)
    roots = components(log)
    if roots.get(a, a) == roots.get(b, b):
        raise AlreadyMerged(root=roots.get(a, a))
