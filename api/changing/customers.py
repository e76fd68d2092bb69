"""What can be changed of customers."""

from typing import Any

import strawberry

from api import ids
from api.changes import Done, Mutation
from api.reference import Reference
from api.scalars import CountryCode, EmailAddress, PhoneNumber
from domain import customers
from domain.core.unit_of_work import Writing
from domain.customers.model import CustomerKind

WRITE = "customers:write"


@strawberry.input(description="A postal address, as far as it is known.")
class AddressInput:
    """A postal address."""

    street: str | None = strawberry.field(default=None, description="Street and house number.")
    city: str | None = strawberry.field(default=None, description="The town.")
    region: str | None = strawberry.field(default=None, description="The state or province.")
    postal_code: str | None = strawberry.field(default=None, description="The postal code.")
    country: CountryCode | None = strawberry.field(default=None, description="The country.")

    def told(self) -> customers.Address:
        """The address as the domain takes it."""
        return customers.Address(self.street, self.city, self.region, self.postal_code, self.country)


@strawberry.input(description="What a customer is made from; the first of each list is the primary one.")
class CreateCustomerInput:
    """What a customer is made from."""

    kind: CustomerKind = strawberry.field(default=CustomerKind.PERSON, description="A person or an organisation.")
    name: str | None = strawberry.field(default=None, description="The name to show.")
    emails: list[EmailAddress] = strawberry.field(default_factory=list, description="E-mail addresses.")
    phones: list[PhoneNumber] = strawberry.field(default_factory=list, description="Phone numbers.")
    addresses: list[AddressInput] = strawberry.field(default_factory=list, description="Postal addresses.")
    organisation_id: strawberry.ID | None = strawberry.field(
        default=None, description="The organisation it belongs to."
    )


async def _create(work: Writing, given: CreateCustomerInput) -> Done:
    organisation = ids.reader("cus")(given.organisation_id) if given.organisation_id else None
    made = await customers.create(
        work,
        customers.NewCustomer(
            kind=given.kind, name=given.name, emails=given.emails, phones=given.phones,
            addresses=[address.told() for address in given.addresses], organisation_id=organisation,
        ),
    )  # fmt: skip
    return Done(Reference("Customer", made.id))


class Mutations:
    """What the root offers."""

    create_customer: Any = Mutation(
        CreateCustomerInput, "customers.Customer", "customer", WRITE, _create, "Record a customer by hand."
    )
