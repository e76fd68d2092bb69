"""Whatever is done to them, the books stay right."""

from __future__ import annotations

from collections import Counter
from importlib.metadata import entry_points
from random import Random
from typing import TYPE_CHECKING

import pytest

from plugins.quickbooks.sandbox import QuickBooksSandbox, Refused
from tests.plugins.quickbooks.sandbox.payloads import line, payment, sale

if TYPE_CHECKING:
    from plugins.quickbooks.sandbox import Company
    from tests.plugins.quickbooks.sandbox.wire import Clock, Wire

DOCUMENTS = ("Invoice", "CreditMemo", "Payment")


class Bookkeeper:
    """Works at random, and is refused now and then."""

    def __init__(self, company: Company, seed: int) -> None:
        self.company = company
        self.random = Random(seed)  # noqa: S311 - the same work every time
        self.done: Counter[str] = Counter()

    def work(self) -> None:
        name = self.random.choice(
            ["bill", "credit", "pay", "edit", "repay", *["delete", "void", "merge", "move"], *["newcomer"] * 2]
        )
        try:
            getattr(self, name)()
        except Refused as refused:
            name = f"refused {refused.code}"
        self.done[name] += 1

    def any(self, entity: str) -> str:
        ids = self.company.tables[entity].all.ids
        if not ids:
            raise Refused("610", "", "there is none")
        return str(self.random.choice(ids))

    def amount(self) -> str:
        return f"{self.random.randrange(1, 100)}.{self.random.randrange(100):02}"

    def newcomer(self) -> None:
        parent = {"ParentRef": {"value": self.any("Customer")}} if self.random.random() < 0.5 else {}
        self.company.create("Customer", DisplayName=f"Customer {self.random.random()}", **parent)

    def bill(self) -> None:
        self.company.create("Invoice", **sale(self.any("Customer"), line(self.amount(), 2), line(self.amount())))

    def credit(self) -> None:
        self.company.create("CreditMemo", **sale(self.any("Customer"), line(self.amount())))

    def pay(self) -> None:
        bill = self.company.read("Invoice", self.any("Invoice"))
        documents = {"Invoice": (bill["Id"], self.amount())}
        if self.random.random() < 0.3:
            documents["CreditMemo"] = (self.any("CreditMemo"), self.amount())
        self.company.create("Payment", **payment(bill["CustomerRef"]["value"], self.amount(), **documents))

    def edit(self) -> None:
        self.company.edit("Invoice", self.any("Invoice"), Line=[line(self.amount(), 3)])

    def repay(self) -> None:
        bill = self.company.read("Invoice", self.any("Invoice"))
        other = payment(bill["CustomerRef"]["value"], self.amount(), Invoice=(bill["Id"], self.amount()))
        self.company.edit("Payment", self.any("Payment"), **other)

    def delete(self) -> None:
        entity = self.random.choice(DOCUMENTS)
        self.company.delete(entity, self.any(entity))

    def void(self) -> None:
        entity = self.random.choice(["Invoice", "Payment"])
        self.company.void(entity, self.any(entity))

    def merge(self) -> None:
        self.company.merge(self.any("Customer"), self.any("Customer"))

    def move(self) -> None:
        parent = {"value": self.any("Customer")} if self.random.random() < 0.7 else None
        self.company.edit("Customer", self.any("Customer"), ParentRef=parent)


def check(company: Company) -> None:
    """Balances are sums: of what is applied per document, of what is open per customer."""
    applied: Counter[tuple[str, str]] = Counter()
    links: Counter[tuple[str, str, str]] = Counter()
    open_of: Counter[str] = Counter()
    for each in company.records("Payment"):
        to_invoices = from_credits = 0
        for part in each["Line"]:
            (linked,) = part["LinkedTxn"]
            applied[linked["TxnType"], linked["TxnId"]] += part["Amount"]
            links[linked["TxnType"], linked["TxnId"], each["Id"]] += 1
            to_invoices += part["Amount"] if linked["TxnType"] == "Invoice" else 0
            from_credits += part["Amount"] if linked["TxnType"] == "CreditMemo" else 0
        assert each["UnappliedAmt"] == each["TotalAmt"] + from_credits - to_invoices >= 0
        open_of[each["CustomerRef"]["value"]] -= each["UnappliedAmt"]
    for entity, sign in (("Invoice", 1), ("CreditMemo", -1)):
        for each in company.records(entity):
            assert each["Balance"] == each["TotalAmt"] - applied[entity, each["Id"]] >= 0
            linked_by = {linked["TxnId"] for linked in each["LinkedTxn"]}
            assert linked_by == {payment for kind, number, payment in links if (kind, number) == (entity, each["Id"])}
            open_of[each["CustomerRef"]["value"]] += sign * each["Balance"]
    together = Counter(open_of)
    for each in company.records("Customer"):
        for above in company.above(each["Id"]):
            together[above] += open_of[each["Id"]]
    for each in company.records("Customer"):
        assert (each["Balance"], each["BalanceWithJobs"]) == (open_of[each["Id"]], together[each["Id"]])


@pytest.mark.parametrize("seed", range(3))
def test_balances_are_right_after_anything(company: Company, seed: int) -> None:
    bookkeeper = Bookkeeper(company, seed)
    for _ in range(400):
        bookkeeper.work()
        check(company)
    worked = {"bill", "credit", "pay", "edit", "repay", "delete", "void", "merge", "move", "newcomer"}
    assert worked | {"refused 6000"} <= bookkeeper.done.keys()


async def test_every_index_finds_what_a_look_through_everything_finds(
    company: Company, wire: Wire, clock: Clock
) -> None:
    bookkeeper = Bookkeeper(company, 7)
    for _ in range(300):
        clock.forward(seconds=1)
        bookkeeper.work()
    bills = [*company.records("Invoice")]
    for customer in company.records("Customer"):
        mine = [each["Id"] for each in bills if each["CustomerRef"]["value"] == customer["Id"]]
        assert await wire.ids(f"SELECT * FROM Invoice WHERE CustomerRef = '{customer['Id']}'") == mine
    by_time = sorted(bills, key=lambda each: (each["MetaData"]["LastUpdatedTime"], int(each["Id"])))
    asked = "SELECT * FROM Invoice ORDERBY MetaData.LastUpdatedTime MAXRESULTS 1000"
    assert await wire.ids(asked) == [each["Id"] for each in by_time]


def test_the_sandbox_is_found_by_its_entry_point() -> None:
    (found,) = entry_points(group="tenure.sandboxes", name="quickbooks")
    assert found.load() is QuickBooksSandbox
