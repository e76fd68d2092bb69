from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from domain.core.database import dsn_of
from domain.metrics.analysis.cohorts import Cohort, RetentionMode, cohorts
from domain.metrics.analysis.extract import purchases
from domain.metrics.rules import Grain, Gregorian, Jalali
from domain.purchases.rules import ALL_TIME, Window
from tests.domain.metrics.analysis.purchased import bought, day

if TYPE_CHECKING:
    from collections.abc import Sequence

    from domain.core.database import Database

ADA, BOB, CLEO, DAN = (uuid4() for _ in range(4))
JANUARY, FEBRUARY, MARCH, APRIL = 0, 31, 59, 90
DAYS = {
    ADA: [JANUARY, JANUARY + 3, MARCH],
    BOB: [JANUARY + 30, FEBRUARY],
    CLEO: [JANUARY + 5],
    DAN: [FEBRUARY + 1, APRIL],
}


async def table(
    database: Database, tenant: UUID, mode: RetentionMode, window: Window = ALL_TIME, as_of: date = date(2026, 4, 30)
) -> Sequence[Cohort]:
    await bought(database, tenant, DAYS)
    with purchases(dsn_of(database.url), tenant) as found:
        return cohorts(found, window, Grain.MONTH, mode, Gregorian(), as_of)


def retained(found: Sequence[Cohort]) -> list[tuple[date, int, list[int]]]:
    return [(each.start, each.customers, [cell.retained for cell in each.cells]) for each in found]


async def test_in_which_months_they_bought(database: Database, tenant: UUID) -> None:
    found = await table(database, tenant, RetentionMode.ON)
    assert retained(found) == [(date(2026, 1, 1), 3, [3, 1, 1, 0]), (date(2026, 2, 1), 1, [1, 0, 1])]
    assert all(cell.complete and not cell.censored for each in found for cell in each.cells)
    assert found[0].end == date(2026, 2, 1)


async def test_up_to_which_month_they_still_bought(database: Database, tenant: UUID) -> None:
    found = await table(database, tenant, RetentionMode.ON_OR_AFTER)
    assert retained(found) == [(date(2026, 1, 1), 3, [3, 2, 1, 0]), (date(2026, 2, 1), 1, [1, 1, 1])]
    # Gaps of 1, 3, 56 and 58 days: nine in ten are up to 57.4 days, and only so long ago nobody may still come back.
    assert [cell.censored for cell in found[0].cells] == [False, False, True, True]


async def test_a_month_that_goes_on_is_not_complete_and_later_days_do_not_count(
    database: Database, tenant: UUID
) -> None:  # fmt: skip
    found = await table(database, tenant, RetentionMode.ON, as_of=date(2026, 3, 15))
    assert retained(found) == [(date(2026, 1, 1), 3, [3, 1, 1]), (date(2026, 2, 1), 1, [1, 0])]
    assert [cell.complete for cell in found[0].cells] == [True, True, False]


async def test_the_first_purchase_ever_decides_the_cohort(database: Database, tenant: UUID) -> None:
    found = await table(database, tenant, RetentionMode.ON, Window(day(FEBRUARY), day(APRIL)))
    assert retained(found) == [(date(2026, 2, 1), 1, [1, 0, 1])]  # no Bob, who came in January


async def test_nobody_bought_yet(database: Database, tenant: UUID) -> None:
    with purchases(dsn_of(database.url), tenant) as found:
        assert cohorts(found, ALL_TIME, Grain.MONTH, RetentionMode.ON, Gregorian(), day(0)) == ()
    assert await table(database, tenant, RetentionMode.ON, as_of=date(2025, 12, 31)) == ()


async def test_months_are_those_of_the_tenants_calendar(database: Database, tenant: UUID) -> None:
    """In 2026 Dey ends with 20 January, Bahman with 19 February, and Esfand with 20 March."""
    await bought(database, tenant, DAYS)
    with purchases(dsn_of(database.url), tenant) as found:
        months = cohorts(found, ALL_TIME, Grain.MONTH, RetentionMode.ON, Jalali(), date(2026, 3, 20))
    assert retained(months) == [(date(2025, 12, 22), 2, [2, 0, 1]), (date(2026, 1, 21), 2, [2, 0])]
