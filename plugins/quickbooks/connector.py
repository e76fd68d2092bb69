"""The connector for QuickBooks Online: customers, items and the documents of sale, both ways where people work."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Meta, Raw, Struct

from plugins.quickbooks import faults, notifications, rows
from plugins.quickbooks.mapping import Books, written_customer, written_invoice
from plugins.quickbooks.rows import Broken, CustomerRow, Head, Kind
from tenure_sdk import (
    Account,
    Answer,
    AnyRecord,
    Change,
    ConfigInvalid,
    Connector,
    ConnectorError,
    Context,
    ContractViolation,
    CreditNote,
    Cursor,
    CursorExpired,
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
    Reject,
    Signal,
    Totals,
    Window,
    action,
    fetch,
    ids,
    push,
    stream,
    totals,
    webhook,
)

log = logging.getLogger(__name__)

HOSTS = {"production": "quickbooks.api.intuit.com", "sandbox": "sandbox-quickbooks.api.intuit.com"}
MINOR_VERSION = "75"
PAGE = 1_000
"""The most rows of an answer."""
MOST_CHANGES = 1_000
"""The most objects of an answer about changes, which does not tell when there are more."""
LOOK_BACK = timedelta(days=30) - timedelta(hours=1)
"""How far back changes are known, less a margin for the clocks of both sides."""
OVERLAP = timedelta(minutes=2)
ROWS_AGAIN = 50
"""How many rows are read again at the seam of two pages, to see that none has slipped through."""
IDS_AT_ONCE = 100

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
encode = msgspec.json.Encoder(decimal_format="number").encode


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


class SendInvoice(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An invoice is to be sent by e-mail."""

    invoice: Annotated[str, Meta(title="Invoice", description="Its id in QuickBooks.", min_length=1)]
    to: Annotated[str | None, Meta(title="To", description="Without one, the address on the invoice.")] = None


class SentInvoice(Struct, frozen=True, kw_only=True):
    """The invoice was handed over for delivery."""

    invoice: str
    version: str
    sent_at: datetime | None


class _Answer(Struct, rename="pascal"):
    query_response: dict[str, list[Raw] | int]
    time: datetime = msgspec.field(name="time")


class _Changes(Struct, rename="pascal"):
    class Part(Struct, rename="pascal"):
        query_response: list[dict[str, list[Raw] | int]] = []

    c_d_c_response: list[Part] = msgspec.field(name="CDCResponse")
    time: datetime = msgspec.field(name="time")


class _Changed(Struct, rename="pascal"):
    id: str
    status: str = msgspec.field(name="status", default="")


class _Place(Struct, kw_only=True, omit_defaults=True):
    """A cursor: from which moment on rows are read, in order of change, and within a run how far that has come."""

    since: datetime | None = None
    read: int = 0
    """How many rows of those since then are read."""
    last: list[str] = []
    """The ids of the last of them, which an answer must begin with: else rows have moved, and one may be missing."""
    gone_since: datetime | None = None
    """From when on deletions are to be asked for, by the clock of QuickBooks; None: nothing was read before."""
    whole: bool = False
    """This reading began without a cursor, so that earlier deletions do not matter."""
    running: bool = False

    def after(self, found: Sequence[tuple[str, datetime]], skipped: int) -> _Place:
        """The place behind these rows, of which so many were asked for again. It moves on to the moment of the last.

        Rows that change leave the places before it, and so cannot shift those that come.
        """
        at = found[-1][1]
        tied = next((place for place, (_, when) in enumerate(reversed(found)) if when != at), len(found))
        read = tied if at != self.since else self.read - skipped + len(found)
        again = min(tied, ROWS_AGAIN, len(found) // 2)
        last = [name for name, _ in found[len(found) - again :]]
        return msgspec.structs.replace(self, since=at, read=read, last=last, running=True)


class QuickBooks(Connector[QuickBooksConfig]):
    """QuickBooks Online."""

    key, title, version, category = "quickbooks", "QuickBooks Online", "1.0.0", "accounting"
    docs_url = "https://developer.intuit.com/app/developer/qbo/docs/get-started"
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
        realm = _realm(ctx)
        answer = await ctx.get(_url(ctx, f"companyinfo/{realm}"), params={"minorversion": MINOR_VERSION})
        return Account(realm, answer["CompanyInfo"].get("CompanyName") or realm)

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
        async for found, page in self._read(ctx, rows.CREDIT_MEMO, cursor):
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
        return await self._credit_notes(ctx, await self._by_id(ctx, rows.CREDIT_MEMO, ids))

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
            before = next((row for row, _ in await self._by_id(ctx, rows.CUSTOMER, [change.remote_id])), None)
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
        params = {"minorversion": MINOR_VERSION, "requestid": key, "sendTo": given.to}
        headers = {"Content-Type": "application/octet-stream"}
        url = _url(ctx, f"invoice/{_safe(given.invoice)}/send")
        answer = await ctx.post(url, params=params, headers=headers, idempotent=True, type=dict[str, Raw])
        row, _ = _one(rows.INVOICE, answer)
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
        return self._listed(ctx, rows.CUSTOMER)

    @ids("items")
    def list_items(self, ctx: Ctx) -> AsyncIterator[list[IdVersion]]:
        """All items."""
        return self._listed(ctx, rows.ITEM)

    @ids("invoices")
    def list_invoices(self, ctx: Ctx) -> AsyncIterator[list[IdVersion]]:
        """All invoices."""
        return self._listed(ctx, rows.INVOICE)

    @ids("sales_receipts")
    def list_sales_receipts(self, ctx: Ctx) -> AsyncIterator[list[IdVersion]]:
        """All sales receipts."""
        return self._listed(ctx, rows.SALES_RECEIPT)

    @ids("payments")
    def list_payments(self, ctx: Ctx) -> AsyncIterator[list[IdVersion]]:
        """All payments."""
        return self._listed(ctx, rows.PAYMENT)

    @ids("credit_memos")
    def list_credit_memos(self, ctx: Ctx) -> AsyncIterator[list[IdVersion]]:
        """All credit memos."""
        return self._listed(ctx, rows.CREDIT_MEMO)

    @ids("refund_receipts")
    def list_refund_receipts(self, ctx: Ctx) -> AsyncIterator[list[IdVersion]]:
        """All refund receipts."""
        return self._listed(ctx, rows.REFUND_RECEIPT)

    async def _pages(
        self, ctx: Ctx, kind: Kind, made: Made, cursor: Cursor, *, deletes: bool = True
    ) -> AsyncIterator[Page]:
        async for found, page in self._read(ctx, kind, cursor, deletes=deletes):
            yield msgspec.structs.replace(page, records=[made(*each) for each in found])

    async def _read(
        self, ctx: Ctx, kind: Kind, cursor: Cursor, *, deletes: bool = True
    ) -> AsyncIterator[tuple[list[Any], Page]]:
        """The rows of a stream after a cursor, each portion with its page, which has all but the records."""
        place = _place(ctx, cursor, deletes=deletes)
        async for found, reached in self._walk(ctx, kind, place, kind.read):
            place = reached
            good = [each for each in found if not isinstance(each, Broken)]
            rejects = [Reject(None, None, None, each.reason, each.id) for each in found if isinstance(each, Broken)]
            yield good, Page([], rejects=rejects, cursor=msgspec.to_builtins(place))
        gone, told_until = await self._deleted(ctx, kind, place) if deletes else ([], place.gone_since)
        if told_until is None and not place.whole:
            yield [], Page([], gone)
            raise CursorExpired(f"So much has changed that QuickBooks does not tell which {kind.name}s were deleted.")
        rest = _Place(since=place.since, gone_since=told_until or place.gone_since)
        yield [], Page([], gone, cursor=msgspec.to_builtins(rest))

    async def _walk(
        self, ctx: Ctx, kind: Kind, place: _Place, read: Callable[[Raw], Any]
    ) -> AsyncIterator[tuple[list[Any], _Place]]:
        """Portions of rows in order of change, each with the place behind it, and at the end the place alone."""
        while True:
            answer = await self._page(ctx, kind, place)
            if place.gone_since is None:
                place.gone_since = answer.time
            raws = answer.query_response.get(kind.name, [])
            found = [read(raw) for raw in raws] if isinstance(raws, list) else []
            seen = _seen(found, place.since)
            if seen and place.last and seen[0][0] not in place.last:
                place.read, place.last = 0, []  # rows of this moment have changed meanwhile, and the others moved up
                continue
            by_name = {name: each for each, (name, _) in zip(found, seen, strict=True)}
            new = [each for name, each in by_name.items() if name not in place.last]
            if not new:
                break
            place = place.after(list(dict(seen).items()), len(place.last))
            yield new, place
        yield [], place

    async def _page(self, ctx: Ctx, kind: Kind, place: _Place) -> _Answer:
        first = place.read - len(place.last) + 1
        where = _where(kind, Window(place.since, ctx.window.end))
        order = f"ORDERBY MetaData.LastUpdatedTime STARTPOSITION {first} MAXRESULTS {PAGE}"
        return await self._query(ctx, f"SELECT * FROM {kind.name}{where} {order}")

    async def _query(self, ctx: Ctx, statement: str) -> _Answer:
        params = {"query": statement, "minorversion": MINOR_VERSION}
        return await ctx.get(_url(ctx, "query"), params=params, type=_Answer, timeout=60.0)

    async def _deleted(self, ctx: Ctx, kind: Kind, place: _Place) -> tuple[list[str], datetime | None]:
        """What was deleted, and until when that is known; None where an answer was cut, and more may have been."""
        since = (place.gone_since or ctx.now()) - OVERLAP
        gone: dict[str, None] = {}
        told_until: datetime | None = None
        cut = False
        while since <= ctx.now():
            params = {"entities": kind.name, "changedSince": since, "minorversion": MINOR_VERSION}
            answer = await ctx.get(_url(ctx, "cdc"), params=params, type=_Changes)
            listed = [part.get(kind.name, []) for each in answer.c_d_c_response for part in each.query_response]
            changed = [
                msgspec.json.decode(raw, type=_Changed) for raws in listed if isinstance(raws, list) for raw in raws
            ]
            gone |= dict.fromkeys(each.id for each in changed if each.status == "Deleted")
            told_until = answer.time
            if len(changed) < MOST_CHANGES:
                break
            cut = True
            since += max((ctx.now() - since) / 2, timedelta(seconds=1))
        return list(gone), None if cut else told_until or place.gone_since

    async def _fetched(self, ctx: Ctx, kind: Kind, made: Made, wanted: Sequence[str]) -> list[AnyRecord]:
        return [made(*each) for each in await self._by_id(ctx, kind, wanted)]

    async def _by_id(self, ctx: Ctx, kind: Kind, wanted: Sequence[str]) -> list[tuple[Any, dict[str, Any]]]:
        found = []
        for start in range(0, len(wanted), IDS_AT_ONCE):
            listed = ", ".join(f"'{_safe(each)}'" for each in wanted[start : start + IDS_AT_ONCE])
            where = _where(kind, None, f"Id IN ({listed})")
            answer = await self._query(ctx, f"SELECT * FROM {kind.name}{where} MAXRESULTS {IDS_AT_ONCE}")
            raws = answer.query_response.get(kind.name, [])
            found += [kind.read(raw) for raw in raws] if isinstance(raws, list) else []
        return [each for each in found if not isinstance(each, Broken)]

    async def _credit_notes(self, ctx: Ctx, found: Sequence[tuple[Any, dict[str, Any]]]) -> list[AnyRecord]:
        """Credit memos as records; the payments that apply them are asked what they settle."""
        linked = {each.txn_id: None for row, _ in found for each in row.linked_txn if each.txn_type == "Payment"}
        payments = {row.id: row for row, _ in await self._by_id(ctx, rows.PAYMENT, list(linked))}
        books = _books(ctx)
        return [books.credit_note(row, unknown, payments) for row, unknown in found]

    async def _written(self, ctx: Ctx, kind: Kind, made: Made, change: Change, properties: dict[str, Any]) -> Pushed:
        """Create, or change nothing but these properties; the same key gets the first answer again."""
        if change.remote_id is not None:
            properties |= {"Id": change.remote_id, "SyncToken": change.remote_version or "", "sparse": True}
        answer = await ctx.post(
            _url(ctx, kind.name.lower()), content=encode(properties), headers={"Content-Type": "application/json"},
            params={"minorversion": MINOR_VERSION, "requestid": change.key}, idempotent=True, type=dict[str, Raw],
        )  # fmt: skip
        row, unknown = _one(kind, answer)
        return Pushed(row.id, row.sync_token, made(row, unknown))

    async def _counted(self, ctx: Ctx, kind: Kind, window: Window | None) -> Totals:
        answer = await self._query(ctx, f"SELECT COUNT(*) FROM {kind.name}{_where(kind, window)}")
        count = answer.query_response.get("totalCount", 0)
        return Totals(count if isinstance(count, int) else 0)

    async def _listed(self, ctx: Ctx, kind: Kind) -> AsyncIterator[list[IdVersion]]:
        decode = msgspec.json.Decoder(Head).decode
        async for found, _ in self._walk(ctx, kind, _Place(), lambda raw: (decode(raw), {})):
            yield [IdVersion(head.id, head.sync_token) for head, _ in found]


def _books(ctx: Ctx) -> Books:
    try:
        zone = ZoneInfo(ctx.config.time_zone)
    except (ValueError, LookupError, OSError):
        named = ctx.config.time_zone
        raise ConfigInvalid(f"{named} is no time zone: write one such as America/New_York.", key="time_zone") from None
    return Books(zone, ctx.config.home_currency)


def _realm(ctx: Ctx) -> str:
    realm = ctx.callback.get("realmId") or ctx.account
    if not realm:
        raise ConfigInvalid("The authorization did not say which company it is for: authorise once more.")
    return _safe(realm)


def _url(ctx: Ctx, path: str) -> str:
    return f"https://{HOSTS[ctx.config.environment]}/v3/company/{_realm(ctx)}/{path}"


def _safe(name: str) -> str:
    """An id as it may stand in an address or a query: digits, in practice. Others than those have no such letters."""
    return "".join(letter for letter in name if letter.isalnum() or letter in "-_.")


def _place(ctx: Ctx, cursor: Cursor, *, deletes: bool) -> _Place:
    """Where to go on: where a reading was broken off, or a little before where the last one ended."""
    if cursor is None:
        return _Place(since=ctx.window.start, whole=True)
    try:
        place = msgspec.convert(cursor, _Place)
    except msgspec.ValidationError:
        raise CursorExpired("This is no place in QuickBooks; read it from the start.") from None
    if deletes and not place.whole and place.gone_since is not None and ctx.now() - place.gone_since > LOOK_BACK:
        raise CursorExpired("QuickBooks no longer knows what was deleted since the last reading.")
    if not place.running and place.since is not None:
        place.since -= OVERLAP
    return place


def _where(kind: Kind, window: Window | None, *more: str) -> str:
    """The conditions of a query, inactive members of name lists included: QuickBooks hides them unless asked."""
    parts = [*more, "Active IN (true, false)"] if kind.named else [*more]
    if window is not None and window.start is not None:
        parts.append(f"MetaData.LastUpdatedTime >= '{window.start.astimezone(UTC).isoformat()}'")
    if window is not None and window.end is not None:
        parts.append(f"MetaData.LastUpdatedTime < '{window.end.astimezone(UTC).isoformat()}'")
    return " WHERE " + " AND ".join(parts) if parts else ""


def _seen(found: Sequence[Any], since: datetime | None) -> list[tuple[str, datetime]]:
    """The id and the time of each row; one that cannot be read stands where the row before it stood."""
    seen: list[tuple[str, datetime]] = []
    for each in found:
        if isinstance(each, Broken):
            before = seen[-1][1] if seen else since or datetime.min.replace(tzinfo=UTC)
            seen.append((each.id or "", each.at or before))
        else:
            seen.append((each[0].id, each[0].meta_data.last_updated_time))
    return seen


def _one(kind: Kind, answer: dict[str, Raw]) -> tuple[Any, dict[str, Any]]:
    """The object that an answer is about."""
    found = kind.read(answer[kind.name]) if kind.name in answer else Broken(None, None, "it is missing")
    if isinstance(found, Broken):
        raise ContractViolation(f"QuickBooks answered without a {kind.name}: {found.reason}")
    return found
