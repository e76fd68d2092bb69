"""What goes into a seal: everything that a later comparison needs of the time before an initiative."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import date, datetime, time
from math import ceil
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import msgspec
import numpy as np
from msgspec import structs

from domain.core.problems import NotEnoughData
from domain.initiatives import queries, reading, seal
from domain.initiatives.findings import Flag
from domain.initiatives.history import NEVER, WEEK, History, Mask, Weeks
from domain.initiatives.model import BaselineSnapshot, Initiative, SealedPart
from domain.initiatives.plans import DEFAULT_MINIMUM_EFFECT, Question, Selection
from domain.initiatives.reading import WeekCost
from domain.initiatives.statistics.panel import panel
from domain.initiatives.statistics.windows import WindowBeforeData, first_day_to_seal
from domain.initiatives.waiting import InsufficientData, TooEarly, Waiting, waiting
from domain.metrics import definitions  # noqa: F401 - who imports it has all metrics in the catalogue
from domain.metrics.catalogue import CATALOGUE
from domain.tenants import queries as tenants

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    from domain.core.unit_of_work import Reading
    from domain.initiatives.reading import Person, WeekCosts, Window
    from domain.initiatives.seal import Columns, Parts

METRICS = (
    "frequency", "recency", "size_of_transaction", "cost_to_serve", "response_rate", "acquisition_cost",
    "retention_cost",
)  # fmt: skip
"""The metrics of the catalogue whose definitions the questions rest on."""

FEWEST_DAYS = 2
"""One of the baseline, and one before it on which somebody bought."""

WHEN_LIVE = "GO_LIVE"
"""The rule by which it is too early to seal: the days before go-live are not over."""


@dataclass(frozen=True)
class Scope:
    """Whom an initiative is for, how they were chosen, and up to when what they did could decide it."""

    selection: Selection
    customer_ids: frozenset[UUID]
    department_ids: frozenset[UUID]
    selected_on: date | None

    def holds(self, person: Person) -> bool:
        """Whether the initiative is for a customer."""
        if self.selection is Selection.EVERYONE:
            return True
        chosen = {person.id, person.root_id} & self.customer_ids
        return bool(chosen) or person.department_id in self.department_ids


async def gather(work: Reading, of: Initiative) -> tuple[BaselineSnapshot, Parts]:
    """Everything that is to be sealed before an initiative; its header lacks the hashes and an id.

    Raises TooEarly before go-live; NotEnoughData, also where nobody could be compared; or WindowBeforeData.
    """
    tenant = await tenants.tenant(work)
    day = queries.today(work, tenant.time_zone)
    if day < of.go_live_on:
        message = f"The days before go-live are not over. Seal on {of.go_live_on}, or later."
        raise TooEarly(message, earliest_at=of.go_live_on, rule=WHEN_LIVE)
    window = await _window(work, of, tenant.time_zone)
    who = await _everybody(work, window, _begins(of))
    scope = await _scope(work, of, tenant.time_zone, day, who)
    parts = await _parts(work, of, window, scope, who)
    # Each record is sealed apart; what is told of them counts those once who are known to be one.
    root = survivors([one.root_id for one in who])
    sealed = of_parts(parts, window, of.go_live_on)
    before = sealed.merged(root)
    treated = np.zeros(len(who), dtype=np.bool_)
    treated[root[np.array(parts[SealedPart.CUSTOMERS]["is_treated"], dtype=np.bool_)]] = True
    _require_panel(before, of, treated)
    header = BaselineSnapshot(
        initiative_id=of.id, sealed_at=work.now, watermark=work.now, time_zone=tenant.time_zone,
        currency=tenant.base_currency, go_live_on=of.go_live_on, first_day=window.first,
        baseline_days=of.baseline_days, tier=of.tier, selection=scope.selection, selected_on=scope.selected_on,
        segment_ids=sorted(of.segment_ids), department_ids=sorted(of.department_ids), treated=int(treated.sum()),
        questions=list(of.questions), minimum_effects=_minimum_effects(of), definition_versions=_definitions(),
        paid_only=of.paid_only, size_cutoff=_size_cutoff(before, of), seed=_seed(of.id),
        is_retrospective=day > of.go_live_on, customers=len(who), days=len(sealed.customer),
        final_on=date.fromordinal(of.go_live_on.toordinal() + of.baseline_days),
        **_waits(_waiting(before, of, treated), of),
    )  # fmt: skip
    return header, parts


def of_parts(parts: Parts, window: Window, go_live: date) -> History:
    """The history that sealed rows tell."""
    origin = go_live.toordinal()
    weeks = _weeks(parts, origin)
    return reading.history(parts[SealedPart.CUSTOMERS], parts[SealedPart.DAYS], (window.first, window.last), weeks)


def survivors(roots: Sequence[UUID | None]) -> np.ndarray[Any, np.dtype[np.int32]]:
    """For each customer the first one who is the same by now; one who is unknown stands for nobody else."""
    first: dict[UUID, int] = {}
    return np.array(
        [place if root is None else first.setdefault(root, place) for place, root in enumerate(roots)], dtype=np.int32
    )


def earliest(days: Sequence[date | None], root: np.ndarray[Any, np.dtype[np.int32]]) -> list[date | None]:
    """The earliest day of all who are the same by now; only of those who have any."""
    first: dict[int, date] = {}
    for number, day in zip(root.tolist(), days, strict=True):
        if day is not None:
            first[number] = min(day, first.get(number, day))
    return list(first.values())


def any_of(mask: Mask, root: np.ndarray[Any, np.dtype[np.int32]]) -> Mask:
    """Whether any of those who are the same by now is in the mask."""
    found = np.zeros(len(mask), dtype=np.bool_)
    np.logical_or.at(found, root, mask)
    return found


async def _window(work: Reading, of: Initiative, time_zone: str) -> Window:
    known_from = await reading.first_day(work)
    known = 0 if known_from is None else max(0, (of.go_live_on - known_from).days)
    if known_from is None or known < FEWEST_DAYS:
        raise NotEnoughData(have=known, need=FEWEST_DAYS, of="days from the first purchase to go-live")
    begins = _begins(of)
    if begins < known_from:
        message = f"The baseline begins on {begins}, before {known_from}, the first day that is known. {_advice(known)}"
        raise WindowBeforeData(message, known_from=known_from, baseline_begins=begins)
    first = first_day_to_seal(of.go_live_on.toordinal(), of.baseline_days, known_from.toordinal())
    return reading.Window(date.fromordinal(first), of.go_live_on, time_zone, of.paid_only)


def _begins(of: Initiative) -> date:
    return date.fromordinal(of.go_live_on.toordinal() - of.baseline_days)


def _advice(known: int) -> str:
    """How long a baseline can be where so many days are known: the rest tells who was a customer before it."""
    return f"Choose at most {known // 2} days."


def _require_panel(before: History, of: Initiative, treated: Mask) -> None:
    """Raises NotEnoughData where nobody whom it is for had bought before the baseline begins: nobody is compared."""
    begins, go_live = _begins(of), of.go_live_on.toordinal()
    if panel(before, begins.toordinal(), treated).size:
        return
    bought = before.first_occasion[treated & (before.first_occasion != NEVER)]
    known = go_live - int(bought.min(initial=go_live))
    choose = _advice(known) if known >= FEWEST_DAYS else "Wait until they have bought for longer."
    message = f"Nobody whom it is for had bought before {begins}, when the baseline begins: nobody is there to compare."
    raise NotEnoughData(f"{message} {choose}", have=0, need=1, of="customers who bought before the baseline begins")


async def _scope(work: Reading, of: Initiative, time_zone: str, day: date, who: Sequence[Person]) -> Scope:
    begins = _begins(of)
    listed, departments = frozenset(of.customer_ids), frozenset(of.department_ids)
    joined_on = _joined_on(departments, begins, who)
    if of.segment_ids:
        moment = datetime.combine(begins, time(), ZoneInfo(time_zone))
        members = await reading.members_at(work, of.segment_ids, moment)
        selected_on = max(begins, joined_on) if members.dated and not listed else day
        return Scope(Selection.SEGMENT, listed | members.customer_ids, departments, selected_on)
    if listed:
        return Scope(Selection.LIST, listed, departments, day)
    if departments:
        return Scope(Selection.DEPARTMENTS, listed, departments, joined_on)
    return Scope(Selection.EVERYONE, listed, departments, None)


def _joined_on(departments: frozenset[UUID], begins: date, who: Sequence[Person]) -> date:
    """The last day on which anybody came to these departments who had bought before the baseline begins."""
    compared = (one for one in who if one.first_occasion_on is not None and one.first_occasion_on < begins)
    since = (one.department_since for one in compared if one.department_id in departments)
    return max(filter(None, since), default=begins)


async def _everybody(work: Reading, window: Window, belonging: date) -> list[Person]:
    """In an order that tells nothing: an erased customer cannot be found again by the place among the others."""
    salt = secrets.token_bytes(32)
    found = await reading.people(work, window, belonging)
    who = sorted(found, key=lambda one: hashlib.sha256(salt + one.id.bytes).digest())
    if not who:
        raise NotEnoughData(have=0, need=1, of="customers")
    return who


async def _parts(work: Reading, of: Initiative, window: Window, scope: Scope, who: Sequence[Person]) -> Parts:
    place = {one.id: number for number, one in enumerate(who)}
    costs = await reading.costs(work, window, of.go_live_on)
    before = _people(who, place, scope)
    return {
        SealedPart.CUSTOMERS: before,
        SealedPart.DAYS: await reading.columns(work, window, place),
        SealedPart.COSTS: _costs(costs, of.go_live_on),
        SealedPart.NEWCOMERS: _newcomers(before, who, window),
        SealedPart.LINKS: seal.links([one.id for one in who], secrets.token_bytes(32)),
    }


def _people(who: Sequence[Person], place: Mapping[UUID, int], scope: Scope) -> Columns:
    return {
        "pseudonym": list(range(len(who))),
        "unit": [place.get(one.organisation_id or one.root_id, number) for number, one in enumerate(who)],
        "first_seen_on": [one.first_seen_on for one in who],
        "first_occasion_on": [one.first_occasion_on for one in who],
        "occasions_before": [one.occasions_before for one in who],
        "is_treated": [scope.holds(one) for one in who],
        "department_id": [one.department_id for one in who],
        "segment_ids": [one.segment_ids for one in who],
    }


def _costs(found: WeekCosts, go_live: date) -> Columns:
    rows = sorted(
        (week, category, cost.amount, cost.unrated) for category, weeks in found.items() for week, cost in weeks.items()
    )
    return {
        "week": [_week(go_live, week) for week, *_ in rows],
        "category": [category for _, category, *_ in rows],
        "amount": [amount for *_, amount, _ in rows],
        "unrated": [unrated for *_, unrated in rows],
    }


def _newcomers(people: Columns, who: Sequence[Person], window: Window) -> Columns:
    """Whole weeks only: one that began before the first sealed day would look poor."""
    first = earliest(people["first_occasion_on"], survivors([one.root_id for one in who]))
    weeks = (window.last - window.first).days // WEEK
    counts = reading.newcomers(reading.ordinals(first), window.last, -weeks, 0)
    return {
        "week": [_week(window.last, number - weeks) for number in range(weeks)],
        "customers": [int(count) for count in counts],
    }


def _week(go_live: date, number: int) -> date:
    return date.fromordinal(go_live.toordinal() + WEEK * number)


def _weeks(parts: Parts, origin: int) -> Weeks:
    new, costs = parts[SealedPart.NEWCOMERS], parts[SealedPart.COSTS]
    if not new["week"]:
        return Weeks.none(origin)
    first = (new["week"][0].toordinal() - origin) // WEEK
    found: dict[str, dict[int, WeekCost]] = {}
    for week, category, amount, unrated in zip(*(costs[name] for name in _COST), strict=True):
        found.setdefault(category, {})[(week.toordinal() - origin) // WEEK] = WeekCost(amount, unrated or 0)
    return reading.weeks_of(found, np.array(new["customers"], dtype=np.float64), date.fromordinal(origin), first)


_COST = ("week", "category", "amount", "unrated")


def _waiting(before: History, of: Initiative, treated: Mask) -> Waiting | None:
    try:
        return waiting(before, of.go_live_on.toordinal(), of.baseline_days, scope=treated)
    except InsufficientData:
        return None


def _waits(found: Waiting | None, of: Initiative) -> dict[str, Any]:
    """The dates that follow from both rules, by the options of the initiative; none where nobody bought twice."""
    if found is None:
        return {"waiting": None, "earliest_measurement_on": None, "preliminary_begin_by": None}
    earliest = found.earliest_strict_on if of.strict_floor else found.earliest_on
    begin_by = max(earliest, found.preliminary_robust_by if of.robust_ceiling else found.preliminary_by)
    raised = begin_by > found.preliminary_robust_by or Flag.CEILING_RAISED in found.flags
    told = structs.replace(found, flags=_raised(found.flags, raised=of.robust_ceiling and raised))
    return {
        "waiting": msgspec.to_builtins(told),
        "earliest_measurement_on": date.fromordinal(earliest),
        "preliminary_begin_by": date.fromordinal(begin_by),
    }


def _raised(flags: Sequence[Flag], *, raised: bool) -> tuple[Flag, ...]:
    """The flags; that the ceiling was raised to the floor matters only where the initiative asks for that ceiling."""
    others = tuple(flag for flag in flags if flag is not Flag.CEILING_RAISED)
    return (*others, Flag.CEILING_RAISED) if raised else others


def _definitions() -> dict[str, int]:
    return {key: CATALOGUE[key].version for key in METRICS}


def _minimum_effects(of: Initiative) -> dict[str, float]:
    return {question.value: of.minimum_effects.get(question, DEFAULT_MINIMUM_EFFECT) for question in Question}


def _size_cutoff(before: History, of: Initiative) -> int | None:
    """The 99th percentile of what a purchase of the baseline was worth, of those of which that is known."""
    inside = (
        (before.day >= of.go_live_on.toordinal() - of.baseline_days) & (before.occasions > 0) & (before.unrated == 0)
    )
    return ceil(np.quantile(before.amount[inside], 0.99)) if inside.any() else None


def _seed(initiative_id: UUID) -> int:
    """Nobody chooses it, and anybody can work it out."""
    return int.from_bytes(hashlib.sha256(initiative_id.bytes).digest()[:4], "big")
