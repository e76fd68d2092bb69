"""The values a client gives: from literals or variables, told apart by shape so that one plan serves all values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLScalarType,
    ListValueNode,
    NullValueNode,
    ObjectValueNode,
    Undefined,
    ValueNode,
    VariableNode,
    value_from_ast,
)

from api.problems import BadUserInput

Variables = Mapping[str, Any]


@dataclass(frozen=True)
class Given:
    """A leaf that the client gave: `now` is its value in this request, `read` finds it in any other of its shape.

    One that is `fixed` stands in the document itself, so that it is the same in every request.
    """

    now: Any
    read: Callable[[Variables], Any]
    fixed: bool = False


Input = Given | dict[str, Any] | list[Any] | None
"""A leaf, an input object, a list of input objects, or nothing."""


def given(node: ValueNode, of: GraphQLInputType, variables: Variables) -> Input:
    """What a value node of an operation gives, with its variables left open."""
    if isinstance(node, VariableNode):
        name = node.name.value
        if isinstance(of, GraphQLNonNull) and variables.get(name, node) is None:
            raise BadUserInput(f"${name} stands where null is not accepted.")
        return from_value(variables.get(name), of, lambda values: values.get(name))
    if isinstance(node, NullValueNode):
        return None
    named = of.of_type if isinstance(of, GraphQLNonNull) else of
    if isinstance(named, GraphQLInputObjectType) and isinstance(node, ObjectValueNode):
        entries = {entry.name.value: entry.value for entry in node.fields}
        # In the order of the schema, as variables come: a filter is the same however it is written.
        told = {
            name: _entry(entries.get(name), field, variables)
            for name, field in named.fields.items()
            if name in entries or field.default_value is not Undefined
        }
        if named.is_one_of and None in told.values():
            raise BadUserInput(f"{named.name} takes exactly one of its fields, and not null.")
        return told
    if isinstance(named, GraphQLList):
        items = list(node.values) if isinstance(node, ListValueNode) else [node]
        parts = [given(item, named.of_type, variables) for item in items]
        if _holds_objects(named):
            return parts
        leaves = [part for part in parts if isinstance(part, Given)]
        return Given([leaf.now for leaf in leaves], lambda values: [leaf.read(values) for leaf in leaves])
    constant = value_from_ast(node, of)
    return Given(constant, lambda _values: constant, fixed=True)


def from_value(value: Any, of: GraphQLInputType, read: Callable[[Variables], Any]) -> Input:
    """What a coerced variable gives, each leaf with the way to it."""
    if value is None:
        return None
    named = of.of_type if isinstance(of, GraphQLNonNull) else of
    if isinstance(named, GraphQLInputObjectType):
        return {key: from_value(part, named.fields[key].type, _at(read, key)) for key, part in value.items()}
    if isinstance(named, GraphQLList) and _holds_objects(named):
        items = value if isinstance(value, list) else [value]
        return [from_value(part, named.of_type, _at(read, index)) for index, part in enumerate(items)]
    return Given(value, read)


def plain(part: Input, variables: Variables) -> Any:
    """The value of an argument in one request."""
    if isinstance(part, Given):
        return part.read(variables)
    if isinstance(part, dict):
        return {key: plain(inner, variables) for key, inner in part.items()}
    return None if part is None else [plain(inner, variables) for inner in part]


def shape(value: Any, of: GraphQLInputType) -> Any:
    """What a plan may depend on: which parts are there, and the values of enums and booleans; never another value."""
    if value is None:
        return None
    named = of.of_type if isinstance(of, GraphQLNonNull) else of
    if isinstance(named, GraphQLInputObjectType):
        return tuple((key, shape(part, named.fields[key].type)) for key, part in value.items())
    if isinstance(named, GraphQLList) and _holds_objects(named):
        items = value if isinstance(value, list) else [value]
        return tuple(shape(part, named.of_type) for part in items)
    if isinstance(named, GraphQLEnumType) or (isinstance(named, GraphQLScalarType) and named.name == "Boolean"):
        return value
    return True


def _entry(node: ValueNode | None, field: GraphQLInputField, variables: Variables) -> Input:
    """What a field of an input object gives; its default where it is not there."""
    absent = node is None or (isinstance(node, VariableNode) and node.name.value not in variables)
    if absent and field.default_value is not Undefined:
        return Given(field.default_value, lambda _values: field.default_value)
    return None if node is None else given(node, field.type, variables)


def _holds_objects(of: GraphQLList[Any]) -> bool:
    item = of.of_type
    while isinstance(item, (GraphQLNonNull, GraphQLList)):
        item = item.of_type
    return isinstance(item, GraphQLInputObjectType)


def _at(read: Callable[[Variables], Any], key: Any) -> Callable[[Variables], Any]:
    return lambda values: read(values)[key]
