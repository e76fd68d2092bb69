"""Subscriptions: what happens from now on, or from a cursor on, without a hole."""

from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import orjson
import strawberry

from api import ids
from api.expose import lazily
from api.pages import within_int64
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
_MEMBERSHIPS = f"""
SELECT e.recorded_in, e.id FROM segment_membership_events e
WHERE e.tenant_id = $1 AND (e.recorded_in, e.id) > ($2::bigint, $3::uuid) AND e.recorded_in < {_HORIZON}
  AND ($4::uuid IS NULL OR e.segment_id = $4)
ORDER BY e.recorded_in, e.id LIMIT {AT_ONCE}
"""
_HAS_SEGMENT = "SELECT true FROM segments WHERE tenant_id = $1 AND id = $2"
_HAS_CUSTOMER = "SELECT true FROM customers WHERE tenant_id = $1 AND id = $2"
_HAS_LIFECYCLE = "SELECT true FROM lifecycles WHERE tenant_id = $1 AND key = $2"
_HAS_RUN = "SELECT true FROM sync_runs WHERE tenant_id = $1 AND id = $2"
_PROGRESS = """
SELECT r.counters::text AS counters, r.ended_at IS NOT NULL AS over, r.cancelled_at, (
    SELECT s.expected_count FROM stream_states s
    WHERE s.tenant_id = $1 AND s.integration_id = r.integration_id AND s.stream = r.stream) AS expected_count
FROM sync_runs r WHERE r.tenant_id = $1 AND r.id = $2
"""
_VERSIONS = "SELECT id, version FROM integrations WHERE tenant_id = $1 ORDER BY id"
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


@strawberry.type(description="A customer came into a segment or went out of it.")
class SegmentMembershipChangedEvent:
    """A customer came into a segment or went out of it."""

    cursor: str = strawberry.field(description="Go on after this with `after`.")
    membership: lazily("SegmentMembershipEvent", "api.segments") = strawberry.field(  # type: ignore[valid-type]
        description="Who came or went, and why."
    )


@strawberry.type(description="How far a run is.")
class SyncProgress:
    """How far a run is."""

    run: lazily("SyncRun", "api.integrations") = strawberry.field(description="The run, as it is now.")  # type: ignore[valid-type]
    expected: int | None = strawberry.field(description="How many records there are; null where nobody can say.")
    rate: float | None = strawberry.field(description="Records read in a second; null before it is known.")
    ends_at: datetime | None = strawberry.field(description="When it will be over, by its pace; null where unknown.")
    done: bool = strawberry.field(description="Whether it is over; nothing follows then.")


@strawberry.type(description="An integration is another than before.")
class IntegrationEvent:
    """An integration is another than before."""

    integration: lazily("Integration", "api.integrations") = strawberry.field(  # type: ignore[valid-type]
        description="The integration, as it is now."
    )


_RUN = Annotated[strawberry.ID, strawberry.argument(description="The run.")]
_CUSTOMER = Annotated[strawberry.ID, strawberry.argument(description="The customer.")]
_LIFECYCLE = Annotated[
    str | None, strawberry.argument(description="Only in the lifecycle of this key; in all without it.")
]
_SEGMENT = Annotated[strawberry.ID | None, strawberry.argument(description="Only this segment; all without it.")]
_AFTER = Annotated[
    str | None, strawberry.argument(description="Go on after the event with this cursor; without it, from now on.")
]


@strawberry.type(description="What can be followed as it happens.")
class Subscription:
    """What can be followed as it happens."""

    @strawberry.subscription(description="What happens with a customer, an organisation's people included.")
    async def customer_activity(
        self, info: strawberry.Info, customer: _CUSTOMER, after: _AFTER = None
    ) -> AsyncIterator[CustomerActivityEvent]:
        """Interactions of a customer as they are recorded, and as they are revised."""
        who = ids.reader("cus")(customer)
        return await _followed(info, _Source(_ACTIVITY, "interaction", who, _HAS_CUSTOMER, "customer"), after)

    @strawberry.subscription(description="Customers' moves from stage to stage.")
    async def stage_transitions(
        self, info: strawberry.Info, lifecycle: _LIFECYCLE = None, after: _AFTER = None
    ) -> AsyncIterator[StageTransitionEvent]:
        """Transitions as they are recorded, corrections included."""
        return await _followed(info, _Source(_TRANSITIONS, "transition", lifecycle, _HAS_LIFECYCLE, "lifecycle"), after)

    @strawberry.subscription(description="Who comes into segments and goes out of them.")
    async def segment_memberships(
        self, info: strawberry.Info, segment: _SEGMENT = None, after: _AFTER = None
    ) -> AsyncIterator[SegmentMembershipChangedEvent]:
        """Comings and goings as they are recorded, those of a run for everybody one by one, too."""
        which = None if segment is None else ids.reader("seg")(segment)
        return await _followed(info, _Source(_MEMBERSHIPS, "membership", which, _HAS_SEGMENT, "segment"), after)

    @strawberry.subscription(description="How far a run is, from now on until it is over.")
    async def sync_progress(self, info: strawberry.Info, run: _RUN) -> AsyncIterator[SyncProgress]:
        """What a run has found so far, whenever that is more; the first event says how it is now."""
        run_id = ids.reader("run")(run)
        context = info.context
        async with context.engine.database.snapshot(context.prepared.ask.identity.tenant_id) as connection:
            if not await connection.fetchval(_HAS_RUN, context.prepared.ask.identity.tenant_id, run_id):
                raise BadUserInput("There is no run like this here. Check it; one of another tenant is none.")
        return _progress(context, str(info.path.key), run_id)

    @strawberry.subscription(description="Integrations, whenever one has changed: its state, its settings, its name.")
    async def integration_changed(self, info: strawberry.Info) -> AsyncIterator[IntegrationEvent]:
        """What has changed from now on; who comes back later reads `integrations` first."""
        context = info.context
        async with context.engine.database.snapshot(context.prepared.ask.identity.tenant_id) as connection:
            known = await _versions(context, connection)
        return _changes(context, str(info.path.key), known)


SCOPES["syncProgress"] = {"integrations:admin"}
SCOPES["integrationChanged"] = {"integrations:admin"}
SCOPES["customerActivity"] = {"customers:read"}
SCOPES["stageTransitions"] = {"customers:read"}
SCOPES["segmentMemberships"] = {"metrics:read"}


@dataclass(frozen=True)
class _Source:
    """Where events come from: a statement that finds them, the field that shows them, and what they are about."""

    statement: str
    field: str
    about: UUID | str | None
    known: str
    noun: str


async def _followed(info: strawberry.Info, source: _Source, after: str | None) -> AsyncIterator[Any]:
    """The events of a source from a cursor on, or from now on. Raises BadUserInput before the first one."""
    context = info.context
    tenant = context.prepared.ask.identity.tenant_id
    async with context.engine.database.snapshot(tenant) as connection:
        if source.about is not None and not await connection.fetchval(source.known, tenant, source.about):
            raise BadUserInput(f"There is no {source.noun} like this here. Check it; one of another tenant is none.")
        now = await connection.fetchval(f"SELECT {_HORIZON}")
    position = (now, _FIRST) if after is None else _position(after)
    return _events(context, str(info.path.key), source, position)


async def _events(context: Any, root_key: str, source: _Source, position: tuple[int, UUID]) -> AsyncIterator[Any]:
    """What a source has behind a position, again whenever something may have happened."""
    engine, tenant = context.engine, context.prepared.ask.identity.tenant_id
    with engine.hints.of(tenant, at_least_every=1.0) as wakeups:
        async for _ in wakeups:
            is_full = True
            while is_full:
                async with engine.database.snapshot(tenant) as connection:
                    rows = await connection.fetch(source.statement, tenant, *position, source.about)
                    found = [(row, await context.load(row["id"], root_key, connection)) for row in rows]
                for row, documents in found:
                    position = (row["recorded_in"], row["id"])
                    yield {"cursor": _cursor(*position), source.field: documents}
                is_full = len(rows) == AT_ONCE


async def _progress(context: Any, root_key: str, run_id: UUID) -> AsyncIterator[Any]:
    """How far a run is, whenever that has changed, until it is over."""
    engine, tenant = context.engine, context.prepared.ask.identity.tenant_id
    told: Any = None
    with engine.hints.of(tenant, at_least_every=1.0) as wakeups:
        async for _ in wakeups:
            async with engine.database.snapshot(tenant) as connection:
                row = await connection.fetchrow(_PROGRESS, tenant, run_id)
                if row is None or row == told:
                    continue
                told = row
                run = await context.load(run_id, root_key, connection)
            counted = orjson.loads(row["counters"])
            yield {
                "run": run, "expected": counted.get("expected", row["expected_count"]), "rate": counted.get("rate"),
                "endsAt": None if row["over"] else _moment(counted.get("ends_at")), "done": row["over"],
            }  # fmt: skip
            if row["over"]:
                return


async def _changes(context: Any, root_key: str, known: Mapping[UUID, int]) -> AsyncIterator[Any]:
    """The integrations whose version is another than the known one."""
    engine, tenant = context.engine, context.prepared.ask.identity.tenant_id
    with engine.hints.of(tenant, at_least_every=1.0) as wakeups:
        async for _ in wakeups:
            async with engine.database.snapshot(tenant) as connection:
                now = await _versions(context, connection)
                changed = [each for each, version in now.items() if known.get(each) != version]
                found = [await context.load(each, root_key, connection) for each in changed]
            known = now
            for documents in found:
                yield {"integration": documents}


async def _versions(context: Any, connection: Any) -> dict[UUID, int]:
    rows = await connection.fetch(_VERSIONS, context.prepared.ask.identity.tenant_id)
    return {row["id"]: row["version"] for row in rows}


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _cursor(transaction: int, id_: UUID) -> str:
    return b64encode(f"{transaction}|{id_.hex}".encode()).decode()


def _position(cursor: str) -> tuple[int, UUID]:
    try:
        transaction, _, id_ = b64decode(cursor, validate=True).decode().partition("|")
        return within_int64(int(transaction)), UUID(id_)
    except (NotBase64, ValueError, UnicodeDecodeError) as unreadable:
        raise BadUserInput("This cursor cannot be read. Use one that an event gave.") from unreadable
