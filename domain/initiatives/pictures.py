"""The pictures of a report, as SVG; matplotlib is loaded when the first one is drawn."""

from __future__ import annotations

from datetime import date
from io import BytesIO
from typing import TYPE_CHECKING, Any

from domain.initiatives.report import words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from domain.initiatives.report import Told

_BEFORE, _AFTER, _ANYWAY = "#8a8a8a", "#1b6ca8", "#d98324"


def draw(of: Told, language: str = "en") -> dict[str, tuple[str, bytes]]:
    """The pictures by the names of their files, each with the word for what it shows."""
    found = {"weeks.svg": ("of_picture", _weeks(of, language))}
    if any(each["low"] is not None for each in of["comparisons"]):
        found["changes.svg"] = ("of_changes", _changes(of, language))
    return found


def anyway(weekly: dict[str, Any], before_weeks: int) -> list[float]:
    """What each week after go-live would have brought without it, by week from go-live on.

    As the weeks that are compared with were; where customers were left alone, as much more or less as theirs moved.
    """
    first = weekly["first"]
    treated, untouched = weekly["treated"]["occasions"], weekly.get("untouched", {}).get("occasions")
    usual = _mean(treated[-first - before_weeks : -first])
    if not untouched:
        return [usual] * (len(treated) + first)
    usual_of_others = _mean(untouched[-first - before_weeks : -first])
    return [usual * week / usual_of_others if usual_of_others else usual for week in untouched[-first:]]


def _weeks(of: Told, language: str) -> bytes:
    """Purchases by week, and after go-live what would have come anyway."""
    weekly, findings = of["measurement"]["weekly"], of["measurement"]["findings"]
    occasions = weekly["treated"]["occasions"]
    numbers = list(range(weekly["first"], weekly["first"] + len(occasions)))
    weeks = max(1, _span_weeks(findings["before"]))
    figure, axes = _axes(3.2)
    begun, told = -weekly["first"], words(language)["picture"]
    axes.bar(numbers[:begun], occasions[:begun], width=0.9, color=_BEFORE, label=told["before"])
    axes.bar(numbers[begun:], occasions[begun:], width=0.9, color=_AFTER, label=told["after"])
    axes.step(numbers[begun:], anyway(weekly, weeks), where="mid", color=_ANYWAY, linewidth=2, label=told["anyway"])
    axes.set_xlabel(told["weeks"])
    axes.legend(loc="upper left", frameon=False, fontsize=8)
    axes.axvline(-0.5, color="black", linewidth=0.8)
    axes.set_title(words(language)["report"]["of_picture"], fontsize=10)
    return _svg(figure)


def _changes(of: Told, language: str) -> bytes:
    """The change of each measure with its range, over the range in which it moves by itself."""
    shown = [each for each in of["comparisons"] if each["low"] is not None]
    figure, axes = _axes(0.6 + 0.5 * len(shown))
    for place, each in enumerate(reversed(shown)):
        placebo = each["details"]["placebo"]
        if placebo:
            axes.barh(
                place, placebo["high"] - placebo["low"], left=placebo["low"], height=0.6, color=_ANYWAY, alpha=0.4
            )
        axes.plot([each["low"], each["high"]], [place, place], color=_AFTER, linewidth=3)
        axes.plot([each["change"]], [place], "o", color=_AFTER)
    axes.axvline(0, color="black", linewidth=0.8)
    axes.set_yticks(range(len(shown)), [words(language)["measure"][each["measure"]] for each in reversed(shown)])
    axes.xaxis.set_major_formatter(lambda share, _: f"{share:+.0%}")
    axes.set_title(words(language)["report"]["of_changes"], fontsize=10)
    return _svg(figure)


def _axes(height: float) -> tuple[Any, Any]:
    # A figure of its own, without pyplot: nothing is shown, and nothing is kept between two reports.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, height), layout="constrained")
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _svg(figure: Any) -> bytes:
    from matplotlib import rc_context

    written = BytesIO()
    # Text stays text, and the same figures give the same file.
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "tenure"}):
        figure.savefig(written, format="svg", metadata={"Date": None})
    return written.getvalue()


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def _span_weeks(span: dict[str, str]) -> int:
    return (date.fromisoformat(span["end"]) - date.fromisoformat(span["start"])).days // 7
