"""The judge of Graph's answers finds what is wrong; that nothing is, each test of the sandbox shows by its client."""

from __future__ import annotations

from typing import Any

import pytest

from plugins.outlook.sandbox import OutlookSandbox
from tenure_sdk.http import httpx
from tests.conftest import SHARED
from tests.judges.graph_openapi import Judge

pytestmark = pytest.mark.shared


@pytest.fixture(scope="module")
def judge() -> Judge:
    return Judge(SHARED / "vendors" / "specs" / "msgraph")


@pytest.fixture
async def message() -> dict[str, Any]:
    """A message as the sandbox shows it."""
    sandbox = OutlookSandbox()
    mail = sandbox.mailbox("ana@acme.example").receive(("Kim", "kim@customer.example"), "Offer?", "Hello")
    headers = {"Authorization": f"Bearer {sandbox.tokens_for('ana@acme.example')['access_token']}"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=sandbox.app), headers=headers) as client:
        shown: dict[str, Any] = (await client.get(f"https://graph.microsoft.com/v1.0/me/messages/{mail.id}")).json()
    return shown


async def test_a_good_answer_is_good(judge: Judge, message: dict[str, Any]) -> None:
    assert judge.problems("GET", "/v1.0/me/messages/AAMk", 200, message) == []
    page = {
        "@odata.context": "x",
        "value": [message],
        "@odata.nextLink": "https://graph.microsoft.com/v1.0/me/messages",
    }
    assert judge.problems("GET", "/v1.0/users/ana/mailFolders('inbox')/messages/delta()", 200, page) == []


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"isRead": "yes"}, "$.isRead"),
        ({"receivedDateTime": "yesterday"}, "$.receivedDateTime"),
        ({"importance": "urgent"}, "$.importance"),
        ({"body": {"contentType": "rtf", "content": ""}}, "$.body"),
        ({"from": {"emailAddress": "kim@customer.example"}}, "$.from"),
        ({"toRecipients": None}, "$.toRecipients"),
        ({"flag": {"flagStatus": 1}}, "$.flag"),
        ({"subjekt": "Offer?"}, "$: the property subjekt"),
        ({"body": {"contentType": "html", "content": "", "charset": "utf-8"}}, "$.body: the property charset"),
    ],
)
async def test_a_wrong_answer_is_found(
    judge: Judge, message: dict[str, Any], change: dict[str, Any], where: str
) -> None:
    (problem,) = judge.problems("GET", "/v1.0/me/messages/AAMk", 200, message | change)
    assert problem.startswith(where)
    listed = judge.problems("GET", "/v1.0/me/messages", 200, {"value": [message, message | change]})
    assert [each.startswith(where.replace("$", "$.value[1]")) for each in listed] == [True]


def test_an_error_has_the_form_of_one(judge: Judge) -> None:
    good = {"error": {"code": "ErrorItemNotFound", "message": "Gone.", "innerError": {"request-id": "1"}}}
    assert judge.problems("GET", "/v1.0/me/messages/AAMk", 404, good) == []
    assert judge.problems("GET", "/v1.0/me/messages/AAMk", 404, {"error": {"code": "ErrorItemNotFound"}}) != []
    assert judge.problems("GET", "/v1.0/me/messages/AAMk", 404, {"message": "Gone."}) != []


def test_an_answer_where_none_is_described_is_found(judge: Judge) -> None:
    assert judge.problems("POST", "/v1.0/me/messages/AAMk/send", 202, None) == []
    assert judge.problems("POST", "/v1.0/me/messages/AAMk/send", 202, {}) != []
    assert judge.problems("GET", "/v1.0/me/secrets", 200, {}) != []
    assert judge.problems("GET", "/v1.0/me/secrets", 400, {}) == []
