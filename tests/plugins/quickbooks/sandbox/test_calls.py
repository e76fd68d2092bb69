"""What holds for every call of the company API: who calls, how often, with which parameters."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.plugins.quickbooks.sandbox.wire import Wire

if TYPE_CHECKING:
    from plugins.quickbooks.sandbox import Company, QuickBooksSandbox
    from tests.plugins.quickbooks.sandbox.wire import Clock

COUNT = "SELECT count(*) FROM Customer"


async def test_an_access_token_lives_an_hour(wire: Wire, clock: Clock) -> None:
    clock.forward(minutes=59, seconds=59)
    assert (await wire.query(COUNT)).status == 200
    clock.forward(seconds=1)
    answer = await wire.query(COUNT)
    assert answer.error == (401, "3200", "AUTHENTICATION")
    assert (
        answer.body["fault"]["error"][0]["message"] == "message=AuthenticationFailed; errorCode=003200; statusCode=401"
    )
    assert answer.body["warnings"] is None


@pytest.mark.parametrize("authorization", ["", "Bearer nobody", "Basic nobody"])
async def test_who_has_no_token_is_turned_away(wire: Wire, authorization: str) -> None:
    answer = await wire.call("GET", "query", params={"query": COUNT}, headers={"authorization": authorization})
    assert answer.error == (401, "3200", "AUTHENTICATION")


async def test_a_token_is_good_for_one_company(wire: Wire, sandbox: QuickBooksSandbox) -> None:
    wire.realm = sandbox.company("4620").realm
    assert (await wire.query(COUNT)).error == (403, "3100", "AuthorizationFault")


async def test_500_calls_a_minute(wire: Wire, clock: Clock) -> None:
    for _ in range(500):
        assert (await wire.query(COUNT)).status == 200
    answer = await wire.query(COUNT)
    assert answer.error == (429, "3001", "SERVICE")
    assert answer.body["fault"]["error"][0]["message"] == "message=ThrottleExceeded; errorCode=003001; statusCode=429"
    assert "retry-after" not in answer.headers
    clock.forward(seconds=59)
    assert (await wire.query(COUNT)).status == 429
    clock.forward(seconds=1)
    assert (await wire.query(COUNT)).status == 200


async def test_the_limit_is_each_companys_own(wire: Wire, sandbox: QuickBooksSandbox) -> None:
    sandbox.throttling.per_minute = 1
    other = Wire(sandbox, "4620")
    assert [(await each.query(COUNT)).status for each in (wire, other, wire)] == [200, 200, 429]


async def test_10_calls_at_once(wire: Wire, sandbox: QuickBooksSandbox) -> None:
    sandbox.throttling.per_minute = None
    release = asyncio.Event()

    async def slow_body() -> None:
        async def body() -> object:
            await release.wait()
            yield b'{"DisplayName": ""}'

        headers = {"authorization": f"Bearer {wire.token}", "accept": "application/json"}
        address = f"/v3/company/{wire.realm}/customer"
        await wire.http.post(address, content=body(), headers={**headers, "content-type": "application/json"})

    with sandbox.throttling.one_call(wire.realm):
        calls = [asyncio.create_task(slow_body()) for _ in range(9)]
        await asyncio.sleep(0.01)
        assert (await wire.query(COUNT)).error[:2] == (429, "3001")
        release.set()
        await asyncio.gather(*calls)
        assert (await wire.query(COUNT)).status == 200


async def test_limits_can_be_lifted(wire: Wire, sandbox: QuickBooksSandbox) -> None:
    sandbox.throttling.lift()
    assert {(await wire.query(COUNT)).status for _ in range(600)} == {200}


@pytest.mark.parametrize(
    ("path", "params", "expected"),
    [
        ("query", {"query": COUNT, "shoe": "1"}, (400, "2010", "ValidationFault")),
        ("query", {"query": COUNT, "minorversion": "76"}, (400, "2010", "ValidationFault")),
        ("query", {"query": COUNT, "minorversion": "new"}, (400, "2010", "ValidationFault")),
        ("customer/1", {"operation": "delete"}, (400, "2010", "ValidationFault")),
        ("customer/99", {}, (400, "610", "ValidationFault")),
        ("customer/x", {}, (400, "610", "ValidationFault")),
        ("shoe/1", {}, (400, "500", "ValidationFault")),
        ("companyinfo/1", {}, (400, "610", "ValidationFault")),
        ("customer", {}, (405, "500", "ValidationFault")),
        ("customer/1/shoe", {}, (404, "500", "ValidationFault")),
        ("invoice/1/send", {}, (405, "500", "ValidationFault")),
        ("", {}, (404, "500", "ValidationFault")),
    ],
)
async def test_what_there_is_not_is_never_answered_with_200(
    wire: Wire, path: str, params: dict[str, str], expected: tuple[int, str, str]
) -> None:
    assert (await wire.get(path, **params)).error == expected


async def test_only_json_is_spoken(wire: Wire) -> None:
    for accept in ("*/*", "application/xml", ""):
        answer = await wire.call("GET", "customer/1", headers={"accept": accept})
        assert answer.status == 406


async def test_minor_versions_up_to_75(wire: Wire) -> None:
    assert (await wire.get("customer/1", minorversion="75")).status == 200


async def test_the_company_itself(wire: Wire, company: Company) -> None:
    info = (await wire.get(f"companyinfo/{wire.realm}")).body["CompanyInfo"]
    assert (info["CompanyName"], info["Country"]) == (company.name, "US")
    assert (await wire.query("SELECT * FROM CompanyInfo")).body["QueryResponse"]["CompanyInfo"] == [info]


async def test_amounts_are_numbers_on_the_wire(wire: Wire, company: Company) -> None:
    company.edit("Item", "1", UnitPrice="0.10")
    response = await wire.http.get(
        f"/v3/company/{wire.realm}/item/1",
        headers={"authorization": f"Bearer {wire.token}", "accept": "application/json"},
    )
    assert b'"UnitPrice":0.10,' in response.content
