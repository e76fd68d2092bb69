"""RFM, cohort retention and repeat intervals of Online Retail, beside plain SQL over the lines of the file itself."""

from __future__ import annotations

from datetime import date
from io import BytesIO
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest
from sqlalchemy import text

from domain.core.database import dsn_of
from domain.metrics.analysis.cohorts import RetentionMode, cohorts
from domain.metrics.analysis.extract import purchases
from domain.metrics.analysis.intervals import intervals
from domain.metrics.analysis.rfm import rfm
from domain.metrics.rules import Grain, Gregorian
from domain.purchases.rules import ALL_TIME, Window
from tests.acceptance.online_retail import FILE
from tests.conftest import dsn

if TYPE_CHECKING:
    from domain.core.database import Database
    from domain.metrics.analysis.extract import Purchases
    from tests.acceptance.conftest import Retail
    from tests.conftest import Logins

pytestmark = pytest.mark.shared

WINDOW = Window(date(2010, 12, 1), date(2011, 12, 10))

# Who bought nothing but cancelled something has a day, but none with an invoice.
DAYS = """
CREATE TEMP TABLE raw_days AS
SELECT customer, at::date AS day, count(DISTINCT invoice) FILTER (WHERE invoice NOT LIKE 'C%') AS invoices,
    sum(round(quantity * price * 100)) AS pence
FROM lines GROUP BY customer, at::date;
CREATE TEMP TABLE occasions AS SELECT customer, day FROM raw_days WHERE invoices > 0;
"""
SCORES = """
WITH bought AS (
    SELECT customer, date '2011-12-10' - max(day) FILTER (WHERE invoices > 0) AS recency,
        count(*) FILTER (WHERE invoices > 0) AS frequency, sum(pence)::bigint AS monetary
    FROM raw_days GROUP BY customer HAVING sum(invoices) > 0
)
SELECT customer, recency, frequency, monetary,
    least(5, 1 + floor(5 * percent_rank() OVER (ORDER BY recency DESC)))::int,
    least(5, 1 + floor(5 * percent_rank() OVER (ORDER BY frequency)))::int,
    least(5, 1 + floor(5 * percent_rank() OVER (ORDER BY monetary)))::int
FROM bought
"""
RETAINED = """
WITH months AS (SELECT DISTINCT customer, date_trunc('month', day)::date AS month FROM occasions),
spans AS (SELECT customer, min(month) AS first, max(month) AS last FROM months GROUP BY customer),
cells AS (SELECT c.month, m.begin::date FROM (SELECT DISTINCT first FROM spans) AS c(month),
    generate_series(c.month, date '2011-12-01', interval '1 month') AS m(begin))
SELECT x.month, x.begin, count(m.customer), count(*) FILTER (WHERE s.last >= x.begin)
FROM cells x JOIN spans s ON s.first = x.month
LEFT JOIN months m ON m.customer = s.customer AND m.month = x.begin
GROUP BY x.month, x.begin
"""
GAPS = """
SELECT customer, count(*) + 1, sum(gap)::int, percentile_cont(0.5) WITHIN GROUP (ORDER BY gap)
FROM (SELECT customer, day - lag(day) OVER (PARTITION BY customer ORDER BY day) AS gap FROM occasions) AS g
WHERE gap IS NOT NULL GROUP BY customer
"""

# Read off the invoices of the file: days with an invoice that is no cancellation, days from the last of them to
# 10 December 2011, pence less cancellations, the month of the first one; days from the first to the last, and the
# middle one of the gaps.
BY_HAND: dict[str, tuple[Any, ...]] = {
    "12346": (1, 326, 0, (2011, 1), None, None),  # 74,215 cups, all sent back
    "12347": (7, 3, 431_000, (2010, 12), 365, 58.5),  # gaps 50 71 63 54 90 37
    "12352": (7, 37, 154_541, (2011, 2), 260, 14.5),  # two invoices on 1 March; gaps 13 16 5 182 8 36
    "12359": (4, 58, 624_553, (2011, 1), 274, 116.0),  # 35.80 and 91.25 sent back; gaps 26 116 132
    "12413": (3, 67, 69_415, (2011, 1), 271, 135.5),  # gaps 101 170
    "12451": (5, 11, 893_352, (2011, 1), 314, 75.0),  # gaps 106 153 44 11
    "12512": (1, 67, 13_803, (2011, 10), None, None),  # two invoices on one day
    "12820": (4, 4, 94_234, (2011, 1), 323, 41.0),  # gaps 252 30 41
    "13256": (1, 15, 0, (2011, 11), None, None),  # 12,540 pieces as a gift
    "16446": (2, 1, 290, (2011, 5), 205, 205.0),  # 168,469.60 bought and sent back on the last day
}


@pytest.fixture
async def raw(logins: Logins) -> Any:
    """A connection whose temporary tables hold the lines of named customers, as the file has them."""
    connection = await asyncpg.connect(dsn(logins.superuser))
    await connection.execute(
        "CREATE TEMP TABLE lines (invoice text, customer text, at timestamp, quantity numeric, price numeric)"
    )
    await connection.copy_to_table("lines", source=_lines(), format="csv", schema_name="pg_temp")
    await connection.execute(DAYS)
    yield connection
    await connection.close()


def _lines() -> BytesIO:
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.csv
    import pyarrow.parquet

    columns = ["InvoiceNo", "CustomerID", "InvoiceDate", "Quantity", "UnitPrice"]
    lines = pyarrow.parquet.read_table(FILE, columns=columns)
    named = lines.filter(pc.is_valid(lines["CustomerID"]))
    customer = named["CustomerID"].cast(pa.int64()).cast(pa.string())
    written = BytesIO()
    options = pyarrow.csv.WriteOptions(include_header=False)
    pyarrow.csv.write_csv(named.set_column(1, "CustomerID", customer), written, options)
    written.seek(0)
    return written


async def numbers(database: Database, retail: Retail) -> dict[Any, str]:
    """The customers' numbers in the file, by their ids here."""
    async with database.reading(retail.tenant) as reading:
        rows = await reading.rows(
            text("SELECT id, display_name FROM customers WHERE tenant_id = :tenant"), {"tenant": retail.tenant}
        )
    return {row.id: row.display_name for row in rows}


def rows(table: Any, names: dict[Any, str]) -> dict[str, tuple[Any, ...]]:
    columns = table.to_pydict()
    customers = columns.pop("customer")
    return {names[who]: values for who, values in zip(customers, zip(*columns.values(), strict=True), strict=True)}


async def test_they_equal_plain_sql_over_the_lines_and_ten_customers_by_hand(
    database: Database, retail: Retail, raw: Any
) -> None:
    invoices = "SELECT count(DISTINCT invoice) FROM lines WHERE invoice NOT LIKE 'C%'"
    assert await raw.fetchval(invoices) == 18_536
    names = await numbers(database, retail)
    with purchases(dsn_of(database.url), retail.tenant) as bought:
        found = rfm(bought, WINDOW)
        assert found is not None
        scores, gaps = rows(found.scores, names), rows(intervals(bought, WINDOW).by_customer, names)
        tables = {mode: _table(bought, mode) for mode in (RetentionMode.ON, RetentionMode.ON_OR_AFTER)}

    assert scores == {row[0]: tuple(row)[1:] for row in await raw.fetch(SCORES)}
    assert (len(scores), {score[3:] for score in scores.values()} >= {(1, 1, 1), (5, 5, 5)}) == (4_339, True)
    assert gaps == {row[0]: tuple(row)[1:] for row in await raw.fetch(GAPS)}
    expected = await raw.fetch(RETAINED)
    assert tables[RetentionMode.ON] == {(month, begin): on for month, begin, on, _ in expected}
    assert tables[RetentionMode.ON_OR_AFTER] == {(month, begin): later for month, begin, _, later in expected}

    for customer, (occasions, recency, pence, _, lifespan, median) in BY_HAND.items():
        assert scores[customer][:3] == (recency, occasions, pence), customer
        assert gaps.get(customer) == ((occasions, lifespan, median) if lifespan else None), customer
    for (year, month), customers in _cohorts_by_hand().items():
        first = await raw.fetch(
            "SELECT customer FROM occasions GROUP BY customer HAVING date_trunc('month', min(day)) = $1",
            date(year, month, 1),
        )
        assert customers <= {row[0] for row in first}


def _cohorts_by_hand() -> dict[tuple[int, int], set[str]]:
    months: dict[tuple[int, int], set[str]] = {}
    for customer, (_, _, _, month, _, _) in BY_HAND.items():
        months.setdefault(month, set()).add(customer)
    return months


def _table(bought: Purchases, mode: RetentionMode) -> dict[tuple[date, date], int]:
    found = cohorts(bought, ALL_TIME, Grain.MONTH, mode, Gregorian(), date(2011, 12, 9))
    begins = [cohort.start for cohort in found]
    return {
        (cohort.start, begins[number + cell.later]): cell.retained
        for number, cohort in enumerate(found)
        for cell in cohort.cells
    }
