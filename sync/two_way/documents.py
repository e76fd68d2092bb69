"""Invoices go to the books as requests: the books decide about money, and what they have then lands here.

Nothing is shown as billed before the books have it. A request to change an invoice is made on what it said then; when
it goes out, what the books changed meanwhile is looked at first: other fields do not matter, the same field is theirs
unless the admin has said otherwise. What a person has to decide about becomes a conflict; the other fields go out.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

import msgspec
from sqlalchemy import any_, literal, select

from domain import customers
from domain.core.money import Money, to_minor
from domain.core.problems import Conflict, Invalid, NotFound
from domain.integrations import rules
from domain.integrations.model import (
    ChangeStatus,
    Integration,
    OutboundChange,
    Ownership,
    RecordLink,
    StreamSetting,
    SyncConflict,
    SyncDirection,
)
from domain.purchases import queries as purchases
from domain.purchases.model import Invoice, Product
from sync.two_way import queue
from tenure_sdk import Invoice as Record
from tenure_sdk import OrderLine, Push, Ref

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from decimal import Decimal

    from domain.core.unit_of_work import Reading, Writing
    from domain.purchases.rules import NewLine
    from sync.registry import Registry

TYPE = "invoice"


class NoBooks(Conflict):
    """No integration takes invoices. Connect the books, and switch pushing on for their invoices."""


class SeveralBooks(Invalid):
    """Several integrations take invoices. Name the one that shall have this invoice."""


class NotInTheBooks(Conflict):
    """The books do not have this. Wait until it was read from there, or sell something that they list."""


class NoSuchValue(Invalid):
    """This field takes no value by hand here. Choose ours or theirs."""


@dataclass(frozen=True, kw_only=True)
class NewInvoice:
    """What an invoice shall say."""

    customer_id: UUID
    occurred_at: datetime
    currency: str
    lines: Sequence[NewLine]
    number: str | None = None
    due_on: date | None = None


@dataclass(frozen=True, kw_only=True)
class Changes:
    """What shall be different of an invoice; what is None stays."""

    number: str | None = None
    due_on: date | None = None
    lines: Sequence[NewLine] | None = None


@dataclass(frozen=True)
class Books:
    """An integration that takes invoices."""

    integration: Integration
    ownership: Mapping[str, str]

    def owner(self, field: str) -> Ownership:
        """Who wins where both changed a field: the books, unless the admin has said otherwise."""
        return Ownership(rules.owner_of(field, "accounting", self.ownership))


async def request_invoice(
    work: Writing, registry: Registry, new: NewInvoice, integration_id: UUID | None = None
) -> OutboundChange:
    """Ask the books to bill a customer; it is shown here once they have it.

    The customer is made there first where they do not know them. Raises NoBooks, SeveralBooks, NotFound or
    NotInTheBooks.
    """
    books = await _books(work, registry, integration_id)
    known = await customers.customer(work, new.customer_id)
    id_ = work.ids()
    lines = await _lines(work, books.integration.id, new.lines)
    record = Record(
        id=id_.hex, number=new.number, occurred_at=new.occurred_at, currency=new.currency, due_on=new.due_on,
        customer=Ref("customer", (await _billed(work, books, known.id, known.member_ids)).hex), lines=lines,
    )  # fmt: skip
    fields = ["customer", "lines", "occurred_at", "currency"]
    fields += [name for name in ("number", "due_on") if getattr(record, name) is not None]
    work.audit("integrations.request_invoice", f"invoice:{id_.hex}", after={"integration": books.integration.id.hex})
    return await queue.enqueue(work, books.integration.id, id_, "create", record, fields)


async def request_change(work: Writing, registry: Registry, invoice_id: UUID, changes: Changes) -> OutboundChange:
    """Ask the books to change an invoice; it is shown here once they did. Raises NoBooks, NotFound or NotInTheBooks."""
    invoice = await work.one(
        select(Invoice).where(
            Invoice.tenant_id == work.tenant_id, Invoice.id == invoice_id, Invoice.superseded_at.is_(None)
        )
    )
    if invoice is None:
        raise NotFound(id=invoice_id)
    link = await _link_of(work, invoice)
    books = await _books(work, registry, link.integration_id)
    lines = None if changes.lines is None else await _lines(work, link.integration_id, changes.lines)
    wanted: dict[str, Any] = {"number": changes.number, "due_on": changes.due_on, "lines": lines}
    changed = {name: value for name, value in wanted.items() if value is not None}
    record = Record(id=invoice_id.hex, occurred_at=invoice.occurred_at, currency=invoice.currency, **changed)
    said = await _said(work, invoice)
    work.audit("integrations.request_invoice", f"invoice:{invoice_id.hex}", after={"changes": sorted(changed)})
    return await _owe_change(
        work, books.integration.id, record, {name: said[name] for name in changed}, link.remote_id
    )  # fmt: skip


async def billed_soon(work: Reading, integration_id: UUID) -> set[UUID]:
    """The customers whom the books are asked to bill and may not know yet."""
    open_ones = await queue.open_of(work, integration_id, TYPE)
    return {UUID((change.record or {})["customer"]["id"]) for change in open_ones if change.op == "create"}


@dataclass(frozen=True)
class Rebased:
    """Which fields of a request still go out on what the books say now, and which a person has to decide about."""

    send: frozenset[str]
    ask: Mapping[str, Any]
    """What the books say of the fields that a person has to decide about."""


async def rebased(work: Reading, registry: Registry, owed: OutboundChange, theirs: Record) -> Rebased:
    """A request on the present state of the books; what both changed is theirs, ours or a person's."""
    books = await _books(work, registry, owed.integration_id)
    now, wanted = said_by(theirs), said_by(msgspec.convert(owed.record, Record))
    send, ask = set(), {}
    for name in owed.fields:
        before = (owed.base or {}).get(name)
        if (
            now[name] == before
            or now[name] == wanted[name]
            or (owner := books.owner(name)) in {Ownership.LOCAL, Ownership.NEWEST}
        ):
            send.add(name)
        elif owner is Ownership.MANUAL:
            ask[name] = now[name]
    return Rebased(frozenset(send), ask)


async def ask(work: Writing, owed: OutboundChange, theirs: Mapping[str, Any]) -> None:
    """Have a person choose between what was asked for and what the books say of these fields now."""
    wanted = said_by(msgspec.convert(owed.record, Record))
    for known in await _open_conflicts(work, owed):
        name = known.field
        if name in theirs and (known.ours, known.theirs) != ({"value": wanted[name]}, {"value": theirs[name]}):
            known.resolution, known.resolved_at = "SUPERSEDED", work.now
    await work.flush()
    asked = {known.field for known in await _open_conflicts(work, owed)}
    for name in sorted(theirs.keys() - asked):
        before = (owed.base or {}).get(name)
        conflict = SyncConflict(
            id=work.ids(), integration_id=owed.integration_id, type=TYPE, remote_id=cast("str", owed.remote_id),
            local_id=owed.local_id, field=name, policy=Ownership.MANUAL, base={"value": [before, before]},
            ours={"value": wanted[name]}, theirs={"value": theirs[name]}, recorded_at=work.now,
        )  # fmt: skip
        work.add(conflict)
        work.emit("integrations.ConflictFound", conflict.id, integration=owed.integration_id.hex, field=name)
    await work.flush()


async def _open_conflicts(work: Reading, owed: OutboundChange) -> Sequence[SyncConflict]:
    """What a person is asked about an invoice already."""
    return await work.all(
        select(SyncConflict).where(
            SyncConflict.tenant_id == work.tenant_id, SyncConflict.integration_id == owed.integration_id,
            SyncConflict.type == TYPE, SyncConflict.local_id == owed.local_id, SyncConflict.resolution.is_(None),
        )
    )  # fmt: skip


async def insist(work: Writing, conflict: SyncConflict) -> OutboundChange:
    """Ask the books once more for what they were asked for before the conflict, on what they said then."""
    asked = await _asked(work, conflict)
    record = msgspec.convert(asked.record, Record)
    return await _ask_again(work, conflict, record)


async def ask_for(work: Writing, conflict: SyncConflict, value: Any) -> OutboundChange:
    """Ask the books for another value than either side had. Raises NoSuchValue."""
    record = msgspec.convert((await _asked(work, conflict)).record, Record)
    try:
        match conflict.field:
            case "number" if isinstance(value, str):
                changed = msgspec.structs.replace(record, number=value)
            case "due_on" if isinstance(value, str):
                changed = msgspec.structs.replace(record, due_on=date.fromisoformat(value))
            case _:
                raise NoSuchValue(path=("value",), field=conflict.field)
    except ValueError as wrong:
        raise NoSuchValue("It is a date, such as 2026-03-31.", path=("value",), field=conflict.field) from wrong
    return await _ask_again(work, conflict, changed)


async def _asked(work: Reading, conflict: SyncConflict) -> OutboundChange:
    """The request of which a conflict came."""
    found = await work.one(
        select(OutboundChange)
        .where(
            OutboundChange.tenant_id == work.tenant_id, OutboundChange.integration_id == conflict.integration_id,
            OutboundChange.local_id == conflict.local_id, OutboundChange.op == "update",
            literal(conflict.field) == any_(OutboundChange.fields), OutboundChange.recorded_at <= conflict.recorded_at,
        )
        .order_by(OutboundChange.id.desc())
        .limit(1)
    )  # fmt: skip
    if found is None:
        raise NotFound(id=conflict.local_id)
    return found


async def _ask_again(work: Writing, conflict: SyncConflict, record: Record) -> OutboundChange:
    base = {conflict.field: (conflict.theirs or {}).get("value")}
    return await _owe_change(work, conflict.integration_id, record, base, conflict.remote_id)


async def _owe_change(
    work: Writing, integration_id: UUID, record: Record, base: Mapping[str, Any], remote_id: str
) -> OutboundChange:
    """Owe the books the fields of a record that `base` names, each with what they said of it.

    What was asked for before of other fields, and is not sent yet, goes out with them.
    """
    local_id, whole = UUID(record.id), dict(base)
    waiting = (await queue.open_for(work, integration_id, [local_id])).get(local_id)
    if waiting is not None and waiting.status != ChangeStatus.SENDING:
        asked = msgspec.convert(waiting.record, Record)
        others = [name for name in waiting.fields if name not in base]
        record = msgspec.structs.replace(record, **{name: getattr(asked, name) for name in others})
        whole |= {name: (waiting.base or {}).get(name) for name in others}
    return await queue.enqueue(
        work, integration_id, local_id, "update", record, list(whole), remote_id=remote_id, base=whole
    )


def said_by(record: Record) -> dict[str, Any]:
    """What a record says of the fields that can be asked for, as plain values."""
    return {
        "number": record.number,
        "due_on": record.due_on.isoformat() if record.due_on else None,
        "lines": [
            _line(each.quantity, each.unit_price, each.quantity * each.unit_price - each.discount, record.currency)
            for each in record.lines
        ],
    }


async def _said(work: Reading, invoice: Invoice) -> dict[str, Any]:
    """The same of an invoice that is here."""
    order, currency = await purchases.order(work, invoice.id), invoice.currency
    return {
        "number": invoice.number,
        "due_on": invoice.due_on.isoformat() if invoice.due_on else None,
        "lines": [
            _line(each.quantity, each.unit_price, Money.of_minor(each.amount, currency).amount, currency)
            for each in await purchases.order_lines(work, order)
        ],
    }


def _line(quantity: Decimal, unit_price: Decimal, amount: Decimal, currency: str) -> list[str]:
    """How many, what one costs, and what all of it comes to less what is taken off, rounded as it is kept here."""
    rounded = Money.of_minor(to_minor(amount, currency), currency).amount
    return [_plain(each) for each in (quantity, unit_price, rounded)]


async def _books(work: Reading, registry: Registry, integration_id: UUID | None) -> Books:
    rows = await work.rows(
        select(Integration, StreamSetting)
        .join(
            StreamSetting,
            (StreamSetting.tenant_id == Integration.tenant_id) & (StreamSetting.integration_id == Integration.id),
        )
        .where(
            Integration.tenant_id == work.tenant_id, StreamSetting.direction == SyncDirection.TWO_WAY,
            Integration.state != "DISCONNECTED",
        )
    )  # fmt: skip
    found = [
        Books(integration, setting.ownership)
        for integration, setting in (tuple(row) for row in rows)
        if (connector := registry.connectors.get(integration.connector)) is not None
        and any(stream.name == setting.stream and Record in stream.records for stream in connector.streams())
        and any(push.record is Record for push in connector.declared(Push))
        and integration_id in {None, integration.id}
    ]
    if not found:
        raise NoBooks
    if len(found) > 1:
        raise SeveralBooks(path=("integration",))
    return found[0]


async def _billed(work: Writing, books: Books, customer_id: UUID, members: Sequence[UUID]) -> UUID:
    """The member of a customer that the books know; a new one for them where they know none."""
    linked = await work.one(
        select(RecordLink.local_id)
        .where(
            RecordLink.tenant_id == work.tenant_id, RecordLink.integration_id == books.integration.id,
            RecordLink.type == "customer", RecordLink.local_id.in_(members),
        )
        .order_by(RecordLink.local_id)
        .limit(1)
    )  # fmt: skip
    if linked is None:
        await queue.look_again(work, books.integration.id, [customer_id])
    return linked or customer_id


async def _lines(work: Reading, integration_id: UUID, lines: Sequence[NewLine]) -> tuple[OrderLine, ...]:
    """The lines as the books take them; every stock code is an item of theirs. Raises NotInTheBooks."""
    skus = {line.sku for line in lines if line.sku}
    rows = await work.rows(
        select(Product.sku, Product.id)
        .join(
            RecordLink,
            (RecordLink.tenant_id == Product.tenant_id)
            & (RecordLink.local_id == Product.id)
            & (RecordLink.type == "product")
            & (RecordLink.integration_id == integration_id),
        )
        .where(Product.tenant_id == work.tenant_id, Product.sku.in_(skus), Product.valid_to.is_(None))
    )
    known = {row.sku: row.id for row in rows}
    for place, line in enumerate(lines):
        if line.sku and line.sku not in known:
            raise NotInTheBooks(f"The books have no item {line.sku}.", path=("lines", str(place), "sku"), sku=line.sku)
    return tuple(
        OrderLine(
            product=Ref("product", known[line.sku].hex) if line.sku else None, description=line.description,
            quantity=line.quantity, unit_price=line.unit_price, discount=line.discount,
        )
        for line in lines
    )  # fmt: skip


async def _link_of(work: Reading, invoice: Invoice) -> RecordLink:
    link = await work.one(
        select(RecordLink).where(
            RecordLink.tenant_id == work.tenant_id, RecordLink.type == TYPE, RecordLink.local_id == invoice.id
        )
    )
    if link is None:
        raise NotInTheBooks(id=invoice.id)
    return link


def _plain(number: Decimal) -> str:
    return f"{number.normalize():f}"
