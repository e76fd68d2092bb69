from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from plugins.quickbooks.sandbox import RETRIES, signature
from tests.plugins.quickbooks.sandbox.payloads import line, payment, sale
from tests.plugins.quickbooks.sandbox.wire import REALM

if TYPE_CHECKING:
    from plugins.quickbooks.sandbox import Company, QuickBooksSandbox
    from tests.plugins.quickbooks.sandbox.wire import Clock

URL = "https://tenure.example/hooks/app/quickbooks/events"


class Receiver:
    """Takes notifications, or does not."""

    def __init__(self) -> None:
        self.answers: list[int | Exception] = []
        self.bodies: list[bytes] = []
        self.signatures: list[str] = []

    async def __call__(self, url: str, headers: dict[str, str], body: bytes) -> int:
        assert (url, headers["content-type"]) == (URL, "application/json")
        self.bodies.append(body)
        self.signatures.append(headers["intuit-signature"])
        answer = self.answers.pop(0) if self.answers else 200
        if isinstance(answer, Exception):
            raise answer
        return answer

    @property
    def last(self) -> Any:
        return msgspec.json.decode(self.bodies[-1])


@pytest.fixture
def receiver(sandbox: QuickBooksSandbox, company: Company) -> Receiver:
    sandbox.webhooks.url = URL
    return Receiver()


# The known answers of Intuit's own SDKs: Java and .NET.
JAVA = (
    "b5771f19b12ddb4bcdb9f08bdc50bc63878a",
    (
        b'{"eventNotifications":[{"realmId":"1185883450","dataChangeEvent":{"entities":[{"name":"Customer","id":"1",'
        b'"operation":"Create","lastUpdated":"2015-10-05T14:42:19-0700"}]}}]}'
    ),
    "JC2GUwciPmRBwEO7WvrRmKqu9tGOKL8FFallocTFi8Q=",
)
DOT_NET = (
    "00faeec4-08d0-4996-bb37-698ae19f0149",
    (
        b'{"eventNotifications":[{"realmId":"1269959970","dataChangeEvent":{"entities":[{"name":"Vendor","id":"40",'
        b'"operation":"Update","lastUpdated":"2016-10-05T03:09:04.000Z"},{"name":"Customer","id":"43",'
        b'"operation":"Create","lastUpdated":"2016-10-05T03:07:04.000Z"}]}}]}'
    ),
    "6q+xGyMirJupwKTh2/WBl2NcdxzxqdIbk3sneKTxLWM=",
)


@pytest.mark.parametrize(("token", "body", "signed"), [JAVA, DOT_NET])
def test_signatures_are_the_vendors(token: str, body: bytes, signed: str) -> None:
    assert signature(token, body) == signed


async def test_nothing_is_announced_without_an_address(sandbox: QuickBooksSandbox, company: Company) -> None:
    assert await sandbox.deliver(Receiver()) == 0
    assert (sandbox.deliveries, sandbox.webhooks.next_due) == ([], None)


async def test_the_legacy_format(sandbox: QuickBooksSandbox, company: Company, receiver: Receiver) -> None:
    sandbox.webhooks.format = "legacy"
    company.create("Customer", DisplayName="Amy's Bakery 2")
    sandbox.company("4620").create("Customer", DisplayName="آرش")
    company.merge("1", "2")
    assert await sandbox.deliver(receiver) == 1
    at = {"lastUpdated": "2026-03-08T09:59:50.000Z", "name": "Customer"}
    assert receiver.last == {
        "eventNotifications": [
            {
                "realmId": REALM,
                "dataChangeEvent": {
                    "entities": [
                        {**at, "id": "2", "operation": "Create"},
                        {**at, "id": "1", "operation": "Merge", "deletedId": "2"},
                    ]
                },
            },
            {"realmId": "4620", "dataChangeEvent": {"entities": [{**at, "id": "1", "operation": "Create"}]}},
        ]
    }
    assert receiver.signatures == [signature(sandbox.verifier_token, receiver.bodies[0])]


async def test_cloud_events(sandbox: QuickBooksSandbox, company: Company, receiver: Receiver) -> None:
    company.create("Customer", DisplayName="Amy's Bakery 2")
    company.merge("1", "2")
    sandbox.company("4620").create("Customer", DisplayName="آرش")
    assert await sandbox.deliver(receiver) == 1
    first, second, third = receiver.last
    assert first == {
        "specversion": "1.0",
        "id": first["id"],
        "source": "intuit.sandbox",
        "type": "qbo.customer.created.v1",
        "datacontenttype": "application/json",
        "time": "2026-03-08T09:59:50.000000000Z",
        "intuitentityid": "2",
        "intuitaccountid": REALM,
        "data": {},
    }
    assert (second["type"], second["intuitentityid"], second["data"]) == (
        "qbo.customer.merged.v1",
        "1",
        {"deletedId": "2"},
    )
    assert third["intuitaccountid"] == "4620"
    assert len({each["id"] for each in receiver.last}) == 3


async def test_what_is_told_of_documents(sandbox: QuickBooksSandbox, company: Company, receiver: Receiver) -> None:
    bill = company.create("Invoice", **sale("1", line("10")))["Id"]
    paid = company.create("Payment", **payment("1", "10", Invoice=(bill, "10")))["Id"]
    company.delete("Payment", paid)
    company.void("Invoice", bill)
    await sandbox.deliver(receiver)
    assert [(each["type"].split(".")[1:3], each["intuitentityid"]) for each in receiver.last] == [
        (["invoice", "created"], bill),
        (["payment", "created"], paid),
        (["invoice", "updated"], bill),
        (["invoice", "updated"], bill),
        (["payment", "deleted"], paid),
        (["invoice", "voided"], bill),
    ]


async def test_retries_until_it_is_taken_and_later_ones_wait(
    sandbox: QuickBooksSandbox, company: Company, receiver: Receiver, clock: Clock
) -> None:
    company.touch("Customer", "1")
    receiver.answers = [500, 404, TimeoutError(), ConnectionResetError(), 301, 500, 500, 500, 500, 200]
    waits = []
    assert await sandbox.deliver(receiver) == 0
    company.touch("Customer", "1")
    while receiver.answers:
        assert sandbox.webhooks.next_due is not None
        sent = len(receiver.bodies)
        assert await sandbox.deliver(receiver) == 0
        assert len(receiver.bodies) == sent
        due = sandbox.deliveries[0].due - clock().timestamp()
        waits.append(int(due))
        clock.forward(seconds=due)
        if len(receiver.answers) == 1:
            assert await sandbox.deliver(receiver) == 2
        else:
            assert await sandbox.deliver(receiver) == 0
    assert waits == [10, 20, 30, 300, 1200, 7200, 14_400, 21_600, 21_600] == [*RETRIES, RETRIES[-1]]
    assert [status for _, status in sandbox.deliveries[0].attempts] == [
        500,
        404,
        None,
        None,
        301,
        500,
        500,
        500,
        500,
        200,
    ]
    assert len(set(receiver.bodies)) == 2
    assert sandbox.webhooks.next_due is None


async def test_faults(sandbox: QuickBooksSandbox, company: Company, receiver: Receiver, clock: Clock) -> None:
    sandbox.faults.webhook_duplicates = 1
    company.touch("Customer", "1")
    assert await sandbox.deliver(receiver) == 2
    assert receiver.bodies[0] == receiver.bodies[1]

    sandbox.faults.webhook_wrong_signatures = 1
    company.touch("Customer", "1")
    receiver.answers = [401]
    assert await sandbox.deliver(receiver) == 0
    clock.forward(seconds=10)
    assert await sandbox.deliver(receiver) == 1
    wrong, right = receiver.signatures[2:]
    assert right == signature(sandbox.verifier_token, receiver.bodies[3]) != wrong

    sandbox.faults.webhook_reorder = True
    made = [company.create("Customer", DisplayName=f"Customer {number}")["Id"] for number in range(2, 12)]
    assert await sandbox.deliver(receiver) == 10
    told = [msgspec.json.decode(body)[0]["intuitentityid"] for body in receiver.bodies[4:]]
    assert sorted(told, key=int) == made != told
