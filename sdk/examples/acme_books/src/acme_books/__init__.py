"""Acme Books: customers both ways, products and invoices."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from tenure_sdk import (
    Account, Change, Connector, Context, Cursor, Customer, Delivery, HmacSignature, IdVersion, Invoice, Limit, OAuth2,
    Page, Product, Pushed, RateLimit, Record, Ref, Signal, Totals, Window, fetch, ids, left_over, mapped, next_token,
    push, stream, tile, totals, webhook,
)  # fmt: skip


Row = dict[str, Any]

WRITTEN = {"name": Limit(max_len=100, required=True), "emails": Limit(), "phones": Limit()}


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    company: Annotated[str, Meta(title="Company ID", pattern="^[0-9]+$")]
    region: Annotated[Literal["eu", "us"], Meta(title="Data region")] = "eu"


Ctx = Context[Config]


class AcmeBooks(Connector[Config]):
    key, title, version, category = "acme-books", "Acme Books", "1.0.0", "accounting"
    auth = OAuth2(authorize_url="https://id.acme.example/a", token_url="https://id.acme.example/t", scopes=("books",))
    hosts = ("api.{region}.acme.example",)
    rate = RateLimit(per_minute=300, concurrency=4)
    docs_url = "https://docs.acme.example/tenure"
    icon = tile("AB", "#e8590c")

    async def check(self, ctx: Ctx) -> Account:
        company = await ctx.get(f"/v1/{ctx.config.company}")
        return Account(company["id"], company["name"])

    def pages(self, ctx: Ctx, path: str, since: Cursor = None) -> AsyncIterator[list[Row]]:
        where = f"/v1/{ctx.config.company}/{path}"  # `since` is inclusive: what shares a moment is read again
        return ctx.pages(where, next_token("page", at="next"), rows="items", params={"since": since})

    async def changes(self, ctx: Ctx, path: str, cursor: Cursor, make: Callable[[Row], Record]) -> AsyncIterator[Page]:
        async for rows in self.pages(ctx, path, cursor):
            records, rejects = mapped([row for row in rows if not row["deleted"]], make)
            gone = [row["id"] for row in rows if row["deleted"]]
            cursor = max((row["changed_at"] for row in rows), default=cursor, key=datetime.fromisoformat)
            yield Page(records, gone, cursor, rejects)

    @stream(Customer, cursor="changed_at", deletes="inline")
    async def customers(self, ctx: Ctx, cursor: Cursor) -> AsyncIterator[Page]:
        async for page in self.changes(ctx, "customers", cursor, customer):
            yield page

    @stream(Product, deletes="snapshot", every="24h")
    async def products(self, ctx: Ctx, cursor: Cursor) -> AsyncIterator[Page]:
        async for rows in self.pages(ctx, "products"):
            records, rejects = mapped(rows, product)
            yield Page(records, rejects=rejects)

    @stream(Invoice, cursor="changed_at", deletes="inline", depends_on=("customers",))
    async def invoices(self, ctx: Ctx, cursor: Cursor) -> AsyncIterator[Page]:
        async for page in self.changes(ctx, "invoices", cursor, invoice):
            yield page

    @fetch(Customer)
    async def customers_by_id(self, ctx: Ctx, wanted: Sequence[str]) -> list[Customer]:
        body = await ctx.get(f"/v1/{ctx.config.company}/customers", params={"ids": ",".join(wanted)})
        return [customer(row) for row in body["items"]]

    @push(Customer, fields=WRITTEN, replays=True)
    async def push_customer(self, ctx: Ctx, change: Change[Customer]) -> Pushed:
        where, headers = f"/v1/{ctx.config.company}/customers", {"Idempotency-Key": change.key}
        if change.op == "update":
            where, headers = f"{where}/{change.remote_id}", headers | {"If-Match": change.remote_version or "*"}
        values = {name: getattr(change.record, name) for name in change.fields & WRITTEN.keys()}
        row = await ctx.post(where, json=values, headers=headers, idempotent=True)
        return Pushed(row["id"], row["version"], customer(row))

    @webhook(HmacSignature(header="x-acme-signature"))
    def calls(self, delivery: Delivery) -> list[Signal]:
        events = msgspec.json.decode(delivery.body, type=Events).events
        known = [event for event in events if event.kind in {"customer", "invoice"}]
        return [Signal(f"{event.kind}s", event.ids, event=event.id) for event in known]

    @totals("invoices")
    async def invoice_totals(self, ctx: Ctx, window: Window | None = None) -> Totals:
        body = await ctx.get(f"/v1/{ctx.config.company}/invoices/totals")
        return Totals(body["count"], {f"total {currency}": Decimal(total) for currency, total in body["sums"].items()})

    @ids("invoices")
    async def invoice_ids(self, ctx: Ctx) -> AsyncIterator[list[IdVersion]]:
        async for rows in self.pages(ctx, "invoices"):
            yield [IdVersion(row["id"], row["version"]) for row in rows if not row["deleted"]]


class Event(Struct):
    id: str
    kind: str
    ids: tuple[str, ...]


class Events(Struct):
    events: list[Event]


def common(row: Row, *taken: str) -> Row:
    extra = left_over(row, "id", "version", "changed_at", "deleted", *taken)
    changed = datetime.fromisoformat(row["changed_at"])
    return {"id": row["id"], "version": row["version"], "updated_at": changed, "extra": extra}


def customer(row: Row) -> Customer:
    emails, phones = tuple(row.get("emails", ())), tuple(row.get("phones", ()))
    return Customer(**common(row, "name"), name=row["name"], emails=emails, phones=phones)


def product(row: Row) -> Product:
    return Product(**common(row, "sku", "name"), sku=row["sku"], name=row.get("name"))


def invoice(row: Row) -> Invoice:
    return Invoice(
        **common(row, "number", "issued_at", "customer", "total", "due", "currency", "status"),
        number=row.get("number"),
        occurred_at=datetime.fromisoformat(row["issued_at"]),
        customer=Ref("customer", row["customer"]),
        total=Decimal(row["total"]),
        balance=Decimal(row["due"]),
        currency=row["currency"],
        status=row["status"],
    )
