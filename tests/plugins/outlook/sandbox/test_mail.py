from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.plugins.outlook.sandbox.conftest import refusal

if TYPE_CHECKING:
    from plugins.outlook.sandbox import Mailbox, OutlookSandbox
    from tenure_sdk.http import httpx
    from tests.plugins.outlook.sandbox.conftest import Clock

KIM = ("Kim Lee", "kim@customer.example")
TO_KIM = [{"emailAddress": {"name": "Kim Lee", "address": "kim@customer.example"}}]
DEFAULT = {"Prefer": "odata.maxpagesize=50"}
OUTBOX_KEY = "String {b4a1c1a5-1d6e-4d0e-8f4e-8c7f6f6f0a11} Name TenureOutbox"


async def test_me_and_users_show_the_same_person(graph: httpx.AsyncClient, ana: Mailbox) -> None:
    me = (await graph.get("me")).json()
    assert (me["mail"], me["displayName"], me["id"]) == ("ana@acme.example", "Ana", ana.user_id)
    assert (await graph.get(f"users/{ana.user_id}")).json() == me
    assert (await graph.get("users/ana@acme.example?$select=mail")).json()["mail"] == "ana@acme.example"


async def test_a_received_mail_is_shown_in_full(graph: httpx.AsyncClient, ana: Mailbox) -> None:
    mail = ana.receive(KIM, "Offer?", "Dear Ana,\nplease <b>.", cc=[("Bo", "bo@other.example")])
    shown = (await graph.get(f"me/messages/{mail.id}")).json()
    assert shown["from"] == {"emailAddress": {"name": "Kim Lee", "address": "kim@customer.example"}}
    assert shown["toRecipients"] == [{"emailAddress": {"name": "Ana", "address": "ana@acme.example"}}]
    assert shown["receivedDateTime"] == "2026-11-23T09:00:00Z"
    assert shown["body"] == {
        "contentType": "html",
        "content": "<html><body>Dear Ana,<br>\nplease &lt;b&gt;.</body></html>",
    }
    assert shown["bodyPreview"] == "Dear Ana,\nplease <b>."
    assert shown["@odata.etag"] == f'W/"{shown["changeKey"]}"' == mail.etag
    assert shown["parentFolderId"] == ana.known("inbox").id
    assert not {"internetMessageHeaders", "uniqueBody", "singleValueExtendedProperties"} & shown.keys()


async def test_bodies_come_as_text_when_that_is_preferred(graph: httpx.AsyncClient, ana: Mailbox) -> None:
    mail = ana.receive(KIM, "Offer?", "")
    ana.edit(mail, body={"contentType": "html", "content": "<html><body><p>One</p>Two &amp; three</body></html>"})
    prefer = {"Prefer": 'IdType="ImmutableId", outlook.body-content-type="text"'}
    response = await graph.get(f"me/messages/{mail.id}", headers=prefer)
    assert response.json()["body"] == {"contentType": "text", "content": "One\nTwo & three"}
    assert response.headers["Preference-Applied"] == 'outlook.body-content-type="text"'


async def test_listing_pages_from_the_latest_with_absolute_links(
    graph: httpx.AsyncClient, ana: Mailbox, clock: Clock
) -> None:
    for number in range(25):
        ana.receive(KIM, f"Mail {number}")
        clock.forward(minutes=1)
    first = (await graph.get("me/messages?$select=subject&$count=true")).json()
    assert [each["subject"] for each in first["value"]] == [f"Mail {number}" for number in range(24, 14, -1)]
    assert (first["@odata.count"], set(first["value"][0])) == (25, {"@odata.etag", "id", "subject"})
    link = first["@odata.nextLink"]
    assert link == "https://graph.microsoft.com/v1.0/me/messages?$select=subject&$count=true&$skip=10"
    last = (await graph.get((await graph.get(link)).json()["@odata.nextLink"])).json()
    assert [each["subject"] for each in last["value"]] == [f"Mail {number}" for number in range(4, -1, -1)]
    assert "@odata.nextLink" not in last
    assert len((await graph.get("me/mailFolders/inbox/messages?$top=20&$skip=3")).json()["value"]) == 20


@pytest.mark.parametrize(
    ("clause", "subjects"),
    [
        ("subject eq 'Mail 2'", ["Mail 2"]),
        ("receivedDateTime ge 2026-11-23T09:03:00Z", ["Mail 4", "Mail 3"]),
        ("isRead eq true and from/emailAddress/address eq 'KIM@customer.example'", ["Mail 3"]),
        ("startswith(subject,'mail 1')", ["Mail 1"]),
        ("internetMessageId eq '<M0@customer.example>'", ["Mail 0"]),
        ("conversationId eq 'none'", []),
    ],
)
async def test_filters_find_what_they_say(
    graph: httpx.AsyncClient, ana: Mailbox, clock: Clock, clause: str, subjects: list[str]
) -> None:
    for number in range(5):
        message_id = f"<M{number}@customer.example>"
        ana.receive(KIM, f"Mail {number}", is_read=number == 3, internet_message_id=message_id)
        clock.forward(minutes=1)
    found = (await graph.get("me/messages", params={"$filter": clause})).json()["value"]
    assert [each["subject"] for each in found] == subjects


async def test_default_ids_change_on_a_move_and_immutable_ones_do_not(graph: httpx.AsyncClient, ana: Mailbox) -> None:
    mail = ana.receive(KIM, "Offer?")
    before = (await graph.get(f"me/messages/{mail.id}", headers=DEFAULT)).json()["id"]
    moved = await graph.post(f"me/messages/{mail.id}/move", json={"DestinationId": "archive"})
    assert (moved.status_code, moved.json()["id"]) == (201, mail.id)
    after = (await graph.get(f"me/messages/{mail.id}", headers=DEFAULT)).json()["id"]
    assert before != after != mail.id
    assert refusal(await graph.get(f"me/messages/{before}")) == (404, "ErrorItemNotFound")
    assert (await graph.get(f"me/messages/{after}")).json()["parentFolderId"] == ana.known("archive").id
    assert refusal(await graph.get("me/messages/no-such-id")) == (400, "ErrorInvalidIdMalformed")


async def test_a_draft_is_written_changed_and_sent_under_one_immutable_id(
    graph: httpx.AsyncClient, ana: Mailbox
) -> None:
    draft = await graph.post(
        "me/messages",
        json={
            "subject": "Your offer",
            "body": {"contentType": "HTML", "content": "<p>Here</p>"},
            "toRecipients": TO_KIM,
            "internetMessageHeaders": [{"name": "x-tenure-outbox", "value": "7"}],
            "singleValueExtendedProperties": [{"id": OUTBOX_KEY, "value": "7"}],
        },
    )
    made = draft.json()
    assert (draft.status_code, made["isDraft"], made["parentFolderId"]) == (201, True, ana.known("drafts").id)
    changed = await graph.patch(f"me/messages/{made['id']}", json={"subject": "Your new offer"})
    assert (changed.json()["subject"], changed.json()["changeKey"] == made["changeKey"]) == ("Your new offer", False)
    sent = await graph.post(f"me/messages/{made['id']}/send")
    assert (sent.status_code, sent.content) == (202, b"")
    shown = (await graph.get(f"me/messages/{made['id']}?$select=isDraft,parentFolderId,internetMessageHeaders")).json()
    assert (shown["isDraft"], shown["parentFolderId"]) == (False, ana.known("sentitems").id)
    assert shown["internetMessageHeaders"] == [{"name": "x-tenure-outbox", "value": "7"}]
    assert refusal(await graph.post(f"me/messages/{made['id']}/send")) == (400, "ErrorInvalidOperation")


async def test_what_a_client_wrote_is_found_by_its_own_property(graph: httpx.AsyncClient, ana: Mailbox) -> None:
    own = [{"id": OUTBOX_KEY, "value": "it's 7"}]
    made = (await graph.post("me/messages", json={"subject": "A", "singleValueExtendedProperties": own})).json()
    await graph.post("me/messages", json={"subject": "B"})
    clause = f"singleValueExtendedProperties/Any(ep: ep/id eq '{OUTBOX_KEY}' and ep/value eq 'it''s 7')"
    expand = f"singleValueExtendedProperties($filter=id eq '{OUTBOX_KEY}')"
    found = (await graph.get("me/messages", params={"$filter": clause, "$expand": expand})).json()["value"]
    assert [(each["id"], each["singleValueExtendedProperties"]) for each in found] == [(made["id"], own)]


@pytest.mark.parametrize("capital", [True, False])
async def test_send_mail_accepts_and_gives_no_id(
    graph: httpx.AsyncClient, ana: Mailbox, sandbox: OutlookSandbox, capital: bool
) -> None:
    kim = sandbox.mailbox("kim@customer.example")
    message = {"@odata.type": "#microsoft.graph.message", "subject": "Hello", "toRecipients": TO_KIM}
    body = {"Message": message, "SaveToSentItems": True} if capital else {"message": message}
    sent = await graph.post("me/sendMail", json=body)
    assert (sent.status_code, sent.content) == (202, b"")
    (copy,) = ana.known("sentitems").items.values()
    (arrived,) = kim.known("inbox").items.values()
    assert copy.fields["internetMessageId"] == arrived.fields["internetMessageId"]
    assert arrived.fields["isRead"] is False


async def test_a_mail_that_is_not_to_be_kept_is_not(graph: httpx.AsyncClient, ana: Mailbox) -> None:
    message = {"subject": "Hello", "toRecipients": TO_KIM}
    assert (await graph.post("me/sendMail", json={"message": message, "saveToSentItems": False})).status_code == 202
    assert ana.items == {}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"subjekt": "A"}, "RequestBodyRead"),
        ({"subject": 7}, "RequestBodyRead"),
        ({"id": "mine"}, "RequestBodyRead"),
        ({"importance": "urgent"}, "RequestBodyRead"),
        ({"toRecipients": [{"address": "kim@customer.example"}]}, "RequestBodyRead"),
        ({"internetMessageHeaders": [{"name": "Reply-To", "value": "x"}]}, "InvalidInternetMessageHeader"),
        ({"singleValueExtendedProperties": [{"id": "mine", "value": "x"}]}, "RequestBodyRead"),
    ],
)
async def test_a_draft_that_the_type_does_not_allow_is_refused(
    graph: httpx.AsyncClient, ana: Mailbox, body: dict[str, object], code: str
) -> None:
    assert refusal(await graph.post("me/messages", json=body)) == (400, code)
    assert ana.items == {}


async def test_what_was_sent_cannot_be_rewritten(graph: httpx.AsyncClient, ana: Mailbox) -> None:
    mail = ana.receive(KIM, "Offer?")
    answer = await graph.patch(f"me/messages/{mail.id}", json={"subject": "No offer"})
    assert refusal(answer) == (400, "ErrorInvalidPropertyUpdateSentMessage")
    read = await graph.patch(f"me/messages/{mail.id}", json={"isRead": True, "categories": ["Customer"]})
    assert (read.json()["isRead"], read.json()["categories"], mail.fields["subject"]) == (True, ["Customer"], "Offer?")
    assert ana.known("inbox").unread == 0


async def test_a_draft_to_nobody_is_not_sent(graph: httpx.AsyncClient, ana: Mailbox) -> None:
    made = (await graph.post("me/messages", json={"subject": "A"})).json()
    assert refusal(await graph.post(f"me/messages/{made['id']}/send")) == (400, "ErrorInvalidRecipients")
    assert len(ana.known("drafts").items) == 1


async def test_a_sent_message_may_be_found_a_little_later(
    graph: httpx.AsyncClient, sandbox: OutlookSandbox, clock: Clock
) -> None:
    sandbox.faults.sent_lag = 5
    made = (await graph.post("me/messages", json={"subject": "A", "toRecipients": TO_KIM})).json()
    assert (await graph.post(f"me/messages/{made['id']}/send")).status_code == 202
    assert refusal(await graph.get(f"me/messages/{made['id']}")) == (404, "ErrorItemNotFound")
    clock.forward(seconds=5)
    assert (await graph.get(f"me/messages/{made['id']}")).json()["isDraft"] is False


async def test_nobody_sends_as_somebody_else(graph: httpx.AsyncClient, ana: Mailbox) -> None:
    message = {"subject": "A", "toRecipients": TO_KIM, "from": TO_KIM[0]}
    assert refusal(await graph.post("me/sendMail", json={"message": message})) == (403, "ErrorSendAsDenied")
    assert ana.items == {}


async def test_a_message_is_reached_through_its_folder_only(graph: httpx.AsyncClient, ana: Mailbox) -> None:
    mail = ana.receive(KIM, "Offer?")
    assert (await graph.get(f"me/mailFolders/inbox/messages/{mail.id}")).json()["subject"] == "Offer?"
    assert refusal(await graph.get(f"me/mailFolders/archive/messages/{mail.id}")) == (404, "ErrorItemNotFound")


async def test_deleting_moves_to_deleted_items_and_there_for_good(graph: httpx.AsyncClient, ana: Mailbox) -> None:
    mail = ana.receive(KIM, "Offer?")
    assert (await graph.delete(f"me/messages/{mail.id}")).status_code == 204
    assert mail.folder is ana.known("deleteditems")
    assert (await graph.delete(f"me/messages/{mail.id}")).status_code == 204
    assert refusal(await graph.get(f"me/messages/{mail.id}")) == (404, "ErrorItemNotFound")


async def test_folders_make_a_tree(graph: httpx.AsyncClient, ana: Mailbox) -> None:
    made = (await graph.post("me/mailFolders/inbox/childFolders", json={"displayName": "Customers"})).json()
    ana.receive(KIM, "Offer?", folder=made["id"])
    (child,) = (await graph.get("me/mailFolders('inbox')/childFolders")).json()["value"]
    assert child == {
        "id": made["id"],
        "displayName": "Customers",
        "parentFolderId": ana.known("inbox").id,
        "childFolderCount": 0,
        "unreadItemCount": 1,
        "totalItemCount": 1,
        "isHidden": False,
    }
    names = [each["displayName"] for each in (await graph.get("me/mailFolders?$top=100")).json()["value"]]
    assert names == [
        "Inbox", "Drafts", "Sent Items", "Deleted Items", "Archive", "Junk Email", "Outbox", "Conversation History",
    ]  # fmt: skip
    renamed = await graph.patch(f"me/mailFolders/{made['id']}", json={"displayName": "Clients"})
    assert renamed.json()["displayName"] == "Clients"
    again = await graph.post("me/mailFolders/inbox/childFolders", json={"displayName": "Clients"})
    assert refusal(again) == (400, "ErrorFolderExists")
    assert refusal(await graph.delete("me/mailFolders/inbox")) == (400, "ErrorDeleteDistinguishedFolder")
    assert (await graph.delete(f"me/mailFolders/{made['id']}")).status_code == 204
    assert ana.items == {}
