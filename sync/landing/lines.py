"""Lines of documents on their way into the staging table: amounts are rounded here, once, at the line."""

from __future__ import annotations

from decimal import Context, Decimal
from itertools import compress
from typing import TYPE_CHECKING, Any, NamedTuple

from domain.core.money import minor_units, to_minor
from sync.landing import cells, tables
from tenure_sdk import LINE_COLUMNS, LINE_TYPES, CreditNote, Invoice, LinePage, Order, Refund, Reject

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from domain.core.unit_of_work import Writing
    from tenure_sdk import Document

_WIDE = Context(prec=80)  # a quantity times a price must be exact before it is rounded
_BIGGEST = 2**63 - 1
_MOST_DIGITS = 19

_AMOUNTS = ("total", "discount", "tax")
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
    page = page_of(documents)
    encoded = encode(page)
    refused: Refused = {}
    at = {row[0]: row for row in page.rows} if encoded.rejects else {}
    for reject in encoded.rejects:
        _, document, kind, *_ = at[reject.line]
        refused.setdefault((kind, document), Reject(None, reject.field, reject.value, reject.reason, document))
    if refused:
        whole = [row for row in page.rows if (row[2], row[1]) not in refused]
        encoded = encode(LinePage(page.columns, whole, complete=True))
    if encoded.accepted:
        await tables.copy(work, "incoming_lines", encoded.columns, encoded.rows)
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


def _type(name: str) -> str:
    record, kind = _TYPES[name]
    return f"{record}\t{kind or cells.NULL}"


def _currency(code: str) -> str:
    return f"{code}\t{minor_units(code)}"


_WRITERS: dict[str, Callable[[Any], str]] = {
    "type": _type,
    "currency": _currency,
    "occurred_at": cells.moment,
    **dict.fromkeys(("units", "quantity", "unit_price"), cells.exact),
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


def page_of(documents: Sequence[Document]) -> LinePage:
    """Documents as the lines that they are made of; a line's number is its place on the page."""
    rows = [row for document in documents for row in _rows_of(document)]
    numbered = [(place, *row) for place, row in enumerate(rows, 1)]
    return LinePage(tuple(LINE_COLUMNS), numbered, complete=True)


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


def _rows_of(document: Document) -> list[tuple[Any, ...]]:
    kind, status, refunds = _said(document)
    head = (
        document.id,
        kind,
        document.number,
        document.occurred_at,
        status,
        refunds,
        document.customer.id if document.customer else None,
        *(None, None, None),
        document.currency,
        document.channel,
        document.total,
        document.units,
    )
    nothing = (None,) * 6
    return [
        (
            *head,
            line.product.id if line.product else None,
            line.description,
            line.quantity,
            line.unit_price,
            line.discount,
            line.tax,
        )
        for line in document.lines
    ] or [(*head, *nothing)]
