from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from domain.core.database import dsn_of
from domain.metrics.analysis.extract import purchases
from domain.metrics.analysis.model import RfmMeasure
from domain.metrics.analysis.rfm import Rfm, rfm
from domain.purchases.rules import Window
from tests.domain.metrics.analysis.purchased import bought, day

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from domain.core.database import Database


async def scored(
    database: Database, tenant: UUID, days: Mapping[UUID, Iterable[int | tuple[int, int | None]]], until: int = 100
) -> Rfm | None:
    await bought(database, tenant, days)
    with purchases(dsn_of(database.url), tenant) as found:
        return rfm(found, Window(day(0), day(until)))


async def test_five_fifths_of_twenty_six(database: Database, tenant: UUID) -> None:
    """The k-th of 26 has percent rank k/25: five of them per score, and the last one beside the fifth five."""
    everybody = [uuid4() for _ in range(26)]
    days = {who: [(number, 10 + number)] for number, who in enumerate(everybody)}
    found = await scored(database, tenant, days)
    assert found is not None
    of = {row["customer"]: row for row in found.scores.to_pylist()}
    assert [of[who]["r"] for who in everybody] == [1] * 5 + [2] * 5 + [3] * 5 + [4] * 5 + [5] * 6
    assert [of[who]["m"] for who in everybody] == [of[who]["r"] for who in everybody]
    assert {row["f"] for row in of.values()} == {1}  # all bought once: equal values get equal scores
    assert (of[everybody[3]]["recency"], of[everybody[3]]["frequency"], of[everybody[3]]["monetary"]) == (97, 1, 13)
    assert [(each.score, each.bound) for each in found.cutoffs if each.measure is RfmMeasure.RECENCY] == [
        (1, 100), (2, 95), (3, 90), (4, 85), (5, 80),
    ]  # fmt: skip
    assert [(each.score, each.bound) for each in found.cutoffs if each.measure is RfmMeasure.MONETARY] == [
        (1, 10), (2, 15), (3, 20), (4, 25), (5, 30),
    ]  # fmt: skip
    assert [each for each in found.cutoffs if each.measure is RfmMeasure.FREQUENCY] == [
        (RfmMeasure.FREQUENCY, 1, 1, 26)
    ]


async def test_days_outside_the_window_do_not_count(database: Database, tenant: UUID) -> None:
    days: dict[UUID, list[int | tuple[int, int]]] = {uuid4(): [5] for _ in range(25)}
    late = uuid4()
    found = await scored(database, tenant, days | {late: [100]})
    assert found is not None
    assert late not in {row["customer"] for row in found.scores.to_pylist()}


async def test_with_few_customers_nobody_is_scored(database: Database, tenant: UUID) -> None:
    assert await scored(database, tenant, {uuid4(): [1] for _ in range(24)}) is None


async def test_who_waits_for_a_rate_is_not_ranked_by_money(database: Database, tenant: UUID) -> None:
    """Of 31 five wait with one of two purchases: the other 26 are ranked by money as if these were not there."""
    told, untold = [uuid4() for _ in range(26)], [uuid4() for _ in range(5)]
    days: dict[UUID, list[tuple[int, int | None]]] = {who: [(1, 10 + number)] for number, who in enumerate(told)}
    days |= {who: [(1, 999), (2, None)] for who in untold}
    found = await scored(database, tenant, days)
    assert found is not None
    of = {row["customer"]: row for row in found.scores.to_pylist()}
    assert {(of[who]["frequency"], of[who]["monetary"], of[who]["f"], of[who]["m"]) for who in untold} == {
        (2, None, 5, None)
    }
    assert [of[who]["m"] for who in told] == [1] * 5 + [2] * 5 + [3] * 5 + [4] * 5 + [5] * 6
    assert [tuple(each)[1:] for each in found.cutoffs if each.measure is RfmMeasure.MONETARY] == [
        (1, 10, 26), (2, 15, 26), (3, 20, 26), (4, 25, 26), (5, 30, 26),
    ]  # fmt: skip
    assert {each.customers for each in found.cutoffs if each.measure is not RfmMeasure.MONETARY} == {31}


async def test_with_money_of_few_customers_nobody_is_scored_by_it(database: Database, tenant: UUID) -> None:
    found = await scored(database, tenant, {uuid4(): [(1, 10 if number else None)] for number in range(25)})
    assert found is not None
    assert {(row["r"], row["m"]) for row in found.scores.to_pylist()} == {(1, None)}
    assert {each.measure for each in found.cutoffs} == {RfmMeasure.RECENCY, RfmMeasure.FREQUENCY}
