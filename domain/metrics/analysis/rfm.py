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
WITH bought AS (
    SELECT customer, CAST($end AS date) - max(day) FILTER (orders > 0) AS recency,
        count(*) FILTER (orders > 0) AS frequency, CAST(sum(net) AS bigint) AS monetary
    FROM days WHERE day >= $start AND day < $end
    GROUP BY customer HAVING frequency > 0
)
SELECT customer, recency, frequency, monetary,
    least(5, 1 + 5 * (rank() OVER (ORDER BY recency DESC) - 1) // greatest(count(*) OVER () - 1, 1)) AS r,
    least(5, 1 + 5 * (rank() OVER (ORDER BY frequency) - 1) // greatest(count(*) OVER () - 1, 1)) AS f,
    least(5, 1 + 5 * (rank() OVER (ORDER BY monetary) - 1) // greatest(count(*) OVER () - 1, 1)) AS m
FROM bought
"""
"""DuckDB: least(5, 1 + floor(5 x percent_rank)) in whole numbers; equal values get equal scores."""

CUTOFFS = """
SELECT 'RECENCY' AS measure, r AS score, max(recency) AS bound FROM scores GROUP BY r
UNION ALL SELECT 'FREQUENCY', f, min(frequency) FROM scores GROUP BY f
UNION ALL SELECT 'MONETARY', m, min(monetary) FROM scores GROUP BY m
"""


class Group(NamedTuple):
    """A named group: the least and greatest scores of recency, and of frequency and amount together."""

    key: str
    recency: tuple[int, int]
    value: tuple[int, int]


GROUPS = (
    Group("champions", (4, 5), (4, 5)),
    Group("loyal", (3, 3), (4, 5)),
    Group("promising", (4, 5), (2, 3)),
    Group("new", (4, 5), (1, 1)),
    Group("need_attention", (3, 3), (2, 3)),
    Group("about_to_sleep", (3, 3), (1, 1)),
    Group("cannot_lose", (1, 2), (4, 5)),
    Group("at_risk", (1, 2), (2, 3)),
    Group("lost", (1, 2), (1, 1)),
)
"""The groups, the best first; every pair of scores is in exactly one."""


class Cutoff(NamedTuple):
    """From which value on a measure has a score: the least value, or for recency the greatest number of days."""

    measure: RfmMeasure
    score: int
    bound: int


@dataclass(frozen=True)
class Rfm:
    """The scores of everybody who bought in the window, and what they follow from."""

    scores: pa.Table
    """Columns customer, recency (days), frequency (occasions), monetary (minor units), r, f, m."""
    cutoffs: Sequence[Cutoff]
    """Of the scores 2 to 5 that somebody has."""

    @property
    def customers(self) -> int:
        """How many customers were ranked."""
        return int(self.scores.num_rows)


def rfm(purchases: Purchases, window: Window) -> Rfm | None:
    """Score everybody with an occasion in a window that has both ends; None with fewer than 25 of them.

    Recency is counted up to the end of the window; the amount is net of what was given back, in the booked view.
    """
    scores = purchases.table(SCORES, start=window.start, end=window.end)
    if scores.num_rows < LEAST:
        return None
    purchases.register("scores", scores)
    found = purchases.table(CUTOFFS).to_pylist()
    cutoffs = [Cutoff(RfmMeasure(row["measure"]), row["score"], row["bound"]) for row in found if row["score"] > 1]
    return Rfm(scores, sorted(cutoffs))


def placed(cutoffs: Sequence[Cutoff], recency: int, frequency: int, monetary: int) -> tuple[int, int, int]:
    """The scores of a customer against published cut-offs: of each measure the highest whose bound is met, else 1."""

    def score(measure: RfmMeasure, value: int, sign: int) -> int:
        met = (each.score for each in cutoffs if each.measure == measure and sign * value >= sign * each.bound)
        return max(met, default=1)

    return (
        score(RfmMeasure.RECENCY, recency, -1),
        score(RfmMeasure.FREQUENCY, frequency, 1),
        score(RfmMeasure.MONETARY, monetary, 1),
    )


def group(r: int, f: int, m: int) -> str:
    """The key of the group of three scores; those of frequency and amount count as their mean, rounded up."""
    value = (f + m + 1) // 2
    return next(
        each.key for each in GROUPS
        if each.recency[0] <= r <= each.recency[1] and each.value[0] <= value <= each.value[1]
    )  # fmt: skip
