"""What the same method finds where nothing was done: fake go-lives within the sealed history."""

from __future__ import annotations

from typing import TYPE_CHECKING

from domain.initiatives.findings import Battery, Placebo

if TYPE_CHECKING:
    from collections.abc import Callable

    from domain.initiatives.statistics.windows import Calendar, Windows

FEWEST = 3
"""With fewer fake go-lives nothing can be said about what happens by itself."""


def fake_go_lives(calendar: Calendar, large_enough: Callable[[Windows], bool]) -> tuple[Windows, ...]:
    """The windows of the fake go-lives: those of the longest of A, A/2, A/4 for which at least three fit, else none."""
    for part in (1, 2, 4):
        days = calendar.plan.after_days // part
        fitting = tuple(filter(large_enough, calendar.fakes(days))) if days else ()
        if len(fitting) >= FEWEST:
            return fitting
    return ()


def battery(fakes: tuple[Windows, ...]) -> Battery | None:
    """How the fake go-lives are told."""
    return Battery(fakes[0].after.days, tuple(fake.after.first for fake in fakes)) if fakes else None


def placebo(changes: list[float | None], true: float | None) -> Placebo | None:
    """The battery of one measure: null unless it is known at the true go-live and at three fake ones or more."""
    known = tuple(one for one in changes if one is not None)
    return None if true is None or len(known) < FEWEST else Placebo(known, true)


def passes(found: Placebo, change: float) -> bool:
    """Whether the effect at the true go-live lies outside of what came by itself, on the side of its sign."""
    beyond = found.at_go_live > found.high if change > 0 else found.at_go_live < found.low
    return beyond and found.at_go_live * change > 0
