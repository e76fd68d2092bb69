"""One customer of an initiative before and after: his own days, placed in what the last measurement found."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from domain.core.money import minor_units
from domain.initiatives import reading
from domain.initiatives.findings import Alike, Span, Spreads
from domain.initiatives.history import Weeks
from domain.initiatives.plans import Plan, Tier
from domain.initiatives.statistics.individuals import IndividualAnswer, individual
from domain.initiatives.statistics.windows import Calendar, Windows
from domain.initiatives.telling import day

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from uuid import UUID

    from domain.initiatives.history import History
    from domain.initiatives.seal import Columns
    from domain.metrics.reading import Snapshot


class IndividualState(StrEnum):
    """Whether a customer could be compared, or why not."""

    COMPARED = "COMPARED"
    NOT_MEASURED = "NOT_MEASURED"
    NOT_SEALED = "NOT_SEALED"
    OUT_OF_SCOPE = "OUT_OF_SCOPE"
    ERASED = "ERASED"


@dataclass(frozen=True)
class Individual:
    """A customer before and after an initiative; the windows and answers are there where he was compared."""

    state: IndividualState
    number: int | None = None
    currency: str | None = None
    before: Span | None = None
    after: Span | None = None
    answers: tuple[IndividualAnswer, ...] = ()


async def compared(snapshot: Snapshot, initiative_id: UUID, customer_id: UUID) -> Individual | None:
    """A customer beside himself and beside the mean, by the last measurement; None where one of them is not known.

    His days are those of the seal and those that are known now of the time since, under the identities of today.
    """
    customers = await snapshot.rows(_CUSTOMER, customer=customer_id)
    latest = await snapshot.rows(_LATEST, initiative=initiative_id)
    if not customers or not latest:
        return None
    (who,), (of,) = customers, latest
    if who["status"] == "ERASED":
        return Individual(IndividualState.ERASED)
    if of["spreads"] is None:  # never, or before spreads were kept
        return Individual(IndividualState.NOT_MEASURED)
    sealed = await snapshot.rows(_SEALED, seal=of["seal"], members=who["member_ids"])
    if not sealed:
        return Individual(IndividualState.NOT_SEALED, of["number"])
    if not any(row["is_treated"] for row in sealed):
        return Individual(IndividualState.OUT_OF_SCOPE, of["number"])
    return _compared(of, await _history(snapshot, of, who["member_ids"], sealed))


async def _history(snapshot: Snapshot, of: Any, members: Sequence[UUID], sealed: Sequence[Any]) -> History:
    """All that is known of him, as the only customer of a history."""
    places = {row["pseudonym"]: place for place, row in enumerate(sealed)}
    before = await snapshot.rows(_SEALED_DAYS, seal=of["seal"], pseudonyms=list(places))
    after = await snapshot.rows(
        reading.DAYS_OF_SOME, customers=members, first=of["go_live_on"], last=of["ends_on"], paid_only=of["paid_only"]
    )
    days = [(places[row["pseudonym"]], row) for row in before] + [(0, row) for row in after]
    did: Columns = {name: [row[name] for _, row in days] for name in ("day", *reading.FIGURES)}
    did["pseudonym"] = [place for place, _ in days]
    known: Columns = {
        name: [row[name] for row in sealed] for name in ("first_seen_on", "first_occasion_on", "occasions_before")
    }
    nobody: Columns = {"unit": [0] * len(sealed), "department_id": [None] * len(sealed)}
    whole = reading.history(known | nobody, did, (of["first_day"], of["ends_on"]), Weeks.none(0))
    return whole.merged(np.zeros(len(sealed), dtype=np.int32))


def _compared(of: Any, history: History) -> Individual:
    plan = Plan(
        of["go_live_on"].toordinal(), of["baseline_days"], of["ends_on"].toordinal(), Tier(of["tier"]), of["seed"],
        minor=10 ** minor_units(of["currency"]),
    )  # fmt: skip
    before = Span(of["before_first"].toordinal(), of["before_last"].toordinal())
    windows = Windows(before, Span(plan.go_live, plan.measured_on))
    calendar = Calendar(history.first, plan, windows.is_of_the_year_before)
    answers = individual(
        history, Span(plan.baseline_begins, plan.go_live), windows, _fakes(calendar, of["battery"]),
        msgspec.json.decode(of["spreads"], type=tuple[Spreads, ...]),
        msgspec.json.decode(of["alike"], type=tuple[Alike, ...]), plan.minor,
    )  # fmt: skip
    return Individual(
        IndividualState.COMPARED, of["number"], of["currency"], windows.before, windows.after, answers
    )  # fmt: skip


def _fakes(calendar: Calendar, stored: str | None) -> Iterable[Windows]:
    """The fake go-lives of the measurement."""
    battery = msgspec.json.decode(stored or "null")
    if battery is None:
        return ()
    begins = set(battery["go_lives"])
    return [fake for fake in calendar.fakes(battery["days"]) if day(fake.after.first) in begins]


_CUSTOMER = """
SELECT r.status, r.member_ids FROM customers c JOIN customers r ON r.tenant_id = :tenant AND r.id = c.root_id
WHERE c.tenant_id = :tenant AND c.id = :customer
"""

_LATEST = """
SELECT s.id AS seal, s.first_day, s.go_live_on, s.baseline_days, s.paid_only, s.tier, s.seed, m.currency, m.number,
    m.ends_on, CAST(m.findings #>> '{before,start}' AS date) AS before_first,
    CAST(m.findings #>> '{before,end}' AS date) AS before_last,
    m.findings ->> 'spreads' AS spreads, m.findings ->> 'alike' AS alike, m.findings ->> 'battery' AS battery
FROM initiatives i
LEFT JOIN (
    SELECT * FROM measurements WHERE tenant_id = :tenant AND initiative_id = :initiative AND kind <> 'EXPLORATORY'
    ORDER BY number DESC LIMIT 1
) AS m ON true
LEFT JOIN baseline.seals s ON s.tenant_id = :tenant AND s.id = m.seal_id
WHERE i.tenant_id = :tenant AND i.id = :initiative
"""

_KNOWN = ("first_seen_on", "first_occasion_on", "occasions_before")

_SEALED = f"""
SELECT c.pseudonym, c.is_treated, {", ".join(f"c.{name}" for name in _KNOWN)}
FROM baseline.sealed_links l
JOIN baseline.sealed_customers c ON c.tenant_id = :tenant AND c.seal_id = :seal AND c.pseudonym = l.pseudonym
WHERE l.tenant_id = :tenant AND l.seal_id = :seal AND l.customer_id = ANY(:members)
ORDER BY c.pseudonym
"""

_SEALED_DAYS = f"""
SELECT d.pseudonym, d.day, {", ".join(f"d.{name}" for name in reading.FIGURES)}
FROM baseline.sealed_days d
WHERE d.tenant_id = :tenant AND d.seal_id = :seal AND d.pseudonym = ANY(:pseudonyms)
"""
