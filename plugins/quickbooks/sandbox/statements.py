"""The query language: `SELECT * FROM Customer WHERE Active = true ORDERBY MetaData.LastUpdatedTime MAXRESULTS 1000`.

No OR, no JOIN, no GROUP BY: what is not in the language is refused. A recursive descent of one function per clause; a
parser generator would be a dependency for forty lines of grammar.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from plugins.quickbooks.sandbox import refusals

if TYPE_CHECKING:
    from collections.abc import Iterator

TOKEN = re.compile(
    r"""\s*(?:
      '(?P<text>(?:[^'\\]|\\.)*)'
    | (?P<number>-?\d+(?:\.\d+)?)(?![\w.])
    | (?P<word>[A-Za-z_][\w.]*)
    | (?P<sign><=|>=|<>|!=|[=<>(),*])
    )""",
    re.VERBOSE,
)
COMPARISONS = ("=", "<", ">", "<=", ">=")
DEFAULT_RESULTS = 100
MOST_RESULTS = 1000

Literal = str | bool | Decimal


@dataclass(frozen=True)
class Condition:
    """One comparison; several of them are joined by AND."""

    property: str
    comparison: str
    values: tuple[Literal, ...]


@dataclass(frozen=True)
class Order:
    """One property of an ORDERBY."""

    property: str
    descending: bool = False


@dataclass(frozen=True)
class Statement:
    """A query."""

    entity: str
    counts: bool = False
    chosen: tuple[str, ...] = ()
    conditions: tuple[Condition, ...] = ()
    orders: tuple[Order, ...] = ()
    start: int = 1
    most: int = DEFAULT_RESULTS


def parse(text: str) -> Statement:
    """The query that a text is; refused when it is none."""
    return _Reader(list(_tokens(text))).statement()


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    position = 0
    while text[position:].strip():
        found = TOKEN.match(text, position)
        if not found or not found.lastgroup:
            raise refusals.unparsable(f"Encountered an unexpected character at column {position + 1}")
        value = found[found.lastgroup]
        yield found.lastgroup, re.sub(r"\\(.)", r"\1", value) if found.lastgroup == "text" else value
        position = found.end()
    yield "end", ""


class _Reader:
    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self._tokens = tokens
        self._position = 0

    def statement(self) -> Statement:
        self._expect("SELECT")
        counts, chosen = self._selected()
        self._expect("FROM")
        entity = self._word()
        conditions = self._conditions() if self._accept("WHERE") else ()
        orders = self._orders() if self._accept("ORDERBY") or self._accept("ORDER", "BY") else ()
        start = self._position_after("STARTPOSITION", 1)
        most = self._position_after("MAXRESULTS", DEFAULT_RESULTS)
        if self._kind != "end":
            raise refusals.unparsable(f'Encountered "{self._value}"')
        if start < 1:
            raise refusals.invalid_query(f"value {start} is too small. Min allowed value is 1")
        if most > MOST_RESULTS:
            raise refusals.invalid_query(f"value {most} is too large. Max allowed value is {MOST_RESULTS}")
        return Statement(entity, counts, chosen, conditions, orders, start, most)

    def _selected(self) -> tuple[bool, tuple[str, ...]]:
        if self._accept("COUNT"):
            for sign in "(*)":
                self._expect(sign)
            return True, ()
        chosen = [self._column()]
        while self._accept(","):
            chosen.append(self._column())
        return False, tuple(name for name in chosen if name != "*")

    def _column(self) -> str:
        return "*" if self._accept("*") else self._word()

    def _conditions(self) -> tuple[Condition, ...]:
        found = [self._condition()]
        while self._accept("AND"):
            found.append(self._condition())
        return tuple(found)

    def _condition(self) -> Condition:
        name = self._word()
        if self._accept("IN"):
            self._expect("(")
            values = [self._literal()]
            while self._accept(","):
                values.append(self._literal())
            self._expect(")")
            return Condition(name, "IN", tuple(values))
        if self._accept("LIKE"):
            return Condition(name, "LIKE", (self._literal(),))
        sign = self._value
        if sign not in COMPARISONS:
            raise refusals.unparsable(f'Encountered "{sign}" where a comparison is expected')
        self._position += 1
        return Condition(name, sign, (self._literal(),))

    def _orders(self) -> tuple[Order, ...]:
        found = [self._order()]
        while self._accept(","):
            found.append(self._order())
        return tuple(found)

    def _order(self) -> Order:
        name = self._word()
        if self._accept("DESC"):
            return Order(name, descending=True)
        self._accept("ASC")
        return Order(name)

    def _position_after(self, keyword: str, default: int) -> int:
        if not self._accept(keyword):
            return default
        if self._kind != "number" or not self._value.isdigit():
            raise refusals.unparsable(f'Encountered "{self._value}" after {keyword}')
        self._position += 1
        return int(self._tokens[self._position - 1][1])

    def _literal(self) -> Literal:
        kind, value = self._tokens[self._position]
        self._position += 1
        if kind == "text":
            return value
        if kind == "number":
            return Decimal(value)
        if kind == "word" and value.lower() in {"true", "false"}:
            return value.lower() == "true"
        raise refusals.unparsable(f'Encountered "{value}" where a value is expected')

    def _word(self) -> str:
        if self._kind != "word":
            raise refusals.unparsable(f'Encountered "{self._value}" where a name is expected')
        self._position += 1
        return self._tokens[self._position - 1][1]

    def _expect(self, word: str) -> None:
        if not self._accept(word):
            raise refusals.unparsable(f'Encountered "{self._value}" where {word} is expected')

    def _accept(self, *words: str) -> bool:
        """Whether the next tokens are these words or signs; then they are read."""
        coming = self._tokens[self._position : self._position + len(words)]
        if all(kind in {"word", "sign"} for kind, _ in coming) and [value.upper() for _, value in coming] == list(
            words
        ):
            self._position += len(words)
            return True
        return False

    @property
    def _kind(self) -> str:
        return self._tokens[self._position][0]

    @property
    def _value(self) -> str:
        return self._tokens[self._position][1]
