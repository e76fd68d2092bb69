"""Departments over GraphQL: which one looks after whom, and since when."""

from datetime import datetime
from typing import Any

from api import filters
from api.expose import Node, column, expose, many, one, page_of
from api.reads.mapping import Condition
from api.reads.mapping import Order as By
from domain.customers import model
from domain.customers.departments import DepartmentNotFound

SCOPE = "customers:read"

_BELONGS = (
    "(select m.department_id from department_members m where m.tenant_id = $1 and m.customer_id = any({c}.member_ids)"
    " and m.valid_to is null order by m.valid_from desc, m.id desc limit 1)"
)
"""The department of a surviving customer `{c}`: of several members', the one that began last."""

KNOWN = filters.known("dep", "departments", DepartmentNotFound)
"""Looks whether the departments that a filter names are there."""


def department(id_: str, words: str, **options: Any) -> Any:
    """A department by its id, an SQL expression over the parent `{p}`."""
    return one(
        "departments.Department", f"departments {{t}} where {{t}}.tenant_id = $1 and {{t}}.id = {id_}",
        description=words, **options,
    )  # fmt: skip


@expose(model.Department, prefix="dep", scope=SCOPE)
class Department(Node):
    """A part of the business that looks after customers of its own."""

    key = column()
    name = column()
    created_at = column()
    version = column()


@expose(model.DepartmentMember)
class DepartmentMembership:
    """For how long a customer belonged to a department."""

    department = department("{p}.department_id", "Which department.", null=False)
    since = column(sql="{t}.valid_from", annotation=datetime, description="Since when.")
    until = column(sql="{t}.valid_to", annotation=datetime, null=True, description="Until when; null: still.")


DepartmentConnection = page_of(Department, "departments")
DepartmentMembershipConnection = page_of(DepartmentMembership, "memberships")


def of_customer() -> dict[str, Any]:
    """The fields of a customer that say which department looks after them."""
    return {
        "department": department(_BELONGS.format(c="{p}"), "The department that looks after the customer now."),
        "departments": many(
            "departments.DepartmentMembership", "department_members {t} where {t}.tenant_id = $1",
            orders={"SINCE": By("{t}.valid_from"), "ID": By("{t}.id", "id")}, default=(("SINCE", True),),
            keys="{p}.member_ids", link="customer_id", scope=SCOPE,
            description="Every department that looked after the customer, the latest first.",
        ),
    }  # fmt: skip


def condition() -> Condition:
    """The condition on a customer that a department looks after them now."""
    return filters.id_of(
        "dep", _BELONGS.format(c="{t}"), "The department that looks after the customer now.", check=KNOWN
    )


class Queries:
    """What the root offers of departments."""

    departments = many(
        "departments.Department", "departments {t} where {t}.tenant_id = $1",
        orders={"KEY": By("{t}.key", "text"), "ID": By("{t}.id", "id")}, default=(("KEY", False),), scope=SCOPE,
        description="The departments of the business, by key.",
    )  # fmt: skip
