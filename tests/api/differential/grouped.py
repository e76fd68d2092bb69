"""Who belongs together: segments with every kind of condition, their members, and who came and went."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from domain.segments.model import (
    MembershipChange,
    Segment,
    SegmentMember,
    SegmentMembershipEvent,
    SegmentRole,
    SegmentRun,
    SegmentVersion,
)

if TYPE_CHECKING:
    from uuid import UUID

    from domain.customers.model import Customer
    from tests.api.differential.world import World

_KEYS = ("repeat", "asleep", "Big", "rich", "given_up", "never_run")
_LEAVES: tuple[dict[str, Any], ...] = (
    {"type": "kind_is", "kind": "PERSON"},
    {"type": "country_is", "among": ["DE", "IR"]},
    {"type": "attribute_is", "key": "vip", "eq": True},
    {"type": "attribute_is", "key": "seats", "gte": 4.5, "lte": 90},
    {"type": "occasions", "gte": 2, "lt": 9, "within_days": 30},
    {"type": "interactions", "kinds": ["CALL", "MEETING"], "gte": 1},
    {"type": "spent", "gte": "10.50"},
    *(
        {"type": "days_since", "what": what, "gte": 7}
        for what in ("FIRST_SEEN", "FIRST_PURCHASE", "LAST_PURCHASE", "FIRST_INTERACTION", "LAST_INTERACTION")
    ),
    {"type": "life_span", "lt": 30},
    {"type": "in_stage", "lifecycle": "buyer", "stage": "purchase"},
    {"type": "entered_stage", "step": "ADVOCATE", "within_days": 9},
    {"type": "metric", "key": "recency", "lte": "30", "percentile": True},
)
_REASONS = ([{"type": "merged"}], [{"type": "erased"}], [{"type": "archived"}])


async def segments(world: World, people: dict[str, Customer]) -> None:
    """Some with several versions, one without a run, one that was given up; a customer is in several, or in none."""
    survivors = [each for each in people.values() if each.root_id == each.id and each.status == "ACTIVE"]
    earlier: list[UUID] = []
    for at, key in enumerate(_KEYS):
        made = Segment(
            id=world.id(), key=key, labels={"en": key.title(), **({"fa": "بخش"} if at % 2 else {})},
            role=list(SegmentRole)[at % 3], template_key=world.maybe("repeat_purchasers", 0.3),
            due_at=[None, world.moment(), world.moment() + timedelta(days=900)][at % 3], created_at=world.moment(),
            updated_at=world.moment(), archived_at=world.moment() if key == "given_up" else None,
            version=world.random.randrange(1, 4),
        )  # fmt: skip
        await world.add(made)
        versions = await _versions(world, made, earlier, at)
        if key != "never_run":
            made.published_version_id = versions[0 if at % 2 else -1]
        _runs(world, made, versions)
        for who in survivors:
            if world.random.random() < 0.6:
                because = world.maybe(_because(world))
                world.work.add(
                    SegmentMember(segment_id=made.id, customer_id=who.id, since=world.moment(), because=because)
                )
        _events(world, made, versions, list(people.values()))
        earlier.append(made.id)
    await world.work.flush()


async def _versions(world: World, made: Segment, earlier: list[UUID], at: int) -> list[UUID]:
    ids = []
    for number in range(1, 2 + at % 3):
        leaves = [_LEAVES[(at * 5 + number + step) % len(_LEAVES)] for step in range(6)]
        leaves += [{"type": "in_segment", "segment": str(each)} for each in earlier[:1]]
        criteria = {
            "type": "all", "of": [{"type": "not", "of": leaves[0]}, {"type": "any_of", "of": leaves[1:]}],
        }  # fmt: skip
        ids.append(world.id())
        await world.add(
            SegmentVersion(
                id=ids[-1], segment_id=made.id, number=number, criteria=criteria, author="system",
                created_at=world.moment(), published_at=world.maybe(world.moment()),
            )
        )  # fmt: skip
    return ids


def _runs(world: World, made: Segment, versions: list[UUID]) -> None:
    for _ in range(world.random.randrange(4)):
        failed = world.random.random() < 0.4
        world.work.add(
            SegmentRun(
                id=world.id(), segment_id=made.id, segment_version_id=world.random.choice(versions),
                watermark=world.moment(), evaluated=world.random.randrange(20), entered=1, exited=0, milliseconds=12,
                error="DataError" if failed else None, published_at=None if failed else world.moment(),
            )
        )  # fmt: skip


def _because(world: World) -> list[dict[str, Any]]:
    some = world.random.sample(_LEAVES, 2)
    return [some[0], {"type": "not", "of": some[1]}]


def _events(world: World, made: Segment, versions: list[UUID], people: list[Customer]) -> None:
    for at in range(8):
        gone = at % 3 == 0
        world.work.add(
            SegmentMembershipEvent(
                id=world.id(), segment_id=made.id, segment_version_id=world.random.choice(versions),
                customer_id=world.random.choice(people).id,
                change=MembershipChange.EXIT if gone else MembershipChange.ENTER, at=world.moment(),
                because=world.maybe(_REASONS[(at // 3 + len(made.key)) % 3] if gone else _because(world), 0.9),
            )
        )  # fmt: skip
