"""Values worked out by hand for a small business: two customers turn out to be one, one bought twice, one never."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select, text

from domain import customers, purchases
from domain.core.events import DueWork
from domain.customers.model import Customer
from domain.metrics import actions as metrics
from domain.metrics import settling
from domain.metrics.catalogue import UnknownMetric
from domain.metrics.model import MetricDefinition, MetricDistribution, MetricObservation
from domain.metrics.observing import Observed, observe, recomputed
from domain.metrics.publishing import PUBLISH, publish
from domain.metrics.queries import NotPersonal, Question, StageName, customer_values, series
from domain.metrics.reading import Snapshot, snapshot
from domain.metrics.rules import Counting, Grain, SeriesTooLong, TooManySeries, WindowEmpty, WindowInFuture, WindowOpen
from domain.purchases import NewOrder, NewRefund
from domain.purchases.rules import MissingReason, Window
from domain.segments.queries import UnknownSegment
from domain.stages.rules import UnknownStage
from domain.tenants import actions as tenants
from tests.domain.metrics.analysis.purchased import BEGIN, bought

if TYPE_CHECKING:
    from uuid import UUID

    from domain.core.database import Database
    from domain.core.unit_of_work import Writing

QUARTER = Window(date(2026, 1, 1), date(2026, 4, 1))
KEYS = ["occasions", "active_customers", "quantity", "revenue", "size_of_transaction", "repeat_purchase_rate",
        "frequency", "recency", "purchase_gap", "median_purchase_gap", "lifespan",
        "median_size_of_transaction"]  # fmt: skip


@dataclass
class Shop:
    """Ann and Anna, who are one; Bob, who became known by his first purchase; Dora, who never bought.

    Anna had bought before she was recorded, so that she was seen by that.
    """

    ann: UUID
    anna: UUID
    bob: UUID
    dora: UUID

    @property
    def all(self) -> list[UUID]:
        return [self.ann, self.anna, self.bob, self.dora]


def day(text_: str) -> datetime:
    return datetime.fromisoformat(f"2026-{text_}T12:00:00+00:00")


async def buy(work: Writing, who: UUID, at: str, total: int, units: int = 1) -> UUID:
    new = NewOrder(
        occurred_at=day(at), currency="EUR", total=Decimal(total), units=Decimal(units), customer_id=who
    )  # fmt: skip
    return (await purchases.record_order(work, new)).id


def known_since(work: Writing, at: str) -> Customer:
    id_ = work.ids()
    made = Customer(id=id_, kind="PERSON", status="ACTIVE", root_id=id_, member_ids=[id_], first_seen_at=day(at),
                    created_at=work.now, updated_at=work.now)  # fmt: skip
    work.add(made)
    return made


@pytest.fixture
async def shop(database: Database, tenant: UUID) -> Shop:
    async with database.unit_of_work(tenant) as work:
        people = [known_since(work, at) for at in ("01-01", "02-01", "03-01", "05-01")]
        await work.flush()
        made = Shop(*(person.id for person in people))
        await buy(work, made.ann, "01-10", 10)
        await buy(work, made.ann, "01-20", 20)
        await buy(work, made.anna, "01-20", 30, units=2)
        await buy(work, made.ann, "03-01", 0)
        await buy(work, made.bob, "03-01", 40)
        returned = await buy(work, made.bob, "03-11", 60, units=3)
        await purchases.record_refund(
            work,
            NewRefund(
                occurred_at=day("04-05"), currency="EUR", total=Decimal(10), units=Decimal(1), order_id=returned
            ),
        )  # fmt: skip
        await settling.roll_up(work, made.all)
    return made


async def values(database: Database, tenant: UUID, question: Question) -> dict[str, str]:
    """The value of each metric in the whole window, or why there is none."""
    async with database.reading(tenant) as reading:
        answer = await series(await snapshot(reading), question)
    return {
        each.definition.key: str(each.total.missing if each.total.value is None else each.total.value)
        for each in answer.series
    }


BEFORE = {
    "occasions": "6.000000", "active_customers": "3.000000", "quantity": "8.000000", "revenue": "15000.000000",
    "size_of_transaction": "2500.000000", "repeat_purchase_rate": "0.666667", "frequency": "7.609375",
    "recency": "41.000000", "purchase_gap": "20.000000", "median_purchase_gap": "10.000000",
    "lifespan": "20.000000", "median_size_of_transaction": "2500.000000",
}  # fmt: skip
AFTER = BEFORE | {
    "occasions": "5.000000", "active_customers": "2.000000", "size_of_transaction": "3000.000000",
    "repeat_purchase_rate": "1.000000", "frequency": "12.074380", "recency": "26.000000", "lifespan": "30.000000",
    "median_size_of_transaction": "4000.000000",
}  # fmt: skip


async def test_the_values_are_those_worked_out_by_hand(database: Database, tenant: UUID, shop: Shop) -> None:
    question = Question(KEYS, QUARTER)
    assert await values(database, tenant, question) == BEFORE
    async with database.unit_of_work(tenant) as work:
        at = work.now - timedelta(microseconds=1)
        await customers.merge(work, shop.ann, [shop.anna])
    assert await values(database, tenant, question) == AFTER
    then = Question(KEYS, QUARTER, as_of=at)
    assert await values(database, tenant, then) == BEFORE
    now = Question(KEYS, QUARTER, as_of=at + timedelta(hours=1))
    assert await values(database, tenant, now) == AFTER
    paid = await values(
        database, tenant, Question(["occasions", "quantity"], QUARTER, counting=Counting(paid_only=True))
    )
    assert paid == {"occasions": "4.000000", "quantity": "7.000000"}


async def test_a_value_says_what_it_is_made_of(database: Database, tenant: UUID, shop: Shop) -> None:
    async with database.reading(tenant) as reading:
        answer = await series(await snapshot(reading), Question(["frequency"], QUARTER))
    (frequency,) = answer.series
    total = frequency.total
    assert total.numerator == 4
    assert total.denominator == 192
    assert (total.n, total.missing) == (3, None)
    assert (answer.currency, answer.window, frequency.definition.version) == ("EUR", (QUARTER.start, QUARTER.end), 2)
    assert answer.as_of == answer.watermark


async def test_what_is_not_known_is_missing_for_a_reason(database: Database, tenant: UUID, shop: Shop) -> None:
    keys = ["occasions", "size_of_transaction", "purchase_gap", "median_size_of_transaction"]
    june = Question(keys, Window(date(2026, 6, 1), date(2026, 7, 1)))
    assert await values(database, tenant, june) == {
        "occasions": "0.000000", "size_of_transaction": "DENOMINATOR_ZERO", "purchase_gap": "TOO_FEW",
        "median_size_of_transaction": "NO_DATA",
    }  # fmt: skip
    long_ago = Question(keys, Window(date(2020, 6, 1), date(2020, 7, 1)))
    assert set((await values(database, tenant, long_ago)).values()) == {"NO_DATA"}
    async with database.unit_of_work(tenant) as work:
        foreign = NewOrder(occurred_at=day("06-02"), currency="USD", total=Decimal(5), customer_id=shop.bob)
        await purchases.record_order(work, foreign)
        await settling.roll_up(work, [shop.bob])
    assert (await values(database, tenant, june))["size_of_transaction"] == "NO_RATE"


async def test_a_tenant_without_anything_has_no_data(database: Database, tenant: UUID) -> None:
    found = await values(database, tenant, Question(KEYS, QUARTER))
    assert set(found.values()) == {"NO_DATA"}


async def test_a_series_has_the_months_of_the_tenants_calendar(database: Database, tenant: UUID, shop: Shop) -> None:
    async def months() -> list[tuple[str, str, str, bool]]:
        async with database.reading(tenant) as reading:
            question = Question(["occasions"], Window(date(2026, 1, 10), date(2026, 4, 1)), Grain.MONTH)
            (each,) = (await series(await snapshot(reading), question)).series
        return [(point.label, str(point.start), str(value.value)[:1], point.complete) for point, value in each.points]

    assert await months() == [
        ("2026-01", "2026-01-10", "3", False),
        ("2026-02", "2026-02-01", "0", True),
        ("2026-03", "2026-03-01", "3", True),
    ]  # fmt: skip
    async with database.unit_of_work(tenant) as work:
        await tenants.update_tenant(work, 1, {"calendar": "JALALI"})
    assert await months() == [
        ("1404-10", "2026-01-10", "3", False), ("1404-11", "2026-01-21", "0", True),
        ("1404-12", "2026-02-20", "3", True), ("1405-01", "2026-03-21", "0", False),
    ]  # fmt: skip


@pytest.mark.usefixtures("shop")
async def test_a_period_that_has_not_begun_has_no_value_yet(database: Database, tenant: UUID) -> None:
    today = database.clock.now().date()
    window = Window(today - timedelta(days=2), today + timedelta(days=3))
    keys = ["occasions", "dormant_customers", "recency"]
    async with database.reading(tenant) as reading:
        found = (await series(await snapshot(reading), Question(keys, window, Grain.DAY))).series
    for each in found:
        missing = [value.missing for point, value in each.points if point.start > today]
        assert missing == [MissingReason.NO_DATA] * 2
        assert {value.value for point, value in each.points if point.start > today} == {None}
    assert [str(value.value)[:1] for _, value in found[0].points[:3]] == ["0", "0", "0"]


WRONG: list[tuple[type[Exception], dict[str, Any]]] = [
    (UnknownMetric, {"keys": ["happiness"]}),
    (WindowOpen, {"window": Window(date(2026, 1, 1))}),
    (WindowEmpty, {"window": Window(date(2026, 1, 1), date(2026, 1, 1))}),
    (WindowInFuture, {"window": Window(date(2126, 1, 1), date(2126, 2, 1))}),
    (SeriesTooLong, {"window": Window(date(2000, 1, 1), date(2026, 1, 1)), "grain": Grain.DAY}),
    (TooManySeries, {"stages": [StageName("lead")], "keys": KEYS}),
    (UnknownSegment, {"segments": ["nobody"]}),
    (UnknownStage, {"stages": [StageName("nowhere")]}),
]


@pytest.mark.parametrize(("problem", "asked"), WRONG)
async def test_what_cannot_be_asked_is_refused(
    database: Database, tenant: UUID, monkeypatch: pytest.MonkeyPatch, problem: type[Exception], asked: dict[str, Any]
) -> None:
    if problem is TooManySeries:
        asked = {"keys": KEYS}
        monkeypatch.setattr("domain.metrics.queries.MOST_SERIES", 11)
    if problem is UnknownSegment:
        asked = {"segments": [database.ids()]}
    question = Question(**{"keys": ["occasions"], "window": QUARTER, **asked})
    async with database.reading(tenant) as reading:
        with pytest.raises(problem):
            await series(await snapshot(reading), question)


async def test_a_customer_stands_beside_all_as_they_were_published(
    database: Database, tenant: UUID, shop: Shop
) -> None:
    keys = ["revenue", "occasions", "lifespan", "recency"]
    async with database.unit_of_work(tenant) as work:
        today = work.now.date()
        await publish(work)
        meant = select(MetricDefinition.formula).where(
            MetricDefinition.tenant_id == tenant, MetricDefinition.key == "occasions"
        )
        assert str(await work.one(meant)).startswith("Distinct pairs of a customer and a local day")
    async with database.reading(tenant) as reading:
        found = await customer_values(await snapshot(reading), [shop.bob, shop.dora], keys)
    bob, dora = ({each.definition.key: each for each in found.by_customer[who]} for who in (shop.bob, shop.dora))
    assert bob["revenue"].value.value == 9_000
    assert bob["revenue"].percentile == 100
    assert bob["revenue"].cohort is not None
    assert bob["revenue"].cohort.value == 15_000
    assert bob["revenue"].cohort.n == 4
    assert bob["lifespan"].value.value == 10
    assert bob["lifespan"].cohort is not None
    assert bob["lifespan"].cohort.value == 20
    assert bob["recency"].value.value == (today - date(2026, 3, 11)).days
    assert bob["recency"].z is None
    assert dora["occasions"].value.value == 0
    assert dora["occasions"].percentile == 25
    assert (dora["recency"].value.missing, dora["recency"].percentile) == (MissingReason.NO_DATA, None)


async def test_how_unusual_a_customer_is_depends_on_no_unit(database: Database, tenant: UUID) -> None:
    """Customers 1 to 30 bought on as many days, for a euro each: money stands as far off as the number of days."""
    async with database.unit_of_work(tenant) as work:
        people = [known_since(work, "01-01").id for _ in range(30)]
        await work.flush()
    today = datetime.now(UTC).date()
    days = [(today - BEGIN).days - ago for ago in range(30)]
    euros = {who: [(day, 100) for day in days[:number]] for number, who in enumerate(people, start=1)}
    await bought(database, tenant, euros)
    async with database.unit_of_work(tenant) as work:
        await publish(work)
    async with database.reading(tenant) as reading:
        found = await customer_values(await snapshot(reading), [people[-1], people[0]], ["revenue", "occasions"])
    logs = [math.log(1 + number) for number in range(1, 31)]
    furthest = (logs[-1] - statistics.mean(logs)) / statistics.stdev(logs)
    assert round(furthest, 4) == 1.1446
    z = {who: [str(each.z) for each in found.by_customer[who]] for who in (people[-1], people[0])}
    assert z == {people[-1]: ["1.1446", "1.1446"], people[0]: ["-2.6311", "-2.6311"]}


async def test_a_metric_of_groups_has_no_value_for_a_customer(database: Database, tenant: UUID, shop: Shop) -> None:
    async with database.reading(tenant) as reading:
        with pytest.raises(NotPersonal):
            await customer_values(await snapshot(reading), [shop.bob], ["repeat_purchase_rate"])


async def test_an_observation_is_computed_again_to_the_same_bytes(database: Database, tenant: UUID, shop: Shop) -> None:
    async with database.unit_of_work(tenant) as work:
        kept = await observe(work, Question(KEYS, QUARTER))
        digests = {each.metric_key: each.input_digest for each in kept}
    async with database.unit_of_work(tenant) as work:
        await customers.merge(work, shop.ann, [shop.anna])
        order = await buy(work, shop.dora, "02-02", 77)
        await purchases.change_order(
            work, order, 1, NewOrder(occurred_at=day("02-03"), currency="EUR", total=Decimal(78), customer_id=shop.bob)
        )
        await settling.roll_up(work, shop.all)
    async with database.reading(tenant) as reading:
        here = await snapshot(reading)
        again = {each.metric_key: await recomputed(here, each) for each in kept}
    assert {key: observed.digest for key, observed in again.items()} == digests
    before = {each.metric_key: Observed(each.value, each.missing, each.numerator, each.denominator, each.n,
                                        each.standard_error) for each in kept}  # fmt: skip
    assert [again[key].encoded() for key in KEYS] == [before[key].encoded() for key in KEYS]
    assert (await values(database, tenant, Question(["occasions"], QUARTER)))["occasions"] == "6.000000"


async def test_what_is_due_daily_publishes_and_keeps_the_last_month_once(
    database: Database, tenant: UUID, shop: Shop
) -> None:
    async with database.unit_of_work(tenant) as work:
        due = select(DueWork.kind, DueWork.due_at).where(DueWork.tenant_id == tenant, DueWork.kind == PUBLISH)
        (entry,) = await work.rows(due)
        assert entry.due_at <= work.now + timedelta(days=1)
    for _ in range(2):
        async with database.unit_of_work(tenant) as work:
            assert await metrics.publish_due(work, "") == work.now + timedelta(days=1)
    async with database.reading(tenant) as reading:
        published = await reading.all(
            select(MetricDistribution.as_of).where(
                MetricDistribution.tenant_id == tenant, MetricDistribution.metric_key == "recency"
            )
        )
        kept = await reading.all(
            select(MetricObservation.missing).where(
                MetricObservation.tenant_id == tenant, MetricObservation.metric_key == "size_of_transaction"
            )
        )
    assert (len(published), kept) == (2, ["DENOMINATOR_ZERO"])


class Watched:
    """A connection that counts the statements, and keeps the plans by which they run."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self.plans: list[str] = []

    async def fetch(self, sql: str, *arguments: Any) -> Any:
        plan = await self.connection.fetch(f"EXPLAIN {sql}", *arguments)
        self.plans.append("\n".join(row[0] for row in plan))
        return await self.connection.fetch(sql, *arguments)


async def test_two_years_by_month_for_five_segments_take_two_statements_and_no_interaction(
    database: Database, tenant: UUID, shop: Shop
) -> None:
    segments = [database.ids() for _ in range(5)]
    async with database.unit_of_work(tenant) as work:
        for at, segment in enumerate(segments):
            await work.execute(
                text(
                    "INSERT INTO segments (tenant_id, id, key, labels, role, created_at, updated_at)"
                    " VALUES (:t, :id, :key, '{}', 'MEASURED', :now, :now)"
                ),
                {"t": tenant, "id": segment, "key": f"s{at}", "now": work.now},
            )
            await work.execute(
                text(
                    "INSERT INTO segment_members (tenant_id, segment_id, customer_id, since) VALUES (:t, :s, :c, :now)"
                ),
                {"t": tenant, "s": segment, "c": shop.all[at % 4], "now": work.now},
            )
    window = Window(date(2024, 4, 1), date(2026, 4, 1))
    question = Question(["occasions", "frequency", "size_of_transaction"], window, Grain.MONTH, segments)
    async with database.snapshot(tenant) as connection:
        watched = Watched(connection)
        answer = await series(Snapshot(watched, tenant, datetime.now(UTC)), question)
    assert [len(each.points) for each in answer.series] == [24] * 15
    assert [int(each.total.value or 0) for each in answer.series[:5]] == [3, 1, 2, 0, 3]
    assert len(watched.plans) == 2
    assert "purchase_days" in watched.plans[1]
    for plan in watched.plans:
        assert not {"interactions", "orders", "refunds"} & {word for line in plan.splitlines() for word in line.split()}
