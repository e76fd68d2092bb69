"""Contracts and opportunities are recorded, told anew, and read with what happened to them."""

from __future__ import annotations

from typing import Any

from tests.api.business import EVENING, MORNING, NOON, Caller

CONTRACT = """contract {
  id version number status plan startedAt termEndsOn endedOn eventCount mrr { amount currency } baseMrr { amount }
  customer { displayName } source { remoteId }
  events(first: 5) { nodes { position kind termStartsOn termEndsOn plan mrr { amount } product { sku } } }
}"""
OPPORTUNITY = (
    "opportunity { id version status stage closedOn probability amount { amount currency } baseAmount { amount } }"
)
START = {
    "kind": "START", "occurredAt": MORNING, "mrr": "99", "sku": "CRM", "plan": "Basic", "termEndsOn": "2027-03-01",
}  # fmt: skip


async def customer(caller: Caller, name: str) -> str:
    made = await caller.do("createCustomer", {"name": name}, "customer { id }")
    return str(made["customer"]["id"])


async def test_a_contract_shows_what_happened_to_it(caller: Caller) -> None:
    ada = await customer(caller, "Ada")
    asked: dict[str, Any] = {"customer": ada, "number": "C-1", "currency": "EUR", "events": [START]}
    made = (await caller.do("recordContract", asked, CONTRACT))["contract"]
    assert (made["version"], made["status"], made["mrr"]) == (1, "ACTIVE", {"amount": "99.00", "currency": "EUR"})
    upgrade = {"kind": "UPGRADE", "occurredAt": NOON, "mrr": "120.50", "plan": "Pro"}
    again = {**asked, "id": made["id"], "version": 1, "events": [upgrade, START]}
    told = (await caller.do("recordContract", again, CONTRACT))["contract"]
    term = {"termStartsOn": "2026-03-01", "termEndsOn": "2027-03-01", "product": {"sku": "CRM"}}
    assert told == {
        "id": made["id"], "version": 2, "number": "C-1", "status": "ACTIVE", "plan": "Pro",
        "startedAt": MORNING, "termEndsOn": "2027-03-01", "endedOn": None, "eventCount": 2,
        "mrr": {"amount": "120.50", "currency": "EUR"}, "baseMrr": {"amount": "120.50"},
        "customer": {"displayName": "Ada"}, "source": None,
        "events": {"nodes": [
            {"position": 1, "kind": "START", "plan": "Basic", "mrr": {"amount": "99.00"}, **term},
            {"position": 2, "kind": "UPGRADE", "plan": "Pro", "mrr": {"amount": "120.50"}, **term},
        ]},
    }  # fmt: skip
    document = """query ($id: ID!) { customer(by: {id: $id}) {
      contracts(first: 5, filter: {termEndsOn: {lt: "2027-03-02"}, status: {eq: ACTIVE}}) { nodes { number } } } }"""
    answer = await caller.answer(document, id=ada)
    assert answer["data"]["customer"]["contracts"]["nodes"] == [{"number": "C-1"}]
    stale = await caller.refused("recordContract", again, "contract { id }")
    assert (stale["__typename"], stale["path"]) == ("StaleVersion", ["version"])


async def test_what_is_no_contract_is_refused_with_its_place(caller: Caller) -> None:
    asked = {"currency": "EUR", "events": [START, {"kind": "END", "occurredAt": NOON}]}
    after = {**asked, "events": [*asked["events"], {"kind": "PAUSE", "occurredAt": EVENING}]}
    problem = await caller.refused("recordContract", after, "contract { id }")
    assert (problem["code"], problem["path"]) == ("NOTHING_HOLDS", ["events", "2"])
    nameless = await caller.refused("recordContract", {**asked, "version": 3}, "contract { id }")
    assert nameless["code"] == "VERSION_WITHOUT_ID"


async def test_an_opportunity_is_won(caller: Caller) -> None:
    bea = await customer(caller, "Bea")
    asked: dict[str, Any] = {
        "customer": bea, "openedAt": MORNING, "amount": "500", "currency": "EUR", "probability": "0.4",
        "stage": "Offer",
    }  # fmt: skip
    made = (await caller.do("recordOpportunity", asked, OPPORTUNITY))["opportunity"]
    won = {**asked, "id": made["id"], "version": 1, "status": "WON", "closedAt": NOON}
    assert (await caller.do("recordOpportunity", won, OPPORTUNITY))["opportunity"] == {
        "id": made["id"], "version": 2, "status": "WON", "stage": "Offer", "closedOn": "2026-03-01",
        "probability": "0.4", "amount": {"amount": "500.00", "currency": "EUR"}, "baseAmount": {"amount": "500.00"},
    }  # fmt: skip
    document = "{ opportunities(first: 5, filter: {status: {eq: WON}}) { nodes { id customer { displayName } } } }"
    answer = await caller.answer(document)
    assert answer["data"]["opportunities"]["nodes"] == [{"id": made["id"], "customer": {"displayName": "Bea"}}]
