"""What the business did to make things better: initiatives, their seals and measurements, each value at least once."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from domain.customers.model import Department
from domain.initiatives.findings import Flag, GainBasis, Measure, Method, Overall, Reason
from domain.initiatives.findings import Verdict as Answer
from domain.initiatives.model import (
    BaselineSnapshot,
    Comparison,
    Initiative,
    InitiativeKind,
    InitiativeStatus,
    Measurement,
    Verdict,
)
from domain.initiatives.plans import GroupKind, MeasurementKind, Missing, Question, Selection, Tier
from domain.initiatives.telling import UNITS

if TYPE_CHECKING:
    from enum import StrEnum
    from uuid import UUID

    from tests.api.differential.world import World

_EACH = 10
_LIVE = date(2026, 1, 10)


async def initiatives(world: World) -> None:
    """Some that are planned, some that are sealed, some that were measured several times."""
    departments = sorted(
        await world.work.all(select(Department.id).where(Department.tenant_id == world.work.tenant_id))
    )
    for at in range(_EACH):
        made = _initiative(world, at, departments[: at % 3])
        await world.add(made)
        if at % 4:
            sealed = _seal(world, at, made)
            await world.add(sealed)
            for number in range(1, at % 4 + 2):
                await _measured(world, at + number, sealed, number)
    await world.work.flush()


def _nth(of: type[StrEnum], at: int) -> Any:
    return list(of)[at % len(of)]


def _initiative(world: World, at: int, departments: list[UUID]) -> Initiative:
    return Initiative(
        id=world.id(), name=f"Idea {at % 3}", kind=_nth(InitiativeKind, at), status=_nth(InitiativeStatus, at),
        go_live_on=_LIVE + timedelta(days=at), baseline_days=90 + at, tier=_nth(Tier, at),
        customer_ids=[world.id() for _ in range(at % 3)], segment_ids=[], department_ids=departments,
        minimum_effects={}, paid_only=at % 2 == 0, strict_floor=at % 3 == 0, robust_ceiling=at % 5 == 0,
        created_at=world.moment(), updated_at=world.moment(), version=at + 1,
    )  # fmt: skip


def _seal(world: World, at: int, of: Initiative) -> BaselineSnapshot:
    waits = at % 5 != 4
    waiting = {
        "repeat_purchasers": 40 + at, "top_decile": 4, "median_gap": 12.5, "mean_gap": 13.25, "largest_gap": 20.0,
        "floor_days": 13, "floor_days_strict": 20, "ceiling_days": 80, "ceiling_days_robust": 60,
        "flags": [_nth(Flag, at), _nth(Flag, at + 1)],
    }  # fmt: skip
    return BaselineSnapshot(
        id=world.id(), initiative_id=of.id, sealed_at=world.moment(), watermark=world.moment(),
        time_zone="Europe/Berlin", currency=["EUR", "JPY", "KWD"][at % 3], go_live_on=of.go_live_on,
        first_day=of.go_live_on - timedelta(days=400), baseline_days=of.baseline_days, tier=of.tier,
        selection=_nth(Selection, at // 2), selected_on=world.maybe(of.go_live_on), segment_ids=[], department_ids=[],
        treated=at, questions=list(Question)[: at % 6 + 1], minimum_effects={},
        definition_versions={"recency": at, "frequency": 1},
        paid_only=of.paid_only, size_cutoff=world.maybe(12_345 + at), seed=at * 1_000_003,
        waiting=waiting if waits else None, earliest_measurement_on=of.go_live_on if waits else None,
        preliminary_begin_by=of.go_live_on if waits else None, final_on=of.go_live_on + timedelta(days=90),
        is_retrospective=at % 2 == 1, customers=100 + at, days=1000 + at, header_digest=b"h", head=bytes([at]) * 32,
    )  # fmt: skip


async def _measured(world: World, at: int, of: BaselineSnapshot, number: int) -> None:
    measurement = Measurement(
        id=world.id(), initiative_id=of.initiative_id, seal_id=of.id, number=number, kind=_nth(MeasurementKind, at),
        measured_at=world.moment(), watermark=world.moment(), starts_on=of.go_live_on,
        ends_on=of.go_live_on + timedelta(days=30 * number), is_late=at % 2 == 0, tier=of.tier,
        overall=[None, *Overall][at % 5], flags=[_nth(Flag, at), _nth(Flag, at + 4)],
        next_on=of.go_live_on + timedelta(days=31 * number), currency=of.currency, late_occasions=at % 3,
        late_amount=100 * at, findings=_findings(at, of), weekly=_weekly(at),
    )  # fmt: skip
    await world.add(measurement)
    for place, question in enumerate(Question, 1):
        answer = [None, *Answer][(at + place) % 4]
        reason = _nth(Reason, 2 * at + place) if answer == Answer.NO_EVIDENCE else None
        world.work.add(
            Verdict(
                measurement_id=measurement.id, question=question, position=place, verdict=answer, reason=reason,
                minimum_effect=0.02,
            )
        )  # fmt: skip
    for place, measure in enumerate(Measure, 1):
        world.work.add(_comparison(measurement, measure, place, at))


def _comparison(of: Measurement, measure: Measure, place: int, at: int) -> Comparison:
    known = (at + place) % 3 > 0
    verdict = [None, *Answer][(at + place) % 4]
    return Comparison(
        measurement_id=of.id, measure=measure, question=list(Question)[min(place, 6) - 1], position=place,
        change=0.125 if known else None, low=0.0625 if known else None, high=0.25 if known else None, verdict=verdict,
        reason=_nth(Reason, 2 * at + place) if verdict == Answer.NO_EVIDENCE else None,
        details={
            "unit": UNITS.get(measure, "MONEY"), "before": _ratio(at), "after": _ratio(at + 1),
            "expected": 2.5 if known else None, "absolute": 0.5 if known else None,
            "interval": _range() if known else None, "judged_interval": _range() if at % 2 else None,
            "placebo": _placebo() if at % 3 else None, "pre_trend": 1.5 if at % 2 else None,
            "detectable": {"rise": 0.125, "fall": 0.25} if known else None,
        },
    )  # fmt: skip


def _weekly(at: int) -> dict[str, Any]:
    """Some of before it was kept what was compared with."""
    bought = {"customers": 3, "occasions": [2.0, 3.0, 1.0 + at], "amount": [1000.0, None, 0.0]}
    return {"first": -2, "treated": bought} | ({"anyway": [1.5]} if at % 2 else {})


def _findings(at: int, of: BaselineSnapshot) -> dict[str, Any]:
    begins = (of.go_live_on - timedelta(days=90)).isoformat()
    span = {"start": begins, "end": of.go_live_on.isoformat()}
    figures = {
        "active_customers": at, "occasions": 2 * at, "occasions_per_active": 2.0 if at else None,
        "units_per_occasion": 1.5 if at % 2 else None, "repeat_rate": 0.5 if at % 3 else None,
    }  # fmt: skip
    groups = {"treated": 40 + at, "treated_units": 39, "treated_erased": at % 2}
    others = dict.fromkeys(("untouched", "untouched_units", "untouched_erased", "matched"), 30 if at % 2 else None)
    return {
        "method": _nth(Method, at), "baseline": span, "before": span, "after": span, "groups": groups | others,
        "figures_baseline": figures, "figures_before": figures, "figures_after": figures,
        "battery": {"days": 30, "go_lives": [begins]} if at % 2 else None,
        "starting_point": _starting_point(at) if at % 4 else None, "returns": _returns(at, of.currency),
        "opportunities": [_opportunity(at + place, of.currency) for place in range(at % 3)],
        **({"late_unrated": at} if at % 2 else {}),
    }  # fmt: skip


def _starting_point(at: int) -> dict[str, Any]:
    verdict = [None, *Answer][at % 4]
    return {
        "baseline": _ratio(at), "before": _ratio(at), "after": _ratio(at + 1), "change": 0.5, "interval": _range(),
        "placebo": _placebo() if at % 2 else None, "verdict": verdict,
        "reason": "TOO_FEW" if verdict == Answer.NO_EVIDENCE else None,
    }  # fmt: skip


def _returns(at: int, currency: str) -> dict[str, Any] | None:
    if at % 6 == 5:
        return None
    known = at % 3 == 0
    names = ("roi", "return_on_customer")
    return {
        "currency": currency, "cost": 1000 * at, "shown_to_have_paid": at % 2 == 0,
        **{f"gain{end}": 5000 + at if known else None for end in ("", "_low", "_high")},
        **{f"{name}{end}": 0.25 if known else None for name in names for end in ("", "_low", "_high")},
        "equity_before": 7_000 + at if known else None, "equity_after": 8_000 if known else None,
        "equity_model": at if known else None, "gain_missing": _nth(Missing, at),
        "gain_basis": _nth(GainBasis, at),
        "roi_missing": _nth(Missing, at + 4), "return_on_customer_missing": _nth(Missing, at + 8),
        **{f"payback_{end}": "2026-02-01" if known else None for end in ("on", "earliest", "latest")},
    }  # fmt: skip


def _opportunity(at: int, currency: str) -> dict[str, Any]:
    measure = _nth(Measure, at)
    return {
        "kind": _nth(GroupKind, at), "key": f"group-{at}", "labels": {"en": f"Group {at}", "fa": f"گروه {at}"},
        "measure": measure, "unit": UNITS.get(measure, "MONEY"), "customers": 30 + at, "value": 2.5,
        "baseline": 2.75 if at % 2 else None, "others": 3.5 if at % 3 else None, "worse_than_baseline": at % 2 == 1,
        "worse_than_others": at % 3 > 0, "p_value": 0.015625, "currency": currency,
        "at_stake": 1_000 * at if at % 2 else None, "basis": _nth(GainBasis, at),
    }  # fmt: skip


def _ratio(at: int) -> dict[str, Any]:
    return {"value": 1.5 if at % 3 else None, "numerator": 3.0, "denominator": 2.0 if at % 3 else 0.0, "n": at}


def _range() -> dict[str, float]:
    return {"low": -0.25, "high": 0.5}


def _placebo() -> dict[str, Any]:
    return {"changes": [-0.25, 0.125], "low": -0.25, "high": 0.125, "at_go_live": 0.0625}
