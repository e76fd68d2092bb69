"""Invoices, payments and credit notes over GraphQL: what is owed, what came in, and what settles what."""

from datetime import datetime
from enum import StrEnum
from typing import Any

import strawberry

from api import filters, ids
from api.expose import Node, amount, column, describe, expose, many, one, page_of
from api.purchases import SCOPE, SHARED, OrderDirection
from api.reads.mapping import Argument
from api.reads.mapping import Order as By
from api.reads.plan import Sourcing
from api.survivors import survivor
from domain.purchases import model


class InvoiceOrderField(StrEnum):
    """What invoices can be sorted by."""

    ID = "ID"
    ISSUED_AT = "ISSUED_AT"


describe(
    model.InvoiceStatus,
    DRAFT="It is being written; nothing is sold yet.",
    OPEN="It was issued, and something is owed.",
    PAID="Nothing is owed any more.",
    VOIDED="It was called off; nothing was sold.",
)
describe(
    model.PaymentStatus,
    RECEIVED="The money came in.",
    FAILED="It was tried, and no money came in.",
    VOIDED="It was called off.",
)
describe(InvoiceOrderField, ID="In the order in which they became known.", ISSUED_AT="When they were issued.")


@strawberry.input(description="What invoices are sorted by.")
class InvoiceOrderBy:
    """What invoices are sorted by."""

    field: InvoiceOrderField = strawberry.field(description="By what.")
    direction: OrderDirection = strawberry.field(default=OrderDirection.ASC, description="In which direction.")


def current(table: str, id_: str = "") -> str:
    """The current versions of documents, or that of one of them."""
    one_of_them = f" and {{t}}.id = {id_}" if id_ else ""
    return f"{table} {{t}} where {{t}}.tenant_id = $1{one_of_them} and {{t}}.superseded_at is null"


def versioned(record: str) -> dict[str, Any]:
    """The fields that everything has that is recorded in versions."""
    return {
        "number": column(),
        "version": column(),
        "recorded_at": column(),
        "customer": one(
            "customers.Customer", survivor("{p}.customer_id"), description="Whose it is; null where nobody is known."
        ),
        "source": one(
            "integrations.SourceRecord",
            f"(select {{p}}.integration_id, '{record}'::text as type, {{p}}.remote_id"
            " where {p}.integration_id is not null) {t}",
            description="Where it was read.",
        ),
    }  # fmt: skip


def _paper(record: str) -> dict[str, Any]:
    """The fields that every document has."""
    return {
        **versioned(record),
        "base_total": amount(
            "{t}.base_amount", "{t}.base_currency",
            description="The total in the tenant's base currency at the rate of its day; null without a rate.",
        ),
    }  # fmt: skip


def _allocations(owner: str, of: str, link: str, description: str) -> Any:
    """What the current versions of settling documents settle, from either side."""
    other = "invoice_id" if link == f"{owner}_id" else f"{owner}_id"
    return many(
        f"invoices.{of}",
        f"{owner}_allocations {{t}} where {{t}}.tenant_id = $1 and {{t}}.{owner}_version = (select d.version"
        f" from {owner}s d where d.tenant_id = $1 and d.id = {{t}}.{owner}_id and d.superseded_at is null)",
        orders={"ID": By(f"{{t}}.{other}", "id")}, default=(("ID", False),), keys="{p}.id", link=link,
        description=description,
    )  # fmt: skip


def _allocation(owner: str, target: str, words: str) -> dict[str, Any]:
    """The fields of a part of a document that settles an invoice; its money is in the currency of that document."""
    currency = (
        f"(select d.currency from {owner}s d where d.tenant_id = $1 and d.id = {{t}}.{owner}_id"
        f" and d.version = {{t}}.{owner}_version)"
    )
    return {
        "amount": amount("{t}.amount", currency, null=False, description="How much of the invoice it settles."),
        "invoice": one(
            "invoices.Invoice", current("invoices", "{p}.invoice_id"),
            description="The invoice that is settled; null until it is known here.",
        ),
        owner: one(f"invoices.{target}", current(f"{owner}s", f"{{p}}.{owner}_id"), null=False, description=words),
    }  # fmt: skip


@expose(model.PaymentAllocation, also=_allocation("payment", "Payment", "The payment that settles it."))
class PaymentAllocation:
    """Which part of a payment settles which invoice."""


@expose(
    model.CreditNoteAllocation, also=_allocation("credit_note", "CreditNote", "The credit note that settles it.")
)  # fmt: skip
class CreditNoteAllocation:
    """Which part of a credit note settles which invoice."""


@expose(model.Invoice, prefix="inv", scope=SCOPE, also=_paper("invoice"), by_id=current("invoices", "{k}"))
class Invoice(Node):
    """A bill. It is the sale itself: its order has the lines, and counts as the purchase."""

    status = column(model.InvoiceStatus)
    native_status = column()
    issued_at = column(datetime, sql="{t}.occurred_at", description="When it was issued.")
    due_on = column()
    sent_at = column()
    is_overdue = column(
        bool,
        sql="coalesce({t}.status = 'OPEN' and {t}.due_on < ({now} at time zone"
        " (select b.time_zone from tenants b where b.tenant_id = $1))::date, false)",
        description="Whether it is open after the day by which it is to be paid, in the tenant's time zone.",
    )
    total = amount("{t}.amount", "{t}.currency", null=False, description="What it says in all.")
    balance = amount("{t}.balance", "{t}.currency", description="What is still owed; null when that is not known.")
    order = one("purchases.Order", current("orders", "{p}.id"), null=False, description="The sale that it bills.")
    payments = _allocations("payment", "PaymentAllocation", "invoice_id", "What payments settle of it.")
    credit_notes = _allocations("credit_note", "CreditNoteAllocation", "invoice_id", "What credit notes settle of it.")


@expose(model.Payment, prefix="pay", scope=SCOPE, also=_paper("payment"), by_id=current("payments", "{k}"))
class Payment(Node):
    """Money that came in, or should have."""

    status = column(model.PaymentStatus)
    method = column()
    occurred_at = column()
    total = amount("{t}.amount", "{t}.currency", null=False, description="How much came in.")
    unapplied = amount("{t}.unapplied", "{t}.currency", null=False, description="What of it settles no invoice.")
    allocations = _allocations("payment", "PaymentAllocation", "payment_id", "What it settles.")


@expose(
    model.CreditNote, prefix="crn", scope=SCOPE, also=_paper("credit_note"), by_id=current("credit_notes", "{k}")
)  # fmt: skip
class CreditNote(Node):
    """A sale taken back in part or whole. It counts as a refund, which has the lines."""

    occurred_at = column()
    total = amount("{t}.amount", "{t}.currency", null=False, description="What it gives back in all.")
    balance = amount("{t}.balance", "{t}.currency", description="What of it is not used yet; null when not known.")
    refund = one("purchases.Refund", current("refunds", "{p}.id"), null=False, description="The refund that it is.")
    allocations = _allocations("credit_note", "CreditNoteAllocation", "credit_note_id", "What it settles.")


PaymentAllocationConnection = page_of(PaymentAllocation, "allocations")
CreditNoteAllocationConnection = page_of(CreditNoteAllocation, "allocations")
InvoiceConnection = page_of(Invoice, "invoices")
PaymentConnection = page_of(Payment, "payments")
CreditNoteConnection = page_of(CreditNote, "credit notes")

OF_BILLS = {
    **{name: condition for name, condition in SHARED.items() if name not in {"customer", "hasCustomer"}},
    "customer": filters.customer("{t}.customer_id", "Whose it is; the id of anybody merged with them will do."),
    "hasCustomer": filters.yes("{t}.customer_id is not null", "Whether it is known whose it is."),
}
InvoiceFilter = filters.filter_input(
    "InvoiceFilter", "Conditions on invoices.", "api.invoices",
    **{name: condition for name, condition in OF_BILLS.items() if name != "occurredAt"},
    issuedAt=filters.moment("{t}.occurred_at", "When it was issued."),
    dueOn=filters.day("{t}.due_on", "The day by which it is to be paid."),
    status=filters.choice(model.InvoiceStatus, "{t}.status", "How far it has come."),
)  # fmt: skip
PaymentFilter = filters.filter_input(
    "PaymentFilter", "Conditions on payments.", "api.invoices", **OF_BILLS,
    status=filters.choice(model.PaymentStatus, "{t}.status", "Whether the money came in."),
    method=filters.text("{t}.method", "How it was paid."),
)  # fmt: skip
CreditNoteFilter = filters.filter_input(
    "CreditNoteFilter", "Conditions on credit notes.", "api.invoices", **OF_BILLS
)  # fmt: skip


def invoices(**options: Any) -> Any:
    """A page of invoices, the latest first unless asked otherwise."""
    return many(
        "invoices.Invoice", current("invoices"),
        orders={"ISSUED_AT": By("{t}.occurred_at"), "ID": By("{t}.id", "id")}, default=(("ISSUED_AT", True),),
        filter="InvoiceFilter", scope=SCOPE,
        arguments={
            "filter": Argument(InvoiceFilter | None, "Only invoices that fit."),
            "orderBy": Argument(list[InvoiceOrderBy] | None, "What they are sorted by; the latest first without it."),
        },
        **options,
    )  # fmt: skip


def payments(**options: Any) -> Any:
    """A page of payments, the latest first."""
    fitting = Argument(PaymentFilter | None, "Only payments that fit.")
    return _latest_first("invoices.Payment", "payments", "PaymentFilter", fitting, **options)


def credit_notes(**options: Any) -> Any:
    """A page of credit notes, the latest first."""
    fitting = Argument(CreditNoteFilter | None, "Only credit notes that fit.")
    return _latest_first("invoices.CreditNote", "credit_notes", "CreditNoteFilter", fitting, **options)


def _latest_first(target: str, table: str, filter_name: str, fitting: Argument, **options: Any) -> Any:
    return many(
        target, current(table), orders={"OCCURRED_AT": By("{t}.occurred_at"), "ID": By("{t}.id", "id")},
        default=(("OCCURRED_AT", True),), filter=filter_name, scope=SCOPE, arguments={"filter": fitting}, **options,
    )  # fmt: skip


@strawberry.input(one_of=True, description="Which invoice is meant: exactly one of these.")
class InvoiceRef:
    """Which invoice is meant."""

    id: strawberry.ID | None = strawberry.field(default=strawberry.UNSET, description="By its id.")
    number: str | None = strawberry.field(default=strawberry.UNSET, description="By its number.")


def _invoice_by(asked: Sourcing) -> str:
    id_ = asked.part("by", "id", ids.reader("inv"), "uuid")
    number = asked.part("by", "number")
    found = f"{{t}}.id = {id_}" if id_ else f"{{t}}.number = {number}"
    return f"{current('invoices')} and {found}"


class Queries:
    """What the root offers of invoices and of what settles them."""

    invoice = one(
        "invoices.Invoice", _invoice_by, scope=SCOPE, arguments={"by": Argument(InvoiceRef, "Which invoice.")},
        description="One invoice; null when there is none, or when several have the number.",
    )  # fmt: skip
    invoices = invoices(description="Invoices of all customers, and those without a customer.")
    payments = payments(description="Payments of all customers, the latest first.")
    credit_notes = credit_notes(description="Credit notes of all customers, the latest first.")
