from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from tests.plugins.quickbooks.sandbox import payloads
from tests.plugins.quickbooks.sandbox.wire import REALM, Wire

if TYPE_CHECKING:
    from plugins.quickbooks.sandbox import Call, Company, QuickBooksSandbox
    from tests.plugins.quickbooks.sandbox.wire import Clock

COUNT = "SELECT count(*) FROM Customer"


async def statuses(wire: Wire, calls: int) -> list[int]:
    return [(await wire.query(COUNT)).status for _ in range(calls)]


async def test_an_access_token_dies_after_some_calls(wire: Wire, sandbox: QuickBooksSandbox) -> None:
    sandbox.faults.expire_after = 2
    assert await statuses(wire, 3) == [200, 200, 401]
    wire.token = sandbox.tokens_for(REALM)["access_token"]
    assert await statuses(wire, 3) == [200, 200, 401]
    sandbox.faults.expire_after = None
    assert await statuses(wire, 1) == [200]
    sandbox.authorizations.expire_access()
    assert await statuses(wire, 1) == [401]


async def test_throttled(wire: Wire, sandbox: QuickBooksSandbox) -> None:
    sandbox.faults.throttled = 2
    assert "retry-after" not in (await wire.query(COUNT)).headers
    sandbox.faults.retry_after = "7"
    answer = await wire.query(COUNT)
    assert (answer.error, answer.headers["retry-after"]) == ((429, "3001", "SERVICE"), "7")
    assert await statuses(wire, 1) == [200]


async def test_errors_of_the_vendors_own_happen_before_anything_else(
    wire: Wire, sandbox: QuickBooksSandbox, company: Company
) -> None:
    sandbox.faults.errors = 1
    answer = await wire.post("customer", payloads.CUSTOMER)
    assert answer.error == (500, "10000", "SystemFault")
    assert len(list(company.records("Customer"))) == 1
    assert (await wire.post("customer", payloads.CUSTOMER)).status == 200


@pytest.mark.parametrize(("fault", "content_type"), [("truncated", "application/json"), ("html", "text/html")])
async def test_an_answer_that_cannot_be_read(
    wire: Wire, sandbox: QuickBooksSandbox, company: Company, fault: str, content_type: str
) -> None:
    setattr(sandbox.faults, fault, 1)
    headers = {
        "authorization": f"Bearer {wire.token}",
        "accept": "application/json",
        "content-type": "application/json",
    }
    body = msgspec.json.encode({"DisplayName": "A"})
    response = await wire.http.post(f"/v3/company/{REALM}/customer", content=body, headers=headers)
    assert (response.status_code, response.headers["content-type"].partition(";")[0]) == (200, content_type)
    assert len(response.content) == int(response.headers["content-length"])
    with pytest.raises(msgspec.DecodeError):
        msgspec.json.decode(response.content)
    assert company.read("Customer", "2")["DisplayName"] == "A"
    assert await statuses(wire, 1) == [200]


async def test_a_dropped_answer_is_to_a_call_that_was_carried_out(
    wire: Wire, sandbox: QuickBooksSandbox, company: Company
) -> None:
    sandbox.faults.dropped = 1.0
    with pytest.raises(ConnectionResetError):
        await wire.post("customer", payloads.CUSTOMER, requestid="r-1")
    sandbox.faults.dropped = 0.0
    assert (await wire.post("customer", payloads.CUSTOMER, requestid="r-1")).body["Customer"]["Id"] == "2"
    assert len(list(company.records("Customer"))) == 2


async def test_a_lost_call_is_not_carried_out(wire: Wire, sandbox: QuickBooksSandbox, company: Company) -> None:
    sandbox.faults.lost = 1.0
    with pytest.raises(ConnectionResetError):
        await wire.post("customer", payloads.CUSTOMER)
    assert len(list(company.records("Customer"))) == 1


async def test_a_judge_of_ones_own_drops_answers(wire: Wire, sandbox: QuickBooksSandbox) -> None:
    seen: list[Call] = []

    def drop(call: Call) -> bool:
        seen.append(call)
        return call.method == "POST"

    sandbox.faults.drop = drop
    assert await statuses(wire, 1) == [200]
    with pytest.raises(ConnectionResetError):
        await wire.post("customer", payloads.CUSTOMER, requestid="r-1")
    assert [(call.method, call.path, call.status) for call in seen] == [
        ("GET", f"/v3/company/{REALM}/query", 200),
        ("POST", f"/v3/company/{REALM}/customer", 200),
    ]
    assert seen[1].query == "requestid=r-1"


async def test_half_of_the_answers_are_dropped_by_the_sandboxs_dice(wire: Wire, sandbox: QuickBooksSandbox) -> None:
    sandbox.faults.dropped = 0.5
    dropped = 0
    for _ in range(100):
        try:
            await wire.query(COUNT)
        except ConnectionResetError:
            dropped += 1
    assert 30 < dropped < 70


async def test_only_some_calls_are_hit(wire: Wire, sandbox: QuickBooksSandbox) -> None:
    sandbox.faults.only = "/oauth2/"
    sandbox.faults.dropped = 1.0
    assert await statuses(wire, 1) == [200]
    form = {"grant_type": "refresh_token", "refresh_token": sandbox.tokens_for(REALM)["refresh_token"]}
    form |= {"client_id": sandbox.client_id, "client_secret": sandbox.client_secret}
    with pytest.raises(ConnectionResetError):
        await wire.http.post("https://oauth.platform.intuit.com/oauth2/v1/tokens/bearer", data=form)
    assert sandbox.authorizations.refreshes == 1


async def test_slow_answers(wire: Wire, sandbox: QuickBooksSandbox) -> None:
    import asyncio

    sandbox.faults.delay = 30
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(wire.query(COUNT), 0.02)


async def test_a_row_that_comes_twice_on_a_page(wire: Wire, sandbox: QuickBooksSandbox, company: Company) -> None:
    company.create("Customer", DisplayName="B")
    sandbox.faults.duplicate_rows = 1
    assert await wire.ids("SELECT * FROM Customer") == ["1", "2", "1"]
    assert await wire.ids("SELECT * FROM Customer") == ["1", "2"]


async def test_rows_that_move_while_they_are_paged(
    wire: Wire, sandbox: QuickBooksSandbox, company: Company, clock: Clock
) -> None:
    for number in range(2, 7):
        company.create("Customer", DisplayName=f"Customer {number}")
    clock.forward(minutes=1)
    sandbox.faults.moving_rows = 1
    asked = "SELECT * FROM Customer ORDERBY MetaData.LastUpdatedTime STARTPOSITION {} MAXRESULTS 2"
    assert [await wire.ids(asked.format(start)) for start in (1, 3, 5)] == [["1", "2"], ["4", "5"], ["1", "4"]]
    assert await wire.ids("SELECT * FROM Customer MAXRESULTS 2") == ["1", "2"]
    assert company.read("Customer", "1")["SyncToken"] == "2"
