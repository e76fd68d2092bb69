"""What an admin decides: what is deleted, retried, put aside or linked, whose value stands, what is repaired."""

from enum import StrEnum
from uuid import UUID

import strawberry
from sqlalchemy import select

from api import ids
from api.changes import Around, mutation
from api.changing.inputs import given, id_of, needed, several
from api.changing.integrations import ADMIN, IntegrationInput, connector_of, done, id_in, locked
from api.expose import describe
from api.reference import Reference
from api.replays import Done
from domain.core.problems import NotFound
from domain.core.unit_of_work import Writing
from domain.integrations import queries
from domain.integrations.model import DeadLetter, Integration, ReconciliationReport, SyncConflict
from sync import dead_letters, drift, duties, sweeps
from sync.repair import RepairDirection
from sync.two_way import conflicts, matching

AT_ONCE = 500
"""How many rejected records one request decides about."""

_INTEGRATION = "The integration."


@strawberry.input(description="A large deletion that waits.")
class BulkDeleteInput:
    """A large deletion that waits."""

    id: strawberry.ID = needed("The deletion.")


@mutation("bulkDelete", "integrations.BulkDelete", scope=ADMIN)
async def approve_bulk_delete(work: Writing, asked: BulkDeleteInput) -> Done:
    """Agree to a large deletion: the records are deleted here, too, and can be restored by the other side."""
    decided = await sweeps.approve(work, id_in("bkd", asked.id))
    return Done(Reference("BulkDelete", decided.id))


@mutation("bulkDelete", "integrations.BulkDelete", scope=ADMIN)
async def reject_bulk_delete(work: Writing, asked: BulkDeleteInput) -> Done:
    """Keep the records that the other side no longer has."""
    decided = await sweeps.reject(work, id_in("bkd", asked.id))
    return Done(Reference("BulkDelete", decided.id))


@strawberry.input(description="Fields of a stream that changed at the other side.")
class AcknowledgeSchemaDriftInput:
    """Fields of a stream that changed."""

    id: strawberry.ID = needed(_INTEGRATION)
    stream: str = needed("The name of the stream.")
    fields: list[str] = several("The fields; all that wait without it.")


@mutation("integration", "integrations.Integration", scope=ADMIN)
async def acknowledge_schema_drift(work: Writing, asked: AcknowledgeSchemaDriftInput) -> Done:
    """Say that changed fields are all right: what was left out or stopped for them goes on."""
    integration = await locked(work, asked.id)
    await drift.acknowledge(work, integration.id, asked.stream, asked.fields or None)
    return done(integration)


@strawberry.input(description="A conflict, and whose value both sides shall have.")
class ResolveConflictInput:
    """A conflict, and whose value both sides shall have."""

    id: strawberry.ID = needed("The conflict.")
    choice: conflicts.Choice = needed("Whose value both sides shall have.")
    value: str | None = given("With the choice VALUE: the value.", None)


@mutation("conflict", "integrations.SyncConflict", scope=f"{ADMIN} customers:write", connected=True)
async def resolve_conflict(work: Writing, asked: ResolveConflictInput, around: Around) -> Done:
    """Choose between our value, theirs, and another one; both sides get it."""
    registry = around.switchboard.registry
    resolved = await conflicts.resolve(work, registry, id_in("cft", asked.id), asked.choice, asked.value)
    return Done(Reference("SyncConflict", resolved.id))


@strawberry.input(description="Which conflicts of an integration; without any condition all of them.")
class ConflictFilterInput:
    """Which conflicts of an integration."""

    type: str | None = given("Only about records of this type.", None)
    field: str | None = given("Only about this field.", None)


class ConflictPolicy(StrEnum):
    """Whose values win, wherever both sides have changed the same."""

    OURS = "OURS"
    THEIRS = "THEIRS"


describe(ConflictPolicy, OURS="Tenure's values.", THEIRS="The other side's values.")


@strawberry.input(description="Conflicts that wait, and whose values both sides shall have.")
class BulkResolveConflictsInput:
    """Conflicts that wait, and whose values both sides shall have."""

    id: strawberry.ID = needed(_INTEGRATION)
    filter: ConflictFilterInput | None = given("Which of its conflicts; the oldest 500 that wait without it.", None)
    policy: ConflictPolicy = needed("Whose values both sides shall have.")


_RESOLVED = {"resolved": (list[strawberry.ID] | None, "The conflicts that are resolved now, at most 500 at once.")}


@mutation("integration", "integrations.Integration", scope=f"{ADMIN} customers:write", also=_RESOLVED, connected=True)
async def bulk_resolve_conflicts(work: Writing, asked: BulkResolveConflictsInput, around: Around) -> Done:
    """Choose between our values and theirs in all conflicts that fit; where more than 500 wait, ask again."""
    integration = await locked(work, asked.id)
    chosen = asked.filter or ConflictFilterInput()
    waiting = (
        select(SyncConflict.id)
        .where(
            SyncConflict.tenant_id == work.tenant_id, SyncConflict.integration_id == integration.id,
            SyncConflict.resolution.is_(None),
            *([SyncConflict.type == chosen.type] if chosen.type is not None else []),
            *([SyncConflict.field == chosen.field] if chosen.field is not None else []),
        )
        .order_by(SyncConflict.id)
        .limit(AT_ONCE)
    )  # fmt: skip
    found = list(await work.all(waiting))
    for conflict_id in found:
        await conflicts.resolve(work, around.switchboard.registry, conflict_id, conflicts.Choice(asked.policy))
    return Done(Reference("Integration", integration.id), {"resolved": [ids.encode("cft", each) for each in found]})


@strawberry.input(description="Whether a record of the other side is a customer of ours.")
class DecideLinkCandidateInput:
    """Whether a record of the other side is a customer of ours."""

    id: strawberry.ID = needed("The proposed link.")
    same: bool = needed("Whether both are one.")


@mutation("linkCandidate", "integrations.LinkCandidate", scope=f"{ADMIN} customers:write")
async def decide_link_candidate(work: Writing, asked: DecideLinkCandidateInput) -> Done:
    """Say whether a record of the other side is a customer of ours: both are merged, or the customer is made there."""
    decided = await matching.decide(work, id_in("lkc", asked.id), same=asked.same)
    return Done(Reference("LinkCandidate", decided.id))


@strawberry.input(description="Rejected records of an integration.")
class DeadLettersInput:
    """Rejected records of an integration."""

    id: strawberry.ID = needed(_INTEGRATION)
    dead_letters: list[strawberry.ID] = several("The records; without it the oldest 500 that wait.")


_RETRIED = {
    "landed": (list[strawberry.ID] | None, "Those that are accepted now."),
    "refused": (list[strawberry.ID] | None, "Those that still cannot be accepted, and wait on."),
    "fetching": (list[strawberry.ID] | None, "Those that are fetched anew from the other side."),
}


@mutation("integration", "integrations.Integration", scope=ADMIN, also=_RETRIED)
async def retry_dead_letters(work: Writing, asked: DeadLettersInput) -> Done:
    """Try rejected records again, once what was wrong with them is put right."""
    integration = await locked(work, asked.id)
    tried = await dead_letters.retry(work, await _letters(work, integration, asked))
    outcome = {"landed": tried.landed, "refused": tried.refused, "fetching": tried.fetching}
    told = {name: [ids.encode("dlt", each) for each in letters] for name, letters in outcome.items()}
    return Done(Reference("Integration", integration.id), told)


@mutation("integration", "integrations.Integration", scope=ADMIN)
async def discard_dead_letters(work: Writing, asked: DeadLettersInput) -> Done:
    """Put rejected records aside for good; at the other side they stay as they are."""
    integration = await locked(work, asked.id)
    await dead_letters.discard(work, await _letters(work, integration, asked))
    return done(integration)


async def _letters(work: Writing, integration: Integration, asked: DeadLettersInput) -> list[UUID]:
    """The records that were named, all of this integration, or those that wait. Raises NotFound."""
    named = [id_of("dlt", each) for each in asked.dead_letters]
    of = DeadLetter.tenant_id == work.tenant_id, DeadLetter.integration_id == integration.id
    wanted = DeadLetter.id.in_(named) if named else DeadLetter.resolution.is_(None)
    found = await work.all(select(DeadLetter.id).where(*of, wanted).order_by(DeadLetter.id).limit(AT_ONCE))
    missing = [each for each in named if each not in found]
    if missing:
        raise NotFound(id=missing[0])
    return list(found)


@mutation("integration", "integrations.Integration", scope=ADMIN, connected=True)
async def start_reconciliation(work: Writing, asked: IntegrationInput, around: Around) -> Done:
    """Have both sides compared as soon as there is room; the report stands among the integration's."""
    integration = await locked(work, asked.id)
    await duties.compare_now(work, connector_of(around, integration), integration)
    return done(integration)


@strawberry.input(description="A reconciliation report.")
class RepairDiscrepanciesInput:
    """A reconciliation report."""

    report: strawberry.ID = needed("The report whose differences shall go.")
    direction: RepairDirection = given(
        "PULL: what the other side has is taken over. PUSH: customers that differ are sent as they are here, where "
        "they go both ways, and what only one side has stays.",
        RepairDirection.PULL,
    )


@mutation("report", "integrations.ReconciliationReport", scope=ADMIN)
async def repair_discrepancies(work: Writing, asked: RepairDiscrepanciesInput) -> Done:
    """Make both sides alike where a report found a difference, and send what waits; then compare again."""
    report_id = id_in("rec", asked.report)
    of = select(ReconciliationReport.integration_id).where(ReconciliationReport.tenant_id == work.tenant_id)
    integration_id = await work.one(of.where(ReconciliationReport.id == report_id))
    if integration_id is None:
        raise NotFound(path=("report",))
    await duties.repair_now(
        work, await queries.integration(work, integration_id, lock=True), report_id, asked.direction
    )
    return Done(Reference("ReconciliationReport", report_id))
