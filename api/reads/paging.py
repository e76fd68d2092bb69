"""The page that a connection is asked for, as SQL and as the code that tells of it."""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from api import pages
from api.reads.inputs import Given, Input, Variables
from api.reads.mapping import Many, Order
from api.reads.rows import Level
from api.reads.statement import Binds

_MARKS = {"time": "time_mark({})", "day": "day_mark({})", "text": "text_mark({})", "number": "{}", "id": "{}.hex"}
_PG = {"time": "timestamptz", "day": "date", "text": "text", "number": "int8", "id": "uuid"}


class Page:
    """The page that a connection was asked for: its order, its size, where it begins, and its cursors."""

    def __init__(self, binds: Binds, spec: Many, arguments: Mapping[str, Input], level: Level) -> None:
        self.level = level
        first, last, after, before = (arguments.get(name) for name in ("first", "last", "after", "before"))
        self.backward = first is None and last is not None
        self.has_after, self.has_before = after is not None, before is not None
        self.terms = _terms(spec, arguments.get("orderBy"))
        self.looks_ahead = False
        self._binds = binds
        asked = last if first is None else first
        self._fixed = asked.now if isinstance(asked, Given) and asked.fixed and 1 <= asked.now <= pages.MOST else None
        self.size = binds.add(
            lambda variables, _a, _cx: pages.page_size(_read(first, variables), _read(last, variables))
        )
        described = ",".join(f"{name}{' desc' if descending else ''}" for name, descending, _ in self.terms)
        leaves = list(_leaves(arguments.get("filter"))) + list(_leaves(arguments.get("search")))
        told = [name for name, _ in leaves]
        self.mark = binds.add(
            lambda variables, _a, _cx: pages.fingerprint(
                f"{spec.target}:{described}:{told}", [leaf.read(variables) for _, leaf in leaves]
            )
        )
        alias = level.alias
        self.order = ", ".join(
            f"{order.sql.format(t=alias)}{' desc' if descending != self.backward else ''}"
            for _, descending, order in self.terms
        )
        self.bounds = self._beyond(after, ahead=True) + self._beyond(before, ahead=False)
        """What keeps the rows to those behind the one cursor and before the other, to be added to a WHERE."""

    @property
    def limit(self) -> str:
        """What limits the statement: one row more than the page where it says whether there are others."""
        more = 1 if self.looks_ahead else 0
        if self._fixed is not None and not self.level.nested:
            # PostgreSQL takes a limit that it does not know for a tenth of all rows, so it would plan a root anew each
            # time. Below a root a known limit makes it do so: a few known keys then seem cheaper than any number.
            return str(self._fixed + more)
        size = self.size
        index = self._binds.add(lambda _variables, a, _cx: a[size] + more)
        return self._binds.typed(index, "int4")

    @property
    def turn(self) -> str:
        """Rows that were read backwards are turned round."""
        return "[::-1]" if self.backward else ""

    @property
    def cursor(self) -> str:
        """The code that makes the cursor of a row."""
        return self._cursor_of(self.level.row.code)

    def info(self, name: str) -> str:
        """The code of one field of pageInfo."""
        rows = self.level.rows
        match name:
            case "hasNextPage":
                return self._more() if not self.backward else repr(self.has_before)
            case "hasPreviousPage":
                return self._more() if self.backward else repr(self.has_after)
            case "startCursor" | "endCursor":
                at = "s" if (name == "startCursor") != self.backward else "t - 1"
                return f"({self._cursor_of(f'{rows}[{at}]')} if t > s else None)"
            case _:
                return "'PageInfo'"

    def _more(self) -> str:
        self.looks_ahead = True
        return "e > t"

    def _cursor_of(self, row: str) -> str:
        marks = []
        for _, _, order in self.terms:
            value = self.level.row.column(order.sql.format(t=self.level.alias)).replace(self.level.row.code, row, 1)
            marks.append("{" + _MARKS[order.kind].format(value) + "}")
        return f"encode_cursor(a[{self.mark}], f'{'|'.join(marks)}')"

    def _beyond(self, cursor: Input, *, ahead: bool) -> str:
        """Only the rows behind (or before) a cursor, in the order of the connection."""
        if not isinstance(cursor, Given):
            return ""
        kinds, mark = [order.kind for _, _, order in self.terms], self.mark
        at = self._binds.add(lambda variables, a, _cx: pages.decode_cursor(cursor.read(variables), a[mark], kinds))
        sides = []
        for position, (_, descending, order) in enumerate(self.terms):
            index = self._binds.add(partial(_mark_at, at, position))
            value = self._binds.typed(index, _PG[order.kind])
            sides.append((order.sql.format(t=self.level.alias), "<" if descending == ahead else ">", value))
        if len({operator for _, operator, _ in sides}) == 1:
            left, right = ", ".join(side[0] for side in sides), ", ".join(side[2] for side in sides)
            return f" and ({left}) {sides[0][1]} ({right})"
        alternatives = []
        for position, (expression, operator, value) in enumerate(sides):
            ties = "".join(f"{tied} = {same} and " for tied, _, same in sides[:position])
            alternatives.append(f"({ties}{expression} {operator} {value})")
        return f" and ({' or '.join(alternatives)})"


def _terms(spec: Many, chosen: Input) -> list[tuple[str, bool, Order]]:
    """What a connection is sorted by: what was asked for, else the default, and always the id at last."""
    terms: list[tuple[str, bool, Order]] = []
    asked = (
        [(part["field"], part.get("direction")) for part in chosen if isinstance(part, dict)]
        if isinstance(chosen, list)
        else []
    )
    for field_, direction in asked:
        name = str(field_.now.value) if isinstance(field_, Given) else ""
        descending = isinstance(direction, Given) and direction.now.value == "DESC"
        if name not in {term[0] for term in terms}:
            terms.append((name, descending, spec.orders[name]))
    if not terms:
        terms = [(name, descending, spec.orders[name]) for name, descending in spec.default]
    names = [term[0] for term in terms]
    if "ID" in names:
        return terms[: names.index("ID") + 1]
    return [*terms, ("ID", terms[0][1], spec.orders["ID"])]


def _leaves(part: Input, path: str = "") -> Iterable[tuple[str, Given]]:
    """Every leaf of an input with the path to it."""
    if isinstance(part, Given):
        yield path, part
    elif isinstance(part, dict):
        for key, inner in part.items():
            yield from _leaves(inner, f"{path}.{key}")
    elif isinstance(part, list):
        for index, inner in enumerate(part):
            yield from _leaves(inner, f"{path}.{index}")


def _read(part: Input, variables: Variables) -> Any:
    return part.read(variables) if isinstance(part, Given) else None


def _mark_at(cursor: int, position: int, _variables: Variables, values: Sequence[Any], _reader: Any) -> Any:
    """One of the sort values of a decoded cursor."""
    return values[cursor][position]
