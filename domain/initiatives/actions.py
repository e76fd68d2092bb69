"""What can happen to an initiative: it is planned, its baseline is sealed, and it is measured."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from datetime import date
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import select

from domain.core.problems import Conflict, DomainError, Invalid, NotFound, StaleVersion
from domain.costs.actions import record_cost
from domain.customers.model import Customer, Department
from domain.customers.queries import within
from domain.initiatives import queries, seal, sealing, telling
from domain.initiatives.model import (
    Comparison,
    Initiative,
    InitiativeKind,
    InitiativeStatus,
    Measurement,
    SealedPart,
    Verdict,
)
from domain.initiatives.plans import Question, Tier
from domain.segments.model import Segment

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    from domain.core.unit_of_work import Writing
    from domain.costs.actions import NewCost
    from domain.initiatives.findings import Comparison as Found
    from domain.initiatives.findings import MeasureAnswer, QuestionAnswer
    from domain.initiatives.measuring import Evidence
    from domain.initiatives.model import BaselineSnapshot

LONGEST_BASELINE = 3660


class AlreadySealed(Conflict):
    """The baseline of this initiative is sealed: neither it nor what it was sealed for can change. Plan another one."""


class BadBaseline(Invalid):
    """A baseline has 1 to 3,660 days. Choose as many days as you want to compare with."""


class BadMinimumEffect(Invalid):
    """The smallest change that matters is a fraction between 0 and 1, such as 0.02 for 2 %."""


class NameMissing(Invalid):
    """An initiative needs a name with at least one character that can be read."""


class MeasuredMeanwhile(Conflict):
    """This initiative was measured by somebody else at this very moment. Look at that measurement."""


@dataclass(frozen=True)
class Proposal:
    """What is to be known of an initiative; with neither customers, segments nor departments it is for everyone.

    Without questions all six are asked.
    """

    name: str
    go_live_on: date
    baseline_days: int
    kind: InitiativeKind = InitiativeKind.OTHER
    tier: Tier = Tier.STANDARD
    customer_ids: Sequence[UUID] = ()
    segment_ids: Sequence[UUID] = ()
    department_ids: Sequence[UUID] = ()
    questions: Sequence[Question] = ()
    minimum_effects: Mapping[Question, float] | None = None
    paid_only: bool = False
    strict_floor: bool = False
    robust_ceiling: bool = False


async def create(work: Writing, asked: Proposal, costs: Sequence[NewCost] = ()) -> Initiative:
    """Plan an initiative and record what it costs.

    Raises NameMissing, BadBaseline, BadMinimumEffect, NotFound for whom it is for, or what `record_cost` raises.
    """
    made = Initiative(
        id=work.ids(), status=InitiativeStatus.PLANNED, created_at=work.now, updated_at=work.now, version=1,
        **await _checked(work, asked),
    )  # fmt: skip
    work.add(made)
    work.audit("initiatives.create", _subject(made), after=_told(made))
    await work.flush()
    for place, cost in enumerate(costs):
        await _spend(work, made, cost, place)
    return made


async def update(work: Writing, initiative_id: UUID, changes: Mapping[str, Any], version: int) -> Initiative:
    """Change what is named of an initiative, as a Proposal names it; the rest stays.

    Raises UnknownInitiative, StaleVersion, AlreadySealed or what `create` raises. Of a sealed one only the name and
    the kind can change.
    """
    found = await queries.guarded(work, initiative_id)
    if found.version != version:
        raise StaleVersion(path=("version",), current_version=found.version)
    before, values = _told(found), await _checked(work, replace(_proposed(found), **changes))
    fixed = [name for name, value in values.items() if name not in _FREE and getattr(found, name) != value]
    if fixed and found.status != InitiativeStatus.PLANNED:
        raise AlreadySealed(path=(_ASKED.get(fixed[0], fixed[0]),), id=str(initiative_id))
    for name, value in values.items():
        setattr(found, name, value)
    found.version, found.updated_at = found.version + 1, work.now
    work.audit("initiatives.update", _subject(found), before=before, after=_told(found))
    await work.flush()
    return found


async def seal_baseline(work: Writing, initiative_id: UUID) -> BaselineSnapshot:
    """Seal what is known of the time before an initiative, for good.

    Raises UnknownInitiative, AlreadySealed, TooEarly, NotEnoughData, WindowBeforeData; then nothing is kept.
    """
    found = await queries.guarded(work, initiative_id)
    if found.status != InitiativeStatus.PLANNED:
        raise AlreadySealed(id=str(initiative_id))
    header, parts = await sealing.gather(work, found)
    header.id = work.ids()
    await seal.write(work, header, parts)
    found.status, found.version, found.updated_at = InitiativeStatus.SEALED, found.version + 1, work.now
    work.emit("initiatives.BaselineSealed", found.id, seal=header.id.hex)
    work.audit(
        "initiatives.seal", _subject(found),
        after={"seal": header.id.hex, "head": header.head.hex(), "links": len(parts[SealedPart.LINKS]["pseudonym"])},
    )  # fmt: skip
    await work.flush()
    return header


async def record(work: Writing, evidence: Evidence, found: Found) -> Measurement:
    """Keep what a measurement found, for good. Raises MeasuredMeanwhile where another one was taken since."""
    of = await queries.guarded(work, evidence.initiative_id)
    if len(await queries.measurements(work, of.id)) != evidence.number - 1:
        raise MeasuredMeanwhile(id=str(of.id))
    made = _measurement(work, evidence, found)
    work.add(made)
    await work.flush()
    answers = found.answers
    measures = [(answer, measure) for answer in answers for measure in answer.measures]
    work.add(*(_verdict(made, answer, place) for place, answer in enumerate(answers, 1)))
    work.add(*(_comparison(made, *each, place) for place, each in enumerate(measures, 1)))
    of.status, of.version, of.updated_at = InitiativeStatus.MEASURED, of.version + 1, work.now
    work.emit("initiatives.MeasurementTaken", of.id, measurement=made.id.hex, kind=made.kind, overall=made.overall)
    work.audit("initiatives.measure", _subject(of), after={"measurement": made.id.hex, "overall": made.overall})
    await work.flush()
    return made


_FREE = {"name", "kind"}
_ASKED = {"customer_ids": "customers", "segment_ids": "segments", "department_ids": "departments"}
"""By which names whom an initiative is for is asked."""


async def _spend(work: Writing, on: Initiative, cost: NewCost, place: int) -> None:
    """Record one of the costs of an initiative; what is wrong with it is told with its place among them."""
    try:
        await record_cost(work, replace(cost, initiative_id=on.id))
    except DomainError as problem:
        problem.path = ("costs", str(place), *problem.path)
        raise


def _proposed(known: Initiative) -> Proposal:
    kept = {field.name: getattr(known, field.name) for field in fields(Proposal)}
    effects = {Question(question): effect for question, effect in known.minimum_effects.items()}
    return Proposal(**{**kept, "minimum_effects": effects})


async def _checked(work: Writing, asked: Proposal) -> dict[str, Any]:
    """The columns of an initiative as it is asked for."""
    if not asked.name.strip():
        raise NameMissing(path=("name",))
    if not 1 <= asked.baseline_days <= LONGEST_BASELINE:
        raise BadBaseline(path=("baseline_days",))
    effects = {question.value: effect for question, effect in (asked.minimum_effects or {}).items()}
    for place, effect in enumerate(effects.values()):
        if not 0 < effect < 1:
            raise BadMinimumEffect(path=("minimum_effects", str(place), "change"))
    for of, ids in ((Customer, asked.customer_ids), (Segment, asked.segment_ids), (Department, asked.department_ids)):
        await _check_known(work, of, ids)
    values = {field.name: getattr(asked, field.name) for field in fields(asked)}
    chosen = {name: sorted(set(values[name])) for name in ("customer_ids", "segment_ids", "department_ids")}
    questions = [each.value for each in Question if each in asked.questions or not asked.questions]
    return {**values, **chosen, "name": asked.name.strip(), "questions": questions, "minimum_effects": effects}


async def _check_known(work: Writing, of: type[Customer | Segment | Department], ids: Sequence[UUID]) -> None:
    if not ids:
        return
    known = set(await work.all(select(of.id).where(of.tenant_id == work.tenant_id, within(of.id, list(ids)))))
    for each in ids:
        if each not in known:
            raise NotFound(id=str(each))


def _subject(of: Initiative) -> str:
    return f"initiative:{of.id.hex}"


def _told(of: Initiative) -> dict[str, Any]:
    """What the audit log says of an initiative; whom it is for as a count, since the ids are with it."""
    return {
        "name": of.name, "go_live_on": of.go_live_on.isoformat(), "baseline_days": of.baseline_days, "tier": of.tier,
        "customers": len(of.customer_ids), "segments": len(of.segment_ids), "departments": len(of.department_ids),
    }  # fmt: skip


def _measurement(work: Writing, evidence: Evidence, found: Found) -> Measurement:
    plan = evidence.plan
    return Measurement(
        id=work.ids(), initiative_id=evidence.initiative_id, seal_id=evidence.seal_id, number=evidence.number,
        kind=plan.kind, measured_at=evidence.read_at, watermark=evidence.read_at,
        starts_on=date.fromordinal(plan.go_live), ends_on=date.fromordinal(plan.measured_on),
        is_late=evidence.is_late, tier=found.tier, overall=found.overall,
        flags=list(dict.fromkeys((*found.flags, *evidence.flags))), next_on=evidence.next_on,
        currency=evidence.currency, late_occasions=evidence.late.occasions, late_amount=evidence.late.amount,
        findings=telling.findings(found, evidence.currency) | {"late_unrated": evidence.late.unrated},
        weekly=msgspec.to_builtins(found.weekly),
    )  # fmt: skip


def _verdict(of: Measurement, answer: QuestionAnswer, place: int) -> Verdict:
    return Verdict(
        measurement_id=of.id, question=answer.question, position=place, verdict=answer.verdict, reason=answer.reason,
        minimum_effect=answer.minimum_effect,
    )  # fmt: skip


def _comparison(of: Measurement, answer: QuestionAnswer, measure: MeasureAnswer, place: int) -> Comparison:
    interval = measure.interval
    return Comparison(
        measurement_id=of.id, measure=measure.measure, question=answer.question, position=place, change=measure.change,
        low=interval.low if interval else None, high=interval.high if interval else None, verdict=measure.verdict,
        reason=measure.reason, details=telling.measure(measure, of.currency),
    )  # fmt: skip
