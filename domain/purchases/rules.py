"""What purchases decide: what a line is worth, what a total is, on which day something counts."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import msgspec

from domain.core.money import CurrenciesDiffer, Money, minor_units
from domain.core.problems import Invalid

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date, datetime
    from uuid import UUID

_EXACT = Context(prec=100, rounding=ROUND_HALF_EVEN)
"""Wide enough for the product of any two numbers that fit a column, so that nothing is rounded twice."""

_PLACES = Decimal("0.000001")
_NUMERIC_LIMIT = Decimal(10) ** 14
_MONEY_LIMIT = 2**63


class NotANumber(Invalid):
    """This is no finite number. Give an amount, a price or a quantity in digits."""


class TooPrecise(Invalid):
    """The number has more decimals than are kept: six for quantities, prices and rates, the currency's for money."""


class TooLarge(Invalid):
    """The number is larger than can be kept exactly."""


class TotalDiffers(Invalid):
    """The stated total is not the sum of the rounded lines. Leave one of them out, or correct it."""


class TotalMissing(Invalid):
    """A document needs lines or a total. Give one of them."""


class UnitsWithLines(Invalid):
    """The units of a document with lines are the sum of their quantities. Leave the units out."""


class NegativeAmount(Invalid):
    """A sale or refund cannot be negative. Record what was given back as a refund, a correction as an adjustment."""


class RateNotPositive(Invalid):
    """An exchange rate is greater than zero."""


class SameCurrency(Invalid):
    """An exchange rate stands between two different currencies."""


class RefundOfAnother(Invalid):
    """The order belongs to another customer. Leave the customer out: the refund gets the order's."""


class TierWithoutFamily(Invalid):
    """A tier ranks a product within its family. Name the family."""


class ComplementOfItself(Invalid):
    """A product cannot complement itself."""


class RevenueView(StrEnum):
    """When a refund counts."""

    BOOKED = "BOOKED"
    """On the day of its order where that is known, else on its own."""
    CASH = "CASH"
    """On the day on which the money was given back."""


class MissingReason(StrEnum):
    """Why a figure is not there."""

    NO_RATE = "NO_RATE"
    """A document has no exchange rate for its day."""
    NO_ORDERS = "NO_ORDERS"
    """There is no order, so there is no average."""
    NO_DATA = "NO_DATA"
    """Nothing of the kind is known."""
    DENOMINATOR_ZERO = "DENOMINATOR_ZERO"
    """There is nothing to divide by."""
    TOO_FEW = "TOO_FEW"
    """There are fewer than the figure needs."""
    NO_COST = "NO_COST"
    """What something cost is not known."""


@dataclass(frozen=True)
class NewLine:
    """A line as it is written: its amount is quantity times unit price less discount."""

    quantity: Decimal
    unit_price: Decimal
    sku: str | None = None
    description: str | None = None
    discount: Decimal = Decimal(0)
    tax: Decimal = Decimal(0)
    cost: Decimal | None = None


@dataclass(frozen=True)
class Line:
    """A line as it is kept: money in minor units, its amount rounded half-even once."""

    position: int
    sku: str | None
    description: str | None
    quantity: Decimal
    unit_price: Decimal
    discount: int
    tax: int
    amount: int
    cost_amount: int | None


@dataclass(frozen=True)
class Sum:
    """What the lines of a document add up to, or what it states without lines."""

    lines: tuple[Line, ...]
    amount: int
    units: Decimal


def add_lines(currency: str, lines: Sequence[NewLine], total: Decimal | None, units: Decimal | None) -> Sum:
    """Round every line once and add the rounded lines; or take the stated total where there are none.

    Raises UnknownCurrency, NotANumber, TooPrecise, TooLarge, TotalMissing, TotalDiffers or UnitsWithLines.
    """
    if not lines:
        if total is None:
            raise TotalMissing(path=("total",))
        return Sum((), to_money(total, currency, "total"), to_numeric(units or Decimal(0), "units"))
    if units is not None:
        raise UnitsWithLines(path=("units",))
    kept = tuple(_line(currency, position, line) for position, line in enumerate(lines, start=1))
    amount = _within(sum(line.amount for line in kept), "lines")
    if total is not None and to_money(total, currency, "total") != amount:
        raise TotalDiffers(path=("total",), lines=str(Money.of_minor(amount, currency).amount), total=str(total))
    return Sum(kept, amount, to_numeric(sum((line.quantity for line in kept), Decimal(0)), "units"))


def _line(currency: str, position: int, new: NewLine) -> Line:
    at = ("lines", str(position - 1))
    quantity, unit_price = to_numeric(new.quantity, *at, "quantity"), to_numeric(new.unit_price, *at, "unitPrice")
    discount = to_money(new.discount, currency, *at, "discount")
    return Line(
        position=position, sku=new.sku, description=new.description, quantity=quantity, unit_price=unit_price,
        discount=discount, tax=to_money(new.tax, currency, *at, "tax"),
        amount=_within(line_amount(quantity, unit_price, discount, currency), *at),
        cost_amount=None if new.cost is None else to_money(new.cost, currency, *at, "cost"),
    )  # fmt: skip


def line_amount(quantity: Decimal, unit_price: Decimal, discount: int, currency: str) -> int:
    """Quantity times unit price less discount, in minor units, rounded half-even once."""
    exact = _EXACT.multiply(quantity, unit_price).scaleb(minor_units(currency), _EXACT)
    return int(_EXACT.subtract(exact, Decimal(discount)).to_integral_value(ROUND_HALF_EVEN, _EXACT))


def to_numeric(number: Decimal, *path: str) -> Decimal:
    """A quantity, price or rate as it is kept, with six decimals. Raises NotANumber, TooPrecise or TooLarge."""
    if not number.is_finite():
        raise NotANumber(path=path, value=str(number))
    if abs(number) >= _NUMERIC_LIMIT:
        raise TooLarge(path=path, value=str(number))
    kept = number.quantize(_PLACES, context=_EXACT)
    if kept != number:
        raise TooPrecise(path=path, value=str(number))
    return kept


def to_money(amount: Decimal, currency: str, *path: str) -> int:
    """Stated money in minor units; it is never rounded. Raises UnknownCurrency, NotANumber, TooPrecise or TooLarge."""
    if not amount.is_finite():
        raise NotANumber(path=path, value=str(amount))
    if amount.adjusted() > 20:
        raise TooLarge(path=path, value=str(amount))
    minor = amount.scaleb(minor_units(currency), _EXACT)
    if minor != minor.to_integral_value():
        raise TooPrecise(path=path, value=str(amount))
    return _within(int(minor), *path)


def _within(minor: int, *path: str) -> int:
    if abs(minor) >= _MONEY_LIMIT:
        raise TooLarge(path=path)
    return minor


def check_not_negative(amount: int, field: str = "total") -> None:
    """A sale or refund is worth nothing or more. Raises NegativeAmount."""
    if amount < 0:
        raise NegativeAmount(path=(field,))


def check_rate(base: str, quote: str, rate: Decimal) -> Decimal:
    """An exchange rate as it is kept. Raises UnknownCurrency, SameCurrency, RateNotPositive or what to_numeric does."""
    minor_units(base), minor_units(quote)
    if base == quote:
        raise SameCurrency(path=("quote",))
    kept = to_numeric(rate, "rate")
    if kept <= 0:
        raise RateNotPositive(path=("rate",))
    return kept


def check_refund(currency: str, order_currency: str, customer: UUID | None, order_customer: UUID | None) -> None:
    """A refund has the currency and the customer of its order. Raises CurrenciesDiffer or RefundOfAnother."""
    if currency != order_currency:
        raise CurrenciesDiffer(path=("currency",), left=currency, right=order_currency)
    if customer not in {None, order_customer}:
        raise RefundOfAnother(path=("customer",))


def check_product(sku: str, family: str | None, tier_rank: int | None, complements: Sequence[str]) -> None:
    """A rank is one within a family, and nothing complements itself. Raises TierWithoutFamily or ComplementOfItself."""
    if tier_rank is not None and family is None:
        raise TierWithoutFamily(path=("tierRank",))
    if sku in complements:
        raise ComplementOfItself(path=("complements",))


def local_day(occurred_at: datetime, time_zone: str) -> date:
    """The calendar day of a moment where the tenant is."""
    return occurred_at.astimezone(ZoneInfo(time_zone)).date()


def digest(*content: Any) -> bytes:
    """The SHA-256 of what a document holds; equal content has equal digests, whatever the order of its keys."""
    return hashlib.sha256(msgspec.json.encode(content, order="deterministic")).digest()


@dataclass(frozen=True)
class Window:
    """Days from `start` up to and without `end`, in the tenant's calendar; None leaves a side open."""

    start: date | None = None
    end: date | None = None


ALL_TIME = Window()


@dataclass(frozen=True)
class Part:
    """The documents of one part of a total: how many, how many of them have an amount, and what these add up to."""

    documents: int = 0
    converted: int = 0
    minor: int = 0
    first_at: datetime | None = None
    last_at: datetime | None = None

    def money(self, currency: str) -> Money | None:
        """Their sum, or None where one of them has no amount in this currency."""
        return Money.of_minor(self.minor, currency) if self.converted == self.documents else None


@dataclass(frozen=True)
class OrderTotals:
    """Orders, refunds and adjustments in one currency; a figure that cannot be known is None, with the reason."""

    orders: int
    refunds: int
    adjustments: int
    gross: Money | None
    refunded: Money | None
    adjusted: Money | None
    net: Money | None
    average: Money | None
    first_at: datetime | None
    last_at: datetime | None
    missing: MissingReason | None


def add_up(parts: Mapping[str, Part], currency: str) -> OrderTotals:
    """Net is gross less refunded plus adjusted; the average is gross by orders, rounded half-even once."""
    sales, refunds, adjustments = (parts.get(name, Part()) for name in ("SALE", "REFUND", "ADJUSTMENT"))
    gross, refunded, adjusted = (part.money(currency) for part in (sales, refunds, adjustments))
    net = None
    if gross is not None and refunded is not None and adjusted is not None:
        net = gross - refunded + adjusted
    return OrderTotals(
        orders=sales.documents, refunds=refunds.documents, adjustments=adjustments.documents,
        gross=gross, refunded=refunded, adjusted=adjusted, net=net,
        average=_average(sales, currency) if gross is not None and sales.documents else None,
        first_at=sales.first_at, last_at=sales.last_at,
        missing=MissingReason.NO_RATE if net is None else None if sales.documents else MissingReason.NO_ORDERS,
    )  # fmt: skip


def _average(sales: Part, currency: str) -> Money:
    exact = _EXACT.divide(Decimal(sales.minor), Decimal(sales.documents))
    return Money.of_minor(int(exact.to_integral_value(ROUND_HALF_EVEN)), currency)
