from __future__ import annotations

from typing import TYPE_CHECKING, Any

from domain import interactions, stages
from domain.customers import NewCustomer, create
from domain.interactions import InteractionKind, NewInteraction
from domain.metrics.catalogue import CATALOGUE
from domain.metrics.settling import roll_up
from tests.domain.metrics.definitions.conftest import at

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from uuid import UUID

    from domain.core.database import Database

    Asking = Callable[..., Awaitable[dict[str, Any]]]

MEASURES = """{ lifecycle(key: "saas") { stages { key step
  measures(window: {start: "2026-05-01", end: "2026-07-01"}, grain: MONTH) {
    metric { key step } total { value missing n } points { label value { value } } } } } }"""


async def test_every_stage_has_the_measures_of_its_step(ask: Asking, database: Database, tenant: UUID) -> None:
    async with database.unit_of_work(tenant) as work:
        await stages.create_from_template(work, "saas")
        ada = (await create(work, NewCustomer(name="Ada"))).id
        for day in ("05-02", "05-09", "06-01"):
            await interactions.record(work, NewInteraction(InteractionKind.VISIT, at(day), ada))
        await interactions.record(work, NewInteraction(InteractionKind.REVIEW, at("06-03"), ada, payload={"rating": 5}))
        await interactions.settle_evidence(work, [ada])
        await roll_up(work, [ada])
    answer = await ask(MEASURES)
    found = answer["data"]["lifecycle"]["stages"]
    for stage in found:
        keys = [each["metric"]["key"] for each in stage["measures"]]
        assert keys == [each.key for each in CATALOGUE if each.step == stage["step"]]
    measured = {each["metric"]["key"]: each for stage in found for each in stage["measures"]}
    assert measured["visits"]["total"] == {"value": "3", "missing": None, "n": 1}
    assert [(point["label"], point["value"]["value"]) for point in measured["visits"]["points"]] == [
        ("2026-05", "2"), ("2026-06", "1"),
    ]  # fmt: skip
    assert measured["positive_reviews"]["total"]["value"] == "1"
    assert measured["conversion_rate"]["total"] == {"value": None, "missing": "DENOMINATOR_ZERO", "n": 0}


async def test_measures_take_a_window_with_both_sides(ask: Asking, database: Database, tenant: UUID) -> None:
    async with database.unit_of_work(tenant) as work:
        await stages.create_from_template(work, "saas")
    refused = await ask(MEASURES.replace(', end: "2026-07-01"', ""))
    assert refused["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"
