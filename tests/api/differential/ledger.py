"""What every cursor stood for, so that the naive completion needs no knowledge of how cursors are written."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Origin:
    """The list that a cursor came from, and where in it the row was."""

    target: str
    terms: tuple[tuple[str, bool], ...]
    told: frozenset[Any]
    """What was filtered and searched for: path and value of every leaf."""
    place: tuple[Any, ...]
    filter: Any = field(compare=False, default=None)
    search: str | None = field(compare=False, default=None)

    def same_list(self, other: Origin) -> bool:
        """Whether both are of one order and one filter."""
        return (self.target, self.terms, self.told) == (other.target, other.terms, other.told)


class Cursor(str):
    """A cursor in a naive answer: it equals whatever text stands for the same origin."""

    origin: Origin
    __slots__ = ("origin",)

    @classmethod
    def of(cls, origin: Origin) -> Cursor:
        """A cursor that stands for an origin."""
        made = cls("cursor")
        made.origin = origin
        return made


class Ledger:
    """The cursors that answers have given so far; one origin has one text, and one text has one origin."""

    def __init__(self) -> None:
        self.origins: dict[str, Origin] = {}
        self._texts: dict[Origin, str] = {}

    def agrees(self, text: Any, cursor: Cursor) -> bool:
        """Whether a text can stand for a cursor; it does from now on."""
        if not isinstance(text, str):
            return False
        known = self._texts.setdefault(cursor.origin, text)
        return known == text and self.origins.setdefault(text, cursor.origin) == cursor.origin

    def known(self, text: Any, cursor: Cursor) -> str:
        """What was known before of a text and of a cursor."""
        return f"which had {self._texts.get(cursor.origin)}; the text stood for {self.origins.get(text)}"

    def of_target(self, target: str) -> list[str]:
        """The cursors of lists of one type."""
        return [text for text, origin in self.origins.items() if origin.target == target]


def leaves(value: Any, path: str = "") -> frozenset[Any]:
    """Every leaf of an input with the path to it; null and unset are the same."""
    if value is None:
        return frozenset()
    if isinstance(value, dict):
        return frozenset().union(*(leaves(part, f"{path}.{key}") for key, part in value.items()))
    if isinstance(value, list) and path.endswith((".and", ".or")):
        return frozenset().union(*(leaves(part, f"{path}.{at}") for at, part in enumerate(value)))
    return frozenset({(path, tuple(value) if isinstance(value, list) else value)})
