"""Whether records are what their types say: a connector may have put anything into their fields."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from functools import cache
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args, get_origin

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tenure_sdk import Record

EARLIEST = 1900
"""The first year of which something is believed: systems write "never" as their first day, such as 0001-01-01."""

_ABSURD = f"is before {EARLIEST}: leave out what is not known"

_PLAIN = (datetime, date, Decimal)


def check(record: Record) -> None:
    """Raises msgspec.ValidationError or TypeError where a field does not hold what its type says, or an absurd date."""
    if not _is_alike(record):
        plain = msgspec.to_builtins(record, builtin_types=_PLAIN)
        msgspec.convert(plain, type(record), builtin_types=_PLAIN)
    check_dates(record)


def check_year(moment: date) -> None:
    """Raises ValueError for a day or moment that stands for none."""
    if moment.year < EARLIEST:
        raise ValueError(_ABSURD)


def check_dates(record: msgspec.Struct) -> None:
    """Raises msgspec.ValidationError where a day or a moment of a record, or of a part of it, stands for none."""
    for name, holds_more in _dated(type(record)):
        value = getattr(record, name)
        if holds_more:
            for part in value if isinstance(value, list | tuple) else (value,):
                if isinstance(part, msgspec.Struct):
                    check_dates(part)
        elif value is not None and value.year < EARLIEST:
            raise msgspec.ValidationError(f"{value.isoformat()} {_ABSURD} - at `$.{name}`")


@cache
def _dated(type_: type[msgspec.Struct]) -> tuple[tuple[str, bool], ...]:
    """The fields that hold a day or a moment, and those that hold objects with such fields."""
    found = []
    for each in msgspec.structs.fields(type_):
        parts = set(_within(each.type))
        structs = [part for part in parts if isinstance(part, type) and issubclass(part, msgspec.Struct)]
        if parts & {date, datetime} or any(map(_dated, structs)):
            found.append((each.name, not parts & {date, datetime}))
    return tuple(found)


def _within(type_: Any) -> Iterator[Any]:
    """A type, and those that it is made of."""
    yield type_
    for part in get_args(type_):
        yield from _within(part)


def _is_alike(record: Record) -> bool:
    """Whether every field was seen to hold what its type says; where not, the long way decides, and says it better."""
    looks = _looks(type(record))
    if looks is None:
        return False
    try:
        msgspec.convert(record, looks, from_attributes=True, builtin_types=_PLAIN)
    except (msgspec.ValidationError, TypeError, AttributeError):
        return False
    return True


@cache
def _looks(type_: type[Record]) -> Any:
    """A type with the same fields, all the way down; None where it cannot be made.

    What is an instance of a type already is not looked into when it is converted to that type. To another one it is,
    in a third of the time that it takes to write it down and read it again.
    """
    try:
        return _alike(type_)
    except _Either:
        return None


class _Either(Exception):
    """Which of several types is meant cannot be told by a value's fields."""


@cache
def _alike(type_: Any) -> Any:
    if isinstance(type_, type) and issubclass(type_, msgspec.Struct):
        fields = [(each.name, _alike(each.type), *_default(each)) for each in msgspec.structs.fields(type_)]
        return msgspec.defstruct(type_.__name__, fields, kw_only=True, frozen=True, gc=False)
    origin, parts = get_origin(type_), get_args(type_)
    if origin is Annotated:
        return Annotated[(_alike(parts[0]), *type_.__metadata__)]
    if origin in {Union, UnionType}:
        if sum(isinstance(part, type) and issubclass(part, msgspec.Struct) for part in parts) > 1:
            raise _Either
        return Union[tuple(map(_alike, parts))]  # noqa: UP007 - of parts that are known here only
    if origin is None or origin is Literal:
        return type_
    return origin[tuple(part if part is ... else _alike(part) for part in parts)]


def _default(field: msgspec.structs.FieldInfo) -> tuple[Any, ...]:
    return () if field.required else (field.default,) if field.default_factory is msgspec.NODEFAULT else (None,)
