"""What customers have been worth so far; what they are expected to be worth is told by models, not by metrics."""

from __future__ import annotations

from domain.metrics.catalogue import Facts, Figure, Personal, Span, count, mean, metric, total
from domain.metrics.rules import Better, Unit
from domain.purchases.rules import MissingReason

BROUGHT = Facts(
    "brought",
    """
    SELECT n, customer_id, sum(net) - sum(goods) - sum(costs) AS worth, sum(uncosted) AS uncosted,
        sum(unrated) AS unrated
    FROM (
        SELECT p.n, d.customer_id, d.net + d.adjusted AS net, d.cost_of_goods AS goods, d.uncosted, d.unrated,
            0 AS costs
        FROM points p JOIN past_purchases d ON d.day < p.ends_on
        UNION ALL
        SELECT s.n, m.customer_id, 0, 0, 0, 0, s.amount FROM past_spending s JOIN people m ON m.id = s.customer_id
    ) AS documents
    GROUP BY n, customer_id
    """,
    {
        "worth": "Net revenue less the cost of goods and the allocated costs, up to the end of the window.",
        "uncosted": "Orders of which the cost is not wholly known.",
        "unrated": "Documents that wait for an exchange rate.",
    },
)
"""Who ever bought, or bore a cost, before the end of the window."""

UNTOLD_COST = Facts(
    "untold_cost", "SELECT s.n, m.customer_id FROM unrated_shares s JOIN people m ON m.id = s.customer_id"
)
"""Each cost that a customer bears of which nobody knows how much, since it waits for an exchange rate."""


def _worth() -> Figure:
    figure = mean(BROUGHT, "worth").unless(total(BROUGHT, "unrated"), MissingReason.NO_RATE)
    figure = figure.unless(count(UNTOLD_COST), MissingReason.NO_RATE)
    return figure.unless(total(BROUGHT, "uncosted"), MissingReason.NO_COST)


@metric(
    "historic_clv", unit=Unit.MONEY, better=Better.HIGHER, en="Historic lifetime value", fa="ارزش طول عمر تاکنون",
    personal=Personal(_worth(), Span.LIFETIME),
)  # fmt: skip
def historic_clv() -> Figure:
    """What customers have brought so far: net revenue less the cost of goods and the costs that were allocated to them.

    Of a group it is the mean of all who ever bought, or bore a cost, before the end of the window; its numerator is
    what they brought together. It counts everything up to the last day, not the window alone. Where a document or a
    cost waits for an exchange rate, or the cost of goods is not wholly known, it is not known.
    """
    return _worth()
