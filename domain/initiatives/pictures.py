"""The pictures of a report, as SVG; matplotlib is loaded when the first one is drawn."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any

from domain.initiatives.report import words

if TYPE_CHECKING:
    from domain.initiatives.report import Told

_BEFORE, _AFTER, _ANYWAY = "#8a8a8a", "#1b6ca8", "#d98324"

FARTHEST = 1.0
"""Changes of more than all of it are cut off there: those that matter could not be seen beside them."""


def draw(of: Told, language: str = "en") -> dict[str, tuple[str, bytes]]:
    """The pictures by the names of their files, each with the word for what it shows; none of nobody."""
    found, weekly = {}, of["measurement"]["weekly"]
    if any(weekly["treated"]["occasions"]):
        found["weeks.svg"] = (_of_weeks(weekly), _weeks(of, language))
    if any(each["low"] is not None for each in of["comparisons"]):
        found["changes.svg"] = ("of_changes", _changes(of, language))
    return found


def _weeks(of: Told, language: str) -> bytes:
    """Purchases by week, and after go-live what would have come anyway, by what the answer compares with."""
    weekly, told = of["measurement"]["weekly"], words(language)["picture"]
    occasions, anyway, begun = weekly["treated"]["occasions"], weekly.get("anyway"), -weekly["first"]
    numbers = list(range(weekly["first"], weekly["first"] + len(occasions)))
    figure, axes = _axes(3.2)
    axes.bar(numbers[:begun], occasions[:begun], width=0.9, color=_BEFORE, label=told["before"])
    axes.bar(numbers[begun:], occasions[begun:], width=0.9, color=_AFTER, label=told["after"])
    if anyway:
        axes.step(numbers[begun:], anyway, where="mid", color=_ANYWAY, linewidth=2, label=told["anyway"])
    axes.set_xlabel(told["weeks"])
    axes.legend(loc="upper left", frameon=False, fontsize=8)
    axes.axvline(-0.5, color="black", linewidth=0.8)
    axes.set_title(words(language)["report"][_of_weeks(weekly)], fontsize=10)
    return _svg(figure)


def _of_weeks(weekly: dict[str, Any]) -> str:
    """The word for the picture; measurements of before it was kept do not say what was compared with."""
    return "of_picture" if weekly.get("anyway") else "of_weeks"


def _changes(of: Told, language: str) -> bytes:
    """The change of each measure with its range, over the range in which it moves by itself; an arrow goes on."""
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
        for beyond, at, arrow in ((each["low"] < -FARTHEST, -FARTHEST, "<"), (each["high"] > FARTHEST, FARTHEST, ">")):
            if beyond:
                axes.plot([at], [place], arrow, color=_AFTER)
    reach = max(abs(end) for end in axes.get_xlim())
    axes.set_xlim(-min(reach, FARTHEST * 1.05), min(reach, FARTHEST * 1.05))
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
