"""What the operations of a run have reached: every field, argument, input field, enum value and concrete type."""

from __future__ import annotations

from collections import Counter
from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    get_named_type,
    is_enum_type,
)

from api.reads.mapping import REGISTRY, Computed, Listing, One

ENOUGH = 5
"""How often every field, argument, operator and concrete type is to be reached; a value that is shown, once."""

CANNOT_BE_REACHED = {
    "CustomerStatus.MERGED": "who was merged answers with the survivor",
    "Calendar.JALALI": "one tenant asks, and its calendar is the other one",
    **dict.fromkeys(
        (f"MissingReason.{reason}" for reason in ("DENOMINATOR_ZERO", "NO_COST", "NO_DATA", "TOO_FEW")),
        "only metrics are missing for it, and those are worked out in Python",
    ),
}
"""What no answer can show, and why."""


class Coverage:
    """Counts what was reached."""

    def __init__(self, schema: GraphQLSchema) -> None:
        self.counts: Counter[str] = Counter()
        self.all = frozenset(_everything(schema)) - CANNOT_BE_REACHED.keys()
        self._values = {f"{of.name}.{value}" for of in reachable(schema) if is_enum_type(of) for value in of.values}

    def reach(self, item: str) -> None:
        """Something was reached once more."""
        self.counts[item] += 1

    def reach_input(self, of: Any, value: Any) -> None:
        """A value was given for an input type: its fields and enum values were reached."""
        named = get_named_type(of)
        if isinstance(value, list):
            for part in value:
                self.reach_input(of, part)
        elif isinstance(named, GraphQLInputObjectType) and isinstance(value, dict):
            for key, part in value.items():
                if part is not None:
                    self.reach(f"{named.name}.{key}")
                    self.reach_input(named.fields[key].type, part)
        elif isinstance(named, GraphQLEnumType) and value is not None:
            self.reach(f"{named.name}.{value}")

    def wish(self, item: str) -> float:
        """How much it is wanted: fully until it was reached often enough, then less and less."""
        count = self.counts[item]
        return 1.0 if count < ENOUGH else 1 / (1 + count) ** 3

    def gaps(self) -> dict[str, int]:
        """What was reached too rarely, and how often."""
        return {item: self.counts[item] for item in sorted(self.all) if self.counts[item] < self._enough(item)}

    def _enough(self, item: str) -> int:
        return 1 if item in self._values else ENOUGH


def _everything(schema: GraphQLSchema) -> set[str]:
    found: set[str] = set()
    for of in reachable(schema):
        name = of.name
        if isinstance(of, GraphQLEnumType):
            found |= {f"{name}.{value}" for value in of.values}
        elif isinstance(of, GraphQLInputObjectType):
            found |= {f"{name}.{key}" for key in of.fields}
        elif isinstance(of, (GraphQLInterfaceType, GraphQLUnionType)):
            found |= {f"{name}:{concrete.name}" for concrete in schema.get_possible_types(of)}
        elif isinstance(of, GraphQLObjectType):
            found |= {f"{name}.{key}" for key in relational(of)}
            found |= {f"{name}.{key}({given})" for key, field in relational(of).items() for given in field.args}
    return found


def relational(of: Any) -> dict[str, Any]:
    """The fields of a type that the planner reads; what is resolved or worked out in Python has no second way."""
    exposed = REGISTRY[of.name].fields if of.name in REGISTRY else {}
    return {key: field for key, field in of.fields.items() if not _is_worked_out(exposed.get(key))}


def _is_worked_out(field: Any) -> bool:
    return isinstance(field, Computed) or (isinstance(field, One | Listing) and field.find is not None)


def reachable(schema: GraphQLSchema) -> list[Any]:
    """Every type that a relational read can meet."""
    found: dict[str, Any] = {}
    waiting: list[Any] = [schema.query_type]
    while waiting:
        of = get_named_type(waiting.pop())
        if of.name in found:
            continue
        found[of.name] = of
        if isinstance(of, (GraphQLInterfaceType, GraphQLUnionType)):
            waiting += schema.get_possible_types(of)
        if isinstance(of, GraphQLInputObjectType):
            waiting += [field.type for field in of.fields.values()]
        elif not isinstance(of, GraphQLUnionType) and hasattr(of, "fields"):
            for field in relational(of).values():
                waiting += [field.type, *(argument.type for argument in field.args.values())]
    return list(found.values())
