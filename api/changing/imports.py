"""Records of another system, sent by whoever writes to the API instead of writing a connector."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal

import msgspec
import strawberry

from api.changes import mutation
from api.changing.customers import AddressInput, AttributeInput, IdentifierInput
from api.changing.inputs import given, needed, several
from api.reference import Reference
from api.refusals import Several
from api.replays import Done
from api.scalars import CurrencyCode
from domain.core.problems import Invalid
from domain.core.unit_of_work import Writing
from domain.customers.model import CustomerKind
from domain.integrations.model import RunMode
from domain.interactions.model import Direction, InteractionKind
from domain.purchases.model import OrderKind, OrderStatus
from sync import runs
from sync.land import land
from tenure_sdk import Account, Customer, Interaction, Order, Page, Record, Refund, Reject, Stream

WRITE = "customers:write purchases:write"
CONNECTOR = "api"
"""The connector that records sent here belong to; its accounts are the sources that clients name."""

_STREAM = Stream("records", (Customer, Order, Refund, Interaction))
_MODE = RunMode.INCREMENTAL


class RecordRefused(Invalid):
    """A record cannot be taken as it is. Correct it, and send all of them again."""


@strawberry.input(description="A customer as the source describes it; what it no longer says, ends.")
class CustomerRecordInput:
    """A customer's record."""

    id: str = needed("The id at the source.")
    kind: CustomerKind = given("A person or an organisation.", CustomerKind.PERSON)
    name: str | None = given("The name to show.", None)
    emails: list[str] = several("E-mail addresses, the primary one first.")
    phones: list[str] = several("Phone numbers, the primary one first.")
    addresses: list[AddressInput] = several("Postal addresses, the primary one first.")
    identities: list[IdentifierInput] = several("Further identifiers.")
    organisation: str | None = given("The id at the source of the organisation that it belongs to.", None)
    attributes: list[AttributeInput] = several("Values of the tenant's attributes.")

    def plain(self) -> dict[str, Any]:
        """The record as connectors write it."""
        values = {each.key: each.value.told() if each.value else None for each in self.attributes}
        return {
            "id": self.id, "kind": self.kind, "name": self.name, "emails": self.emails, "phones": self.phones,
            "addresses": [vars(address) for address in self.addresses],
            "identities": [vars(identifier.told()) for identifier in self.identities],
            "organisation": _ref("customer", self.organisation),
            "attributes": {key: _text(value) for key, value in values.items()},
        }  # fmt: skip


@strawberry.input(description="A line of a record.")
class LineRecordInput:
    """A line of a record."""

    sku: str | None = given("The stock code of what was bought.", None)
    description: str | None = given("What the document says was bought.", None)
    quantity: Decimal = given("How many.", Decimal(1))
    unit_price: Decimal = needed("What one costs.")
    discount: Decimal = given("Taken off the line.", Decimal(0))
    tax: Decimal | None = given("Tax on the line, not in its amount.", None)

    def plain(self) -> dict[str, Any]:
        """The line as connectors write it."""
        return {
            "product": _ref("product", self.sku), "description": self.description, "quantity": self.quantity,
            "unit_price": self.unit_price, "discount": self.discount, "tax": self.tax,
        }  # fmt: skip


@strawberry.input(description="An order as the source writes it.")
class OrderRecordInput:
    """An order's record."""

    id: str = needed("The id at the source.")
    kind: OrderKind = given("A sale or an adjustment.", OrderKind.SALE)
    status: OrderStatus = given("How far it has come.", OrderStatus.COMPLETED)
    number: str | None = given("The number that people call it by.", None)
    occurred_at: datetime = needed("When it happened.")
    customer: str | None = given("The id of the customer at the source; nobody need be known.", None)
    currency: CurrencyCode = needed("The currency of its amounts.")
    lines: list[LineRecordInput] = several("Its lines; without them, give a total.")
    total: Decimal | None = given("The total; with lines it is checked.", None)
    units: Decimal | None = given("How many units, where there are no lines.", None)
    channel: str | None = given("Where it was placed.", None)

    def plain(self) -> dict[str, Any]:
        """The record as connectors write it."""
        return {**_document(self), "kind": self.kind, "status": self.status, "channel": self.channel}


@strawberry.input(description="A refund as the source writes it.")
class RefundRecordInput:
    """A refund's record."""

    id: str = needed("The id at the source.")
    number: str | None = given("The number that people call it by.", None)
    occurred_at: datetime = needed("When it happened.")
    customer: str | None = given("The id of the customer at the source.", None)
    order: str | None = given("The id at the source of the order that it gives back, where that is known.", None)
    currency: CurrencyCode = needed("The currency of its amounts.")
    lines: list[LineRecordInput] = several("What was given back; without lines, give a total.")
    total: Decimal | None = given("The total; with lines it is checked.", None)
    units: Decimal | None = given("How many units, where there are no lines.", None)

    def plain(self) -> dict[str, Any]:
        """The record as connectors write it."""
        return {**_document(self), "order": _ref("order", self.order)}


@strawberry.input(description="Something that happened, as the source tells it.")
class InteractionRecordInput:
    """An interaction's record."""

    id: str = needed("The id at the source.")
    kind: InteractionKind = needed("What kind of thing happened.")
    occurred_at: datetime = needed("When it happened.")
    customer: str | None = given("The id of the customer at the source.", None)
    channel: str | None = given("By which way.", None)
    direction: Direction | None = given("Who began it.", None)
    summary: str | None = given("What it was about, in a line.", None)
    correlation_key: str | None = given("What belongs together, such as a thread.", None)

    def plain(self) -> dict[str, Any]:
        """The record as connectors write it."""
        return {**vars(self), "customer": _ref("customer", self.customer)}


@strawberry.input(
    description="Records of one source; the same source and id are the same record, however often it comes."
)
class ImportRecordsInput:
    """Records of one source."""

    source: str = needed("The name of the source.")
    customers: list[CustomerRecordInput] = several("Customers.")
    orders: list[OrderRecordInput] = several("Orders.")
    refunds: list[RefundRecordInput] = several("Refunds.")
    interactions: list[InteractionRecordInput] = several("Interactions.")


_COUNTS = {
    name: (int | None, description)
    for name, description in (
        ("created", "How many records are new; an organisation that is only named is one, too."),
        ("updated", "How many records say something else than before."),
        ("unchanged", "How many records say what is known already, named organisations included."),
    )
}


@mutation("integration", "integrations.Integration", scope=WRITE, also=_COUNTS)
async def import_records(work: Writing, asked: ImportRecordsInput) -> Done:
    """Take records as a connector would bring them: all of them, or none where one cannot be taken."""
    if not asked.source.strip():
        raise RecordRefused(path=("source",), reason="source")
    places = dict(_places(asked))
    account = Account(asked.source, asked.source)
    integration = await runs.enabled(work, CONNECTOR, account)
    run = await runs.begin(work, integration, _STREAM, mode=_MODE)
    landed = await land(work, run, Page(list(places.values())))
    if landed.rejects:
        raise Several([_refusal(places, reject) for reject in landed.rejects])
    await runs.finish(work, run)
    counts = landed.counts
    told = {"created": counts.created, "updated": counts.updated, "unchanged": counts.unchanged}
    return Done(Reference("Integration", integration.id), told)


def _places(asked: ImportRecordsInput) -> Iterator[tuple[tuple[str, str], Record]]:
    """Every record by its place in the input. Raises Several for those that are none."""
    unfit: list[RecordRefused] = []
    lists: tuple[tuple[str, Any, Sequence[Any]], ...] = (
        ("customers", Customer, asked.customers), ("orders", Order, asked.orders),
        ("refunds", Refund, asked.refunds), ("interactions", Interaction, asked.interactions),
    )  # fmt: skip
    for name, of, records in lists:
        for index, record in enumerate(records):
            try:
                given_ = {**record.plain(), "type": of.__struct_config__.tag}
                yield (name, str(index)), msgspec.convert(given_, of, builtin_types=(Decimal, datetime))
            except msgspec.ValidationError as reason:
                unfit.append(_record_refused((name, str(index)), str(reason)))
    if unfit:
        raise Several(unfit)


def _refusal(places: dict[tuple[str, str], Record], reject: Reject) -> RecordRefused:
    place = next((place for place, record in places.items() if record.id == reject.record_id), ())
    return _record_refused(place, f"{reject.field} {reject.reason}")


def _record_refused(path: tuple[str, ...], reason: str) -> RecordRefused:
    message = f"This record cannot be taken: {reason}. Correct it, and send all of them again."
    return RecordRefused(message, path=path, reason=reason)


def _document(asked: OrderRecordInput | RefundRecordInput) -> dict[str, Any]:
    return {
        "id": asked.id, "number": asked.number, "occurred_at": asked.occurred_at, "currency": asked.currency,
        "customer": _ref("customer", asked.customer), "lines": [line.plain() for line in asked.lines],
        "total": asked.total, "units": asked.units,
    }  # fmt: skip


def _ref(of: Literal["customer", "order", "product"], id_: str | None) -> dict[str, str] | None:
    return None if id_ is None else {"type": of, "id": id_}


def _text(value: Any) -> Any:
    """A value as records hold it: decimals, dates and moments are their texts."""
    if isinstance(value, date):
        return value.isoformat()
    return str(value) if isinstance(value, Decimal) else value
