"""The one way into the log of transitions, and the projection that follows from it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

import msgspec
from sqlalchemy import BigInteger, DateTime, Uuid, bindparam, text

from domain.core.ids import in_order
from domain.core.statements import as_one_value, statement
from domain.interactions.model import Family as Payload
from domain.interactions.model import InteractionKind
from domain.stages import queries
from domain.stages.queries import Family, LifecycleInForce
from domain.stages.rules import CauseKind, Movement, Standing

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from domain.core.unit_of_work import Writing

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


class Place(NamedTuple):
    """Where a surviving customer stands in a lifecycle, and which stages it ever visited there."""

    standing: Standing
    visited: frozenset[str]


NOWHERE = Place(Standing(), frozenset())
"""Where those stand who never entered the lifecycle."""


async def transition(work: Writing, moves: Sequence[Move]) -> UUID:
    """Enter at least one move into the log: the one command that does, whoever decided them.

    What was decided is not asked again here. Each move that is no correction stands on the customer's timeline as
    STAGE_CHANGED under the id of its transition; for each, StageEntered or StageLeft is told. Returns the id of the
    first transition, from which those of the others count on. The caller holds the guard of the families and brings
    their intervals up to date with `project` or `rebuild_intervals`.
    """
    first = work.ids()
    ids, events = in_order(first, len(moves)), in_order(work.ids(), len(moves))
    given = [_given(*each) for each in zip(ids, events, moves, strict=True)]
    told = {
        "actor": str(work.actor), "depth": work.causation.depth + 1,
        "entered": "stages.StageEntered", "left": "stages.StageLeft",
    }  # fmt: skip
    await work.execute(_ENTER, _moving(work, given, revision=1) | told)
    work.told()
    return first


async def show_again(work: Writing, id_: UUID, correction: Move, revision: int) -> None:
    """Let another revision of an entry of the timeline say what is believed of its move now."""
    given = _given(id_.hex, None, correction)
    await work.execute(_SHOW_AGAIN, _moving(work, [given], revision))


async def rebuild_intervals(work: Writing, customers: Sequence[UUID]) -> None:
    """Make the intervals of these customers what their logs say; where they do already, nothing is written.

    After a merge or unmerge, `customers` are both sides.
    """
    await project(work, await queries.families(work, customers, guard=True))


async def project(work: Writing, found: Iterable[Family]) -> Iterable[Any]:
    """Make the intervals of these families what their logs say, and rewrite only the rows that differ.

    So too the stage of the default lifecycle that the customers' own rows show. `places` reads what is returned.
    """
    return await work.execute(_PROJECT, {"tenant": work.tenant_id, **queries.pairs(found)})


def places(projected: Iterable[Any]) -> dict[tuple[UUID, UUID], Place]:
    """Where each root now stands in each lifecycle that it ever entered, as `history.standing` says it."""
    return {
        (root, lifecycle): Place(_standing(stage, entered_at, exited_at, cause, passed), frozenset(visited))
        for root, lifecycle, visited, stage, entered_at, exited_at, cause, passed in projected
    }


async def hide_stages(work: Writing) -> None:
    """No customer's row shows a stage any more: another lifecycle is the default one, and nobody has entered it yet."""
    await work.execute(_HIDE_STAGES, {"tenant": work.tenant_id})


_PINS = frozenset(cause.value for cause in CauseKind if cause.pins)
_FROM_OUTSIDE = frozenset({None})
_VISITS = queries.visits(
    "f.root_id",
    """family f
                CROSS JOIN LATERAL (
                    SELECT * FROM stage_transitions t WHERE t.tenant_id = :tenant AND t.customer_id = f.id
                    ORDER BY t.lifecycle_id, t.occurred_at, t.id OFFSET 0
                ) AS t
                LEFT JOIN stages s ON s.tenant_id = :tenant AND s.id = t.to_stage_id""",
)
_COLUMNS = (
    "id, customer_id, lifecycle_id, lifecycle_key, stage_id, stage_key, visit, entered_at, exited_at, is_current, "
    "cause_kind, cause_id"
)
# Everybody is looked up for himself, in the order of an index, and nothing is joined to what the log says: this holds
# with any statistics. Under the id of a visit there may be a row of somebody else, as after an unmerge. Who differs
# goes before others come, so that nobody has two current stays at once.
_PROJECT = statement(
    f"""
WITH family AS MATERIALIZED (SELECT * FROM unnest(:members, :roots) AS f (id, root_id)),
visits AS MATERIALIZED (
    SELECT v.id, v.root_id AS customer_id, v.lifecycle_id, l.key AS lifecycle_key, v.stage_id, v.stage_key,
        CAST(v.visit AS integer) AS visit, v.entered_at, v.exited_at, v.is_current, v.cause_kind, v.cause_id
    FROM ({_VISITS}) AS v
    JOIN lifecycles l ON l.tenant_id = :tenant AND l.id = v.lifecycle_id
),
kept AS (
    SELECT i.* FROM family f
    CROSS JOIN LATERAL (
        SELECT {_COLUMNS}, ctid AS place FROM stage_intervals
        WHERE tenant_id = :tenant AND customer_id = f.id ORDER BY lifecycle_key, entered_at, id OFFSET 0
    ) AS i
    UNION
    SELECT i.* FROM visits v
    CROSS JOIN LATERAL (
        SELECT {_COLUMNS}, ctid AS place FROM stage_intervals WHERE tenant_id = :tenant AND id = v.id OFFSET 0
    ) AS i
),
differing AS MATERIALIZED (
    SELECT {_COLUMNS}, max(place) AS place
    FROM (TABLE kept UNION ALL SELECT *, NULL FROM visits) AS known
    GROUP BY {_COLUMNS}
    HAVING count(*) = 1
),
gone AS (
    DELETE FROM stage_intervals
    WHERE tenant_id = :tenant AND ctid = ANY(ARRAY(SELECT place FROM differing WHERE place IS NOT NULL))
    RETURNING id
),
come AS (
    INSERT INTO stage_intervals (tenant_id, {_COLUMNS})
    SELECT :tenant, {_COLUMNS} FROM differing WHERE place IS NULL AND (SELECT count(*) FROM gone) >= 0
),
shown AS (
    UPDATE customers c SET default_stage = known.stage, default_stage_id = known.stage_id
    FROM (
        SELECT id, max(stage) AS stage, (array_agg(stage_id) FILTER (WHERE stage IS NOT NULL))[1] AS stage_id
        FROM (
            SELECT customer_id AS id, lifecycle_key || ':' || stage_key AS stage, stage_id
            FROM visits
            WHERE is_current
                AND lifecycle_id = (SELECT l.id FROM lifecycles l WHERE l.tenant_id = :tenant AND l.is_default)
            UNION ALL SELECT id, NULL, NULL FROM family
        ) AS each
        GROUP BY id
    ) AS known
    WHERE c.tenant_id = :tenant AND c.id = known.id
        AND (c.default_stage, c.default_stage_id) IS DISTINCT FROM (known.stage, known.stage_id)
)
SELECT customer_id, lifecycle_id, array_agg(DISTINCT stage_key) AS visited,
    max(stage_key) FILTER (WHERE is_current) AS stage, latest AS entered_at, max(exited_at) AS exited_at,
    max(cause_kind) FILTER (WHERE is_current) AS cause,
    array_agg(stage_key) FILTER (WHERE exited_at = latest) AS passed
FROM (SELECT *, max(entered_at) OVER (PARTITION BY customer_id, lifecycle_id) AS latest FROM visits) AS v
GROUP BY customer_id, lifecycle_id, latest
""",
    "members",
    "roots",
)
_GIVEN = """
moves AS MATERIALIZED (
    SELECT * FROM json_to_recordset(CAST(CAST(:moves AS text) AS json)) AS move (
        id uuid, event uuid, customer_id uuid, lifecycle text, lifecycle_id uuid, lifecycle_version_id uuid,
        from_stage text, from_stage_id uuid, to_stage text, to_stage_id uuid, occurred_at timestamptz, direction text,
        cause_kind text, cause_id uuid, reason text, evidence jsonb, corrects uuid
    )
)"""
_SHOW = f"""
INSERT INTO interactions (
    tenant_id, id, revision, customer_id, kind, family, occurred_at, recorded_at, stream, remote_id, causation_id,
    payload
)
SELECT :tenant, id, :revision, customer_id, '{InteractionKind.STAGE_CHANGED}', '{Payload.STAGE}', occurred_at, :now,
    '{STREAM}', replace(CAST(id AS text), '-', ''), :causation,
    jsonb_strip_nulls(jsonb_build_object('lifecycle', lifecycle, 'from_stage', from_stage, 'to_stage', to_stage))
FROM moves
"""
_TYPES = {"now": DateTime(timezone=True), "causation": Uuid(), "revision": BigInteger()}
_SHOW_AGAIN = statement(f"WITH {_GIVEN} {_SHOW}", **_TYPES)
_ENTER = statement(
    f"""
WITH {_GIVEN},
logged AS (
    INSERT INTO stage_transitions (
        tenant_id, id, customer_id, lifecycle_id, lifecycle_version_id, from_stage_id, to_stage_id, occurred_at,
        recorded_at, direction, cause_kind, cause_id, actor, reason, evidence, corrects
    )
    SELECT :tenant, id, customer_id, lifecycle_id, lifecycle_version_id, from_stage_id, to_stage_id, occurred_at,
        :now, direction, cause_kind, cause_id, :actor, reason, evidence, corrects
    FROM moves
),
shown AS ({_SHOW} WHERE corrects IS NULL)
INSERT INTO outbox_events (tenant_id, id, name, subject, body, occurred_at, causation_id, depth)
SELECT :tenant, event, CASE WHEN to_stage IS NULL THEN :left ELSE :entered END, customer_id,
    jsonb_build_object(
        'lifecycle', lifecycle, 'from_stage', from_stage, 'stage', to_stage,
        'transition', replace(CAST(id AS text), '-', '')
    ),
    :now, :causation, :depth
FROM moves WHERE corrects IS NULL
""",
    depth=BigInteger(),
    **_TYPES,
)
_HIDE_STAGES = text("""
UPDATE customers SET default_stage = NULL, default_stage_id = NULL
WHERE tenant_id = :tenant AND default_stage IS NOT NULL
""").bindparams(bindparam("tenant", type_=Uuid()))


def _given(id_: str, event: str | None, move: Move) -> dict[str, Any]:
    """A move as `_GIVEN` reads it."""
    lifecycle = move.lifecycle
    return {
        "id": id_,
        "event": event,
        "customer_id": move.customer_id,
        "lifecycle": lifecycle.key,
        "lifecycle_id": lifecycle.id,
        "lifecycle_version_id": lifecycle.version_id,
        "from_stage": move.source,
        "from_stage_id": None if move.source is None else lifecycle.stage_ids[move.source],
        "to_stage": move.target,
        "to_stage_id": None if move.target is None else lifecycle.stage_ids[move.target],
        "occurred_at": move.at,
        "direction": move.direction,
        "cause_kind": move.cause,
        "cause_id": move.cause_id,
        "reason": move.reason,
        "evidence": move.evidence,
        "corrects": move.corrects,
    }


def _moving(work: Writing, given: Sequence[Mapping[str, Any]], revision: int) -> dict[str, Any]:
    return {
        "tenant": work.tenant_id, "now": work.now, "causation": work.causation.event_id, "revision": revision,
        "moves": as_one_value(given),
    }  # fmt: skip


def _standing(
    stage: str | None, entered_at: datetime, exited_at: datetime | None, cause: str, passed: Sequence[str] | None
) -> Standing:
    if stage is None:
        return Standing(since=exited_at)
    left = frozenset(passed) if passed else _FROM_OUTSIDE
    return Standing(stage=stage, since=entered_at, passed=left, pinned=cause in _PINS)
