"""What users have done at the other side: a mail goes out, a meeting is made, an invoice is sent, or anything declared.

The other side is asked before the transaction, under the idempotency key: whoever repeats a request whose answer was
lost uses the same key, and a connector whose action is idempotent does it once.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
import strawberry
from sqlalchemy import select

from api.changes import Around, mutation
from api.changing.connecting import reached
from api.changing.inputs import given, needed, several
from api.changing.integrations import connector_of, id_in
from api.reference import Reference
from api.replays import Done
from api.scalars import JSON
from domain.core.problems import Conflict, Invalid, NotFound
from domain.core.unit_of_work import Reading, Writing
from domain.integrations import queries, rules
from domain.integrations.model import Integration, RecordLink
from domain.purchases.model import Invoice
from tenure_sdk import Action

_CUSTOMERS, _PURCHASES = "customers:write", "purchases:write"
_INTEGRATION = "The integration whose other side does it."
_KEY = "The same key does it once, where the connector can tell; the header `Idempotency-Key` serves as well."


class UnknownAction(Invalid):
    """The connector cannot do this. Take an action that the catalogue lists for it."""


class ActionInputUnfit(Invalid):
    """The input does not fit the action. Correct what the path names."""


class NotSendable(Conflict):
    """No system that is connected has this invoice and can send it."""


@strawberry.input(description="Something that a connector can do, with its input.")
class RunActionInput:
    """Something that a connector can do."""

    integration: strawberry.ID = needed(_INTEGRATION)
    action: str = needed("The name of the action, as the catalogue has it.")
    input: JSON = needed("What the action takes.")
    idempotency_key: str | None = given(_KEY, None)


@strawberry.input(description="A mail.")
class SendEmailInput:
    """A mail."""

    integration: strawberry.ID = needed(_INTEGRATION)
    to: list[str] = needed("Whom it goes to.")
    subject: str = needed("The subject.")
    text: str = needed("What it says.")
    html: bool = given("Whether the text is HTML.", default=False)
    cc: list[str] = several("Who gets a copy.")
    bcc: list[str] = several("Who gets a copy that the others do not see.")
    sender: str | None = given("The mailbox that it goes out from, where there are several.", None)
    idempotency_key: str | None = given(_KEY, None)


@strawberry.input(description="A meeting.")
class CreateMeetingInput:
    """A meeting."""

    integration: strawberry.ID = needed(_INTEGRATION)
    title: str = needed("What it is called.")
    starts_at: datetime = needed("When it begins.")
    ends_at: datetime = needed("When it ends.")
    attendees: list[str] = several("The addresses of those who are invited.")
    location: str | None = given("Where it is.", None)
    text: str | None = given("What it is about.", None)
    online: bool = given("Whether it gets a link to join.", default=False)
    organizer: str | None = given("The calendar that it is made in, where there are several.", None)
    idempotency_key: str | None = given(_KEY, None)


@strawberry.input(description="An invoice that goes to the customer.")
class SendInvoiceInput:
    """An invoice that goes to the customer."""

    invoice: strawberry.ID = needed("The invoice.")
    to: str | None = given("Another address than the one that the invoice has.", None)
    idempotency_key: str | None = given(_KEY, None)


async def _ran(around: Around, asked: RunActionInput) -> Any:
    return await _acted(around, id_in("ing", asked.integration, "integration"), asked.action, asked.input, asked)


async def _mailed(around: Around, asked: SendEmailInput) -> Any:
    wanted = {
        "to": asked.to, "subject": asked.subject, "text": asked.text, "html": asked.html, "cc": asked.cc,
        "bcc": asked.bcc, "sender": asked.sender,
    }  # fmt: skip
    return await _acted(around, id_in("ing", asked.integration, "integration"), "send_email", wanted, asked)


async def _met(around: Around, asked: CreateMeetingInput) -> Any:
    wanted = {
        "title": asked.title, "starts_at": asked.starts_at.isoformat(), "ends_at": asked.ends_at.isoformat(),
        "attendees": asked.attendees, "location": asked.location, "text": asked.text, "online": asked.online,
        "organizer": asked.organizer,
    }  # fmt: skip
    return await _acted(around, id_in("ing", asked.integration, "integration"), "create_meeting", wanted, asked)


async def _sent(around: Around, asked: SendInvoiceInput) -> Any:
    async with around.database.reading(around.identity.tenant_id) as work:
        integration_id, remote_id = await _sendable(work, around, asked.invoice)
    done = await _acted(around, integration_id, "send_invoice", {"invoice": remote_id, "to": asked.to}, asked)
    return {**(done or {}), "integration": integration_id}


_RESULT: Mapping[str, Any] = {"result": (JSON | None, "What the action answers with.")}
_ID = "Its id at the other side."
_MAIL: Mapping[str, Any] = {
    "remote_id": (str | None, _ID),
    "sent_at": (datetime | None, "When it went out, where the other side says."),
}
_MEETING: Mapping[str, Any] = {"remote_id": (str | None, _ID), "url": (str | None, "Where a person can look at it.")}
_INVOICE: Mapping[str, Any] = {"sent_at": (datetime | None, "When it went out, where the other side says.")}


@mutation(
    "integration", "integrations.Integration", scope=f"{_CUSTOMERS} {_PURCHASES}", also=_RESULT, before=_ran
)  # fmt: skip
async def run_action(work: Writing, asked: RunActionInput, around: Around) -> Done:
    """Have the other side do something that its connector declares."""
    return _noted(work, id_in("ing", asked.integration, "integration"), asked.action, {"result": around.brought})


@mutation("integration", "integrations.Integration", scope=_CUSTOMERS, also=_MAIL, before=_mailed)
async def send_email(work: Writing, asked: SendEmailInput, around: Around) -> Done:
    """Send a mail from a mailbox that is connected; it comes back to the timeline with the next reading."""
    done = around.brought
    told = {"remote_id": done["id"], "sent_at": done.get("sent_at")}
    return _noted(work, id_in("ing", asked.integration, "integration"), "send_email", told)


@mutation("integration", "integrations.Integration", scope=_CUSTOMERS, also=_MEETING, before=_met)
async def create_meeting(work: Writing, asked: CreateMeetingInput, around: Around) -> Done:
    """Make a meeting in a calendar that is connected, and invite people to it."""
    done = around.brought
    told = {"remote_id": done["id"], "url": done.get("url")}
    return _noted(work, id_in("ing", asked.integration, "integration"), "create_meeting", told)


@mutation("invoice", "invoices.Invoice", scope=_PURCHASES, also=_INVOICE, before=_sent)
async def send_invoice(work: Writing, asked: SendInvoiceInput, around: Around) -> Done:
    """Have the system that made an invoice send it to the customer."""
    done = around.brought
    noted = _noted(work, done["integration"], "send_invoice", {"sent_at": done.get("sent_at")})
    return Done(Reference("Invoice", id_in("inv", asked.invoice, "invoice")), noted.fields)


async def _acted(around: Around, integration_id: Any, action: str, wanted: Any, asked: Any) -> Any:
    """What the other side answers, as plain JSON values."""
    async with around.database.reading(around.identity.tenant_id) as work:
        integration = await queries.integration(work, integration_id)
    rules.check_state(integration.state, *sorted(rules.READABLE))
    _check_known(around, integration, action)
    key = asked.idempotency_key or around.key
    with reached():
        async with around.switchboard.remotes.open(around.identity.tenant_id, integration_id) as remote:
            try:
                return await remote.act(action, wanted, key)
            except msgspec.ValidationError as unfit:
                raise ActionInputUnfit(_said(unfit), path=_path(unfit, asked), reason=_said(unfit)) from unfit


def _check_known(around: Around, integration: Integration, action: str) -> None:
    connector = connector_of(around, integration)
    known = sorted(each.name for each in connector.declared(Action))
    if action not in known:
        listed = ", ".join(known) or "nothing"
        raise UnknownAction(f"{connector.title} cannot do {action}; it can: {listed}.", path=("action",))


def _noted(work: Writing, integration_id: Any, action: str, told: Mapping[str, Any]) -> Done:
    """The deed in the audit log, without what was said in it."""
    work.audit("integrations.act", f"integration:{integration_id.hex}", after={"action": action})
    return Done(Reference("Integration", integration_id), told)


async def _sendable(work: Reading, around: Around, given_id: Any) -> tuple[Any, str]:
    """The integration that can send an invoice, and the invoice's id there. Raises NotFound or NotSendable."""
    invoice_id = id_in("inv", given_id, "invoice")
    known = select(Invoice.id).where(Invoice.tenant_id == work.tenant_id, Invoice.id == invoice_id)
    if await work.one(known) is None:
        raise NotFound(path=("invoice",))
    links = await work.all(
        select(RecordLink).where(
            RecordLink.tenant_id == work.tenant_id, RecordLink.local_id == invoice_id, RecordLink.type == "invoice"
        )
    )
    for link in links:
        integration = await queries.integration(work, link.integration_id)
        declared = connector_of(around, integration).declared(Action)
        if integration.state in rules.READABLE and any(each.name == "send_invoice" for each in declared):
            return integration.id, link.remote_id
    raise NotSendable(path=("invoice",))


_AT = re.compile(r" - at `\$(?P<path>[^`]*)`$")


def _said(unfit: msgspec.ValidationError) -> str:
    return f"{_AT.sub('', str(unfit))}."


def _path(unfit: msgspec.ValidationError, asked: Any) -> tuple[str, ...]:
    """Where in the input the fault is: `$.to[0]` is to, 0; that of `runAction` is under input."""
    found = _AT.search(str(unfit))
    steps = re.findall(r"[^.\[\]]+", found["path"]) if found else []
    return ("input", *steps) if isinstance(asked, RunActionInput) else tuple(steps)
