"""How segments are found, what their criteria mean here, and whom criteria fit, now or at an earlier moment."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, TypeVar

from sqlalchemy import Uuid, bindparam, func, or_, select, text

from domain.core.problems import Conflict, Invalid, NotFound
from domain.core.statements import statement
from domain.customers import queries as customers
from domain.customers.model import AttributeType
from domain.segments import criteria as asked
from domain.segments import measures
from domain.segments.compiling import Compiled, Known
from domain.segments.compiling import compiled as compile_
from domain.segments.criteria import Criteria, decode
from domain.segments.model import Segment, SegmentVersion
from domain.stages import queries as stages
from domain.stages.model import Lifecycle, LifecycleVersion, Stage
from domain.stages.rules import CanonicalStep, UnknownStage
from domain.tenants import queries as tenants

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from domain.core.unit_of_work import Reading
    from domain.segments.measures import Figure, Figures
    from domain.stages import rules

Asking = TypeVar("Asking", bound="UUID | str")
"""What asks about something else: a segment by its id, or a lifecycle by its key."""

PORTION = 1_000
"""Of how many customers figures are worked out at once."""

SAMPLE = 10
"""How many customers a preview names."""


class UnknownSegment(NotFound):
    """There is no segment with this id. Check the id; one of another tenant gets the same answer."""


class SegmentCycle(Invalid):
    """A segment cannot be a part of itself, by however many others. Leave out one of the segments that are named."""


class RuleCycle(Invalid):
    """Rules that lead to and fro ask for a segment that asks for their own stages: that never comes to rest.

    Leave the stages out of the segment, since a rule says itself from which stage it leads.
    """


class SegmentArchived(Conflict):
    """This segment was given up: nobody is in it, and it cannot be changed or asked about any more."""


@dataclass(frozen=True)
class SegmentInForce:
    """A segment with the version whose criteria its members fit; `timed`: time alone can change who they are."""

    id: UUID
    key: str
    version_id: UUID
    criteria: Criteria
    timed: bool


@dataclass(frozen=True)
class Preview:
    """Whom criteria fit now: how many, and the first few."""

    count: int
    sample: tuple[UUID, ...]


async def segment(reading: Reading, segment_id: UUID) -> Segment:
    """A segment by its id, also one that was given up. Raises UnknownSegment."""
    found = await reading.one(
        select(Segment).where(Segment.tenant_id == reading.tenant_id, Segment.id == segment_id)
    )  # fmt: skip
    if found is None:
        raise UnknownSegment(id=segment_id)
    return found


async def latest_version(reading: Reading, segment_id: UUID) -> SegmentVersion:
    """The version of a segment that was written last. Raises UnknownSegment."""
    found = await reading.one(
        select(SegmentVersion)
        .where(SegmentVersion.tenant_id == reading.tenant_id, SegmentVersion.segment_id == segment_id)
        .order_by(SegmentVersion.number.desc())
        .limit(1)
    )
    if found is None:
        raise UnknownSegment(id=segment_id)
    return found


async def in_force(reading: Reading, *, guard: bool = False) -> list[SegmentInForce]:
    """Every segment that has members to keep, each after those that it asks about.

    With `guard`, no other version is published until this transaction ends.
    """
    living = await reading.rows(_GUARDED if guard else _LIVING, {"tenant": reading.tenant_id})
    found = {row.published_version_id: row for row in living}
    if not found:
        return []
    versions = await reading.rows(
        select(SegmentVersion.id, SegmentVersion.criteria).where(
            SegmentVersion.tenant_id == reading.tenant_id, customers.within(SegmentVersion.id, found)
        )
    )
    criteria = {found[row.id].id: decode(row.criteria) for row in versions}
    named = {row.id: row for row in found.values()}
    made: dict[UUID, SegmentInForce] = {}
    for each in in_order({id_: asked.refers_to(tree) for id_, tree in criteria.items()}):
        if each in criteria:
            timed = is_timed(criteria[each], {other.id for other in made.values() if other.timed})
            row = named[each]
            made[each] = SegmentInForce(each, row.key, row.published_version_id, criteria[each], timed)
    return list(made.values())


_ALIVE = """
SELECT id, key, published_version_id FROM segments
WHERE tenant_id = :tenant AND archived_at IS NULL AND published_version_id IS NOT NULL
"""
_LIVING, _GUARDED = statement(_ALIVE), statement(f"{_ALIVE} ORDER BY id FOR SHARE")


def in_order(refers: Mapping[Asking, Iterable[Asking]]) -> list[Asking]:
    """Segments, each after those that it refers to. Raises SegmentCycle, whose `cycle` are the segments in a circle."""
    try:
        return list(TopologicalSorter(refers).static_order())
    except CycleError as error:
        raise SegmentCycle(cycle=error.args[1]) from error


def is_timed(criteria: Criteria, timed: Iterable[UUID]) -> bool:
    """Whether time alone can change whom criteria fit, where it can change who is in these segments."""
    return bool(asked.refers_to(criteria).intersection(timed)) or any(
        node.is_timed or (isinstance(node, asked.Metric) and measures.measure(node.key).timed)
        for node in asked.nodes(criteria)
    )


async def check(reading: Reading, criteria: Criteria, *, of: Segment | None = None) -> Known:
    """What criteria mean in this tenant; `of` is the segment that is to have them.

    Raises UnknownSegment, SegmentArchived, SegmentCycle, RuleCycle, UnknownLifecycle, UnknownStage, or what `compiled`
    raises.
    """
    await _check_segments(reading, criteria, of)
    await _check_stages(reading, criteria)
    known = await meaning(reading, await in_force(reading))
    compile_(criteria, known, reading.now)
    return known


async def with_figures(
    reading: Reading, known: Known, asking: Iterable[Criteria], roots: Sequence[UUID] | None = None
) -> Known:
    """The same with the figures of these surviving customers, or of all, as far as criteria ask for such."""
    wanted: defaultdict[Figures, set[str]] = defaultdict(set)
    for node in (node for criteria in asking for node in asked.nodes(criteria) if isinstance(node, asked.Metric)):
        if (figures := measures.measure(node.key).figures) is not None:
            wanted[figures].add(node.key)
    if not wanted:
        return known
    whose = roots if roots is not None else await _everybody(reading)
    found: defaultdict[str, dict[UUID, Figure]] = defaultdict(dict)
    for figures, keys in wanted.items():
        for start in range(0, len(whose), PORTION):
            for key, of in (await figures(reading, whose[start : start + PORTION], keys)).items():
                found[key].update(of)
    return replace(known, figures=found)


async def _everybody(reading: Reading) -> list[UUID]:
    everybody = text(customers_who()).bindparams(bindparam("tenant", type_=Uuid()))
    return [row.id for row in await reading.rows(everybody, {"tenant": reading.tenant_id})]


async def meaning(reading: Reading, published: Iterable[SegmentInForce]) -> Known:
    """What criteria mean in this tenant, with these segments."""
    tenant = await tenants.tenant(reading)
    attributes = {each.key: AttributeType(each.type) for each in await customers.definitions_of(reading)}
    return Known(tenant.base_currency, attributes, {each.id: each.criteria for each in published})


async def compiled(reading: Reading, criteria: Criteria, as_of: datetime | None = None) -> Compiled:
    """Criteria as SQL on a surviving customer `c`: as it is now or, with `as_of`, as it was just before that moment.

    The past is seen with what is known today, merges included. Raises NotDated where criteria ask about something
    whose past is not known: attributes, countries, most metrics.
    """
    known = await meaning(reading, await in_force(reading))
    return compile_(criteria, known, as_of or reading.now, dated=as_of is not None)


async def members_as_of(reading: Reading, criteria: Criteria, as_of: datetime) -> list[UUID]:
    """The surviving customers whom criteria fitted just before a moment, in the order of their ids.

    Raises NotDated as `compiled` does.
    """
    fitting = await compiled(reading, criteria, as_of)
    found = fitting.statement(f"{customers_who(fitting)} ORDER BY c.id")
    return [row.id for row in await reading.rows(found, {"tenant": reading.tenant_id})]


async def preview(reading: Reading, criteria: Criteria) -> Preview:
    """How many customers criteria fit now, and the first few of them; nothing is kept. Raises what `check` raises."""
    known = await with_figures(reading, await check(reading, criteria), [criteria])
    fitting = compile_(criteria, known, reading.now)
    statement = fitting.statement(
        f"SELECT count(*) AS customers, (array_agg(id ORDER BY id))[1:{SAMPLE}] AS sample"
        f" FROM ({customers_who(fitting)}) AS fitting"
    )
    row = (await reading.rows(statement, {"tenant": reading.tenant_id}))[0]
    return Preview(row.customers, tuple(row.sample or ()))


def customers_who(fitting: Compiled | None = None) -> str:
    """SQL: the ids of the surviving customers of the tenant, `c` in conditions; only those whom criteria fit."""
    joins, condition = ("", "") if fitting is None else (fitting.joins, f" AND {fitting.condition}")
    surviving = "c.tenant_id = :tenant AND c.status = 'ACTIVE' AND c.root_id = c.id"
    return f"SELECT c.id FROM customers c{joins} WHERE {surviving}{condition}"


async def dependents(reading: Reading, segment_id: UUID) -> Sequence[Segment]:
    """The living segments that ask about this one, by any version that counts or is going to."""
    asking = [
        other
        for other, named in (await _references(reading)).items()
        if not isinstance(other, str) and segment_id in named
    ]
    return await reading.all(
        select(Segment)
        .where(Segment.tenant_id == reading.tenant_id, customers.within(Segment.id, asking))
        .order_by(Segment.key)
    )


async def check_rules(reading: Reading, lifecycle: rules.Lifecycle) -> None:
    """Promises that the rules of a lifecycle may ask for the segments that they name; these stay until this is over.

    Raises UnknownSegment, SegmentArchived or RuleCycle.
    """
    named = lifecycle.needs.segments
    if named:
        living = select(Segment.id).where(Segment.tenant_id == reading.tenant_id, customers.within(Segment.id, named))
        await reading.rows(living.order_by(Segment.id).with_for_update(read=True))
        await _check_living(reading, named)
        asking = await _references(reading, lifecycle)
        await _check_circle(reading, asking)


async def _check_segments(reading: Reading, criteria: Criteria, of: Segment | None) -> None:
    await _check_living(reading, asked.refers_to(criteria))
    if of is not None:
        # Published and newest criteria together: whichever of them come into force first, none asks about itself.
        references = await _references(reading)
        references[of.id] |= _named(criteria, [each.key for each in await stages.lifecycles(reading)])
        await _check_circle(reading, references)


async def _check_living(reading: Reading, named: Iterable[UUID]) -> None:
    for each in sorted(named):
        if (await segment(reading, each)).archived_at is not None:
            raise SegmentArchived(id=each)


async def _check_circle(reading: Reading, references: Mapping[UUID | str, Iterable[UUID | str]]) -> None:
    try:
        in_order(references)
    except SegmentCycle as found:
        circle = found.details["cycle"]
        cycle = [each if isinstance(each, str) else (await segment(reading, each)).key for each in circle]
        if any(isinstance(each, str) for each in circle):
            raise RuleCycle(
                f"These would move customers to and fro for ever: {' > '.join(cycle)}.", cycle=cycle
            ) from found
        raise SegmentCycle(f"These segments would be parts of each other: {' > '.join(cycle)}.", cycle=cycle) from found


async def _references(
    reading: Reading, coming: rules.Lifecycle | None = None
) -> defaultdict[UUID | str, set[UUID | str]]:
    """By living segment, what it asks about, by the version that is published and by the newest one.

    Segments stand by their ids, lifecycles by their keys. A lifecycle asks for the segments of its rules, where these
    lead in a circle: where they do not, a customer moves a few times, and that is it. `coming` is to come into force.
    """
    newest = (
        select(SegmentVersion.segment_id, func.max(SegmentVersion.number).label("number"))
        .where(SegmentVersion.tenant_id == reading.tenant_id)
        .group_by(SegmentVersion.segment_id)
        .subquery()
    )
    counting = (
        select(SegmentVersion.segment_id, SegmentVersion.criteria)
        .join(
            Segment,
            (Segment.tenant_id == SegmentVersion.tenant_id)
            & (Segment.id == SegmentVersion.segment_id)
            & Segment.archived_at.is_(None),
        )
        .join(newest, newest.c.segment_id == SegmentVersion.segment_id)
        .where(
            SegmentVersion.tenant_id == reading.tenant_id,
            or_(SegmentVersion.number == newest.c.number, SegmentVersion.id == Segment.published_version_id),
        )
    )
    lifecycles = {each.key: each.definition for each in await stages.lifecycles(reading)}
    if coming is not None:
        lifecycles[coming.key] = coming
    found: defaultdict[UUID | str, set[UUID | str]] = defaultdict(set)
    for row in await reading.rows(counting):
        found[row.segment_id] |= _named(decode(row.criteria), lifecycles)
    for key, definition in lifecycles.items():
        if definition.turns:
            found[key] |= definition.needs.segments
    return found


def _named(criteria: Criteria, lifecycles: Iterable[str]) -> set[UUID | str]:
    """The segments that criteria ask about, and the lifecycles whose stages they ask about: all, if none."""
    of_stages = [node for node in asked.nodes(criteria) if isinstance(node, asked.InStage | asked.EnteredStage)]
    keys = {key for node in of_stages for key in ([node.lifecycle] if node.lifecycle else lifecycles)}
    return {*asked.refers_to(criteria), *keys}


async def _check_stages(reading: Reading, criteria: Criteria) -> None:
    wanted = [node for node in asked.nodes(criteria) if isinstance(node, asked.InStage | asked.EnteredStage)]
    if not wanted:
        return
    rows = await reading.rows(
        select(Lifecycle.key.label("lifecycle"), Stage.key.label("stage"))
        .join(LifecycleVersion, (LifecycleVersion.tenant_id == Stage.tenant_id)
              & (LifecycleVersion.id == Stage.lifecycle_version_id))
        .join(Lifecycle, (Lifecycle.tenant_id == Stage.tenant_id) & (Lifecycle.id == LifecycleVersion.lifecycle_id))
        .where(Stage.tenant_id == reading.tenant_id, LifecycleVersion.published_at.is_not(None))
    )  # fmt: skip
    known: defaultdict[str | None, set[str]] = defaultdict(set)
    for row in rows:
        known[row.lifecycle].add(row.stage)
        known[None].add(row.stage)
    for node in wanted:
        if node.lifecycle is not None and node.lifecycle not in known:
            raise stages.UnknownLifecycle(lifecycle=node.lifecycle)
        if node.stage is not None and node.stage not in known[node.lifecycle]:
            there = sorted(known[node.lifecycle])
            message = f"There is no stage {node.stage!r}. There are {', '.join(there) or 'none yet'}."
            raise UnknownStage(message, stage=node.stage, known=there)
        if node.step is not None and node.step not in CanonicalStep.__members__:
            raise UnknownStage(f"There is no step {node.step!r}.", stage=node.step, known=list(CanonicalStep))
