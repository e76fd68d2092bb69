from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.core.money import CurrenciesDiffer, Money, UnknownCurrency, minor_units
from domain.purchases import rules
from domain.purchases.rules import NewLine, Part

if TYPE_CHECKING:
    from domain.core.problems import DomainError

MILL = Decimal("0.001")
CODES = st.sampled_from(["EUR", "JPY", "KWD"])
NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


def line(quantity: str, unit_price: str, **more: Any) -> NewLine:
    return NewLine(Decimal(quantity), Decimal(unit_price), **more)


@pytest.mark.parametrize(
    ("quantity", "unit_price", "discount", "currency", "amount"),
    [
        ("5", "0.001", "0", "EUR", 0),  # 0.5 cents go to the even 0
        ("15", "0.001", "0", "EUR", 2),  # 1.5 cents to the even 2
        ("25", "0.001", "0", "EUR", 2),  # 2.5 cents to the even 2
        ("-15", "0.001", "0", "EUR", -2),
        ("3", "19.99", "5.00", "EUR", 5497),
        ("1.5", "1", "0", "JPY", 2),
        ("2.5", "1", "1", "JPY", 2),  # 1.5, and not 2 less 1: it is rounded once
        ("1", "0.0005", "0", "KWD", 0),
        ("99999999999.999999", "99999.999999", "0", "JPY", 9999999999900000),
    ],
)
def test_a_line_is_rounded_half_even_once(
    quantity: str, unit_price: str, discount: str, currency: str, amount: int
) -> None:
    kept = rules.add_lines(currency, [line(quantity, unit_price, discount=Decimal(discount))], None, None)
    assert (kept.amount, kept.lines[0].amount, kept.units) == (amount, amount, Decimal(quantity))


@st.composite
def lines(draw: st.DrawFn, currency: str) -> list[NewLine]:
    numeric = st.decimals(-(10**6), 10**6, places=6)
    money = st.decimals(0, 1000, places=minor_units(currency))
    return draw(st.lists(st.builds(NewLine, quantity=numeric, unit_price=numeric, discount=money), min_size=1))


@given(data=st.data(), currency=CODES)
def test_a_total_is_the_sum_of_the_rounded_lines(data: st.DataObject, currency: str) -> None:
    written = data.draw(lines(currency))
    kept = rules.add_lines(currency, written, None, None)
    scale = 10 ** minor_units(currency)
    exact = [(Fraction(one.quantity) * Fraction(one.unit_price) - Fraction(one.discount)) * scale for one in written]
    assert [one.amount for one in kept.lines] == [round(amount) for amount in exact]
    assert kept.amount == sum(round(amount) for amount in exact)
    assert kept.units == sum(one.quantity for one in written)
    assert [one.position for one in kept.lines] == list(range(1, len(written) + 1))
    assert rules.add_lines(currency, written, Money.of_minor(kept.amount, currency).amount, None) == kept


def test_a_total_without_lines_is_taken_as_stated() -> None:
    assert rules.add_lines("EUR", [], Decimal("12.5"), Decimal(3)) == rules.Sum((), 1250, Decimal(3))
    assert rules.add_lines("JPY", [], Decimal(0), None) == rules.Sum((), 0, Decimal(0))


@pytest.mark.parametrize(
    ("arguments", "problem", "path"),
    [
        (("EUR", [], None, None), rules.TotalMissing, ("total",)),
        (("XXQ", [], Decimal(1), None), UnknownCurrency, ()),
        (("EUR", [], Decimal("0.001"), None), rules.TooPrecise, ("total",)),
        (("JPY", [], Decimal("0.1"), None), rules.TooPrecise, ("total",)),
        (("EUR", [], Decimal("NaN"), None), rules.NotANumber, ("total",)),
        (("EUR", [], Decimal("1E+30"), None), rules.TooLarge, ("total",)),
        (("EUR", [], Decimal("1E+17"), None), rules.TooLarge, ("total",)),
        (("EUR", [line("1", "1")], Decimal("1.01"), None), rules.TotalDiffers, ("total",)),
        (("EUR", [line("1", "1")], None, Decimal(1)), rules.UnitsWithLines, ("units",)),
        (("EUR", [line("1", "1"), line("Infinity", "1")], None, None), rules.NotANumber, ("lines", "1", "quantity")),
        (("EUR", [line("1", "0.0000001")], None, None), rules.TooPrecise, ("lines", "0", "unitPrice")),
        (("EUR", [line("1E+14", "0")], None, None), rules.TooLarge, ("lines", "0", "quantity")),
        (("EUR", [line("1E+13", "1E+13")], None, None), rules.TooLarge, ("lines", "0")),
        (("EUR", [line("1", "1", discount=MILL)], None, None), rules.TooPrecise, ("lines", "0", "discount")),
        (("EUR", [line("1", "1", tax=MILL)], None, None), rules.TooPrecise, ("lines", "0", "tax")),
        (("EUR", [line("1", "1", cost=MILL)], None, None), rules.TooPrecise, ("lines", "0", "cost")),
    ],
)  # fmt: skip
def test_what_cannot_be_kept_exactly_is_refused_where_it_stands(
    arguments: tuple[Any, ...], problem: type[DomainError], path: tuple[str, ...]
) -> None:
    with pytest.raises(problem) as refused:
        rules.add_lines(*arguments)
    assert refused.value.path == path


@pytest.mark.parametrize(
    ("base", "quote", "rate", "problem"),
    [
        ("EUR", "EUR", "1", rules.SameCurrency),
        ("EUR", "XXQ", "1", UnknownCurrency),
        ("EUR", "USD", "0", rules.RateNotPositive),
        ("EUR", "USD", "-1", rules.RateNotPositive),
        ("EUR", "USD", "0.0000001", rules.TooPrecise),
        ("EUR", "USD", "NaN", rules.NotANumber),
    ],
)
def test_a_rate_is_positive_and_between_two_currencies(
    base: str, quote: str, rate: str, problem: type[DomainError]
) -> None:
    with pytest.raises(problem):
        rules.check_rate(base, quote, Decimal(rate))


def test_a_refund_has_the_currency_and_the_customer_of_its_order() -> None:
    one, other = UUID(int=1), UUID(int=2)
    rules.check_refund("EUR", "EUR", one, one)
    rules.check_refund("EUR", "EUR", None, one)
    with pytest.raises(CurrenciesDiffer):
        rules.check_refund("EUR", "USD", one, one)
    with pytest.raises(rules.RefundOfAnother):
        rules.check_refund("EUR", "EUR", one, other)


def test_a_day_is_the_tenants() -> None:
    late = datetime(2026, 5, 1, 23, 30, tzinfo=UTC)
    assert rules.local_day(late, "UTC") == date(2026, 5, 1)
    assert rules.local_day(late, "Asia/Tehran") == date(2026, 5, 2)
    assert rules.local_day(late, "America/New_York") == date(2026, 5, 1)


def test_totals_are_net_of_refunds_and_with_adjustments() -> None:
    parts = {"SALE": Part(3, 3, 1001, NOON, NOON), "REFUND": Part(1, 1, 200), "ADJUSTMENT": Part(2, 2, -50)}
    totals = rules.add_up(parts, "EUR")
    assert (totals.orders, totals.refunds, totals.adjustments) == (3, 1, 2)
    assert totals.net == Money(Decimal("7.51"), "EUR")
    assert totals.average == Money(Decimal("3.34"), "EUR")
    assert (totals.first_at, totals.last_at, totals.missing) == (NOON, NOON, None)


def test_an_average_is_rounded_half_even() -> None:
    assert rules.add_up({"SALE": Part(2, 2, 5)}, "EUR").average == Money(Decimal("0.02"), "EUR")
    assert rules.add_up({"SALE": Part(2, 2, 7)}, "EUR").average == Money(Decimal("0.04"), "EUR")


def test_a_missing_rate_is_said_and_not_summed_over() -> None:
    totals = rules.add_up({"SALE": Part(2, 2, 100), "REFUND": Part(2, 1, 10)}, "EUR")
    assert (totals.gross, totals.refunded) == (Money(Decimal("1.00"), "EUR"), None)
    assert (totals.net, totals.missing) == (None, rules.MissingReason.NO_RATE)
    assert totals.average == Money(Decimal("0.50"), "EUR")


def test_without_orders_there_is_no_average() -> None:
    totals = rules.add_up({}, "EUR")
    assert (totals.orders, totals.net) == (0, Money(Decimal("0.00"), "EUR"))
    assert (totals.average, totals.missing) == (None, rules.MissingReason.NO_ORDERS)
