"""The third way: graphql-core with one resolver per field over rows loaded whole into Python.

Written from the words of the design, not from the SQL: relations, filters, orders, pages, totals, masks and labels are
said here a second time, as plainly as possible.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from functools import cmp_to_key
from typing import TYPE_CHECKING, Any
from uuid import UUID
from zoneinfo import ZoneInfo

from graphql import (
    DocumentNode,
    GraphQLEnumType,
    GraphQLError,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLScalarType,
    GraphQLSchema,
    GraphQLUnionType,
    build_schema,
    execute_sync,
    get_named_type,
    print_schema,
)

from domain.core.money import minor_units
from domain.customers.folding import (
    mask_email,
    mask_phone,
    mask_text,
    matches,
    normalise_email,
    normalise_phone,
)
from domain.stages import history
from domain.stages.rules import CanonicalStep, CauseKind, Lifecycle, Stage, StageKind, Text
from tests.api.differential.ledger import Cursor, Ledger, Origin, leaves

if TYPE_CHECKING:
    from tests.api.differential.coverage import Coverage
    from tests.api.differential.tables import Row, Tables

Filter = Mapping[str, Any] | None
LONG_AGO = datetime.min.replace(tzinfo=UTC)
"""Where a moment that never was stands in an order: before all others."""

PREFIXES = {
    "cus": "Customer", "mca": "MergeCandidate", "lcy": "Lifecycle", "stg": "Stage", "siv": "StageInterval",
    "sno": "StageNote", "ing": "Integration", "fam": "ProductFamily", "prd": "Product", "ord": "Order", "ref": "Refund",
    "int": "Interaction", "ten": "Tenant", "pri": "Principal", "tok": "ApiToken", "atd": "AttributeDefinition",
    "prv": "PrivacyRequest", "str": "StageTransition",
}  # fmt: skip
TABLE_OF = {
    "mca": "merge_candidates", "lcy": "lifecycles", "stg": "stages", "siv": "stage_intervals", "sno": "stage_notes",
    "ing": "integrations", "fam": "product_families", "prd": "products", "ord": "orders", "ref": "refunds",
    "int": "interactions",
    "pri": "principals",
    "tok": "api_tokens",
    "atd": "attribute_definitions",
    "prv": "privacy_requests",
    "str": "stage_transitions",
}  # fmt: skip


class BadInput(GraphQLError):
    """An argument that cannot be accepted."""

    def __init__(self, message: str) -> None:
        super().__init__(message, extensions={"code": "BAD_USER_INPUT"})


@dataclass(frozen=True)
class Reading:
    """Who reads, and when."""

    language: str
    sees_personal: bool
    now: datetime
    principal_id: UUID | None = None
    token_id: UUID | None = None


class Naive:
    """Answers operations from the rows of one tenant."""

    def __init__(self, schema: GraphQLSchema, tables: Tables, ledger: Ledger, coverage: Coverage) -> None:
        self.tables = tables
        self.ledger = ledger
        self.coverage = coverage
        self.reading = Reading("en", sees_personal=True, now=LONG_AGO)
        self.schema = self._resolving(build_schema(print_schema(schema)))

    def answer(
        self, document: DocumentNode, variables: Mapping[str, Any], name: str | None, reading: Reading
    ) -> tuple[Any, set[tuple[Any, str]]]:
        """The data, and the path and code of every error."""
        self.reading = reading
        result = execute_sync(self.schema, document, variable_values=dict(variables), operation_name=name)
        for error in result.errors or ():
            if "code" not in (error.extensions or {}):
                raise error
        errors = {(tuple(error.path or ()), str(error.extensions["code"])) for error in result.errors or ()}
        return result.data, errors

    # The schema

    def _resolving(self, schema: GraphQLSchema) -> GraphQLSchema:
        resolvers = _resolvers(self)
        for name, of in schema.type_map.items():
            if name.startswith("__"):
                continue
            if isinstance(of, GraphQLScalarType) and name in _SCALARS:
                of.parse_value = of.coerce_input_value = _SCALARS[name][0]
                of.serialize = of.coerce_output_value = _SCALARS[name][1]
            elif isinstance(of, (GraphQLInterfaceType, GraphQLUnionType)):
                of.resolve_type = self._told(name)
            elif isinstance(of, GraphQLObjectType):
                for key, field in of.fields.items():
                    found = resolvers.get((name, key)) or (lambda source, _key=_snake(key): source[_key])
                    field.resolve = self._counted(f"{name}.{key}", field, found)
        return schema

    def _told(self, abstract: str) -> Callable[..., str]:
        def resolve(value: Row, *_: Any) -> str:
            self.coverage.reach(f"{abstract}:{value['__type']}")
            return str(value["__type"])

        return resolve

    def _counted(self, item: str, field: Any, resolve: Callable[..., Any]) -> Callable[..., Any]:
        named = get_named_type(field.type)

        def counted(source: Any, _info: Any, **given: Any) -> Any:
            self.coverage.reach(item)
            for argument, value in given.items():
                if value is not None:
                    self.coverage.reach(f"{item}({argument})")
                    self.coverage.reach_input(field.args[argument].type, value)
            found = resolve(source, **given)
            if isinstance(named, GraphQLEnumType) and isinstance(found, str):
                self.coverage.reach(f"{named.name}.{found}")
            return found

        return counted

    # Who is who

    def customer(self, id_: UUID | None) -> Row | None:
        """The survivor of a customer, by any of its ids."""
        found = self.tables.one("customers", lambda row: row["id"] == id_)
        return found and self.exactly("customers", found["root_id"], "Customer")

    def exactly(self, table: str, id_: UUID | None, type_: str) -> Row | None:
        """The row with an id, itself."""
        found = self.tables.one(table, lambda row: row["id"] == id_)
        return found and {**found, "__type": type_}

    def active(self) -> list[Row]:
        """The customers that stand for themselves."""
        return self.typed("Customer", self.tables.all("customers", lambda row: row["status"] == "ACTIVE"))

    def typed(self, type_: str, rows: list[Row]) -> list[Row]:
        """The rows as things of a type."""
        return [{**row, "__type": type_} for row in rows]

    def current(self, table: str, type_: str) -> list[Row]:
        """The current versions of documents."""
        return self.typed(type_, self.tables.all(table, lambda row: row["superseded_at"] is None))

    def document(self, table: str, type_: str, id_: UUID | None) -> Row | None:
        """The current version of one document."""
        return next((row for row in self.current(table, type_) if row["id"] == id_), None)

    def products(self) -> list[Row]:
        """What is sold now."""
        return self.typed("Product", self.tables.all("products", lambda row: row["valid_to"] is None))

    def interactions(self) -> list[Row]:
        """Every interaction once, in its latest revision."""
        found = self.tables.all("interactions", lambda row: row["superseded_at"] is None)
        return [{**row, "__type": f"{row['family'].title()}Interaction"} for row in found]

    def node(self, id_: str) -> Row | None:
        """The thing with a global id."""
        prefix, uuid = read_id(id_)
        match prefix:
            case "cus":
                return self.customer(uuid)
            case "ord" | "ref":
                return self.document(TABLE_OF[prefix], PREFIXES[prefix], uuid)
            case "prd":
                return next((row for row in self.products() if row["id"] == uuid), None)
            case "int":
                return next((row for row in self.interactions() if row["id"] == uuid), None)
            case "ten":
                return self.tenant() if self.tenant()["tenant_id"] == uuid else None
            case _ if prefix in TABLE_OF:
                return self.exactly(TABLE_OF[prefix], uuid, PREFIXES[prefix])
            case _:
                return None

    def tenant(self) -> Row:
        """The tenant that asks."""
        return {**self.tables.rows["tenants"][0], "__type": "Tenant"}

    def only(self, found: list[Row]) -> Row | None:
        """The one that was meant. Raises BadInput when several could be."""
        if len(found) > 1:
            raise BadInput(f"{len(found)} match")
        return found[0] if found else None

    def customer_by(self, by: Mapping[str, Any]) -> Row | None:
        """A customer by one of its references."""
        match by:
            case {"id": str() as id_}:
                return self.customer(read_id(id_, "cus"))
            case {"external": {"connector": connector, "id": remote}}:
                kind, _, account = connector.partition(":")
                sources = {
                    row["id"] for row in self.tables.rows["integrations"]
                    if row["connector"] == kind and (":" not in connector or row["account"] == account)
                }  # fmt: skip
                holders = [
                    link["local_id"] for link in self.tables.rows["record_links"]
                    if link["integration_id"] in sources and link["type"] == "customer" and link["remote_id"] == remote
                ]  # fmt: skip
            case _:
                [(scheme, value)] = [(key, value) for key, value in by.items() if value is not None]
                holders = [
                    claim["customer_id"] for claim in self.tables.rows["identity_claims"]
                    if claim["scheme"] == scheme and claim["normalised"] == value and claim["valid_to"] is None
                ]  # fmt: skip
        roots = {row["id"]: row for row in map(self.customer, holders) if row}
        return self.only(list(roots.values()))

    def order_by_reference(self, by: Mapping[str, Any]) -> Row | None:
        """An order by its id or its number."""
        if by.get("id") is not None:
            return self.document("orders", "Order", read_id(by["id"], "ord"))
        return self.only([row for row in self.current("orders", "Order") if row["number"] == by["number"]])

    def default_lifecycle(self, asked: str | None) -> str | None:
        """The key of the lifecycle that is meant."""
        if asked is not None:
            return asked
        found = self.tables.one("lifecycles", lambda row: row["is_default"])
        return found and found["key"]

    def version_in_force(self, lifecycle_id: UUID) -> Row | None:
        """The highest published version of a lifecycle."""
        found = self.tables.all(
            "lifecycle_versions", lambda row: row["lifecycle_id"] == lifecycle_id and row["published_at"] is not None
        )
        return max(found, key=lambda row: row["number"], default=None)

    def of_version(self, table: str, version: Row | None) -> list[Row]:
        """The stages or the rules of one version, in their order."""
        found = self.tables.all(table, lambda row: version is not None and row["lifecycle_version_id"] == version["id"])
        return sorted(self.typed("Stage", found), key=lambda row: row["position"])

    def people(self, organisation: Row) -> list[Row]:
        """The customers who belong to an organisation, under whichever of its ids they were recorded."""
        return [row for row in self.active() if row["organisation_id"] in organisation["member_ids"]]

    def timeline(self, customer: Row) -> list[Row]:
        """What happened with a customer, all its members and, for an organisation, its people."""
        whose = set(customer["member_ids"])
        if customer["kind"] == "ORGANISATION":
            whose.update(*(person["member_ids"] for person in self.people(customer)))
        return [row for row in self.interactions() if row["customer_id"] in whose]

    def members(self, table: str, customer: Row, key: str = "customer_id", type_: str = "") -> list[Row]:
        """The rows of a customer and of all who were merged into it."""
        return self.typed(type_, self.tables.all(table, lambda row: row[key] in customer["member_ids"]))

    # Stages

    def stays(self, customer: Row, lifecycle: str | None, as_of: datetime | None) -> list[Row]:
        """Where a customer was in a lifecycle, as it is known now or was believed at a moment."""
        key = self.default_lifecycle(lifecycle)
        if as_of is None:
            found = self.tables.all(
                "stage_intervals", lambda row: row["customer_id"] == customer["id"] and row["lifecycle_key"] == key
            )
            return self.typed("StageInterval", found)
        way = self.tables.one("lifecycles", lambda row: row["key"] == key)
        moves = {
            row["id"]: row for row in self.members("stage_transitions", customer)
            if way is not None and row["lifecycle_id"] == way["id"]
        }  # fmt: skip
        stages = {row["id"]: row["key"] for row in self.tables.rows["stages"]}
        log = [
            history.Transition(
                id=move["id"], target=stages.get(move["to_stage_id"]), occurred_at=move["occurred_at"],
                recorded_at=move["recorded_at"], corrects=move["corrects"],
            )
            for move in moves.values()
        ]  # fmt: skip
        return [
            {**moves[stay.transition], "__type": "StageInterval", "visit": stay.visit, "entered_at": stay.entered_at,
             "exited_at": stay.exited_at, "is_current": stay.is_current,
             "stage_id": moves[stay.transition]["to_stage_id"]}
            for stay in history.intervals(log, as_of=as_of)
        ]  # fmt: skip

    def histories(self, lifecycle: Row, window: Mapping[str, Any]) -> list[list[history.Interval]]:
        """Of every customer, the stays in a lifecycle that began on some days of the tenant's own calendar."""
        zone = ZoneInfo(self.tenant()["time_zone"])
        found: dict[UUID, list[history.Interval]] = {}
        for row in sorted(self.tables.rows["stage_intervals"], key=lambda row: (row["entered_at"], row["id"])):
            if row["lifecycle_id"] == lifecycle["id"] and _within(window, row["entered_at"].astimezone(zone).date()):
                stay = history.Interval(
                    stage=row["stage_key"], visit=row["visit"], entered_at=row["entered_at"],
                    exited_at=row["exited_at"], transition=row["id"], cause=CauseKind(row["cause_kind"]),
                )  # fmt: skip
                found.setdefault(row["customer_id"], []).append(stay)
        return list(found.values())

    def funnel(self, lifecycle: Row, window: Mapping[str, Any] | None) -> list[Row]:
        """How many distinct customers came how far."""
        stages = self.of_version("stages", self.version_in_force(lifecycle["id"]))
        if not stages:
            return []
        named = tuple(
            Stage(key=row["key"], position=row["position"], step=CanonicalStep(row["step"]), kind=StageKind(row["kind"]),
                  label=Text(en=row["key"]))
            for row in stages
        )  # fmt: skip
        definition = Lifecycle(key=lifecycle["key"], stages=named)
        steps = history.funnel(definition, self.histories(lifecycle, window or {}))
        rows = {row["key"]: row for row in stages}
        return [
            {"stage": rows[step.stage], "entered": step.entered, "reached": step.reached, "continued": step.continued,
             "of": step.of, "conversion": step.conversion and round_half_up(step.conversion, 4)}
            for step in steps
        ]  # fmt: skip

    def time_in_stage(self, lifecycle: Row, window: Mapping[str, Any] | None) -> list[Row]:
        """How long customers stay in each stage."""
        histories = self.histories(lifecycle, window or {})
        found = []
        for stage in self.of_version("stages", self.version_in_force(lifecycle["id"])):
            told = history.time_in_stage(stage["key"], histories, now=self.reading.now)
            found.append({
                "stage": stage, "customers": told.customers, "visits": told.visits,
                "median_seconds": _seconds(told.visit), "median_latest_seconds": _seconds(told.latest),
                "median_cumulative_seconds": _seconds(told.cumulative),
            })  # fmt: skip
        return found

    # Values

    def label(self, words: Mapping[str, str]) -> str:
        """A label in the reader's language, else in English."""
        return words.get(self.reading.language) or words.get("en") or ""

    def masked(self, mask: Callable[[str], str], value: str | None) -> str | None:
        """A personal value, masked for who may not see it."""
        return value if value is None or self.reading.sees_personal else mask(value)

    def attributes(self, customer: Row, keys: list[str] | None) -> list[Row]:
        """The golden values, all or those of some keys."""
        return [
            self._attribute(held) for held in customer["attributes"] or () if keys is None or held["key"] in keys
        ]

    def _attribute(self, held: Row) -> Row:
        hidden = held["pii"] and not self.reading.sees_personal
        type_ = "TEXT" if hidden else held["type"]
        value = mask_text(str(held["value"])) if hidden else held["value"]
        return {**held, "value": {"__type": _VALUE_OF[type_], "value": value}}

    # Pages

    def page(
        self, target: str, rows: list[Row], orders: Mapping[str, Callable[[Row], Any]], default: tuple[str, bool],
        asked: Mapping[str, Any], fits: Callable[[Any, Row], bool] = lambda _chosen, _row: True,
    ) -> Row:  # fmt: skip
        """A page of rows that fit a filter and a search."""
        chosen, search = asked.get("filter"), asked.get("search")
        terms = _terms(asked.get("order_by"), default)
        told = leaves(chosen) | leaves(search, "search")
        found = [row for row in rows if fits(chosen, row) and self.matches(search, row)]

        def origin(row: Row) -> Origin:
            place = tuple(orders[name](row) for name, _ in terms)
            return Origin(target, terms, told, place, chosen, search)

        inside = sorted(found, key=cmp_to_key(lambda a, b: _compared(origin(a), origin(b))))
        for name, sign in (("after", 1), ("before", -1)):
            if asked.get(name) is not None:
                mark = self.place_of(asked[name], Origin(target, terms, told, ()))
                inside = [row for row in inside if _compared(origin(row), mark) * sign > 0]
        first, last = asked.get("first"), asked.get("last")
        shown = inside[:first] if first is not None else inside[-last:]  # type: ignore[operator]
        more = len(inside) > len(shown)
        cursors = [Cursor.of(origin(row)) for row in shown]
        return {
            "edges": [{"cursor": cursor, "node": row} for cursor, row in zip(cursors, shown, strict=True)],
            "nodes": shown,
            "totalCount": len(found),
            "pageInfo": {
                "hasNextPage": more if first is not None else asked.get("before") is not None,
                "hasPreviousPage": asked.get("after") is not None if first is not None else more,
                "startCursor": cursors[0] if cursors else None,
                "endCursor": cursors[-1] if cursors else None,
            },
        }

    def place_of(self, text: str, here: Origin) -> Origin:
        """Where a cursor stands. Raises BadInput for one of another order, filter or maker."""
        found = self.ledger.origins.get(text)
        if found is None or not found.same_list(here):
            raise BadInput("a cursor of another list")
        return found

    def matches(self, search: str | None, row: Row) -> bool:
        """Whether a customer is found by a search."""
        if search is None:
            return True
        words = [word["word"] for word in self.tables.rows["customer_words"] if word["customer_id"] == row["id"]]
        return matches(search, words)

    # Filters

    def fits(self, name: str, chosen: Filter, row: Row) -> bool:
        """Whether a row fits a filter; an unset field says nothing, and what is not known to hold does not."""
        return all(self._holds(name, key, part, row) for key, part in (chosen or {}).items() if part is not None)

    def _holds(self, name: str, key: str, part: Any, row: Row) -> bool:
        match key:
            case "and":
                return all(self.fits(name, each, row) for each in part)
            case "or":
                return any(self.fits(name, each, row) for each in part)
            case "not":
                return not self.fits(name, part, row)
            case _:
                return _CONDITIONS[name][key](self, part, row)

    def has_interactions(self, asked: Mapping[str, Any], customer: Row) -> bool:
        """Whether a customer has enough interactions that fit and are recent enough."""
        days = asked.get("withinDays")
        found = [
            row for row in self.interactions()
            if row["customer_id"] in customer["member_ids"] and self.fits("InteractionFilter", asked.get("fitting"), row)
            and (days is None or (self.reading.now - row["occurred_at"]).total_seconds() <= days * 86400)
        ]  # fmt: skip
        return len(found) >= int(asked["atLeast"])

    def has_attribute(self, asked: Mapping[str, Any], customer: Row) -> bool:
        """Whether a customer has a value of an attribute, one that fits."""
        return any(
            row["customer_id"] == customer["id"] and row["key"] == asked["key"]
            and all(_fits_value(row, name, value) for name, value in asked.items() if name != "key")
            for row in self.tables.rows["customer_attributes"]
        )  # fmt: skip

    # Totals

    def totals(self, customer: Row | None, asked: Mapping[str, Any]) -> Row:
        """What orders and refunds add up to; net = gross - refunded + adjusted, average = gross / orders."""
        into = asked.get("currency") or self.tenant()["base_currency"]
        window, booked = asked.get("window") or {}, asked["view"] == "BOOKED"
        parts: dict[str, list[Row]] = {"SALE": [], "ADJUSTMENT": [], "REFUND": []}
        for order in self.current("orders", "Order"):
            fitting = self.fits("OrderFilter", asked.get("filter"), order)
            if order["status"] == "COMPLETED" and fitting and _within(window, order["local_day"]):
                parts[order["kind"]].append(order)
        for refund in self.current("refunds", "Refund"):
            order = self.document("orders", "Order", refund["order_id"])
            counted = order is None or order["status"] == "COMPLETED"
            day = order["local_day"] if order is not None and booked else refund["local_day"]
            if counted and _within(window, day) and self._refund_fits(asked.get("filter"), refund, order):
                parts["REFUND"].append(refund)
        if customer is not None:
            for kind, found in parts.items():
                parts[kind] = [row for row in found if row["customer_id"] in customer["member_ids"]]
        return _added_up({kind: [(row, self.converted(row, into)) for row in found] for kind, found in parts.items()}, into)

    def _refund_fits(self, chosen: Filter, refund: Row, order: Row | None) -> bool:
        """What a refund has of its own is asked of itself, all else of its order."""
        for key, part in (chosen or {}).items():
            if part is None:
                continue
            if key in {"and", "or", "not"}:
                inner = [self._refund_fits(each, refund, order) for each in (part if isinstance(part, list) else [part])]
                holds = {"and": all(inner), "or": any(inner), "not": not all(inner)}[key]
            elif key in _CONDITIONS["RefundFilter"]:
                holds = _CONDITIONS["RefundFilter"][key](self, part, refund)
            else:
                holds = order is not None and _CONDITIONS["OrderFilter"][key](self, part, order)
            if not holds:
                return False
        return True

    def converted(self, document: Row, into: str) -> int | None:
        """The amount in another currency: its own, the one settled for it, or at the rate of its day."""
        if document["currency"] == into:
            return int(document["amount"])
        if document["base_currency"] == into:
            return int(document["base_amount"])
        pairs = {(document["currency"], into): False, (into, document["currency"]): True}
        rates = [
            (rate["day"], rate["recorded_at"], rate["id"], rate["rate"], pairs[rate["base"], rate["quote"]])
            for rate in self.tables.rows["exchange_rates"]
            if (rate["base"], rate["quote"]) in pairs and rate["day"] <= document["local_day"]
        ]
        if not rates:
            return None
        *_, rate, inverse = max(rates)
        amount = Decimal(document["amount"]).scaleb(-minor_units(document["currency"]))
        exact = amount / rate if inverse else amount * rate
        return int(exact.scaleb(minor_units(into)).quantize(Decimal(1), rounding=ROUND_HALF_EVEN))


# Ids


_ID = re.compile(r"([a-z]{3})_([0-9a-f]{32})")


def read_id(text: str, expected: str | None = None) -> Any:
    """The kind and the UUID of a global id; only the UUID where one kind is expected. Raises BadInput."""
    found = _ID.fullmatch(text)
    if found is None or expected not in {None, found[1]}:
        raise BadInput("no such id")
    return UUID(found[2]) if expected else (found[1], UUID(found[2]))


def _id(prefix: str) -> Callable[[Row], str]:
    return lambda row: f"{prefix}_{row['id'].hex}"


# Orders


def _terms(asked: list[Mapping[str, Any]] | None, default: tuple[str, bool]) -> tuple[tuple[str, bool], ...]:
    """What a list is sorted by: each field once, and the id at last to settle ties, the way round of the first."""
    terms: dict[str, bool] = {}
    for part in asked or ():
        terms.setdefault(part["field"], part["direction"] == "DESC")
    if not terms:
        terms[default[0]] = default[1]
    terms.setdefault("ID", next(iter(terms.values())))
    listed = list(terms.items())
    return tuple(listed[: [name for name, _ in listed].index("ID") + 1])


def _compared(one: Origin, other: Origin) -> int:
    for (_, descending), left, right in zip(one.terms, one.place, other.place, strict=True):
        if left != right:
            return (1 if left > right else -1) * (-1 if descending else 1)
    return 0


def _moment(name: str) -> Callable[[Row], Any]:
    return lambda row: row[name] or LONG_AGO


_BY_ID: dict[str, Callable[[Row], Any]] = {"ID": lambda row: row["id"]}
_CUSTOMERS = _BY_ID | {
    "DISPLAY_NAME": lambda row: (row["display_name"] or "").encode(),
    **{
        name.upper(): _moment(name)
        for name in ("first_seen_at", "first_purchase_at", "last_purchase_at", "created_at", "updated_at")
    },
}
_OCCURRED = _BY_ID | {"OCCURRED_AT": _moment("occurred_at")}
_ENTERED = _BY_ID | {"ENTERED_AT": _moment("entered_at")}
_LINES: dict[str, Callable[[Row], Any]] = {"POSITION": lambda row: row["position"], "ID": lambda row: row["position"]}
_SCORES = _BY_ID | {"SCORE": lambda row: row["score"]}
_SKUS = _BY_ID | {"SKU": lambda row: row["sku"].encode()}


DEFAULT_TERMS = {
    "Customer": ("ID", False), "MergeCandidate": ("SCORE", True), "StageInterval": ("ENTERED_AT", False),
    "StageNote": ("OCCURRED_AT", True), "Interaction": ("OCCURRED_AT", True), "Order": ("OCCURRED_AT", True),
    "Refund": ("OCCURRED_AT", True), "Product": ("SKU", False), "OrderLine": ("POSITION", False),
    "RefundLine": ("POSITION", False), "ApiToken": ("ID", True), "AuditEntry": ("ID", True),
}  # fmt: skip
"""What each kind of list is sorted by unless asked otherwise."""


# Conditions

Condition = Callable[[Naive, Any, "Row"], bool]


def _text(column: str) -> Condition:
    def holds(_: Naive, asked: Mapping[str, Any], row: Row) -> bool:
        value = row[column]
        tests = {
            "eq": lambda wanted: value == wanted,
            "in": lambda wanted: value in wanted,
            "contains": lambda wanted: value is not None and wanted in value,
            "startsWith": lambda wanted: value is not None and value.startswith(wanted),
            "isNull": lambda wanted: (value is None) == wanted,
        }
        return all(tests[name](wanted) for name, wanted in asked.items() if wanted is not None)

    return holds


def _time(column: str) -> Condition:
    def holds(_: Naive, asked: Mapping[str, Any], row: Row) -> bool:
        value = row[column]
        tests = {
            "gte": lambda wanted: value is not None and value >= wanted,
            "lt": lambda wanted: value is not None and value < wanted,
            "isNull": lambda wanted: (value is None) == wanted,
        }
        return all(tests[name](wanted) for name, wanted in asked.items() if wanted is not None)

    return holds


def _same_id(column: str, prefix: str) -> Condition:
    def holds(_: Naive, asked: Mapping[str, Any], row: Row) -> bool:
        wanted = [read_id(asked["eq"], prefix)] if asked.get("eq") is not None else None
        among = [read_id(each, prefix) for each in asked["in"]] if asked.get("in") is not None else None
        return all(ids is None or row[column] in ids for ids in (wanted, among))

    return holds


_DOCUMENT: dict[str, Condition] = {
    "customer": _same_id("customer_id", "cus"),
    "hasCustomer": lambda _, asked, row: (row["customer_id"] is not None) == asked,
    "number": _text("number"),
    "occurredAt": _time("occurred_at"),
    "currency": _text("currency"),
    "integration": _same_id("integration_id", "ing"),
}
_CONDITIONS: dict[str, dict[str, Condition]] = {
    "CustomerFilter": {
        "id": _same_id("id", "cus"),
        "kind": _text("kind"),
        "displayName": _text("display_name"),
        "country": _text("country"),
        "firstSeenAt": _time("first_seen_at"),
        "firstPurchaseAt": _time("first_purchase_at"),
        "lastPurchaseAt": _time("last_purchase_at"),
        "updatedAt": _time("updated_at"),
        "stage": lambda naive, asked, row: any(
            stay["customer_id"] == row["id"] and stay["is_current"] and naive.fits("StageFilter", asked, stay)
            for stay in naive.tables.rows["stage_intervals"]
        ),
        "organisation": lambda naive, asked, row: (
            (found := naive.customer(row["organisation_id"])) is not None and naive.fits("CustomerFilter", asked, found)
        ),
        "orders": lambda naive, asked, row: any(
            order["customer_id"] in row["member_ids"] and naive.fits("OrderFilter", asked, order)
            for order in naive.current("orders", "Order")
        ),
        "interactions": Naive.has_interactions,
        "attribute": Naive.has_attribute,
    },
    "StageFilter": {
        "lifecycle": lambda _, asked, row: row["lifecycle_key"] == asked,
        "key": _text("stage_key"),
        "enteredAt": _time("entered_at"),
    },
    "InteractionFilter": {
        "kind": _text("kind"),
        "channel": _text("channel"),
        "direction": _text("direction"),
        "occurredAt": _time("occurred_at"),
        "recordedAt": _time("recorded_at"),
        "integration": _same_id("integration_id", "ing"),
        "machineSuspected": lambda _, asked, row: row["machine_suspected"] == asked,
    },
    "OrderFilter": {**_DOCUMENT, "kind": _text("kind"), "status": _text("status"), "channel": _text("channel")},
    "RefundFilter": _DOCUMENT,
    "ProductFilter": {"sku": _text("sku"), "name": _text("name")},
}


def _fits_value(row: Row, name: str, wanted: Any) -> bool:
    if wanted is None:
        return True
    kind = re.match("[a-z]+", name)
    value = row[f"{kind[0] if kind else name}_value"]
    if value is None:
        return False
    if name.endswith("Gte"):
        return bool(value >= wanted)
    return bool(value <= wanted) if name.endswith("Lte") else bool(value == wanted)


# Money and totals


def _money(minor: int | None, currency: str | None) -> Row | None:
    if minor is None or currency is None:
        return None
    places = minor_units(currency)
    return {"amount": f"{Decimal(minor).scaleb(-places):.{places}f}", "currency": currency}


def _within(window: Mapping[str, Any], day: date) -> bool:
    start, end = window.get("start"), window.get("end")
    return (start is None or day >= start) and (end is None or day < end)


def _added_up(parts: dict[str, list[tuple[Row, int | None]]], into: str) -> Row:
    missing = any(minor is None for found in parts.values() for _, minor in found)
    sums = {kind: None if missing else sum(minor or 0 for _, minor in found) for kind, found in parts.items()}
    sales = parts["SALE"]
    gross, refunded, adjusted = sums["SALE"], sums["REFUND"], sums["ADJUSTMENT"]
    average = None
    if gross is not None and sales:
        average = int((Decimal(gross) / len(sales)).quantize(Decimal(1), rounding=ROUND_HALF_EVEN))
    times = [row["occurred_at"] for row, _ in sales]
    return {
        "orders": len(sales), "refunds": len(parts["REFUND"]), "adjustments": len(parts["ADJUSTMENT"]),
        "gross": _money(gross, into), "refunded": _money(refunded, into), "adjusted": _money(adjusted, into),
        "net": None if missing else _money(gross - refunded + adjusted, into),  # type: ignore[operator]
        "average": _money(average, into), "first_at": min(times, default=None), "last_at": max(times, default=None),
        "missing": "NO_RATE" if missing else None if sales else "NO_ORDERS",
    }  # fmt: skip


def round_half_up(value: Decimal, places: int) -> Decimal:
    """A share as it is shown."""
    return value.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP)


def _seconds(length: timedelta | None) -> int | None:
    return None if length is None else length // timedelta(seconds=1)


# Resolvers

_VALUE_OF = {
    "TEXT": "TextValue", "INTEGER": "IntegerValue", "DECIMAL": "DecimalValue", "BOOLEAN": "BooleanValue",
    "DATE": "DateValue", "DATETIME": "DateTimeValue",
}  # fmt: skip


def _resolvers(naive: Naive) -> dict[tuple[str, str], Callable[..., Any]]:
    of = naive.tables
    found: dict[tuple[str, str], Callable[..., Any]] = {}

    def on(type_: str, **fields: Callable[..., Any]) -> None:
        found.update({(type_, name): resolve for name, resolve in fields.items()})

    def plain(*types: str, keys: str) -> None:
        """Fields whose values stand under their own names."""
        for type_ in types:
            on(type_, **{key: lambda source, _key=key: source[_key] for key in keys.split()})

    targets = "Customer Interaction Order Refund Product MergeCandidate StageInterval StageNote OrderLine RefundLine ApiToken AuditEntry"
    for target in targets.split():
        plain(f"{target}Connection", keys="edges nodes pageInfo totalCount")
        plain(f"{target}Edge", keys="cursor node")
    plain("PageInfo", keys="hasNextPage hasPreviousPage startCursor endCursor")
    for prefix, name in PREFIXES.items():
        if name == "Tenant":
            continue
        names = [f"{family.title()}Interaction" for family in _FAMILIES] if name == "Interaction" else [name]
        for each in names:
            on(each, id=_id(prefix))

    on(
        "Query",
        node=lambda _, id: naive.node(id),  # noqa: A006 - the name of the argument
        nodes=lambda _, ids: [naive.node(id_) for id_ in ids],
        customer=lambda _, by: naive.customer_by(by),
        customers=lambda _, **asked: naive.page(
            "Customer", naive.active(), _CUSTOMERS, ("ID", False), _paging(asked),
            lambda chosen, row: naive.fits("CustomerFilter", chosen, row),
        ),
        mergeCandidates=lambda _, **asked: naive.page(
            "MergeCandidate",
            naive.typed("MergeCandidate", of.all("merge_candidates", lambda row: row["state"] == "OPEN")),
            _SCORES, ("SCORE", True), asked,
        ),
        lifecycles=lambda _: sorted(naive.typed("Lifecycle", of.all("lifecycles")), key=lambda row: row["key"]),
        lifecycle=lambda _, key: of.one("lifecycles", lambda row: row["key"] == key),
        interactions=lambda _, **asked: _interactions(naive, naive.interactions(), asked),
        order=lambda _, by: naive.order_by_reference(by),
        orders=lambda _, **asked: _orders(naive, naive.current("orders", "Order"), asked),
        orderTotals=lambda _, **asked: naive.totals(None, asked),
        refunds=lambda _, **asked: naive.page(
            "Refund", naive.current("refunds", "Refund"), _OCCURRED, ("OCCURRED_AT", True), asked,
            lambda chosen, row: naive.fits("RefundFilter", chosen, row),
        ),
        products=lambda _, **asked: naive.page(
            "Product", naive.products(), _SKUS, ("SKU", False), asked,
            lambda chosen, row: naive.fits("ProductFilter", chosen, row),
        ),
    )  # fmt: skip
    _of_tenants(naive, on)
    _of_customers(naive, on)
    _of_stages(naive, on)
    _of_purchases(naive, on)
    _of_interactions(naive, on)
    return found


def _paging(asked: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"order_by" if name == "orderBy" else name: value for name, value in asked.items()}


def _interactions(naive: Naive, rows: list[Row], asked: Mapping[str, Any]) -> Row:
    return naive.page(
        "Interaction", rows, _OCCURRED, ("OCCURRED_AT", True), asked,
        lambda chosen, row: naive.fits("InteractionFilter", chosen, row),
    )  # fmt: skip


def _orders(naive: Naive, rows: list[Row], asked: Mapping[str, Any]) -> Row:
    return naive.page(
        "Order", rows, _OCCURRED, ("OCCURRED_AT", True), _paging(asked),
        lambda chosen, row: naive.fits("OrderFilter", chosen, row),
    )  # fmt: skip


def _of_tenants(naive: Naive, on: Callable[..., None]) -> None:
    of = naive.tables
    on(
        "Query",
        viewer=lambda _: {},
        apiTokens=lambda _, **asked: naive.page(
            "ApiToken", naive.typed("ApiToken", of.rows["api_tokens"]), _BY_ID, ("ID", True), asked
        ),
        auditLog=lambda _, **asked: naive.page(
            "AuditEntry", of.rows["audit_entries"], {"ID": lambda row: row["position"]}, ("ID", True), asked
        ),
    )
    on(
        "Viewer",
        principal=lambda _: naive.exactly("principals", naive.reading.principal_id, "Principal"),
        tenant=lambda _: naive.tenant(),
        permissions=lambda _: next(
            row["scopes"] for row in of.rows["api_tokens"] if row["id"] == naive.reading.token_id
        ),
        attention=lambda _: {},
    )
    on(
        "Attention",
        mergeCandidates=lambda _: len(of.all("merge_candidates", lambda row: row["state"] == "OPEN")),
        rejectedRecords=lambda _: len(of.all("dead_letters", lambda row: row["resolution"] is None)),
    )
    on("Tenant", id=lambda row: f"ten_{row['tenant_id'].hex}")
    on("ApiToken", principal=lambda row: naive.exactly("principals", row["principal_id"], "Principal"))
    on("AuditEntry", hash=lambda row: row["hash"].hex())


def _of_customers(naive: Naive, on: Callable[..., None]) -> None:
    of = naive.tables
    on(
        "Query",
        attributeDefinitions=lambda _: sorted(
            naive.typed("AttributeDefinition", of.rows["attribute_definitions"]), key=lambda row: row["key"].encode()
        ),
    )
    on(
        "AttributeDefinition",
        label=lambda row: naive.label(row["labels"]),
        isPersonal=lambda row: row["pii"] == "PERSONAL",
    )

    on(
        "Customer",
        displayName=lambda row: row["display_name"] or "",
        mergedIds=lambda row: [f"cus_{id_.hex}" for id_ in row["member_ids"] if id_ != row["id"]],
        primaryEmail=lambda row: naive.masked(mask_email, row["primary_email"]),
        primaryPhone=lambda row: naive.masked(mask_phone, row["primary_phone"]),
        emails=lambda row: row["emails"] or [],
        phones=lambda row: row["phones"] or [],
        addresses=lambda row: row["addresses"] or [],
        attributes=lambda row, keys=None: naive.attributes(row, keys),
        organisation=lambda row: naive.customer(row["organisation_id"]),
        people=lambda row, **asked: naive.page("Customer", naive.people(row), _CUSTOMERS, ("ID", False), asked),
        stage=lambda row, lifecycle=None, asOf=None: next(  # noqa: N803 - the name of the argument
            (stay for stay in naive.stays(row, lifecycle, asOf) if stay["is_current"]), None
        ),
        stageHistory=lambda row, lifecycle=None, asOf=None, **asked: naive.page(  # noqa: N803 - the same
            "StageInterval", naive.stays(row, lifecycle, asOf), _ENTERED, ("ENTERED_AT", False), asked
        ),
        stageNotes=lambda row, **asked: naive.page(
            "StageNote", naive.members("stage_notes", row), _OCCURRED, ("OCCURRED_AT", True), asked
        ),
        timeline=lambda row, **asked: _interactions(naive, naive.timeline(row), asked),
        orders=lambda row, **asked: _orders(
            naive, [order for order in naive.current("orders", "Order") if order["customer_id"] in row["member_ids"]],
            asked,
        ),
        orderTotals=lambda row, **asked: naive.totals(row, asked),
        identities=lambda row: sorted(
            (claim for claim in naive.members("identity_claims", row) if claim["valid_to"] is None),
            key=lambda claim: (claim["scheme"], claim["id"]),
        ),
        consents=lambda row: sorted(
            naive.members("consent_events", row), key=lambda event: (event["occurred_at"], event["id"]), reverse=True
        ),
        sources=lambda row: sorted(
            (link for link in naive.members("record_links", row, "local_id") if link["type"] == "customer"),
            key=lambda link: (link["integration_id"], link["remote_id"].encode()),
        ),
    )  # fmt: skip
    on("Email", address=lambda row: naive.masked(mask_email, row["address"]), **_as_kept("isPrimary verifiedAt"))
    on("Phone", number=lambda row: naive.masked(mask_phone, row["number"]), **_as_kept("isPrimary verifiedAt"))
    on(
        "Address", street=lambda row: naive.masked(mask_text, row["street"]),
        postalCode=lambda row: naive.masked(mask_text, row["postalCode"]), **_as_kept("isPrimary"),
    )  # fmt: skip
    on("Identity", value=lambda row: naive.masked(mask_text, row["value"]))
    for type_, key in (("Text", "text"), ("Decimal", "decimal"), ("Boolean", "boolean"), ("Date", "date")):
        on(f"{type_}Value", **{key: lambda row: row["value"]})
    on("DateTimeValue", moment=lambda row: row["value"])
    on("IntegerValue", integer=lambda row: str(row["value"]))
    on(
        "MergeCandidate",
        score=lambda row: f"{row['score'] // 1000}.{row['score'] % 1000:03}",
        features=lambda row: row["features"] or [],
        left=lambda row: naive.exactly("customers", row["left_id"], "Customer"),
        right=lambda row: naive.exactly("customers", row["right_id"], "Customer"),
    )
    on("SourceRecord", integration=lambda row: naive.exactly("integrations", row["integration_id"], "Integration"))


def _as_kept(keys: str) -> dict[str, Callable[[Row], Any]]:
    return {key: lambda row, _key=key: row[_key] for key in keys.split()}


def _of_stages(naive: Naive, on: Callable[..., None]) -> None:
    def version_number(row: Row) -> int:
        found = naive.version_in_force(row["id"])
        return found["number"] if found else 0

    on(
        "Lifecycle",
        name=lambda row: naive.label(row["labels"]),
        version=version_number,
        stages=lambda row: naive.of_version("stages", naive.version_in_force(row["id"])),
        rules=lambda row: naive.of_version("transition_rules", naive.version_in_force(row["id"])),
        versions=lambda row: sorted(
            naive.tables.all("lifecycle_versions", lambda version: version["lifecycle_id"] == row["id"]),
            key=lambda version: -version["number"],
        ),
    )
    on("Lifecycle", funnel=lambda row, window=None: naive.funnel(row, window))
    on("Lifecycle", timeInStage=lambda row, window=None: naive.time_in_stage(row, window))
    on(
        "StageTransition",
        reason=lambda row: naive.masked(mask_text, row["reason"]),
        cause=lambda row: row,
        lifecycle=lambda row: naive.exactly("lifecycles", row["lifecycle_id"], "Lifecycle"),
        fromStage=lambda row: naive.exactly("stages", row["from_stage_id"], "Stage"),
        toStage=lambda row: naive.exactly("stages", row["to_stage_id"], "Stage"),
        customer=lambda row: naive.customer(row["customer_id"]),
    )
    on("LifecycleVersion", stages=lambda row: naive.of_version("stages", row))
    on(
        "Stage", name=lambda row: naive.label(row["labels"]), needs=lambda row: naive.label(row["needs"]) or None
    )
    on(
        "StageInterval",
        lifecycle=lambda row: naive.exactly("lifecycles", row["lifecycle_id"], "Lifecycle"),
        stage=lambda row: naive.exactly("stages", row["stage_id"], "Stage"),
        seconds=lambda row: int(((row["exited_at"] or naive.reading.now) - row["entered_at"]).total_seconds()),
        cause=lambda row: row,
    )
    on("TransitionCause", kind=lambda row: row["cause_kind"])
    on(
        "StageNote",
        text=lambda row: naive.masked(mask_text, row["text"]),
        stage=lambda row: naive.exactly("stages", row["stage_id"], "Stage"),
    )


def _of_purchases(naive: Naive, on: Callable[..., None]) -> None:
    of = naive.tables
    for type_, table, key in (("Order", "orders", "order"), ("Refund", "refunds", "refund")):
        on(
            type_,
            total=lambda row: _money(row["amount"], row["currency"]),
            baseTotal=lambda row: _money(row["base_amount"], row["base_currency"]),
            customer=lambda row: naive.customer(row["customer_id"]),
            lines=lambda row, _key=key, _table=table, _type=type_, **asked: naive.page(
                f"{_type}Line",
                [
                    {**line, "currency": row["currency"]} for line in of.rows[f"{_key}_lines"]
                    if line[f"{_key}_id"] == row["id"] and line[f"{_key}_version"] == row["version"]
                ],
                _LINES, ("POSITION", False), asked,
            ),
        )  # fmt: skip
        on(
            f"{type_}Line",
            amount=lambda row: _money(row["amount"], row["currency"]),
            discount=lambda row: _money(row["discount"], row["currency"]),
            tax=lambda row: _money(row["tax"], row["currency"]),
            cost=lambda row: _money(row["cost_amount"], row["currency"]),
            product=lambda row: next((each for each in naive.products() if each["id"] == row["product_id"]), None),
        )
    on(
        "Order",
        refunds=lambda row, **asked: naive.page(
            "Refund", [each for each in naive.current("refunds", "Refund") if each["order_id"] == row["id"]],
            _OCCURRED, ("OCCURRED_AT", True), asked,
        ),
    )  # fmt: skip
    on("Refund", order=lambda row: naive.document("orders", "Order", row["order_id"]))
    on("Product", family=lambda row: naive.exactly("product_families", row["family_id"], "ProductFamily"))


_FAMILIES: dict[str, dict[str, str]] = {
    "EMAIL": {"subject": "subject", "sender": "from", "recipients": "to", "messageId": "message_id", "link": "link"},
    "MESSAGE": {"text": "text", "sender": "from", "recipients": "to", "deliveryStatus": "status"},
    "CALL": {"caller": "from", "callee": "to", "durationSeconds": "duration_seconds", "outcome": "outcome",
             "recordingUrl": "recording_url"},
    "MEETING": {"title": "title", "startsAt": "starts_at", "endsAt": "ends_at", "attendees": "attendees",
                "location": "location", "meetingStatus": "status"},
    "ENVELOPE": {"title": "title", "envelopeId": "envelope_id", "signers": "signers", "reason": "reason"},
    "CASE": {"caseId": "case_id", "title": "title", "caseStatus": "status", "priority": "priority", "cost": "cost",
             "currency": "currency"},
    "SURVEY": {"survey": "survey", "score": "score", "scale": "scale", "comment": "comment"},
    "REVIEW": {"rating": "rating", "scale": "scale", "text": "text", "site": "site"},
    "REFERRAL": {"referred": "referred", "code": "code", "referralStatus": "status"},
    "USAGE": {"product": "product", "feature": "feature", "quantity": "quantity", "unit": "unit"},
    "VISIT": {"url": "url", "referrer": "referrer", "seconds": "seconds", "session": "session"},
    "COMMERCE": {"number": "number"},
    "STAGE": {"lifecycleKey": "lifecycle", "fromStage": "from_stage", "toStage": "to_stage"},
    "NOTE": {"text": "text", "author": "author"},
    "TASK": {"title": "title", "assignee": "assignee", "dueAt": "due_at", "done": "done"},
}  # fmt: skip
"""Which value of its payload each field of a family shows."""

_MASKS: dict[tuple[str, str], Callable[[str], str]] = {
    ("EMAIL", "sender"): mask_email,
    ("MESSAGE", "sender"): mask_text,
    ("CALL", "caller"): mask_phone,
    ("CALL", "callee"): mask_phone,
    ("REFERRAL", "referred"): mask_text,
}
_MOMENTS = {"startsAt", "endsAt", "dueAt"}
_LISTS = {"recipients", "attendees", "signers"}


def _of_interactions(naive: Naive, on: Callable[..., None]) -> None:
    def shown(family: str, name: str, key: str) -> Callable[[Row], Any]:
        def resolve(row: Row) -> Any:
            value = (row["payload"] or {}).get(key)
            if name in _LISTS:
                return [naive.masked(mask_text, each) for each in value or ()]
            if value is not None and name in _MOMENTS:
                return datetime.fromisoformat(value).astimezone(UTC)
            mask = _MASKS.get((family, name))
            return naive.masked(mask, value) if mask else value

        return resolve

    for family, fields in _FAMILIES.items():
        type_ = f"{family.title()}Interaction"
        on(type_, **{name: shown(family, name, key) for name, key in fields.items()})
        on(
            type_,
            customer=lambda row: naive.customer(row["customer_id"]),
            source=lambda row: row["integration_id"] and {**row, "type": row["stream"]},
        )
    on(
        "CommerceInteraction",
        order=lambda row: naive.document("orders", "Order", _uuid((row["payload"] or {}).get("order_id"))),
    )


def _uuid(text: str | None) -> UUID | None:
    return UUID(text) if text else None


def _snake(name: str) -> str:
    return re.sub("([A-Z])", r"_\1", name).lower()


# Scalars


def _parsed(parse: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def checked(value: Any) -> Any:
        try:
            found = parse(value)
        except (ValueError, TypeError, ArithmeticError) as bad:
            raise GraphQLError("not a value of this kind") from bad
        if found is None:
            raise GraphQLError("not a value of this kind")
        return found

    return checked


def _plain_decimal(value: Any) -> str:
    if isinstance(value, str):
        return value
    plain = f"{Decimal(value):f}"
    return plain.rstrip("0").rstrip(".") if "." in plain else plain


def _iso(value: Any) -> str:
    return value if isinstance(value, str) else str(value.isoformat())


_SCALARS: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "DateTime": (_parsed(lambda text: datetime.fromisoformat(text).astimezone(UTC)), _iso),
    "Date": (_parsed(date.fromisoformat), _iso),
    "Decimal": (_parsed(Decimal), _plain_decimal),
    "EmailAddress": (_parsed(normalise_email), str),
    "PhoneNumber": (_parsed(normalise_phone), str),
}
