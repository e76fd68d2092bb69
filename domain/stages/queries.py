"""How lifecycles and the stages of customers are found, now and as they were believed to be earlier."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
from sqlalchemy import ARRAY, DateTime, Uuid, bindparam, select, text

from domain.core.problems import NotFound
from domain.core.statements import statement
from domain.customers.queries import roots_of
from domain.stages import history as past
from domain.stages import rules
from domain.stages.conditions import decode
from domain.stages.history import Conversion, FunnelStep, Interval, Movements, TimeInStage, Transition
from domain.stages.model import StageTransition

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy import Row, TextClause

    from domain.core.unit_of_work import Reading


class UnknownLifecycle(NotFound):
    """There is no published lifecycle with this key. Create or publish it first, or use the key of one that is."""


class UnknownCustomer(NotFound):
    """There is no customer with this id. Check the id; one of another tenant gets the same answer."""


@dataclass(frozen=True)
class LifecycleInForce:
    """A lifecycle with the version that counts now.

    `stage_ids` are by key, also of stages that only an earlier version had; `moved` says where the customers of those
    belong now (None: nowhere).
    """

    id: UUID
    key: str
    labels: Mapping[str, str]
    is_default: bool
    version_id: UUID
    number: int
    definition: rules.Lifecycle
    stage_ids: Mapping[str, UUID]
    rule_ids: tuple[UUID, ...]
    moved: Mapping[str, str | None]

    def has(self, stage: str | None) -> bool:
        """Whether the version in force has this stage; outside of the lifecycle is always a place to be."""
        return stage in self.definition.automatic

    def place_of(self, stage: str | None) -> str | None:
        """Where whoever stood in this stage stands in the version in force."""
        return stage if self.has(stage) or stage is None else self.moved.get(stage)

    def rule_id(self, rule: rules.Rule) -> UUID:
        """The id of one of the rules of the definition."""
        return self._rule_ids[rule]

    @cached_property
    def _rule_ids(self) -> Mapping[rules.Rule, UUID]:
        return dict(zip(self.definition.rules, self.rule_ids, strict=True))


class Family(NamedTuple):
    """A surviving customer with all who were merged into it."""

    root: UUID
    members: tuple[UUID, ...]
    first_seen_at: datetime
    is_erased: bool


async def lifecycles(reading: Reading, *, guard: bool = False) -> list[LifecycleInForce]:
    """Every lifecycle that was published, with the version in force, by key.

    With `guard`, no other version comes into force until this transaction ends.
    """
    return await _in_force(reading, guard=guard)


async def lifecycle(
    reading: Reading, key: str | None = None, *, lifecycle_id: UUID | None = None, guard: bool = False
) -> LifecycleInForce:
    """The lifecycle of a key or an id, or else the tenant's default one, with the version in force.

    With `guard` as for `lifecycles`. Raises UnknownLifecycle.
    """
    which = "l.is_default" if key is None else "l.key = :key"
    if lifecycle_id is not None:
        which = "l.id = :id"
    found = await _in_force(reading, which, {"id": lifecycle_id, "key": key}, guard=guard)
    if not found:
        raise UnknownLifecycle(lifecycle=key)
    return found[0]


async def definition(reading: Reading, key: str, version_id: UUID) -> rules.Lifecycle:
    """The stages and rules of one version of a lifecycle, also of a draft."""
    stages = await _parts(reading, _STAGES, [version_id])
    conditions = await _parts(reading, _RULES, [version_id])
    return _definition(key, stages.get(version_id, ()), conditions.get(version_id, ()))


async def families(reading: Reading, customers: Iterable[UUID], *, guard: bool = False) -> list[Family]:
    """The families of these customers, each once; ids that do not exist here are left out.

    With `guard`, whoever else wants to move one of them waits until this transaction ends.
    """
    # Two plain look-ups: joined to one statement, the planner reads the whole tenant where statistics are fresh or few.
    whose = {"tenant": reading.tenant_id, "roots": await roots_of(reading, customers)}
    found: Sequence[Any] = await reading.rows(_GUARDED_FAMILIES if guard else _FAMILIES, whose)
    return [Family(root, tuple(members), *rest) for root, members, *rest in found]


async def family(reading: Reading, customer: UUID, *, guard: bool = False) -> Family:
    """The family of one customer. Raises UnknownCustomer, the same for an invented, a foreign and an erased one."""
    found = await families(reading, [customer], guard=guard)
    if not found or found[0].is_erased:
        raise UnknownCustomer(id=customer)
    return found[0]


def pairs(found: Iterable[Family]) -> dict[str, list[UUID]]:
    """The `members` of these families, and for each its root among `roots`, as parameters of a statement."""
    of = [(member, family.root) for family in found for member in family.members]
    return {"members": [member for member, _ in of], "roots": [root for _, root in of]}


async def logs(
    reading: Reading, found: Iterable[Family], *, lifecycle_id: UUID | None = None, as_of: datetime | None = None
) -> dict[tuple[UUID, UUID], list[Transition]]:
    """By surviving customer and lifecycle, the log of all its members, in no order."""
    roots = {member: family.root for family in found for member in family.members}
    values = {"members": list(roots), "lifecycle": lifecycle_id, "as_of": as_of}
    together: dict[tuple[UUID, UUID], list[Transition]] = {}
    for row in await reading.rows(_LOG, {"tenant": reading.tenant_id, **values}):
        logged = Transition(
            id=row.id,
            target=row.stage_key,
            occurred_at=row.occurred_at,
            recorded_at=row.recorded_at,
            cause=_CAUSES[row.cause_kind],
            corrects=row.corrects,
        )
        together.setdefault((roots[row.customer_id], row.lifecycle_id), []).append(logged)
    return together


async def history(
    reading: Reading, customer: UUID, key: str | None = None, *, as_of: datetime | None = None
) -> list[Interval]:
    """The visits of a customer to the stages of a lifecycle; with `as_of`, those that were believed then.

    Raises UnknownCustomer or UnknownLifecycle.
    """
    of = await lifecycle(reading, key)
    whose = await family(reading, customer)
    log = await logs(reading, [whose], lifecycle_id=of.id, as_of=as_of)
    return past.intervals(log.get((whose.root, of.id), ()))


async def transition(reading: Reading, transition_id: UUID) -> StageTransition:
    """A move as it was first recorded, also where the id is that of a correction of it. Raises ForeignTransition."""
    known = select(StageTransition).where(StageTransition.tenant_id == reading.tenant_id)
    found = await reading.one(known.where(StageTransition.id == transition_id))
    if found is None:
        raise past.ForeignTransition(id=transition_id)
    if found.corrects is None:
        return found
    return await transition(reading, found.corrects)


async def funnel(
    reading: Reading, key: str | None = None, *, since: datetime | None = None, until: datetime | None = None
) -> list[FunnelStep]:
    """The funnel over the OPEN and WON stages in order, each surviving customer once, as `history.funnel` defines it.

    With a window, only entries within [since, until) count. Raises UnknownLifecycle.
    """
    of = await lifecycle(reading, key)
    stages = [stage.key for stage in of.definition.stages if not stage.kind.ends]
    counted = await reading.rows(FUNNEL, _window(reading, of, since, until) | {"stages": stages})
    rows = {row.place: row for row in counted}
    steps: list[FunnelStep] = []
    for place, stage in enumerate(stages, start=1):
        row = rows.get(place)
        steps.append(
            FunnelStep(
                stage=stage,
                entered=row.entered if row else 0,
                reached=sum(other.ended_here for other in counted if other.place >= place),
                continued=None if place == 1 else (row.continued if row else 0),
                of=steps[-1].entered if steps else None,
            )
        )
    return steps


async def conversions(
    reading: Reading, key: str | None = None, *, since: datetime | None = None, until: datetime | None = None
) -> list[Conversion]:
    """Who came from each stage to each other one, each surviving customer once, as `history.conversions` defines it.

    With a window, only entries within [since, until) count. Raises UnknownLifecycle.
    """
    of = await lifecycle(reading, key)
    counted = await reading.rows(CONVERSIONS, _window(reading, of, since, until))
    customers = {(row.source, row.target): row.customers for row in counted}
    stages = [stage.key for stage in of.definition.stages]
    return [
        Conversion(
            source=source, target=target, converted=customers.get((source, target), 0),
            of=customers.get((source, source), 0),
        )
        for source in stages
        for target in stages
        if target != source
    ]  # fmt: skip


async def time_in_stage(
    reading: Reading, key: str | None = None, *, since: datetime | None = None, until: datetime | None = None
) -> list[TimeInStage]:
    """How long customers stay in each stage, in the order of the stages, as `history.time_in_stage` defines it.

    With a window, the visits that began within [since, until) count. Raises UnknownLifecycle.
    """
    of = await lifecycle(reading, key)
    counted = await reading.rows(TIME_IN_STAGE, _window(reading, of, since, until) | {"now": reading.now})
    rows = {row.stage_key: row for row in counted}
    return [
        _time_in_stage(rows[stage.key])
        if stage.key in rows
        else TimeInStage(stage=stage.key, customers=0, visits=0, visit=None, latest=None, cumulative=None)
        for stage in of.definition.stages
    ]


async def movements(
    reading: Reading, key: str | None = None, *, since: datetime | None = None, until: datetime | None = None
) -> list[Movements]:
    """Which ways customers took through the OPEN and WON stages in order, as `history.movements` defines it.

    With a window, the moves within [since, until) count. Raises UnknownLifecycle.
    """
    of = await lifecycle(reading, key)
    stages = [stage.key for stage in of.definition.stages if not stage.kind.ends]
    counted = await reading.rows(MOVEMENTS, _window(reading, of, since, until) | {"stages": stages})
    return [
        Movements(
            stage=stages[row.place - 1], left=row.left_it, regressed=row.regressed, entered=row.entered,
            skipped=row.skipped,
        )
        for row in counted
    ]  # fmt: skip


def visits(root: str, rows: str) -> str:
    """SQL: the visits that the log tells of, as `history.intervals` defines them, each root's by itself.

    `rows` is what stands after FROM: rows `t` of `stage_transitions`, of all members of a root where of any, with the
    stage `s` that each leads into; `root` is the expression of whose they are.
    """
    return f"""
SELECT m.id, m.root_id, m.lifecycle_id, m.to_stage_id AS stage_id, m.stage_key,
    row_number() OVER (
        PARTITION BY m.root_id, m.lifecycle_id, m.stage_key ORDER BY m.occurred_at, m.first_recorded_at, m.move
    ) AS visit,
    m.occurred_at AS entered_at, m.exited_at, m.exited_at IS NULL AS is_current, m.cause_kind, m.cause_id
FROM (
    SELECT n.*, lead(n.occurred_at) OVER way AS exited_at
    FROM (
        SELECT b.*, lag(b.stage_key) OVER way AS stage_before
        FROM (
            SELECT DISTINCT ON (l.move) l.*
            FROM (
                SELECT {root} AS root_id, t.id, coalesce(t.corrects, t.id) AS move, t.lifecycle_id, t.to_stage_id,
                    s.key AS stage_key, t.occurred_at, t.recorded_at, t.cause_kind, t.cause_id,
                    min(t.recorded_at) FILTER (WHERE t.corrects IS NULL)
                        OVER (PARTITION BY coalesce(t.corrects, t.id)) AS first_recorded_at
                FROM {rows}
            ) AS l
            ORDER BY l.move, l.recorded_at DESC, l.id DESC
        ) AS b
        WINDOW way AS (PARTITION BY b.root_id, b.lifecycle_id ORDER BY b.occurred_at, b.first_recorded_at, b.move)
    ) AS n
    WHERE n.stage_key IS DISTINCT FROM n.stage_before
    WINDOW way AS (PARTITION BY n.root_id, n.lifecycle_id ORDER BY n.occurred_at, n.first_recorded_at, n.move)
) AS m
WHERE m.stage_key IS NOT NULL
"""


_BELIEVED = visits(
    "CAST(NULL AS uuid)",
    """stage_transitions t
                LEFT JOIN stages s ON s.tenant_id = $1 AND s.id = t.to_stage_id
                WHERE t.tenant_id = $1 AND t.customer_id = ANY ({customers}) AND t.lifecycle_id = {lifecycle}
                    AND t.recorded_at <= {as_of}""",
)

INTERVALS_AS_OF = f"""
SELECT id, lifecycle_id, stage_id, stage_key, visit, entered_at, exited_at, is_current, cause_kind, cause_id
FROM ({_BELIEVED}) AS believed
"""
"""SQL: the rows of `stage_intervals` of ONE surviving customer as they were believed at an earlier time, in no order.

Parameter $1 is the tenant. To be filled in by `str.format`, each with an SQL expression, which may refer to a row
outside where this stands in LATERAL: `customers` (uuid[]: the members of the surviving customer), `lifecycle` (uuid)
and `as_of` (timestamptz). The rules are those of `history.intervals`, and a test holds the two against each other.
"""


def _families(lock: str) -> TextClause:
    return statement(
        f"""
        SELECT root_id, array_agg(id ORDER BY id) AS members, min(first_seen_at) AS first_seen_at,
            coalesce(bool_or(status = 'ERASED') FILTER (WHERE id = root_id), false) AS is_erased
        FROM (
            SELECT id, root_id, first_seen_at, status FROM customers
            WHERE tenant_id = :tenant AND root_id = ANY(:roots)
            {lock}
        ) AS people
        GROUP BY root_id
        """,
        "roots",
    )


_FAMILIES, _GUARDED_FAMILIES = _families(""), _families("ORDER BY id FOR NO KEY UPDATE")


_CAUSES = {str(cause): cause for cause in rules.CauseKind}

_LOG = text("""
SELECT t.id, t.customer_id, t.lifecycle_id, s.key AS stage_key, t.occurred_at, t.recorded_at, t.cause_kind, t.corrects
FROM stage_transitions t
LEFT JOIN stages s ON s.tenant_id = :tenant AND s.id = t.to_stage_id
WHERE t.tenant_id = :tenant AND t.customer_id = ANY(:members)
    AND (CAST(:lifecycle AS uuid) IS NULL OR t.lifecycle_id = :lifecycle)
    AND (CAST(:as_of AS timestamptz) IS NULL OR t.recorded_at <= :as_of)
""").bindparams(
    bindparam("tenant", type_=Uuid()),
    bindparam("members", type_=ARRAY(Uuid())),
    bindparam("lifecycle", type_=Uuid()),
    bindparam("as_of", type_=DateTime(timezone=True)),
)

_ENTERED = """
i.tenant_id = :tenant AND i.lifecycle_id = :lifecycle
    AND (CAST(:since AS timestamptz) IS NULL OR i.entered_at >= :since)
    AND (CAST(:until AS timestamptz) IS NULL OR i.entered_at < :until)
"""

FUNNEL = text(f"""
WITH entries AS (
    SELECT i.customer_id, s.place, min(i.entered_at) AS first_at, max(i.entered_at) AS last_at
    FROM stage_intervals i
    JOIN unnest(CAST(:stages AS text[])) WITH ORDINALITY AS s(key, place) ON s.key = i.stage_key
    WHERE {_ENTERED}
    GROUP BY i.customer_id, s.place
), ways AS (
    SELECT place, last_at, lag(place) OVER way AS place_before, lag(first_at) OVER way AS first_before,
        lead(place) OVER way IS NULL AS ends_here
    FROM entries
    WINDOW way AS (PARTITION BY customer_id ORDER BY place)
)
SELECT place, count(*) AS entered, count(*) FILTER (WHERE ends_here) AS ended_here,
    count(*) FILTER (WHERE place_before = place - 1 AND last_at >= first_before) AS continued
FROM ways
GROUP BY place
""")

# With each stage itself as a target stand all who entered it.
CONVERSIONS = text(f"""
WITH entries AS (
    SELECT i.customer_id, i.stage_key, min(i.entered_at) AS first_at, max(i.entered_at) AS last_at
    FROM stage_intervals i
    WHERE {_ENTERED}
    GROUP BY i.customer_id, i.stage_key
)
SELECT source.stage_key AS source, target.stage_key AS target, count(*) AS customers
FROM entries source
JOIN entries target ON target.customer_id = source.customer_id AND target.last_at >= source.first_at
GROUP BY source.stage_key, target.stage_key
""")

MOVEMENTS = text("""
WITH places AS (
    SELECT key, place FROM unnest(CAST(:stages AS text[])) WITH ORDINALITY AS s(key, place)
), ways AS (
    SELECT coalesce(source.place, 0) AS source, coalesce(target.place, 0) AS target
    FROM (
        SELECT i.stage_key, i.entered_at, CASE WHEN lag(i.exited_at) OVER way = i.entered_at
            THEN lag(i.stage_key) OVER way END AS comes_from
        FROM stage_intervals i
        WHERE i.tenant_id = :tenant AND i.lifecycle_id = :lifecycle
        WINDOW way AS (PARTITION BY i.customer_id ORDER BY i.entered_at, i.exited_at NULLS LAST, i.id)
    ) AS moved
    LEFT JOIN places source ON source.key = moved.comes_from
    LEFT JOIN places target ON target.key = moved.stage_key
    WHERE (CAST(:since AS timestamptz) IS NULL OR moved.entered_at >= :since)
        AND (CAST(:until AS timestamptz) IS NULL OR moved.entered_at < :until)
)
SELECT p.place, count(*) FILTER (WHERE w.source = p.place) AS left_it,
    count(*) FILTER (WHERE w.source = p.place AND w.target > 0 AND w.target < p.place) AS regressed,
    count(*) FILTER (WHERE w.source < p.place AND w.target = p.place) AS entered,
    count(*) FILTER (WHERE w.source < p.place AND w.target > p.place) AS skipped
FROM places p LEFT JOIN ways w ON true
GROUP BY p.place
ORDER BY p.place
""")

# The Kaplan-Meier curve in one pass: by length of stay, how many were still there and how many of them left.
TIME_IN_STAGE = text(f"""
WITH visits AS (
    SELECT i.stage_key, i.customer_id, i.exited_at IS NOT NULL AS is_over,
        coalesce(i.exited_at, :now) - i.entered_at AS length,
        i.visit = max(i.visit) OVER (PARTITION BY i.stage_key, i.customer_id) AS is_latest
    FROM stage_intervals i
    WHERE {_ENTERED}
), stays AS (
    SELECT 'visit' AS kind, stage_key, length, is_over FROM visits
    UNION ALL SELECT 'latest', stage_key, length, is_over FROM visits WHERE is_latest
    UNION ALL SELECT 'cumulative', stage_key, sum(length), bool_and(is_over) FROM visits GROUP BY stage_key, customer_id
), lengths AS (
    SELECT kind, stage_key, length, count(*) AS stays, count(*) FILTER (WHERE is_over) AS ended
    FROM stays
    GROUP BY kind, stage_key, length
), risks AS (
    SELECT *, sum(stays) OVER (PARTITION BY kind, stage_key ORDER BY length DESC) AS at_risk
    FROM lengths
), curve AS (
    SELECT *, CASE WHEN ended = at_risk THEN 0 ELSE exp(
        sum(ln(1 - CAST(ended AS float8) / CAST(at_risk AS float8))) FILTER (WHERE ended < at_risk)
            OVER (PARTITION BY kind, stage_key ORDER BY length)
    ) END AS survival
    FROM risks
)
SELECT stage_key,
    CAST(sum(stays) FILTER (WHERE kind = 'cumulative') AS bigint) AS customers,
    CAST(sum(stays) FILTER (WHERE kind = 'visit') AS bigint) AS visits,
    min(length) FILTER (WHERE kind = 'visit' AND survival <= {past.HALF}) AS visit,
    min(length) FILTER (WHERE kind = 'latest' AND survival <= {past.HALF}) AS latest,
    min(length) FILTER (WHERE kind = 'cumulative' AND survival <= {past.HALF}) AS cumulative
FROM curve
GROUP BY stage_key
""")


def _window(reading: Reading, of: LifecycleInForce, since: datetime | None, until: datetime | None) -> dict[str, Any]:
    return {"tenant": reading.tenant_id, "lifecycle": of.id, "since": since, "until": until}


def _time_in_stage(row: Row[Any]) -> TimeInStage:
    return TimeInStage(
        stage=row.stage_key,
        customers=row.customers,
        visits=row.visits,
        visit=row.visit,
        latest=row.latest,
        cumulative=row.cumulative,
    )


@cache
def _published(which: str, lock: str) -> TextClause:
    """The published versions of these lifecycles, the latest of each last."""
    return statement(f"""
        SELECT l.id, l.key, l.labels, l.is_default, v.id AS version_id, v.number, v.stage_map
        FROM lifecycles l JOIN lifecycle_versions v ON v.tenant_id = l.tenant_id AND v.lifecycle_id = l.id
        WHERE l.tenant_id = :tenant AND v.published_at IS NOT NULL AND {which}
        ORDER BY l.key, v.number
        {lock}
    """)


def _of_versions(columns: str, table: str) -> TextClause:
    return statement(
        f"""
        SELECT lifecycle_version_id, id, {columns} FROM {table}
        WHERE tenant_id = :tenant AND lifecycle_version_id = ANY(:versions)
        ORDER BY position
        """,
        "versions",
    )


_STAGES = _of_versions("key, position, labels, step, kind, rotting_days, needs", "stages")
_RULES = _of_versions("from_stage, to_stage, trigger, condition, requires_reason", "transition_rules")


async def _in_force(
    reading: Reading, which: str = "true", values: Mapping[str, Any] | None = None, *, guard: bool = False
) -> list[LifecycleInForce]:
    published = _published(which, "FOR SHARE OF l" if guard else "")
    lifecycles: dict[UUID, list[Row[Any]]] = {}
    for version in await reading.rows(published, {"tenant": reading.tenant_id, **(values or {})}):
        lifecycles.setdefault(version.id, []).append(version)
    if not lifecycles:
        return []
    all_versions = [version.version_id for versions in lifecycles.values() for version in versions]
    stages = await _parts(reading, _STAGES, all_versions)
    conditions = await _parts(reading, _RULES, [versions[-1].version_id for versions in lifecycles.values()])
    return [_assemble(versions, stages, conditions) for versions in lifecycles.values()]


async def _parts(reading: Reading, of: TextClause, versions: Sequence[UUID]) -> dict[UUID, list[Row[Any]]]:
    """The stages or the rules of these versions, by version, in the order of their positions."""
    parts: dict[UUID, list[Row[Any]]] = {}
    for part in await reading.rows(of, {"tenant": reading.tenant_id, "versions": versions}):
        parts.setdefault(part.lifecycle_version_id, []).append(part)
    return parts


def _assemble(
    versions: Sequence[Row[Any]],
    stages: Mapping[UUID, Sequence[Row[Any]]],
    conditions: Mapping[UUID, Sequence[Row[Any]]],
) -> LifecycleInForce:
    last = versions[-1]
    kept = conditions.get(last.version_id, ())
    now = _definition(last.key, stages[last.version_id], kept)
    return LifecycleInForce(
        id=last.id,
        key=last.key,
        labels=last.labels,
        is_default=last.is_default,
        version_id=last.version_id,
        number=last.number,
        definition=now,
        stage_ids={stage.key: stage.id for version in versions for stage in stages[version.version_id]},
        rule_ids=tuple(rule.id for rule in kept),
        moved=_moved(versions, now),
    )


def _definition(key: str, stages: Iterable[Row[Any]], conditions: Iterable[Row[Any]]) -> rules.Lifecycle:
    return rules.Lifecycle(
        key=key, stages=tuple(_stage(stage) for stage in stages), rules=tuple(_rule(rule) for rule in conditions)
    )


def _moved(versions: Iterable[Row[Any]], now: rules.Lifecycle) -> dict[str, str | None]:
    """Where the customers of stages that are no more belong: through the maps of all versions up to the last."""
    moved: dict[str, str | None] = {}
    for version in versions:
        stage_map = version.stage_map or {}
        moved = {stage: target and stage_map.get(target) for stage, target in moved.items()} | stage_map
    return {stage: target for stage, target in moved.items() if stage not in now.automatic}


def _stage(row: Row[Any]) -> rules.Stage:
    return rules.Stage(
        key=row.key,
        position=row.position,
        label=msgspec.convert(row.labels, rules.Text),
        step=rules.CanonicalStep(row.step),
        kind=rules.StageKind(row.kind),
        rotting_days=row.rotting_days,
        needs=msgspec.convert(row.needs, rules.Text) if row.needs else None,
    )


def _rule(row: Row[Any]) -> rules.Rule:
    return rules.Rule(
        source=row.from_stage,
        target=row.to_stage,
        trigger=rules.Trigger(row.trigger),
        when=None if row.condition is None else decode(row.condition),
        requires_reason=row.requires_reason,
    )
