"""Exchange rates: appended where the latest one of a day is another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from domain.core.money import currencies
from domain.core.problems import Invalid
from domain.purchases import rules
from sync.landing import cells, tables
from sync.landing.customers import Merged
from sync.landing.tables import sql
from tenure_sdk import Reject

if TYPE_CHECKING:
    from collections.abc import Sequence

    from domain.core.unit_of_work import Writing
    from sync.runs import Run
    from tenure_sdk import ExchangeRate

_COMPARE = """
SELECT latest.rate FROM exchange_rates AS latest
WHERE latest.tenant_id = :tenant AND latest.day = landing.day AND latest.base = landing.base
    AND latest.quote = landing.quote
ORDER BY latest.recorded_at DESC, latest.id DESC LIMIT 1
"""

_UNCHANGED = sql(f"DELETE FROM pg_temp.landing_rates AS landing WHERE landing.rate = ({_COMPARE})")

_CORRECTED = sql(f"SELECT count(*) FROM pg_temp.landing_rates AS landing WHERE EXISTS ({_COMPARE})")

_INSERT = sql("""
INSERT INTO exchange_rates (tenant_id, id, day, base, quote, rate, source, recorded_at)
SELECT :tenant, id, day, base, quote, rate, :source, :now FROM pg_temp.landing_rates
""")


async def from_records(work: Writing, run: Run, records: Sequence[ExchangeRate]) -> Merged:
    """Record exchange rates; a corrected one is recorded beside the former and counts from then on."""
    if not records:
        return Merged()
    rejects = [reject for record in records if (reject := _reject(record))]
    refused = {reject.record_id for reject in rejects}
    sound = [record for record in records if record.id not in refused]
    latest = {(record.date, record.base, record.quote): record for record in sound}
    await tables.copy(work, "landing_rates", ("day", "base", "quote", "rate"), cells.rows(map(_cells, latest.values())))
    unchanged = await tables.count(work, _UNCHANGED)
    ((corrected,),) = await work.rows(_CORRECTED, {"tenant": work.tenant_id})
    await tables.number(work, "landing_rates", "day, base, quote")
    written = await tables.count(work, _INSERT, source=run.source, now=work.now)
    return Merged(written - corrected, corrected, unchanged + len(sound) - len(latest), rejects=rejects)


def _reject(record: ExchangeRate) -> Reject | None:
    """Why a rate cannot be kept; None where it can."""
    try:
        rules.check_rate(record.base, record.quote, record.rate)
    except Invalid as problem:
        field = problem.path[0] if problem.path else "quote" if record.base in currencies() else "base"
        return Reject(None, field, str(getattr(record, field)), problem.message, record.id)
    return None


def _cells(record: ExchangeRate) -> tuple[str, ...]:
    return record.date.isoformat(), record.base, record.quote, cells.exact(record.rate)
