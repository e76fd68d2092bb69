"""One customer before and after: beside himself, beside the mean, beside those who were left alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

import numpy as np
import pytest
from sqlalchemy import update

from domain.customers import privacy
from domain.customers.model import Customer
from domain.initiatives import individually
from domain.initiatives.comparing import compare
from domain.initiatives.findings import Alike, Measure, Span
from domain.initiatives.individually import IndividualState
from domain.initiatives.plans import Plan, Selection, Tier
from domain.initiatives.statistics.individuals import individual
from domain.initiatives.statistics.windows import Calendar
from domain.metrics.reading import snapshot
from tests.conftest import KEY
from tests.domain.initiatives import evidence
from tests.domain.initiatives.conftest import BASELINE, FIRST, LIVE, Desk
from tests.domain.initiatives.histories import history, split, with_rows

if TYPE_CHECKING:
    from uuid import UUID

    from domain.initiatives.history import History
    from domain.initiatives.individually import Individual
    from domain.initiatives.statistics.individuals import IndividualAnswer
    from tests.conftest import Logins

T0 = date(2026, 1, 1).toordinal()
PLAN = Plan(go_live=T0, baseline_days=100, measured_on=T0 + 100, tier=Tier.QUICK, seed=2, draws=50)


def placed(known: History, who: int, plan: Plan = PLAN, *, fakes: int = 0) -> dict[Measure, IndividualAnswer]:
    """A customer placed in what a comparison of all found."""
    found = compare(*split(known, T0), plan)
    kept = known.customer == who
    alone = replace(
        with_rows(known, kept), customer=np.zeros(int(kept.sum()), dtype=np.int32),
        **{name: getattr(known, name)[[who]] for name in ("unit", "first_occasion", "first_seen", "erased_at",
                                                          "department", "occasions_before")},
    )  # fmt: skip
    calendar = Calendar(known.first, plan)
    tried = [*calendar.fakes(20)][:fakes]
    answers = individual(
        alone, Span(T0 - 100, T0), calendar.compared, tried, found.spreads, found.alike, plan.minor
    )  # fmt: skip
    return {one.measure: one for one in answers}


def test_a_customer_stands_beside_the_mean() -> None:
    rows = [(who, T0 - 150) for who in range(4)]
    rows += [(0, T0 - 50), (0, T0 + 20), (0, T0 + 60), (1, T0 - 20), (2, T0 + 30)]
    found = placed(history(rows, customers=4, days=(T0 - 200, T0 + 100)), 0)
    frequency = found[Measure.FREQUENCY]
    assert frequency.before.value == pytest.approx(3.6525)
    assert frequency.after.value == pytest.approx(2 * 3.6525)
    assert frequency.change == pytest.approx(1.0)
    assert frequency.before.mean == pytest.approx(3.6525 / 2)
    # Two of four have nothing and two as much as he has; then one less has as much, and nobody more.
    assert (frequency.before.percentile, frequency.after.percentile) == pytest.approx((75, 87.5), abs=1)
    assert (found[Measure.RECENCY].before.value, found[Measure.RECENCY].after.value) == (50.0, 40.0)
    assert found[Measure.RESPONSE].before.value is None
    assert (frequency.before.z, frequency.usual, frequency.alike_before) == (None, None, None)


def test_a_rate_over_a_few_days_is_not_known() -> None:
    rows = [(0, T0 - 150), (1, T0 - 10), (1, T0 + 10)]
    known = history(rows, customers=2, days=(T0 - 200, T0 + 100), first_seen=[T0 - 200, T0 - 10])
    frequency = placed(known, 1)[Measure.FREQUENCY]
    assert frequency.before.value is None
    assert frequency.after.value == pytest.approx(3.6525)
    assert frequency.change is None


def test_z_is_of_the_logarithm_in_the_unit_that_is_shown() -> None:
    """40 customers spend 1 or 3 at a time, in minor units 100 or 300: ln 2 and ln 4, so that both are one away."""
    rows = [
        (who, T0 + day, {"amount": 100.0 if who % 2 else 300.0}) for who in range(40) for day in (-150, -30, 30)
    ]  # fmt: skip
    size = placed(history(rows, customers=40, days=(T0 - 200, T0 + 100)), 0)[Measure.SIZE]
    assert (size.before.z, size.after.z) == pytest.approx((1, 1))


def test_beside_himself_stands_how_much_he_changed_when_nothing_was_done() -> None:
    """Fake go-lives on days -20, -50 and -80, 20 days on each side: he bought 1 and 2 times, 1 and 1, 2 and 1."""
    rows = [(who, T0 + day) for who in range(2) for day in (-150, -95, -85, -75, -60, -45, -30, -15, -5, 10)]
    frequency = placed(history(rows, customers=2, days=(T0 - 200, T0 + 100)), 0, fakes=3)[Measure.FREQUENCY]
    assert frequency.usual
    assert (frequency.usual.low, frequency.usual.high) == pytest.approx((-0.5, 1.0))


def test_beside_him_stand_those_who_were_left_alone_and_had_bought_alike() -> None:
    """0 to 39 are treated; 40 to 69 had bought as they had, and go on half as often; 70 to 79 had bought less."""
    rows = [(who, T0 - 150) for who in range(80)]
    rows += [(who, T0 + day) for who in range(70) for day in (-90, -70, -40, -20)]
    rows += [(who, T0 - 30) for who in range(70, 80)]
    rows += [(who, T0 + day) for who in range(40) for day in (20, 40, 60, 80)]
    rows += [(who, T0 + day) for who in range(40, 70) for day in (20, 60)]
    plan = replace(PLAN, tier=Tier.RIGOROUS, treated=np.arange(80) < 40, selection=Selection.LIST)
    known = history(rows, customers=80, days=(T0 - 200, T0 + 100))
    frequency = placed(known, 0, plan)[Measure.FREQUENCY]
    assert (frequency.alike_before, frequency.alike_after) == pytest.approx((4 * 3.6525, 2 * 3.6525))
    cells = [(one.occasions, one.recent, one.customers) for one in compare(*split(known, T0), plan).alike]
    assert cells == [(1, 1, 10), (4, 2, 30)]
    assert isinstance(compare(*split(known, T0), plan).alike[0], Alike)


# As it is read of a tenant


async def seen(desk: Desk, initiative: UUID, customer: UUID) -> Individual | None:
    async with desk.database.reading(desk.tenant) as reading:
        return await individually.compared(await snapshot(reading), initiative, customer)


@pytest.fixture
async def went_on(desk: Desk, book: evidence.Book) -> evidence.Book:
    """The first five buy twice as often since go-live as the other fifteen."""
    days = [
        (of, day, 2000)
        for number, of in enumerate(book.customers[:20])
        for day in evidence.every(5 if number < 5 else 10, LIVE + timedelta(days=1), 10 if number < 5 else 5)
    ]
    await evidence.add_days(desk.database, desk.tenant, days)
    return book


async def test_a_customer_is_read_from_the_seal_and_from_what_followed(desk: Desk, went_on: evidence.Book) -> None:
    header = await desk.sealed(tier=Tier.STANDARD)
    assert await seen(desk, header.initiative_id, went_on.customers[0]) == individually.Individual(
        IndividualState.NOT_MEASURED
    )
    final = desk.at(LIVE + timedelta(days=BASELINE))
    await final.measured(header.initiative_id)
    # What becomes known later of the time before go-live does not change what was sealed of it.
    await evidence.add_days(desk.database, desk.tenant, [(went_on.customers[0], FIRST + timedelta(days=45), 9)])
    found = await seen(final, header.initiative_id, went_on.customers[0])
    assert found
    assert (found.state, found.number, found.currency) == (IndividualState.COMPARED, 1, "EUR")
    assert found.before
    assert (date.fromordinal(found.before.first), found.before.last) == (LIVE - timedelta(days=60), LIVE.toordinal())
    frequency, _, size, *_ = found.answers
    assert (frequency.before.value, frequency.after.value) == pytest.approx((6 / 60 * 365.25, 10 / 60 * 365.25))
    assert frequency.before.mean == pytest.approx(6 / 60 * 365.25)
    assert frequency.after.mean == pytest.approx((5 * 10 + 15 * 5) / 20 / 60 * 365.25)
    assert frequency.after.percentile == pytest.approx(87.5, abs=1)
    assert (size.before.value, size.after.value) == (1000, 2000)


async def test_merged_customers_are_one_and_others_have_their_answer(
    desk: Desk, went_on: evidence.Book, logins: Logins
) -> None:
    treated = went_on.customers[:10]
    header = await desk.sealed(tier=Tier.QUICK, customer_ids=treated)
    final = desk.at(LIVE + timedelta(days=BASELINE))
    await final.measured(header.initiative_id)
    one, other, erased = treated[0], went_on.customers[12], treated[3]
    async with desk.database.unit_of_work(desk.tenant) as work:
        survives = update(Customer).where(Customer.tenant_id == desk.tenant)
        await work.execute(survives.where(Customer.id == one).values(root_id=other, status="MERGED"))
        await work.execute(survives.where(Customer.id == other).values(member_ids=[one, other]))
    async with (
        type(desk.database)(str(logins.privacy), readers=1, writers=1, clock=desk.clock, key=KEY) as eraser,
        eraser.unit_of_work(desk.tenant) as work,
    ):
        await privacy.erase_customer(work, erased)
    newcomer = went_on.customers[21]
    states = {
        one: IndividualState.COMPARED, other: IndividualState.COMPARED, erased: IndividualState.ERASED,
        went_on.customers[15]: IndividualState.OUT_OF_SCOPE, newcomer: IndividualState.NOT_SEALED,
    }  # fmt: skip
    for who, state in states.items():
        found = await seen(final, header.initiative_id, who)
        assert found
        assert (found.state, bool(found.answers)) == (state, state is IndividualState.COMPARED), who
    assert await seen(final, header.initiative_id, uuid4()) is None
    assert await seen(final, uuid4(), one) is None
    merged = await seen(final, header.initiative_id, one)
    assert merged
    # Both bought on the days that the other one bought on, too: each counts once.
    assert merged.answers[0].after.value == pytest.approx(10 / 60 * 365.25)
