from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from domain.core.database import dsn_of
from domain.metrics.analysis.cohorts import Cohort, RetentionMode, cohorts
from domain.metrics.analysis.extract import purchases
from domain.metrics.analysis.periods import starts
from domain.metrics.rules import Grain
from domain.purchases.rules import ALL_TIME, Window
from domain.tenants.model import Calendar
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
        return cohorts(found, window, Grain.MONTH, mode, Calendar.GREGORIAN, as_of)


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
        assert cohorts(found, ALL_TIME, Grain.MONTH, RetentionMode.ON, Calendar.GREGORIAN, day(0)) == ()
    assert await table(database, tenant, RetentionMode.ON, as_of=date(2025, 12, 31)) == ()


def test_periods_of_both_calendars() -> None:
    def of(grain: Grain, calendar: Calendar) -> list[str]:
        return [str(each) for each in starts(date(2026, 3, 25), date(2026, 6, 1), grain, calendar)]

    assert of(Grain.MONTH, Calendar.GREGORIAN) == ["2026-03-01", "2026-04-01", "2026-05-01", "2026-06-01", "2026-07-01"]
    assert of(Grain.QUARTER, Calendar.GREGORIAN) == ["2026-01-01", "2026-04-01", "2026-07-01"]
    assert of(Grain.MONTH, Calendar.JALALI) == ["2026-03-21", "2026-04-21", "2026-05-22", "2026-06-22"]
    assert of(Grain.QUARTER, Calendar.JALALI) == ["2026-03-21", "2026-06-22"]
    assert of(Grain.WEEK, Calendar.GREGORIAN)[:2] == ["2026-03-23", "2026-03-30"]
    assert of(Grain.WEEK, Calendar.JALALI)[:2] == ["2026-03-21", "2026-03-28"]
    assert of(Grain.DAY, Calendar.JALALI)[:2] == ["2026-03-25", "2026-03-26"]
