"""What contracts, opportunities and costs have in common: a record is a version, unless it says what is known."""

from __future__ import annotations

import re
from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import msgspec

from domain.core.money import UnknownCurrency
from domain.core.problems import DomainError
from sync.landing import cells, customers, lines, tables
from sync.landing.customers import Merged
from sync.landing.tables import sql
from tenure_sdk import Record, Reject

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from decimal import Decimal

    from sqlalchemy import TextClause

    from domain.core.unit_of_work import Writing
    from sync.runs import Run

Saying = TypeVar("Saying", bound=Record)
Kept = TypeVar("Kept")


class Unkept(ValueError):
    """What a field says cannot be kept."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(reason)
        self.field = field


class Told(NamedTuple):
    """A type of record, the table of its versions, the one that it is staged in, and how its own columns are filled."""

    record: str
    table: str
    staged: str
    own: Mapping[str, str]
    """SQL by column; `landing` is the staged record."""

    @property
    def linked(self) -> TextClause:
        """Finds ids and latest versions, and which records say what is known."""
        return sql(f"""
        UPDATE pg_temp.{self.staged} AS landing
        SET id = link.local_id, version = latest.version, former_customer_id = latest.customer_id,
            unchanged = latest.superseded_at IS NULL AND latest.content_hash = landing.hash
                AND NOT CAST(:rebuild AS boolean)
        FROM record_links AS link
        CROSS JOIN LATERAL (
            SELECT version, customer_id, superseded_at, content_hash FROM {self.table}
            WHERE tenant_id = :tenant AND id = link.local_id ORDER BY version DESC LIMIT 1
        ) AS latest
        WHERE link.tenant_id = :tenant AND link.integration_id = :integration AND link.type = '{self.record}'
            AND link.remote_id = landing.document
        """)

    @property
    def links(self) -> TextClause:
        """Writes down what is new."""
        return sql(f"""
        INSERT INTO record_links (tenant_id, integration_id, type, remote_id, local_id)
        SELECT :tenant, :integration, '{self.record}', document, id FROM pg_temp.{self.staged} WHERE version IS NULL
        """)

    @property
    def resolved(self) -> TextClause:
        """Counts the version on, and knows whose it is."""
        return sql(f"""
        UPDATE pg_temp.{self.staged} AS landing
        SET version = coalesce(landing.version, 0) + 1, customer_id = customer.id
        FROM pg_temp.{self.staged} AS own
        LEFT JOIN pg_temp.landing_customers AS customer ON customer.remote_id = own.customer
        WHERE own.document = landing.document
        """)

    @property
    def superseded(self) -> TextClause:
        """Ends the versions that were current."""
        return sql(f"""
        UPDATE {self.table} AS known SET superseded_at = greatest(CAST(:now AS timestamptz), known.recorded_at)
        FROM pg_temp.{self.staged} AS landing
        WHERE known.tenant_id = :tenant AND known.id = landing.id AND known.superseded_at IS NULL
        """)

    @property
    def inserted(self) -> TextClause:
        """Writes the new versions."""
        return sql(f"""
        INSERT INTO {self.table}
            (tenant_id, id, version, customer_id, recorded_at, integration_id, remote_id, content_hash,
             {", ".join(self.own)})
        SELECT :tenant, landing.id, landing.version, landing.customer_id, CAST(:now AS timestamptz), :integration,
            landing.document, landing.hash, {", ".join(self.own.values())}
        FROM pg_temp.{self.staged} AS landing
        """)


def as_staged(*columns: str) -> dict[str, str]:
    """Columns that are filled as they are staged."""
    return {column: f"landing.{column}" for column in columns}


async def find(work: Writing, run: Run, told: Told) -> int:
    """Leave only what is new or changed staged; how many records are neither."""
    await tables.analyse(work, told.staged, "document")
    await work.execute(told.linked, run.binds)
    return await tables.count(work, sql(f"DELETE FROM pg_temp.{told.staged} WHERE unchanged"))


async def write(work: Writing, run: Run, told: Told, base_currency: str) -> Merged:
    """Write the versions of what is staged; who is named and not known yet becomes a customer."""
    mentioned = await customers.mentioned(work, run, f"pg_temp.{told.staged}")
    await tables.number(work, told.staged, "occurred_at, document")
    binds = {**run.binds, "now": work.now, "base": base_currency}
    for statement in (told.links, told.resolved, told.superseded, told.inserted):
        await work.execute(statement, binds)
    found = await work.rows(
        sql(f"SELECT version = 1 AS is_new, customer_id, former_customer_id FROM pg_temp.{told.staged}")
    )
    created = sum(row.is_new for row in found)
    touched = {row.customer_id for row in found} | {row.former_customer_id for row in found}
    return Merged(created, len(found) - created, 0, mentioned.described, sorted(touched - {None}))


def kept(records: Iterable[Saying], make: Callable[[Saying], Kept]) -> tuple[list[Kept], list[Reject]]:
    """What `make` makes of the records that can be kept, and why the others cannot."""
    found: list[Kept] = []
    rejects: list[Reject] = []
    for record in records:
        try:
            found.append(make(record))
        except Unkept as problem:
            rejects.append(Reject(None, problem.field, None, str(problem), record.id))
        except DomainError as problem:
            field = ".".join(re.sub(r"[A-Z]", lambda letter: f"_{letter[0].lower()}", part) for part in problem.path)
            rejects.append(Reject(None, field or None, None, str(problem), record.id))
    return found, rejects


def minor(field: str, amount: Decimal, currency: str) -> int:
    """An amount in minor units, rounded half-even. Raises Unkept."""
    try:
        return int(lines.minor(amount, currency))
    except UnknownCurrency as problem:
        raise Unkept("currency", str(problem)) from problem
    except ValueError as problem:
        raise Unkept(field, str(problem)) from problem


def digest(record: Record) -> str:
    """The cell of the hash of what a record says; when the other side looked at it last is none of that."""
    said = msgspec.structs.replace(record, version=None, updated_at=None)
    return cells.binary(sha256(msgspec.json.encode(said, order="deterministic")).digest())
