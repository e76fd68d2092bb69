"""SQL with named places for values, and the values that fill them."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from api.reads.inputs import Given, Input, Variables

_PLACE = re.compile(r"\x01(\d+):([a-z0-9\[\]]+)\x02")

Bind = Callable[[Variables, list[Any], Any], Any]
"""Makes one value from the variables, the values made before it and the reader's context."""


@dataclass(frozen=True)
class Statement:
    """The text of a statement and which values of the plan are its parameters; $1 is always the tenant."""

    sql: str
    values: tuple[int, ...]


@dataclass
class Binds:
    """The values of a plan, in the order in which they are made."""

    made: list[Bind] = field(default_factory=list)
    _of_reader: dict[str, int] = field(default_factory=dict)

    def add(self, bind: Bind) -> int:
        """A further value; returns its place."""
        self.made.append(bind)
        return len(self.made) - 1

    def value(self, part: Input, convert: Callable[[Any], Any] | None = None, default: Any = None) -> int:
        """What a client gave, converted, or a default."""
        if not isinstance(part, Given):
            return self.add(lambda _variables, _a, _cx: default)
        if convert is None:
            return self.add(lambda variables, _a, _cx: part.read(variables))
        return self.add(lambda variables, _a, _cx: convert(part.read(variables)))

    def token(
        self, part: Input, convert: Callable[[Any], Any] | None = None, pg: str = "text", default: Any = None
    ) -> str:
        """The place in SQL of what a client gave."""
        return self.typed(self.value(part, convert, default), pg)

    def typed(self, index: int, pg: str) -> str:
        """The place in SQL of a value, cast to a type."""
        return f"\x01{index}:{pg}\x02"

    def of_reader(self, name: str, pg: str) -> str:
        """The place in SQL of something about whoever asks: the moment, the principal, the token."""
        if name not in self._of_reader:
            self._of_reader[name] = self.add(lambda _variables, _a, cx: getattr(cx, name))
        return self.typed(self._of_reader[name], pg)

    def now(self) -> str:
        """The place in SQL of the moment of the request."""
        return self.of_reader("now", "timestamptz")

    def all(self, variables: Variables, context: Any) -> list[Any]:
        """Every value for one request. Raises BadUserInput for one that cannot be accepted."""
        values: list[Any] = []
        for bind in self.made:
            values.append(bind(variables, values, context))
        return values


def statement(sql: str, lead: int = 1) -> Statement:
    """Number the places of a statement after its `lead` leading parameters."""
    used: list[int] = []

    def number(found: re.Match[str]) -> str:
        index = int(found[1])
        if index not in used:
            used.append(index)
        return f"${lead + 1 + used.index(index)}::{found[2]}"

    return Statement(_PLACE.sub(number, sql), tuple(used))
