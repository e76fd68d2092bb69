from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from domain import purchases
from domain.core.clock import NoTimeZone
from domain.purchases import NewLine, NewOrder, NewProduct, catalogue, queries, rules
from domain.purchases.model import Product

if TYPE_CHECKING:
    from uuid import UUID

    from domain.core.database import Database
    from domain.core.problems import DomainError
    from tests.domain.conftest import Unchanged

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


async def test_a_family_is_named_and_renamed(database: Database, tenant: UUID, unchanged: Unchanged) -> None:
    async with database.unit_of_work(tenant) as work:
        made = await purchases.define_family(work, "tea", "Tea")
        assert (made.key, made.name, made.version) == ("tea", "Tea", 1)
    async with unchanged(), database.unit_of_work(tenant) as work:
        await purchases.define_family(work, "tea", "Tea")
    async with database.unit_of_work(tenant) as work:
        renamed = await purchases.define_family(work, "tea", "Teas")
    assert (renamed.id, renamed.name, renamed.version) == (made.id, "Teas", 2)


async def test_a_products_definitions_follow_one_another(
    database: Database, tenant: UUID, unchanged: Unchanged
) -> None:
    async with database.unit_of_work(tenant) as work:
        line = NewLine(Decimal(1), Decimal(1), "TEA")
        await purchases.record_order(work, NewOrder(occurred_at=NOON, currency="EUR", lines=(line,)))
        family = await purchases.define_family(work, "tea", "Tea")
        cup = await purchases.define_product(work, NewProduct("CUP"))
    first = NewProduct("TEA", "Green tea", "tea", 1, ("CUP",))
    async with database.unit_of_work(tenant) as work:
        await purchases.define_product(work, first, NOON + timedelta(days=1))
    async with unchanged(), database.unit_of_work(tenant) as work:
        await purchases.define_product(work, first, NOON + timedelta(days=2))
    async with database.unit_of_work(tenant) as work:
        await purchases.define_product(work, NewProduct("TEA", "Green tea", "tea", 2), NOON + timedelta(days=3))
    async with database.reading(tenant) as reading:
        told = await reading.all(
            select(Product).where(Product.tenant_id == tenant, Product.sku == "TEA").order_by(Product.valid_from)
        )
    assert len({product.id for product in told}) == 1
    assert [(p.valid_from - NOON, p.valid_to and p.valid_to - NOON) for p in told] == [
        (timedelta(0), timedelta(days=1)),
        (timedelta(days=1), timedelta(days=3)),
        (timedelta(days=3), None),
    ]
    assert [(p.name, p.family_id, p.tier_rank, p.complements) for p in told] == [
        (None, None, None, []),
        ("Green tea", family.id, 1, [cup.id]),
        ("Green tea", family.id, 2, []),
    ]


@pytest.mark.parametrize(
    ("new", "valid_from", "problem"),
    [
        (NewProduct("TEA", family="coffee"), None, queries.FamilyNotFound),
        (NewProduct("TEA", complements=("CUP",)), None, queries.ProductNotFound),
        (NewProduct("TEA", complements=("TEA",)), None, rules.ComplementOfItself),
        (NewProduct("TEA", tier_rank=1), None, rules.TierWithoutFamily),
        (NewProduct("TEA", "Tea"), NOON, catalogue.NotAfterCurrent),
        (NewProduct("TEA", "Tea"), NOON + timedelta(days=99_999), catalogue.NotAfterCurrent),
        (NewProduct("CUP"), NOON + timedelta(days=99_999), catalogue.NotAfterCurrent),
        (NewProduct("TEA", "Tea"), NOON.replace(tzinfo=None), NoTimeZone),
    ],
)
async def test_bad_input_changes_nothing(
    database: Database, tenant: UUID, unchanged: Unchanged, new: NewProduct, valid_from: datetime | None,
    problem: type[DomainError],
) -> None:  # fmt: skip
    async with database.unit_of_work(tenant) as work:
        await purchases.define_product(work, NewProduct("TEA"), NOON)
    async with unchanged():
        with pytest.raises(problem):
            async with database.unit_of_work(tenant) as work:
                await purchases.define_product(work, new, valid_from)
