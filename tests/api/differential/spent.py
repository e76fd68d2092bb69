"""What was spent and who bears it, which departments look after whom, and what is pursued."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from domain.costs.model import CostAllocation, CostEntry
from domain.costs.rules import AllocationRule, CostCategory
from domain.customers.model import Department, DepartmentMember
from domain.initiatives.model import Initiative
from domain.integrations.model import Integration
from domain.metrics.objectives.model import Objective
from domain.metrics.objectives.rules import KpiDirection, ObjectiveStatus

if TYPE_CHECKING:
    from uuid import UUID

    from domain.customers.model import Customer
    from tests.api.differential.world import World

_EACH = 21


async def money(world: World, people: dict[str, Customer]) -> None:
    """Departments with members now and before, costs with their shares, and objectives."""
    departments = [world.id() for _ in range(5)]
    await world.add(
        *(
            Department(id=id_, key=key, name=key.title(), created_at=world.moment(), version=1)
            for id_, key in zip(departments, ("south", "north", "Öst", "west", "far"), strict=True)
        )
    )
    for who in people.values():
        _memberships(world, who.id, departments)
    integrations = list(
        await world.work.all(select(Integration.id).where(Integration.tenant_id == world.work.tenant_id))
    )
    whose = [None, *people.values(), None]
    for at in range(_EACH):
        await _cost(world, at, whose[at % len(whose)], departments, integrations)
    await world.work.flush()
    _shares(world, people, await world.work.all(_current(world)))
    _objectives(world)
    await world.work.flush()


def _memberships(world: World, customer: UUID, departments: list[UUID]) -> None:
    since = world.moment(3)
    for _ in range(world.random.randrange(3)):
        until = since + timedelta(days=world.random.randrange(1, 3))
        world.work.add(_member(world, customer, departments, since, until))
        since = until
    if world.random.random() < 0.7:
        world.work.add(_member(world, customer, departments, since, None))


def _member(world: World, customer: UUID, departments: list[UUID], since: Any, until: Any) -> DepartmentMember:
    return DepartmentMember(
        id=world.id(), department_id=world.random.choice(departments), customer_id=customer, source="manual",
        valid_from=since, valid_to=until,
    )  # fmt: skip


async def _cost(
    world: World, at: int, who: Customer | None, departments: list[UUID], integrations: list[UUID]
) -> None:  # fmt: skip
    last, deleted, id_ = 1 + at % 2, at % 6 == 5, world.id()
    for version in range(1, last + 1):
        told = {"customer_id": who and who.id, "department_id": world.maybe(world.random.choice(departments), 0.5)}
        told |= {"integration_id": world.maybe(world.random.choice(integrations), 0.5), "remote_id": f"S{at}"}
        superseded = world.moment() if version < last or deleted else None
        await world.add(_entry(world, at, id=id_, version=version, superseded_at=superseded, **told))


async def on_initiatives(world: World) -> None:
    """What was spent on initiatives that are there."""
    for at, initiative in enumerate(
        await world.work.all(select(Initiative.id).where(Initiative.tenant_id == world.work.tenant_id))
    ):
        await world.add(_entry(world, at, id=world.id(), version=1, initiative_id=initiative))


def _entry(world: World, at: int, **told: Any) -> CostEntry:
    currency, rated = ["EUR", "JPY", "KWD", "EUR"][at % 4], at % 5 != 1
    starts_on, base = world.moment().date(), world.random.randrange(-900, 9_000)
    shared = rated and world.random.random() < 0.9
    return CostEntry(
        category=list(CostCategory)[at % 7], description=world.maybe(f"Cost {at}"),
        starts_on=starts_on, ends_on=starts_on + timedelta(days=world.random.randrange(1, 5)), currency=currency,
        amount=base if currency == "EUR" else base * 7, base_amount=base if rated else None,
        base_currency="EUR" if rated else None, rule=world.maybe(world.random.choice(list(AllocationRule))),
        campaign_key=world.maybe(["spring", "may"][at % 2], 0.5), case_key=world.maybe(f"c{at % 3}", 0.5),
        content_hash=b"x", recorded_at=world.moment(), allocated_amount=base if shared else None,
        allocated_at=world.moment() if shared else None, **told,
    )  # fmt: skip


def _current(world: World) -> Any:
    return select(CostEntry).where(
        CostEntry.tenant_id == world.work.tenant_id, CostEntry.superseded_at.is_(None),
        CostEntry.base_amount.is_not(None),
    )  # fmt: skip


def _shares(world: World, people: dict[str, Customer], entries: Any) -> None:
    """Several customers on several days of some entries, those who were merged among them."""
    for entry in entries:
        days = (entry.ends_on - entry.starts_on).days if entry.rule == AllocationRule.BY_TIME else 1
        for who in world.random.sample(list(people.values()), world.random.randrange(len(people))):
            for day in range(days):
                world.work.add(
                    CostAllocation(
                        entry_id=entry.id, customer_id=who.id, day=entry.starts_on + timedelta(days=day),
                        category=entry.category, amount_base=world.random.randrange(1, 99),
                    )
                )  # fmt: skip


def _objectives(world: World) -> None:
    for at, status in enumerate([*[ObjectiveStatus.ACTIVE] * 3, ObjectiveStatus.REACHED, ObjectiveStatus.DROPPED]):
        due = world.maybe(world.moment().date())
        kpis = [
            {"metric": metric, "direction": direction, "target": target, "dueOn": due and due.isoformat()}
            for metric, direction, target in (
                ("frequency", KpiDirection.AT_LEAST, "4.50"), ("recency", KpiDirection.AT_MOST, "30"),
            )[: 1 + at % 2]
        ]  # fmt: skip
        world.work.add(
            Objective(
                id=world.id(), statement=f"Aim {at}", status=status,
                place=at + 1 if status is ObjectiveStatus.ACTIVE else None, due_on=world.maybe(world.moment().date()),
                kpis=kpis, created_at=world.moment(), updated_at=world.moment(), version=1,
            )
        )  # fmt: skip
