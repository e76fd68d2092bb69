"""Filter inputs: what each field becomes in SQL, declared beside its words."""

from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Optional
from uuid import UUID

import strawberry

from api import ids
from api.reads.inputs import Given
from api.reads.mapping import FILTERS, Check, Condition, Sought
from domain.core.problems import NotFound


@strawberry.input(description="Conditions on a text; an unset field says nothing.")
class StringFilter:
    """Conditions on a text."""

    eq: str | None = strawberry.field(default=strawberry.UNSET, description="Equal to this.")
    in_: list[str] | None = strawberry.field(default=strawberry.UNSET, name="in", description="One of these.")
    contains: str | None = strawberry.field(default=strawberry.UNSET, description="With this somewhere in it.")
    starts_with: str | None = strawberry.field(default=strawberry.UNSET, description="Beginning with this.")
    is_null: bool | None = strawberry.field(default=strawberry.UNSET, description="Whether there is none.")


@strawberry.input(description="Conditions on an id; an unset field says nothing.")
class IdFilter:
    """Conditions on an id."""

    eq: strawberry.ID | None = strawberry.field(default=strawberry.UNSET, description="This one.")
    in_: list[strawberry.ID] | None = strawberry.field(default=strawberry.UNSET, name="in", description="One of these.")


@strawberry.input(description="Conditions on a moment; an unset field says nothing.")
class DateTimeFilter:
    """Conditions on a moment."""

    gte: datetime | None = strawberry.field(default=strawberry.UNSET, description="At this moment or later.")
    lt: datetime | None = strawberry.field(default=strawberry.UNSET, description="Before this moment.")
    is_null: bool | None = strawberry.field(default=strawberry.UNSET, description="Whether there is none.")


@strawberry.input(description="Conditions on a day; an unset field says nothing.")
class DateFilter:
    """Conditions on a day."""

    gte: date | None = strawberry.field(default=strawberry.UNSET, description="On this day or later.")
    lt: date | None = strawberry.field(default=strawberry.UNSET, description="Before this day.")
    is_null: bool | None = strawberry.field(default=strawberry.UNSET, description="Whether there is none.")


@strawberry.input(description="Conditions on a decimal number; an unset field says nothing.")
class DecimalFilter:
    """Conditions on a decimal number."""

    eq: Decimal | None = strawberry.field(default=strawberry.UNSET, description="Equal to this.")
    gte: Decimal | None = strawberry.field(default=strawberry.UNSET, description="This or more.")
    lte: Decimal | None = strawberry.field(default=strawberry.UNSET, description="This or less.")


@strawberry.input(description="Conditions on a whole number; an unset field says nothing.")
class IntFilter:
    """Conditions on a whole number."""

    eq: int | None = strawberry.field(default=strawberry.UNSET, description="Equal to this.")
    gte: int | None = strawberry.field(default=strawberry.UNSET, description="This or more.")
    lte: int | None = strawberry.field(default=strawberry.UNSET, description="This or less.")


_OPERATORS = {"eq": "=", "gte": ">=", "lte": "<=", "lt": "<"}


def text(sql: str, description: str, **options: Any) -> Condition:
    """A condition on a text expression over `{t}`."""
    return Condition(StringFilter, description, _compared(sql, "text"), **options)


def id_of(prefix: str, sql: str, description: str, **options: Any) -> Condition:
    """A condition on an id of one kind."""
    return Condition(IdFilter, description, _compared(sql, "uuid", ids.reader(prefix)), **options)


def known(prefix: str, table: str, unknown: type[NotFound]) -> Check:
    """A check that every id that a condition names is of a row of the tenant; raises `unknown` for one that is not."""

    async def look(sought: Sought) -> None:
        wanted = {ids.reader(prefix)(one) for one in _ids_in(sought.arguments)}
        sql = f"SELECT id FROM {table} WHERE tenant_id = $1 AND id = any($2)"
        found = {row["id"] for row in await sought.connection.fetch(sql, sought.tenant_id, wanted)}
        for missing in wanted - found:
            raise unknown(id=missing)

    return look


def customer(sql: str, description: str, **options: Any) -> Condition:
    """A condition on a customer's id: whoever is one with a wanted customer fits."""

    def compile_(planner: Any, alias: str, part: Mapping[str, Any]) -> str:
        made = []
        for operator in ("eq", "in"):
            given = part.get(operator)
            if given is None:
                continue
            one, other = f"t{planner.number()}", f"t{planner.number()}"
            wanted = planner.binds.token(given, _customer_ids, "uuid[]")
            made.append(
                f"{sql.format(t=alias)} in (select {one}.id from customers {one} join customers {other}"
                f" on {other}.tenant_id = $1 and {other}.root_id = {one}.root_id"
                f" where {one}.tenant_id = $1 and {other}.id = any({wanted}))"
            )
        return " and ".join(made) or "true"

    return Condition(IdFilter, description, compile_, **options)


def moment(sql: str, description: str, **options: Any) -> Condition:
    """A condition on a moment."""
    return Condition(DateTimeFilter, description, _compared(sql, "timestamptz"), **options)


def day(sql: str, description: str, **options: Any) -> Condition:
    """A condition on a day."""
    return Condition(DateFilter, description, _compared(sql, "date"), **options)


def whole(sql: str, description: str, **options: Any) -> Condition:
    """A condition on a whole number."""
    return Condition(IntFilter, description, _compared(sql, "int8"), **options)


def choice(enum: type[Enum], sql: str, description: str, **options: Any) -> Condition:
    """A condition on the value of an enum."""
    return Condition(_enum_filter(enum), description, _compared(sql, "text", lambda value: value.value), **options)


def yes(true: str, description: str, **options: Any) -> Condition:
    """A condition that holds or does not."""

    def sql(_planner: Any, alias: str, part: Given) -> str:
        return f"({true.format(t=alias)})" if part.now else f"(({true.format(t=alias)}) is not true)"

    return Condition(bool, description, sql, **options)


def exists(source: str, filter_name: str, module: str, description: str, **options: Any) -> Condition:
    """A condition on related rows: `source` is a FROM with its WHERE over `{t}` and the outer row `{p}`."""

    def sql(planner: Any, alias: str, part: Mapping[str, Any]) -> str:
        inner = f"t{planner.number()}"
        return f"exists (select from {source.format(t=inner, p=alias)} and {planner.all_of(filter_name, part, inner)})"

    return Condition(Annotated[filter_name, strawberry.lazy(module)], description, sql, **options)


def filter_input(name: str, description: str, module: str, /, **fields: Condition) -> type:
    """A filter input with these fields and with `and`, `or` and `not`."""
    itself: Any = Annotated[name, strawberry.lazy(module)]
    body: dict[str, Any] = {"__annotations__": {}}
    for field_name, condition in fields.items():
        body["__annotations__"][field_name] = Optional[condition.annotation]  # noqa: UP045 - lazies know no `|`
        body[field_name] = strawberry.field(
            default=strawberry.UNSET, name=field_name, description=condition.description
        )
    for word, annotation, words in (
        ("and", Optional[list[itself]], "All of these hold."),  # noqa: UP045 - as above
        ("or", Optional[list[itself]], "At least one of these holds."),  # noqa: UP045 - as above
        ("not", Optional[itself], "This does not hold."),  # noqa: UP045 - as above
    ):
        body["__annotations__"][f"{word}_"] = annotation
        body[f"{word}_"] = strawberry.field(default=strawberry.UNSET, name=word, description=words)
    FILTERS[name] = fields
    return strawberry.input(type(name, (), body), description=f"{description} An unset field says nothing.")


def _compared(sql: str, pg: str, convert: Callable[[Any], Any] | None = None) -> Callable[[Any, str, Any], str]:
    """Every operator that a filter on one value sets."""

    def compile_(planner: Any, alias: str, part: Mapping[str, Any]) -> str:
        value, made = sql.format(t=alias), []
        for operator, given in part.items():
            if given is None:
                continue
            if operator == "isNull":
                made.append(f"{value} is {'' if given.now else 'not '}null")
            elif operator == "in":
                each = (lambda values: [convert(one) for one in values]) if convert else None
                made.append(f"{value} = any({planner.binds.token(given, each, f'{pg}[]')})")
            elif operator == "contains":
                made.append(f"position({planner.binds.token(given)} in {value}) > 0")
            elif operator == "startsWith":
                made.append(f"starts_with({value}, {planner.binds.token(given)})")
            else:
                made.append(f"{value} {_OPERATORS[operator]} {planner.binds.token(given, convert, pg)}")
        return " and ".join(made) or "true"

    return compile_


def _ids_in(chosen: Mapping[str, Any]) -> Iterator[str]:
    """The ids that an IdFilter names."""
    if chosen.get("eq") is not None:
        yield chosen["eq"]
    yield from chosen.get("in") or ()


def _customer_ids(given: str | list[str]) -> list[UUID]:
    return [ids.reader("cus")(one) for one in ([given] if isinstance(given, str) else given)]


_ENUM_FILTERS: dict[type[Enum], type] = {}


def _enum_filter(enum: type[Enum]) -> type:
    if enum not in _ENUM_FILTERS:
        body = {
            "__annotations__": {"eq": enum | None, "in_": list[enum] | None},  # type: ignore[valid-type]
            "eq": strawberry.field(default=strawberry.UNSET, description="This one."),
            "in_": strawberry.field(default=strawberry.UNSET, name="in", description="One of these."),
        }
        made = type(f"{enum.__name__}Filter", (), body)
        _ENUM_FILTERS[enum] = strawberry.input(made, description="Conditions on a choice; an unset field says nothing.")
    return _ENUM_FILTERS[enum]
