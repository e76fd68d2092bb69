from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from cli.business import filling, laws, shirin
from cli.business.lives import lives
from domain import customers
from domain.customers.queries import merge_candidates
from domain.interactions.model import Channel, InteractionKind
from domain.stages import queries as stages
from tenure_sdk import Interaction, Order, Refund

if TYPE_CHECKING:
    from uuid import UUID

    from cli.business.diary import Diary
    from domain.core.database import Database

UNTIL = datetime(2026, 10, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def told() -> list[Diary]:
    return [diary for number in range(400) for diary in lives(number, UNTIL)]


def test_a_life_is_the_same_every_time(told: list[Diary]) -> None:
    assert [diary for number in range(400) for diary in lives(number, UNTIL)] == told


def test_no_record_has_the_id_of_another(told: list[Diary]) -> None:
    ids = [record.id for diary in told for record in (diary.customer, *diary.records)]
    assert len(ids) == len(set(ids))


def test_nothing_lies_in_the_future_or_before_the_business_opened(told: list[Diary]) -> None:
    happened = [record.occurred_at for diary in told for record in diary.records]  # type: ignore[attr-defined]
    by_hand = [done.at for diary in told for done in (*diary.consents, *diary.notes, *diary.moves)]
    known = [diary.customer.created_at for diary in told if diary.customer.created_at]
    assert max([*happened, *by_hand, *known]) < UNTIL
    assert UNTIL - min([*happened, *by_hand, *known]) < laws.SPAN + laws.YEAR / 52


def test_one_of_eight_is_an_organisation_and_two_work_there(told: list[Diary]) -> None:
    firsts = [diary.customer for diary in told if not diary.customer.id.endswith("B")]
    assert [customer.kind for customer in firsts].count("ORGANISATION") == 50
    assert sum(customer.organisation is not None for customer in firsts) == 100


def test_lives_are_lively(told: list[Diary]) -> None:
    kinds = {record.kind for diary in told for record in diary.records if isinstance(record, Interaction)}
    channels = {record.channel for diary in told for record in diary.records if isinstance(record, Interaction)}
    orders = [record for diary in told for record in diary.records if isinstance(record, Order)]
    assert len(kinds) >= 20
    assert kinds <= set(InteractionKind)
    assert channels <= set(Channel)
    assert 2 < len(orders) / 400 < 4
    assert {order.status for order in orders} == {"COMPLETED", "CANCELLED"}
    assert {order.currency for order in orders} == {"AUD", "EUR", "GBP", "USD"}
    assert sum(isinstance(record, Refund) for diary in told for record in diary.records) > 10


def test_shirin_lives_the_same_number_of_days_ago_whatever_the_day() -> None:
    other = datetime(2028, 2, 29, 3, 15, tzinfo=UTC)
    for one, another in zip(shirin.told(UNTIL), shirin.told(other), strict=True):
        days = [
            [(until.date() - record.occurred_at.date()).days for record in diary.records]  # type: ignore[attr-defined]
            for diary, until in ((one, UNTIL), (another, other))
        ]
        assert days[0] == days[1]


@pytest.fixture
async def business(database: Database, tenant: UUID) -> UUID:
    shares: list[float] = []
    await filling.fill(database, tenant, 200, shares.append)
    assert shares == [0, 1.0]
    return tenant


async def test_a_business_is_filled_once_and_is_whole(database: Database, business: UUID) -> None:
    shares: list[float] = []
    assert await filling.is_filled(database, business)
    await filling.fill(database, business, 200, shares.append)
    assert shares == []
    async with database.reading(business) as reading:
        [known] = await customers.by_email(reading, shirin.EMAIL)
        family = await stages.family(reading, known)
        [lifecycle] = await stages.lifecycles(reading)
        proposed = await merge_candidates(reading)
    assert len(family.members) == 2
    assert lifecycle.definition.key == filling.LIFECYCLE
    assert len(proposed) == 1


async def test_an_empty_tenant_is_not_filled(database: Database, tenant: UUID) -> None:
    assert not await filling.is_filled(database, tenant)


async def test_what_is_not_finished_leaves_nothing(database: Database, tenant: UUID) -> None:
    def stop(_share: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await filling.fill(database, tenant, 8, stop)
    assert not await filling.is_filled(database, tenant)
    async with database.reading(tenant) as reading:
        assert await customers.by_email(reading, shirin.EMAIL) == []
