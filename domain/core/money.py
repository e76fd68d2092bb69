"""Amounts of money: exact, in one currency, never added across currencies."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from functools import cache
from typing import Self

from babel.core import get_global
from babel.numbers import get_currency_precision

from domain.core.problems import Invalid


class CurrenciesDiffer(Invalid):
    """Amounts of two currencies cannot be added. Convert one of them at a dated rate first."""


class UnknownCurrency(Invalid):
    """This is no ISO-4217 currency code. Use three capital letters, such as EUR."""


@cache
def minor_units(currency: str) -> int:
    """How many decimal places a currency has (JPY 0, EUR 2, KWD 3), after the CLDR."""
    if currency not in currencies():
        raise UnknownCurrency(currency=currency)
    return int(get_currency_precision(currency))


@cache
def currencies() -> frozenset[str]:
    """Every code that is or was a currency, after the CLDR."""
    return frozenset(get_global("all_currencies"))


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in one currency."""

    amount: Decimal
    currency: str

    @classmethod
    def of_minor(cls, minor: int, currency: str) -> Self:
        """From the stored form: whole minor units, such as cents."""
        return cls(Decimal(minor).scaleb(-minor_units(currency)), currency)

    @property
    def minor(self) -> int:
        """The stored form: minor units, rounded half-even once."""
        return to_minor(self.amount, self.currency)

    def __add__(self, other: Money) -> Money:
        if self.currency != other.currency:
            raise CurrenciesDiffer(left=self.currency, right=other.currency)
        return Money(self.amount + other.amount, self.currency)

    def __sub__(self, other: Money) -> Money:
        return self + Money(-other.amount, other.currency)


def to_minor(amount: Decimal, currency: str) -> int:
    """An amount as whole minor units, rounded half-even."""
    return int(amount.scaleb(minor_units(currency)).quantize(Decimal(1), rounding=ROUND_HALF_EVEN))


def convert(money: Money, rate: Decimal, into: str) -> Money:
    """An amount in another currency: rate is how much of `into` one unit buys; rounded half-even to its minor units."""
    exact = money.amount * rate
    return Money(exact.quantize(Decimal(1).scaleb(-minor_units(into)), rounding=ROUND_HALF_EVEN), into)
