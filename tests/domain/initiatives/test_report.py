"""The page for the owner of a business: what it says, in which order, and what it draws."""

from __future__ import annotations

import re
from typing import Any

import pytest

from domain.initiatives import pictures, report
from domain.initiatives.findings import Flag, Measure, Overall, Reason
from domain.initiatives.model import InitiativeKind
from domain.initiatives.plans import MeasurementKind, Missing, Question

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
        "return_on_customer": 0.42, "return_on_customer_low": 0.4, "return_on_customer_high": 0.45,
        "equity_before": 1000000, "equity_after": 1100000,
    }  # fmt: skip
    opportunity = {
        "kind": "STAGE", "key": "loyal", "labels": {"en": "Loyal", "fa": "وفادار"}, "measure": "FREQUENCY",
        "unit": "PER_YEAR", "customers": 140, "value": 3.0, "baseline": 4.0, "others": 5.0, "at_stake": 123400,
        "worse_than_baseline": True, "worse_than_others": True,
    }  # fmt: skip
    return {
        "initiative": {"name": "Barista visits", "kind": "EXTRA_SUPPORT"},
        "seal": {"sealed_at": "2026-05-06T08:00:00+00:00", "customers": 1887, "days": 12560,
                 "first_day": "2024-11-21", "head": "\\xa576d042a9726968ffff"},
        "measurement": {
            "kind": "FINAL", "tier": "RIGOROUS", "overall": "GOOD_FIT",
            "starts_on": "2026-05-06", "ends_on": "2026-11-02", "next_on": "2026-11-30",
            "flags": ["SEASONALITY"], "currency": "EUR",
            "late_occasions": 3, "late_amount": 4500,
            "findings": {"baseline": span, "before": span, "groups": groups, "returns": returns,
                         "opportunities": [opportunity, {**opportunity, "at_stake": None, "key": "new", "labels": {},
                                                         "worse_than_others": False}],
                         "starting_point": {"before": {"numerator": 37, "denominator": 120},
                                            "after": {"numerator": 37, "denominator": 136}}},
            "weekly": {"first": -4, "treated": {"occasions": [10, 12, 8, 10, 13, 14]}, "anyway": [11.0, 5.0]},
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
    assert lines[9].endswith("there is nothing to tell it by.")
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


@pytest.mark.parametrize("fall", [None, 1.2])
def test_no_fall_of_more_than_everything_is_told(told: dict[str, Any], fall: float | None) -> None:
    told["comparisons"][0]["details"]["detectable"]["fall"] = fall
    assert "| -2.0% … +3.0% | no fall, +8.0% | BETTER |" in report.page(told)


def test_what_is_not_shown_to_have_paid_is_said_whatever_the_point(told: dict[str, Any]) -> None:
    told["measurement"]["findings"]["returns"] |= {"roi_low": -0.1, "shown_to_have_paid": False}
    assert (
        "It is not shown to have paid for itself: of each unit spent, +103.0% came back on top, but it may be anything "
        "from -10.0% to +200.0%.\n"
    ) in report.page(told)
    told["measurement"]["findings"]["returns"]["roi_low"] = 0.1
    page = report.page(told)
    assert "(from +10.0% to +200.0%), but no answer above says that anything got better." in page
    assert "It has paid for itself" not in page


def test_a_loss_is_told_as_one(told: dict[str, Any]) -> None:
    told["measurement"]["findings"]["returns"] |= {
        "gain": -543_687, "gain_low": -1_382_892, "gain_high": 347_370, "roi": -2.359, "roi_low": -4.457,
        "roi_high": -0.132, "shown_to_have_paid": False,
    }  # fmt: skip
    page = report.page(told)
    assert (
        "It brought €5,436.87 less than would have come anyway; the difference may be anything from -€13,828.92 to "
        "€3,473.70.\nIt is not shown to have paid for itself: what it brought, less what it cost, comes to -235.9% of "
        "the cost; it may be anything from -445.7% to -13.2%.\n"
    ) in page
    told["measurement"]["findings"]["returns"]["gain_basis"] = "NET_REVENUE"
    assert "It brought €5,436.87 of sales less than would have come anyway;" in report.page(told)


@pytest.mark.parametrize(
    ("change", "why"),
    [(-0.278, "a change of -27.8% cannot be told from chance."), (0.019, "the change is too small to matter")],
)
def test_what_is_lost_in_chance_is_not_called_small(told: dict[str, Any], change: float, why: str) -> None:
    told["verdicts"][0] |= {"verdict": "NO_EVIDENCE", "reason": "TOO_SMALL", "minimum_effect": 0.02}
    told["comparisons"][0] |= {"verdict": "NO_EVIDENCE", "change": change}
    assert f"- No evidence that it changed how often customers buy: {why}" in report.page(told)


def test_what_customers_are_worth_and_where_more_can_be_won_is_said_in_plain_words(told: dict[str, Any]) -> None:
    above, _, _ = report.page(told).partition(f"\n{report.FOLD}\n")
    assert (
        "Its customers were worth €10,000.00 when it began and €11,000.00 at the end. That, with what they brought "
        "meanwhile, is a return on customers of +42.0% (from +40.0% to +45.0%)."
    ) in above.splitlines()
    behind, other = above.splitlines()[-6:-4]
    assert behind == (
        "- Loyal (140 customers): Purchases of a customer in a year: 3, where it was 4 before and is 5 with the "
        "others. Coming up to what is usual is worth about €1,234.00 a year."
    )
    assert other == "- new (140 customers): Purchases of a customer in a year: 3, where it was 4 before."
    told["measurement"]["findings"]["opportunities"][0]["basis"] = "NET_REVENUE"
    assert "Coming up to what is usual brings sales of about €1,234.00 a year." in report.page(told)
    assert "- وفادار (140 مشتری)" in report.page(told, "fa")


def test_what_is_not_known_of_the_money_has_its_reason(told: dict[str, Any]) -> None:
    nothing = dict.fromkeys(("gain", "roi", "payback_on", "return_on_customer"))
    told["measurement"]["findings"]["returns"] |= {
        **nothing, "cost": 0, "gain_missing": "NO_PURCHASES", "return_on_customer_missing": "TOO_SHORT",
    }  # fmt: skip
    told["measurement"]["findings"]["opportunities"] = []
    page = report.page(told)
    assert "What it brought is not known: nothing was bought before, or nothing after.\n" in page
    assert "The return on its customers is not known: too little time has gone by since the first purchases." in page
    assert "- No group of customers is behind the others or behind what it was." in page
    told["measurement"]["findings"]["returns"] |= {"gain": 1, "roi_missing": "NO_COST"}
    assert "What the goods cost is not taken off." not in report.page(told)
    assert "Whether it has paid for itself is not known: nothing is recorded of what it cost." in report.page(told)
    told["measurement"]["findings"]["returns"] |= {"gain_basis": "NET_REVENUE", "roi_missing": "NO_COST_OF_GOODS"}
    page = report.page(told)
    assert "What the goods cost is not taken off." in page
    assert "Whether it has paid for itself is not known: of too many goods it is not known what they cost." in page
    told["measurement"]["findings"]["returns"] = None
    assert "A quick look says nothing of money." in report.page(told)


def test_a_measurement_of_before_these_were_told_is_told_without_them(told: dict[str, Any]) -> None:
    findings = told["measurement"]["findings"]
    del findings["opportunities"]
    for name in [name for name in findings["returns"] if name.startswith(("return_on_customer", "equity"))]:
        del findings["returns"][name]
    assert "return on customers" not in report.page(told)


@pytest.mark.parametrize(
    ("kind", "tier", "said"),
    [
        ("FINAL", "QUICK", "There is no answer to everything together: a quick look never gives one."),
        ("PRELIMINARY", "STANDARD", "There is no answer to everything together yet: only the final measurement gives"),
        ("MONITORING", "STANDARD", "There is no answer to everything together: only the final measurement, which was "),
        ("EXPLORATORY", "RIGOROUS", "There is no answer to everything together: this was not asked beforehand."),
    ],
)
def test_why_there_is_no_answer_to_everything_together(told: dict[str, Any], kind: str, tier: str, said: str) -> None:
    told["measurement"] |= {"kind": kind, "tier": tier, "overall": None}
    assert report.page(told).splitlines()[6].startswith(f"**{said}")


def test_what_was_not_asked_beforehand_is_no_evidence(told: dict[str, Any]) -> None:
    told["verdicts"][0] |= {"verdict": None, "reason": "EXPLORATORY"}
    assert (
        "- A change in how often customers buy (+19.5%), which is no evidence: it was not asked beforehand.\n"
    ) in report.page(told)


def test_of_nobody_it_is_said_that_nobody_is_there(told: dict[str, Any]) -> None:
    findings = told["measurement"]["findings"]
    findings["groups"]["treated"] = 0
    findings["returns"] |= {"gain": None, "gain_missing": "NO_PURCHASES"}
    told["measurement"]["weekly"]["treated"]["occasions"] = [0] * 6
    page = report.page(told)
    assert (
        "- Nobody whom it was for is there to compare: it takes customers who had bought before November 7, 2025 and "
        "were not erased since."
    ) in page
    assert "What it brought is not known: nobody is there to compare." in page
    assert list(pictures.draw(told)) == ["changes.svg"]


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
        "better": Question, "worse": Question, "reason": Reason, "flag": Flag, "measure": Measure, "missing": Missing,
        "without_overall": set(MeasurementKind) - {MeasurementKind.FINAL},
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


def test_a_picture_without_anything_to_compare_with_promises_none(told: dict[str, Any]) -> None:
    assert b"what would have come without it" in pictures.draw(told)["weeks.svg"][1]
    del told["measurement"]["weekly"]["anyway"]
    of_what, picture = pictures.draw(told)["weeks.svg"]
    assert (of_what, b"what would have come without it" in picture) == ("of_weeks", False)


def test_the_pictures_are_drawn_alike_every_time(told: dict[str, Any]) -> None:
    drawn = pictures.draw(told)
    assert {name: shows for name, (shows, _) in drawn.items()} == {
        "weeks.svg": "of_picture",
        "changes.svg": "of_changes",
    }
    for name, (_, picture) in pictures.draw(told).items():
        assert picture == drawn[name][1]
    assert b"Purchases of a customer in a year" in drawn["changes.svg"][1]


def test_what_changed_by_more_than_everything_is_cut_off_so_that_the_rest_can_be_seen(told: dict[str, Any]) -> None:
    near = pictures.draw(told)["changes.svg"][1]
    told["comparisons"].append({**told["comparisons"][0], "measure": "RESPONSE", "high": 14.2})
    far = pictures.draw(told)["changes.svg"][1]
    assert (b"+100%" in near, b"+100%" in far, b"+200%" in far) == (False, True, False)
