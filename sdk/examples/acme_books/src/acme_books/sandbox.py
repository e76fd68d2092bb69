"""A fake of Acme Books in memory, for the tests of those who use it."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from acme_books import AcmeBooks, Config
from tenure_sdk import Webhook
from tenure_sdk.testing import FakeRemote, Table, route, signed

ACCOUNTS = {"1": "Acme One", "2": "Acme Two"}
KINDS = {"customers": "customer", "invoices": "invoice"}


class FakeAcme(FakeRemote):
    tables = {
        "customers": Table(
            new=lambda n: {"name": f"Customer {n}", "emails": [f"c{n}@example.com"], "phones": []},
            optional=("emails", "phones"),
        ),
        "products": Table(new=lambda n: {"sku": f"SKU-{n}", "name": f"Product {n}"}, optional=("name",)),
        "invoices": Table(
            new=lambda n: {
                "number": f"R-{n}", "issued_at": "2026-02-01T09:00:00+01:00", "customer": f"c{n:06}",
                "total": f"{n}.10", "due": "0.10", "currency": "EUR", "status": "OPEN",
            },
            text="number", optional=("number",),
        ),
    }  # fmt: skip

    def __init__(self, account="1"):
        super().__init__(account)
        self.config = Config(company=account)

    @route("GET", "/v1/{company}")
    def company(self, call, company):
        return {"id": company, "name": ACCOUNTS[company]}

    @route("GET", "/v1/{company}/invoices/totals")
    def totals(self, call, company):
        rows = [row for row in self.rows["invoices"].values() if not row["deleted"]]
        return {"count": len(rows), "sums": {"EUR": str(sum(Decimal(row["total"]) for row in rows))}}

    @route("GET", "/v1/{company}/products")
    def products(self, call, company):
        return self.page("products", call, tombstones=False)

    @route("GET", "/v1/{company}/{stream}")
    def listed(self, call, company, stream):
        if "ids" in call.params:
            rows = [self.rows[stream].get(name) for name in call.params["ids"].split(",")]
            return {"items": [self.shown(row) for row in rows if row and not row["deleted"]], "next": None}
        return self.page(stream, call)

    @route("POST", "/v1/{company}/customers")
    def create(self, call, company):
        return self.shown(self.add("customers", **call.body))

    @route("POST", "/v1/{company}/customers/{name}")
    def update(self, call, company, name):
        version = call.headers.get("if-match", "*")
        return self.shown(self.change("customers", name, None if version == "*" else version, **call.body))

    def delivery(self, path, stream, ids):
        return self.call({"id": "event-1", "kind": KINDS[stream], "ids": ids})

    def unknown_delivery(self, path):
        return self.call({"id": "event-2", "kind": "moon", "ids": ["1"]})

    def call(self, event):
        [hook] = AcmeBooks.declared(Webhook)
        return signed(hook.verifier, msgspec.json.encode({"events": [event]}), self.secret, self.clock)
