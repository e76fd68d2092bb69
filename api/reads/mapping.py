"""What a field of a relational type stands for: a column, an expression, a relation. Written once, planned from."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

Finish = Callable[[Any, Any], Any]
"""Completes a value in Python: takes the value that PostgreSQL gave and the reader's context."""


@dataclass(frozen=True)
class Sought:
    """What is to be found before rows can be read: where, for whom, by which arguments, for which parents."""

    connection: Any
    address: str
    tenant_id: UUID
    reader: Any
    arguments: Mapping[str, Any]
    keys: Sequence[UUID]


Find = Callable[[Sought], Awaitable[str]]
"""Finds what rows are made of, as a JSON text."""

Check = Callable[[Sought], Awaitable[None]]
"""Looks at what a filter names before any row is read. Raises DomainError or RequestRefused."""


@dataclass(frozen=True)
class Argument:
    """An argument of a field and how it becomes a bound parameter."""

    annotation: Any
    description: str
    default: Any = None
    convert: Callable[[Any], Any] | None = None
    pg: str = "text"


@dataclass(frozen=True, kw_only=True)
class Field:
    """What all fields have: words for the schema and the scope that reading them takes."""

    description: str | None = None
    scope: str | None = None
    arguments: Mapping[str, Argument] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Column(Field):
    """One value of the row: a column of the model (by its attribute's name) or an SQL expression over `{t}`.

    `code` is a Python expression template over `{e}` for values that are finished without a call.
    """

    sql: str | None = None
    annotation: Any = None
    null: bool | None = None
    finish: Finish | None = None
    code: str | None = None


@dataclass(frozen=True, kw_only=True)
class Key(Field):
    """One value of an object that is kept inside a column of its parent."""

    key: str
    annotation: Any
    null: bool = False
    finish: Finish | None = None


@dataclass(frozen=True, kw_only=True)
class Embedded(Field):
    """Objects that belong to the row and are kept in one of its columns as a JSON list, or one JSON object.

    `finish` may choose among them: it takes the list and the arguments by name.
    """

    target: str
    sql: str
    many: bool = True
    null: bool = False
    finish: Callable[..., Any] | None = None


@dataclass(frozen=True, kw_only=True)
class Amount(Field):
    """Money of the row: whole minor units and the code of their currency."""

    minor: str
    currency: str
    null: bool = True


@dataclass(frozen=True, kw_only=True)
class Part(Field):
    """An object whose values stand in the same row, or in the same embedded object."""

    target: str


@dataclass(frozen=True)
class Brief:
    """A source that costs less than the whole row, for whoever asks nothing of it but these fields."""

    fields: frozenset[str]
    source: Callable[[Any], str | None]
    """None where the arguments leave nothing but the whole row."""


@dataclass(frozen=True, kw_only=True)
class One(Field):
    """At most one row of another type, or an aggregate over several: a column of its parent's statement.

    `source` is a FROM clause with its WHERE: `{t}` is the target, `{p}` the parent, `{name}` an argument; `brief` may
    stand for it. At the root it can have something to `find` first, as a listing can.
    """

    target: str
    source: str | Callable[[Any], str]
    null: bool = True
    find: Find | None = None
    brief: Brief | None = None


@dataclass(frozen=True)
class Order:
    """A way to sort: an SQL expression that is never null, and how its value stands in a cursor."""

    sql: str
    kind: str = "time"  # time, day, text, number, id


@dataclass(frozen=True, kw_only=True)
class Many(Field):
    """A page of rows of another type: one batched statement for all parents.

    `keys` gives, over `{p}`, the id or the array of ids that `link` compares with; without `keys` it is a root.
    `source` names the table as `{t}` with the predicates that always hold. `page` names the connection where its edges
    have more fields than others: see `EDGES`.
    """

    target: str
    source: str | Callable[[Any], str]
    orders: Mapping[str, Order]
    default: tuple[tuple[str, bool], ...]  # (order name, descending)
    keys: str | None = None
    link: str = ""
    filter: str | None = None
    search: str | None = None
    page: str | None = None
    chooses_order: bool = False

    @property
    def pages(self) -> str:
        """What the names of the connection and of its edges begin with."""
        return self.page or self.target


@dataclass(frozen=True, kw_only=True)
class Listing(Field):
    """A short list of rows that the schema bounds: one batched statement for all parents, no pages.

    What is computed before the rows can be read is found by `find`, once for all parents: `{found}` in the source is
    the JSON text that it gives.
    """

    target: str
    source: str | Callable[[Any], str]
    order: str
    keys: str | None = None
    link: str = ""
    find: Find | None = None


@dataclass(frozen=True, kw_only=True)
class ById(Field):
    """Things of any type by their global ids."""

    many: bool


@dataclass(frozen=True, kw_only=True)
class Computed(Field):
    """A field that is no relation: it is resolved in Python, through graphql-core."""

    annotation: Any
    resolve: Callable[..., Any]


@dataclass(frozen=True)
class TypeMap:
    """How a type is read: its fields and, for an abstract one, which row is of which type."""

    name: str
    fields: Mapping[str, Field]
    table: str | None = None
    where: str = "{t}.tenant_id = $1"
    by_id: str | None = None
    prefix: str | None = None
    scope: str | None = None  # what it takes to read one, wherever it stands
    discriminator: str | None = None  # an SQL expression over {t}
    concrete: Mapping[str, str] = field(default_factory=dict)  # value of the discriminator -> type
    kinds: tuple[str, ...] = ()  # of a concrete type: the values of the discriminator that are of it


@dataclass(frozen=True)
class Condition:
    """What a field of a filter input becomes: `sql(planner, alias, part)` is a condition over the alias.

    `check` looks at what is asked of it first. `shortcut` may give a condition that an index answers in order, or None.
    Where it finds any row, it finds the same rows as `sql` does; where it finds none, `sql` is asked.
    """

    annotation: Any
    description: str
    sql: Callable[[Any, str, Any], str]
    scope: str | None = None
    check: Check | None = None
    shortcut: Callable[[Any, str, Any], str | None] | None = None


REGISTRY: dict[str, TypeMap] = {}
"""Every relational type of the schema, by its GraphQL name."""

EDGES: dict[str, Mapping[str, Field]] = {}
"""What stands on an edge beside its cursor and its node, by the GraphQL name of the edge."""

FILTERS: dict[str, Mapping[str, Condition]] = {}
"""Every filter input, by its GraphQL name: field -> how it becomes SQL."""

SCOPES: dict[str, set[str]] = {}
"""The scopes that each mutation and subscription takes, by its field."""
