"""Interactions: what happened, once each; a newer version of the same thing is a revision."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING

import msgspec
from sqlalchemy import text

from domain.core.ids import in_order
from domain.core.tables import TRANSACTION
from domain.interactions.model import Channel
from sync.landing import cells, customers, tables
from sync.landing.customers import Merged
from sync.landing.tables import sql
from tenure_sdk import PAYLOADS, Reject

if TYPE_CHECKING:
    from collections.abc import Sequence

    from domain.core.ids import NewId
    from domain.core.unit_of_work import Writing
    from sync.runs import Run
    from tenure_sdk import Interaction

_SHOWN = (
    "kind", "channel", "direction", "occurred_at", "correlation_key", "campaign_key", "machine_suspected", "summary",
    "payload",
)  # fmt: skip
_COLUMNS = ("id", "remote_id", "customer", "family", "version", *_SHOWN)


def _of(alias: str) -> str:
    return ", ".join(f"{alias}.{name}" for name in _SHOWN)


_LANDING = """
pg_temp.landing_interactions AS landing
LEFT JOIN pg_temp.landing_customers AS customer ON customer.remote_id = landing.customer
"""

# What did not change is known, and gone from the page, before anything is written.
_COMPARE = sql(f"""
MERGE INTO pg_temp.landing_interactions AS record
USING (
    SELECT landing.remote_id, known.id, known.revision, known.customer_id,
        (known.customer_id, {_of("known")}) IS NOT DISTINCT FROM (customer.id, {_of("landing")}) AS is_same
    FROM {_LANDING}
    CROSS JOIN LATERAL (
        SELECT id, revision, customer_id, {", ".join(_SHOWN)} FROM interactions
        WHERE tenant_id = :tenant AND integration_id = :integration AND stream = :stream AND superseded_at IS NULL
            AND {tables.is_remote_id("landing.remote_id")}
    ) AS known
) AS found ON found.remote_id = record.remote_id
WHEN MATCHED AND found.is_same THEN DELETE
WHEN MATCHED THEN UPDATE SET id = found.id, revision = found.revision, former_customer_id = found.customer_id
""")

_LEFT = text("SELECT count(*) AS changed, count(revision) AS updated FROM pg_temp.landing_interactions")

_SUPERSEDE = sql("""
UPDATE interactions SET superseded_at = greatest(CAST(:now AS timestamptz), interactions.recorded_at)
FROM pg_temp.landing_interactions AS landing
WHERE interactions.tenant_id = :tenant AND interactions.id = landing.id
    AND interactions.revision = landing.revision AND landing.revision IS NOT NULL
""")

# The column's default, but asked for once instead of for every row.
_RECORDED_IN = f"(SELECT {TRANSACTION})"

_INSERT = sql(f"""
INSERT INTO interactions
    (tenant_id, id, revision, customer_id, family, recorded_at, recorded_in, integration_id, stream, remote_id,
     remote_version, {", ".join(_SHOWN)})
SELECT :tenant, landing.id, coalesce(landing.revision, 0) + 1, customer.id, landing.family, CAST(:now AS timestamptz),
    {_RECORDED_IN}, :integration, :stream, landing.remote_id, landing.version, {_of("landing")}
FROM {_LANDING}
""")

_TOUCHED = text(f"""
SELECT customer.id FROM {_LANDING} WHERE customer.id IS NOT NULL
UNION SELECT former_customer_id FROM pg_temp.landing_interactions WHERE former_customer_id IS NOT NULL
""")


async def from_records(work: Writing, run: Run, records: Sequence[Interaction]) -> Merged:
    """Merge interactions, and make a customer of every id that they mention and nobody has described yet."""
    if not records:
        return Merged()
    accepted, rejects = _accepted(records)
    if not accepted:
        return Merged(rejects=rejects)
    await tables.copy(work, "landing_interactions", _COLUMNS, _rows(accepted, work.ids))
    mentioned = await customers.mentioned(work, run, "pg_temp.landing_interactions")
    binds = {**run.binds, "stream": run.stream.name, "now": work.now}
    async with tables.found_by_remote_id(work):
        await work.execute(_COMPARE, binds)
    left = (await work.rows(_LEFT))[0]
    changed, updated = left.changed, left.updated
    merged = Merged(changed - updated, updated, len(accepted) - changed, mentioned.described, rejects=rejects)
    if not changed:
        return merged
    if updated:
        await work.execute(_SUPERSEDE, binds)
    await work.execute(_INSERT, binds)
    return merged._replace(touched=sorted((await work.execute(_TOUCHED)).scalars()))


_CHANNELS = frozenset(Channel)


def _accepted(records: Sequence[Interaction]) -> tuple[Sequence[Interaction], list[Reject]]:
    """The interactions that can be taken, and why the others cannot."""
    channels = {record.channel for record in records}
    unknown = {channel for channel in channels if channel is not None and channel.upper() not in _CHANNELS}
    if not unknown:
        return records, []
    reason = f"is none of {', '.join(sorted(_CHANNELS))}"
    rejects = [
        Reject(None, "channel", record.channel, reason, record.id) for record in records if record.channel in unknown
    ]
    return [record for record in records if record.channel not in unknown], rejects


def _rows(records: Sequence[Interaction], ids: NewId) -> bytes:
    """The records as COPY reads them, in the order in which they happened, each with an id of its own."""
    ordered = sorted(records, key=attrgetter("occurred_at"))
    payloads = [record.payload for record in ordered]
    kinds = [record.kind for record in ordered]
    written = (
        in_order(ids(), len(ordered)),
        cells.texts([record.id for record in ordered]),
        cells.optionals([record.customer.id if record.customer else None for record in ordered]),
        map(_FAMILIES.__getitem__, kinds),
        cells.optionals([record.version for record in ordered]),
        kinds,
        map(cells.Cells(str.upper).__getitem__, [record.channel for record in ordered]),
        map(cells.Cells(str).__getitem__, [record.direction for record in ordered]),
        cells.moments([record.occurred_at for record in ordered]),
        cells.optionals([record.correlation_key for record in ordered]),
        cells.optionals([getattr(payload, "campaign", None) for payload in payloads]),
        map(cells.boolean, [record.machine_suspected for record in ordered]),
        cells.optionals([record.summary for record in ordered]),
        cells.optionals([msgspec.json.encode(payload).decode() if payload else None for payload in payloads]),
    )
    return cells.rows(zip(*written, strict=True))


_FAMILIES = {kind: str(payload.__struct_config__.tag).upper() for kind, payload in PAYLOADS.items()}
