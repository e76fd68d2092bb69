"""What can happen to interactions: they are recorded, and what is known of them may be revised."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from domain.core.clock import aware
from domain.core.problems import StaleVersion
from domain.interactions import queries, rules
from domain.interactions.model import FAMILY_OF, Interaction

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from uuid import UUID

    from domain.core.unit_of_work import Writing
    from domain.interactions.model import Channel, Direction, InteractionKind

MANUAL = "manual"
"""The stream of what was recorded by hand."""


@dataclass(frozen=True)
class NewInteraction:
    """What is told of something that happened; the payload is of the kind's family."""

    kind: InteractionKind
    occurred_at: datetime
    customer_id: UUID | None = None
    channel: Channel | None = None
    direction: Direction | None = None
    summary: str | None = None
    payload: rules.Payload | Mapping[str, Any] | None = None
    correlation_key: str | None = None
    causation_id: UUID | None = None
    campaign_key: str | None = None
    machine_suspected: bool = False


async def record(work: Writing, new: NewInteraction, interaction_id: UUID | None = None) -> Interaction:
    """Put something that happened on the timeline, as recorded by hand; `interaction_id` is one made beforehand.

    Raises CustomerNotFound, PayloadInvalid, SummaryTooLong or NoTimeZone.
    """
    content = await _content(work, new)
    made = interaction_id or work.ids()
    interaction = Interaction(
        id=made, revision=1, recorded_at=work.now, integration_id=None, stream=MANUAL, remote_id=made.hex,
        remote_version=None, **content,
    )  # fmt: skip
    work.add(interaction)
    await work.flush()
    _tell(work, "interactions.record", "interactions.InteractionRecorded", interaction)
    return interaction


async def revise(work: Writing, interaction_id: UUID, new: NewInteraction) -> Interaction:
    """Replace what is known of an interaction; the earlier revisions stay readable. The same again makes none.

    Raises InteractionNotFound, StaleVersion where somebody else revises it right now, or what `record` raises.
    """
    content = await _content(work, new)
    known = await _lock(work, interaction_id)
    if all(getattr(known, name) == value for name, value in content.items()):
        return known
    known.superseded_at = work.now
    await work.flush()
    revised = Interaction(
        id=known.id, revision=known.revision + 1, recorded_at=work.now, integration_id=known.integration_id,
        stream=known.stream, remote_id=known.remote_id, remote_version=known.remote_version, **content,
    )  # fmt: skip
    work.add(revised)
    await work.flush()
    former = known.customer_id if known.customer_id != revised.customer_id else None
    _tell(work, "interactions.revise", "interactions.InteractionRevised", revised, former)
    return revised


async def _content(work: Writing, new: NewInteraction) -> dict[str, Any]:
    family = FAMILY_OF[new.kind]
    payload = rules.keep(family, new.payload)
    await queries.check_customer(work, new.customer_id)
    return {
        "kind": new.kind, "family": family, "customer_id": new.customer_id, "channel": new.channel,
        "direction": new.direction, "occurred_at": aware(new.occurred_at, "occurredAt"),
        "correlation_key": new.correlation_key, "causation_id": new.causation_id, "campaign_key": new.campaign_key,
        "machine_suspected": new.machine_suspected, "summary": rules.line(new.summary), "payload": payload,
    }  # fmt: skip


async def _lock(work: Writing, interaction_id: UUID) -> Interaction:
    await queries.interaction(work, interaction_id)
    known = await work.one(queries.current(work, interaction_id).with_for_update())
    if known is None:  # superseded while we waited for the lock
        raise StaleVersion(id=interaction_id)
    return known


def _tell(work: Writing, deed: str, event: str, interaction: Interaction, former: UUID | None = None) -> None:
    facts = {"kind": interaction.kind, "revision": interaction.revision}
    customer = interaction.customer_id.hex if interaction.customer_id else None
    also = {"customers": [former.hex]} if former else {}
    work.emit(event, interaction.id, customer_id=customer, **facts, **also)
    work.audit(deed, f"interaction:{interaction.id.hex}", after=facts)
