"""The head row of a surviving customer: what all its members brought, projected so that a read finds it in one row."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from sqlalchemy import select

from domain.core.statements import as_one_value, given_rows, insertion, statement
from domain.customers import folding, queries, rules
from domain.customers.identity import EXTERNAL
from domain.customers.model import AttributeType, Customer, CustomerAttribute, CustomerWord, PiiClass
from domain.customers.queries import ADDRESS, COUNTRY, NAME, VALUE_COLUMN, Claim, Fact, within

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from uuid import UUID

    from sqlalchemy import Row, Select, Table, TextClause

    from domain.core.unit_of_work import Reading, Writing
    from domain.customers.model import AttributeDefinition

    Values = dict[str, Any]

_Said = TypeVar("_Said", Claim, Fact)


async def refresh_heads(work: Writing, customers: Sequence[UUID]) -> None:
    """Make the head rows, attributes and words of the survivors of these customers what is known of them now.

    A survivor shows what all its members brought; a member's own row says where it went and shows nothing else.
    What is right already is not written. Customers that the session has loaded must be refreshed to show it.
    """
    if not customers:
        return
    await work.flush()
    roots = await queries.roots_of(work, customers)
    rows = await work.rows(_HEADS, {"tenant": work.tenant_id, "roots": roots})
    known = await _load(work, [row.id for row in rows])
    heads = [head for members in _by_survivor(rows) for head in _project(members, known, work.now)]
    await _write_heads(work, heads)
    await _write_attributes(work, heads)
    await _write_words(work, heads)


_SHOWN = (
    "display_name", "country", "primary_email", "primary_phone", "emails", "phones", "addresses", "attributes",
    "organisation_id", "first_seen_at", "own_first_seen_at",
)  # fmt: skip
_CUSTOMERS: Table = Customer.__table__  # type: ignore[assignment]
_ATTRIBUTES: Table = CustomerAttribute.__table__  # type: ignore[assignment]
_WORDS: Table = CustomerWord.__table__  # type: ignore[assignment]
# Whoever refreshes the same customer at the same time waits here, and then sees what the other one wrote.
_HEADS = statement(
    """
    SELECT id, root_id, first_seen_at, own_first_seen_at FROM customers
    WHERE tenant_id = :tenant AND root_id = ANY(:roots) ORDER BY id FOR NO KEY UPDATE
    """,
    "roots",
)
_TYPED = tuple(dict.fromkeys(VALUE_COLUMN.values()))
_END_OF_TIME = datetime.max.replace(tzinfo=UTC)
_NAME = rules.Definition(NAME, AttributeType.TEXT)
_COUNTRY = rules.Definition(COUNTRY, AttributeType.TEXT)
_ADDRESS_PARTS = {
    "street": "street",
    "city": "city",
    "region": "region",
    "postalCode": "postal_code",
    "country": "country",
}


@dataclass(frozen=True)
class _Known:
    """What the tables hold of some customers, by customer, and what the tenant's attributes are."""

    definitions: Mapping[str, tuple[AttributeDefinition, rules.Definition]]
    facts: Mapping[UUID, Sequence[Fact]]
    claims: Mapping[UUID, Sequence[Claim]]
    employers: Mapping[UUID, list[Row[Any]]]


class _Head(NamedTuple):
    """What the row of a customer shall show, and the rows beside it."""

    id: UUID
    shown: Values
    attributes: tuple[tuple[Any, ...], ...] = ()
    words: frozenset[str] = frozenset()


async def _load(work: Reading, members: Sequence[UUID]) -> _Known:
    return _Known(
        definitions={each.key: (each, queries.rule_of(each)) for each in await queries.definitions_of(work)},
        facts=await queries.facts_that_hold(work, members),
        claims=await queries.claims_that_hold(work, members),
        employers=queries.by_customer(await work.rows(queries.employers_of(work, members))),
    )


def _by_survivor(rows: Iterable[Row[Any]]) -> Iterable[list[Row[Any]]]:
    components: defaultdict[UUID, list[Row[Any]]] = defaultdict(list)
    for row in rows:
        components[row.root_id].append(row)
    return components.values()


def _project(members: list[Row[Any]], known: _Known, now: datetime) -> Iterator[_Head]:
    """The heads of a survivor and of those who were merged into it."""
    own = {member.id: member.own_first_seen_at or member.first_seen_at for member in members}
    for member in members:
        if member.id != member.root_id:
            yield _Head(member.id, dict.fromkeys(_SHOWN) | {"first_seen_at": own[member.id]})
            continue
        merged = len(members) > 1
        seen = {"first_seen_at": min(own.values()), "own_first_seen_at": own[member.id] if merged else None}
        yield _survivor(member.id, [each.id for each in members], known, now, seen)


def _survivor(id_: UUID, members: list[UUID], known: _Known, now: datetime, seen: Values) -> _Head:
    claims = _brought(id_, members, known.claims, _place_of_claim)
    facts: defaultdict[str, list[Fact]] = defaultdict(list)
    for fact in _brought(id_, members, known.facts, _place_of_fact):
        facts[fact.key].append(fact)
    emails = _contacts(claims, "email", "address")
    phones = _contacts(claims, "phone", "number")
    addresses = _addresses(facts[ADDRESS])
    golden = _golden_attributes(facts, known, now)
    name = _golden_text(_NAME, facts[NAME], now) or _external_id(claims)
    names = {fact.text_value for fact in facts[NAME] if fact.text_value} | ({name} if name else set())
    shown = {
        "display_name": name,
        "country": (addresses[0]["country"] if addresses else None) or _golden_text(_COUNTRY, facts[COUNTRY], now),
        "primary_email": emails[0]["address"] if emails else None,
        "primary_phone": phones[0]["number"] if phones else None,
        "emails": emails or None,
        "phones": phones or None,
        "addresses": addresses or None,
        "attributes": [_shown_attribute(*known.definitions[key], golden[key]) for key in sorted(golden)] or None,
        "organisation_id": _employer(members, known),
        **seen,
    }
    attributes = tuple((key, *(getattr(fact, column) for column in _TYPED)) for key, fact in golden.items())
    words = folding.index_words(names, [email["address"] for email in emails], [phone["number"] for phone in phones])
    return _Head(id_, shown, attributes, words)


def _brought(
    survivor: UUID, members: list[UUID], said: Mapping[UUID, Sequence[_Said]], place: Callable[[_Said, bool], Any]
) -> Sequence[_Said]:
    """What all members brought, in the order in which it counts; what one of them brought has it already."""
    if len(members) == 1:
        return said.get(survivor, ())
    places = [(place(each, member == survivor), each) for member in members for each in said.get(member, ())]
    return [each for _, each in sorted(places, key=itemgetter(0))]


def _place_of_claim(claim: Claim, is_own: bool) -> tuple[Any, ...]:
    """The primary ones come first, then what somebody entered by hand, then what the survivor itself brought."""
    return not claim.is_primary, claim.source != rules.MANUAL, not is_own, claim.valid_from, claim.id


def _place_of_fact(fact: Fact, is_own: bool) -> tuple[Any, ...]:
    """What somebody entered by hand comes first, then what the survivor itself brought, then the latest."""
    return fact.source != rules.MANUAL, not is_own, _END_OF_TIME - fact.valid_from, fact.id


def _contacts(claims: Iterable[Claim], scheme: str, shown_as: str) -> list[Values]:
    """The e-mail addresses or phones, each once, the primary one first."""
    found: dict[str, Values] = {}
    for claim in claims:
        if claim.scheme == scheme:
            verified_at = claim.verified_at.isoformat() if claim.verified_at else None
            contact = found.setdefault(
                claim.normalised,
                {shown_as: claim.normalised, "isPrimary": not found, "verifiedAt": verified_at, "source": claim.source},
            )
            if verified_at is not None:
                contact["verifiedAt"] = min(contact["verifiedAt"] or verified_at, verified_at)
    return list(found.values())


def _addresses(facts: Iterable[Fact]) -> list[Values]:
    """The postal addresses, each once, the primary one first: by hand, the survivor's own, the latest, the first."""
    found: dict[tuple[str | None, ...], Values] = {}
    for fact in facts:
        if fact.json_value:
            parts = {shown_as: fact.json_value.get(part) for shown_as, part in _ADDRESS_PARTS.items()}
            found.setdefault(tuple(parts.values()), {**parts, "isPrimary": not found, "source": fact.source})
    return list(found.values())


def _golden(facts: Sequence[Fact], definition: rules.Definition, now: datetime) -> Fact | None:
    """Which of these facts counts: all of them have a value, and hold now."""
    if len(facts) < 2:
        return facts[0] if facts else None
    values = ((fact, queries.value_of(definition.type, fact)) for fact in facts)
    given = [queries.fact_of(fact, value) for fact, value in values if value is not None]
    golden = rules.golden(given, definition, at=now)
    return next((fact for fact in facts if golden and fact.id == golden.id), None)


def _golden_text(definition: rules.Definition, facts: Iterable[Fact], now: datetime) -> str | None:
    golden = _golden([fact for fact in facts if fact.text_value], definition, now)
    return golden.text_value if golden else None


def _golden_attributes(facts: Mapping[str, list[Fact]], known: _Known, now: datetime) -> dict[str, Fact]:
    found = {}
    for key in facts.keys() & known.definitions.keys():
        definition = known.definitions[key][1]
        given = [fact for fact in facts[key] if queries.value_of(definition.type, fact) is not None]
        if golden := _golden(given, definition, now):
            found[key] = golden
    return found


def _external_id(claims: Iterable[Claim]) -> str | None:
    """What to call a customer of whom nothing but an id is known."""
    return next((claim.value for claim in claims if claim.scheme.startswith(EXTERNAL)), None)


def _shown_attribute(definition: AttributeDefinition, rule: rules.Definition, fact: Fact) -> Values:
    return {
        "key": definition.key,
        "type": definition.type,
        "value": _written(queries.value_of(rule.type, fact)),  # type: ignore[arg-type]
        "pii": definition.pii != PiiClass.NONE,
        "labels": definition.labels,
        "source": fact.source,
        "confidence": fact.confidence,
        "validFrom": fact.valid_from.isoformat(),
    }


def _written(value: rules.Value) -> str | int | bool:
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    return value if isinstance(value, str | int) else value.isoformat()


def _employer(members: Iterable[UUID], known: _Known) -> UUID | None:
    employers = (each for member in members for each in known.employers.get(member, ()))
    latest = max(employers, key=lambda each: (each.source == rules.MANUAL, each.valid_from, each.id), default=None)
    return latest.organisation_id if latest else None


def _shown_of(row: str) -> str:
    return ", ".join(f"{row}.{name}" for name in _SHOWN)


_SHOW = statement(f"""
UPDATE customers SET version = customers.version + 1, updated_at = :now,
    {", ".join(f"{name} = given.{name}" for name in _SHOWN)}
FROM {given_rows(_CUSTOMERS.name)} WHERE customers.tenant_id = :tenant AND customers.id = given.id
    AND ({_shown_of("customers")}) IS DISTINCT FROM ({_shown_of("given")})
""")


async def _write_heads(work: Writing, heads: Iterable[_Head]) -> None:
    given = as_one_value([{"id": head.id, **head.shown} for head in heads])
    await work.execute(_SHOW, {"tenant": work.tenant_id, "now": work.now, "given": given})


_ATTRIBUTE = ("customer_id", "key", *_TYPED)
_ADD_ATTRIBUTES = insertion(_ATTRIBUTES.name, _ATTRIBUTE)
_DROP_ATTRIBUTES = statement(f"""
DELETE FROM customer_attributes AS known USING {given_rows(_ATTRIBUTES.name)}
WHERE known.tenant_id = :tenant AND known.customer_id = given.customer_id AND known.key = given.key
""")


async def _write_attributes(work: Writing, heads: Sequence[_Head]) -> None:
    """Make the attributes that stand beside these heads theirs."""
    wanted = {(head.id, *row) for head in heads for row in head.attributes}
    stand = {tuple(row) for row in await work.rows(_beside(work, _ATTRIBUTES, _ATTRIBUTE, heads))}
    for change, rows in ((_DROP_ATTRIBUTES, stand - wanted), (_ADD_ATTRIBUTES, wanted - stand)):
        await _change(work, change, [dict(zip(_ATTRIBUTE, row, strict=True)) for row in rows])


# The words of a customer travel together: a dozen rows for each would cost three times as much.
_GIVEN_WORDS = """
json_to_recordset(CAST(CAST(:given AS text) AS json)) AS given (customer_id uuid, words json)
CROSS JOIN LATERAL json_array_elements_text(given.words) AS said (word)
"""
_ADD_WORDS = statement(f"""
INSERT INTO customer_words (tenant_id, customer_id, word)
SELECT :tenant, given.customer_id, said.word FROM {_GIVEN_WORDS}
""")
_DROP_WORDS = statement(f"""
DELETE FROM customer_words AS known USING {_GIVEN_WORDS}
WHERE known.tenant_id = :tenant AND known.customer_id = given.customer_id AND known.word = said.word COLLATE "C"
""")


async def _write_words(work: Writing, heads: Sequence[_Head]) -> None:
    """Make the words that stand beside these heads theirs."""
    stand: defaultdict[UUID, set[str]] = defaultdict(set)
    for row in await work.rows(_beside(work, _WORDS, ("customer_id", "word"), heads)):
        stand[row.customer_id].add(row.word)
    for change, words in (
        (_DROP_WORDS, {head.id: stand[head.id] - head.words for head in heads}),
        (_ADD_WORDS, {head.id: head.words - stand[head.id] for head in heads}),
    ):
        await _change(work, change, [{"customer_id": id_, "words": [*some]} for id_, some in words.items() if some])


def _beside(work: Writing, table: Table, columns: Sequence[str], heads: Iterable[_Head]) -> Select[Any]:
    """What stands in a table beside these heads."""
    of_heads = within(table.c.customer_id, (head.id for head in heads))
    return select(*(table.c[name] for name in columns)).where(table.c.tenant_id == work.tenant_id, of_heads)


async def _change(work: Writing, change: TextClause, given: Sequence[Values]) -> None:
    if given:
        await work.execute(change, {"tenant": work.tenant_id, "given": as_one_value(given)})
