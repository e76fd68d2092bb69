"""From a selection to a plan: one SQL statement per list level, and one generated function that completes them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from graphql import (
    FieldNode,
    GraphQLField,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    SelectionSetNode,
    is_abstract_type,
)

from api import ids, pages
from api.problems import BadUserInput
from api.reads import completion
from api.reads.inputs import Given, Input, Variables, given, plain
from api.reads.mapping import (
    EDGES,
    FILTERS,
    REGISTRY,
    Amount,
    ById,
    Check,
    Column,
    Embedded,
    Field,
    Find,
    Key,
    Listing,
    Many,
    One,
    Part,
    TypeMap,
)
from api.reads.paging import Page
from api.reads.rows import EmbeddedRow, Joined, Level, Row
from api.reads.selection import Selection
from api.reads.statement import Binds, Statement, statement

Nodes = list[FieldNode]


@dataclass(frozen=True)
class RootPlan:
    """How one root field is read: its statements, its parameters, its completion and the scopes that it takes."""

    statements: tuple[Statement, ...]
    binds: Binds
    complete: Callable[..., Any]
    scopes: frozenset[str]
    source: str = field(repr=False)
    nullable: bool = True


class Planner:
    """Plans the root fields of one operation; make a new one for each root field."""

    def __init__(
        self, schema: GraphQLSchema, selection: Selection, variables: Variables, *, names_types: bool = False
    ) -> None:
        self.schema = schema
        self.selection = selection
        self.variables = variables
        self.names_types = names_types
        self.binds = Binds()
        self.statements: list[Statement] = []
        self.checks: dict[int, str] = {}
        self.places: dict[int, int] = {}
        self.names: dict[str, Any] = dict(completion.NAMES)
        self.scopes: set[str] = set()
        self.numbers = 0

    # Roots

    def root(self, of: GraphQLObjectType, nodes: Nodes) -> RootPlan:
        """The plan of a relational field of a root type."""
        name = nodes[0].name.value
        spec, definition = REGISTRY[of.name].fields[name], of.fields[name]
        if isinstance(spec, ById):
            lines, result = self._nodes(nodes, definition, many=spec.many)
        else:
            lines, result = self._rooted(spec, nodes, definition)
        return replace(self._finished(lines, result), nullable=not isinstance(definition.type, GraphQLNonNull))

    def reference(self, type_name: str, sets: Sequence[SelectionSetNode | None]) -> RootPlan:
        """The plan of one thing by its id, which is put in the place of the first value: what a payload refers to."""
        lines, result = self._by_ids(type_name, sets, Given(None, lambda _: None), lambda _: [None])
        return self._finished(lines, f"{result}.get(a[0][0])")

    def _finished(self, lines: list[str], result: str) -> RootPlan:
        source = "\n ".join(["async def run(q, a, cx):", *self.checks.values(), *lines, f"return {result}"])
        exec(compile(source, "<plan>", "exec"), self.names)  # noqa: S102 - assembled from our own mapping; values are bound
        return RootPlan(tuple(self.statements), self.binds, self.names["run"], frozenset(self.scopes), source)

    def _rooted(self, spec: Field, nodes: Nodes, definition: GraphQLField) -> tuple[list[str], str]:
        self._allow(spec)
        arguments = self._arguments(nodes[0], definition)
        level = Level(self._number(), nested=False)
        if isinstance(spec, Many):
            return level.lines, self._connection(spec, nodes, arguments, level)
        if isinstance(spec, Listing):
            return level.lines, self._list(spec, nodes, arguments, level)
        if not isinstance(spec, One):
            message = f"{spec} is no root"
            raise TypeError(message)
        body = self._object(spec.target, _sets(nodes), level.alias, level.row, level)
        source = self._source(spec, level.alias, "", arguments, **self._found(spec, arguments, level))
        index = self._statement(f"select {level.row.listed} from (select {level.named()} from {source}) {level.source}")
        level.fetch(f"await q({index}, a)")
        level.stream(body)
        return level.lines, f"only({level.documents})"

    def _nodes(self, nodes: Nodes, definition: GraphQLField, *, many: bool) -> tuple[list[str], str]:
        """`node` and `nodes`: the types that the ids claim are part of the shape of the request."""
        wanted = self._arguments(nodes[0], definition)["ids" if many else "id"]
        if not isinstance(wanted, Given):
            raise BadUserInput("Give an id.")
        if many and len(wanted.now) > pages.MOST:
            raise BadUserInput(f"Ask for at most {pages.MOST} nodes at once.")
        values = wanted.now if many else [wanted.now]
        read = wanted.read if many else lambda variables: [wanted.read(variables)]
        all_ids = self.binds.add(lambda variables, _a, _cx: [ids.decode(text) for text in read(variables)])
        lines, found = [], []
        for kind in sorted({ids.decode(text)[0] for text in values}):
            target = next((entry for entry in REGISTRY.values() if entry.prefix == kind), None)
            if target is not None:
                if target.scope is not None:
                    self.scopes.add(target.scope)
                more, documents = self._by_ids(
                    target.name,
                    _sets(nodes),
                    Given(None, read),
                    partial(_of_kind, kind),
                )
                lines += more
                found.append(f"{kind!r}: {documents}")
        lookup = "found.get(k, Z).get(i)"
        lines.append(f"found = {{{', '.join(found)}}}")
        listed = f"[{lookup} for k, i in a[{all_ids}]]"
        return lines, listed if many else f"{listed}[0]"

    def number(self) -> int:
        """A number that no other name in this plan has."""
        return self._number()

    def _by_ids(
        self, type_name: str, sets: Sequence[SelectionSetNode | None], wanted: Given, convert: Callable[[Any], Any]
    ) -> tuple[list[str], str]:
        """Things by their ids: a dictionary from UUID to document."""
        mapping = REGISTRY[type_name]
        level = Level(self._number(), nested=False)
        if mapping.by_id is None:
            message = f"{type_name} cannot be found by its id"
            raise TypeError(message)
        token = self.binds.token(wanted, convert, "uuid[]")
        asked = level.row.column("k.id")
        level.row.names_type = lambda: repr(type_name)
        body = self._object(type_name, sets, level.alias, level.row, level)
        source = mapping.by_id.format(t=level.alias, k="k.id")
        index = self._statement(
            f"select {level.row.listed} from unnest({token}) as k(id)"
            f" cross join lateral (select * from {source}) {level.source}",
        )
        level.fetch(f"await q({index}, a)")
        level.stream(body)
        level.lines.append(
            f"by{level.number} = {{{asked}: o for {level.row.code}, o in zip({level.rows}, {level.documents})}}"
        )
        return level.lines, f"by{level.number}"

    # Objects

    def _object(
        self, type_name: str, sets: Sequence[SelectionSetNode | None], alias: str, row: Row | EmbeddedRow, level: Level
    ) -> str:
        """The code that makes the document of one row."""
        of: Any = self.schema.type_map[type_name]
        if is_abstract_type(of):
            return self._abstract(of, sets, alias, row, level)
        mapping = REGISTRY[type_name]
        parts = [
            f"{key!r}: {self._field(mapping, of, nodes, alias, row, level)}"
            for key, nodes in self.selection.of(sets, of).items()
        ]
        if self.names_types and row.names_type:
            parts.append(f"'__type': {row.names_type()}")
        return "{" + ", ".join(parts) + "}"

    def _abstract(
        self, of: Any, sets: Sequence[SelectionSetNode | None], alias: str, row: Row | EmbeddedRow, level: Level
    ) -> str:
        mapping = REGISTRY[of.name]

        def told() -> str:
            return row.column((mapping.discriminator or "").format(t=alias))

        row.names_type = lambda: f"{self._constant(mapping.concrete)}[{told()}]"
        bodies: dict[str, list[str]] = {}
        for value, name in mapping.concrete.items():
            bodies.setdefault(self._object(name, sets, alias, row, level), []).append(value)
        row.names_type = None
        if len(bodies) == 1:
            return next(iter(bodies))
        cases: dict[str, str] = {}
        for body, values in bodies.items():
            function = f"f{self._number()}"
            level.before.append(f"def {function}({level.index}, {row.code}): return {body}")
            cases |= dict.fromkeys(values, function)
        listed = ", ".join(f"{value!r}: {function}" for value, function in cases.items())
        return f"{{{listed}}}[{told()}]({level.index}, {row.code})"

    def _field(
        self, mapping: TypeMap, of: GraphQLObjectType, nodes: Nodes, alias: str, row: Row | EmbeddedRow, level: Level
    ) -> str:
        name = nodes[0].name.value
        if name == "__typename":
            return row.names_type() if row.names_type else repr(of.name)
        spec = mapping.fields[name]
        memo = (id(spec), *map(id, nodes))
        if memo not in row.memo:
            self._allow(spec)
            arguments = self._arguments(nodes[0], of.fields[name])
            row.memo[memo] = self._emit(spec, nodes, alias, row, level, arguments)
        return row.memo[memo]

    def _emit(  # noqa: PLR0911 - one answer for each kind of field
        self, spec: Field, nodes: Nodes, alias: str, row: Any, level: Level, arguments: Mapping[str, Input]
    ) -> str:
        match spec:
            case Column():
                return self._column(spec, alias, row)
            case Key():
                return self._finish(row.key(spec.key), spec.finish, null=spec.null)
            case Amount():
                return self._amount(spec, nodes, alias, row)
            case Embedded():
                return self._embedded(spec, nodes, alias, row, level, arguments)
            case Part():
                return self._part(spec, nodes, alias, row, level)
            case One():
                return self._one(spec, nodes, alias, row, level, arguments)
            case Many() | Listing():
                return self._nested(spec, nodes, alias, row, level, arguments)
            case _:
                message = f"{spec} cannot be read"
                raise TypeError(message)

    def _column(self, spec: Column, alias: str, row: Row) -> str:
        sql = self._filled(spec.sql or "", t=alias)
        if spec.annotation is datetime and spec.finish is None:
            return self._moment(row, sql, null=bool(spec.null))
        value = row.column(sql)
        if spec.code is not None:
            made = spec.code.format(e=value)
            return f"(None if {value} is None else {made})" if spec.null else made
        return self._finish(value, spec.finish, null=bool(spec.null))

    def _moment(self, row: Row, sql: str, *, null: bool) -> str:
        """A moment, written by PostgreSQL: the driver's way to a datetime costs more than all else on a flat page."""
        text = f"v{self._number()}"
        # 22 characters: no fraction of a second; 29: all its digits, as nearly always where there is one.
        made = f"{text}.replace(' ', 'T') + ':00' if len({text}) in (22, 29) else moment({text})"
        value = row.column(f"({sql})::text")
        return f"(None if ({text} := {value}) is None else {made})" if null else f"(({text} := {value}) and ({made}))"

    def _finish(self, value: str, finish: Any, *, null: bool) -> str:
        if finish is None:
            return value
        call = f"{self._constant(finish)}({{}}, cx)"
        if not null:
            return call.format(value)
        name = f"v{self._number()}"
        return f"(None if ({name} := {value}) is None else {call.format(name)})"

    def _amount(self, spec: Amount, nodes: Nodes, alias: str, row: Row) -> str:
        minor, currency = row.column(spec.minor.format(t=alias)), row.column(spec.currency.format(t=alias))
        of: Any = self.schema.type_map["Money"]
        parts = []
        for key, selected in self.selection.of(_sets(nodes), of).items():
            made = {
                "amount": f"amount({minor}, {currency})",
                "currency": currency,
                "__typename": "'Money'",
            }[selected[0].name.value]
            parts.append(f"{key!r}: {made}")
        made = "{" + ", ".join(parts) + "}"
        return f"(None if {minor} is None else {made})" if spec.null else made

    def _embedded(
        self, spec: Embedded, nodes: Nodes, alias: str, row: Any, level: Level, arguments: Mapping[str, Input]
    ) -> str:
        value = f"loads({row.column(self._filled(spec.sql, t=alias))})" if isinstance(row, Row) else row.key(spec.sql)
        if spec.finish is not None:
            given_ = "".join(
                f", {name}=a[{self.binds.value(part, spec.arguments[name].convert)}]"
                for name, part in arguments.items()
            )
            value = f"{self._constant(spec.finish)}({value}, cx{given_})"
        inner = EmbeddedRow(f"x{self._number()}")
        body = self._object(spec.target, _sets(nodes), "", inner, level)
        if spec.many:
            return f"[{body} for {inner.code} in {value}]"
        made = f"({inner.code} := {value})"
        return f"({body} if {made} else None)" if spec.null else f"({made}, {body})[1]"

    def _part(self, spec: Part, nodes: Nodes, alias: str, row: Any, level: Level) -> str:
        whole, row.names_type = row.names_type, None
        body = self._object(spec.target, _sets(nodes), alias, row, level)
        row.names_type = whole
        return body

    def _one(self, spec: One, nodes: Nodes, alias: str, row: Row, level: Level, arguments: Mapping[str, Input]) -> str:
        t = f"t{self._number()}"
        level.join(t, self._source(self._briefly(spec, nodes, arguments), t, alias, arguments))
        is_there = row.column(f"{t}.is_there")
        return f"(None if {is_there} is None else {self._object(spec.target, _sets(nodes), t, Joined(row), level)})"

    def _briefly(self, spec: One, nodes: Nodes, arguments: Mapping[str, Input]) -> One:
        """The same from its brief source, where all that is asked for stands there."""
        if spec.brief is None:
            return spec
        of: Any = self.schema.type_map[spec.target]
        asked = {chosen[0].name.value for chosen in self.selection.of(_sets(nodes), of).values()}
        source = spec.brief.source(Sourcing(self, spec, arguments)) if asked <= spec.brief.fields else None
        return spec if source is None else replace(spec, source=source)

    # Lists

    def _nested(
        self, spec: Many | Listing, nodes: Nodes, alias: str, row: Row, level: Level, arguments: Mapping[str, Input]
    ) -> str:
        child = Level(self._number(), nested=True)
        keys = row.column((spec.keys or "").format(p=alias))
        child.lines.append(f"k{child.number}, s{child.number} = keys({level.rows}, lambda {level.row.code}: {keys})")
        if isinstance(spec, Listing):
            made = self._list(spec, nodes, arguments, child)
        else:
            counted = (spec.keys or "").format(p=alias)
            made = self._connection(spec, nodes, arguments, child, row=row, counted=counted)
        level.children += child.lines
        return made.replace(child.parent, level.index)

    def _list(self, spec: Listing, nodes: Nodes, arguments: Mapping[str, Input], level: Level) -> str:
        body = self._object(spec.target, _sets(nodes), level.alias, level.row, level)
        source = self._source(spec, level.alias, "", arguments, **self._found(spec, arguments, level))
        order = spec.order.format(t=level.alias)
        self._fetch(level, source, spec.link, order, limit=None)
        level.stream(body)
        return f"{level.documents}[slice(*{level.bounds})]" if level.nested else level.documents

    def _found(self, spec: One | Listing, arguments: Mapping[str, Input], level: Level) -> dict[str, str]:
        """The place in SQL of what has to be found before a level can be read, and the line that finds it."""
        if spec.find is None:
            return {}
        place = self._told({**arguments})
        keys = f"k{level.number}[-1] + s{level.number}[-1]" if level.nested else "()"
        level.lines.append(f"a[{place}] = await q.find({self._constant(spec.find)}, a[{place}], {keys})")
        return {"found": self.binds.typed(place, "jsonb")}

    def check(self, check: Check, part: Input) -> None:
        """Have a part of the arguments checked against the tenant's data before any row is read."""
        if id(part) not in self.checks:  # a filter is compiled again for the count of all rows
            self.checks[id(part)] = f"await q.find({self._constant(check)}, a[{self._told(part)}], ())"

    def found(self, find: Find, part: Input) -> str:
        """The place in SQL of what has to be found for a part of the arguments before any row is read, as JSON."""
        if id(part) not in self.places:
            place = self.places[id(part)] = self._told(part)
            self.checks[id(part)] = f"a[{place}] = await q.find({self._constant(find)}, a[{place}], ())"
        return self.binds.typed(self.places[id(part)], "jsonb")

    def _told(self, part: Input) -> int:
        """The place of what a part of the arguments says in a request."""
        return self.binds.add(lambda variables, _a, _cx: plain(part, variables))

    def _connection(
        self, spec: Many, nodes: Nodes, arguments: Mapping[str, Input], level: Level, *,
        row: Row | None = None, counted: str = "",
    ) -> str:  # fmt: skip
        page = Page(self.binds, spec, arguments, level)
        selected = self.selection.of(_sets(nodes), self._concrete(f"{spec.pages}Connection"))
        parts, streams = [], []
        for key, chosen in selected.items():
            match chosen[0].name.value:
                case "edges":
                    streams.append(self._edge(spec, chosen, level, page))
                    parts.append(f"{key!r}: {level.stream_name(len(streams) - 1)}[s:t]{page.turn}")
                case "nodes":
                    streams.append(self._object(spec.target, _sets(chosen), level.alias, level.row, level))
                    parts.append(f"{key!r}: {level.stream_name(len(streams) - 1)}[s:t]{page.turn}")
                case "pageInfo":
                    parts.append(f"{key!r}: {self._page_info(chosen, page)}")
                case "totalCount":
                    parts.append(f"{key!r}: {self._total(spec, arguments, level, row, counted)}")
                case _:
                    parts.append(f"{key!r}: {spec.pages + 'Connection'!r}")
        source = self._source(spec, level.alias, "", arguments)
        whole = f"{source}{self._filtered(spec, arguments, level.alias)}{page.bounds}"
        shorter, check = (None, None) if level.nested else self._shortcut(spec, arguments, level.alias)
        shortcut = None if shorter is None else source + shorter + page.bounds
        cut = f"a[{page.size}]" if page.looks_ahead and not level.nested else None
        self._fetch(level, whole, spec.link, page.order, limit=page.limit, cut=cut, shortcut=shortcut, check=check)
        for body in streams:
            level.stream(body)
        bounds = level.bounds if level.nested else f"(0, {level.found if cut else f'len({level.rows})'})"
        code = "{" + ", ".join(parts) + "}"
        if page.looks_ahead:
            level.lines.append(
                f"def page{level.number}(s, e, {level.parent_row}): t = min(e, s + a[{page.size}]); return {code}"
            )
        else:
            level.lines.append(f"def page{level.number}(s, t, {level.parent_row}): return {code}")
        passed = row.code if row is not None else "None"
        return f"page{level.number}(*{bounds}, {passed})"

    def _edge(self, spec: Many, nodes: Nodes, level: Level, page: Page) -> str:
        parts = []
        name = f"{spec.pages}Edge"
        beside = EDGES.get(name, {})
        for key, chosen in self.selection.of(_sets(nodes), self._concrete(name)).items():
            match chosen[0].name.value:
                case "cursor":
                    made = page.cursor
                case "node":
                    made = self._object(spec.target, _sets(chosen), level.alias, level.row, level)
                case other if other in beside:
                    made = self._emit(beside[other], chosen, level.alias, level.row, level, {})
                case _:
                    made = repr(name)
            parts.append(f"{key!r}: {made}")
        return "{" + ", ".join(parts) + "}"

    def _page_info(self, nodes: Nodes, page: Page) -> str:
        parts = []
        for key, chosen in self.selection.of(_sets(nodes), self._concrete("PageInfo")).items():
            parts.append(f"{key!r}: {page.info(chosen[0].name.value)}")
        return "{" + ", ".join(parts) + "}"

    def _total(self, spec: Many, arguments: Mapping[str, Input], level: Level, row: Row | None, counted: str) -> str:
        alias = f"t{self._number()}"
        source = self._source(spec, alias, "", arguments) + self._filtered(spec, arguments, alias)
        if row is None:
            name = f"c{self._number()}"
            index = len(self.statements)
            self.statements.append(statement(f"select count(*) from {source}"))
            level.lines.append(f"{name} = (await q({index}, a))[0][0]")
            return name
        each = f"(select from {source} and {alias}.{spec.link} = p.k)"
        column = row.column(
            f"(select count(*) from unnest({_array(counted)}) as p(k) cross join lateral {each} {alias})"
        )
        level.parent_row = row.code
        return column

    def _fetch(
        self, level: Level, source: str, link: str, order: str, *, limit: str | None, cut: str | None = None,
        shortcut: str | None = None, check: str | None = None,
    ) -> None:  # fmt: skip
        """The statement of a level of the root, or the statements of one with parents.

        Of the rows of a root, what is beyond `cut` only counts. A root with a shortcut is read by it first; where it
        finds nothing `check` looks at the filter, and then the whole source is read.
        """
        t, listed, joined, named = level.alias, level.row.listed, level.source, level.named(order)
        tail = f" order by {order}" + (f" limit {limit}" if limit else "")
        if not level.nested:
            ways = [
                f"await q({self._statement(f'select {listed} from (select {named} from {one}{tail}) {joined}')}, a)"
                for one in (shortcut, source)
                if one is not None
            ]
            level.fetch(" or ".join([*ways[:-1], *([check] if check else []), ways[-1]]), at_most=cut)
            return
        each = f"(select {named} from {source} and {t}.{link} = p.k{tail})"

        # Parent by parent: nothing but a nested loop can run a LATERAL, and it keeps the outer order.
        def alone(pairs: str) -> str:
            return f"select p.n, {listed} from {pairs} as p(n, k) cross join lateral {each} {joined}"

        def several(parents: str, keys: str) -> str:
            theirs = f"unnest(({keys})[f.since:f.until]) as p(k) cross join lateral {each} {t}"
            return (
                f"select f.n, {listed} from {parents} as f(n, since, until)"
                f" cross join lateral (select {named} from {theirs}{tail}) {joined}"
            )

        by_keys = (
            # PostgreSQL expects arrays of any length, so it would plan the others anew each time for a single key.
            self._statement(alone("(values ($2::int4, $3::uuid))"), lead=3),
            self._statement(alone(_ALONE.format(2, 3)), lead=3),
            self._statement(several(_SEVERAL.format(2, 3, 4), "$5::uuid[]"), lead=5),
            self._statement(
                f"{alone(_ALONE.format(2, 3))} union all ({several(_SEVERAL.format(4, 5, 6), '$7::uuid[]')})", lead=7
            ),
        )
        n = level.number
        level.fetch(f"await batch(q, a, {by_keys}, k{n}, s{n})")

    # Arguments

    def _arguments(self, node: FieldNode, definition: GraphQLField) -> dict[str, Input]:
        named = {argument.name.value: argument.value for argument in node.arguments or ()}
        return {
            name: given(named[name], argument.type, self.variables) if name in named else None
            for name, argument in definition.args.items()
        }

    def _source(
        self, spec: One | Many | Listing, alias: str, parent: str, arguments: Mapping[str, Input], **more: str
    ) -> str:
        template = spec.source(Sourcing(self, spec, arguments)) if callable(spec.source) else spec.source
        tokens = {
            name: self.binds.token(arguments.get(name), argument.convert, argument.pg, argument.default)
            for name, argument in spec.arguments.items()
            if f"{{{name}}}" in template
        }
        return self._filled(template, t=alias, p=parent, **tokens, **more)

    def _filled(self, template: str, **names: str) -> str:
        """A template with its names, and with those that stand for whoever asks: `{now}`, `{me}`, `{token}`."""
        for name, (attribute, pg) in _OF_READER.items():
            if f"{{{name}}}" in template:
                names[name] = self.binds.of_reader(attribute, pg)
        return template.format(**names)

    def _filtered(self, spec: Many, arguments: Mapping[str, Input], alias: str) -> str:
        where = ""
        chosen = arguments.get("filter")
        if spec.filter and isinstance(chosen, dict):
            where += "".join(f" and {part}" for part in self.conditions(spec.filter, chosen, alias))
        sought = arguments.get("search")
        if spec.search and isinstance(sought, Given):
            longest = self.binds.token(sought, completion.longest_word, "text")
            rest = self.binds.token(sought, completion.other_words, "text[]")
            where += " and " + spec.search.format(t=alias, longest=longest, rest=rest)
        return where

    def _shortcut(
        self, spec: Many, arguments: Mapping[str, Input], alias: str
    ) -> tuple[str, str | None] | tuple[None, None]:
        """The same with a condition's shortcut in its place, where one of them has any; and the condition's check.

        What finds a row by a shortcut named what is there, so the check can wait until nothing is found.
        """
        chosen = arguments.get("filter")
        if not (spec.filter and isinstance(chosen, dict)):
            return None, None
        for name, part in chosen.items():
            condition = FILTERS[spec.filter].get(name)
            made = condition.shortcut(self, alias, part) if part and condition and condition.shortcut else None
            if made is not None:
                others = {other: one for other, one in chosen.items() if other != name}
                where = f" and {made}{self._filtered(spec, {**arguments, 'filter': others}, alias)}"
                return where, self.checks.pop(id(part), None)
        return None, None

    def conditions(self, filter_name: str, chosen: Mapping[str, Input], alias: str) -> list[str]:
        """The SQL of every field that a filter input sets; an unset field says nothing."""
        made = []
        for name, part in chosen.items():
            if part is None:
                continue
            match name, part:
                case "and", list():
                    made += [self.all_of(filter_name, one, alias) for one in part]
                case "or", list():
                    made.append(
                        "(" + " or ".join([self.all_of(filter_name, one, alias) for one in part] or ["false"]) + ")"
                    )
                case "not", dict():
                    made.append(f"{self.all_of(filter_name, part, alias)} is not true")
                case _:
                    condition = FILTERS[filter_name][name]
                    if condition.scope:
                        self.scopes.add(condition.scope)
                    if condition.check:
                        self.check(condition.check, part)
                    made.append(condition.sql(self, alias, part))
        return made

    def all_of(self, filter_name: str, chosen: Input, alias: str) -> str:
        """The SQL of a whole filter input."""
        parts = self.conditions(filter_name, chosen, alias) if isinstance(chosen, dict) else []
        return "(" + " and ".join(parts or ["true"]) + ")"

    # Small things

    def _statement(self, sql: str, lead: int = 1) -> int:
        self.statements.append(statement(sql, lead))
        return len(self.statements) - 1

    def _allow(self, spec: Field) -> None:
        target = REGISTRY.get(getattr(spec, "target", ""))
        self.scopes |= {scope for scope in (spec.scope, target and target.scope) if scope}

    def _constant(self, value: Any) -> str:
        """A name for a value in the generated code; the same value has one name."""
        for name, known in self.names.items():
            if known is value:
                return name
        name = f"g{self._number()}"
        self.names[name] = value
        return name

    def _concrete(self, name: str) -> GraphQLObjectType:
        found: Any = self.schema.type_map[name]
        return found  # type: ignore[no-any-return]

    def _number(self) -> int:
        self.numbers += 1
        return self.numbers


@dataclass(frozen=True)
class Sourcing:
    """What a source that depends on its arguments may ask the planner."""

    planner: Planner
    spec: Field
    arguments: Mapping[str, Input]

    def has(self, name: str) -> bool:
        """Whether the client gave an argument."""
        return self.arguments.get(name) is not None

    def choice(self, name: str) -> Any:
        """The value of an enum or boolean argument: it is part of the plan's shape."""
        part = self.arguments.get(name)
        return part.now if isinstance(part, Given) else self.spec.arguments[name].default

    def part(self, name: str, key: str, convert: Callable[[Any], Any] | None = None, pg: str = "text") -> str | None:
        """A field of an input object as a bound parameter, or None where it is not given."""
        whole = self.arguments.get(name)
        inner = whole.get(key) if isinstance(whole, dict) else None
        return self.planner.binds.token(inner, convert, pg) if isinstance(inner, Given) else None

    def conditions(self, name: str, filter_name: str, alias: str) -> str:
        """The SQL of a filter argument, to be added to a WHERE."""
        chosen = self.arguments.get(name)
        made = self.planner.conditions(filter_name, chosen, alias) if isinstance(chosen, dict) else []
        return "".join(f" and {part}" for part in made)


_ALONE, _SEVERAL = "unnest(${}::int4[], ${}::uuid[])", "unnest(${}::int4[], ${}::int4[], ${}::int4[])"
"""Indices of parents with the key of each; and those of parents with where the keys of each begin and end."""

_OF_READER = {"now": ("now", "timestamptz"), "me": ("principal_id", "uuid"), "token": ("token_id", "uuid")}


def _of_kind(kind: str, texts: Iterable[str]) -> list[UUID]:
    """The UUIDs of the ids of one type."""
    return [id_ for prefix, id_ in map(ids.decode, texts) if prefix == kind]


def _sets(nodes: Nodes) -> list[SelectionSetNode | None]:
    return [node.selection_set for node in nodes]


def _array(keys: str) -> str:
    return keys if keys.endswith("_ids") or "array" in keys else f"array[{keys}]"
