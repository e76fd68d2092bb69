"""Landing: a page becomes rows in one transaction, whether it comes from a connector, a file, a webhook or the API."""

from __future__ import annotations

from collections import defaultdict
from itertools import takewhile
from typing import TYPE_CHECKING, Any, NamedTuple

from msgspec import to_builtins

from domain.tenants import queries as tenants
from sync import runs, settle
from sync.landing import (
    allocations,
    amounts,
    contracts,
    costs,
    credit_notes,
    customers,
    deletions,
    documents,
    interactions,
    invoices,
    lines,
    merges,
    opportunities,
    papers,
    payments,
    products,
    rates,
    rejects,
    tables,
)
from sync.landing.customers import Merged
from sync.runs import Counts
from tenure_sdk import (
    Contract,
    Cost,
    CreditNote,
    Customer,
    ExchangeRate,
    Interaction,
    Invoice,
    LinePage,
    Opportunity,
    Order,
    Page,
    Payment,
    Product,
    Refund,
    record_type,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
    from uuid import UUID

    from domain.core.unit_of_work import Writing
    from sync.runs import Run
    from tenure_sdk import Document, Record, Reject


class Landed(NamedTuple):
    """What a page brought, the customers of whom it says something new, all whom it touched, and what was left out."""

    counts: Counts
    described: Sequence[UUID]
    touched: Sequence[UUID]
    rejects: Sequence[Reject] = ()
    unreadable: Sequence[Reject] = ()
    """Values that cannot be read; their records landed without them."""


async def land(work: Writing, run: Run, page: Page | LinePage, *, refuse_strangers: bool = False) -> Landed:
    """Merge a page into what is known: records, deletions, links, timeline, totals, rejects, events and the cursor.

    Everything happens in the transaction of `work`, or nothing does. What is there already is not touched, so a page
    may come again. A page of lines must have its documents whole (`complete`); others wait in `staging`.

    Interactions of which nobody is known here are counted and not kept: a mailbox is full of them. With
    `refuse_strangers` they are rejects, for whoever sends just what is to be kept.
    """
    landed = await merge(work, run, page, refuse_strangers=refuse_strangers)
    await conclude(work, run, landed, cursor=page.cursor)
    return landed


async def merge(work: Writing, run: Run, page: Page | LinePage, *, refuse_strangers: bool = False) -> Landed:
    """Stage a page and merge it into what is known. What follows from it is left to `conclude`."""
    await tables.prepare(work)
    if isinstance(page, LinePage):
        return await _land_lines(work, run, page)
    return await _land_records(work, run, page, refuse_strangers=refuse_strangers)


async def conclude(work: Writing, run: Run, landed: Landed, **progress: object) -> None:
    """Settle the customers that were touched, tell of it, and move the run on; `progress` is for its checkpoint."""
    await settle.customers(work, landed.described, landed.touched)
    await move_on(work, run, landed, **progress)


async def defer(work: Writing, run: Run, landed: Landed, **progress: object) -> None:
    """The same, but only who the customers are is settled now; the rest once more pages have landed."""
    await settle.identities(work, landed.described)
    await settle.note(work, landed.touched)
    await move_on(work, run, landed, **progress)


async def move_on(work: Writing, run: Run, landed: Landed, **progress: object) -> None:
    """Tell of a page, and move the run on; its customers are settled, or noted to be."""
    tell(work, run, landed)
    if progress.get("cursor", True) is None:
        progress.pop("cursor")  # reading cannot be resumed here: the cursor before stays
    await runs.advance(work, run, landed.counts, **progress)


def tell(work: Writing, run: Run, landed: Landed) -> None:
    """Tell of a page that changed something."""
    counts = landed.counts
    if counts.created or counts.updated or counts.deleted or counts.rejected or counts.unreadable:
        work.emit(
            "integrations.PageLanded",
            run.integration_id,
            run=run.id.hex,
            stream=run.stream.name,
            counts=to_builtins(counts),
            customers=[customer_id.hex for customer_id in landed.touched],
        )


def total(read: int, parts: Iterable[Merged], *, deleted: int = 0, rejected: int = 0) -> Landed:
    """What several merges of one transaction brought together."""
    merged = list(parts)
    counts = Counts(
        read=read,
        created=sum(part.created for part in merged),
        updated=sum(part.updated for part in merged),
        unchanged=sum(part.unchanged for part in merged),
        deleted=deleted,
        rejected=rejected,
    )
    described = {customer_id for part in merged for customer_id in part.described}
    return Landed(counts, sorted(described), sorted(described.union(*(part.touched for part in merged))))


async def merge_lines(work: Writing, run: Run) -> list[Merged]:
    """Merge the documents of the lines in the staging table, and convert what is in a foreign currency."""
    tenant = await tenants.tenant(work)
    merged = [await documents.merge(work, run, tenant)]
    if await documents.wait_for_rate(work, tenant):
        await settle.money(work)
    return merged


async def merge_parties(work: Writing, run: Run, source: str) -> list[Merged]:
    """Merge the customers and products that lines name; `source` is the SQL of a table of such lines."""
    return [await customers.from_lines(work, run, source), await products.from_lines(work, run, source)]


async def _land_lines(work: Writing, run: Run, page: LinePage) -> Landed:
    encoded = await lines.copy(work, page)
    refused = [*page.rejects, *encoded.rejects]
    await rejects.keep(work, run, refused)
    parts = [*await merge_parties(work, run, "pg_temp.incoming_lines"), *await merge_lines(work, run)]
    return total(encoded.accepted + len(refused), parts, rejected=len(refused))


async def _land_records(work: Writing, run: Run, page: Page, *, refuse_strangers: bool) -> Landed:
    latest: dict[type[Record], dict[str, Any]] = defaultdict(dict)
    for record in page.records:
        latest[type(record)][record.id] = record
    gone = [record for records in latest.values() for record in records.values() if record.deleted]
    present = {kind: [record for record in records.values() if not record.deleted] for kind, records in latest.items()}
    parts = [part async for part in _merged(work, run, defaultdict(list, present), page.lines)]
    deleted, touched = await _delete(work, run, page, gone)
    refused = [*page.rejects, *rejects.placed((reject for part in parts for reject in part.rejects), page.lines)]
    strangers = [reject for part in parts for reject in part.strangers]
    if refuse_strangers:
        refused, strangers = [*refused, *rejects.placed(strangers, page.lines)], []
    await rejects.keep(work, run, refused, page.records)
    landed = total(len(page.records) + len(page.rejects), parts, deleted=deleted, rejected=len(refused))
    unreadable = [reject for part in parts for reject in part.unreadable]
    landed.counts.strangers, landed.counts.unreadable = len(strangers), len(unreadable)
    landed.counts.doubles = len(page.records) - sum(map(len, latest.values()))
    return landed._replace(touched=sorted({*landed.touched, *touched}), rejects=refused, unreadable=unreadable)


_ALONE: dict[type[Record], Callable[[Writing, Run, Sequence[Any]], Awaitable[Merged]]] = {
    Interaction: interactions.from_records,
    Payment: payments.from_records,
    Contract: contracts.from_records,
    Opportunity: opportunities.from_records,
    Cost: costs.from_records,
}
"""How records are merged that have no lines of their own, and name customers or products."""

_NAMING: tuple[type[Record], ...] = (Customer, Product, *_ALONE, Order, Refund, Invoice, CreditNote)
"""The types of records that bring customers and products, or name them, in the order in which they are merged."""


async def _merged(
    work: Writing, run: Run, records: Mapping[type[Record], list[Any]], lines: Mapping[str, int]
) -> AsyncIterator[Merged]:
    """The merges of a page's records, each type after those that it refers to."""
    yield await customers.from_records(work, run, records[Customer], lines)
    yield await products.from_records(work, run, records[Product])
    yield await rates.from_records(work, run, records[ExchangeRate])
    for kind, from_records in _ALONE.items():
        if records[kind]:
            await _clear_parties(work, records, kind)
            yield await from_records(work, run, records[kind])
    if sales := [*records[Order], *records[Refund]]:
        await _clear_parties(work, records, Order)
        parties, merged, refused = await _merge_documents(work, run, sales)
        yield parties
        yield merged._replace(rejects=[*refused.values()])
    if records[Invoice] or records[CreditNote]:
        await _clear_parties(work, records, Invoice)
        async for part in _merged_bills(work, run, records[CreditNote], records[Invoice]):
            yield part
    if records[ExchangeRate]:
        await settle.rates(work)


async def _merged_bills(
    work: Writing, run: Run, notes: Sequence[CreditNote], bills: Sequence[Invoice]
) -> AsyncIterator[Merged]:
    """The merges of credit notes and invoices, after the documents that have their lines."""
    known = amounts.known()
    notes, unfit = amounts.sound(notes, allocations.stated, known)
    *parts, refused = await _merge_documents(work, run, [*notes, *bills])
    for part in parts:
        yield part._replace(created=0, updated=0, unchanged=0)
    yield Merged(rejects=[*unfit, *refused.values()])
    notes = [note for note in notes if ("credit_note", note.id) not in refused]
    bills = [bill for bill in bills if ("invoice", bill.id) not in refused]
    yield await credit_notes.from_records(work, run, notes, known)
    yield await invoices.from_records(work, run, bills)


async def _merge_documents(work: Writing, run: Run, given: Sequence[Document]) -> tuple[Merged, Merged, papers.Refused]:
    """Merge documents: what the parties they name brought, what they brought themselves, and which stayed out."""
    await tables.clear(work, "incoming_lines", "landing_documents")
    refused = await papers.stage(work, given)
    mentioned = await customers.mentioned(work, run, "pg_temp.incoming_lines")
    await products.from_lines(work, run, "pg_temp.incoming_lines")
    (documents,) = await merge_lines(work, run)
    return Merged(described=mentioned.described), documents, refused


async def _clear_parties(work: Writing, records: Mapping[type[Record], list[Any]], kind: type[Record]) -> None:
    """Empty the tables of customers and products of what the types before this one have put into them."""
    if any(records[before] for before in takewhile(lambda each: each is not kind, _NAMING)):
        await tables.clear(work, "landing_customers", "landing_facts", "landing_claims", "landing_products")


async def _delete(work: Writing, run: Run, page: Page, gone: Iterable[Record]) -> tuple[int, set[UUID]]:
    """Deletes what the page names by id, of every type of its stream, and what its records say of themselves.

    Whom the other side made one is made one here, too.
    """
    types = [kind.__struct_config__.tag for kind in run.stream.records]
    found, touched = await deletions.delete(work, run, types, page.deletes)  # type: ignore[arg-type]
    for record in gone:
        more, whom = await deletions.delete(work, run, [record_type(record)], [record.id])
        found, touched = found + more, touched | whom
    return found, touched | await merges.merge(work, run, page.merges)
