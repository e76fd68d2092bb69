"""A mailbox and what its owner does in Outlook: the side of the sandbox that tests and the demo play."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from plugins.outlook.sandbox import ids
from plugins.outlook.sandbox.store import CALENDAR, CONTACTS, Item, Store
from plugins.outlook.sandbox.times import pair, stamp

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from plugins.outlook.sandbox.store import Folder

Person = tuple[str, str]
"""A name and an address."""


class Mailbox(Store):
    """The mailbox of one address, with the acts of the person whose it is.

    Folders are named by id or well-known name (`inbox`, `drafts`, `sentitems`, `deleteditems`, `archive`, `junkemail`).
    """

    def __init__(self, address: str, number: int, now: Callable[[], datetime], name: str | None = None) -> None:
        super().__init__(number, now)
        self.address = address
        self.name = name or address.partition("@")[0].replace(".", " ").title()
        self.user_id = ids.guid("user", address)

    @property
    def owner(self) -> Person:
        """The name and address under which the mailbox sends."""
        return self.name, self.address

    def receive(
        self,
        sender: Person,
        subject: str,
        body: str = "",
        *,
        to: Sequence[Person] = (),
        cc: Sequence[Person] = (),
        folder: str = "inbox",
        at: datetime | None = None,
        answers: Item | None = None,
        is_read: bool = False,
        internet_message_id: str | None = None,
        headers: Sequence[dict[str, str]] = (),
    ) -> Item:
        """A mail arrives."""
        fields = self._mail(sender, subject, body, to=to or [self.owner], cc=cc, at=at, answers=answers)
        fields |= {"isRead": is_read}
        if internet_message_id:
            fields["internetMessageId"] = internet_message_id
        if headers:
            fields["internetMessageHeaders"] = list(headers)
        return self.put("message", self.folder(folder, "message"), fields)

    def send(
        self,
        to: Sequence[Person],
        subject: str,
        body: str = "",
        *,
        cc: Sequence[Person] = (),
        at: datetime | None = None,
        answers: Item | None = None,
    ) -> Item:
        """A mail that the owner writes and sends; its copy lies in Sent Items."""
        fields = self._mail(self.owner, subject, body, to=to, cc=cc, at=at, answers=answers) | {"isRead": True}
        return self.put("message", self.known("sentitems"), fields)

    def draft(self, to: Sequence[Person], subject: str, body: str = "") -> Item:
        """A mail that the owner has not sent yet."""
        fields = self._mail(self.owner, subject, body, to=to) | {"isRead": True, "isDraft": True}
        return self.put("message", self.known("drafts"), fields)

    def move_to(self, item: Item, folder: str) -> None:
        """The owner drags a mail or contact to another folder."""
        self.move(item, self.folder(folder, item.kind))

    def delete(self, item: Item) -> None:
        """The owner deletes an item: a mail goes to Deleted Items first, and from there for good."""
        trash = self.known("deleteditems")
        if item.kind == "message" and item.folder is not trash:
            self.move(item, trash)
        else:
            self.take_out(item)

    def add_folder(self, name: str, parent: str = "inbox") -> Folder:
        """The owner makes a folder for mail."""
        return self.open_folder("message", name, self.folder(parent, "message").key)

    def add_contact(self, name: str, *emails: str, folder: str = CONTACTS, **fields: Any) -> Item:
        """The owner notes a contact; further fields are named as Graph names them."""
        given, _, surname = name.partition(" ")
        known = {
            "displayName": name,
            "givenName": given,
            "surname": surname or None,
            "fileAs": name,
            "emailAddresses": [{"name": name, "address": email} for email in emails],
        }
        return self.put("contact", self.folder(folder, "contact"), known | fields)

    def edit(self, item: Item, **fields: Any) -> None:
        """The owner changes fields, named as Graph names them; a series keeps track of when it used to be."""
        if item.kind == "event" and fields.keys() & {"start", "end", "recurrence"}:
            item.folder.log.moved_in_time(item.key, self.times_of(item))
        self.change(item, fields)

    def mark_private(self, event: Item) -> None:
        """The owner marks an event private."""
        self.edit(event, sensitivity="private")

    def add_event(
        self,
        subject: str,
        start: datetime,
        minutes: int = 60,
        *,
        attendees: Sequence[Person] = (),
        organizer: Person | None = None,
        zone: str = "UTC",
        **fields: Any,
    ) -> Item:
        """An event in the owner's calendar; `recurrence` and further fields are named as Graph names them."""
        known: dict[str, Any] = {
            "subject": subject,
            "start": pair(start, zone),
            "end": pair(start + timedelta(minutes=minutes), zone),
            "attendees": [attendee(person) for person in attendees],
            "organizer": address_of(organizer or self.owner),
            "isOrganizer": organizer in {None, self.owner},
            "iCalUId": self.uid(subject, stamp(start)),
        }
        return self.put("event", self.known(CALENDAR), known | fields)

    def cancel_occurrence(self, series: Item, day: str) -> None:
        """The owner deletes one occurrence of a series, named by the day on which it would have been."""
        series.exceptions.pop(day, None)
        series.cancelled.add(day)
        series.version += 1
        series.folder.log.removed(f"{series.key}.{day}", {"occurrence": day})
        self.announce(series, series.folder, "updated")

    def change_occurrence(self, series: Item, day: str, fields: dict[str, Any]) -> None:
        """The owner changes one occurrence, which is an exception from now on."""
        series.exceptions.setdefault(day, {}).update(fields)
        self.touch(series, f"{series.key}.{day}")

    def times_of(self, event: Item) -> dict[str, Any]:
        """When an event takes place, to be compared with when it will."""
        return {
            "moves": event.moves,
            "fields": dict(event.fields),
            "exceptions": dict(event.exceptions),
            "cancelled": set(event.cancelled),
        }

    def uid(self, *parts: str) -> str:
        """An iCalendar uid, one for all copies of an event."""
        return (
            "040000008200E00074C5B7101A82E008"
            + ids.guid(self.address, len(self.items), *parts).replace("-", "").upper()
        )

    def message_id(self, subject: str) -> str:
        """A message id as RFC 5322 has it, unique in the world."""
        unique = ids.guid("mail", self.address, self._count, subject)
        return f"<{unique}@{self.address.partition('@')[2]}>"

    def _mail(
        self,
        sender: Person,
        subject: str,
        body: str,
        *,
        to: Sequence[Person],
        cc: Sequence[Person] = (),
        at: datetime | None = None,
        answers: Item | None = None,
    ) -> dict[str, Any]:
        when = stamp(at or self.now())
        message_id = self.message_id(f"{subject}{sender}")
        return {
            "subject": subject,
            "body": {"contentType": "text", "content": body},
            "from": address_of(sender),
            "sender": address_of(sender),
            "toRecipients": [address_of(each) for each in to],
            "ccRecipients": [address_of(each) for each in cc],
            "receivedDateTime": when,
            "sentDateTime": when,
            "internetMessageId": message_id,
            "conversationId": answers.fields["conversationId"] if answers else conversation(message_id),
        }


def address_of(person: Person) -> dict[str, Any]:
    """A person as a recipient."""
    return {"emailAddress": {"name": person[0], "address": person[1]}}


def attendee(person: Person) -> dict[str, Any]:
    """A person as somebody invited who has not answered."""
    status = {"response": "none", "time": "0001-01-01T00:00:00Z"}
    return {"type": "required", "status": status, **address_of(person)}


def conversation(seed: str) -> str:
    """The id of a thread."""
    return "AAQkAGI2" + ids.guid("thread", seed).replace("-", "")
