"""What QuickBooks calls about, in both formats, and what its faults mean."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from plugins.quickbooks.connector import QuickBooks
from plugins.quickbooks.sandbox import QuickBooksSandbox
from plugins.quickbooks.sandbox import refusals as refused
from tenure_sdk import (
    Answer,
    AuthExpired,
    AuthRevoked,
    Conflict,
    ConnectorError,
    Delivery,
    Merge,
    NotFound,
    PermissionDenied,
    RateLimited,
    RecordRejected,
    Signal,
    Webhook,
)
from tests.plugins.quickbooks.sandbox.wire import Clock

(HOOK,) = QuickBooks.declared(Webhook)
JAVA = (
    b'{"eventNotifications":[{"realmId":"1185883450","dataChangeEvent":{"entities":[{"name":"Customer","id":"1",'
    b'"operation":"Create","lastUpdated":"2015-10-05T14:42:19-0700"}]}}]}'
)
DOTNET = (
    b'{"eventNotifications":[{"realmId":"1269959970","dataChangeEvent":{"entities":[{"name":"Vendor","id":"40",'
    b'"operation":"Update","lastUpdated":"2016-10-05T03:09:04.000Z"},{"name":"Customer","id":"43",'
    b'"operation":"Create","lastUpdated":"2016-10-05T03:07:04.000Z"}]}}]}'
)
PUBLISHED = [
    ("b5771f19b12ddb4bcdb9f08bdc50bc63878a", JAVA, "JC2GUwciPmRBwEO7WvrRmKqu9tGOKL8FFallocTFi8Q="),
    ("00faeec4-08d0-4996-bb37-698ae19f0149", DOTNET, "6q+xGyMirJupwKTh2/WBl2NcdxzxqdIbk3sneKTxLWM="),
]
"""The vectors of Intuit's own SDKs for Java and .NET: verifier token, body, signature."""


def told(body: Any) -> list[Signal]:
    raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
    return QuickBooks().events(Delivery(raw, {}))


@pytest.mark.parametrize(("token", "body", "signature"), PUBLISHED)
def test_the_published_signatures_hold(token: str, body: bytes, signature: str) -> None:
    delivery = Delivery(body, {"intuit-signature": signature})
    assert HOOK.verifier.holds(delivery, ["another", token])
    assert not HOOK.verifier.holds(delivery, ["another"])
    assert not HOOK.verifier.holds(Delivery(body + b" ", delivery.headers), [token])


def test_the_door_is_that_of_the_app() -> None:
    assert (HOOK.door, HOOK.path, HOOK.challenge) == ("app", "events", None)


def test_calls_in_the_old_format() -> None:
    assert told(JAVA) == [
        Signal(
            "customers", ids=("1",), account="1185883450",
            event="1185883450:Customer:1:Create:2015-10-05T14:42:19-0700",
        )
    ]  # fmt: skip
    assert [(each.stream, each.ids) for each in told(DOTNET)] == [("customers", ("43",))]


def event(kind: str, id_: str = "7", realm: str = "1", **data: str) -> dict[str, Any]:
    return {
        "specversion": "1.0", "id": f"e-{kind}", "source": "intuit.x", "type": kind, "time":
        "2025-09-10T21:31:25.179851517Z", "intuitentityid": id_, "intuitaccountid": realm, "data": data,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("verb", "expected"),
    [
        ("created", {"ids": ("7",)}),
        ("updated", {"ids": ("7",)}),
        ("update", {"ids": ("7",)}),
        ("voided", {"ids": ("7",)}),
        ("void", {"ids": ("7",)}),
        ("deleted", {"deleted": ("7",)}),
        ("delete", {"deleted": ("7",)}),
    ],
)
def test_calls_as_cloud_events(verb: str, expected: dict[str, Any]) -> None:
    kind = f"qbo.invoice.{verb}.v1"
    assert told([event(kind)]) == [Signal("invoices", account="1", event=f"e-{kind}", **expected)]


def test_one_call_is_about_several_companies_and_what_we_do_not_read_says_nothing() -> None:
    events = [
        event("qbo.payment.created.v1", "1", "9130"),
        event("qbo.vendor.created.v1", "2", "9130"),
        event("qbo.creditmemo.created.v1", "3", "9131"),
        event("acme.invoice.created.v1", "4", "9131"),
        event("nonsense"),
    ]
    assert [(each.account, each.stream, each.ids) for each in told(events)] == [
        ("9130", "payments", ("1",)),
        ("9131", "credit_memos", ("3",)),
    ]


@pytest.mark.parametrize("verb", ["merge", "merged"])
def test_a_merge_names_both(verb: str) -> None:
    kind = f"qbo.customer.{verb}.v1"
    merge = Merge("customer", gone="9", into="7")
    assert told([event(kind, deletedId="9")]) == [
        Signal("customers", ids=("7",), deleted=("9",), account="1", event=f"e-{kind}", merges=(merge,))
    ]


@pytest.mark.parametrize("body", [b"", b"[", b"{}", b"5", b"null", b'[{"id":5}]', b'{"eventNotifications":[5]}'])
def test_what_is_no_call_is_told_as_such(body: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        told(body)


@pytest.mark.parametrize("shape", ["legacy", "cloudevents"])
async def test_what_the_sandbox_sends_is_understood(shape: Any) -> None:
    sandbox = QuickBooksSandbox(now=Clock())
    sandbox.webhooks.url, sandbox.webhooks.format = "https://tenure.example/hooks/app/quickbooks/events", shape
    one, two = sandbox.company("9130"), sandbox.company("9131")
    keep, lose = (one.create("Customer", DisplayName=name)["Id"] for name in ("Amy", "Amy B."))
    one.merge(keep, lose)
    two.create("Payment", CustomerRef={"value": two.create("Customer", DisplayName="Bill")["Id"]}, TotalAmt=5)
    taken: list[Signal] = []

    async def post(url: str, headers: dict[str, str], body: bytes) -> int:
        delivery = Delivery(body, headers)
        assert HOOK.verifier.holds(delivery, [sandbox.verifier_token])
        taken.extend(QuickBooks().events(delivery))
        return 200

    assert await sandbox.deliver(post) == 1
    assert [(each.account, each.stream, each.ids, each.deleted) for each in taken] == [
        ("9130", "customers", (keep,), ()),
        ("9130", "customers", (lose,), ()),
        ("9130", "customers", (keep,), (lose,)),
        ("9131", "customers", ("1",), ()),
        ("9131", "payments", ("1",), ()),
    ]
    assert len({each.event for each in taken}) == len(taken)


def answer(refusal: refused.Refused, **headers: str) -> Answer:
    body = msgspec.json.encode(refusal.body("2026-03-01T00:00:00-08:00"))
    return Answer(refusal.status, {"intuit_tid": "tid-1", **headers}, body, "https://quickbooks.api.intuit.com/v3/x")


def of_code(code: str, status: int = 400) -> refused.Refused:
    return refused.Refused(code, "Words", "More words", status=status)


@pytest.mark.parametrize(
    ("refusal", "expected"),
    [
        (refused.unauthenticated(), AuthExpired),
        (of_code("120", 401), AuthRevoked),
        (refused.foreign_company(), AuthRevoked),
        (of_code("6190", 403), PermissionDenied),
        (refused.throttled(), RateLimited),
        (refused.not_found("Customer", "7"), NotFound),
        (refused.stale(), Conflict),
        (refused.duplicate_name("Amy"), RecordRejected),
        (refused.duplicate_number("7"), RecordRejected),
        (of_code("6210"), RecordRejected),
        (refused.required("Line"), RecordRejected),
        (refused.unparsable("x"), None),
        (refused.broken(), None),
    ],
)
def test_a_fault_is_grouped_by_what_has_to_be_done(
    refusal: refused.Refused, expected: type[ConnectorError] | None
) -> None:
    problem = QuickBooks().classify(answer(refusal))
    assert type(problem) is (expected or type(None))
    assert problem is None or "intuit_tid tid-1" in str(problem)


def test_patience_is_taken_from_the_header() -> None:
    problem = QuickBooks().classify(answer(refused.throttled(), **{"retry-after": "7"}))
    assert isinstance(problem, RateLimited)
    assert problem.retry_after == 7


@pytest.mark.parametrize("content", [b"", b"<html>", b"[]", b'{"Fault": null}', b'{"Fault":{"Error":[5]}}', b'"x"'])
def test_an_answer_without_a_fault_is_left_to_its_status(content: bytes) -> None:
    assert QuickBooks().classify(Answer(403, {}, content, "https://x")) is None
