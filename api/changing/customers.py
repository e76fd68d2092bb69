"""What can be changed of customers."""

import datetime as dt
from decimal import Decimal
from typing import Any

import strawberry
from sqlalchemy import select

from api import ids
from api.changes import Done, Mutation
from api.changing.words import given, id_of, needed, several, told
from api.reference import Reference
from api.scalars import CountryCode, EmailAddress, PhoneNumber
from domain import customers
from domain.core.unit_of_work import Writing
from domain.customers import model, privacy
from domain.customers.model import IdentityEdge

WRITE = "customers:write"
PRIVACY = "privacy:admin"


@strawberry.input(description="A postal address, as far as it is known.")
class AddressInput:
    """A postal address."""

    street: str | None = given("Street and house number.", None)
    city: str | None = given("The town.", None)
    region: str | None = given("The state or province.", None)
    postal_code: str | None = given("The postal code.", None)
    country: CountryCode | None = given("The country.", None)

    def told(self) -> customers.Address:
        """The address as the domain takes it."""
        return customers.Address(self.street, self.city, self.region, self.postal_code, self.country)


@strawberry.input(one_of=True, description="A value in the type that the attribute's definition names: exactly one.")
class AttributeValueInput:
    """A value of an attribute."""

    text: str | None = given("A text.")
    integer: str | None = given("A whole number, as text.")
    decimal: Decimal | None = given("A decimal number.")
    boolean: bool | None = given("Yes or no.")
    date: dt.date | None = given("A calendar day.")
    moment: dt.datetime | None = given("A moment.")
    nothing: bool | None = given("True takes the value away.")

    def told(self) -> Any:
        """The value as the domain takes it."""
        if self.nothing is True:
            return None
        if isinstance(self.integer, str):
            return int(self.integer) if self.integer.lstrip("-").isdigit() else self.integer
        return next(
            value
            for value in (self.text, self.decimal, self.boolean, self.date, self.moment)
            if value is not strawberry.UNSET
        )


@strawberry.input(description="An attribute and the value that it shall have.")
class AttributeInput:
    """An attribute and its value."""

    key: str = needed("The key of the attribute.")
    value: AttributeValueInput = needed("The value.")


@strawberry.input(description="An identifier in a scheme such as tax_id or loyalty_card.")
class IdentifierInput:
    """An identifier."""

    scheme: str = needed("The scheme.")
    value: str = needed("The value.")


@strawberry.input(description="What a customer is made from; the first of each list is the primary one.")
class CreateCustomerInput:
    """What a customer is made from."""

    kind: model.CustomerKind = given("A person or an organisation.", model.CustomerKind.PERSON)
    name: str | None = given("The name to show.", None)
    emails: list[EmailAddress] = several("E-mail addresses.")
    phones: list[PhoneNumber] = several("Phone numbers.")
    addresses: list[AddressInput] = several("Postal addresses.")
    country: CountryCode | None = given("The country, where no address is known.", None)
    attributes: list[AttributeInput] = several("Values of the tenant's attributes.")
    organisation_id: strawberry.ID | None = given("The organisation it belongs to.", None)
    identities: list[IdentifierInput] = several("Further identifiers.")


async def _create(work: Writing, asked: CreateCustomerInput) -> Done:
    made = await customers.create(
        work,
        customers.NewCustomer(
            kind=asked.kind, name=asked.name, emails=asked.emails, phones=asked.phones, country=asked.country,
            addresses=[address.told() for address in asked.addresses],
            attributes={attribute.key: attribute.value.told() for attribute in asked.attributes},
            organisation_id=id_of("cus", asked.organisation_id),
            identities=[customers.Identifier(each.scheme, each.value) for each in asked.identities],
        ),
    )  # fmt: skip
    return Done(Reference("Customer", made.id))


@strawberry.input(description="What shall be so from now on: null takes away, a list stands for the whole list.")
class UpdateCustomerInput:
    """What shall be so from now on."""

    id: strawberry.ID = needed("The customer.")
    version: int = needed("The version that the change was decided on.")
    name: str | None = given("The name to show.")
    country: CountryCode | None = given("The country.")
    emails: list[EmailAddress] | None = given("E-mail addresses.")
    phones: list[PhoneNumber] | None = given("Phone numbers.")
    addresses: list[AddressInput] | None = given("Postal addresses.")
    organisation_id: strawberry.ID | None = given("The organisation it belongs to.")
    attributes: list[AttributeInput] = several("Values of the tenant's attributes.")


async def _update(work: Writing, asked: UpdateCustomerInput) -> Done:
    keep = customers.KEEP
    addresses = told(asked.addresses, keep)
    changes = customers.Changes(
        name=told(asked.name, keep),
        country=told(asked.country, keep),
        emails=_whole(asked.emails),
        phones=_whole(asked.phones),
        addresses=addresses if addresses is keep else [address.told() for address in addresses or ()],
        organisation_id=keep if asked.organisation_id is strawberry.UNSET else id_of("cus", asked.organisation_id),
        attributes={attribute.key: attribute.value.told() for attribute in asked.attributes},
    )
    changed = await customers.update(work, id_of("cus", asked.id), asked.version, changes)
    return Done(Reference("Customer", changed.id))


def _whole(values: Any) -> Any:
    return customers.KEEP if values is strawberry.UNSET else values or []


@strawberry.input(description="An attribute of the tenant's customers; the same key again changes its definition.")
class DefineAttributeInput:
    """An attribute of the tenant's customers."""

    key: str = needed("The name in filters and files.")
    type: model.AttributeType = needed("What values it takes; it can never be changed.")
    label: str = needed("How people call it, in English.")
    label_fa: str | None = given("How people call it, in Persian.", None)
    is_personal: bool = given("Whether its values are shown masked without `pii:read`.", default=False)
    survivorship: model.Survivorship = given("Which of several facts wins.", model.Survivorship.LATEST)
    authority: list[str] = several("Sources in the order of trust, for MOST_TRUSTED.")


async def _define(work: Writing, asked: DefineAttributeInput) -> Done:
    labels = {"en": asked.label} | ({"fa": asked.label_fa} if asked.label_fa else {})
    made = await customers.define_attribute(
        work, asked.key, asked.type, labels,
        pii=model.PiiClass.PERSONAL if asked.is_personal else model.PiiClass.NONE,
        survivorship=asked.survivorship, authority=asked.authority,
    )  # fmt: skip
    return Done(Reference("AttributeDefinition", made.id))


@strawberry.input(description="Customers who are one.")
class MergeCustomersInput:
    """Customers who are one."""

    into: strawberry.ID = needed("The one that survives.")
    customers: list[strawberry.ID] = needed("The others.")
    reason: str | None = given("Why they are one.", None)


_EDGES = {"edges": (list[strawberry.ID] | None, "The merges or vetoes that this made, to undo any of them.")}


async def _merge(work: Writing, asked: MergeCustomersInput) -> Done:
    into = id_of("cus", asked.into)
    merged = await customers.merge(work, into, [id_of("cus", each) for each in asked.customers], asked.reason)
    return Done(Reference("Customer", into), _made(merged))


@strawberry.input(description="Two customers who are different, and stay so.")
class VetoMergeInput:
    """Two customers who are different."""

    customer: strawberry.ID = needed("The one.")
    other: strawberry.ID = needed("The other.")
    reason: str | None = given("How that is known.", None)


async def _veto(work: Writing, asked: VetoMergeInput) -> Done:
    customer = id_of("cus", asked.customer)
    vetoed = await customers.veto(work, customer, id_of("cus", asked.other), asked.reason)
    return Done(Reference("Customer", customer), _made(vetoed))


def _made(merged: customers.Merged) -> dict[str, Any]:
    return {"edges": [ids.encode("edg", edge) for edge in merged.edges]}


@strawberry.input(description="Merges or vetoes that shall be undone; what others did stays as it is.")
class UnmergeCustomersInput:
    """Merges or vetoes that shall be undone."""

    edges: list[strawberry.ID] = needed("Any of those that mergeCustomers or vetoMerge told.")
    reason: str | None = given("Why.", None)


async def _unmerge(work: Writing, asked: UnmergeCustomersInput) -> Done:
    edges = [id_of("edg", edge) for edge in asked.edges]
    undone = await customers.unmerge(work, edges, reason=asked.reason)
    first = await work.one(
        select(IdentityEdge.into_id).where(IdentityEdge.tenant_id == work.tenant_id, IdentityEdge.id == edges[0])
    )
    return Done(Reference("Customer", first) if first else None, _made(undone))


@strawberry.input(description="A decision on a proposed merge.")
class DecideMergeCandidateInput:
    """A decision on a proposed merge."""

    id: strawberry.ID = needed("The proposal.")
    accept: bool = needed("Whether they are one; a refusal is remembered.")


async def _decide(work: Writing, asked: DecideMergeCandidateInput) -> Done:
    decided = await customers.decide_candidate(work, id_of("mca", asked.id), accept=asked.accept)
    return Done(Reference("MergeCandidate", decided.id))


@strawberry.input(description="What a customer decided about being contacted.")
class RecordConsentInput:
    """What a customer decided."""

    customer: strawberry.ID = needed("The customer.")
    purpose: str = needed("What the contact is for, such as newsletter.")
    channel: str = needed("By which way, such as EMAIL.")
    decision: model.ConsentDecision = needed("What the customer said.")
    lawful_basis: str | None = given("The legal ground.", None)
    evidence: str | None = given("How it was said.", None)
    occurred_at: dt.datetime | None = given("When it was said; now without it.", None)


async def _consent(work: Writing, asked: RecordConsentInput) -> Done:
    customer = id_of("cus", asked.customer)
    await customers.record_consent(
        work, customer, asked.purpose, asked.channel, asked.decision,
        lawful_basis=asked.lawful_basis, evidence=asked.evidence, occurred_at=asked.occurred_at,
    )  # fmt: skip
    return Done(Reference("Customer", customer))


@strawberry.input(description="Whose data is asked about.")
class RequestExportInput:
    """Whose data is asked about."""

    customer: strawberry.ID = needed("The customer.")


@strawberry.input(description="Whose data shall be erased.")
class RequestErasureInput:
    """Whose data shall be erased."""

    customer: strawberry.ID = needed("The customer.")


async def _export(work: Writing, asked: RequestExportInput) -> Done:
    made = await privacy.request_export(work, id_of("cus", asked.customer))
    return Done(Reference("PrivacyRequest", made.id))


async def _erase(work: Writing, asked: RequestErasureInput) -> Done:
    made = await privacy.request_erasure(work, id_of("cus", asked.customer))
    return Done(Reference("PrivacyRequest", made.id))


class Mutations:
    """What can be changed of customers."""

    define_attribute = Mutation(
        DefineAttributeInput,
        "customers.AttributeDefinition",
        "attribute",
        "tokens:admin",
        _define,
        "Define an attribute that the tenant keeps of its customers.",
    )
    create_customer = Mutation(
        CreateCustomerInput, "customers.Customer", "customer", WRITE, _create, "Record a customer by hand."
    )
    update_customer = Mutation(
        UpdateCustomerInput,
        "customers.Customer",
        "customer",
        WRITE,
        _update,
        "Say what is known of a customer from now on; what was believed earlier stays.",
    )
    merge_customers = Mutation(
        MergeCustomersInput,
        "customers.Customer",
        "customer",
        WRITE,
        _merge,
        "Make several customers one; the old ids go on answering, and it can be undone exactly.",
        _EDGES,
    )
    unmerge_customers = Mutation(
        UnmergeCustomersInput,
        "customers.Customer",
        "customer",
        WRITE,
        _unmerge,
        "Undo merges or vetoes, any of them.",
        _EDGES,
    )
    veto_merge = Mutation(
        VetoMergeInput,
        "customers.Customer",
        "customer",
        WRITE,
        _veto,
        "Decide that two customers are different and must never become one.",
        _EDGES,
    )
    decide_merge_candidate = Mutation(
        DecideMergeCandidateInput,
        "customers.MergeCandidate",
        "candidate",
        WRITE,
        _decide,
        "Accept or refuse a proposed merge.",
    )
    record_consent = Mutation(
        RecordConsentInput,
        "customers.Customer",
        "customer",
        WRITE,
        _consent,
        "Write down what a customer decided about being contacted.",
    )
    request_export = Mutation(
        RequestExportInput,
        "customers.PrivacyRequest",
        "request",
        PRIVACY,
        _export,
        "Ask for everything that is kept of a customer; `tenure customers export` writes it.",
    )
    request_erasure = Mutation(
        RequestErasureInput, "customers.PrivacyRequest", "request", PRIVACY, _erase,
        "Ask for a customer's personal data to be erased; `tenure customers erase` does it.",
    )  # fmt: skip
