"""Sending and inviting once, whatever happens to the replies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from plugins.outlook.settings import OutlookConfig
from tenure_sdk import ConfigInvalid, NotFound, Transient

if TYPE_CHECKING:
    from plugins.outlook.sandbox import Mailbox
    from plugins.outlook.sandbox.calls import Request

    from .conftest import Side

MAIL = {"to": ["bea@customer.example"], "subject": "Our offer", "text": "Please find it below."}
MEETING = {
    "title": "Review", "starts_at": "2026-12-01T10:00:00+01:00", "ends_at": "2026-12-01T11:00:00+01:00",
    "attendees": ["bea@customer.example"], "location": "Room 1", "text": "The agenda",
}  # fmt: skip


@pytest.fixture
def bea(side: Side) -> Mailbox:
    return side.box("bea@customer.example")


async def test_a_mail_is_sent_and_read_back_under_its_id(side: Side, ana: Mailbox, bea: Mailbox) -> None:
    sent = await side.remote.act("send_email", MAIL, "key-1")
    await side.read("mail")
    found = side.records[sent["id"]]
    assert (found.kind, found.summary) == ("EMAIL_SENT", "Our offer")
    assert [item.fields["subject"] for item in bea.known("inbox").items.values()] == ["Our offer"]
    again = await side.remote.act("send_email", MAIL, "key-1")
    assert again["id"] == sent["id"]
    assert len(bea.known("inbox").items) == 1
    await side.remote.act("send_email", MAIL, "key-2")
    assert len(bea.known("inbox").items) == 2


@pytest.mark.parametrize("lost", [1, 2, 3, 4])
@pytest.mark.parametrize("fault", ["dropped", "failed", "throttled", "truncated"])
async def test_no_lost_reply_sends_a_mail_twice(side: Side, ana: Mailbox, bea: Mailbox, lost: int, fault: Any) -> None:
    """Whichever request is hit, and asked again until it is known."""
    count = 0

    def hit(request: Request) -> Any:
        nonlocal count
        if not request.path.endswith("/me"):
            count += 1
            return fault if count == lost else None
        return None

    side.sandbox.faults.hook = hit
    side.sandbox.faults.sent_lag = 30
    sent = None
    for _ in range(3):
        try:
            sent = await side.remote.act("send_email", MAIL, "key-1")
            break
        except Transient:
            continue
    assert sent is not None
    assert len(bea.known("inbox").items) == 1
    assert len(ana.known("sentitems").items) == 1
    assert ana.known("drafts").items == {}


async def test_an_address_that_is_none_is_refused_before_anybody_is_asked(side: Side, ana: Mailbox) -> None:
    with pytest.raises(msgspec.ValidationError, match="to"):
        await side.remote.act("send_email", MAIL | {"to": ["nobody"]}, "key-1")
    assert len(side.sandbox.calls) == 0


async def test_a_meeting_is_made_once(side: Side, ana: Mailbox, bea: Mailbox) -> None:
    made = await side.remote.act("create_meeting", MEETING, "key-1")
    assert await side.remote.act("create_meeting", MEETING, "key-1") == made
    (event,) = ana.known("calendar").items.values()
    assert (event.fields["subject"], event.fields["transactionId"]) == ("Review", "key-1")
    assert event.fields["start"] == {"dateTime": "2026-12-01T09:00:00", "timeZone": "UTC"}
    assert len(bea.known("calendar").items) == 1
    await side.read("calendar")
    assert side.records[made["id"]].payload.location == "Room 1"


@pytest.mark.parametrize("fault", ["dropped", "failed", "truncated"])
async def test_no_lost_reply_makes_a_meeting_twice(side: Side, ana: Mailbox, fault: Any) -> None:
    side.sandbox.faults.coming.extend([None, None, fault])
    made = await side.remote.act("create_meeting", MEETING, "key-1")
    assert len(ana.known("calendar").items) == 1
    assert made["id"].endswith(next(iter(ana.known("calendar").items.values())).id)


async def test_a_meeting_is_changed_on_what_others_have_made_of_it(side: Side, ana: Mailbox) -> None:
    made = await side.remote.act("create_meeting", MEETING, "key-1")
    (event,) = ana.known("calendar").items.values()
    once = iter([True])

    def hit(request: Request) -> Any:
        if request.method == "PATCH" and next(once, False):
            ana.edit(event, subject="Review, part 1")
        return None

    side.sandbox.faults.hook = hit
    wanted = {"id": made["id"], "location": "Room 2", "starts_at": "2026-12-01T10:30:00+01:00"}
    await side.remote.act("change_meeting", wanted, "key-2")
    said = event.fields["subject"], event.fields["location"]["displayName"], event.fields["start"]["dateTime"]
    assert said == ("Review, part 1", "Room 2", "2026-12-01T09:30:00")
    assert [call.status for call in side.sandbox.calls if call.method == "PATCH"] == [412, 200]
    await side.remote.act("change_meeting", wanted, "key-3")
    assert sum(call.method == "PATCH" for call in side.sandbox.calls) == 2
    await side.read("calendar")
    assert side.records[made["id"]].payload.location == "Room 2"


async def test_a_meeting_is_cancelled_once(side: Side, ana: Mailbox) -> None:
    made = await side.remote.act("create_meeting", MEETING, "key-1")
    for key in ("key-2", "key-3"):
        assert (await side.remote.act("cancel_meeting", {"id": made["id"]}, key)).get("version") is None
    assert ana.known("calendar").items == {}
    with pytest.raises(NotFound):
        await side.remote.act("change_meeting", {"id": made["id"], "title": "No more"}, "key-4")


async def test_with_several_mailboxes_one_has_to_be_named(side: Side, ana: Mailbox, bea: Mailbox) -> None:
    cleo = side.box("cleo@acme.example")
    side.sandbox.consent_for(ana.address, cleo.address)
    side.config = OutlookConfig(
        own_domains=("acme.example",), access="organisation", mailboxes=(ana.address, cleo.address)
    )
    with pytest.raises(ConfigInvalid):
        await side.remote.act("send_email", MAIL, "key-1")
    with pytest.raises(ConfigInvalid):
        await side.remote.act("send_email", MAIL | {"sender": "dora@acme.example"}, "key-1")
    sent = await side.remote.act("send_email", MAIL | {"sender": "cleo@acme.example"}, "key-1")
    assert sent["id"].startswith(cleo.user_id)
    assert len(cleo.known("sentitems").items) == 1
