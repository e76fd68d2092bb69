"""What is read beside the days of customers: who belonged together, by which model they are valued, unknown costs."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select, update

from domain.core.ids import new_id
from domain.initiatives import reading
from domain.initiatives.plans import Missing
from domain.initiatives.statistics.equity import Model
from domain.metrics.clv.model import EquityCurve, ModelKind, ModelVersion
from domain.metrics.model import PurchaseDay
from domain.segments import actions as segments
from domain.segments.criteria import CountryIs, KindIs
from domain.segments.model import Segment, SegmentVersion
from domain.stages import actions as stages
from domain.stages.model import Stage as StageRow
from domain.stages.model import StageInterval
from domain.stages.rules import CanonicalStep, Lifecycle, Stage, Text
from tests.domain.initiatives.conftest import BASELINE, FIRST, LIVE

if TYPE_CHECKING:
    from uuid import UUID

    from domain.core.database import Database
    from domain.core.unit_of_work import Writing
    from tests.domain.initiatives import evidence

BEGINS = datetime(2026, 1, 1, tzinfo=UTC)


async def staged(work: Writing, *stays: tuple[UUID, str, int, int | None]) -> None:
    """A default lifecycle of two stages; who was in which from how many to how many days after `BEGINS`."""
    both = tuple(
        Stage(key=key, position=place, label=Text(en=key.title()), step=CanonicalStep.RETAIN)
        for place, key in enumerate(("fresh", "loyal"), 1)
    )
    way = await stages.create_lifecycle(
        work, Lifecycle(key="way", stages=both, rules=()), title=Text(en="Way"), default=True
    )
    rows = await work.rows(select(StageRow.key, StageRow.id).where(StageRow.tenant_id == work.tenant_id))
    for who, key, since, until in stays:
        work.add(
            StageInterval(
                id=new_id(), customer_id=who, lifecycle_id=way.id, lifecycle_key="way", stage_id=dict(rows)[key],
                stage_key=key, visit=1, entered_at=BEGINS + timedelta(days=since), is_current=until is None,
                exited_at=None if until is None else BEGINS + timedelta(days=until), cause_kind="MANUAL",
            )
        )  # fmt: skip


async def published(work: Writing, key: str, criteria: KindIs | CountryIs) -> None:
    made = await segments.create(work, key, {"en": key.title()}, criteria)
    version = await work.one(select(SegmentVersion.id).where(SegmentVersion.segment_id == made.id))
    await work.execute(update(Segment).where(Segment.id == made.id).values(published_version_id=version))


async def test_groups_are_as_they_were_and_left_out_where_nobody_knows(
    database: Database, tenant: UUID, book: evidence.Book
) -> None:
    early, late, gone = book.customers[:3]
    async with database.unit_of_work(tenant) as work:
        await staged(work, (early, "fresh", -9, 3), (early, "loyal", 3, None), (late, "fresh", 1, None),
                     (gone, "fresh", -9, -1), (gone, "loyal", -1, None))  # fmt: skip
        await published(work, "people", KindIs(kind="PERSON"))
        await published(work, "abroad", CountryIs(among=("IR",)))  # where somebody lived then is not known
    async with database.reading(tenant) as work:
        found = {name.key: (name.kind, name.labels, who) for name, who in await reading.groups(work, BEGINS)}
    assert found == {
        "people": ("SEGMENT", {"en": "People"}, frozenset(book.customers)),
        "fresh": ("STAGE", {"en": "Fresh"}, frozenset({early})),
        "loyal": ("STAGE", {"en": "Loyal"}, frozenset({gone})),
    }


@pytest.mark.parametrize(
    ("currency", "found"),
    [("EUR", Model(2, "MBG_NBD", [0.5, 6.0, 0.8, 2.4], [6.25, 3.74, 15.4], 0.4)), ("USD", Missing.OTHER_CURRENCY)],
)
async def test_customers_are_valued_by_the_latest_version_in_the_currency_of_the_seal(
    database: Database, tenant: UUID, currency: str, found: Model | Missing
) -> None:
    async with database.reading(tenant) as work:
        assert await reading.model_of_buying(work, "EUR") is Missing.NOT_FITTED
    async with database.unit_of_work(tenant) as work:
        spending = fitted(ModelKind.GAMMA_GAMMA, 1, {"p": 6.25, "q": 3.74, "gamma": 15.4})
        work.add(spending)
        for number in (1, 2):
            buying = fitted(ModelKind.MBG_NBD, number, {"b": 2.4, "a": 0.8, "alpha": 6.0, "r": 0.25 * number})
            work.add(buying)
            await work.flush()
            work.add(
                EquityCurve(
                    version_id=buying.id, spend_version_id=spending.id, as_of=LIVE, computed_at=work.now,
                    currency="EUR", margin=Decimal("0.4"), customers=9, acquired_per_month=Decimal(1), current={},
                    future={},
                )
            )  # fmt: skip
    async with database.reading(tenant) as work:
        assert await reading.model_of_buying(work, currency) == found


def fitted(kind: ModelKind, number: int, parameters: dict[str, float]) -> ModelVersion:
    return ModelVersion(
        id=new_id(), kind=kind, number=number, fitted_at=BEGINS, training_start=FIRST, training_end=LIVE, customers=9,
        unit="weeks", parameters=parameters, covariance={}, log_likelihood=Decimal(-1), back_test={}, checks={},
    )  # fmt: skip


@pytest.mark.parametrize("column", ["uncosted", "unrated"])
async def test_what_a_purchase_leaves_is_unknown_where_a_cost_or_a_rate_is(
    database: Database, tenant: UUID, book: evidence.Book, column: str
) -> None:
    who, day = book.customers[0], FIRST + timedelta(days=10)
    async with database.unit_of_work(tenant) as work:
        days = update(PurchaseDay).where(PurchaseDay.customer_id == who, PurchaseDay.day == day)
        await work.execute(days.values({column: 1}))
        window = reading.Window(LIVE - timedelta(days=BASELINE + 40), LIVE, "UTC", paid_only=False)
        found = await reading.columns(work, window, {who: 0})
    known: dict[date, int | None] = dict(zip(found["day"], found["contribution"], strict=True))
    assert (known.pop(day), set(known.values())) == (None, {500})
