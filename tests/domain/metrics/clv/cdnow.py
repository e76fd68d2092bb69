"""The tenth of the CDNOW cohort on which these models were published: 39 weeks of 2,357 customers."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from typing import TYPE_CHECKING

from domain.metrics.clv.bootstrap import Customers
from tests.conftest import SHARED

if TYPE_CHECKING:
    from domain.metrics.clv.fitting import Numbers

END = date(1997, 9, 30)


def calibration() -> Customers:
    """The customers as of the last day of the 39 weeks, with the mean amount of their repeat occasions."""
    import numpy as np

    bought: dict[str, dict[date, float]] = defaultdict(lambda: defaultdict(float))
    for line in (SHARED / "data" / "CDNOW_sample.txt").read_text().splitlines():
        _, customer, day, _, amount = line.split()
        at = date.fromisoformat(day)
        if at <= END:
            bought[customer][at] += float(amount)
    rows: list[tuple[float, ...]] = []
    for days in bought.values():
        first, *again = sorted(days)
        mean = sum(days[each] for each in again) / len(again) if again else 0.0
        last = again[-1] if again else first
        rows.append((len(again), (last - first).days / 7, (END - first).days / 7, mean))
    columns: Numbers = np.array(rows)
    return Customers(*columns.T)
