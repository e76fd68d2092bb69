"""How customers are found, and what the tables know of them."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec
from sqlalchemy import Uuid, any_, literal, or_, select
from sqlalchemy.dialects.postgresql import ARRAY

from domain.core.problems import NotFound
from domain.core.statements import statement
from domain.customers import edges, folding, identity, rules
from domain.customers.edges import Edge, EdgeKind
from domain.customers.model import (
    MILLIONTHS,
    AttributeDefinition,
    AttributeType,
    CandidateState,
    ConsentEvent,
    Customer,
    CustomerFact,
    CustomerKind,
    CustomerRelation,
    IdentityClaim,
    IdentityEdge,
    MergeCandidate,
    RelationKind,
    Strength,
    Survivorship,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sqlalchemy import ColumnElement, Executable, Row

    from domain.core.unit_of_work import Reading

NAME, COUNTRY, ADDRESS = "name", "country", "address"
BUILT_IN = frozenset({NAME, COUNTRY, ADDRESS})
"""The keys of facts that every tenant has; attributes have other keys."""

VALUE_COLUMN = {
    AttributeType.TEXT: "text_value",
    AttributeType.INTEGER: "integer_value",
    AttributeType.DECIMAL: "integer_value",
    AttributeType.BOOLEAN: "boolean_value",
    AttributeType.DATE: "date_value",
    AttributeType.DATETIME: "time_value",
}
"""In which column a value of each type stands."""


class Claim(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An identifier by which a customer is known now, in the columns of its table."""

    id: UUID
    scheme: str
    value: str | None
    normalised: str
    strength: Strength
    source: str
    is_primary: bool
    verified_at: datetime | None
    valid_from: datetime


class Fact(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What a source says of a customer now, in the columns of its table."""

    id: UUID
    key: str
    source: str
    confidence: int
    valid_from: datetime
    valid_to: datetime | None
    recorded_at: datetime
    superseded_at: datetime | None
    text_value: str | None
    integer_value: int | None
    boolean_value: bool | None
    date_value: date | None
    time_value: datetime | None
    json_value: dict[str, Any] | None


async def resolve(reading: Reading, customer_id: UUID) -> UUID:
    """The id of the surviving customer; an old id resolves for ever. Raises NotFound."""
    found = await reading.one(
        select(Customer.root_id).where(Customer.tenant_id == reading.tenant_id, Customer.id == customer_id)
    )
    if found is None:
        raise NotFound(id=str(customer_id))
    return found


async def customer(reading: Reading, customer_id: UUID) -> Customer:
    """The surviving customer that an id, also an old one, leads to. Raises NotFound."""
    survivor = select(Customer).where(
        Customer.tenant_id == reading.tenant_id, Customer.id == await resolve(reading, customer_id)
    )
    found = await reading.one(survivor.execution_options(populate_existing=True))
    if found is None:
        raise NotFound(id=str(customer_id))
    return found


async def holders(reading: Reading, scheme: str, value: str, region: str | None = None) -> Sequence[UUID]:
    """The surviving customers that are known by an identifier now, the oldest first; none when it is no such thing.

    `region` reads a phone number that has no country code.
    """
    normalised = folding.normalise_identifier(scheme, value, region)
    if normalised is None:
        return []
    return await reading.all(
        select(Customer.root_id)
        .join(IdentityClaim, of_same_tenant(IdentityClaim) & (IdentityClaim.customer_id == Customer.id))
        .where(
            Customer.tenant_id == reading.tenant_id,
            IdentityClaim.scheme == scheme,
            IdentityClaim.normalised == normalised,
            IdentityClaim.valid_to.is_(None),
        )
        .group_by(Customer.root_id)
        .order_by(Customer.root_id)
    )


async def by_email(reading: Reading, email: str) -> Sequence[UUID]:
    """The surviving customers with an e-mail address."""
    return await holders(reading, "email", email)


async def by_phone(reading: Reading, phone: str, region: str | None = None) -> Sequence[UUID]:
    """The surviving customers with a phone number."""
    return await holders(reading, "phone", phone, region)


async def by_external(reading: Reading, source: str, id_: str) -> Sequence[UUID]:
    """The surviving customers that a source (`connector:account`) knows by an id."""
    return await holders(reading, f"{identity.EXTERNAL}{source}", id_)


async def merge_candidates(
    reading: Reading, state: CandidateState = CandidateState.OPEN, limit: int = 100
) -> Sequence[MergeCandidate]:
    """The proposed merges in a state, the likeliest first."""
    return await reading.all(
        select(MergeCandidate)
        .where(MergeCandidate.tenant_id == reading.tenant_id, MergeCandidate.state == state)
        .order_by(MergeCandidate.score.desc(), MergeCandidate.id)
        .limit(limit)
    )


async def golden_values(
    reading: Reading, customer_id: UUID, *, at: datetime | None = None, as_of: datetime | None = None
) -> dict[str, rules.Value]:
    """What counted for a customer's attributes at a moment, by what was known as of another; by default, now.

    The members are those of today: who was merged is one customer in every year.
    """
    members = await members_of(reading, [customer_id])
    definitions = {each.key: rule_of(each) for each in await definitions_of(reading)}
    facts = defaultdict(list)
    for row in await reading.rows(_FACTS.where(*_facts_of(reading, members))):
        if row.key in definitions and (value := value_of(definitions[row.key].type, row)) is not None:
            facts[row.key].append(fact_of(row, value))
    moment = at or reading.now
    golden = {key: rules.golden(given, definitions[key], at=moment, as_of=as_of) for key, given in facts.items()}
    return {key: fact.value for key, fact in golden.items() if fact is not None}  # type: ignore[misc]


async def consents(reading: Reading, customer_id: UUID) -> dict[tuple[str, str], rules.ConsentDecision]:
    """What holds for a customer and all members, per purpose and channel; a merge keeps the most restrictive."""
    members = await members_of(reading, [customer_id])
    said = await reading.all(
        select(ConsentEvent).where(
            ConsentEvent.tenant_id == reading.tenant_id, within(ConsentEvent.customer_id, members)
        )
    )
    log = edges.active(await edges_of(reading, members))
    merged_at = max((edge.recorded_at for edge in log if edge.kind is EdgeKind.MERGE), default=None)
    return rules.effective_consent(map(_statement, said), merged_at)


async def roots_of(reading: Reading, customers: Iterable[UUID]) -> Sequence[UUID]:
    """The surviving customers that these lead to, each once, the oldest first; ids that are not here lead nowhere."""
    ((roots,),) = await reading.rows(_ROOTS, {"tenant": reading.tenant_id, "customers": list(customers)})
    return roots or []


async def survivors(reading: Reading, customers: Iterable[UUID]) -> dict[UUID, UUID]:
    """The surviving customer of everyone who is one with any of these, themselves included."""
    known = select(Customer.id, Customer.root_id).where(
        Customer.tenant_id == reading.tenant_id, within(Customer.root_id, await roots_of(reading, customers))
    )
    return {row.id: row.root_id for row in await reading.rows(known.order_by(Customer.id))}


async def members_of(reading: Reading, customers: Iterable[UUID]) -> list[UUID]:
    """Everyone who is one with any of these customers, themselves included."""
    roots = await roots_of(reading, customers)
    ((members,),) = await reading.rows(_MEMBERS, {"tenant": reading.tenant_id, "roots": roots})
    return members or []


async def edges_of(reading: Reading, members: Sequence[UUID]) -> list[Edge]:
    """Every entry of the identity log that names one of these customers."""
    named = or_(within(IdentityEdge.customer_id, members), within(IdentityEdge.into_id, members))
    found = await reading.all(
        select(IdentityEdge).where(IdentityEdge.tenant_id == reading.tenant_id, named).order_by(IdentityEdge.id)
    )
    return [edge_of(row) for row in found]


def edge_of(row: IdentityEdge) -> Edge:
    """An entry of the identity log as the rules see it."""
    return Edge(
        row.id, EdgeKind(row.kind), row.customer_id, row.into_id, row.batch_id, row.recorded_at, undoes=row.undoes
    )


async def profiles(reading: Reading, roots: Sequence[UUID]) -> dict[UUID, identity.Profile]:
    """What tells each of these surviving customers from others: what they and all their members are known by."""
    members = await reading.rows(
        select(Customer.id, Customer.root_id, Customer.kind).where(
            Customer.tenant_id == reading.tenant_id, within(Customer.root_id, roots)
        )
    )
    ids = [member.id for member in members]
    claims = await claims_that_hold(reading, ids)
    facts = await facts_that_hold(reading, ids)
    employers = by_customer(await reading.rows(employers_of(reading, ids)))
    found: dict[UUID, identity.Profile] = {}
    # The survivor comes first: the kind of its profile is that of the whole.
    for member in sorted(members, key=lambda member: (member.id != member.root_id, member.id)):
        profile = _profile(member.kind, claims.get(member.id, ()), facts.get(member.id, ()), employers[member.id])
        known = found.get(member.root_id)
        found[member.root_id] = profile if known is None else known | profile
    return found


async def definitions_of(reading: Reading) -> Sequence[AttributeDefinition]:
    """The attributes that the tenant has defined, by key."""
    return await reading.all(
        select(AttributeDefinition)
        .where(AttributeDefinition.tenant_id == reading.tenant_id)
        .order_by(AttributeDefinition.key)
    )


def rule_of(definition: AttributeDefinition) -> rules.Definition:
    """A definition as the rules see it."""
    return rules.Definition(
        definition.key,
        AttributeType(definition.type),
        Survivorship(definition.survivorship),
        tuple(definition.authority),
    )


def value_of(kind: AttributeType, row: Any) -> rules.Value | None:
    """The value of a type that a fact holds, or None where it holds none."""
    stored: rules.Value | None = getattr(row, VALUE_COLUMN[kind])
    return stored / MILLIONTHS if kind is AttributeType.DECIMAL and isinstance(stored, int) else stored


def fact_of(row: Any, value: rules.Value) -> rules.Fact:
    """A fact as the rules see it."""
    return rules.Fact(
        row.id, value, row.source, row.valid_from, row.recorded_at, row.valid_to, row.superseded_at, row.confidence
    )


async def facts_that_hold(reading: Reading, customers: Sequence[UUID]) -> Mapping[UUID, Sequence[Fact]]:
    """What sources say of each of these customers now: first what is by hand, then the latest."""
    values = {"tenant": reading.tenant_id, "customers": customers, "now": reading.now}
    return {row.customer_id: _FACT_LIST.decode(row.said) for row in await reading.rows(_FACTS_THAT_HOLD, values)}


async def claims_that_hold(reading: Reading, customers: Sequence[UUID]) -> Mapping[UUID, Sequence[Claim]]:
    """By what each of these customers is known now: first the primary ones, then what is by hand, then the first."""
    values = {"tenant": reading.tenant_id, "customers": customers}
    return {row.customer_id: _CLAIM_LIST.decode(row.said) for row in await reading.rows(_CLAIMS_THAT_HOLD, values)}


def employers_of(reading: Reading, people: Sequence[UUID]) -> Executable:
    """The surviving organisations that these people belong to now, with their names; the latest first."""
    return (
        select(
            CustomerRelation.to_id.label("customer_id"), CustomerRelation.source, CustomerRelation.valid_from,
            CustomerRelation.id, Customer.root_id.label("organisation_id"), Customer.display_name,
        )
        .join(Customer, of_same_tenant(CustomerRelation) & (Customer.id == CustomerRelation.from_id))
        .where(
            CustomerRelation.tenant_id == reading.tenant_id,
            CustomerRelation.kind == RelationKind.EMPLOYS,
            within(CustomerRelation.to_id, people),
            CustomerRelation.valid_to.is_(None),
        )
        .order_by(CustomerRelation.valid_from.desc(), CustomerRelation.id.desc())
    )  # fmt: skip


def by_customer(rows: Iterable[Row[Any]]) -> Mapping[UUID, list[Row[Any]]]:
    """Rows by the customer that they are about."""
    found: defaultdict[UUID, list[Row[Any]]] = defaultdict(list)
    for row in rows:
        found[row.customer_id].append(row)
    return found


def within(column: Any, ids: Iterable[UUID]) -> ColumnElement[bool]:
    """Whether an id is one of many, which travel as one value."""
    matches: ColumnElement[bool] = column == any_(literal(list(ids), ARRAY(Uuid())))
    return matches


def of_same_tenant(model: Any) -> ColumnElement[bool]:
    """Joins rows of another table to customers of their tenant."""
    same: ColumnElement[bool] = model.tenant_id == Customer.tenant_id
    return same


# Two statements: in the transaction that made the customers, statistics mislead a join of the table with itself.
_ROOTS = statement(
    "SELECT array_agg(DISTINCT root_id) FROM customers WHERE tenant_id = :tenant AND id = ANY(:customers)", "customers"
)
_MEMBERS = statement(
    "SELECT array_agg(id ORDER BY id) FROM customers WHERE tenant_id = :tenant AND root_id = ANY(:roots)", "roots"
)


FACT_HOLDS = "superseded_at IS NULL AND valid_from <= :now AND (valid_to IS NULL OR valid_to > :now)"
"""SQL: whether a fact is believed, and of now."""


def _in_one_value(kind: type[msgspec.Struct]) -> str:
    return f"json_build_array({', '.join(kind.__struct_fields__)})"


# What is said of a customer travels as one value: thousands of rows are read at a time, and each would cost the driver
# and SQLAlchemy what all of a customer's do together.
_FACTS_THAT_HOLD = statement(
    f"""
    SELECT customer_id, CAST(
        json_agg({_in_one_value(Fact)} ORDER BY source <> '{rules.MANUAL}', valid_from DESC, id) AS text
    ) AS said
    FROM customer_facts
    WHERE tenant_id = :tenant AND customer_id = ANY(:customers) AND {FACT_HOLDS}
    GROUP BY customer_id
    """,
    "customers",
)
_FACT_LIST = msgspec.json.Decoder(list[Fact])
_CLAIMS_THAT_HOLD = statement(
    f"""
    SELECT customer_id, CAST(
        json_agg({_in_one_value(Claim)} ORDER BY NOT is_primary, source <> '{rules.MANUAL}', valid_from, id) AS text
    ) AS said
    FROM identity_claims
    WHERE tenant_id = :tenant AND customer_id = ANY(:customers) AND valid_to IS NULL AND normalised IS NOT NULL
    GROUP BY customer_id
    """,
    "customers",
)
_CLAIM_LIST = msgspec.json.Decoder(list[Claim])

# Columns of the table, not of the class, which would cost a third more to load.
_FACT = CustomerFact.__table__.c
_FACTS = select(
    _FACT.customer_id, _FACT.id, _FACT.key, _FACT.source, _FACT.confidence, _FACT.valid_from, _FACT.valid_to,
    _FACT.recorded_at, _FACT.superseded_at, _FACT.text_value, _FACT.integer_value, _FACT.boolean_value,
    _FACT.date_value, _FACT.time_value,
)  # fmt: skip


def _facts_of(reading: Reading, customers: Iterable[UUID]) -> tuple[ColumnElement[bool], ...]:
    return _FACT.tenant_id == reading.tenant_id, within(_FACT.customer_id, customers)


def _statement(event: ConsentEvent) -> rules.Consent:
    decision = rules.ConsentDecision(event.decision)
    return rules.Consent(event.id, event.customer_id, event.purpose, event.channel, decision, event.occurred_at)


def _profile(
    kind: str, claims: Iterable[Claim], facts: Sequence[Fact], employers: Iterable[Row[Any]]
) -> identity.Profile:
    addresses = [fact.json_value for fact in facts if fact.key == ADDRESS and fact.json_value]
    countries = {address.get("country") for address in addresses}
    countries |= {fact.text_value for fact in facts if fact.key == COUNTRY}
    return identity.Profile(
        kind=CustomerKind(kind),
        claims=frozenset(
            identity.Claim(claim.scheme, claim.normalised, claim.strength, claim.verified_at is not None)
            for claim in claims
        ),
        names=frozenset(fact.text_value for fact in facts if fact.key == NAME and fact.text_value),
        countries=_said(countries),
        cities=_said(address.get("city") for address in addresses),
        organisations=_said(employer.display_name for employer in employers),
    )


def _said(texts: Iterable[str | None]) -> frozenset[str]:
    return frozenset(text for text in texts if text)
