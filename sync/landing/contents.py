"""The texts of interactions: kept apart from them, replaced by newer ones, gone where they are to be kept no longer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sync.landing import cells, tables
from sync.landing.tables import sql

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from domain.core.unit_of_work import Writing
    from sync.runs import Run
    from tenure_sdk import Interaction

_SHOWN = f"""
FROM pg_temp.landing_contents AS said
CROSS JOIN LATERAL (
    SELECT id, customer_id FROM interactions
    WHERE tenant_id = :tenant AND integration_id = :integration AND stream = :stream AND superseded_at IS NULL
        AND {tables.found_by("remote_id", "said.remote_id")}
) AS shown
"""

_KEEP = sql(f"""
INSERT INTO interaction_contents AS known (tenant_id, interaction_id, customer_id, content, recorded_at)
SELECT :tenant, shown.id, shown.customer_id, said.content, CAST(:now AS timestamptz)
{_SHOWN}
LEFT JOIN customers ON customers.tenant_id = :tenant AND customers.id = shown.customer_id
WHERE said.content IS NOT NULL AND customers.status IS DISTINCT FROM 'ERASED'
ON CONFLICT (tenant_id, interaction_id) DO UPDATE
SET content = excluded.content, customer_id = excluded.customer_id, recorded_at = excluded.recorded_at
WHERE (known.content, known.customer_id) IS DISTINCT FROM (excluded.content, excluded.customer_id)
""")

_DROP = sql(f"""
UPDATE interaction_contents AS known SET content = NULL, recorded_at = CAST(:now AS timestamptz)
FROM (SELECT shown.id {_SHOWN} WHERE said.content IS NULL) AS bare
WHERE known.tenant_id = :tenant AND known.interaction_id = bare.id AND known.content IS NOT NULL
""")

_GONE = sql("""
UPDATE interaction_contents SET content = NULL, recorded_at = CAST(:now AS timestamptz)
WHERE tenant_id = :tenant AND interaction_id = ANY(:ids) AND content IS NOT NULL
""")


async def keep(work: Writing, run: Run, records: Sequence[Interaction]) -> None:
    """Make the kept texts what these interactions say now, which have landed."""
    told = [record for record in records if record.content is not None or record.parties]
    if not told:
        return
    written = zip(
        cells.texts([record.id for record in told]), cells.optionals([record.content for record in told]), strict=True
    )
    await tables.copy(work, "landing_contents", ("remote_id", "content"), cells.rows(written))
    binds = {**run.binds, "stream": run.stream.name, "now": work.now}
    async with tables.found_by_remote_id(work):
        await work.execute(_KEEP, binds)
        await work.execute(_DROP, binds)
    await tables.clear(work, "landing_contents")


async def forget(work: Writing, interaction_ids: Sequence[UUID]) -> None:
    """Keep no text of interactions that are gone at the other side."""
    if interaction_ids:
        await work.execute(_GONE, {"tenant": work.tenant_id, "now": work.now, "ids": list(interaction_ids)})
