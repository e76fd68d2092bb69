"""Interactions over GraphQL: one timeline, one object type per family of payloads."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import strawberry

from api import filters, reading
from api.expose import Node, column, describe, expose, many, one, page_of
from api.reads.mapping import Argument, Order
from api.scalars import CurrencyCode
from api.survivors import survivor
from domain.interactions import model

describe(model.InteractionKind)
describe(model.Channel)
describe(model.Direction)

CONTENT = "interactions:content"


def payload(annotation: Any, name: str, description: str, **options: Any) -> Any:
    """A value of the payload by its key."""
    casts = {int: "({0})::bigint", bool: "({0})::boolean", datetime: "({0})::timestamptz", date: "({0})::date"}
    sql = casts.get(annotation, "{0}").format(f"{{t}}.payload->>'{name}'")
    return column(annotation, sql=sql, null=True, description=description, **options)


def content() -> Any:
    """The text of an interaction, from the table where it stands apart; reading it is audited."""
    # With its id: whoever finishes the value notes which one it is.
    sql = (
        "(select array[c.interaction_id::text, c.content] from interaction_contents c"
        " where c.tenant_id = $1 and c.interaction_id = {t}.id and c.content is not null)"
    )
    description = "The text itself, where the tenant has it kept. Each reading of it is entered into the audit log."
    return column(str, sql=sql, null=True, description=description, scope=CONTENT, finish=reading.content)


def several(name: str, description: str) -> Any:
    """The texts that the payload lists under a key."""
    # Another family may keep one text under the same key, and an expression sees the rows of all families.
    listed = f"case when jsonb_typeof({{t}}.payload->'{name}') = 'array' then {{t}}.payload->'{name}' end"
    sql = f"array(select jsonb_array_elements_text({listed}))"
    return column(list[str], sql=sql, null=False, description=description, finish=_each_personal)


def _each_personal(values: list[str], reader: reading.Reader) -> list[str]:
    return [reading.personal(value, reader) for value in values]


@expose(
    model.Interaction, prefix="int", scope="customers:read", interface=True, discriminator="{t}.family",
    by_id="interactions {t} where {t}.tenant_id = $1 and {t}.id = {k} and {t}.superseded_at is null",
)  # fmt: skip
class Interaction(Node):
    """Something that happened between a customer and the business; shown once, in its latest revision."""

    kind = column(model.InteractionKind)
    channel = column(model.Channel)
    direction = column(model.Direction)
    occurred_at = column()
    recorded_at = column()
    revision = column()
    machine_suspected = column()
    correlation_key = column()
    summary = column()
    customer = one(
        "customers.Customer",
        survivor("{p}.customer_id"),
        description="Whom it concerns.",
    )
    source = one(
        "integrations.SourceRecord",
        "(select {p}.integration_id, {p}.stream as type, {p}.remote_id where {p}.integration_id is not null) {t}",
        description="Where it was read; null when recorded by hand.",
    )


@expose(model.Interaction, kinds=("EMAIL",))
class EmailInteraction(Interaction):
    """An e-mail that was sent, received, opened, clicked or bounced."""

    subject = payload(str, "subject", "The subject line.")
    sender = payload(str, "from", "Who wrote it.", finish=reading.email)
    recipients = several("to", "To whom it went.")
    message_id = payload(str, "message_id", "The identifier of the message.")
    link = payload(str, "link", "The link that was clicked.")
    content = content()


@expose(model.Interaction, kinds=("MESSAGE",))
class MessageInteraction(Interaction):
    """A short message, a chat, an inquiry or a form."""

    text = payload(str, "text", "What it says.", scope=CONTENT)
    sender = payload(str, "from", "Who wrote it.", finish=reading.personal)
    recipients = several("to", "To whom it went.")
    delivery_status = payload(str, "status", "How far it got.")


@expose(model.Interaction, kinds=("CALL",))
class CallInteraction(Interaction):
    """A telephone call."""

    caller = payload(str, "from", "Who called.", finish=reading.phone)
    callee = payload(str, "to", "Who was called.", finish=reading.phone)
    duration_seconds = payload(int, "duration_seconds", "How long it lasted.")
    outcome = payload(str, "outcome", "How it ended.")
    recording_url = payload(str, "recording_url", "Where it can be heard.", scope=CONTENT)


@expose(model.Interaction, kinds=("MEETING",))
class MeetingInteraction(Interaction):
    """A meeting, planned or held."""

    title = payload(str, "title", "What it is about.")
    starts_at = payload(datetime, "starts_at", "When it begins.")
    ends_at = payload(datetime, "ends_at", "When it ends.")
    attendees = several("attendees", "Who takes part.")
    location = payload(str, "location", "Where it is held.")
    meeting_status = payload(str, "status", "Whether it was held.")
    content = content()


@expose(model.Interaction, kinds=("ENVELOPE",))
class EnvelopeInteraction(Interaction):
    """Documents that are sent for signature."""

    title = payload(str, "title", "What is to be signed.")
    envelope_id = payload(str, "envelope_id", "The identifier of the envelope.")
    signers = several("signers", "Who is to sign.")
    reason = payload(str, "reason", "Why it was declined or voided.")


@expose(model.Interaction, kinds=("CASE",))
class CaseInteraction(Interaction):
    """A step in the life of a support case."""

    case_id = payload(str, "case_id", "The identifier of the case.")
    title = payload(str, "title", "What it is about.")
    case_status = payload(str, "status", "How far it has come.")
    priority = payload(str, "priority", "How urgent it is.")
    cost = payload(Decimal, "cost", "What it cost.")
    currency = payload(CurrencyCode, "currency", "The currency of the cost.")


@expose(model.Interaction, kinds=("SURVEY",))
class SurveyInteraction(Interaction):
    """An answer to a survey."""

    survey = payload(str, "survey", "Which survey.")
    score = payload(Decimal, "score", "The score that was given.")
    scale = payload(int, "scale", "The highest score there is.")
    comment = payload(str, "comment", "What was written with it.", scope=CONTENT)


@expose(model.Interaction, kinds=("REVIEW",))
class ReviewInteraction(Interaction):
    """A review or a mention in public."""

    rating = payload(Decimal, "rating", "The rating that was given.")
    scale = payload(int, "scale", "The highest rating there is.")
    text = payload(str, "text", "What was written.", scope=CONTENT)
    site = payload(str, "site", "Where it stands.")


@expose(model.Interaction, kinds=("REFERRAL",))
class ReferralInteraction(Interaction):
    """A recommendation by a customer to somebody else."""

    referred = payload(str, "referred", "Who was referred.", finish=reading.personal)
    code = payload(str, "code", "The code that was passed on.")
    referral_status = payload(str, "status", "What became of it.")


@expose(model.Interaction, kinds=("USAGE",))
class UsageInteraction(Interaction):
    """A product that was bought is used."""

    product = payload(str, "product", "What was used.")
    feature = payload(str, "feature", "Which part of it.")
    quantity = payload(Decimal, "quantity", "How much.")
    unit = payload(str, "unit", "In what it is counted.")


@expose(model.Interaction, kinds=("VISIT",))
class VisitInteraction(Interaction):
    """A page, an advertisement or a shop was looked at."""

    url = payload(str, "url", "What was looked at.")
    referrer = payload(str, "referrer", "Where the visitor came from.")
    seconds = payload(int, "seconds", "How long.")
    session = payload(str, "session", "The session that it belongs to.")


def _document(target: str, table: str, key: str, words: str) -> Any:
    """The current version of a document that the payload names."""
    return one(
        target,
        f"{table} {{t}} where {{t}}.tenant_id = $1 and {{t}}.id = ({{p}}.payload->>'{key}')::uuid"
        " and {t}.superseded_at is null",
        scope="purchases:read", description=words,
    )  # fmt: skip


@expose(model.Interaction, kinds=("COMMERCE",))
class CommerceInteraction(Interaction):
    """A step of an order, a refund, an invoice, a payment or a cart."""

    order = _document("purchases.Order", "orders", "order_id", "The order that it is about.")
    invoice = _document("invoices.Invoice", "invoices", "invoice_id", "The invoice that it is about.")
    payment = _document("invoices.Payment", "payments", "payment_id", "The payment that it is about.")
    credit_note = _document("invoices.CreditNote", "credit_notes", "credit_note_id", "The credit note it is about.")
    number = payload(str, "number", "The number of the document.")


@expose(model.Interaction, kinds=("STAGE",))
class StageInteraction(Interaction):
    """A move from one stage of a lifecycle to another."""

    lifecycle_key = payload(str, "lifecycle", "The key of the lifecycle.")
    from_stage = payload(str, "from_stage", "The key of the stage that was left.")
    to_stage = payload(str, "to_stage", "The key of the stage that was entered.")
    # The timeline tells of a move under the id of its transition.
    transition = one(
        "stages.StageTransition", "stage_transitions {t} where {t}.tenant_id = $1 and {t}.id = {p}.id",
        description="The move itself: `correctTransition` takes its id. Null where another system told of it.",
    )  # fmt: skip


@expose(model.Interaction, kinds=("NOTE",))
class NoteInteraction(Interaction):
    """What somebody wrote down."""

    text = payload(str, "text", "What it says.", scope=CONTENT)
    author = payload(str, "author", "Who wrote it.")


@expose(model.Interaction, kinds=("TASK",))
class TaskInteraction(Interaction):
    """Something that somebody has to do."""

    title = payload(str, "title", "What is to be done.")
    assignee = payload(str, "assignee", "Who is to do it.")
    due_at = payload(datetime, "due_at", "By when.")
    done = payload(bool, "done", "Whether it is done.")


InteractionConnection = page_of(Interaction, "interactions")

InteractionFilter = filters.filter_input(
    "InteractionFilter",
    "Conditions on interactions.",
    "api.interactions",
    kind=filters.choice(model.InteractionKind, "{t}.kind", "What kind of thing happened."),
    channel=filters.choice(model.Channel, "{t}.channel", "By which way it happened."),
    direction=filters.choice(model.Direction, "{t}.direction", "Who began it."),
    occurredAt=filters.moment("{t}.occurred_at", "When it happened in the world."),
    recordedAt=filters.moment("{t}.recorded_at", "When it became known here."),
    integration=filters.id_of("ing", "{t}.integration_id", "Where it was read."),
    machineSuspected=filters.yes("{t}.machine_suspected", "Whether no person may have done it."),
)

ORDERS = {"OCCURRED_AT": Order("{t}.occurred_at"), "ID": Order("{t}.id", "id")}
CURRENT = "interactions {t} where {t}.tenant_id = $1 and {t}.superseded_at is null"


def interactions(**options: Any) -> Any:
    """A page of interactions, the latest first."""
    return many(
        "interactions.Interaction", CURRENT, orders=ORDERS, default=(("OCCURRED_AT", True),),
        filter="InteractionFilter",
        arguments={"filter": Argument(InteractionFilter | None, "Only interactions that fit.")},
        **options,
    )  # fmt: skip


class Queries:
    """What the root offers of interactions."""

    interactions = interactions(description="What happened with all customers, the latest first.")


__all__ = ["Interaction", "InteractionConnection", "InteractionFilter", "Queries", "interactions", "strawberry"]
