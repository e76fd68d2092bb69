"""How initiatives, their seals and what was measured of them are found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import orjson
from sqlalchemy import Uuid, bindparam, select, text

from domain.core.problems import Conflict, NotFound
from domain.initiatives.model import BaselineSnapshot, Initiative, Measurement
from domain.initiatives.plans import MeasurementKind

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date
    from uuid import UUID

    from sqlalchemy import Select

    from domain.core.unit_of_work import Reading


class UnknownInitiative(NotFound):
    """There is no initiative with this id here. Check the id; one of another tenant gets the same answer."""


class NotSealed(Conflict):
    """This initiative has no sealed baseline. Seal one, then measure."""


class NotMeasured(Conflict):
    """This initiative was not measured yet. Take a measurement first."""


async def initiative(reading: Reading, initiative_id: UUID) -> Initiative:
    """An initiative by its id. Raises UnknownInitiative."""
    return _found(await reading.one(_initiative(reading, initiative_id)), initiative_id)


async def guarded(reading: Reading, initiative_id: UUID) -> Initiative:
    """An initiative that nobody else changes until this transaction ends. Raises UnknownInitiative."""
    return _found(await reading.one(_initiative(reading, initiative_id).with_for_update()), initiative_id)


async def initiatives(reading: Reading) -> Sequence[Initiative]:
    """Every initiative of the tenant, the oldest first."""
    return await reading.all(
        select(Initiative).where(Initiative.tenant_id == reading.tenant_id).order_by(Initiative.id)
    )  # fmt: skip


async def seal_of(reading: Reading, initiative_id: UUID) -> BaselineSnapshot:
    """The header of an initiative's seal. Raises NotSealed."""
    found = await reading.one(_seals(reading).where(BaselineSnapshot.initiative_id == initiative_id))
    if found is None:
        raise NotSealed(id=str(initiative_id))
    return found


async def seals(reading: Reading) -> Sequence[BaselineSnapshot]:
    """The headers of all seals of the tenant, the oldest first."""
    return await reading.all(_seals(reading).order_by(BaselineSnapshot.id))


async def measurements(reading: Reading, initiative_id: UUID) -> Sequence[Measurement]:
    """What was measured of an initiative, the first one first."""
    return await reading.all(
        select(Measurement)
        .where(Measurement.tenant_id == reading.tenant_id, Measurement.initiative_id == initiative_id)
        .order_by(Measurement.number)
    )


async def latest_measurement(reading: Reading, initiative_id: UUID) -> Measurement:
    """What was measured last of an initiative as it was sealed. Raises UnknownInitiative or NotMeasured."""
    await initiative(reading, initiative_id)
    found = [
        each for each in await measurements(reading, initiative_id) if each.kind != MeasurementKind.EXPLORATORY
    ]  # fmt: skip
    if not found:
        raise NotMeasured(id=str(initiative_id))
    return found[-1]


def today(reading: Reading, time_zone: str) -> date:
    """The tenant's calendar day."""
    return reading.now.astimezone(ZoneInfo(time_zone)).date()


def _initiative(reading: Reading, initiative_id: UUID) -> Select[Initiative]:
    return select(Initiative).where(Initiative.tenant_id == reading.tenant_id, Initiative.id == initiative_id)


def _found(one: Initiative | None, initiative_id: UUID) -> Initiative:
    if one is None:
        raise UnknownInitiative(id=str(initiative_id))
    return one


def _seals(reading: Reading) -> Select[BaselineSnapshot]:
    return select(BaselineSnapshot).where(BaselineSnapshot.tenant_id == reading.tenant_id)


TOLD = """
    SELECT jsonb_build_object(
        'initiative', to_jsonb(i), 'seal', to_jsonb(s), 'measurement', to_jsonb(m),
        'verdicts', coalesce((
            SELECT jsonb_agg(to_jsonb(v) ORDER BY v.position) FROM verdicts v
            WHERE v.tenant_id = {tenant} AND v.measurement_id = m.id
        ), '[]'),
        'comparisons', coalesce((
            SELECT jsonb_agg(to_jsonb(c) ORDER BY c.position) FROM comparisons c
            WHERE c.tenant_id = {tenant} AND c.measurement_id = m.id
        ), '[]')
    )
    FROM measurements m
    JOIN initiatives i ON i.tenant_id = {tenant} AND i.id = m.initiative_id
    JOIN baseline.seals s ON s.tenant_id = {tenant} AND s.id = m.seal_id
    WHERE m.tenant_id = {tenant} AND m.id = {measurement}
"""
"""SQL: a measurement with all that belongs to it, as one JSON object: what the report is written from."""

_TOLD = text(TOLD.format(tenant=":tenant", measurement=":measurement")).bindparams(
    bindparam("tenant", type_=Uuid()), bindparam("measurement", type_=Uuid())
)


async def told(reading: Reading, measurement: Measurement) -> dict[str, Any]:
    """A measurement with all that belongs to it."""
    ((found,),) = await reading.rows(_TOLD, {"tenant": reading.tenant_id, "measurement": measurement.id})
    whole: dict[str, Any] = orjson.loads(found) if isinstance(found, str) else found
    return whole
