from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select

from domain import customers
from domain.core.events import OutboxEvent
from domain.core.problems import NotFound, StaleVersion
from domain.customers import NewCustomer, departments
from domain.customers.departments import (
    AssignedLater,
    BadDepartmentKey,
    DepartmentNotFound,
    NoDepartmentName,
    NotYet,
)
from domain.customers.model import DepartmentMember

if TYPE_CHECKING:
    from domain.core.database import Database
    from tests.domain.conftest import Unchanged

JANUARY, MARCH = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC)


async def founded(database: Database, tenant: UUID) -> tuple[UUID, UUID, UUID]:
    """A customer and two departments."""
    async with database.unit_of_work(tenant) as work:
        ada = await customers.create(work, NewCustomer(name="Ada"))
        south, north = [await departments.define_department(work, key, key.title()) for key in ("south", "north")]
    return ada.id, south.id, north.id


async def held(database: Database, tenant: UUID, customer: UUID) -> list[tuple[UUID, datetime, datetime | None]]:
    async with database.reading(tenant) as reading:
        rows = await reading.all(
            select(DepartmentMember)
            .where(DepartmentMember.tenant_id == tenant, DepartmentMember.customer_id == customer)
            .order_by(DepartmentMember.valid_from)
        )
    return [(row.department_id, row.valid_from, row.valid_to) for row in rows]


async def test_a_department_is_made_once_and_can_be_renamed(database: Database, tenant: UUID) -> None:
    async with database.unit_of_work(tenant) as work:
        made = await departments.define_department(work, "south", "South")
        again = await departments.define_department(work, "south", "South")
        assert (again.id, again.version) == (made.id, 1)
        renamed = await departments.define_department(work, "south", "The South", 1)
        assert (renamed.id, renamed.name, renamed.version) == (made.id, "The South", 2)
        with pytest.raises(StaleVersion) as stale:
            await departments.define_department(work, "south", "S", 1)
        assert stale.value.details["current_version"] == 2


async def test_a_bad_key_and_no_name_are_refused(database: Database, tenant: UUID, unchanged: Unchanged) -> None:
    async with unchanged(), database.unit_of_work(tenant) as work:
        for key in ("", "South", "1st", "a b", "x" * 64):
            with pytest.raises(BadDepartmentKey):
                await departments.define_department(work, key, "South")
        with pytest.raises(NoDepartmentName):
            await departments.define_department(work, "south", " ")


async def test_what_was_before_stays_known(database: Database, tenant: UUID) -> None:
    ada, south, north = await founded(database, tenant)
    async with database.unit_of_work(tenant) as work:
        await departments.assign_department(work, ada, south, JANUARY)
        await departments.assign_department(work, ada, south, MARCH)
        await departments.assign_department(work, ada, north, MARCH)
        now = work.now
        await departments.assign_department(work, ada, None)
        await departments.assign_department(work, ada, None)
    assert await held(database, tenant, ada) == [(south, JANUARY, MARCH), (north, MARCH, now)]
    async with database.reading(tenant) as reading:
        told = await reading.all(
            select(OutboxEvent)
            .where(OutboxEvent.tenant_id == tenant, OutboxEvent.name == "customers.DepartmentAssigned")
            .order_by(OutboxEvent.id)
        )
    assert [(event.subject, event.body) for event in told] == [
        (ada, {"department": south.hex}), (ada, {"department": north.hex}), (ada, {"department": None}),
    ]  # fmt: skip


async def test_who_came_earlier_than_was_known_is_told_so_and_no_department_loses_its_days(
    database: Database, tenant: UUID, unchanged: Unchanged
) -> None:
    ada, south, north = await founded(database, tenant)
    april = MARCH + timedelta(days=31)
    async with database.unit_of_work(tenant) as work:
        for since in (april, MARCH, april, MARCH):
            await departments.assign_department(work, ada, south, since)
    assert await held(database, tenant, ada) == [(south, MARCH, april), (south, april, None)]
    async with database.unit_of_work(tenant) as work:
        await departments.assign_department(work, ada, north, april)
    async with unchanged(), database.unit_of_work(tenant) as work:
        with pytest.raises(AssignedLater):
            await departments.assign_department(work, ada, north, MARCH)


async def test_what_cannot_be_so_is_refused_and_changes_nothing(
    database: Database, tenant: UUID, unchanged: Unchanged
) -> None:
    ada, south, north = await founded(database, tenant)
    async with database.unit_of_work(tenant) as work:
        await departments.assign_department(work, ada, south, MARCH)
    async with unchanged(), database.unit_of_work(tenant) as work:
        with pytest.raises(AssignedLater) as later:
            await departments.assign_department(work, ada, north, MARCH - timedelta(days=1))
        assert later.value.details["since"] == MARCH.isoformat()
        with pytest.raises(NotYet):
            await departments.assign_department(work, ada, north, work.now + timedelta(days=1))
        with pytest.raises(DepartmentNotFound):
            await departments.assign_department(work, ada, uuid4())
        with pytest.raises(NotFound):
            await departments.assign_department(work, uuid4(), south)


async def test_of_two_who_became_one_both_departments_end(database: Database, tenant: UUID) -> None:
    ada, south, north = await founded(database, tenant)
    async with database.unit_of_work(tenant) as work:
        eva = (await customers.create(work, NewCustomer(name="Eva"))).id
        await departments.assign_department(work, ada, south, JANUARY)
        await departments.assign_department(work, eva, north, JANUARY)
        await customers.merge(work, ada, [eva])
    async with database.unit_of_work(tenant) as work:
        await departments.assign_department(work, eva, south, MARCH)
    assert await held(database, tenant, eva) == [(north, JANUARY, MARCH)]
    assert await held(database, tenant, ada) == [(south, JANUARY, MARCH), (south, MARCH, None)]
