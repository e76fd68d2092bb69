"""What can happen to a customer: being made, changed, related to others, and asked for consent."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, fields
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import select

from domain.core.problems import Conflict, Invalid, NotFound, StaleVersion
from domain.customers import identity, queries, rules
from domain.customers.by_hand import Address, Hand, Identifier, check_line, check_organisation, relations_that_hold
from domain.customers.heads import refresh_heads
from domain.customers.merging import CustomerErased, lock_identities
from domain.customers.model import (
    AttributeDefinition,
    AttributeType,
    ConsentDecision,
    ConsentEvent,
    Customer,
    CustomerFact,
    CustomerKind,
    CustomerRelation,
    CustomerStatus,
    PiiClass,
    RelationKind,
    Survivorship,
)
from domain.customers.queries import BUILT_IN
from domain.customers.settling import settle_identities

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from domain.core.unit_of_work import Writing


class RelatedToItself(Invalid):
    """A customer cannot be related to itself. Name two different customers."""


class BadAttributeKey(Invalid):
    """The key of an attribute has 1 to 63 small letters, digits and underscores, begins with a letter, and is none of
    name, country and address.
    """


class AttributeTypeFixed(Conflict):
    """An attribute keeps its type, since facts of it exist. Define another attribute instead."""


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
    hand = await Hand.of(work, id_, [id_], new.country)
    work.add(
        Customer(
            id=id_, kind=new.kind, status=CustomerStatus.ACTIVE, root_id=id_, member_ids=[id_],
            first_seen_at=work.now, created_at=work.now, updated_at=work.now,
        )
    )  # fmt: skip
    await hand.say_name(new.name)
    await hand.say_country(new.country)
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
        raise StaleVersion(path=("version",), current_version=customer.version)
    country = customer.country if isinstance(changes.country, _Keep) else changes.country
    hand = await Hand.of(work, customer.id, await queries.members_of(work, [customer.id]), country)
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
        raise AttributeTypeFixed(path=("type",), key=key, type=definition.type)
    else:
        for name, value in says.items():
            setattr(definition, name, value)
        definition.version += 1
    await work.flush()
    work.audit("attributes.define", f"attribute:{key}", after={**says, "type": type_})
    await _show_anew(work, key)
    work.emit("customers.AttributeDefined", definition.id, key=key)
    return definition


async def relate(
    work: Writing, kind: RelationKind, from_id: UUID, to_id: UUID, source: str = rules.MANUAL
) -> CustomerRelation:
    """Say how one customer belongs to another: an organisation EMPLOYS a person, say; what stands is not said twice.

    Raises NotFound, RelatedToItself or NotAnOrganisation.
    """
    await lock_identities(work)
    if await queries.resolve(work, from_id) == await queries.resolve(work, to_id):
        raise RelatedToItself(path=("to",))
    if kind is RelationKind.EMPLOYS:
        await check_organisation(work, from_id)
    standing = await work.one(
        select(CustomerRelation).where(
            *relations_that_hold(work), CustomerRelation.kind == kind,
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
    await lock_identities(work)
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
    """Write down what a customer decided about being contacted.

    Raises NotFound, CustomerErased, UnreadableText or TextTooLong.
    """
    check_line(purpose, "purpose")
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
_PORTION = 1000


async def _apply(hand: Hand, changes: Changes) -> None:
    if not isinstance(changes.name, _Keep):
        await hand.say_name(changes.name)
    if not isinstance(changes.country, _Keep):
        await hand.say_country(changes.country)
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


def _by_scheme(identifiers: Iterable[Identifier]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for each in identifiers:
        found.setdefault(each.scheme, []).append(each.value)
    return found
