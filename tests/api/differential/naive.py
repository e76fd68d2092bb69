"""The third way: graphql-core with one resolver per field over rows loaded whole into Python.

Written from the words of the design, not from the SQL: relations, filters, orders, pages, totals, masks and labels are
said here a second time, as plainly as possible.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, time
from decimal import ROUND_HALF_EVEN, Decimal
from functools import cmp_to_key
from operator import itemgetter
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from graphql import (
    DocumentNode,
    GraphQLEnumType,
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
from domain.customers.folding import mask_text, matches
from domain.stages import history
from domain.stages.rules import CanonicalStep, CauseKind, Lifecycle, Stage, StageKind, Text
from tests.api.differential import spending
from tests.api.differential.amounts import added_up, per_day, round_half_up, whole_seconds, within
from tests.api.differential.conditions import CONDITIONS, fits_value
from tests.api.differential.coverage import Coverage
from tests.api.differential.ledger import Cursor, Ledger, Origin, leaves
from tests.api.differential.ordering import LONG_AGO, ORDERS, compared, terms_of
from tests.api.differential.resolvers import SCALARS, resolvers
from tests.api.differential.things import PREFIXES, TABLE_OF, BadInput, read_id

if TYPE_CHECKING:
    from uuid import UUID

    from tests.api.differential.tables import Row, Tables

Filter = Mapping[str, Any] | None


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

    def __init__(self, schema: GraphQLSchema, tables: Tables) -> None:
        self.tables = tables
        self.begin_anew(Ledger(), Coverage(schema))
        self.reading = Reading("en", sees_personal=True, now=LONG_AGO)
        self.schema = self._resolving(build_schema(print_schema(schema)))

    def begin_anew(self, ledger: Ledger, coverage: Coverage) -> None:
        """Know nothing of earlier operations: what was given and reached is noted here from now on."""
        self.ledger, self.coverage = ledger, coverage

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
        found = resolvers(self)
        for name, of in schema.type_map.items():
            if name.startswith("__"):
                continue
            if isinstance(of, GraphQLScalarType) and name in SCALARS:
                of.parse_value = of.coerce_input_value = SCALARS[name][0]
                of.serialize = of.coerce_output_value = SCALARS[name][1]
            elif isinstance(of, (GraphQLInterfaceType, GraphQLUnionType)):
                of.resolve_type = self._told(name)
            elif isinstance(of, GraphQLObjectType):
                for key, field in of.fields.items():
                    resolve = found.get((name, key)) or itemgetter(snake(key))
                    field.resolve = self._counted(f"{name}.{key}", field, resolve)
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
            if isinstance(named, GraphQLEnumType):
                for value in found if isinstance(found, list) else [found]:
                    self.coverage.reach(f"{named.name}.{value}")
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

    def node(self, id_: str) -> Row | None:  # noqa: PLR0911 - one for each kind
        """The thing with a global id."""
        prefix, uuid = read_id(id_)
        match prefix:
            case "cus":
                return self.customer(uuid)
            case "ord" | "ref" | "inv" | "pay" | "crn" | "con" | "opp":
                return self.document(TABLE_OF[prefix], PREFIXES[prefix], uuid)
            case "cst":
                return spending.latest(self, uuid)
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

    def invoice_by_reference(self, by: Mapping[str, Any]) -> Row | None:
        """An invoice by its id or its number."""
        if by.get("id") is not None:
            return self.document("invoices", "Invoice", read_id(by["id"], "inv"))
        return self.only([row for row in self.current("invoices", "Invoice") if row["number"] == by["number"]])

    def allocations(self, owner: str, fits: Callable[[Row], bool], other: str) -> list[Row]:
        """What the current versions of payments or credit notes settle, with the currency of what settles it."""
        heads = {row["id"]: row for row in self.tables.all(f"{owner}s", lambda row: row["superseded_at"] is None)}
        return [
            {**row, "other_id": row[other], "currency": heads[row[f"{owner}_id"]]["currency"]}
            for row in self.tables.rows[f"{owner}_allocations"]
            if fits(row)
            and row[f"{owner}_id"] in heads
            and heads[row[f"{owner}_id"]]["version"] == row[f"{owner}_version"]
        ]

    def is_overdue(self, invoice: Row) -> bool:
        """Whether an invoice is open after its day, where the tenant is."""
        zone = ZoneInfo(self.tables.rows["tenants"][0]["time_zone"])
        due = invoice["due_on"]
        return invoice["status"] == "OPEN" and due is not None and due < self.reading.now.astimezone(zone).date()

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
            if row["lifecycle_id"] == lifecycle["id"] and within(window, row["entered_at"].astimezone(zone).date()):
                stay = history.Interval(
                    stage=row["stage_key"], visit=row["visit"], entered_at=row["entered_at"],
                    exited_at=row["exited_at"], transition=row["id"], cause=CauseKind(row["cause_kind"]),
                )  # fmt: skip
                found.setdefault(row["customer_id"], []).append(stay)
        return list(found.values())

    def funnel(self, lifecycle: Row, window: Mapping[str, Any] | None) -> list[Row]:
        """How many distinct customers came how far."""
        definition, rows = self.definition(lifecycle)
        if definition is None:
            return []
        steps = history.funnel(definition, self.histories(lifecycle, window or {}))
        return [
            {"stage": rows[step.stage], "entered": step.entered, "reached": step.reached, "continued": step.continued,
             "of": step.of, "conversion": step.conversion and round_half_up(step.conversion, 4)}
            for step in steps
        ]  # fmt: skip

    def conversions(self, lifecycle: Row, window: Mapping[str, Any] | None) -> list[Row]:
        """Who came from each stage to each other one."""
        definition, rows = self.definition(lifecycle)
        if definition is None:
            return []
        told = history.conversions(definition, self.histories(lifecycle, window or {}))
        return [
            {"from_stage": rows[each.source], "to_stage": rows[each.target], "of": each.of,
             "converted": each.converted, "rate": each.rate and round_half_up(each.rate, 4)}
            for each in told
        ]  # fmt: skip

    def movements(self, lifecycle: Row, window: Mapping[str, Any] | None) -> list[Row]:
        """Which ways customers took at each stage."""
        definition, rows = self.definition(lifecycle)
        if definition is None:
            return []
        zone = ZoneInfo(self.tenant()["time_zone"])
        since, until = (
            None if day is None else datetime.combine(day, time(), zone)
            for day in map((window or {}).get, ("start", "end"))
        )
        told = history.movements(definition, self.histories(lifecycle, {}), since=since, until=until)
        return [
            {"stage": rows[ways.stage], "left": ways.left, "regressed": ways.regressed, "entered": ways.entered,
             "skipped": ways.skipped,
             "regression_rate": ways.regression_rate and round_half_up(ways.regression_rate, 4),
             "skip_rate": ways.skip_rate and round_half_up(ways.skip_rate, 4)}
            for ways in told
        ]  # fmt: skip

    def definition(self, lifecycle: Row) -> tuple[Lifecycle | None, dict[str, Row]]:
        """A lifecycle as it is in force, with the rows of its stages by their keys."""
        stages = self.of_version("stages", self.version_in_force(lifecycle["id"]))
        named = tuple(
            Stage(
                key=row["key"], position=row["position"], step=CanonicalStep(row["step"]),
                kind=StageKind(row["kind"]), label=Text(en=row["key"]),
            )
            for row in stages
        )  # fmt: skip
        found = Lifecycle(key=lifecycle["key"], stages=named) if stages else None
        return found, {row["key"]: row for row in stages}

    def time_in_stage(self, lifecycle: Row, window: Mapping[str, Any] | None) -> list[Row]:
        """How long customers stay in each stage."""
        histories = self.histories(lifecycle, window or {})
        found = []
        for stage in self.of_version("stages", self.version_in_force(lifecycle["id"])):
            told = history.time_in_stage(stage["key"], histories, now=self.reading.now)
            found.append({
                "stage": stage, "customers": told.customers, "visits": told.visits,
                "median_seconds": whole_seconds(told.visit), "median_latest_seconds": whole_seconds(told.latest),
                "median_cumulative_seconds": whole_seconds(told.cumulative), "velocity": per_day(told.visit),
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
        return [self._attribute(held) for held in customer["attributes"] or () if keys is None or held["key"] in keys]

    def _attribute(self, held: Row) -> Row:
        hidden = held["pii"] and not self.reading.sees_personal
        type_ = "TEXT" if hidden else held["type"]
        value = mask_text(str(held["value"])) if hidden else held["value"]
        return {**held, "value": {"__type": _VALUE_OF[type_], "value": value}}

    # Pages

    def page(self, target: str, rows: list[Row], asked: Mapping[str, Any]) -> Row:
        """A page of rows that fit a filter and a search."""
        chosen, search = asked.get("filter"), asked.get("search")
        terms = terms_of(target, asked.get("orderBy"))
        told = leaves(chosen) | leaves(search, "search")
        found = [row for row in rows if self.fits(f"{target}Filter", chosen, row) and self.matches(search, row)]

        def origin(row: Row) -> Origin:
            place = tuple(ORDERS[target][name](row) for name, _ in terms)
            return Origin(target, terms, told, place, chosen, search)

        inside = sorted(found, key=cmp_to_key(lambda a, b: compared(origin(a), origin(b))))
        for name, sign in (("after", 1), ("before", -1)):
            if asked.get(name) is not None:
                mark = self.place_of(asked[name], Origin(target, terms, told, ()))
                inside = [row for row in inside if compared(origin(row), mark) * sign > 0]
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
                return CONDITIONS[name][key](self, part, row)

    def has_interactions(self, asked: Mapping[str, Any], customer: Row) -> bool:
        """Whether a customer has enough interactions that fit and are recent enough."""
        days = asked.get("withinDays")
        found = [
            row for row in self.interactions()
            if row["customer_id"] in customer["member_ids"]
            and self.fits("InteractionFilter", asked.get("fitting"), row)
            and (days is None or (self.reading.now - row["occurred_at"]).total_seconds() <= days * 86400)
        ]  # fmt: skip
        return len(found) >= int(asked["atLeast"])

    def has_attribute(self, asked: Mapping[str, Any], customer: Row) -> bool:
        """Whether a customer has a value of an attribute, one that fits."""
        return any(
            row["customer_id"] == customer["id"] and row["key"] == asked["key"]
            and all(fits_value(row, name, value) for name, value in asked.items() if name != "key")
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
            if order["status"] == "COMPLETED" and fitting and within(window, order["local_day"]):
                parts[order["kind"]].append(order)
        for refund in self.current("refunds", "Refund"):
            order = self.document("orders", "Order", refund["order_id"])
            counted = order is None or order["status"] == "COMPLETED"
            day = order["local_day"] if order is not None and booked else refund["local_day"]
            if counted and within(window, day) and self._refund_fits(asked.get("filter"), refund, order):
                parts["REFUND"].append(refund)
        if customer is not None:
            for kind, found in parts.items():
                parts[kind] = [row for row in found if row["customer_id"] in customer["member_ids"]]
        return added_up(
            {kind: [(row, self.converted(row, into)) for row in found] for kind, found in parts.items()}, into
        )

    def _refund_fits(self, chosen: Filter, refund: Row, order: Row | None) -> bool:
        """What a refund has of its own is asked of itself, all else of its order."""
        for key, part in (chosen or {}).items():
            if part is None:
                continue
            if key in {"and", "or", "not"}:
                inner = [
                    self._refund_fits(each, refund, order) for each in (part if isinstance(part, list) else [part])
                ]
                holds = {"and": all(inner), "or": any(inner), "not": not all(inner)}[key]
            elif key in CONDITIONS["RefundFilter"]:
                holds = CONDITIONS["RefundFilter"][key](self, part, refund)
            else:
                holds = order is not None and CONDITIONS["OrderFilter"][key](self, part, order)
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


_VALUE_OF = {
    "TEXT": "TextValue", "INTEGER": "IntegerValue", "DECIMAL": "DecimalValue", "BOOLEAN": "BooleanValue",
    "DATE": "DateValue", "DATETIME": "DateTimeValue",
}  # fmt: skip


def snake(name: str) -> str:
    return re.sub("([A-Z])", r"_\1", name).lower()
