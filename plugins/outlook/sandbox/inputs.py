"""What may be written: the bodies of requests, field by field; everything else is refused as Graph refuses it.

A field that the client left out stays unset, so a PATCH changes what it names and nothing else. `@odata.type`, which
SDKs send along, is taken and dropped. Fields that only the service sets (ids, times) are refused (UNVERIFIED: Graph
ignores some of them).
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType, field

from plugins.outlook.sandbox.errors import Refusal, bad_request

Text = str | UnsetType | None
Flag = bool | UnsetType | None
Importance = Literal["low", "normal", "high"] | UnsetType
Body = TypeVar("Body", bound="Written")


class Written(Struct, forbid_unknown_fields=True, rename="camel", kw_only=True, omit_defaults=False):
    """A body or a part of one."""

    odata_type: str | UnsetType = field(name="@odata.type", default=UNSET)


class EmailAddress(Written):
    """A name and an address."""

    name: Text = UNSET
    address: Text = UNSET


class Recipient(Written):
    """Somebody a message goes to or comes from."""

    email_address: EmailAddress


class ItemBody(Written):
    """The text of a message or event."""

    content_type: Literal["text", "html", "Text", "HTML"] = "text"
    content: str = ""


class Flagged(Written):
    """The follow-up flag."""

    flag_status: Literal["notFlagged", "complete", "flagged"]


class Header(Written):
    """One header line of a message."""

    name: str
    value: str


class ExtendedProperty(Written):
    """A property of the client's own, such as its key for the item."""

    id: Annotated[str, Meta(pattern=r"^(String|Integer|Boolean) (\{[0-9a-fA-F-]{36}\} (Name|Id) .+|0x[0-9a-fA-F]+)$")]
    value: str


Recipients = list[Recipient] | UnsetType
Extended = list[ExtendedProperty] | UnsetType


class Message(Written):
    """A message that is made or changed."""

    subject: Text = UNSET
    body: ItemBody | UnsetType = UNSET
    to_recipients: Recipients = UNSET
    cc_recipients: Recipients = UNSET
    bcc_recipients: Recipients = UNSET
    reply_to: Recipients = UNSET
    sender: Recipient | UnsetType = UNSET
    from_: Recipient | UnsetType = field(name="from", default=UNSET)
    importance: Importance = UNSET
    categories: list[str] | UnsetType = UNSET
    is_read: Flag = UNSET
    flag: Flagged | UnsetType = UNSET
    inference_classification: Literal["focused", "other"] | UnsetType = UNSET
    is_delivery_receipt_requested: Flag = UNSET
    is_read_receipt_requested: Flag = UNSET
    internet_message_id: Text = UNSET
    internet_message_headers: list[Header] | UnsetType = UNSET
    single_value_extended_properties: Extended = UNSET


class SendMail(Written):
    """The parameters of `sendMail`."""

    message: Message
    save_to_sent_items: bool = True


class Move(Written):
    """The parameter of `move`: a folder's id or well-known name."""

    destination_id: str


class Folder(Written):
    """A folder that is made or renamed."""

    display_name: Annotated[str, Meta(min_length=1)]
    is_hidden: bool | UnsetType = UNSET


class Address(Written):
    """A postal address."""

    street: Text = UNSET
    city: Text = UNSET
    state: Text = UNSET
    country_or_region: Text = UNSET
    postal_code: Text = UNSET


class Contact(Written):
    """A contact that is made or changed."""

    display_name: Text = UNSET
    given_name: Text = UNSET
    middle_name: Text = UNSET
    surname: Text = UNSET
    nick_name: Text = UNSET
    initials: Text = UNSET
    generation: Text = UNSET
    title: Text = UNSET
    file_as: Text = UNSET
    company_name: Text = UNSET
    department: Text = UNSET
    job_title: Text = UNSET
    profession: Text = UNSET
    office_location: Text = UNSET
    manager: Text = UNSET
    assistant_name: Text = UNSET
    spouse_name: Text = UNSET
    business_home_page: Text = UNSET
    personal_notes: Text = UNSET
    mobile_phone: Text = UNSET
    birthday: Text = UNSET
    email_addresses: Annotated[list[EmailAddress], Meta(max_length=3)] | UnsetType = UNSET
    business_phones: Annotated[list[str], Meta(max_length=2)] | UnsetType = UNSET
    home_phones: Annotated[list[str], Meta(max_length=2)] | UnsetType = UNSET
    im_addresses: list[str] | UnsetType = UNSET
    children: list[str] | UnsetType = UNSET
    categories: list[str] | UnsetType = UNSET
    business_address: Address | UnsetType = UNSET
    home_address: Address | UnsetType = UNSET
    other_address: Address | UnsetType = UNSET
    single_value_extended_properties: Extended = UNSET


class ZonedTime(Written):
    """A wall clock time and its zone."""

    date_time: str
    time_zone: Text = UNSET


class Location(Written):
    """Where an event takes place."""

    display_name: Text = UNSET
    location_email_address: Text = UNSET
    location_uri: Text = UNSET
    address: Address | UnsetType = UNSET


class Attendee(Written):
    """Somebody who is invited."""

    email_address: EmailAddress
    type: Literal["required", "optional", "resource"] = "required"


class Pattern(Written):
    """How often a series takes place."""

    type: Literal["daily", "weekly", "absoluteMonthly", "relativeMonthly", "absoluteYearly", "relativeYearly"]
    interval: int
    month: int | UnsetType = UNSET
    day_of_month: int | UnsetType = UNSET
    days_of_week: (
        list[Literal["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"]] | UnsetType
    ) = UNSET
    first_day_of_week: (
        Literal["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"] | UnsetType
    ) = UNSET
    index: Literal["first", "second", "third", "fourth", "last"] | UnsetType = UNSET


class Range(Written):
    """From when until when a series takes place."""

    type: Literal["endDate", "noEnd", "numbered"]
    start_date: str
    end_date: Text = UNSET
    recurrence_time_zone: Text = UNSET
    number_of_occurrences: int | UnsetType = UNSET


class Recurrence(Written):
    """A series."""

    pattern: Pattern
    range: Range


class Event(Written):
    """An event that is made or changed."""

    subject: Text = UNSET
    body: ItemBody | UnsetType = UNSET
    start: ZonedTime | UnsetType = UNSET
    end: ZonedTime | UnsetType = UNSET
    location: Location | UnsetType = UNSET
    locations: list[Location] | UnsetType = UNSET
    attendees: list[Attendee] | UnsetType = UNSET
    recurrence: Recurrence | UnsetType | None = UNSET
    importance: Importance = UNSET
    sensitivity: Literal["normal", "personal", "private", "confidential"] | UnsetType = UNSET
    show_as: Literal["free", "tentative", "busy", "oof", "workingElsewhere", "unknown"] | UnsetType = UNSET
    is_all_day: Flag = UNSET
    is_reminder_on: Flag = UNSET
    reminder_minutes_before_start: int | UnsetType = UNSET
    response_requested: Flag = UNSET
    allow_new_time_proposals: Flag = UNSET
    hide_attendees: Flag = UNSET
    is_online_meeting: Flag = UNSET
    online_meeting_provider: Literal["unknown", "teamsForBusiness"] | UnsetType = UNSET
    categories: list[str] | UnsetType = UNSET
    transaction_id: Text = UNSET
    single_value_extended_properties: Extended = UNSET


class Subscription(Written):
    """A subscription that is asked for."""

    change_type: str
    notification_url: str
    resource: str
    expiration_date_time: str
    lifecycle_notification_url: Text = UNSET
    client_state: Annotated[str, Meta(max_length=128)] | UnsetType | None = UNSET
    latest_supported_tls_version: Literal["v1_0", "v1_1", "v1_2", "v1_3"] | UnsetType | None = UNSET
    include_resource_data: Flag = UNSET


class Renewal(Written):
    """A subscription that is to live on."""

    expiration_date_time: str


class BatchRequest(Struct, rename="camel", kw_only=True, forbid_unknown_fields=True):
    """One request of a batch."""

    id: str
    method: Literal["GET", "POST", "PATCH", "PUT", "DELETE"]
    url: str
    headers: dict[str, str] = field(default_factory=dict)
    body: Any = None
    depends_on: list[str] = field(default_factory=list)


class Batch(Struct, kw_only=True, forbid_unknown_fields=True):
    """Several requests in one."""

    requests: list[BatchRequest]


def read(body: bytes, kind: type[Body], *, action: bool = False) -> Body:
    """The body of a request; the names of an action's parameters may begin with a capital letter."""
    try:
        plain = msgspec.json.decode(body)
    except msgspec.DecodeError:
        message = "Unable to read JSON request payload. Please ensure that the payload is of valid JSON format."
        raise bad_request(message) from None
    if action and isinstance(plain, dict):
        plain = {name[:1].lower() + name[1:]: value for name, value in plain.items()}
    found: Body = converted(plain, kind)
    return found


def converted(plain: Any, kind: type[Any]) -> Any:
    """The body as a type, or the refusal that names what is wrong with it."""
    try:
        return msgspec.convert(plain, kind)
    except msgspec.ValidationError as problem:
        raise _unreadable(str(problem), kind.__name__) from None


def plain(body: Written) -> dict[str, Any]:
    """What the client set, as JSON has it."""
    found: dict[str, Any] = _without_types(msgspec.to_builtins(body))
    return found


def _without_types(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_types(each) for name, each in value.items() if name != "@odata.type"}
    return [_without_types(each) for each in value] if isinstance(value, list) else value


def _unreadable(problem: str, kind: str) -> Refusal:
    unknown = re.search(r"unknown field `(.+?)`", problem)
    if unknown:
        owner = kind[:1].lower() + kind[1:]
        return bad_request(
            f"The property '{unknown[1]}' does not exist on type 'microsoft.graph.{owner}'. "
            "Make sure to only use property names that are defined by the type.",
            "RequestBodyRead",
        )
    return bad_request(f"Cannot convert the request body: {problem}", "RequestBodyRead")
