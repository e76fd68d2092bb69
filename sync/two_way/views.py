"""A customer as each side has it, in one form, so that the two can be compared: names, addresses and numbers.

Ours is what all sources and people say together; theirs is the record as it was last seen, its e-mail addresses and
phones written as we write them.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import func, select, union_all, update

from domain.customers import folding, rules
from domain.customers.model import Customer, CustomerFact, IdentityClaim
from domain.customers.queries import ADDRESS, NAME, within
from sync.two_way.merging import Side
from tenure_sdk import Customer as Record

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from domain.core.unit_of_work import Reading, Writing

FIELDS = ("kind", "name", "emails", "phones", "addresses")
"""The fields of a customer that can go both ways."""

_SCHEMES = {"emails": "email", "phones": "phone"}
_KEYS = {"name": NAME, "addresses": ADDRESS}
_PARTS = {"street": "street", "city": "city", "region": "region", "postalCode": "postal_code", "country": "country"}


@dataclass(frozen=True)
class Known:
    """A surviving customer as we have it, and since when each field is as it is, by the source that said so last."""

    id: UUID
    members: Sequence[UUID]
    country: str | None
    values: Mapping[str, Any]
    since: Mapping[str, Mapping[str, datetime]]
    """By field, then by source."""

    def ours(self, source: str) -> Side:
        """What we have, since when others than this source have changed it."""
        moments = {
            field: max(at for said_by, at in said.items() if said_by != source)
            for field, said in self.since.items()
            if said.keys() - {source}
        }
        return Side(self.values, moments)

    def theirs(self, source: str, payload: Mapping[str, Any]) -> Side:
        """What their record says, since when it does."""
        moments = {field: said[source] for field, said in self.since.items() if source in said}
        return Side(view(payload, self.country), moments)


def view(payload: Mapping[str, Any], country: str | None) -> dict[str, Any]:
    """A customer's record in the common form; `country` reads phone numbers without a country code."""
    addresses = [_address(address) for address in payload.get("addresses", ())]
    region = next((each["country"] for each in addresses if each.get("country")), country)
    return {
        "kind": payload.get("kind", "PERSON"),
        "name": payload.get("name"),
        "emails": _normalised("email", payload.get("emails", ()), region),
        "phones": _normalised("phone", payload.get("phones", ()), region),
        "addresses": addresses or None,
    }


def cut(values: Mapping[str, Any], most: Mapping[str, int | None]) -> dict[str, Any]:
    """The values that a side can hold: of a list, only the first ones where it keeps no more."""
    return {
        name: value[: most[name]] if isinstance(value, list) and most.get(name) is not None else value
        for name, value in values.items()
        if name in most
    }


def record(id_: str, values: Mapping[str, Any]) -> Record:
    """The record that has these values, for the other side."""
    given = {name: value for name, value in values.items() if value is not None}
    return msgspec.convert({**given, "id": id_, "type": "customer"}, Record)


async def known(work: Reading, roots: Sequence[UUID]) -> dict[UUID, Known]:
    """The customers as we have them, by their ids; who was merged away or erased is left out."""
    heads = await work.all(
        select(Customer)
        .where(Customer.tenant_id == work.tenant_id, within(Customer.id, roots), Customer.status == "ACTIVE")
        .execution_options(populate_existing=True)
    )
    members = [member for head in heads for member in head.member_ids]
    since = await _since(work, members)
    named = await _named(work, members)
    found = {}
    for head in heads:
        moments: defaultdict[str, dict[str, datetime]] = defaultdict(dict)
        for member in head.member_ids:
            for (field, source), at in since.get(member, {}).items():
                moments[field][source] = max(at, moments[field].get(source, at))
        values = {
            "kind": head.kind,
            "name": head.display_name if named & set(head.member_ids) else None,
            "emails": [each["address"] for each in head.emails or ()] or None,
            "phones": [each["number"] for each in head.phones or ()] or None,
            "addresses": [_shown(each) for each in head.addresses or ()] or None,
        }
        found[head.id] = Known(head.id, head.member_ids, head.country, values, moments)
    return found


async def yield_to(work: Writing, of: Sequence[Known], field: str) -> None:
    """Let others' word count for a field of these customers: what was entered by hand before, ends now."""
    members = [member for each in of for member in each.members]
    if scheme := _SCHEMES.get(field):
        said = update(IdentityClaim).where(
            IdentityClaim.tenant_id == work.tenant_id, within(IdentityClaim.customer_id, members),
            IdentityClaim.scheme == scheme, IdentityClaim.source == rules.MANUAL, IdentityClaim.valid_to.is_(None),
        )  # fmt: skip
    elif key := _KEYS.get(field):
        said = update(CustomerFact).where(
            CustomerFact.tenant_id == work.tenant_id, within(CustomerFact.customer_id, members),
            CustomerFact.key == key, CustomerFact.source == rules.MANUAL, CustomerFact.valid_to.is_(None),
            CustomerFact.superseded_at.is_(None),
        )  # fmt: skip
    else:
        return
    await work.execute(said.values(valid_to=work.now).execution_options(synchronize_session=False))


async def _since(work: Reading, members: Sequence[UUID]) -> dict[UUID, dict[tuple[str, str], datetime]]:
    """When each source last changed what it says of a field, by customer, field and source."""
    fields = {key: field for field, key in (_SCHEMES | _KEYS).items()}
    facts = select(
        CustomerFact.customer_id, CustomerFact.key, CustomerFact.source, func.max(CustomerFact.valid_from)
    ).where(
        CustomerFact.tenant_id == work.tenant_id, within(CustomerFact.customer_id, members),
        CustomerFact.key.in_(list(_KEYS.values())), CustomerFact.superseded_at.is_(None),
    ).group_by(CustomerFact.customer_id, CustomerFact.key, CustomerFact.source)  # fmt: skip
    claims = select(
        IdentityClaim.customer_id, IdentityClaim.scheme, IdentityClaim.source, func.max(IdentityClaim.valid_from)
    ).where(
        IdentityClaim.tenant_id == work.tenant_id, within(IdentityClaim.customer_id, members),
        IdentityClaim.scheme.in_(list(_SCHEMES.values())),
    ).group_by(IdentityClaim.customer_id, IdentityClaim.scheme, IdentityClaim.source)  # fmt: skip
    found: defaultdict[UUID, dict[tuple[str, str], datetime]] = defaultdict(dict)
    for row in await work.rows(union_all(facts, claims)):
        member, key, source, at = tuple(row)
        found[member][fields[key], source] = at
    return found


async def _named(work: Reading, members: Sequence[UUID]) -> set[UUID]:
    """Of whom some source says a name: others are shown by an id."""
    named = select(CustomerFact.customer_id).where(
        CustomerFact.tenant_id == work.tenant_id, within(CustomerFact.customer_id, members), CustomerFact.key == NAME,
        CustomerFact.valid_to.is_(None), CustomerFact.superseded_at.is_(None),
    )  # fmt: skip
    return set(await work.all(named))


def _normalised(scheme: str, values: Iterable[str], country: str | None) -> list[str] | None:
    found = (folding.normalise_identifier(scheme, value, country) for value in values)
    return list(dict.fromkeys(value for value in found if value is not None)) or None


def _address(address: Mapping[str, Any]) -> dict[str, Any]:
    return {part: address[part] for part in _PARTS.values() if address.get(part) is not None}


def _shown(address: Mapping[str, Any]) -> dict[str, Any]:
    return {part: address[shown] for shown, part in _PARTS.items() if address.get(shown) is not None}
