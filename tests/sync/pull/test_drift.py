from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import update

from domain.integrations.model import DriftPolicy, Integration
from sync import drift
from sync.pull import StreamNotRead
from sync.runs import Counts
from sync.troubles import Outcome

if TYPE_CHECKING:
    from tests.sync.pull.conftest import Shop, Side

DRIFTED = "integrations.SchemaDrifted"


async def decide(shop: Shop, policy: DriftPolicy) -> None:
    async with shop.database.unit_of_work(shop.tenant) as work:
        await work.execute(update(Integration).where(Integration.tenant_id == shop.tenant).values(drift_policy=policy))


async def drifts(shop: Shop) -> list[tuple[Any, ...]]:
    return await shop.rows(
        "SELECT field, kind, was, became, count, acknowledged_at IS NOT NULL FROM schema_drifts WHERE $t ORDER BY field"
    )


async def acknowledge(shop: Shop) -> int:
    async with shop.database.unit_of_work(shop.tenant) as work:
        return len(await drift.acknowledge(work, shop.id, "customers"))


async def payloads(shop: Shop) -> dict[str, Any]:
    found = await shop.rows("SELECT remote_id, payload -> 'extra' FROM remote_records WHERE $t")
    return {remote_id: extra or {} for remote_id, extra in found}


@pytest.fixture
async def learnt(shop: Shop, side: Side) -> Shop:
    """A stream of which a first run has learnt the fields."""
    side.customers(2, extra={"tier": "gold"})
    await shop.pull()
    assert await drifts(shop) == []
    return shop


async def test_a_first_run_learns_the_fields_with_their_types(learnt: Shop) -> None:
    assert (await learnt.state()).fields == {
        "customer.extra.tier": ["string"], "customer.kind": ["any"], "customer.name": ["any"],
    }  # fmt: skip


async def test_a_field_that_is_new_or_has_another_type_is_told_once_and_taken(learnt: Shop, side: Side) -> None:
    side.customers(12, first=2, extra={"tier": 3, "vip": True})
    assert (await learnt.pull()).counts.created == 12
    assert await drifts(learnt) == [
        ("customer.extra.tier", "TYPE", "string", "integer", 12, False),
        ("customer.extra.vip", "NEW", None, "boolean", 12, False),
    ]
    side.customers(1, first=14, extra={"tier": 4, "vip": False})
    await learnt.pull()
    ((_, body),) = await learnt.events(DRIFTED)
    assert body["fields"] == [
        {"field": "customer.extra.tier", "kind": "TYPE"}, {"field": "customer.extra.vip", "kind": "NEW"},
    ]  # fmt: skip
    assert (await payloads(learnt))["5"] == {"tier": 3, "vip": True}
    assert await acknowledge(learnt) == 2
    assert [row[-1] for row in await drifts(learnt)] == [True, True]
    assert await acknowledge(learnt) == 0


async def test_a_new_field_can_be_kept_out_until_somebody_has_seen_it(learnt: Shop, side: Side) -> None:
    await decide(learnt, DriftPolicy.QUARANTINE_FIELD)
    side.customers(2, first=2, extra={"tier": "silver", "vip": True})
    await learnt.pull()
    side.customers(1, first=4, extra={"tier": "silver", "vip": True})
    await learnt.pull()
    tiers = {"0": "gold", "1": "gold", "2": "silver", "3": "silver", "4": "silver"}
    assert await payloads(learnt) == {remote_id: {"tier": tier} for remote_id, tier in tiers.items()}
    assert await drifts(learnt) == [("customer.extra.vip", "NEW", None, "boolean", 3, False)]
    assert len(await learnt.events(DRIFTED)) == 1
    await acknowledge(learnt)
    side.customers(1, first=5, extra={"tier": "silver", "vip": True})
    await learnt.pull()
    assert (await payloads(learnt))["5"] == {"tier": "silver", "vip": True}


async def test_what_is_acknowledged_while_a_run_is_at_work_stays_acknowledged(learnt: Shop, side: Side) -> None:
    await decide(learnt, DriftPolicy.QUARANTINE_FIELD)
    side.customers(10, first=2, extra={"vip": True})
    side.customers(10, first=12, extra={"vip": True, "tour": "spring"})

    async def look(number: int) -> None:
        while number == 1 and not await acknowledge(learnt):  # noqa: ASYNC110 - the page before lands meanwhile
            await asyncio.sleep(0.01)

    side.before_page = look
    await learnt.pull()
    assert (await payloads(learnt))["12"] == {"vip": True}
    assert await learnt.rows("SELECT quarantined_fields FROM stream_settings WHERE $t") == [(["customer.extra.tour"],)]


async def test_a_new_field_can_stop_the_stream_before_its_page_lands(learnt: Shop, side: Side) -> None:
    await decide(learnt, DriftPolicy.STOP)
    side.customers(1, first=2, extra={"vip": True})
    stopped = await learnt.pull()
    assert (stopped.outcome, stopped.counts) == (Outcome.STREAM_PAUSED, Counts())
    with pytest.raises(StreamNotRead, match=r"customer\.extra\.vip \(new\)"):
        await learnt.pull()
    await acknowledge(learnt)
    assert (await learnt.pull()).counts == Counts(read=1, created=1)


async def test_a_field_that_many_records_no_longer_have_is_missed_once(learnt: Shop, side: Side) -> None:
    side.customers(drift.ENOUGH - 1, first=2)
    await learnt.pull()
    assert await drifts(learnt) == []
    for first in (1_000, 2_000):
        side.customers(drift.ENOUGH, first=first)
        await learnt.pull()
    assert await drifts(learnt) == [("customer.extra.tier", "VANISHED", "string", None, drift.ENOUGH, False)]
    assert len(await learnt.events(DRIFTED)) == 1
