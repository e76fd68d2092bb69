"""An engine over the test database, and a way to ask it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import orjson
import pytest

from api.engine import Ask, Engine, encode
from api.schema import core
from domain.tenants.queries import Identity
from domain.tenants.rules import Scope
from tests import snapshots

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from domain.core.database import Database
    from tests.api.business import Caller
    from tests.conftest import Logins
    from tests.snapshots import Snapshots

ALL_SCOPES = frozenset(str(scope) for scope in Scope)


@pytest.fixture(scope="session")
def engine(database: Database) -> Engine:
    return Engine(database, core)


def identity(tenant: UUID, scopes: frozenset[str] = ALL_SCOPES) -> Identity:
    return Identity(tenant, uuid4(), uuid4(), scopes, None)


@pytest.fixture
def caller(engine: Engine, tenant: UUID) -> Caller:
    """Somebody who may do everything in this test's tenant."""
    from tests.api.business import Caller

    return Caller(engine, identity(tenant))


@pytest.fixture(scope="session")
async def tables(logins: Logins) -> AsyncIterator[Snapshots]:
    """All rows, to see that nothing changes."""
    async with snapshots.opened(logins) as opened:
        yield opened


@pytest.fixture
def ask(engine: Engine, tenant: UUID) -> Callable[..., Awaitable[dict[str, Any]]]:
    """Ask as this test's tenant: both ways, which must agree."""

    async def asked(
        document: str, /, language: str = "en", scopes: frozenset[str] = ALL_SCOPES, **variables: Any
    ) -> Any:
        prepared = engine.prepare(Ask(document, identity(tenant, scopes), language, None, variables))
        first = orjson.loads(encode(await engine.answer(prepared)))
        if prepared.plan.compiled:
            engine.operations.find(document, None).plans.clear()
            again = engine.operations.planned(prepared.operation, prepared.variables, compiled=False)
            values = {key: plan.binds.all(prepared.variables, prepared.reader) for key, plan in again.fields.items()}
            slow = type(prepared)(prepared.ask, prepared.operation, prepared.variables, again, values, prepared.reader)
            assert orjson.loads(encode(await engine.resolved(slow))) == first
        return first

    return asked
