"""What can happen to an initiative: it is planned, its baseline is sealed, and it is measured."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from domain.core.problems import Conflict, Invalid, NotFound, StaleVersion
from domain.customers.model import Customer, Department
from domain.customers.queries import within
from domain.initiatives import queries, seal, sealing
from domain.initiatives.model import Initiative, InitiativeKind, InitiativeStatus, SealedPart
from domain.initiatives.plans import Question, Tier
from domain.segments.model import Segment

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date
    from uuid import UUID

    from domain.core.unit_of_work import Writing
    from domain.initiatives.model import BaselineSnapshot

LONGEST_BASELINE = 3660


class AlreadySealed(Conflict):
    """The baseline of this initiative is sealed: it cannot be sealed again, nor can what it was sealed for change."""


class BadBaseline(Invalid):
    """A baseline has 1 to 3,660 days. Choose as many days as you want to compare with."""


class BadMinimumEffect(Invalid):
    """The smallest change that matters is a fraction between 0 and 1, such as 0.02 for 2 %."""


class NameMissing(Invalid):
    """An initiative needs a name with at least one character that can be read."""


@dataclass(frozen=True)
class Proposal:
    """What is to be known of an initiative; with neither customers, segments nor departments it is for everyone."""

    name: str
    go_live_on: date
    baseline_days: int
    kind: InitiativeKind = InitiativeKind.OTHER
    tier: Tier = Tier.STANDARD
    customer_ids: Sequence[UUID] = ()
    segment_ids: Sequence[UUID] = ()
    department_ids: Sequence[UUID] = ()
    minimum_effects: Mapping[Question, float] | None = None
    paid_only: bool = False
    strict_floor: bool = False
    robust_ceiling: bool = False


async def create(work: Writing, asked: Proposal) -> Initiative:
    """Plan an initiative. Raises NameMissing, BadBaseline, BadMinimumEffect, or NotFound for whom it is for."""
    made = Initiative(
        id=work.ids(), status=InitiativeStatus.PLANNED, created_at=work.now, updated_at=work.now, version=1,
        **await _checked(work, asked),
    )  # fmt: skip
    work.add(made)
    work.audit("initiatives.create", _subject(made), after=_told(made))
    await work.flush()
    return made


async def update(work: Writing, initiative_id: UUID, asked: Proposal, version: int) -> Initiative:
    """Plan an initiative anew. Raises UnknownInitiative, StaleVersion, AlreadySealed or what `create` raises.

    Of a sealed one only the name and the kind can change.
    """
    found = await queries.guarded(work, initiative_id)
    if found.version != version:
        raise StaleVersion(path=("version",), current_version=found.version)
    before, values = _told(found), await _checked(work, asked)
    fixed = [name for name, value in values.items() if name not in _FREE and getattr(found, name) != value]
    if fixed and found.status != InitiativeStatus.PLANNED:
        raise AlreadySealed(path=(fixed[0],), id=str(initiative_id))
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


_FREE = {"name", "kind"}


async def _checked(work: Writing, asked: Proposal) -> dict[str, Any]:
    """The columns of an initiative as it is asked for."""
    if not asked.name.strip():
        raise NameMissing(path=("name",))
    if not 1 <= asked.baseline_days <= LONGEST_BASELINE:
        raise BadBaseline(path=("baseline_days",))
    effects = {question.value: effect for question, effect in (asked.minimum_effects or {}).items()}
    if not all(0 < effect < 1 for effect in effects.values()):
        raise BadMinimumEffect(path=("minimum_effects",))
    for name, of in (("customer_ids", Customer), ("segment_ids", Segment), ("department_ids", Department)):
        await _check_known(work, of, getattr(asked, name), name)
    values = {field.name: getattr(asked, field.name) for field in fields(asked)}
    chosen = {name: sorted(set(values[name])) for name in ("customer_ids", "segment_ids", "department_ids")}
    return {**values, **chosen, "name": asked.name.strip(), "minimum_effects": effects}


async def _check_known(
    work: Writing, of: type[Customer | Segment | Department], ids: Sequence[UUID], name: str
) -> None:
    if not ids:
        return
    known = set(await work.all(select(of.id).where(of.tenant_id == work.tenant_id, within(of.id, list(ids)))))
    for each in ids:
        if each not in known:
            raise NotFound(path=(name,), id=str(each))


def _subject(of: Initiative) -> str:
    return f"initiative:{of.id.hex}"


def _told(of: Initiative) -> dict[str, Any]:
    """What the audit log says of an initiative; whom it is for as a count, since the ids are with it."""
    return {
        "name": of.name, "go_live_on": of.go_live_on.isoformat(), "baseline_days": of.baseline_days, "tier": of.tier,
        "customers": len(of.customer_ids), "segments": len(of.segment_ids), "departments": len(of.department_ids),
    }  # fmt: skip
