"""Interactions: what happened, once each; a newer version of the same thing is a revision."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from sqlalchemy import text

from domain.core.ids import in_order
from domain.core.tables import TRANSACTION
from domain.interactions import PayloadInvalid, keep_record
from domain.interactions.model import Channel
from sync.landing import cells, contents, customers, parties, tables, timeline
from sync.landing.customers import Merged
from sync.landing.rejects import ERASED
from sync.landing.tables import sql
from tenure_sdk import PAYLOADS, Reject

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from domain.core.ids import NewId
    from domain.core.unit_of_work import Writing
    from sync.landing.parties import Part
    from sync.runs import Run
    from tenure_sdk import Interaction, Payload

_SHOWN = (
    "kind", "channel", "direction", "occurred_at", "correlation_key", "campaign_key", "machine_suspected", "summary",
    "payload",
)  # fmt: skip
_COLUMNS = ("id", "remote_id", "part", "party_id", "customer", "family", "version", *_SHOWN)


def _of(alias: str) -> str:
    return ", ".join(f"{alias}.{name}" for name in _SHOWN)


_WANTED = timeline.shown("landing", _SHOWN)
_LANDING = """
pg_temp.landing_interactions AS landing
LEFT JOIN pg_temp.landing_customers AS customer ON customer.remote_id = landing.customer
"""
_CUSTOMER = "coalesce(landing.party_id, customer.id)"

# What did not change is known, and gone from the page, before anything is written. The index is walked once for all
# that the page names, instead of down from its root for each.
_COMPARE = sql(f"""
MERGE INTO pg_temp.landing_interactions AS record
USING (
    SELECT landing.remote_id, landing.part, known.id, known.revision, known.customer_id,
        (known.customer_id, {_of("known")}) IS NOT DISTINCT FROM ({_CUSTOMER}, {_WANTED}) AS is_same
    FROM {_LANDING}
    JOIN (
        SELECT remote_id, part, id, revision, customer_id, {", ".join(_SHOWN)} FROM interactions
        WHERE tenant_id = :tenant AND integration_id = :integration AND stream = :stream AND superseded_at IS NULL
            AND remote_id = ANY(ARRAY(SELECT remote_id FROM pg_temp.landing_interactions))
        ORDER BY remote_id, part
    ) AS known ON (known.remote_id, known.part) = (landing.remote_id, landing.part)
) AS found ON (found.remote_id, found.part) = (record.remote_id, record.part)
WHEN MATCHED AND found.is_same THEN DELETE
WHEN MATCHED THEN UPDATE SET id = found.id, revision = found.revision, former_customer_id = found.customer_id
""")

_LEFT = text("""
SELECT count(DISTINCT remote_id) AS changed, count(DISTINCT remote_id) FILTER (WHERE revision IS NOT NULL) AS updated
FROM pg_temp.landing_interactions
""")

_SOMEBODY_WAS_ERASED = sql("""
SELECT EXISTS (SELECT FROM privacy_requests WHERE tenant_id = :tenant AND kind = 'ERASE' AND completed_at IS NOT NULL)
""")

_OF_ERASED = sql("""
DELETE FROM pg_temp.landing_interactions AS landing USING pg_temp.landing_customers AS customer, customers AS erased
WHERE customer.remote_id = landing.customer AND erased.tenant_id = :tenant AND erased.id = customer.id
    AND erased.status = 'ERASED'
RETURNING landing.remote_id
""")

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
     part, remote_version, {", ".join(_SHOWN)})
SELECT :tenant, landing.id, coalesce(landing.revision, 0) + 1, {_CUSTOMER}, landing.family, CAST(:now AS timestamptz),
    {_RECORDED_IN}, :integration, :stream, landing.remote_id, landing.part, landing.version,
    {_WANTED}
FROM {_LANDING}
""")

_TOUCHED = text(f"""
SELECT {_CUSTOMER} AS id FROM {_LANDING} WHERE {_CUSTOMER} IS NOT NULL
UNION SELECT former_customer_id FROM pg_temp.landing_interactions WHERE former_customer_id IS NOT NULL
""")


async def from_records(work: Writing, run: Run, records: Sequence[Interaction]) -> Merged:
    """Merge interactions, and make a customer of every id that they mention and nobody has described yet.

    Those that name parties are shown for the customers who are known by them; those of strangers only do not land.
    """
    if not records:
        return Merged()
    payloads, rejects = _payloads(records)
    accepted = [record for record in records if record.id in payloads]
    if not accepted:
        return Merged(rejects=rejects)
    told = await parties.told(work, run, accepted)
    merged = await _merge(work, run, told.parts, payloads) if told.parts else Merged()
    absent = {reject.record_id for reject in (*merged.rejects, *told.strangers)}
    present = [record for record in accepted if record.id not in absent]
    await contents.keep(work, run, present)
    unchanged = len(present) - merged.created - merged.updated
    return merged._replace(unchanged=unchanged, rejects=[*rejects, *merged.rejects], strangers=told.strangers)


async def _merge(work: Writing, run: Run, shown: Sequence[Part], payloads: Mapping[str, str | None]) -> Merged:
    await tables.copy(work, "landing_interactions", _COLUMNS, _rows(shown, payloads, work.ids))
    mentioned = await customers.mentioned(work, run, "pg_temp.landing_interactions")
    rejects = await _refuse_erased(work)
    binds = {**run.binds, "stream": run.stream.name, "now": work.now}
    async with tables.found_in_one_walk(work):
        await work.execute(_COMPARE, binds)
    left = (await work.rows(_LEFT))[0]
    changed, updated = left.changed, left.updated
    merged = Merged(changed - updated, updated, 0, mentioned.described, rejects=rejects)
    if not changed:
        return merged
    if updated:
        await work.execute(_SUPERSEDE, binds)
    await work.execute(_INSERT, binds)
    return merged._replace(touched=sorted((await work.execute(_TOUCHED)).scalars()))


async def _refuse_erased(work: Writing) -> list[Reject]:
    """Leave out what happened with customers who were erased: it would be about them anew."""
    tenant = {"tenant": work.tenant_id}
    if not (await work.rows(_SOMEBODY_WAS_ERASED, tenant))[0][0]:
        return []
    refused = sorted(set((await work.execute(_OF_ERASED, tenant)).scalars()))
    return [Reject(None, "customer", None, ERASED, remote_id) for remote_id in refused]


_CHANNELS = frozenset(Channel)


def _payloads(records: Sequence[Interaction]) -> tuple[dict[str, str | None], list[Reject]]:
    """The payloads, as the API reads them, of the interactions that can be taken, and why the others cannot."""
    kept: dict[str, str | None] = {}
    rejects = []
    for record in records:
        if record.channel is not None and record.channel.upper() not in _CHANNELS:
            reason = f"is none of {', '.join(sorted(_CHANNELS))}"
            rejects.append(Reject(None, "channel", record.channel, reason, record.id))
            continue
        try:
            kept[record.id] = _kept(record.payload) if record.payload else None
        except PayloadInvalid as problem:
            rejects.append(Reject(None, "payload", None, str(problem), record.id))
    return kept, rejects


def _kept(payload: Payload) -> str:
    return msgspec.json.encode(keep_record(_FAMILY_OF[type(payload)], payload)).decode()


def _rows(shown: Sequence[Part], kept: Mapping[str, str | None], ids: NewId) -> bytes:
    """The parts as COPY reads them, in the order in which they happened, each with an id of its own."""
    shown = sorted(shown, key=lambda part: (part.record.occurred_at, part.record.id, part.number))
    ordered = [part.record for part in shown]
    payloads = [record.payload for record in ordered]
    kinds = [record.kind for record in ordered]
    written = (
        in_order(ids(), len(ordered)),
        cells.texts([record.id for record in ordered]),
        [str(part.number) for part in shown],
        [cells.NULL if part.customer_id is None else str(part.customer_id) for part in shown],
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
        cells.optionals([kept[record.id] for record in ordered]),
    )
    return cells.rows(zip(*written, strict=True))


_FAMILIES = {kind: str(payload.__struct_config__.tag).upper() for kind, payload in PAYLOADS.items()}
_FAMILY_OF = {payload: str(payload.__struct_config__.tag).upper() for payload in set(PAYLOADS.values())}
