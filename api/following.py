"""Subscriptions: what happens from now on, or from a cursor on, without a hole."""

from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import strawberry
from graphql import GraphQLResolveInfo

from api import ids
from api.expose import lazily
from api.problems import BadUserInput
from api.reads.mapping import SCOPES

AT_ONCE = 100

# Nothing is added any more below the oldest transaction that still runs: what is read in order up to there is whole.
_HORIZON = "pg_snapshot_xmin(pg_current_snapshot())::text::bigint"
_ACTIVITY = f"""
SELECT i.recorded_in, i.id FROM interactions i
WHERE i.tenant_id = $1 AND i.superseded_at IS NULL AND i.customer_id = ANY (
    SELECT unnest(m.member_ids || array(
        SELECT unnest(p.member_ids) FROM customers p WHERE p.tenant_id = $1 AND p.organisation_id = ANY (m.member_ids)))
    FROM customers m WHERE m.tenant_id = $1 AND m.id = (
        SELECT r.root_id FROM customers r WHERE r.tenant_id = $1 AND r.id = $4::uuid))
  AND (i.recorded_in, i.id) > ($2::bigint, $3::uuid) AND i.recorded_in < {_HORIZON}
ORDER BY i.recorded_in, i.id LIMIT {AT_ONCE}
"""
_TRANSITIONS = f"""
SELECT t.recorded_in, t.id FROM stage_transitions t
WHERE t.tenant_id = $1 AND (t.recorded_in, t.id) > ($2::bigint, $3::uuid) AND t.recorded_in < {_HORIZON}
  AND ($4::text IS NULL OR t.lifecycle_id = (SELECT l.id FROM lifecycles l WHERE l.tenant_id = $1 AND l.key = $4))
ORDER BY t.recorded_in, t.id LIMIT {AT_ONCE}
"""
_FIRST = UUID(int=0)


@strawberry.type(description="Something happened with a customer.")
class CustomerActivityEvent:
    """Something happened with a customer."""

    cursor: str = strawberry.field(description="Go on after this with `after`.")
    interaction: lazily("Interaction", "api.interactions") = strawberry.field(description="What happened.")  # type: ignore[valid-type]


@strawberry.type(description="A customer moved.")
class StageTransitionEvent:
    """A customer moved."""

    cursor: str = strawberry.field(description="Go on after this with `after`.")
    transition: lazily("StageTransition", "api.stages") = strawberry.field(description="The move.")  # type: ignore[valid-type]


_SINCE = "Only what was recorded after this cursor; from now on without it."


@strawberry.type(description="What can be followed as it happens.")
class Subscription:
    """What can be followed as it happens."""

    @strawberry.subscription(description="What happens with a customer, an organisation's people included.")
    async def customer_activity(
        self, info: strawberry.Info, customer: strawberry.ID, after: str | None = None
    ) -> AsyncIterator[CustomerActivityEvent]:
        """Interactions of a customer as they are recorded."""
        who = ids.reader("cus")(customer)
        async for event in _followed(info._raw_info, _ACTIVITY, who, "interaction", after):  # noqa: SLF001
            yield event

    @strawberry.subscription(description="Customers' moves from stage to stage.")
    async def stage_transitions(
        self, info: strawberry.Info, lifecycle: str | None = None, after: str | None = None
    ) -> AsyncIterator[StageTransitionEvent]:
        """Transitions as they are recorded."""
        async for event in _followed(info._raw_info, _TRANSITIONS, lifecycle, "transition", after):  # noqa: SLF001
            yield event


SCOPES["customerActivity"] = {"customers:read"}
SCOPES["stageTransitions"] = {"customers:read"}


async def _followed(
    info: GraphQLResolveInfo[Any], statement: str, which: Any, name: str, after: str | None
) -> AsyncIterator[Any]:
    """What a statement finds after a cursor, again whenever something may have happened."""
    context = info.context
    engine, tenant = context.engine, context.prepared.ask.identity.tenant_id
    position = _position(after) if after is not None else await _now(engine, tenant)
    with engine.hints.of(tenant, at_least_every=1.0) as wakeups:
        async for _ in wakeups:
            found = True
            while found:
                async with engine.database.snapshot(tenant) as connection:
                    rows = await connection.fetch(statement, tenant, *position, which)
                    documents = [await context.load(row["id"], info.path.key, connection) for row in rows]
                for row, document in zip(rows, documents, strict=True):
                    position = (row["recorded_in"], row["id"])
                    yield {"cursor": _cursor(*position), name: document}
                found = len(rows) == AT_ONCE


async def _now(engine: Any, tenant: UUID) -> tuple[int, UUID]:
    async with engine.database.snapshot(tenant) as connection:
        return (await connection.fetchval(f"SELECT {_HORIZON}"), _FIRST)


def _cursor(transaction: int, id_: UUID) -> str:
    return b64encode(f"{transaction}|{id_.hex}".encode()).decode()


def _position(cursor: str) -> tuple[int, UUID]:
    try:
        transaction, _, id_ = b64decode(cursor, validate=True).decode().partition("|")
        return int(transaction), UUID(id_)
    except (NotBase64, ValueError, UnicodeDecodeError) as unreadable:
        raise BadUserInput("This cursor cannot be read. Use one that an event gave.") from unreadable
