"""Lines of documents on their way into the staging table: amounts are rounded here, once, at the line."""

from __future__ import annotations

from decimal import Context, Decimal
from functools import cache
from itertools import compress, count
from typing import TYPE_CHECKING, Any, NamedTuple

from domain.core.countries import is_country
from domain.core.money import minor_units, to_minor
from sync import soundness
from sync.landing import cells, tables
from tenure_sdk import LINE_TYPES, CreditNote, Invoice, LinePage, Order, Refund, Reject

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from datetime import datetime

    from domain.core.unit_of_work import Writing
    from tenure_sdk import Document, OrderLine

_WIDE = Context(prec=80)  # a quantity times a price must be exact before it is rounded
_BIGGEST = 2**63 - 1
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


Refused = dict[tuple[str, str], Reject]
"""Why documents stayed out, by the type of their lines and their ids."""


async def copy_documents(work: Writing, documents: Sequence[Document]) -> Refused:
    """Put documents into the staging table as their lines; one that no table can hold stays out, with all its lines."""
    written = _Values()
    rows, refused = _rows(documents, written), _refused(documents, written)
    if refused:
        rows = _rows([each for each in documents if (_type_of(each), each.id) not in refused], written)
    if rows:
        await tables.copy(work, "incoming_lines", _DOCUMENT_COLUMNS, rows)
    return refused


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
    known = cells.Cells(_line_amount)
    nothing = [None] * len(values["line"])
    prices, discounts = values.get("unit_price") or nothing, values.get("discount") or nothing
    terms = zip(values["quantity"], prices, discounts, values["currency"], strict=True)
    return [known[term] for term in terms], known.unfit


def _line_amount(term: tuple[Decimal | None, Decimal | None, Decimal | None, str]) -> str:
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
    if whole is None or abs(whole) > _BIGGEST:
        raise ValueError("is too large an amount of money")
    return str(whole)


_TYPES = {**LINE_TYPES, "invoice": ("invoice", "SALE"), "credit_note": ("credit_note", None)}
"""A bill has the lines of an order or a refund, but is linked under its own type."""


@cache
def _type(name: str) -> str:
    record, kind = _TYPES[name]
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


_DOCUMENT_COLUMNS = (
    "line", "document", "record", "kind", "number", "occurred_at", "status", "refunds", "customer", "currency",
    "digits", "channel", "total", "units", "sku", "description", "quantity", "unit_price", "discount", "tax", "amount",
    "cost",
)  # fmt: skip


class _Values:
    """The cells of what may be no value that a table can hold, each made once for all documents."""

    def __init__(self) -> None:
        self.currencies = cells.Cells(_currency)
        self.numbers = cells.Cells(cells.exact)
        self.amounts = cells.Cells(lambda pair: cells.NULL if pair[0] is None else minor(*pair))
        self.lines = cells.Cells(_line)

    @property
    def unfit(self) -> bool:
        """Whether some of them were none."""
        return any(each.unfit for each in (self.currencies, self.numbers, self.amounts, self.lines))

    def of(self, document: Document) -> Iterator[tuple[str, object, str]]:
        """Field, value and cell of all that may be unfit in a document."""
        currency = document.currency
        yield "currency", currency, self.currencies[currency]
        yield "total", document.total, self.amounts[document.total, currency]
        yield "units", document.units, self.numbers[document.units]
        for line in document.lines:
            yield "quantity", line.quantity, self.numbers[line.quantity]
            yield "unit_price", line.unit_price, self.numbers[line.unit_price]
            yield "discount", line.discount, self.amounts[line.discount, currency]
            yield "tax", line.tax, self.amounts[line.tax, currency]
            yield "cost", line.cost, self.amounts[line.cost, currency]
            yield "unit_price", line.unit_price, self.lines[_terms(line, currency)]


_Terms = tuple["Decimal", "Decimal", "Decimal", "Decimal | None", "Decimal | None", str]


def _terms(line: OrderLine, currency: str) -> _Terms:
    return line.quantity, line.unit_price, line.discount, line.tax, line.cost, currency


def _line(terms: _Terms) -> str:
    """What a line says of quantity, price, discount and tax, the amount that it comes to, and what its goods cost."""
    quantity, price, discount, tax, cost, currency = terms
    return "\t".join((
        cells.exact(quantity), cells.exact(price), minor(discount, currency),
        cells.NULL if tax is None else minor(tax, currency), _line_amount((quantity, price, discount, currency)),
        cells.NULL if cost is None else minor(cost, currency),
    ))  # fmt: skip


def _refused(documents: Iterable[Document], written: _Values) -> Refused:
    """The first reason against each document that cannot be kept."""
    refused: Refused = {}
    for document in documents if written.unfit else ():
        for field, value, cell in written.of(document):
            if isinstance(cell, cells.Unfit):
                given = None if value is None else str(value)
                reject = Reject(None, field, given, str(cell), document.id)
                refused.setdefault((_type_of(document), document.id), reject)
    return refused


_AT_HAND = 100
"""Of so many documents a processor keeps at hand what is looked at column by column: it saves a fifth of the time."""


def _rows(documents: Sequence[Document], written: _Values) -> bytes:
    """The lines of documents as COPY reads them; a document without lines has one that only tells of it."""
    places = count(1)
    portions = (documents[start : start + _AT_HAND] for start in range(0, len(documents), _AT_HAND))
    return b"".join(_portion(portion, written, places) for portion in portions)


def _portion(documents: Sequence[Document], written: _Values, places: Iterator[int]) -> bytes:
    heads = _heads(documents, written)
    told = [
        (head, line, document.currency)
        for head, document in zip(heads, documents, strict=True)
        for line in document.lines or (None,)
    ]
    lines = [(line, currency) for _, line, currency in told if line is not None]
    columns = (
        cells.optionals([line.product.id if line.product else None for line, _ in lines]),
        cells.optionals([line.description for line, _ in lines]),
        [written.lines[_terms(line, currency)] for line, currency in lines],
    )
    following = map("\t".join, zip(*columns, strict=True))
    return cells.rows(
        (str(place), head, _NO_LINE if line is None else next(following))
        for (head, line, _), place in zip(told, places, strict=False)
    )


_NO_LINE = "\t".join([cells.NULL] * 8)


def _heads(documents: Sequence[Document], written: _Values) -> list[str]:
    """What every line of a document says of it."""
    said = [_said(document) for document in documents]
    columns = (
        cells.texts([document.id for document in documents]),
        [_type(kind) for kind, _, _ in said],
        cells.optionals([document.number for document in documents]),
        cells.moments([document.occurred_at for document in documents]),
        [status or cells.NULL for _, status, _ in said],
        cells.optionals([refunds for _, _, refunds in said]),
        cells.optionals([document.customer.id if document.customer else None for document in documents]),
        [written.currencies[document.currency] for document in documents],
        cells.optionals([document.channel for document in documents]),
        [written.amounts[document.total, document.currency] for document in documents],
        [written.numbers[document.units] for document in documents],
    )
    return list(map("\t".join, zip(*columns, strict=True)))


def _type_of(document: Document) -> str:
    return _said(document)[0]


_ORDERED = {"DRAFT": "OPEN", "OPEN": "COMPLETED", "PAID": "COMPLETED", "VOIDED": "CANCELLED"}
"""The status of the order that an invoice bills."""


def _said(document: Document) -> tuple[str, str | None, str | None]:
    """What only some types of document say: the type of its lines, its status, and the order that it gives back."""
    match document:
        case Invoice():
            return "invoice", _ORDERED[document.status], None
        case CreditNote():
            return "credit_note", None, None
        case Refund():
            return "refund", None, document.order.id if document.order else None
        case Order():
            return "adjustment" if document.kind == "ADJUSTMENT" else "order", document.status, None
    raise TypeError(type(document))
