"""What the value of a property can be, and how a request's value is checked."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, Protocol

from plugins.quickbooks.sandbox import refusals

if TYPE_CHECKING:
    from collections.abc import Mapping

CENT = Decimal("0.01")


class Kind(Protocol):
    """A kind of value."""

    def checked(self, value: Any, path: str) -> Any:
        """The value as it is kept; refused when it is not of this kind."""

    def comparable(self, value: Any) -> Any:
        """What a query compares, None when this kind cannot be asked for."""


@dataclass(frozen=True)
class Text:
    """A text of limited length."""

    limit: int

    def checked(self, value: Any, path: str) -> str:
        """The text itself; a number is taken for one, as the vendor does."""
        if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
            raise refusals.invalid(f"{path} is not a string", path)
        text = str(value)
        if len(text) > self.limit:
            raise refusals.wrong_length(path, self.limit, len(text))
        return text

    def comparable(self, value: Any) -> Any:
        """The text."""
        return value


@dataclass(frozen=True)
class Flag:
    """True or false."""

    def checked(self, value: Any, path: str) -> bool:
        """The truth value, also from its name."""
        if value in (True, "true"):
            return True
        if value in (False, "false"):
            return False
        raise refusals.invalid(f"{path} is not a boolean", path)

    def comparable(self, value: Any) -> Any:
        """The truth value."""
        return value


@dataclass(frozen=True)
class Amount:
    """An exact decimal."""

    def checked(self, value: Any, path: str) -> Decimal:
        """The decimal, also from its digits."""
        if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
            raise refusals.invalid(f"{path} is not a number", path)
        try:
            amount = Decimal(value)
        except InvalidOperation:
            raise refusals.invalid(f"{path} is not a number", path) from None
        if not amount.is_finite() or abs(amount) >= Decimal(10) ** 12:
            raise refusals.invalid(f"{path} is out of range", path)
        return amount

    def comparable(self, value: Any) -> Any:
        """The decimal."""
        return Decimal(value)


@dataclass(frozen=True)
class Day:
    """A date of the company's calendar."""

    def checked(self, value: Any, path: str) -> str:
        """The date, as it is written."""
        try:
            return date.fromisoformat(value).isoformat()
        except (TypeError, ValueError):
            raise refusals.invalid(f"{path} is not a date", path) from None

    def comparable(self, value: Any) -> Any:
        """The date, as it is written."""
        return value


@dataclass(frozen=True)
class Choice:
    """One of some words."""

    words: tuple[str, ...]

    def checked(self, value: Any, path: str) -> str:
        """The word."""
        if value not in self.words:
            raise refusals.not_a_choice(path, value)
        return str(value)

    def comparable(self, value: Any) -> Any:
        """The word."""
        return value


@dataclass(frozen=True)
class Reference:
    """A reference to an object of the company. Its name is the vendor's to fill in."""

    entity: str

    def checked(self, value: Any, path: str) -> dict[str, str]:
        """The reference; whether it leads anywhere is the company's to say."""
        if not isinstance(value, dict) or set(value) - {"value", "name", "type"}:
            raise refusals.invalid(f"{path} is not a reference", path)
        if not value.get("value"):
            raise refusals.required(path)
        return {"value": str(value["value"])}

    def comparable(self, value: Any) -> Any:
        """The id that is referred to."""
        return value["value"]


@dataclass(frozen=True)
class Parts:
    """An object with properties of its own; `main` is the one that a query compares."""

    properties: Mapping[str, Kind]
    main: str = ""
    computed: frozenset[str] = field(default_factory=frozenset)

    def checked(self, value: Any, path: str) -> dict[str, Any]:
        """The properties that have a value, without those that the vendor computes."""
        if not isinstance(value, dict):
            raise refusals.invalid(f"{path} is not an object", path)
        return checked_properties(self.properties, self.computed, value, path)

    def comparable(self, value: Any) -> Any:
        """The main property."""
        return value.get(self.main) if self.main else None


@dataclass(frozen=True)
class Many:
    """A list."""

    kind: Kind

    def checked(self, value: Any, path: str) -> list[Any]:
        """The list, each item checked."""
        if not isinstance(value, list):
            raise refusals.invalid(f"{path} is not a list", path)
        return [self.kind.checked(item, path) for item in value]

    def comparable(self, value: Any) -> Any:  # noqa: ARG002 - a list cannot be asked for
        """None: a list cannot be asked for."""
        return None


def checked_properties(
    properties: Mapping[str, Kind], computed: frozenset[str], given: dict[str, Any], path: str = ""
) -> dict[str, Any]:
    """What was given, checked; None and the empty string mean that there is no value."""
    kept: dict[str, Any] = {}
    for name, value in given.items():
        full = f"{path}.{name}" if path else name
        if name in computed:
            continue
        if name not in properties:
            raise refusals.invalid(f"Property Name:{full} specified is unsupported or invalid", full)
        kept[name] = None if value is None or value in ("", {}) else properties[name].checked(value, full)
    if not path:
        return kept
    return {name: value for name, value in kept.items() if value is not None}
