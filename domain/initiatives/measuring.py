"""What a measurement rests on: the seal, and everything that came after it, under the identity graph of today."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, time
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import msgspec
import numpy as np

from domain.core.money import minor_units
from domain.initiatives import queries, reading, seal, sealing
from domain.initiatives.comparing import compare
from domain.initiatives.findings import Flag
from domain.initiatives.history import WEEK
from domain.initiatives.model import BaselineSnapshot, Initiative, Measurement, SealedPart
from domain.initiatives.plans import Equity, Group, MeasurementKind, Missing, Plan, Question, Selection, Tier
from domain.initiatives.statistics.equity import equity
from domain.initiatives.statistics.panel import calendar
from domain.initiatives.waiting import InsufficientData, TooEarly, Waiting

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from domain.core.unit_of_work import Reading
    from domain.initiatives.findings import Comparison
    from domain.initiatives.history import History, Mask
    from domain.initiatives.reading import Person, Window
    from domain.initiatives.seal import Columns, Parts
    from domain.initiatives.statistics.equity import Model
    from domain.initiatives.statistics.windows import Calendar

MEDIAN_GAP, LARGEST_GAP = "MEDIAN_GAP_OF_TOP_DECILE", "LARGEST_GAP_OF_TOP_DECILE"
"""The rules by which it is too early to measure."""


@dataclass(frozen=True)
class Late:
    """Purchases before go-live that became known after the seal: on how many days, and worth how much.

    So many documents of them wait for an exchange rate: they are in no amount.
    """

    occasions: int
    amount: int
    unrated: int


@dataclass(frozen=True, eq=False)
class Evidence:
    """Everything that a measurement needs, read in one transaction."""

    initiative_id: UUID
    seal_id: UUID
    number: int
    read_at: datetime
    currency: str
    before: History
    after: History
    plan: Plan
    model: Model | Missing
    late: Late
    is_late: bool
    flags: tuple[Flag, ...]
    next_on: date


@dataclass(frozen=True)
class Asked:
    """What is asked beyond what was sealed: its figures are EXPLORATORY and have no verdict.

    Other questions stand beside the sealed ones. Segments, of whom only those are looked at whom the initiative was
    for, or another tier make the whole measurement EXPLORATORY.
    """

    questions: Sequence[Question] = ()
    segment_ids: Sequence[UUID] = ()
    tier: Tier | None = None


AS_SEALED = Asked()


async def gather(work: Reading, initiative_id: UUID, asked: Asked = AS_SEALED) -> Evidence:
    """What is known of an initiative now, to be compared.

    Raises UnknownInitiative, NotSealed, SealBroken, InsufficientData where nobody bought twice, TooEarly, or
    UnknownSegment.
    """
    of = await queries.initiative(work, initiative_id)
    header = await queries.seal_of(work, initiative_id)
    parts = await seal.read(work, header)
    day = queries.today(work, header.time_zone)
    waiting = _waited(header, of, day)
    taken = await queries.measurements(work, initiative_id)
    earlier = [each for each in taken if each.kind != MeasurementKind.EXPLORATORY]
    kind = _kind(waiting.kind(day.toordinal(), has_final=_has_final(earlier)), header, asked)
    ends_on = header.final_on if kind is MeasurementKind.FINAL else day
    window = reading.Window(header.go_live_on, ends_on, header.time_zone, header.paid_only)
    known = _Known(parts[SealedPart.LINKS], await reading.people(work, window, header.go_live_on), window)
    root = sealing.survivors(known.roots)
    before = sealing.of_parts(parts, _sealed_window(header), header.go_live_on).merged(root[: known.sealed])
    after = (await _after(work, parts, known, window, root)).merged(root)
    is_late = earlier[0].is_late if earlier else _is_late(header, day)
    late = await _late(work, header, parts, known)
    plan = _plan(header, parts, root, day, ends_on, kind, await reading.spent(work, of.id))
    plan = _exploring(await _within(work, plan, asked.segment_ids, header.time_zone, known), asked)
    return Evidence(
        initiative_id=of.id, seal_id=header.id, number=len(taken) + 1, read_at=work.now, currency=header.currency,
        before=before, after=after,
        plan=replace(plan, groups=await _groups(work, header, calendar(after, plan, before.first), known)),
        model=await reading.model_of_buying(work, header.currency),
        late=late, is_late=is_late, flags=(*waiting.flags, *_flags(is_late=is_late, late=late)),
        next_on=date.fromordinal(waiting.next_on(day.toordinal(), strict=of.strict_floor)),
    )  # fmt: skip


def compute(evidence: Evidence) -> Comparison:
    """Compare before and after. It takes seconds of computing: not to be called inside of a transaction."""
    return compare(evidence.before, evidence.after, replace(evidence.plan, equity=_equity(evidence)))


def _equity(evidence: Evidence) -> Equity | Missing:
    """What customers are worth at both ends, by the model that was read; at QUICK nothing is said of money."""
    plan, model = evidence.plan, evidence.model
    if plan.tier is Tier.QUICK:
        return plan.equity
    return model if isinstance(model, Missing) else equity(evidence.before.joined(evidence.after), plan, model)


class _Known:
    """Who is known now: those of the seal by their pseudonyms, then those who came later; erased ones have no root."""

    def __init__(self, links: Columns, who: Sequence[Person], window: Window) -> None:
        by_id, of_seal = {one.id: one for one in who}, set(links["customer_id"])
        linked: list[UUID | None] = links["customer_id"]
        self.sealed = len(linked)
        self.persons: list[Person | None] = [None if one is None else by_id.get(one) for one in linked]
        self.persons += [one for one in who if one.id not in of_seal]
        self.place = {one.id: number for number, one in enumerate(self.persons) if one is not None}
        self.roots = [None if one is None else one.root_id for one in self.persons]
        self.go_live = window.first

    def people(self, sealed: Columns) -> Columns:
        """Those of the seal as they were frozen, whatever became known of the time before, and then the others."""
        new = [one for one in self.persons[self.sealed :] if one is not None]
        return {
            "unit": [*sealed["unit"], *(self._unit(one) for one in new)],
            "first_seen_on": [*sealed["first_seen_on"], *(one.first_seen_on for one in new)],
            "first_occasion_on": [
                *(
                    self._first(one, first)
                    for one, first in zip(self.persons, sealed["first_occasion_on"], strict=False)
                ),
                *(one.first_occasion_on for one in new),
            ],
            "occasions_before": [0 if one is None else one.occasions_before for one in self.persons],
            "department_id": [*sealed["department_id"], *(one.department_id for one in new)],
            "erased_on": [None if one is not None else self.go_live for one in self.persons],
        }

    def are(self, customers: frozenset[UUID]) -> Mask:
        """Who is one of these surviving customers."""
        return np.array([one is not None and one.root_id in customers for one in self.persons], dtype=np.bool_)

    def _unit(self, one: Person) -> int:
        return self.place.get(one.organisation_id or one.root_id, self.place[one.id])

    def _first(self, one: Person | None, sealed: date | None) -> date | None:
        if sealed is not None or one is None or one.first_occasion_on is None:
            return sealed
        return max(one.first_occasion_on, self.go_live)


def _waited(header: BaselineSnapshot, of: Initiative, day: date) -> Waiting:
    if header.waiting is None or header.earliest_measurement_on is None:
        raise InsufficientData(have=0, need=1, of="customers who bought twice within the baseline")
    if day < header.earliest_measurement_on:
        rule = LARGEST_GAP if of.strict_floor else MEDIAN_GAP
        raise TooEarly.to_measure(header.earliest_measurement_on, rule=rule)
    return msgspec.convert(header.waiting, Waiting)


def _has_final(earlier: Sequence[Measurement]) -> bool:
    return any(each.kind == MeasurementKind.FINAL for each in earlier)


def _kind(of_the_day: MeasurementKind, header: BaselineSnapshot, asked: Asked) -> MeasurementKind:
    """The kind that the day gives, unless others are looked at, or otherwise, than was sealed."""
    as_sealed = not asked.segment_ids and asked.tier in {None, header.tier}
    return of_the_day if as_sealed else MeasurementKind.EXPLORATORY


def _is_late(header: BaselineSnapshot, day: date) -> bool:
    return header.preliminary_begin_by is not None and day > header.preliminary_begin_by


def _sealed_window(header: BaselineSnapshot) -> Window:
    return reading.Window(header.first_day, header.go_live_on, header.time_zone, header.paid_only)


async def _after(
    work: Reading, parts: Parts, known: _Known, window: Window, root: np.ndarray[Any, np.dtype[np.int32]]
) -> History:
    who = known.people(parts[SealedPart.CUSTOMERS])
    did = await reading.columns(work, window, known.place)
    weeks = (window.last - window.first).days // WEEK
    first = sealing.earliest(who["first_occasion_on"], root)
    new = reading.newcomers(reading.ordinals(first), window.first, 0, weeks)
    costs = await reading.costs(work, window, window.first)
    return reading.history(
        who, did, (window.first, window.last), reading.weeks_of(costs, new, window.first, 0)
    )  # fmt: skip


def _plan(
    header: BaselineSnapshot, parts: Parts, root: np.ndarray[Any, np.dtype[np.int32]], day: date, ends_on: date,
    kind: MeasurementKind, spent: tuple[Any, ...],
) -> Plan:  # fmt: skip
    frozen = np.array(parts[SealedPart.CUSTOMERS]["is_treated"], dtype=np.bool_)
    later = np.zeros(len(root) - len(frozen), dtype=np.bool_)
    selection = Selection(header.selection)
    return Plan(
        go_live=header.go_live_on.toordinal(),
        baseline_days=header.baseline_days,
        measured_on=ends_on.toordinal(),
        tier=Tier(header.tier),
        seed=header.seed,
        kind=kind,
        treated=None if selection is Selection.EVERYONE else sealing.any_of(np.concatenate((frozen, later)), root),
        selection=selection,
        departments=bool(header.department_ids),
        selected_on=header.selected_on.toordinal() if header.selected_on else None,
        questions=tuple(Question(each) for each in header.questions),
        minimum_effects={Question(each): float(effect) for each, effect in header.minimum_effects.items()},
        sealed_on=header.sealed_at.astimezone(ZoneInfo(header.time_zone)).toordinal(),
        read_on=day.toordinal(),
        spent=spent,
        minor=10 ** minor_units(header.currency),
        size_cutoff=header.size_cutoff,
    )


def _exploring(plan: Plan, asked: Asked) -> Plan:
    """The plan with what was chosen after the seal: the questions that were not sealed, or all of them."""
    questions = tuple(each for each in Question if each in {*plan.questions, *asked.questions})
    exploring = plan.kind is MeasurementKind.EXPLORATORY
    unsealed = frozenset(questions) if exploring else frozenset(questions) - frozenset(plan.questions)
    return replace(plan, tier=asked.tier or plan.tier, questions=questions, exploratory=unsealed)


async def _within(work: Reading, plan: Plan, segment_ids: Sequence[UUID], time_zone: str, known: _Known) -> Plan:
    """The plan of the treated and of those left alone who fitted any of the segments when the baseline began."""
    if not segment_ids:
        return plan
    begins = datetime.combine(date.fromordinal(plan.baseline_begins), time(), ZoneInfo(time_zone))
    members = await reading.members_at(work, segment_ids, begins)
    inside = known.are(members.customer_ids)
    treated = np.ones_like(inside) if plan.treated is None else plan.treated
    within = replace(plan, treated=inside & treated, untouched=inside & ~treated)
    if not members.dated:
        return replace(within, selection=Selection.SEGMENT, selected_on=plan.read_on)
    if plan.selection is Selection.LIST:
        return within
    chosen_by = max(plan.baseline_begins, plan.selected_on or plan.baseline_begins)
    return replace(within, selection=Selection.SEGMENT, selected_on=chosen_by)


def _flags(*, is_late: bool, late: Late) -> tuple[Flag, ...]:
    found = {Flag.LATE: is_late, Flag.LATE_DATA: late.occasions or late.amount or late.unrated}
    return tuple(flag for flag, holds in found.items() if holds)


async def _groups(work: Reading, header: BaselineSnapshot, of: Calendar, known: _Known) -> tuple[Group, ...]:
    """Segments and stages as they were when the compared days began: what came later decides nobody's place."""
    first = date.fromordinal(min(of.compared.before.first, of.plan.baseline_begins))
    found = await reading.groups(work, datetime.combine(first, time(), ZoneInfo(header.time_zone)))
    return tuple(Group(name, known.are(customers)) for name, customers in found)


async def _late(work: Reading, header: BaselineSnapshot, parts: Parts, known: _Known) -> Late:
    """What is known now of the sealed days beside what was sealed; whoever was erased since counts on neither side."""
    sealed = parts[SealedPart.DAYS]
    now = await reading.columns(work, _sealed_window(header), known.place)
    kept = [known.persons[pseudonym] is not None for pseudonym in sealed["pseudonym"]]
    was = {
        (pseudonym, day)
        for pseudonym, day, bought in zip(sealed["pseudonym"], sealed["day"], sealed["occasions"], strict=True)
        if bought
    }
    occasions = sum(
        (pseudonym, day) not in was
        for pseudonym, day, bought in zip(now["pseudonym"], now["day"], now["occasions"], strict=True)
        if bought
    )
    before = sum(amount for amount, counts in zip(sealed["amount"], kept, strict=True) if counts)
    return Late(occasions, sum(now["amount"]) - before, _waiting_since(sealed, now))


def _waiting_since(sealed: Columns, now: Columns) -> int:
    """How many documents wait for a rate that did not when they were sealed; older seals do not say of their days."""
    days = zip(sealed["pseudonym"], sealed["day"], strict=True)
    waited: dict[tuple[int, date], int | None] = dict(zip(days, sealed["unrated"], strict=True))
    days = zip(now["pseudonym"], now["day"], strict=True)
    waits = dict(zip(days, now["unrated"], strict=True))
    return sum(max(0, count - before) for day, count in waits.items() if (before := waited.get(day, 0)) is not None)
