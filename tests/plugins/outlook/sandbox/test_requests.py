from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from plugins.outlook.sandbox import OutlookSandbox
from plugins.outlook.sandbox.faults import FAULTS
from tenure_sdk.http import httpx
from tests.plugins.outlook.sandbox.conftest import refusal, rounds

if TYPE_CHECKING:
    from plugins.outlook.sandbox import Mailbox
    from tests.plugins.outlook.sandbox.conftest import Clock, Judged

KIM = ("Kim Lee", "kim@customer.example")
CONTACT = {"displayName": "Kim"}


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "me/drive", (400, "BadRequest")),
        ("GET", "users", (400, "BadRequest")),
        ("GET", "groups/1", (400, "BadRequest")),
        ("GET", "me/messages/delta/more/and/more", (400, "BadRequest")),
        ("GET", "me/messages/delta", (400, "ErrorInvalidIdMalformed")),
        ("PUT", "me/messages", (405, "Request_BadRequest")),
        ("DELETE", "me", (405, "Request_BadRequest")),
        ("POST", "me/mailFolders/inbox/messages/delta", (405, "Request_BadRequest")),
        ("GET", "me/messages?top=5", (400, "ErrorInvalidUrlQuery")),
        ("GET", "me/messages?$search=x", (400, "ErrorInvalidUrlQuery")),
        ("GET", "me/messages?$top=0", (400, "ErrorInvalidUrlQuery")),
        ("GET", "me/messages?$top=1001", (400, "ErrorInvalidUrlQuery")),
        ("GET", "me/messages?$top=-1", (400, "ErrorInvalidUrlQuery")),
        ("GET", "me/messages?$skip=x", (400, "ErrorInvalidUrlQuery")),
        ("GET", "me/messages?$top=1&$top=2", (400, "BadRequest")),
        ("GET", "me/messages?$count=maybe", (400, "BadRequest")),
        ("GET", "me/messages?$select=subjekt", (400, "RequestBroker--ParseUri")),
        ("GET", "me/messages?$orderby=body", (400, "ErrorInvalidUrlQuery")),
        ("GET", "me/messages?$expand=attachments", (400, "ErrorInvalidUrlQuery")),
        ("GET", "me/messages?$filter=", (400, "ErrorInvalidUrlQueryFilter")),
        ("GET", "me/messages?$filter=subject eq 5", (400, "ErrorInvalidUrlQueryFilter")),
        ("GET", "me/messages?$filter=subject has 'x'", (400, "ErrorInvalidUrlQueryFilter")),
        ("GET", "me/messages?$filter=isRead eq true or isRead eq false", (400, "ErrorInvalidUrlQueryFilter")),
        ("GET", "me/messages?$filter=body eq 'x'", (400, "ErrorInvalidUrlQueryFilter")),
        ("GET", "me/mailFolders/inbox/messages/delta?$orderby=subject", (400, "ErrorInvalidUrlQuery")),
        ("GET", "me/mailFolders/nosuchfolder", (400, "ErrorInvalidIdMalformed")),
        ("POST", "me/messages", (400, "BadRequest")),
    ],
)
async def test_what_is_not_offered_is_refused(
    graph: httpx.AsyncClient, method: str, path: str, expected: tuple[int, str]
) -> None:
    answer = await graph.request(method, path, headers={"client-request-id": "c-1"})
    assert refusal(answer) == expected
    about = answer.json()["error"]["innerError"]
    assert (about["client-request-id"], about["date"], "request-id" in about) == ("c-1", "2026-11-23T09:00:00", True)


async def test_ids_of_one_mailbox_mean_nothing_in_another(
    graph: httpx.AsyncClient, sandbox: OutlookSandbox, ana: Mailbox
) -> None:
    theirs = sandbox.mailbox("bo@acme.example")
    mail = theirs.receive(KIM, "Secret")
    assert refusal(await graph.get(f"me/messages/{mail.id}")) == (404, "ErrorItemNotFound")
    assert refusal(await graph.get(f"me/mailFolders/{theirs.known('inbox').id}")) == (404, "ErrorItemNotFound")
    contact = ana.add_contact("Kim")
    assert refusal(await graph.get(f"me/messages/{contact.id}")) == (404, "ErrorItemNotFound")


async def test_a_batch_answers_each_request_for_itself(graph: httpx.AsyncClient, ana: Mailbox) -> None:
    mail = ana.receive(KIM, "Offer?")
    requests = [
        {"id": "1", "method": "GET", "url": f"/me/messages/{mail.id}?$select=subject"},
        {"id": "2", "method": "POST", "url": "/me/contacts", "headers": {"Accept": "*/*"}, "body": CONTACT},
        {"id": "3", "method": "GET", "url": "/me/nothing", "dependsOn": ["2"]},
        {"id": "4", "method": "DELETE", "url": f"/me/messages/{mail.id}", "dependsOn": ["3"]},
        {"id": "5", "method": "DELETE", "url": f"/me/messages/{mail.id}"},
    ]  # fmt: skip
    answer = await graph.post("$batch", json={"requests": requests})
    found = {each["id"]: each for each in answer.json()["responses"]}
    assert {name: each["status"] for name, each in found.items()} == {"1": 200, "2": 201, "3": 400, "4": 424, "5": 204}
    assert found["1"]["body"]["subject"] == "Offer?"
    assert "body" not in found["5"]
    assert mail.folder is ana.known("deleteditems")


@pytest.mark.parametrize(
    "requests",
    [
        [],
        [{"id": str(number), "method": "GET", "url": "/me"} for number in range(21)],
        [{"id": "1", "method": "GET", "url": "/me"}, {"id": "1", "method": "GET", "url": "/me"}],
        [{"id": "1", "method": "GET", "url": "/me", "dependsOn": ["2"]}],
        [{"id": "1", "method": "POST", "url": "/$batch", "body": {}}],
        [{"id": "1", "method": "TRACE", "url": "/me"}],
    ],
)
async def test_a_batch_that_is_not_one_is_refused(graph: httpx.AsyncClient, requests: list[dict[str, Any]]) -> None:
    assert (await graph.post("$batch", json={"requests": requests})).status_code == 400


async def test_four_requests_at_once_and_no_more(
    graph: httpx.AsyncClient, sandbox: OutlookSandbox, ana: Mailbox
) -> None:
    sandbox.faults.slow = 0.01
    answers = await asyncio.gather(*(graph.get("me/contacts") for _ in range(7)))
    assert Counter(each.status_code for each in answers) == {200: 4, 429: 3}
    refused = next(each for each in answers if each.status_code == 429)
    assert (refusal(refused)[1], refused.headers["Retry-After"]) == ("ApplicationThrottled", "1")
    assert sandbox.throttle.most_at_once[ana.address] == 4
    assert (await graph.get("me/contacts")).status_code == 200


async def test_ten_thousand_requests_in_ten_minutes(
    graph: httpx.AsyncClient, sandbox: OutlookSandbox, ana: Mailbox, clock: Clock
) -> None:
    for _ in range(9_999):
        with sandbox.throttle.admitted(ana.address):
            pass
    assert (await graph.get("me")).status_code == 200
    clock.forward(minutes=4)
    refused = await graph.get("me")
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "360")
    clock.forward(minutes=6)
    assert (await graph.get("me")).status_code == 200


async def test_a_throttled_answer_may_name_a_fraction_of_a_second(
    graph: httpx.AsyncClient, sandbox: OutlookSandbox, ana: Mailbox
) -> None:
    sandbox.faults.coming.extend(["throttled", None])
    refused = await graph.post("me/contacts", json=CONTACT)
    assert (refused.headers["Retry-After"], refused.json()["error"]["innerError"]["status"]) == ("2.128", "429")
    assert ana.items == {}
    assert (await graph.post("me/contacts", json=CONTACT)).status_code == 201


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("failed", (500, "InternalServerError")),
        ("unavailable", (503, "ServiceUnavailable")),
        ("expired", (401, "InvalidAuthenticationToken")),
        ("throttled", (429, "ApplicationThrottled")),
    ],
)
async def test_a_fault_before_the_effect_leaves_none(
    graph: httpx.AsyncClient, sandbox: OutlookSandbox, ana: Mailbox, fault: Any, expected: tuple[int, str]
) -> None:
    sandbox.faults.coming.append(fault)
    assert refusal(await graph.post("me/contacts", json=CONTACT)) == expected
    assert ana.items == {}
    assert ((await graph.get("me")).status_code == 401) is (fault == "expired")


async def test_a_conflict_out_of_nothing_needs_a_version_to_conflict_with(
    graph: httpx.AsyncClient, sandbox: OutlookSandbox, ana: Mailbox
) -> None:
    contact = ana.add_contact("Kim")
    sandbox.faults.coming.extend(["conflict", "conflict", None])
    current = {"If-Match": contact.etag}
    refused = await graph.patch(f"me/contacts/{contact.id}", json={"jobTitle": "A"}, headers=current)
    assert refusal(refused) == (412, "ErrorIrresolvableConflict")
    assert (await graph.patch(f"me/contacts/{contact.id}", json={"jobTitle": "B"})).status_code == 200
    assert (contact.fields["jobTitle"], contact.version) == ("B", 2)


async def test_a_dropped_reply_comes_after_the_write(
    graph: httpx.AsyncClient, sandbox: OutlookSandbox, ana: Mailbox
) -> None:
    sandbox.faults.coming.append("dropped")
    with pytest.raises(httpx.RemoteProtocolError):
        await graph.post("me/contacts", json=CONTACT)
    assert len(ana.items) == 1
    assert sandbox.calls[-1] == ("POST", "/v1.0/me/contacts", 201)


@pytest.mark.parametrize("fault", ["truncated", "html"])
async def test_a_spoiled_reply_comes_after_the_write(
    graph: httpx.AsyncClient, sandbox: OutlookSandbox, ana: Mailbox, fault: Any
) -> None:
    sandbox.faults.coming.append(fault)
    answer = await graph.post("me/contacts", json=CONTACT)
    assert (answer.status_code, len(ana.items)) == (201, 1)
    with pytest.raises(ValueError, match="Expecting value"):
        answer.json()
    assert answer.headers["Content-Type"] == ("text/html" if fault == "html" else "application/json")


async def test_a_hook_decides_call_by_call(graph: httpx.AsyncClient, sandbox: OutlookSandbox, ana: Mailbox) -> None:
    sandbox.faults.hook = lambda request: "failed" if request.method == "POST" else None
    assert (await graph.post("me/contacts", json=CONTACT)).status_code == 500
    assert (await graph.get("me/contacts")).status_code == 200
    sandbox.faults.clear()
    assert (await graph.post("me/contacts", json=CONTACT)).status_code == 201


async def test_chances_are_drawn_from_the_seed(transport: Judged, clock: Clock) -> None:
    async def statuses() -> list[int]:
        sandbox = OutlookSandbox(now=clock, seed=5)
        sandbox.faults.chances = {"failed": 0.3, "throttled": 0.2}
        token = sandbox.tokens_for("ana@acme.example")["access_token"]
        headers = {"Authorization": f"Bearer {token}"}
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=sandbox.app), headers=headers) as client:
            return [(await client.get("https://graph.microsoft.com/v1.0/me")).status_code for _ in range(100)]

    found = await statuses()
    assert found == await statuses()
    assert Counter(found).keys() == {200, 429, 500}
    assert FAULTS == ("throttled", "failed", "unavailable", "expired", "conflict", "truncated", "html", "dropped")


async def test_a_token_may_end_after_some_calls(
    graph: httpx.AsyncClient, sandbox: OutlookSandbox, ana: Mailbox
) -> None:
    sandbox.faults.expire_token_after = 2
    assert [(await graph.get("me")).status_code for _ in range(4)] == [200, 200, 401, 401]
    fresh = {"Authorization": f"Bearer {sandbox.tokens_for(ana.address)['access_token']}"}
    assert (await graph.get("me", headers=fresh)).status_code == 200


async def test_a_filled_mailbox_is_lively_and_always_the_same(
    graph: httpx.AsyncClient, sandbox: OutlookSandbox, ana: Mailbox, clock: Clock
) -> None:
    people = [("Kim Lee", "kim@customer.example"), ("Bo Ray", "bo@other.example"), ("Di Fox", "di@third.example")]
    sandbox.fill(ana.address, people=people, mails=200, events=40, contacts=5)
    other = OutlookSandbox(now=clock)
    other.fill(ana.address, people=people, mails=200, events=40, contacts=5)
    twin = other.mailbox(ana.address)
    assert {key: item.fields for key, item in ana.items.items()} == {
        key: item.fields for key, item in twin.items.items()
    }
    sizes = {name: len(ana.known(name).items) for name in ("inbox", "sentitems", "drafts", "junkemail", "archive")}
    assert sum(sizes.values()) == 200
    assert all(sizes.values())
    senders = {item.fields["from"]["emailAddress"]["address"] for item in ana.known("inbox").items.values()}
    assert {"robin@acme.example", *(email for _, email in people)} <= senders
    events = [item.fields for item in ana.known("calendar").items.values()]
    assert {"private", None} == {each.get("sensitivity") for each in events}
    assert {True, False} == {bool(each.get("recurrence")) for each in events}
    found, _ = await rounds(graph, "me/mailFolders/inbox/messages/delta")
    assert len(found) == sizes["inbox"]
    assert len((await graph.get("me/contacts")).json()["value"]) == 5
