"""What an invoice and a credit note have in common: each is versioned beside the document that has its lines."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import text

from sync.landing import allocations, tables
from sync.landing.customers import Merged
from sync.landing.tables import sql

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy import TextClause

    from domain.core.unit_of_work import Writing
    from sync.runs import Run

_SHARED = (
    "number", "customer_id", "occurred_at", "local_day", "currency", "amount", "base_amount", "base_currency", "units",
    "line_count", "integration_id", "remote_id",
)  # fmt: skip


class Bill(NamedTuple):
    """A type of bill, the type of the document that has its lines, and the columns that are its own."""

    record: str
    document: str
    own: tuple[str, ...]
    compared: tuple[str, ...]
    """Which of them make a new version when they change."""

    @property
    def found(self) -> TextClause:
        """Finds the bills' ids, documents and versions; what did not change is gone from the page afterwards."""
        return sql(f"""
        MERGE INTO pg_temp.landing_bills AS bill
        USING (
            SELECT landing.document, link.local_id, document.version AS document_version, content.hash, known.version,
                known.superseded_at IS NULL AND known.content_hash = content.hash AND NOT CAST(:rebuild AS boolean)
                    AND known.{self.document}_version = document.version AS is_same
            FROM pg_temp.landing_bills AS landing
            JOIN record_links AS link
                ON link.tenant_id = :tenant AND link.integration_id = :integration AND link.type = '{self.record}'
                AND link.remote_id = landing.document
            JOIN LATERAL (
                SELECT version, content_hash FROM {self.document}s
                WHERE tenant_id = :tenant AND id = link.local_id AND superseded_at IS NULL
                -- There is but one. The order has it looked up by its key, also where statistics call a table empty.
                ORDER BY version DESC LIMIT 1
            ) AS document ON true
            LEFT JOIN ({allocations.TOLD}) AS told
                ON told.record = landing.record AND told.document = landing.document
            CROSS JOIN LATERAL (
                SELECT sha256(convert_to(concat(
                    ROW({", ".join(f"landing.{name}" for name in self.compared)}), E'\\n', told.allocations, E'\\n',
                    document.content_hash
                ), 'UTF8')) AS hash
            ) AS content
            LEFT JOIN LATERAL (
                SELECT version, superseded_at, content_hash, {self.document}_version FROM {self.record}s
                WHERE tenant_id = :tenant AND id = link.local_id ORDER BY version DESC LIMIT 1
            ) AS known ON true
            WHERE landing.record = '{self.record}'
        ) AS found ON bill.record = '{self.record}' AND bill.document = found.document
        WHEN MATCHED AND found.is_same THEN DELETE
        WHEN MATCHED THEN UPDATE SET id = found.local_id, document_version = found.document_version,
            hash = found.hash, version = coalesce(found.version, 0) + 1
        """)

    @property
    def superseded(self) -> TextClause:
        """Ends the versions that were current."""
        return sql(f"""
        UPDATE {self.record}s AS known SET superseded_at = greatest(CAST(:now AS timestamptz), known.recorded_at)
        FROM pg_temp.landing_bills AS landing
        WHERE landing.record = '{self.record}' AND known.tenant_id = :tenant AND known.id = landing.id
            AND known.superseded_at IS NULL
        """)

    @property
    def inserted(self) -> TextClause:
        """Writes the new versions: what their documents say, and what is their own."""
        own = "".join(f", landing.{name}" for name in self.own)
        return sql(f"""
        INSERT INTO {self.record}s
            (tenant_id, id, version, recorded_at, content_hash, {self.document}_version, {", ".join(_SHARED)}
            {"".join(f", {name}" for name in self.own)})
        SELECT :tenant, landing.id, landing.version, CAST(:now AS timestamptz), landing.hash, landing.document_version,
            {", ".join(f"document.{name}" for name in _SHARED)}{own}
        FROM pg_temp.landing_bills AS landing
        JOIN {self.document}s AS document
            ON document.tenant_id = :tenant AND document.id = landing.id AND document.version = landing.document_version
        WHERE landing.record = '{self.record}'
        """)

    @property
    def touched(self) -> TextClause:
        """Whose bills these are, and whose they were before."""
        return sql(f"""
        SELECT DISTINCT known.customer_id
        FROM pg_temp.landing_bills AS landing
        JOIN {self.record}s AS known ON known.tenant_id = :tenant AND known.id = landing.id
            AND known.version >= landing.version - 1
        WHERE landing.record = '{self.record}' AND known.customer_id IS NOT NULL
        """)


_LEFT = text("""
SELECT count(*) AS changed, count(*) FILTER (WHERE version = 1) AS created
FROM pg_temp.landing_bills WHERE record = :record
""")


async def write(work: Writing, run: Run, bill: Bill, staged: int) -> Merged:
    """Write the new versions of the staged bills of a type, whose documents have been merged before."""
    await tables.analyse(work, "landing_bills", "record, document")
    await work.execute(bill.found, run.binds)
    (left,) = await work.rows(_LEFT, {"record": bill.record})
    changed, created = left.changed, left.created
    if not changed:
        return Merged(unchanged=staged)
    binds = {**run.binds, "now": work.now}
    if created < changed:
        await work.execute(bill.superseded, binds)
    await work.execute(bill.inserted, binds)
    touched: list[UUID] = list((await work.execute(bill.touched, run.binds)).scalars())
    return Merged(created, changed - created, staged - changed, touched=touched)
