"""What every table keeps: its kind of promise, its tenant, its walls, and which columns hold personal data."""

from __future__ import annotations

import re
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, ClassVar, NamedTuple
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Date,
    DateTime,
    LargeBinary,
    MetaData,
    Numeric,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, MappedColumn, mapped_column


class Kind(StrEnum):
    """The promise a table keeps; the rights of the application's role follow from it."""

    AO = "append-only"
    ED = "effective-dated"
    BT = "bi-temporal"
    PJ = "projection"
    IM = "immutable"
    CF = "configuration"
    WS = "working state"


class Promise(NamedTuple):
    """The kind of a table and, where history has a small mutable tail, the columns of that tail."""

    kind: Kind
    tail: tuple[str, ...]


class Base(DeclarativeBase):
    """Every table of Tenure. A subclass's docstring begins with its kind: `AO + revoked_at: A token`."""

    metadata = MetaData(
        naming_convention={
            "pk": "%(table_name)s_pkey",
            "ix": "%(table_name)s_%(column_0_N_name)s_idx",
            "uq": "%(table_name)s_%(column_0_N_name)s_key",
            "ck": "%(table_name)s_%(constraint_name)s_check",
            "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        # COLLATE "C": equality, order and prefixes stay leakproof, so an index serves them behind row-level security.
        str: Text(collation="C"),
        int: BigInteger(),
        bool: Boolean(),
        bytes: LargeBinary(),
        date: Date(),
        datetime: DateTime(timezone=True),
        Decimal: Numeric(20, 6),
        UUID: Uuid(),
        list[str]: ARRAY(Text(collation="C")),
        list[UUID]: ARRAY(Uuid()),
        dict[str, Any]: JSONB(none_as_null=True),
        list[dict[str, Any]]: JSONB(none_as_null=True),
    }


class TenantTable(Base):
    """A table behind the walls: its every key begins with the tenant."""

    __abstract__ = True

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True, sort_order=-2)


class Entity(TenantTable):
    """A tenant's thing with an id of its own."""

    __abstract__ = True

    id: Mapped[UUID] = mapped_column(primary_key=True, sort_order=-1)


DIRECTORY = "directory"
"""The schema of the few tables without walls; they hold no customer data."""

BASELINE = "baseline"
"""The schema of what was sealed before an initiative: behind the walls like any other, and nothing else removes it."""

SCHEMAS = (DIRECTORY, BASELINE)
"""The schemas beside `public`."""


TRANSACTION = text("pg_current_xact_id()::text::bigint")
"""The default of a column that says which transaction wrote a row: below the oldest one still running nothing is added
any more, so whoever reads on from there misses nothing, whatever the order of the commits."""


def personal(*args: Any, **options: Any) -> MappedColumn[Any]:
    """A column that can hold personal data: erasure sets it to null, the audit log keeps only digests of it."""
    return mapped_column(*args, info={"pii": True}, nullable=True, **options)


OF_CUSTOMER = {"customer": True}
"""What `info` says of a column that names a customer; one called `customer_id` need not say it."""


def one_of(column: str, values: type[StrEnum]) -> CheckConstraint:
    """A check that a text column holds one of an enum's values, or nothing where null is allowed."""
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=column)


_PROMISE = re.compile(r"(?P<kind>AO|ED|BT|PJ|IM|CF|WS)(?: \+ (?P<tail>[a-z_, \n]+))?: ")


def promise_of(model: type[Base]) -> Promise:
    """The promise that a model's docstring states. Raises ValueError where it states none."""
    found = _PROMISE.match(model.__doc__ or "")
    if found is None:
        message = f"{model.__name__}: the docstring must begin with the kind of the table, such as 'AO: '"
        raise ValueError(message)
    tail = tuple(name.strip() for name in (found["tail"] or "").split(",") if name.strip())
    return Promise(Kind[found["kind"]], tail)


def rights_of(model: type[Base]) -> tuple[str, ...]:
    """What the application's role may do with a table, as PostgreSQL writes it in GRANT."""
    kind, tail = promise_of(model)
    match kind:
        case Kind.WS | Kind.PJ:
            return ("SELECT", "INSERT", "UPDATE", "DELETE")
        case Kind.CF:
            return ("SELECT", "INSERT", "UPDATE")
        case _:
            return ("SELECT", "INSERT", *((f"UPDATE ({', '.join(tail)})",) if tail else ()))


def personal_columns(model: type[Base]) -> tuple[str, ...]:
    """The columns of a table that erasure sets to null."""
    return tuple(column.name for column in model.__table__.columns if column.info.get("pii"))


def customer_columns(model: type[Base]) -> tuple[str, ...]:
    """The columns of a table by which a row belongs to a customer."""
    columns = model.__table__.columns
    return tuple(each.name for each in columns if each.name == "customer_id" or each.info.get("customer"))


def eraser_rights_of(model: type[Base]) -> tuple[str, ...]:
    """What the eraser's role may do with a table: nothing, unless it can hold personal data."""
    columns = personal_columns(model)
    if not columns:
        return ()
    removal = ("DELETE",) if promise_of(model).kind in {Kind.PJ, Kind.WS} else ()
    return ("SELECT", f"UPDATE ({', '.join(columns)})", *removal)


def models() -> tuple[type[Base], ...]:
    """Every mapped table, in a stable order."""
    mapped = [mapper.class_ for mapper in Base.registry.mappers]
    return tuple(sorted(mapped, key=lambda model: str(model.__table__)))
