"""Opportunities: sales that may come about, versioned where they changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import text

from domain.core.money import Money
from domain.purchases.opportunities import OpportunityStatus, Prospect, check_closing, prospect
from domain.purchases.rules import local_day
from domain.tenants import queries as tenants
from sync import settle
from sync.landing import cells, tables, versions
from sync.landing.customers import Merged
from sync.landing.versions import Told, as_staged

if TYPE_CHECKING:
    from collections.abc import Sequence

    from domain.core.unit_of_work import Writing
    from sync.runs import Run
    from tenure_sdk import Opportunity

_OWN = (
    "number", "local_day", "closed_at", "closed_on", "status", "currency", "amount", "probability", "stage",
    "expected_close_on",
)  # fmt: skip
_OPPORTUNITY = Told(
    "opportunity", "opportunities", "landing_opportunities",
    {
        **as_staged(*_OWN),
        "opened_at": "landing.occurred_at",
        "base_amount": "CASE WHEN landing.currency = :base THEN landing.amount END",
        "base_currency": "CASE WHEN landing.currency = :base THEN landing.currency END",
    },
)  # fmt: skip

_COLUMNS = ("document", "customer", "occurred_at", "hash", *_OWN)

_FOREIGN = text("SELECT EXISTS (SELECT FROM pg_temp.landing_opportunities WHERE currency <> :base)")


class _Checked(NamedTuple):
    record: Opportunity
    prospect: Prospect


async def from_records(work: Writing, run: Run, records: Sequence[Opportunity]) -> Merged:
    """Merge opportunities; who is named and not known yet becomes a customer."""
    checked, rejects = versions.kept(records, _checked)
    if not checked:
        return Merged(rejects=rejects)
    tenant = await tenants.tenant(work)
    rows = cells.rows(_row(each, tenant.time_zone) for each in checked)
    await tables.copy(work, "landing_opportunities", _COLUMNS, rows)
    unchanged = await versions.find(work, run, _OPPORTUNITY)
    if unchanged == len(checked):
        return Merged(unchanged=unchanged, rejects=rejects)
    merged = await versions.write(work, run, _OPPORTUNITY, tenant.base_currency)
    if (await work.execute(_FOREIGN, {"base": tenant.base_currency})).scalar_one():
        await settle.money(work)
    return merged._replace(unchanged=unchanged, rejects=rejects)


def _checked(record: Opportunity) -> _Checked:
    check_closing(OpportunityStatus(record.status), record.opened_at, record.closed_at)
    amount = record.amount
    if amount is not None and record.currency is not None:
        amount = Money.of_minor(versions.minor("amount", amount, record.currency), record.currency).amount
    return _Checked(record, prospect(amount, record.currency, record.probability))


def _row(checked: _Checked, time_zone: str) -> tuple[str, ...]:
    record, may_bring = checked
    closed_at = record.closed_at
    return (
        cells.text(record.id),
        cells.optional(record.customer.id if record.customer else None),
        cells.moment(record.opened_at),
        versions.digest(record),
        cells.text(record.number or record.id),
        local_day(record.opened_at, time_zone).isoformat(),
        cells.NULL if closed_at is None else cells.moment(closed_at),
        cells.day(None if closed_at is None else local_day(closed_at, time_zone)),
        record.status,
        cells.optional(record.currency),
        cells.NULL if may_bring.amount is None else str(may_bring.amount),
        cells.NULL if may_bring.probability is None else str(may_bring.probability),
        cells.optional(record.stage),
        cells.day(record.expected_close_on),
    )
