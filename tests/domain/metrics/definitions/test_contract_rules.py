"""What metrics say of contracts is what the rules say of each of them, whatever happened to them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import TYPE_CHECKING

from domain.purchases import contracts, selling
from domain.purchases.contracts import ContractEventKind, NewEvent
from domain.purchases.rules import Window

if TYPE_CHECKING:
    from collections.abc import Sequence

    from domain.purchases.contracts import Event
    from tests.domain.metrics.definitions.conftest import Business

FIRST = date(2025, 1, 1)
CONTRACTS_EACH = 3
GOES_ON = ("START", "RENEW", "RESUME")
ANY = tuple(ContractEventKind)
ENDED = {ContractEventKind.CANCEL, ContractEventKind.END}
KEYS = ("contract_retention", "net_revenue_retention", "renewal_rate", "renewals")


def history(random: Random) -> list[NewEvent]:
    """What may have happened to a contract, some of it on one day."""
    day, told = FIRST + timedelta(days=random.randrange(60)), list[NewEvent]()
    for _ in range(random.randrange(1, 8)):
        ended = bool(told) and told[-1].kind in ENDED
        kind = ContractEventKind(random.choice(GOES_ON if ended else ANY) if told else "START")
        moment = datetime(day.year, day.month, day.day, 12, len(told), tzinfo=UTC)
        mrr = Decimal(random.randrange(100)) if not told or random.random() < 0.6 else None
        ends_on = day + timedelta(days=random.randrange(1, 90)) if random.random() < 0.5 else None
        starts_on = day if ends_on else None
        told.append(NewEvent(kind=kind, occurred_at=moment, mrr=mrr, term_starts_on=starts_on, term_ends_on=ends_on))
        day += timedelta(days=random.choice((0, 1, 7, 30, 45)))
    return told


def held(of: Sequence[Sequence[Event]], day: date) -> bool:
    """Whether one of these contracts holds on a day."""
    return contracts.under_contract([span for events in of for span in contracts.spans(events)], day)


async def test_metrics_of_contracts_are_those_of_the_rules(business: Business) -> None:
    random = Random(7)  # noqa: S311 - made-up histories
    kept: dict[str, list[tuple[Event, ...]]] = {}
    for name, customer_id in business.people.items():
        for _ in range(CONTRACTS_EACH):
            told = history(random)
            kept.setdefault(name, []).append(contracts.follow("EUR", told, "UTC"))
            async with business.database.unit_of_work(business.tenant) as work:
                new = selling.NewContract(currency="EUR", events=told, customer_id=customer_id)
                await selling.record_contract(work, new)
    await business.settle()
    everything = [events for of in kept.values() for events in of]
    for days in (0, 20, 45, 75, 110, 160, 220):
        window = Window(FIRST + timedelta(days=days), FIRST + timedelta(days=days + 40))
        assert window.start is not None
        assert window.end is not None
        at_start = {name for name, of in kept.items() if held(of, window.start)}
        still = {name for name in at_start if held(kept[name], window.end)}
        due = [term for events in everything for term in contracts.due_within(events, window)]
        found = await business.measured(*KEYS, window=window)
        told_by = {key: (value.numerator or 0, value.denominator or 0) for key, value in found.items()}
        assert told_by["contract_retention"] == (len(still), len(at_start))
        assert told_by["net_revenue_retention"] == tuple(
            sum(contracts.mrr_on(events, day) for name in at_start for events in kept[name])
            for day in (window.end, window.start)
        )
        assert told_by["renewal_rate"] == (sum(term.renewed for term in due), len(due))
        assert found["renewals"].value == sum(contracts.renewals_within(events, window) for events in everything)
