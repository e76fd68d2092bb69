"""Documents on their way into the staging tables: as one JSON value, out of which PostgreSQL makes their lines.

What a line comes to is rounded there, once. To write each cell down here would take ten times the processor's time.
"""

from __future__ import annotations

import re
from datetime import UTC
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from domain.core.money import currencies, minor_units
from domain.core.problems import DomainError
from domain.core.rounding import half_even
from sync.landing import cells, lines, rejects
from sync.landing.tables import sql
from tenure_sdk import Reject, record_type

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from decimal import Decimal

    from domain.core.unit_of_work import Writing
    from tenure_sdk import Document, OrderLine

Refused = dict[tuple[str, str], Reject]
"""Why documents stayed out, by their types and ids."""

_HEAD = """
    type text, id text, number text, occurred_at timestamptz, customer json, currency text, lines json, total numeric,
    units numeric, channel text, kind text, status text, "order" json, native_status text, due_on date,
    balance numeric, sent_at timestamptz, updated_at timestamptz
"""
_LINE = """
    product json, description text, quantity numeric, unit_price numeric, discount numeric, tax numeric, cost numeric
"""


def _names(columns: str) -> str:
    return ", ".join(column.split()[0] for column in columns.split(","))


def _minor(*amounts: str) -> str:
    """SQL columns of exact amounts, rounded to whole minor units."""
    return ", ".join(f"{half_even(f'exact.{amount}')} AS {amount}_minor" for amount in amounts)


def _is_money(*amounts: str) -> str:
    """SQL: whether amounts in minor units can be kept; NaN is greater than any number."""
    return " AND ".join(f"coalesce(abs({amount}_minor) <= {lines.BIGGEST}, true)" for amount in amounts)


def _is_exact(*numbers: str) -> str:
    """SQL: whether quantities and prices can be kept."""
    return " AND ".join(f"coalesce(abs(round({number}, 6)) < {cells.LARGEST}, true)" for number in numbers)


_ORDERED = "CASE fit.status WHEN 'DRAFT' THEN 'OPEN' WHEN 'VOIDED' THEN 'CANCELLED' ELSE 'COMPLETED' END"
"""SQL: the status of the order that an invoice bills."""

# An open invoice of which nothing is owed is paid, whatever the other side calls it. A document without lines has one
# line that only tells of it. `OFFSET 0` keeps what is exact from being worked out anew wherever rounding names it.
_STAGE = sql(f"""
WITH head AS MATERIALIZED (
    SELECT said.*, known.digits, CAST(power(10, known.digits) AS bigint) AS minor
    FROM ROWS FROM (json_to_recordset(CAST(CAST(:papers AS text) AS json)) AS ({_HEAD}))
        WITH ORDINALITY AS said ({_names(_HEAD)}, place)
    LEFT JOIN unnest(CAST(:currencies AS text[]), CAST(:digits AS bigint[])) AS known (code, digits)
        ON known.code = said.currency
),
stated AS MATERIALIZED (
    SELECT place, {_minor("total", "balance")}
    FROM (SELECT place, total * minor AS total, balance * minor AS balance FROM head OFFSET 0) AS exact
),
line AS MATERIALIZED (
    SELECT exact.*, {_minor("amount", "discount", "tax", "cost")}
    FROM (
        SELECT head.place, said.place AS at, said.product ->> 'id' AS sku, said.description, said.quantity,
            said.unit_price, (said.quantity * said.unit_price - said.discount) * head.minor AS amount,
            said.discount * head.minor AS discount, said.tax * head.minor AS tax, said.cost * head.minor AS cost
        FROM head
        CROSS JOIN LATERAL ROWS FROM (json_to_recordset(head.lines) AS ({_LINE}))
            WITH ORDINALITY AS said ({_names(_LINE)}, place)
        OFFSET 0
    ) AS exact
),
unfit AS MATERIALIZED (
    SELECT place FROM head JOIN stated USING (place)
    WHERE digits IS NULL OR NOT ({_is_money("total", "balance")} AND {_is_exact("units")})
    UNION
    SELECT place FROM line
    WHERE NOT ({_is_money("amount", "discount", "tax", "cost")} AND {_is_exact("quantity", "unit_price")})
),
fit AS MATERIALIZED (SELECT * FROM head JOIN stated USING (place) WHERE place NOT IN (TABLE unfit)),
staged AS (
    INSERT INTO pg_temp.incoming_lines
        (line, document, record, kind, number, occurred_at, status, refunds, customer, currency, digits, channel,
         total, units, sku, description, quantity, unit_price, discount, tax, amount, cost)
    SELECT row_number() OVER (ORDER BY place, line.at), fit.id, fit.type,
        CASE fit.type WHEN 'order' THEN fit.kind WHEN 'invoice' THEN 'SALE' END,
        fit.number, fit.occurred_at, CASE fit.type WHEN 'order' THEN fit.status WHEN 'invoice' THEN {_ORDERED} END,
        CASE fit.type WHEN 'refund' THEN fit."order" ->> 'id' END, fit.customer ->> 'id', fit.currency, fit.digits,
        fit.channel, fit.total_minor, fit.units, line.sku, line.description, line.quantity, line.unit_price,
        line.discount_minor, line.tax_minor, line.amount_minor, line.cost_minor
    FROM fit LEFT JOIN line USING (place)
),
billed AS (
    INSERT INTO pg_temp.landing_bills
        (record, document, digits, status, native_status, due_on, balance, sent_at, changed_at)
    SELECT type, id, digits, CASE WHEN status = 'OPEN' AND balance_minor = 0 THEN 'PAID' ELSE status END,
        native_status, due_on, balance_minor, sent_at, updated_at
    FROM fit WHERE type IN ('invoice', 'credit_note')
)
SELECT place FROM unfit ORDER BY place
""")

_ENCODER = msgspec.json.Encoder()
_NUL = b"\\u0000"
_MOMENTS = "occurred_at", "updated_at", "sent_at"
_VAST = re.compile(rb"E\+\d{3}")

_TOO_LARGE = "has an amount that is too large"


async def stage(work: Writing, papers: Sequence[Document]) -> Refused:
    """Put documents into the staging tables, bills beside their lines; one that no table can hold stays out, whole."""
    given = _written(papers)
    refused: Refused = {}
    if _has_strange_numbers(given):
        refused = {_key(paper): reject for paper in papers if (reject := _reject(paper))}
        papers = [paper for paper in papers if _key(paper) not in refused]
        given = _written(papers)
    digits = {currency: minor_units(currency) for currency in {paper.currency for paper in papers} & currencies()}
    values = {"papers": given.decode(), "currencies": list(digits), "digits": list(digits.values())}
    unfit = [papers[place - 1] for place in (await work.execute(_STAGE, values)).scalars()]
    return refused | {_key(paper): _reject(paper) or _rejected(paper, "lines", None, _TOO_LARGE) for paper in unfit}


def _has_strange_numbers(given: bytes) -> bool:
    """Whether there may be numbers in it that PostgreSQL does not even read. A single character is found fastest."""
    return b"sNaN" in given or (b"+" in given and _VAST.search(given) is not None)


def _written(papers: Sequence[Document]) -> bytes:
    """Documents as JSON, without the characters that PostgreSQL does not keep."""
    given_in = {moment.tzinfo for name in _MOMENTS for paper in papers if (moment := getattr(paper, name, None))}
    if not given_in <= {UTC}:
        papers = [_in_utc(paper) for paper in papers]  # offsets are only written in whole minutes
    try:
        given = _ENCODER.encode(papers)
    except UnicodeEncodeError:  # a lone surrogate
        given = _NUL
    if b"\\" in given and _NUL in given:
        return _ENCODER.encode([rejects.plain(paper) for paper in papers])
    return given


def _in_utc(paper: Document) -> Document:
    moments = {name: getattr(paper, name, None) for name in _MOMENTS}
    given = {name: moment.astimezone(UTC) for name, moment in moments.items() if moment is not None}
    return msgspec.structs.replace(paper, **given)


def _key(paper: Document) -> tuple[str, str]:
    return record_type(paper), paper.id


def _reject(paper: Document) -> Reject | None:
    """The first reason against a document, if there is one."""
    for field, value, write in _stated(paper):
        try:
            if value is not None:
                write(value)
        except (DomainError, ValueError) as problem:
            return _rejected(paper, field, str(value), str(problem))
    return None


def _rejected(paper: Document, field: str, value: str | None, reason: str) -> Reject:
    return Reject(None, field, value, reason, paper.id)


def _stated(paper: Document) -> Iterator[tuple[str, Any, Callable[[Any], object]]]:
    """Field, value, and what fails where no table can hold it, of all that may be so."""
    money = partial(lines.minor, currency=paper.currency)
    yield "currency", paper.currency, minor_units
    yield "total", paper.total, money
    yield "balance", getattr(paper, "balance", None), money
    yield "units", paper.units, cells.exact
    for line in paper.lines:
        yield "quantity", line.quantity, cells.exact
        yield "unit_price", line.unit_price, cells.exact
        yield "discount", line.discount, money
        yield "tax", line.tax, money
        yield "cost", line.cost, money
        yield "unit_price", line.unit_price, partial(_amount, line, paper.currency)


def _amount(line: OrderLine, currency: str, unit_price: Decimal) -> str:
    return lines.line_amount((line.quantity, unit_price, line.discount, currency))
