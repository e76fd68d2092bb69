"""What can be changed of customers."""

import datetime as dt
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any
from uuid import UUID

import strawberry
from sqlalchemy import select

from api import ids
from api.changes import mutation
from api.changing.inputs import given, id_of, needed, several, told
from api.reference import Reference
from api.refusals import Veto
from api.replays import Done
from api.scalars import CountryCode, EmailAddress, PhoneNumber
from domain import customers
from domain.core.problems import Invalid
from domain.core.unit_of_work import Actor, Writing
from domain.customers import identity, model
from domain.customers.edges import MergeVetoed
from domain.customers.model import IdentityEdge
from domain.interactions.model import Channel
from domain.tenants.model import Principal

WRITE = "customers:write"
PRIVACY = "privacy:admin"
ADMIN = "tokens:admin"
_WHOLE = re.compile(r"-?[0-9]{1,19}")


class ReservedScheme(Invalid):
    """This scheme has a place of its own: e-mail addresses and phones their fields, ids elsewhere their connectors."""


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

    def told(self) -> Any:
        """The value as the domain takes it; a text that is no whole number fits no attribute of that type."""
        if isinstance(self.integer, str):
            return int(self.integer) if _WHOLE.fullmatch(self.integer) else self.integer
        return next(
            value
            for value in (self.text, self.decimal, self.boolean, self.date, self.moment)
            if value is not strawberry.UNSET
        )


@strawberry.input(description="An attribute and the value that it shall have.")
class AttributeInput:
    """An attribute and its value."""

    key: str = needed("The key of the attribute.")
    value: AttributeValueInput | None = given("The value; without it, the attribute has none.", None)


def _attributes(asked: list[AttributeInput]) -> dict[str, Any]:
    """The values by the keys of their attributes; None takes a value away."""
    return {each.key: each.value.told() if each.value else None for each in asked}


@strawberry.input(description="An identifier in a scheme such as tax_id or loyalty_card.")
class IdentifierInput:
    """An identifier."""

    scheme: str = needed("The scheme.")
    value: str = needed("The value.")

    def told(self) -> customers.Identifier:
        """The identifier as the domain takes it. Raises ReservedScheme."""
        if self.scheme in {"email", "phone"} or self.scheme.startswith(identity.EXTERNAL):
            raise ReservedScheme(scheme=self.scheme)
        return customers.Identifier(self.scheme, self.value)


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


@mutation("customer", "customers.Customer", scope=WRITE)
async def create_customer(work: Writing, asked: CreateCustomerInput) -> Done:
    """Record a customer by hand."""
    made = await customers.create(
        work,
        customers.NewCustomer(
            kind=asked.kind, name=asked.name, emails=asked.emails, phones=asked.phones, country=asked.country,
            addresses=[address.told() for address in asked.addresses],
            attributes=_attributes(asked.attributes),
            organisation_id=id_of("cus", asked.organisation_id),
            identities=[each.told() for each in asked.identities],
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


@mutation("customer", "customers.Customer", scope=WRITE)
async def update_customer(work: Writing, asked: UpdateCustomerInput) -> Done:
    """Say what is known of a customer from now on; what was believed earlier stays."""
    keep = customers.KEEP
    addresses = told(asked.addresses, keep)
    changes = customers.Changes(
        name=told(asked.name, keep),
        country=told(asked.country, keep),
        emails=_whole(asked.emails),
        phones=_whole(asked.phones),
        addresses=addresses if addresses is keep else [address.told() for address in addresses or ()],
        organisation_id=keep if asked.organisation_id is strawberry.UNSET else id_of("cus", asked.organisation_id),
        attributes=_attributes(asked.attributes),
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


@mutation("attribute", "customers.AttributeDefinition", scope=ADMIN)
async def define_attribute(work: Writing, asked: DefineAttributeInput) -> Done:
    """Define an attribute that the tenant keeps of its customers."""
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


@mutation("customer", "customers.Customer", scope=WRITE, also=_EDGES)
async def merge_customers(work: Writing, asked: MergeCustomersInput) -> Done:
    """Make several customers one; the old ids go on answering, and it can be undone exactly."""
    into = id_of("cus", asked.into)
    others = [id_of("cus", each) for each in asked.customers]
    async with _vetoes_explained(work, "customers"):
        merged = await customers.merge(work, into, others, asked.reason)
    return Done(Reference("Customer", into), _made(merged))


@strawberry.input(description="Two customers who are different, and stay so.")
class VetoMergeInput:
    """Two customers who are different."""

    customer: strawberry.ID = needed("The one.")
    other: strawberry.ID = needed("The other.")
    reason: str | None = given("How that is known.", None)


@mutation("customer", "customers.Customer", scope=WRITE, also=_EDGES)
async def veto_merge(work: Writing, asked: VetoMergeInput) -> Done:
    """Decide that two customers are different and must never become one."""
    customer = id_of("cus", asked.customer)
    vetoed = await customers.veto(work, customer, id_of("cus", asked.other), asked.reason)
    return Done(Reference("Customer", customer), _made(vetoed))


@asynccontextmanager
async def _vetoes_explained(work: Writing, *path: str) -> AsyncIterator[None]:
    """Let what stands against a merge say who decided it, when and why."""
    try:
        yield
    except MergeVetoed as vetoed:
        edges = [edge.id for edge in vetoed.details["evidence"]]
        raise MergeVetoed(path=path, evidence=await _vetoes(work, edges)) from vetoed


async def _vetoes(work: Writing, edges: list[UUID]) -> list[Veto]:
    decided = await work.all(
        select(IdentityEdge)
        .where(IdentityEdge.tenant_id == work.tenant_id, IdentityEdge.id.in_(edges))
        .order_by(IdentityEdge.id)
    )
    principals = select(Principal.id, Principal.name).where(Principal.tenant_id == work.tenant_id)
    names = {str(Actor(row.id)): row.name for row in await work.rows(principals)}
    return [
        Veto(names.get(edge.actor, edge.actor), edge.recorded_at.date().isoformat(), edge.reason) for edge in decided
    ]


def _made(merged: customers.Merged) -> dict[str, Any]:
    return {"edges": [ids.encode("edg", edge) for edge in merged.edges]}


@strawberry.input(description="Merges or vetoes that shall be undone; what others did stays as it is.")
class UnmergeCustomersInput:
    """Merges or vetoes that shall be undone."""

    edges: list[strawberry.ID] = needed("Any of a customer's `identityEdges`, which mergeCustomers and vetoMerge tell.")
    reason: str | None = given("Why.", None)


@mutation("customer", "customers.Customer", scope=WRITE, also=_EDGES)
async def unmerge_customers(work: Writing, asked: UnmergeCustomersInput) -> Done:
    """Undo merges or vetoes, any of them."""
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


@mutation("candidate", "customers.MergeCandidate", scope=WRITE)
async def decide_merge_candidate(work: Writing, asked: DecideMergeCandidateInput) -> Done:
    """Accept or refuse a proposed merge."""
    candidate = id_of("mca", asked.id)
    async with _vetoes_explained(work, "id"):
        decided = await customers.decide_candidate(work, candidate, accept=asked.accept)
    return Done(Reference("MergeCandidate", decided.id))


@strawberry.input(description="What a customer decided about being contacted.")
class RecordConsentInput:
    """What a customer decided."""

    customer: strawberry.ID = needed("The customer.")
    purpose: str = needed("What the contact is for, such as newsletter.")
    channel: Channel = needed("By which way.")
    decision: model.ConsentDecision = needed("What the customer said.")
    lawful_basis: str | None = given("The legal ground.", None)
    evidence: str | None = given("How it was said.", None)
    occurred_at: dt.datetime | None = given("When it was said; now without it.", None)


@mutation("customer", "customers.Customer", scope=WRITE)
async def record_consent(work: Writing, asked: RecordConsentInput) -> Done:
    """Write down what a customer decided about being contacted."""
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


@mutation("request", "customers.PrivacyRequest", scope=PRIVACY)
async def request_export(work: Writing, asked: RequestExportInput) -> Done:
    """Ask for everything that is kept of a customer; `tenure customers export` writes it."""
    made = await customers.request_export(work, id_of("cus", asked.customer))
    return Done(Reference("PrivacyRequest", made.id))


@mutation("request", "customers.PrivacyRequest", scope=PRIVACY)
async def request_erasure(work: Writing, asked: RequestErasureInput) -> Done:
    """Ask for a customer's personal data to be erased; `tenure customers erase` does it."""
    made = await customers.request_erasure(work, id_of("cus", asked.customer))
    return Done(Reference("PrivacyRequest", made.id))
