"""Lines that are records of their own: customers, products, interactions, opportunities, costs, exchange rates."""

from __future__ import annotations

import re
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, get_args, get_origin, get_type_hints

import msgspec

from plugins.files import cells
from plugins.files.mapper import Mapper
from plugins.files.mapping import required_fields, structs_of
from tenure_sdk import PAYLOADS, RECORD_TYPES, Address, AnyRecord, Page, Ref, party, unfit

if TYPE_CHECKING:
    from collections.abc import Callable

    from plugins.files.batches import Batch
    from plugins.files.mapping import FieldRule, LocaleTable, Mapping
    from tenure_sdk import Cursor

_FOLDED = {"emails", "phones", "parties", "identity"}
_SINGULAR = {"addresses": "address", "attributes": "attribute", "identities": "identity"}
_REFERENCES = {"customer": "customer", "organisation": "customer", "referred": "customer", "product": "product"}


class RecordPages:
    """Makes `Page`s of batches."""

    def __init__(self, mapping: Mapping) -> None:
        # What only one of several types requires is seen when the record is made.
        required = required_fields(mapping) if len(mapping.types()) == 1 else ()
        self._mapper = Mapper(mapping, converters(mapping), required)
        self.skip, self.close = self._mapper.skip, self._mapper.close

    def page(self, batch: Batch, cursor: Cursor) -> Page:
        """The page of these lines."""
        found = self._mapper.mapped(batch)
        records: list[AnyRecord] = []
        rejects = found.rejects
        rows = zip(*found.columns.values(), strict=True)
        for place, (record_id, kind, row) in enumerate(zip(found.ids, found.types, rows, strict=True)):
            values = dict(zip(found.columns, row, strict=True))
            try:
                records.append(_record(kind, record_id, values))
            except msgspec.ValidationError as error:
                field, reason = unfit(error)
                name = _as_mapped(field)
                rejects.append(found.reject(place, name, _given(values.get(name or "")), reason))
        lines = dict(zip(found.ids, found.lines, strict=True))
        return Page(records=records, cursor=cursor, rejects=rejects, progress=batch.progress, lines=lines)


def _as_mapped(field: str | None) -> str | None:
    """A record's field as mappings name it: `addresses[0].city` is `address.city`."""
    if field is None:
        return None
    stem, dot, rest = re.sub(r"\[.*?\]", "", field).partition(".")
    return f"{_SINGULAR.get(stem, stem)}{dot}{rest}" if dot else stem


def _given(value: Any) -> str | None:
    """A value as it can be shown."""
    if isinstance(value, dict):
        return str(value["id"])
    return ", ".join(value) if isinstance(value, tuple | list) else None if value is None else str(value)


def _record(kind: str, record_id: str, values: dict[str, Any]) -> AnyRecord:
    """The record that these values are; `address.city` and the like go into their places."""
    fields: dict[str, Any] = {"id": record_id}
    inner: dict[str, dict[str, Any]] = {}
    for name, value in values.items():
        stem, dot, rest = name.partition(".")
        if value is not None:
            (inner.setdefault(stem, {}) if dot else fields)[rest if dot else name] = value
    if address := inner.get("address"):
        fields["addresses"] = [address]
    if identities := inner.get("identity"):
        fields["identities"] = [{"scheme": scheme, "value": value} for scheme, value in identities.items()]
    if parties := fields.get("parties"):
        fields["parties"] = [party(each) for each in parties]
    fields |= {
        plural: inner[stem] for stem, plural in (("attribute", "attributes"), ("extra", "extra")) if stem in inner
    }
    if (payload := inner.get("payload")) and (family := PAYLOADS.get(fields.get("kind", ""))):
        fields["payload"] = {"type": family.__struct_config__.tag, **payload}
    return msgspec.convert(fields, RECORD_TYPES[kind])


def converters(mapping: Mapping) -> dict[str, Callable[[str], Any]]:
    """How the texts of the mapping's fields become values."""
    hints = _hints(mapping)
    return {
        name: _converter(name, hints.get(name, str), rule, mapping.locale) for name, rule in mapping.rules().items()
    }


def _hints(mapping: Mapping) -> dict[str, Any]:
    """The types of the fields that the mapping's record types have, by the names that mappings use."""
    hints: dict[str, Any] = {}
    for kind in mapping.types():
        for struct in structs_of(kind):
            hints |= get_type_hints(struct)
    hints |= {f"address.{name}": hint for name, hint in get_type_hints(Address).items()}
    for family in PAYLOADS.values():
        hints |= {f"payload.{name}": hint for name, hint in get_type_hints(family).items()}
    return hints


def _converter(name: str, hint: Any, rule: FieldRule, locale: LocaleTable) -> Callable[[str], Any]:
    """How the text of a cell becomes a value of the field's type."""
    kinds = set(_plain_types(hint))
    field = name.rpartition(".")[2] if name.startswith(("payload.", "address.")) else name.partition(".")[0]
    text = cells.key if field in _FOLDED else cells.text
    if Ref in kinds:
        return cells.refs(_REFERENCES[field])
    if tuple in kinds:
        return cells.several(rule.split, text)
    if field in {"kind", "direction", "measure", "category", "rule"} or name == "status":
        return str.upper
    if field in {"currency", "base", "quote"}:
        return cells.code(3, "ISO 4217")
    if field == "country":
        return cells.code(2, "ISO 3166")
    makers: dict[type, Callable[[], Callable[[str], Any]]] = {
        Decimal: lambda: cells.decimal(rule.decimal or locale.decimal),
        datetime: lambda: cells.instant(rule, locale),
        date: lambda: cells.day(rule, locale),
        bool: lambda: cells.boolean,
        int: lambda: cells.integer,
    }
    return next((make() for kind, make in makers.items() if kind in kinds), text)


def _plain_types(hint: Any) -> list[type]:
    """The classes that a type annotation is made of: Decimal | None has Decimal and NoneType."""
    origin = get_origin(hint)
    if origin is tuple:
        return [tuple]
    if origin is Annotated:
        return _plain_types(get_args(hint)[0])
    if origin is not None:
        return [
            kind for part in get_args(hint) if isinstance(part, type) or get_origin(part) for kind in _plain_types(part)
        ]
    return [hint]
