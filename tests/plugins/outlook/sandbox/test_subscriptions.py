from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest

from plugins.outlook.sandbox import notifications
from tests.plugins.outlook.sandbox.conftest import refusal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from plugins.outlook.sandbox import Mailbox, OutlookSandbox
    from tenure_sdk.http import httpx
    from tests.plugins.outlook.sandbox.conftest import Clock

KIM = ("Kim Lee", "kim@customer.example")
HOOK, LIFE = "https://tenure.example/hooks/t1/graph", "https://tenure.example/hooks/t1/lifecycle"
WANTED: dict[str, Any] = {
    "changeType": "created,updated,deleted",
    "notificationUrl": HOOK,
    "lifecycleNotificationUrl": LIFE,
    "resource": "me/mailFolders('inbox')/messages",
    "expirationDateTime": "2026-11-25T09:00:00Z",
    "clientState": "s3cret",
}


@dataclass
class Receiver:
    """What stands at the notification URL."""

    status: int = 202
    handshakes: list[str] = field(default_factory=list)
    received: list[dict[str, Any]] = field(default_factory=list)
    echo: bool = True

    async def __call__(self, url: str, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        token = parse_qs(urlsplit(url).query).get("validationToken")
        if token:
            self.handshakes.append(url.partition("?")[0])
            assert headers["Content-Type"].startswith("text/plain")
            return 200, token[0].encode() if self.echo else b"hello"
        if 200 <= self.status < 300:
            self.received += [{"url": url, **each} for each in msgspec.json.decode(body)["value"]]
        return self.status, b""


@pytest.fixture
def receiver(sandbox: OutlookSandbox) -> Receiver:
    made = Receiver()
    sandbox.post = made
    return made


async def test_a_subscription_is_made_after_the_handshake(
    graph: httpx.AsyncClient, receiver: Receiver, sandbox: OutlookSandbox
) -> None:
    made = await graph.post("subscriptions", json=WANTED)
    shown = made.json()
    assert (made.status_code, shown["expirationDateTime"]) == (201, "2026-11-25T09:00:00Z")
    assert (shown["resource"], shown["applicationId"]) == (WANTED["resource"], sandbox.client_id)
    assert receiver.handshakes == [HOOK, LIFE]
    assert (await graph.get(f"subscriptions/{shown['id']}")).json() == shown
    assert [each["id"] for each in (await graph.get("subscriptions")).json()["value"]] == [shown["id"]]


async def test_a_receiver_that_does_not_echo_gets_none(
    graph: httpx.AsyncClient, receiver: Receiver, sandbox: OutlookSandbox
) -> None:
    receiver.echo = False
    assert refusal(await graph.post("subscriptions", json=WANTED)) == (400, "ValidationError")
    assert sandbox.notifier.subscriptions == {}


async def test_a_receiver_that_is_slow_gets_none(
    graph: httpx.AsyncClient, sandbox: OutlookSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(_url: str, _headers: Mapping[str, str], _body: bytes) -> tuple[int, bytes]:
        await asyncio.sleep(60)
        raise AssertionError

    assert notifications.HANDSHAKE_SECONDS == 10
    monkeypatch.setattr(notifications, "HANDSHAKE_SECONDS", 0.01)
    sandbox.post = never
    assert refusal(await graph.post("subscriptions", json=WANTED)) == (400, "ValidationError")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"resource": "me/drive/root"}, "InvalidRequest"),
        ({"resource": "me/mailFolders('inbox')"}, "InvalidRequest"),
        ({"changeType": "created,touched"}, "InvalidRequest"),
        ({"notificationUrl": "http://tenure.example/hook"}, "InvalidRequest"),
        ({"expirationDateTime": "2026-11-23T08:59:00Z"}, "ValidationError"),
        ({"expirationDateTime": "2026-11-26T07:31:00Z"}, "ValidationError"),
        ({"clientState": "s" * 129}, "RequestBodyRead"),
        ({"secret": "s"}, "RequestBodyRead"),
    ],
)
async def test_what_is_not_allowed_is_refused(
    graph: httpx.AsyncClient, receiver: Receiver, sandbox: OutlookSandbox, change: dict[str, str], code: str
) -> None:
    assert refusal(await graph.post("subscriptions", json={**WANTED, **change})) == (400, code)
    assert sandbox.notifier.subscriptions == {}


async def test_the_longest_life_is_4230_minutes_and_the_shortest_45(
    graph: httpx.AsyncClient, receiver: Receiver
) -> None:
    longest = await graph.post("subscriptions", json={**WANTED, "expirationDateTime": "2026-11-26T07:30:00Z"})
    assert (longest.status_code, longest.json()["expirationDateTime"]) == (201, "2026-11-26T07:30:00Z")
    shortest = await graph.post("subscriptions", json={**WANTED, "expirationDateTime": "2026-11-23T09:05:00Z"})
    assert shortest.json()["expirationDateTime"] == "2026-11-23T09:45:00Z"


async def test_changes_are_told_with_the_state_of_the_client(
    graph: httpx.AsyncClient, receiver: Receiver, sandbox: OutlookSandbox, ana: Mailbox
) -> None:
    made = (await graph.post("subscriptions", json=WANTED)).json()
    mail = ana.receive(KIM, "Offer?")
    ana.receive(KIM, "Elsewhere", folder="archive")
    assert await sandbox.deliver() == (1, 0, 0)
    (told,) = receiver.received
    resource = f"Users/{ana.user_id}/Messages/{mail.id}"
    assert {name: value for name, value in told.items() if name != "id"} == {
        "url": HOOK,
        "subscriptionId": made["id"],
        "subscriptionExpirationDateTime": "2026-11-25T09:00:00Z",
        "clientState": "s3cret",
        "changeType": "created",
        "resource": resource,
        "tenantId": notifications.TENANT,
        "resourceData": {
            "@odata.type": "#Microsoft.Graph.Message",
            "@odata.id": resource,
            "@odata.etag": mail.etag,
            "id": mail.id,
        },
    }
    ana.edit(mail, isRead=True)
    ana.move_to(mail, "archive")
    await sandbox.deliver()
    assert [each["changeType"] for each in receiver.received] == ["created", "updated", "deleted"]


async def test_events_contacts_and_other_mailboxes_keep_apart(
    graph: httpx.AsyncClient, receiver: Receiver, sandbox: OutlookSandbox, ana: Mailbox, clock: Clock
) -> None:
    await graph.post("subscriptions", json={**WANTED, "resource": "me/contacts"})
    await graph.post(
        "subscriptions", json={**WANTED, "resource": f"/users/{ana.user_id}/events", "clientState": "other"}
    )
    sandbox.mailbox("bo@acme.example").add_contact("Kim")
    ana.add_contact("Kim")
    ana.add_event("Review", clock())
    ana.receive(KIM, "Offer?")
    await sandbox.deliver()
    told = [(each["resourceData"]["@odata.type"], each["clientState"]) for each in receiver.received]
    assert told == [("#Microsoft.Graph.Contact", "s3cret"), ("#Microsoft.Graph.Event", "other")]


async def test_renewal_expiry_and_the_end(
    graph: httpx.AsyncClient, receiver: Receiver, clock: Clock, ana: Mailbox, sandbox: OutlookSandbox
) -> None:
    made = (await graph.post("subscriptions", json={**WANTED, "expirationDateTime": "2026-11-23T09:46:00Z"})).json()
    url = f"subscriptions/{made['id']}"
    renewed = await graph.patch(url, json={"expirationDateTime": "2026-11-23T10:00:00Z"})
    assert (renewed.status_code, renewed.json()["expirationDateTime"]) == (200, "2026-11-23T10:00:00Z")
    clock.forward(minutes=50)
    assert (await graph.get(url)).status_code == 200
    clock.forward(minutes=9.99)
    assert (await graph.get(url)).status_code == 200
    clock.forward(minutes=0.01)
    fresh = {"Authorization": f"Bearer {sandbox.tokens_for(ana.address)['access_token']}"}
    late = await graph.patch(url, json={"expirationDateTime": "2026-11-24T10:00:00Z"}, headers=fresh)
    assert refusal(late) == (404, "ResourceNotFound")
    ana.receive(KIM, "Offer?")
    assert await sandbox.deliver() == (0, 0, 0)


async def test_a_subscription_can_be_ended(graph: httpx.AsyncClient, receiver: Receiver) -> None:
    made = (await graph.post("subscriptions", json=WANTED)).json()
    assert (await graph.delete(f"subscriptions/{made['id']}")).status_code == 204
    assert refusal(await graph.delete(f"subscriptions/{made['id']}")) == (404, "ResourceNotFound")


async def test_what_is_not_taken_is_sent_again_and_at_last_missed(
    graph: httpx.AsyncClient, receiver: Receiver, sandbox: OutlookSandbox, ana: Mailbox, clock: Clock
) -> None:
    await graph.post("subscriptions", json=WANTED)
    receiver.status = 500
    ana.receive(KIM, "Offer?")
    assert await sandbox.deliver() == (0, 1, 1)
    assert await sandbox.deliver() == (0, 0, 1)
    clock.forward(seconds=10)
    assert await sandbox.deliver() == (0, 1, 1)
    for wait in notifications.RETRIES[1:]:
        clock.forward(seconds=wait.total_seconds())
        await sandbox.deliver()
    assert sum(wait.total_seconds() for wait in notifications.RETRIES) <= 4 * 3600
    receiver.status = 202
    assert await sandbox.deliver() == (1, 0, 0)
    assert [(each["url"], each["lifecycleEvent"]) for each in receiver.received] == [(LIFE, "missed")]


async def test_reauthorization_is_asked_for_and_holds_back_until_it_comes(
    graph: httpx.AsyncClient, receiver: Receiver, sandbox: OutlookSandbox, ana: Mailbox
) -> None:
    made = (await graph.post("subscriptions", json=WANTED)).json()
    sandbox.tell_lifecycle(ana.address, "reauthorizationRequired")
    ana.receive(KIM, "Offer?")
    assert await sandbox.deliver() == (1, 0, 1)
    assert [each.get("lifecycleEvent") for each in receiver.received] == ["reauthorizationRequired"]
    assert (await graph.post(f"subscriptions/{made['id']}/reauthorize")).status_code == 204
    assert await sandbox.deliver() == (1, 0, 0)
    assert receiver.received[-1]["changeType"] == "created"


async def test_a_removed_subscription_is_told_and_gone(
    graph: httpx.AsyncClient, receiver: Receiver, sandbox: OutlookSandbox, ana: Mailbox
) -> None:
    made = (await graph.post("subscriptions", json=WANTED)).json()
    sandbox.tell_lifecycle(ana.address, "subscriptionRemoved")
    assert await sandbox.deliver() == (1, 0, 0)
    assert [each["lifecycleEvent"] for each in receiver.received] == ["subscriptionRemoved"]
    assert refusal(await graph.get(f"subscriptions/{made['id']}")) == (404, "ResourceNotFound")


async def test_notifications_may_come_twice_forged_and_in_any_order(
    graph: httpx.AsyncClient, receiver: Receiver, sandbox: OutlookSandbox, ana: Mailbox
) -> None:
    await graph.post("subscriptions", json=WANTED)
    mails = [ana.receive(KIM, f"Mail {number}") for number in range(8)]
    sandbox.faults.duplicated_notifications = sandbox.faults.forged_notifications = 1.0
    sandbox.faults.reordered_notifications = True
    await sandbox.deliver()
    order = [each["resourceData"]["id"] for each in receiver.received]
    assert len(order) == 16
    assert order[::2] == order[1::2] != [mail.id for mail in mails]
    assert {each["clientState"] for each in receiver.received} == {"forged"}
