from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from plugins.outlook.sandbox import mail
from tests.plugins.outlook.sandbox.conftest import refusal, rounds

if TYPE_CHECKING:
    from plugins.outlook.sandbox import Mailbox, OutlookSandbox
    from tenure_sdk.http import httpx
    from tests.plugins.outlook.sandbox.conftest import Clock

KIM = ("Kim Lee", "kim@customer.example")
INBOX = "me/mailFolders/inbox/messages/delta"
PAGES_OF_TWO = {"Prefer": 'IdType="ImmutableId", odata.maxpagesize=2'}


async def test_the_first_round_gives_everything_once_in_pages(graph: httpx.AsyncClient, ana: Mailbox) -> None:
    mails = [ana.receive(KIM, f"Mail {number}") for number in range(5)]
    ana.receive(KIM, "Elsewhere", folder="archive")
    page = (await graph.get(f"{INBOX}?$select=subject", headers=PAGES_OF_TWO)).json()
    assert [each["id"] for each in page["value"]] == [mails[0].id, mails[1].id]
    assert set(page["value"][0]) == {"@odata.type", "@odata.etag", "id", "subject"}
    assert page["@odata.nextLink"].startswith(f"https://graph.microsoft.com/v1.0/{INBOX}?$skiptoken=")
    found, link = await rounds(graph, f"{INBOX}?$select=subject", **PAGES_OF_TWO)
    assert [each["subject"] for each in found] == [f"Mail {number}" for number in range(5)]
    assert link.startswith(f"https://graph.microsoft.com/v1.0/{INBOX}?$deltatoken=")
    assert (await rounds(graph, link))[0] == []


async def test_a_later_round_gives_what_changed_since(graph: httpx.AsyncClient, ana: Mailbox) -> None:
    first, second, third = (ana.receive(KIM, f"Mail {number}") for number in range(3))
    _, link = await rounds(graph, f"{INBOX}?$select=subject,isRead")
    ana.edit(second, isRead=True)
    ana.move_to(first, "archive")
    ana.delete(third)
    fourth = ana.receive(KIM, "Mail 3")
    found, link = await rounds(graph, link)
    assert [(each["id"], each.get("isRead"), each.get("@removed")) for each in found] == [
        (second.id, True, None),
        (first.id, None, {"reason": "deleted"}),
        (third.id, None, {"reason": "deleted"}),
        (fourth.id, False, None),
    ]
    assert (await rounds(graph, link))[0] == []
    archived, _ = await rounds(graph, "me/mailFolders/archive/messages/delta")
    assert [each["id"] for each in archived] == [first.id]


async def test_a_link_can_be_used_again_and_gives_the_same(graph: httpx.AsyncClient, ana: Mailbox) -> None:
    _, link = await rounds(graph, INBOX)
    mail = ana.receive(KIM, "Offer?")
    once, _ = await rounds(graph, link)
    again, _ = await rounds(graph, link)
    assert once == again
    assert [each["id"] for each in once] == [mail.id]


async def test_what_changes_while_a_round_goes_on_comes_again_at_its_end(
    graph: httpx.AsyncClient, ana: Mailbox
) -> None:
    mails = [ana.receive(KIM, f"Mail {number}") for number in range(4)]
    page = (await graph.get(INBOX, headers=PAGES_OF_TWO)).json()
    assert [each["subject"] for each in page["value"]] == ["Mail 0", "Mail 1"]
    ana.edit(mails[0], isRead=True)
    ana.delete(mails[1])
    ana.delete(mails[3])
    rest, _ = await rounds(graph, page["@odata.nextLink"], **PAGES_OF_TWO)
    assert [(each.get("subject"), "@removed" in each, each["id"]) for each in rest] == [
        ("Mail 2", False, mails[2].id),
        ("Mail 0", False, mails[0].id),
        (None, True, mails[1].id),
        (None, True, mails[3].id),
    ]


async def test_many_void_lines_make_empty_pages_that_go_on(graph: httpx.AsyncClient, ana: Mailbox) -> None:
    mail = ana.receive(KIM, "Offer?")
    for number in range(300):
        ana.edit(mail, isRead=bool(number % 2))
    page = (await graph.get(INBOX, headers=PAGES_OF_TWO)).json()
    assert (page["value"], "@odata.nextLink" in page) == ([], True)
    found, _ = await rounds(graph, INBOX, **PAGES_OF_TWO)
    assert [each["id"] for each in found] == [mail.id]


async def test_the_three_spellings_of_a_delta_are_one(graph: httpx.AsyncClient, ana: Mailbox) -> None:
    mail = ana.receive(KIM, "Offer?")
    inbox = ana.known("inbox").id
    for path in (
        "me/mailFolders('inbox')/messages/delta()",
        f"me/mailfolders/{inbox}/messages/microsoft.graph.delta()",
        f"/users('{ana.address}')//mailFolders/{inbox}/messages/delta",
    ):
        found, _ = await rounds(graph, path)
        assert [each["id"] for each in found] == [mail.id]


async def test_a_delta_may_begin_at_a_date(graph: httpx.AsyncClient, ana: Mailbox, clock: Clock) -> None:
    ana.receive(KIM, "Old")
    clock.forward(minutes=30)
    new = ana.receive(KIM, "New")
    found, link = await rounds(graph, f"{INBOX}?$filter=receivedDateTime ge 2026-11-23T09:10:00Z")
    assert [each["id"] for each in found] == [new.id]
    newer = ana.receive(KIM, "Newer")
    assert [each["id"] for each in (await rounds(graph, link))[0]] == [newer.id]
    other = await graph.get(f"{INBOX}?$filter=isRead eq true")
    assert refusal(other) == (400, "ErrorInvalidUrlQueryFilter")


async def test_a_filtered_first_round_ends_early(
    graph: httpx.AsyncClient, ana: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert mail.MOST_FILTERED == 5000
    monkeypatch.setattr(mail, "MOST_FILTERED", 20)
    for number in range(25):
        ana.receive(KIM, f"Mail {number}")
    found, link = await rounds(graph, f"{INBOX}?$select=subject&$filter=receivedDateTime gt 2020-01-01")
    assert len(found) == 20
    assert (await rounds(graph, link))[0] == []
    whole, _ = await rounds(graph, f"{INBOX}?$select=subject")
    assert len(whole) == 25


async def test_an_evicted_token_answers_410_with_where_to_begin_anew(graph: httpx.AsyncClient, ana: Mailbox) -> None:
    mail = ana.receive(KIM, "Offer?")
    _, link = await rounds(graph, f"{INBOX}?$select=subject")
    ana.evict_delta_tokens()
    gone = await graph.get(link)
    assert refusal(gone) == (410, "SyncStateNotFound")
    assert gone.headers["Location"] == f"https://graph.microsoft.com/v1.0/{INBOX}?$select=subject"
    found, _ = await rounds(graph, gone.headers["Location"])
    assert [each["id"] for each in found] == [mail.id]


async def test_a_token_works_only_as_it_was_given(graph: httpx.AsyncClient) -> None:
    _, link = await rounds(graph, INBOX)
    token = urlsplit(link).query
    for url in (
        f"me/mailFolders/archive/messages/delta?{token}",
        f"me/contacts/delta?{token}",
        f"{INBOX}?$deltatoken=latest",
        f"{INBOX}?{token[:-1]}{'0' if token[-1] != '0' else '1'}",
    ):
        assert refusal(await graph.get(url)) == (400, "ErrorInvalidSyncStateData"), url
    assert refusal(await graph.get(f"{link}&$select=subject")) == (400, "ErrorInvalidUrlQuery")


async def test_default_ids_in_a_delta_are_those_of_the_folder(graph: httpx.AsyncClient, ana: Mailbox) -> None:
    mail = ana.receive(KIM, "Offer?")
    plain = {"Prefer": "odata.maxpagesize=10"}
    found, link = await rounds(graph, INBOX, **plain)
    ana.move_to(mail, "archive")
    gone, _ = await rounds(graph, link, **plain)
    assert gone == [{"@removed": {"reason": "deleted"}, "id": found[0]["id"]}]
    moved, _ = await rounds(graph, "me/mailFolders/archive/messages/delta", **plain)
    assert moved[0]["id"] not in {found[0]["id"], mail.id}


async def test_the_tree_of_folders_has_a_delta(graph: httpx.AsyncClient, ana: Mailbox) -> None:
    found, link = await rounds(graph, "me/mailFolders/delta")
    assert len(found) == 8
    folder = ana.add_folder("Customers")
    found, link = await rounds(graph, link)
    assert [each["displayName"] for each in found] == ["Customers", "Inbox"]
    ana.close_folder(folder)
    found, _ = await rounds(graph, link)
    assert found == [{"@removed": {"reason": "deleted"}, "id": folder.id}]


async def test_switches_make_empty_pages_and_repeated_items(
    graph: httpx.AsyncClient, ana: Mailbox, sandbox: OutlookSandbox
) -> None:
    for number in range(4):
        ana.receive(KIM, f"Mail {number}")
    sandbox.faults.empty_pages, sandbox.faults.duplicated_items = 0.5, 1.0
    found, _ = await rounds(graph, f"{INBOX}?$select=subject", **PAGES_OF_TWO)
    assert [each["subject"] for each in found] == ["Mail 0", "Mail 1", "Mail 0", "Mail 2", "Mail 3", "Mail 2"]
    assert len([call for call in sandbox.calls if call.path.endswith("delta")]) > 2


@pytest.mark.parametrize("size", [1000, 100])
async def test_a_page_takes_the_time_of_a_page(graph: httpx.AsyncClient, ana: Mailbox, size: int) -> None:
    """No look at more lines of the log than a page needs, however many lie behind."""
    for number in range(3000):
        ana.receive(KIM, f"Mail {number}")
    looked: list[int] = []
    log = ana.known("inbox").log
    plain = log.lines

    class Watched(list):  # type: ignore[type-arg]
        def __getitem__(self, index):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN204
            looked.append(index)
            return super().__getitem__(index)

    log.lines = Watched(plain)
    await graph.get(f"{INBOX}?$select=subject", headers={"Prefer": f"odata.maxpagesize={size}"})
    assert looked == list(range(size))
