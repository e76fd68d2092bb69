"""What an operation may ask for: one rule that weighs depth, aliases, directives and cost, in linear time.

A field costs 1 for each time that it can stand in the answer: under a page it counts once for each row of `first` or
`last`. Counting all rows (`totalCount`) costs 20 more, an input object of a filter 25, a mutation field 50, a look at
the schema 5,000. What is skipped by a directive counts too. The sizes of pages come from each request's variables.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from cachetools import LRUCache
from graphql import (
    ArgumentNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    IntValueNode,
    ListValueNode,
    ObjectValueNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    ValueNode,
    VariableNode,
)
from graphql.validation.rules import overlapping_fields_can_be_merged

from api.pages import MOST
from api.problems import CostExceeded

MOST_COST = 50_000
"""The most that one operation may cost."""

MOST_TOKENS = 10_000
"""The most words and signs that a document may have."""

MOST_OF = {"operations": 20, "aliases": 250, "directives": 250, "levels": 20, "objects": 1_000}
"""What a document may have at most of each; levels and objects count with every fragment written out."""

_DEEPEST = 100  # selection sets and fragments within each other: what Python's stack takes with ease
_SATURATED = 10**9
_INPUT_OBJECT, _CHANGE = 25, 50
_MORE = {"totalCount": 20, "__schema": 5_000, "__type": 5_000}
_SIZES = frozenset({"first", "last"})
_ROWS = frozenset({"nodes", "edges"})

# graphql-core compares the fields of one response name pair by pair. Its own limit allows seconds of that, which would
# stop every other request; 10,000 pairs are some 140 fields of one name in one place.
overlapping_fields_can_be_merged.MAX_COMPLEXITY_BUDGET = 20_000


class Weight(NamedTuple):
    """What a selection weighs: `rows` is the part that a page around it multiplies, `fixed` what no page does.

    `objects` counts the selection sets once every spread of a fragment is written out: what a plan is made of.
    """

    once: int = 0
    rows: int = 0
    fixed: int = 0
    objects: int = 0
    depth: int = 0

    @property
    def cost(self) -> int:
        """All of it, outside a page."""
        return self.once + self.rows + self.fixed


class Scale:
    """Weighs selections of one document; a fragment is weighed once, however often it is spread."""

    def __init__(self, fragments: Mapping[str, FragmentDefinitionNode], sizes: Mapping[str, int]) -> None:
        self._fragments = fragments
        self._sizes = sizes
        self._weighed: dict[str, Weight] = {}
        self._is_query = True
        self.visited = self.aliases = self.directives = 0
        self.sizing: set[str] = set()
        """The variables that say how many rows a page has, or how many things are asked for."""
        self.giving: set[str] = set()
        """The variables of all other arguments."""

    def operation(self, node: OperationDefinitionNode) -> Weight:
        """What an operation weighs. Raises CostExceeded where it is nested beyond all measure."""
        self.directives += len(node.directives or ())
        self._is_query = node.operation is OperationType.QUERY
        return self._set(node.selection_set, 1, 0 if self._is_query else _CHANGE)

    def _set(self, chosen: SelectionSetNode, level: int, each: int = 0) -> Weight:
        """What a selection set weighs whose fields cost something `each` besides."""
        if level > _DEEPEST:
            raise _exceeded("levels", level, _DEEPEST)
        weights = []
        for node in chosen.selections:
            self.visited += 1
            self.directives += len(node.directives or ())
            weights.append(self._selection(node, level, each))
        if not weights:
            return Weight()
        once, rows, fixed, objects, _ = (min(sum(column), _SATURATED) for column in zip(*weights, strict=True))
        return Weight(once, rows, fixed, objects, max(weight.depth for weight in weights))

    def _selection(self, node: Any, level: int, each: int) -> Weight:
        if isinstance(node, FieldNode):
            return self._field(node, level, each)
        if isinstance(node, InlineFragmentNode):
            return self._set(node.selection_set, level + 1, each)
        return self._fragment(node, level, each)

    def _fragment(self, node: FragmentSpreadNode, level: int, each: int) -> Weight:
        name = node.name.value
        if name not in self._weighed:
            self._weighed[name] = Weight()  # a fragment inside itself weighs nothing more; validation refuses it
            fragment = self._fragments.get(name)
            if fragment is not None:
                self.directives += len(fragment.directives or ())
                self._weighed[name] = self._set(fragment.selection_set, level + 1, each)
        return self._weighed[name]

    def _field(self, node: FieldNode, level: int, more: int) -> Weight:
        self.aliases += node.alias is not None
        inner = self._set(node.selection_set, level + 1) if node.selection_set else Weight()
        name = node.name.value
        size, times, given = self._arguments(node.arguments or ())
        own = 1 + more + _MORE.get(name, 0)
        spent = min(own + times * (inner.once + inner.rows * size), _SATURATED)
        rest = inner.fixed + given, inner.objects + (node.selection_set is not None), inner.depth + 1
        return Weight(0, spent, *rest) if name in _ROWS else Weight(spent, 0, *rest)

    def _arguments(self, arguments: Iterable[ArgumentNode]) -> tuple[int, int, int]:
        """How many rows a page has, for how many ids all of it is asked, and what the input objects weigh."""
        size = times = 1
        given = 0
        for argument in arguments:
            name = argument.name.value
            if name in _SIZES:
                size = max(size, self._size(argument.value))
            elif name == "ids":
                times = self._size(argument.value)
            elif self._is_query:
                given += _INPUT_OBJECT * self._objects(argument.value)
        return size, times, given

    def _size(self, value: ValueNode) -> int:
        """How many are asked for, by a number or by the length of a list."""
        if isinstance(value, VariableNode):
            self.sizing.add(value.name.value)
            return _page(self._sizes.get(value.name.value, 1))
        if isinstance(value, ListValueNode):
            return _page(len(value.values))
        return _page(int(value.value)) if isinstance(value, IntValueNode) else 1

    def _objects(self, value: ValueNode) -> int:
        """How many input objects a value holds."""
        if isinstance(value, VariableNode):
            self.giving.add(value.name.value)
            return self._sizes.get(value.name.value, 0)
        if isinstance(value, ObjectValueNode):
            return 1 + sum(self._objects(entry.value) for entry in value.fields)
        return sum(map(self._objects, value.values)) if isinstance(value, ListValueNode) else 0


class Cost:
    """What one operation costs, for the variables of each request."""

    def __init__(self, operation: OperationDefinitionNode, fragments: Mapping[str, FragmentDefinitionNode]) -> None:
        self._operation = operation
        self._fragments = fragments
        scale = Scale(fragments, {})
        least = scale.operation(operation).cost
        self._sizing, self._giving = tuple(sorted(scale.sizing)), tuple(sorted(scale.giving - scale.sizing))
        self._known: LRUCache[tuple[int, ...], int] = LRUCache(64)
        if not self._sizing and not self._giving:
            self._known[()] = least

    def of(self, variables: Mapping[str, Any]) -> int:
        """What it costs with these variables. Raises CostExceeded where that is too much."""
        key = (
            *[_asked(variables.get(name)) for name in self._sizing],
            *[_objects_in(variables.get(name)) for name in self._giving],
        )
        cost = self._known.get(key)
        if cost is None:
            sizes = dict(zip((*self._sizing, *self._giving), key, strict=True))
            cost = self._known[key] = Scale(self._fragments, sizes).operation(self._operation).cost
        return accepted(cost)


def accepted(cost: int) -> int:
    """The same cost. Raises CostExceeded where it is too much for one operation."""
    if cost > MOST_COST:
        told = f"{cost:,}" if cost < _SATURATED else f"more than {_SATURATED:,}"
        raise CostExceeded(
            f"The operation costs {told}; the limit is {MOST_COST:,}. Ask for smaller pages or fewer fields.",
            measure="cost", cost=cost, limit=MOST_COST,
        )  # fmt: skip
    return cost


def weigh(document: DocumentNode) -> Scale:
    """Weigh a document that was only parsed, so that what follows is done for sane ones alone.

    Pages sized by a variable count one row here. Raises CostExceeded.
    """
    operations = [part for part in document.definitions if isinstance(part, OperationDefinitionNode)]
    scale = Scale(fragments_of(document), {})
    weights = [scale.operation(operation) for operation in operations]
    found = {
        "operations": len(operations),
        "aliases": scale.aliases,
        "directives": scale.directives,
        "levels": max((weight.depth for weight in weights), default=0),
        "objects": max((weight.objects for weight in weights), default=0),
    }
    for weight in weights:
        accepted(weight.cost)
    for measure, count in found.items():
        if count > MOST_OF[measure]:
            raise _exceeded(measure, count, MOST_OF[measure])
    return scale


def _exceeded(measure: str, found: int, limit: int) -> CostExceeded:
    message = f"The document has {found:,} {measure}; the limit is {limit:,}."
    return CostExceeded(message, measure=measure, found=found, limit=limit)


def fragments_of(document: DocumentNode) -> dict[str, FragmentDefinitionNode]:
    """The fragments of a document, by name."""
    return {part.name.value: part for part in document.definitions if isinstance(part, FragmentDefinitionNode)}


def _page(size: int) -> int:
    """A size as far as it can be had: what lies beyond is refused, with better words, when the page is read."""
    return min(max(size, 1), MOST)


def _asked(value: Any) -> int:
    if isinstance(value, list):
        return len(value)
    return value if isinstance(value, int) else 1


def _objects_in(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + sum(map(_objects_in, value.values()))
    return sum(map(_objects_in, value)) if isinstance(value, list) else 0
