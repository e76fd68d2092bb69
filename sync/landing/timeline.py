"""Entries that documents have on the timeline: what is to stand there is compared with what does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import text

from domain.interactions import LINE
from sync.landing import tables
from sync.landing.tables import sql

if TYPE_CHECKING:
    from collections.abc import Sequence

    from domain.core.unit_of_work import Writing
    from sync.runs import Run

_SHOWN = ("kind", "customer_id", "occurred_at", "summary", "payload")


def shown(alias: str, columns: Sequence[str]) -> str:
    """SQL: what an entry of the timeline shows, from a landing table; a summary that is too long is cut."""
    listed = (f"left({alias}.summary, {LINE})" if name == "summary" else f"{alias}.{name}" for name in columns)
    return ", ".join(listed)


def _of(alias: str) -> str:
    return ", ".join(f"{alias}.{name}" for name in _SHOWN)


# An entry that brings its own id and revision is new whatever stood there: its document has a new version.
_COMPARE = sql(f"""
MERGE INTO pg_temp.landing_entries AS entry
USING (
    SELECT wanted.stream, wanted.remote_id, known.id, known.revision,
        ({_of("known")}) IS NOT DISTINCT FROM ({shown("wanted", _SHOWN)}) AS is_same
    FROM pg_temp.landing_entries AS wanted
    CROSS JOIN LATERAL (
        SELECT id, revision, {", ".join(_SHOWN)} FROM interactions
        WHERE tenant_id = :tenant AND integration_id = :integration AND stream = wanted.stream
            AND superseded_at IS NULL AND {tables.is_remote_id("wanted.remote_id")}
    ) AS known
) AS found ON (found.stream, found.remote_id) = (entry.stream, entry.remote_id)
WHEN MATCHED AND found.is_same THEN DELETE
WHEN MATCHED THEN UPDATE SET former_id = found.id, former_revision = found.revision,
    id = coalesce(entry.id, found.id), revision = coalesce(entry.revision, found.revision + 1)
""")

_SUPERSEDE = sql("""
UPDATE interactions SET superseded_at = greatest(CAST(:now AS timestamptz), interactions.recorded_at)
FROM pg_temp.landing_entries AS entry
WHERE interactions.tenant_id = :tenant AND interactions.id = entry.former_id
    AND interactions.revision = entry.former_revision
""")

_UNWANTED = text("DELETE FROM pg_temp.landing_entries WHERE kind IS NULL")

_INSERT = sql(f"""
INSERT INTO interactions
    (tenant_id, id, revision, family, recorded_at, integration_id, stream, remote_id, {", ".join(_SHOWN)})
SELECT :tenant, id, coalesce(revision, 1), 'COMMERCE', CAST(:now AS timestamptz), :integration, stream, remote_id,
    {shown("entry", _SHOWN)}
FROM pg_temp.landing_entries AS entry
""")


async def show(work: Writing, run: Run) -> None:
    """Make the timeline say what stands in `landing_entries`; one without a kind is to stand there no longer."""
    binds = {**run.binds, "now": work.now}
    async with tables.found_by_remote_id(work):
        await work.execute(_COMPARE, binds)
    await work.execute(_SUPERSEDE, binds)
    await work.execute(_UNWANTED)
    await tables.number(work, "landing_entries", "occurred_at, stream, remote_id")
    await work.execute(_INSERT, binds)
    await tables.clear(work, "landing_entries")


def amount(minor: str, digits: str, currency: str) -> str:
    """SQL that writes an amount in minor units as people do: `12.50 EUR`."""
    return f"concat(round({minor} / power(10::numeric, {digits}), CAST({digits} AS integer)), ' ', {currency})"
