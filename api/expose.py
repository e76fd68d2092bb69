"""A domain class becomes a GraphQL type and a read mapping in one declaration; no field is written twice.

@expose(model.Customer, prefix="cus", table="customers")
class Customer(Node):
    kind = column(CustomerKind)
    timeline = many("interactions.Interaction", ...)
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Optional, TypeVar
from uuid import UUID

import strawberry
from strawberry.utils.str_converters import to_camel_case

from api.reads.mapping import (
    EDGES,
    REGISTRY,
    Amount,
    Argument,
    ById,
    Column,
    Computed,
    Embedded,
    Field,
    Key,
    Listing,
    Many,
    One,
    Part,
    TypeMap,
)
from api.scalars import decimal_text
from domain.core.tables import Base

Class = TypeVar("Class", bound=type)


@strawberry.interface(description="A thing with a global id.")
class Node:
    """A thing with a global id."""

    id: strawberry.ID = strawberry.field(description="The global id.")

    @classmethod
    def resolve_type(cls, value: Any, *_: Any) -> str:
        """The type of a completed document."""
        return str(value["__type"])


@strawberry.type(description="Where a page lies among all rows.")
class PageInfo:
    """Where a page lies among all rows."""

    has_next_page: bool = strawberry.field(description="Whether rows follow this page.")
    has_previous_page: bool = strawberry.field(description="Whether rows come before this page.")
    start_cursor: str | None = strawberry.field(description="The cursor of the first row.")
    end_cursor: str | None = strawberry.field(description="The cursor of the last row.")


def column(annotation: Any = None, **options: Any) -> Any:
    """A column of the model, by this attribute's name, or an SQL expression given as `sql`."""
    return Column(annotation=annotation, **options)


def entry(annotation: Any, name: str, **options: Any) -> Any:
    """A value of an embedded object."""
    return Key(annotation=annotation, key=name, **options)


def amount(minor: str, currency: str, **options: Any) -> Any:
    """Money from minor units and a currency."""
    return Amount(minor=minor, currency=currency, **options)


def embedded(target: str, sql: str, **options: Any) -> Any:
    """Objects kept in a JSON column."""
    return Embedded(target=target, sql=sql, **options)


def part(target: str, **options: Any) -> Any:
    """An object whose values stand in the same row."""
    return Part(target=target, **options)


def one(target: str, source: Any, **options: Any) -> Any:
    """At most one row of another type."""
    return One(target=target, source=source, **options)


PAGING: dict[str, Argument] = {
    "first": Argument(int | None, "How many rows from the beginning, 1 to 500."),
    "after": Argument(str | None, "Only rows behind this cursor."),
    "last": Argument(int | None, "How many rows from the end, 1 to 500."),
    "before": Argument(str | None, "Only rows before this cursor."),
}


def many(target: str, source: Any, *, arguments: Mapping[str, Argument] | None = None, **options: Any) -> Any:
    """A page of rows of another type."""
    return Many(target=target, source=source, arguments={**(arguments or {}), **PAGING}, **options)


def computed(annotation: Any, resolve: Callable[..., Any], **options: Any) -> Any:
    """A field that is no relation."""
    return Computed(annotation=annotation, resolve=resolve, **options)


def listing(target: str, source: Any, **options: Any) -> Any:
    """A short list of rows of another type."""
    return Listing(target=target, source=source, **options)


def expose(
    model: type[Base] | None = None,
    *,
    prefix: str | None = None,
    by_id: str | None = None,
    scope: str | None = None,
    discriminator: str | None = None,
    kinds: tuple[str, ...] = (),
    interface: bool = False,
    also: Mapping[str, Field] | None = None,
) -> Callable[[Class], Class]:
    """Make a GraphQL type of a class whose attributes say where its values come from.

    `by_id` is a FROM clause with its WHERE over `{t}` and the wanted id `{k}`; without it the model's table serves.
    `scope` is what it takes to read one, wherever it stands.
    An interface has a `discriminator` (SQL over `{t}`, or the key of an embedded object); a type that implements it
    names the discriminator's values in `kinds`. `also` are fields that it shares with its like.
    """

    def make(cls: Class) -> Class:
        declared = {name: spec for name, spec in vars(cls).items() if isinstance(spec, Field)} | dict(also or {})
        inherited = _inherited(cls)
        fields: dict[str, Field] = {}
        if prefix is not None and "id" not in declared:
            declared = {
                "id": Column(sql="{t}.id", annotation=strawberry.ID, code=f"'{prefix}_' + {{e}}.hex"),
                **declared,
            }
        for name, spec in declared.items():
            complete = _from_model(spec, name, model)
            fields[to_camel_case(name)] = complete
            setattr(cls, name, _strawberry_field(complete))
        cls.__annotations__ = {}
        cls.is_type_of = classmethod(_is_type_of(cls.__name__))  # type: ignore[attr-defined]
        if interface:
            cls.resolve_type = classmethod(lambda _cls, value, *_: value["__type"])  # type: ignore[attr-defined]
        words = inspect.getdoc(cls) or ""
        made = (strawberry.interface if interface else strawberry.type)(cls, description=words)
        table = model.__tablename__ if model is not None else None
        REGISTRY[cls.__name__] = TypeMap(
            name=cls.__name__,
            fields={**inherited, **fields},
            table=table,
            by_id=by_id or (f"{table} {{t}} where {{t}}.tenant_id = $1 and {{t}}.id = {{k}}" if prefix else None),
            prefix=prefix,
            scope=scope,
            discriminator=discriminator,
            kinds=kinds,
        )
        for base in cls.__mro__[1:]:
            parent = REGISTRY.get(base.__name__)
            if parent is not None and parent.discriminator is not None:
                more = dict.fromkeys(kinds, cls.__name__)
                REGISTRY[base.__name__] = replace(parent, concrete={**parent.concrete, **more})
        return made

    return make


def union_of(name: str, discriminator: str, members: Mapping[str, type], description: str) -> Any:
    """A union of embedded types, told apart by a key of the object."""
    REGISTRY[name] = TypeMap(
        name=name, fields={}, discriminator=discriminator,
        concrete={value: member.__name__ for value, member in members.items()},
    )  # fmt: skip
    return Annotated[_union(tuple(dict.fromkeys(members.values()))), strawberry.union(name, description=description)]


def page_of(node: type, plural: str, name: str = "", model: type[Base] | None = None, **beside: Field) -> type:
    """The connection and edge types of a type, under its name or another.

    `beside` stands on each edge with the cursor and the node: columns of a model, of which the source has them.
    """
    name = name or node.__name__
    EDGES[f"{name}Edge"] = {to_camel_case(each): _from_model(spec, each, model) for each, spec in beside.items()}
    edge: Any = type(
        f"{name}Edge",
        (),
        {
            "cursor": strawberry.field(resolver=_resolver({}), graphql_type=str, description="Where this row is."),
            "node": strawberry.field(resolver=_resolver({}), graphql_type=node, description="The row itself."),
            **{each: _strawberry_field(_from_model(spec, each, model)) for each, spec in beside.items()},
            "is_type_of": classmethod(lambda *_: True),
            "__annotations__": {},
        },
    )
    edge = strawberry.type(edge, description=f"One row of a page of {plural}.")
    connection = type(
        f"{name}Connection",
        (),
        {
            "edges": strawberry.field(
                resolver=_resolver({}), graphql_type=list[edge], description="The rows with their cursors."
            ),
            "nodes": strawberry.field(resolver=_resolver({}), graphql_type=list[node], description="The rows."),  # type: ignore[valid-type]
            "page_info": strawberry.field(
                resolver=_resolver({}), graphql_type=PageInfo, description="Where the page lies."
            ),
            "total_count": strawberry.field(
                resolver=_resolver({}),
                graphql_type=int,
                description="How many rows there are on all pages; counted only when asked for.",
            ),
            "is_type_of": classmethod(lambda *_: True),
            "__annotations__": {},
        },
    )
    return strawberry.type(connection, description=f"A page of {plural}.")


class NodeQueries:
    """How anything is found by its global id."""

    node = ById(
        many=False, arguments={"id": Argument(strawberry.ID, "A global id.")},
        description="The thing with an id; null when there is none. A merged customer's id answers with the survivor.",
    )  # fmt: skip
    nodes = ById(
        many=True, arguments={"ids": Argument(list[strawberry.ID], "Up to 500 global ids.")},
        description="The things with these ids, in their order; null in the place of each that there is none of.",
    )  # fmt: skip


def roots(name: str, *parts: type) -> type:
    """A root type joined from the parts that the concepts bring."""
    fields: dict[str, Field] = {}
    body: dict[str, Any] = {"__annotations__": {}}
    for part in parts:
        for attribute, spec in vars(part).items():
            if isinstance(spec, Field):
                complete = _from_model(spec, attribute, None)
                fields[to_camel_case(attribute)] = complete
                body[attribute] = _strawberry_field(complete)
    REGISTRY[name] = TypeMap(name=name, fields=fields)
    return strawberry.type(type(name, (), body), description="What can be read.")


def describe(enum: type[Enum], called: str | None = None, **words: str) -> type[Enum]:
    """An enum as a GraphQL enum; a value without words of its own is described by its name."""
    made: Any = strawberry.enum(enum, name=called, description=inspect.getdoc(enum))
    for value in made.__strawberry_definition__.values:
        value.description = words.get(value.name) or f"{value.name.replace('_', ' ').capitalize()}."
    return enum


def _inherited(cls: type) -> dict[str, Field]:
    fields: dict[str, Field] = {}
    for base in reversed(cls.__mro__[1:]):
        parent = REGISTRY.get(base.__name__)
        fields |= parent.fields if parent is not None else {}
    return fields


def _from_model(spec: Field, name: str, model: type[Base] | None) -> Field:
    """A field with what its column tells: type, nullability and words."""
    for role in ("target", "page"):
        module, _, named = (getattr(spec, role, None) or "").rpartition(".")
        if module:
            _MODULES[named] = f"api.{module}"
            spec = replace(spec, **{role: named})  # type: ignore[arg-type]
    if not isinstance(spec, Column):
        return spec
    if spec.annotation is Decimal and spec.finish is None:
        spec = replace(spec, finish=_decimal)
    stored = model.__table__.columns.get(name) if model is not None else None
    if stored is None:
        return replace(
            spec, description=spec.description or ("The global id." if name == "id" else None), null=bool(spec.null)
        )
    annotation = spec.annotation or stored.type.python_type
    if annotation is UUID:
        annotation = strawberry.ID
    if annotation is Decimal and spec.finish is None:
        spec = replace(spec, finish=_decimal)
    return replace(
        spec,
        sql=spec.sql or f"{{t}}.{name}",
        annotation=annotation,
        description=spec.description or ("The global id." if name == "id" else stored.doc),
        null=spec.null if spec.null is not None else (bool(stored.nullable) and name != "id"),
    )


def _decimal(value: Any, _reader: Any) -> str:
    return decimal_text(value)


_MODULES: dict[str, str] = {}


def _strawberry_field(spec: Field) -> Any:
    if spec.description is None:
        message = f"{spec} needs a description, here or as doc= of its column"
        raise ValueError(message)
    if isinstance(spec, Computed):
        return strawberry.field(resolver=spec.resolve, description=spec.description)
    return strawberry.field(
        resolver=_resolver(spec.arguments), graphql_type=_graphql_type(spec), description=spec.description
    )


def _graphql_type(spec: Field) -> Any:
    match spec:
        case Column() | Key():
            made, null = spec.annotation, spec.null
        case Amount():
            made, null = lazily("Money", "api.purchases"), spec.null
        case Embedded():
            target = lazily(spec.target)
            made, null = (list[target] if spec.many else target), spec.null  # type: ignore[valid-type]
        case One():
            made, null = lazily(spec.target), spec.null
        case Part():
            made, null = lazily(spec.target), False
        case ById():
            made, null = (list[Optional[Node]] if spec.many else Node), not spec.many  # noqa: UP045 - as below
        case Many():
            made, null = lazily(f"{spec.pages}Connection", _MODULES[spec.pages]), False
        case Listing():
            made, null = list[lazily(spec.target)], False  # type: ignore[misc]
        case _:
            message = f"{spec} has no type"
            raise TypeError(message)
    return Optional[made] if null else made  # noqa: UP045 - `|` does not take an annotated name


def lazily(name: str, module: str | None = None) -> Any:
    """A type by name, which may be declared later or elsewhere."""
    return Annotated[name, strawberry.lazy(module or _MODULES[name])]


def _union(types: tuple[type, ...]) -> Any:
    made: Any = types[0]
    for other in types[1:]:
        made = made | other
    return made


def _is_type_of(name: str) -> Callable[..., bool]:
    return lambda _cls, value, *_: value.get("__type", name) == name


def _resolver(arguments: Mapping[str, Argument]) -> Callable[..., Any]:
    """A function with the arguments of a field; its value was already read, under the key of the response."""

    def read(root: Any, info: strawberry.Info, **_arguments: Any) -> Any:
        return root[info.path.key]

    parameters = [
        inspect.Parameter("root", inspect.Parameter.POSITIONAL_OR_KEYWORD),
        inspect.Parameter("info", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=strawberry.Info),
    ]
    for name, argument in arguments.items():
        default = argument.default if argument.default is not None else strawberry.UNSET
        required = type(None) not in getattr(argument.annotation, "__args__", ()) and argument.default is None
        parameters.append(
            inspect.Parameter(
                name,
                inspect.Parameter.KEYWORD_ONLY,
                annotation=Annotated[
                    argument.annotation, strawberry.argument(name=name, description=argument.description)
                ],
                default=inspect.Parameter.empty if required else default,
            )
        )
    read.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return read
