from __future__ import annotations

from datetime import date, timedelta
from random import Random
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from sqlalchemy import text

from domain import customers
from domain.core.database import dsn_of
from domain.customers import NewCustomer
from domain.metrics.analysis.cohorts import Cohort, RetentionMode, beside, cohorts
from domain.metrics.analysis.extract import purchases
from domain.metrics.rules import Grain, Gregorian, Jalali
from domain.purchases.rules import ALL_TIME, Window
from tests.domain.metrics.analysis.purchased import bought, day
from tests.domain.metrics.definitions.conftest import Business

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


UNDER_CONTRACT = """
WITH days AS (SELECT CAST(d AS date) AS day FROM generate_series(DATE '2026-01-01', DATE '2026-12-31', '1 day') AS d),
under AS (
    SELECT DISTINCT k.root_id AS customer, d.day
    FROM days d
    CROSS JOIN contracts c JOIN customers k ON k.tenant_id = :tenant AND k.id = c.customer_id
    CROSS JOIN LATERAL (
        SELECT e.kind, e.term_ends_on FROM contract_events e
        WHERE e.tenant_id = :tenant AND e.contract_id = c.id AND e.contract_version = c.version AND e.local_day <= d.day
        ORDER BY e.position DESC LIMIT 1
    ) AS last
    WHERE c.tenant_id = :tenant AND c.superseded_at IS NULL AND last.kind NOT IN ('CANCEL', 'END')
        AND (last.term_ends_on IS NULL OR d.day < last.term_ends_on)
),
came AS (SELECT customer, CAST(date_trunc('month', min(day)) AS date) AS cohort FROM under GROUP BY customer),
ends AS (SELECT CAST(m AS date) AS month, least(CAST(m + interval '1 month' AS date), DATE '2026-11-15') AS day
    FROM generate_series(DATE '2026-01-01', DATE '2026-11-01', '1 month') AS m)
SELECT c.cohort, (SELECT count(*) FROM came o WHERE o.cohort = c.cohort) AS customers,
    array_agg(held.customers ORDER BY e.month) AS retained
FROM (SELECT DISTINCT cohort FROM came) AS c JOIN ends e ON e.month >= c.cohort
CROSS JOIN LATERAL (
    SELECT count(*) AS customers FROM came o JOIN under u USING (customer) WHERE o.cohort = c.cohort AND u.day = e.day
) AS held
WHERE c.cohort <= DATE '2026-11-14'
GROUP BY c.cohort ORDER BY c.cohort
"""


async def test_who_stays_under_contract_equals_plain_sql(database: Database, tenant: UUID) -> None:
    """Terms that end, are renewed late, called off and taken up again; two of the customers are one."""
    drawn = Random(7)  # noqa: S311 - nothing is kept secret by it
    async with database.unit_of_work(tenant) as work:
        people = {name: (await customers.create(work, NewCustomer(name=name))).id for name in "ABCDEFGH"}
    business = Business(database, tenant, people)
    for who in sorted({*people} - {"H"}) * 2:
        begin = drawn.randrange(200)
        first = (date(2026, 1, 1) + timedelta(begin), date(2026, 1, 1) + timedelta(begin + drawn.randrange(10, 90)))
        later = first[1] + timedelta(drawn.randrange(-5, 20))
        events: list[tuple[str, str, str | None]] = [("START", f"{first[0]:%m-%d}", "10")]
        if drawn.random() < 0.7:
            events.append((drawn.choice(["RENEW", "CANCEL"]), f"{later:%m-%d}", None))
        await business.signed(who, *events, term_ends_on=first[1] if drawn.random() < 0.7 else None)
    await business.signed("H", ("START", "02-10", "10"), ("CANCEL", "02-20", None), ("RESUME", "06-01", None))
    async with database.unit_of_work(tenant) as work:
        await customers.merge(work, people["A"], [people["B"]])
    mode, as_of = RetentionMode.CONTRACTUAL, date(2026, 11, 14)
    with purchases(dsn_of(database.url), tenant, beside=beside(mode)) as found:
        table = cohorts(found, ALL_TIME, Grain.MONTH, mode, Gregorian(), as_of)
    async with database.reading(tenant) as reading:
        rows = await reading.rows(text(UNDER_CONTRACT), {"tenant": tenant})
    assert retained(table) == [(row.cohort, row.customers, row.retained) for row in rows]
    assert sum(each.customers for each in table) == 7
    assert [[cell.complete for cell in each.cells][-2:] for each in table] == [[True, False]] * len(table)
    assert any(each != sorted(each) for _, _, each in retained(table))  # somebody goes
    assert any(each != sorted(each, reverse=True) for _, _, each in retained(table))  # and somebody comes back


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
