"""Filling the demo's tenant: records come in through the landing, and what people do by hand follows them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select, text

from cli.business import catalogue, counter, laws, promises, shirin, spending
from cli.business.lives import HOUSEHOLD, lives
from cli.business.regulars import regulars
from domain import customers
from domain.core import planning
from domain.core.unit_of_work import Actor
from domain.customers.model import AttributeType, ConsentDecision
from domain.integrations.model import RecordLink
from domain.stages import actions as stages
from domain.stages import queries as lifecycles
from domain.stages.model import NoteKind
from domain.tenants.actions import create_principal
from domain.tenants.model import PrincipalKind, Role
from sync import land, runs
from tenure_sdk import Account, Cost, Customer, ExchangeRate, Interaction, Order, Page, Product, Refund, Stream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime
    from uuid import UUID

    from cli.business.diary import Diary
    from domain.core.database import Database
    from domain.core.unit_of_work import Writing
    from sync.runs import Run
    from tenure_sdk import Record

LIFECYCLE = "buyer"

_CONNECTOR, _ACCOUNT = "demo", Account("shop", "The demo's shop")
_STREAM = Stream("business", (Product, ExchangeRate, Customer, Order, Refund, Interaction, Cost))
_PORTION = 25 * HOUSEHOLD
_LIVED = 0.8
"""How much of the work is done when all but the regulars have lived."""
_ATTRIBUTES = {
    "tier": (AttributeType.TEXT, {"en": "Tier", "fa": "سطح"}),
    "loyalty_points": (AttributeType.INTEGER, {"en": "Loyalty points", "fa": "امتیاز وفاداری"}),
    "newsletter": (AttributeType.BOOLEAN, {"en": "Newsletter", "fa": "خبرنامه"}),
}


async def is_filled(database: Database, tenant_id: UUID) -> bool:
    """Whether the business is there: it came in one transaction, so its lifecycle tells of all of it."""
    async with database.reading(tenant_id) as reading:
        return bool(await lifecycles.lifecycles(reading))


async def fill(database: Database, tenant_id: UUID, count: int, report: Callable[[float], None]) -> None:
    """Give an empty tenant two years of business with so many customers, in one transaction: all of it or nothing.

    Of two processes that do it at the same time the later one finds it done.
    `report` hears how much of it is done, from 0 to 1.
    """
    async with database.unit_of_work(tenant_id) as work:
        await customers.lock_identities(work)
        if await lifecycles.lifecycles(work):  # another process filled it while this one waited
            return
        # A plan that was kept from when the tables were empty reads all of a table for every customer.
        await work.execute(text("SET LOCAL plan_cache_mode = force_custom_plan"))
        await stages.create_from_template(work, LIFECYCLE, default=True)
        for key, (type_, labels) in _ATTRIBUTES.items():
            await customers.define_attribute(work, key, type_, labels)
        integration = await runs.enabled(work, _CONNECTOR, _ACCOUNT)
        run = await runs.begin(work, integration, _STREAM, mode="FULL")
        await land.land(work, run, Page(_shop(count, work.now)))
        manager = await create_principal(work, "Account manager", Role.AGENT, PrincipalKind.PERSON)
        lived = _LIVED if count >= promises.LEAST else 1.0
        for place, (share, portion) in enumerate(_portions(count, work.now)):
            await land.land(work, run, Page(_records(portion)))
            if place.bit_count() == 1:  # there is twice as much as the last time
                await planning.refresh_within(work)
            work.actor = Actor(manager.id)
            await _do_by_hand(work, run, portion)
            work.actor = Actor.SYSTEM
            report(share * lived)
        if count >= promises.LEAST:
            await _promise(work, run)
            report(1.0)
        await runs.finish(work, run)


async def _promise(work: Writing, run: Run) -> None:
    """Let the regulars live, and both initiatives be sealed: as of today, as most businesses do."""
    lived = list(regulars(work.now))
    for start in range(0, len(lived), _PORTION):
        await land.land(work, run, Page(_records(lived[start : start + _PORTION])))
    known = await work.rows(
        select(RecordLink.remote_id, RecordLink.local_id).where(
            RecordLink.tenant_id == work.tenant_id, RecordLink.integration_id == run.integration_id,
            RecordLink.type == "customer",
        )
    )  # fmt: skip
    await promises.seal(work, [(row.remote_id, row.local_id) for row in known])


def _shop(count: int, until: datetime) -> list[Record]:
    """What does not belong to a customer."""
    first, last = (until - laws.SPAN).date(), until.date()
    return [
        *catalogue.products(),
        *catalogue.rates(first, last),
        *counter.sales(count // 4, until),
        *counter.adjustments(until),
        *spending.weekly(count, until),
    ]


def _portions(count: int, until: datetime) -> Iterator[tuple[float, list[Diary]]]:
    """The lives, some at a time (whoever belongs together in one), and the share of all that is told then."""
    yield 0, list(shirin.told(until))
    for start in range(0, count, _PORTION):
        end = min(start + _PORTION, count)
        yield end / count, [diary for number in range(start, end) for diary in lives(number, until)]


def _records(portion: Sequence[Diary]) -> list[Record]:
    return [
        record for diary in portion for record in (diary.customer, *diary.records, *spending.of_cases(diary))
    ]  # fmt: skip


async def _do_by_hand(work: Writing, run: Run, portion: Sequence[Diary]) -> None:
    """Consents, stage notes and moves, as somebody of the business enters them."""
    for diary in portion:
        if not (diary.consents or diary.notes or diary.moves):
            continue
        (customer,) = await customers.by_external(work, run.source, diary.customer.id)
        for said in diary.consents:
            await customers.record_consent(
                work, customer, said.purpose, said.channel, ConsentDecision(said.decision), occurred_at=said.at
            )
        for move in diary.moves:
            await stages.move(work, customer, move.stage, occurred_at=move.at, reason=move.reason)
        for note in diary.notes:
            await stages.add_note(work, customer, note.stage, NoteKind(note.kind), note.text, occurred_at=note.at)
