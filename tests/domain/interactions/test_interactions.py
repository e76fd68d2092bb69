from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import anyio
import pytest
from sqlalchemy import select, text, update

from domain import interactions
from domain.core.audit import AuditEntry
from domain.core.clock import NoTimeZone
from domain.core.events import OutboxEvent
from domain.core.problems import DomainError, StaleVersion
from domain.customers.model import Customer, CustomerKind
from domain.interactions import Channel, Direction, InteractionKind, NewInteraction
from domain.interactions.rules import SummaryTooLong

if TYPE_CHECKING:
    from domain.core.database import Database
    from tests.domain.conftest import NewCustomer, Unchanged

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
NOTE = NewInteraction(InteractionKind.NOTE, NOON, payload={"text": "Prefers the phone"})


async def record(database: Database, tenant: UUID, new: NewInteraction) -> UUID:
    async with database.unit_of_work(tenant) as work:
        return (await interactions.record(work, new)).id


async def test_a_summary_is_a_line(database: Database, tenant: UUID) -> None:
    made = await record(database, tenant, replace(NOTE, summary="x" * 400))
    with pytest.raises(SummaryTooLong) as refused:
        await record(database, tenant, replace(NOTE, summary="x" * 401))
    assert (refused.value.path, refused.value.details) == (("summary",), {"length": 401})
    async with database.reading(tenant) as reading:
        assert (await interactions.interaction(reading, made)).summary == "x" * 400


async def test_what_is_recorded_by_hand_has_its_own_id_as_remote_id(
    database: Database, tenant: UUID, new_customer: NewCustomer
) -> None:
    customer = await new_customer()
    made = await record(
        database, tenant,
        NewInteraction(
            InteractionKind.CALL, NOON, customer, Channel.PHONE, Direction.INBOUND, "About the bill",
            {"duration_seconds": 61}, correlation_key="call-7", campaign_key="spring",
        ),
    )  # fmt: skip
    async with database.reading(tenant) as reading:
        kept = await interactions.interaction(reading, made)
        [event] = await reading.all(select(OutboxEvent).where(OutboxEvent.tenant_id == tenant))
        deeds = await reading.all(select(AuditEntry.action).where(AuditEntry.tenant_id == tenant))
    assert (kept.revision, kept.kind, kept.family, kept.customer_id) == (1, "CALL", "CALL", customer)
    assert (kept.channel, kept.direction, kept.summary) == ("PHONE", "INBOUND", "About the bill")
    assert (kept.occurred_at, kept.payload) == (NOON, {"duration_seconds": 61})
    assert (kept.correlation_key, kept.campaign_key, kept.machine_suspected) == ("call-7", "spring", False)
    assert (kept.integration_id, kept.stream, kept.remote_id) == (None, "manual", made.hex)
    assert (event.name, event.subject) == ("interactions.InteractionRecorded", made)
    assert event.body == {"customer_id": customer.hex, "kind": "CALL", "revision": 1}
    assert deeds[-1] == "interactions.record"


async def test_a_revision_supersedes_and_the_earlier_one_stays_readable(database: Database, tenant: UUID) -> None:
    made = await record(database, tenant, NOTE)
    async with database.unit_of_work(tenant) as work:
        await interactions.revise(work, made, replace(NOTE, payload={"text": "Prefers e-mail"}))
    async with database.reading(tenant) as reading:
        latest, first = await interactions.revisions(reading, made)
        names = await reading.all(
            select(OutboxEvent.name).where(OutboxEvent.tenant_id == tenant).order_by(OutboxEvent.id)
        )
    assert (latest.revision, latest.payload, latest.superseded_at) == (2, {"text": "Prefers e-mail"}, None)
    assert (first.revision, first.payload) == (1, {"text": "Prefers the phone"})
    assert first.superseded_at == latest.recorded_at
    assert (latest.stream, latest.remote_id) == ("manual", made.hex)
    assert names == ["interactions.InteractionRecorded", "interactions.InteractionRevised"]


async def test_the_same_again_makes_no_revision(database: Database, tenant: UUID, unchanged: Unchanged) -> None:
    made = await record(database, tenant, NOTE)
    async with unchanged(), database.unit_of_work(tenant) as work:
        assert (await interactions.revise(work, made, NOTE)).revision == 1


@pytest.mark.parametrize(
    ("new", "problem"),
    [
        (replace(NOTE, customer_id=UUID(int=1)), interactions.CustomerNotFound),
        (replace(NOTE, payload={"words": "x"}), interactions.PayloadInvalid),
        (replace(NOTE, payload=None), interactions.PayloadInvalid),
        (replace(NOTE, occurred_at=datetime(2026, 5, 1)), NoTimeZone),  # noqa: DTZ001 - that is what is refused
    ],
)
async def test_bad_input_changes_nothing(
    database: Database, tenant: UUID, unchanged: Unchanged, new: NewInteraction, problem: type[DomainError]
) -> None:
    made = await record(database, tenant, NOTE)
    async with unchanged():
        with pytest.raises(problem):
            await record(database, tenant, new)
        with pytest.raises(problem):
            async with database.unit_of_work(tenant) as work:
                await interactions.revise(work, made, new)


async def test_another_tenants_interaction_and_customer_are_not_there(
    database: Database, tenant: UUID, other_tenant: UUID, new_customer: NewCustomer, unchanged: Unchanged
) -> None:
    made = await record(database, tenant, NOTE)
    customer = await new_customer()
    async with unchanged():
        for attempt in (made, UUID(int=1)):
            with pytest.raises(interactions.InteractionNotFound):
                async with database.unit_of_work(other_tenant) as work:
                    await interactions.revise(work, attempt, NOTE)
        with pytest.raises(interactions.CustomerNotFound):
            await record(database, other_tenant, replace(NOTE, customer_id=customer))


async def test_the_history_cannot_be_rewritten(database: Database, tenant: UUID) -> None:
    await record(database, tenant, NOTE)
    for deed in ("UPDATE interactions SET summary = 'x'", "DELETE FROM interactions"):
        async with database.unit_of_work(tenant) as work:
            with pytest.raises(Exception, match="permission denied"):
                await work.execute(text(f"{deed} WHERE tenant_id = :t"), {"t": tenant})


async def test_a_timeline_is_paged_filtered_and_shows_each_interaction_once(
    database: Database, tenant: UUID, new_customer: NewCustomer
) -> None:
    customer, stranger = await new_customer(), await new_customer()
    notes = [
        await record(database, tenant, replace(NOTE, customer_id=customer, occurred_at=NOON + timedelta(hours=hour)))
        for hour in (0, 1, 1)
    ]
    call = NewInteraction(InteractionKind.CALL, NOON + timedelta(hours=2), customer, Channel.PHONE)
    calls = [await record(database, tenant, call)]
    await record(database, tenant, replace(NOTE, customer_id=stranger))
    async with database.unit_of_work(tenant) as work:
        await interactions.revise(work, calls[0], replace(call, summary="missed"))
    async with database.reading(tenant) as reading:
        whole = await interactions.timeline(reading, customer)
        page = await interactions.timeline(reading, customer, first=2)
        rest = await interactions.timeline(reading, customer, before=(page[-1].occurred_at, page[-1].id))
        by_phone = await interactions.timeline(reading, customer, channels=[Channel.PHONE])
        written = await interactions.timeline(reading, customer, kinds=[InteractionKind.NOTE])
        nobody = await interactions.timeline(reading, UUID(int=1))
    assert [one.id for one in whole] == [calls[0], notes[2], notes[1], notes[0]]
    assert [one.id for one in (*page, *rest)] == [one.id for one in whole]
    assert [(one.id, one.revision, one.summary) for one in by_phone] == [(calls[0], 2, "missed")]
    assert [one.id for one in written] == [notes[2], notes[1], notes[0]]
    assert nobody == []


async def test_a_timeline_spans_merged_customers_and_an_organisations_people(
    database: Database, tenant: UUID, new_customer: NewCustomer
) -> None:
    company = await new_customer(kind=CustomerKind.ORGANISATION)
    absorbed, person, namesake = await new_customer(), await new_customer(organisation_id=company), await new_customer()
    async with database.unit_of_work(tenant) as work:
        for lost, kept in ((absorbed, company), (namesake, person)):
            await work.execute(
                update(Customer)
                .where(Customer.tenant_id == tenant, Customer.id == lost)
                .values(root_id=kept, merged_into=kept, status="MERGED")
            )
    recorded = {
        customer: await record(database, tenant, replace(NOTE, customer_id=customer))
        for customer in (company, absorbed, person, namesake)
    }
    async with database.reading(tenant) as reading:
        of_company = {one.id for one in await interactions.timeline(reading, company)}
        of_absorbed = {one.id for one in await interactions.timeline(reading, absorbed)}
        of_person = {one.id for one in await interactions.timeline(reading, namesake)}
    assert of_company == of_absorbed == set(recorded.values())
    assert of_person == {recorded[person], recorded[namesake]}


async def test_of_two_who_revise_at_once_the_second_is_told(database: Database, tenant: UUID) -> None:
    made = await record(database, tenant, NOTE)
    outcome: list[str] = []

    async def revise(summary: str, hold: float) -> None:
        try:
            async with database.unit_of_work(tenant) as work:
                await interactions.revise(work, made, replace(NOTE, summary=summary))
                await anyio.sleep(hold)
            outcome.append(summary)
        except StaleVersion:
            outcome.append("stale")

    async with anyio.create_task_group() as both:
        both.start_soon(revise, "first", 0.3)
        await anyio.sleep(0.1)
        both.start_soon(revise, "second", 0)
    assert outcome == ["first", "stale"]
