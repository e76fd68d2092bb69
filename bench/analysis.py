"""Heavy analysis: RFM, monthly cohort retention and repeat intervals of one tenant, beside the same as plain SQL.

Both sides answer the same question from the same table of purchase days, whole, in Arrow, through the same driver and
behind the same walls, in turns. Ours reads the days once and computes in DuckDB on one thread; PostgreSQL computes each
of the three by itself, with as many workers as it likes. From the question to the answer: connecting is part of it.
"""

from __future__ import annotations

import statistics
import time
from datetime import date
from typing import TYPE_CHECKING, Any, NamedTuple

from bench import generate
from bench.cluster import SERVER, running
from bench.report import Report, Verdict
from domain.core.database import dsn_of
from domain.metrics.analysis.cohorts import RetentionMode, cohorts
from domain.metrics.analysis.extract import behind_the_wall, purchases
from domain.metrics.analysis.intervals import intervals
from domain.metrics.analysis.rfm import rfm
from domain.metrics.rules import Grain, Gregorian
from domain.purchases.rules import ALL_TIME, Window

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from bench.cluster import Cluster
    from bench.options import Options
    from domain.metrics.analysis.cohorts import Cohort

ROUNDS = 9
FASTER = 2.0

_DAYS = """
WITH days AS (
    SELECT c.root_id AS customer, d.day, sum(d.orders) AS orders, sum(d.net) AS net
    FROM purchase_days d JOIN customers c ON c.tenant_id = d.tenant_id AND c.id = d.customer_id
    WHERE d.tenant_id = '{tenant}' AND c.tenant_id = '{tenant}'
    GROUP BY c.root_id, d.day
)
"""
_RFM = """, bought AS (
    SELECT customer, date '{end}' - max(day) FILTER (WHERE orders > 0) AS recency,
        count(*) FILTER (WHERE orders > 0) AS frequency, sum(net)::bigint AS monetary
    FROM days WHERE day >= '{start}' AND day < '{end}'
    GROUP BY customer HAVING count(*) FILTER (WHERE orders > 0) > 0
)
SELECT customer, recency, frequency, monetary,
    least(5, 1 + floor(5 * percent_rank() OVER (ORDER BY recency DESC)))::bigint AS r,
    least(5, 1 + floor(5 * percent_rank() OVER (ORDER BY frequency)))::bigint AS f,
    least(5, 1 + floor(5 * percent_rank() OVER (ORDER BY monetary)))::bigint AS m
FROM bought
"""
_COHORTS = """, months AS (
    SELECT DISTINCT customer, date_trunc('month', day)::date AS month FROM days WHERE orders > 0 AND day < '{end}'
), firsts AS (SELECT customer, min(month) AS month FROM months GROUP BY customer)
SELECT f.month AS cohort, m.month, count(*) AS customers
FROM firsts f JOIN months m USING (customer) GROUP BY f.month, m.month
"""
_INTERVALS = """
SELECT customer, count(*) + 1 AS occasions, sum(gap)::bigint AS lifespan,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY gap) AS median_gap
FROM (
    SELECT customer, day - lag(day) OVER (PARTITION BY customer ORDER BY day) AS gap FROM days
    WHERE orders > 0 AND day >= '{start}' AND day < '{end}'
) AS gaps
WHERE gap IS NOT NULL GROUP BY customer
"""


class Question(NamedTuple):
    """Of which tenant, over which days."""

    address: str
    tenant: UUID
    window: Window

    @property
    def last_day(self) -> date:
        """The last day of the window."""
        assert self.window.end is not None
        return date.fromordinal(self.window.end.toordinal() - 1)


async def run(options: Options) -> Report:
    """Ask both sides in turns, and compare what they say."""
    with running(options.data) as postgres:
        database = await generate.generated(postgres, options.size, print)
        question = await _question(postgres, database)
        answers = {name: ask(question) for name, ask in SIDES.items()}  # and everything is in memory now
        taken: dict[str, list[float]] = {name: [] for name in SIDES}
        for _ in range(ROUNDS):
            for name, ask in SIDES.items():
                taken[name].append(_seconds(ask, question))
    alike = _plainly(answers["DuckDB over Arrow"]) == _plainly(answers["plain SQL"])
    return _report(options, taken, answers, alike=alike)


def _seconds(ask: Callable[[Question], Any], question: Question) -> float:
    began = time.perf_counter()
    ask(question)
    return time.perf_counter() - began


async def _question(postgres: Cluster, name: str) -> Question:
    address = dsn_of(postgres.address(name, SERVER))
    connection = await postgres.connect(name)
    tenant = await connection.fetchval("SELECT id FROM directory.tenants ORDER BY slug LIMIT 1")
    first, last = await connection.fetchrow("SELECT min(day), max(day) FROM purchase_days WHERE tenant_id = $1", tenant)
    await connection.close()
    return Question(address, tenant, Window(first, date.fromordinal(last.toordinal() + 1)))


# The two sides


def _ours(question: Question) -> dict[str, Any]:
    with purchases(question.address, question.tenant) as bought:
        scores = rfm(bought, question.window)
        return {
            "rfm": scores and scores.scores,
            "cohorts": cohorts(
                bought, ALL_TIME, Grain.MONTH, RetentionMode.ON, Gregorian(), question.last_day
            ),
            "intervals": intervals(bought, question.window).by_customer,
        }  # fmt: skip


def _plain(question: Question) -> dict[str, Any]:
    places = {"tenant": question.tenant, "start": question.window.start, "end": question.window.end}
    found = {}
    with behind_the_wall(question.address, question.tenant) as cursor:
        for name, query in (("rfm", _RFM), ("cohorts", _COHORTS), ("intervals", _INTERVALS)):
            cursor.execute((_DAYS + query).format(**places))
            found[name] = cursor.fetch_arrow_table()
    return found


SIDES: dict[str, Callable[[Question], dict[str, Any]]] = {"plain SQL": _plain, "DuckDB over Arrow": _ours}


def _plainly(answer: dict[str, Any]) -> dict[str, Any]:
    """An answer as sorted rows."""
    found = answer["cohorts"]
    cells = _cells(found) if isinstance(found, tuple) else {tuple(row.values()) for row in found.to_pylist()}
    tables = {name: sorted(tuple(row.values()) for row in answer[name].to_pylist()) for name in ("rfm", "intervals")}
    return {**tables, "cohorts": cells}


def _cells(found: tuple[Cohort, ...]) -> set[tuple[date, date, int]]:
    return {
        (cohort.start, _month(cohort.start, cell.later), cell.retained)
        for cohort in found for cell in cohort.cells if cell.retained
    }  # fmt: skip


def _month(start: date, later: int) -> date:
    months = start.year * 12 + start.month - 1 + later
    return date(months // 12, months % 12 + 1, 1)


def _report(
    options: Options, taken: dict[str, list[float]], answers: dict[str, Any], *, alike: bool
) -> Report:  # fmt: skip
    medians = {name: statistics.median(seconds) for name, seconds in taken.items()}
    ratio = statistics.median(
        plain / ours for plain, ours in zip(taken["plain SQL"], taken["DuckDB over Arrow"], strict=True)
    )
    ours = answers["DuckDB over Arrow"]
    return Report(
        "analysis",
        "RFM, cohort retention and repeat intervals of one tenant",
        ("side", "seconds (median)", "fastest", "slowest"),
        [(name, medians[name], min(seconds), max(seconds)) for name, seconds in taken.items()],
        [
            Verdict("times as fast as plain SQL, question to answer (median of the rounds)", ratio, at_least=FASTER),
            Verdict("equal results (1 is yes)", float(alike), at_least=1),
        ],
        {
            "data": str(options.size),
            "rounds": ROUNDS,
            "customers scored": ours["rfm"].num_rows if ours["rfm"] else 0,
            "cohorts": len(ours["cohorts"]),
            "customers with repeat intervals": ours["intervals"].num_rows,
        },
    )
