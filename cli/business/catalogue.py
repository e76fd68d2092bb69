"""What the demo's business sells, and what other currencies were worth."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from cli.business import laws
from tenure_sdk import ExchangeRate, OrderLine, Product, Ref

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date
    from random import Random

BASE = "EUR"
_RATES = {"GBP": 1.17, "USD": 0.92, "AUD": 0.61}
"""What one unit was worth in euros when the business opened."""


class Article(NamedTuple):
    """Something on the shelf; a higher tier of its family is the better one."""

    sku: str
    name: str
    family: str
    tier: int
    price: Decimal
    """In euros; other currencies pay the same figure, as shops do."""


_SHELVES = """
coffee    COF-1 7.90   House blend, 250 g
coffee    COF-2 11.50  Single origin, 250 g
coffee    COF-3 19.00  Reserve lot, 250 g
tea       TEA-1 5.90   Breakfast tea, 100 g
tea       TEA-2 12.40  First flush, 100 g
tea       TEA-3 24.00  Ceremonial matcha, 40 g
grinders  GRI-1 49.00  Hand grinder
grinders  GRI-2 169.00 Electric grinder
grinders  GRI-3 449.00 Single-dose grinder
machines  MAC-1 34.00  Stovetop pot
machines  MAC-2 329.00 Pump machine
machines  MAC-3 1290.00 Dual-boiler machine
care      CAR-1 6.50   Descaler
care      CAR-2 14.00  Water filter, three pieces
care      CAR-3 89.00  Yearly service
courses   COU-1 29.00  Brewing at home, online
courses   COU-2 79.00  Milk and latte art workshop
courses   COU-3 240.00 Barista weekend
"""


def _article(line: str) -> Article:
    family, sku, price, name = line.split(maxsplit=3)
    return Article(sku, name, family, int(sku[-1]), Decimal(price))


ARTICLES = {article.sku: article for article in map(_article, _SHELVES.strip().splitlines())}
_GOODS = {"coffee": "0.46", "tea": "0.38", "grinders": "0.61", "machines": "0.66", "care": "0.40", "courses": "0.30"}
"""Which part of the price the goods cost, or what is needed for a course."""
_TAKEN_IN_NUMBERS = ("coffee", "tea", "care")
_OFTEN = (("coffee", 10), ("tea", 4), ("care", 3), ("grinders", 2), ("machines", 1), ("courses", 1))


def products() -> Iterator[Product]:
    """The catalogue as records."""
    for article in ARTICLES.values():
        yield Product(id=article.sku, sku=article.sku, name=article.name, family=article.family, tier_rank=article.tier)


def line(sku: str, quantity: int, discount: Decimal = Decimal(0)) -> OrderLine:
    """A line of an order."""
    article = ARTICLES[sku]
    return OrderLine(
        product=Ref("product", sku), description=article.name, quantity=Decimal(quantity), unit_price=article.price,
        discount=discount, cost=(quantity * article.price * Decimal(_GOODS[article.family])).quantize(Decimal("0.01")),
    )  # fmt: skip


def basket(chance: Random, worth: float, occasion: int) -> tuple[OrderLine, ...]:
    """Lines that come near a value; who has bought more often finds the higher tiers."""
    lines: dict[str, OrderLine] = {}
    left = Decimal(worth)
    families, weights = zip(*_OFTEN, strict=True)
    for family in chance.choices(families, weights, k=1 + (chance.random() < 0.45) + (chance.random() < 0.2)):
        tier = min(3, 1 + int(chance.random() * (1 + min(occasion, 8) / 4)))
        article = ARTICLES[f"{family[:3].upper()}-{tier}"]
        if lines and article.price > left:
            continue
        most = 40 if family in _TAKEN_IN_NUMBERS else 3
        quantity = min(most, max(1, round(left / article.price)))
        left -= article.price * quantity
        lines[article.sku] = line(article.sku, quantity, _discount(chance, article.price * quantity))
    return tuple(lines.values())


def rates(first: date, last: date) -> Iterator[ExchangeRate]:
    """What the other currencies were worth on every day: a walk that is the same whenever the business opens."""
    for currency, rate in _RATES.items():
        chance, worth = laws.dice("rate", currency), rate
        for day in range((last - first).days + 1):
            on = first.fromordinal(first.toordinal() + day)
            yield ExchangeRate(id=f"{currency}-{on}", date=on, base=currency, quote=BASE, rate=Decimal(f"{worth:.4f}"))
            worth *= chance.lognormvariate(0, 0.003)


def _discount(chance: Random, amount: Decimal) -> Decimal:
    return (amount / 10).quantize(Decimal("0.01")) if chance.random() < 0.12 else Decimal(0)
