"""Values as PostgreSQL's COPY reads them: one text per cell, rows of cells joined by tabs."""

from __future__ import annotations

from datetime import UTC
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec

from domain.core.problems import DomainError
from tenure_sdk.records import LONGEST_LINE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import date, datetime

NULL = "\\N"
LARGEST = Decimal(10) ** 14
"""Quantities, prices and rates are numeric(20, 6)."""

LONGEST_INDEXED = 2_000
"""How many bytes a text may have of which no more is known than that an index has to hold it."""

_ESCAPES = {ord("\\"): "\\\\", ord("\t"): "\\t", ord("\n"): "\\n", ord("\r"): "\\r", 0: None}


class Unfit(str):
    """What a value becomes that no column can hold: the reason why."""

    __slots__ = ()


class Cells(dict[Any, str]):
    """The cells of one column by their values; columns repeat themselves, so each value is written once."""

    def __init__(self, write: Callable[[Any], str]) -> None:
        super().__init__()
        self._write = write
        self.unfit = False
        """Whether a value so far was unfit: only then is the column worth searching."""

    def __missing__(self, value: Any) -> str:
        if value is None:
            cell = NULL
        else:
            try:
                cell = self._write(value)
            except (DomainError, ValueError) as problem:
                cell = Unfit(str(problem))
                self.unfit = True
        self[value] = cell
        return cell


def rows(cells: Iterable[Iterable[str]]) -> bytes:
    """Rows of cells as COPY reads them."""
    # A lone surrogate is no character; PostgreSQL would refuse the whole page for it.
    return "\n".join([*map("\t".join, cells), ""]).encode(errors="replace")


def text(value: str) -> str:
    """A text, escaped; NUL, which no database keeps, is left out."""
    return value if _is_plain(value) else value.translate(_ESCAPES)


def line(value: str) -> str:
    """What records are looked up by; an index holds no longer text."""
    if len(value) > LONGEST_LINE:
        raise ValueError(f"is longer than {LONGEST_LINE} characters")
    return text(value)


def optional(value: str | None) -> str:
    """A text or nothing."""
    return NULL if value is None else text(value)


def texts(values: Sequence[str]) -> Sequence[str]:
    """A column of texts. It is searched as one for what must be escaped: mostly nothing."""
    return values if _is_plain("".join(values)) else [text(value) for value in values]


def _is_plain(value: str) -> bool:
    return value.isprintable() and "\\" not in value


def optionals(values: Sequence[str | None]) -> Sequence[str]:
    """A column of texts of which some are not there."""
    there = texts([value for value in values if value is not None])
    if len(there) == len(values):
        return there
    following = iter(there)
    return [NULL if value is None else next(following) for value in values]


def exact(value: Decimal) -> str:
    """A quantity, price or rate."""
    if not value.is_finite() or abs(value) >= LARGEST:
        raise ValueError("is too large: numbers are below 10 to the 14th")
    return str(value)


def moment(value: datetime) -> str:
    """An instant. A time without a zone is a mistake of the connector, not of its data."""
    if value.tzinfo is None:
        raise TypeError("A moment without a time zone: connectors give aware datetimes")
    return value.isoformat()


def day(value: date | None) -> str:
    """A day or nothing."""
    return NULL if value is None else value.isoformat()


def moments(values: Sequence[datetime]) -> Sequence[str]:
    """A column of instants."""
    if all(value.tzinfo is UTC for value in values):
        return msgspec.json.encode(values).decode()[2:-2].split('","')  # a fourth of the time; exact for UTC only
    return [moment(value) for value in values]


def binary(value: bytes) -> str:
    """Bytes."""
    return "\\\\x" + value.hex()


def boolean(value: bool) -> str:
    """True or false."""
    return "t" if value else "f"
