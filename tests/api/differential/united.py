"""Who was made one with whom, kept apart and told apart again; and moves that stand on the timeline."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from domain.customers.model import IdentityEdge
from domain.interactions.model import Interaction
from domain.stages.model import StageTransition

if TYPE_CHECKING:
    from uuid import UUID

    from domain.customers.model import Customer
    from tests.api.differential.world import World

_APART = (("Analytica", "Analytica Labs"), ("Dora Ada", "A. Byron"), ("Bea Curie", "bea curie"), ("سیروس", "Erased"))
_EVIDENCE: tuple[Any, ...] = (
    {"shared": [["tax_id", "1"], ["email", "ada@example.com"]]},
    {"source": "files:shop", "gone": "7", "into": "8", "run": "0" * 32},
    {"shared": []},
)
_MOVES = 6


async def identities(world: World, people: dict[str, Customer]) -> None:
    """The merges that hold, vetoes of which some do, merges that were undone, and the undoing of both."""
    named = {customer.id: customer for customer in people.values()}
    for customer in people.values():
        if customer.merged_into is not None:
            await _edge(world, "MERGE", customer, named[customer.merged_into])
    for at, pair in enumerate([*_APART, *_APART[:2]]):
        one, other = (people[name] for name in pair)
        made = await _edge(world, "MERGE" if at >= len(_APART) else "VETO", other, one)
        if at % 2:
            await _edge(world, "UNMERGE", other, one, made)


async def moves(world: World) -> None:
    """Some moves on the timeline, each under the id of its transition."""
    known = select(StageTransition).where(StageTransition.tenant_id == world.work.tenant_id)
    for move in (await world.work.all(known.order_by(StageTransition.id)))[:_MOVES]:
        world.work.add(
            Interaction(
                id=move.id, revision=1, customer_id=move.customer_id, kind="STAGE_CHANGED", family="STAGE",
                occurred_at=move.occurred_at, recorded_at=move.recorded_at, stream="stages", remote_id=move.id.hex,
                payload={"lifecycle": "buyer"},
            )
        )  # fmt: skip
    await world.work.flush()


async def _edge(world: World, kind: str, of: Customer, into: Customer, undoes: UUID | None = None) -> UUID:
    edge = IdentityEdge(
        id=world.id(), kind=kind, customer_id=of.id, into_id=into.id, undoes=undoes, batch_id=world.id(),
        reason=world.maybe("She said so"), evidence=world.maybe(world.random.choice(_EVIDENCE)), actor="system",
        recorded_at=world.moment(),
    )  # fmt: skip
    await world.add(edge)
    return edge.id
