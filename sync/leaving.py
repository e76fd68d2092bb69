"""Disconnecting: the other side is told, nothing is due any more, and what came by it stays, goes, or is erased."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy import delete, update

from domain import customers
from domain.core.due import due
from domain.core.events import make_due
from domain.core.problems import DomainError
from domain.customers.privacy import AlreadyErased
from domain.integrations import actions, queries
from domain.integrations.model import (
    Authorization,
    HookToken,
    Integration,
    IntegrationState,
    RemoteSubscription,
    StreamState,
)
from sync import hooks, settle
from sync.landing import deletions
from sync.landing.tables import sql
from sync.runs import Checkpoint, Counts, Run
from sync.sweeps import KNOWN
from tenure_sdk import ConnectorError, Stream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from datetime import datetime

    from domain.core.database import Database
    from domain.core.unit_of_work import Reading, Writing
    from sync.switchboard import Switchboard

PURGE, ANONYMISE = "purge", "anonymise"
"""The kinds of due work that take away what an integration brought; the key begins with the integration."""

PORTION = 500
"""How many records, or customers, one transaction looks at."""

_NOBODY = UUID(int=0)


class DataPolicy(StrEnum):
    """What becomes of what an integration brought, when it is disconnected."""

    KEEP = "KEEP"
    ANONYMISE = "ANONYMISE"
    PURGE = "PURGE"


@dataclass(frozen=True)
class Remains:
    """What is in view after a disconnection, and for how many customers erasure is asked for."""

    documents: int
    interactions: int
    customers: int
    erasures: int


async def remains(work: Reading, integration: Integration, policy: DataPolicy) -> Remains:
    """What a disconnection would leave in view of what the integration brought."""
    counts = {kind: await _count(work, integration, KNOWN[kind]) for kind in KNOWN if kind != "interaction"}
    interactions = (await work.rows(_COUNT_INTERACTIONS, _binds(work, integration)))[0].found
    known = counts.pop("customer")
    if policy is DataPolicy.PURGE:
        return Remains(0, 0, 0, 0)
    alone = 0
    if policy is DataPolicy.ANONYMISE:
        alone = (await work.rows(_COUNT_ALONE, _binds(work, integration)))[0].found
    return Remains(sum(counts.values()), interactions, known, alone)


async def say_goodbye(
    database: Database, board: Switchboard, tenant_id: UUID, integration_id: UUID, *, revoke: bool
) -> list[str]:
    """Have the other side call no more and, where asked, forget the token; what it could not be told, in words."""
    async with database.reading(tenant_id) as work:
        promised = await hooks.subscriptions(work, integration_id)
    untold = []
    try:
        if promised:
            async with board.remotes.open(tenant_id, integration_id) as remote:
                await remote.subscribe(None, "", promised)
    except (ConnectorError, DomainError) as problem:
        untold.append(f"The other side may go on calling: {problem}")
    try:
        if revoke and not await board.authorizations.revoke(tenant_id, integration_id):
            untold.append("The other side was not told that the token is no longer used. Remove the access there.")
    except (ConnectorError, DomainError) as problem:
        untold.append(f"The other side was not told that the token is no longer used: {problem}")
    return untold


async def leave(work: Writing, integration: Integration, policy: DataPolicy) -> None:
    """End an integration at once; what its policy takes away goes in portions, as due work. Raises WrongState."""
    await actions.detach(work, integration, "An admin disconnected it.")
    for table in (HookToken, RemoteSubscription, Authorization):
        await work.execute(
            delete(table).where(table.tenant_id == work.tenant_id, table.integration_id == integration.id)
        )
    if policy is not DataPolicy.KEEP:
        forgotten = update(StreamState).where(
            StreamState.tenant_id == work.tenant_id, StreamState.integration_id == integration.id
        )
        await work.execute(forgotten.values(cursor=None, seen_count=0, read_until=None, expected_count=None))
        kind = PURGE if policy is DataPolicy.PURGE else ANONYMISE
        await make_due(work.session, work.tenant_id, kind, f"{integration.id.hex}:{_NOBODY.hex}", work.now)
    work.audit("integrations.disconnect", f"integration:{integration.id.hex}", after={"data_policy": policy})


@due(PURGE)
async def purge(work: Writing, key: str) -> datetime | None:
    """Take a portion of what an integration brought out of view; due again at once until there is nothing left."""
    integration = await _left(work, key)
    if integration is None:
        return None
    async for run, kind, ids in _portions(work, integration):
        binds = {**_binds(work, integration), "now": work.now, "remote_ids": ids}
        found, touched = await deletions.delete(work, run, [kind], ids)
        if kind == "customer":
            said_of = await _unsay(work, binds)
            await customers.refresh_heads(work, said_of)
            touched |= set(said_of)
        await settle.customers(work, (), sorted(touched))
        if found:
            return work.now
    return None


@due(ANONYMISE)
async def anonymise(work: Writing, key: str) -> datetime | None:
    """Ask for the erasure of a portion of the customers whom nobody but the integration knows."""
    integration = await _left(work, key)
    if integration is None:
        return None
    after = UUID(key.partition(":")[2])
    found = [row.id for row in await work.rows(_ALONE, {**_binds(work, integration), "after": after})]
    for customer_id in found:
        try:
            await customers.request_erasure(work, customer_id)
        except AlreadyErased:
            continue
    if len(found) == PORTION:
        following = f"{integration.id.hex}:{found[-1].hex}"
        await make_due(work.session, work.tenant_id, ANONYMISE, following, work.now)
    return None


async def _left(work: Writing, key: str) -> Integration | None:
    """The integration of a key, unless somebody has taken it up again."""
    integration = await queries.integration(work, UUID(key.partition(":")[0]))
    return integration if integration.state == IntegrationState.DISCONNECTED else None


async def _portions(work: Writing, integration: Integration) -> AsyncIterator[tuple[Run, str, list[str]]]:
    """The first ids in view of each type of record; interactions go stream by stream, as they are known."""
    binds = _binds(work, integration)
    streams = [row.stream for row in await work.rows(_STREAMS, binds)]
    for kind in (*(kind for kind in KNOWN if kind not in {"customer", "interaction"}), "interaction", "customer"):
        for stream in streams if kind == "interaction" else [kind]:
            known = sql(f"SELECT remote_id FROM ({KNOWN[kind]}) AS known (type, remote_id) LIMIT {PORTION}")
            ids = [row.remote_id for row in await work.rows(known, {**binds, "stream": stream})]
            if ids:
                yield _run(work, integration, stream), kind, ids


def _run(work: Writing, integration: Integration, stream: str) -> Run:
    """What deletions want to know of a run; this one reads nothing, and holds nothing."""
    nothing = work.ids()
    return Run(
        id=nothing, tenant_id=work.tenant_id, integration_id=integration.id, source=_source(integration),
        stream=Stream(stream, ()), owner="", fence=-1, checkpoint=Checkpoint(nothing), counts=Counts(),
    )  # fmt: skip


def _source(integration: Integration) -> str:
    return f"{integration.connector}:{integration.account}"


def _binds(work: Reading, integration: Integration) -> dict[str, object]:
    return {
        "tenant": work.tenant_id, "integration": integration.id, "source": _source(integration), "stream": "",
        "after": _NOBODY,
    }  # fmt: skip


async def _count(work: Reading, integration: Integration, known: str) -> int:
    counted = await work.rows(sql(f"SELECT count(*) AS found FROM ({known}) AS known"), _binds(work, integration))
    return int(counted[0].found)


async def _unsay(work: Writing, binds: dict[str, object]) -> list[UUID]:
    """Take back what these records said of customers; whom they were about."""
    about = [row.local_id for row in await work.rows(_LINKED, binds)]
    for statement in _UNSAID:
        await work.execute(statement, {**binds, "customers": about})
    return about


_INTERACTIONS = """
FROM interactions AS i
WHERE i.tenant_id = :tenant AND i.integration_id = :integration AND i.superseded_at IS NULL
"""
_COUNT_INTERACTIONS = sql(f"SELECT count(*) AS found {_INTERACTIONS}")
_STREAMS = sql(f"SELECT DISTINCT i.stream {_INTERACTIONS} ORDER BY i.stream")

_ELSEWHERE = """
SELECT FROM identity_claims AS k WHERE k.tenant_id = :tenant AND k.customer_id = ANY(c.member_ids)
    AND k.source <> :source AND k.valid_to IS NULL
UNION ALL
SELECT FROM customer_facts AS f WHERE f.tenant_id = :tenant AND f.customer_id = ANY(c.member_ids)
    AND f.source <> :source AND f.superseded_at IS NULL
UNION ALL
SELECT FROM interactions AS i WHERE i.tenant_id = :tenant AND i.customer_id = ANY(c.member_ids)
    AND i.integration_id IS DISTINCT FROM :integration AND i.superseded_at IS NULL
UNION ALL
SELECT FROM orders AS o WHERE o.tenant_id = :tenant AND o.customer_id = ANY(c.member_ids)
    AND o.integration_id IS DISTINCT FROM :integration AND o.superseded_at IS NULL
UNION ALL
SELECT FROM contracts AS o WHERE o.tenant_id = :tenant AND o.customer_id = ANY(c.member_ids)
    AND o.integration_id IS DISTINCT FROM :integration AND o.superseded_at IS NULL
UNION ALL
SELECT FROM opportunities AS o WHERE o.tenant_id = :tenant AND o.customer_id = ANY(c.member_ids)
    AND o.integration_id IS DISTINCT FROM :integration AND o.superseded_at IS NULL
"""
_ONLY_HERE = f"""
FROM customers AS c
WHERE c.tenant_id = :tenant AND c.root_id = c.id AND c.status = 'ACTIVE' AND c.id > CAST(:after AS uuid)
    AND c.id IN (
        SELECT m.root_id FROM record_links AS link
        JOIN customers AS m ON m.tenant_id = link.tenant_id AND m.id = link.local_id
        WHERE link.tenant_id = :tenant AND link.integration_id = :integration AND link.type = 'customer'
    )
    AND NOT EXISTS ({_ELSEWHERE})
"""
_COUNT_ALONE = sql(f"SELECT count(*) AS found {_ONLY_HERE}")
_ALONE = sql(f"SELECT c.id {_ONLY_HERE} ORDER BY c.id LIMIT {PORTION}")

_NOW = "CAST(:now AS timestamptz)"
_MINE = """
tenant_id = :tenant AND integration_id = :integration AND type = 'customer'
    AND remote_id = ANY(CAST(:remote_ids AS text[]))
"""
_SAID = "tenant_id = :tenant AND source = :source AND customer_id = ANY(CAST(:customers AS uuid[]))"
_LINKED = sql(f"SELECT DISTINCT local_id FROM record_links WHERE {_MINE}")
# The hash goes, too: whoever takes the integration up again has every record taken for new.
_UNSAID = (
    sql(f"""
    UPDATE customer_facts SET superseded_at = greatest({_NOW}, recorded_at) WHERE {_SAID} AND superseded_at IS NULL
    """),
    sql(f"UPDATE identity_claims SET valid_to = greatest({_NOW}, valid_from) WHERE {_SAID} AND valid_to IS NULL"),
    sql(f"""
    UPDATE customer_relations SET valid_to = greatest({_NOW}, valid_from)
    WHERE tenant_id = :tenant AND source = :source AND from_id = ANY(CAST(:customers AS uuid[])) AND valid_to IS NULL
    """),
    sql(f"UPDATE department_members SET valid_to = greatest({_NOW}, valid_from) WHERE {_SAID} AND valid_to IS NULL"),
    sql(f"UPDATE remote_records SET payload = NULL, content_hash = '' WHERE {_MINE}"),
    sql(f"UPDATE record_links SET agreed = NULL, pushed_version = NULL, pushed_hash = NULL WHERE {_MINE}"),
)
