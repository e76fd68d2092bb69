"""Whom interactions concern that name nobody by id: the customers who are known by the addresses and numbers they tell.

Each of several customers has the interaction in a part of its own, and keeps it: a part that was given once stays, so
that the same page again changes nothing. Who is known by none of the addresses is made nobody's customer by them: an
interaction with strangers only is told apart, for its caller to say what becomes of it.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from domain.customers import folding
from sync.landing.tables import sql
from tenure_sdk import Reject

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from uuid import UUID

    from domain.core.unit_of_work import Writing
    from sync.runs import Run
    from tenure_sdk import Interaction


class Part(NamedTuple):
    """An interaction as one customer has it; None where it names its customer by id, or nobody."""

    record: Interaction
    number: int = 0
    customer_id: UUID | None = None


class Told(NamedTuple):
    """Interactions by whom they concern."""

    parts: Sequence[Part]
    strangers: Sequence[Reject] = ()
    """Those of which nobody is known here."""


STRANGERS = "are of nobody who is known here"

_CONCERNED = sql("""
SELECT DISTINCT ON (claim.scheme, claim.normalised, customers.root_id)
    claim.scheme, claim.normalised, customers.root_id, customers.id
FROM unnest(CAST(:schemes AS text[]), CAST(:values AS text[])) AS told (scheme, normalised)
JOIN identity_claims AS claim ON claim.tenant_id = :tenant AND claim.scheme = told.scheme
    AND claim.normalised = told.normalised AND claim.valid_to IS NULL
JOIN customers ON customers.tenant_id = :tenant AND customers.id = claim.customer_id AND customers.status <> 'ERASED'
ORDER BY claim.scheme, claim.normalised, customers.root_id, customers.id
""")

_KNOWN = sql("""
SELECT known.remote_id, known.part, known.customer_id, customers.root_id, customers.status = 'ERASED' AS is_erased
FROM interactions AS known
LEFT JOIN customers ON customers.tenant_id = :tenant AND customers.id = known.customer_id
WHERE known.tenant_id = :tenant AND known.integration_id = :integration AND known.stream = :stream
    AND known.remote_id = ANY(CAST(:remote_ids AS text[])) AND known.superseded_at IS NULL
ORDER BY known.remote_id, known.part
""")

_Identifier = tuple[str, str]


async def told(work: Writing, run: Run, records: Sequence[Interaction]) -> Told:
    """The interactions, each once for every customer whom it concerns; those that name parties may be nobody's."""
    naming = [record for record in records if record.parties and record.customer is None]
    if not naming:
        return Told([Part(record) for record in records])
    named = {record.id: set(_identifiers(record)) for record in naming}
    concerned = await _concerned(work, {each for identifiers in named.values() for each in identifiers})
    known = await _known(work, run, list(named))
    placed, strangers = [Part(record) for record in records if record.id not in named], []
    for record in naming:
        customers = {root: one for each in sorted(named[record.id]) for root, one in concerned.get(each, {}).items()}
        if customers or record.id in known:
            placed += _placed(record, customers, known.get(record.id, []))
        else:
            strangers.append(_stranger(record))
    return Told(placed, strangers)


def _stranger(record: Interaction) -> Reject:
    return Reject(None, "parties", ", ".join(party.value for party in record.parties), STRANGERS, record.id)


class _Known(NamedTuple):
    """A part that is there already."""

    number: int
    customer_id: UUID | None
    root_id: UUID | None
    is_erased: bool


def _placed(record: Interaction, customers: Mapping[UUID, UUID], known: Sequence[_Known]) -> Iterable[Part]:
    """The parts that are there, and a new one for each customer who has none; an erased customer's stays empty."""
    for part in known:
        if not part.is_erased:
            yield Part(record, part.number, part.customer_id)
    have = {part.root_id for part in known}
    following = max((part.number for part in known), default=-1) + 1
    missing = [one for root, one in sorted(customers.items()) if root not in have]
    for number, customer_id in enumerate(missing, following):
        yield Part(record, number, customer_id)


def _identifiers(record: Interaction) -> Iterable[_Identifier]:
    for party in record.parties:
        normalised = folding.normalise_identifier(party.scheme, party.value)
        if normalised is not None:
            yield party.scheme, normalised


async def _concerned(work: Writing, told: set[_Identifier]) -> dict[_Identifier, dict[UUID, UUID]]:
    """By identifier, who is known by it: of each customer the survivor, and the member who is known by it."""
    ordered = sorted(told)
    asked = {
        "tenant": work.tenant_id,
        "schemes": [each[0] for each in ordered],
        "values": [each[1] for each in ordered],
    }
    found: dict[_Identifier, dict[UUID, UUID]] = defaultdict(dict)
    for row in await work.rows(_CONCERNED, asked):
        found[row.scheme, row.normalised][row.root_id] = row.id
    return found


async def _known(work: Writing, run: Run, remote_ids: Sequence[str]) -> dict[str, list[_Known]]:
    binds = {"tenant": work.tenant_id, "integration": run.integration_id, "stream": run.stream.name}
    found: dict[str, list[_Known]] = defaultdict(list)
    for row in await work.rows(_KNOWN, {**binds, "remote_ids": list(remote_ids)}):
        found[row.remote_id].append(_Known(row.part, row.customer_id, row.root_id, bool(row.is_erased)))
    return found
