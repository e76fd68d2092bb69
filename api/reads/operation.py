"""Operations as they are kept: parsed and validated once, planned once for each shape of their variables."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cachetools import LRUCache
from graphql import (
    DocumentNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLObjectType,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    VariableDefinitionNode,
    get_named_type,
    parse,
    type_from_ast,
    validate,
)
from graphql.execution.values import get_variable_values

from api import ids, limits
from api.limits import Cost
from api.problems import BadUserInput, CostExceeded, ParseFailed, ValidationFailed
from api.reads.inputs import Variables, shape
from api.reads.mapping import REGISTRY, SCOPES, Computed
from api.reads.plan import Planner, RootPlan
from api.reads.selection import Selected, Selection

MOST_ERRORS = 5
_PLANS_PER_OPERATION = 32
_BYTES_OF_OPERATIONS = 8 << 20
_GIVEN_UP = "Parsing aborted."  # a document too long or too deeply nested to be read
_ABORTED = "Validation aborted."  # all that graphql-core says when the check itself grows too long


@dataclass
class Operation:
    """One operation of a document, with the plans that its requests have needed so far."""

    document: DocumentNode
    node: OperationDefinitionNode
    fragments: Mapping[str, FragmentDefinitionNode]
    root: GraphQLObjectType
    cost: Cost
    size: int
    """How long the text of the document is."""
    plans: LRUCache[Any, "Plan"] = field(default_factory=lambda: LRUCache(_PLANS_PER_OPERATION))

    @property
    def is_query(self) -> bool:
        """Whether it only reads."""
        return self.node.operation is OperationType.QUERY

    @property
    def is_mutation(self) -> bool:
        """Whether it changes things."""
        return self.node.operation is OperationType.MUTATION

    @property
    def is_subscription(self) -> bool:
        """Whether it follows events."""
        return self.node.operation is OperationType.SUBSCRIPTION


@dataclass(frozen=True)
class Plan:
    """How one operation is read for one shape of its variables."""

    fields: Mapping[Any, RootPlan]
    scopes: frozenset[str]
    compiled: bool
    """Whether nothing but relations is asked for, so that graphql-core is not needed at all."""


class Operations:
    """The operations that are known, the least recently used forgotten first."""

    def __init__(self, schema: GraphQLSchema) -> None:
        self.schema = schema
        self._known: LRUCache[tuple[str, str | None], Operation] = LRUCache(
            _BYTES_OF_OPERATIONS, getsizeof=lambda operation: operation.size * 20
        )

    def find(self, text: str, name: str | None) -> Operation:
        """The operation of a document. Raises ParseFailed, ValidationFailed or BadUserInput."""
        key = (text, name)
        found = self._known.get(key)
        if found is None:
            found = self._parsed(text, name)
            if self._known.getsizeof(found) <= self._known.maxsize:
                self._known[key] = found
        return found

    def coerced(self, operation: Operation, given: Mapping[str, Any]) -> Variables:
        """The values of the variables. Raises BadUserInput."""
        definitions = operation.node.variable_definitions or ()
        values = get_variable_values(
            self.schema, definitions, dict(given), max_errors=MOST_ERRORS, hide_suggestions=True
        )
        if isinstance(values, list):
            raise BadUserInput("; ".join(error.message for error in values[:MOST_ERRORS]))
        return values.coerced

    def plan(self, operation: Operation, variables: Variables) -> Plan:
        """The plan for these variables' shape, made once."""
        key = tuple(
            _shape(self.schema, definition, variables) for definition in operation.node.variable_definitions or ()
        )
        found = operation.plans.get(key)
        if found is None:
            found = operation.plans[key] = self.planned(operation, variables)
        return found

    def planned(self, operation: Operation, variables: Variables, *, compiled: bool = True) -> Plan:
        """A new plan; unless `compiled`, one for graphql-core to complete."""
        selection = Selection(self.schema, operation.fragments, variables)
        selected = selection.of([operation.node.selection_set], operation.root)
        if not operation.is_query:
            return self._planned_payloads(operation, selection, selected, variables)
        compiled = (
            compiled
            and operation.is_query
            and all(_is_relational(operation.root, nodes) for nodes in selected.values())
        )
        fields = {
            key: Planner(self.schema, selection, variables, names_types=not compiled).root(operation.root, nodes)
            for key, nodes in _relational(operation.root, selected).items()
        }
        scopes = frozenset().union(*(plan.scopes for plan in fields.values())) if fields else frozenset()
        return Plan(fields, scopes, compiled)

    def _planned_payloads(
        self, operation: Operation, selection: Selection, selected: Selected, variables: Variables
    ) -> Plan:
        """The plans of what payloads and events refer to, by the keys of the root field and of their own."""
        fields: dict[Any, RootPlan] = {}
        scopes: set[str] = set()
        for key, nodes in selected.items():
            name = nodes[0].name.value
            definition = operation.root.fields.get(name)
            if definition is None:  # __typename
                continue
            scopes |= SCOPES.get(name, set())
            payload: Any = get_named_type(definition.type)
            for inner, chosen in selection.of([node.selection_set for node in nodes], payload).items():
                field_ = payload.fields.get(chosen[0].name.value)
                target = get_named_type(field_.type).name if field_ is not None else ""
                if target in REGISTRY and REGISTRY[target].by_id:
                    planner = Planner(self.schema, selection, variables, names_types=True)
                    fields[key, inner] = planner.reference(target, [node.selection_set for node in chosen])
        scopes |= {scope for plan in fields.values() for scope in plan.scopes}
        return Plan(fields, frozenset(scopes), compiled=False)

    def _parsed(self, text: str, name: str | None) -> Operation:
        try:
            document = parse(text, max_tokens=limits.MOST_TOKENS)
        except GraphQLError as failed:
            if failed.message.endswith(_GIVEN_UP):
                raise CostExceeded(failed.message.removeprefix("Syntax Error: "), measure="words") from failed
            raise ParseFailed(failed.message) from failed
        except RecursionError as deep:
            raise ParseFailed("The document is nested too deeply.") from deep
        limits.weigh(document)
        faults = validate(
            self.schema, document, max_errors=MOST_ERRORS, hide_suggestions=True, allow_empty_selection_sets=False
        )
        if faults and faults[0].message == _ABORTED:
            raise CostExceeded("The document repeats or nests too much to be checked.", measure="checks")
        if faults:
            raise ValidationFailed([dict(fault.formatted) for fault in faults[:MOST_ERRORS]])
        node = _named(document, name)
        root = self.schema.get_root_type(node.operation)
        if root is None:
            raise ValidationFailed([{"message": f"There are no {node.operation.value}s here."}])
        fragments = limits.fragments_of(document)
        return Operation(document, node, fragments, root, Cost(node, fragments), len(text))


def _named(document: DocumentNode, name: str | None) -> OperationDefinitionNode:
    operations = [part for part in document.definitions if isinstance(part, OperationDefinitionNode)]
    if name is None and len(operations) == 1:
        return operations[0]
    found = next((part for part in operations if part.name is not None and part.name.value == name), None)
    if found is None:
        raise BadUserInput(
            f"There is no operation called {name}." if name else "There are several operations: say operationName."
        )
    return found


def _shape(schema: GraphQLSchema, definition: VariableDefinitionNode, variables: Variables) -> Any:
    name = definition.variable.name.value
    of: Any = type_from_ast(schema, definition.type)
    value = variables.get(name)
    named = str(of).replace("!", "")
    if value is None or named not in {"ID", "[ID]"}:
        return (name in variables, shape(value, of))
    # Which types an id can be of decides which tables `node` reads.
    return ids.kind_of(value) if named == "ID" else tuple(sorted({str(ids.kind_of(one)) for one in value}))


def _is_relational(root: GraphQLObjectType, nodes: list[Any]) -> bool:
    spec = REGISTRY[root.name].fields.get(nodes[0].name.value) if root.name in REGISTRY else None
    return spec is not None and not isinstance(spec, Computed)


def _relational(root: GraphQLObjectType, selected: Selected) -> Selected:
    return {key: nodes for key, nodes in selected.items() if _is_relational(root, nodes)}
