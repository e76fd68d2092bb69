"""What stands in a cell: text in, a typed value out, or the reason why it cannot be."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from tenure_sdk import Ref, fold_digits, fold_key

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from plugins.files.mapping import FieldRule, LocaleTable

# Columns repeat themselves (dates, codes, prices), so a value is converted once; past this many it starts over, which
# keeps memory flat however long the file is.
REMEMBERED = 16_384

LARGEST = Decimal(10) ** 14
SMALLEST_STEP = Decimal("0.000001")
"""Quantities, prices and amounts are kept to six decimals, below 10 to the 14th."""


class Unusable:
    """What a cell converts to when it cannot be converted."""

    __slots__ = ("reason",)

    def __init__(self, reason: str) -> None:
        self.reason = reason


class Remembered(dict[str | None, Any]):
    """What a function makes of the texts of a column: `remembered[text]` asks it once per text."""

    def __init__(self, find: Callable[[str | None], Any]) -> None:
        super().__init__()
        self._find = find

    def __missing__(self, text: str | None) -> Any:
        if len(self) >= REMEMBERED:
            self.clear()
        self[text] = found = self._find(text)
        return found


class Values(Remembered):
    """The values of one field by the text of their cells."""

    def __init__(self, convert: Callable[[str], Any], rule: FieldRule, *, required: bool) -> None:
        super().__init__(self._usable)
        self._convert = convert
        self._rule = rule
        self._required = required
        self.has_unusable = False
        """Whether any text so far was unusable: only then is a column worth searching for them."""

    def _usable(self, text: str | None) -> Any:
        try:
            return self._value(text)
        except ValueError as problem:
            self.has_unusable = True
            return Unusable(str(problem))

    def _value(self, text: str | None) -> Any:
        rule = self._rule
        cell = text.strip() if text else ""
        if rule.values and cell:
            cell = self._listed(cell)
        cell = cell or rule.default or ""
        if cell:
            return self._convert(cell)
        if self._required:
            raise ValueError("is missing")
        return None

    def _listed(self, cell: str) -> str:
        if cell in self._rule.values:
            return self._rule.values[cell]
        if self._rule.unlisted == "reject":
            raise ValueError("is not among the values that the mapping lists")
        return cell if self._rule.unlisted == "keep" else ""


def text(cell: str) -> str:
    """The text as it stands, without NUL, which no database keeps."""
    return cell.replace("\0", "")


def key(cell: str) -> str:
    """An identity key, folded: the same customer however it was typed."""
    if not (folded := fold_key(text(cell))):
        raise ValueError("is missing")
    if len(folded) > 512:
        raise ValueError("is longer than 512 characters")
    return folded


def one_of(*allowed: str) -> Callable[[str], str]:
    """One of these words, in whatever case it is written."""

    def convert(cell: str) -> str:
        if (word := cell.upper()) not in allowed:
            raise ValueError(f"is none of {', '.join(allowed)}")
        return word

    return convert


def code(letters: int, standard: str) -> Callable[[str], str]:
    """A code of so many letters: a currency, a country."""

    def convert(cell: str) -> str:
        if not (len(cell) == letters and cell.isascii() and cell.isalpha()):
            raise ValueError(f"is no {standard} code of {letters} letters")
        return cell.upper()

    return convert


# Groups of thousands are taken only where they are groups: 1,5 is not 15.
_NUMBERS = {
    ".": re.compile(r"[+-]?(?:\d+|\d{1,3}(?:[,\u066c '\u00a0\u202f]\d{3})+)(?:[.\u066b]\d+)?(?:[eE][+-]?\d{1,2})?"),
    ",": re.compile(r"[+-]?(?:\d+|\d{1,3}(?:[.\u066c '\u00a0\u202f]\d{3})+)(?:[,\u066b]\d+)?(?:[eE][+-]?\d{1,2})?"),
}
_GROUPS = {".": re.compile("[,\u066c '\u00a0\u202f]"), ",": re.compile("[.\u066c '\u00a0\u202f]")}


def decimal(point: str) -> Callable[[str], Decimal]:
    """A number whose decimal mark is `point` (or the Arabic one), with or without groups of thousands."""
    number, group = _NUMBERS[point], _GROUPS[point]

    def convert(cell: str) -> Decimal:
        digits = fold_digits(cell).replace("\u2212", "-")
        if not number.fullmatch(digits):
            raise ValueError(f"is no number with the decimal mark {point}")
        value = Decimal(group.sub("", digits).replace(point, ".").replace("\u066b", "."))
        if abs(value) >= LARGEST:
            raise ValueError("is too large: numbers are below 10 to the 14th")
        exponent = value.as_tuple().exponent
        return value.quantize(SMALLEST_STEP) if isinstance(exponent, int) and exponent < -6 else value

    return convert


def integer(cell: str) -> int:
    """A whole number."""
    if not re.fullmatch(r"[+-]?\d{1,18}", digits := fold_digits(cell)):
        raise ValueError("is no whole number")
    return int(digits)


def boolean(cell: str) -> bool:
    """A yes or a no."""
    word = fold_digits(cell).lower()
    if word not in {"true", "yes", "1", "false", "no", "0"}:
        raise ValueError("is neither true nor false")
    return word in {"true", "yes", "1"}


def instant(rule: FieldRule, locale: LocaleTable) -> Callable[[str], datetime]:
    """A moment in UTC. Without an offset it is local to the time zone: a date alone is its midnight there."""
    read = _moment_reader(rule, locale)
    zone = ZoneInfo(rule.time_zone or locale.time_zone)

    def convert(cell: str) -> datetime:
        moment = read(fold_digits(cell))
        try:
            return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
        except OverflowError as error:
            raise ValueError("is outside the calendar") from error

    return convert


def day(rule: FieldRule, locale: LocaleTable) -> Callable[[str], date]:
    """A day of the calendar."""
    read = _moment_reader(rule, locale)
    return lambda cell: read(fold_digits(cell)).date()


def _moment_reader(rule: FieldRule, locale: LocaleTable) -> Callable[[str], datetime]:
    formats = rule.date_format if rule.date_format is not None else locale.date_format
    formats = (formats,) if isinstance(formats, str) else formats
    if (rule.calendar or locale.calendar) == "jalali":
        return _strptime_reader(formats or ("%Y/%m/%d", "%Y-%m-%d"), _jalali)
    return _strptime_reader(formats, datetime.strptime) if formats else _iso


def _iso(cell: str) -> datetime:
    try:
        return datetime.fromisoformat(cell)
    except ValueError as error:
        raise ValueError("is no date like 2011-12-09 or 2011-12-09T12:50:00") from error


def _strptime_reader(formats: Sequence[str], parse: Callable[[str, str], datetime]) -> Callable[[str], datetime]:
    def read(cell: str) -> datetime:
        for form in formats:
            try:
                return parse(cell, form)
            except (ValueError, OverflowError):
                continue
        raise ValueError(f"is no date of the form {' or '.join(formats)}")

    return read


def _jalali(cell: str, form: str) -> datetime:
    import jdatetime

    return jdatetime.datetime.strptime(cell, form).togregorian()  # type: ignore[no-any-return]


def refs(kind: str) -> Callable[[str], Ref]:
    """A record of this type, by its id."""
    return lambda cell: Ref(kind, key(cell))


def several(separator: str | None, convert: Callable[[str], str]) -> Callable[[str], tuple[str, ...]]:
    """All values of a cell that the separator divides."""

    def split(cell: str) -> tuple[str, ...]:
        parts = cell.split(separator) if separator else [cell]
        return tuple(convert(part.strip()) for part in parts if part.strip())

    return split
