"""Which fields an operation selects of a type: fragments, type conditions, @skip and @include resolved."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    SelectionNode,
    SelectionSetNode,
    VariableNode,
)

from api.problems import BadUserInput

Selected = dict[str, list[FieldNode]]
"""Response key -> the nodes that are merged under it, in the order of the first."""


class Selection:
    """The selections of one operation with the values of its directives."""

    def __init__(
        self, schema: GraphQLSchema, fragments: Mapping[str, FragmentDefinitionNode], variables: Mapping[str, Any]
    ) -> None:
        self.schema = schema
        self.fragments = fragments
        self.variables = variables

    def of(self, sets: Iterable[SelectionSetNode | None], on: GraphQLObjectType) -> Selected:
        """The fields that selection sets select on a concrete type."""
        selected: Selected = {}
        visited: set[str] = set()
        for chosen in sets:
            if chosen is not None:
                self._collect(chosen, on, selected, visited)
        return selected

    def _collect(self, chosen: SelectionSetNode, on: GraphQLObjectType, selected: Selected, visited: set[str]) -> None:
        for node in chosen.selections:
            if not self._included(node):
                continue
            if isinstance(node, FieldNode):
                selected.setdefault((node.alias or node.name).value, []).append(node)
            elif isinstance(node, InlineFragmentNode):
                if node.type_condition is None or self._applies(node.type_condition.name.value, on):
                    self._collect(node.selection_set, on, selected, visited)
            elif isinstance(node, FragmentSpreadNode) and node.name.value not in visited:
                visited.add(node.name.value)
                fragment = self.fragments[node.name.value]
                if self._applies(fragment.type_condition.name.value, on):
                    self._collect(fragment.selection_set, on, selected, visited)

    def _applies(self, condition: str, on: GraphQLObjectType) -> bool:
        if condition == on.name:
            return True
        conditional: Any = self.schema.type_map[condition]
        return self.schema.is_sub_type(conditional, on) if not isinstance(conditional, GraphQLObjectType) else False

    def _included(self, node: SelectionNode) -> bool:
        for directive in node.directives or ():
            if directive.name.value not in {"skip", "include"}:
                continue
            (argument,) = directive.arguments or ()
            value: Any = argument.value
            holds = self.variables[value.name.value] if isinstance(value, VariableNode) else value.value
            if holds is None:
                raise BadUserInput(f"@{directive.name.value} takes true or false.")
            if holds == (directive.name.value == "skip"):
                return False
        return True
