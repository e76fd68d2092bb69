"""A lifecycle whose rules ask for segments, from the mutation that publishes it to the history of who was moved."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select

from domain.core.due import jobs
from domain.core.events import DueWork
from domain.stages.model import StageCheck
from domain.stages.settling import STAGE_RULES
from sync import worker
from sync.relay import Relay
from tests.api.business import Business, found
from tests.api.test_segments import created, published, read

if TYPE_CHECKING:
    from uuid import UUID

    from api.engine import Engine
    from domain.core.database import Database

STAGES = [
    {"key": key, "name": {"en": key.title()}, "step": step, "kind": "OPEN"}
    for key, step in (("regular", "PURCHASE"), ("vip", "RETAIN"))
]
HISTORY = """query ($of: ID!) { customer(by: {id: $of}) {
  stage(lifecycle: "care") { stage { key } }
  stageHistory(lifecycle: "care", first: 9) { nodes { stage { key } visit isCurrent exitedAt cause { kind } } }
  segments(first: 9) { edges { because { type } node { key } } }
} }"""


@pytest.fixture
async def business(engine: Engine, database: Database, tenant: UUID) -> Business:
    worker.load()
    return await found(engine, database, tenant)


async def worked(database: Database, tenant: UUID) -> None:
    """What a worker does: deliver what happened, then look by the rules of lifecycles, until nothing is due."""
    for _ in range(9):
        await Relay(database).drain(tenant)
        async with database.unit_of_work(tenant) as work:
            due = DueWork.tenant_id == tenant, DueWork.kind == STAGE_RULES, DueWork.due_at <= work.now
            waiting = StageCheck.tenant_id == tenant, StageCheck.due_at <= work.now
            if not await work.all(select(StageCheck).where(*waiting)):
                return
            assert await work.all(select(DueWork.kind).where(*due)) == [STAGE_RULES]
            await jobs.by_kind[STAGE_RULES](work, "")
    message = "the rules never come to rest"
    raise AssertionError(message)


def stay(stage: str, *, current: bool = False, visit: int = 1) -> dict[str, Any]:
    return {"stage": {"key": stage}, "visit": visit, "isCurrent": current, "cause": {"kind": "RULE"}}


async def test_who_comes_into_a_segment_or_goes_out_of_it_is_moved_and_the_history_says_why(
    business: Business, database: Database, tenant: UUID
) -> None:
    async def now() -> tuple[Any, list[Any], list[Any]]:
        customer = (await read(business, HISTORY, of=business.ada))["customer"]
        stays = customer["stageHistory"]["nodes"]
        assert [each.pop("exitedAt") is None for each in stays] == [each["isCurrent"] for each in stays]
        segments = [(each["node"]["key"], each["because"]) for each in customer["segments"]["edges"]]
        return customer["stage"], stays, segments

    big = await created(business.caller, "big", {"spent": {"gte": "100"}})
    await published(database, business, big)
    moves = [
        {"toStage": "regular", "trigger": "EVENT"},
        {"fromStage": "regular", "toStage": "vip", "trigger": "SEGMENT", "condition": {"segment": big}},
        {"fromStage": "vip", "toStage": "regular", "trigger": "SEGMENT", "condition": {"not": {"segment": big}}},
    ]
    await business.caller.do("createLifecycle", {"key": "care", "stages": STAGES, "rules": moves[:1]})
    wanted = "lifecycle { key rules { fromStage toStage trigger } }"
    care = {"lifecycle": "care", "stages": STAGES, "rules": moves}
    made = await business.caller.do("publishLifecycle", care, wanted)
    assert [each["trigger"] for each in made["lifecycle"]["rules"]] == ["EVENT", "SEGMENT", "SEGMENT"]
    await worked(database, tenant)
    assert await now() == ({"stage": {"key": "regular"}}, [stay("regular", current=True)], [])
    sold = {"customer": business.ada, "occurredAt": "2026-05-01T12:00:00Z", "currency": "EUR", "total": "90"}
    order = (await business.caller.do("recordOrder", sold, "order { id version }"))["order"]
    await worked(database, tenant)
    assert await now() == (
        {"stage": {"key": "vip"}}, [stay("regular"), stay("vip", current=True)],
        [("big", [{"type": "SPENT"}])],
    )  # fmt: skip
    await business.caller.do("cancelOrder", {"id": order["id"], "version": order["version"]})
    await worked(database, tenant)
    stays = [stay("regular"), stay("vip"), stay("regular", current=True, visit=2)]
    assert await now() == ({"stage": {"key": "regular"}}, stays, [])
