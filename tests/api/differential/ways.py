"""The three ways to answer one operation, and where they differ."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from random import Random
from typing import TYPE_CHECKING, Any

import orjson
from graphql import parse

from api.engine import Ask, Engine, encode
from api.problems import CostExceeded, RequestRefused, ValidationFailed
from domain.tenants.queries import Identity
from tests.api.differential.acceptance import Acceptance
from tests.api.differential.coverage import Coverage
from tests.api.differential.generator import Generator, Operation
from tests.api.differential.ledger import Cursor, Ledger
from tests.api.differential.naive import Reading
from tests.api.differential.pools import Pools
from tests.api.differential.world import NOW

if TYPE_CHECKING:
    from uuid import UUID

    from tests.api.differential.naive import Naive
    from tests.api.differential.tables import Tables


@dataclass
class Ways:
    """One tenant as three ways see it, and the operations that are made for it."""

    engine: Engine
    tenant_id: UUID
    tables: Tables
    other: Tables
    naive: Naive
    seed: int
    compares_slow: bool = True
    refused: int = field(default=0, init=False)
    invalid: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        schema = self.engine.schema
        self.ledger = Ledger()
        self.coverage = Coverage(schema)
        pools = Pools(self.tables, self.other)
        random = Random(self.seed)  # noqa: S311 - the same operations every time
        self.generator = Generator(random, schema, pools, self.ledger, self.coverage)

    async def difference(self, operation: Operation) -> str | None:  # noqa: PLR0911 - one for each way to differ
        """What the ways do not agree on; None when they do."""
        token = self.tables.rows["api_tokens"][0]
        identity = Identity(self.tenant_id, token["principal_id"], token["id"], operation.scopes, None)
        ask = Ask(operation.text, identity, operation.language, operation.name, operation.variables)
        acceptance = Acceptance(self.naive.schema, self.ledger, operation.scopes)
        asked = operation.variables, operation.name
        try:
            prepared = self.engine.prepare(ask)
        except ValidationFailed:
            self.invalid += 1
            return None
        except CostExceeded:
            return None
        except RequestRefused as refused:
            self.refused += 1
            refusals = acceptance.refusals(parse(operation.text), *asked)
            expected = ", ".join(sorted(refusals)) or "an answer"
            return None if refused.code in refusals else f"refused: {refused.code} {refused}; expected: {expected}"
        document = prepared.operation.document
        if refusals := acceptance.refusals(document, *asked):
            return f"answered; expected: {', '.join(sorted(refusals))}"
        fast = orjson.loads(encode(await self.engine.answer(prepared)))
        reading = Reading(operation.language, "pii:read" in operation.scopes, NOW, token["principal_id"], token["id"])
        data, errors = self.naive.answer(document, operation.variables, operation.name, reading)
        if found := _differ(fast["data"], data, self.ledger, "data"):
            return f"compiled, naive: {found}"
        if _errors(fast) != errors:
            return f"compiled, naive: errors {_errors(fast)} {errors}"
        if self.compares_slow and prepared.plan.compiled:
            slow = orjson.loads(encode(await self._slowly(prepared)))
            if orjson.dumps(slow["data"]) != orjson.dumps(fast["data"]) or _errors(slow) != _errors(fast):
                return f"compiled, through graphql-core: {_differ(fast, slow, self.ledger, '') or 'the order of keys'}"
        return None

    async def _slowly(self, prepared: Any) -> dict[str, Any]:
        plan = self.engine.operations.planned(prepared.operation, prepared.variables, compiled=False)
        values = {key: root.binds.all(prepared.variables, prepared.reader) for key, root in plan.fields.items()}
        return await self.engine.resolved(replace(prepared, plan=plan, values=values))

    async def run(self, operations: int) -> tuple[int, Operation, str] | None:
        """Ask so many operations; the first that the ways do not agree on, with its number and the difference."""
        self.naive.begin_anew(self.ledger, self.coverage)  # others share it
        for number in range(operations):
            operation = self.generator.operation()
            found = await self.judged(operation)
            if found is not None:
                return number, operation, found
        return None

    async def judged(self, operation: Operation) -> str | None:
        """The difference; a way that breaks down differs too."""
        try:
            return await self.difference(operation)
        except Exception as broken:  # noqa: BLE001 - whatever it is, it is no answer
            return f"{type(broken).__name__}: {broken}"


def _differ(one: Any, other: Any, ledger: Ledger, path: str) -> str | None:
    if isinstance(other, Cursor):
        return (
            None
            if ledger.agrees(one, other)
            else f"{path}: cursor {one} does not stand for {other.origin}, {ledger.known(one, other)}"
        )
    if isinstance(one, dict) and isinstance(other, dict) and list(one) == list(other):
        return next(filter(None, (_differ(one[key], other[key], ledger, f"{path}.{key}") for key in one)), None)
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        pairs = enumerate(zip(one, other, strict=True))
        return next(filter(None, (_differ(a, b, ledger, f"{path}.{at}") for at, (a, b) in pairs)), None)
    return None if type(one) is type(other) and one == other else f"{path}: {one!r} != {other!r}"


def _errors(answer: dict[str, Any]) -> set[tuple[Any, str]]:
    return {(tuple(error.get("path", ())), error["extensions"]["code"]) for error in answer.get("errors", ())}
