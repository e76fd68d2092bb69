"""Mutations: one input, one transaction, one payload that says what changed or why nothing did."""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from hashlib import blake2b
from typing import Any, Optional
from uuid import UUID

import orjson
import strawberry
from graphql import GraphQLResolveInfo, print_ast
from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert as upsert
from strawberry.utils.str_converters import to_camel_case

from api import messages
from api.expose import _lazily
from api.problems import BadUserInput
from api.reference import Reference
from api.reads.mapping import SCOPES
from domain.core.database import driver_connection
from domain.core.events import make_due
from domain.core.problems import Conflict, DomainError, Invalid, NotAllowed, NotFound, StaleVersion, first_paragraph
from domain.core.unit_of_work import Actor, Writing
from domain.customers.edges import MergeVetoed
from domain.tenants.actions import EXPIRED_ANSWERS
from domain.tenants.model import IdempotencyKey

KEPT_FOR = timedelta(hours=24)


class SecretAlreadyShown(Conflict):
    """The secret was shown when this was done first. Make a new token if it was lost."""


class KeyReused(Conflict):
    """This idempotency key was used with another input. Use a new key for a new request."""


@dataclass(frozen=True)
class Done:
    """What a mutation did: the thing it made or changed, further fields of its payload, and secrets shown once."""

    reference: Reference | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)


Run = Callable[[Writing, Any], Awaitable[Done]]


@dataclass(frozen=True)
class Mutation:
    """A mutation field: its input, the object of its payload, the scope it takes and what it does."""

    input: type
    target: str
    name: str
    scope: str
    run: Run
    description: str
    extra: Mapping[str, tuple[Any, str]] = field(default_factory=dict)


# Problems


def code_of(problem: type[DomainError]) -> str:
    """The code of a problem: its name in capitals."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", problem.__name__).upper()


def every_problem(of: type[DomainError] = DomainError) -> list[type[DomainError]]:
    """Every problem that the domain knows, by code."""
    found: dict[str, type[DomainError]] = {}
    waiting = [of]
    while waiting:
        problem = waiting.pop()
        found[code_of(problem)] = problem
        waiting += problem.__subclasses__()
    del found[code_of(of)]
    return [found[code] for code in sorted(found)]


@strawberry.interface(description="Why something was refused; nothing was changed.")
class Problem:
    """Why something was refused."""

    code: "ProblemCode" = strawberry.field(description="What is wrong, for programs.")
    message: str = strawberry.field(description="What is wrong and what to do, for people.")
    path: list[str] | None = strawberry.field(description="The part of the input that it is about.")

    @classmethod
    def resolve_type(cls, value: Any, *_: Any) -> str:
        """The type of a problem."""
        return str(value["__type"])


_KINDS: dict[type[DomainError], str] = {}


def _problem(name: str, of: type[DomainError], words: str, **extra: tuple[Any, str]) -> type:
    """A problem type for a group of domain errors, with the data that they carry."""
    _KINDS[of] = name
    body: dict[str, Any] = {
        "__annotations__": {field_name: annotation for field_name, (annotation, _) in extra.items()},
        "is_type_of": classmethod(lambda _cls, value, *_: value["__type"] == name),
        **{field_name: strawberry.field(description=told) for field_name, (_, told) in extra.items()},
    }
    return strawberry.type(type(name, (Problem,), body), description=words)


PROBLEMS: list[Any] = [
    _problem("InvalidInput", Invalid, "The input cannot be accepted as it is."),
    _problem("NotFound", NotFound, "Nothing with this id or key exists here."),
    _problem("Conflict", Conflict, "What is there now stands against the change."),
    _problem("NotAllowed", NotAllowed, "The token, or the state of things, does not allow it."),
    _problem(
        "StaleVersion", StaleVersion, "Someone changed it in the meantime.",
        current_version=(int | None, "The version that is there now."),
    ),
    _problem(
        "MergeVetoed", MergeVetoed, "These two must never become one.",
        evidence=(list[str] | None, "Who decided that they are two, and why."),
    ),
]  # fmt: skip
ProblemCode: Any = None


def problem_codes() -> Any:
    """The enum of all codes; called when every concept has been imported."""
    global ProblemCode  # noqa: PLW0603 - the enum is complete only when all concepts are there
    if ProblemCode is None:
        problems = every_problem()
        enum = StrEnum("ProblemCode", {code_of(problem): code_of(problem) for problem in problems})  # type: ignore[misc]
        made: Any = strawberry.enum(enum, description="What is wrong, for programs; expect further codes to come.")
        for value, problem in zip(made.__strawberry_definition__.values, problems, strict=True):
            value.description = first_paragraph(problem)
        ProblemCode = made
    return ProblemCode


def shown(problem: DomainError, language: str) -> dict[str, Any]:
    """A domain error as a problem of a payload."""
    kind = next(_KINDS[base] for base in type(problem).__mro__ if base in _KINDS)
    code = code_of(type(problem))
    details = {to_camel_case(name): value for name, value in problem.details.items()}
    return {
        "__type": kind,
        "code": code,
        "message": messages.translated(code, problem.message, language),
        "path": [to_camel_case(part) for part in problem.path] or None,
        **details,
    }


# Running


def payload_of(field_name: str, mutation: Mutation) -> type:
    """The payload type of a mutation."""
    name = f"{field_name[0].upper()}{field_name[1:]}Payload"
    module, _, target = mutation.target.rpartition(".")
    annotation = _lazily(target, f"api.{module}")
    fields = {
        mutation.name: (Optional[annotation], "What was made or changed; null exactly when a problem says why."),  # noqa: UP045
        "problems": (list[Problem], "Why nothing was changed; empty when it was done."),
        **mutation.extra,
    }
    body: dict[str, Any] = {"__annotations__": {key: annotated for key, (annotated, _) in fields.items()}}
    body |= {key: strawberry.field(description=words) for key, (_, words) in fields.items()}
    body["is_type_of"] = classmethod(lambda *_: True)
    return strawberry.type(type(name, (), body), description=f"The outcome of `{field_name}`.")


def mutations(*parts: type) -> type:
    """The root type of all mutations."""
    body: dict[str, Any] = {"__annotations__": {}}
    for part in parts:
        for attribute, mutation in vars(part).items():
            if isinstance(mutation, Mutation):
                body[attribute] = strawberry.mutation(
                    resolver=_resolver(attribute, mutation),
                    graphql_type=payload_of(to_camel_case(attribute), mutation),
                    description=mutation.description,
                )
                SCOPES[to_camel_case(attribute)] = {mutation.scope}
    return strawberry.type(
        type("Mutation", (), body), description="What can be changed; each field is one transaction."
    )


def _resolver(attribute: str, mutation: Mutation) -> Callable[..., Any]:
    async def resolve(info: strawberry.Info, input: Any) -> Any:  # noqa: A002 - the word of the schema
        return await change(to_camel_case(attribute), mutation, info._raw_info, input)  # noqa: SLF001

    resolve.__annotations__["input"] = mutation.input
    return resolve


async def change(name: str, mutation: Mutation, info: GraphQLResolveInfo[Any], given: Any) -> dict[str, Any]:
    """Run a mutation in one transaction and read its payload there; a problem undoes all of it."""
    context = info.context
    ask = context.prepared.ask
    actor = Actor(ask.identity.principal_id, ask.identity.token_id)
    database = context.engine.database
    try:
        async with database.unit_of_work(ask.identity.tenant_id, actor=actor, request_id=ask.request_id) as work:
            done = await _once(name, mutation, work, context, info, given)
            return await _payload(mutation, done, work, info)
    except DomainError as problem:
        return {mutation.name: None, "problems": [shown(problem, ask.language)], **dict.fromkeys(mutation.extra)}


async def _once(
    name: str, mutation: Mutation, work: Writing, context: Any, info: GraphQLResolveInfo[Any], given: Any
) -> Done:
    """Run it, or with an idempotency key that was used before, find what was done then."""
    ask = context.prepared.ask
    if ask.idempotency_key is None:
        return await _run(mutation, work, given)
    if not 1 <= len(ask.idempotency_key) <= 255:
        raise BadUserInput("An Idempotency-Key has 1 to 255 characters.")
    where = (
        IdempotencyKey.tenant_id == work.tenant_id, IdempotencyKey.token_id == ask.identity.token_id,
        IdempotencyKey.field == name, IdempotencyKey.key == ask.idempotency_key,
    )  # fmt: skip
    digest = _digest(work.key, info, context.prepared.variables)
    await work.execute(delete(IdempotencyKey).where(*where, IdempotencyKey.expires_at <= work.now))
    claim = (
        upsert(IdempotencyKey)
        .values(
            tenant_id=work.tenant_id, token_id=ask.identity.token_id, field=name, key=ask.idempotency_key,
            input_digest=digest, answer=None, created_at=work.now, expires_at=work.now + KEPT_FOR,
        )
        .on_conflict_do_nothing()
    )  # fmt: skip
    if (await work.execute(claim)).rowcount:
        done = await _run(mutation, work, given)
        known = await work.one(select(IdempotencyKey).where(*where))
        if known is not None:
            known.answer = _kept(done)
            await make_due(work.session, work.tenant_id, EXPIRED_ANSWERS, "", known.expires_at)
        return done
    known = await work.one(select(IdempotencyKey).where(*where))
    if known is None or known.input_digest != digest:
        raise KeyReused
    return _replayed(known.answer or {})


async def _run(mutation: Mutation, work: Writing, given: Any) -> Done:
    done = await mutation.run(work, given)
    await work.flush()
    return done


async def _payload(mutation: Mutation, done: Done, work: Writing, info: GraphQLResolveInfo[Any]) -> dict[str, Any]:
    """The payload, read by the planner in the mutation's own transaction."""
    payload: dict[str, Any] = {mutation.name: None, "problems": [], **dict.fromkeys(mutation.extra)}
    payload |= {**done.fields, **done.secrets}
    if done.reference is None:
        return payload
    connection = await driver_connection(await work.connection())
    payload[mutation.name] = await info.context.load(done.reference.id, info.path.key, connection)
    return payload


def _digest(key: bytes, info: GraphQLResolveInfo[Any], variables: Mapping[str, Any]) -> bytes:
    """What was asked, as a keyed hash: the text of the field's arguments and the variables."""
    arguments = [print_ast(argument) for node in info.field_nodes for argument in node.arguments or ()]
    told = orjson.dumps([arguments, dict(variables)], default=str, option=orjson.OPT_SORT_KEYS)
    return blake2b(told, key=key[:64], digest_size=32).digest()


def _kept(done: Done) -> dict[str, Any]:
    """What is stored of an answer: which thing it was about and that secrets were shown, never the secrets."""
    reference = done.reference
    return {
        "reference": [reference.type, reference.id.hex] if reference else None,
        "fields": dict(done.fields),
        "secret": bool(done.secrets),
    }


def _replayed(kept: Mapping[str, Any]) -> Done:
    if kept.get("secret"):
        raise SecretAlreadyShown
    found = kept.get("reference")
    return Done(Reference(found[0], UUID(found[1])) if found else None, kept.get("fields", {}))


__all__ = ["Done", "Mutation", "Problem", "Reference", "mutations", "problem_codes"]
