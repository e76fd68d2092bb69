"""Ready-made segments: the questions that every business asks, to be made as they stand or crossed with others."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from domain.core.problems import NotFound
from domain.segments.criteria import All, Criteria, LifeSpan, Metric, Occasions
from domain.stages.rules import Text

RECENCY, FREQUENCY, MONETARY = "rfm_recency", "rfm_frequency", "rfm_monetary"
"""The measures of the RFM scores, 1 to 5 each, by the tenant's published cut-offs."""


class UnknownSegmentTemplate(NotFound):
    """No segment template has this key. Choose one of the keys that the message names."""


class SegmentTemplate(msgspec.Struct, frozen=True, kw_only=True):
    """A segment to begin with."""

    key: str
    title: Text
    description: Text
    role: str
    criteria: Criteria


def templates() -> tuple[SegmentTemplate, ...]:
    """Every template, in the order in which they are offered."""
    return _TEMPLATES


def template(key: str) -> SegmentTemplate:
    """The template of this key. Raises UnknownSegmentTemplate."""
    known = {one.key: one for one in _TEMPLATES}
    if key not in known:
        message = f"No segment template is called {key!r}. There are {', '.join(known)}."
        raise UnknownSegmentTemplate(message, template=key)
    return known[key]


def _made(key: str, criteria: Criteria, title: str, fa: str, description: str, fa_description: str) -> SegmentTemplate:
    role = "STARTING_POINT" if key == "one_time_buyers" else "MEASURED"
    return SegmentTemplate(
        key=key, title=Text(title, fa), description=Text(description, fa_description), role=role, criteria=criteria
    )


def _scores(
    recency: tuple[int, int] = (1, 5), frequency: tuple[int, int] = (1, 5), monetary: tuple[int, int] = (1, 5)
) -> Criteria:
    """The RFM scores from one number to another; whoever has no scores is in none of these groups."""
    asked = ((RECENCY, recency), (FREQUENCY, frequency), (MONETARY, monetary))
    return All(
        of=tuple(Metric(key=key, gte=Decimal(least), lte=Decimal(most)) for key, (least, most) in asked)
    )  # fmt: skip


_TEMPLATES = (
    _made(
        "one_time_buyers", Occasions(gte=1, lt=2), "One-time buyers", "خریداران یک‌باره",
        "Customers who bought on one day only: where success is measured from.",
        "مشتریانی که تنها در یک روز خرید کرده‌اند: نقطه‌ی آغاز سنجش موفقیت.",
    ),
    _made(
        "repeat_purchasers", Occasions(gte=2), "Repeat purchasers", "خریداران مکرر",
        "Customers who bought on two days or more.", "مشتریانی که در دو روز یا بیشتر خرید کرده‌اند.",
    ),
    _made(
        "frequency_occasional", Occasions(gte=2, lt=4), "Occasional buyers", "خریداران گاه‌به‌گاه",
        "Two or three purchase occasions.", "دو یا سه نوبت خرید.",
    ),
    _made(
        "frequency_regular", Occasions(gte=4, lt=10), "Regular buyers", "خریداران همیشگی",
        "Four to nine purchase occasions.", "چهار تا نه نوبت خرید.",
    ),
    _made(
        "frequency_frequent", Occasions(gte=10), "Frequent buyers", "خریداران پرتکرار",
        "Ten purchase occasions or more.", "ده نوبت خرید یا بیشتر.",
    ),
    _made(
        "lifespan_season", LifeSpan(gte=1, lt=90), "Life span of a season", "طول عمر یک فصل",
        "From the first purchase to the last one: less than 90 days.", "از نخستین تا آخرین خرید: کمتر از ۹۰ روز.",
    ),
    _made(
        "lifespan_year", LifeSpan(gte=90, lt=365), "Life span of a year", "طول عمر یک سال",
        "From the first purchase to the last one: 90 days to a year.", "از نخستین تا آخرین خرید: ۹۰ روز تا یک سال.",
    ),
    _made(
        "lifespan_years", LifeSpan(gte=365, lt=1095), "Life span of years", "طول عمر چند سال",
        "From the first purchase to the last one: one to three years.", "از نخستین تا آخرین خرید: یک تا سه سال.",
    ),
    _made(
        "lifespan_long", LifeSpan(gte=1095), "Long life span", "طول عمر بلند",
        "From the first purchase to the last one: three years or more.", "از نخستین تا آخرین خرید: سه سال یا بیشتر.",
    ),
    _made(
        "rfm_champions", _scores((4, 5), (4, 5), (4, 5)), "Champions", "قهرمانان",
        "Bought lately, often and much: RFM scores of 4 and 5.",
        "به‌تازگی، بارها و پرارزش خریده‌اند: امتیازهای ۴ و ۵.",
    ),
    _made(
        "rfm_loyal", _scores((3, 5), (4, 5), (1, 5)), "Loyal", "وفاداران",
        "Buy often, and bought not long ago.", "بارها می‌خرند و آخرین خریدشان دور نیست.",
    ),
    _made(
        "rfm_new", _scores((4, 5), (1, 1), (1, 5)), "New and promising", "تازه‌واردان امیدبخش",
        "Bought lately and for the first times.", "به‌تازگی و برای نخستین بارها خریده‌اند.",
    ),
    _made(
        "rfm_at_risk", _scores((1, 2), (3, 5), (3, 5)), "At risk", "در آستانه‌ی رفتن",
        "Bought often and much, but not lately.", "بارها و پرارزش خریده‌اند، اما نه به‌تازگی.",
    ),
    _made(
        "rfm_hibernating", _scores((1, 2), (1, 2), (1, 5)), "Hibernating", "خفتگان",
        "Bought seldom, and long ago.", "کم و مدت‌ها پیش خریده‌اند.",
    ),
)  # fmt: skip
