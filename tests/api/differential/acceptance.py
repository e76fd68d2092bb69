"""What a request may not ask: the scopes and arguments that are refused before anything runs, in plain Python."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    get_named_type,
    is_abstract_type,
)
from graphql.execution.values import get_argument_values, get_directive_values, get_variable_values
from graphql.type import GraphQLIncludeDirective, GraphQLSkipDirective

from tests.api.differential.ledger import Ledger, Origin, leaves
from tests.api.differential.ordering import terms_of
from tests.api.differential.things import PREFIXES, BadInput, read_id

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MOST = 500
_PURCHASES, _CONTENT, _TOKENS = "purchases:read", "interactions:content", "tokens:admin"
_INTEGRATIONS, _METRICS = "integrations:admin", "metrics:read"

TYPE_SCOPES = {
    **dict.fromkeys(
        (
            "Order",
            "OrderLine",
            "Refund",
            "RefundLine",
            "Product",
            "ProductFamily",
            "OrderTotals",
            "Invoice",
            "Payment",
            "CreditNote",
            "Contract",
            "Opportunity",
        ),
        _PURCHASES,
    ),
    **dict.fromkeys(("ApiToken", "AuditEntry"), _TOKENS),
    **dict.fromkeys(("Cost", "Objective", "LifetimeValue"), _METRICS),
    **dict.fromkeys(("Segment", "SegmentVersion", "SegmentMembershipEvent", "CustomerSegment"), _METRICS),
    "PrivacyRequest": "privacy:admin",
    **dict.fromkeys(
        (
            "SyncRun",
            "DeadLetter",
            "SyncConflict",
            "BulkDelete",
            "LinkCandidate",
            "OutboundChange",
            "ReconciliationReport",
            "OutgoingWebhook",
        ),
        _INTEGRATIONS,
    ),
}
"""Whatever the way to them, these take a scope."""

FIELD_SCOPES = {
    "Customer.orders": _PURCHASES,
    "Customer.orderTotals": _PURCHASES,
    **dict.fromkeys(("Customer.invoices", "Customer.payments", "Customer.creditNotes"), _PURCHASES),
    **dict.fromkeys(("Customer.contracts", "Customer.opportunities"), _PURCHASES),
    **dict.fromkeys(("Query.contracts", "Query.opportunities"), _PURCHASES),
    **dict.fromkeys(("Query.invoice", "Query.invoices", "Query.payments", "Query.creditNotes"), _PURCHASES),
    **dict.fromkeys([f"CommerceInteraction.{name}" for name in ("invoice", "payment", "creditNote")], _PURCHASES),
    "Customer.identities": "pii:read",
    **dict.fromkeys(("Customer.costs", "Query.costs", "Query.costTotals", "Query.objectives"), _METRICS),
    **dict.fromkeys(("Customer.lifetimeValue", "Query.models"), _METRICS),
    "CommerceInteraction.order": _PURCHASES,
    "MessageInteraction.text": _CONTENT,
    "CallInteraction.recordingUrl": _CONTENT,
    "SurveyInteraction.comment": _CONTENT,
    "ReviewInteraction.text": _CONTENT,
    "NoteInteraction.text": _CONTENT,
    **dict.fromkeys(("EmailInteraction.content", "MeetingInteraction.content"), _CONTENT),
    **dict.fromkeys(
        ("Query.order", "Query.orders", "Query.orderTotals", "Query.refunds", "Query.products"), _PURCHASES
    ),
    **dict.fromkeys(("Query.apiTokens", "Query.auditLog"), _TOKENS),
    **dict.fromkeys(
        (
            "Query.integrations",
            "Query.integration",
            "Query.outgoingWebhook",
            "Attention.items",
            "Integration.config",
            "Integration.secrets",
            "Integration.streams",
            "Integration.drifts",
            "Integration.quota",
            *(f"Integration.refused{name}" for name in ("Calls", "CallAt", "CallReason")),
        ),
        _INTEGRATIONS,
    ),
    **dict.fromkeys([f"SyncConflict.{name}" for name in ("base", "ours", "theirs")], "pii:read"),
}

_IDS = {
    "CustomerFilter.id": "cus", "CustomerFilter.segment": "seg",
    "IntegrationFilter.id": "ing", "InteractionFilter.integration": "ing", "OrderFilter.customer": "cus",
    "CustomerFilter.department": "dep", "CostFilter.customer": "cus", "CostFilter.department": "dep",
    "CostFilter.integration": "ing", "CostFilter.initiative": "ini",
    "OrderFilter.integration": "ing", "RefundFilter.customer": "cus", "RefundFilter.integration": "ing",
    **{
        f"{bill}Filter.{name}": kind for bill in ("Invoice", "Payment", "CreditNote", "Contract", "Opportunity")
        for name, kind in (("customer", "cus"), ("integration", "ing"))
    },
}  # fmt: skip


_OF_TYPE = {"Integration": "ing", "SyncRun": "run", "ReconciliationReport": "rec"}
"""What is found by an id of its own kind alone."""


@dataclass
class Acceptance:
    """Walks one operation and names the codes for which it can be refused."""

    schema: GraphQLSchema
    ledger: Ledger
    scopes: frozenset[str]

    def refusals(self, document: DocumentNode, given: Mapping[str, Any], name: str | None) -> set[str]:
        """The codes; none when it must be answered."""
        operations = [part for part in document.definitions if isinstance(part, OperationDefinitionNode)]
        operation = next(part for part in operations if name is None or (part.name and part.name.value == name))
        self.variables: Any = get_variable_values(self.schema, operation.variable_definitions or (), dict(given))
        if isinstance(self.variables, list):
            return {"BAD_USER_INPUT"}
        self.fragments = {
            part.name.value: part for part in document.definitions if isinstance(part, FragmentDefinitionNode)
        }
        self.found: set[str] = set()
        query: Any = self.schema.query_type
        self._walk(query, [operation.selection_set])
        return self.found

    def _walk(self, of: GraphQLObjectType, sets: list[SelectionSetNode]) -> None:
        self._need(TYPE_SCOPES.get(of.name.removesuffix("Connection")))
        fields: dict[str, list[FieldNode]] = {}
        for node in self._selected(of, sets):
            fields.setdefault((node.alias or node.name).value, []).append(node)
        for nodes in fields.values():
            name = nodes[0].name.value
            if name == "__typename":
                continue
            self._need(FIELD_SCOPES.get(f"{of.name}.{name}"))
            arguments = self._arguments(of, nodes[0])
            below: list[SelectionSetNode] = [node.selection_set for node in nodes if node.selection_set]
            if below:
                for concrete in self._possible(of, name, arguments):
                    self._walk(concrete, below)

    def _arguments(self, of: GraphQLObjectType, node: FieldNode) -> Mapping[str, Any]:
        field = of.fields[node.name.value]
        try:
            arguments = get_argument_values(field, node, self.variables)
        except GraphQLError:
            self._refuse()
            return {}
        self._check(field, arguments)
        return arguments

    def _possible(self, of: GraphQLObjectType, name: str, arguments: Mapping[str, Any]) -> Iterator[GraphQLObjectType]:
        target: Any = get_named_type(of.fields[name].type)
        asked = {f"{of.name}.{name}": arguments}
        ids = asked.get("Query.nodes", {}).get("ids") or [asked.get("Query.node", {}).get("id")]
        if target.name == "Node":
            wanted = {PREFIXES.get(str(id_)[:3]) for id_ in ids}
            targets: list[Any] = [self.schema.type_map[each] for each in sorted(filter(None, wanted))]
        else:
            targets = [target]
        for each in targets:
            yield from self.schema.get_possible_types(each) if is_abstract_type(each) else [each]

    def _selected(self, of: GraphQLObjectType, sets: list[SelectionSetNode]) -> Iterator[FieldNode]:
        for chosen in sets:
            for node in chosen.selections:
                if not self._included(node):
                    continue
                if isinstance(node, FieldNode):
                    yield node
                    continue
                inner: Any = self.fragments[node.name.value] if isinstance(node, FragmentSpreadNode) else node
                condition = inner.type_condition
                fits: Any = self.schema.type_map[condition.name.value] if condition else of
                if fits is of or (is_abstract_type(fits) and self.schema.is_sub_type(fits, of)):
                    yield from self._selected(of, [inner.selection_set])

    def _included(self, node: FieldNode | FragmentSpreadNode | InlineFragmentNode | Any) -> bool:
        try:
            skip = get_directive_values(GraphQLSkipDirective, node, self.variables)
            include = get_directive_values(GraphQLIncludeDirective, node, self.variables)
        except GraphQLError:
            self._refuse()
            return False
        return not (skip and skip["if"]) and not (include and not include["if"])

    # Arguments

    def _check(self, field: Any, arguments: Mapping[str, Any]) -> None:
        if "first" in field.args:
            self._check_page(field, arguments)
        asked = [*(arguments.get("ids") or ()), *([arguments["id"]] if "id" in arguments else ())]
        for id_ in asked:
            self._check_id(id_, _OF_TYPE.get(get_named_type(field.type).name))
        if len(asked) > MOST:
            self._refuse()
        if (arguments.get("by") or {}).get("id") is not None:
            named = get_named_type(field.args["by"].type).name
            self._check_id(arguments["by"]["id"], {"CustomerRef": "cus", "OrderRef": "ord", "InvoiceRef": "inv"}[named])
        if arguments.get("filter") is not None:
            self._check_filter(get_named_type(field.args["filter"].type), arguments["filter"])

    def _check_page(self, field: Any, arguments: Mapping[str, Any]) -> None:
        sizes = [size for name in ("first", "last") if (size := arguments.get(name)) is not None]
        if len(sizes) != 1 or not 1 <= sizes[0] <= MOST:
            self._refuse()
        target = get_named_type(get_named_type(field.type).fields["nodes"].type).name
        told = leaves(arguments.get("filter")) | leaves(arguments.get("search"), "search")
        here = Origin(target, terms_of(target, arguments.get("orderBy")), told, ())
        for name in ("after", "before"):
            if arguments.get(name) is not None:
                origin = self.ledger.origins.get(arguments[name])
                if origin is None or not origin.same_list(here):
                    self._refuse()

    def _check_filter(self, of: Any, chosen: Mapping[str, Any]) -> None:
        for name, part in chosen.items():
            if part is None:
                continue
            prefix = _IDS.get(f"{of.name}.{name}")
            if prefix is not None:
                for id_ in [*(part.get("in") or ()), *([part["eq"]] if part.get("eq") is not None else ())]:
                    self._check_id(id_, prefix)
            if f"{of.name}.{name}" == "CustomerFilter.orders":
                self._need(_PURCHASES)
            if f"{of.name}.{name}" == "CustomerFilter.segment":
                self._need(_METRICS)
            for each in part if isinstance(part, list) else [part]:
                if isinstance(each, dict):
                    self._check_filter(get_named_type(of.fields[name].type), each)

    def _check_id(self, id_: str, prefix: str | None) -> None:
        try:
            read_id(id_, prefix)
        except BadInput:
            self._refuse()

    def _need(self, scope: str | None) -> None:
        if scope is not None and scope not in self.scopes:
            self.found.add("FORBIDDEN")

    def _refuse(self) -> None:
        self.found.add("BAD_USER_INPUT")
