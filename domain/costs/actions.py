"""What can happen to costs: they are recorded, corrected by new versions, and deleted."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from domain import interactions
from domain.core.problems import Invalid, StaleVersion
from domain.costs import queries, rules
from domain.costs.model import CostEntry
from domain.costs.settling import settle_entries
from domain.customers import departments
from domain.purchases.rules import digest, to_money

if TYPE_CHECKING:
    from datetime import date
    from decimal import Decimal
    from uuid import UUID

    from domain.core.unit_of_work import Writing
    from domain.costs.rules import AllocationRule, CostCategory


class NoRateForCost(Invalid):
    """There is no exchange rate for this currency on the first day of the period. Record one, then the cost."""


@dataclass(frozen=True, kw_only=True)
class NewCost:
    """What a cost says: the period ends before `ends_on`; whom or what it concerns, as far as that is known."""

    category: CostCategory
    amount: Decimal
    currency: str
    starts_on: date
    ends_on: date
    rule: AllocationRule | None = None
    description: str | None = None
    customer_id: UUID | None = None
    campaign_key: str | None = None
    case_key: str | None = None
    department_id: UUID | None = None
    initiative_id: UUID | None = None


async def record_cost(work: Writing, new: NewCost) -> CostEntry:
    """Record money that was spent, in the tenant's base currency at the rate of the first day, and share it.

    Raises PeriodIsEmpty, PeriodTooLong, NoRateForCost, CustomerNotFound, DepartmentNotFound or what
    `purchases.rules.to_money` raises; then nothing changed.
    """
    content = await _content(work, new)
    entry = CostEntry(id=work.ids(), version=1, recorded_at=work.now, **content)
    return await _write(work, "costs.record", entry)


async def change_cost(work: Writing, entry_id: UUID, version: int, new: NewCost) -> CostEntry:
    """Correct a cost by a new version; the earlier ones stay readable. The same again makes none.

    Where it stands at the other side is kept. Raises CostNotFound, StaleVersion where `version` is not the current
    one, or what `record_cost` raises; then nothing changed.
    """
    content = await _content(work, new)
    known = await _lock(work, entry_id, version)
    if known.content_hash == content["content_hash"]:
        return known
    await _supersede(work, known)
    entry = CostEntry(
        id=known.id, version=known.version + 1, recorded_at=work.now, integration_id=known.integration_id,
        remote_id=known.remote_id, **content,
    )  # fmt: skip
    return await _write(work, "costs.change", entry)


async def delete_cost(work: Writing, entry_id: UUID, version: int) -> CostEntry:
    """Take a cost out of every figure; what it said stays readable.

    Raises CostNotFound, or StaleVersion where `version` is not the current one.
    """
    known = await _lock(work, entry_id, version)
    await _supersede(work, known)
    await settle_entries(work, [known.id])
    work.emit("costs.CostDeleted", known.id, customer_id=_hex(known.customer_id))
    work.audit("costs.delete", f"cost:{known.id.hex}", before={"version": known.version, "amount": known.amount})
    return known


async def _content(work: Writing, new: NewCost) -> dict[str, Any]:
    rules.check_period(new.starts_on, new.ends_on)
    content = asdict(new) | {"amount": to_money(new.amount, new.currency, "amount")}
    await interactions.check_customer(work, new.customer_id)
    if new.department_id is not None:
        await departments.department(work, new.department_id)
    return {**content, "content_hash": digest(content)}


async def _lock(work: Writing, entry_id: UUID, version: int) -> CostEntry:
    await queries.entry(work, entry_id)
    known = await work.one(queries.current_entry(work, entry_id).with_for_update())
    if known is None or known.version != version:  # None: superseded while we waited for the lock
        raise StaleVersion(path=("version",), current_version=known.version if known else None)
    return known


async def _supersede(work: Writing, known: CostEntry) -> None:
    known.superseded_at = work.now
    await work.flush()  # before the new version comes: one version is current


async def _write(work: Writing, deed: str, entry: CostEntry) -> CostEntry:
    work.add(entry)
    await work.flush()
    await settle_entries(work, [entry.id])
    await work.session.refresh(entry)
    if entry.base_amount is None:
        raise NoRateForCost(path=("currency",), currency=entry.currency, day=entry.starts_on.isoformat())
    said = {"version": entry.version, "category": entry.category}
    work.emit("costs.CostRecorded", entry.id, customer_id=_hex(entry.customer_id), **said)
    work.audit(deed, f"cost:{entry.id.hex}", after={**said, "amount": entry.amount, "currency": entry.currency})
    return entry


def _hex(id_: UUID | None) -> str | None:
    return id_.hex if id_ else None
