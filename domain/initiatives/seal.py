"""The seal: what was known before an initiative, under a chain of hashes in which every later change shows."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

import orjson
from sqlalchemy import TextClause, Uuid, bindparam, select, text
from sqlalchemy.dialects import postgresql

from domain.core.problems import Conflict
from domain.core.tables import personal_columns
from domain.initiatives.model import (
    BaselineSnapshot,
    SealBatch,
    SealedCost,
    SealedCustomer,
    SealedDay,
    SealedLink,
    SealedNewcomers,
    SealedPart,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from domain.core.unit_of_work import Reading, Writing

Columns = dict[str, list[Any]]
"""Some rows of one table, column by column."""

Parts = dict[SealedPart, Columns]
"""All rows of a seal."""

BATCH = 10_000
"""How many rows one link of the chain covers."""


class SealBroken(Conflict):
    """The sealed baseline was altered: nothing is compared with it. `tenure baseline verify` says where it breaks."""


@dataclass(frozen=True)
class Link:
    """A link of the chain: which rows it covers, their digest, and the hash over it and everything before it."""

    position: int
    part: SealedPart
    rows: int
    digest: bytes
    hash: bytes


@dataclass(frozen=True)
class Chain:
    """A whole chain, from the digest of the header to the last hash."""

    header_digest: bytes
    links: tuple[Link, ...]

    @property
    def head(self) -> bytes:
        """The last hash: whoever keeps it can tell later that nothing was changed."""
        return self.links[-1].hash if self.links else self.header_digest


async def write(work: Writing, header: BaselineSnapshot, parts: Parts) -> None:
    """Store a seal, whose header lacks nothing but the hashes."""
    header.tenant_id = work.tenant_id
    chain = chained(header, parts)
    header.header_digest, header.head = chain.header_digest, chain.head
    work.add(header)
    for part, columns in parts.items():
        for rows in _batches(columns):
            values = {"tenant": work.tenant_id, "seal": header.id, "rows": _written(rows).decode()}
            await work.execute(_INSERTS[part], values)
    work.add(
        *(
            SealBatch(seal_id=header.id, **{name: getattr(link, name) for name in Link.__dataclass_fields__})
            for link in chain.links
        )
    )
    await work.flush()


async def read(reading: Reading, header: BaselineSnapshot) -> Parts:
    """All rows of a seal. Raises SealBroken when they, or the header, are not what was sealed."""
    parts = {part: await _rows(reading, header.id, part) for part in SealedPart}
    computed = chained(header, parts)
    _compare(computed, await _stored(reading, header))
    if computed.head != header.head:
        raise SealBroken(position=len(computed.links))
    _check_commitments(parts[SealedPart.LINKS])
    return parts


async def hashes(reading: Reading, header: BaselineSnapshot) -> list[bytes]:
    """Every hash of a seal's chain as it is stored, from the digest of the header to the head.

    Where `read` finds the seal intact, whoever kept one of them knows that nothing up to it was changed.
    """
    stored = await _stored(reading, header)
    return [stored.header_digest, *(link.hash for link in stored.links)]


def chained(header: BaselineSnapshot, parts: Parts) -> Chain:
    """The chain over a seal.

    The digest of the header is the SHA-256 of its columns as JSON with sorted keys. Each link covers up to 10,000 rows
    of a part in the order of their keys: its digest is the SHA-256 of them as JSON, without what is personal and what
    was not kept yet; its hash is the SHA-256 of the hash before it (of the first: the digest of the header) and itself
    as JSON.
    """
    begin = hashlib.sha256(_written(_header(header))).digest()
    links: list[Link] = []
    previous = begin
    for part in SealedPart:
        for rows in _batches(parts[part], without=(*personal_columns(_TABLES[part]), *_not_kept(parts[part]))):
            digest = hashlib.sha256(_written(rows)).digest()
            told = {"position": len(links) + 1, "part": part, "rows": len(rows), "digest": digest}
            previous = hashlib.sha256(previous + _written(told)).digest()
            links.append(Link(len(links) + 1, part, len(rows), digest, previous))
    return Chain(begin, tuple(links))


def links(customer_ids: Sequence[UUID], salt: bytes) -> Columns:
    """Whom the pseudonyms 0, 1, ... stand for: each with a key of its own that hides it in the commitment."""
    keys = [hashlib.sha256(salt + place.to_bytes(8, "big")).digest() for place in range(len(customer_ids))]
    return {
        "pseudonym": list(range(len(customer_ids))),
        "customer_id": list(customer_ids),
        "key": keys,
        "commitment": [_commitment(key, of) for key, of in zip(keys, customer_ids, strict=True)],
    }


_TABLES: Mapping[SealedPart, Any] = {
    SealedPart.CUSTOMERS: SealedCustomer,
    SealedPart.DAYS: SealedDay,
    SealedPart.COSTS: SealedCost,
    SealedPart.NEWCOMERS: SealedNewcomers,
    SealedPart.LINKS: SealedLink,
}


def _insert(part: SealedPart) -> TextClause:
    """One statement for many rows, given as JSON: `:rows` is a list of objects with a value for each column."""
    table = _TABLES[part].__table__
    columns = [column for column in table.columns if column.name not in {"tenant_id", "seal_id"}]
    names = ", ".join(column.name for column in columns)
    typed = ", ".join(f"{column.name} {column.type.compile(postgresql.dialect())}" for column in columns)  # type: ignore[no-untyped-call]
    return text(
        f"INSERT INTO {table} (tenant_id, seal_id, {names}) "
        f"SELECT :tenant, :seal, {names} FROM json_to_recordset(CAST(:rows AS json)) AS given ({typed})"
    ).bindparams(bindparam("tenant", type_=Uuid()), bindparam("seal", type_=Uuid()))


_INSERTS = {part: _insert(part) for part in SealedPart}
_HASHES = {"header_digest", "head"}


def _header(of: BaselineSnapshot) -> dict[str, Any]:
    return {name: getattr(of, name) for name in of.__table__.columns.keys() if name not in _HASHES}  # noqa: SIM118


def _batches(columns: Columns, without: Sequence[str] = ()) -> Iterator[list[dict[str, Any]]]:
    """The rows as mappings, some at a time."""
    names = [name for name in columns if name not in without]
    kept = [columns[name] for name in names]
    for begin in range(0, len(kept[0]), BATCH):
        cut = (column[begin : begin + BATCH] for column in kept)
        yield [dict(zip(names, row, strict=True)) for row in zip(*cut, strict=True)]


def _not_kept(columns: Columns) -> list[str]:
    """The columns that there were not when a part was sealed: all of them are null there, and never in a later seal."""
    return [name for name in _CAME_LATER if name in columns and not any(each is not None for each in columns[name])]


_CAME_LATER = ("unrated",)


def _written(value: Any) -> bytes:
    """The canonical form: JSON with sorted keys, numbers with decimals as text with six of them, bytes as hex."""
    return orjson.dumps(value, default=_plain, option=orjson.OPT_SORT_KEYS)


def _plain(value: Any) -> str:
    match value:
        case bytes():
            return f"\\x{value.hex()}"
        case Decimal():
            return f"{value:.6f}"
        case UUID():  # asyncpg has a class of its own for it
            return str(value)
    message = f"{type(value)} has no canonical form"
    raise TypeError(message)


async def _rows(reading: Reading, seal_id: UUID, part: SealedPart) -> Columns:
    table = _TABLES[part].__table__
    columns = [column for column in table.columns if column.name not in {"tenant_id", "seal_id"}]
    found = await reading.rows(
        select(*columns)
        .where(table.c.tenant_id == reading.tenant_id, table.c.seal_id == seal_id)
        .order_by(*(column for column in table.primary_key if column.name not in {"tenant_id", "seal_id"}))
    )
    values = zip(*found, strict=True) if found else ([] for _ in columns)
    return {column.name: list(each) for column, each in zip(columns, values, strict=True)}


async def _stored(reading: Reading, header: BaselineSnapshot) -> Chain:
    batches = await reading.all(
        select(SealBatch)
        .where(SealBatch.tenant_id == reading.tenant_id, SealBatch.seal_id == header.id)
        .order_by(SealBatch.position)
    )
    found = (Link(each.position, SealedPart(each.part), each.rows, each.digest, each.hash) for each in batches)
    return Chain(header.header_digest, tuple(found))


def _compare(computed: Chain, stored: Chain) -> None:
    if computed.header_digest != stored.header_digest:
        raise SealBroken(position=0)
    for position, link in enumerate(computed.links, 1):
        if position > len(stored.links) or stored.links[position - 1] != link:
            raise SealBroken(position=position, part=link.part.value)
    if len(stored.links) != len(computed.links):
        raise SealBroken(position=len(computed.links) + 1)


def _check_commitments(of: Columns) -> None:
    """That no pseudonym was given to somebody else; one who was erased proves nothing any more."""
    for pseudonym, customer_id, key, commitment in zip(*(of[name] for name in _LINK), strict=True):
        erased = customer_id is None and key is None
        if not erased and (customer_id is None or key is None or _commitment(key, customer_id) != commitment):
            raise SealBroken(part=SealedPart.LINKS.value, pseudonym=pseudonym)


_LINK = ("pseudonym", "customer_id", "key", "commitment")


def _commitment(key: bytes, customer_id: UUID) -> bytes:
    return hashlib.sha256(key + customer_id.bytes).digest()
