"""What is kept of a person, handed over or made unreadable: found by walking every table, whatever concept it is of."""

from __future__ import annotations

import hashlib
import json
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

import orjson
from sqlalchemy import LargeBinary, Text, cast, delete, exists, func, literal, null, or_, select, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import insert as upsert

from domain.core.problems import Invalid
from domain.core.tables import Kind, TenantTable, customer_columns, models, personal_columns, promise_of
from domain.customers import folding, queries
from domain.customers.heads import refresh_heads
from domain.customers.merging import lock_identities
from domain.customers.model import (
    Customer,
    CustomerStatus,
    IdentityClaim,
    PrivacyRequest,
    PrivacyRequestKind,
    Strength,
    Suppression,
)
from domain.customers.queries import within
from domain.integrations.model import RecordLink
from domain.tenants.model import IdempotencyKey, PersistedDocument

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from sqlalchemy import ColumnElement

    from domain.core.unit_of_work import Reading, Writing

    Identifier = tuple[str, str]


class AlreadyErased(Invalid):
    """This customer was erased before."""


class Step(NamedTuple):
    """What erasure did to one table."""

    table: str
    deed: str
    rows: int


async def request_export(work: Writing, customer_id: UUID) -> PrivacyRequest:
    """Note that a customer asks for what is kept of them. Raises NotFound."""
    return await _request(work, customer_id, PrivacyRequestKind.EXPORT)


async def request_erasure(work: Writing, customer_id: UUID) -> PrivacyRequest:
    """Note that a customer asks to be erased; the operator's command, which may do it, completes the request.

    Raises NotFound or AlreadyErased.
    """
    await _refuse_erased(work, customer_id)
    return await _request(work, customer_id, PrivacyRequestKind.ERASE)


async def export_customer(reading: Reading, customer_id: UUID) -> dict[str, Any]:
    """Everything that is kept of a customer and all members, by table, ready to be written as JSON. Raises NotFound."""
    survivor = await queries.resolve(reading, customer_id)
    members = await queries.members_of(reading, [survivor])
    tables = {}
    for model, about in _kept_of(members):
        columns = model.__table__.columns
        rows = await reading.rows(
            select(*columns).where(_of_tenant(reading, model), about).order_by(*model.__table__.primary_key)
        )
        if rows:
            tables[model.__tablename__] = [
                {column.name: _plain(value) for column, value in zip(columns, row, strict=True)} for row in rows
            ]
    return {
        "customer": str(survivor),
        "members": [str(member) for member in members],
        "exported_at": reading.now.isoformat(),
        "tables": tables,
    }


async def hand_over(work: Writing, customer_id: UUID) -> dict[str, Any]:
    """What `export_customer` finds, for whoever takes it out: that is audited, and the requests for it are met.

    Raises NotFound.
    """
    kept = await export_customer(work, customer_id)
    members = [UUID(member) for member in kept["members"]]
    await work.execute(
        update(PrivacyRequest)
        .where(
            PrivacyRequest.tenant_id == work.tenant_id, within(PrivacyRequest.customer_id, members),
            PrivacyRequest.kind == PrivacyRequestKind.EXPORT, PrivacyRequest.completed_at.is_(None),
        )
        .values(completed_at=work.now)
    )  # fmt: skip
    work.audit("customers.export", f"customer:{customer_id.hex}", after={"tables": sorted(kept["tables"])})
    return kept


async def erase_customer(work: Writing, customer_id: UUID) -> PrivacyRequest:
    """Make a customer and all members unreadable, for good, and return the proof; keys, times, amounts and hashes stay.

    The login must be a member of the eraser's role. The identifiers leave keyed hashes behind, so that no sync brings
    the person back (`suppressed`). Raises NotFound or AlreadyErased; then nothing changed.
    """
    await lock_identities(work)
    await _refuse_erased(work, customer_id)
    members = await queries.members_of(work, [customer_id])
    request = await _open_request(work, members) or await _request(work, customer_id, PrivacyRequestKind.ERASE)
    told = await _told_by(work, members)
    await _suppress(work, members)
    steps = await _erase(work, members, told)
    await work.execute(
        update(Customer)
        .where(Customer.tenant_id == work.tenant_id, within(Customer.id, members))
        .values(status=CustomerStatus.ERASED, version=Customer.version + 1, updated_at=work.now)
        .execution_options(synchronize_session=False)
    )
    await refresh_heads(work, members)
    request.steps = [step._asdict() for step in steps]
    request.completed_at = work.now
    request.certificate = certificate(request, members)
    work.emit("customers.CustomerErased", customer_id, customers=[member.hex for member in members])
    work.audit(
        "customers.erase", f"customer:{customer_id.hex}",
        after={"request": request.id.hex, "certificate": request.certificate.hex()},
    )  # fmt: skip
    await work.flush()
    return request


def certificate(request: PrivacyRequest, members: Iterable[UUID]) -> bytes:
    """The digest of what an erasure did: SHA-256 of its request, customers, steps and time as sorted JSON."""
    deed = {
        "tenant": str(request.tenant_id),
        "request": str(request.id),
        "customers": sorted(str(member) for member in members),
        "steps": request.steps,
        "completed_at": request.completed_at,
    }
    return hashlib.sha256(orjson.dumps(deed, option=orjson.OPT_SORT_KEYS | orjson.OPT_UTC_Z)).digest()


async def suppressed(work: Writing, identifiers: Collection[Identifier]) -> set[Identifier]:
    """Which of these identifiers (scheme, normalised value) an erased person had: a record with one is refused."""
    if not identifiers or not await _has_suppressions(work):
        return set()
    digests = {folding.suppression_hash(work.key, *identifier): identifier for identifier in identifiers}
    known = select(Suppression.digest).where(
        Suppression.tenant_id == work.tenant_id, Suppression.digest.in_(list(digests))
    )
    return {digests[digest] for digest in await work.all(known)}


_SHORTEST = 4
"""Shorter values are not searched for: they stand in too much that is about others."""


async def _refuse_erased(work: Reading, customer_id: UUID) -> None:
    if (await queries.customer(work, customer_id)).status == CustomerStatus.ERASED:
        raise AlreadyErased(id=str(customer_id))


async def _request(work: Writing, customer_id: UUID, kind: PrivacyRequestKind) -> PrivacyRequest:
    request = PrivacyRequest(
        id=work.ids(), customer_id=await queries.resolve(work, customer_id), kind=kind, actor=str(work.actor),
        requested_at=work.now, steps=[],
    )  # fmt: skip
    work.add(request)
    work.audit(f"customers.request_{kind.lower()}", f"customer:{customer_id.hex}", after={"request": request.id.hex})
    await work.flush()
    return request


async def _open_request(work: Reading, members: Sequence[UUID]) -> PrivacyRequest | None:
    """The oldest request of these customers to be erased that nobody met yet."""
    return await work.one(
        select(PrivacyRequest)
        .where(
            PrivacyRequest.tenant_id == work.tenant_id, within(PrivacyRequest.customer_id, members),
            PrivacyRequest.kind == PrivacyRequestKind.ERASE, PrivacyRequest.completed_at.is_(None),
        )
        .order_by(PrivacyRequest.id)
        .limit(1)
    )  # fmt: skip


async def _has_suppressions(work: Reading) -> bool:
    some = select(Suppression.digest).where(Suppression.tenant_id == work.tenant_id).limit(1)
    return await work.one(some) is not None


async def _suppress(work: Writing, members: Sequence[UUID]) -> None:
    """Keep the keyed hashes of what proves who this is; of weak identifiers only where there is nothing better."""
    claims = await work.all(
        select(IdentityClaim).where(
            IdentityClaim.tenant_id == work.tenant_id, within(IdentityClaim.customer_id, members),
            IdentityClaim.normalised.is_not(None),
        )
    )  # fmt: skip
    strong = [claim for claim in claims if claim.strength == Strength.STRONG]
    digests = {
        folding.suppression_hash(work.key, claim.scheme, claim.normalised or "") for claim in strong or claims
    }  # fmt: skip
    if digests:
        rows = [{"tenant_id": work.tenant_id, "digest": each, "recorded_at": work.now} for each in sorted(digests)]
        await work.execute(upsert(Suppression).on_conflict_do_nothing(), rows)


async def _told_by(work: Reading, members: Sequence[UUID]) -> list[str]:
    """The texts and ids by which rows that name no customer can still be known to be about these."""
    told = {member.hex for member in members}
    for model, about in _kept_of(members):
        texts = [model.__table__.columns[name] for name in personal_columns(model)]
        texts = [column for column in texts if isinstance(column.type, Text)]
        if texts:
            rows = await work.rows(select(*texts).where(_of_tenant(work, model), about))
            told |= {value for row in rows for value in row if value is not None and len(value) >= _SHORTEST}
    # In a JSON column quotes and backslashes of a text stand escaped.
    return sorted(told | {json.dumps(value, ensure_ascii=False)[1:-1] for value in told})


async def _erase(work: Writing, members: Sequence[UUID], told: Sequence[str]) -> list[Step]:
    """Empty every table of what is personal about these customers, and say what was done."""
    # The links come last: they say which of the other rows are meant.
    personal = [model for model in _tenant_tables() if personal_columns(model)]
    steps = []
    for model in sorted(personal, key=lambda model: model is RecordLink):
        about = _about(model, members)
        which = _mentions(model, members, told) if about is None else about
        again = model is not Customer and _can_be_made_again(model)
        removes = model in {IdempotencyKey, PersistedDocument} or (about is not None and again)
        rows = await (_remove if removes else _empty)(work, model, which)
        if rows:
            steps.append(Step(model.__tablename__, "removed" if removes else "emptied", rows))
    return steps


def _can_be_made_again(model: type[TenantTable]) -> bool:
    return promise_of(model).kind in {Kind.PJ, Kind.WS}


async def _remove(work: Writing, model: type[TenantTable], which: ColumnElement[bool]) -> int:
    gone = delete(model).where(_of_tenant(work, model), which).execution_options(synchronize_session=False)
    return (await work.execute(gone)).rowcount


async def _empty(work: Writing, model: type[TenantTable], which: ColumnElement[bool]) -> int:
    columns = [model.__table__.columns[name] for name in personal_columns(model)]
    filled = or_(*(column.is_not(None) for column in columns))
    emptied = (
        update(model)
        .where(_of_tenant(work, model), which, filled)
        .values({column.name: null() for column in columns})
        .execution_options(synchronize_session=False)
    )
    return (await work.execute(emptied)).rowcount


def _kept_of(members: Sequence[UUID]) -> Iterator[tuple[type[TenantTable], ColumnElement[bool]]]:
    """Every table that keeps something of these customers, and which of its rows."""
    for model in _tenant_tables():
        if (about := _about(model, members)) is not None:
            yield model, about


def _tenant_tables() -> list[type[TenantTable]]:
    return [model for model in models() if issubclass(model, TenantTable)]


def _about(model: type[TenantTable], members: Sequence[UUID]) -> ColumnElement[bool] | None:
    """Which rows are about these customers: by the columns that name one, by the link of their remote record, or by
    the document that they are a line of. None where nothing says so.
    """
    columns = model.__table__.columns
    if model is Customer:
        return within(columns["id"], members)
    if names := customer_columns(model):
        return or_(*(within(columns[name], members) for name in names))
    if {"integration_id", "type", "remote_id"} <= {column.name for column in model.__table__.primary_key}:
        return _linked(model, ("integration_id", "type", "remote_id"), members)
    return _line_of(model, members)


def _linked(model: type[TenantTable], key: Iterable[str], members: Sequence[UUID]) -> ColumnElement[bool]:
    link, columns = RecordLink.__table__.columns, model.__table__.columns
    same = (link[name] == columns[name] for name in ("tenant_id", *key))
    return exists().where(*same, within(link["local_id"], members))


def _line_of(model: type[TenantTable], members: Sequence[UUID]) -> ColumnElement[bool] | None:
    documents = {each.__table__: each for each in _tenant_tables() if each is not Customer and customer_columns(each)}
    for foreign_key in model.__table__.foreign_key_constraints:  # type: ignore[attr-defined]
        if document := documents.get(foreign_key.referred_table):
            same = (element.parent == element.column for element in foreign_key.elements)
            of = (within(document.__table__.columns[name], members) for name in customer_columns(document))
            return exists().where(*same, or_(*of))
    return None


def _mentions(model: type[TenantTable], members: Sequence[UUID], told: Sequence[str]) -> ColumnElement[bool]:
    """Which rows quote one of these texts, or tell of a record that became one of these customers."""
    columns = model.__table__.columns
    quoted = func.unnest(literal(list(told), ARRAY(Text()))).column_valued("quoted")
    quotes = [
        exists(select(quoted).where(func.strpos(*_legible(columns[name], quoted)) > 0))
        for name in personal_columns(model)
    ]
    linked = {"integration_id", "remote_id"} <= set(columns.keys())
    return or_(*quotes, *([_linked(model, ("integration_id", "remote_id"), members)] if linked else []))


def _legible(column: ColumnElement[Any], quoted: ColumnElement[str]) -> tuple[ColumnElement[str], ColumnElement[str]]:
    """A column and a text to look for in it, in the same writing: bytes are no text to PostgreSQL."""
    if isinstance(column.type, LargeBinary):
        return func.encode(column, "escape"), func.encode(func.convert_to(quoted, "UTF8"), "escape")
    return cast(column, Text()), quoted


def _of_tenant(reading: Reading, model: type[TenantTable]) -> ColumnElement[bool]:
    own: ColumnElement[bool] = model.__table__.columns["tenant_id"] == reading.tenant_id
    return own


def _plain(value: Any) -> Any:
    """A stored value as JSON holds it."""
    match value:
        case UUID() | Decimal():
            return str(value)
        case datetime() | date():
            return value.isoformat()
        case bytes():
            return value.hex()
        case list():
            return [_plain(each) for each in value]
        case _:
            return value
