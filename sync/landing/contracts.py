"""Contracts: what happened to them is followed here, so that every event says what holds after it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import text

from domain.core.money import Money
from domain.purchases.contracts import ContractEventKind, ContractStatus, Event, NewEvent, follow, status_of
from domain.tenants import queries as tenants
from sync import settle
from sync.landing import cells, products, tables, versions
from sync.landing.customers import Merged
from sync.landing.tables import sql
from sync.landing.versions import Told, as_staged

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from domain.core.unit_of_work import Writing
    from sync.runs import Run
    from tenure_sdk import Contract, ContractEvent

_BASE = {
    "base_amount": "CASE WHEN landing.currency = :base THEN landing.amount END",
    "base_currency": "CASE WHEN landing.currency = :base THEN landing.currency END",
}
_HEAD = (
    "number", "occurred_at", "local_day", "currency", "amount", "status", "plan", "term_ends_on", "ended_on",
    "event_count",
)  # fmt: skip
_CONTRACT = Told("contract", "contracts", "landing_contracts", {**as_staged(*_HEAD), **_BASE})

_COLUMNS = ("document", "customer", "hash", *_HEAD)
_EVENT_COLUMNS = (
    "document", "position", "kind", "occurred_at", "local_day", "mrr", "term_starts_on", "term_ends_on", "sku",
    "family", "plan",
)  # fmt: skip

_EVENTS = sql("""
INSERT INTO contract_events
    (tenant_id, contract_id, contract_version, position, kind, occurred_at, local_day, mrr, base_mrr, term_starts_on,
     term_ends_on, product_id, family_id, plan)
SELECT :tenant, landing.id, landing.version, event.position, event.kind, event.occurred_at, event.local_day, event.mrr,
    CASE WHEN landing.currency = :base THEN event.mrr END, event.term_starts_on, event.term_ends_on, link.local_id,
    family.id, event.plan
FROM pg_temp.landing_contracts AS landing
JOIN pg_temp.landing_contract_events AS event USING (document)
LEFT JOIN record_links AS link
    ON link.tenant_id = :tenant AND link.integration_id = :integration AND link.type = 'product'
    AND link.remote_id = event.sku
LEFT JOIN product_families AS family ON family.tenant_id = :tenant AND family.key = event.family
""")

_BOUGHT = "(SELECT sku, NULL::text AS description, position AS line FROM pg_temp.landing_contract_events)"

_FOREIGN = text("SELECT EXISTS (SELECT FROM pg_temp.landing_contracts WHERE currency <> :base)")


class _Followed(NamedTuple):
    record: Contract
    events: Sequence[Event]


async def from_records(work: Writing, run: Run, records: Sequence[Contract]) -> Merged:
    """Merge contracts, each with everything that happened to it; products that they name may be described later."""
    tenant = await tenants.tenant(work)
    followed, rejects = versions.kept(records, lambda record: _followed(record, tenant.time_zone))
    if not followed:
        return Merged(rejects=rejects)
    await tables.copy(work, "landing_contracts", _COLUMNS, cells.rows(map(_head, followed)))
    unchanged = await versions.find(work, run, _CONTRACT)
    if unchanged == len(followed):
        return Merged(unchanged=unchanged, rejects=rejects)
    events = (row for contract in followed for row in _rows(contract))
    await tables.copy(work, "landing_contract_events", _EVENT_COLUMNS, cells.rows(events))
    await products.from_lines(work, run, _BOUGHT)
    await products.make_families(work, "landing_contract_events", {e.family for each in followed for e in each.events})
    merged = await versions.write(work, run, _CONTRACT, tenant.base_currency)
    await work.execute(_EVENTS, {**run.binds, "base": tenant.base_currency})
    if (await work.execute(_FOREIGN, {"base": tenant.base_currency})).scalar_one():
        await settle.money(work)
    return merged._replace(unchanged=unchanged, rejects=rejects)


def _followed(record: Contract, time_zone: str) -> _Followed:
    told = [_told(event, place, record.currency) for place, event in enumerate(record.events)]
    return _Followed(record, follow(record.currency, told, time_zone))


def _told(event: ContractEvent, place: int, currency: str) -> NewEvent:
    mrr = None
    if event.mrr is not None:
        mrr = Money.of_minor(versions.minor(f"events.{place}.mrr", event.mrr, currency), currency).amount
    return NewEvent(
        kind=ContractEventKind(event.kind), occurred_at=event.occurred_at, mrr=mrr,
        term_starts_on=event.term_starts_on, term_ends_on=event.term_ends_on,
        sku=event.product.id if event.product else None, family=event.family, plan=event.plan,
    )  # fmt: skip


def _head(contract: _Followed) -> tuple[str, ...]:
    record, events = contract
    first, last, status = events[0], events[-1], status_of(events)
    return (
        cells.text(record.id),
        cells.optional(record.customer.id if record.customer else None),
        versions.digest(record),
        cells.text(record.number or record.id),
        cells.moment(first.occurred_at),
        first.local_day.isoformat(),
        record.currency,
        str(last.mrr),
        status,
        cells.optional(last.plan),
        cells.day(last.term_ends_on),
        cells.day(last.local_day if status is ContractStatus.ENDED else None),
        str(len(events)),
    )


def _rows(contract: _Followed) -> Iterator[tuple[str, ...]]:
    for position, event in enumerate(contract.events, start=1):
        yield (
            cells.text(contract.record.id),
            str(position),
            event.kind,
            cells.moment(event.occurred_at),
            event.local_day.isoformat(),
            str(event.mrr),
            event.term_starts_on.isoformat(),
            cells.day(event.term_ends_on),
            cells.optional(event.sku),
            cells.optional(event.family),
            cells.optional(event.plan),
        )
