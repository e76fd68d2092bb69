"""What can happen to a customer: being made, changed, related to others, and asked for consent."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, fields
from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy
from sqlalchemy import select

from domain.core.problems import Conflict, Invalid, NotFound, StaleVersion
from domain.customers import folding, identity, queries, rules
from domain.customers.heads import refresh_heads
from domain.customers.merging import CustomerErased, lock_identities, settle_identities
from domain.customers.model import (
    MILLIONTHS,
    AttributeDefinition,
    AttributeType,
    ConsentDecision,
    ConsentEvent,
    Customer,
    CustomerFact,
    CustomerKind,
    CustomerRelation,
    CustomerStatus,
    IdentityClaim,
    PiiClass,
    RelationKind,
    Survivorship,
)
from domain.customers.queries import ADDRESS, BUILT_IN, COUNTRY, NAME, VALUE_COLUMN, within

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from domain.core.unit_of_work import Reading, Writing


class UnreadableText(Invalid):
    """A text needs at least one character that can be read."""


class NoEmail(Invalid):
    """This is no e-mail address."""


class NoPhone(Invalid):
    """This is no phone number. Write it with its country code, such as +44 20 7946 0000."""


class NoIdentifier(Invalid):
    """This is no identifier of its scheme."""


class NoCountry(Invalid):
    """This is no country. Use two capital letters (ISO 3166), such as NL."""


class NotAnOrganisation(Invalid):
    """People belong to organisations only. Name an organisation."""


class RelatedToItself(Invalid):
    """A customer cannot be related to itself. Name two different customers."""


class BadAttributeKey(Invalid):
    """The key of an attribute has 1 to 63 small letters, digits and underscores, begins with a letter, and is none of
    name, country and address.
    """


class AttributeTypeFixed(Conflict):
    """An attribute keeps its type, since facts of it exist. Define another attribute instead."""


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
class ExternalRef:
    """The id of a customer at a source (`connector:account`)."""

    source: str
    id: str


@dataclass(frozen=True)
class NewCustomer:
    """What a customer is made from by hand; of e-mail addresses, phones and addresses the first is the primary one."""

    kind: CustomerKind = CustomerKind.PERSON
    name: str | None = None
    emails: Sequence[str] = ()
    phones: Sequence[str] = ()
    addresses: Sequence[Address] = ()
    country: str | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    organisation_id: UUID | None = None
    identities: Sequence[Identifier] = ()
    external: Sequence[ExternalRef] = ()


class _Keep(Enum):
    KEEP = "keep"


KEEP: Final = _Keep.KEEP
"""The value of a change that is none."""


@dataclass(frozen=True)
class Changes:
    """What shall be so from now on; None takes away, a list stands for the whole list, KEEP leaves as it is."""

    name: str | _Keep | None = KEEP
    country: str | _Keep | None = KEEP
    emails: Sequence[str] | _Keep = KEEP
    phones: Sequence[str] | _Keep = KEEP
    addresses: Sequence[Address] | _Keep = KEEP
    organisation_id: UUID | _Keep | None = KEEP
    attributes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def named(self) -> list[str]:
        """Which fields change, for the audit log and for whoever listens: their names only."""
        plain = [each.name for each in fields(self) if each.name != "attributes"]
        return [name for name in plain if getattr(self, name) is not KEEP] + sorted(self.attributes)


async def create(work: Writing, new: NewCustomer) -> Customer:
    """Make a customer by hand. Whom a strong identifier proves to be known already is merged with the older one, who
    is returned.

    Raises UnreadableText, NoEmail, NoPhone, NoIdentifier, NoCountry, UnknownAttribute, WrongAttributeType, NotFound
    or NotAnOrganisation; then nothing changed.
    """
    await lock_identities(work)
    id_ = work.ids()
    hand = await _Hand.of(work, id_, [id_], new.country)
    work.add(
        Customer(
            id=id_, kind=new.kind, status=CustomerStatus.ACTIVE, root_id=id_, member_ids=[id_],
            first_seen_at=work.now, created_at=work.now, updated_at=work.now,
        )
    )  # fmt: skip
    await hand.say(NAME, _text_value(new.name, "name"))
    await hand.say(COUNTRY, _country(new.country))
    await hand.say_addresses(new.addresses)
    for key, value in new.attributes.items():
        await hand.say_attribute(key, value)
    await hand.claim("email", new.emails)
    await hand.claim("phone", new.phones)
    external = [Identifier(f"{identity.EXTERNAL}{each.source}", each.id) for each in new.external]
    for scheme, values in _by_scheme([*new.identities, *external]).items():
        await hand.claim(scheme, values)
    if new.organisation_id is not None:
        await hand.belong_to(new.organisation_id)
    work.emit("customers.CustomerCreated", id_)
    work.audit("customers.create", f"customer:{id_.hex}", after={"kind": new.kind})
    return await _settled(work, id_)


async def update(work: Writing, customer_id: UUID, version: int, changes: Changes) -> Customer:
    """Change what is known of a customer by hand; what was known before stays readable, with the time it held.

    Raises NotFound, CustomerErased, StaleVersion (`current_version`) or what `create` raises; then nothing changed.
    """
    await lock_identities(work)
    customer = await queries.customer(work, customer_id)
    if customer.status == CustomerStatus.ERASED:
        raise CustomerErased(id=str(customer.id))
    if customer.version != version:
        raise StaleVersion(current_version=customer.version)
    country = customer.country if isinstance(changes.country, _Keep) else changes.country
    hand = await _Hand.of(work, customer.id, await queries.members_of(work, [customer.id]), country)
    await _apply(hand, changes)
    work.emit("customers.CustomerChanged", customer.id, fields=changes.named)
    work.audit("customers.update", f"customer:{customer.id.hex}", after={"fields": changes.named})
    return await _settled(work, customer.id)


async def define_attribute(
    work: Writing,
    key: str,
    type_: AttributeType,
    labels: Mapping[str, str],
    *,
    pii: PiiClass = PiiClass.NONE,
    survivorship: Survivorship = Survivorship.LATEST,
    authority: Sequence[str] = (),
) -> AttributeDefinition:
    """Define an attribute of the tenant's customers, or define it anew: the golden values follow.

    Raises BadAttributeKey or AttributeTypeFixed.
    """
    if not _KEY.fullmatch(key) or key in BUILT_IN:
        raise BadAttributeKey(path=("key",), key=key)
    says = {"labels": dict(labels), "pii": pii, "survivorship": survivorship, "authority": list(authority)}
    definition = await work.one(
        select(AttributeDefinition)
        .where(AttributeDefinition.tenant_id == work.tenant_id, AttributeDefinition.key == key)
        .with_for_update()
    )
    if definition is None:
        definition = AttributeDefinition(id=work.ids(), key=key, type=type_, created_at=work.now, version=1, **says)
        work.add(definition)
    elif definition.type != type_:
        raise AttributeTypeFixed(key=key, type=definition.type)
    else:
        for name, value in says.items():
            setattr(definition, name, value)
        definition.version += 1
    await work.flush()
    work.audit("attributes.define", f"attribute:{key}", after={**says, "type": type_})
    await _show_anew(work, key)
    return definition


async def relate(
    work: Writing, kind: RelationKind, from_id: UUID, to_id: UUID, source: str = rules.MANUAL
) -> CustomerRelation:
    """Say how one customer belongs to another: an organisation EMPLOYS a person, say; what stands is not said twice.

    Raises NotFound, RelatedToItself or NotAnOrganisation.
    """
    if await queries.resolve(work, from_id) == await queries.resolve(work, to_id):
        raise RelatedToItself(path=("to",))
    if kind is RelationKind.EMPLOYS:
        await _check_organisation(work, from_id)
    standing = await work.one(
        select(CustomerRelation).where(
            *_standing(work), CustomerRelation.kind == kind,
            CustomerRelation.from_id == from_id, CustomerRelation.to_id == to_id,
        )
    )  # fmt: skip
    if standing is not None:
        return standing
    relation = CustomerRelation(
        id=work.ids(), kind=kind, from_id=from_id, to_id=to_id, source=source, valid_from=work.now
    )
    work.add(relation)
    work.audit("customers.relate", f"customer:{to_id.hex}", after={"kind": kind, "from": from_id.hex})
    await refresh_heads(work, [to_id])
    return relation


async def end_relation(work: Writing, relation_id: UUID) -> CustomerRelation:
    """End a relation now; ending it again changes nothing. Raises NotFound."""
    relation = await work.one(
        select(CustomerRelation).where(
            CustomerRelation.tenant_id == work.tenant_id, CustomerRelation.id == relation_id
        )
    )  # fmt: skip
    if relation is None:
        raise NotFound(id=str(relation_id))
    if relation.valid_to is None:
        relation.valid_to = work.now
        work.audit("customers.end_relation", f"customer:{relation.to_id.hex}", after={"kind": relation.kind})
        await refresh_heads(work, [relation.to_id])
    return relation


async def record_consent(
    work: Writing,
    customer_id: UUID,
    purpose: str,
    channel: str,
    decision: ConsentDecision,
    *,
    lawful_basis: str | None = None,
    evidence: str | None = None,
    occurred_at: datetime | None = None,
) -> ConsentEvent:
    """Write down what a customer decided about being contacted. Raises NotFound or CustomerErased."""
    customer = await queries.customer(work, customer_id)
    if customer.status == CustomerStatus.ERASED:
        raise CustomerErased(id=str(customer.id))
    said = ConsentEvent(
        id=work.ids(), customer_id=customer_id, purpose=purpose, channel=channel, decision=decision,
        lawful_basis=lawful_basis, evidence=evidence, actor=str(work.actor),
        occurred_at=occurred_at or work.now, recorded_at=work.now,
    )  # fmt: skip
    work.add(said)
    work.emit("customers.ConsentRecorded", customer_id, purpose=purpose, channel=channel, decision=decision)
    work.audit(
        "customers.record_consent", f"customer:{customer_id.hex}",
        after={"purpose": purpose, "channel": channel, "decision": decision},
    )  # fmt: skip
    await work.flush()
    return said


_KEY = re.compile(r"[a-z][a-z0-9_]{0,62}")
_COUNTRY_CODE = re.compile(r"[A-Z]{2}")
_NAME = rules.Definition(NAME, AttributeType.TEXT)
_UNFIT = {"email": NoEmail, "phone": NoPhone}
_FIELDS = {"email": "emails", "phone": "phones"}
_PORTION = 1000


@dataclass(frozen=True)
class _Hand:
    """Somebody who says by hand what is known of a customer: facts are closed and opened, never edited."""

    work: Writing
    customer_id: UUID
    members: Sequence[UUID]
    country: str | None
    definitions: Mapping[str, rules.Definition]

    @classmethod
    async def of(cls, work: Writing, customer_id: UUID, members: Sequence[UUID], country: str | None) -> _Hand:
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

    async def say_addresses(self, addresses: Iterable[Address]) -> None:
        await self.say(ADDRESS, *(_address(address, place) for place, address in enumerate(addresses)))

    async def say_attribute(self, key: str, value: Any) -> None:
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
            await _check_organisation(self.work, organisation_id)
        await self.work.execute(
            sqlalchemy.update(CustomerRelation)
            .where(
                *_standing(self.work), CustomerRelation.kind == RelationKind.EMPLOYS,
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
            raise _UNFIT.get(scheme, NoIdentifier)(path=(_FIELDS.get(scheme, "identities"), str(place)), scheme=scheme)
        return normalised


def typed(kind: AttributeType, value: rules.Value) -> dict[str, Any]:
    """The columns of a fact that hold a value of an attribute."""
    stored = int(Decimal(value) * MILLIONTHS) if kind is AttributeType.DECIMAL else value  # type: ignore[arg-type]
    return {VALUE_COLUMN[kind]: stored}


async def _apply(hand: _Hand, changes: Changes) -> None:
    if not isinstance(changes.name, _Keep):
        await hand.say(NAME, _text_value(changes.name, "name"))
    if not isinstance(changes.country, _Keep):
        await hand.say(COUNTRY, _country(changes.country))
    if not isinstance(changes.addresses, _Keep):
        await hand.say_addresses(changes.addresses)
    if not isinstance(changes.emails, _Keep):
        await hand.claim("email", changes.emails)
    if not isinstance(changes.phones, _Keep):
        await hand.claim("phone", changes.phones)
    if not isinstance(changes.organisation_id, _Keep):
        await hand.belong_to(changes.organisation_id)
    for key, value in changes.attributes.items():
        await hand.say_attribute(key, value)


async def _settled(work: Writing, customer_id: UUID) -> Customer:
    await work.flush()
    await settle_identities(work, [customer_id])
    await refresh_heads(work, [customer_id])
    return await queries.customer(work, customer_id)


async def _show_anew(work: Writing, key: str) -> None:
    """Refresh everyone of whom something is said under a key."""
    told = select(CustomerFact.customer_id).where(
        CustomerFact.tenant_id == work.tenant_id, CustomerFact.key == key, CustomerFact.superseded_at.is_(None)
    )
    customers = sorted(set(await work.all(told)))
    for start in range(0, len(customers), _PORTION):
        await refresh_heads(work, customers[start : start + _PORTION])


async def _check_organisation(work: Reading, organisation_id: UUID) -> None:
    if (await queries.customer(work, organisation_id)).kind != CustomerKind.ORGANISATION:
        raise NotAnOrganisation(path=("organisation",))


def _standing(work: Reading) -> tuple[Any, ...]:
    return CustomerRelation.tenant_id == work.tenant_id, CustomerRelation.valid_to.is_(None)


def _says(fact: CustomerFact, value: Mapping[str, Any]) -> bool:
    return all(getattr(fact, column) == stored for column, stored in value.items())


def _text_value(value: str | None, *path: str) -> dict[str, Any] | None:
    if value is None:
        return None
    try:
        return typed(AttributeType.TEXT, rules.check_value(_NAME, value))
    except rules.WrongAttributeType:
        raise UnreadableText(path=path) from None


def _country(code: str | None, *path: str) -> dict[str, Any] | None:
    if code is not None and not _COUNTRY_CODE.fullmatch(code):
        raise NoCountry(path=path or ("country",), country=code)
    return _text_value(code)


def _address(address: Address, place: int) -> dict[str, Any]:
    parts = {each.name: getattr(address, each.name) for each in fields(address)}
    given = {name: value for name, value in parts.items() if value is not None}
    for name, value in given.items():
        _text_value(value, "addresses", str(place), name)
    _country(address.country, "addresses", str(place), "country")
    if not given:
        raise UnreadableText(path=("addresses", str(place)))
    return {"json_value": given}


def _by_scheme(identifiers: Iterable[Identifier]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for each in identifiers:
        found.setdefault(each.scheme, []).append(each.value)
    return found
