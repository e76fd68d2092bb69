"""What somebody else did can be found and taken back: merges, vetoes and moves, by nothing but what reads show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.api import business
from tests.api.business import EVENING, NOON, Business
from tests.api.conftest import ALL_SCOPES

if TYPE_CHECKING:
    from uuid import UUID

    from api.engine import Engine
    from domain.core.database import Database

EDGES = """query ($id: ID!) { customer(by: {id: $id}) { mergedIds identityEdges(first: 9) { totalCount nodes {
  id kind customerId intoId customer { id } into { id } actor reason evidence { name value } undoneAt undoneBy
  undoes { id } } } } }"""
MOVES = """query ($id: ID!) { customer(by: {id: $id}) {
  stageHistory(first: 9) { nodes { stage { key } transition { id reason } } }
  timeline(first: 9, filter: {kind: {eq: STAGE_CHANGED}}) { nodes {
    ... on StageInteraction { transition { id } } } } } }"""


@pytest.fixture
async def founded(engine: Engine, database: Database, tenant: UUID) -> Business:
    return await business.found(engine, database, tenant)


async def read(of: Business, document: str, who: str, scopes: frozenset[str] = ALL_SCOPES) -> Any:
    answer = await of.caller.with_scopes(scopes).answer(document, id=who)
    assert "errors" not in answer, answer
    return answer["data"]["customer"]


async def test_a_merge_that_identifiers_proved_is_listed_and_undone(founded: Business) -> None:
    card = {"identities": [{"scheme": "tax_id", "value": "DE123"}]}
    made = [await founded.caller.do("createCustomer", {"name": name, **card}, "customer { id }") for name in "AB"]
    first = made[0]["customer"]["id"]
    assert made[1]["customer"]["id"] == first
    shown = await read(founded, EDGES, first)
    (edge,) = shown["identityEdges"]["nodes"]
    assert shown["mergedIds"] == [edge["customerId"]]
    assert edge["intoId"] == first
    assert (edge["kind"], edge["customer"], edge["reason"]) == ("MERGE", edge["into"], None)
    assert edge["evidence"] == [{"name": "tax_id", "value": "DE123"}]
    assert (edge["undoneAt"], edge["undoneBy"], edge["undoes"]) == (None, None, None)
    masked = await read(founded, EDGES, first, ALL_SCOPES - {"pii:read"})
    assert masked["identityEdges"]["nodes"][0]["evidence"] == [{"name": "tax_id", "value": "***"}]
    await founded.caller.do("unmergeCustomers", {"edges": [edge["id"]], "reason": "Two firms."})
    for who in (first, edge["customerId"]):
        told = await read(founded, EDGES, who)
        undoing, undone = told["identityEdges"]["nodes"]
        assert (told["mergedIds"], told["identityEdges"]["totalCount"]) == ([], 2)
        assert (undoing["kind"], undoing["undoes"], undoing["reason"]) == ("UNMERGE", {"id": edge["id"]}, "Two firms.")
        assert (undone["id"], undone["undoneBy"]) == (edge["id"], undoing["actor"])
        assert undone["undoneAt"] is not None
        assert undone["customer"] != undone["into"]


async def test_a_veto_is_listed_on_both_sides_and_lifted(founded: Business) -> None:
    await founded.caller.refused("mergeCustomers", {"into": founded.bea, "customers": [founded.ada]})
    for who in (founded.ada, founded.bea):
        (veto,) = (await read(founded, EDGES, who))["identityEdges"]["nodes"]
        assert (veto["id"], veto["kind"], veto["reason"]) == (founded.veto, "VETO", "They met.")
        assert (veto["intoId"], veto["customerId"]) == (founded.ada, founded.bea)
    await founded.caller.do("unmergeCustomers", {"edges": [veto["id"]]})
    await founded.caller.do("mergeCustomers", {"into": founded.bea, "customers": [founded.ada]})
    assert (await read(founded, EDGES, founded.ada))["mergedIds"] == [founded.ada]


async def test_a_move_is_found_and_corrected(founded: Business) -> None:
    shown = await read(founded, MOVES, founded.ada)
    stays = {stay["stage"]["key"]: stay["transition"]["id"] for stay in shown["stageHistory"]["nodes"]}
    assert stays["education"] == founded.move
    told = [entry["transition"]["id"] for entry in shown["timeline"]["nodes"]]
    assert sorted(told) == sorted(stays.values())
    asked = {"id": stays["education"], "occurredAt": EVENING, "reason": "The clock was wrong."}
    corrected = await founded.caller.do("correctTransition", asked, "transition { id }")
    (stay,) = [
        stay
        for stay in (await read(founded, MOVES, founded.ada))["stageHistory"]["nodes"]
        if stay["stage"]["key"] == "education"
    ]
    assert stay["transition"] == {"id": corrected["transition"]["id"], "reason": "The clock was wrong."}
    again = {"id": stay["transition"]["id"], "occurredAt": NOON, "reason": "It was right."}
    await founded.caller.do("correctTransition", again)
