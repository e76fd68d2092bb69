from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from plugins.quickbooks.sandbox import Refused
from tests.plugins.quickbooks.sandbox import payloads

if TYPE_CHECKING:
    from plugins.quickbooks.sandbox import Company
    from tests.plugins.quickbooks.sandbox.wire import Clock, Wire


async def test_a_new_customer(wire: Wire) -> None:
    made = await wire.made("Customer", payloads.CUSTOMER)
    currency = {"value": "USD", "name": "United States Dollar"}
    assert made == {
        **payloads.CUSTOMER,
        "domain": "QBO",
        "sparse": False,
        "Id": "2",
        "SyncToken": "0",
        "FullyQualifiedName": "Negar's Gardens",
        "PrintOnCheckName": "Negar's Gardens",
        "BillAddr": {**payloads.CUSTOMER["BillAddr"], "Id": "1"},
        "ShipAddr": {**payloads.CUSTOMER["ShipAddr"], "Id": "2"},
        "CurrencyRef": currency,
        "Active": True,
        "Job": False,
        "BillWithParent": False,
        "IsProject": False,
        "Balance": 0,
        "BalanceWithJobs": 0,
        "MetaData": {"CreateTime": "2026-03-08T01:59:50-08:00", "LastUpdatedTime": "2026-03-08T01:59:50-08:00"},
    }
    assert (await wire.get("customer/2")).body["Customer"] == made


async def test_a_name_is_made_of_its_parts(wire: Wire) -> None:
    made = await wire.made("Customer", {"GivenName": "مریم", "FamilyName": "کریمی"})
    assert (made["DisplayName"], made["FullyQualifiedName"]) == ("مریم کریمی", "مریم کریمی")


async def test_a_sub_customer_is_named_after_its_parent(wire: Wire) -> None:
    made = await wire.made("Customer", {"DisplayName": "Shop", "ParentRef": {"value": "1"}})
    assert made["FullyQualifiedName"] == "Amy's Bakery:Shop"
    assert made["ParentRef"] == {"value": "1", "name": "Amy's Bakery"}
    circle = {"Id": "1", "SyncToken": "0", "sparse": True, "ParentRef": {"value": made["Id"]}}
    assert (await wire.post("customer", circle)).error[1] == "6000"


async def test_a_full_update_takes_away_what_it_leaves_out(wire: Wire, clock: Clock) -> None:
    made = await wire.made("Customer", payloads.CUSTOMER)
    clock.forward(minutes=30)
    known = {"Id": made["Id"], "SyncToken": "0", "DisplayName": "Negar", "Balance": 9}
    saved = await wire.made("Customer", known)
    assert saved["SyncToken"] == "1"
    assert {"Notes", "PrimaryEmailAddr", "GivenName", "BillAddr"} & set(saved) == set()
    assert (saved["Balance"], saved["Active"]) == (0, True)
    assert saved["MetaData"] == {
        "CreateTime": "2026-03-08T01:59:50-08:00",
        "LastUpdatedTime": "2026-03-08T03:29:50-07:00",
    }


async def test_a_sparse_update_changes_what_it_names(wire: Wire) -> None:
    made = await wire.made("Customer", payloads.CUSTOMER)
    change = {"Id": made["Id"], "SyncToken": "0", "sparse": True, "GivenName": "نیلوفر", "Notes": None}
    saved = await wire.made("Customer", change)
    expected = {**made, "GivenName": "نیلوفر", "SyncToken": "1"}
    del expected["Notes"]
    assert saved == expected


async def test_a_stale_object_is_refused_and_nothing_changes(wire: Wire, company: Company) -> None:
    before = company.edit("Customer", "1", Notes="first")
    stale = {"Id": "1", "SyncToken": "0", "sparse": True, "Notes": "second"}
    answer = await wire.post("customer", stale)
    assert answer.error == (400, "5010", "ValidationFault")
    assert answer.body["Fault"]["Error"][0]["Message"] == "Stale Object Error"
    assert answer.body["time"] == "2026-03-08T01:59:50.000-08:00"
    assert company.read("Customer", "1") == before


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"DisplayName": ""}, "2020"),
        ({"DisplayName": "Amy's Bakery"}, "6240"),
        ({"DisplayName": "a:b"}, "2010"),
        ({"DisplayName": "x" * 501}, "2050"),
        ({"GivenName": "x" * 101}, "2050"),
        ({"PrimaryEmailAddr": {"Address": "x" * 101}}, "2050"),
        ({"PrimaryPhone": {"FreeFormNumber": "1" * 31}}, "2050"),
        ({"Shoe": "41"}, "2010"),
        ({"PrimaryEmailAddr": {"Shoe": "41"}}, "2010"),
        ({"PrimaryEmailAddr": "a@b.example"}, "2010"),
        ({"Active": "yes"}, "2010"),
        ({"Taxable": []}, "2010"),
        ({"GivenName": ["a"]}, "2010"),
        ({"PreferredDeliveryMethod": "Pigeon"}, "2170"),
        ({"ParentRef": {"value": "99"}}, "2500"),
        ({"ParentRef": {"name": "Amy"}}, "2020"),
        ({"ParentRef": "1"}, "2010"),
        ({"SalesTermRef": {"value": "1"}}, "2500"),
        ({"DefaultTaxCodeRef": {"value": "VAT"}}, "2500"),
        ({"CurrencyRef": {"value": "EUR"}}, "6000"),
        ({"Id": "99", "SyncToken": "0"}, "610"),
        ({"Id": "1"}, "2020"),
    ],
)
async def test_what_a_customer_cannot_be(wire: Wire, company: Company, change: dict[str, Any], code: str) -> None:
    before = list(company.records("Customer"))
    answer = await wire.post("customer", {**payloads.CUSTOMER, "GivenName": "N", "FamilyName": "", **no_name(change)})
    assert answer.error == (400, code, "ValidationFault")
    assert list(company.records("Customer")) == before


def no_name(change: dict[str, Any]) -> dict[str, Any]:
    """A customer without a display name has no other name either."""
    nameless = {"GivenName": "", "CompanyName": ""} if change.get("DisplayName") == "" else {}
    return {**nameless, **change}


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b"<Customer/>"])
async def test_a_body_that_is_no_object_is_refused(wire: Wire, content: bytes) -> None:
    answer = await wire.call("POST", "customer", content, headers={"content-type": "application/json"})
    assert answer.error == (400, "2010", "ValidationFault")


async def test_a_body_must_say_that_it_is_json(wire: Wire) -> None:
    assert (await wire.call("POST", "customer", b'{"DisplayName":"A"}')).error[1] == "2010"


async def test_the_same_requestid_replays_the_first_answer(wire: Wire, company: Company) -> None:
    first = await wire.post("customer", payloads.CUSTOMER, requestid="r-1")
    company.edit("Customer", "2", Notes="changed since")
    again = await wire.post("customer", payloads.CUSTOMER, requestid="r-1")
    assert again.body == first.body
    assert len(list(company.records("Customer"))) == 2
    other = {**payloads.CUSTOMER, "DisplayName": "Another"}
    assert (await wire.post("customer", other, requestid="r-1")).error == (400, "600", "ValidationFault")
    assert (await wire.post("customer", other, requestid="r" * 51)).error[1] == "2050"
    assert (await wire.post("customer", other, requestid="r-2")).status == 200


async def test_a_refusal_does_not_use_up_a_requestid(wire: Wire, company: Company) -> None:
    assert (await wire.post("customer", {"DisplayName": "Amy's Bakery"}, requestid="r-1")).error[1] == "6240"
    assert (await wire.post("customer", {"DisplayName": "Amy's Garden"}, requestid="r-1")).status == 200


@pytest.mark.parametrize(
    ("path", "payload", "params"),
    [
        ("customer", {"Id": "1", "SyncToken": "0"}, {"operation": "delete"}),
        ("item", {"Id": "1", "SyncToken": "0"}, {"operation": "delete"}),
        ("customer", {"Id": "1", "SyncToken": "0"}, {"operation": "void"}),
        ("customer", {"Id": "1", "SyncToken": "0"}, {"operation": "explode"}),
        ("customer", {"Id": "1", "SyncToken": "0"}, {"include": "void"}),
        ("account", {"Name": "Cash", "AccountType": "Bank"}, {}),
        ("companyinfo", {"CompanyName": "Mine"}, {}),
        ("shoe", {"Size": 41}, {}),
    ],
)
async def test_what_an_entity_cannot_do(wire: Wire, path: str, payload: dict[str, Any], params: dict[str, str]) -> None:
    assert (await wire.post(path, payload, **params)).error == (400, "500", "ValidationFault")


async def test_a_new_item(wire: Wire) -> None:
    made = await wire.made("Item", payloads.ITEM)
    assert (made["Id"], made["UnitPrice"], made["Active"]) == ("2", Decimal("42.35"), True)
    assert made["IncomeAccountRef"] == {"value": "79", "name": "Sales of Product Income"}
    assert (await wire.post("item", payloads.ITEM)).error[1] == "6240"
    assert (await wire.post("item", {"Name": "Free"})).error[1] == "2020"


async def test_an_inactive_object_cannot_be_used_anew(wire: Wire, company: Company) -> None:
    company.inactivate("Customer", "1")
    answer = await wire.post("invoice", payloads.sale("1", payloads.line("10")))
    assert answer.error == (400, "610", "ValidationFault")


def test_a_person_needs_no_sync_token(company: Company) -> None:
    assert company.edit("Customer", "1", Notes="by hand")["SyncToken"] == "1"
    assert "Notes" not in company.edit("Customer", "1", Notes=None)
    assert company.touch("Customer", "1")["SyncToken"] == "3"
    with pytest.raises(Refused) as refused:
        company.create("Customer", DisplayName="Amy's Bakery")
    assert refused.value.code == "6240"
