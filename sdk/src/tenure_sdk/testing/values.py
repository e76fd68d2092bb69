"""The values of a record: whether they are what the canonical records say, and whether they are exact."""

from __future__ import annotations

import re
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tenure_sdk.records import Record


def problem_of(record: Record) -> str | None:
    """Why a record is none by its type; None when it is one. What `inexact` finds is left to it."""
    try:
        plain = msgspec.to_builtins(record, builtin_types=(datetime, Decimal))
        msgspec.convert(_mended(plain), type(record))
    except (msgspec.ValidationError, TypeError, ValueError) as problem:
        return str(problem)
    return None


def values(thing: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Every value at any depth, with the path to it."""
    if isinstance(thing, Struct):
        for name in thing.__struct_fields__:
            yield from values(getattr(thing, name), f"{path}.{name}")
    elif isinstance(thing, dict):
        for name, value in thing.items():
            yield from values(value, f"{path}.{name}")
    elif isinstance(thing, list | tuple):
        for place, value in enumerate(thing):
            yield from values(value, f"{path}[{place}]")
    else:
        yield path, thing


def inexact(path: str, value: Any) -> str | None:
    """What should stand there instead of a float, a time without zone or no currency; None where all is well."""
    field = path.rpartition(".")[2]
    if isinstance(value, float):
        return "a Decimal"
    if isinstance(value, Decimal) and not value.is_finite():
        return "a number"
    if isinstance(value, datetime) and value.tzinfo is None:
        return "a time with a zone"
    if field in {"currency", "base", "quote"} and value is not None and not re.fullmatch("[A-Z]{3}", str(value)):
        return "three capital letters"
    return None


def _mended(thing: Any, path: str = "") -> Any:
    """A plain value with everything that `inexact` finds replaced by something good."""
    if isinstance(thing, dict):
        return {name: _mended(value, f"{path}.{name}") for name, value in thing.items()}
    if isinstance(thing, list | tuple):
        return [_mended(value, path) for value in thing]
    problem = inexact(path, thing)
    good = {"a Decimal": Decimal(0), "a number": Decimal(0), "a time with a zone": "2026-01-01T00:00:00Z"}
    if problem is not None:
        return good.get(problem, "EUR")
    return thing.isoformat() if isinstance(thing, datetime) else thing
