"""Mail: what is read of which folders, what is never handed over, and what becomes of moves and lost positions."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from plugins.outlook.sandbox import ids
from plugins.outlook.settings import OutlookConfig
from tenure_sdk import ConfigInvalid, CursorExpired, Email, Identity, Interaction, Window

if TYPE_CHECKING:
    from plugins.outlook.sandbox import Mailbox

    from .conftest import Side

BEA = ("Bea Kunde", "Bea@Customer.example")
CARL = ("Carl Client", "carl@client.example")
ROBIN = ("Robin Kolleg", "robin@acme.example")
PRIVATE = {"Integer 0x36": "2"}


def name_of(box: Mailbox, item: Any) -> str:
    return f"{box.user_id}/messages/{item.id}"


async def test_a_mail_that_came_in(side: Side, ana: Mailbox) -> None:
    at = datetime(2026, 11, 20, 8, 30, tzinfo=UTC)
    item = ana.receive(BEA, "The offer", "Please call me.", cc=[ROBIN, CARL], at=at)
    await side.read("mail")
    found: Interaction = side.records[name_of(ana, item)]
    assert (found.kind, found.direction, found.channel, found.occurred_at) == ("EMAIL_RECEIVED", "INBOUND", "EMAIL", at)
    assert found.parties == (Identity("email", "bea@customer.example"), Identity("email", "carl@client.example"))
    assert found.summary == "The offer"
    assert found.correlation_key == item.fields["conversationId"]
    assert found.payload == Email(
        subject="The offer",
        sender="Bea@Customer.example",
        recipients=("ana@acme.example", "robin@acme.example", "carl@client.example"),
        message_id=item.fields["internetMessageId"],
    )
    assert found.content is None
    assert found.version == item.etag


async def test_a_mail_that_went_out(side: Side, ana: Mailbox) -> None:
    item = ana.send([BEA], "Our answer")
    await side.read("mail")
    found = side.records[name_of(ana, item)]
    assert (found.kind, found.direction) == ("EMAIL_SENT", "OUTBOUND")
    assert found.parties == (Identity("email", "bea@customer.example"),)


async def test_every_folder_of_the_tree_is_read(side: Side, ana: Mailbox) -> None:
    deep = ana.add_folder("Deals")
    deeper = ana.add_folder("Won", parent=deep.id)
    for number in range(15):  # more than one page of folders
        ana.add_folder(f"Folder {number:02}")
    for folder in ("inbox", "archive", deep.id, deeper.id):
        ana.receive(BEA, f"In {folder}", folder=folder)
    await side.read("mail")
    assert len(side.records) == 4


async def test_private_mail_is_never_handed_over(side: Side, ana: Mailbox) -> None:
    """What only insiders wrote, drafts, junk, deleted items and what is marked, at any depth."""
    ana.receive(ROBIN, "Lunch?")
    ana.receive(("Sub", "x@mail.acme.example"), "From a subdomain")
    ana.draft([BEA], "Not yet")
    ana.edit(ana.receive(BEA, "A draft elsewhere"), isDraft=True)
    ana.receive(BEA, "You have won", folder="junkemail")
    ana.receive(BEA, "Thrown away", folder="deleteditems")
    below = ana.add_folder("Old junk", parent="junkemail")
    ana.receive(BEA, "Older junk", folder=below.id)
    for mark in ("1", "2", "3"):
        ana.receive(BEA, f"Marked {mark}").extended["Integer 0x36"] = mark
    ana.receive(BEA, "Marked normal").extended["Integer 0x36"] = "0"
    await side.read("mail")
    assert side.subjects() == ["Marked normal"]
    assert "Lunch" not in str(side.yielded)
    assert [record.summary for page in side.yielded for record in page.records] == ["Marked normal"]


async def test_what_becomes_private_later_is_deleted(side: Side, ana: Mailbox) -> None:
    items = [ana.receive(BEA, f"Mail {number}") for number in range(4)]
    cursor = await side.read("mail")
    assert len(side.records) == 4
    ana.change(items[0], {}, dict(PRIVATE))
    ana.move_to(items[1], "junkemail")
    ana.delete(items[2])
    cursor = await side.read("mail", cursor)
    assert side.subjects() == ["Mail 3"]
    ana.move_to(items[2], "inbox")
    await side.read("mail", cursor)
    assert side.subjects() == ["Mail 2", "Mail 3"]


async def test_a_move_is_no_deletion(side: Side, ana: Mailbox) -> None:
    folder = ana.add_folder("Aaa")
    item = ana.receive(BEA, "The offer")
    cursor = await side.read("mail")
    for target in (folder.id, "archive", "inbox"):
        ana.move_to(item, target)
        before = len(side.yielded)
        cursor = await side.read("mail", cursor)
        assert [gone for page in side.yielded[before:] for gone in page.deletes] == []
        assert list(side.records) == [name_of(ana, item)]
    ana.delete(item)
    ana.take_out(item)
    await side.read("mail", cursor)
    assert side.records == {}


async def test_only_the_metadata_is_asked_for(side: Side, ana: Mailbox) -> None:
    ana.receive(BEA, "The offer", "The secret text")
    await side.read("mail")
    assert [record.content for record in side.records.values()] == [None]
    side.config = msgspec.structs.replace(side.config, keep_of={"Ana@acme.example": "FULL"})
    cursor = await side.read("mail")
    assert [record.content for record in side.records.values()] == ["The secret text"]
    side.config = msgspec.structs.replace(side.config, keep_of={})
    cursor = await side.read("mail", cursor)  # read anew, without
    assert [record.content for record in side.records.values()] == [None]
    before = len(side.yielded)
    await side.read("mail", cursor)
    assert [page.records for page in side.yielded[before:] if page.records] == []


@pytest.mark.parametrize("stop", range(1, 12))
async def test_a_reading_goes_on_after_any_page(side: Side, ana: Mailbox, stop: int) -> None:
    for number in range(450):
        ana.receive(BEA, f"Mail {number:03}", folder="inbox" if number % 3 else "archive")
    cursor = await side.read("mail", stop=stop)
    json.dumps(cursor)
    gone = ana.receive(CARL, "New")
    await side.read("mail", cursor)
    assert len(side.records) == 451
    assert name_of(ana, gone) in side.records


async def test_a_lost_position_is_an_expired_cursor(side: Side, ana: Mailbox) -> None:
    ana.receive(BEA, "The offer")
    cursor = await side.read("mail")
    ana.evict_delta_tokens()
    with pytest.raises(CursorExpired):
        await side.read("mail", cursor)


async def test_a_folder_that_was_deleted_for_good_is_an_expired_cursor(side: Side, ana: Mailbox) -> None:
    folder = ana.add_folder("Deals")
    ana.receive(BEA, "The offer", folder=folder.id)
    cursor = await side.read("mail")
    ana.close_folder(folder)
    with pytest.raises(CursorExpired):
        await side.read("mail", cursor)


async def test_a_folder_that_was_thrown_away_takes_its_mail_along(side: Side, ana: Mailbox) -> None:
    folder = ana.add_folder("Deals")
    ana.receive(BEA, "The offer", folder=folder.id)
    ana.receive(BEA, "Another one")
    cursor = await side.read("mail")
    folder.parent = ana.known("deleteditems").key
    ana.trees["message"].changed(folder.key)
    cursor = await side.read("mail", cursor)
    assert side.subjects() == ["Another one"]
    folder.parent = ana.root_key()
    await side.read("mail", cursor)
    assert side.subjects() == ["Another one", "The offer"]


async def test_folders_can_be_left_out(side: Side, ana: Mailbox) -> None:
    folder = ana.add_folder("Personal")
    inner = ana.add_folder("Family", parent=folder.id)
    ana.receive(BEA, "Ours", folder=folder.id)
    ana.receive(BEA, "Theirs", folder=inner.id)
    ana.receive(BEA, "Business")
    side.config = msgspec.structs.replace(side.config, leave_out=("personal",))
    await side.read("mail")
    assert side.subjects() == ["Business"]


async def test_a_window_reaches_back_only_so_far(side: Side, ana: Mailbox) -> None:
    now = side.clock.now
    for days in (10, 5, 1):
        ana.receive(BEA, f"{days} days ago", at=now - timedelta(days=days))
    await side.read("mail", window=Window(now - timedelta(days=6)))
    assert side.subjects() == ["1 days ago", "5 days ago"]
    side.records.clear()
    await side.read("mail", window=Window(now - timedelta(days=20), now - timedelta(days=4)))
    assert side.subjects() == ["10 days ago", "5 days ago"]


@pytest.mark.parametrize("stop", [3, 26, 27, 40, -1])
async def test_a_window_with_more_than_graph_filters(side: Side, ana: Mailbox, stop: int) -> None:
    start = side.clock.now - timedelta(days=300)
    for number in range(6_000):
        ana.receive(BEA, f"Mail {number:04}", at=start + timedelta(minutes=30 * number))
    window = Window(start + timedelta(minutes=30 * 100))
    cursor = await side.read("mail", window=window, stop=stop)
    if stop > 0:
        cursor = await side.read("mail", cursor, window=window)
    assert len(side.records) == 5_900
    ana.receive(BEA, "New")
    await side.read("mail", cursor, window=window)
    assert len(side.records) == 5_901


async def test_too_many_folders_are_said_to_be_too_many(side: Side, ana: Mailbox) -> None:
    for number in range(160):
        ana.add_folder(f"Folder {number}")
    with pytest.raises(ConfigInvalid) as refused:
        await side.read("mail")
    assert refused.value.key == "leave_out"


async def test_faults_on_the_way_change_nothing(side: Side, ana: Mailbox) -> None:
    for number in range(300):
        ana.receive(BEA, f"Mail {number:03}", folder="inbox" if number % 2 else "archive")
    faults = side.sandbox.faults
    faults.empty_pages = faults.duplicated_items = 0.3
    faults.chances = {"throttled": 0.1, "failed": 0.05, "unavailable": 0.05, "truncated": 0.05, "dropped": 0.05}
    await side.read("mail")
    assert len(side.records) == 300


async def test_records_are_fetched_by_their_ids(side: Side, ana: Mailbox) -> None:
    kept = ana.receive(BEA, "The offer")
    hidden = [ana.receive(BEA, "Junk", folder="junkemail"), ana.receive(ROBIN, "Lunch?"), ana.draft([BEA], "Not yet")]
    wanted = [name_of(ana, item) for item in (kept, *hidden)]
    unknown = f"{ana.user_id}/messages/{ids.immutable_id('k9-9')}"
    found = await side.remote.fetch("interaction", [*wanted, unknown, "somebody/messages/1"])
    assert [record.summary for record in found] == ["The offer"]


async def test_every_request_asks_for_ids_that_stay(side: Side, ana: Mailbox) -> None:
    ana.receive(BEA, "The offer")
    ana.add_event("Review", side.clock.now, attendees=[BEA])
    seen: list[str] = []

    def note(request: Any) -> None:
        seen.append(request.headers.get("prefer", ""))

    side.sandbox.faults.hook = note
    for stream in ("mail", "calendar", "contacts"):
        await side.read(stream)
    assert len(seen) > 10
    assert all('IdType="ImmutableId"' in prefer and 'outlook.timezone="UTC"' in prefer for prefer in seen)


async def test_an_organisation_reads_the_listed_mailboxes_alone(side: Side, ana: Mailbox) -> None:
    cleo, dora = side.box("cleo@acme.example"), side.box("dora@acme.example")
    for box in (ana, cleo, dora):
        box.receive(BEA, f"To {box.address}", "Text")
    side.sandbox.consent_for(ana.address, cleo.address, dora.address)
    side.config = OutlookConfig(
        own_domains=("acme.example",), access="organisation", mailboxes=(ana.address, cleo.address),
        keep_of={cleo.address: "FULL"},
    )  # fmt: skip
    side.callback = {"tenant": "11111111-2222-3333-4444-555555555555"}
    assert (await side.remote.check()).id == "11111111-2222-3333-4444-555555555555"
    await side.read("mail")
    assert side.subjects() == ["To ana@acme.example", "To cleo@acme.example"]
    assert {record.summary: record.content for record in side.records.values()} == {
        "To ana@acme.example": None,
        "To cleo@acme.example": "Text",
    }
    assert not any(call.path.split("/")[3:4] == [dora.address] for call in side.sandbox.calls)
    assert not any("/me/" in f"{call.path}/" for call in side.sandbox.calls)


async def test_a_mailbox_without_consent_is_a_wrong_setting(side: Side, ana: Mailbox) -> None:
    side.box("dora@acme.example")
    side.sandbox.consent_for(ana.address)
    side.config = OutlookConfig(
        own_domains=("acme.example",), access="organisation", mailboxes=(ana.address, "dora@acme.example")
    )
    side.callback = {"tenant": "t"}
    with pytest.raises(ConfigInvalid, match="dora") as refused:
        await side.remote.check()
    assert refused.value.key == "mailboxes"


async def test_the_mailbox_is_the_account(side: Side, ana: Mailbox) -> None:
    account = await side.remote.check()
    assert (account.id, account.label) == (ana.user_id, "ana@acme.example")


@pytest.mark.parametrize("stream", ["mail", "calendar", "contacts"])
@pytest.mark.parametrize("cursor", ["2024-01-01", [1], {"a.b": {"mark": "M"}}, {"a.b": [7]}])
async def test_a_cursor_that_cannot_be_read_has_all_read_from_the_start(
    side: Side, ana: Mailbox, stream: str, cursor: Any
) -> None:
    with pytest.raises(CursorExpired, match="read it from the start"):
        await side.read(stream, cursor)
