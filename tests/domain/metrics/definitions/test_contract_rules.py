"""What SQL says of contracts is what their rules say, whatever happened to them."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise
from random import Random
from typing import TYPE_CHECKING, Any

from domain.metrics import queries
from domain.metrics.reading import snapshot
from domain.metrics.rules import Grain
from domain.purchases import contracts, selling
from domain.purchases.contracts import ContractEventKind, NewEvent
from domain.purchases.rules import Window
from tests.domain.metrics.definitions.conftest import at, on

if TYPE_CHECKING:
    from collections.abc import Sequence

    from domain.purchases.contracts import Event
    from tests.domain.metrics.definitions.conftest import Business

YEAR = Window(on("01-01"), on("11-01"))
_ENDS = {ContractEventKind.CANCEL, ContractEventKind.END}


def _life(chance: Random) -> list[NewEvent]:
    """Some months of a contract; several things may happen on one day."""
    day, ended, told = on("01-01") + timedelta(days=chance.randrange(40)), False, list[NewEvent]()
    for number in range(chance.randrange(1, 8)):
        goes_on = [ContractEventKind.RENEW, ContractEventKind.RESUME]
        kinds = [ContractEventKind.START] if number == 0 else goes_on if ended else list(ContractEventKind)[1:]
        kind = chance.choice(kinds)
        ended = kind in _ENDS
        term = chance.choice([None, day + timedelta(days=chance.randrange(1, 90))])
        told.append(
            NewEvent(
                kind=kind, occurred_at=at(f"{day:%m-%d}"), term_ends_on=term, term_starts_on=day if term else None,
                mrr=Decimal(chance.randrange(5)) if number == 0 or chance.random() < 0.5 else None,
            )
        )  # fmt: skip
        day += timedelta(days=chance.choice([0, 10, 30, 60]))
        if day >= on("10-20"):
            break
    return told


async def test_holding_earning_and_falling_due_are_what_the_rules_say(business: Business) -> None:
    chance = Random(7)  # noqa: S311 - made-up lives
    lives: list[tuple[str, Sequence[Event]]] = []
    async with business.database.unit_of_work(business.tenant) as work:
        for number in range(60):
            who, told = "ABCDEF"[number % 6], _life(chance)
            lives.append((who, contracts.follow("EUR", told, "UTC")))
            new = selling.NewContract(currency="EUR", events=told, customer_id=business[who])
            await selling.record_contract(work, new)
    months = [date(2026, month, 1) for month in range(1, 12)]
    spans = list(pairwise(months))
    held = {day: _held(lives, day) for day in months}
    due = [[one for _, events in lives for one in contracts.due_within(events, Window(*span))] for span in spans]
    assert await _made_of(business, "contract_retention") == [
        (len(held[first] & held[after]), len(held[first])) for first, after in spans
    ]
    assert [earned for _, earned in await _made_of(business, "net_revenue_retention")] == [
        sum(contracts.mrr_on(events, first) for _, events in lives) for first, _ in spans
    ]
    assert await _made_of(business, "renewal_rate") == [
        (sum(one.renewed for one in found), len(found)) for found in due
    ]  # fmt: skip
    assert [renewed for renewed, _ in await _made_of(business, "renewals")] == [
        sum(contracts.renewals_within(events, Window(*span)) for _, events in lives) for span in spans
    ]


def _held(lives: Sequence[tuple[str, Sequence[Event]]], day: date) -> set[str]:
    """Who is under contract on a day."""
    return {who for who, events in lives if contracts.under_contract(contracts.spans(events), day)}


async def _made_of(business: Business, key: str) -> list[tuple[Any, Any]]:
    """The numerator and the denominator of a metric in each month."""
    async with business.database.reading(business.tenant) as reading:
        question = queries.Question([key], YEAR, Grain.MONTH)
        answer = await queries.series(await snapshot(reading), question)
    return [(value.numerator, value.denominator) for _, value in answer.series[0].points]
