from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from plugins.quickbooks.sandbox import Company, QuickBooksSandbox
    from tests.plugins.quickbooks.sandbox.wire import Clock, Wire


@pytest.fixture
def customers(company: Company, clock: Clock) -> list[str]:
    """Customer 1 and nine more, a minute apart; 4 is inactive and was changed last."""
    for number in range(2, 11):
        clock.forward(minutes=1)
        company.create(
            "Customer",
            DisplayName=f"Customer {number}",
            GivenName="آرش" if number % 2 else "O'Brien",
            PrimaryEmailAddr={"Address": f"{number}@example.org"},
        )
    clock.forward(minutes=1)
    company.inactivate("Customer", "4")
    return [str(number) for number in range(1, 11)]


async def test_a_page(wire: Wire, company: Company) -> None:
    answer = await wire.query("SELECT * FROM Customer")
    assert answer.status == 200
    assert answer.body == {
        "QueryResponse": {"Customer": [company.read("Customer", "1")], "startPosition": 1, "maxResults": 1},
        "time": "2026-03-08T01:59:50.000-08:00",
    }
    assert answer.headers["content-type"] == "application/json"
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", answer.headers["intuit_tid"])


async def test_nothing_found_is_an_empty_object(wire: Wire) -> None:
    assert (await wire.query("SELECT * FROM Invoice")).body["QueryResponse"] == {}


async def test_a_statement_can_be_posted(wire: Wire) -> None:
    headers = {"content-type": "application/text"}
    answer = await wire.call("POST", "query", b"select * from customer", headers=headers)
    assert [row["Id"] for row in answer.body["QueryResponse"]["Customer"]] == ["1"]


async def test_pages_begin_with_1_and_have_100_rows_unless_asked(
    wire: Wire, sandbox: QuickBooksSandbox, company: Company
) -> None:
    sandbox.fill(company.realm, customers=1_050)
    assert len(await wire.ids("SELECT * FROM Customer")) == 100
    assert len(await wire.ids("SELECT * FROM Customer MAXRESULTS 1000")) == 1_000
    assert await wire.ids("SELECT * FROM Customer STARTPOSITION 1001 MAXRESULTS 2") == ["1001", "1002"]
    assert len(await wire.ids("SELECT * FROM Customer STARTPOSITION 1001 MAXRESULTS 1000")) == 51
    assert await wire.ids("SELECT * FROM Customer STARTPOSITION 1052") == []


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ("DisplayName = 'Customer 7'", ["7"]),
        ("DisplayName = 'customer 7'", []),
        (r"GivenName = 'O\'Brien'", ["2", "6", "8", "10"]),
        ("GivenName = 'آرش' AND Id IN ('3', '5', '6')", ["3", "5"]),
        ("DisplayName LIKE 'Customer 1%'", ["10"]),
        ("DisplayName LIKE 'A%B%'", ["1"]),
        ("PrimaryEmailAddr = '9@example.org'", ["9"]),
        ("PrimaryEmailAddr LIKE '%@example.org' AND Active = false", ["4"]),
        ("Active IN (true, false) AND DisplayName > 'Customer 3'", ["4", "5", "6", "7", "8", "9"]),
        ("Active = true AND DisplayName <= 'Customer 2'", ["1", "2", "10"]),
        ("Balance > 0", []),
        ("Balance = '0' AND Id = '3'", ["3"]),
        ("MetaData.CreateTime < '2026-03-08T10:02:00Z'", ["1", "2", "3"]),
        ("Metadata.LastUpdatedTime >= '2026-03-08T10:08:50+00:00'", ["10"]),
        ("MetaData.LastUpdatedTime > '2026-03-08T10:08:50Z' AND Active IN (true, false)", ["4"]),
        ("MetaData.LastUpdatedTime = '2026-03-08T03:01:50-07:00'", ["3"]),
        ("MetaData.LastUpdatedTime < '2026-03-08'", []),
    ],
)
async def test_conditions(wire: Wire, customers: list[str], where: str, found: list[str]) -> None:
    assert await wire.ids(f"SELECT * FROM Customer WHERE {where}") == found


async def test_inactive_ones_are_hidden_unless_asked_for(wire: Wire, customers: list[str]) -> None:
    assert await wire.ids("SELECT * FROM Customer") == [number for number in customers if number != "4"]
    assert await wire.ids("SELECT * FROM Customer WHERE Active IN (true, false)") == customers
    assert await wire.ids("SELECT * FROM Customer WHERE Active = false") == ["4"]
    assert (await wire.query("SELECT count(*) FROM Customer")).body["QueryResponse"] == {"totalCount": 9}
    assert (await wire.get("customer/4")).body["Customer"]["Active"] is False


@pytest.mark.parametrize("keyword", ["ORDERBY", "ORDER BY", "order by"])
async def test_order(wire: Wire, customers: list[str], keyword: str) -> None:
    asked = f"SELECT * FROM Customer WHERE Active IN (true, false) {keyword}"
    assert await wire.ids(f"{asked} MetaData.LastUpdatedTime") == ["1", "2", "3", "5", "6", "7", "8", "9", "10", "4"]
    assert (await wire.ids(f"{asked} MetaData.LastUpdatedTime DESC MAXRESULTS 3")) == ["4", "10", "9"]
    assert (await wire.ids(f"{asked} GivenName, DisplayName DESC STARTPOSITION 2 MAXRESULTS 3")) == ["8", "6", "4"]


async def test_a_window_of_time_is_paged_in_order(wire: Wire, customers: list[str], clock: Clock) -> None:
    clock.forward(minutes=1)
    time = "MetaData.LastUpdatedTime"
    asked = f"SELECT * FROM Customer WHERE {time} > '2026-03-08T10:02:50Z' ORDERBY {time}"
    assert await wire.ids(f"{asked} MAXRESULTS 4") == ["5", "6", "7", "8"]
    assert await wire.ids(f"{asked} STARTPOSITION 5 MAXRESULTS 4") == ["9", "10"]


async def test_times_are_in_the_companys_offset_through_the_change_of_summer_time(
    wire: Wire, customers: list[str]
) -> None:
    answer = await wire.query("SELECT * FROM Customer MAXRESULTS 2")
    times = [row["MetaData"]["LastUpdatedTime"] for row in answer.body["QueryResponse"]["Customer"]]
    assert times == ["2026-03-08T01:59:50-08:00", "2026-03-08T03:00:50-07:00"]


async def test_documents_by_customer_and_number(wire: Wire, sandbox: QuickBooksSandbox, company: Company) -> None:
    sandbox.fill(company.realm, customers=20, invoices_each=2, settled=0)
    mine = await wire.ids("SELECT * FROM Invoice WHERE CustomerRef = '5'")
    assert mine == [each["Id"] for each in company.records("Invoice") if each["CustomerRef"]["value"] == "5"]
    assert len(mine) == 2
    assert await wire.ids("SELECT * FROM Invoice WHERE DocNumber = '1003'") == ["3"]
    assert await wire.ids("SELECT * FROM Invoice WHERE DocNumber = 1003 AND TotalAmt > 0") == ["3"]
    assert await wire.ids("SELECT * FROM Invoice WHERE CustomerRef = '5' AND TotalAmt < 0") == []


async def test_the_answer_has_whole_objects_whatever_is_selected(wire: Wire, company: Company) -> None:
    answer = await wire.query("SELECT Id, DisplayName FROM Customer")
    assert answer.body["QueryResponse"]["Customer"] == [company.read("Customer", "1")]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "2020"),
        ("SELECT", "4000"),
        ("SELECT * FROM Customer WHERE Id = '1' OR Id = '2'", "4000"),
        ("SELECT * FROM Customer JOIN Invoice", "4000"),
        ("SELECT * FROM Customer GROUP BY Active", "4000"),
        ("SELECT * FROM Customer WHERE Id != '1'", "4000"),
        ("SELECT * FROM Customer WHERE Id", "4000"),
        ("SELECT * FROM Customer WHERE Active = maybe", "4000"),
        ("SELECT * FROM Customer WHERE DisplayName = 'open", "4000"),
        ("SELECT * FROM Customer MAXRESULTS", "4000"),
        ("SELECT * FROM Customer MAXRESULTS 10 STARTPOSITION 1", "4000"),
        ("SELECT * FROM Customer; DROP TABLE Customer", "4000"),
        ("DELETE FROM Customer", "4000"),
        ("SELECT count(Id) FROM Customer", "4000"),
        ("SELECT * FROM Shoe", "4001"),
        ("SELECT Shoe FROM Customer", "4001"),
        ("SELECT * FROM Customer WHERE Shoe = '1'", "4001"),
        ("SELECT * FROM Customer ORDERBY Shoe", "4001"),
        ("SELECT * FROM Customer WHERE Id > '1'", "4001"),
        ("SELECT * FROM Customer WHERE Balance > 'much'", "4001"),
        ("SELECT * FROM Customer WHERE Active LIKE 'tr%'", "4001"),
        ("SELECT * FROM Customer WHERE BillAddr = 'Bayshore'", "4001"),
        ("SELECT * FROM Invoice WHERE Line = '1'", "4001"),
        ("SELECT * FROM Customer WHERE MetaData.LastUpdatedTime > 'yesterday'", "4001"),
        ("SELECT * FROM Customer STARTPOSITION 0", "4001"),
        ("SELECT * FROM Customer MAXRESULTS 1001", "4001"),
    ],
)
async def test_what_is_not_in_the_language_is_refused(wire: Wire, text: str, code: str) -> None:
    assert (await wire.query(text)).error == (400, code, "ValidationFault")
