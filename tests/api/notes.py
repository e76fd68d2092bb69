"""A small connector with everything that can go wrong: an address book in memory that both sides write."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

from msgspec import Meta, Struct

from tenure_sdk import (
    Account,
    ApiKey,
    AuthExpired,
    Conflict,
    Connector,
    Context,
    Customer,
    IdVersion,
    Limit,
    Page,
    Pushed,
    Signal,
    StandardWebhooks,
    Subscription,
    Totals,
    action,
    fetch,
    ids,
    push,
    stream,
    subscribe,
    totals,
    webhook,
)
from tenure_sdk.actions import CreateMeeting, EmailSent, InvoiceSent, MeetingCreated, SendEmail, SendInvoice

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from tenure_sdk import Change, Delivery, Window

FIELDS = {"name": Limit(max_len=40, required=True), "emails": Limit(most=1), "phones": Limit(most=1)}


class NotesConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """Which book is read."""

    book: Annotated[str, Meta(title="Book", min_length=2, pattern="^[a-z]+$")]
    depth: Annotated[int, Meta(title="Depth", ge=1, le=9)] = 1
    signing: Annotated[str | None, Meta(extra_json_schema={"writeOnly": True})] = None


@dataclass
class Notes:
    """The other side."""

    rows: dict[str, Customer] = field(default_factory=dict)
    clock: int = 0
    account: Account = field(default_factory=lambda: Account("book-1", "The address book"))
    refuses: bool = False
    """Whether it no longer accepts the key."""
    sent: dict[str, tuple[str, dict[str, Any]]] = field(default_factory=dict)
    """By idempotency key: what was done, and with what."""
    subscribed: str | None = None

    def put(self, id_: str, **said: Any) -> Customer:
        self.clock += 1
        known = self.rows.pop(id_, None)
        values = {name: getattr(known, name) for name in ("name", "emails", "phones")} if known else {}
        self.rows[id_] = Customer(id=id_, version=str(self.clock), **{**values, **said})
        return self.rows[id_]

    @property
    def connector(self) -> type[Connector[NotesConfig]]:
        return _connector(self)


def _connector(side: Notes) -> type[Connector[NotesConfig]]:  # noqa: C901 - a class of short methods
    class AddressBook(Connector[NotesConfig]):
        """An address book."""

        key, title, version, category = "notes", "Address Book", "1.0", "other"
        auth = ApiKey(name="X-Key")
        hosts = ("book.example.com",)

        async def check(self, ctx: Context[NotesConfig]) -> Account:
            if side.refuses:
                raise AuthExpired("The key is no longer accepted.")
            return side.account

        @stream(Customer, cursor="change", deletes="snapshot")
        async def people(self, ctx: Context[NotesConfig], cursor: Any) -> AsyncIterator[Page]:
            if side.refuses:
                raise AuthExpired("The key is no longer accepted.")
            rows = [row for row in side.rows.values() if int(row.version or 0) > (cursor or 0)]
            yield Page(rows, cursor=side.clock)

        @fetch(Customer)
        async def by_id(self, ctx: Context[NotesConfig], ids: Sequence[str]) -> list[Customer]:
            return [side.rows[id_] for id_ in ids if id_ in side.rows]

        @push(Customer, fields=FIELDS, replays=True)
        async def write(self, ctx: Context[NotesConfig], change: Change) -> Pushed:
            if change.remote_id is not None and side.rows[change.remote_id].version != change.remote_version:
                raise Conflict
            id_ = change.remote_id or f"n{len(side.rows) + 1}"
            row = side.put(id_, **{name: getattr(change.record, name) for name in change.fields & FIELDS.keys()})
            return Pushed(row.id, row.version, row)

        @ids("people")
        async def every(self, ctx: Context[NotesConfig]) -> AsyncIterator[list[IdVersion]]:
            yield [IdVersion(row.id, row.version) for row in side.rows.values()]

        @totals("people")
        async def count(self, ctx: Context[NotesConfig], window: Window | None = None) -> Totals:
            return Totals(len(side.rows))

        @action("send_email", SendEmail, EmailSent, idempotent=True)
        async def mail(self, ctx: Context[NotesConfig], given: SendEmail, key: str) -> EmailSent:
            side.sent.setdefault(key, ("send_email", {"to": given.to, "subject": given.subject}))
            return EmailSent(id=f"mail-{list(side.sent).index(key) + 1}")

        @action("create_meeting", CreateMeeting, MeetingCreated, idempotent=True)
        async def meet(self, ctx: Context[NotesConfig], given: CreateMeeting, key: str) -> MeetingCreated:
            side.sent.setdefault(key, ("create_meeting", {"title": given.title}))
            return MeetingCreated(id="meeting-1", url="https://book.example.com/meeting-1")

        @action("send_invoice", SendInvoice, InvoiceSent, idempotent=True)
        async def bill(self, ctx: Context[NotesConfig], given: SendInvoice, key: str) -> InvoiceSent:
            side.sent.setdefault(key, ("send_invoice", {"invoice": given.invoice}))
            return InvoiceSent(id=given.invoice)

        @webhook(StandardWebhooks(), path="changes")
        def changes(self, delivery: Delivery) -> list[Signal]:
            return [Signal("people")]

        @subscribe
        async def call(
            self, ctx: Context[NotesConfig], callback_url: str | None, secret: str, current: Sequence[Subscription]
        ) -> list[Subscription]:
            side.subscribed = callback_url
            return [] if callback_url is None else [Subscription("s-1", "people", None)]

    return AddressBook
