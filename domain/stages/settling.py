"""Stage rules, set-based: what the facts of many customers say of their stages, now and when time has gone by."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sqlalchemy import ARRAY, DateTime, Uuid, bindparam, func, select, text

from domain.core import events
from domain.core.due import due
from domain.core.statements import statement
from domain.customers.model import MILLIONTHS, AttributeDefinition, AttributeType, CustomerAttribute
from domain.purchases import queries as purchases
from domain.stages import memberships, queries, rules
from domain.stages.conditions import Facts, Needs, Record, Span
from domain.stages.model import StageCheck
from domain.stages.transitions import NOWHERE, Move, places, project, transition

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from domain.core.unit_of_work import Reading, Writing
    from domain.stages.queries import Family, LifecycleInForce
    from domain.stages.transitions import Place

STAGE_RULES = "stage_rules"
"""The kind of due work that looks at the rules again."""

BATCH = 1000
"""How many customers are settled together: what bounds the memory, and the work of one call by time."""


async def settle(work: Writing, customers: Sequence[UUID]) -> int:
    """Make the stages of these customers what their facts and the rules say now, and return how many moves that took.

    In every lifecycle in force, for the whole family of each customer: rules move them on, dated when their
    conditions came to hold; who stands in a stage that is no more, as after an unmerge, is taken along as the version
    in force says; the intervals become what the logs say; and when time alone can move somebody next is remembered.
    Settling again with nothing new writes nothing.
    """
    if not customers:
        return 0
    lifecycles = await queries.lifecycles(work, guard=True)
    moved = 0
    for start in range(0, len(customers), BATCH):
        moved += await _settle(work, lifecycles, customers[start : start + BATCH])
    return moved


async def settle_everybody_soon(work: Writing) -> None:
    """Have the rules look at every customer of the tenant, in portions and after this transaction."""
    await work.execute(_LOOK_AT_EVERYBODY, {"tenant": work.tenant_id, "now": work.now})
    await events.make_due(work.session, work.tenant_id, STAGE_RULES, "", work.now)


async def settle_soon(work: Writing, customers: Iterable[UUID]) -> None:
    """Have the rules look at these surviving customers, in portions and after this transaction."""
    await work.execute(_LOOK_SOON, {"tenant": work.tenant_id, "customers": list(customers), "now": work.now})
    await events.make_due(work.session, work.tenant_id, STAGE_RULES, "", work.now)


@due(STAGE_RULES)
async def settle_due(work: Writing, _key: str) -> datetime | None:
    """Settle a portion of the customers whose time has come, and say when the next one's comes."""
    waiting = (
        select(StageCheck.customer_id)
        .where(StageCheck.tenant_id == work.tenant_id, StageCheck.due_at <= work.now)
        .order_by(StageCheck.due_at, StageCheck.customer_id)
        .limit(BATCH)
    )
    customers = await work.all(waiting)
    if await settle(work, customers):
        work.emit("stages.CustomersMoved", customers[0], customers=[each.hex for each in customers])
    return await work.one(select(func.min(StageCheck.due_at)).where(StageCheck.tenant_id == work.tenant_id))


_IDS = (
    bindparam("tenant", type_=Uuid()),
    bindparam("members", type_=ARRAY(Uuid())),
    bindparam("roots", type_=ARRAY(Uuid())),
)
_FAMILIES = "unnest(:members, :roots) AS m(id, root)"

_INTERACTIONS = text(f"""
SELECT m.root, i.kind, array_agg(i.occurred_at ORDER BY i.occurred_at) AS moments
FROM {_FAMILIES}
JOIN interactions i ON i.tenant_id = :tenant AND i.customer_id = m.id AND i.superseded_at IS NULL
WHERE i.kind = ANY(CAST(:kinds AS text[])) AND NOT i.machine_suspected
GROUP BY m.root, i.kind
""").bindparams(*_IDS)

_EVENTS = text(f"""
SELECT m.root, e.name, array_agg(e.occurred_at) AS moments
FROM {_FAMILIES}
JOIN outbox_events e ON e.tenant_id = :tenant AND coalesce(CAST(e.body ->> 'customer_id' AS uuid), e.subject) = m.id
WHERE e.name = ANY(CAST(:names AS text[]))
GROUP BY m.root, e.name
""").bindparams(*_IDS)

_LOOK_AGAIN = text("""
INSERT INTO stage_checks AS c (tenant_id, customer_id, due_at)
SELECT :tenant, look.customer_id, look.due_at
FROM unnest(:customers, :moments) AS look(customer_id, due_at)
ON CONFLICT (tenant_id, customer_id) DO UPDATE SET due_at = excluded.due_at WHERE c.due_at <> excluded.due_at
""").bindparams(
    bindparam("tenant", type_=Uuid()),
    bindparam("customers", type_=ARRAY(Uuid())),
    bindparam("moments", type_=ARRAY(DateTime(timezone=True))),
)

_LOOK_NO_MORE = statement("DELETE FROM stage_checks WHERE tenant_id = :tenant AND customer_id = ANY(:quiet)", "quiet")

_LOOK_NOW = """
INSERT INTO stage_checks AS c (tenant_id, customer_id, due_at)
SELECT :tenant, id, :now FROM customers WHERE tenant_id = :tenant AND root_id = id AND status = 'ACTIVE' {whom}
ORDER BY id
ON CONFLICT (tenant_id, customer_id) DO UPDATE SET due_at = excluded.due_at WHERE c.due_at > excluded.due_at
"""
_LOOK_AT_EVERYBODY = statement(_LOOK_NOW.format(whom=""), now=DateTime(timezone=True))
_LOOK_SOON = statement(
    _LOOK_NOW.format(whom="AND id = ANY(:customers)"), "customers", now=DateTime(timezone=True)
)  # fmt: skip


async def _settle(work: Writing, lifecycles: Sequence[LifecycleInForce], customers: Sequence[UUID]) -> int:
    found = await queries.families(work, customers, guard=True)
    stand = places(await project(work, found))
    living = [family for family in found if not family.is_erased]
    records = await _records(work, living, _needs(lifecycles))
    moves: list[Move] = []
    looks: dict[UUID, datetime] = {}
    for family, record in zip(living, records, strict=True):
        for lifecycle in lifecycles:
            place = stand.get((family.root, lifecycle.id), NOWHERE)
            made, look_again = _decide(work, lifecycle, family, place, record)
            moves += made
            if look_again is not None:
                looks[family.root] = min(look_again, looks.get(family.root, look_again))
    if moves:
        await transition(work, moves)
        moved = {move.customer_id for move in moves}
        await project(work, [family for family in living if family.root in moved])
    await _look_again(work, {member for family in found for member in family.members} | set(customers), looks)
    return len(moves)


def _decide(
    work: Writing, lifecycle: LifecycleInForce, family: Family, place: Place, record: Record
) -> tuple[list[Move], datetime | None]:
    """What the rules of a lifecycle decide for a customer, and when they can decide something else by time."""
    standing, visited = place
    moves: list[Move] = []
    if not lifecycle.has(standing.stage):
        moves.append(_taken_along(work, lifecycle, family, standing.stage))
        standing = rules.Standing(stage=moves[0].target, since=work.now)
    definition = lifecycle.definition
    for decided in rules.settle(definition, standing, record, until=work.now):
        move = _by_rule(lifecycle, family, decided, record, standing, visited)
        moves.append(move)
        standing = rules.Standing(stage=move.target, since=move.at)
        visited |= {move.target} if move.target else set()
    return moves, rules.next_look(definition, standing, record, after=work.now)


def _taken_along(work: Writing, lifecycle: LifecycleInForce, family: Family, stage: str | None) -> Move:
    return Move(
        customer_id=family.root,
        lifecycle=lifecycle,
        source=stage,
        target=lifecycle.place_of(stage),
        at=work.now,
        cause=rules.CauseKind.MIGRATION,
        cause_id=lifecycle.version_id,
    )


def _by_rule(
    lifecycle: LifecycleInForce,
    family: Family,
    decided: rules.Move,
    record: Record,
    standing: rules.Standing,
    visited: Collection[str],
) -> Move:
    rule = decided.rule
    return Move(
        customer_id=family.root,
        lifecycle=lifecycle,
        source=rule.source,
        target=rule.target,
        at=decided.at,
        cause=rules.CauseKind.RULE,
        cause_id=lifecycle.rule_id(rule),
        direction=rules.direction(lifecycle.definition, rule.source, rule.target, visited),
        evidence=_evidence(record.facts_at(decided.at, lifecycle.definition.needs, in_stage_since=standing.since)),
    )


def _evidence(facts: Facts) -> dict[str, Any]:
    """The facts that a rule saw, in plain JSON, without what was not there."""
    seen: dict[str, Any] = {"occasions": facts.occasions}
    if facts.days_since_last_purchase is not None:
        seen["days_since_last_purchase"] = facts.days_since_last_purchase
    if facts.days_in_stage is not None:
        seen["days_in_stage"] = facts.days_in_stage
    if facts.interactions or facts.attributes or facts.events or facts.segments:
        seen |= {name: value for name, value in _rarer(facts).items() if value}
    return seen


def _rarer(facts: Facts) -> dict[str, Any]:
    return {
        "interactions": {
            kind if days is None else f"{kind} within {days} days": count
            for (kind, days), count in facts.interactions.items()
            if count
        },
        "attributes": {
            key: str(value) if isinstance(value, Decimal) else value for key, value in facts.attributes.items()
        },
        "events": sorted(facts.events),
        "segments": sorted(segment.hex for segment in facts.segments),
    }


def _needs(lifecycles: Iterable[LifecycleInForce]) -> Needs:
    together = Needs()
    for lifecycle in lifecycles:
        together |= lifecycle.definition.needs
    return together


async def _records(reading: Reading, found: Sequence[Family], needs: Needs) -> list[Record]:
    """The dated evidence on each family, as far as the rules ask for it."""
    whose: dict[str, Any] = {"tenant": reading.tenant_id, **queries.pairs(found)}
    occasions = await purchases.purchase_occasions(reading, whose["members"])
    interactions = await _interactions(reading, whose, {kind for kind, _ in needs.interactions})
    happened = await _events(reading, whose, needs.events)
    belonged = await _memberships(reading, whose, needs.segments)
    attributes = await _attributes(reading, [family.root for family in found], needs.attributes)
    return [
        Record(
            first_seen_at=family.first_seen_at,
            occasions=occasions.get(family.root, ()),
            interactions=interactions.get(family.root, {}),
            events=happened.get(family.root, {}),
            memberships=belonged.get(family.root, {}),
            attributes=attributes.get(family.root, {}),
        )
        for family in found
    ]


async def _interactions(
    reading: Reading, whose: Mapping[str, Any], kinds: Iterable[str]
) -> dict[UUID, dict[str, tuple[datetime, ...]]]:
    found: dict[UUID, dict[str, tuple[datetime, ...]]] = {}
    if kinds:
        for row in await reading.rows(_INTERACTIONS, {**whose, "kinds": list(kinds)}):
            found.setdefault(row.root, {})[row.kind] = tuple(row.moments)
    return found


async def _events(
    reading: Reading, whose: Mapping[str, Any], names: Iterable[str]
) -> dict[UUID, dict[str, frozenset[datetime]]]:
    found: dict[UUID, dict[str, frozenset[datetime]]] = {}
    if names:
        for row in await reading.rows(_EVENTS, {**whose, "names": list(names)}):
            found.setdefault(row.root, {})[row.name] = frozenset(row.moments)
    return found


async def _memberships(
    reading: Reading, whose: Mapping[str, Any], segments: Collection[UUID]
) -> dict[UUID, dict[UUID, list[Span]]]:
    """When each family had a member in these segments."""
    found: dict[UUID, dict[UUID, list[Span]]] = {}
    if segments:
        root_of = dict(zip(whose["members"], whose["roots"], strict=True))
        for member, of in (await memberships.known().spans(reading, whose["members"], segments)).items():
            theirs = found.setdefault(root_of[member], {})
            for segment, spans in of.items():
                theirs.setdefault(segment, []).extend(spans)
    return found


async def _attributes(reading: Reading, roots: Sequence[UUID], keys: Iterable[str]) -> dict[UUID, dict[str, Any]]:
    if not keys:
        return {}
    golden = (
        select(CustomerAttribute, AttributeDefinition.type)
        .join(
            AttributeDefinition,
            (AttributeDefinition.tenant_id == CustomerAttribute.tenant_id)
            & (AttributeDefinition.key == CustomerAttribute.key),
        )
        .where(
            CustomerAttribute.tenant_id == reading.tenant_id,
            CustomerAttribute.customer_id == func.any(bindparam("roots", list(roots), ARRAY(Uuid()))),
            CustomerAttribute.key.in_(keys),
        )
    )
    found: dict[UUID, dict[str, Any]] = {}
    for row in await reading.rows(golden):
        attribute = row.CustomerAttribute
        found.setdefault(attribute.customer_id, {})[attribute.key] = _value(attribute, row.type)
    return found


def _value(attribute: CustomerAttribute, type_: str) -> Any:
    if type_ == AttributeType.DECIMAL and attribute.integer_value is not None:
        return Decimal(attribute.integer_value) / MILLIONTHS
    values = (
        attribute.text_value, attribute.integer_value, attribute.boolean_value,
        attribute.date_value, attribute.time_value,
    )  # fmt: skip
    return next((value for value in values if value is not None), None)


async def _look_again(work: Writing, touched: Iterable[UUID], looks: Mapping[UUID, datetime]) -> None:
    quiet = [customer for customer in touched if customer not in looks]
    await work.execute(_LOOK_NO_MORE, {"tenant": work.tenant_id, "quiet": quiet})
    if looks:
        moments = {"customers": list(looks), "moments": list(looks.values())}
        await work.execute(_LOOK_AGAIN, {"tenant": work.tenant_id, **moments})
        await events.make_due(work.session, work.tenant_id, STAGE_RULES, "", min(looks.values()))
