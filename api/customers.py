"""Customers over GraphQL: the 360-degree view and the ways to find them."""

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from functools import partial
from typing import Any

import strawberry

from api import contracts as agreements
from api import costs as expenses
from api import departments as caretakers
from api import equity, evidence, filters, identity, ids, interactions, purchases, reading, stages
from api import invoices as bills
from api import metrics as measures
from api import opportunities as prospects
from api import segments as belonging
from api.expose import Node, column, describe, embedded, entry, expose, listing, many, one, page_of, part, union_of
from api.pages import MOST
from api.problems import Forbidden
from api.reads.inputs import Given
from api.reads.mapping import Argument, Brief, Condition, Order, Sought
from api.reads.plan import Sourcing
from api.scalars import CountryCode, EmailAddress, PhoneNumber
from api.survivors import survivor
from domain.customers import model
from domain.customers.folding import normalise_identifier
from domain.customers.rules import UnknownAttribute, WrongAttributeType
from domain.segments.model import SegmentMember

describe(model.CustomerKind)
describe(model.CustomerStatus, MERGED="Merged into another customer.", ERASED="Erased at the person's request.")
describe(model.AttributeType)
describe(model.Strength, STRONG="Proves who somebody is.", WEAK="Speaks for it.", DEVICE="Belongs to a device.")
describe(model.ConsentDecision)
describe(model.CandidateState)
describe(model.Survivorship)
describe(model.PrivacyRequestKind)


class CustomerOrderField(StrEnum):
    """What customers can be sorted by."""

    ID = "ID"
    DISPLAY_NAME = "DISPLAY_NAME"
    FIRST_SEEN_AT = "FIRST_SEEN_AT"
    FIRST_PURCHASE_AT = "FIRST_PURCHASE_AT"
    LAST_PURCHASE_AT = "LAST_PURCHASE_AT"
    CREATED_AT = "CREATED_AT"
    UPDATED_AT = "UPDATED_AT"


describe(CustomerOrderField, ID="In the order in which they became known.")

_NEVER = "'-infinity'::timestamptz"
ORDERS = {
    "ID": Order("{t}.id", "id"),
    "DISPLAY_NAME": Order("coalesce({t}.display_name, '')", "text"),
    "FIRST_SEEN_AT": Order("{t}.first_seen_at"),
    "FIRST_PURCHASE_AT": Order(f"coalesce({{t}}.first_purchase_at, {_NEVER})"),
    "LAST_PURCHASE_AT": Order(f"coalesce({{t}}.last_purchase_at, {_NEVER})"),
    "CREATED_AT": Order("{t}.created_at"),
    "UPDATED_AT": Order("{t}.updated_at"),
}


@strawberry.input(description="What customers are sorted by.")
class CustomerOrderBy:
    """What customers are sorted by."""

    field: CustomerOrderField = strawberry.field(description="By what.")
    direction: purchases.OrderDirection = strawberry.field(
        default=purchases.OrderDirection.ASC, description="In which direction."
    )


READ = "customers:read"


@expose()
class Email:
    """An e-mail address of a customer."""

    address = entry(EmailAddress, "address", finish=reading.email, description="The address.")
    is_primary = entry(bool, "isPrimary", description="Whether it is the one to write to.")
    verified_at = entry(datetime, "verifiedAt", null=True, description="When it was verified.")


@expose()
class Phone:
    """A phone number of a customer."""

    number = entry(PhoneNumber, "number", finish=reading.phone, description="The number.")
    is_primary = entry(bool, "isPrimary", description="Whether it is the one to call.")
    verified_at = entry(datetime, "verifiedAt", null=True, description="When it was verified.")


@expose()
class Address:
    """A postal address of a customer."""

    street = entry(str, "street", null=True, finish=reading.personal, description="Street and house number.")
    city = entry(str, "city", null=True, description="The town.")
    region = entry(str, "region", null=True, description="The state or province.")
    postal_code = entry(str, "postalCode", null=True, finish=reading.personal, description="The postal code.")
    country = entry(CountryCode, "country", null=True, description="The country.")
    is_primary = entry(bool, "isPrimary", description="Whether it is the main address.")


@expose()
class TextValue:
    """A text."""

    text = entry(str, "value", description="The text.")


@expose()
class IntegerValue:
    """A whole number, as text since it may be large."""

    integer = entry(str, "value", finish=lambda value, _: str(value), description="The number.")


@expose()
class DecimalValue:
    """An exact decimal number."""

    decimal = entry(Decimal, "value", description="The number.")


@expose()
class BooleanValue:
    """Yes or no."""

    boolean = entry(bool, "value", description="Yes or no.")


@expose()
class DateValue:
    """A calendar day."""

    date = entry(date, "value", description="The day.")


@expose()
class DateTimeValue:
    """A moment."""

    moment = entry(datetime, "value", description="The moment.")


AttributeValue = union_of(
    "AttributeValue",
    "type",
    {
        "TEXT": TextValue,
        "INTEGER": IntegerValue,
        "DECIMAL": DecimalValue,
        "BOOLEAN": BooleanValue,
        "DATE": DateValue,
        "DATETIME": DateTimeValue,
    },
    "The value of an attribute, in the type that its definition names.",
)


@expose()
class Attribute:
    """What is believed of a customer: the value that survived of all that sources said."""

    key = entry(str, "key", description="The key of the attribute.")
    value = part("customers.AttributeValue", description="The value.")
    source = entry(str, "source", null=True, description="Who said so.")
    confidence = entry(int, "confidence", null=True, description="How sure it is, in per cent.")


@expose(model.IdentityClaim)
class Identity:
    """An identifier by which a customer was seen."""

    scheme = column()
    value = column(sql="{t}.value", finish=reading.personal)
    strength = column(model.Strength)
    source = column()
    verified_at = column()


@expose(model.ConsentEvent)
class Consent:
    """What a customer decided about being contacted."""

    purpose = column()
    channel = column()
    decision = column(model.ConsentDecision)
    lawful_basis = column()
    occurred_at = column()


_PEOPLE = (
    "array(select unnest(m.member_ids) from customers m where m.tenant_id = $1"
    " and m.organisation_id = any({p}.member_ids) and m.status = 'ACTIVE')"
)


@expose(
    model.Customer, prefix="cus", scope=READ,
    by_id=survivor("{k}"), also={**evidence.of_customer(), **caretakers.of_customer()},
)  # fmt: skip
class Customer(Node):
    """A person or an organisation that the business deals with, with its whole life."""

    kind = column(model.CustomerKind)
    display_name = column(sql="coalesce({t}.display_name, '')", null=False)
    status = column(model.CustomerStatus)
    merged_ids = column(
        list[strawberry.ID], sql="array_remove({t}.member_ids, {t}.id)",
        finish=lambda found, _: [ids.encode("cus", id_) for id_ in found],
        description="The ids of customers that were merged into this one; they go on answering with it.",
    )  # fmt: skip
    primary_email = column(EmailAddress, finish=reading.email)
    primary_phone = column(PhoneNumber, finish=reading.phone)
    country = column(CountryCode)
    first_seen_at = column()
    first_purchase_at = column()
    last_purchase_at = column()
    created_at = column()
    updated_at = column()
    version = column()
    emails = embedded("customers.Email", "{t}.emails", description="Every known e-mail address.")
    phones = embedded("customers.Phone", "{t}.phones", description="Every known phone number.")
    addresses = embedded("customers.Address", "{t}.addresses", description="Every known postal address.")
    attributes = embedded(
        "customers.Attribute", "{t}.attributes", finish=reading.chosen_attributes,
        arguments={"keys": Argument(list[str] | None, "Only these; all without it.")},
        description="What the tenant keeps of its customers, by key.",
    )  # fmt: skip
    organisation = one(
        "customers.Customer",
        survivor("{p}.organisation_id"),
        description="The organisation that a person belongs to.",
    )
    people = many(
        "customers.Customer", "customers {t} where {t}.tenant_id = $1 and {t}.status = 'ACTIVE'", orders=ORDERS,
        default=(("ID", False),), keys="{p}.member_ids", link="organisation_id",
        description="The people of an organisation.",
    )  # fmt: skip
    stage = one(
        "stages.StageInterval", stages.current_stay, arguments=stages.STAY_ARGUMENTS,
        brief=Brief(frozenset({"__typename", "stage"}), stages.current_stage),
        description="Where the customer is in a lifecycle, or was believed to be; null when in none of its stages.",
    )  # fmt: skip
    stage_history = many(
        "stages.StageInterval", stages.stays,
        orders={"ENTERED_AT": Order("{t}.entered_at"), "ID": Order("{t}.id", "id")}, default=(("ENTERED_AT", False),),
        keys="{p}.id", link="customer_id", arguments=stages.STAY_ARGUMENTS,
        description="Every stay in a stage of a lifecycle, the first one first.",
    )  # fmt: skip
    stage_notes = many(
        "stages.StageNote", "stage_notes {t} where {t}.tenant_id = $1",
        orders={"OCCURRED_AT": Order("{t}.occurred_at"), "ID": Order("{t}.id", "id")},
        default=(("OCCURRED_AT", True),), keys="{p}.member_ids", link="customer_id",
        description="Needs, pain points and plans, the latest first.",
    )  # fmt: skip
    timeline = interactions.interactions(
        keys="({p}.member_ids || case when {p}.kind = 'ORGANISATION' then " + _PEOPLE + " else array[]::uuid[] end)",
        link="customer_id",
        description="Everything that happened, the latest first; an organisation's includes its people's.",
    )
    orders = purchases.orders(keys="{p}.member_ids", link="customer_id", description="What the customer bought.")
    order_totals = purchases.order_totals_of_customer()
    invoices = bills.invoices(
        keys="{p}.member_ids", link="customer_id", description="What the customer was billed."
    )  # fmt: skip
    payments = bills.payments(keys="{p}.member_ids", link="customer_id", description="What the customer paid.")
    credit_notes = bills.credit_notes(
        keys="{p}.member_ids", link="customer_id", description="What the customer was given back by credit notes."
    )
    contracts = agreements.contracts(
        keys="{p}.member_ids", link="customer_id", description="Recurring business with the customer."
    )
    opportunities = prospects.opportunities(
        keys="{p}.member_ids", link="customer_id", description="Sales to the customer that may come about."
    )
    costs = expenses.of_customer()
    segments = belonging.of_customer()
    metrics = measures.metrics_of_customer()
    lifetime_value = equity.of_customer()
    identities = listing(
        "customers.Identity", "identity_claims {t} where {t}.tenant_id = $1 and {t}.valid_to is null",
        order="{t}.scheme, {t}.id", keys="{p}.member_ids", link="customer_id", scope="pii:read",
        description="The identifiers by which the customer was seen.",
    )  # fmt: skip
    identity_edges = identity.edges_of_customer()
    consents = listing(
        "customers.Consent", "consent_events {t} where {t}.tenant_id = $1", order="{t}.occurred_at desc, {t}.id desc",
        keys="{p}.member_ids", link="customer_id", description="What the customer decided about being contacted.",
    )  # fmt: skip
    sources = listing(
        "integrations.SourceRecord", "record_links {t} where {t}.tenant_id = $1 and {t}.type = 'customer'",
        order="{t}.integration_id, {t}.remote_id", keys="{p}.member_ids", link="local_id",
        description="The records at other systems that this customer was read from.",
    )  # fmt: skip


CustomerConnection = page_of(Customer, "customers")
SegmentMemberConnection = page_of(
    Customer, "members of a segment", "SegmentMember", SegmentMember, **belonging.membership()
)


@expose(model.AttributeDefinition, prefix="atd")
class AttributeDefinition(Node):
    """An attribute that the tenant keeps of its customers."""

    key = column()
    type = column(model.AttributeType)
    label = column(str, sql="{t}.labels", finish=reading.label, description="How people call it.")
    is_personal = column(
        bool,
        sql="({t}.pii = 'PERSONAL')",
        null=False,
        description="Whether its values are shown masked without `pii:read`.",
    )
    survivorship = column(model.Survivorship)
    authority = column(list[str])
    version = column()


@expose(model.PrivacyRequest, prefix="prv", scope="privacy:admin")
class PrivacyRequest(Node):
    """A request of a person about their data."""

    kind = column(model.PrivacyRequestKind, description="What is asked.")
    requested_at = column(description="When it was made.")
    completed_at = column(description="When it was met; null while it waits.")


@expose(model.MergeCandidate, prefix="mca", scope=READ)
class MergeCandidate(Node):
    """Two customers who may be one, with the score and its reasons."""

    score = column(Decimal, sql="({t}.score / 1000.0)::numeric(4,3)::text", description="How alike they are, 0 to 1.")
    state = column(model.CandidateState)
    features = embedded("customers.MatchFeature", "{t}.features", description="What speaks for it and how much.")
    left = one(
        "customers.Customer", survivor("{p}.left_id"), null=False,
        description="The one.",
    )  # fmt: skip
    right = one(
        "customers.Customer", survivor("{p}.right_id"), null=False,
        description="The other.",
    )  # fmt: skip
    created_at = column()


@expose()
class MatchFeature:
    """One reason for or against two customers being one."""

    name = entry(str, "name", description="What was compared.")
    explanation = entry(str, "explanation", null=True, description="What was found, in words.")
    weight = entry(float, "weight", null=True, description="How much it speaks for it.")


MergeCandidateConnection = page_of(MergeCandidate, "merge candidates")


def _attribute(planner: Any, alias: str, chosen: Any) -> str:
    """A condition on the golden value of one attribute."""
    inner = f"t{planner.number()}"
    made = "".join(
        f" and {sql.format(t=inner, v=planner.binds.token(chosen[name], None, pg))}"
        for name, (_, sql, pg) in _COMPARISONS.items()
        if chosen.get(name) is not None
    )
    return (
        f"exists (select from customer_attributes {inner} where {inner}.tenant_id = $1"
        f" and {inner}.customer_id = {alias}.id and {inner}.key = {planner.binds.token(chosen['key'])}{made})"
    )


_COMPARISONS = {
    "text": (model.AttributeType.TEXT, "{t}.text_value = {v}", "text"),
    "boolean": (model.AttributeType.BOOLEAN, "{t}.boolean_value = {v}", "boolean"),
    "integerGte": (model.AttributeType.INTEGER, "{t}.integer_value >= {v}", "int8"),
    "integerLte": (model.AttributeType.INTEGER, "{t}.integer_value <= {v}", "int8"),
    "decimalGte": (model.AttributeType.DECIMAL, f"{{t}}.integer_value >= {{v}} * {model.MILLIONTHS}", "numeric"),
    "decimalLte": (model.AttributeType.DECIMAL, f"{{t}}.integer_value <= {{v}} * {model.MILLIONTHS}", "numeric"),
    "dateGte": (model.AttributeType.DATE, "{t}.date_value >= {v}", "date"),
    "dateLte": (model.AttributeType.DATE, "{t}.date_value <= {v}", "date"),
    "timeGte": (model.AttributeType.DATETIME, "{t}.time_value >= {v}", "timestamptz"),
    "timeLt": (model.AttributeType.DATETIME, "{t}.time_value < {v}", "timestamptz"),
}
"""By the field of a filter: the type of attribute that it compares, how, and with what."""


async def _comparable(sought: Sought) -> None:
    """Raises UnknownAttribute, WrongAttributeType, or Forbidden where a reader may not see what he compares."""
    key = sought.arguments["key"]
    compared = [name for name in _COMPARISONS if sought.arguments.get(name) is not None]
    found = await sought.connection.fetch(
        "SELECT type, pii FROM attribute_definitions WHERE tenant_id = $1 AND key = $2", sought.tenant_id, key
    )
    if not found:
        raise UnknownAttribute(key=key)
    ((kind, pii),) = found
    for name in compared:
        if _COMPARISONS[name][0] != kind:
            raise WrongAttributeType(f"The attribute {key!r} is of type {kind}: {name!r} cannot be asked of it.")
    if compared and pii == model.PiiClass.PERSONAL and not sought.reader.sees_personal:
        raise Forbidden("Comparing a personal attribute takes the scope pii:read.", scope="pii:read")


@strawberry.input(
    description="A condition on an attribute: that it has a value at all, or one that fits. What is compared must be of"
    " the attribute's type; values of personal attributes are compared with the scope `pii:read` only."
)
class AttributeFilter:
    """A condition on an attribute."""

    key: str = strawberry.field(description="The key of the attribute.")
    text: str | None = strawberry.field(default=strawberry.UNSET, description="Equal to this text.")
    boolean: bool | None = strawberry.field(default=strawberry.UNSET, description="Equal to this.")
    integer_gte: int | None = strawberry.field(default=strawberry.UNSET, description="This whole number or more.")
    integer_lte: int | None = strawberry.field(default=strawberry.UNSET, description="This whole number or less.")
    decimal_gte: Decimal | None = strawberry.field(default=strawberry.UNSET, description="This number or more.")
    decimal_lte: Decimal | None = strawberry.field(default=strawberry.UNSET, description="This number or less.")
    date_gte: date | None = strawberry.field(default=strawberry.UNSET, description="On this day or later.")
    date_lte: date | None = strawberry.field(default=strawberry.UNSET, description="On this day or earlier.")
    time_gte: datetime | None = strawberry.field(default=strawberry.UNSET, description="At this moment or later.")
    time_lt: datetime | None = strawberry.field(default=strawberry.UNSET, description="Before this moment.")


@strawberry.input(description="Customers with interactions that fit: how many, and within how many days up to now.")
class HavingInteractions:
    """Customers with interactions that fit."""

    fitting: interactions.InteractionFilter | None = strawberry.field(  # type: ignore[valid-type]
        default=strawberry.UNSET, description="Which interactions count; all without it."
    )
    at_least: int = strawberry.field(default=1, description="How many there must be.")
    within_days: int | None = strawberry.field(default=strawberry.UNSET, description="Only those of the last days.")


def _interactions(planner: Any, alias: str, chosen: Any) -> str:
    inner = f"t{planner.number()}"
    fitting, days = chosen.get("fitting"), chosen.get("withinDays")
    where = f" and {planner.all_of('InteractionFilter', fitting, inner)}" if fitting else ""
    if isinstance(days, Given):
        span = f"make_interval(days => {planner.binds.token(days, None, 'int4')})"
        where += f" and {inner}.occurred_at >= {planner.binds.now()} - {span}"
    least = planner.binds.token(chosen.get("atLeast"), None, "int8", 1)
    return (
        f"(select count(*) from interactions {inner} where {inner}.tenant_id = $1 and {inner}.superseded_at is null"
        f" and {inner}.customer_id = any({alias}.member_ids){where}) >= {least}"
    )


def _in_default_stage(planner: Any, alias: str, part: Mapping[str, Any]) -> str | None:
    """Who is in one stage of the default lifecycle, as the customers' own rows show; nobody in any other lifecycle."""
    asked = {name: given for name, given in part.items() if given is not None}
    key = {name: given for name, given in asked.get("key", {}).items() if given is not None}
    if asked.keys() != {"lifecycle", "key"} or key.keys() != {"eq"}:
        return None
    lifecycle, stage = planner.binds.token(asked["lifecycle"]), planner.binds.token(key["eq"])
    return f"{alias}.default_stage = {lifecycle} || ':' || {stage}"


CustomerFilter = filters.filter_input(
    "CustomerFilter",
    "Conditions on customers.",
    "api.customers",
    id=filters.customer("{t}.id", "Which customers; an old id stands for the survivor."),
    kind=filters.choice(model.CustomerKind, "{t}.kind", "A person or an organisation."),
    displayName=filters.text("{t}.display_name", "The name."),
    country=filters.text("{t}.country", "The country of the primary address."),
    firstSeenAt=filters.moment("{t}.first_seen_at", "When the business first heard of the customer."),
    firstPurchaseAt=filters.moment("{t}.first_purchase_at", "When the customer first bought."),
    lastPurchaseAt=filters.moment("{t}.last_purchase_at", "When the customer last bought."),
    updatedAt=filters.moment("{t}.updated_at", "When the record last changed."),
    stage=filters.exists(
        "stage_intervals {t} where {t}.tenant_id = $1 and {t}.customer_id = {p}.id and {t}.is_current",
        "StageFilter", "api.stages", "Where the customer is now.", check=stages.named, shortcut=_in_default_stage,
    ),
    organisation=filters.exists(
        survivor("{p}.organisation_id"),
        "CustomerFilter", "api.customers", "The organisation that the customer belongs to.",
    ),
    orders=filters.exists(
        "orders {t} where {t}.tenant_id = $1 and {t}.superseded_at is null and {t}.customer_id = any({p}.member_ids)",
        "OrderFilter", "api.purchases", "An order that fits.", scope=purchases.SCOPE,
    ),
    interactions=Condition(HavingInteractions, "Interactions that fit, how many and how recent.", _interactions),
    segment=belonging.IS_IN,
    department=caretakers.condition(),
    attribute=Condition(AttributeFilter, "A value of an attribute.", _attribute, check=_comparable),
    metric=measures.HAS_VALUE,
)  # fmt: skip


@strawberry.input(description="An id at another system.")
class ExternalRef:
    """An id at another system."""

    connector: str = strawberry.field(description="The connector, or connector:account.")
    id: str = strawberry.field(description="The id at the other side.")


@strawberry.input(one_of=True, description="Which customer is meant: exactly one of these.")
class CustomerRef:
    """Which customer is meant."""

    id: strawberry.ID | None = strawberry.field(default=strawberry.UNSET, description="By the id, an old one too.")
    email: EmailAddress | None = strawberry.field(default=strawberry.UNSET, description="By an e-mail address.")
    phone: PhoneNumber | None = strawberry.field(default=strawberry.UNSET, description="By a phone number.")
    external: ExternalRef | None = strawberry.field(default=strawberry.UNSET, description="By an id elsewhere.")


_ROOTS = "customers {{t}} where {{t}}.tenant_id = $1 and {{t}}.id in ({found})"


def _account(connector: str) -> str | None:
    """The account in `connector:account`, where one is named."""
    _, colon, account = connector.partition(":")
    return account if colon else None


def _customer_by(asked: Sourcing) -> str:
    """A customer by one of its references; whoever was merged leads to the survivor."""
    if id_ := asked.part("by", "id", ids.reader("cus"), "uuid"):
        return _ROOTS.format(found=f"select m.root_id from customers m where m.tenant_id = $1 and m.id = {id_}")
    for scheme in ("email", "phone"):
        value = asked.part("by", scheme, partial(normalise_identifier, scheme))
        if value:
            return _ROOTS.format(
                found="select m.root_id from identity_claims i join customers m on m.tenant_id = $1"
                f" and m.id = i.customer_id where i.tenant_id = $1 and i.scheme = '{scheme}'"
                f" and i.normalised = {value} and i.valid_to is null"
            )
    external = asked.arguments["by"]["external"]  # type: ignore[call-overload, index]
    connector = asked.planner.binds.token(external["connector"], lambda text: text.partition(":")[0])
    account = asked.planner.binds.token(external["connector"], _account)
    remote = asked.planner.binds.token(external["id"])
    return _ROOTS.format(
        found="select m.root_id from integrations g join record_links l on l.tenant_id = $1"
        " and l.integration_id = g.id join customers m on m.tenant_id = $1 and m.id = l.local_id"
        f" where g.tenant_id = $1 and g.connector = {connector} and ({account} is null or g.account = {account})"
        f" and l.type = 'customer' and l.remote_id = {remote}"
    )


# A search without letters says nothing: it leaves nobody out, not even those who have no words.
SEARCH = (
    "{t}.id = any(array(select w.customer_id from customer_words w where w.tenant_id = $1"
    " and {longest} <> '' and w.word >= {longest} and w.word < {longest} || chr(1114111)"
    " union all select c.id from customers c where c.tenant_id = $1 and {longest} = '' and c.status = 'ACTIVE'))"
    " and not exists (select from unnest({rest}) s(word) where not exists (select from customer_words w"
    " where w.tenant_id = $1 and w.customer_id = {t}.id and starts_with(w.word, s.word)))"
)


class Queries:
    """What the root offers of customers."""

    attribute_definitions = listing(
        "customers.AttributeDefinition", "attribute_definitions {t} where {t}.tenant_id = $1", order="{t}.key",
        description="What the tenant keeps of its customers.",
    )  # fmt: skip
    customer = one(
        "customers.Customer", _customer_by, arguments={"by": Argument(CustomerRef, "Which customer.")},
        description="One customer; null when there is none. An old id answers with the survivor of its merge.",
    )  # fmt: skip
    customers = many(
        "customers.Customer", "customers {t} where {t}.tenant_id = $1 and {t}.status = 'ACTIVE'", orders=ORDERS,
        default=(("ID", False),), filter="CustomerFilter", search=SEARCH,
        arguments={
            "filter": Argument(CustomerFilter | None, "Only customers that fit."),
            "search": Argument(str | None, "Only customers with these words, or beginnings of words, in their names, addresses or numbers."),  # noqa: E501
            "orderBy": Argument(list[CustomerOrderBy] | None, "What they are sorted by; by id without it."),
        },
        description="Customers; who was merged into another is not listed again.",
    )  # fmt: skip
    merge_candidates = many(
        "customers.MergeCandidate", "merge_candidates {t} where {t}.tenant_id = $1 and {t}.state = 'OPEN'",
        orders={"SCORE": Order("{t}.score", "number"), "ID": Order("{t}.id", "id")}, default=(("SCORE", True),),
        description="Customers who may be one and wait for a person's decision, the most alike first.",
    )  # fmt: skip


__all__ = ["MOST", "AttributeValue", "Customer", "CustomerConnection", "CustomerFilter", "Queries"]
