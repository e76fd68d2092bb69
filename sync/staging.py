"""Documents whose lines do not stand together: all lines are staged first, then grouped in bounded batches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sync import runs
from sync.land import Landed, defer, merge_lines, total
from sync.landing import customers, lines, products, rejects, tables
from sync.landing.tables import LINE_NAMES, sql
from sync.runs import Counts

if TYPE_CHECKING:
    from domain.core.unit_of_work import Writing
    from sync.runs import Run
    from tenure_sdk import LinePage

BATCH_CUSTOMERS = 5_000
"""How many customers a transaction describes: their events and who they are is what needs memory."""

BATCH_LINES = 50_000
"""How many lines a transaction makes into documents; a document is never divided, so it may be more."""

_PARTY_COLUMNS = {"customer_name", "country", "country_name", "sku"}

_OF_RUN = "tenant_id = :tenant AND run_id = :run"

_STAGE = sql(f"""
INSERT INTO staged_lines (tenant_id, run_id, {LINE_NAMES})
SELECT :tenant, :run, {LINE_NAMES} FROM pg_temp.incoming_lines
""")

_CUSTOMERS = sql(f"""
SELECT max(customer) AS last, count(*) AS found FROM (
    SELECT DISTINCT customer FROM staged_lines WHERE {_OF_RUN} AND customer > :after ORDER BY customer LIMIT :size
) AS batch
""")

_NEXT = sql(f"""
SELECT record, document FROM (
    SELECT record, document FROM staged_lines
    WHERE {_OF_RUN} AND (record, document) > (:record, :document) ORDER BY record, document LIMIT :size
) AS batch ORDER BY record DESC, document DESC LIMIT 1
""")

_TAKE = sql(f"""
INSERT INTO pg_temp.incoming_lines ({LINE_NAMES}) SELECT {LINE_NAMES} FROM staged_lines
WHERE {_OF_RUN} AND (record, document) > (:record, :document) AND (record, document) <= (:to_record, :to_document)
ORDER BY record, document, line
""")


def must_wait(page: LinePage) -> bool:
    """Whether the lines of a page mean something only with all others of the run.

    Their document may have more lines elsewhere; or they describe customers and products, and the first line of the
    run that does so counts.
    """
    return not page.complete or not _PARTY_COLUMNS.isdisjoint(page.columns)


async def stage(work: Writing, run: Run, page: LinePage) -> Landed:
    """Keep the lines of a page until the stream has been read."""
    await tables.prepare(work)
    encoded = await lines.copy(work, page)
    refused = [*page.rejects, *encoded.rejects]
    await rejects.keep(work, run, refused)
    await work.execute(_STAGE, run.binds)
    counts = Counts(read=encoded.accepted + len(refused), rejected=len(refused))
    staged = run.checkpoint.staged + encoded.accepted
    # Without a cursor the page would be read again after a crash: then the lines before it must go, too.
    await runs.advance(work, run, counts, cursor=page.cursor, staged=staged)
    return Landed(counts, (), ())


async def describe(work: Writing, run: Run) -> Landed:
    """Once the stream has been read: merge the next customers that the waiting lines name, and first the products.

    The checkpoint says when all of them are merged (`read`).
    """
    await tables.prepare(work)
    after = run.checkpoint.described
    parts = [] if after else [await products.from_lines(work, run, f"(SELECT * FROM staged_lines WHERE {_OF_RUN})")]
    batch = (await work.rows(_CUSTOMERS, {**run.binds, "after": after, "size": BATCH_CUSTOMERS}))[0]
    if batch.found:
        lines = f"(SELECT * FROM staged_lines WHERE {_OF_RUN} AND customer > :after AND customer <= :last)"
        parts.append(await customers.from_lines(work, run, lines, after=after, last=batch.last))
    last, is_read = batch.last or after, batch.found < BATCH_CUSTOMERS
    landed = total(0, parts)
    await defer(work, run, landed, described=last, read=is_read)
    return landed


async def make(work: Writing, run: Run) -> Landed | None:
    """Make the next documents of the waiting lines; None when there are no more."""
    record, document = run.checkpoint.made or ("", "")
    after = {**run.binds, "record": record, "document": document}
    found = await work.rows(_NEXT, {**after, "size": BATCH_LINES})
    if not found:
        return None
    last = found[0]
    await tables.prepare(work)
    await work.execute(_TAKE, {**after, "to_record": last.record, "to_document": last.document})
    landed = total(0, await merge_lines(work, run))
    await defer(work, run, landed, made=(last.record, last.document))
    return landed
