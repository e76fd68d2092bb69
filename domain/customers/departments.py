"""Which department of the business looks after whom, and since when."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sqlalchemy import select

from domain.core.clock import aware
from domain.core.problems import Conflict, Invalid, NotFound, StaleVersion
from domain.customers import queries, rules
from domain.customers.model import Department, DepartmentMember

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy import Select

    from domain.core.unit_of_work import Reading, Writing
    from domain.customers.model import Customer


class DepartmentNotFound(NotFound):
    """There is no department with this id or key here. Define it first."""


class BadDepartmentKey(Invalid):
    """A key of a department has small letters, digits and dashes, and begins with a letter."""


class NoDepartmentName(Invalid):
    """A department needs a name."""


class AssignedLater(Conflict):
    """The customer has belonged to a department since a later moment. What is known of the past stays as it is."""


class NotYet(Invalid):
    """This moment is still to come. A customer can belong to a department from now on, or from an earlier moment."""


_KEY = re.compile(r"[a-z][a-z0-9-]{0,62}")


async def department(reading: Reading, department_id: UUID) -> Department:
    """A department by its id. Raises DepartmentNotFound."""
    found = await reading.one(_departments(reading).where(Department.id == department_id))
    if found is None:
        raise DepartmentNotFound(id=department_id)
    return found


def check_key(key: str, *path: str) -> None:
    """Raises BadDepartmentKey where this cannot be the key of a department; `path` names it in the input."""
    if not _KEY.fullmatch(key):
        raise BadDepartmentKey(path=path, key=key)


async def define_department(work: Writing, key: str, name: str, version: int | None = None) -> Department:
    """Make a department, or give the one with this key another name; the same again changes nothing.

    Raises BadDepartmentKey, NoDepartmentName, or StaleVersion where `version` is told and is not the current one.
    """
    check_key(key, "key")
    if not name.strip():
        raise NoDepartmentName(path=("name",))
    known = await work.one(_departments(work).where(Department.key == key).with_for_update())
    if version not in {None, known.version if known else None}:
        raise StaleVersion(path=("version",), current_version=known.version if known else None)
    if known is None:
        known = Department(id=work.ids(), key=key, name=name, created_at=work.now, version=1)
        work.add(known)
    elif known.name == name:
        return known
    else:
        known.name = name
        known.version += 1
    await work.flush()
    work.audit("departments.define", f"department:{known.id.hex}", after={"key": key, "name": name})
    return known


async def assign_department(
    work: Writing, customer_id: UUID, department_id: UUID | None, since: datetime | None = None
) -> DepartmentMember | None:
    """Have a department look after a customer from a moment on, by default from now; None ends what stands.

    A customer belongs to at most one department at a time: what stood ends then, and stays readable. The same again
    changes nothing; with an earlier moment the customer has belonged to it since then, too. Raises NotFound,
    DepartmentNotFound, NoTimeZone, NotYet or AssignedLater.
    """
    survivor = await queries.customer(work, customer_id)
    if department_id is not None:
        await department(work, department_id)
    at = work.now if since is None else aware(since, "since")
    if at > work.now:
        raise NotYet(path=("since",))
    held = await _held(work, survivor.member_ids)
    if (held[0].department_id if held else None) == department_id:
        if held and at < held[0].valid_from:
            await _belonged_before(work, survivor, held[0], at)
        return held[0] if held else None
    if any(each.valid_from > at for each in held):
        raise AssignedLater(path=("since",), since=max(each.valid_from for each in held).isoformat())
    for each in held:
        each.valid_to = at
    await work.flush()  # before the new one comes: a customer has one that holds
    member = None
    if department_id is not None:
        member = _member(work, survivor.id, department_id, at)
    await _tell(work, survivor.id, department_id, at)
    return member


async def _belonged_before(work: Writing, survivor: Customer, held: DepartmentMember, since: datetime) -> None:
    """Say that a customer came to the department at an earlier moment than is known. Raises AssignedLater."""
    known_since = held.valid_from
    before = (
        select(DepartmentMember)
        .where(
            DepartmentMember.tenant_id == work.tenant_id,
            queries.within(DepartmentMember.customer_id, survivor.member_ids),
            DepartmentMember.valid_to > since,
        )
        .order_by(DepartmentMember.valid_to.desc())
    )
    for each in await work.all(before):
        if (each.department_id, each.valid_to) != (held.department_id, known_since):
            raise AssignedLater(path=("since",), since=(each.valid_to or since).isoformat())
        known_since = each.valid_from
    if since < known_since:
        _member(work, survivor.id, held.department_id, since, until=known_since)
        await _tell(work, survivor.id, held.department_id, since)


def _member(
    work: Writing, customer_id: UUID, department_id: UUID, since: datetime, until: datetime | None = None
) -> DepartmentMember:
    member = DepartmentMember(
        id=work.ids(), department_id=department_id, customer_id=customer_id, source=rules.MANUAL, valid_from=since,
        valid_to=until,
    )  # fmt: skip
    work.add(member)
    return member


async def _tell(work: Writing, customer_id: UUID, department_id: UUID | None, since: datetime) -> None:
    department = department_id.hex if department_id else None
    work.emit("customers.DepartmentAssigned", customer_id, department=department)
    work.audit(
        "departments.assign",
        f"customer:{customer_id.hex}",
        after={"department": department, "since": since.isoformat()},
    )
    await work.flush()


def _departments(reading: Reading) -> Select[Department]:
    return select(Department).where(Department.tenant_id == reading.tenant_id)


async def _held(work: Writing, members: list[UUID]) -> list[DepartmentMember]:
    """The departments that a customer and all members belong to now, the latest first."""
    return list(
        await work.all(
            select(DepartmentMember)
            .where(
                DepartmentMember.tenant_id == work.tenant_id, queries.within(DepartmentMember.customer_id, members),
                DepartmentMember.valid_to.is_(None),
            )
            .order_by(DepartmentMember.valid_from.desc(), DepartmentMember.id.desc())
            .with_for_update()
        )
    )  # fmt: skip
