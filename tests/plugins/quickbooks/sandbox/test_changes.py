"""Change data capture, and batches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.plugins.quickbooks.sandbox import payloads
from tests.plugins.quickbooks.sandbox.payloads import line, sale

if TYPE_CHECKING:
    from plugins.quickbooks.sandbox import Company, QuickBooksSandbox
    from tests.plugins.quickbooks.sandbox.wire import Clock, Wire

NOW = "2026-03-08T02:00:00-08:00"


async def changes(wire: Wire, entities: str, since: str = NOW) -> list[dict[str, Any]]:
    answer = await wire.get("cdc", entities=entities, changedSince=since)
    assert answer.status == 200, answer.body
    (response,) = answer.body["CDCResponse"]
    parts: list[dict[str, Any]] = response["QueryResponse"]
    return parts


async def test_what_changed_and_what_was_deleted(wire: Wire, company: Company, clock: Clock) -> None:
    company.create("Customer", DisplayName="Before")
    gone = company.create("Invoice", **sale("1", line("1")))["Id"]
    clock.forward(seconds=10)
    company.create("Invoice", **sale("1", line("2")))
    company.inactivate("Customer", "2")
    company.delete("Invoice", gone)
    deleted = {
        "domain": "QBO",
        "status": "Deleted",
        "Id": gone,
        "MetaData": {"LastUpdatedTime": "2026-03-08T03:00:00-07:00"},
    }
    assert await changes(wire, "Customer,Item,Invoice") == [
        {"Customer": [company.read("Customer", each) for each in ("1", "2")], "startPosition": 1, "maxResults": 2},
        {},
        {"Invoice": [company.read("Invoice", "2"), deleted], "startPosition": 1, "maxResults": 2},
    ]
    assert await changes(wire, "Invoice", "2026-03-08T10:00:01Z") == [{}]


async def test_a_merged_customer_is_deleted(wire: Wire, company: Company, clock: Clock) -> None:
    company.create("Customer", DisplayName="Amy's Bakery 2")
    clock.forward(seconds=10)
    company.merge("1", "2")
    (part,) = await changes(wire, "Customer")
    assert [(each["Id"], each.get("status")) for each in part["Customer"]] == [("1", None), ("2", "Deleted")]


async def test_at_most_1000_objects_in_one_answer_without_a_word(
    wire: Wire, sandbox: QuickBooksSandbox, company: Company
) -> None:
    sandbox.fill(company.realm, customers=700, invoices_each=1, settled=0, others=False)
    for each in [*company.records("Customer")]:
        company.touch("Customer", each["Id"])
    for each in [*company.records("Invoice")]:
        company.touch("Invoice", each["Id"])
    customers, invoices = await changes(wire, "Customer,Invoice", "2026-03-08T01:59:50-08:00")
    assert (len(customers["Customer"]), len(invoices["Invoice"])) == (701, 299)
    (invoices,) = await changes(wire, "Invoice", "2026-03-08T01:59:50-08:00")
    assert len(invoices["Invoice"]) == 700


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"changedSince": NOW}, "2020"),
        ({"entities": "Customer"}, "2020"),
        ({"entities": "Customer", "changedSince": "yesterday"}, "2010"),
        ({"entities": "Customer", "changedSince": "2026-02-06T09:59:49Z"}, "2010"),
        ({"entities": "Customer,TaxCode", "changedSince": NOW}, "500"),
        ({"entities": "TimeActivity", "changedSince": NOW}, "500"),
        ({"entities": "CompanyInfo", "changedSince": NOW}, "500"),
        ({"entities": "Customer", "changedSince": NOW, "startPosition": "1"}, "2010"),
    ],
)
async def test_what_cannot_be_asked(wire: Wire, params: dict[str, str], code: str) -> None:
    assert (await wire.get("cdc", **params)).error == (400, code, "ValidationFault")


async def test_30_days_back(wire: Wire) -> None:
    assert await changes(wire, "Customer", "2026-02-06T09:59:50Z") != [{}]


def item(bid: str, operation: str = "create", **more: Any) -> dict[str, Any]:
    return {"bId": bid, "operation": operation, **more}


async def test_a_batch(wire: Wire, company: Company) -> None:
    bills = [company.create("Invoice", **sale("1", line("1")))["Id"] for _ in range(2)]
    known = [{"Id": bill, "SyncToken": "0"} for bill in bills]
    items = [
        item("a", Customer=payloads.CUSTOMER),
        item("b", Customer=payloads.CUSTOMER),
        item("c", "update", Customer={"Id": "1", "SyncToken": "7", "sparse": True}),
        item("d", "delete", Invoice=known[0]),
        item("e", "update", Invoice=known[1], optionsData="void"),
        {"bId": "f", "Query": "SELECT * FROM Customer WHERE Id = '1'"},
        {"bId": "g", "Query": "SELECT * FROM Shoe"},
        item("h", "update", Customer={"DisplayName": "No id"}),
        item("i", "create", Customer={"Id": "1", "SyncToken": "0"}),
        item("j", "explode", Customer={}),
        item("k", Shoe={}),
        item("l", Customer={}, Invoice={}),
        {"bId": "m"},
    ]
    answer = await wire.post("batch", {"BatchItemRequest": items})
    assert answer.status == 200
    answered = {each["bId"]: each for each in answer.body["BatchItemResponse"]}
    codes = {bid: each["Fault"]["Error"][0]["code"] for bid, each in answered.items() if "Fault" in each}
    refused = {"b": "6240", "c": "5010", "g": "4001", "h": "2020", "i": "2010", "j": "500", "k": "500", "l": "2010"}
    assert codes == {**refused, "m": "500"}
    assert answered["a"]["Customer"] == company.read("Customer", "2")
    assert answered["d"]["Invoice"] == {"domain": "QBO", "status": "Deleted", "Id": bills[0]}
    assert answered["e"]["Invoice"]["PrivateNote"] == "Voided"
    assert answered["f"]["QueryResponse"]["Customer"] == [company.read("Customer", "1")]


async def test_a_batch_has_at_most_30_items(wire: Wire) -> None:
    query = {"bId": "1", "Query": "SELECT * FROM Customer"}
    assert (await wire.post("batch", {"BatchItemRequest": [query] * 30})).status == 200
    assert (await wire.post("batch", {"BatchItemRequest": [query] * 31})).error == (400, "1040", "ValidationFault")
    for wrong in ({}, {"BatchItemRequest": []}, {"BatchItemRequest": ["x"]}, {"BatchItemRequest": query}):
        assert (await wire.post("batch", wrong)).error[1] == "2020"


async def test_40_batches_a_minute_and_every_item_is_a_call(
    wire: Wire, sandbox: QuickBooksSandbox, clock: Clock
) -> None:
    query = {"bId": "1", "Query": "SELECT * FROM Customer"}
    for _ in range(40):
        assert (await wire.post("batch", {"BatchItemRequest": [query]})).status == 200
    assert (await wire.post("batch", {"BatchItemRequest": [query]})).error[1] == "3001"
    clock.forward(minutes=1)
    sandbox.throttling.per_minute = 59
    statuses = [(await wire.post("batch", {"BatchItemRequest": [query] * 30})).status for _ in range(2)]
    assert statuses == [200, 429]


async def test_a_batch_is_replayed_as_a_whole(wire: Wire, company: Company) -> None:
    batch = {"BatchItemRequest": [item("1", Customer=payloads.CUSTOMER)]}
    first = await wire.post("batch", batch, requestid="r")
    assert (await wire.post("batch", batch, requestid="r")).body == first.body
    assert len(list(company.records("Customer"))) == 2
