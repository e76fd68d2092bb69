"""The QuickBooks sandbox as the conformance kit and these tests meet it: filled, changed and watched from behind."""

from __future__ import annotations

import itertools
import re
from base64 import b64encode
from datetime import UTC, date, datetime, time
from decimal import Decimal
from hashlib import sha256
from hmac import digest
from typing import TYPE_CHECKING, Any

import httpx2
import msgspec

from plugins.quickbooks.connector import QuickBooksConfig, SendInvoice
from plugins.quickbooks.notifications import STREAMS
from plugins.quickbooks.sandbox import QuickBooksSandbox
from plugins.quickbooks.sandbox.calendar import stamp_of
from tenure_sdk import Change, Customer, Delivery, Invoice, OrderLine, Ref
from tenure_sdk.testing import Missing, RemoteSide

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tenure_sdk import AnyRecord

ENTITIES = {
    "customers": "Customer", "items": "Item", "invoices": "Invoice", "sales_receipts": "SalesReceipt",
    "payments": "Payment", "credit_memos": "CreditMemo", "refund_receipts": "RefundReceipt",
}  # fmt: skip
encode = msgspec.json.Encoder(decimal_format="number").encode


class InProcess(httpx2.AsyncBaseTransport):
    """The sandbox in this process; a connection that breaks there is one that breaks here, and pages may be small."""

    def __init__(self, sandbox: QuickBooksSandbox, most: Any = lambda: 1000) -> None:
        self.calls: list[httpx2.Request] = []
        self._inner = httpx2.ASGITransport(sandbox.app)
        self._most = most

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        self.calls.append(request)
        if (query := request.url.params.get("query")) is not None:
            small = re.sub(r"MAXRESULTS 1000", f"MAXRESULTS {self._most()}", query)
            request.url = request.url.copy_set_param("query", small)
        try:
            return await self._inner.handle_async_request(request)
        except OSError as problem:
            raise httpx2.ReadError(str(problem), request=request) from problem


class QuickBooksRemote(RemoteSide):
    """One company in a sandbox of its own."""

    longest_text = 21
    cap = 1000
    cursors_expire = True

    def __init__(self, account: str = "1") -> None:
        super().__init__(account)
        self.config = QuickBooksConfig()
        self.sandbox = QuickBooksSandbox(now=self.clock.now, seed=int(account))
        self.sandbox.throttling.lift()
        self.company = self.sandbox.company(account)
        self.callback = {"realmId": account}
        self._tokens: list[str] = []
        self._revoked = False
        self._numbers = itertools.count(1)
        self._parties: tuple[str, str] | None = None

    def transport(self) -> httpx2.AsyncBaseTransport:
        return InProcess(self.sandbox, lambda: self.page_size)

    def credentials(self) -> Mapping[str, str]:
        if not self._revoked:
            self._tokens.append(self.sandbox.tokens_for(self.account)["access_token"])
        return {"access_token": self._tokens[-1]}

    def expire(self) -> None:
        self.sandbox.authorizations.expire_access()

    def revoke(self) -> None:
        self._revoked = True
        self.sandbox.authorizations.expire_access()

    def seed(self, stream: str, count: int) -> Sequence[str]:
        return [self._made(stream, f"Seeded {next(self._numbers)}") for _ in range(count)]

    def seed_text(self, stream: str, text: str) -> str:
        return self._made(stream, text)

    def seed_bare(self, stream: str) -> str:
        name = self._made(stream, "Bare")
        needed = {"Id", "SyncToken", "MetaData", "TxnDate", "Name", "DisplayName", "TotalAmt", "Active"}
        self._rewrite(stream, name, lambda row: {key: value for key, value in row.items() if key in needed})
        return name

    def seed_unknown(self, stream: str) -> tuple[str, str, str]:
        name = self._made(stream, "Unknown")
        self._rewrite(stream, name, lambda row: {**row, "NewInVersion76": "quite new"})
        return name, "NewInVersion76", "quite new"

    def spoil(self, stream: str, record_id: str) -> None:
        self._rewrite(stream, record_id, lambda row: {**row, "Name": 5, "DisplayName": 5, "TxnDate": "yesterday"})

    def edit(self, stream: str, record_id: str) -> None:
        self.company.touch(ENTITIES[stream], record_id)

    def remove(self, stream: str, record_id: str) -> None:
        if stream == "customers":
            self.company.merge(self._made(stream, f"Kept {next(self._numbers)}"), record_id)
        else:
            self.company.delete(ENTITIES[stream], record_id)

    def count(self, stream: str) -> int:
        return len(self.company.tables[ENTITIES[stream]].rows)

    def expire_cursors(self) -> None:
        self.clock.forward(31 * 86_400)

    def sample(self, record: type[AnyRecord], number: int) -> Change:
        if record is not Invoice:
            return super().sample(record, number)
        customer, item = self._made("customers", f"Buyer {number}"), self._made("items", f"Sold {number}")
        line = OrderLine(product=Ref("product", item), quantity=Decimal(2), unit_price=Decimal("12.50"))
        made = Invoice(
            id=f"local-{number}", number=f"T-{number}", occurred_at=_noon(self.clock.now().date()),
            customer=Ref("customer", customer), currency="USD", lines=(line,), due_on=date(2026, 5, 1),
        )  # fmt: skip
        fields = frozenset({"customer", "number", "occurred_at", "lines", "due_on", "currency"})
        refs = {customer: customer, item: item}
        return Change(op="create", record=made, fields=fields, key=f"{self.account}-{number}", refs=refs)

    def action_input(self, action: str) -> SendInvoice:
        return SendInvoice(invoice=self._made("invoices", "To send"), to="amy@bakery.example")

    def effects(self, action: str) -> int:
        invoices = self.company.records("Invoice")
        return sum(int(each["SyncToken"]) for each in invoices if each["EmailStatus"] == "EmailSent")

    def delivery(self, path: str, stream: str, ids: Sequence[str]) -> Delivery:
        entity = next(name for name, known in STREAMS.items() if known == stream)
        return self._signed([self._event(f"qbo.{entity}.updated.v1", each) for each in ids])

    def unknown_delivery(self, path: str) -> Delivery:
        return self._signed([self._event("qbo.spaceship.launched.v1", "1")])

    def _event(self, kind: str, name: str) -> dict[str, Any]:
        return {
            "specversion": "1.0", "id": f"event-{kind}-{name}", "source": "intuit.sandbox", "type": kind,
            "intuitentityid": name, "intuitaccountid": self.account, "data": {},
        }  # fmt: skip

    def _signed(self, body: Any) -> Delivery:
        raw = msgspec.json.encode(body)
        signature = b64encode(digest(self.secret.encode(), raw, sha256)).decode()
        return Delivery(raw, {"intuit-signature": signature, "content-type": "application/json"})

    def _made(self, stream: str, text: str) -> str:
        """A record whose free text is this one."""
        entity = ENTITIES.get(stream)
        if entity is None:
            raise Missing(stream)
        if stream == "customers":
            return str(self.company.create(entity, DisplayName=text.replace(":", ""))["Id"])
        if stream == "items":
            return str(self.company.create(entity, Name=text, IncomeAccountRef={"value": "79"})["Id"])
        customer, item = self._known_parties()
        if stream == "payments":
            made = self.company.create(
                entity, CustomerRef={"value": customer}, TotalAmt=Decimal("10.50"), PaymentRefNum=text
            )
            return str(made["Id"])
        detail = {"ItemRef": {"value": item}, "Qty": 2, "UnitPrice": Decimal("5.25")}
        line = {"DetailType": "SalesItemLineDetail", "Description": text, "SalesItemLineDetail": detail}
        more = {"DepositToAccountRef": {"value": "35"}} if stream == "refund_receipts" else {}
        made = self.company.create(entity, CustomerRef={"value": customer}, Line=[line], **more)
        return str(made["Id"])

    def _known_parties(self) -> tuple[str, str]:
        if self._parties is None:
            self._parties = self._made("customers", "The buyer"), self._made("items", "The thing")
        return self._parties

    def _rewrite(self, stream: str, record_id: str, change: Any) -> None:
        """Put something into the books that no door of QuickBooks would let in."""
        row = self.company.tables[ENTITIES[stream]].rows[int(record_id)]
        row.body = encode(change(row.record))


def _noon(day: date) -> datetime:
    return datetime.combine(day, time(12), UTC)


__all__ = ["ENTITIES", "Customer", "InProcess", "QuickBooksRemote", "stamp_of"]
