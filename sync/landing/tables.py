"""The temporary tables that pages are staged in: one set per connection, emptied by every commit."""

from __future__ import annotations

from contextlib import asynccontextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import TextClause, Uuid, bindparam, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import ARRAY

from domain.core.database import driver_connection
from domain.core.ids import divisible
from domain.core.planning import planner_set
from domain.integrations.model import StagedLine

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from domain.core.unit_of_work import Writing

LINE_COLUMNS = tuple(column for column in StagedLine.__table__.columns if column.name not in {"tenant_id", "run_id"})
LINE_NAMES = ", ".join(column.name for column in LINE_COLUMNS)


def _lines() -> str:
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    return ", ".join(f"{column.name} {column.type.compile(dialect)}" for column in LINE_COLUMNS)


# Text is COLLATE "C" here too, so that it compares with the columns of the real tables.
_TEXT = 'text COLLATE "C"'
_TOLD = f"""
    document {_TEXT}, customer {_TEXT}, occurred_at timestamptz, hash bytea, id uuid, version bigint,
    unchanged boolean, customer_id uuid, former_customer_id uuid"""
"""What `versions` needs of a record."""

_TABLES = {
    "incoming_lines": _lines(),
    "landing_documents": f"""
        record {_TEXT}, document {_TEXT}, kind {_TEXT}, number {_TEXT}, occurred_at timestamptz, status {_TEXT},
        refunds {_TEXT}, customer {_TEXT}, currency {_TEXT}, digits bigint, channel {_TEXT}, amount bigint,
        units numeric, line_count bigint, hash bytea, id uuid, version bigint, unchanged boolean, customer_id uuid,
        former_customer_id uuid""",
    "landing_customers": f"""
        remote_id {_TEXT}, kind {_TEXT}, first_at timestamptz, updated_at timestamptz, version {_TEXT}, hash bytea,
        payload jsonb, id uuid, is_new boolean""",
    "landing_facts": f"""
        remote_id {_TEXT}, key {_TEXT}, text_value {_TEXT}, integer_value bigint, boolean_value boolean,
        date_value date, time_value timestamptz, json_value jsonb, id uuid""",
    "landing_claims": f"""
        remote_id {_TEXT}, scheme {_TEXT}, value {_TEXT}, normalised {_TEXT}, strength {_TEXT}, is_primary boolean,
        id uuid""",
    "landing_organisations": f"remote_id {_TEXT}, organisation {_TEXT}, organisation_id uuid, id uuid",
    "landing_products": f"""
        remote_id {_TEXT}, sku {_TEXT}, name {_TEXT}, family {_TEXT}, tier_rank bigint, complete boolean,
        family_id uuid, id uuid, state {_TEXT}""",
    "landing_interactions": f"""
        remote_id {_TEXT}, customer {_TEXT}, kind {_TEXT}, family {_TEXT}, channel {_TEXT}, direction {_TEXT},
        occurred_at timestamptz, version {_TEXT}, correlation_key {_TEXT}, campaign_key {_TEXT},
        machine_suspected boolean, summary {_TEXT}, payload jsonb, id uuid, revision bigint,
        former_customer_id uuid, part bigint, party_id uuid""",
    "landing_contents": f"remote_id {_TEXT}, content {_TEXT}",
    "landing_bills": f"""
        record {_TEXT}, document {_TEXT}, digits bigint, status {_TEXT}, native_status {_TEXT}, due_on date,
        balance bigint, sent_at timestamptz, changed_at timestamptz, hash bytea, id uuid, version bigint,
        document_version bigint""",
    "landing_payments": f"""
        record {_TEXT}, document {_TEXT}, number {_TEXT}, occurred_at timestamptz, customer {_TEXT}, currency {_TEXT},
        digits bigint, amount bigint, unapplied bigint, method {_TEXT}, status {_TEXT}, hash bytea, id uuid,
        version bigint, unchanged boolean, customer_id uuid, former_customer_id uuid""",
    "landing_allocations": f"record {_TEXT}, document {_TEXT}, invoice {_TEXT}, amount bigint, invoice_id uuid",
    "landing_entries": f"""
        stream {_TEXT}, remote_id {_TEXT}, kind {_TEXT}, occurred_at timestamptz, customer_id uuid, id uuid,
        revision bigint, summary {_TEXT}, payload jsonb, former_id uuid, former_revision bigint""",
    "landing_contracts": f"""
        {_TOLD}, number {_TEXT}, local_day date, currency {_TEXT}, amount bigint, status {_TEXT}, plan {_TEXT},
        term_ends_on date, ended_on date, event_count bigint""",
    "landing_contract_events": f"""
        document {_TEXT}, position bigint, kind {_TEXT}, occurred_at timestamptz, local_day date, mrr bigint,
        term_starts_on date, term_ends_on date, sku {_TEXT}, family {_TEXT}, plan {_TEXT}""",
    "landing_opportunities": f"""
        {_TOLD}, number {_TEXT}, local_day date, closed_at timestamptz, closed_on date, status {_TEXT},
        currency {_TEXT}, amount bigint, probability numeric, stage {_TEXT}, expected_close_on date""",
    "landing_costs": f"""
        {_TOLD}, category {_TEXT}, description {_TEXT}, starts_on date, ends_on date, currency {_TEXT}, amount bigint,
        rule {_TEXT}, campaign_key {_TEXT}, case_key {_TEXT}, department {_TEXT}""",
    "landing_departments": f"remote_id {_TEXT}, department {_TEXT}, id uuid",
    "landing_rates": f"day date, base {_TEXT}, quote {_TEXT}, rate numeric(20, 6), id uuid",
}

_CREATE = "; ".join(
    f"CREATE TEMPORARY TABLE {name} ({columns}) ON COMMIT DELETE ROWS" for name, columns in _TABLES.items()
)
_USED = "landing tables"
"""What a transaction remembers once a page has been staged in it."""
_EMPTY = f"TRUNCATE {', '.join(f'pg_temp.{name}' for name in _TABLES)}"


@cache
def sql(statement: str) -> TextClause:
    """A statement whose `:tenant` and `:integration` are ids and whose `:ids` are many of them.

    The same text is the same statement, which is compiled once.
    """
    one = [bindparam(name, type_=Uuid()) for name in ("tenant", "integration", "run") if f":{name}" in statement]
    many = [bindparam("ids", type_=ARRAY(Uuid()))] if ":ids" in statement else []
    return text(statement).bindparams(*one, *many)


async def prepare(work: Writing) -> None:
    """Have the temporary tables of this connection, empty: earlier pages of the same transaction left theirs."""
    connection = await driver_connection(await work.connection())
    if await connection.fetchval("SELECT to_regclass('pg_temp.landing_rates')") is None:
        await connection.execute(_CREATE)
    elif _USED in work.session.info:
        await connection.execute(_EMPTY)
    work.session.info[_USED] = True


async def analyse(work: Writing, table: str, columns: str) -> None:
    """Let the planner see what stands in a temporary table: nobody else tells it."""
    await work.execute(sql(f"ANALYZE pg_temp.{table} ({columns})"))


def is_remote_id(named: str) -> str:
    """The end of a subquery that looks one row up by the index that ends with `remote_id`.

    Statistics do not know a new tenant: the planner expects one row by any index that begins with the tenant, and may
    read all that the tenant has, for every row of a page. Only the index by remote id gives this order, and within
    `found_by_remote_id` nothing else may make it.
    """
    return f"{found_by('remote_id', named)} LIMIT 1"


def found_by(column: str, value: str) -> str:
    """The end of a subquery that looks rows up by the index that has this column behind the tenant."""
    return f"{column} BETWEEN {value} AND {value} ORDER BY {column}"


@asynccontextmanager
async def found_by_remote_id(work: Writing) -> AsyncIterator[None]:
    """Where the planner has no choice but the index for what ends with `is_remote_id`."""
    async with planner_set(work, enable_sort=("off", "on")):
        yield


@asynccontextmanager
async def found_in_one_walk(work: Writing) -> AsyncIterator[None]:
    """Where the planner has no choice but to walk an index once, in its order, for an array of keys.

    It takes any array for one of ten keys, and would compare each row that it finds with the whole page.
    """
    async with planner_set(work, enable_sort=("off", "on"), enable_nestloop=("off", "on")):
        yield


async def clear(work: Writing, *names: str) -> None:
    """Empty some of the temporary tables, for what comes next in the same transaction."""
    await work.execute(sql(f"TRUNCATE {', '.join(f'pg_temp.{name}' for name in names)}"))


async def copy(work: Writing, table: str, columns: Iterable[str], rows: bytes) -> None:
    """COPY rows, written as PostgreSQL's text format, into one of the temporary tables."""
    connection = await driver_connection(await work.connection())
    await connection.copy_to_table(table, source=_once(rows), columns=list(columns), schema_name="pg_temp")


async def _once(rows: bytes) -> Any:
    yield rows


async def count(work: Writing, statement: TextClause, **values: Any) -> int:
    """How many rows a statement wrote."""
    return int((await work.execute(statement, {"tenant": work.tenant_id, **values})).rowcount)


async def number(work: Writing, table: str, order: str) -> None:
    """Give an id, made here, to every row of a temporary table that has none, in an order of its columns."""
    front, rest = divisible(work.ids())
    await work.execute(
        sql(f"""
        UPDATE pg_temp.{table} AS landing
        SET id = CAST(
            concat(CAST(:front AS text), lpad(to_hex(CAST(:rest AS bigint) + missing.place), 16, '0')) AS uuid
        )
        FROM (
            SELECT ctid AS at, row_number() OVER (ORDER BY {order}) - 1 AS place
            FROM pg_temp.{table} WHERE id IS NULL
        ) AS missing
        WHERE landing.ctid = missing.at
        """),
        {"front": front, "rest": rest},
    )
