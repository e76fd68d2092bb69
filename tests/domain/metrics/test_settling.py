"""The law of rolling up: whatever happened, the days are what plain Python counts from all documents."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import literal_column, select, update

from domain import interactions, purchases
from domain.core.events import OutboxEvent
from domain.customers.model import Customer
from domain.interactions import NewInteraction
from domain.interactions.model import Interaction, InteractionKind
from domain.metrics import actions as metrics
from domain.metrics import settling
from domain.metrics.model import ActivityDay, PurchaseDay, UnrolledCustomer
from domain.metrics.rollups import ACTIVITIES, PURCHASES
from domain.purchases import NewLine, NewOrder, NewRefund
from domain.purchases.model import Order, OrderKind, OrderLine, OrderStatus, Refund, RefundLine
from domain.tenants import actions as tenants

if TYPE_CHECKING:
    from domain.core.database import Database
    from domain.core.unit_of_work import Reading, Writing

MIDNIGHT = datetime(2026, 5, 1, tzinfo=UTC)
ZONE = "Asia/Tehran"


@dataclass(frozen=True)
class Step:
    """Something that happens to the `of`-th thing there is, or to a new one."""

    deed: str
    of: int = 0
    customer: int | None = 0
    minutes: int = 0
    amount: int = 3
    currency: str = "EUR"
    cost: int | None = None
    kind: OrderKind = OrderKind.SALE
    status: OrderStatus = OrderStatus.COMPLETED
    happened: InteractionKind = InteractionKind.VISIT
    by_machine: bool = False

    @property
    def at(self) -> datetime:
        return MIDNIGHT + timedelta(minutes=self.minutes)

    @property
    def lines(self) -> list[NewLine]:
        cost = None if self.cost is None else Decimal(self.cost)
        return [NewLine(quantity=Decimal(2), unit_price=Decimal(self.amount) / 2, cost=cost)]

    def order(self, who: list[UUID]) -> NewOrder:
        return NewOrder(
            occurred_at=self.at, currency=self.currency, lines=self.lines, kind=self.kind, status=self.status,
            customer_id=None if self.customer is None else who[self.customer],
        )  # fmt: skip

    def interaction(self, who: list[UUID]) -> NewInteraction:
        return NewInteraction(
            kind=self.happened, occurred_at=self.at, machine_suspected=self.by_machine,
            payload={"NOTE": {"text": "-"}, "USAGE": {"product": "pro"} if self.amount else None}.get(self.happened),
            direction=interactions.Direction.INBOUND if self.of % 2 else None,
            customer_id=None if self.customer is None else who[self.customer],
        )  # fmt: skip


DEEDS = ["record", "record", "change", "cancel", "delete", "refund", "refund", "give", "happen", "happen", "happen",
         "revise", "merge", "part", "rate"]  # fmt: skip
KINDS = [InteractionKind(kind) for kind in ("VISIT", "VISIT", "AD_VIEW", "INQUIRY", "CALL", "EMAIL_RECEIVED", "USAGE",
                                            "NOTE")]  # fmt: skip
steps = st.builds(
    Step,
    deed=st.sampled_from(DEEDS),
    of=st.integers(0, 5),
    customer=st.none() | st.integers(0, 2),
    minutes=st.integers(0, 200).map(lambda tens: tens * 10),
    amount=st.integers(0, 3),
    currency=st.sampled_from(["EUR", "EUR", "USD"]),
    cost=st.none() | st.integers(0, 2),
    kind=st.sampled_from([OrderKind.SALE, OrderKind.SALE, OrderKind.SALE, OrderKind.ADJUSTMENT]),
    status=st.sampled_from([OrderStatus.COMPLETED, OrderStatus.COMPLETED, OrderStatus.OPEN]),
    happened=st.sampled_from(KINDS),
    by_machine=st.booleans(),
)


class Story:
    """A tenant whose days are rolled up after every step, for those alone whom the step's events name."""

    def __init__(self, database: Database, tenant: UUID, who: list[UUID]) -> None:
        self.database, self.tenant, self.who = database, tenant, who
        self.orders: list[UUID] = []
        self.happened: list[UUID] = []

    async def take(self, step: Step) -> None:
        async with self.database.unit_of_work(self.tenant) as work:
            await self._do(work, step)
            told = list(work._events)
        for event in told:
            async with self.database.unit_of_work(self.tenant) as work:
                heard = OutboxEvent(id=event.id, name=event.name, subject=event.subject, body=event.body)
                if event.name == "purchases.RateRecorded":
                    await metrics.roll_up_unrated(work, heard)
                    await settling.roll_up_due(work, "")
                elif event.name.startswith(("purchases.", "interactions.")):
                    await metrics.roll_up_touched(work, heard)

    async def _do(self, work: Writing, step: Step) -> None:
        match step.deed:
            case "record":
                self.orders.append((await purchases.record_order(work, step.order(self.who))).id)
            case "happen":
                self.happened.append((await interactions.record(work, step.interaction(self.who))).id)
            case "revise" if self.happened:
                it = self.happened[step.of % len(self.happened)]
                await interactions.revise(work, it, step.interaction(self.who))
            case "give":
                await purchases.record_refund(work, self._refund(step, None))
            case "rate":
                await purchases.record_rate(work, date(2026, 4, 1), "USD", "EUR", Decimal(step.amount + 1) / 2)
            case "merge" | "part":
                await self._join(work, step.deed)
            case "change" | "cancel" | "delete" | "refund" if self.orders:
                await self._touch(work, step, self.orders[step.of % len(self.orders)])

    def _refund(self, step: Step, of: Order | None) -> NewRefund:
        customer = None if of or step.customer is None else self.who[step.customer]
        return NewRefund(
            occurred_at=step.at, currency=of.currency if of else step.currency, lines=step.lines,
            order_id=of.id if of else None, customer_id=customer,
        )  # fmt: skip

    async def _touch(self, work: Writing, step: Step, order_id: UUID) -> None:
        order = await purchases.order(work, order_id)
        if step.deed == "change":
            await purchases.change_order(work, order.id, order.version, step.order(self.who))
        elif step.deed == "cancel":
            await purchases.cancel_order(work, order.id, order.version)
        elif step.deed == "refund":
            await purchases.record_refund(work, self._refund(step, order))
        else:  # as landing does with what the other side deleted
            order.superseded_at = work.now
            self.orders.remove(order.id)
            await settling.roll_up(work, [order.customer_id] if order.customer_id else [])

    async def _join(self, work: Writing, deed: str) -> None:
        root = self.who[0] if deed == "merge" else self.who[1]
        joined = update(Customer).where(Customer.tenant_id == self.tenant, Customer.id == self.who[1])
        await work.execute(joined.values(root_id=root))


async def kept(reading: Reading, model: Any, columns: tuple[str, ...]) -> Any:
    rows = await reading.all(select(model).where(model.tenant_id == reading.tenant_id))
    return {(row.customer_id, row.day): tuple(getattr(row, name) for name in columns) for row in rows}


async def current(reading: Reading, model: Any) -> Any:
    return await reading.all(
        select(model).where(model.tenant_id == reading.tenant_id, model.superseded_at.is_(None))
    )  # fmt: skip


async def counted_purchases(reading: Reading) -> dict[tuple[UUID, date], tuple[Any, ...]]:
    """The purchase days of everybody, from all documents."""
    days: dict[tuple[UUID, date], dict[str, Any]] = defaultdict(lambda: dict.fromkeys(PURCHASES, 0))
    orders = {order.id: order for order in await current(reading, Order) if order.status == "COMPLETED"}
    known = {order.id for order in await reading.all(select(Order).where(Order.tenant_id == reading.tenant_id))}
    refunds = await current(reading, Refund)
    given_back: dict[UUID | None, int] = defaultdict(int)
    for refund in refunds:
        given_back[refund.order_id] += refund.amount
    costs = {
        **await costs_of(reading, OrderLine, "order_id", "order_version"),
        **await costs_of(reading, RefundLine, "refund_id", "refund_version"),
    }

    def is_kept(order: Order) -> bool:
        return order.amount <= 0 or given_back[order.id] < order.amount

    for order in orders.values():
        if order.customer_id is None:
            continue
        day = days[order.customer_id, order.local_day]
        day["unrated"] += order.base_amount is None
        if order.kind == "ADJUSTMENT":
            day["adjusted"] += order.base_amount or 0
            continue
        day["gross"] += order.base_amount or 0
        day["net"] += order.base_amount or 0
        cost = in_base(order, costs[order.id, order.version])
        day["cost_of_goods"] += cost or 0
        if is_kept(order):
            day["orders"] += 1
            day["paid_orders"] += order.amount > 0
            day["units"] += order.units
            day["paid_units"] += order.units if order.amount > 0 else 0
            day["uncosted"] += cost is None
    for refund in refunds:
        of = orders.get(refund.order_id)
        if of is None and refund.order_id in known:
            continue
        whose, booked = (of.customer_id, of.local_day) if of else (refund.customer_id, refund.local_day)
        if whose is None:
            continue
        day = days[whose, booked]
        day["net"] -= refund.base_amount or 0
        day["returned_units"] += refund.units if of is None or is_kept(of) else 0
        day["cost_of_goods"] -= in_base(refund, costs[refund.id, refund.version]) or 0
        day["unrated"] += refund.base_amount is None
        cash = days[whose, refund.local_day]
        cash["cash_refunds"] += refund.base_amount or 0
        cash["unrated"] += refund.base_amount is None and refund.local_day != booked
    return {key: tuple(day[name] for name in PURCHASES) for key, day in days.items()}


async def costs_of(reading: Reading, lines: Any, id_: str, version: str) -> dict[tuple[UUID, int], int | None]:
    found: dict[tuple[UUID, int], int | None] = {}
    for line in await reading.all(select(lines).where(lines.tenant_id == reading.tenant_id)):
        key = getattr(line, id_), getattr(line, version)
        found[key] = None if line.cost_amount is None else (found.get(key) or 0) + line.cost_amount
    return found


def in_base(document: Order | Refund, cost: int | None) -> int | None:
    if cost is None or document.currency == document.base_currency:
        return cost
    if document.base_amount is None or document.amount == 0:
        return None
    return round(Decimal(cost * document.base_amount) / document.amount)


async def counted_activity(reading: Reading, zone: str) -> dict[tuple[UUID, date], tuple[Any, ...]]:
    """The activity days of everybody, from all interactions."""
    days: dict[tuple[UUID, date], dict[str, Any]] = defaultdict(lambda: dict.fromkeys(ACTIVITIES, 0) | {"products": []})
    last_visit: dict[UUID, datetime] = {}
    in_contact: set[UUID] = set()
    contacts = {"INQUIRY", "FORM_SUBMITTED", "EMAIL_SENT", "EMAIL_RECEIVED", "MESSAGE", "CALL", "MEETING"}
    rows = [row for row in await current(reading, Interaction) if row.customer_id]
    for row in sorted(rows, key=lambda row: (row.occurred_at, row.id)):
        day = days[row.customer_id, row.occurred_at.astimezone(ZoneInfo(zone)).date()]
        by_people = not row.machine_suspected
        day["ad_views"] += row.kind == "AD_VIEW"
        day["interactions"] += by_people and row.kind != "AD_VIEW" and row.family not in {"NOTE", "TASK", "STAGE"}
        day["usage"] += by_people and row.kind == "USAGE"
        if by_people and row.kind == "USAGE":
            day["products"] = sorted({*day["products"], (row.payload or {}).get("product", "")})
        asked = row.kind in {"INQUIRY", "FORM_SUBMITTED"}
        first = row.kind in contacts and row.customer_id not in in_contact
        inbound = row.direction == "INBOUND" or row.kind == "EMAIL_RECEIVED"
        day["inquiries"] += by_people and (asked or (first and inbound))
        if by_people and row.kind in contacts:
            in_contact.add(row.customer_id)
        if by_people and row.kind == "VISIT":
            before = last_visit.get(row.customer_id)
            day["visits"] += before is None or row.occurred_at - before >= timedelta(minutes=30)
            last_visit[row.customer_id] = row.occurred_at
    return {key: counts for key, day in days.items() if any(counts := tuple(day[name] for name in ACTIVITIES))}


async def begin(database: Database) -> Story:
    slug = f"t{uuid4().hex[:20]}"
    new = tenants.NewTenant(slug=slug, name=slug, time_zone=ZONE)
    tenant = await tenants.create_tenant(database, new)
    async with database.unit_of_work(tenant) as work:
        who = [work.ids() for _ in range(3)]
        work.add(
            *(
                Customer(id=one, kind="PERSON", status="ACTIVE", root_id=one, member_ids=[one],
                         first_seen_at=work.now, created_at=work.now, updated_at=work.now)
                for one in who
            )
        )  # fmt: skip
    return Story(database, tenant, who)


async def is_what_is_counted(story: Story, zone: str = ZONE) -> None:
    async with story.database.reading(story.tenant) as reading:
        assert await kept(reading, PurchaseDay, PURCHASES) == await counted_purchases(reading)
        assert await kept(reading, ActivityDay, ACTIVITIES) == await counted_activity(reading, zone)


@pytest.mark.anyio
@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(story=st.lists(steps, min_size=1, max_size=10))
@example(story=[Step("record"), Step("refund", amount=2, minutes=1500), Step("refund", amount=1)])
@example(story=[Step("record", currency="USD", cost=2), Step("refund", amount=1, cost=1), Step("rate", amount=2)])
@example(story=[Step("record"), Step("refund", amount=1), Step("change", customer=1, minutes=1500),
                Step("change", customer=2, minutes=0), Step("delete")])  # fmt: skip
@example(story=[Step("happen", minutes=minutes, customer=0) for minutes in (0, 20, 50, 1220, 1240, 1230)])
@example(story=[Step("happen", of=1, happened=InteractionKind.CALL), Step("happen", happened=InteractionKind.CALL),
                Step("revise", of=0, customer=1, happened=InteractionKind.CALL)])  # fmt: skip
async def test_after_any_story_the_days_are_those_counted_from_scratch(database: Database, story: list[Step]) -> None:
    told = await begin(database)
    for step in story:
        await told.take(step)
    await is_what_is_counted(told)


@pytest.mark.parametrize("seed", range(3))
async def test_a_long_story_too(database: Database, request: pytest.FixtureRequest, seed: int) -> None:
    if not request.config.getoption("--full-size"):
        pytest.skip("runs with --full-size")
    chance = Random(seed)  # noqa: S311 - a story, no secret
    told = await begin(database)
    for _ in range(300):
        kind = chance.choice([OrderKind.SALE, OrderKind.SALE, OrderKind.ADJUSTMENT])
        await told.take(
            Step(
                chance.choice(DEEDS), chance.randrange(6), chance.choice([None, 0, 1, 2]), chance.randrange(200) * 10,
                chance.randrange(4), chance.choice(["EUR", "USD"]), chance.choice([None, 0, 1]), kind,
                chance.choice([OrderStatus.COMPLETED, OrderStatus.OPEN]), chance.choice(KINDS), chance.random() < 0.3,
            )
        )  # fmt: skip
    await is_what_is_counted(told)


async def test_what_is_right_is_not_written_again(database: Database) -> None:
    told = await begin(database)
    await told.take(Step("record"))
    await told.take(Step("happen"))
    versions: Any = select(PurchaseDay.day, literal_column("purchase_days.xmin::text"))
    async with database.reading(told.tenant) as reading:
        before = await reading.rows(versions.where(PurchaseDay.tenant_id == told.tenant))
    assert [row.day for row in before] == [date(2026, 5, 1)]
    async with database.unit_of_work(told.tenant) as work:
        await settling.roll_up(work, told.who)
        await settling.roll_up(work, [UUID(int=1)])
        await settling.roll_up(work, [])
    async with database.reading(told.tenant) as reading:
        assert await reading.rows(versions.where(PurchaseDay.tenant_id == told.tenant)) == before


async def test_another_time_zone_has_everybodys_days_rolled_up_again(database: Database) -> None:
    told = await begin(database)
    await told.take(Step("happen", minutes=21 * 60))  # 00:30 of the next day in Tehran
    async with database.unit_of_work(told.tenant) as work:
        await tenants.update_tenant(work, 1, {"time_zone": "UTC"})
        [changed] = work._events
    assert (changed.name, changed.body) == ("tenants.TenantChanged", {"fields": ["time_zone"]})
    async with database.unit_of_work(told.tenant) as work:
        await metrics.roll_up_other_days(work, OutboxEvent(name=changed.name, body=changed.body))
    async with database.unit_of_work(told.tenant) as work:
        assert await settling.roll_up_due(work, "") is None
        assert await work.all(select(UnrolledCustomer).where(UnrolledCustomer.tenant_id == told.tenant)) == []
    await is_what_is_counted(told, "UTC")
    async with database.reading(told.tenant) as reading:
        assert [day for _, day in await kept(reading, ActivityDay, ACTIVITIES)] == [date(2026, 5, 1)]
