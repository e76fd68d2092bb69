"""Answers operations: compiled reads where nothing but relations is asked for, graphql-core for all else."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, TypeVar
from uuid import UUID

import orjson
from graphql import ExecutionResult, GraphQLError, GraphQLResolveInfo, GraphQLSchema, execute, subscribe

from api import messages
from api.budget import Budget
from api.problems import BadUserInput, Forbidden, RequestRefused, unexpected
from api.reading import Reader
from api.reads.inputs import Variables
from api.reads.mapping import REGISTRY, Computed, Sought
from api.reads.operation import Operation, Operations, Plan
from api.reads.plan import RootPlan
from domain.core.database import Database, ReadConnection, dsn_of
from domain.core.problems import DomainError
from domain.core.settings import Settings
from domain.core.unit_of_work import Actor
from domain.tenants.queries import Identity
from sync.hints import Hints
from sync.switchboard import Switchboard

JSON = orjson.OPT_NAIVE_UTC


@dataclass(frozen=True)
class Ask:
    """One operation that somebody asks for."""

    document: str
    identity: Identity
    language: str = "en"
    name: str | None = None
    variables: Mapping[str, Any] = field(default_factory=dict)
    request_id: str | None = None
    idempotency_key: str | None = None


@dataclass(frozen=True)
class Prepared:
    """An operation that may run: parsed, coerced, planned, authorised, its values made."""

    ask: Ask
    operation: Operation
    variables: Variables
    plan: Plan
    values: Mapping[str, list[Any]]
    reader: Reader
    cost: int = 0
    address: str = field(default="", repr=False)
    """Of the database, for what reads it in a way of its own."""


class Engine:
    """Prepares and runs operations against one database."""

    def __init__(
        self, database: Database, schema: GraphQLSchema, budget_per_minute: int = 5_000_000,
        switchboard: Switchboard | None = None,
    ) -> None:  # fmt: skip
        self.database = database
        self.address = dsn_of(database.url)
        self.switchboard = switchboard or Switchboard(database, Settings())
        self.budget = Budget(database, budget_per_minute)
        self.hints = Hints(database)
        self.schema = schema
        self.operations = Operations(schema)
        _resolve_by_plans(schema)

    def prepare(self, ask: Ask) -> Prepared:
        """All that can be refused before anything runs. Raises RequestRefused."""
        operation = self.operations.find(ask.document, ask.name)
        variables = self.operations.coerced(operation, ask.variables)
        cost = operation.cost.of(variables)
        plan = self.operations.plan(operation, variables)
        missing = sorted(plan.scopes - ask.identity.scopes)
        if missing:
            raise Forbidden(f"The token lacks the scope {missing[0]}.", scope=missing[0])
        identity = ask.identity
        reader = Reader(
            ask.language, "pii:read" in identity.scopes, self.database.clock.now(), identity.principal_id,
            identity.token_id,
        )  # fmt: skip
        values = {key: _made(root, key, variables, reader) for key, root in plan.fields.items()}
        return Prepared(ask, operation, variables, plan, values, reader, cost, self.address)

    async def answer(self, prepared: Prepared) -> dict[str, Any]:
        """The response document: `data`, and `errors` where there are any."""
        if prepared.plan.compiled:
            async with self.database.snapshot(prepared.ask.identity.tenant_id) as connection:
                document = await completed(prepared, connection)
        else:
            document = await self.resolved(prepared)
        await self._audit_opened(prepared)
        return document

    async def resolved(self, prepared: Prepared) -> dict[str, Any]:
        """The same through graphql-core, which asks the planner for every relational field of the root."""
        if not (prepared.operation.is_query and prepared.plan.fields):
            return await self._executed(Context(self, prepared))
        async with self.database.snapshot(prepared.ask.identity.tenant_id) as connection:
            return await self._executed(Context(self, prepared, connection))

    async def _executed(self, context: "Context") -> dict[str, Any]:
        prepared = context.prepared
        result: Any = execute(
            self.schema,
            prepared.operation.document,
            context_value=context,
            variable_values=dict(prepared.ask.variables),
            operation_name=prepared.ask.name,
        )
        if isinstance(result, Awaitable):
            result = await result
        return _formatted(result, prepared.ask)

    async def subscribe(self, prepared: Prepared) -> AsyncGenerator[dict[str, Any]]:
        """The documents of a subscription, event by event; close it to stop following."""
        source: Any = subscribe(
            self.schema,
            prepared.operation.document,
            context_value=Context(self, prepared),
            variable_values=dict(prepared.ask.variables),
            operation_name=prepared.ask.name,
        )
        if isinstance(source, Awaitable):
            source = await source
        if isinstance(source, ExecutionResult):
            yield _formatted(source, prepared.ask)
            return
        async with aclosing(source) as results:
            async for result in results:
                await self._audit_opened(prepared)
                yield _formatted(result, prepared.ask)

    async def _audit_opened(self, prepared: Prepared) -> None:
        """Enter into the audit log which texts of interactions were read, before anybody sees them."""
        opened = sorted(set(prepared.reader.opened))
        if not opened:
            return
        prepared.reader.opened.clear()
        ask, identity = prepared.ask, prepared.ask.identity
        actor = Actor(identity.principal_id, identity.token_id)
        async with self.database.unit_of_work(identity.tenant_id, actor=actor, request_id=ask.request_id) as work:
            work.audit("interactions.read_content", f"tenant:{work.tenant_id.hex}", after={"interactions": opened})


@dataclass
class Context:
    """What resolvers of one request share; a query's root fields are read from one snapshot, one after the other."""

    engine: Engine
    prepared: Prepared
    connection: ReadConnection = None
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def root(self, key: str) -> Any:
        """The document of a relational root field, read by its plan."""
        plan, values = self.prepared.plan.fields[key], self.prepared.values[key]
        async with self.turn:
            return await run(plan, values, self.prepared, self.connection)

    async def load(self, id_: UUID, root_key: str, connection: ReadConnection) -> "Loaded":
        """The documents of a thing that a payload refers to, by response key, in the transaction of the connection."""
        documents = {}
        for key, plan in self.prepared.plan.fields.items():
            if key[0] == root_key:
                values = [[id_], *self.prepared.values[key][1:]]
                documents[key[1]] = await run(plan, values, self.prepared, connection)
        return Loaded(documents)


@dataclass(frozen=True)
class Loaded:
    """What was read of a thing that a payload refers to: its documents by response key."""

    documents: Mapping[str, Any]


async def completed(prepared: Prepared, connection: ReadConnection) -> dict[str, Any]:
    """The response document of a compiled plan; a root field that fails is null with its error, or else all data is."""
    data: dict[str, Any] = {}
    errors = []
    for key, plan in prepared.plan.fields.items():
        try:
            data[key] = await run(plan, prepared.values[key], prepared, connection)
        except RequestRefused as refused:
            data[key] = None
            errors.append({**refused.formatted(), "path": [key]})
            if not plan.nullable:
                return {"data": None, "errors": errors}
    return {"data": data, "errors": errors} if errors else {"data": data}


async def run(plan: RootPlan, values: list[Any], prepared: Prepared, connection: ReadConnection) -> Any:
    """The document of one root field."""
    return await plan.complete(Fetch(plan, prepared, connection), [*values], prepared.reader)


Found = TypeVar("Found")


@dataclass(frozen=True)
class Fetch:
    """How a plan reaches the database: it runs the statements by their number, and finds what they cannot say."""

    plan: RootPlan
    prepared: Prepared
    connection: ReadConnection

    async def __call__(self, index: int, made: list[Any], *lead: Any) -> Any:
        """The rows of a statement; `lead` are the values that a level has for its parents."""
        statement = self.plan.statements[index]
        values = [made[place] for place in statement.values]
        return await self.connection.fetch(statement.sql, self.prepared.ask.identity.tenant_id, *lead, *values)

    async def find(
        self, find: Callable[[Sought], Awaitable[Found]], arguments: Mapping[str, Any], keys: Sequence[UUID]
    ) -> Found:
        """What is computed or checked before rows can be read. Raises RequestRefused."""
        reader, tenant = self.prepared.reader, self.prepared.ask.identity.tenant_id
        try:
            return await find(Sought(self.connection, self.prepared.address, tenant, reader, arguments, keys))
        except DomainError as refused:
            raise BadUserInput(messages.message(refused, reader.language), problem=refused.code) from refused


def encode(document: Mapping[str, Any]) -> bytes:
    """A response document as JSON."""
    return orjson.dumps(document, option=JSON)


def _made(root: RootPlan, key: str, variables: Variables, reader: Reader) -> list[Any]:
    try:
        return root.binds.all(variables, reader)
    except RequestRefused as refused:
        refused.path = refused.path or [key]
        raise


def _formatted(result: ExecutionResult, ask: Ask) -> dict[str, Any]:
    if not result.errors:
        return {"data": result.data}
    return {"data": result.data, "errors": [_error(error, ask) for error in result.errors]}


def _error(error: GraphQLError, ask: Ask) -> dict[str, Any]:
    """What is told of a field that failed; the others are answered, as far as nulls allow."""
    failed = error.original_error or error
    refused = failed if isinstance(failed, RequestRefused) else unexpected(failed, ask.request_id)
    return {**refused.formatted(), "path": error.path}


def _resolve_by_plans(schema: GraphQLSchema) -> None:
    """Relational fields take their values from what a plan has read; Strawberry's own resolvers are not needed."""
    for name, of in schema.type_map.items():
        exposed = REGISTRY.get(name)
        if exposed is not None and name not in {"Query", "Mutation", "Subscription"}:
            for field_name in exposed.fields:
                _set(of, field_name, _by_key)
        elif name.endswith(("Connection", "Edge")) or name in {"PageInfo", "Money"}:
            for field_name in getattr(of, "fields", {}):
                _set(of, field_name, _by_key)
        elif name.endswith(("Payload", "Event", "Progress")):
            for field_name in getattr(of, "fields", {}):
                _set(of, field_name, _of_payload)
        elif any(interface.name == "Problem" for interface in getattr(of, "interfaces", ())):
            for field_name in getattr(of, "fields", {}):
                _set(of, field_name, _by_name)
    query: Any = schema.query_type
    for field_name, spec in REGISTRY["Query"].fields.items():
        if not isinstance(spec, Computed):
            _set(query, field_name, _by_root)


def _set(of: Any, field_name: str, resolve: Callable[..., Any]) -> None:
    of.fields[field_name].resolve = resolve


def _by_key(source: Any, info: GraphQLResolveInfo[Any], **_: Any) -> Any:
    return source[info.path.key]


def _by_name(source: Any, info: GraphQLResolveInfo[Any], **_: Any) -> Any:
    return source.get(info.field_name)


def _of_payload(source: Any, info: GraphQLResolveInfo[Any], **_: Any) -> Any:
    """A field of a payload: what was read of the thing it refers to, or a plain value."""
    value = source[info.field_name]
    return value.documents[str(info.path.key)] if isinstance(value, Loaded) else value


async def _by_root(_source: Any, info: GraphQLResolveInfo[Any], **_: Any) -> Any:
    return await info.context.root(info.path.key)
