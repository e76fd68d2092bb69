"""Why something was refused, as data of a payload: what the domain raises, by the code that clients switch on."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any
from uuid import UUID

import strawberry
from strawberry.utils.str_converters import to_camel_case

from api import messages
from api.changing import inputs
from api.reading import Reader, personal
from domain.core.audit import AuditChainBroken
from domain.core.problems import (
    Conflict,
    DomainError,
    Invalid,
    NotAllowed,
    NotEnoughData,
    NotFound,
    StaleVersion,
    first_paragraph,
)
from domain.customers.edges import MergeVetoed
from domain.initiatives.comparing import TierNotPossible
from domain.initiatives.plans import Tier
from domain.initiatives.waiting import TooEarly
from domain.tenants.actions import SlugTaken
from domain.tenants.rules import BadSlug, ScopeMissing, TokenRefused

_GROUPS = (NotFound, Conflict, NotAllowed, Invalid)
_FROM = ("domain.", "api.", "sync.")
_ELSEWHERE = {AuditChainBroken, BadSlug, ScopeMissing, SlugTaken, TokenRefused}
"""What commands say, and what a request hears before it is one."""
_OF_COMMANDS = {"domain.metrics.observing", "sync.access.rotation", "sync.imports", "sync.overview"}
"""Modules whose problems no request can meet."""


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


@dataclass(frozen=True)
class Detail:
    """A field of a problem beside those of all: its type, what it tells, and how it is read."""

    annotation: Any
    description: str
    read: Callable[[DomainError, Reader], Any]


@dataclass(frozen=True)
class Kind:
    """The GraphQL type of a group of problems."""

    name: str
    type: Any
    details: Mapping[str, Detail]


@dataclass(frozen=True)
class Veto:
    """Who decided when that two customers are two, and why."""

    by: str
    day: str
    reason: str | None

    def told(self, reader: Reader) -> str:
        """The decision as a sentence."""
        why = f": {personal(self.reason, reader)}" if self.reason else ""
        return f"Decided by {self.by} on {self.day}{why}."


class Several(Exception):
    """Several problems of one input."""

    def __init__(self, problems: Sequence[DomainError]) -> None:
        super().__init__()
        self.problems = problems


def every_problem() -> list[type[DomainError]]:
    """Every problem that a mutation can answer with, by code."""
    found: dict[str, type[DomainError]] = {}
    waiting: list[type[DomainError]] = list(_GROUPS)
    while waiting:
        problem = waiting.pop()
        waiting += problem.__subclasses__()
        said_here = problem.__module__.startswith(_FROM) and problem.__module__ not in _OF_COMMANDS
        if said_here and problem not in _ELSEWHERE:
            found[problem.code] = problem
    return [found[code] for code in sorted(found)]


def kind_of(problem: type[DomainError]) -> Kind:
    """The GraphQL type that a problem is shown as."""
    return next(_KINDS[base] for base in problem.__mro__ if base in _KINDS)


def shown(problem: DomainError, asked: Any, reader: Reader) -> dict[str, Any]:
    """A problem as it stands in a payload; `asked` is the input that it is about."""
    kind = kind_of(type(problem))
    return {
        "__type": kind.name,
        "code": problem.code,
        "message": messages.message(problem, reader.language),
        "path": list(_path(problem, asked)) or None,
        **{to_camel_case(name): detail.read(problem, reader) for name, detail in kind.details.items()},
    }


def problem_codes() -> Any:
    """The enum of all codes; called when every concept has been imported."""
    global ProblemCode  # noqa: PLW0603 - the enum is complete only when all concepts are there
    if ProblemCode is None:
        problems = every_problem()
        enum = StrEnum("ProblemCode", {problem.code: problem.code for problem in problems})  # type: ignore[misc]
        made: Any = strawberry.enum(enum, description="What is wrong, for programs; expect further codes to come.")
        for value, problem in zip(made.__strawberry_definition__.values, problems, strict=True):
            value.description = first_paragraph(problem)
        ProblemCode = made
    return ProblemCode


def _path(problem: DomainError, asked: Any) -> inputs.Path:
    """The part of the input that a problem names, or where the thing stands that it is about."""
    if problem.path:
        return inputs.located(problem.path, asked)
    return inputs.place_of([value for detail in problem.details.values() for value in _about(detail)], asked)


def _about(detail: Any) -> list[str | UUID]:
    """What a detail may be in the input: ids in any of their forms, or a text."""
    if isinstance(detail, list | tuple):
        return [value for each in detail for value in _about(each) if isinstance(value, UUID)]
    if not isinstance(detail, str | UUID):
        return []
    try:
        return [UUID(str(detail))]
    except ValueError:
        return [detail]


def _kind(name: str, description: str, **details: Detail) -> Kind:
    body: dict[str, Any] = {
        "__annotations__": {field: detail.annotation for field, detail in details.items()},
        "is_type_of": classmethod(lambda _cls, value, *_: value["__type"] == name),
        **{field: strawberry.field(description=detail.description) for field, detail in details.items()},
    }
    return Kind(name, strawberry.type(type(name, (Problem,), body), description=description), details)


def _told(problem: DomainError, name: str) -> Any:
    return problem.details[name]


_KINDS: dict[type[DomainError], Kind] = {
    Invalid: _kind("InvalidInput", "The input cannot be accepted as it is."),
    NotFound: _kind("NotFound", "Nothing with this id or key exists here."),
    Conflict: _kind("Conflict", "What is there now stands against the change."),
    NotAllowed: _kind("NotAllowed", "The token, or the state of things, does not allow it."),
    StaleVersion: _kind(
        "StaleVersion",
        "Someone changed it in the meantime.",
        current_version=Detail(
            int | None, "The version that is there now.", lambda problem, _: problem.details.get("current_version")
        ),
    ),
    MergeVetoed: _kind(
        "MergeVetoed",
        "These customers must never become one.",
        evidence=Detail(
            list[str],
            "Who decided that they are two, when and why.",
            lambda problem, reader: [veto.told(reader) for veto in problem.details["evidence"]],
        ),
    ),
    TooEarly: _kind(
        "TooEarly",
        "The day for it has not come.",
        earliest_at=Detail(
            date, "The first day on which it can be done.", lambda problem, _: _told(problem, "earliest_at")
        ),
        rule=Detail(str, "The rule that this day follows from.", lambda problem, _: _told(problem, "rule")),
    ),
    NotEnoughData: _kind(
        "NotEnoughData",
        "There is too little to answer from.",
        have=Detail(int, "How much there is.", lambda problem, _: _told(problem, "have")),
        need=Detail(int, "How much is needed.", lambda problem, _: _told(problem, "need")),
        of=Detail(str, "Of what.", lambda problem, _: _told(problem, "of")),
    ),
    TierNotPossible: _kind(
        "TierNotPossible",
        "It cannot be measured as strictly as asked.",
        possible=Detail(list[Tier], "How strictly it can be measured.", lambda problem, _: _told(problem, "possible")),
    ),
}
PROBLEMS = [kind.type for kind in _KINDS.values()]
"""The types of problems."""

ProblemCode: Any = None
"""The enum of all codes; Strawberry looks it up by name when the schema is made, after `problem_codes`."""
