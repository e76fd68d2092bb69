"""Customers: who is new, what their source says of them now, and by which identifiers it knows them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
from sqlalchemy import select, text

from domain.core.countries import is_country
from domain.customers import folding, identity, lock_identities, suppressed
from domain.customers.departments import BadDepartmentKey, check_key
from domain.customers.model import MILLIONTHS, AttributeDefinition, AttributeType
from sync.landing import cells, departments, tables, unreadable
from sync.landing.rejects import ERASED, placed
from sync.landing.tables import sql
from tenure_sdk import Reject

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from uuid import UUID

    from sqlalchemy import TextClause

    from domain.core.unit_of_work import Writing
    from sync.runs import Run
    from tenure_sdk import Address, Customer

    _Attribute = tuple[str, str, Any]
    """Its key, the column of its type, and the value in it."""


class Merged(NamedTuple):
    """How many records were created, updated and left as they were, and which customers they describe or touch."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    described: Sequence[UUID] = ()
    touched: Sequence[UUID] = ()
    rejects: Sequence[Reject] = ()
    strangers: Sequence[Reject] = ()
    """Interactions that concern nobody who is known here, and did not land."""
    unreadable: Sequence[Reject] = ()
    """Values that cannot be read; their records landed without them."""


_FROM_LINES = """
INSERT INTO pg_temp.landing_customers (remote_id, kind, first_at)
SELECT customer, 'PERSON', min(occurred_at) FROM {lines} AS lines WHERE customer IS NOT NULL GROUP BY customer
"""

# The first line counts that has a name, and the first that has a country: by the number of the line. No plan here
# leans on how many lines there are: the statistics of a table that runs fill and empty say nothing.
_SAID_BY_LINES = """
INSERT INTO pg_temp.landing_facts (remote_id, key, text_value, json_value)
(
    SELECT DISTINCT ON (customer) customer, 'name', customer_name, NULL::jsonb
    FROM {lines} AS lines WHERE customer IS NOT NULL AND customer_name IS NOT NULL ORDER BY customer, line
)
UNION ALL
SELECT customer, fact.key, fact.text_value, fact.json_value
FROM (
    SELECT DISTINCT ON (customer) customer, country, country_name FROM {lines} AS lines
    WHERE customer IS NOT NULL AND num_nonnulls(country, country_name) > 0 ORDER BY customer, country IS NULL, line
) AS placed
CROSS JOIN LATERAL (VALUES
    ('country', country, NULL::jsonb),
    ('address', NULL, jsonb_strip_nulls(jsonb_build_object('country', country, 'country_name', country_name)))
) AS fact (key, text_value, json_value)
WHERE num_nonnulls(fact.text_value, fact.json_value) > 0
"""

_MENTIONED = """
INSERT INTO pg_temp.landing_customers (remote_id, kind, first_at)
SELECT customer, 'PERSON', min(occurred_at) FROM {records} AS records WHERE customer IS NOT NULL GROUP BY customer
"""

_SAYS_SOMETHING = sql(f"""
SELECT EXISTS (
    SELECT FROM pg_temp.landing_customers AS landing
    LEFT JOIN LATERAL (
        SELECT coalesce(own_first_seen_at, first_seen_at) AS first_seen_at FROM customers
        WHERE tenant_id = :tenant AND status <> 'ERASED' AND {tables.found_by("id", "landing.id")} LIMIT 1
    ) AS known ON true
    WHERE landing.is_new IS NULL OR landing.first_at < known.first_seen_at
)
""")

_LINK = sql("""
UPDATE pg_temp.landing_customers AS landing SET id = link.local_id, is_new = false
FROM record_links AS link
WHERE link.tenant_id = :tenant AND link.integration_id = :integration AND link.type = 'customer'
    AND link.remote_id = landing.remote_id
""")

_INSERT = sql("""
INSERT INTO customers
    (tenant_id, id, kind, status, root_id, member_ids, first_seen_at, created_at, updated_at)
SELECT :tenant, id, kind, 'ACTIVE', id, ARRAY[id], least(first_at, CAST(:now AS timestamptz)), :now, :now
FROM pg_temp.landing_customers WHERE is_new IS NULL
ORDER BY id
""")

_SEEN_EARLIER = sql("""
UPDATE customers AS c SET first_seen_at = least(c.first_seen_at, landing.first_at), updated_at = :now,
    own_first_seen_at = CASE WHEN c.own_first_seen_at IS NOT NULL THEN landing.first_at END, version = c.version + 1
FROM pg_temp.landing_customers AS landing
WHERE c.tenant_id = :tenant AND c.id = landing.id AND c.status <> 'ERASED'
    AND landing.first_at < coalesce(c.own_first_seen_at, c.first_seen_at)
RETURNING c.id
""")

_KIND_CHANGED = sql("""
UPDATE customers AS c SET kind = landing.kind, updated_at = :now, version = c.version + 1
FROM pg_temp.landing_customers AS landing
WHERE c.tenant_id = :tenant AND c.id = landing.id AND landing.hash IS NOT NULL AND c.kind <> landing.kind
    AND c.status <> 'ERASED'
RETURNING c.id
""")

_NEW_LINKS = sql("""
INSERT INTO record_links (tenant_id, integration_id, type, remote_id, local_id)
SELECT :tenant, :integration, 'customer', remote_id, id FROM pg_temp.landing_customers WHERE is_new IS NULL
""")

_OWN_IDS = sql("""
INSERT INTO pg_temp.landing_claims (remote_id, scheme, value, normalised, strength, is_primary)
SELECT remote_id, CAST(:scheme AS text), remote_id, remote_id, 'STRONG', false FROM pg_temp.landing_customers
""")


# Rows come six to a customer: who they are about travels as one value.
_WHO_CHANGED = "SELECT coalesce(array_agg(DISTINCT id), '{}') FROM changed"


class _Sayings(NamedTuple):
    """What a source says of customers, in one table: how two rows are equal, what they are about, and their columns."""

    table: str
    landing: str
    owner: str
    """The column of the customer that is spoken of."""
    standing: str
    same: str
    about: str
    columns: str
    values: str

    @property
    def ended(self) -> TextClause:
        """Ends what stands and is no longer said: of everything (`takes_back`), or of what is spoken about."""
        return sql(f"""
        WITH changed AS (
            UPDATE {self.table} AS known
            SET valid_to = greatest(known.valid_from, coalesce(landing.updated_at, CAST(:now AS timestamptz)))
            FROM pg_temp.landing_customers AS landing
            WHERE known.tenant_id = :tenant AND known.{self.owner} = landing.id AND known.source = :source
                AND {self.standing} AND landing.is_new IS NOT NULL
                AND (
                    (CAST(:takes_back AS boolean) AND landing.hash IS NOT NULL)
                    OR EXISTS (
                        SELECT FROM pg_temp.{self.landing} AS said
                        WHERE said.remote_id = landing.remote_id AND {self.about}
                    )
                )
                AND NOT EXISTS (
                    SELECT FROM pg_temp.{self.landing} AS said
                    WHERE said.remote_id = landing.remote_id AND {self.same}
                )
            RETURNING landing.id
        )
        {_WHO_CHANGED}
        """)

    @property
    def begun(self) -> TextClause:
        """Writes down what is said and does not stand yet; nothing is added to an erased customer."""
        return sql(f"""
        WITH changed AS (
            INSERT INTO {self.table} (tenant_id, id, source, valid_from, {self.columns})
            SELECT :tenant, said.id, :source, coalesce(landing.updated_at, CAST(:now AS timestamptz)), {self.values}
            FROM pg_temp.{self.landing} AS said
            JOIN pg_temp.landing_customers AS landing USING (remote_id)
            JOIN customers ON customers.tenant_id = :tenant AND customers.id = landing.id
                AND customers.status <> 'ERASED'
            WHERE landing.is_new IS NULL OR NOT EXISTS (
                SELECT FROM {self.table} AS known
                WHERE known.tenant_id = :tenant AND known.{self.owner} = landing.id AND known.source = :source
                    AND {self.standing} AND {self.same}
            )
            RETURNING {self.owner} AS id
        )
        {_WHO_CHANGED}
        """)


_VALUE_COLUMNS = ("text_value", "integer_value", "boolean_value", "date_value", "time_value", "json_value")


def _values_of(alias: str) -> str:
    return ", ".join(f"{alias}.{name}" for name in _VALUE_COLUMNS)


_FACTS = _Sayings(
    table="customer_facts",
    landing="landing_facts",
    owner="customer_id",
    standing="known.valid_to IS NULL AND known.superseded_at IS NULL",
    same=f"said.key = known.key AND ({_values_of('said')}) IS NOT DISTINCT FROM ({_values_of('known')})",
    about="said.key = known.key",
    columns=f"customer_id, key, recorded_at, {', '.join(_VALUE_COLUMNS)}",
    values=f"landing.id, said.key, CAST(:now AS timestamptz), {_values_of('said')}",
)
_CLAIMS = _Sayings(
    table="identity_claims",
    landing="landing_claims",
    owner="customer_id",
    standing="known.valid_to IS NULL",
    same="(said.scheme, said.value, said.is_primary) = (known.scheme, known.value, known.is_primary)",
    about="false",
    columns="customer_id, scheme, value, normalised, strength, is_primary",
    values="landing.id, said.scheme, said.value, said.normalised, said.strength, said.is_primary",
)
_RELATIONS = _Sayings(
    table="customer_relations",
    landing="landing_organisations",
    owner="to_id",
    standing="known.valid_to IS NULL AND known.kind = 'EMPLOYS'",
    same="said.organisation_id = known.from_id",
    about="false",
    columns="kind, from_id, to_id",
    values="'EMPLOYS', said.organisation_id, landing.id",
)


_ORGANISATIONS = (
    sql("""
    INSERT INTO pg_temp.landing_customers (remote_id, kind, first_at)
    SELECT DISTINCT organisation, 'ORGANISATION', CAST(:now AS timestamptz) FROM pg_temp.landing_organisations AS said
    WHERE NOT EXISTS (SELECT FROM pg_temp.landing_customers AS known WHERE known.remote_id = said.organisation)
    """),
    sql("""
    UPDATE pg_temp.landing_organisations AS said SET organisation_id = known.id
    FROM pg_temp.landing_customers AS known WHERE known.remote_id = said.organisation
    """),
)

# What is written next is written on top of the version that is known: it is kept even where nothing else is new.
_UNCHANGED = sql("""
WITH same AS (
    DELETE FROM pg_temp.landing_customers AS landing USING remote_records AS known
    WHERE known.tenant_id = :tenant AND known.integration_id = :integration AND known.type = 'customer'
        AND known.remote_id = landing.remote_id AND known.content_hash = landing.hash AND NOT known.deleted
        AND NOT CAST(:rebuild AS boolean)
    RETURNING landing.remote_id, landing.version
), noted AS (
    UPDATE remote_records AS known SET version = same.version, updated_at = :now FROM same
    WHERE known.tenant_id = :tenant AND known.integration_id = :integration AND known.type = 'customer'
        AND known.remote_id = same.remote_id AND known.version IS DISTINCT FROM same.version
)
SELECT remote_id FROM same
""")

_WHO = text("""
SELECT count(*) AS told, coalesce(array_agg(id) FILTER (WHERE is_new IS NULL), '{}') AS new
FROM pg_temp.landing_customers
""")

_DROP = sql("DELETE FROM pg_temp.landing_customers WHERE remote_id = ANY(CAST(:remote_ids AS text[]))")

_REMEMBER = sql("""
INSERT INTO remote_records AS known
    (tenant_id, integration_id, type, remote_id, version, content_hash, payload, recorded_at, updated_at)
SELECT :tenant, :integration, 'customer', remote_id, version, hash, payload, :now, :now
FROM pg_temp.landing_customers WHERE hash IS NOT NULL
ON CONFLICT (tenant_id, integration_id, type, remote_id) DO UPDATE
SET version = excluded.version, content_hash = excluded.content_hash, payload = excluded.payload, deleted = false,
    updated_at = excluded.updated_at
""")

_FORGOTTEN = sql("""
UPDATE pg_temp.landing_customers AS landing SET payload = NULL
FROM customers WHERE customers.tenant_id = :tenant AND customers.id = landing.id AND customers.status = 'ERASED'
RETURNING landing.remote_id
""")


async def from_lines(work: Writing, run: Run, lines: str, **binds: str) -> Merged:
    """Merge the customers that lines of documents name; `lines` is the SQL of a table of such lines, with its binds.

    Lines say only what they have: they add to what is known, and take nothing back.
    """
    await work.execute(sql(_FROM_LINES.format(lines=lines)), {**run.binds, **binds})
    await work.execute(sql(_SAID_BY_LINES.format(lines=lines)), {**run.binds, **binds})
    return await _merge(work, run, takes_back=False)


async def mentioned(work: Writing, run: Run, records: str) -> Merged:
    """Merge the customers that records mention; `records` is the SQL of a table of such records.

    Who is new becomes a customer, and who was seen earlier than it was known is seen since then. Afterwards
    `landing_customers` has the id of each of them.
    """
    await work.execute(sql(_MENTIONED.format(records=records)))
    await work.execute(_LINK, run.binds)
    async with tables.found_by_remote_id(work):
        ((says_something,),) = await work.rows(_SAYS_SOMETHING, {"tenant": work.tenant_id})
    return await _merge(work, run, takes_back=False) if says_something else Merged()


async def from_records(
    work: Writing, run: Run, records: Sequence[Customer], lines: Mapping[str, int] | None = None
) -> Merged:
    """Merge customers as their source describes them; what it no longer says, ends.

    A value that cannot be read is left out and told; `lines` are the places of the records in their input.
    """
    if not records:
        return Merged()
    accepted, rejects = _accepted(records, await _attribute_types(work))
    if not accepted:
        return Merged(rejects=rejects)
    await tables.copy(work, "landing_customers", _HEAD_COLUMNS, cells.rows(_head_cells(each) for each, _ in accepted))
    same = set((await work.execute(_UNCHANGED, {**run.binds, "now": work.now})).scalars())
    changed = [_read(record, attributes) for record, attributes in accepted if record.id not in same]
    erased = await _erased(work, changed)
    if erased:
        changed = [each for each in changed if each.id not in erased]
        rejects += [Reject(None, "id", record_id, ERASED, record_id) for record_id in sorted(erased)]
        await work.execute(_DROP, {"remote_ids": sorted(erased)})
    if not changed:
        known = await unreadable.keep(work, run, {}, same, lines or {})
        return Merged(unchanged=len(same), rejects=rejects, unreadable=known)
    for table, columns, written in (
        ("landing_facts", ("remote_id", "key", *_VALUE_COLUMNS), _fact_cells),
        ("landing_claims", ("remote_id", "scheme", "value", "normalised", "strength", "is_primary"), _claim_cells),
        ("landing_organisations", ("remote_id", "organisation"), _organisation_cells),
    ):
        await tables.copy(work, table, columns, cells.rows(row for each in changed for row in written(each)))
    await work.execute(_ORGANISATIONS[0], {"now": work.now})
    merged = await _merge(work, run, takes_back=True)
    merged = _with_moved(merged, await departments.assign(work, run, [each.record for each in changed]))
    forgotten = set((await work.execute(_FORGOTTEN, {"tenant": work.tenant_id})).scalars())
    await work.execute(_REMEMBER, {**run.binds, "now": work.now})
    said = {each.id: placed(each.unreadable, lines or {}) for each in changed if each.id not in forgotten}
    known = await unreadable.keep(work, run, said, same, lines or {})
    return merged._replace(unchanged=merged.unchanged + len(same), rejects=rejects, unreadable=known)


def _with_moved(merged: Merged, moved: set[UUID]) -> Merged:
    """What was merged, and who has another department now."""
    more = len(moved.difference(merged.described))
    return merged._replace(
        updated=merged.updated + more,
        unchanged=merged.unchanged - more,
        described=sorted(moved.union(merged.described)),
    )


async def _merge(work: Writing, run: Run, *, takes_back: bool) -> Merged:
    """Merge what stands in the temporary tables; `takes_back`: what the source no longer says, ends."""
    await lock_identities(work)
    await work.execute(_LINK, run.binds)
    await tables.number(work, "landing_customers", "first_at, remote_id")
    created = await tables.count(work, _INSERT, now=work.now)
    if created:
        await work.execute(_NEW_LINKS, run.binds)
    changed = set((await work.execute(_SEEN_EARLIER, {"tenant": work.tenant_id, "now": work.now})).scalars())
    if takes_back:
        changed |= set((await work.execute(_KIND_CHANGED, {"tenant": work.tenant_id, "now": work.now})).scalars())
        await work.execute(_ORGANISATIONS[1])
    await work.execute(_OWN_IDS, {"scheme": f"{identity.EXTERNAL}{run.source}"})
    for sayings in (_FACTS, _CLAIMS, _RELATIONS) if takes_back else (_FACTS, _CLAIMS):
        changed |= await _say(work, sayings, run, takes_back=takes_back)
    (who,) = await work.rows(_WHO)
    updated = len(changed.difference(who.new))
    return Merged(created, updated, who.told - created - updated, sorted(changed.union(who.new)))


async def _say(work: Writing, sayings: _Sayings, run: Run, *, takes_back: bool) -> set[UUID]:
    """Make what stands of a source what it says now; the customers of whom that changed something."""
    await tables.number(work, sayings.landing, "remote_id")
    about = {"tenant": work.tenant_id, "source": run.source, "now": work.now}
    ended = await work.execute(sayings.ended, {**about, "takes_back": takes_back})
    begun = await work.execute(sayings.begun, about)
    return {*ended.scalar_one(), *begun.scalar_one()}


async def _erased(work: Writing, said: Sequence[_Said]) -> set[str]:
    """The records of people who were erased: by an identifier, of which only a keyed hash was kept."""
    holders = {(claim.scheme, claim.normalised or ""): each.id for each in said for claim in each.claims}
    return {holders[identifier] for identifier in await suppressed(work, list(holders))}


async def _attribute_types(work: Writing) -> Mapping[str, AttributeType]:
    found = await work.rows(
        select(AttributeDefinition.key, AttributeDefinition.type).where(AttributeDefinition.tenant_id == work.tenant_id)
    )
    return {row.key: AttributeType(row.type) for row in found}


class _Said(NamedTuple):
    """What a record says of a customer, as far as it can be read, and what of it cannot."""

    id: str
    record: Customer
    attributes: Sequence[_Attribute]
    addresses: Sequence[Address]
    country: str | None
    """The first of its countries."""
    claims: Sequence[_Claim]
    unreadable: Sequence[Reject]
    """Each value once, and why it cannot be read."""


def _read(record: Customer, attributes: Sequence[_Attribute]) -> _Said:
    addresses = [_with_country(address) for address in record.addresses]
    country = next((address.country for address in addresses if address.country), None)
    claims = list(_claims(record, country))
    lost = [
        Reject(None, "addresses.country", given.country, "is no country (ISO 3166-1)", record.id)
        for given, taken in zip(record.addresses, addresses, strict=True)
        if taken is not given and taken.country_name != given.country
    ]
    unread = [
        Reject(None, claim.field, claim.value, _reason(claim, country), record.id)
        for claim in claims
        if claim.normalised is None and claim.value.strip()
    ]
    readable = [claim for claim in claims if claim.normalised is not None]
    unreadable = list(dict.fromkeys([*lost, *unread]))
    return _Said(record.id, record, attributes, addresses, country, readable, unreadable)


def _accepted(
    records: Sequence[Customer], types: Mapping[str, AttributeType]
) -> tuple[list[tuple[Customer, Sequence[_Attribute]]], list[Reject]]:
    """The records whose attributes are defined and fit, with these, and why the others cannot be taken."""
    accepted: list[tuple[Customer, Sequence[_Attribute]]] = []
    rejects = []
    for record in records:
        attributes = []
        for key, value in record.attributes.items():
            try:
                attributes.append((key, *_typed(key, value, types)))
            except ValueError as problem:
                given = None if value is None else str(value)
                rejects.append(Reject(None, f"attributes.{key}", given, str(problem), record.id))
                break
        else:
            unfit = _unfit_department(record)
            if unfit is not None:
                rejects.append(unfit)
                continue
            accepted.append((record, [found for found in attributes if found[2] is not None]))
    return accepted, rejects


def _unfit_department(record: Customer) -> Reject | None:
    try:
        if record.department is not None:
            check_key(record.department)
    except BadDepartmentKey as problem:
        return Reject(None, "department", record.department, str(problem), record.id)
    return None


def _typed(key: str, value: Any, types: Mapping[str, AttributeType]) -> tuple[str, Any]:
    """The column of an attribute's type, and the value in it."""
    if key not in types:
        raise ValueError(f"is no attribute of this tenant; defined are: {', '.join(sorted(types)) or 'none'}")
    column, read = _READ[types[key]]
    if isinstance(value, str) and len(value.encode()) > cells.LONGEST_INDEXED:
        raise ValueError(f"is longer than {cells.LONGEST_INDEXED:,} bytes")
    try:
        return column, None if value is None else read(value)
    except (ValueError, TypeError, ArithmeticError) as problem:
        raise ValueError(f"is no {types[key].lower()}") from problem


def _text(value: Any) -> str:
    return str(value)


def _whole(value: Any) -> int:
    if isinstance(value, bool):
        raise TypeError
    return int(value)


def _millionths(value: Any) -> int:
    return int((Decimal(str(value)) * MILLIONTHS).to_integral_exact())


def _truth(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    return {"true": True, "false": False}[str(value).lower()]


def _moment(value: Any) -> datetime:
    found = datetime.fromisoformat(value)
    if found.tzinfo is None:
        raise ValueError("without an offset")
    return found.astimezone(UTC)  # OverflowError: the first and last hours of the calendar have no UTC there


_READ: Mapping[AttributeType, tuple[str, Callable[[Any], Any]]] = {
    AttributeType.TEXT: ("text_value", _text),
    AttributeType.INTEGER: ("integer_value", _whole),
    AttributeType.DECIMAL: ("integer_value", _millionths),
    AttributeType.BOOLEAN: ("boolean_value", _truth),
    AttributeType.DATE: ("date_value", date.fromisoformat),
    AttributeType.DATETIME: ("time_value", _moment),
}

_HEAD_COLUMNS = ("remote_id", "kind", "first_at", "updated_at", "version", "hash", "payload")


def _head_cells(record: Customer) -> tuple[str, ...]:
    # When the remote side looked at it last is no content: only what it says is compared.
    content = msgspec.json.encode(msgspec.structs.replace(record, version=None, updated_at=None), order="deterministic")
    return (
        cells.text(record.id),
        record.kind,
        cells.moment(record.created_at) if record.created_at else cells.NULL,
        cells.moment(record.updated_at) if record.updated_at else cells.NULL,
        cells.optional(record.version),
        cells.binary(blake2b(content, digest_size=16).digest()),
        cells.text(content.decode()),
    )


def _fact_cells(said: _Said) -> Iterator[tuple[str, ...]]:
    facts: list[_Attribute] = [*said.attributes]
    if said.record.name:
        facts.append(("name", "text_value", said.record.name))
    if said.country:
        facts.append(("country", "text_value", said.country))
    facts += [("address", "json_value", _parts(address)) for address in said.addresses]
    for key, column, value in facts:
        values = [cells.NULL] * len(_VALUE_COLUMNS)
        values[_VALUE_COLUMNS.index(column)] = cells.text(str(value))
        yield (cells.text(said.id), cells.text(key), *values)


def _parts(address: Address) -> str:
    known = {name: value for name, value in msgspec.structs.asdict(address).items() if value is not None}
    return msgspec.json.encode(known).decode()


def _claim_cells(said: _Said) -> Iterator[tuple[str, ...]]:
    for claim in said.claims:
        strength = identity.default_strength(claim.scheme).value
        texts = map(cells.optional, (said.id, claim.scheme, claim.value, claim.normalised))
        yield (*texts, strength, cells.boolean(claim.is_primary))


class _Claim(NamedTuple):
    """An identifier as a record has it: in which field, and what it is compared by; None: it cannot be read."""

    field: str
    scheme: str
    value: str
    normalised: str | None
    is_primary: bool


def _claims(record: Customer, region: str | None) -> Iterator[_Claim]:
    """The identifiers of a record, each once."""
    seen: set[tuple[str, str]] = set()
    for field, scheme, value, is_primary in _identifiers(record):
        if (scheme, value) not in seen:
            seen.add((scheme, value))
            yield _Claim(field, scheme, value, folding.normalise_identifier(scheme, value, region), is_primary)


def _identifiers(record: Customer) -> Iterator[tuple[str, str, str, bool]]:
    for place, value in enumerate(record.emails):
        yield "emails", "email", value, place == 0
    for place, value in enumerate(record.phones):
        yield "phones", "phone", value, place == 0
    for known in record.identities:
        yield "identities", known.scheme, known.value, False


def _reason(claim: _Claim, region: str | None) -> str:
    """Why an identifier cannot be read."""
    match claim.scheme:
        case "email":
            return "is no e-mail address"
        case "phone" if region is None:
            return "is no phone number; without an address in a country it needs its country code"
        case "phone":
            return f"is no phone number of {region}"
    return f"is no {claim.scheme}"


def _with_country(address: Address) -> Address:
    """An address; what is no country stands as the country's name, where none is told."""
    if address.country is None or is_country(address.country):
        return address
    return msgspec.structs.replace(address, country=None, country_name=address.country_name or address.country)


def _organisation_cells(said: _Said) -> Iterator[tuple[str, ...]]:
    if said.record.organisation is not None:
        yield cells.text(said.id), cells.text(said.record.organisation.id)
