"""The demo's regulars: cafés that restock every ten days or so, and tell more about an initiative than anybody."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from cli.business import catalogue, laws, names, promises
from cli.business.diary import Diary
from tenure_sdk import Customer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from random import Random

COUNT = 250
_FIRST_NUMBER = 1_000_000
"""Far behind the numbers of all other customers."""
_EVERY = 10.0
_STEADINESS = 12.0
"""The shape of the gamma law of gaps: the higher, the more regular."""
_SINCE = timedelta(days=470)
_BEANS = "COF-1"


def regulars(until: datetime) -> Iterator[Diary]:
    """Their lives."""
    for place in range(COUNT):
        yield _regular(_FIRST_NUMBER + 8 * place, until)


def _regular(number: int, until: datetime) -> Diary:
    chance = laws.dice("regular", number)
    known = laws.opening_hour(chance, until - _SINCE + timedelta(days=30 * chance.random()))
    name = names.organisation(number)
    customer = Customer(
        id=f"R{number:06}", kind="ORGANISATION", name=name.written, created_at=known,
        emails=(names.email(name.latin, number),), addresses=(names.address(number),),
    )  # fmt: skip
    diary = Diary(customer, names.country(number).currency, until)
    lifted = promises.lifted_from(customer.id, until)
    gap, cups = _EVERY * chance.lognormvariate(0, 0.2), chance.lognormvariate(2.2, 0.4)
    at = known + timedelta(days=gap * chance.random())
    while at < until:
        quantity = max(1, round(cups * chance.lognormvariate(0, 0.3)))
        diary.bought(laws.opening_hour(chance, at), (catalogue.line(_BEANS, quantity),), "PHONE")
        at = _later(at, _gap(chance, gap), lifted)
    return diary


def _gap(chance: Random, usual: float) -> timedelta:
    return timedelta(days=max(1.0, usual * chance.gammavariate(_STEADINESS, 1 / _STEADINESS)))


def _later(at: datetime, gap: timedelta, lifted: datetime | None) -> datetime:
    """The end of a gap whose time passes faster once the customer buys more often."""
    if lifted is None or at + gap <= lifted:
        return at + gap
    usual = max(timedelta(0), lifted - at)
    return at + usual + (gap - usual) / laws.LIFT
