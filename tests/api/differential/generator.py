"""Random valid operations, drawn towards what has been reached least; the same seed makes the same operations."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    Undefined,
    get_named_type,
    is_abstract_type,
    is_leaf_type,
)

from domain.tenants.rules import Scope as TokenScope
from tests.api.differential.coverage import ENOUGH, relational
from tests.api.differential.ordering import terms_of
from tests.api.differential.tables import METRICS
from tests.api.differential.world import ATTRIBUTES, START

if TYPE_CHECKING:
    from collections.abc import Mapping
    from random import Random

    from tests.api.differential.coverage import Coverage
    from tests.api.differential.ledger import Ledger
    from tests.api.differential.pools import Pools

ALL_SCOPES = frozenset(str(scope) for scope in TokenScope)
AS_MANY_WITH_THE_SAME_WISHES = 8
"""For so many operations what is wanted stays what it was: to find it out takes longer than to ask."""
ROOTS_WORTH = {"node": 3.0, "nodes": 6.0, "customers": 4.0, "customer": 4.0, "interactions": 3.0}


_COMPARED = {
    "TEXT": ["text"], "INTEGER": ["integerGte", "integerLte"], "DECIMAL": ["decimalGte", "decimalLte"],
    "BOOLEAN": ["boolean"], "DATE": ["dateGte", "dateLte"], "DATETIME": ["timeGte", "timeLt"],
}  # fmt: skip
"""The fields of AttributeFilter that compare, by the type of the attribute."""


@dataclass(frozen=True)
class Variable:
    """A variable of an operation: its type, what it is for, and the default where it has one."""

    name: str
    type: Any
    nullable: bool
    purpose: str
    default: str | None = None

    @property
    def declared(self) -> str:
        """Its declaration."""
        text = str(self.type).removesuffix("!") + ("" if self.nullable else "!")
        return f"${self.name}: {text}" + (f" = {self.default}" if self.default is not None else "")


@dataclass(frozen=True)
class Operation:
    """What somebody asks."""

    text: str
    variables: Mapping[str, Any]
    scopes: frozenset[str] = ALL_SCOPES
    language: str = "en"
    name: str | None = None
    declared: tuple[Variable, ...] = ()


@dataclass
class Keys:
    """The response keys of a selection set: what each stands for, and what is selected below it."""

    taken: dict[str, str] = field(default_factory=dict)
    below: dict[str, Keys] = field(default_factory=dict)

    def admits(self, other: Keys) -> bool:
        """Whether both selection sets can be merged."""
        return all(
            self.taken.get(key, meaning) == meaning and self.below.get(key, Keys()).admits(other.below.get(key, Keys()))
            for key, meaning in other.taken.items()
        )

    def absorb(self, other: Keys) -> None:
        """Merge another selection set into this one."""
        self.taken |= other.taken
        for key, keys in other.below.items():
            self.below.setdefault(key, Keys()).absorb(keys)


@dataclass
class Fragment:
    """A named fragment that can be spread again."""

    name: str
    on: str
    text: str
    keys: Keys


class Generator:
    """Makes operations."""

    def __init__(self, random: Random, schema: GraphQLSchema, pools: Pools, ledger: Ledger, coverage: Coverage) -> None:
        self.random = random
        self.schema = schema
        self.pools = pools
        self.ledger = ledger
        self.coverage = coverage
        self.recent: list[Operation] = []
        self.made = 0
        self.wishes: dict[tuple[str, int | str], float] = {}
        self.choices: dict[tuple[str, int, bool], tuple[list[str], list[float]]] = {}
        self.fields: dict[str, dict[str, Any]] = {}

    def operation(self) -> Operation:
        """The next operation: a new one, or an earlier one with other variables."""
        again = [earlier for earlier in self.recent if earlier.declared]
        if again and self._chance(0.12):
            earlier = self.random.choice(again)
            return self._asked(replace(earlier, variables=self._values(earlier)))
        made = self._new()
        self.recent = [*self.recent[-30:], made]
        return self._asked(made)

    def _asked(self, operation: Operation) -> Operation:
        """Asked by somebody: mostly with every scope."""
        scopes = ALL_SCOPES
        if self._chance(0.3):
            scopes -= {"pii:read"}
        if self._chance(0.03):
            scopes -= {
                self.random.choice(["purchases:read", "interactions:content", "tokens:admin", "integrations:admin"])
            }
        return replace(operation, scopes=scopes, language=self.random.choice(["en", "fa"]))

    def _new(self) -> Operation:
        self.variables: dict[str, Variable] = {}
        self.given: dict[str, Any] = {}
        self.fragments: list[Fragment] = []
        self.numbers = 0
        if self.made % AS_MANY_WITH_THE_SAME_WISHES == 0:
            self.wishes, self.choices = {}, {}
        self.made += 1
        self.budget = self.random.choice([6, 12, 24, 36, 48])
        query: Any = self.schema.query_type
        keys = Keys()
        roots = [self._field(query, keys, depth=0, room=60) for _ in range(self.random.choice([1, 1, 1, 2, 3]))]
        if self._chance(0.02):
            roots.append("__typename")
        declared = ", ".join(variable.declared for variable in self.variables.values())
        name = self.random.choice([None, "Asked"])
        text = f"query {name or ''}{f'({declared})' if declared else ''} {{ {' '.join(roots)} }}"
        if name is None and not declared:
            text = f"{{ {' '.join(roots)} }}"
        elif name is not None and self._chance(0.1):
            text = f"query Other {{ lifecycles {{ key }} }} {text}"
        text += "".join(f" fragment {each.name} on {each.on} {{ {each.text} }}" for each in self.fragments)
        return Operation(text, self.given, name=name, declared=tuple(self.variables.values()))

    # Selections

    def _selection(self, of: Any, keys: Keys, depth: int, room: int, hints: frozenset[str] = frozenset()) -> str:
        parts = []
        for _ in range(self.random.choice([1, 2, 2, 3, 4]) + self._wanted_fields(of) // 3):
            roll = self.random.random()
            if roll < 0.07:
                parts.append(self._leaf("__typename", "__typename", "String!", keys))
            elif is_abstract_type(of):
                parts.append(self._on_abstract(of, keys, depth, room, hints))
            elif roll < 0.17:
                parts.append(self._fragment(of, keys, depth, room))
            else:
                parts.append(self._field(of, keys, depth, room))
        return " ".join(part for part in parts if part) or self._leaf("__typename", "__typename", "String!", keys)

    def _wanted_fields(self, of: Any) -> int:
        """How many fields of an object type have been reached too rarely."""
        if is_abstract_type(of):
            return 0
        return sum(self.coverage.counts[f"{of.name}.{name}"] < ENOUGH for name in self._relational(of))

    def _on_abstract(self, of: Any, keys: Keys, depth: int, room: int, hints: frozenset[str]) -> str:
        if getattr(of, "fields", None) and self._chance(0.3):
            return self._field(of, keys, depth, room)
        if self._chance(0.1):
            return self._fragment(of, keys, depth, room)
        every = list(self.schema.get_possible_types(of))
        hinted = [each for each in every if each.name in hints]
        possible = every if not hinted or self._chance(0.05) else hinted
        weights = [self._below(each, 1) for each in possible]
        chosen = self.random.choices(possible, weights)[0]
        between = [each for each in chosen.interfaces if each is not of]
        if between and self._chance(0.15):
            return self._fragment(self.random.choice(between), keys, depth, room, hints)
        return self._fragment(chosen, keys, depth, room)

    def _fragment(self, on: Any, keys: Keys, depth: int, room: int, hints: frozenset[str] = frozenset()) -> str:
        """An inline fragment, a new named one, or one that was made before."""
        for known in self.fragments:
            if known.on == on.name and self._chance(0.5) and keys.admits(known.keys):
                keys.absorb(known.keys)
                return f"...{known.name}{self._directives()}"
        inner = Keys()
        condition = on
        if isinstance(on, GraphQLObjectType) and on.interfaces and self._chance(0.15):
            condition = self.random.choice(on.interfaces)
        before = dict(self.variables), dict(self.given), list(self.fragments)
        text = self._selection(condition, inner, depth, room, hints)
        if not keys.admits(inner):
            self.variables, self.given, self.fragments = before
            return ""
        keys.absorb(inner)
        if self._chance(0.3):
            known = Fragment(f"F{self._number()}", condition.name, text, inner)
            self.fragments.append(known)
            return f"...{known.name}{self._directives()}"
        return f"... on {condition.name}{self._directives()} {{ {text} }}"

    def _field(self, of: Any, keys: Keys, depth: int, room: int) -> str:
        self.budget -= 1
        names, wishes = self._choice(of, depth, can_go_on=depth < 9 and self.budget > 0)
        if not names:
            return self._leaf("__typename", "__typename", "String!", keys)
        name = self.random.choices(names, wishes)[0]
        chosen = self._relational(of)[name]
        arguments, inner_room, hints = self._arguments(of, name, chosen, room)
        return self._leaf(
            name, f"{name}{arguments}", str(chosen.type), keys, of=get_named_type(chosen.type), depth=depth,
            room=inner_room, hints=hints,
        )  # fmt: skip

    def _choice(self, of: Any, depth: int, *, can_go_on: bool) -> tuple[list[str], list[float]]:
        """The fields that can be chosen, with how much each is wanted; worked out once for some operations."""
        asked = of.name, depth, can_go_on
        if asked not in self.choices:
            names = [
                name for name, field_ in self._relational(of).items()
                if can_go_on or is_leaf_type(get_named_type(field_.type))
            ]  # fmt: skip
            self.choices[asked] = names, [self._wish(of, name, depth) for name in names]
        return self.choices[asked]

    def _leaf(
        self, name: str, called: str, type_: str, keys: Keys, *, of: Any = None, depth: int = 0, room: int = 1,
        hints: frozenset[str] = frozenset(),
    ) -> str:  # fmt: skip
        """A field with its key, its directives and what is selected below."""
        key, meaning = name, f"{called}:{type_}"
        if self._chance(0.15) or keys.taken.get(key, meaning) != meaning:
            key = f"a{self._number()}"
        keys.taken[key] = meaning
        text = called if key == name else f"{key}: {called}"
        if of is None or is_leaf_type(of):
            return text + self._directives()
        below = keys.below.setdefault(key, Keys())
        made = f"{text}{self._directives()} {{ {self._selection(of, below, depth + 1, room, hints)} }}"
        if self._chance(0.12):
            made += f" {text}{self._directives()} {{ {self._selection(of, below, depth + 1, room, hints)} }}"
        return made

    def _wish(self, of: Any, name: str, depth: int) -> float:
        wish = self._own_wish(of, name)
        named: Any = get_named_type(of.fields[name].type)
        below = self._below(named, 3)
        if depth == 0:
            given = max(
                (self._wanted_in(get_named_type(each.type)) for each in of.fields[name].args.values()), default=0
            )
            return ROOTS_WORTH.get(name, 1.0) * (0.1 + wish + given + below)
        if named.name.endswith(("Connection", "Edge")) or name in {"nodes", "edges", "node"}:
            return 0.3 + below
        return wish + 0.6 * below / (1 + depth / 4)

    def _relational(self, of: Any) -> dict[str, Any]:
        """The fields of a type that the planner reads; found once."""
        if of.name not in self.fields:
            self.fields[of.name] = relational(of)
        return self.fields[of.name]

    def _own_wish(self, of: Any, name: str) -> float:
        """How much a field is wanted for itself, for one of its arguments or of the enum values that it can show."""
        if (of.name, name) not in self.wishes:
            self.wishes[of.name, name] = self._wanted_itself(of, name)
        return self.wishes[of.name, name]

    def _wanted_itself(self, of: Any, name: str) -> float:
        item = f"{of.name}.{name}"
        given = (0.7 * self.coverage.wish(f"{item}({argument})") for argument in of.fields[name].args)
        wish = max([self.coverage.wish(item), *given])
        named = get_named_type(of.fields[name].type)
        if isinstance(named, GraphQLEnumType):
            wish = max(wish, *(0.7 * self.coverage.wish(f"{named.name}.{value}") for value in named.values))
        return wish

    def _below(self, of: Any, depth: int) -> float:
        """How much is wanted below a type; worked out once for some operations."""
        if (of.name, depth) not in self.wishes:
            self.wishes[of.name, depth] = self._wanted_below(of, depth)
        return self.wishes[of.name, depth]

    def _wanted_below(self, of: Any, depth: int) -> float:
        if depth == 0 or is_leaf_type(of):
            return 0.0
        if is_abstract_type(of):
            return max(self._below(each, depth) for each in self.schema.get_possible_types(of))
        wishes = [
            self._own_wish(of, name) + 0.5 * self._below(get_named_type(field_.type), depth - 1)
            for name, field_ in self._relational(of).items()
        ]
        return (sum(wishes) / len(wishes) + max(wishes)) / 2

    def _directives(self) -> str:
        if not self._chance(0.06):
            return ""
        flag = self.random.choice([True, False])
        name = self.random.choice(["skip", "include"])
        boolean = GraphQLNonNull(self.schema.type_map["Boolean"])
        if self._chance(0.5):
            return f" @{name}(if: {self._variable(boolean, flag, 'flag')})"
        both = f" @{name}(if: {str(flag).lower()})"
        return both + (" @include(if: true)" if name == "skip" and self._chance(0.2) else "")

    # Arguments

    def _arguments(self, of: Any, name: str, field_: Any, room: int) -> tuple[str, int, frozenset[str]]:
        if "first" in field_.args:
            return self._page_arguments(of, name, field_, room)
        given: dict[str, Any] = {}
        for key, argument in field_.args.items():
            needed = isinstance(argument.type, GraphQLNonNull) and argument.default_value is Undefined
            if needed or self._chance(0.15 if key == "keys" else 0.6):  # some keys leave most values out
                given[key] = self._tree(argument.type, f"{of.name}.{name}.{key}")
        ids = given.get("ids") or [given.get("id")]
        return self._rendered(of, name, field_, given), room, frozenset(self.pools.type_of.get(id_, "") for id_ in ids)

    def _page_arguments(self, of: Any, name: str, field_: Any, room: int) -> tuple[str, int, frozenset[str]]:
        target = get_named_type(get_named_type(field_.type).fields["nodes"].type).name
        is_plain = self._chance(0.1)  # lists that take neither filter nor order need cursors of such lists
        given: dict[str, Any] = {
            key: self._tree(argument.type, f"{of.name}.{name}.{key}")
            for key, argument in field_.args.items()
            if key not in {"first", "last", "after", "before"}
            and not is_plain
            and self._chance(0.3 + 0.5 * self._wanted_in(get_named_type(argument.type)))
        }
        most = max(1, min(room, 20 if self._chance(0.3) else 5))
        size = self.random.randint(1, most)
        sides = ["first", "last"]
        side = self.random.choices(sides, [0.2 + self.coverage.wish(f"{of.name}.{name}({each})") for each in sides])[0]
        given[side] = size
        if self._chance(0.02):
            given["first"] = self.random.choice([None, 0, 501, -1, 3, 500])
        known = self._known(target, field_)
        wanted = max(self.coverage.wish(f"{of.name}.{name}({side})") for side in ("after", "before"))
        if known and self._chance(0.3 + 0.5 * wanted):
            self._go_on(given, field_, known[-40:], f"{of.name}.{name}")
        elif self._chance(0.01):
            given["after"] = self.random.choice(["", "x", "YWJj", *list(self.ledger.origins)[:3]])
        return self._rendered(of, name, field_, given), max(1, room // size), frozenset()

    def _known(self, target: str, field_: Any) -> list[str]:
        """The cursors that a list could go on from; now and then those of lists that it could not be."""
        found = self.ledger.of_target(target)
        if self._chance(0.05):
            return found
        default = terms_of(target, None)
        origins = self.ledger.origins
        return [
            text for text in found
            if ("orderBy" in field_.args or origins[text].terms == default)
            and ("filter" in field_.args or origins[text].filter is None)
            and ("search" in field_.args or origins[text].search is None)
        ]  # fmt: skip

    def _go_on(self, given: dict[str, Any], field_: Any, known: list[str], item: str) -> None:
        """Ask for what lies beyond a cursor, with the order and the filter that it came from."""
        cursor = self.random.choice(known)
        origin = self.ledger.origins[cursor]
        if self._chance(0.96):
            told = {"filter": _plain(origin.filter), "search": origin.search}
            for key, value in told.items():
                given.pop(key, None)
                if value is not None and key in field_.args:
                    given[key] = value
            given.pop("orderBy", None)
            if "orderBy" in field_.args:
                given["orderBy"] = [
                    {"field": name, "direction": "DESC" if descending else "ASC"} for name, descending in origin.terms
                ]
        sides = ["after", "before"]
        side = self.random.choices(sides, [self.coverage.wish(f"{item}({each})") for each in sides])[0]
        given[side] = cursor
        if self._chance(0.15):
            same = [text for text in known if self.ledger.origins[text].same_list(origin)]
            given["after"], given["before"] = self.random.choice(same), self.random.choice(same)

    def _rendered(self, of: Any, name: str, field_: Any, given: Mapping[str, Any]) -> str:
        parts = [
            f"{key}: {self._value(field_.args[key].type, value, f'{of.name}.{name}.{key}')}"
            for key, value in given.items()
        ]
        self.random.shuffle(parts)
        return f"({', '.join(parts)})" if parts else ""

    # Values

    def _tree(self, of: Any, purpose: str, depth: int = 0) -> Any:
        """A value of an input type as it stands in JSON."""
        if isinstance(of, GraphQLNonNull):
            return self._tree(of.of_type, purpose, depth)
        if isinstance(of, GraphQLList):
            count = self.random.choice([0, 1, 1, 2, 2, 3])
            return [self._tree(of.of_type, purpose, depth) for _ in range(count)]
        if isinstance(of, GraphQLInputObjectType):
            return self._input(of, purpose, depth)
        if isinstance(of, GraphQLEnumType):
            names = list(of.values)
            return self.random.choices(names, [self.coverage.wish(f"{of.name}.{name}") for name in names])[0]
        return self._scalar(of.name, purpose)

    def _attribute_filter(self, of: GraphQLInputObjectType) -> dict[str, Any]:
        """What may be asked of one attribute: that it is there, and comparisons of its type unless it is personal."""
        weights = [max(self.coverage.wish(f"{of.name}.{name}") for name in [*_COMPARED[kind], "key"]) + 0.05
                   for kind, _, _, _ in ATTRIBUTES.values()]  # fmt: skip
        key = self.random.choices(list(ATTRIBUTES), weights)[0]
        kind, _, _, personal = ATTRIBUTES[key]
        chosen = [name for name in _COMPARED[kind] if not personal and self._chance(0.7)]
        made = {name: self._tree(of.fields[name].type, f"{of.name}.{name}", depth=3) for name in chosen}
        return {"key": key, **made}

    def _metric_filter(self) -> dict[str, Any]:
        """A metric that customers have, between bounds that some of them have."""
        key = self.random.choice(METRICS)
        values = [str(row["value"]) for row in self.pools.tables.rows["metric_values"] if row["key"] == key]
        chosen = [bound for bound in ("gte", "lte") if values and self._chance(0.6)]
        return {"key": key, **{bound: self.random.choice(values) for bound in chosen}}

    def _stage_filter(self, of: GraphQLInputObjectType) -> dict[str, Any]:
        """Stages that are there: what names others is refused."""
        lifecycle, stages = self.random.choice(self.pools.stages())
        made: dict[str, Any] = {"lifecycle": lifecycle} if self._chance(0.6) else {}
        if stages and self._chance(0.7):
            made["key"] = {"eq": self.random.choice(stages)} if self._chance(0.6) else {"in": stages[:2]}
        if self._chance(0.3):
            made["enteredAt"] = self._input(of.fields["enteredAt"].type, "StageFilter.enteredAt", 3)
        return {operator: [made] if operator != "not" else made} if (
            operator := self.random.choice([None, None, None, "and", "or", "not"])
        ) else made  # fmt: skip

    def _input(self, of: GraphQLInputObjectType, purpose: str, depth: int) -> dict[str, Any]:
        if of.name == "AttributeFilter":
            return self._attribute_filter(of)
        if of.name == "MetricFilter":
            return self._metric_filter()
        if of.name == "StageFilter":
            return self._stage_filter(of)
        if "not" in of.fields and depth < 2 and self._chance(0.2):
            return {"not": self._input(of, purpose, depth + 1)}
        required = [name for name, part in of.fields.items() if isinstance(part.type, GraphQLNonNull)]
        free = [
            name for name in of.fields
            if name not in required and (depth < 3 or name not in {"and", "or", "not", "organisation", "orders"})
        ]  # fmt: skip
        if of.is_one_of:
            chosen = self.random.choices(free, [self.coverage.wish(f"{of.name}.{name}") + 0.2 for name in free])[:1]
        else:
            count = self.random.choice([0, 1, 1, 1, 2, 3])
            weights = [self._input_wish(of, name) + 0.05 for name in free]
            chosen = [*required, *dict.fromkeys(self.random.choices(free, weights, k=count))] if free else required
        inside = of.name if of.name.endswith("Filter") and of.name not in _LEAF_FILTERS else purpose
        made = {name: self._tree(of.fields[name].type, self._purpose(of, name, inside), depth + 1) for name in chosen}
        if self._chance(0.03) and not of.is_one_of and free:
            made[self.random.choice(free)] = None
        if "atLeast" in made and self._chance(0.4):
            del made["atLeast"]
        return made

    def _input_wish(self, of: GraphQLInputObjectType, name: str) -> float:
        """How much a field of an input is wanted, for itself or for what can be given in it."""
        return max(self.coverage.wish(f"{of.name}.{name}"), 0.8 * self._wanted_in(get_named_type(of.fields[name].type)))

    def _wanted_in(self, of: Any) -> float:
        """How much is wanted of what an input type can hold; worked out once for some operations."""
        if (of.name, -1) not in self.wishes:
            self.wishes[of.name, -1] = 0.0  # a filter within itself wants nothing more
            if isinstance(of, GraphQLEnumType):
                self.wishes[of.name, -1] = max(self.coverage.wish(f"{of.name}.{value}") for value in of.values)
            elif isinstance(of, GraphQLInputObjectType):
                self.wishes[of.name, -1] = max(self._input_wish(of, name) for name in of.fields)
        return self.wishes[of.name, -1]

    def _purpose(self, of: GraphQLInputObjectType, name: str, inside: str) -> str:
        return (
            inside
            if of.name in _LEAF_FILTERS or of.name.endswith(("KindFilter", "StatusFilter"))
            else f"{of.name}.{name}"
        )

    def _scalar(self, name: str, purpose: str) -> Any:  # noqa: PLR0911 - one for each scalar
        match name:
            case "Boolean":
                return self._chance(0.5)
            case "Int":
                return self.random.choice([0, 1, 1, 2, 3, 5, 7, 60])
            case "DateTime" if purpose.startswith("AttributeFilter"):
                return self.random.choice(["2026-02-01T10:00:00Z", "2026-02-01T09:59:59Z", "2026-02-01T13:30:00+03:30"])
            case "DateTime":
                moment = START + timedelta(days=self.random.randint(-1, 7))
                return self.random.choice(
                    [moment.isoformat(), (moment + timedelta(hours=3)).isoformat(), "2026-01-03T12:30:00+03:30"]
                )
            case "Date" if purpose.startswith("AttributeFilter"):
                return self.random.choice(["1815-12-10", "2000-02-29", "1999-01-01"])
            case "Date":
                return (START + timedelta(days=self.random.randint(-1, 7))).date().isoformat()
            case "EmailAddress":
                return self.random.choice(self.pools.emails)
            case "PhoneNumber":
                return self.random.choice(self.pools.phones)
            case "Decimal":
                return self.random.choice(["-3.5", "0", "0.1249999", "0.125", "12.0", "1e30"])
            case "CurrencyCode":
                return self.random.choice(["EUR", "USD", "JPY", "KWD", "GBP"])
            case "ID":
                return self._id(purpose)
            case _:
                return self.random.choice(self.pools.texts(purpose))

    def _id(self, purpose: str) -> str:
        prefix = _KIND_OF_ID.get(purpose)
        if prefix is None:
            prefixes = list(self.pools.ids)
            wishes = [max(map(self._wish_of_id, self.pools.ids[each])) for each in prefixes]
            prefix = self.random.choices(prefixes, wishes)[0]
        roll = 0.0 if purpose in _OF_WHAT_IS_THERE else self.random.random()
        if roll < 0.86 and purpose.startswith("Query.node"):
            ids = self.pools.ids[prefix]
            return self.random.choices(ids, [self._wish_of_id(id_) ** 2 for id_ in ids])[0]
        if roll < 0.86:
            return self.random.choice(self.pools.ids[prefix])
        if roll < 0.94:
            return self.random.choice(self.pools.foreign[prefix])
        if roll < 0.985:
            return f"{prefix}_{self.random.getrandbits(128):032x}"
        return self.random.choice([self.pools.ids["lcy"][0], "xyz_" + "0" * 32, "cus_1", "", "CUS_" + "0" * 32])

    def _wish_of_id(self, id_: str) -> float:
        """How much it is wanted to read a thing by its id."""
        type_ = self.pools.type_of[id_]
        return 0.02 + self.coverage.wish(f"Node:{type_}") + self._below(self.schema.type_map[type_], 2)

    def _value(self, of: Any, value: Any, purpose: str) -> str:
        """A value as it is written: a literal, a variable, or a literal with variables in it."""
        if self._chance(0.3):
            return self._variable(of, value, purpose)
        return self._literal(of, value, purpose)

    def _literal(self, of: Any, value: Any, purpose: str) -> str:
        named = of.of_type if isinstance(of, GraphQLNonNull) else of
        if value is None:
            return "null"
        if isinstance(named, GraphQLList):
            if len(value) == 1 and self._chance(0.1):
                return self._literal(named.of_type, value[0], purpose)
            return "[" + ", ".join(self._value(named.of_type, part, purpose) for part in value) + "]"
        if isinstance(named, GraphQLInputObjectType):
            parts = []
            for key, inner in value.items():
                part = GraphQLNonNull(named.fields[key].type) if named.is_one_of else named.fields[key].type
                parts.append(f"{key}: {self._value(part, inner, self._purpose(named, key, purpose))}")
            return "{" + ", ".join(parts) + "}"
        if isinstance(named, GraphQLEnumType):
            return str(value)
        return json.dumps(value)

    def _variable(self, of: Any, value: Any, purpose: str) -> str:
        """A new variable with this value, which may come from its default, or be left out where it may."""
        name = f"v{self._number()}"
        nullable = not isinstance(of, GraphQLNonNull)
        default = None
        if value is not None and self._chance(0.2):
            default = _constant(of, value)
            if self._chance(0.5):
                self.given[name] = value
            nullable = nullable or self._chance(0.5)
        elif value is None or not nullable or self._chance(0.95):
            self.given[name] = value
        nullable = nullable and (value is None or default is not None or self._chance(0.8) or name not in self.given)
        self.variables[name] = Variable(name, of, nullable, purpose, default)
        return f"${name}"

    def _values(self, operation: Operation) -> dict[str, Any]:
        """Other values for the variables of an operation."""
        given = dict(operation.variables)
        for variable in operation.declared:
            last = variable.purpose.rpartition(".")[2]
            bound = last in {"after", "before", "first", "last"} or variable.purpose.startswith(
                ("AttributeFilter.", "MetricFilter.", "StageFilter.")
            )
            if bound or self._chance(0.3):
                continue
            if variable.default is not None and self._chance(0.4):
                given.pop(variable.name, None)
            elif variable.nullable and self._chance(0.15):
                given[variable.name] = None
            else:
                given[variable.name] = self._tree(variable.type, variable.purpose)
        return given

    def _number(self) -> int:
        self.numbers += 1
        return self.numbers

    def _chance(self, chance: float) -> bool:
        return self.random.random() < chance


_LEAF_FILTERS = {
    "StringFilter", "IdFilter", "DateTimeFilter", "DateFilter", "ChannelFilter", "DirectionFilter",
    "CostCategoryFilter", "AllocationRuleFilter", "IntegrationStateFilter",
}  # fmt: skip
_KIND_OF_ID = {
    "CustomerFilter.id": "cus", "CustomerFilter.segment": "seg", "OrderFilter.customer": "cus",
    "RefundFilter.customer": "cus",
    "OrderFilter.integration": "ing", "RefundFilter.integration": "ing", "InteractionFilter.integration": "ing",
    "CustomerFilter.department": "dep", "CostFilter.customer": "cus", "CostFilter.department": "dep",
    "CostFilter.integration": "ing", "CostFilter.initiative": "ini",
    "IntegrationFilter.id": "ing",
    "Query.integration.id": "ing", "Query.syncRun.id": "run", "Query.reconciliationReport.id": "rec",
    "CustomerRef.id": "cus", "OrderRef.id": "ord", "InvoiceRef.id": "inv",
    **{
        f"{bill}Filter.{name}": kind for bill in ("Invoice", "Payment", "CreditNote", "Contract", "Opportunity")
        for name, kind in (("customer", "cus"), ("integration", "ing"))
    },
}  # fmt: skip


_OF_WHAT_IS_THERE = {
    "CustomerFilter.segment",
    "CustomerFilter.department",
    "CostFilter.department",
    "CostFilter.initiative",
}
"""Where an id of nothing is refused."""


def _constant(of: Any, value: Any) -> str:
    """A value as a literal without variables."""
    named = of.of_type if isinstance(of, GraphQLNonNull) else of
    if value is None:
        return "null"
    if isinstance(named, GraphQLList):
        return "[" + ", ".join(_constant(named.of_type, part) for part in value) + "]"
    if isinstance(named, GraphQLInputObjectType):
        parts = [f"{key}: {_constant(named.fields[key].type, part)}" for key, part in value.items()]
        return "{" + ", ".join(parts) + "}"
    return str(value) if isinstance(named, GraphQLEnumType) else json.dumps(value)


def _plain(value: Any) -> Any:
    """A coerced value as it stands in JSON."""
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_plain(part) for part in value]
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    return str(value) if isinstance(value, date | Decimal) else value
