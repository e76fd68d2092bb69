"""What a front-end developer reads of imported data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import orjson

from api.engine import Ask, Engine, encode
from api.schema import core
from domain.tenants.queries import Identity
from domain.tenants.rules import Scope

if TYPE_CHECKING:
    from uuid import UUID

    from domain.core.database import Database


async def read(database: Database, tenant: UUID, document: str, **variables: Any) -> dict[str, Any]:
    """The data of an answer without errors, for a token that may read everything."""
    answered = await answer(database, tenant, document, **variables)
    assert "errors" not in answered, answered
    data: dict[str, Any] = answered["data"]
    return data


async def answer(database: Database, tenant: UUID, document: str, **variables: Any) -> dict[str, Any]:
    """The whole answer, for a token that may read everything."""
    engine = Engine(database, core)
    identity = Identity(tenant, uuid4(), uuid4(), frozenset(str(scope) for scope in Scope), None)
    answered: dict[str, Any] = orjson.loads(
        encode(await engine.answer(engine.prepare(Ask(document, identity, variables=variables))))
    )
    return answered
