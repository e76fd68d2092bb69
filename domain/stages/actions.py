"""What can happen to lifecycles and to the stages of customers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import UNSET, UnsetType
from sqlalchemy import func, select

from domain.core.events import OutboxEvent, on
from domain.core.problems import Conflict, Invalid
from domain.customers.touched import named_by
from domain.interactions.model import Interaction
from domain.stages import history, memberships, queries, rules, settling
from domain.stages.conditions import encode
from domain.stages.model import (
    Lifecycle,
    LifecycleVersion,
    NoteKind,
    Stage,
    StageInterval,
    StageNote,
    TransitionRule,
)
from domain.stages.rules import CauseKind, Text
from domain.stages.templates import LifecycleTemplate, template
from domain.stages.transitions import Move, hide_stages, rebuild_intervals, show_again, transition

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from domain.core.unit_of_work import Writing
    from domain.stages.history import Interval, Transition
    from domain.stages.queries import Family, LifecycleInForce


class LifecycleExists(Conflict):
    """A lifecycle with this key exists already. Choose another key, or publish a new version of that one."""


class BadLifecycleKey(Invalid):
    """The key of a lifecycle is written in snake_case. Use small letters, digits and underscores."""


class NothingToPublish(Conflict):
    """This lifecycle has no draft to publish. Write a draft first, or give the definition itself."""


class MoveInFuture(Invalid):
    """A move cannot lie in the future. Give the time at which it happened, or leave it out."""


class NothingToCorrect(Invalid):
    """The correction says what is believed already. Give another stage or another time."""


class EmptyNote(Invalid):
    """A note says nothing without a text. Write what is needed, what hurts or what is planned."""


async def create_lifecycle(
    work: Writing,
    definition: rules.Lifecycle,
    *,
    title: Text,
    default: bool = False,
    draft: bool = False,
    template_key: str | None = None,
) -> Lifecycle:
    """Make a lifecycle and put its first version in force, unless that is a draft.

    A tenant's first lifecycle is its default one; later, `default` makes it so. Raises LifecycleExists,
    BadLifecycleKey, or what `Memberships.check` raises of the segments that rules ask for.
    """
    if not (definition.key.isascii() and definition.key.isidentifier() and definition.key == definition.key.lower()):
        raise BadLifecycleKey(path=("key",))
    existing = {row.key: row for row in await work.all(_lifecycles(work).with_for_update())}
    if definition.key in existing:
        raise LifecycleExists(path=("key",))
    if default:
        for other in existing.values():
            other.is_default = False
        await work.flush()
        await hide_stages(work)
    made = Lifecycle(
        id=work.ids(), key=definition.key, template_key=template_key, labels=_plain(title),
        is_default=default or not existing, created_at=work.now,
    )  # fmt: skip
    await work.add(made).flush()
    work.audit("lifecycles.create", f"lifecycle:{made.id.hex}", after={"key": made.key, "default": made.is_default})
    version = await _write_version(work, made, definition, number=1)
    if not draft:
        await _put_in_force(work, made, version, definition)
    return made


async def create_from_template(
    work: Writing, template_key: str, *, key: str | None = None, default: bool = False,
    brought: Mapping[str, LifecycleTemplate] | None = None,
) -> Lifecycle:  # fmt: skip
    """Make a lifecycle from a template, under its own key or another, and put it in force.

    The templates are those that ship and those that plugins `brought`.

    Raises UnknownTemplate, LifecycleExists or BadLifecycleKey.
    """
    chosen = template(template_key, brought)
    definition = msgspec.structs.replace(chosen.lifecycle, key=key or chosen.key)
    return await create_lifecycle(work, definition, title=chosen.title, default=default, template_key=chosen.key)


async def draft_version(work: Writing, definition: rules.Lifecycle) -> LifecycleVersion:
    """Write the next version of a lifecycle, which `publish` can put in force. Raises UnknownLifecycle."""
    of = await _guarded_lifecycle(work, definition.key)
    last = await work.one(
        select(func.max(LifecycleVersion.number)).where(
            LifecycleVersion.tenant_id == work.tenant_id, LifecycleVersion.lifecycle_id == of.id
        )
    )
    return await _write_version(work, of, definition, number=(last or 0) + 1)


async def publish(
    work: Writing,
    key: str,
    definition: rules.Lifecycle | None = None,
    stage_map: Mapping[str, str | None] | None = None,
) -> LifecycleVersion:
    """Put a new version in force: this definition, or else the latest draft; customers move with their stages.

    The map says for old stages where their customers stand from now on (None: outside); stages that keep their key
    need no entry. Who must move is moved by MIGRATION, and the rules look at everybody soon. Raises
    UnknownLifecycle, NothingToPublish, UnknownStage, IncompleteStageMap, or what `Memberships.check` raises.
    """
    of = await _guarded_lifecycle(work, key)
    before = next((one for one in await queries.lifecycles(work) if one.id == of.id), None)
    if definition is not None:
        definition = msgspec.structs.replace(definition, key=key)
        version = await draft_version(work, definition)
    else:
        version = await _latest_draft(work, of)
        definition = await queries.definition(work, key, version.id)
    standing = await _standing(work, of)
    if before is not None:
        in_use = {stay.stage_key for stay in standing}
        version.stage_map = rules.publish_map(before.definition, definition, stage_map or {}, in_use=in_use)
    await _put_in_force(work, of, version, definition)
    await _take_along(work, await queries.lifecycle(work, key), standing, version.stage_map or {})
    return version


async def move(
    work: Writing,
    customer: UUID,
    to_stage: str | None,
    key: str | None = None,
    *,
    occurred_at: datetime | None = None,
    reason: str | None = None,
    cause: CauseKind = CauseKind.PERSON,
    cause_id: UUID | None = None,
) -> UUID:
    """Move a customer into a stage, or with None out of the lifecycle, and return the id of the transition.

    `occurred_at` may lie back: the move then starts from the stage of that time. By a PERSON, the lifecycle's MANUAL
    rules decide what is allowed. Raises UnknownCustomer, UnknownLifecycle, UnknownStage, SameStage,
    StageNotReachable, ReasonRequired or MoveInFuture, and changes nothing then.
    """
    at = _past(work, occurred_at or work.now)
    of = await queries.lifecycle(work, key, guard=True)
    family, log = await _guarded(work, customer, of)
    visits = [visit for visit in history.intervals(log) if visit.entered_at <= at]
    source = _stage_at(visits, at)
    here = of.place_of(source)
    if cause is CauseKind.PERSON:
        rules.check_move(of.definition, here, to_stage, reason=reason)
    else:
        _check_told(of, here, to_stage)
    visited = {visit.stage for visit in visits}
    made = Move(
        customer_id=family.root, lifecycle=of, source=source, target=to_stage, at=at, cause=cause, cause_id=cause_id,
        direction=rules.direction(of.definition, here, to_stage, visited), reason=reason,
    )  # fmt: skip
    id_ = await transition(work, [made])
    if cause is CauseKind.PERSON:
        work.audit(
            "stages.move", f"customer:{family.root.hex}", before={"stage": source},
            after={"stage": to_stage, "lifecycle": of.key, "transition": id_.hex},
        )  # fmt: skip
    await settling.settle(work, [family.root])
    work.emit("stages.CustomersMoved", family.root, customers=[family.root.hex])
    return id_


async def correct(
    work: Writing,
    transition_id: UUID,
    *,
    stage: str | UnsetType | None = UNSET,
    occurred_at: datetime | None = None,
    reason: str,
) -> UUID:
    """Say what is now believed of an earlier move: its stage (None: it led out), its time or both.

    The old row stays, and `asOf` still finds it; a mistaken move is taken back by correcting it to the stage before.
    Returns the id of the correction. Raises ForeignTransition, UnknownStage, ReasonRequired, MoveInFuture or
    NothingToCorrect, and changes nothing then.
    """
    original = await queries.transition(work, transition_id)
    of = await queries.lifecycle(work, lifecycle_id=original.lifecycle_id, guard=True)
    family, log = await _guarded(work, original.customer_id, of)
    if not reason.strip():
        raise rules.ReasonRequired(path=("reason",))
    believed = history.believed(log, original.id)
    if stage is not UNSET and stage is not None:
        of.definition.stage(stage)
    correction = Move(
        customer_id=original.customer_id,
        lifecycle=of,
        source=await _stage_key(work, original.from_stage_id),
        target=believed.target if stage is UNSET else stage,
        at=believed.occurred_at if occurred_at is None else _past(work, occurred_at),
        cause=CauseKind.PERSON,
        reason=reason,
        corrects=original.id,
    )
    if (correction.target, correction.at) == (believed.target, believed.occurred_at):
        raise NothingToCorrect
    _check_place(of, log, correction, work.ids(), work.now)
    id_ = await transition(work, [correction])
    await _correct_timeline(work, original.id, correction)
    work.audit(
        "stages.correct",
        f"transition:{original.id.hex}",
        before={"stage": believed.target, "occurred_at": believed.occurred_at.isoformat()},
        after={"stage": correction.target, "occurred_at": correction.at.isoformat()},
    )
    await settling.settle(work, [family.root])
    work.emit("stages.CustomersMoved", family.root, customers=[family.root.hex])
    return id_


async def add_note(
    work: Writing,
    customer: UUID,
    stage: str,
    kind: NoteKind,
    body: str,
    key: str | None = None,
    *,
    occurred_at: datetime | None = None,
    source: str = "manual",
) -> StageNote:
    """Note a need, a pain point or the plan for a customer in a stage.

    Raises UnknownCustomer, UnknownLifecycle, UnknownStage or EmptyNote.
    """
    if not body.strip():
        raise EmptyNote(path=("text",))
    of = await queries.lifecycle(work, key)
    family = await queries.family(work, customer)
    stage_id = of.stage_ids[of.definition.stage(stage).key]
    note = StageNote(
        id=work.ids(), customer_id=family.root, lifecycle_id=of.id, stage_id=stage_id, kind=kind, text=body.strip(),
        source=source, author=str(work.actor), occurred_at=occurred_at or work.now, recorded_at=work.now,
    )  # fmt: skip
    await work.add(note).flush()
    work.audit("stages.add_note", f"customer:{family.root.hex}", after={"note": note.id.hex, "kind": kind})
    return note


@on("customers.CustomerCreated")
@on("customers.CustomerChanged")
@on("customers.CustomersMerged")
@on("customers.CustomersUnmerged")
@on("interactions.InteractionRecorded")
@on("interactions.InteractionRevised")
@on("purchases.OrderRecorded")
@on("purchases.RefundRecorded")
async def settle_touched(work: Writing, event: OutboxEvent) -> None:
    """Ask the stage rules again of the customers whom an event names."""
    await settling.settle(work, named_by(event))


def _lifecycles(work: Writing) -> Any:
    return select(Lifecycle).where(Lifecycle.tenant_id == work.tenant_id)


async def _guarded_lifecycle(work: Writing, key: str) -> Lifecycle:
    found: Lifecycle | None = await work.one(_lifecycles(work).where(Lifecycle.key == key).with_for_update())
    if found is None:
        raise queries.UnknownLifecycle(lifecycle=key)
    return found


async def _latest_draft(work: Writing, of: Lifecycle) -> LifecycleVersion:
    found = await work.one(
        select(LifecycleVersion)
        .where(LifecycleVersion.tenant_id == work.tenant_id, LifecycleVersion.lifecycle_id == of.id)
        .order_by(LifecycleVersion.number.desc())
        .limit(1)
    )
    if found is None or found.published_at is not None:
        raise NothingToPublish
    return found


async def _write_version(work: Writing, of: Lifecycle, definition: rules.Lifecycle, *, number: int) -> LifecycleVersion:
    version = LifecycleVersion(id=work.ids(), lifecycle_id=of.id, number=number, created_at=work.now)
    await work.add(version).flush()
    stages = [
        Stage(
            id=work.ids(), lifecycle_version_id=version.id, key=stage.key, position=stage.position, step=stage.step,
            kind=stage.kind, labels=_plain(stage.label), rotting_days=stage.rotting_days,
            needs=_plain(stage.needs) if stage.needs else {},
        )
        for stage in definition.stages
    ]  # fmt: skip
    ways = [
        TransitionRule(
            id=work.ids(), lifecycle_version_id=version.id, position=position, from_stage=rule.source,
            to_stage=rule.target, trigger=rule.trigger, condition=encode(rule.when) if rule.when else None,
            requires_reason=rule.requires_reason,
        )
        for position, rule in enumerate(definition.rules, start=1)
    ]  # fmt: skip
    await work.add(*stages, *ways).flush()
    return version


async def _put_in_force(
    work: Writing, of: Lifecycle, version: LifecycleVersion, definition: rules.Lifecycle
) -> None:  # fmt: skip
    await memberships.known().check(work, definition)
    version.published_at = work.now
    await work.flush()
    work.audit("lifecycles.publish", f"lifecycle:{of.id.hex}", after={"key": of.key, "version": version.number})
    await settling.settle_everybody_soon(work)


async def _standing(work: Writing, of: Lifecycle) -> Sequence[Any]:
    """Who stands where in a lifecycle now."""
    stays = select(StageInterval.customer_id, StageInterval.stage_key).where(
        StageInterval.tenant_id == work.tenant_id, StageInterval.lifecycle_id == of.id, StageInterval.is_current
    )
    return await work.rows(stays)


async def _take_along(
    work: Writing, of: LifecycleInForce, standing: Sequence[Any], stage_map: Mapping[str, str | None]
) -> None:
    """Move the customers whose stage has another place in the version that has just come into force."""
    moves = [
        Move(
            customer_id=stay.customer_id, lifecycle=of, source=stay.stage_key, target=stage_map[stay.stage_key],
            at=work.now, cause=CauseKind.MIGRATION, cause_id=of.version_id,
        )
        for stay in standing
        if stage_map[stay.stage_key] != stay.stage_key
    ]  # fmt: skip
    if moves:
        await transition(work, moves)
        moved = [move.customer_id for move in moves]
        await rebuild_intervals(work, moved)
        work.emit("stages.CustomersMoved", of.id, customers=[each.hex for each in moved])


async def _guarded(work: Writing, customer: UUID, of: LifecycleInForce) -> tuple[Family, Sequence[Transition]]:
    """A customer's family, which nobody else moves until this transaction ends, and its log in a lifecycle."""
    family = await queries.family(work, customer, guard=True)
    log = await queries.logs(work, [family], lifecycle_id=of.id)
    return family, log.get((family.root, of.id), [])


def _past(work: Writing, at: datetime) -> datetime:
    if at > work.now:
        raise MoveInFuture(path=("occurred_at",))
    return at


def _stage_at(visits: Sequence[Interval], at: datetime) -> str | None:
    """The stage at a moment, from the visits that began until then."""
    if not visits:
        return None
    left = visits[-1].exited_at
    return None if left is not None and left <= at else visits[-1].stage


def _check_told(of: LifecycleInForce, source: str | None, target: str | None) -> None:
    """What another system tells needs no rule that allows it, but a stage that exists and is another one."""
    if target is not None:
        of.definition.stage(target)
    if source == target:
        raise rules.SameStage(stage=target)


def _check_place(of: LifecycleInForce, log: Sequence[Transition], correction: Move, id_: UUID, now: datetime) -> None:
    """A correction must not leave the customer in a stage that the version in force does not have."""
    believed = history.Transition(
        id=id_, target=correction.target, occurred_at=correction.at, recorded_at=now, corrects=correction.corrects
    )
    stage = history.standing(history.intervals([*log, believed])).stage
    if stage is not None:
        of.definition.stage(stage)


async def _correct_timeline(work: Writing, move_id: UUID, correction: Move) -> None:
    """Let the timeline say what is believed now: another revision, or nothing where the move never happened."""
    shown = select(Interaction).where(Interaction.tenant_id == work.tenant_id, Interaction.id == move_id)
    last = await work.one(shown.order_by(Interaction.revision.desc()).limit(1))
    if last is not None and last.superseded_at is None:
        last.superseded_at = work.now
        await work.flush()
    if correction.source != correction.target:
        revision = last.revision + 1 if last is not None else 1
        await show_again(work, move_id, correction, revision)


async def _stage_key(work: Writing, stage_id: UUID | None) -> str | None:
    return await work.one(select(Stage.key).where(Stage.tenant_id == work.tenant_id, Stage.id == stage_id))


def _plain(words: Text) -> dict[str, str]:
    plain: dict[str, str] = msgspec.to_builtins(words)
    return plain
