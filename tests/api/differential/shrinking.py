"""A failing operation made small: whatever can be left out while it still fails is left out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from graphql import (
    REMOVE,
    SKIP,
    DocumentNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    Node,
    VariableDefinitionNode,
    VariableNode,
    Visitor,
    parse,
    print_ast,
    validate,
    visit,
)

from tests.api.differential.generator import ALL_SCOPES

if TYPE_CHECKING:
    from graphql import GraphQLSchema

    from tests.api.differential.generator import Operation

Fails = Callable[["Operation"], Awaitable[bool]]


async def shrink(operation: Operation, schema: GraphQLSchema, fails: Fails) -> Operation:
    """The smallest operation found that still fails."""
    smaller = True
    while smaller:
        smaller = False
        for candidate in _smaller(operation):
            if not validate(schema, parse(candidate.text), allow_empty_selection_sets=False) and await fails(candidate):
                operation, smaller = candidate, True
                break
    return operation


def _smaller(operation: Operation) -> Iterator[Operation]:
    """The operation without one of its parts, the large parts first."""
    document = parse(operation.text, no_location=True)
    for removed in _removable(document):
        text = print_ast(_without_unused(_without(document, removed)))
        used = {name: value for name, value in operation.variables.items() if f"${name}:" in text}
        yield replace(operation, text=text, variables=used)
    for name in operation.variables:
        yield replace(operation, variables={key: value for key, value in operation.variables.items() if key != name})
    if operation.language != "en" or operation.scopes != ALL_SCOPES:
        yield replace(operation, language="en", scopes=ALL_SCOPES)


def _removable(document: DocumentNode) -> list[Node]:
    found: list[tuple[int, Node]] = []

    class Parts(Visitor):
        def enter(self, node: Node, _key: Any, _parent: Any, path: Any, _ancestors: Any) -> None:
            if node.kind in _REMOVABLE:
                found.append((len(path), node))

    visit(document, Parts())
    return [node for _, node in sorted(found, key=lambda each: each[0])]


_REMOVABLE = {"field", "fragment_spread", "inline_fragment", "directive", "argument", "object_field"}


def _without(document: DocumentNode, removed: Node) -> DocumentNode:
    class Cut(Visitor):
        def enter(self, node: Node, *_: Any) -> Any:
            return REMOVE if node is removed else None

    made: DocumentNode = visit(document, Cut())
    return made


def _without_unused(document: DocumentNode) -> DocumentNode:
    """Without the fragments and variables that nothing uses any more."""
    while True:
        used: set[str] = set()

        class Uses(Visitor):
            def enter_fragment_spread(self, node: FragmentSpreadNode, *_: Any) -> None:
                used.add(f"...{node.name.value}")  # noqa: B023 - read in the same round

            def enter_variable_definition(self, *_: Any) -> Any:
                return SKIP

            def enter_variable(self, node: VariableNode, *_: Any) -> None:
                used.add(node.name.value)  # noqa: B023 - read in the same round

        visit(document, Uses())

        class Cut(Visitor):
            def enter_fragment_definition(self, node: FragmentDefinitionNode, *_: Any) -> Any:
                return None if f"...{node.name.value}" in used else REMOVE  # noqa: B023 - the same

            def enter_variable_definition(self, node: VariableDefinitionNode, *_: Any) -> Any:
                return None if node.variable.name.value in used else REMOVE  # noqa: B023 - the same

        cut = visit(document, Cut())
        if print_ast(cut) == print_ast(document):
            return document
        document = cut
