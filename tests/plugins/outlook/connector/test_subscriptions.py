"""Being called: the handshake, renewal, what is made anew, and what the calls say."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from plugins.outlook.connector import SUBSCRIPTION, Outlook
from tenure_sdk import Delivery, Signal, Subscription, Webhook

if TYPE_CHECKING:
    from collections.abc import Mapping

    from plugins.outlook.sandbox import Mailbox

    from .conftest import Side

URL, SECRET = "https://tenure.example/hooks/abc/events", "the-client-state"
(HOOK,) = Outlook.declared(Webhook)


class Receiver:
    """What the host's door does with a call."""

    def __init__(self) -> None:
        self.signals: list[Signal] = []
        self.refused = 0

    async def __call__(self, url: str, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        delivery = Delivery(body, dict(headers), dict(parse_qsl(urlsplit(url).query)), url)
        assert HOOK.challenge is not None
        reply = HOOK.challenge.reply(delivery)
        if reply is not None:
            return reply.status, reply.body.encode()
        if not HOOK.verifier.holds(delivery, [SECRET]):
            self.refused += 1
            return 401, b""
        self.signals += Outlook().called(delivery)
        return 202, b""


@pytest.fixture
def receiver(side: Side) -> Receiver:
    side.sandbox.post = Receiver()
    return side.sandbox.post


async def test_mail_events_and_contacts_are_subscribed_to(side: Side, ana: Mailbox, receiver: Receiver) -> None:
    made = await side.remote.subscribe(URL, SECRET, [])
    assert [each.resource for each in made] == ["me/messages", "me/events", "me/contacts"]
    assert {each.expires_at for each in made} == {side.clock.now + SUBSCRIPTION}
    ana.receive(("Bea", "bea@customer.example"), "Hello")
    ana.add_event("Review", side.clock.now)
    ana.add_contact("Bea")
    assert (await side.sandbox.deliver()).accepted == 1
    assert {signal.stream for signal in receiver.signals} == {"mail", "calendar", "contacts"}
    assert all(signal.ids == () and signal.event for signal in receiver.signals)


async def test_promises_are_renewed_and_made_anew(side: Side, ana: Mailbox, receiver: Receiver) -> None:
    made = await side.remote.subscribe(URL, SECRET, [])
    side.clock.forward(minutes=2_100)
    renewed = await side.remote.subscribe(URL, SECRET, made)
    assert [each.id for each in renewed] == [each.id for each in made]
    assert {each.expires_at for each in renewed} == {side.clock.now + SUBSCRIPTION}
    side.clock.forward(minutes=4_300)  # too late: they have ended
    anew = await side.remote.subscribe(URL, SECRET, renewed)
    assert not {each.id for each in anew} & {each.id for each in renewed}
    assert len(side.sandbox.notifier.live()) == 3
    assert await side.remote.subscribe(None, SECRET, [*anew, *made]) == []
    assert side.sandbox.notifier.live() == {}


async def test_mailboxes_that_are_read_no_more_are_unsubscribed(side: Side, ana: Mailbox, receiver: Receiver) -> None:
    made = await side.remote.subscribe(URL, SECRET, [])
    odd = Subscription(made[0].id, "users/dora@acme.example/messages", None)
    kept = await side.remote.subscribe(URL, SECRET, [odd, *made[1:]])
    assert [each.id for each in kept[1:]] == [each.id for each in made[1:]]
    assert kept[0].id != made[0].id
    assert len(side.sandbox.notifier.live()) == 3


@pytest.mark.parametrize(
    ("event", "renew"), [("reauthorizationRequired", True), ("subscriptionRemoved", True), ("missed", False)]
)
async def test_lifecycle_calls(side: Side, ana: Mailbox, receiver: Receiver, event: Any, renew: bool) -> None:
    made = await side.remote.subscribe(URL, SECRET, [])
    side.sandbox.tell_lifecycle(ana.address, event)
    await side.sandbox.deliver()
    assert receiver.signals == [Signal(name, renew=renew) for name in ("mail", "calendar", "contacts")]
    ana.add_contact("Bea")
    await side.remote.subscribe(URL, SECRET, made)
    ana.add_contact("Carl")
    receiver.signals.clear()
    await side.sandbox.deliver()
    assert {signal.stream for signal in receiver.signals} == {"contacts"}


async def test_forged_calls_are_refused(side: Side, ana: Mailbox, receiver: Receiver) -> None:
    await side.remote.subscribe(URL, SECRET, [])
    side.sandbox.faults.forged_notifications = 1.0
    ana.add_contact("Bea")
    assert (await side.sandbox.deliver()).refused == 1
    assert (receiver.signals, receiver.refused) == ([], 1)


@pytest.mark.parametrize(
    "body", [{"value": [{"lifecycleEvent": "new"}]}, {"value": [{"resource": 7}]}, {"value": 3}, []]
)
def test_what_is_not_known_says_nothing(body: Any) -> None:
    assert Outlook().called(Delivery(json.dumps(body).encode(), {})) == []


async def test_it_is_called_by_the_life_it_asked_for() -> None:
    assert timedelta(minutes=4_200) == SUBSCRIPTION
