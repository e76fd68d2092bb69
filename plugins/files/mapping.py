"""A mapping file: what the lines of a file are, and which column goes where."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple, TypeAlias, get_type_hints
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Meta, Struct

from tenure_sdk import (
    LINE_COLUMNS,
    LINE_TYPES,
    PAYLOADS,
    RECORD_TYPES,
    REQUIRED_LINE_COLUMNS,
    Address,
    ConfigInvalid,
    ContractEvent,
)
from tenure_sdk.records import SOURCE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Name: TypeAlias = Annotated[str, Meta(min_length=1)]
Encoding: TypeAlias = Literal["auto", "utf-8", "utf-16", "cp1252", "cp1256"]
Delimiter: TypeAlias = Literal["auto", ",", ";", "\t", "|"]
Calendar: TypeAlias = Literal["gregorian", "jalali"]
RecordKind: TypeAlias = Literal[
    "order",
    "adjustment",
    "refund",
    "customer",
    "product",
    "interaction",
    "contract",
    "opportunity",
    "cost",
    "exchange_rate",
]


class Strict(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of the mapping: a key that it does not know is refused."""


class FixedColumn(Strict, frozen=True, kw_only=True):
    """A column of a fixed width file: where it starts, from 0, and how many characters it has."""

    name: Name
    start: Annotated[int, Meta(ge=0)]
    width: Annotated[int, Meta(ge=1)]


class FileTable(Strict, frozen=True, kw_only=True):
    """`[file]`: how the file is written."""

    format: Literal["csv", "fixed", "jsonl", "parquet"]
    encoding: Encoding = "auto"
    delimiter: Delimiter = "auto"
    header: tuple[Name, ...] = ()
    """fixed: the words of the header line, which must stand there exactly; none: there is no header line."""
    columns: tuple[Name | FixedColumn, ...] = ()
    """csv: the names of the columns of a file without a header; fixed: all names, or places with names."""


class LocaleTable(Strict, frozen=True, kw_only=True):
    """`[locale]`: how dates and numbers are written, where a field does not say otherwise."""

    time_zone: str = "UTC"
    decimal: Literal[".", ","] = "."
    calendar: Calendar = "gregorian"
    date_format: str | tuple[str, ...] = ()


class Condition(Strict, frozen=True, kw_only=True):
    """A statement about one column of a line; exactly one of its tests is given."""

    column: Name
    equals: str | None = None
    one_of: tuple[str, ...] | None = None
    starts_with: str | None = None
    matches: str | None = None
    """A regular expression that the value matches somewhere."""
    empty: bool | None = None

    def holds(self, text: str | None) -> bool:
        """Whether the statement is true of this cell."""
        value = (text or "").strip()
        if self.empty is not None:
            return (not value) is self.empty
        if self.equals is not None:
            return value == self.equals
        if self.one_of is not None:
            return value in self.one_of
        if self.starts_with is not None:
            return value.startswith(self.starts_with)
        return re.search(self.matches or "", value) is not None


class TypeRule(Strict, frozen=True, kw_only=True):
    """Lines of which the condition holds are of this type."""

    when: Condition
    type: RecordKind


class RecordTable(Strict, frozen=True, kw_only=True):
    """`[record]`: what a line is, and what its record's id is made of."""

    type: RecordKind
    id: Literal["line", "content"] | tuple[Name, ...]
    rules: tuple[TypeRule, ...] = ()
    """The first rule that holds decides; where none does, `type` does."""
    only: tuple[Condition, ...] = ()
    """Lines of which one of these does not hold are passed over."""
    negate: dict[RecordKind, tuple[Name, ...]] = {}
    """The fields whose sign the file writes the other way round, by type: a refund's quantity is positive here."""


class FieldRule(Strict, frozen=True, kw_only=True):
    """Where a field's value comes from, and how it is written there."""

    column: Name | None = None
    constant: str | None = None
    values: dict[str, str] = {}
    """What to put for what stands there: { EIRE = "IE" }."""
    unlisted: Literal["keep", "empty", "reject"] = "keep"
    """What becomes of a value that `values` does not list."""
    default: str | None = None
    """What to take where nothing stands."""
    split: str | None = None
    """What separates several values in one cell, for fields that take several."""
    time_zone: str | None = None
    decimal: Literal[".", ","] | None = None
    calendar: Calendar | None = None
    date_format: str | tuple[str, ...] | None = None


class Mapping(Strict, frozen=True, kw_only=True):
    """A whole mapping file. `source` names whose records these are: same source and id, same record."""

    source: Annotated[str, Meta(pattern=f"^{SOURCE}$")]
    file: FileTable
    record: RecordTable
    fields: dict[str, Name | FieldRule]
    locale: LocaleTable = LocaleTable()

    def rules(self) -> dict[str, FieldRule]:
        """The fields in the order of the mapping, a bare column name written out."""
        return {
            name: rule if isinstance(rule, FieldRule) else FieldRule(column=rule) for name, rule in self.fields.items()
        }

    def types(self) -> tuple[RecordKind, ...]:
        """Every type that a line can have."""
        return tuple(dict.fromkeys((self.record.type, *(rule.type for rule in self.record.rules))))

    def makes_lines(self) -> bool:
        """Whether the file's lines make documents (orders, adjustments, refunds) rather than records of their own."""
        return self.record.type in LINE_TYPES

    def makes_contracts(self) -> bool:
        """Whether the file's lines are what happened to contracts."""
        return self.record.type == "contract"

    def columns(self) -> tuple[str, ...]:
        """The columns that the file must have."""
        ids = self.record.id if isinstance(self.record.id, tuple) else ()
        conditions = (*self.record.only, *(rule.when for rule in self.record.rules))
        fields = (rule.column for rule in self.rules().values() if rule.column)
        return tuple(dict.fromkeys((*ids, *(condition.column for condition in conditions), *fields)))


def load(path: Path) -> Mapping:
    """The mapping in this file; ConfigInvalid names the key that is wrong and says what may stand there."""
    try:
        return parse(path.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise ConfigInvalid(f"The mapping {path.name} cannot be read: {error.strerror}.", key="mapping") from error
    except UnicodeDecodeError as error:
        raise ConfigInvalid(f"The mapping {path.name} is not UTF-8 text.", key="mapping") from error


def parse(text: str) -> Mapping:
    """The mapping that this TOML text describes."""
    try:
        mapping = msgspec.convert(tomllib.loads(text), Mapping)
    except tomllib.TOMLDecodeError as error:
        raise ConfigInvalid(f"The mapping is not TOML: {error}.", key="mapping") from error
    except msgspec.ValidationError as error:
        reason, _, place = str(error).partition(" - at ")
        key = place.strip("`").removeprefix("$").removeprefix(".") or "mapping"
        raise ConfigInvalid(f"The mapping is wrong at {key}: {reason}.", key=key) from error
    for problem in _problems(mapping):
        raise ConfigInvalid(f"The mapping is wrong at {problem.key}: {problem.reason}.", key=problem.key)
    return mapping


class Problem(NamedTuple):
    """A key of the mapping, and why what stands there cannot be."""

    key: str
    reason: str


def _problems(mapping: Mapping) -> Iterator[Problem]:
    """What the types of the tables cannot see."""
    yield from _file_problems(mapping.file)
    yield from _record_problems(mapping)
    for name, rule in mapping.rules().items():
        yield from _field_problems(name, rule)
    yield from _target_problems(mapping)
    yield from _zone_problems("locale.time_zone", mapping.locale.time_zone)


def _file_problems(file: FileTable) -> Iterator[Problem]:
    placed = [isinstance(column, FixedColumn) for column in file.columns]
    if file.format == "fixed" and not file.columns:
        yield Problem("file.columns", "a fixed width file needs its columns: names, or places with names")
    if file.format != "fixed" and (file.header or any(placed)):
        yield Problem("file", f"header and places of columns are for fixed width files, not for {file.format}")
    if file.format in {"jsonl", "parquet"} and file.columns:
        yield Problem("file.columns", f"a {file.format} file names its columns itself")
    if any(placed) and not all(placed):
        yield Problem("file.columns", "give every column a place, or none")


def _record_problems(mapping: Mapping) -> Iterator[Problem]:
    record = mapping.record
    if len({kind in LINE_TYPES for kind in mapping.types()}) > 1:
        yield Problem("record.rules", "orders, adjustments and refunds do not mix with other types in one file")
    if "contract" in mapping.types():
        if len(mapping.types()) > 1:
            yield Problem("record.rules", "contracts do not mix with other types in one file")
        if isinstance(record.id, str):
            yield Problem("record.id", "name the columns that say which contract a line is about")
    if record.id == ():
        yield Problem("record.id", 'name at least one column, or write "line" or "content"')
    conditions = [(f"record.only[{place}]", condition) for place, condition in enumerate(record.only)]
    conditions += [(f"record.rules[{place}].when", rule.when) for place, rule in enumerate(record.rules)]
    for key, condition in conditions:
        tests = [condition.equals, condition.one_of, condition.starts_with, condition.matches, condition.empty]
        if sum(test is not None for test in tests) != 1:
            yield Problem(key, "give exactly one of equals, one_of, starts_with, matches and empty")
        try:
            re.compile(condition.matches or "")
        except re.error as error:
            yield Problem(f"{key}.matches", f"this is no regular expression: {error}")
    for kind, names in record.negate.items():
        for name in names:
            if name not in NEGATABLE or name not in mapping.fields:
                yield Problem(f"record.negate.{kind}", f"{name} is no number among the fields")


def _field_problems(name: str, rule: FieldRule) -> Iterator[Problem]:
    key = f"fields.{name}"
    if (rule.column is None) == (rule.constant is None):
        yield Problem(key, "give either a column or a constant")
    if rule.unlisted != "keep" and not rule.values:
        yield Problem(f"{key}.unlisted", "this is about values, and there are none")
    yield from _zone_problems(f"{key}.time_zone", rule.time_zone or "UTC")


def _zone_problems(key: str, name: str) -> Iterator[Problem]:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        yield Problem(key, f"{name} is no time zone; write one like Europe/London or Asia/Tehran")


NEGATABLE = ("quantity", "total", "units", "cost")
_MADE_FROM_ID = ("line", "document", "type")


def _target_problems(mapping: Mapping) -> Iterator[Problem]:
    known = line_fields() if mapping.makes_lines() else record_fields(mapping.types())
    for name in mapping.fields:
        stem, dot, rest = name.partition(".")
        if name not in known and not (dot and rest and f"{stem}.*" in known):
            yield Problem(f"fields.{name}", f"there is no such field; there are {', '.join(known)}")
    for name in required_fields(mapping):
        if name not in mapping.fields:
            yield Problem("fields", f"{name} is missing")
    if mapping.makes_lines():
        if ("quantity" in mapping.fields) != ("unit_price" in mapping.fields):
            yield Problem("fields", "quantity and unit_price come together")
        if not {"quantity", "total"} & mapping.fields.keys():
            yield Problem("fields", "give quantity and unit_price of the lines, or the total of a document")


def line_fields() -> tuple[str, ...]:
    """The fields that a mapping of orders, adjustments and refunds can fill."""
    return tuple(name for name in LINE_COLUMNS if name not in _MADE_FROM_ID)


def record_fields(kinds: tuple[RecordKind, ...]) -> tuple[str, ...]:
    """The fields that a mapping of these record types can fill; `x.*` takes any name after the point."""
    names: dict[str, None] = {}
    for kind in kinds:
        for struct in structs_of(kind):
            names |= dict.fromkeys(get_type_hints(struct))
    for taken in ("id", "deleted", "extra", "addresses", "identities", "attributes", "payload", "events"):
        names.pop(taken, None)
    if "customer" in kinds:
        names |= dict.fromkeys(f"address.{field}" for field in get_type_hints(Address))
        names |= {"identity.*": None, "attribute.*": None}
    if "interaction" in kinds:
        names |= dict.fromkeys(f"payload.{field}" for family in PAYLOADS.values() for field in get_type_hints(family))
    return tuple(names) if "contract" in kinds else (*names, "extra.*")


def required_fields(mapping: Mapping) -> tuple[str, ...]:
    """The fields without which a line of the file is no record."""
    if mapping.makes_lines():
        return tuple(name for name in REQUIRED_LINE_COLUMNS if name not in _MADE_FROM_ID)
    structs = [msgspec.structs.fields(struct) for kind in mapping.types() for struct in structs_of(kind)]
    made = {"id", "events"}
    return tuple(
        dict.fromkeys(field.name for fields in structs for field in fields if field.required and field.name not in made)
    )


def structs_of(kind: RecordKind) -> tuple[type[Struct], ...]:
    """What a line of this type fills: its record, and of a contract one of its events."""
    return (RECORD_TYPES[kind], ContractEvent) if kind == "contract" else (RECORD_TYPES[kind],)
