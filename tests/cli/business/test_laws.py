from __future__ import annotations

from datetime import UTC, datetime, timedelta
from statistics import fmean, median, pvariance

from cli.business import catalogue, laws

UNTIL = datetime(2026, 10, 1, tzinfo=UTC)
STEADY = laws.Habit(rate=6.0, leaves=0.0, size=4.0)


def test_chance_falls_the_same_way_for_the_same_subject() -> None:
    assert laws.dice("life", 7).random() == laws.dice("life", 7).random() != laws.dice("life", 8).random()


def test_counts_vary_more_than_one_poisson_law_allows() -> None:
    """Negative binomial: the variance is well above the mean, since the rates differ."""
    counts = []
    for number in range(1000):
        chance = laws.dice("nbd", number)
        rate = laws.habit(chance, is_organisation=False).rate
        steady = laws.Habit(rate, leaves=0.0, size=0.0)
        counts.append(len(list(laws.occasions(chance, steady, UNTIL - laws.YEAR, UNTIL))))
    assert pvariance(counts) > 3 * fmean(counts)


def test_some_stop_after_each_purchase() -> None:
    chance = laws.dice("leaves")
    always = laws.Habit(rate=50.0, leaves=0.25, size=0.0)
    lengths = [len(list(laws.occasions(chance, always, UNTIL - laws.SPAN, UNTIL))) for _ in range(2000)]
    assert 3.8 < fmean(lengths) < 4.2  # geometric: 1 / 0.25
    assert 0.23 < lengths.count(1) / 2000 < 0.27


def test_purchases_lie_on_days_of_their_own_and_before_the_end() -> None:
    first = UNTIL - laws.SPAN
    bought = list(laws.occasions(laws.dice("days"), STEADY, first, UNTIL))
    days = [at.date() for at in bought]
    assert days == sorted(set(days))
    assert days[0] == first.date()
    assert all(at < UNTIL and 7 <= at.hour <= 22 for at in bought)


def test_december_saturdays_are_the_busiest_and_january_sundays_the_quietest() -> None:
    days = [datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=day) for day in range(365)]
    assert {max(days, key=laws.season).strftime("%b %a"), min(days, key=laws.season).strftime("%b %a")} == {
        "Dec Sat",
        "Jan Sun",
    }
    chance = laws.dice("season")
    bought = [at for _ in range(300) for at in [*laws.occasions(chance, STEADY, UNTIL - laws.SPAN, UNTIL)][1:]]
    in_month = [sum(at.month == month for at in bought) for month in range(1, 13)]
    assert in_month.index(max(in_month)) == 11
    assert 1.5 < in_month[11] / in_month[7] < 2.8


def test_sizes_are_lognormal() -> None:
    chance = laws.dice("sizes")
    sizes = [laws.order_size(chance, STEADY) for _ in range(4000)]
    assert 52 < median(sizes) < 57  # e ** 4 is 54.6
    assert 1.09 < fmean(sizes) / median(sizes) < 1.18  # e ** (0.5 ** 2 / 2) is 1.133


def test_a_basket_comes_near_its_worth() -> None:
    chance = laws.dice("baskets")
    worths = [
        sum(float(line.quantity * line.unit_price - line.discount) for line in catalogue.basket(chance, 60.0, 5))
        for _ in range(1000)
    ]
    assert 50 < median(worths) < 70
    assert min(worths) > 0


def test_rates_are_the_same_walk_whenever_the_business_opens() -> None:
    first = UNTIL.date() - timedelta(days=10)
    later = timedelta(days=99)
    rates, again = (
        [(rate.base, rate.rate) for rate in catalogue.rates(start, start + timedelta(days=10))]
        for start in (first, first + later)
    )
    assert rates == again
    assert len(rates) == 33
    assert {str(rate) for _, rate in rates[::11]} == {"1.1700", "0.9200", "0.6100"}
