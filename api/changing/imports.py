"""Records of another system, sent by whoever writes to the API instead of writing a connector."""

import re
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import msgspec
import strawberry
from strawberry.utils.str_converters import to_camel_case

from api.changes import mutation, told_field
from api.changing.imported import (
    ContractRecordInput,
    CostRecordInput,
    CreditNoteRecordInput,
    CustomerRecordInput,
    ExchangeRateRecordInput,
    InteractionRecordInput,
    InvoiceRecordInput,
    OpportunityRecordInput,
    OrderRecordInput,
    PaymentRecordInput,
    ProductRecordInput,
    RefundRecordInput,
)
from api.changing.inputs import needed, several
from api.reference import Reference
from api.refusals import Several
from api.replays import Done
from domain.core.money import currencies
from domain.core.problems import Invalid
from domain.core.unit_of_work import Writing
from domain.integrations.model import RunMode
from domain.purchases.rules import TooPrecise, to_money
from sync import runs, soundness
from sync.land import land
from tenure_sdk import (
    Account,
    AnyRecord,
    Contract,
    Cost,
    CreditNote,
    Customer,
    ExchangeRate,
    Interaction,
    Invoice,
    Opportunity,
    Order,
    Page,
    Payment,
    Product,
    Record,
    Refund,
    Reject,
    Stream,
)
from tenure_sdk.records import SOURCE

WRITE = "customers:write purchases:write"
CONNECTOR = "api"
"""The connector that records sent here belong to; its accounts are the sources that clients name."""

_LISTS: dict[str, type[AnyRecord]] = {
    "customers": Customer, "products": Product, "orders": Order, "refunds": Refund, "invoices": Invoice,
    "payments": Payment, "credit_notes": CreditNote, "contracts": Contract, "opportunities": Opportunity, "costs": Cost,
    "interactions": Interaction, "exchange_rates": ExchangeRate,
}  # fmt: skip
"""What is in each list of the input: every type of record that there is."""

_STREAM = Stream("records", tuple(_LISTS.values()))
_MODE = RunMode.INCREMENTAL
_SHOWN = 100
"""How much of a value that cannot be taken an answer repeats."""


class RecordRefused(Invalid):
    """A record cannot be taken as it is. Correct it, and send all of them again."""


@strawberry.input(
    description="Records of one source; the same source and id are the same record, however often it comes."
)
class ImportRecordsInput:
    """Records of one source."""

    source: str = needed("The name of the source.")
    customers: list[CustomerRecordInput] = several("Customers.")
    products: list[ProductRecordInput] = several("Products.")
    orders: list[OrderRecordInput] = several("Orders.")
    refunds: list[RefundRecordInput] = several("Refunds.")
    invoices: list[InvoiceRecordInput] = several("Invoices.")
    payments: list[PaymentRecordInput] = several("Payments.")
    credit_notes: list[CreditNoteRecordInput] = several("Credit notes.")
    contracts: list[ContractRecordInput] = several("Contracts.")
    opportunities: list[OpportunityRecordInput] = several("Opportunities.")
    costs: list[CostRecordInput] = several("Costs.")
    interactions: list[InteractionRecordInput] = several("Interactions.")
    exchange_rates: list[ExchangeRateRecordInput] = several("Exchange rates.")


@strawberry.type(description="A value that could not be read; its record landed without it.")
class UnreadableValue:
    """A value that could not be read."""

    path = told_field("path", list[str], "The part of the input that it is in.")
    reason = told_field("reason", str, "Why it cannot be read, in plain words.")


_COUNTS = {
    name: (int | None, description)
    for name, description in (
        ("created", "How many records are new; an organisation that is only named is one, too."),
        ("updated", "How many records say something else than before."),
        ("unchanged", "How many records say what is known already, named organisations included."),
    )
}


_UNREADABLE = {
    "unreadable": (
        list[UnreadableValue] | None,
        "E-mail addresses, phone numbers and the like that cannot be read; their records landed without them.",
    )
}


@mutation("integration", "integrations.Integration", scope=WRITE, also=_COUNTS | _UNREADABLE)
async def import_records(work: Writing, asked: ImportRecordsInput) -> Done:
    """Take records as a connector would bring them: all of them, or none where one cannot be taken."""
    if not re.fullmatch(SOURCE, asked.source):
        reason = "A source is named by lower case letters, digits, full stops, hyphens and underscores, such as shop"
        raise RecordRefused(f"{reason}.", path=("source",), reason=reason)
    places = dict(_places(asked))
    account = Account(asked.source, asked.source)
    integration = await runs.enabled(work, CONNECTOR, account)
    run = await runs.begin(work, integration, _STREAM, mode=_MODE)
    landed = await land(work, run, Page(list(places.values())), refuse_strangers=True)
    if landed.rejects:
        raise Several([_refusal(places, reject) for reject in landed.rejects])
    await runs.finish(work, run)
    counts = landed.counts
    told = {
        "created": counts.created, "updated": counts.updated, "unchanged": counts.unchanged,
        "unreadable": [
            {"path": [*_place(places, reject), *(reject.field or "").split(".")], "reason": reject.reason}
            for reject in landed.unreadable
        ],
    }  # fmt: skip
    counted = {name: told[name] for name in ("created", "updated", "unchanged")}
    work.audit("integrations.import_records", f"integration:{integration.id.hex}", after=counted)
    return Done(Reference("Integration", integration.id), told)


def _places(asked: ImportRecordsInput) -> Iterator[tuple[tuple[str, str], Record]]:
    """Every record by its place in the input. Raises Several for those that are none."""
    unfit: list[RecordRefused] = []
    for name, of in _LISTS.items():
        records: Sequence[Any] = getattr(asked, name)
        for index, record in enumerate(records):
            try:
                given_ = {**record.plain(), "type": of.__struct_config__.tag}
                made = msgspec.convert(given_, of, builtin_types=(Decimal, datetime, date))
                soundness.check_dates(made)
                _check_total(made)
                yield (to_camel_case(name), str(index)), made
            except (msgspec.ValidationError, TooPrecise) as reason:
                unfit.append(_record_refused((to_camel_case(name), str(index)), str(reason)))
    if unfit:
        raise Several(unfit)


def _check_total(record: Record) -> None:
    """Raises TooPrecise for a total with more decimals than its currency has: nobody rounds what a client states."""
    total, currency = getattr(record, "total", None), getattr(record, "currency", None)
    if total is not None and currency in currencies() and total.is_finite():
        to_money(total, currency, "total")


def _place(places: dict[tuple[str, str], Record], reject: Reject) -> tuple[str, ...]:
    """Where the record stands in the input that was rejected, or has a value that was."""
    field = (reject.field or "id").partition(".")[0]
    named = [place for place, record in places.items() if record.id == reject.record_id]
    return next((place for place in named if hasattr(places[place], field)), next(iter(named), ()))


def _refusal(places: dict[tuple[str, str], Record], reject: Reject) -> RecordRefused:
    place = _place(places, reject)
    said = "" if reject.value is None else f' "{reject.value[:_SHOWN]}"'
    return _record_refused(place, f"{reject.field}{said} {reject.reason}")


def _record_refused(path: tuple[str, ...], reason: str) -> RecordRefused:
    message = f"This record cannot be taken: {reason}. Correct it, and send all of them again."
    return RecordRefused(message, path=path, reason=reason)
