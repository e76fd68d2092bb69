"""The page for the owner of a business: what it says, in which order, and what it draws."""

from __future__ import annotations

import re
from typing import Any

import pytest

from domain.initiatives import pictures, report
from domain.initiatives.findings import Flag, Measure, Overall, Reason
from domain.initiatives.model import InitiativeKind
from domain.initiatives.plans import MeasurementKind, Question

STATISTICS = ("interval", "percentile", "significan", "p-value", "bootstrap", "placebo", "95", "confidence", "variance")


def measured(question: Question, measure: Measure, **found: Any) -> dict[str, Any]:
    known = {
        "unit": "PER_YEAR", "before": {"value": 4.0}, "after": {"value": 4.9}, "expected": 4.1, "placebo": None,
        "detectable": None,
    }  # fmt: skip
    told = {"question": question, "measure": measure, "change": None, "low": None, "high": None, "verdict": None}
    return {**told, "reason": None, "details": {**known, **found.pop("details", {})}, **found}


@pytest.fixture
def told() -> dict[str, Any]:
    """Customers buy more often; nothing is known of two questions, the others did not change."""
    nothing = {"verdict": "NO_EVIDENCE", "reason": "NOT_MEASURED"}
    comparisons = [
        measured(
            Question.FREQUENCY, Measure.FREQUENCY, change=0.195, low=0.1, high=0.3, verdict="BETTER",
            details={"placebo": {"low": -0.02, "high": 0.03}, "detectable": {"rise": 0.08, "fall": 0.07}},
        ),
        *(
            measured(question, measure, **nothing)
            for question, measure in zip(list(Question)[1:], list(Measure)[1:], strict=False)
        ),
        measured(Question.ACQUISITION_AND_RETENTION, Measure.RETENTION_COST, **nothing),
    ]  # fmt: skip
    verdicts = [
        {"question": question, "verdict": "BETTER" if question is Question.FREQUENCY else "NO_EVIDENCE",
         "reason": None if question is Question.FREQUENCY else "NOT_MEASURED"}
        for question in Question
    ]  # fmt: skip
    span = {"start": "2025-11-07", "end": "2026-05-06"}
    groups = {"treated": 437, "treated_erased": 2, "untouched": 450, "untouched_erased": 1, "matched": 410}
    returns = {
        "currency": "EUR", "cost": 900000, "gain": 1828818, "gain_low": 950000, "gain_high": 2700000, "roi": 1.03,
        "roi_low": 0.05, "roi_high": 2.0, "payback_on": "2026-08-01", "shown_to_have_paid": True,
    }  # fmt: skip
    return {
        "initiative": {"name": "Barista visits", "kind": "EXTRA_SUPPORT"},
        "seal": {"sealed_at": "2026-05-06T08:00:00+00:00", "customers": 1887, "days": 12560,
                 "first_day": "2024-11-21", "head": "\\xa576d042a9726968ffff"},
        "measurement": {
            "kind": "FINAL", "starts_on": "2026-05-06", "ends_on": "2026-11-02", "overall": "GOOD_FIT",
            "flags": ["SEASONALITY"], "next_on": "2026-11-30", "currency": "EUR", "late_occasions": 3,
            "late_amount": 4500,
            "findings": {"baseline": span, "before": span, "groups": groups, "returns": returns,
                         "starting_point": {"before": {"numerator": 37, "denominator": 120},
                                            "after": {"numerator": 37, "denominator": 136}}},
            "weekly": {"first": -4, "treated": {"occasions": [10, 12, 8, 10, 13, 14]},
                       "untouched": {"occasions": [20, 20, 20, 20, 22, 10]}},
        },
        "verdicts": verdicts,
        "comparisons": comparisons,
    }  # fmt: skip


def test_the_answer_comes_first_and_without_statistics(told: dict[str, Any]) -> None:
    page = report.page(told, pictures=[("weeks.svg", "of_picture")])
    above, _, below = page.partition(f"\n{report.FOLD}\n")
    lines = above.splitlines()
    assert lines[0] == "# Barista visits"
    assert lines[2] == ("Extra support. At work since May 6, 2026. Measured up to November 2, 2026: the final answer.")
    assert lines[6] == "**It made things better.**"
    assert lines[8] == "- Customers buy more often: 19.5% more than would have come anyway."
    assert lines[9].endswith("it was not measured.")
    assert [word for word in STATISTICS if word in above.lower()] == []
    assert "![Purchases in each week, and what would have come without it](weeks.svg)" in lines
    assert (
        "- Purchases of a customer in a year: 4 before, 4.1 expected without it, 4.9 with it. "
        "When nothing is done it moves by -2.0% to +3.0% of itself."
    ) in lines
    assert (
        "It brought €18,288.18 beyond what would have come anyway; it may be anything from €9,500.00 to €27,000.00."
        in lines
    )
    assert "- 437 customers who had bought before November 7, 2025, seen for 180 days." in lines
    assert "- 3 customers left because they were erased." in lines
    assert "On November 30, 2026." in lines
    assert "| FREQUENCY | FREQUENCY | +19.5% | +10.0% … +30.0% | -2.0% … +3.0% | -7.0% … +8.0% | BETTER |  |" in below


def test_what_is_not_shown_to_have_paid_is_said_whatever_the_point(told: dict[str, Any]) -> None:
    told["measurement"]["findings"]["returns"] |= {"roi_low": -0.1, "shown_to_have_paid": False}
    page = report.page(told)
    assert "It is not shown to have paid for itself." in page
    assert "came back on top" not in page


def test_a_quick_look_is_a_change_and_no_evidence(told: dict[str, Any]) -> None:
    told["measurement"]["overall"] = None
    for each in told["verdicts"]:
        each |= {"verdict": None, "reason": None}
    page = report.page(told)
    assert "- A change in how often customers buy (+19.5%), which is no evidence" in page
    assert "- Nothing is known of how much customers spend at a time." in page


@pytest.mark.parametrize("language", report.LANGUAGES)
def test_there_are_words_for_everything(language: str) -> None:
    parts = {
        "kind": InitiativeKind, "measurement": MeasurementKind, "overall": Overall, "subject": Question,
        "better": Question, "worse": Question, "reason": Reason, "flag": Flag, "measure": Measure,
    }  # fmt: skip
    words = report.words(language)
    for part, values in parts.items():
        assert {value.value for value in values} <= set(words[part]), part


def test_both_languages_leave_room_for_the_same(told: dict[str, Any]) -> None:
    english, persian = (report.words(language) for language in report.LANGUAGES)
    for part, entries in english.items():
        for key, text in entries.items():
            assert set(re.findall(r"{\w+}", text)) == set(re.findall(r"{\w+}", persian[part][key])), f"{part}.{key}"
    assert "مشتریان بیشتر می‌خرند" in report.page(told, "fa")


def test_what_would_have_come_anyway_follows_those_who_were_left_alone(told: dict[str, Any]) -> None:
    weekly = told["measurement"]["weekly"]
    assert pictures.anyway(weekly, 4) == [11.0, 5.0]
    assert pictures.anyway({"first": -4, "treated": weekly["treated"]}, 4) == [10.0, 10.0]


def test_the_pictures_are_drawn_alike_every_time(told: dict[str, Any]) -> None:
    drawn = pictures.draw(told)
    assert {name: shows for name, (shows, _) in drawn.items()} == {
        "weeks.svg": "of_picture",
        "changes.svg": "of_changes",
    }
    for name, (_, picture) in pictures.draw(told).items():
        assert picture == drawn[name][1]
    assert b"Purchases of a customer in a year" in drawn["changes.svg"][1]
