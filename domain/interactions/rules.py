"""What the payload of each family holds, and how it is kept."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias
from uuid import UUID

import msgspec
from msgspec import Meta, Struct, field

from domain.core.problems import Invalid

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tenure_sdk import records

Currency: TypeAlias = Annotated[str, Meta(pattern="^[A-Z]{3}$")]
Instant: TypeAlias = Annotated[datetime, Meta(tz=True)]
Count: TypeAlias = Annotated[int, Meta(ge=0)]
Text: TypeAlias = Annotated[str, Meta(min_length=1)]


LINE = 400
"""How long a summary can be, in characters: more than that an entry of an index cannot hold.

One that comes from elsewhere is cut; whoever writes one by hand is told.
"""


class PayloadInvalid(Invalid):
    """The payload does not fit this kind of interaction. The reason names the field and what it takes."""


class FollowsFromDocument(Invalid):
    """This kind of interaction follows from a document or a move and is not recorded by itself. Use that mutation."""


class SummaryTooLong(Invalid):
    """A summary is one line of at most 400 characters. Shorten it; the payload takes the rest."""


class Payload(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an interaction holds beside its kind, time, channel and summary; a field not known is None."""


class EmailPayload(Payload, frozen=True, kw_only=True):
    """What is known of an e-mail; its body stays where it was sent from."""

    subject: str | None = None
    sender: str | None = field(name="from", default=None)
    recipients: tuple[str, ...] = field(name="to", default=())
    message_id: str | None = None
    link: str | None = None
    """The address that was clicked."""
    user_agent: str | None = None
    """What program opened or clicked it, in its own words."""
    ip: str | None = None
    """From which network address it did."""
    method: str | None = None
    """With which HTTP method it did: one that asks for nothing but the head is no person."""


class MessagePayload(Payload, frozen=True, kw_only=True):
    """A short message, an inquiry or a form that was sent in."""

    text: str | None = None
    sender: str | None = field(name="from", default=None)
    recipients: tuple[str, ...] = field(name="to", default=())
    status: str | None = None


class CallPayload(Payload, frozen=True, kw_only=True):
    """A telephone call."""

    caller: str | None = field(name="from", default=None)
    callee: str | None = field(name="to", default=None)
    duration_seconds: Count | None = None
    outcome: str | None = None
    recording_url: str | None = None


class MeetingPayload(Payload, frozen=True, kw_only=True):
    """A meeting, planned or held."""

    title: str | None = None
    starts_at: Instant | None = None
    ends_at: Instant | None = None
    attendees: tuple[str, ...] = ()
    location: str | None = None
    status: str | None = None

    def __post_init__(self) -> None:
        if self.starts_at and self.ends_at and self.ends_at < self.starts_at:
            raise ValueError("ends_at: a meeting ends after it starts")


class EnvelopePayload(Payload, frozen=True, kw_only=True):
    """Documents that are sent for signature."""

    title: str | None = None
    envelope_id: str | None = None
    signers: tuple[str, ...] = ()
    reason: str | None = None
    """Why it was declined or voided."""


class CasePayload(Payload, frozen=True, kw_only=True):
    """A step in the life of a support case."""

    case_id: str | None = None
    title: str | None = None
    status: str | None = None
    priority: str | None = None
    cost: Decimal | None = None
    currency: Currency | None = None


class SurveyPayload(Payload, frozen=True, kw_only=True):
    """An answer to a survey; `scale` is the highest score."""

    survey: str | None = None
    kind: Literal["NPS", "CSAT", "CES", "OTHER"] = "OTHER"
    score: Decimal | None = None
    scale: Annotated[int, Meta(ge=1)] | None = None
    comment: str | None = None

    def __post_init__(self) -> None:
        highest = 10 if self.kind == "NPS" else self.scale
        _check_score("score", self.score, highest)


class ReviewPayload(Payload, frozen=True, kw_only=True):
    """What a customer says in public; `scale` is the highest rating."""

    rating: Decimal | None = None
    scale: Annotated[int, Meta(ge=1)] = 5
    text: str | None = None
    site: str | None = None

    def __post_init__(self) -> None:
        _check_score("rating", self.rating, self.scale)


class ReferralPayload(Payload, frozen=True, kw_only=True):
    """A recommendation by a customer to somebody else."""

    referred: str | None = None
    """Who was referred, as the source names them."""
    referred_customer_id: UUID | None = None
    code: str | None = None
    status: str | None = None


class UsagePayload(Payload, frozen=True, kw_only=True):
    """A product that was bought is used."""

    product: str | None = None
    feature: str | None = None
    quantity: Decimal | None = None
    unit: str | None = None


class VisitPayload(Payload, frozen=True, kw_only=True):
    """A page, an advertisement or a shop was looked at."""

    url: str | None = None
    referrer: str | None = None
    seconds: Count | None = None
    session: str | None = None
    user_agent: str | None = None
    ip: str | None = None
    method: str | None = None


class CommercePayload(Payload, frozen=True, kw_only=True):
    """A step of an order, a refund, an invoice, a payment or a cart."""

    order_id: UUID | None = None
    refund_id: UUID | None = None
    invoice_id: UUID | None = None
    payment_id: UUID | None = None
    credit_note_id: UUID | None = None
    number: str | None = None
    amount: Decimal | None = None
    currency: Currency | None = None

    def __post_init__(self) -> None:
        if self.amount is not None and self.currency is None:
            raise ValueError("currency: an amount is in a currency")


class StagePayload(Payload, frozen=True, kw_only=True):
    """A move from one stage of a lifecycle to another."""

    lifecycle: Text
    from_stage: str | None = None
    to_stage: str | None = None


class NotePayload(Payload, frozen=True, kw_only=True):
    """What somebody wrote down."""

    text: Text
    author: str | None = None


class TaskPayload(Payload, frozen=True, kw_only=True):
    """Something that somebody has to do."""

    title: Text
    assignee: str | None = None
    due_at: Instant | None = None
    done: bool = False


SCANNER_AGENTS = (
    "bot", "crawler", "spider", "scanner", "preview", "headless", "curl", "wget", "python", "java/", "okhttp",
    "go-http-client", "existence discovery", "barracuda", "mimecast", "proofpoint", "urldefense", "safelinks",
)  # fmt: skip
"""What programs that look at links before people do say of themselves, anywhere in it and in small letters."""

SCANNER_NETS = (
    "40.92.0.0/15", "40.107.0.0/16", "52.100.0.0/14", "104.47.0.0/17",  # Microsoft's mail protection
    "67.231.144.0/20", "148.163.128.0/19",  # Proofpoint
    "64.235.144.0/20", "209.222.80.0/21",  # Barracuda
    "205.139.110.0/24", "207.211.30.0/24",  # Mimecast
)  # fmt: skip
"""The networks out of which the well-known protectors of mailboxes follow the links of a mail."""

FASTEST_PERSON = timedelta(seconds=2)
"""Whoever answers sooner after a delivery is a machine."""

BURST, LINKS_OF_BURST = timedelta(seconds=10), 3
"""Whoever follows so many links within this time is a machine."""


PAYLOADS: dict[str, type[Payload]] = {
    "EMAIL": EmailPayload,
    "MESSAGE": MessagePayload,
    "CALL": CallPayload,
    "MEETING": MeetingPayload,
    "ENVELOPE": EnvelopePayload,
    "CASE": CasePayload,
    "SURVEY": SurveyPayload,
    "REVIEW": ReviewPayload,
    "REFERRAL": ReferralPayload,
    "USAGE": UsagePayload,
    "VISIT": VisitPayload,
    "COMMERCE": CommercePayload,
    "STAGE": StagePayload,
    "NOTE": NotePayload,
    "TASK": TaskPayload,
}
"""What each family holds."""


def keep(family: str, payload: Payload | Mapping[str, Any] | None) -> dict[str, Any] | None:
    """A payload as it is kept: checked, decimals and times as their texts, without what is not known.

    None stands for a payload of which nothing is known. Raises PayloadInvalid.
    """
    given = msgspec.to_builtins(payload, builtin_types=(Decimal, datetime, UUID)) if payload is not None else {}
    try:
        checked = msgspec.convert(given, PAYLOADS[family])
    except msgspec.ValidationError as unfit:
        raise _unfit(family, str(unfit)) from unfit
    if payload is None:
        return None
    values = msgspec.structs.asdict(checked)
    if any(isinstance(value, Decimal) and not value.is_finite() for value in values.values()):
        raise _unfit(family, "a number must be finite")
    as_json = msgspec.json.decode(msgspec.json.encode(checked))
    return {name: value for name, value in as_json.items() if value not in (None, [])}


_WRITTEN_BY = {
    "ORDER_PLACED": "recordOrder", "ORDER_ADJUSTED": "recordOrder", "ORDER_CANCELLED": "cancelOrder",
    "ORDER_REFUNDED": "recordRefund", "STAGE_CHANGED": "moveCustomer",
    **dict.fromkeys(
        (
            "INVOICE_ISSUED", "INVOICE_SENT", "INVOICE_PAID", "INVOICE_OVERDUE", "INVOICE_VOIDED", "PAYMENT_RECEIVED",
            "PAYMENT_FAILED", "CREDIT_NOTE_ISSUED",
        ),
        "importRecords",
    ),
}  # fmt: skip
"""The kinds that follow from something else, and the mutation that writes it."""


def check_by_hand(kind: str) -> None:
    """Raise FollowsFromDocument for a kind that nobody records by itself."""
    if mutation := _WRITTEN_BY.get(kind):
        message = f"{kind} follows from what {mutation} writes down, and is not recorded by itself. Use {mutation}."
        raise FollowsFromDocument(message, path=("kind",), kind=kind, mutation=mutation)


def line(summary: str | None) -> str | None:
    """A summary that somebody wrote. Raises SummaryTooLong."""
    if summary is not None and len(summary) > LINE:
        raise SummaryTooLong(path=("summary",), length=len(summary))
    return summary


def _unfit(family: str, reason: str) -> PayloadInvalid:
    message = f"The payload does not fit this kind of interaction: {reason}."
    return PayloadInvalid(message, path=("payload",), family=family, reason=reason)


_KEPT_AS: dict[str, dict[str, str]] = {
    "email": {"sender": "from", "recipients": "to"},
    "message": {"sender": "from", "recipients": "to"},
    "call": {"caller": "from", "callee": "to", "seconds": "duration_seconds"},
    "envelope": {"envelope": "envelope_id"},
    "case": {"case": "case_id"},
    "survey": {"measure": "kind"},
    "review": {"out_of": "scale"},
    "visit": {"page": "url"},
    "commerce": {"reference": "number"},
}
"""Where a payload that a connector hands over has other names than ours."""

_KEPT_ELSEWHERE = {"type", "campaign"}
"""The family is a column, and so is the campaign's key."""


def keep_record(family: str, payload: records.Payload) -> dict[str, Any] | None:
    """The payload of a connector's record as it is kept. Raises PayloadInvalid."""
    given = msgspec.to_builtins(payload, builtin_types=(Decimal, datetime))
    names = _KEPT_AS.get(given["type"], {})
    ours = {
        names.get(name, name): value["id"] if isinstance(value, dict) else value
        for name, value in given.items()
        if name not in _KEPT_ELSEWHERE and value is not None
    }
    if given["type"] == "task":
        ours["done"] = ours.pop("completed_at", None) is not None
    return keep(family, ours)


def _check_score(name: str, score: Decimal | None, highest: int | None) -> None:
    if score is not None and not (score.is_finite() and score >= 0 and (highest is None or score <= highest)):
        raise ValueError(f"{name}: from 0 to {highest if highest is not None else 'any number'}")
