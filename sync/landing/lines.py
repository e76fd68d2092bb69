"""Lines of documents on their way into the staging table: amounts are rounded here, once, at the line."""

from __future__ import annotations

from decimal import Context, Decimal
from functools import cache
from itertools import compress
from typing import TYPE_CHECKING, Any, NamedTuple

from domain.core.countries import is_country
from domain.core.money import minor_units, to_minor
from sync import soundness
from sync.landing import cells, tables
from tenure_sdk import LINE_TYPES, LinePage, Reject

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from domain.core.unit_of_work import Writing

_WIDE = Context(prec=80)  # a quantity times a price must be exact before it is rounded
BIGGEST = 2**63 - 1
"""The largest amount, in minor units."""

_MOST_DIGITS = 19

_AMOUNTS = ("total", "discount", "tax", "cost")
_TARGETS = {"type": ("record", "kind"), "currency": ("currency", "digits"), "order": ("refunds",)}
"""The columns of a `LinePage` that have other names, or become two."""


class Encoded(NamedTuple):
    """Lines as COPY reads them, and those that no table can hold."""

    columns: tuple[str, ...]
    rows: bytes
    accepted: int
    rejects: list[Reject]


async def copy(work: Writing, page: LinePage) -> Encoded:
    """Put the lines of a page into the staging table; the rejects among them stay out."""
    encoded = encode(page)
    if encoded.accepted:
        await tables.copy(work, "incoming_lines", encoded.columns, encoded.rows)
    return encoded


def encode(page: LinePage) -> Encoded:
    """The lines of a page as COPY reads them."""
    if not page.rows:
        return Encoded((), b"", 0, [])
    given = zip(page.columns, zip(*page.rows, strict=True), strict=True)
    values: dict[str, Sequence[Any]] = {name: column for name, column in given if _says_something(column)}
    written = {name: _written(name, values) for name in values}
    if "quantity" in values:
        written["amount"] = _amounts(values)
    columns = tuple(target for name in written for target in _TARGETS.get(name, (name,)))
    rejects = _rejects(written, values)
    texts = [column for column, _ in written.values()]
    if rejects:
        bad = {reject.line for reject in rejects}
        kept = [line not in bad for line in values["line"]]
        texts = [list(compress(column, kept)) for column in texts]
    return Encoded(columns, cells.rows(zip(*texts, strict=True)), len(texts[0]), rejects)


def _says_something(column: Sequence[Any]) -> bool:
    return any(value is not None for value in column)


Written = tuple["list[str]", bool]
"""The cells of a column, and whether some of them are unfit."""


def _written(name: str, values: dict[str, Sequence[Any]]) -> Written:
    column = values[name]
    if name == "line":
        return list(map(str, column)), False
    if name in _AMOUNTS:
        known = cells.Cells(lambda pair: cells.NULL if pair[0] is None else minor(*pair))
        return [known[pair] for pair in zip(column, values["currency"], strict=True)], known.unfit
    known = cells.Cells(_WRITERS.get(name, cells.text))
    return [known[value] for value in column], known.unfit


def _amounts(values: dict[str, Sequence[Any]]) -> Written:
    """Quantity by unit price less discount, rounded half-even to the currency's minor unit."""
    known = cells.Cells(line_amount)
    nothing = [None] * len(values["line"])
    prices, discounts = values.get("unit_price") or nothing, values.get("discount") or nothing
    terms = zip(values["quantity"], prices, discounts, values["currency"], strict=True)
    return [known[term] for term in terms], known.unfit


def line_amount(term: tuple[Decimal | None, Decimal | None, Decimal | None, str]) -> str:
    """What a line of quantity, unit price, discount and currency comes to, in minor units."""
    quantity, price, discount, currency = term
    if quantity is None:
        return cells.NULL
    if price is None:
        raise ValueError("is missing where there is a quantity")
    if not (quantity.is_finite() and price.is_finite()):
        raise ValueError("is no number")
    return minor(_WIDE.subtract(_WIDE.multiply(quantity, price), discount or Decimal(0)), currency)


def minor(amount: Decimal, currency: str) -> str:
    """An amount of money, rounded half-even to the currency's minor unit."""
    if not amount.is_finite():
        raise ValueError("is no number")
    # What has so many digits cannot even be rounded to minor units within the precision of decimals.
    whole = None if amount.adjusted() > _MOST_DIGITS else to_minor(amount, currency)
    if whole is None or abs(whole) > BIGGEST:
        raise ValueError("is too large an amount of money")
    return str(whole)


@cache
def _type(name: str) -> str:
    record, kind = LINE_TYPES[name]
    return f"{record}\t{kind or cells.NULL}"


def _currency(code: str) -> str:
    return f"{code}\t{minor_units(code)}"


def _country(code: str) -> str:
    if not is_country(code):
        raise ValueError("is no country (ISO 3166-1)")
    return code


def _moment(value: datetime) -> str:
    soundness.check_year(value)
    return cells.moment(value)


_WRITERS: dict[str, Callable[[Any], str]] = {
    "type": _type,
    "currency": _currency,
    "occurred_at": _moment,
    "country": _country,
    **dict.fromkeys(("units", "quantity", "unit_price"), cells.exact),
    **dict.fromkeys(("document", "number", "order", "customer", "customer_name", "sku"), cells.line),
}


def _rejects(written: dict[str, Written], values: dict[str, Sequence[Any]]) -> list[Reject]:
    found: dict[int, Reject] = {}
    for name, (column, unfit) in written.items():
        for line, cell, place in zip(values["line"], column, range(len(column)), strict=True) if unfit else ():
            if isinstance(cell, cells.Unfit) and line not in found:
                field = "unit_price" if name == "amount" else name
                value = values[field][place] if field in values else None
                given = None if value is None else str(value)
                found[line] = Reject(line, field, given, str(cell), values["document"][place])
    return [found[line] for line in sorted(found)]
