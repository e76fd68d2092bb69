"""Interactions: what happened, once each; a newer version of the same thing is a revision."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import text

from domain.interactions.model import Channel
from sync.landing import cells, tables
from sync.landing.customers import Merged
from sync.landing.tables import sql
from tenure_sdk import PAYLOADS, Reject

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from domain.core.unit_of_work import Writing
    from sync.runs import Run
    from tenure_sdk import Interaction

_SHOWN = (
    "customer_id", "kind", "channel", "direction", "occurred_at", "correlation_key", "campaign_key",
    "machine_suspected", "summary", "payload",
)  # fmt: skip


def _of(alias: str) -> str:
    return ", ".join(f"{alias}.{name}" for name in _SHOWN)


_CUSTOMERS = sql("""
UPDATE pg_temp.landing_interactions AS landing SET customer_id = link.local_id
FROM record_links AS link
WHERE link.tenant_id = :tenant AND link.integration_id = :integration AND link.type = 'customer'
    AND link.remote_id = ANY(CAST(:customers AS text[])) AND link.remote_id = landing.customer
""")

_KNOWN = sql(f"""
UPDATE pg_temp.landing_interactions AS landing
SET id = known.id, revision = known.revision, unchanged = ({_of("known")}) IS NOT DISTINCT FROM ({_of("landing")})
FROM interactions AS known
WHERE known.tenant_id = :tenant AND known.integration_id = :integration AND known.stream = :stream
    AND known.superseded_at IS NULL AND known.remote_id = ANY(CAST(:remote_ids AS text[]))
    AND known.remote_id = landing.remote_id
""")

# What did not change is known before anything is written.
_UNCHANGED = sql("DELETE FROM pg_temp.landing_interactions WHERE unchanged")

_REVISED = text("SELECT count(*) AS found FROM pg_temp.landing_interactions WHERE revision IS NOT NULL")

_SUPERSEDE = sql("""
UPDATE interactions SET superseded_at = greatest(CAST(:now AS timestamptz), interactions.recorded_at)
FROM pg_temp.landing_interactions AS landing
WHERE interactions.tenant_id = :tenant AND interactions.id = landing.id
    AND interactions.revision = landing.revision AND landing.revision IS NOT NULL
RETURNING interactions.customer_id
""")

_INSERT = sql(f"""
INSERT INTO interactions
    (tenant_id, id, revision, family, recorded_at, integration_id, stream, remote_id, remote_version,
     {", ".join(_SHOWN)})
SELECT :tenant, landing.id, coalesce(landing.revision, 0) + 1, landing.family, CAST(:now AS timestamptz),
    :integration, :stream, landing.remote_id, landing.version, {_of("landing")}
FROM pg_temp.landing_interactions AS landing
""")

_TOUCHED = text("SELECT DISTINCT customer_id FROM pg_temp.landing_interactions WHERE customer_id IS NOT NULL")

_COLUMNS = (
    "remote_id", "customer", "kind", "family", "channel", "direction", "occurred_at", "version", "correlation_key",
    "campaign_key", "machine_suspected", "summary", "payload",
)  # fmt: skip


async def from_records(work: Writing, run: Run, records: Sequence[Interaction]) -> Merged:
    """Merge interactions; the customers that they name have been merged before."""
    rejects = [reject for record in records if (reject := _unfit(record))]
    accepted = [record for record in records if not _unfit(record)] if rejects else records
    if not accepted:
        return Merged(rejects=rejects)
    await tables.copy(work, "landing_interactions", _COLUMNS, cells.rows(_cells(record) for record in accepted))
    binds = {**run.binds, "stream": run.stream.name, "now": work.now}
    await _find(work, accepted, binds)
    unchanged = await tables.count(work, _UNCHANGED)
    changed = len(accepted) - unchanged
    if not changed:
        return Merged(unchanged=unchanged, rejects=rejects)
    updated = (await work.rows(_REVISED))[0].found
    former = set((await work.execute(_SUPERSEDE, binds)).scalars()) if updated else set()
    await tables.number(work, "landing_interactions", "occurred_at, remote_id")
    await work.execute(_INSERT, binds)
    touched = former - {None} | set((await work.execute(_TOUCHED)).scalars())
    return Merged(changed - updated, updated, unchanged, touched=sorted(touched), rejects=rejects)


async def _find(work: Writing, records: Sequence[Interaction], binds: Mapping[str, Any]) -> None:
    """Find whose interactions these are, and which of them are known."""
    async with tables.joined_by_hash(work):
        named = {record.customer.id for record in records if record.customer}
        await work.execute(_CUSTOMERS, {**binds, "customers": list(named)})
        await work.execute(_KNOWN, {**binds, "remote_ids": [record.id for record in records]})


_CHANNELS = frozenset(Channel)


def _unfit(record: Interaction) -> Reject | None:
    if record.channel is None or record.channel.upper() in _CHANNELS:
        return None
    return Reject(None, "channel", record.channel, f"is none of {', '.join(sorted(_CHANNELS))}", record.id)


def _cells(record: Interaction) -> tuple[str, ...]:
    payload = record.payload
    return (
        cells.text(record.id),
        cells.optional(record.customer.id if record.customer else None),
        record.kind,
        _FAMILIES[record.kind],
        record.channel.upper() if record.channel else cells.NULL,
        record.direction or cells.NULL,
        cells.moment(record.occurred_at),
        cells.optional(record.version),
        cells.optional(record.correlation_key),
        cells.optional(getattr(payload, "campaign", None)),
        cells.boolean(record.machine_suspected),
        cells.optional(record.summary),
        cells.text(msgspec.json.encode(payload).decode()) if payload else cells.NULL,
    )


_FAMILIES = {kind: str(payload.__struct_config__.tag).upper() for kind, payload in PAYLOADS.items()}
