"""The RFM scores of a customer by the cut-offs published last, for segments to ask about."""

from __future__ import annotations

from domain.metrics.analysis.model import RfmMeasure
from domain.segments.measures import Measure, register

_FIGURES = {
    RfmMeasure.RECENCY: "p.window_end - max(d.day) FILTER (WHERE d.orders > 0)",
    RfmMeasure.FREQUENCY: "count(DISTINCT d.day) FILTER (WHERE d.orders > 0)",
    RfmMeasure.MONETARY: "CASE WHEN sum(d.unrated) = 0 THEN sum(d.net) END",
}


def _score(measure: RfmMeasure) -> Measure:
    """A score against the published cut-offs; days since then count too, so that who has just bought is placed anew.

    Null where nothing is published, for who did not buy since the published window began, and of money where any of it
    waits for an exchange rate.
    """
    meets = ">=" if measure is RfmMeasure.RECENCY else "<="
    cutoffs = f"FROM rfm_cutoffs k WHERE k.tenant_id = :tenant AND k.measure = '{measure}'"
    value = f"""
        SELECT coalesce((SELECT max(k.score) {cutoffs} AND k.bound {meets} bought.figure), 1)
        FROM (
            SELECT {_FIGURES[measure]} AS figure
            FROM (SELECT k.window_start, k.window_end {cutoffs} LIMIT 1) AS p
            JOIN purchase_days d ON d.tenant_id = :tenant AND d.customer_id = ANY(c.member_ids)
                AND d.day >= p.window_start
            GROUP BY p.window_end
            HAVING count(*) FILTER (WHERE d.orders > 0) > 0
        ) AS bought
        WHERE bought.figure IS NOT NULL
    """
    return register(Measure(f"rfm_{measure.lower()}", f"({value})"))


RECENCY, FREQUENCY, MONETARY = map(_score, RfmMeasure)
