"""The connector for QuickBooks Online: customers, items and the documents of sale, both ways where people work."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Meta, Struct

from plugins.quickbooks import faults, notifications, rows
from plugins.quickbooks.company import HOSTS, Company, Row
from plugins.quickbooks.mapping import Books, written_customer, written_invoice
from tenure_sdk import (
    Account,
    Answer,
    AnyRecord,
    Change,
    ConfigInvalid,
    Conflict,
    Connector,
    ConnectorError,
    Context,
    CreditNote,
    Cursor,
    Customer,
    Delivery,
    HmacSignature,
    IdVersion,
    Invoice,
    Limit,
    OAuth2,
    Order,
    Page,
    Payment,
    Product,
    Pushed,
    RateLimit,
    Refund,
    Signal,
    Totals,
    Window,
    action,
    fetch,
    ids,
    push,
    stream,
    tile,
    totals,
    webhook,
)

if TYPE_CHECKING:
    from plugins.quickbooks.rows import CustomerRow, Kind

log = logging.getLogger(__name__)

CUSTOMER_FIELDS = {
    "name": Limit(max_len=500, forbid=":\t\n", required=True),
    "kind": Limit(),
    "emails": Limit(max_len=100, most=1),
    "phones": Limit(max_len=30, most=1),
    "addresses": Limit(most=1),
}
INVOICE_FIELDS = {
    "customer": Limit(required=True),
    "lines": Limit(required=True),
    "number": Limit(max_len=21),
    "occurred_at": Limit(),
    "due_on": Limit(),
    "currency": Limit(),
}

Ctx = Context["QuickBooksConfig"]
Made = Callable[[Any, dict[str, Any]], AnyRecord]


class QuickBooksConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """Where the company's books are, and what QuickBooks does not say of them."""

    environment: Annotated[
        Literal["production", "sandbox"],
        Meta(title="Environment", description="sandbox is for Intuit's test companies."),
    ] = "production"
    time_zone: Annotated[
        str,
        Meta(title="Company's time zone", description="Such as America/New_York: in which its documents have days."),
    ] = "UTC"
    home_currency: Annotated[
        str,
        Meta(title="Home currency", description="Of documents that name none.", pattern="^[A-Z]{3}$"),
    ] = "USD"
    home_country: Annotated[
        Annotated[str, Meta(pattern="^[A-Z]{2}$")] | None,
        Meta(title="Home country", description="Of addresses that name none, such as US."),
    ] = None


class SendInvoice(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An invoice is to be sent by e-mail."""

    invoice: Annotated[str, Meta(title="Invoice", description="Its id in QuickBooks.", min_length=1)]
    to: Annotated[str | None, Meta(title="To", description="Without one, the address on the invoice.")] = None


class SentInvoice(Struct, frozen=True, kw_only=True):
    """The invoice was handed over for delivery."""

    invoice: str
    version: str
    sent_at: datetime | None


class QuickBooks(Connector[QuickBooksConfig]):
    """QuickBooks Online."""

    key, title, version, category = "quickbooks", "QuickBooks Online", "1.0.0", "accounting"
    docs_url = "https://developer.intuit.com/app/developer/qbo/docs/get-started"
    icon = tile("QB", "#2b8a3e")
    webhook_help = (
        "At developer.intuit.com that is the endpoint URL under Webhooks of the app.",
        "Choose Customer, Item, Invoice, SalesReceipt, Payment, CreditMemo and RefundReceipt, with all operations.",
        "Intuit shows a verifier token beside them: it signs the calls.",
    )
    hosts = tuple(HOSTS.values())
    rate = RateLimit(per_minute=500, concurrency=10)
    auth = OAuth2(
        authorize_url="https://appcenter.intuit.com/connect/oauth2",
        token_url="https://oauth.platform.intuit.com/oauth2/v1/tokens/bearer",  # noqa: S106 - an address
        revoke_url="https://developer.api.intuit.com/v2/oauth2/tokens/revoke",
        scopes=("com.intuit.quickbooks.accounting",),
        callback_params=("realmId",),
        extra_token_headers={"x-include-refresh-token-hard-expires-in": "true"},
    )

    async def check(self, ctx: Ctx) -> Account:
        """The company that the authorization is for, by its id."""
        _books(ctx)
        company = Company(ctx)
        return Account(company.realm, await company.name())

    def classify(self, answer: Answer) -> ConnectorError | None:
        """What a fault of QuickBooks means; every call is logged by the id under which Intuit's support knows it."""
        log.debug("QuickBooks answered %s, intuit_tid %s", answer.status, answer.headers.get("intuit_tid"))
        return faults.meaning(answer)

    @stream(Customer, cursor="LastUpdatedTime", deletes="inline", overlap="2m")
    def customers(self, ctx: Ctx, cursor: Cursor) -> AsyncIterator[Page]:
        """Customers and sub-customers, the inactive ones, too. What is deleted was merged into another one."""
        return self._pages(ctx, rows.CUSTOMER, _books(ctx).customer, cursor)

    @stream(Product, cursor="LastUpdatedTime", overlap="2m")
    def items(self, ctx: Ctx, cursor: Cursor) -> AsyncIterator[Page]:
        """Products and services; QuickBooks deletes none."""
        return self._pages(ctx, rows.ITEM, _books(ctx).product, cursor, deletes=False)

    @stream(Invoice, cursor="LastUpdatedTime", deletes="inline", overlap="2m", depends_on=("customers", "items"))
    def invoices(self, ctx: Ctx, cursor: Cursor) -> AsyncIterator[Page]:
        """Invoices with what is owed of them."""
        return self._pages(ctx, rows.INVOICE, _books(ctx).invoice, cursor)

    @stream(Order, cursor="LastUpdatedTime", deletes="inline", overlap="2m", depends_on=("customers", "items"))
    def sales_receipts(self, ctx: Ctx, cursor: Cursor) -> AsyncIterator[Page]:
        """What was sold and paid at once."""
        return self._pages(ctx, rows.SALES_RECEIPT, _books(ctx).order, cursor)

    @stream(Payment, cursor="LastUpdatedTime", deletes="inline", overlap="2m", depends_on=("customers", "invoices"))
    def payments(self, ctx: Ctx, cursor: Cursor) -> AsyncIterator[Page]:
        """Payments, with the invoices that they pay."""
        return self._pages(ctx, rows.PAYMENT, _books(ctx).payment, cursor)

    @stream(CreditNote, cursor="LastUpdatedTime", deletes="inline", overlap="2m", depends_on=("customers", "invoices"))
    async def credit_memos(self, ctx: Ctx, cursor: Cursor) -> AsyncIterator[Page]:
        """Credit memos, with the invoices that they settle."""
        async for found, page in Company(ctx).pages(rows.CREDIT_MEMO, lambda *row: row, cursor):
            yield msgspec.structs.replace(page, records=await self._credit_notes(ctx, found))

    @stream(Refund, cursor="LastUpdatedTime", deletes="inline", overlap="2m", depends_on=("customers", "items"))
    def refund_receipts(self, ctx: Ctx, cursor: Cursor) -> AsyncIterator[Page]:
        """What was given back in money."""
        return self._pages(ctx, rows.REFUND_RECEIPT, _books(ctx).refund, cursor)

    @fetch(Customer)
    async def fetch_customers(self, ctx: Ctx, ids: Sequence[str]) -> list[AnyRecord]:
        """Customers by id."""
        return await self._fetched(ctx, rows.CUSTOMER, _books(ctx).customer, ids)

    @fetch(Product)
    async def fetch_items(self, ctx: Ctx, ids: Sequence[str]) -> list[AnyRecord]:
        """Items by id."""
        return await self._fetched(ctx, rows.ITEM, _books(ctx).product, ids)

    @fetch(Invoice)
    async def fetch_invoices(self, ctx: Ctx, ids: Sequence[str]) -> list[AnyRecord]:
        """Invoices by id."""
        return await self._fetched(ctx, rows.INVOICE, _books(ctx).invoice, ids)

    @fetch(Order)
    async def fetch_sales_receipts(self, ctx: Ctx, ids: Sequence[str]) -> list[AnyRecord]:
        """Sales receipts by id."""
        return await self._fetched(ctx, rows.SALES_RECEIPT, _books(ctx).order, ids)

    @fetch(Payment)
    async def fetch_payments(self, ctx: Ctx, ids: Sequence[str]) -> list[AnyRecord]:
        """Payments by id."""
        return await self._fetched(ctx, rows.PAYMENT, _books(ctx).payment, ids)

    @fetch(CreditNote)
    async def fetch_credit_memos(self, ctx: Ctx, ids: Sequence[str]) -> Sequence[AnyRecord]:
        """Credit memos by id."""
        return await self._credit_notes(ctx, await Company(ctx).by_id(rows.CREDIT_MEMO, ids))

    @fetch(Refund)
    async def fetch_refund_receipts(self, ctx: Ctx, ids: Sequence[str]) -> list[AnyRecord]:
        """Refund receipts by id."""
        return await self._fetched(ctx, rows.REFUND_RECEIPT, _books(ctx).refund, ids)

    @push(Customer, fields=CUSTOMER_FIELDS, replays=True)
    async def push_customer(self, ctx: Ctx, change: Change) -> Pushed:
        """Make a customer, or change the fields of one that differ."""
        assert isinstance(change.record, Customer)  # noqa: S101 - as it is declared
        before: CustomerRow | None = None
        if change.remote_id is not None and change.fields & {"kind", "emails"}:
            before = next((row for row, _ in await Company(ctx).by_id(rows.CUSTOMER, [change.remote_id])), None)
        properties = written_customer(change.record, change.fields, before)
        return await self._written(ctx, rows.CUSTOMER, _books(ctx).customer, change, properties)

    @push(Invoice, fields=INVOICE_FIELDS, replays=True)
    async def push_invoice(self, ctx: Ctx, change: Change) -> Pushed:
        """Make an invoice, or change the fields of one that differ; new lines take the place of all lines."""
        assert isinstance(change.record, Invoice)  # noqa: S101 - as it is declared
        books = _books(ctx)
        properties = written_invoice(change.record, change.fields, change.refs, books)
        return await self._written(ctx, rows.INVOICE, books.invoice, change, properties)

    @action("send_invoice", SendInvoice, SentInvoice, idempotent=True)
    async def send_invoice(self, ctx: Ctx, given: SendInvoice, key: str) -> SentInvoice:
        """Have QuickBooks send an invoice by e-mail."""
        row, _ = await Company(ctx).send(rows.INVOICE, given.invoice, given.to, key)
        sent_at = row.delivery_info.delivery_time if row.delivery_info else None
        return SentInvoice(invoice=row.id, version=row.sync_token, sent_at=sent_at)

    @webhook(HmacSignature(header="intuit-signature", algorithm="sha256", encoding="base64"), door="app", path="events")
    def events(self, delivery: Delivery) -> list[Signal]:
        """What a notification says, in the format of before 2026 or as CloudEvents, of any number of companies."""
        return notifications.signals(delivery)

    @totals("customers")
    async def count_customers(self, ctx: Ctx, window: Window | None = None) -> Totals:
        """How many customers there are."""
        return await self._counted(ctx, rows.CUSTOMER, window)

    @totals("items")
    async def count_items(self, ctx: Ctx, window: Window | None = None) -> Totals:
        """How many items there are."""
        return await self._counted(ctx, rows.ITEM, window)

    @totals("invoices")
    async def count_invoices(self, ctx: Ctx, window: Window | None = None) -> Totals:
        """How many invoices there are."""
        return await self._counted(ctx, rows.INVOICE, window)

    @totals("sales_receipts")
    async def count_sales_receipts(self, ctx: Ctx, window: Window | None = None) -> Totals:
        """How many sales receipts there are."""
        return await self._counted(ctx, rows.SALES_RECEIPT, window)

    @totals("payments")
    async def count_payments(self, ctx: Ctx, window: Window | None = None) -> Totals:
        """How many payments there are."""
        return await self._counted(ctx, rows.PAYMENT, window)

    @totals("credit_memos")
    async def count_credit_memos(self, ctx: Ctx, window: Window | None = None) -> Totals:
        """How many credit memos there are."""
        return await self._counted(ctx, rows.CREDIT_MEMO, window)

    @totals("refund_receipts")
    async def count_refund_receipts(self, ctx: Ctx, window: Window | None = None) -> Totals:
        """How many refund receipts there are."""
        return await self._counted(ctx, rows.REFUND_RECEIPT, window)

    @ids("customers")
    def list_customers(self, ctx: Ctx) -> AsyncIterator[list[IdVersion]]:
        """All customers."""
        return Company(ctx).versions(rows.CUSTOMER)

    @ids("items")
    def list_items(self, ctx: Ctx) -> AsyncIterator[list[IdVersion]]:
        """All items."""
        return Company(ctx).versions(rows.ITEM)

    @ids("invoices")
    def list_invoices(self, ctx: Ctx) -> AsyncIterator[list[IdVersion]]:
        """All invoices."""
        return Company(ctx).versions(rows.INVOICE)

    @ids("sales_receipts")
    def list_sales_receipts(self, ctx: Ctx) -> AsyncIterator[list[IdVersion]]:
        """All sales receipts."""
        return Company(ctx).versions(rows.SALES_RECEIPT)

    @ids("payments")
    def list_payments(self, ctx: Ctx) -> AsyncIterator[list[IdVersion]]:
        """All payments."""
        return Company(ctx).versions(rows.PAYMENT)

    @ids("credit_memos")
    def list_credit_memos(self, ctx: Ctx) -> AsyncIterator[list[IdVersion]]:
        """All credit memos."""
        return Company(ctx).versions(rows.CREDIT_MEMO)

    @ids("refund_receipts")
    def list_refund_receipts(self, ctx: Ctx) -> AsyncIterator[list[IdVersion]]:
        """All refund receipts."""
        return Company(ctx).versions(rows.REFUND_RECEIPT)

    async def _pages(
        self, ctx: Ctx, kind: Kind, made: Made, cursor: Cursor, *, deletes: bool = True
    ) -> AsyncIterator[Page]:
        async for found, page in Company(ctx).pages(kind, made, cursor, deletes=deletes):
            yield msgspec.structs.replace(page, records=found)

    async def _fetched(self, ctx: Ctx, kind: Kind, made: Made, wanted: Sequence[str]) -> list[AnyRecord]:
        return [made(*each) for each in await Company(ctx).by_id(kind, wanted)]

    async def _credit_notes(self, ctx: Ctx, found: Sequence[Row]) -> list[AnyRecord]:
        """Credit memos as records; the payments that apply them are asked what they settle."""
        linked = {each.txn_id: None for row, _ in found for each in row.linked_txn if each.txn_type == "Payment"}
        payments = {row.id: row for row, _ in await Company(ctx).by_id(rows.PAYMENT, list(linked))}
        books = _books(ctx)
        return [books.credit_note(row, unknown, payments) for row, unknown in found]

    async def _written(self, ctx: Ctx, kind: Kind, made: Made, change: Change, properties: dict[str, Any]) -> Pushed:
        """Create it, or change nothing but these properties of it."""
        if change.remote_id is not None:
            if change.remote_version is None:
                raise Conflict("Which version of it QuickBooks has is not known: it has to be read first.")
            properties |= {"Id": change.remote_id, "SyncToken": change.remote_version, "sparse": True}
        row, unknown = await Company(ctx).write(kind, properties, change.key)
        return Pushed(row.id, row.sync_token, made(row, unknown))

    async def _counted(self, ctx: Ctx, kind: Kind, window: Window | None) -> Totals:
        return Totals(await Company(ctx).count(kind, window))


def _books(ctx: Ctx) -> Books:
    try:
        zone = ZoneInfo(ctx.config.time_zone)
    except (ValueError, LookupError, OSError):
        named = ctx.config.time_zone
        raise ConfigInvalid(f"{named} is no time zone: write one such as America/New_York.", key="time_zone") from None
    return Books(zone, ctx.config.home_currency, ctx.config.home_country)
