"""From the rows of a remote side to records: what two out of three connectors would write for themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any, TypeVar

from tenure_sdk.errors import RecordRejected
from tenure_sdk.pages import Reject
from tenure_sdk.records import Plain, Record

Made = TypeVar("Made", bound=Record)


def mapped(
    rows: Iterable[Mapping[str, Any]], make: Callable[[Any], Made], *, key: str = "id"
) -> tuple[list[Made], list[Reject]]:
    """The records that `make` makes of the rows; a row of which it makes none becomes a Reject, and the others go on.

    `key` names the place of a row's id. A row fails by RecordRejected, or because a value is missing or of no use.
    """
    records: list[Made] = []
    rejects: list[Reject] = []
    for row in rows:
        try:
            records.append(make(row))
        except RecordRejected as problem:
            rejects.append(Reject(None, problem.field, None, str(problem), problem.record_id or _name(row, key)))
        except (LookupError, TypeError, ValueError, ArithmeticError, AttributeError) as problem:
            reason = f"{type(problem).__name__}: {problem}"
            rejects.append(Reject(None, None, None, reason, _name(row, key)))
    return records, rejects


def left_over(row: Mapping[str, Any], *taken: str) -> dict[str, Plain]:
    """What of a row no field took, for `Record.extra`; what is itself a row or a list has no place there."""
    rest = ((name, value) for name, value in row.items() if name not in taken)
    return {name: _plain(value) for name, value in rest if not isinstance(value, (Mapping, list, tuple))}


def _plain(value: object) -> Plain:
    if isinstance(value, (Decimal, float)):
        return str(value)
    return value if isinstance(value, (str, int, bool)) or value is None else str(value)


def _name(row: object, key: str) -> str | None:
    found = row.get(key) if isinstance(row, Mapping) else None
    return None if found is None else str(found)
