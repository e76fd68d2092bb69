"""A measurement as a page for the owner of a business: the answer first, the figures of statistics below the fold."""

from __future__ import annotations

import tomllib
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from babel.dates import format_date
from babel.numbers import format_currency, format_decimal, format_percent

from domain.core.money import Money

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

Told = dict[str, Any]
"""A measurement with all that belongs to it, as `queries.TOLD` gives it."""

FOLD = "---"
LANGUAGES = ("en", "fa")
MOST_OPPORTUNITIES = 5
"""How many windows of opportunity the page names; `Measurement.opportunities` has all of them."""


def page(of: Told, language: str = "en", pictures: Sequence[tuple[str, str]] = ()) -> str:
    """The report as Markdown; pictures are given as the names of their files with what they show."""
    speaks = _Speaker(of, language if language in LANGUAGES else "en")
    shown = [f"![{speaks.word('report', of_what)}]({file})" for file, of_what in pictures]
    parts = [
        f"# {of['initiative']['name']}",
        speaks.head(),
        f"## {speaks.word('report', 'answers')}",
        f"**{speaks.overall()}**",
        _listed(speaks.answers()),
        f"## {speaks.word('report', 'anyway')}",
        *shown,
        _listed(speaks.anyway()),
        f"## {speaks.word('report', 'money')}",
        "\n".join(speaks.money()),
        f"## {speaks.word('report', 'rests')}",
        _listed(speaks.rests()),
        f"## {speaks.word('report', 'weakens')}",
        _listed(speaks.weakens()),
        f"## {speaks.word('report', 'opportunities')}",
        _listed(speaks.opportunities()),
        f"## {speaks.word('report', 'next')}",
        speaks.word("report", "next_on", day=speaks.day(of["measurement"]["next_on"])),
        FOLD,
        f"## {speaks.word('report', 'details')}",
        "\n".join(speaks.table()),
        speaks.sealed(),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


@cache
def words(language: str) -> Mapping[str, Mapping[str, str]]:
    """What the report says in a language."""
    found: Mapping[str, Mapping[str, str]] = tomllib.loads(
        (Path(__file__).parent / "words" / f"{language}.toml").read_text(encoding="utf-8")
    )
    return found


class _Speaker:
    """Says what was found in one language."""

    def __init__(self, of: Told, language: str) -> None:
        self.language = language
        self.initiative, self.seal, self.measurement = of["initiative"], of["seal"], of["measurement"]
        self.verdicts, self.comparisons = of["verdicts"], of["comparisons"]
        self.findings: dict[str, Any] = self.measurement["findings"]
        self.currency: str = self.measurement["currency"]

    def word(self, part: str, key: str, **values: str) -> str:
        return words(self.language)[part][key].format(**values)

    def day(self, written: str) -> str:
        return format_date(date.fromisoformat(written[:10]), "long", locale=self.language)

    def money_of(self, minor: int) -> str:
        return format_currency(Money.of_minor(minor, self.currency).amount, self.currency, locale=self.language)

    def count(self, number: float) -> str:
        return format_decimal(round(number), locale=self.language)

    def percent(self, change: float | None) -> str:
        return "" if change is None else format_percent(round(abs(change), 3), "#,##0.#%", locale=self.language)

    def signed(self, change: float | None) -> str:
        if change is None:
            return ""
        return format_percent(round(change, 3), "+#,##0.0%;-#,##0.0%", locale=self.language)

    def head(self) -> str:
        return self.word(
            "report", "head", kind=self.word("kind", self.initiative["kind"]),
            start=self.day(self.measurement["starts_on"]), end=self.day(self.measurement["ends_on"]),
            measurement=self.word("measurement", self.measurement["kind"]),
        )  # fmt: skip

    def overall(self) -> str:
        of = self.measurement
        if of["overall"] is not None:
            return self.word("overall", of["overall"])
        quick = of["tier"] == "QUICK" or of["kind"] == "FINAL"  # no other final one is without
        return self.word("without_overall", "QUICK" if quick else of["kind"])

    def answers(self) -> Iterator[str]:
        if not self.findings["groups"]["treated"]:
            yield self.word("open", "nobody", start=self.day(self.findings["baseline"]["start"]))
        for answer in self.verdicts:
            yield self._answer(answer)

    def _answer(self, of: Mapping[str, Any]) -> str:
        question, change = of["question"], self._deciding(of)["change"]
        subject = self.word("subject", question)
        if of["verdict"] in {"BETTER", "WORSE"}:
            return self.word(of["verdict"].lower(), question, change=self.percent(change))
        if of["verdict"] is not None:
            return self.word("open", "verdict", subject=subject, reason=self._why_not(of, change))
        if change is None:
            return self.word("open", "unknown", subject=subject)
        told = "exploratory" if of["reason"] == "EXPLORATORY" else "changed"
        return self.word("open", told, subject=subject, change=self.signed(change))

    def _why_not(self, of: Mapping[str, Any], change: float | None) -> str:
        """Why there is no evidence; a change that is large enough to matter is only lost in chance."""
        reason = of["reason"] or "TOO_SMALL"
        if reason == "TOO_SMALL" and change is not None and abs(change) >= of["minimum_effect"]:
            reason = "CHANCE"
        return self.word("reason", reason, change=self.signed(change))

    def anyway(self) -> Iterator[str]:
        for each in self.comparisons:
            if each["change"] is not None:
                yield self._beside(each["measure"], each["details"])

    def money(self) -> Iterator[str]:
        found = self.findings["returns"]
        if found is None:
            yield self.word("returns", "quick")
            return
        yield from self._gained(found)
        yield from self._customer_return(found)

    def _gained(self, found: Mapping[str, Any]) -> Iterator[str]:
        """What it brought and cost, and whether that paid; or why it is not known."""
        if found["cost"]:
            yield self.word("returns", "cost", cost=self.money_of(found["cost"]))
        if found["gain"] is None:
            yield self._unknown("unknown", found.get("gain_missing"))
            return
        low, high = self.money_of(found["gain_low"]), self.money_of(found["gain_high"])
        kind = "loss" if found["gain"] < 0 else "gain"
        kind += "_of_sales" if found.get("gain_basis") == "NET_REVENUE" else ""
        yield self.word("returns", kind, gain=self.money_of(abs(found["gain"])), low=low, high=high)
        if found["roi"] is None:
            yield self._unknown("unknown_return", found.get("roi_missing"))
        elif not found["shown_to_have_paid"]:
            kind = "lost" if found["roi"] < 0 else "unpaid" if found["roi_low"] < 0 else "unproven"
            yield self.word("returns", kind, **self._with_ends(found, "roi"))
        else:
            yield self.word("returns", "paid", **self._with_ends(found, "roi"))
            if found["payback_on"]:
                yield self.word("returns", "since", day=self.day(found["payback_on"]))

    def _customer_return(self, found: Mapping[str, Any]) -> Iterator[str]:
        """What customers became worth; measurements of before this was told say nothing of it."""
        if found.get("return_on_customer") is not None:
            ends = {name: self.money_of(found[f"equity_{name}"]) for name in ("before", "after")}
            yield self.word("returns", "customer", **ends, **self._with_ends(found, "return_on_customer"))
        elif missing := found.get("return_on_customer_missing"):
            yield self._unknown("customer_unknown", missing)

    def _unknown(self, what: str, missing: str | None) -> str:
        if not self.findings["groups"]["treated"]:
            missing = "NOBODY"
        return self.word("returns", what, reason=self.word("missing", missing or "NO_COST_OF_GOODS"))

    def _with_ends(self, found: Mapping[str, Any], name: str) -> dict[str, str]:
        """A share with both ends of its range."""
        keys = {"value": name, "low": f"{name}_low", "high": f"{name}_high"}
        return {key: self.signed(found[of]) for key, of in keys.items()}

    def rests(self) -> Iterator[str]:
        groups, start = self.findings["groups"], self.findings["starting_point"]
        yield self.word(
            "rests", "customers", customers=self.count(groups["treated"]),
            start=self.day(self.findings["baseline"]["start"]),
            days=self.count(_days(self.measurement["starts_on"], self.measurement["ends_on"])),
        )  # fmt: skip
        if groups["untouched"] is not None and groups["matched"] is not None:
            counts = {name: self.count(groups[name]) for name in ("untouched", "matched")}
            yield self.word("rests", "untouched", **counts)
        erased = groups["treated_erased"] + (groups["untouched_erased"] or 0)
        if erased:
            yield self.word("rests", "erased", erased=self.count(erased))
        if self.measurement["late_occasions"] or self.measurement["late_amount"]:
            yield self.word(
                "rests", "late", occasions=self.count(self.measurement["late_occasions"]),
                amount=self.money_of(self.measurement["late_amount"]),
            )  # fmt: skip
        if waiting := self.findings.get("late_unrated"):
            yield self.word("rests", "late_unrated", documents=self.count(waiting))
        if start and start["after"]["denominator"] and start["before"]["denominator"]:
            told = {"n": start["after"]["denominator"], "after": start["after"]["numerator"],
                    "before": start["before"]["numerator"], "n_before": start["before"]["denominator"]}  # fmt: skip
            yield self.word("rests", "start", **{name: self.count(number) for name, number in told.items()})

    def weakens(self) -> Iterator[str]:
        flags = [self.word("flag", flag) for flag in self.measurement["flags"]]
        yield from flags or [self.word("report", "nothing_weakens")]

    def opportunities(self) -> Iterator[str]:
        """The windows of opportunity with the most at stake, one line each."""
        found = self.findings.get("opportunities", [])[:MOST_OPPORTUNITIES]
        for each in found:
            yield self._opportunity(each)
        if not found:
            yield self.word("opportunity", "none")

    def _opportunity(self, of: Mapping[str, Any]) -> str:
        told = {name: self._value(of, of[name]) for name in ("value", "baseline", "others")}
        told |= {"measure": self.word("measure", of["measure"]), "customers": self.count(of["customers"])}
        told["group"] = of["labels"].get(self.language) or of["labels"].get("en") or of["key"]
        kinds = {(True, True): "both", (True, False): "baseline", (False, True): "others"}
        kind = kinds.get((of["worse_than_baseline"], of["worse_than_others"]), "others")
        line = self.word("opportunity", kind, **told)
        if of["at_stake"]:
            kind = "stake_in_sales" if of.get("basis") == "NET_REVENUE" else "stake"
            line += f" {self.word('opportunity', kind, stake=self.money_of(of['at_stake']))}"
        return line

    def table(self) -> Iterator[str]:
        columns = self.word("details", "columns")
        yield f"| {columns} |"
        yield f"|{' --- |' * len(columns.split(' | '))}"
        for each in self.comparisons:
            found = each["details"]
            placebo, detectable = found["placebo"], found["detectable"]
            cells = (
                each["question"], each["measure"], self.signed(each["change"]),
                self._range(each["low"], each["high"]),
                self._range(placebo["low"], placebo["high"]) if placebo else "",
                self._visible(detectable) if detectable else "",
                each["verdict"] or "", each["reason"] or "",
            )  # fmt: skip
            yield f"| {' | '.join(cells)} |"

    def sealed(self) -> str:
        return self.word(
            "details", "sealed", sealed=self.day(self.seal["sealed_at"]), customers=self.count(self.seal["customers"]),
            days=self.count(self.seal["days"]), first=self.day(self.seal["first_day"]), head=self.seal["head"][2:18],
        )  # fmt: skip

    def _beside(self, measure: str, found: Mapping[str, Any]) -> str:
        """A measure before and after, beside what is known of it where nothing was done."""
        told = {name: self._value(found, found[name]["value"]) for name in ("before", "after")}
        told |= {"measure": self.word("measure", measure), "expected": self._value(found, found["expected"])}
        if placebo := found["placebo"]:
            told |= {end: self.signed(placebo[end]) for end in ("low", "high")}
        kind = "plain" if found["expected"] is None else "expected"
        return self.word("anyway", f"{kind}_moves" if placebo else kind, **told)

    def _deciding(self, answer: Mapping[str, Any]) -> Mapping[str, Any]:
        """The measure that a question was answered by: of two, the one that says the same."""
        own = [each for each in self.comparisons if each["question"] == answer["question"]]
        return next((each for each in own if each["verdict"] == answer["verdict"]), own[0])

    def _value(self, found: Mapping[str, Any], value: float | None) -> str:
        if value is None:
            return ""
        match found["unit"]:
            case "MONEY":
                return format_currency(Decimal(str(round(value, 6))), self.currency, locale=self.language)
            case "SHARE":
                return self.percent(value)
            case _:
                return format_decimal(round(value, 2), locale=self.language)

    def _visible(self, detectable: Mapping[str, Any]) -> str:
        fall = detectable["fall"]
        if fall is None or fall > 1:  # more than everything: said so by measurements that were kept before
            return self.word("details", "no_fall_visible", rise=self.signed(detectable["rise"]))
        return self._range(-fall, detectable["rise"])

    def _range(self, low: float | None, high: float | None) -> str:
        return "" if low is None or high is None else f"{self.signed(low)} … {self.signed(high)}"


def _listed(lines: Iterator[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _days(first: str, last: str) -> int:
    return (datetime.fromisoformat(last) - datetime.fromisoformat(first)).days
