"""Departments: which one looks after a customer, as the customer's source says; those that it names are made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import ARRAY, Text, bindparam

from sync.landing import cells, tables
from sync.landing.tables import sql

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from uuid import UUID

    from domain.core.unit_of_work import Writing
    from sync.runs import Run
    from tenure_sdk import Customer

_MAKE = sql("""
INSERT INTO departments (tenant_id, id, key, name, created_at)
SELECT :tenant, wanted.id, wanted.key, wanted.key, :now FROM unnest(:ids, :keys) AS wanted (id, key)
WHERE NOT EXISTS (SELECT FROM departments AS known WHERE known.tenant_id = :tenant AND known.key = wanted.key)
ON CONFLICT (tenant_id, key) DO NOTHING
""").bindparams(bindparam("keys", type_=ARRAY(Text)))

_SINCE = "least(coalesce(landing.updated_at, CAST(:now AS timestamptz)), CAST(:now AS timestamptz))"

# What another source said, or a person, stands until this one names a department itself.
_LEFT = sql(f"""
UPDATE department_members AS member SET valid_to = greatest(member.valid_from, {_SINCE})
FROM pg_temp.landing_customers AS landing
LEFT JOIN pg_temp.landing_departments AS said USING (remote_id)
LEFT JOIN departments AS named ON named.tenant_id = :tenant AND named.key = said.department
WHERE member.tenant_id = :tenant AND member.customer_id = landing.id AND member.valid_to IS NULL
    AND landing.hash IS NOT NULL AND member.department_id IS DISTINCT FROM named.id
    AND (named.id IS NOT NULL OR member.source = :source)
RETURNING member.customer_id
""")

_JOINED = sql(f"""
INSERT INTO department_members (tenant_id, id, department_id, customer_id, source, valid_from)
SELECT :tenant, said.id, named.id, landing.id, :source, greatest({_SINCE}, former.valid_to)
FROM pg_temp.landing_departments AS said
JOIN pg_temp.landing_customers AS landing USING (remote_id)
JOIN departments AS named ON named.tenant_id = :tenant AND named.key = said.department
JOIN customers ON customers.tenant_id = :tenant AND customers.id = landing.id AND customers.status <> 'ERASED'
CROSS JOIN LATERAL (
    SELECT max(valid_to) AS valid_to, bool_or(valid_to IS NULL) IS TRUE AS holds FROM department_members
    WHERE tenant_id = :tenant AND customer_id = landing.id
) AS former
WHERE NOT former.holds
RETURNING customer_id
""")


async def make(work: Writing, keys: Collection[str | None]) -> None:
    """Have departments with these keys; one that nobody has defined is called by its key."""
    wanted = sorted(key for key in keys if key is not None)
    if wanted:
        ids = [work.ids() for _ in wanted]
        await work.execute(_MAKE, {"tenant": work.tenant_id, "now": work.now, "ids": ids, "keys": wanted})


async def assign(work: Writing, run: Run, records: Sequence[Customer]) -> set[UUID]:
    """Have those look after customers whom their records name; who has another department now, or none any more.

    `landing_customers` has the ids of the customers.
    """
    said = [(record.id, record.department) for record in records if record.department is not None]
    if said:
        await make(work, {key for _, key in said})
        rows = cells.rows((cells.text(id_), cells.text(key)) for id_, key in said)
        await tables.copy(work, "landing_departments", ("remote_id", "department"), rows)
        await tables.number(work, "landing_departments", "remote_id")
    binds = {"tenant": work.tenant_id, "source": run.source, "now": work.now}
    moved = set((await work.execute(_LEFT, binds)).scalars())
    return moved | set((await work.execute(_JOINED, binds)).scalars()) if said else moved
