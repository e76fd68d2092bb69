"""Repeat intervals: how many days lie between the purchase occasions of those who bought again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

    from domain.metrics.analysis.extract import Purchases
    from domain.purchases.rules import Window

BY_CUSTOMER = """
SELECT customer, count(*) + 1 AS occasions, CAST(sum(gap) AS bigint) AS lifespan, median(gap) AS median_gap
FROM (
    SELECT customer, day - lag(day) OVER (PARTITION BY customer ORDER BY day) AS gap
    FROM days WHERE orders > 0 AND day >= $start AND day < $end
)
WHERE gap IS NOT NULL
GROUP BY customer
"""

_SUMMARY = """
SELECT count(*) AS customers, avg(lifespan / (occasions - 1)) AS mean,
    quantile_cont(lifespan / (occasions - 1), [0.1, 0.25, 0.5, 0.75, 0.9, 0.95]) AS quantiles
FROM intervals
"""


@dataclass(frozen=True)
class Intervals:
    """The gaps of everybody with two or more occasions in the window, and how their means are spread."""

    by_customer: pa.Table
    """Columns customer, occasions, lifespan (days from the first to the last), median_gap (days)."""
    mean: float | None
    quantiles: dict[int, float]
    """Of the customers' mean gaps: at 10, 25, 50, 75, 90 and 95 per cent; empty without any."""


def intervals(purchases: Purchases, window: Window) -> Intervals:
    """The repeat intervals within a window that has both ends; a customer's mean gap is lifespan / (occasions - 1)."""
    by_customer = purchases.table(BY_CUSTOMER, start=window.start, end=window.end)
    purchases.register("intervals", by_customer)
    ((customers, mean, quantiles),) = (row.values() for row in purchases.table(_SUMMARY).to_pylist())
    if not customers:
        return Intervals(by_customer, None, {})
    return Intervals(by_customer, mean, dict(zip((10, 25, 50, 75, 90, 95), quantiles, strict=True)))
