"""The kit finds what is broken: each breach of a good connector is caught by the check that names it, and no other."""

from __future__ import annotations

import asyncio
import logging
import random
import socket
import time
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
import pytest
from acme_books import WRITTEN, AcmeBooks, Events, customer, invoice, product
from acme_books.sandbox import FakeAcme
from msgspec import Meta, Struct

from tenure_sdk import (
    Account,
    AuthRevoked,
    Change,
    ConnectorError,
    ContractViolation,
    Customer,
    Delivery,
    HmacSignature,
    IdVersion,
    Invoice,
    Limit,
    NotFound,
    OAuth2,
    Page,
    PermissionDenied,
    Product,
    Pushed,
    RecordRejected,
    Signal,
    Totals,
    Transient,
    fetch,
    ids,
    lookup,
    mapped,
    push,
    stream,
    tile,
    totals,
    webhook,
)
from tenure_sdk.http import httpx
from tenure_sdk.testing import CHECKS, Bench, Call, RemoteSide, Row, Table, examine, examine_all, route, tier_of
from tenure_sdk.testing.releases import release, releases, uses

if TYPE_CHECKING:
    from collections.abc import Sequence

PACKAGED = ("PKG-1", "PKG-2", "PKG-3", "PKG-4", "CMP-1", "CMP-2")
ABROAD = (*PACKAGED, "STR-6", "STR-7", "WEB-7", "PER-1")
"""Checks of packages, which are tried below, and those that take long: they are run for the breaches that they name."""

replace = msgspec.structs.replace


class Fake(FakeAcme):
    page_size = 3


class Sample(AcmeBooks):
    """The customers and products of Acme Books, with totals and ids of both: gold."""

    invoices = invoice_totals = invoice_ids = None

    @totals("customers")
    async def customer_totals(self, ctx: Any, window: Any = None) -> Totals:
        return Totals(len([each async for rows in self.customer_ids(ctx) for each in rows]))

    @ids("customers")
    async def customer_ids(self, ctx: Any) -> Any:
        async for rows in self.pages(ctx, "customers"):
            yield [IdVersion(row["id"], row["version"]) for row in rows if not row["deleted"]]

    @totals("products")
    async def product_totals(self, ctx: Any, window: Any = None) -> Totals:
        return Totals(len([each async for rows in self.product_ids(ctx) for each in rows]))

    @ids("products")
    async def product_ids(self, ctx: Any) -> Any:
        async for rows in self.pages(ctx, "products"):
            yield [IdVersion(row["id"]) for row in rows]


class Whole(Sample):
    """The same with invoices."""

    invoices, invoice_totals, invoice_ids = AcmeBooks.invoices, AcmeBooks.invoice_totals, AcmeBooks.invoice_ids


BREACHES: list[Any] = []


def breaks(check: str, remote: Any = Fake) -> Any:
    """Declares a connector that is broken in the way that a check names."""

    def add(connector: Any) -> Any:
        BREACHES.append(pytest.param(check, connector, remote, id=f"{check}-{connector.__name__}"))
        return connector

    return add


def test_the_sample_is_gold() -> None:
    results = examine_all(Bench(Whole, Fake), without=ABROAD)
    assert [str(result) for result in results.values() if result.outcome == "failed"] == []
    assert tier_of(list(results.values())) == "gold"


class Served(Fake):
    """The same fake as an ASGI app, as the sandboxes of vendors are."""

    def __init__(self, account: str = "1") -> None:
        super().__init__(account)
        self.app = self.answer

    def transport(self) -> httpx.AsyncBaseTransport:
        return RemoteSide.transport(self)

    async def answer(self, scope: Any, receive: Any, send: Any) -> None:
        url = f"https://api.eu.acme.example{scope['path']}?{scope['query_string'].decode()}"
        body = (await receive())["body"]
        response = self._answer(httpx.Request(scope["method"], url, headers=scope["headers"], content=body))
        await send({"type": "http.response.start", "status": response.status_code, "headers": response.headers.raw})
        await send({"type": "http.response.body", "body": response.content})


def test_an_asgi_app_is_a_remote_side() -> None:
    results = examine_all(Bench(Sample, Served), without=ABROAD)
    assert [str(result) for result in results.values() if result.outcome == "failed"] == []


def test_there_are_enough_breaches() -> None:
    assert len(BREACHES) >= 50
    assert {breach.values[0] for breach in BREACHES} <= CHECKS.keys()


def test_a_bypass_has_a_reason() -> None:
    result = examine(Bench(Sample, Fake), "CUR-3", {"CUR-3": "Acme's times are unique"})
    assert (result.outcome, result.reason) == ("bypassed", "Acme's times are unique")


class MakesTwo(Sample):
    """Two records of each customer, of which one has the customer's id; customers are changed there, never created."""

    @stream(Customer, cursor="changed_at", deletes="inline")
    async def customers(self, ctx: Any, cursor: Any) -> Any:
        async for page in Sample.customers(self, ctx, cursor):
            twins = [replace(record, id=f"{record.id}-twin") for record in page.records]
            yield replace(page, records=[*page.records, *twins], deletes=[*page.deletes, *map(twin_of, page.deletes)])

    @push(Customer, fields=WRITTEN, ops={"update"})
    async def push_customer(self, ctx: Any, change: Change) -> Pushed:
        assert change.op == "update"
        return await AcmeBooks.push_customer(self, ctx, change)  # type: ignore[no-any-return]


def twin_of(name: str) -> str:
    return f"{name}-twin"


def test_several_records_of_a_row_and_a_push_that_creates_nothing() -> None:
    results = examine_all(Bench(MakesTwo, Fake), without=ABROAD)
    failed = [str(result) for result in results.values() if result.outcome == "failed" and result.tier != "gold"]
    assert failed == []
    assert [results[name].outcome for name in ("SCH-3", "PUS-2", "PUS-3")] == ["passed"] * 3


class Numbered(Fake):
    """Ids are numbers, and who is gone stands at an address of its own for ever."""

    tables = {"customers": replace(FakeAcme.tables["customers"], id=str)}

    def __init__(self, account: str = "1") -> None:
        super().__init__(account)
        self.log: list[Row] = []

    def remove(self, stream: str, record_id: str) -> None:
        super().remove(stream, record_id)
        self.log.append({"id": record_id, "changed_at": self.clock.now().isoformat()})

    @route("GET", "/v1/{company}/gone")
    def gone(self, call: Call, company: str) -> Row:
        return {"items": [row for row in self.log if row["changed_at"] >= call.params.get("since", "")], "next": None}

    @route("GET", "/v1/{company}/customers")
    def there(self, call: Call, company: str) -> Row:
        page = self.page("customers", call, tombstones="ids" in call.params)
        return page | {"items": [row | {"id": int(row["id"])} for row in page["items"]]}


def numbered(row: Row) -> Customer:
    return customer(row | {"id": str(row["id"])})


class Told(AcmeBooks):
    """Customers, of whom another stream tells who is gone."""

    products = invoices = push_customer = invoice_totals = invoice_ids = customers_by_id = calls = None

    @stream(Customer, cursor="changed_at", deletes="inline")
    async def gone(self, ctx: Any, cursor: Any) -> Any:
        async for rows in self.pages(ctx, "gone", cursor):
            at = max((row["changed_at"] for row in rows), default=cursor)
            yield Page((), [row["id"] for row in rows], at)

    @stream(Customer, cursor="changed_at", deletes="feed", depends_on=("gone",))
    async def customers(self, ctx: Any, cursor: Any) -> Any:
        async for page in self.changes(ctx, "customers", cursor, numbered):
            yield page


class ToldTooLate(Told):
    """The same, but who has come back is taken away again by the stream that is read after it."""

    gone = None

    @stream(Customer, cursor="changed_at", deletes="inline")
    async def left(self, ctx: Any, cursor: Any) -> Any:
        async for page in Told.gone(self, ctx, cursor):
            yield page


def test_a_stream_of_deletions_alone_is_judged_by_what_it_takes_away() -> None:
    results = examine_all(Bench(Told, Numbered), without=ABROAD)
    failed = [str(result) for result in results.values() if result.outcome == "failed" and result.tier != "gold"]
    assert failed == []
    assert [results[name].outcome for name in ("STR-3", "CUR-2", "DEL-1", "DEL-3")] == ["passed"] * 4
    late = examine(Bench(ToldTooLate, Numbered), "DEL-3")
    assert (late.outcome, late.seen) == ("failed", "1 is still gone")


# Declarations and settings


@breaks("DEC-1")
class KeyForPeople(Sample):
    key = "Acme Books"


@breaks("DEC-2")
class FromTheFuture(Sample):
    api = 7


@breaks("DEC-3")
class WritesWhatNoRecordHas(Sample):
    @push(Customer, fields={**WRITTEN, "colour": Limit()}, replays=True)
    async def push_customer(self, ctx: Any, change: Change) -> Pushed:
        return await AcmeBooks.push_customer(self, ctx, change)  # type: ignore[no-any-return]


@breaks("DEC-4")
class AnyHost(Sample):
    hosts = ("api.{region}.acme.example", "{region}")


@breaks("DEC-5")
class WithoutScopes(Sample):
    auth = OAuth2(authorize_url="https://id.acme.example/a", token_url="https://id.acme.example/t")


@breaks("DEC-6")
class Undocumented(Sample):
    docs_url = None


@breaks("DEC-6")
class WithAScriptInItsIcon(Sample):
    icon = tile("AB").replace("</svg>", "<script>alert(1)</script></svg>")


@breaks("DEC-7")
class InACircle(Sample):
    @stream(Customer, cursor="changed_at", deletes="inline", depends_on=("products",))
    async def customers(self, ctx: Any, cursor: Any) -> Any:
        async for page in super().customers(ctx, cursor):
            yield page

    @stream(Product, deletes="snapshot", depends_on=("customers",))
    async def products(self, ctx: Any, cursor: Any) -> Any:
        async for page in AcmeBooks.products(self, ctx, cursor):
            yield page


def with_settings(config: type[Struct]) -> Any:
    class Remote(Fake):
        def __init__(self, account: str = "1") -> None:
            super().__init__(account)
            self.config = config(company=account)

    return Remote


class Untitled(Struct, frozen=True, forbid_unknown_fields=True):
    company: str
    region: str = "eu"


class Telling(Struct, frozen=True, forbid_unknown_fields=True):
    company: Annotated[str, Meta(title="Company")]
    api_key: Annotated[str, Meta(title="API key")] = ""
    region: Annotated[Literal["eu"], Meta(title="Region")] = "eu"


class Lenient(Struct, frozen=True):
    company: Annotated[str, Meta(title="Company")]
    region: Annotated[str, Meta(title="Region")] = "eu"


@breaks("CFG-2", with_settings(Untitled))
class SettingsWithoutTitle(Sample):
    @classmethod
    def config_type(cls) -> type[Struct]:
        return Untitled


@breaks("CFG-3", with_settings(Telling))
class SecretAmongSettings(Sample):
    @classmethod
    def config_type(cls) -> type[Struct]:
        return Telling


@breaks("CFG-4", with_settings(Lenient))
class AnySetting(Sample):
    @classmethod
    def config_type(cls) -> type[Struct]:
        return Lenient


def test_settings_of_the_release_before() -> None:
    schema = msgspec.json.schema(Sample.config_type())
    assert examine(Bench(Sample, Fake, previous_config=schema), "CFG-5").outcome == "passed"
    found = examine(Bench(AnySetting, Fake, previous_config=msgspec.json.schema(Telling)), "CFG-5")
    assert (found.outcome, found.seen) == ("failed", "gone: api_key; newly required: none")


# Being let in


@breaks("AUT-2")
class AnyCredentials(Sample):
    async def check(self, ctx: Any) -> Account:
        try:
            return await super().check(ctx)  # type: ignore[no-any-return]
        except AuthRevoked:
            return Account("unknown", "Unknown")


@breaks("AUT-4")
class TokenOfItsOwn(Sample):
    @stream(Customer, cursor="changed_at", deletes="inline")
    async def customers(self, ctx: Any, cursor: Any) -> Any:
        async for page in super().customers(ctx, cursor):
            yield page
        await ctx.raw.get(
            f"https://api.eu.acme.example/v1/{ctx.config.company}", headers={"Authorization": "Bearer mine"}
        )


@breaks("AUT-7")
class OneAccountForAll(Sample):
    async def check(self, ctx: Any) -> Account:
        return replace(await super().check(ctx), id="acme")  # type: ignore[no-any-return]


# Streams


class Changed(Sample):
    """Customers as `pages` makes them of the pages that Acme Books yields."""

    @stream(Customer, cursor="changed_at", deletes="inline")
    async def customers(self, ctx: Any, cursor: Any) -> Any:
        async for page in super().customers(ctx, cursor):
            yield self.page(page, ctx, cursor)

    def page(self, page: Page, ctx: Any, cursor: Any) -> Page:
        return replace(page, records=[self.record(record, ctx) for record in page.records])

    def record(self, record: Any, ctx: Any) -> Any:
        return record


@breaks("STR-2")
class UnknownKind(Changed):
    def record(self, record: Any, ctx: Any) -> Any:
        return replace(record, kind="COMPANY")


@breaks("STR-3")
class DuplicateIds(Changed):
    def page(self, page: Page, ctx: Any, cursor: Any) -> Page:
        return replace(page, records=[*page.records, *page.records[:1]])


@breaks("STR-4")
class NaiveTimes(Changed):
    def record(self, record: Any, ctx: Any) -> Any:
        return replace(record, updated_at=record.updated_at.replace(tzinfo=None))


@breaks("STR-4")
class FloatMoney(Whole):
    @stream(Invoice, cursor="changed_at", deletes="inline")
    async def invoices(self, ctx: Any, cursor: Any) -> Any:
        def make(row: Any) -> Invoice:
            return replace(invoice(row), total=float(row["total"]))  # type: ignore[no-any-return]

        async for page in self.changes(ctx, "invoices", cursor, make):
            yield page


@breaks("STR-5")
class TimeOfReading(Changed):
    def record(self, record: Any, ctx: Any) -> Any:
        return replace(record, extra={**record.extra, "read_at": ctx.now().isoformat()})


@breaks("STR-6")
class AllAtOnce(Sample):
    @stream(Customer, cursor="changed_at", deletes="inline")
    async def customers(self, ctx: Any, cursor: Any) -> Any:
        pages = [page async for page in super().customers(ctx, cursor)]
        records = [record for page in pages for record in page.records]
        yield Page(records, [gone for page in pages for gone in page.deletes], pages[-1].cursor)


@breaks("STR-7")
class OrderByChance(Changed):
    def page(self, page: Page, ctx: Any, cursor: Any) -> Page:
        names = {record.id: record for record in page.records}
        return replace(page, records=[names[name] for name in set(names)])


@breaks("STR-8")
class CutText(Changed):
    def record(self, record: Any, ctx: Any) -> Any:
        return replace(record, name=str(record.name)[:100])


@breaks("SCH-1")
class ForgetsTheUnknown(Changed):
    def record(self, record: Any, ctx: Any) -> Any:
        return replace(record, extra={})


@breaks("SCH-2")
class NeedsEverything(Sample):
    @stream(Customer, cursor="changed_at", deletes="inline")
    async def customers(self, ctx: Any, cursor: Any) -> Any:
        async for page in self.changes(ctx, "customers", cursor, lambda row: (row["emails"], customer(row))[1]):
            yield page


@breaks("SCH-3")
class OneBadRowStopsAll(Changed):
    def record(self, record: Any, ctx: Any) -> Any:
        return replace(record, name=record.name.strip())


@breaks("SCH-3")
class LeavesBadRowsOut(Changed):
    def page(self, page: Page, ctx: Any, cursor: Any) -> Page:
        return replace(page, records=[record for record in page.records if isinstance(record.name, str)])


# Cursors


@breaks("CUR-1")
class LargeCursor(Changed):
    @stream(Customer, cursor="changed_at", deletes="inline")
    async def customers(self, ctx: Any, cursor: Any) -> Any:
        async for page in AcmeBooks.customers(self, ctx, cursor and cursor["at"]):
            yield replace(page, cursor={"at": page.cursor, "seen": "x" * 20_000})


@breaks("CUR-1")
class CursorWithSecret(Changed):
    @stream(Customer, cursor="changed_at", deletes="inline")
    async def customers(self, ctx: Any, cursor: Any) -> Any:
        token = (await ctx._host.credentials()).values["access_token"]
        async for page in AcmeBooks.customers(self, ctx, cursor and cursor["at"]):
            yield replace(page, cursor={"at": page.cursor, "token": token})


@breaks("CUR-1")
class CursorOfItsOwnType(Changed):
    def page(self, page: Page, ctx: Any, cursor: Any) -> Page:
        return replace(page, cursor=(page.cursor,))

    @stream(Customer, cursor="changed_at", deletes="inline")
    async def customers(self, ctx: Any, cursor: Any) -> Any:
        async for page in AcmeBooks.customers(self, ctx, cursor and cursor[0]):
            yield self.page(page, ctx, cursor)


@breaks("CUR-2")
class CursorOfTheClock(Changed):
    def page(self, page: Page, ctx: Any, cursor: Any) -> Page:
        return replace(page, cursor=ctx.now().isoformat())


class StrictRemote(Fake):
    """A remote side that gives what changed after a time, not at it."""

    def page(self, stream: str, call: Call, *, tombstones: bool = True) -> Row:
        since = call.params.get("since")
        found = super().page(stream, call, tombstones=tombstones)
        if since:
            found["items"] = [row for row in found["items"] if row["changed_at"] != since]
        return found


@breaks("CUR-3", StrictRemote)
class StrictGreaterThan(Sample):
    pass


@breaks("CUR-3")
class LostTie(Changed):
    def page(self, page: Page, ctx: Any, cursor: Any) -> Page:
        known = cursor and datetime.fromisoformat(cursor)
        return replace(page, records=[record for record in page.records if record.updated_at != known])


@breaks("CUR-5")
class ReadsAllEveryTime(Sample):
    @stream(Customer, cursor="changed_at", deletes="inline")
    async def customers(self, ctx: Any, cursor: Any) -> Any:
        async for page in AcmeBooks.customers(self, ctx, None):
            yield page


@breaks("CUR-6")
class AfraidOfTheFuture(Sample):
    @stream(Customer, cursor="changed_at", deletes="inline")
    async def customers(self, ctx: Any, cursor: Any) -> Any:
        if cursor and datetime.fromisoformat(cursor) > ctx.now():
            raise ContractViolation("the cursor lies in the future")
        async for page in AcmeBooks.customers(self, ctx, cursor):
            yield page


@breaks("CUR-7")
class OverlapInWordsOnly(Sample):
    @stream(Customer, cursor="changed_at", deletes="inline", overlap="5m")
    async def customers(self, ctx: Any, cursor: Any) -> Any:
        async for page in AcmeBooks.customers(self, ctx, cursor):
            yield page


@breaks("CUR-10")
class TimesWithoutOffset(Sample):
    @stream(Customer, cursor="changed_at", deletes="inline")
    async def customers(self, ctx: Any, cursor: Any) -> Any:
        def make(row: Any) -> Customer:
            local = datetime.fromisoformat(row["changed_at"][:19] + "+00:00")
            return replace(customer(row), updated_at=local)  # type: ignore[no-any-return]

        async for page in self.changes(ctx, "customers", cursor, make):
            yield page


class CappedRemote(Fake):
    """A remote side that answers at most 20 changes, and does not say that there are more."""

    cap = 20

    def page(self, stream: str, call: Call, *, tombstones: bool = True) -> Row:
        if "since" not in call.params:
            return super().page(stream, call, tombstones=tombstones)
        size, self.page_size = self.page_size, 20
        try:
            return super().page(stream, call, tombstones=tombstones) | {"next": None}
        finally:
            self.page_size = size


@breaks("CUR-11", CappedRemote)
class IgnoresTheCap(Sample):
    pass


# Deletions


@breaks("DEL-1")
class IgnoresTombstones(Changed):
    def page(self, page: Page, ctx: Any, cursor: Any) -> Page:
        return replace(page, deletes=())


@breaks("DEL-2")
class SwallowsInASnapshot(Sample):
    @stream(Product, deletes="snapshot")
    async def products(self, ctx: Any, cursor: Any) -> Any:
        read = 0
        try:
            async for rows in self.pages(ctx, "products"):
                read += 1
                records, rejects = mapped(rows, product)
                yield Page(records, rejects=rejects)
        except Transient:
            if not read:
                raise


@breaks("DEL-3")
class GoneForEver(Changed):
    gone: frozenset[str] = frozenset()

    def page(self, page: Page, ctx: Any, cursor: Any) -> Page:
        self.gone |= frozenset(page.deletes)
        return replace(page, records=[record for record in page.records if record.id not in self.gone])


# Failures


@breaks("ERR-1")
class ForgetsRetryAfter(Sample):
    def classify(self, answer: Any) -> ConnectorError | None:
        return Transient("busy") if answer.status == 429 else None


@breaks("ERR-3")
class AnotherError(Sample):
    @stream(Customer, cursor="changed_at", deletes="inline")
    async def customers(self, ctx: Any, cursor: Any) -> Any:
        try:
            async for page in AcmeBooks.customers(self, ctx, cursor):
                yield page
        except Transient as problem:
            raise RuntimeError("Acme is down") from problem


@breaks("ERR-4")
class NothingWhereForbidden(Sample):
    @stream(Customer, cursor="changed_at", deletes="inline")
    async def customers(self, ctx: Any, cursor: Any) -> Any:
        try:
            async for page in AcmeBooks.customers(self, ctx, cursor):
                yield page
        except PermissionDenied:
            return


@breaks("ERR-5")
class RepeatsBlindly(Sample):
    @push(Customer, fields=WRITTEN)
    async def push_customer(self, ctx: Any, change: Change) -> Pushed:
        return await AcmeBooks.push_customer(self, ctx, change)  # type: ignore[no-any-return]

    @lookup(Customer)
    async def find(self, ctx: Any, change: Change) -> Pushed | None:
        wanted = change.record.name  # type: ignore[union-attr]
        rows = [row async for rows in self.pages(ctx, "customers") for row in rows if row["name"] == wanted]
        return Pushed(rows[0]["id"], rows[0]["version"]) if rows else None


@breaks("RAT-1")
class AroundTheLimit(Sample):
    def __init__(self) -> None:
        self.one = asyncio.Lock()

    async def check(self, ctx: Any) -> Account:
        async with self.one:
            await ctx.raw.get(f"https://api.eu.acme.example/v1/{ctx.config.company}")
            return await super().check(ctx)  # type: ignore[no-any-return]


@breaks("RAT-2")
class TooManyAtOnce(Sample):
    async def check(self, ctx: Any) -> Account:
        async with ctx._host.admission():
            pass
        await ctx.raw.get(f"https://api.eu.acme.example/v1/{ctx.config.company}")
        return await super().check(ctx)  # type: ignore[no-any-return]


# Webhooks


class Believing(Struct, frozen=True):
    """Takes any call for genuine that has some secret to be checked with."""

    def holds(self, delivery: Delivery, secrets: Any) -> bool:
        return bool(delivery.headers)


def hooked(verifier: Any) -> Any:
    class Hooked(Sample):
        @webhook(verifier)
        def calls(self, delivery: Delivery) -> list[Signal]:
            return AcmeBooks.calls(self, delivery)  # type: ignore[no-any-return]

    return Hooked


@breaks("WEB-1")
class LooksElsewhere(hooked(HmacSignature(header="x-other"))):  # type: ignore[misc]
    pass


@breaks("WEB-2")
class BelievesAnything(hooked(Believing())):  # type: ignore[misc]
    pass


@breaks("WEB-4")
class EventsByChance(Sample):
    @webhook(HmacSignature(header="x-acme-signature"))
    def calls(self, delivery: Delivery) -> list[Signal]:
        return [replace(signal, event=str(random.random())) for signal in AcmeBooks.calls(self, delivery)]  # noqa: S311


@breaks("WEB-5")
class UnknownEventRaises(Sample):
    @webhook(HmacSignature(header="x-acme-signature"))
    def calls(self, delivery: Delivery) -> list[Signal]:
        events = msgspec.json.decode(delivery.body, type=Events).events
        streams = {"customer": "customers", "invoice": "invoices"}
        return [Signal(streams[event.kind], event.ids) for event in events]


@breaks("WEB-6")
class AsksWhileParsing(Sample):
    @webhook(HmacSignature(header="x-acme-signature"))
    def calls(self, delivery: Delivery) -> list[Signal]:
        socket.socket().close()
        return AcmeBooks.calls(self, delivery)  # type: ignore[no-any-return]


@breaks("WEB-7")
class TrustsTheBody(Sample):
    @webhook(HmacSignature(header="x-acme-signature"))
    def calls(self, delivery: Delivery) -> list[Signal]:
        known = [event for event in delivery.json()["events"] if event["kind"] in {"customer", "invoice"}]
        return [Signal(f"{event['kind']}s", tuple(event["ids"]), event=event["id"]) for event in known]


# Pushes


def pushing(**how: Any) -> Any:
    """Acme Books with another way to write customers, which `send` of the subclass is."""

    class Pushing(Sample):
        @push(Customer, **{"fields": WRITTEN, "replays": True} | how)
        async def push_customer(self, ctx: Any, change: Change) -> Pushed:
            return await self.send(ctx, change)

        async def send(self, ctx: Any, change: Change) -> Pushed:
            return await AcmeBooks.push_customer(self, ctx, change)  # type: ignore[no-any-return]

    return Pushing


@breaks("PUS-1")
class NewKeyEachTime(pushing()):  # type: ignore[misc]
    async def send(self, ctx: Any, change: Change) -> Pushed:
        return await super().send(ctx, replace(change, key=str(random.random())))  # type: ignore[no-any-return]  # noqa: S311


@breaks("PUS-2")
class WritesTheWholeRecord(pushing()):  # type: ignore[misc]
    async def send(self, ctx: Any, change: Change) -> Pushed:
        return await super().send(ctx, replace(change, fields=frozenset(WRITTEN)))  # type: ignore[no-any-return]


@breaks("PUS-3")
class OverwritesTheirChange(pushing()):  # type: ignore[misc]
    async def send(self, ctx: Any, change: Change) -> Pushed:
        return await super().send(ctx, replace(change, remote_version=None))  # type: ignore[no-any-return]


@breaks("PUS-5")
class WrongLimit(pushing()):  # type: ignore[misc]
    async def send(self, ctx: Any, change: Change) -> Pushed:
        if len(change.record.name or "") > 50:  # type: ignore[union-attr]
            raise RecordRejected(None, "Acme takes 50 characters", field="name")
        return await super().send(ctx, change)  # type: ignore[no-any-return]


@breaks("PUS-6")
class PingPong(pushing()):  # type: ignore[misc]
    @stream(Customer, cursor="changed_at", deletes="inline")
    async def customers(self, ctx: Any, cursor: Any) -> Any:
        async for page in AcmeBooks.customers(self, ctx, cursor):
            names = [replace(record, name=f"{record.name} ") for record in page.records]
            yield replace(page, records=names)

    async def send(self, ctx: Any, change: Change) -> Pushed:
        return replace(await super().send(ctx, change), version=None)  # type: ignore[no-any-return]


@breaks("PUS-7")
class DeletesNothing(pushing(ops={"create", "update", "delete"})):  # type: ignore[misc]
    async def send(self, ctx: Any, change: Change) -> Pushed:
        if change.op == "delete":
            return Pushed(change.remote_id or "")
        return await super().send(ctx, change)  # type: ignore[no-any-return]


@breaks("PUS-8")
class ForgetsAField(pushing()):  # type: ignore[misc]
    async def send(self, ctx: Any, change: Change) -> Pushed:
        return await super().send(ctx, replace(change, fields=change.fields - {"phones"}))  # type: ignore[no-any-return]


# Reconciliation


@breaks("REC-1")
class WrongTotals(Whole):
    @totals("invoices")
    async def invoice_totals(self, ctx: Any, window: Any = None) -> Totals:
        told = await AcmeBooks.invoice_totals(self, ctx)
        return Totals(told.count, {name: amount + Decimal("0.01") for name, amount in told.sums.items()})


@breaks("REC-1")
class NoTotals(AcmeBooks):
    customer_ids, product_ids = Sample.customer_ids, Sample.product_ids


@breaks("REC-2")
class IncompleteIds(Whole):
    @ids("invoices")
    async def invoice_ids(self, ctx: Any) -> Any:
        async for rows in AcmeBooks.invoice_ids(self, ctx):
            yield rows
            return


@breaks("REC-3")
class FetchesTenAtMost(Sample):
    @fetch(Customer)
    async def customers_by_id(self, ctx: Any, wanted: Any) -> Any:
        return await AcmeBooks.customers_by_id(self, ctx, wanted[:10])


# Isolation


@breaks("ISO-1")
class Blocks(Changed):
    def page(self, page: Page, ctx: Any, cursor: Any) -> Page:
        time.sleep(0.0001)
        return page


@breaks("ISO-2")
class LeavesATask(Sample):
    @stream(Customer, cursor="changed_at", deletes="inline")
    async def customers(self, ctx: Any, cursor: Any) -> Any:
        self.tick = asyncio.create_task(asyncio.sleep(3600))
        async for page in AcmeBooks.customers(self, ctx, cursor):
            yield page


@breaks("ISO-3")
class PhonesHome(Sample):
    @stream(Customer, cursor="changed_at", deletes="inline")
    async def customers(self, ctx: Any, cursor: Any) -> Any:
        async for page in AcmeBooks.customers(self, ctx, cursor):
            yield page
        await ctx.raw.get("https://telemetry.example/")


@breaks("ISO-4")
class LogsTheToken(Sample):
    async def check(self, ctx: Any) -> Account:
        logging.getLogger("acme").info("let in with %s", (await ctx._host.credentials()).values)
        return await super().check(ctx)  # type: ignore[no-any-return]


@breaks("ISO-4")
class TokenInTheError(Sample):
    async def check(self, ctx: Any) -> Account:
        try:
            return await super().check(ctx)  # type: ignore[no-any-return]
        except ContractViolation as problem:
            token = (await ctx._host.credentials()).values["access_token"]
            raise NotFound(f"nothing for {token}") from problem


@breaks("ISO-5")
class KeepsTheContext(Sample):
    async def pages(self, ctx: Any, path: str, since: Any = None) -> Any:
        self.ctx = ctx
        await asyncio.sleep(0)
        async for rows in super().pages(self.ctx, path, since):
            yield rows


@breaks("PER-1")
class Slow(Changed):
    def page(self, page: Page, ctx: Any, cursor: Any) -> Page:
        until = time.process_time() + len(page.records) / 5_000
        while len(page.records) > 500 and time.process_time() < until:
            pass
        return page


@pytest.mark.parametrize(("check", "connector", "remote"), BREACHES)
def test_a_breach_is_caught_by_the_check_that_names_it(check: str, connector: Any, remote: Any) -> None:
    results = examine_all(Bench(connector, remote), without=[name for name in ABROAD if name != check])
    failed = {name: result for name, result in results.items() if result.outcome == "failed"}
    assert list(failed) == [check], "\n".join(map(str, failed.values()))
    assert all((failed[check].seen, failed[check].expected, failed[check].where, failed[check].remedy))


# What stands on the disk

MODULE = """
from collections.abc import AsyncIterator

from msgspec import Struct
from tenure_sdk import Account, Connector, Context, Cursor, Customer, Page, stream
{extra}

class Config(Struct, frozen=True, forbid_unknown_fields=True):
    pass


class Small(Connector[Config]):
    key, title, version, category = "small", "Small", "{version}", "crm"

    async def check(self, ctx: Context[Config]) -> Account:
        return Account("1", "Small")

    @stream(Customer)
    async def customers(self, ctx: Context[Config], cursor: Cursor) -> AsyncIterator[Page]:
        yield Page([Customer(id="1")])
"""
PROJECT = """
[project]
name = "small"
version = "1.0.0"
license = "MIT"
dependencies = ["tenure-sdk>=0.1"]

[project.entry-points."tenure.connectors"]
small = "small:Small"
"""


REGISTERS = """
from typing import Any

from tenure_sdk import hookimpl

@hookimpl
def register_connectors() -> list[type[Connector[Any]]]:
    return [Small]
"""


class OneCustomer(FakeAcme):
    tables = {"customers": Table(new=lambda n: {"name": f"{n}"})}


def packaged(
    folder: Any,
    checks: Sequence[str],
    *,
    extra: str = "",
    version: str = "1.0.0",
    project: str = PROJECT,
    typed: bool = True,
) -> dict[str, Any]:
    (folder / "small.py").write_text(MODULE.format(extra=extra, version=version))
    (folder / "pyproject.toml").write_text(project)
    if typed:
        (folder / "py.typed").touch()
    import importlib.util
    import sys

    spec = importlib.util.spec_from_file_location("small", folder / "small.py")
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules["small"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    try:
        bench = Bench(module.Small, OneCustomer)
        return {name: examine(bench, name) for name in checks}
    finally:
        del sys.modules["small"]


@pytest.mark.parametrize(
    ("check", "how", "seen"),
    [
        (None, {}, ""),
        (None, {"project": PROJECT.replace("small:Small", "small"), "extra": REGISTERS}, ""),
        ("PKG-1", {"project": PROJECT.replace("small:Small", "small:Tall")}, "small:Tall"),
        ("PKG-1", {"project": PROJECT.replace("small:Small", "small")}, "the group tenure.connectors has"),
        ("PKG-2", {"extra": "import subprocess, sys; subprocess.run([sys.executable, '-c', ''])"}, "subprocess.Popen"),
        ("PKG-2", {"extra": "import socket; socket.getaddrinfo('127.0.0.1', 1)"}, "socket.getaddrinfo"),
        ("PKG-2", {"extra": "import threading; threading.Timer(0.5, int).start()"}, "a thread"),
        ("PKG-3", {"extra": "def load():\n    import sqlalchemy.types"}, "small.py:7 imports sqlalchemy"),
        ("PKG-4", {"version": "2.0.0"}, "the package's version is 1.0.0, the connector's 2.0.0"),
        ("PKG-4", {"project": PROJECT.replace('license = "MIT"', "")}, "names no licence"),
        ("PKG-4", {"typed": False}, "no py.typed"),
        ("CMP-1", {"project": PROJECT.replace(">=0.1", "")}, "the package asks for tenure-sdk"),
        ("CMP-1", {"project": PROJECT.replace(">=0.1", ">=0.0.9")}, "tenure-sdk>=0.0.9, which is no longer supported"),
        ("CMP-1", {"project": PROJECT.replace(">=0.1", ">=7.2")}, "tenure-sdk>=7.2, which is not yet there"),
        ("CMP-1", {"extra": "from tenure_sdk.http import httpx"}, "small.py:6 uses tenure_sdk.http.httpx"),
        ("CMP-2", {"extra": "def half(whole): return whole / 2"}, "Function is missing a type annotation"),
    ],
)
def test_packages(tmp_path: Any, check: str | None, how: dict[str, Any], seen: str, typist: None) -> None:
    checks = [name for name in PACKAGED if check in {None, name} or name not in {"PKG-2", "CMP-2"}]
    results = packaged(tmp_path, checks, **how)
    assert [name for name, result in results.items() if result.outcome != "passed"] == ([check] if check else [])
    if check:
        assert seen in str(results[check].seen)


@pytest.fixture
def typist(monkeypatch: pytest.MonkeyPatch) -> None:
    """mypy looks at the SDK once, not for each package and each file of tests."""
    monkeypatch.setenv("MYPY_CACHE_DIR", str(Path(__file__).parents[2] / ".mypy_cache" / "connectors"))


def test_what_a_release_does_not_have() -> None:
    older = release(
        (0, 1), "class tenure_sdk.Page\ntenure_sdk.Page.records: required\ntenure_sdk.stream(*records, every)"
    )
    source = (
        "import tenure_sdk as sdk\nfrom tenure_sdk import Page as Leaf, stream\nfrom tenure_sdk.http import Answer\n"
        "sdk.Cost()\nLeaf(records=[], merges=[])\nstream(every='1m', overlap='5m')\nstream(every='1m')\n"
    )
    lacking = {(use.line, lack) for use in uses(source) if (lack := older.lacks(use))}
    assert lacking == {
        (3, "tenure_sdk.http.Answer"), (4, "tenure_sdk.Cost"),
        (5, "tenure_sdk.Page(merges=...)"), (6, "tenure_sdk.stream(overlap=...)"),
    }  # fmt: skip


def test_releases_are_listed_from_the_oldest() -> None:
    assert [each.version for each in releases()] == [(0, 1)]
    [first] = releases()
    assert first.names["tenure_sdk.IdVersion"] == {"id", "version"}
    assert first.names["tenure_sdk.fetch"] == {"record"}
