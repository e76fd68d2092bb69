from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import event, insert, select, text, update

from domain.core import due, events
from domain.core.clock import FixedClock
from domain.core.database import Database
from domain.core.events import DueWork, OutboxEvent
from domain.core.ids import new_id
from domain.customers.model import AttributeDefinition, Customer, CustomerAttribute
from domain.interactions.model import FAMILY_OF, Interaction, InteractionKind
from domain.purchases.model import Order, Refund
from domain.stages import actions, queries, settling
from domain.stages.conditions import (
    AttributeIs,
    Condition,
    Event,
    InStageFor,
    Interactions,
    Occasions,
    SinceLastPurchase,
)
from domain.stages.model import StageCheck, StageTransition
from domain.stages.rules import CanonicalStep, Lifecycle, Rule, Stage, Text, Trigger

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from uuid import UUID

    from domain.core.unit_of_work import Writing
    from tests.conftest import Logins

DAY = timedelta(days=1)
START = datetime(2026, 1, 1, 9, tzinfo=UTC)


def one_way(condition: Condition | None, *, trigger: Trigger = Trigger.EVENT, source: str | None = None) -> Lifecycle:
    """Two stages and one rule that leads into the second; without a source it leads there from outside."""
    stages = tuple(
        Stage(key=key, position=place, label=Text(en=key), step=CanonicalStep.AWARE)
        for place, key in enumerate(("lead", "client"), start=1)
    )
    return Lifecycle(
        key="way", stages=stages, rules=(Rule(source=source, target="client", trigger=trigger, when=condition),)
    )


async def customer(work: Writing, *, root: UUID | None = None, status: str = "ACTIVE") -> UUID:
    made = new_id()
    values = {
        "tenant_id": work.tenant_id, "id": made, "kind": "PERSON", "status": "MERGED" if root else status,
        "root_id": root or made, "member_ids": [made], "first_seen_at": START, "created_at": START,
        "updated_at": START,
    }  # fmt: skip
    await work.execute(insert(Customer), values)
    return made


async def order(work: Writing, who: UUID, nth: float, **differently: Any) -> UUID:
    """A completed sale of ten dollars, so many days after START."""
    at = START + nth * DAY
    values = {
        "tenant_id": work.tenant_id, "id": new_id(), "version": 1, "customer_id": who, "occurred_at": at,
        "local_day": at.date(), "recorded_at": work.now, "currency": "USD", "amount": 1000, "units": Decimal(1),
        "line_count": 1, "content_hash": b"", "kind": "SALE", "status": "COMPLETED",
    } | differently  # fmt: skip
    await work.execute(insert(Order), values)
    return values["id"]


async def refund(work: Writing, order_id: UUID, amount: int, currency: str = "USD") -> None:
    await work.execute(
        insert(Refund),
        {
            "tenant_id": work.tenant_id, "id": new_id(), "version": 1, "order_id": order_id, "occurred_at": START,
            "local_day": START.date(), "recorded_at": work.now, "currency": currency, "amount": amount,
            "units": Decimal(1), "line_count": 0, "content_hash": b"",
        },
    )  # fmt: skip


async def interaction(work: Writing, who: UUID, kind: InteractionKind, nth: int, **differently: Any) -> None:
    made = new_id()
    values = {
        "tenant_id": work.tenant_id, "id": made, "revision": 1, "customer_id": who, "kind": kind,
        "family": FAMILY_OF[kind], "occurred_at": START + nth * DAY, "recorded_at": work.now, "stream": "manual",
        "remote_id": made.hex,
    } | differently  # fmt: skip
    await work.execute(insert(Interaction), values)


async def moves(database: Database, tenant: UUID) -> list[tuple[UUID, str | None, float, dict[str, Any] | None]]:
    """Who went where, how many days after START, and what the rule saw."""
    async with database.reading(tenant) as reading:
        found = await queries.lifecycles(reading)
        names: dict[UUID | None, str] = {id_: key for one in found for key, id_ in one.stage_ids.items()}
        log = await reading.all(
            select(StageTransition).where(StageTransition.tenant_id == tenant).order_by(StageTransition.id)
        )
    return [(row.customer_id, names.get(row.to_stage_id), (row.occurred_at - START) / DAY, row.evidence) for row in log]


@asynccontextmanager
async def at_a_time(logins: Logins, at: datetime) -> AsyncIterator[tuple[Database, FixedClock]]:
    """The same database in a process whose clock stands still."""
    clock = FixedClock(at)
    async with Database(str(logins.server), readers=1, writers=2, clock=clock) as opened:
        yield opened, clock


async def test_purchases_move_a_customer_dated_when_they_happened(database: Database, tenant: UUID) -> None:
    async with database.unit_of_work(tenant) as work:
        buyer = await actions.create_from_template(work, "buyer")
        who = await customer(work)
        for nth in (3, 3.2, 10, 20, 30):
            await order(work, who, nth)
        assert await settling.settle(work, [who]) == 5
    seen = {"days_since_last_purchase": 0}
    assert await moves(database, tenant) == [
        (who, "discovery", 0, {"occasions": 0}),
        (who, "purchase", 3, {"occasions": 1, **seen, "days_in_stage": 3}),
        (who, "post_purchase", 10, {"occasions": 2, **seen, "days_in_stage": 7}),
        (who, "loyalty", 30, {"occasions": 4, **seen, "days_in_stage": 20}),
        (who, "post_purchase", 210, {"occasions": 4, "days_since_last_purchase": 180, "days_in_stage": 180}),
    ]
    async with database.reading(tenant) as reading:
        log = await reading.all(select(StageTransition).where(StageTransition.tenant_id == tenant))
        current = await queries.history(reading, who)
        found = await queries.lifecycle(reading)
    assert {(row.cause_kind, row.lifecycle_id) for row in log} == {("RULE", buyer.id)}
    assert {row.cause_id for row in log} <= set(found.rule_ids)
    assert [(one.stage, one.is_current) for one in current][-1] == ("post_purchase", True)


async def test_settling_again_writes_nothing(database: Database, tenant: UUID) -> None:
    async with database.unit_of_work(tenant) as work:
        await actions.create_from_template(work, "buyer")
        who = [await customer(work) for _ in range(3)]
        await order(work, who[0], 3)
        assert await settling.settle(work, who) == 4
    tables = ("stage_transitions", "stage_intervals", "interactions", "outbox_events", "stage_checks")
    async with database.unit_of_work(tenant) as work:
        before = [await written(work, table) for table in tables]
        assert await settling.settle(work, who) == 0
        await work.complete()
        assert [await written(work, table) for table in tables] == before


async def written(work: Writing, table: str) -> list[Any]:
    """Which transaction wrote each row, and where it stands: another write shows even when it changes nothing."""
    rows = await work.rows(
        text(f"SELECT xmin::text, ctid::text FROM {table} WHERE tenant_id = :t"), {"t": work.tenant_id}
    )
    return sorted(tuple(row) for row in rows)


@pytest.mark.parametrize(
    ("differently", "refunded", "moved"),
    [
        ({}, None, 1),
        ({"amount": 0}, None, 1),
        ({}, (999, "USD"), 1),
        ({}, (1000, "EUR"), 1),
        ({}, (1000, "USD"), 0),
        ({"status": "CANCELLED"}, None, 0),
        ({"status": "OPEN"}, None, 0),
        ({"kind": "ADJUSTMENT"}, None, 0),
        ({"superseded_at": START}, None, 0),
    ],
)
async def test_only_a_completed_sale_that_is_not_wholly_given_back_is_an_occasion(
    database: Database, tenant: UUID, differently: dict[str, Any], refunded: tuple[int, str] | None, moved: int
) -> None:
    async with database.unit_of_work(tenant) as work:
        await actions.create_lifecycle(work, one_way(Occasions(gte=1)), title=Text(en="Way"))
        who = await customer(work)
        bought = await order(work, who, 3, **differently)
        if refunded:
            await refund(work, bought, *refunded)
        assert await settling.settle(work, [who]) == moved


async def test_two_orders_on_one_day_are_one_occasion(database: Database, tenant: UUID) -> None:
    async with database.unit_of_work(tenant) as work:
        await actions.create_lifecycle(work, one_way(Occasions(gte=2)), title=Text(en="Way"))
        who = await customer(work)
        await order(work, who, 3)
        await order(work, who, 3.1)
        assert await settling.settle(work, [who]) == 0
        await order(work, who, 4, local_day=date(2026, 1, 6))
        assert await settling.settle(work, [who]) == 1


async def test_what_merged_members_did_counts_together(database: Database, tenant: UUID) -> None:
    async with database.unit_of_work(tenant) as work:
        await actions.create_lifecycle(work, one_way(Occasions(gte=2)), title=Text(en="Way"))
        survivor = await customer(work)
        absorbed = await customer(work, root=survivor)
        await order(work, survivor, 3)
        await order(work, absorbed, 5)
        assert await settling.settle(work, [absorbed]) == 1
    assert await moves(database, tenant) == [(survivor, "client", 5, {"occasions": 2, "days_since_last_purchase": 0})]


async def test_interactions_count_unless_a_machine_may_have_made_them(database: Database, tenant: UUID) -> None:
    asks = Interactions(kinds=("INQUIRY", "CALL"), gte=2, within_days=30)
    async with database.unit_of_work(tenant) as work:
        await actions.create_lifecycle(work, one_way(asks), title=Text(en="Way"))
        who = await customer(work)
        await interaction(work, who, InteractionKind.CALL, 1)
        await interaction(work, who, InteractionKind.CALL, 40)
        await interaction(work, who, InteractionKind.INQUIRY, 41, machine_suspected=True)
        await interaction(work, who, InteractionKind.INQUIRY, 42, superseded_at=START)
        assert await settling.settle(work, [who]) == 0
        await interaction(work, who, InteractionKind.INQUIRY, 60)
        assert await settling.settle(work, [who]) == 1
    seen = {"CALL within 30 days": 1, "INQUIRY within 30 days": 1}
    assert await moves(database, tenant) == [(who, "client", 60, {"occasions": 0, "interactions": seen})]


@pytest.mark.parametrize(
    ("type_", "stored", "asked", "evidence"),
    [
        ("TEXT", {"text_value": "gold"}, AttributeIs(key="tier", eq="gold"), "gold"),
        ("INTEGER", {"integer_value": 12}, AttributeIs(key="tier", gte=10), 12),
        ("DECIMAL", {"integer_value": 1_500_000}, AttributeIs(key="tier", gte=1.5, lte=1.5), "1.5"),
        ("BOOLEAN", {"boolean_value": False}, AttributeIs(key="tier", eq=False), False),
        ("DATE", {"date_value": date(2026, 1, 2)}, AttributeIs(key="tier", lte="2026-01-02"), "2026-01-02"),
    ],
)
async def test_golden_values_of_attributes_are_asked_by_their_types(
    database: Database, tenant: UUID, type_: str, stored: dict[str, Any], asked: Condition, evidence: Any
) -> None:
    async with database.unit_of_work(tenant) as work:
        await actions.create_lifecycle(work, one_way(asked), title=Text(en="Way"))
        who = await customer(work)
        definition = {
            "tenant_id": tenant, "id": new_id(), "key": "tier", "type": type_, "labels": {}, "pii": "NONE",
            "survivorship": "LATEST", "authority": [], "created_at": work.now,
        }  # fmt: skip
        await work.execute(insert(AttributeDefinition), definition)
        assert await settling.settle(work, [who]) == 0
        await work.execute(
            insert(CustomerAttribute), {"tenant_id": tenant, "customer_id": who, "key": "tier", **stored}
        )
        assert await settling.settle(work, [who]) == 1
    ((_, _, _, seen),) = await moves(database, tenant)
    assert seen == {"occasions": 0, "attributes": {"tier": evidence}}


async def test_an_event_moves_whom_it_is_about(database: Database, tenant: UUID) -> None:
    async with database.unit_of_work(tenant) as work:
        asked = Event(name="interactions.InteractionRecorded")
        await actions.create_lifecycle(work, one_way(asked), title=Text(en="Way"))
        who, other = await customer(work), await customer(work)
        work.emit("interactions.InteractionRecorded", new_id(), customer_id=who.hex)
        work.emit("interactions.InteractionRevised", new_id(), customer_id=other.hex)
    async with database.unit_of_work(tenant) as work:
        assert await settling.settle(work, [who, other]) == 1
    ((moved, _, _, seen),) = await moves(database, tenant)
    assert (moved, seen) == (who, {"occasions": 0, "events": ["interactions.InteractionRecorded"]})


async def test_time_moves_a_customer_on_its_day(logins: Logins, tenant: UUID) -> None:
    silent = one_way(SinceLastPurchase(days=30), trigger=Trigger.TIME)
    async with at_a_time(logins, START + 10 * DAY) as (database, clock):
        async with database.unit_of_work(tenant) as work:
            await actions.create_lifecycle(work, silent, title=Text(en="Way"))
            early, late, never = [await customer(work) for _ in range(3)]
            await order(work, early, 2)
            await order(work, late, 5)
            assert await settling.settle(work, [early, late, never]) == 0
        assert await looks(database, tenant) == {early: 32, late: 35}
        assert await due_at(database, tenant) == 10  # publishing asks for everybody, now
        async with database.unit_of_work(tenant) as work:
            assert await settling.settle_due(work, "") == START + 32 * DAY
        clock.move(22 * DAY)
        async with database.unit_of_work(tenant) as work:
            assert await settling.settle_due(work, "") == START + 35 * DAY
        assert await looks(database, tenant) == {late: 35}
        clock.move(60 * DAY)
        async with database.unit_of_work(tenant) as work:
            assert await settling.settle_due(work, "") is None
        seen = {"occasions": 1, "days_since_last_purchase": 30}
        assert await moves(database, tenant) == [(early, "client", 32, seen), (late, "client", 35, seen)]


async def looks(database: Database, tenant: UUID) -> dict[UUID, float]:
    """When whom the rules look at again, in days after START."""
    async with database.reading(tenant) as reading:
        rows = await reading.all(select(StageCheck).where(StageCheck.tenant_id == tenant))
    return {row.customer_id: (row.due_at - START) / DAY for row in rows}


async def due_at(database: Database, tenant: UUID) -> float:
    async with database.reading(tenant) as reading:
        entry = select(DueWork.due_at).where(DueWork.tenant_id == tenant, DueWork.kind == settling.STAGE_RULES)
        at = await reading.one(entry)
    assert at is not None
    return (at - START) / DAY


async def test_a_purchase_puts_off_what_time_would_have_done(logins: Logins, tenant: UUID) -> None:
    async with at_a_time(logins, START + 10 * DAY) as (database, clock):
        async with database.unit_of_work(tenant) as work:
            asked = one_way(SinceLastPurchase(days=30), trigger=Trigger.TIME)
            await actions.create_lifecycle(work, asked, title=Text(en="Way"))
            who = await customer(work)
            await order(work, who, 2)
            await settling.settle(work, [who])
        clock.move(10 * DAY)
        async with database.unit_of_work(tenant) as work:
            await order(work, who, 19)
            await settling.settle(work, [who])
        assert await looks(database, tenant) == {who: 49}
        clock.move(15 * DAY)
        async with database.unit_of_work(tenant) as work:
            assert await settling.settle_due(work, "") == START + 49 * DAY
        assert await moves(database, tenant) == []


async def test_a_stay_that_goes_on_long_enough_ends_by_time_also_after_a_move_by_hand(
    logins: Logins, tenant: UUID
) -> None:
    async with at_a_time(logins, START + 10 * DAY) as (database, clock):
        async with database.unit_of_work(tenant) as work:
            asked = one_way(InStageFor(days=7), trigger=Trigger.TIME, source="lead")
            await actions.create_lifecycle(work, asked, title=Text(en="Way"))
            who = await customer(work)
            await actions.move(work, who, "lead", occurred_at=START + 9 * DAY)
        assert await looks(database, tenant) == {who: 16}
        clock.move(30 * DAY)
        async with database.unit_of_work(tenant) as work:
            assert await settling.settle_due(work, "") is None
        assert [move[1:3] for move in await moves(database, tenant)] == [("lead", 9), ("client", 16)]


async def test_an_erased_customer_is_left_alone(database: Database, tenant: UUID) -> None:
    async with database.unit_of_work(tenant) as work:
        await actions.create_lifecycle(work, one_way(None), title=Text(en="Way"))
        assert await settling.settle(work, [await customer(work, status="ERASED")]) == 0


async def test_without_customers_or_lifecycles_there_is_nothing_to_do(database: Database, tenant: UUID) -> None:
    async with database.unit_of_work(tenant) as work:
        who = await customer(work)
        assert await settling.settle(work, []) == 0
        assert await settling.settle(work, [who, new_id()]) == 0
        assert await settling.settle_due(work, "") is None


async def test_how_many_statements_it_takes_does_not_depend_on_how_many_customers(
    database: Database, tenant: UUID
) -> None:
    statements: list[str] = []

    def note(*call: Any) -> None:
        statements.append(call[2])

    async with database.unit_of_work(tenant) as work:
        await actions.create_from_template(work, "buyer")
        groups = [[await customer(work) for _ in range(size)] for size in (1, 40)]
        for who in groups[0] + groups[1]:
            await order(work, who, 1)
    counts = []
    for group in groups:
        async with database.unit_of_work(tenant) as work:
            event.listen(database.engine.sync_engine, "before_cursor_execute", note)
            assert await settling.settle(work, group) == 2 * len(group)
            event.remove(database.engine.sync_engine, "before_cursor_execute", note)
        counts.append(len(statements))
        statements.clear()
    assert counts[0] == counts[1]
    assert counts[0] <= 14


async def test_two_at_once_move_a_customer_once(database: Database, tenant: UUID) -> None:
    async with database.unit_of_work(tenant) as work:
        await actions.create_lifecycle(work, one_way(Occasions(gte=1)), title=Text(en="Way"))
        who = await customer(work)
        await order(work, who, 3)

    async def settle() -> int:
        async with database.unit_of_work(tenant) as work:
            return await settling.settle(work, [who])

    assert sorted(await asyncio.gather(settle(), settle(), settle())) == [0, 0, 1]
    assert len(await moves(database, tenant)) == 1


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("purchases.OrderRecorded", lambda who: {"customer_id": who.hex}),
        ("interactions.InteractionRecorded", lambda who: {"customer_id": who.hex}),
        ("customers.CustomersMerged", lambda who: {"customers": [who.hex]}),
        ("customers.CustomersUnmerged", lambda who: {"customers": [who.hex]}),
    ],
)
async def test_an_event_about_a_customer_has_the_rules_asked_again(
    database: Database, tenant: UUID, name: str, body: Any
) -> None:
    async with database.unit_of_work(tenant) as work:
        await actions.create_lifecycle(work, one_way(Occasions(gte=1)), title=Text(en="Way"))
        who = await customer(work)
        await order(work, who, 3)
    happened = OutboxEvent(name=name, subject=new_id(), body=body(who))
    for _ in range(2):  # an event may come again
        async with database.unit_of_work(tenant) as work:
            for reaction in events.reactions.by_name[name]:
                await reaction(work, happened)
    assert len(await moves(database, tenant)) == 1


async def test_nobody_is_settled_for_another_tenant(database: Database, tenant: UUID, other_tenant: UUID) -> None:
    for whose in (tenant, other_tenant):
        async with database.unit_of_work(whose) as work:
            await actions.create_lifecycle(work, one_way(None), title=Text(en="Way"))
    async with database.unit_of_work(tenant) as work:
        who = await customer(work)
    async with database.unit_of_work(other_tenant) as work:
        assert await settling.settle(work, [who]) == 0
    assert await moves(database, tenant) == []


async def test_what_an_order_led_to_stays_when_the_order_is_gone(database: Database, tenant: UUID) -> None:
    async with database.unit_of_work(tenant) as work:
        await actions.create_lifecycle(work, one_way(Occasions(gte=1)), title=Text(en="Way"))
        who = await customer(work)
        bought = await order(work, who, 3)
        await settling.settle(work, [who])
        await work.execute(
            update(Order).where(Order.tenant_id == tenant, Order.id == bought).values(superseded_at=work.now)
        )
        assert await settling.settle(work, [who]) == 0
    assert [move[1:3] for move in await moves(database, tenant)] == [("client", 3)]


def test_the_due_work_has_somebody_who_does_it() -> None:
    assert due.jobs.by_kind[settling.STAGE_RULES] is settling.settle_due
