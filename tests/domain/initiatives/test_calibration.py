"""How often the verdicts err, counted: a random half of CDNOW's customers is called treated, in so many worlds.

`make calibrate` looks at 1,000 worlds with 500 draws each and prints the rates.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from domain.initiatives.findings import Measure, Reason, Verdict
from domain.initiatives.history import ROWS
from domain.initiatives.plans import Plan, Question, Tier
from domain.initiatives.statistics import matching, verdicts
from domain.initiatives.statistics.bootstrap import Resampling
from domain.initiatives.statistics.panel import panel
from domain.initiatives.statistics.windows import Calendar
from tests.domain.initiatives.histories import GO_LIVE, MEASURED, cdnow, with_rows

if TYPE_CHECKING:
    from domain.initiatives.findings import QuestionAnswer
    from domain.initiatives.history import History, Mask

pytestmark = [pytest.mark.shared, pytest.mark.slow]

EFFECT = 0.15
LENGTH = MEASURED - GO_LIVE
ASKED = (Question.FREQUENCY, Question.RECENCY, Question.SIZE)
MEASURES = (Measure.FREQUENCY, Measure.RECENCY, Measure.SIZE)


@dataclass
class Worlds:
    """How many worlds were looked at, and in which of them what was said."""

    draws: int
    seeds: range
    said: dict[str, list[int]] = field(default_factory=dict)

    @cached_property
    def plan(self) -> Plan:
        return Plan(
            go_live=GO_LIVE, baseline_days=LENGTH, measured_on=MEASURED, tier=Tier.RIGOROUS, seed=11, questions=ASKED,
            draws=self.draws,
        )  # fmt: skip

    @cached_property
    def everyone(self) -> Any:
        return panel(cdnow(), self.windows.before.first, np.ones(cdnow().customers, dtype=np.bool_))

    @cached_property
    def windows(self) -> Any:
        return Calendar(cdnow().first, self.plan).compared

    @cached_property
    def resampling(self) -> Resampling:
        return Resampling(self.everyone.units, self.draws, self.plan.seed)

    @cached_property
    def fewer(self) -> Resampling:
        """Half the draws: a standard error needs no more."""
        return Resampling(self.everyone.units, self.draws // 2, self.plan.seed)

    def drifts(self, treated: Mask) -> dict[Measure, float | None]:
        given = (self._sides(treated), MEASURES, self.fewer)
        return matching.pre_trends(cdnow(), self.windows.before, *given)

    def answers(self, known: History, treated: Mask, drifts: dict[Measure, float | None]) -> tuple[QuestionAnswer, ...]:
        given = (self._sides(treated), MEASURES, self.resampling)
        found = matching.effects(known, self.windows.before, self.windows, *given)
        return verdicts.judge(matching.without_pre_trend(found, drifts), self.plan)

    def note(self, what: str, seed: int, *, holds: bool) -> None:
        self.said.setdefault(what, []).extend([seed] if holds else [])

    def rate(self, what: str) -> float:
        return 100 * len(self.said[what]) / len(self.seeds)

    def _sides(self, treated: Mask) -> matching.Sides:
        return matching.Sides(self.everyone, treated)


@pytest.fixture(scope="module")
def worlds(request: pytest.FixtureRequest) -> Worlds:
    """Each world thrice: nothing done, purchases repeated, purchases removed, all of the same treated half."""
    full = request.config.getoption("--full-size")
    looked = Worlds(draws=500, seeds=range(1_000)) if full else Worlds(draws=80, seeds=range(100))
    for seed in looked.seeds:
        chance = np.random.default_rng(seed)
        treated = _random_half(chance, np.arange(cdnow().customers))
        drifts = looked.drifts(treated)
        nothing = looked.answers(cdnow(), treated, drifts)
        looked.note("nothing done, something found", seed, holds=_claims(nothing))
        more = looked.answers(repeated(chance, treated), treated, drifts)[0]
        looked.note("repeated, found better", seed, holds=more.verdict is Verdict.BETTER)
        interval = more.measures[0].interval
        covers = interval is not None and interval.low <= EFFECT <= interval.high
        looked.note("repeated, truth covered", seed, holds=covers)
        fewer = looked.answers(removed(chance, treated), treated, drifts)[0]
        looked.note("removed, found worse", seed, holds=fewer.verdict is Verdict.WORSE)
    if full:
        print({what: looked.rate(what) for what in looked.said})  # noqa: T201 - make calibrate is for reading
    return looked


def test_where_nothing_was_done_nothing_is_found(worlds: Worlds) -> None:
    assert worlds.rate("nothing done, something found") <= 8


def test_what_was_done_is_found(worlds: Worlds) -> None:
    assert worlds.rate("repeated, found better") >= 90
    assert worlds.rate("removed, found worse") >= 90


def test_the_interval_covers_the_truth(worlds: Worlds) -> None:
    assert worlds.rate("repeated, truth covered") >= 90


def test_frequent_buyers_of_the_baseline_are_no_trap(request: pytest.FixtureRequest) -> None:
    """A random half of those with three purchases or more would fall by itself; the cells and the drift say so."""
    full = request.config.getoption("--full-size")
    looked = Worlds(draws=200, seeds=range(1_000)) if full else Worlds(draws=40, seeds=range(100))
    known = cdnow()
    inside = (known.day >= GO_LIVE - LENGTH) & (known.day < GO_LIVE)
    frequent = np.flatnonzero(np.bincount(known.customer[inside], minlength=known.customers) >= 3)
    reasons = set()
    for seed in looked.seeds:
        treated = _random_half(np.random.default_rng(seed), frequent)
        answers = looked.answers(known, treated, looked.drifts(treated))
        looked.note("claimed", seed, holds=_claims(answers))
        reasons.add(answers[0].reason)
    assert looked.rate("claimed") <= 8
    assert reasons == {Reason.PRE_TREND}


def repeated(chance: np.random.Generator, treated: Mask) -> History:
    """CDNOW with each purchase of the treated after the go-live made again, by chance, on another day without one."""
    known = cdnow()
    rows = _chosen(chance, treated)
    taken = known.customer[known.day >= GO_LIVE].astype(np.int64) * LENGTH + known.day[known.day >= GO_LIVE] - GO_LIVE
    place = np.full(len(rows), -1, dtype=np.int64)
    while (open_rows := np.flatnonzero(place < 0)).size:
        tried = known.customer[rows[open_rows]].astype(np.int64) * LENGTH + chance.integers(0, LENGTH, open_rows.size)
        fresh, first = np.unique(tried, return_index=True)
        free = first[~np.isin(fresh, np.concatenate((taken, place[place >= 0])))]
        place[open_rows[free]] = tried[free]
    more = {name: getattr(known, name)[rows] for name in _COLUMNS}
    day = (place % LENGTH + GO_LIVE).astype(np.int32)
    return with_rows(known, np.ones(len(known.day), dtype=np.bool_), more | {"day": day})


def removed(chance: np.random.Generator, treated: Mask) -> History:
    """CDNOW without, by chance, some purchases of the treated after the go-live."""
    kept = np.ones(len(cdnow().day), dtype=np.bool_)
    kept[_chosen(chance, treated)] = False
    return with_rows(cdnow(), kept)


_COLUMNS = tuple(name for name in ROWS if name != "day")


def _chosen(chance: np.random.Generator, treated: Mask) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    known = cdnow()
    rows = np.flatnonzero((known.day >= GO_LIVE) & treated[known.customer])
    return rows[chance.random(len(rows)) < EFFECT]


def _random_half(chance: np.random.Generator, customers: np.ndarray[tuple[int], np.dtype[np.intp]]) -> Mask:
    treated = np.zeros(cdnow().customers, dtype=np.bool_)
    treated[chance.permutation(customers)[: len(customers) // 2]] = True
    return treated


def _claims(answers: tuple[QuestionAnswer, ...]) -> bool:
    return any(answer.verdict is not Verdict.NO_EVIDENCE for answer in answers)
