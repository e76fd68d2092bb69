"""Mutations: one input, one transaction, one payload that says what changed or why nothing did."""

import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import ModuleType
from typing import Annotated, Any, Optional
from uuid import uuid4

import strawberry
from asyncpg import PostgresError
from graphql import GraphQLResolveInfo
from sqlalchemy.exc import DBAPIError
from strawberry.utils.str_converters import to_camel_case

from api import refusals
from api.changing import inputs
from api.expose import lazily
from api.problems import RequestRefused, unexpected
from api.reads.mapping import SCOPES
from api.refusals import Problem, Several
from api.replays import Done, Once
from domain.core.database import Database, driver_connection
from domain.core.problems import Conflict, DomainError, Invalid
from domain.core.unit_of_work import Actor, Writing
from domain.tenants.queries import Identity
from sync.switchboard import Switchboard

MOST_ATTEMPTS = 3
"""How often a transaction is begun that loses a race against another."""

Run = Callable[..., Awaitable[Done]]
"""What a mutation does: `async def (work, asked) -> Done`; one that is `connected` takes what is Around, too."""


@dataclass(frozen=True)
class Around:
    """What is around a mutation that has to do with other sides: the ways to them, who asks, and what was brought."""

    database: Database
    switchboard: Switchboard
    identity: Identity
    key: str
    """What makes this request the same when it comes again, for the other side: of its idempotency key, or its own."""
    brought: Any = None
    """What was learnt from the other side before the transaction began."""


Before = Callable[[Around, Any], Awaitable[Any]]


class Unstorable(Invalid):
    """A value cannot be kept: it is too long, or holds a character that no text has, such as NUL. Correct it."""


class ChangedAtOnce(Conflict):
    """Others are changing the same at this very moment. Nothing was changed; send it again."""


@dataclass(frozen=True)
class Mutation:
    """A mutation field: the thing that its payload shows (by field name and type), the scope it takes, what it does.

    A scope can be several, with spaces between. `also` are further fields of the payload: their types and descriptions.
    """

    name: str
    thing: str
    target: str
    scope: str
    run: Run
    also: Mapping[str, tuple[Any, str]] = field(default_factory=dict)
    connected: bool = False
    before: Before | None = None
    show: Callable[[GraphQLResolveInfo[Any], Done, Writing], Awaitable[Any]] | None = None

    @property
    def description(self) -> str:
        """What it does, for the schema."""
        return inspect.getdoc(self.run) or ""

    @property
    def input(self) -> Any:
        """The type of its input."""
        return self.run.__annotations__["asked"]

    @property
    def payload(self) -> type:
        """The type of its payload."""
        module, _, target = self.target.rpartition(".")
        thing: Any = Optional[lazily(target, f"api.{module}")]  # noqa: UP045 - `|` does not take an annotated name
        fields = {
            self.thing: (thing, "What was made or changed; null exactly when a problem says why."),
            "problems": (list[Problem], "Why nothing was changed; empty when it was done."),
            **self.also,
        }
        body: dict[str, Any] = {"__annotations__": {key: annotation for key, (annotation, _) in fields.items()}}
        body |= {key: strawberry.field(description=words) for key, (_, words) in fields.items()}
        body["is_type_of"] = classmethod(lambda *_: True)
        name = f"{self.name[0].upper()}{self.name[1:]}Payload"
        return strawberry.type(type(name, (), body), description=f"The outcome of `{self.name}`.")


def mutation(
    thing: str, target: str, *, scope: str, also: Mapping[str, tuple[Any, str]] | None = None,
    connected: bool = False, before: Before | None = None,
    show: Callable[[GraphQLResolveInfo[Any], Done, Writing], Awaitable[Any]] | None = None,
) -> Callable[[Run], Mutation]:  # fmt: skip
    """Make a mutation field of an action: its name, its docstring and the type of what is `asked` are the field's.

    `before` asks the other side, outside of any transaction. `show` makes the thing where no table holds it.
    """

    def make(run: Run) -> Mutation:
        words = to_camel_case(run.__name__)
        return Mutation(words, thing, target, scope, run, also or {}, connected or before is not None, before, show)

    return make


def told_field(name: str, annotation: Any, description: str) -> Any:
    """A field of a type whose value stands under its name in what a mutation tells, or told the first time."""
    return strawberry.field(resolver=lambda root: root[name], graphql_type=annotation, description=description)


def mutations(*modules: ModuleType) -> type:
    """The root type of all mutations that these modules hold."""
    found = [part for module in modules for part in vars(module).values() if isinstance(part, Mutation)]
    SCOPES.update({each.name: set(each.scope.split()) for each in found})
    body: dict[str, Any] = {"__annotations__": {}}
    for each in found:
        body[each.name] = strawberry.mutation(
            resolver=_resolver(each),
            # Nullable: what fails unexpectedly must not take with it what the fields before have done.
            graphql_type=Optional[each.payload],  # noqa: UP045 - as above
            description=each.description,
            name=each.name,
        )
    words = "What can be changed; each field is one transaction, in their order."
    return strawberry.type(type("Mutation", (), body), description=words)


async def change(of: Mutation, info: GraphQLResolveInfo[Any], asked: Any) -> dict[str, Any]:
    """Run a mutation in one transaction and read its payload there; a problem undoes all of it."""
    try:
        _check_texts(asked)
        return await _tried(of, info, asked)
    except DomainError as problem:
        return _refused(of, info, asked, [problem])
    except Several as several:
        return _refused(of, info, asked, several.problems)
    except RequestRefused:
        raise
    except Exception as failed:
        # Told as an error of this field, so that the client learns what the fields before have done.
        raise unexpected(failed, info.context.prepared.ask.request_id) from failed


def _refused(
    of: Mutation, info: GraphQLResolveInfo[Any], asked: Any, problems: Sequence[DomainError]
) -> dict[str, Any]:
    shown = [refusals.shown(problem, asked, info.context.prepared.reader) for problem in problems]
    return {of.thing: None, "problems": shown, **_also(of, {})}


def _resolver(of: Mutation) -> Callable[..., Any]:
    async def resolve(info: strawberry.Info, input: Any) -> Any:  # noqa: A002 - the word of the schema
        return await change(of, info._raw_info, input)  # noqa: SLF001 - plans are found by the raw path

    words = of.input.__strawberry_definition__.description
    resolve.__annotations__["input"] = Annotated[of.input, strawberry.argument(description=words)]
    return resolve


async def _tried(of: Mutation, info: GraphQLResolveInfo[Any], asked: Any) -> dict[str, Any]:
    """Begin again when another transaction won a race. Raises ChangedAtOnce when that happens too often."""
    around = await _around(of, info, asked)
    for _ in range(MOST_ATTEMPTS):
        try:
            return await _committed(of, info, asked, around)
        except (DBAPIError, PostgresError) as failed:
            state = _sqlstate(failed)
            if state.startswith(_UNFIT):
                raise Unstorable from failed
            if state not in _LOST_RACES:
                raise
    raise ChangedAtOnce


async def _around(of: Mutation, info: GraphQLResolveInfo[Any], asked: Any) -> tuple[Around, ...]:
    """What a connected mutation is given; the other side is not asked again for a request that was answered."""
    if not of.connected:
        return ()
    identity, engine, once = info.context.prepared.ask.identity, info.context.engine, _once(of, info)
    around = Around(engine.database, engine.switchboard, identity, once.elsewhere if once else uuid4().hex)
    if of.before is None:
        return (around,)
    if once is not None:
        async with engine.database.reading(identity.tenant_id) as work:
            if await once.is_answered(work):
                return (around,)
    return (replace(around, brought=await of.before(around, asked)),)


async def _committed(
    of: Mutation, info: GraphQLResolveInfo[Any], asked: Any, around: tuple[Around, ...]
) -> dict[str, Any]:
    ask = info.context.prepared.ask
    identity = ask.identity
    actor = Actor(identity.principal_id, identity.token_id)
    database = info.context.engine.database
    async with database.unit_of_work(identity.tenant_id, actor=actor, request_id=ask.request_id) as work:

        async def deed() -> Done:
            done = await of.run(work, asked, *around)
            await work.flush()
            return done

        once = _once(of, info)
        done = await deed() if once is None else await once.run(work, asked, deed)
        return await _payload(of, done, work, info)


async def _payload(of: Mutation, done: Done, work: Writing, info: GraphQLResolveInfo[Any]) -> dict[str, Any]:
    """The payload, read by the planner in the mutation's own transaction."""
    payload = {of.thing: None, "problems": [], **_also(of, {**done.fields, **done.secrets})}
    if of.show is not None:
        payload[of.thing] = await of.show(info, done, work)
    if done.reference is not None:
        connection = await driver_connection(await work.connection())
        payload[of.thing] = await info.context.load(done.reference.id, info.path.key, connection)
    return payload


def _also(of: Mutation, told: Mapping[str, Any]) -> dict[str, Any]:
    """The further fields of the payload, by the names that clients know them by."""
    return {to_camel_case(name): value for name, value in {**dict.fromkeys(of.also), **told}.items()}


def _once(of: Mutation, info: GraphQLResolveInfo[Any]) -> Once | None:
    """What a key is for: the field, under its alias where the operation has it more than once; None without a key."""
    ask = info.context.prepared.ask
    field_ = of.name if info.path.key == of.name else f"{of.name}:{info.path.key}"
    return None if ask.idempotency_key is None else Once(ask.identity.token_id, field_, ask.idempotency_key)


_LOST_RACES = {"23505", "40001", "40P01"}  # unique_violation, serialization_failure, deadlock_detected
_UNFIT = ("22", "54")  # data_exception, program_limit_exceeded


def _sqlstate(failed: DBAPIError | PostgresError) -> str:
    return str(getattr(failed.orig if isinstance(failed, DBAPIError) else failed, "sqlstate", None) or "")


def _check_texts(asked: Any) -> None:
    """Raises Unstorable for a text with NUL or half a surrogate pair, which PostgreSQL does not take."""
    for path, value in inputs.leaves(asked):
        if isinstance(value, str) and ("\0" in value or any("\ud800" <= letter <= "\udfff" for letter in value)):
            raise Unstorable(path=path)
