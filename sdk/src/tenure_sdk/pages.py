"""What a stream yields: pages of records, or of the lines that documents are made of."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from msgspec import Struct

from tenure_sdk.records import Record

Cursor: TypeAlias = Any
"""Any JSON value of at most `MAX_CURSOR_BYTES`; it holds no secret. Only the connector reads it."""

MAX_CURSOR_BYTES = 16 * 1024

LINE_COLUMNS: dict[str, str] = {
    "line": "int: where the line stands in the input, from 1; no two lines of a run share it",
    "document": "str: the id of the document that the line belongs to",
    "type": "str: a key of LINE_TYPES",
    "number": "str or None: the document's number as people read it",
    "occurred_at": "aware datetime in UTC",
    "status": "str or None: OPEN, COMPLETED or CANCELLED; None is COMPLETED; none for refunds",
    "order": "str or None: the id of the order that a refund gives back",
    "customer": "str or None: the customer's id",
    "customer_name": "str or None",
    "country": "str or None: of the customer, ISO 3166-1 alpha-2",
    "country_name": "str or None: of the customer, as the input writes it",
    "currency": "str: ISO 4217",
    "channel": "str or None",
    "total": "Decimal or None: the document's amount, where it has no lines",
    "units": "Decimal or None: the document's units, where it has no lines",
    "sku": "str or None: the product's id and stock code",
    "description": "str or None: of the line, and the product's name",
    "quantity": "Decimal or None; a line without a quantity is no order line, it only tells of its document",
    "unit_price": "Decimal or None: never None where there is a quantity",
    "discount": "Decimal or None: taken off the line",
    "tax": "Decimal or None",
    "cost": "Decimal or None: what the goods of the whole line cost the business; None is not known, not nothing",
}
"""The columns that a `LinePage` may have, in this order, and the Python type of each."""

REQUIRED_LINE_COLUMNS = ("line", "document", "type", "occurred_at", "currency")

LINE_TYPES: dict[str, tuple[str, str | None]] = {
    "order": ("order", "SALE"),
    "adjustment": ("order", "ADJUSTMENT"),
    "refund": ("refund", None),
}
"""What a line's type makes of its document: the record type and, of an order, the kind."""


class Reject(Struct, frozen=True):
    """A line or record that was left out: where it stands, which field, what stood there, and why it cannot be."""

    line: int | None
    field: str | None
    value: str | None
    reason: str
    record_id: str | None = None
    """The id of the record, or of the line's document, where it could be read."""


def unfit(problem: Exception) -> tuple[str | None, str]:
    """The field that is wrong and the reason, in what msgspec says of a record that is none.

    It writes "Expected ... - at `$.name`", and a record that looks at itself "kind: there is no ...".
    """
    reason, _, place = str(problem).partition(" - at `$")
    fields = [place.rstrip("`").lstrip(".")]
    if found := _MISSING.fullmatch(reason) or _OF_FIELD.fullmatch(reason):
        fields.append(found["field"])
        reason = found.groupdict().get("reason") or "is missing"
    return ".".join(filter(None, fields)) or None, _TOO_LONG.sub(r"is longer than \1 characters", reason)


_MISSING = re.compile(r"Object missing required field `(?P<field>\w+)`")
_OF_FIELD = re.compile(r"(?P<field>[a-z_]+): (?P<reason>.+)")
_TOO_LONG = re.compile(r"Expected `str` of length <= (\d+)")


class Merge(Struct, frozen=True):
    """The remote side made two of its records one: `gone` is now `into`."""

    type: str
    """A key of `RECORD_TYPES`."""
    gone: str
    into: str


class Page(Struct, frozen=True):
    """Records that belong into one transaction, with what was deleted and the cursor to go on from after them."""

    records: Sequence[Record]
    deletes: Sequence[str] = ()
    """Ids, at the remote side, of records of this stream that are gone."""
    cursor: Cursor = None
    """None: reading cannot be resumed here, the cursor before stays."""
    rejects: Sequence[Reject] = ()
    progress: float | None = None
    """The share of the run that is read after this page, 0 to 1; None where nobody can know."""
    merges: Sequence[Merge] = ()
    """Records that the remote side merged."""
    lines: Mapping[str, int] = {}
    """Where records stand in the input, by their ids, where it has lines: what is rejected of them names its line."""


class LinePage(Struct, frozen=True):
    """Lines of orders and refunds as plain rows, which the host groups into documents set-based.

    `columns` names the places of every row of `rows`: a selection of `LINE_COLUMNS` in their order, with at least
    `REQUIRED_LINE_COLUMNS`, the same on every page of a run; a column that is not there is None everywhere. Rows
    stand in the order of `line`, which rises over the pages of a run.

    What the rows mean once all of them are known:

    - The rows that share `document` and the record type that `LINE_TYPES` gives for their `type` are one document,
      wherever they stand: a record of that type, with `document` as its id. Its `occurred_at` is the earliest of its
      rows; an order's kind is that of its first row by `line`. Every other column of the document (number, status,
      order, customer, currency, channel, total, units) is that of its first row that has a value.
    - A document with a rejected row (`Reject.record_id` is its `document`) is left out whole, and one that is known
      stays as it is: half an invoice would be a wrong amount.
    - Every row with a `quantity` is one line of its document; lines stand in the order of `line`. Equal rows are
      lines of their own. In refunds quantities, `total` and `units` are positive: how much was returned.
    - Every `customer` is a Customer with that id. Its name and country are those of its first row that has a value.
    - Every `sku` is a Product with that id and sku. Its name is the `description` of its first row that has one.

    `complete` says that no document has rows on two pages: such a page can be committed by itself, with its cursor.
    Otherwise the rows of all pages must be together before the first document is made, and a cursor may be kept
    only where the rows up to it are kept with it.
    """

    columns: tuple[str, ...]
    rows: Sequence[tuple[Any, ...]]
    complete: bool
    cursor: Cursor = None
    rejects: Sequence[Reject] = ()
    progress: float | None = None
