"""What tests of several concepts need: a customer to hang things on, and proof that nothing was changed."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Protocol

import asyncpg
import pytest

from domain.core.tables import models
from domain.customers.model import Customer, CustomerKind, CustomerStatus

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from uuid import UUID

    from domain.core.database import Database
    from tests.conftest import Logins


class NewCustomer(Protocol):
    """Makes a customer and returns its id."""

    async def __call__(
        self, *, organisation_id: UUID | None = None, kind: CustomerKind = CustomerKind.PERSON
    ) -> UUID: ...


class Unchanged(Protocol):
    """A block that leaves every row of every table as it was."""

    def __call__(self) -> AbstractAsyncContextManager[None]: ...


@pytest.fixture
def new_customer(database: Database, tenant: UUID) -> NewCustomer:
    async def make(*, organisation_id: UUID | None = None, kind: CustomerKind = CustomerKind.PERSON) -> UUID:
        async with database.unit_of_work(tenant) as work:
            made = work.ids()
            work.add(
                Customer(
                    id=made, kind=kind, status=CustomerStatus.ACTIVE, root_id=made, member_ids=[made],
                    organisation_id=organisation_id, first_seen_at=work.now, created_at=work.now, updated_at=work.now,
                )
            )  # fmt: skip
        return made

    return make


@pytest.fixture
def unchanged(logins: Logins) -> Unchanged:
    async def content() -> dict[str, tuple[int, int]]:
        superuser = logins.superuser.set(drivername="postgresql").render_as_string(hide_password=False)
        connection = await asyncpg.connect(superuser)
        try:
            return {
                str(model.__table__): await connection.fetchrow(
                    f"SELECT count(*), coalesce(sum(hashtextextended(t::text, 0)), 0) FROM {model.__table__} t"
                )
                for model in models()
            }
        finally:
            await connection.close()

    @asynccontextmanager
    async def block() -> AsyncIterator[None]:
        before = await content()
        yield
        assert await content() == before

    return block
