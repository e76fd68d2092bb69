from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import insert

from domain.customers.model import AttributeDefinition, AttributeType, CustomerAttribute
from domain.customers.rules import UnknownAttribute, WrongAttributeType
from domain.interactions.model import InteractionKind
from domain.segments import measures, queries
from domain.segments.compiling import NotDated, UnknownKind
from domain.segments.criteria import (
    All,
    AnyOf,
    AttributeIs,
    CountryIs,
    Criteria,
    DaysSince,
    EnteredStage,
    InSegment,
    InStage,
    Interactions,
    KindIs,
    LifeSpan,
    Metric,
    Not,
    Occasions,
    Since,
    Spent,
)
from domain.segments.measures import Measure, NoPercentile, UnknownMeasure
from domain.stages import actions as stages
from domain.stages.queries import UnknownLifecycle
from domain.stages.rules import UnknownStage
from tests.domain.segments.conftest import DAY

if TYPE_CHECKING:
    from uuid import UUID

    from domain.segments.queries import Preview
    from tests.domain.segments.conftest import Shop

FAR = measures.register(
    Measure("far", "SELECT extract(day FROM c.first_seen_at)", percentile="SELECT 50", timed=False, dated=False)
)
EVER = measures.register(Measure("ever", "SELECT extract(epoch FROM :moment - c.first_seen_at) / 86400", dated=True))


async def test_what_a_customer_bought(shop: Shop) -> None:
    ann, ben, cat, dan = [await shop.customer(name) for name in ("ann", "ben", "cat", "dan")]
    await shop.order(ann, 40)
    await shop.order(ann, 10)
    await shop.order(ann, 10, amount=500, base_amount=500)  # the same day: one occasion
    whole = await shop.order(ben, 20)
    await shop.refund(ben, whole, 1000)
    part = await shop.order(ben, 5)
    await shop.refund(ben, part, 400)
    await shop.order(cat, 3, status="CANCELLED")
    await shop.order(cat, 2, base_amount=None, base_currency=None, currency="USD")
    assert await shop.fitting(Occasions(gte=2)) == {"ann"}
    assert await shop.fitting(Occasions(gte=1)) == {"ann", "ben", "cat"}
    assert await shop.fitting(Occasions(lt=1)) == {"dan"}
    assert await shop.fitting(Occasions(gte=1, within_days=9)) == {"ben", "cat"}
    assert await shop.fitting(LifeSpan(gte=30, lt=31)) == {"ann"}
    assert await shop.fitting(LifeSpan(lt=1)) == {"ben", "cat"}
    assert await shop.fitting(Spent(gte=Decimal(25))) == {"ann"}
    assert await shop.fitting(Spent(gte=Decimal("6.00"), lt=Decimal("6.01"))) == {"ben"}
    assert await shop.fitting(Spent(lt=Decimal(1))) == {"dan"}  # of cat the sum is not known
    assert await shop.fitting(Spent(gte=Decimal(10), within_days=30)) == {"ann"}
    assert await shop.fitting(DaysSince(what=Since.LAST_PURCHASE, gte=5)) == {"ann", "ben"}
    assert await shop.fitting(DaysSince(what=Since.LAST_PURCHASE, lt=5)) == {"cat"}
    assert await shop.fitting(DaysSince(what=Since.FIRST_PURCHASE, gte=40, lt=41)) == {"ann"}
    assert await shop.fitting(Not(of=DaysSince(what=Since.LAST_PURCHASE, gte=3))) == {"cat", "dan"}
    assert dan is not None


async def test_who_a_customer_is(shop: Shop) -> None:
    ann = await shop.customer("ann", country="DE")
    ben = await shop.customer("ben", country="IR", kind="ORGANISATION")
    cat = await shop.customer("cat")
    await define(shop, ann, tier=("TEXT", "gold"), seats=("INTEGER", 5), share=("DECIMAL", 2_500_000))
    await define(shop, ben, tier=("TEXT", "Gold"), vip=("BOOLEAN", True), born=("DATE", date(2000, 2, 29)))
    assert await shop.fitting(CountryIs(among=("DE", "FR"))) == {"ann"}
    assert await shop.fitting(KindIs(kind="ORGANISATION")) == {"ben"}
    assert await shop.fitting(AttributeIs(key="tier", eq="gold")) == {"ann"}
    assert await shop.fitting(Not(of=AttributeIs(key="tier", eq="gold"))) == {"ben", "cat"}
    assert await shop.fitting(AttributeIs(key="seats", gte=4.5, lte="5")) == {"ann"}
    assert await shop.fitting(AttributeIs(key="seats", gte="5.5")) == set()
    assert await shop.fitting(AttributeIs(key="share", eq="2.5")) == {"ann"}
    assert await shop.fitting(AttributeIs(key="vip", eq=True)) == {"ben"}
    assert await shop.fitting(AttributeIs(key="born", lte="2000-02-29")) == {"ben"}
    assert await shop.fitting(DaysSince(what=Since.FIRST_SEEN, gte=100, lt=101)) == {"ann", "ben", "cat"}
    assert cat is not None
    for key, value in (("seats", "many"), ("seats", "5.5"), ("vip", "maybe"), ("born", "yesterday")):
        with pytest.raises(WrongAttributeType):
            await shop.fitting(AttributeIs(key=key, eq=value))


async def test_what_happened_and_where_a_customer_is(shop: Shop) -> None:
    ann, ben = await shop.customer("ann"), await shop.customer("ben")
    for days in (50, 9, 1):
        await shop.interaction(ann, InteractionKind.CALL, days)
    await shop.interaction(ann, InteractionKind.EMAIL_CLICKED, 0.5, machine_suspected=True)
    await shop.interaction(ben, InteractionKind.MEETING, 4)
    async with shop.database.unit_of_work(shop.tenant) as work:
        await stages.create_from_template(work, "crm")
        await stages.move(work, ann, "consideration", occurred_at=work.now - 30 * DAY)
        await stages.move(work, ann, "purchase", occurred_at=work.now - 10 * DAY)
    assert await shop.fitting(Interactions(kinds=("CALL",), gte=3)) == {"ann"}
    assert await shop.fitting(Interactions(kinds=("CALL", "MEETING"), gte=1, within_days=5)) == {"ann", "ben"}
    assert await shop.fitting(Interactions(kinds=("EMAIL_CLICKED",), gte=1)) == set()
    assert await shop.fitting(Interactions(gte=3)) == {"ann"}  # moves between stages are no contacts
    assert await shop.fitting(Interactions(gte=4)) == set()
    assert await shop.fitting(DaysSince(what=Since.LAST_INTERACTION, gte=2)) == {"ben"}
    assert await shop.fitting(DaysSince(what=Since.FIRST_INTERACTION, kinds=("CALL",), gte=50)) == {"ann"}
    assert await shop.fitting(InStage(stage="purchase")) == {"ann"}
    assert await shop.fitting(InStage(lifecycle="crm", step="PURCHASE", gte=10)) == {"ann"}
    assert await shop.fitting(InStage(stage="purchase", gte=11)) == set()
    assert await shop.fitting(InStage(stage="consideration")) == set()
    assert await shop.fitting(EnteredStage(stage="consideration")) == {"ann"}
    assert await shop.fitting(EnteredStage(stage="consideration", within_days=29)) == set()


async def test_figures_and_other_segments(shop: Shop) -> None:
    ann, ben = await shop.customer("ann"), await shop.customer("ben")
    await shop.change(ben, first_seen_at=shop.clock.at - 8 * DAY)
    await shop.order(ann, 1)
    buyers = await shop.segment("buyers", Occasions(gte=1))
    assert await shop.fitting(InSegment(segment=buyers)) == {"ann"}
    crossed = AnyOf(of=(Not(of=InSegment(segment=buyers)), All(of=(KindIs(kind="PERSON"), Occasions(gte=9)))))
    assert await shop.fitting(crossed) == {"ben"}
    assert await shop.fitting(Metric(key="far", gte=Decimal(24))) == {"ben"}
    assert await shop.fitting(Metric(key="far", lte=Decimal(50), percentile=True)) == {"ann", "ben"}
    assert await shop.fitting(Metric(key="ever", gte=Decimal(100))) == {"ann"}


async def test_a_merged_customer_counts_as_one(shop: Shop) -> None:
    ann, ben = await shop.customer("ann"), await shop.customer("ben")
    await shop.order(ann, 9)
    await shop.order(ben, 2)
    assert await shop.fitting(Occasions(gte=2)) == set()
    await shop.change(ben, status="MERGED", root_id=ann, merged_into=ann, member_ids=[])
    await shop.change(ann, member_ids=[ann, ben])
    assert await shop.fitting(Occasions(gte=2)) == {"ann"}
    assert await shop.fitting(Occasions(gte=0)) == {"ann"}


async def test_the_past_is_what_was_until_then(shop: Shop) -> None:
    ann, ben = await shop.customer("ann"), await shop.customer("ben")
    for days in (40, 30, 5):
        await shop.order(ann, days)
    await shop.order(ben, 30)
    await shop.interaction(ben, InteractionKind.CALL, 12)
    repeat = await shop.segment("repeat", Occasions(gte=2))
    async with shop.database.unit_of_work(shop.tenant) as work:
        await stages.create_from_template(work, "crm")
        await stages.move(work, ann, "consideration", occurred_at=work.now - 30 * DAY)
        await stages.move(work, ann, "purchase", occurred_at=work.now - 10 * DAY)
    assert await shop.fitted(Occasions(gte=2), 31) == set()
    assert await shop.fitted(Occasions(gte=2), 30) == set()  # what happens at the moment itself is not the past
    assert await shop.fitted(Occasions(gte=2), 29) == {"ann"}
    assert await shop.fitted(Occasions(gte=1, within_days=10), 29) == {"ann", "ben"}
    assert await shop.fitted(InSegment(segment=repeat), 29) == {"ann"}
    assert await shop.fitted(InSegment(segment=repeat), 35) == set()
    assert await shop.fitted(InStage(stage="consideration", gte=5), 20) == {"ann"}
    assert await shop.fitted(InStage(stage="consideration"), 9) == set()
    assert await shop.fitted(Interactions(kinds=("CALL",), gte=1), 12) == set()
    assert await shop.fitted(Interactions(kinds=("CALL",), gte=1), 11) == {"ben"}
    assert await shop.fitted(Spent(gte=Decimal(20)), 6) == {"ann"}
    assert await shop.fitted(DaysSince(what=Since.LAST_PURCHASE, gte=20), 6) == {"ann", "ben"}
    assert await shop.fitted(Metric(key="ever", gte=Decimal(95)), 6) == set()
    for now_only in (CountryIs(among=("DE",)), Metric(key="far", gte=Decimal(0)), AttributeIs(key="tier", eq="x")):
        with pytest.raises(NotDated):
            await shop.fitted(now_only, 9)


@pytest.mark.parametrize(
    ("criteria", "problem"),
    [
        (AttributeIs(key="tier", eq="gold"), UnknownAttribute),
        (Metric(key="weight", gte=Decimal(1)), UnknownMeasure),
        (Metric(key="ever", gte=Decimal(1), percentile=True), NoPercentile),
        (Interactions(kinds=("TELEPATHY",), gte=1), UnknownKind),
        (InStage(stage="limbo"), UnknownStage),
        (InStage(step="LIMBO"), UnknownStage),
        (InStage(lifecycle="limbo", step="AWARE"), UnknownLifecycle),
    ],
)
async def test_what_there_is_not_cannot_be_asked_about(
    shop: Shop, criteria: Criteria, problem: type[Exception]
) -> None:
    with pytest.raises(problem):
        await shop.fitting(All(of=(Occasions(gte=1), criteria)))


async def test_a_preview_counts_all_and_names_ten(shop: Shop) -> None:
    made = [await shop.customer(str(nth)) for nth in range(12)]
    async with shop.database.reading(shop.tenant) as reading:
        found: Preview = await queries.preview(reading, Occasions(lt=1))
    assert (found.count, found.sample) == (12, tuple(sorted(made)[:10]))


async def define(shop: Shop, who: UUID, **values: tuple[str, Any]) -> None:
    """The golden values of a customer."""
    for key, (kind, value) in values.items():
        of = {"tenant_id": shop.tenant, "key": key}
        column = queries.customers.VALUE_COLUMN[AttributeType(kind)]
        async with shop.database.unit_of_work(shop.tenant) as work:
            known = {each.key for each in await queries.customers.definitions_of(work)}
            if key not in known:
                definition = {
                    "id": work.ids(), "type": kind, "labels": {}, "pii": "NONE", "survivorship": "LATEST",
                    "authority": [], "created_at": work.now,
                }  # fmt: skip
                await work.execute(insert(AttributeDefinition), of | definition)
            await work.execute(insert(CustomerAttribute), of | {"customer_id": who, column: value})
