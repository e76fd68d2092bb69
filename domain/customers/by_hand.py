"""What somebody says by hand of a customer, as facts, claims and relations: closed and opened, never edited."""

from __future__ import annotations

from dataclasses import dataclass, fields
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sqlalchemy import select, update

from domain.core.countries import is_country
from domain.core.problems import Invalid
from domain.customers import folding, identity, queries, rules
from domain.customers.model import (
    MILLIONTHS,
    AttributeType,
    CustomerFact,
    CustomerKind,
    CustomerRelation,
    IdentityClaim,
    RelationKind,
)
from domain.customers.queries import ADDRESS, COUNTRY, NAME, VALUE_COLUMN, within
from tenure_sdk.records import LONGEST_LINE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from domain.core.unit_of_work import Reading, Writing


class UnreadableText(Invalid):
    """A text needs at least one character that can be read."""


class TextTooLong(Invalid):
    """A name, or the purpose of a consent, has at most 512 characters. Shorten it."""


class NoEmail(Invalid):
    """This is no e-mail address."""


class NoPhone(Invalid):
    """This is no phone number. Write it with its country code, such as +44 20 7946 0000."""


class NoIdentifier(Invalid):
    """This is no identifier of its scheme."""


class NoCountry(Invalid):
    """This is no country. Use the two capital letters of ISO 3166-1, such as NL."""


class NotAnOrganisation(Invalid):
    """People belong to organisations only. Name an organisation."""


@dataclass(frozen=True)
class Address:
    """A postal address as far as it is known; `country` is its ISO 3166 code."""

    street: str | None = None
    city: str | None = None
    region: str | None = None
    postal_code: str | None = None
    country: str | None = None


@dataclass(frozen=True)
class Identifier:
    """A value by which a customer is recognised, in a scheme such as tax_id or loyalty_card."""

    scheme: str
    value: str


@dataclass(frozen=True)
class Hand:
    """Somebody who says what is known of a customer from now on; `country` reads phone numbers without its code."""

    work: Writing
    customer_id: UUID
    members: Sequence[UUID]
    country: str | None
    definitions: Mapping[str, rules.Definition]

    @classmethod
    async def of(cls, work: Writing, customer_id: UUID, members: Sequence[UUID], country: str | None) -> Hand:
        """A hand at a customer and all members, in the tenant's attributes."""
        defined = {each.key: queries.rule_of(each) for each in await queries.definitions_of(work)}
        return cls(work, customer_id, members, country, defined)

    async def say(self, key: str, *values: dict[str, Any] | None) -> None:
        """From now on these values hold; without any, nothing does that any source said before."""
        said = [value for value in values if value is not None]
        standing = await self.work.all(self._facts(key, by_hand=bool(said) and key != ADDRESS))
        by_hand = [fact for fact in standing if fact.source == rules.MANUAL]
        if len(by_hand) == len(said) == len(standing) and all(map(_says, by_hand, said)):
            return
        for fact in standing:
            fact.valid_to = self.work.now
        self.work.add(
            *(
                CustomerFact(
                    id=self.work.ids(), customer_id=self.customer_id, key=key, source=rules.MANUAL, confidence=100,
                    valid_from=self.work.now, recorded_at=self.work.now, **value,
                )
                for value in said
            )
        )  # fmt: skip

    async def say_name(self, name: str | None) -> None:
        """From now on this is the name, or there is none."""
        if name is not None:
            check_line(name, "name")
        await self.say(NAME, _text(name, "name"))

    async def say_country(self, code: str | None) -> None:
        """From now on this is the country, or there is none."""
        await self.say(COUNTRY, _country(code))

    async def say_addresses(self, addresses: Iterable[Address]) -> None:
        """From now on exactly these are the addresses, the first one first."""
        await self.say(ADDRESS, *(_address(address, place) for place, address in enumerate(addresses)))

    async def say_attribute(self, key: str, value: Any) -> None:
        """From now on this is the value of an attribute, or it has none."""
        definition = rules.definition_of(self.definitions, key)
        await self.say(key, None if value is None else typed(definition.type, rules.check_value(definition, value)))

    async def claim(self, scheme: str, values: Sequence[str]) -> None:
        """From now on the customer is known by exactly these values of a scheme, the first one first."""
        wanted = {self._normalised(scheme, value, place): value for place, value in reversed(list(enumerate(values)))}
        primary = self._normalised(scheme, values[0], 0) if values else None
        kept: set[str] = set()
        verified: dict[str | None, datetime] = {}
        for claim in await self.work.all(self._claims(scheme)):
            value = claim.normalised
            if value in wanted and value not in kept and claim.is_primary == (value == primary):
                kept.add(value)
                continue
            claim.valid_to = self.work.now
            if claim.verified_at is not None:
                verified[value] = claim.verified_at
        for normalised, value in reversed(wanted.items()):
            if normalised not in kept:
                self.work.add(
                    IdentityClaim(
                        id=self.work.ids(), customer_id=self.customer_id, scheme=scheme, value=value,
                        normalised=normalised, strength=identity.default_strength(scheme), source=rules.MANUAL,
                        is_primary=normalised == primary, verified_at=verified.get(normalised),
                        valid_from=self.work.now,
                    )
                )  # fmt: skip

    async def belong_to(self, organisation_id: UUID | None) -> None:
        """From now on the person belongs to this organisation only, or to none."""
        if organisation_id is not None:
            await check_organisation(self.work, organisation_id)
        await self.work.execute(
            update(CustomerRelation)
            .where(
                *relations_that_hold(self.work), CustomerRelation.kind == RelationKind.EMPLOYS,
                within(CustomerRelation.to_id, self.members),
            )
            .values(valid_to=self.work.now)
        )  # fmt: skip
        if organisation_id is not None:
            self.work.add(
                CustomerRelation(
                    id=self.work.ids(), kind=RelationKind.EMPLOYS, from_id=organisation_id, to_id=self.customer_id,
                    source=rules.MANUAL, valid_from=self.work.now,
                )
            )  # fmt: skip

    def _facts(self, key: str, *, by_hand: bool) -> Any:
        facts = select(CustomerFact).where(
            CustomerFact.tenant_id == self.work.tenant_id,
            within(CustomerFact.customer_id, self.members),
            CustomerFact.key == key,
            CustomerFact.valid_to.is_(None),
            CustomerFact.superseded_at.is_(None),
        )
        return (facts.where(CustomerFact.source == rules.MANUAL) if by_hand else facts).order_by(CustomerFact.id)

    def _claims(self, scheme: str) -> Any:
        return (
            select(IdentityClaim)
            .where(
                IdentityClaim.tenant_id == self.work.tenant_id,
                within(IdentityClaim.customer_id, self.members),
                IdentityClaim.scheme == scheme,
                IdentityClaim.valid_to.is_(None),
            )
            .order_by(IdentityClaim.id)
        )

    def _normalised(self, scheme: str, value: str, place: int) -> str:
        normalised = folding.normalise_identifier(scheme, value, self.country)
        if normalised is None:
            path = (_FIELDS[scheme], str(place)) if scheme in _FIELDS else ()
            raise _UNFIT.get(scheme, NoIdentifier)(path=path, scheme=scheme)
        return normalised


def check_line(said: str, *path: str) -> None:
    """Raise UnreadableText or TextTooLong unless this is a text as one line of a record may have it."""
    if not any(map(str.isprintable, said.strip())):
        raise UnreadableText(path=path)
    if len(said) > LONGEST_LINE:
        raise TextTooLong(path=path, length=len(said))


def typed(kind: AttributeType, value: rules.Value) -> dict[str, Any]:
    """The columns of a fact that hold a value of an attribute."""
    stored = int(Decimal(value) * MILLIONTHS) if kind is AttributeType.DECIMAL else value  # type: ignore[arg-type]
    return {VALUE_COLUMN[kind]: stored}


async def check_organisation(work: Reading, organisation_id: UUID) -> None:
    """Raise NotFound or NotAnOrganisation unless this is an organisation."""
    if (await queries.customer(work, organisation_id)).kind != CustomerKind.ORGANISATION:
        raise NotAnOrganisation(path=("organisation_id",))


def relations_that_hold(work: Reading) -> tuple[Any, ...]:
    """Which relations of the tenant hold now."""
    return CustomerRelation.tenant_id == work.tenant_id, CustomerRelation.valid_to.is_(None)


_NAME = rules.Definition(NAME, AttributeType.TEXT)
_UNFIT = {"email": NoEmail, "phone": NoPhone}
_FIELDS = {"email": "emails", "phone": "phones"}


def _says(fact: CustomerFact, value: Mapping[str, Any]) -> bool:
    return all(getattr(fact, column) == stored for column, stored in value.items())


def _text(value: str | None, *path: str) -> dict[str, Any] | None:
    if value is None:
        return None
    try:
        return typed(AttributeType.TEXT, rules.check_value(_NAME, value))
    except rules.WrongAttributeType:
        raise UnreadableText(path=path) from None


def _country(code: str | None, *path: str) -> dict[str, Any] | None:
    if code is not None and not is_country(code):
        raise NoCountry(path=path or ("country",), country=code)
    return _text(code)


def _address(address: Address, place: int) -> dict[str, Any]:
    parts = {each.name: getattr(address, each.name) for each in fields(address)}
    given = {name: value for name, value in parts.items() if value is not None}
    for name, value in given.items():
        _text(value, "addresses", str(place), name)
    _country(address.country, "addresses", str(place), "country")
    if not given:
        raise UnreadableText(path=("addresses", str(place)))
    return {"json_value": given}
