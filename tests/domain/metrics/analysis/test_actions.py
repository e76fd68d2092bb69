from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select, text

from domain import customers
from domain.core.clock import FixedClock
from domain.core.database import Database, dsn_of
from domain.metrics.analysis.actions import publish_rfm
from domain.metrics.analysis.extract import purchases
from domain.metrics.analysis.model import RfmCutoff
from domain.metrics.analysis.rfm import rfm
from domain.metrics.definitions import rfm as scores
from domain.purchases.rules import Window
from tests.domain.metrics.analysis.purchased import bought, day

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from uuid import UUID

    from tests.conftest import Logins

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture
async def then(logins: Logins) -> AsyncIterator[Database]:
    """The database, as of 22 November 2026."""
    async with Database(str(logins.server), readers=1, writers=2, clock=FixedClock(NOW)) as opened:
        yield opened


async def people(database: Database, tenant: UUID, number: int) -> list[UUID]:
    async with database.unit_of_work(tenant) as work:
        made = [await customers.create(work, customers.NewCustomer(name=f"customer {n}")) for n in range(number)]
        return [each.id for each in made]


async def scored(database: Database, tenant: UUID) -> dict[UUID, tuple[Any, ...]]:
    """The scores of everybody as a segment sees them."""
    values = ", ".join(each.value for each in (scores.RECENCY, scores.FREQUENCY, scores.MONETARY))
    async with database.reading(tenant) as reading:
        rows = await reading.rows(
            text(f"SELECT c.id, {values} FROM customers c WHERE c.tenant_id = :tenant AND c.root_id = c.id"),
            {"tenant": tenant},
        )
    return {row[0]: tuple(row[1:]) for row in rows}


async def test_whoever_was_ranked_is_placed_alike_by_what_is_published(then: Database, tenant: UUID) -> None:
    everybody = await people(then, tenant, 40)
    days = {
        who: [(n % 7 + 60, n % 3), *((n % 5 + 70 + 10 * k, n) for k in range(1, n % 6))]
        for n, who in enumerate(everybody)
    }  # fmt: skip
    await bought(then, tenant, days)
    found = await publish_rfm(then, tenant)
    assert found is not None
    ranked = {row["customer"]: (row["r"], row["f"], row["m"]) for row in found.scores.to_pylist()}
    assert await scored(then, tenant) == ranked
    async with then.reading(tenant) as reading:
        published = await reading.all(select(RfmCutoff).where(RfmCutoff.tenant_id == tenant))
    assert {(each.measure, each.score, each.bound, each.customers) for each in published} == set(found.cutoffs)
    assert {each.customers for each in published} == {40}
    assert {(each.window_start, each.window_end, each.published_at) for each in published} == {
        (date(2025, 11, 22), date(2026, 11, 22), NOW)
    }


async def test_who_has_just_bought_is_placed_at_once(then: Database, tenant: UUID) -> None:
    *everybody, late, never = await people(then, tenant, 28)
    await bought(then, tenant, {who: [(n, 10 + n)] for n, who in enumerate(everybody)})
    await publish_rfm(then, tenant)
    assert (await scored(then, tenant))[late] == (None, None, None)
    await bought(then, tenant, {late: [(325, 500)]})  # 22 November, the first day after the published window
    placed = await scored(then, tenant)
    assert placed[late] == (5, 1, 5)
    assert placed[never] == (None, None, None)
    await bought(then, tenant, {late: [(324, None)]})
    assert (await scored(then, tenant))[late] == (5, 1, None)


async def test_with_few_customers_what_was_published_is_taken_back(then: Database, tenant: UUID) -> None:
    everybody = await people(then, tenant, 25)
    await bought(then, tenant, {who: [0] for who in everybody})
    assert await publish_rfm(then, tenant) is not None
    then.clock = FixedClock(NOW + timedelta(days=365))
    assert await publish_rfm(then, tenant) is None
    assert set((await scored(then, tenant)).values()) == {(None, None, None)}


async def test_a_score_that_nobody_has_is_given_to_nobody(then: Database, tenant: UUID) -> None:
    """Twenty bought on one day and five later: the twenty share the lowest score, the five have the highest."""
    everybody = await people(then, tenant, 25)
    await bought(then, tenant, {who: [int(n >= 20)] for n, who in enumerate(everybody)})
    with purchases(dsn_of(then.url), tenant) as found:
        scored_ = rfm(found, Window(day(0), day(9)))
    assert scored_ is not None
    assert sorted(scored_.scores["r"].to_pylist()) == [1] * 20 + [5] * 5
