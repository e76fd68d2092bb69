"""The one way into the log of transitions, and the projection that follows from it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple, cast
from uuid import UUID

import msgspec
from sqlalchemy import ARRAY, Text, Uuid, bindparam, delete, func, select, text

from domain.core.statements import as_one_value, insertion
from domain.interactions.model import Family as Payload
from domain.interactions.model import Interaction, InteractionKind
from domain.stages import history, queries
from domain.stages.model import Lifecycle, StageInterval, StageTransition
from domain.stages.queries import Family, LifecycleInForce, Logged
from domain.stages.rules import CauseKind, Movement

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy import ColumnElement, Table

    from domain.core.tables import TenantTable
    from domain.core.unit_of_work import Reading, Writing

STREAM = "stages"
"""The stream of the interactions that tell of moves."""


class Move(msgspec.Struct, frozen=True, kw_only=True):
    """A move to be made: out of a stage (None: from outside) and into one (None: to the outside)."""

    customer_id: UUID
    lifecycle: LifecycleInForce
    source: str | None
    target: str | None
    at: datetime
    cause: CauseKind
    cause_id: UUID | None = None
    direction: Movement | None = None
    reason: str | None = None
    evidence: Mapping[str, Any] | None = None
    corrects: UUID | None = None


async def transition(work: Writing, moves: Sequence[Move]) -> list[Logged]:
    """Enter moves into the log: the one command that does, whoever decided them.

    What was decided is not asked again here. Each move that is no correction stands on the customer's timeline as
    STAGE_CHANGED under the id of its transition; for each, StageEntered or StageLeft is told. The caller holds the
    guard of the families and brings their intervals up to date with `project` or `rebuild_intervals`.
    """
    logged = [_logged(work, move) for move in moves]
    await _write(work, StageTransition, [_transition(work, *pair) for pair in zip(logged, moves, strict=True)])
    made = [(row, move) for row, move in zip(logged, moves, strict=True) if move.corrects is None]
    await _write(work, Interaction, [timeline_entry(work, row.id, move) for row, move in made])
    for row, move in made:
        work.emit(
            "stages.StageLeft" if move.target is None else "stages.StageEntered",
            move.customer_id,
            lifecycle=move.lifecycle.key,
            from_stage=move.source,
            stage=move.target,
            transition=row.id.hex,
        )
    return logged


async def rebuild_intervals(work: Writing, customers: Sequence[UUID]) -> None:
    """Make the intervals of these customers what their logs say; where they do already, nothing is written.

    After a merge or unmerge, `customers` are both sides.
    """
    found = await queries.families(work, customers, guard=True)
    await project(work, found, await queries.logs(work, found))


async def project(work: Writing, found: Sequence[Family], logs: Mapping[tuple[UUID, UUID], Iterable[Logged]]) -> None:
    """Make the intervals of these families what their logs say, and rewrite only the rows that differ.

    So too the stage of the default lifecycle that the customers' own rows show.
    """
    named = {row.id: row for row in await work.rows(_NAMED, {"tenant": work.tenant_id})} if logs else {}
    wanted = {row.id: row for (root, of), log in logs.items() for row in _intervals(root, of, named[of].key, log)}
    members = [member for family in found for member in family.members]
    kept = {row.id: row for row in await _projected(work, members, list(wanted))}
    stale = [id_ for id_, row in kept.items() if wanted.get(id_) != row]
    if stale:
        await work.execute(delete(_TABLE).where(_TABLE.c.tenant_id == work.tenant_id, _TABLE.c.id == _one_of(stale)))
    await _write(work, StageInterval, [row._asdict() for id_, row in wanted.items() if kept.get(id_) != row])
    current = {row.customer_id: row for row in wanted.values() if row.is_current and named[row.lifecycle_id].is_default}
    rows = [current.get(member) for member in members]
    shown = {
        "members": members,
        "stages": [row and f"{row.lifecycle_key}:{row.stage_key}" for row in rows],
        "stage_ids": [row and row.stage_id for row in rows],
    }
    await work.execute(_SHOW_STAGES, {"tenant": work.tenant_id, **shown})


async def hide_stages(work: Writing) -> None:
    """No customer's row shows a stage any more: another lifecycle is the default one, and nobody has entered it yet."""
    await work.execute(_HIDE_STAGES, {"tenant": work.tenant_id})


def timeline_entry(work: Writing, id_: UUID, move: Move, revision: int = 1) -> dict[str, Any]:
    """What the customer's timeline says of a move: an interaction under the id of the transition."""
    stages = {"lifecycle": move.lifecycle.key, "from_stage": move.source, "to_stage": move.target}
    return {
        "id": id_,
        "revision": revision,
        "customer_id": move.customer_id,
        "kind": InteractionKind.STAGE_CHANGED,
        "family": Payload.STAGE,
        "occurred_at": move.at,
        "recorded_at": work.now,
        "stream": STREAM,
        "remote_id": id_.hex,
        "causation_id": work.causation.event_id,
        "payload": {name: stage for name, stage in stages.items() if stage is not None},
    }


class _Row(NamedTuple):
    """A row of the projection, without the tenant."""

    id: UUID
    customer_id: UUID
    lifecycle_id: UUID
    lifecycle_key: str
    stage_id: UUID
    stage_key: str
    visit: int
    entered_at: datetime
    exited_at: datetime | None
    is_current: bool
    cause_kind: str
    cause_id: UUID | None


_NAMED = select(Lifecycle.id, Lifecycle.key, Lifecycle.is_default).where(Lifecycle.tenant_id == bindparam("tenant"))
_SHOW_STAGES = text("""
UPDATE customers c SET default_stage = known.stage, default_stage_id = known.stage_id
FROM unnest(:members, :stages, :stage_ids) AS known(id, stage, stage_id)
WHERE c.tenant_id = :tenant AND c.id = known.id
    AND (c.default_stage, c.default_stage_id) IS DISTINCT FROM (known.stage, known.stage_id)
""").bindparams(
    bindparam("tenant", type_=Uuid()),
    bindparam("members", type_=ARRAY(Uuid())),
    bindparam("stages", type_=ARRAY(Text(collation="C"))),
    bindparam("stage_ids", type_=ARRAY(Uuid())),
)
_HIDE_STAGES = text("""
UPDATE customers SET default_stage = NULL, default_stage_id = NULL
WHERE tenant_id = :tenant AND default_stage IS NOT NULL
""").bindparams(bindparam("tenant", type_=Uuid()))
_TABLE = cast("Table", StageInterval.__table__)
_PROJECTED = [_TABLE.c[name] for name in _Row._fields]


def _logged(work: Writing, move: Move) -> Logged:
    return Logged(
        id=work.ids(),
        target=move.target,
        occurred_at=move.at,
        recorded_at=work.now,
        cause=move.cause,
        corrects=move.corrects,
        customer_id=move.customer_id,
        lifecycle_id=move.lifecycle.id,
        stage_id=None if move.target is None else move.lifecycle.stage_ids[move.target],
        cause_id=move.cause_id,
    )


def _transition(work: Writing, logged: Logged, move: Move) -> dict[str, Any]:
    return {
        "id": logged.id,
        "customer_id": move.customer_id,
        "lifecycle_id": move.lifecycle.id,
        "lifecycle_version_id": move.lifecycle.version_id,
        "from_stage_id": None if move.source is None else move.lifecycle.stage_ids[move.source],
        "to_stage_id": logged.stage_id,
        "occurred_at": move.at,
        "recorded_at": work.now,
        "direction": move.direction,
        "cause_kind": move.cause,
        "cause_id": move.cause_id,
        "actor": str(work.actor),
        "reason": move.reason,
        "evidence": move.evidence,
        "corrects": move.corrects,
    }


def _intervals(root: UUID, lifecycle_id: UUID, lifecycle_key: str, log: Iterable[Logged]) -> Iterable[_Row]:
    rows = {row.id: row for row in log}
    for visit in history.intervals(rows.values()):
        began = rows[visit.transition]
        if began.stage_id is not None:
            yield _Row(
                began.id, root, lifecycle_id, lifecycle_key, began.stage_id, visit.stage, visit.visit,
                visit.entered_at, visit.exited_at, visit.is_current, visit.cause, began.cause_id,
            )  # fmt: skip


async def _projected(reading: Reading, members: Sequence[UUID], wanted: Sequence[UUID]) -> list[_Row]:
    """The rows that these members have, and those that stand under somebody else, as after an unmerge."""
    theirs = select(*_PROJECTED).where(_TABLE.c.tenant_id == reading.tenant_id)
    found = theirs.where(_TABLE.c.customer_id == _one_of(members)).union(theirs.where(_TABLE.c.id == _one_of(wanted)))
    return [_Row._make(row) for row in await reading.rows(found)]


def _one_of(ids: Sequence[UUID]) -> ColumnElement[UUID]:
    return func.any(bindparam(None, list(ids), ARRAY(Uuid())))


async def _write(work: Writing, model: type[TenantTable], rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows that all have the same columns by one statement, in which they are one value."""
    if rows:
        values = {"tenant": work.tenant_id, "given": as_one_value(rows)}
        await work.execute(insertion(model.__tablename__, tuple(rows[0])), values)
