"""The canonical actions: what a front end asks for by the same name and in the same form, whichever vendor does it.

Who is asked says so with `@action("send_email", SendEmail, EmailSent)`. Ids are those of the remote side's records.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct

from tenure_sdk.records import Instant, RemoteId

Address = Annotated[str, Meta(min_length=3, max_length=320, pattern="^[^@]+@[^@]+$")]


class SendEmail(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`send_email`: a mail to these people."""

    to: Annotated[tuple[Address, ...], Meta(min_length=1, title="To")]
    subject: Annotated[str, Meta(title="Subject")]
    text: Annotated[str, Meta(title="Text")]
    html: Annotated[bool, Meta(title="The text is HTML")] = False
    cc: Annotated[tuple[Address, ...], Meta(title="Copy to")] = ()
    bcc: Annotated[tuple[Address, ...], Meta(title="Blind copy to")] = ()
    sender: Annotated[Address | None, Meta(title="From")] = None
    """The mailbox it goes out from, where there are several."""


class EmailSent(Struct, frozen=True, kw_only=True):
    """The mail went out."""

    id: RemoteId
    sent_at: datetime | None = None
    """None where the remote side does not say."""


class CreateMeeting(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`create_meeting`: a meeting that these people are invited to."""

    title: Annotated[str, Meta(title="Title")]
    starts_at: Annotated[Instant, Meta(title="Begins")]
    ends_at: Annotated[Instant, Meta(title="Ends")]
    attendees: Annotated[tuple[Address, ...], Meta(title="Invited")] = ()
    location: Annotated[str | None, Meta(title="Place")] = None
    text: Annotated[str | None, Meta(title="Text")] = None
    online: Annotated[bool, Meta(title="With a link to join")] = False
    organizer: Annotated[Address | None, Meta(title="Organised by")] = None
    """The calendar that it is made in, where there are several."""


class MeetingCreated(Struct, frozen=True, kw_only=True):
    """The meeting is in the calendar."""

    id: RemoteId
    url: str | None = None
    """Where a person can look at it."""


class SendInvoice(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`send_invoice`: an invoice of the remote side goes to the customer."""

    invoice: Annotated[RemoteId, Meta(title="Invoice")]
    to: Annotated[Address | None, Meta(title="To")] = None
    """Another address than the one that the invoice has."""


class InvoiceSent(Struct, frozen=True, kw_only=True):
    """The invoice went out."""

    id: RemoteId
    sent_at: datetime | None = None
