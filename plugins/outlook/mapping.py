"""From Graph's messages, events and contacts to records and back; and what of them is never handed over."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from msgspec.structs import replace

from plugins.outlook.graph import Mailbox, Row, only
from tenure_sdk import Address, Customer, Email, Identity, Interaction, Meeting, Record, Reject, mapped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from plugins.outlook.settings import OutlookConfig

SENSITIVITY = "Integer 0x36"
"""Outlook's mark of a message as personal (1), private (2) or confidential (3): Graph shows it no other way."""

MESSAGE = (
    "subject,from,sender,toRecipients,ccRecipients,bccRecipients,receivedDateTime,sentDateTime,isDraft,conversationId,"
    "internetMessageId,parentFolderId,webLink,createdDateTime,lastModifiedDateTime"
)
"""What is asked of a message; its text only where all of it is kept."""

CONTACT = (
    "displayName,givenName,surname,companyName,jobTitle,emailAddresses,mobilePhone,businessPhones,homePhones,"
    "businessAddress,homeAddress,otherAddress,createdDateTime,lastModifiedDateTime"
)
"""What is asked of a contact: not its notes, its birthday or its family."""

EXPANDED = f"singleValueExtendedProperties($filter=id eq '{SENSITIVITY}')"

MOST_TEXT = 1_000_000
"""How many characters of a text are kept."""

EMAILS, PHONES, ADDRESSES = 3, 5, 3
"""How many of each a contact of Outlook has room for."""


def wanted(keep: str) -> str:
    """What is asked of messages where this is kept."""
    return f"{MESSAGE},body" if keep == "FULL" else MESSAGE


class Sorted(NamedTuple):
    """What rows came to."""

    records: list[Record]
    unwanted: list[str]
    """The ids of those that must not be here."""
    rejects: list[Reject]
    """What is no record at all."""


def sorted_out(rows: Iterable[Row], make: Callable[[Row], Record], name: Callable[[str], str]) -> Sorted:
    """The records that are made of rows, those made as deleted apart; `name` makes a record's id of an item's."""
    made, rejects = mapped(rows, make)
    named = [replace(each, record_id=each.record_id and name(each.record_id)) for each in rejects]
    return Sorted([each for each in made if not each.deleted], [each.id for each in made if each.deleted], named)


def mail(row: Row, box: Mailbox, config: OutlookConfig) -> Interaction:
    """A message as an interaction; as a deleted one, which says nothing, where it must not be kept."""
    record_id = box.record_id("messages", row["id"])
    sender = _address(row.get("from") or row.get("sender"))
    people = [_addresses(row, name) for name in ("toRecipients", "ccRecipients", "bccRecipients")]
    everybody = [sender, *people[0], *people[1], *people[2]]
    parties = _outside(everybody, config)
    if row.get("isDraft") or not parties or _is_sensitive(row):
        return _nothing(record_id, "EMAIL_RECEIVED")
    is_sent = sender is not None and config.is_own(sender)
    return Interaction(
        id=record_id,
        version=row.get("@odata.etag"),
        created_at=_moment(row.get("createdDateTime")),
        updated_at=_moment(row.get("lastModifiedDateTime")),
        url=row.get("webLink"),
        kind="EMAIL_SENT" if is_sent else "EMAIL_RECEIVED",
        occurred_at=moment(row["sentDateTime" if is_sent else "receivedDateTime"]),
        parties=parties,
        channel="EMAIL",
        direction="OUTBOUND" if is_sent else "INBOUND",
        summary=row.get("subject") or None,
        correlation_key=row.get("conversationId"),
        payload=Email(
            subject=row.get("subject") or None,
            sender=sender,
            recipients=(*people[0], *people[1]),
            message_id=row.get("internetMessageId"),
        ),
        content=_text(row, box),
    )


def meeting(row: Row, series: Row | None, box: Mailbox, config: OutlookConfig) -> Interaction:
    """An event as an interaction; as a deleted one, which says nothing, where it must not be kept.

    An occurrence that is like all of its series has only its times: the rest is the series'.
    """
    record_id = box.record_id("events", row["id"])
    full = {**(series or {}), **{name: value for name, value in row.items() if value is not None}}
    invited = [each for each in full.get("attendees") or () if each.get("type") != "resource"]
    organizer = _address(full.get("organizer"))
    attendees = tuple(address for each in invited if (address := _address(each)) is not None)
    parties = _outside([organizer, *attendees], config)
    is_series = full.get("type") == "seriesMaster"
    if is_series or full.get("isDraft") or not parties or _is_private(row) or _is_private(series):
        return _nothing(record_id, "MEETING")
    return Interaction(
        id=record_id,
        version=row.get("@odata.etag"),
        created_at=_moment(full.get("createdDateTime")),
        updated_at=_moment(full.get("lastModifiedDateTime")),
        url=full.get("webLink"),
        kind="MEETING",
        occurred_at=moment(full["start"]["dateTime"]),
        parties=parties,
        channel="VIDEO" if full.get("isOnlineMeeting") else None,
        direction="OUTBOUND" if full.get("isOrganizer") else "INBOUND",
        summary=full.get("subject") or None,
        correlation_key=(series or full).get("iCalUId"),
        payload=Meeting(
            title=full.get("subject") or None,
            ends_at=moment(full["end"]["dateTime"]),
            attendees=attendees,
            location=only(full, "location", "displayName") or None,
            status="CANCELLED" if full.get("isCancelled") else None,
        ),
        content=_text(full, box),
    )


def contact(row: Row, box: Mailbox, config: OutlookConfig) -> Customer:
    """A contact as a customer; as a deleted one, which says nothing, where it is one of the tenant's own people."""
    record_id = box.record_id("contacts", row["id"])
    emails = tuple(each["address"] for each in row.get("emailAddresses") or () if each.get("address"))
    if emails and all(map(config.is_own, emails)):
        return Customer(id=record_id, deleted=True)
    name, company = row.get("displayName") or None, row.get("companyName") or None
    is_company = company is not None and name in {None, company} and not (row.get("givenName") or row.get("surname"))
    phones = [row.get("mobilePhone"), *(row.get("businessPhones") or ()), *(row.get("homePhones") or ())]
    postal = (_postal(row.get(field) or {}) for field in _POSTAL)
    return Customer(
        id=record_id,
        version=row.get("@odata.etag"),
        created_at=_moment(row.get("createdDateTime")),
        updated_at=_moment(row.get("lastModifiedDateTime")),
        kind="ORGANISATION" if is_company else "PERSON",
        name=name or company,
        emails=emails,
        phones=tuple(dict.fromkeys(phone for phone in phones if phone)),
        addresses=tuple(address for address in postal if address is not None),
        extra={field: row[field] for field in ("companyName", "jobTitle") if row.get(field)},
    )


def contact_fields(record: Customer, fields: Iterable[str]) -> Row:
    """What of a contact has to be written so that these fields of a customer are as they should be."""
    written: Row = {}
    for field in fields:
        written |= WRITTEN[field](record)
    return written


_POSTAL = ("businessAddress", "homeAddress", "otherAddress")


def _names(record: Customer) -> Row:
    return {"displayName": record.name or ""}


def _mails(record: Customer) -> Row:
    name = record.name
    return {"emailAddresses": [{"address": each, "name": name or each} for each in record.emails[:EMAILS]]}


def _phones(record: Customer) -> Row:
    first, rest = record.phones[:1], list(record.phones[1:PHONES])
    return {"mobilePhone": first[0] if first else None, "businessPhones": rest[:2], "homePhones": rest[2:]}


def _places(record: Customer) -> Row:
    places: list[Address] = [*record.addresses, *[Address()] * len(_POSTAL)]
    return {
        field: {
            "street": place.street,
            "city": place.city,
            "state": place.region,
            "postalCode": place.postal_code,
            "countryOrRegion": place.country_name or place.country,
        }
        for field, place in zip(_POSTAL, places, strict=False)
    }


WRITTEN: Mapping[str, Callable[[Customer], Row]] = {
    "name": _names,
    "emails": _mails,
    "phones": _phones,
    "addresses": _places,
}


def _postal(row: Row) -> Address | None:
    country = row.get("countryOrRegion") or None
    is_code = country is not None and len(country) == 2 and country.isascii() and country.isupper()
    made = Address(
        street=row.get("street") or None,
        city=row.get("city") or None,
        region=row.get("state") or None,
        postal_code=row.get("postalCode") or None,
        country=country if is_code else None,
        country_name=None if is_code else country,
    )
    return None if made == Address() else made


def moment(text: str) -> datetime:
    """A moment of Graph, in UTC: with a `Z`, or without where it was asked for in UTC; seconds have up to 7 places."""
    whole, _, fraction = text.removesuffix("Z").partition(".")
    return datetime.fromisoformat(f"{whole}.{fraction[:6]:0<6}").replace(tzinfo=UTC)


def _nothing(record_id: str, kind: str) -> Interaction:
    return Interaction(id=record_id, kind=kind, occurred_at=datetime.min.replace(tzinfo=UTC), deleted=True)


def _outside(addresses: Sequence[str | None], config: OutlookConfig) -> tuple[Identity, ...]:
    """Those who are not of the tenant's own people, each once."""
    known = dict.fromkeys(address.lower() for address in addresses if address)
    return tuple(Identity("email", address) for address in known if not config.is_own(address))


def _is_sensitive(row: Row) -> bool:
    marks = {each["id"].lower(): each["value"] for each in row.get("singleValueExtendedProperties") or ()}
    return bool(marks.get(SENSITIVITY.lower(), "0") != "0")


def _is_private(event: Row | None) -> bool:
    return bool(event and (event.get("sensitivity") or "normal") != "normal")


def _address(person: Any) -> str | None:
    """The address of a sender, recipient or attendee; Exchange's own form, without an `@`, is none."""
    found = only(person or {}, "emailAddress", "address")
    return found if isinstance(found, str) and "@" in found else None


def _addresses(row: Row, field: str) -> list[str]:
    return [address for each in row.get(field) or () if (address := _address(each)) is not None]


def _text(row: Row, box: Mailbox) -> str | None:
    text = only(row, "body", "content") if box.keep == "FULL" else None
    return text[:MOST_TEXT] or None if isinstance(text, str) else None


def _moment(text: str | None) -> datetime | None:
    return None if text is None else moment(text)
