"""The three operations whose speed is promised, and the values that they are asked with."""

from __future__ import annotations

import random
from base64 import b64decode
from dataclasses import dataclass
from typing import Any

from api import ids, pages
from bench.generate import COUNTRIES, STAGES

Q1 = """query Q1($id: ID!) { customer(by: {id: $id}) {
  id kind displayName status emails { address } phones { number } addresses { city country }
  organisation { id displayName } stage(lifecycle: "buyer") { enteredAt visit stage { key name position } }
  stageHistory(lifecycle: "buyer", first: 50) { nodes { visit enteredAt exitedAt cause { kind } stage { key name } } }
  timeline(first: 20) { edges { cursor node { id kind channel direction occurredAt summary } }
    pageInfo { hasNextPage endCursor } }
  orderTotals { orders gross { amount currency } net { amount currency } average { amount currency } firstAt lastAt }
} }"""

Q2 = """query Q2($stage: String!, $country: String!, $after: String) { customers(first: 50, after: $after,
  filter: {stage: {lifecycle: "buyer", key: {eq: $stage}}, country: {eq: $country}},
  orderBy: [{field: LAST_PURCHASE_AT, direction: DESC}]) {
  edges { cursor node { id displayName emails { address } stage(lifecycle: "buyer") { stage { key name } }
    timeline(first: 5) { nodes { id kind channel occurredAt summary } } } }
  pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }"""

Q3 = """query Q3($after: String) { customers(first: 500, after: $after, orderBy: [{field: ID}]) {
  nodes { id kind displayName status country firstSeenAt firstPurchaseAt lastPurchaseAt createdAt updatedAt } } }"""

FIRST_BY_ID = "{ customers(first: 1, orderBy: [{field: ID}]) { pageInfo { endCursor } } }"
"""Gives a cursor in the order of Q3."""


@dataclass(frozen=True)
class Operation:
    """One of the three, its values, and how many times as fast as the hand-written endpoint it must be."""

    name: str
    about: str
    text: str
    values: tuple[dict[str, Any], ...]
    target: float


def mark_of(cursor: str) -> str:
    """What ties a cursor to its order and filter: it stands at its beginning."""
    return b64decode(cursor)[:8].decode()


async def operations(connection: Any, tenant_id: Any, cursor_of_q3: str, count: int) -> tuple[Operation, ...]:
    """The operations with values of one tenant: random customers, every stage in every country, random pages."""
    chance = random.Random(7)
    rows = await connection.fetch("SELECT id FROM customers WHERE tenant_id = $1 ORDER BY id", tenant_id)
    chosen = [chance.choice(rows)["id"] for _ in range(count)]
    mark = mark_of(cursor_of_q3)
    places = [{"stage": stage, "country": country} for stage in STAGES for country in COUNTRIES]
    chance.shuffle(places)
    starts = [{"after": pages.encode_cursor(mark, chance.choice(rows)["id"].hex)} for _ in range(count)]
    return (
        Operation(
            "Q1", "360-degree view of a customer", Q1, tuple({"id": ids.encode("cus", id_)} for id_ in chosen), 1.0
        ),
        Operation("Q2", "page of 50 with stage and last 5 interactions", Q2, tuple(places), 1.5),
        Operation("Q3", "flat page of 500 x 10 fields", Q3, tuple(starts), 1.1),
    )
