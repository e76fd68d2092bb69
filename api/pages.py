"""Pages: how many rows, from where, and cursors that belong to one order and one filter."""

import re
from base64 import b64decode
from binascii import Error as NotBase64
from binascii import b2a_base64
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from hashlib import blake2b
from typing import Any
from urllib.parse import quote, unquote
from uuid import UUID

import orjson

from api.problems import BadUserInput

MOST = 500
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_FINGERPRINT = 8
_MARK = re.compile(f"[0-9a-f]{{{_FINGERPRINT}}}")
_OF_ANOTHER = "This cursor belongs to another order or filter. Start from the first page."
_UNREADABLE = "This cursor cannot be read. Use one that a page gave."


def page_size(first: Any, last: Any) -> int:
    """How many rows were asked for. Raises BadUserInput unless exactly one of both is between 1 and 500."""
    if (first is None) == (last is None):
        raise BadUserInput("Give first or last, and only one of both.")
    size: int = first if last is None else last
    if not 1 <= size <= MOST:
        raise BadUserInput(f"{'first' if last is None else 'last'} must be between 1 and {MOST}, not {size}.")
    return size


def fingerprint(order: str, filtered: Sequence[Any]) -> str:
    """What ties a cursor to the order and the filter that it came from."""
    told = orjson.dumps([order, *filtered], default=str, option=orjson.OPT_NON_STR_KEYS)
    return blake2b(told, digest_size=_FINGERPRINT // 2).hexdigest()


def encode_cursor(mark: str, values: str) -> str:
    """An opaque cursor: the fingerprint and the sort values of a row as text, the id last."""
    return b2a_base64((mark + values).encode(), newline=False).decode()


def decode_cursor(cursor: str, mark: str, kinds: Sequence[str]) -> tuple[Any, ...]:
    """The sort values that a cursor holds. Raises BadUserInput for one of another order, filter or maker."""
    try:
        text = b64decode(cursor, validate=True).decode()
        if not text.startswith(mark):
            raise BadUserInput(_OF_ANOTHER if _MARK.match(text) else _UNREADABLE)
        parts = text.removeprefix(mark).split("|")
        return tuple(_READ[kind](part) for kind, part in zip(kinds, parts, strict=True))
    except (NotBase64, ValueError, OverflowError, UnicodeDecodeError) as unreadable:
        raise BadUserInput(_UNREADABLE) from unreadable


def time_mark(value: datetime) -> int:
    """A moment in a cursor: microseconds since 1970."""
    if value.tzinfo is None:  # the driver's form of -infinity
        value = value.replace(tzinfo=UTC)
    return (value - _EPOCH) // _MICROSECOND


def moment_at(mark: str | int) -> datetime:
    """The moment of a mark."""
    return _EPOCH + int(mark) * _MICROSECOND


def day_mark(value: date) -> int:
    """A day in a cursor: its ordinal."""
    return value.toordinal()


def text_mark(value: str) -> str:
    """A text in a cursor."""
    return quote(value, safe="")


def within_int64(number: int) -> int:
    """A whole number that PostgreSQL takes. Raises ValueError."""
    if not -(2**63) <= number < 2**63:
        raise ValueError(number)
    return number


_READ: dict[str, Callable[[str], Any]] = {
    "time": moment_at,
    "day": lambda part: date.fromordinal(int(part)),
    "number": lambda part: within_int64(int(part)),
    "text": unquote,
    "id": UUID,
}
