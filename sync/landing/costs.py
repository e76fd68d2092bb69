"""Costs: entries by version, shared among customers as the domain does it."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import text

from domain.costs import rules, settling
from domain.customers.departments import check_key
from domain.tenants import queries as tenants
from sync.landing import cells, departments, tables, versions
from sync.landing.customers import Merged
from sync.landing.versions import Told, as_staged

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from domain.core.unit_of_work import Writing
    from sync.runs import Run
    from tenure_sdk import Cost

_OWN = ("category", "starts_on", "ends_on", "currency", "amount", "rule", "campaign_key", "case_key")
_COST = Told(
    "cost", "cost_entries", "landing_costs",
    {
        **as_staged(*_OWN),
        # Of a person who was erased nothing personal is kept any more.
        "description": """CASE WHEN NOT EXISTS (
            SELECT FROM customers WHERE tenant_id = :tenant AND id = landing.customer_id AND status = 'ERASED'
        ) THEN landing.description END""",
        "department_id": "(SELECT id FROM departments WHERE tenant_id = :tenant AND key = landing.department)",
    },
)  # fmt: skip

_COLUMNS = ("document", "customer", "occurred_at", "hash", "description", "department", *_OWN)

_WRITTEN = text("SELECT id FROM pg_temp.landing_costs")


class _Checked(NamedTuple):
    record: Cost
    amount: int
    ends_on: date


async def from_records(work: Writing, run: Run, records: Sequence[Cost]) -> Merged:
    """Merge costs, and share what is new of them; departments that nobody has defined are made."""
    checked, rejects = versions.kept(records, _checked)
    if not checked:
        return Merged(rejects=rejects)
    tenant = await tenants.tenant(work)
    rows = cells.rows(_row(each, tenant.time_zone) for each in checked)
    await tables.copy(work, "landing_costs", _COLUMNS, rows)
    unchanged = await versions.find(work, run, _COST)
    if unchanged == len(checked):
        return Merged(unchanged=unchanged, rejects=rejects)
    await departments.make(work, {each.record.department for each in checked})
    merged = await versions.write(work, run, _COST, tenant.base_currency)
    await settling.settle_entries(work, (await work.execute(_WRITTEN)).scalars().all())
    return merged._replace(unchanged=unchanged, rejects=rejects)


def _checked(record: Cost) -> _Checked:
    ends_on = record.ends_on or record.starts_on + timedelta(days=1)
    rules.check_period(record.starts_on, ends_on)
    if record.department is not None:
        check_key(record.department, "department")
    return _Checked(record, versions.minor("amount", record.amount, record.currency), ends_on)


def _row(checked: _Checked, time_zone: str) -> tuple[str, ...]:
    record = checked.record
    return (
        cells.text(record.id),
        cells.optional(record.customer.id if record.customer else None),
        cells.moment(datetime.combine(record.starts_on, time(), ZoneInfo(time_zone))),
        versions.digest(record),
        cells.optional(record.description),
        cells.optional(record.department),
        record.category,
        record.starts_on.isoformat(),
        checked.ends_on.isoformat(),
        record.currency,
        str(checked.amount),
        cells.optional(record.rule),
        cells.optional(record.campaign),
        cells.optional(record.case),
    )
