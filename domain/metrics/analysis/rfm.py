"""RFM: how recently, how often and for how much customers bought, scored from 1 to 5 against all others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from domain.metrics.analysis.model import RfmMeasure

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from domain.metrics.analysis.extract import Purchases
    from domain.purchases.rules import Window

LEAST = 25
"""With fewer customers nobody is scored."""

SCORES = """
WITH bought AS MATERIALIZED (
    SELECT customer, CAST($end AS date) - max(day) FILTER (orders > 0) AS recency,
        count(*) FILTER (orders > 0) AS frequency,
        CASE WHEN count(net) = count(*) THEN CAST(sum(net) AS bigint) END AS monetary
    FROM days WHERE day >= $start AND day < $end
    GROUP BY customer HAVING frequency > 0
)
SELECT customer, recency, frequency, monetary,
    least(5, 1 + 5 * (rank() OVER (ORDER BY recency DESC) - 1) // others) AS r,
    least(5, 1 + 5 * (rank() OVER (ORDER BY frequency) - 1) // others) AS f,
    CASE WHEN monetary IS NOT NULL AND told >= $least
        THEN least(5, 1 + 5 * (rank() OVER (ORDER BY monetary NULLS LAST) - 1) // greatest(told - 1, 1)) END AS m
FROM bought, (SELECT greatest(count(*) - 1, 1) AS others, count(monetary) AS told FROM bought)
"""
"""DuckDB: least(5, 1 + floor(5 x percent_rank)) in whole numbers; equal values get equal scores.

What waits for an exchange rate has no amount: such a customer is scored by recency and frequency alone.
"""

CUTOFFS = """
SELECT measure, score, bound, CAST(sum(alike) OVER (PARTITION BY measure) AS bigint) AS customers
FROM (
    SELECT 'RECENCY' AS measure, r AS score, max(recency) AS bound, count(*) AS alike FROM scores GROUP BY r
    UNION ALL SELECT 'FREQUENCY', f, min(frequency), count(*) FROM scores GROUP BY f
    UNION ALL SELECT 'MONETARY', m, min(monetary), count(*) FROM scores WHERE m IS NOT NULL GROUP BY m
)
"""


class Cutoff(NamedTuple):
    """From which value on a measure has a score: the least value, or for recency the greatest number of days.

    `customers` is how many were ranked by the measure.
    """

    measure: RfmMeasure
    score: int
    bound: int
    customers: int


@dataclass(frozen=True)
class Rfm:
    """The scores of everybody who bought in the window, and what they follow from."""

    scores: pa.Table
    """Columns customer, recency (days), frequency (occasions), monetary (minor units), r, f, m.

    The last ones of money are null where any of it waits for an exchange rate; m, too, where it is told of fewer than
    25 customers.
    """
    cutoffs: Sequence[Cutoff]
    """Of the scores that somebody has."""

    @property
    def customers(self) -> int:
        """How many customers were ranked."""
        return int(self.scores.num_rows)


def rfm(purchases: Purchases, window: Window) -> Rfm | None:
    """Score everybody with an occasion in a window that has both ends; None with fewer than 25 of them.

    Recency is counted up to the end of the window; the amount is net of what was given back, in the booked view.
    """
    scores = purchases.table(SCORES, start=window.start, end=window.end, least=LEAST)
    if scores.num_rows < LEAST:
        return None
    purchases.register("scores", scores)
    found = purchases.table(CUTOFFS).to_pylist()
    cutoffs = (Cutoff(RfmMeasure(row["measure"]), row["score"], row["bound"], row["customers"]) for row in found)
    return Rfm(scores, sorted(cutoffs))
