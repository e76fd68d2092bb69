"""One resolver per field, and the scalars: what each value is, in plain Python over the rows."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

from graphql import GraphQLError

from domain.customers.folding import mask_email, mask_phone, mask_text, normalise_email, normalise_phone
from tests.api.differential import beginning, connecting, grouping, promising, proving, spending, uniting, worth
from tests.api.differential.amounts import money
from tests.api.differential.ordering import ORDERS
from tests.api.differential.things import PREFIXES, global_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.api.differential.naive import Naive
    from tests.api.differential.tables import Row


def resolvers(naive: Naive) -> dict[tuple[str, str], Callable[..., Any]]:
    of = naive.tables
    found: dict[tuple[str, str], Callable[..., Any]] = {}

    def on(type_: str, **fields: Callable[..., Any]) -> None:
        found.update({(type_, name): resolve for name, resolve in fields.items()})

    def plain(*types: str, keys: str) -> None:
        """Fields whose values stand under their own names."""
        for type_ in types:
            on(type_, **{key: lambda source, _key=key: source[_key] for key in keys.split()})

    for target in ORDERS:
        plain(f"{target}Connection", keys="edges nodes pageInfo totalCount")
        plain(f"{target}Edge", keys="cursor node")
    plain("PageInfo", keys="hasNextPage hasPreviousPage startCursor endCursor")
    for prefix, name in PREFIXES.items():
        if name == "Tenant":
            continue
        names = [f"{family.title()}Interaction" for family in _FAMILIES] if name == "Interaction" else [name]
        for each in names:
            on(each, id=global_id(prefix))

    on(
        "Query",
        node=lambda _, id: naive.node(id),  # noqa: A006 - the name of the argument
        nodes=lambda _, ids: [naive.node(id_) for id_ in ids],
        customer=lambda _, by: naive.customer_by(by),
        customers=lambda _, **asked: naive.page(
            "Customer", naive.active(), asked,
        ),
        mergeCandidates=lambda _, **asked: naive.page(
            "MergeCandidate",
            naive.typed("MergeCandidate", of.all("merge_candidates", lambda row: row["state"] == "OPEN")),
            asked,
        ),
        lifecycles=lambda _: sorted(naive.typed("Lifecycle", of.all("lifecycles")), key=lambda row: row["key"]),
        lifecycle=lambda _, key: of.one("lifecycles", lambda row: row["key"] == key),
        interactions=lambda _, **asked: naive.page("Interaction", naive.interactions(), asked),
        order=lambda _, by: naive.order_by_reference(by),
        orders=lambda _, **asked: naive.page("Order", naive.current("orders", "Order"), asked),
        orderTotals=lambda _, **asked: naive.totals(None, asked),
        refunds=lambda _, **asked: naive.page(
            "Refund", naive.current("refunds", "Refund"), asked,
        ),
        products=lambda _, **asked: naive.page(
            "Product", naive.products(), asked,
        ),
        invoice=lambda _, by: naive.invoice_by_reference(by),
        invoices=lambda _, **asked: naive.page("Invoice", naive.current("invoices", "Invoice"), asked),
        payments=lambda _, **asked: naive.page("Payment", naive.current("payments", "Payment"), asked),
        creditNotes=lambda _, **asked: naive.page("CreditNote", naive.current("credit_notes", "CreditNote"), asked),
    )  # fmt: skip
    _of_tenants(naive, on)
    _of_customers(naive, on)
    _of_stages(naive, on)
    _of_purchases(naive, on)
    _of_bills(naive, on)
    _of_interactions(naive, on)
    connecting.add(naive, on)
    proving.add(naive, on)
    grouping.add(naive, on)
    spending.add(naive, on)
    promising.add(naive, on)
    beginning.add(naive, on)
    worth.add(naive, on)
    uniting.add(naive, on)
    return found


def _of_tenants(naive: Naive, on: Callable[..., None]) -> None:
    of = naive.tables
    on(
        "Query",
        viewer=lambda _: {},
        apiTokens=lambda _, **asked: naive.page("ApiToken", naive.typed("ApiToken", of.rows["api_tokens"]), asked),
        auditLog=lambda _, **asked: naive.page("AuditEntry", of.rows["audit_entries"], asked),
    )
    on(
        "Viewer",
        principal=lambda _: naive.exactly("principals", naive.reading.principal_id, "Principal"),
        tenant=lambda _: naive.tenant(),
        permissions=lambda _: next(
            row["scopes"] for row in of.rows["api_tokens"] if row["id"] == naive.reading.token_id
        ),
        attention=lambda _: {},
    )
    on(
        "Attention",
        mergeCandidates=lambda _: len(of.all("merge_candidates", lambda row: row["state"] == "OPEN")),
    )
    on("Tenant", id=lambda row: f"ten_{row['tenant_id'].hex}")
    on("ApiToken", principal=lambda row: naive.exactly("principals", row["principal_id"], "Principal"))
    on("AuditEntry", hash=lambda row: row["hash"].hex())


def _of_customers(naive: Naive, on: Callable[..., None]) -> None:
    of = naive.tables
    on(
        "Query",
        attributeDefinitions=lambda _: sorted(
            naive.typed("AttributeDefinition", of.rows["attribute_definitions"]), key=lambda row: row["key"].encode()
        ),
    )
    on(
        "AttributeDefinition",
        label=lambda row: naive.label(row["labels"]),
        isPersonal=lambda row: row["pii"] == "PERSONAL",
    )

    on(
        "Customer",
        displayName=lambda row: row["display_name"] or "",
        mergedIds=lambda row: [f"cus_{id_.hex}" for id_ in row["member_ids"] if id_ != row["id"]],
        primaryEmail=lambda row: naive.masked(mask_email, row["primary_email"]),
        primaryPhone=lambda row: naive.masked(mask_phone, row["primary_phone"]),
        emails=lambda row: row["emails"] or [],
        phones=lambda row: row["phones"] or [],
        addresses=lambda row: row["addresses"] or [],
        attributes=lambda row, keys=None: naive.attributes(row, keys),
        organisation=lambda row: naive.customer(row["organisation_id"]),
        people=lambda row, **asked: naive.page("Customer", naive.people(row), asked),
        stage=lambda row, lifecycle=None, asOf=None: next(  # noqa: N803 - the name of the argument
            (stay for stay in naive.stays(row, lifecycle, asOf) if stay["is_current"]), None
        ),
        stageHistory=lambda row, lifecycle=None, asOf=None, **asked: naive.page(  # noqa: N803 - the same
            "StageInterval", naive.stays(row, lifecycle, asOf), asked
        ),
        stageNotes=lambda row, **asked: naive.page(
            "StageNote", naive.members("stage_notes", row), asked
        ),
        timeline=lambda row, **asked: naive.page("Interaction", naive.timeline(row), asked),
        orders=lambda row, **asked: naive.page(
            "Order",
            [order for order in naive.current("orders", "Order") if order["customer_id"] in row["member_ids"]],
            asked,
        ),
        orderTotals=lambda row, **asked: naive.totals(row, asked),
        invoices=lambda row, **asked: naive.page("Invoice", _whose(row, naive.current("invoices", "Invoice")), asked),
        payments=lambda row, **asked: naive.page("Payment", _whose(row, naive.current("payments", "Payment")), asked),
        creditNotes=lambda row, **asked: naive.page(
            "CreditNote", _whose(row, naive.current("credit_notes", "CreditNote")), asked
        ),
        identities=lambda row: sorted(
            (claim for claim in naive.members("identity_claims", row) if claim["valid_to"] is None),
            key=lambda claim: (claim["scheme"], claim["id"]),
        ),
        consents=lambda row: sorted(
            naive.members("consent_events", row), key=lambda event: (event["occurred_at"], event["id"]), reverse=True
        ),
        sources=lambda row: sorted(
            (link for link in naive.members("record_links", row, "local_id") if link["type"] == "customer"),
            key=lambda link: (link["integration_id"], link["remote_id"].encode()),
        ),
    )  # fmt: skip
    on("Email", address=lambda row: naive.masked(mask_email, row["address"]), **_as_kept("isPrimary verifiedAt"))
    on("Phone", number=lambda row: naive.masked(mask_phone, row["number"]), **_as_kept("isPrimary verifiedAt"))
    on(
        "Address", street=lambda row: naive.masked(mask_text, row["street"]),
        postalCode=lambda row: naive.masked(mask_text, row["postalCode"]), **_as_kept("isPrimary"),
    )  # fmt: skip
    on("Identity", value=lambda row: naive.masked(mask_text, row["value"]))
    for type_, key in (("Text", "text"), ("Decimal", "decimal"), ("Boolean", "boolean"), ("Date", "date")):
        on(f"{type_}Value", **{key: lambda row: row["value"]})
    on("DateTimeValue", moment=lambda row: row["value"])
    on("IntegerValue", integer=lambda row: str(row["value"]))
    on(
        "MergeCandidate",
        score=lambda row: f"{row['score'] // 1000}.{row['score'] % 1000:03}",
        features=lambda row: row["features"] or [],
        left=lambda row: naive.customer(row["left_id"]),
        right=lambda row: naive.customer(row["right_id"]),
    )
    on("SourceRecord", integration=lambda row: naive.exactly("integrations", row["integration_id"], "Integration"))


def _whose(customer: Row, documents: list[Row]) -> list[Row]:
    return [row for row in documents if row["customer_id"] in customer["member_ids"]]


def _as_kept(keys: str) -> dict[str, Callable[[Row], Any]]:
    return {key: lambda row, _key=key: row[_key] for key in keys.split()}


def _of_stages(naive: Naive, on: Callable[..., None]) -> None:
    def version_number(row: Row) -> int:
        found = naive.version_in_force(row["id"])
        return found["number"] if found else 0

    on(
        "Lifecycle",
        name=lambda row: naive.label(row["labels"]),
        version=version_number,
        stages=lambda row: naive.of_version("stages", naive.version_in_force(row["id"])),
        rules=lambda row: naive.of_version("transition_rules", naive.version_in_force(row["id"])),
        versions=lambda row: sorted(
            naive.tables.all("lifecycle_versions", lambda version: version["lifecycle_id"] == row["id"]),
            key=lambda version: -version["number"],
        ),
    )
    on("Lifecycle", funnel=lambda row, window=None: naive.funnel(row, window))
    on("Lifecycle", conversions=lambda row, window=None: naive.conversions(row, window))
    on("Lifecycle", movements=lambda row, window=None: naive.movements(row, window))
    on("Lifecycle", timeInStage=lambda row, window=None: naive.time_in_stage(row, window))
    on(
        "StageTransition",
        reason=lambda row: naive.masked(mask_text, row["reason"]),
        cause=lambda row: row,
        lifecycle=lambda row: naive.exactly("lifecycles", row["lifecycle_id"], "Lifecycle"),
        fromStage=lambda row: naive.exactly("stages", row["from_stage_id"], "Stage"),
        toStage=lambda row: naive.exactly("stages", row["to_stage_id"], "Stage"),
        customer=lambda row: naive.customer(row["customer_id"]),
    )
    on("LifecycleVersion", stages=lambda row: naive.of_version("stages", row))
    on("Stage", name=lambda row: naive.label(row["labels"]), needs=lambda row: naive.label(row["needs"]) or None)
    on(
        "StageInterval",
        lifecycle=lambda row: naive.exactly("lifecycles", row["lifecycle_id"], "Lifecycle"),
        stage=lambda row: naive.exactly("stages", row["stage_id"], "Stage"),
        seconds=lambda row: int(((row["exited_at"] or naive.reading.now) - row["entered_at"]).total_seconds()),
        cause=lambda row: row,
    )
    on("TransitionCause", kind=lambda row: row["cause_kind"])
    on(
        "StageNote",
        text=lambda row: naive.masked(mask_text, row["text"]),
        stage=lambda row: naive.exactly("stages", row["stage_id"], "Stage"),
    )


def _of_purchases(naive: Naive, on: Callable[..., None]) -> None:
    of = naive.tables
    for type_, table, key in (("Order", "orders", "order"), ("Refund", "refunds", "refund")):
        on(
            type_,
            total=lambda row: money(row["amount"], row["currency"]),
            baseTotal=lambda row: money(row["base_amount"], row["base_currency"]),
            customer=lambda row: naive.customer(row["customer_id"]),
            lines=lambda row, _key=key, _table=table, _type=type_, **asked: naive.page(
                f"{_type}Line",
                [
                    {**line, "currency": row["currency"]} for line in of.rows[f"{_key}_lines"]
                    if line[f"{_key}_id"] == row["id"] and line[f"{_key}_version"] == row["version"]
                ],
                asked,
            ),
        )  # fmt: skip
        on(
            f"{type_}Line",
            amount=lambda row: money(row["amount"], row["currency"]),
            discount=lambda row: money(row["discount"], row["currency"]),
            tax=lambda row: money(row["tax"], row["currency"]),
            cost=lambda row: money(row["cost_amount"], row["currency"]),
            product=lambda row: next((each for each in naive.products() if each["id"] == row["product_id"]), None),
        )
    on(
        "Order",
        refunds=lambda row, **asked: naive.page(
            "Refund", [each for each in naive.current("refunds", "Refund") if each["order_id"] == row["id"]],
            asked,
        ),
    )  # fmt: skip
    on("Order", invoice=lambda row: naive.document("invoices", "Invoice", row["id"]))
    on("Refund", order=lambda row: naive.document("orders", "Order", row["order_id"]))
    on("Product", family=lambda row: naive.exactly("product_families", row["family_id"], "ProductFamily"))


def _of_bills(naive: Naive, on: Callable[..., None]) -> None:
    for type_, record in (("Invoice", "invoice"), ("Payment", "payment"), ("CreditNote", "credit_note")):
        on(
            type_,
            total=lambda row: money(row["amount"], row["currency"]),
            baseTotal=lambda row: money(row["base_amount"], row["base_currency"]),
            customer=lambda row: naive.customer(row["customer_id"]),
            source=lambda row, _record=record: row["integration_id"] and {**row, "type": _record},
            balance=lambda row: money(row["balance"], row["currency"]),
        )
    on(
        "Invoice",
        issuedAt=lambda row: row["occurred_at"],
        isOverdue=naive.is_overdue,
        order=lambda row: naive.document("orders", "Order", row["id"]),
    )
    on("Payment", unapplied=lambda row: money(row["unapplied"], row["currency"]))
    on("CreditNote", refund=lambda row: naive.document("refunds", "Refund", row["id"]))
    for type_, owner, plural, key in (
        ("Payment", "payment", "payments", "payment"),
        ("CreditNote", "credit_note", "creditNotes", "creditNote"),
    ):
        _of_allocations(naive, on, type_, owner, plural, key)


def _of_allocations(naive: Naive, on: Callable[..., None], type_: str, owner: str, plural: str, key: str) -> None:
    def of(row: Row, asked: Row, mine: str, other: str) -> Row:
        found = naive.allocations(owner, lambda each: each[mine] == row["id"], other)
        return naive.page(f"{type_}Allocation", found, asked)

    on(type_, allocations=lambda row, **asked: of(row, asked, f"{owner}_id", "invoice_id"))
    on("Invoice", **{plural: lambda row, **asked: of(row, asked, "invoice_id", f"{owner}_id")})
    on(
        f"{type_}Allocation",
        amount=lambda row: money(row["amount"], row["currency"]),
        invoice=lambda row: naive.document("invoices", "Invoice", row["invoice_id"]),
        **{key: lambda row: naive.document(f"{owner}s", type_, row[f"{owner}_id"])},
    )


_FAMILIES: dict[str, dict[str, str]] = {
    "EMAIL": {"subject": "subject", "sender": "from", "recipients": "to", "messageId": "message_id", "link": "link"},
    "MESSAGE": {"text": "text", "sender": "from", "recipients": "to", "deliveryStatus": "status"},
    "CALL": {"caller": "from", "callee": "to", "durationSeconds": "duration_seconds", "outcome": "outcome",
             "recordingUrl": "recording_url"},
    "MEETING": {"title": "title", "startsAt": "starts_at", "endsAt": "ends_at", "attendees": "attendees",
                "location": "location", "meetingStatus": "status"},
    "ENVELOPE": {"title": "title", "envelopeId": "envelope_id", "signers": "signers", "reason": "reason"},
    "CASE": {"caseId": "case_id", "title": "title", "caseStatus": "status", "priority": "priority", "cost": "cost",
             "currency": "currency"},
    "SURVEY": {"survey": "survey", "score": "score", "scale": "scale", "comment": "comment"},
    "REVIEW": {"rating": "rating", "scale": "scale", "text": "text", "site": "site"},
    "REFERRAL": {"referred": "referred", "code": "code", "referralStatus": "status"},
    "USAGE": {"product": "product", "feature": "feature", "quantity": "quantity", "unit": "unit"},
    "VISIT": {"url": "url", "referrer": "referrer", "seconds": "seconds", "session": "session"},
    "COMMERCE": {"number": "number"},
    "STAGE": {"lifecycleKey": "lifecycle", "fromStage": "from_stage", "toStage": "to_stage"},
    "NOTE": {"text": "text", "author": "author"},
    "TASK": {"title": "title", "assignee": "assignee", "dueAt": "due_at", "done": "done"},
}  # fmt: skip
"""Which value of its payload each field of a family shows."""

_MASKS: dict[tuple[str, str], Callable[[str], str]] = {
    ("EMAIL", "sender"): mask_email,
    ("MESSAGE", "sender"): mask_text,
    ("CALL", "caller"): mask_phone,
    ("CALL", "callee"): mask_phone,
    ("REFERRAL", "referred"): mask_text,
}
_MOMENTS = {"startsAt", "endsAt", "dueAt"}
_LISTS = {"recipients", "attendees", "signers"}


def _of_interactions(naive: Naive, on: Callable[..., None]) -> None:
    def shown(family: str, name: str, key: str) -> Callable[[Row], Any]:
        def resolve(row: Row) -> Any:
            value = (row["payload"] or {}).get(key)
            if name in _LISTS:
                return [naive.masked(mask_text, each) for each in value or ()]
            if value is not None and name in _MOMENTS:
                return datetime.fromisoformat(value).astimezone(UTC)
            mask = _MASKS.get((family, name))
            return naive.masked(mask, value) if mask else value

        return resolve

    for family, fields in _FAMILIES.items():
        type_ = f"{family.title()}Interaction"
        on(type_, **{name: shown(family, name, key) for name, key in fields.items()})
        on(
            type_,
            customer=lambda row: naive.customer(row["customer_id"]),
            source=lambda row: row["integration_id"] and {**row, "type": row["stream"]},
        )

    def text(row: Row) -> Any:
        kept = naive.tables.one("interaction_contents", lambda each: each["interaction_id"] == row["id"])
        return kept and kept["content"]

    for type_ in ("EmailInteraction", "MeetingInteraction"):
        on(type_, content=text)
    on(
        "CommerceInteraction",
        **{
            field: lambda row, _table=table, _type=type_, _key=key: naive.document(
                _table, _type, _uuid((row["payload"] or {}).get(_key))
            )
            for field, table, type_, key in (
                ("order", "orders", "Order", "order_id"),
                ("invoice", "invoices", "Invoice", "invoice_id"),
                ("payment", "payments", "Payment", "payment_id"),
                ("creditNote", "credit_notes", "CreditNote", "credit_note_id"),
            )
        },
    )


def _uuid(text: str | None) -> UUID | None:
    return UUID(text) if text else None


def _parsed(parse: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def checked(value: Any) -> Any:
        try:
            found = parse(value)
        except (ValueError, TypeError, ArithmeticError) as bad:
            raise GraphQLError("not a value of this kind") from bad
        if found is None:
            raise GraphQLError("not a value of this kind")
        return found

    return checked


def _plain_decimal(value: Any) -> str:
    if isinstance(value, str):
        return value
    plain = f"{Decimal(value):f}"
    return plain.rstrip("0").rstrip(".") if "." in plain else plain


def _iso(value: Any) -> str:
    return value if isinstance(value, str) else str(value.isoformat())


SCALARS: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "DateTime": (_parsed(lambda text: datetime.fromisoformat(text).astimezone(UTC)), _iso),
    "Date": (_parsed(date.fromisoformat), _iso),
    "Decimal": (_parsed(Decimal), _plain_decimal),
    "EmailAddress": (_parsed(normalise_email), str),
    "PhoneNumber": (_parsed(normalise_phone), str),
}
