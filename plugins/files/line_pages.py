"""Lines of orders, adjustments and refunds, as the plain rows that the host groups into documents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from plugins.files import cells
from plugins.files.mapper import Mapper, without
from plugins.files.mapping import required_fields
from tenure_sdk import LINE_COLUMNS, LinePage, Reject

if TYPE_CHECKING:
    from collections.abc import Callable

    from plugins.files.batches import Batch
    from plugins.files.mapper import Mapped
    from plugins.files.mapping import FieldRule, LocaleTable, Mapping
    from tenure_sdk import Cursor


class LinePages:
    """Makes `LinePage`s of batches."""

    def __init__(self, mapping: Mapping) -> None:
        self._mapper = Mapper(mapping, _converters(mapping), required_fields(mapping))
        self.skip, self.close = self._mapper.skip, self._mapper.close
        self._columns = tuple(
            name for name in LINE_COLUMNS if name in {"line", "document", "type"} or name in mapping.fields
        )
        # An id of columns can come back later in the file; one of the line or its content cannot.
        self._complete = not isinstance(mapping.record.id, tuple)

    def page(self, batch: Batch, cursor: Cursor) -> LinePage:
        """The page of these lines."""
        found = self._mapper.mapped(batch)
        if "quantity" in found.columns:
            found = without(found, _half_lines(found))
        columns = {"line": found.lines, "document": found.ids, "type": found.types, **found.columns}
        return LinePage(
            columns=self._columns,
            rows=list(zip(*(columns[name] for name in self._columns), strict=True)),
            complete=self._complete,
            cursor=cursor,
            rejects=found.rejects,
            progress=batch.progress,
        )


def _half_lines(found: Mapped) -> dict[int, list[Reject]]:
    """Lines with a quantity and no price, or a price and no quantity: nobody can say what they are worth."""
    quantities, prices = found.columns["quantity"], found.columns["unit_price"]
    problems: dict[int, list[Reject]] = {}
    for place, (quantity, price) in enumerate(zip(quantities, prices, strict=True)):
        if (quantity is None) is not (price is None):
            field = "quantity" if quantity is None else "unit_price"
            problems[place] = [found.reject(place, field, None, "is missing")]
    return problems


def _converters(mapping: Mapping) -> dict[str, Callable[[str], Any]]:
    return {name: _converter(name, rule, mapping.locale) for name, rule in mapping.rules().items()}


_FIXED: dict[str, Callable[[str], Any]] = {
    "customer": cells.key,
    "order": cells.key,
    "sku": cells.key,
    "currency": cells.code(3, "ISO 4217"),
    "country": cells.code(2, "ISO 3166"),
    "status": cells.one_of("OPEN", "COMPLETED", "CANCELLED"),
}
_NUMBERS = {"total", "units", "quantity", "unit_price", "discount", "tax", "cost"}


def _converter(name: str, rule: FieldRule, locale: LocaleTable) -> Callable[[str], Any]:
    if name == "occurred_at":
        return cells.instant(rule, locale)
    if name in _NUMBERS:
        return cells.decimal(rule.decimal or locale.decimal)
    return _FIXED.get(name, cells.text)
