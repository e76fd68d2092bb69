from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.api.business import EVENING, MORNING, NOON, Caller
from tests.api.conftest import identity

if TYPE_CHECKING:
    from uuid import UUID

    from api.engine import Engine
    from tests.snapshots import Snapshots

COUNTS = "created updated unchanged integration { connector account }"
RECORDS: dict[str, Any] = {
    "source": "shop",
    "customers": [
        {"id": "acme", "kind": "ORGANISATION", "name": "Acme", "addresses": [{"city": "Delft", "country": "NL"}]},
        {
            "id": "ada", "name": "Ada", "emails": ["ada@example.com"], "organisation": "acme",
            "identities": [{"scheme": "tax_id", "value": "NL123"}],
            "attributes": [{"key": "tier", "value": {"text": "gold"}}, {"key": "limit", "value": {"decimal": "2.50"}}],
        },
    ],
    "orders": [
        {
            "id": "o1", "customer": "ada", "occurredAt": MORNING, "currency": "EUR",
            "lines": [{"sku": "X1", "quantity": "3", "unitPrice": "1.005", "cost": "1.5"}, {"unitPrice": "2"}],
        },
    ],
    "refunds": [
        {"id": "r1", "customer": "ada", "order": "o1", "occurredAt": NOON, "currency": "EUR", "total": "1.02"},
    ],
    "interactions": [
        {"id": "i1", "kind": "CALL", "customer": "ada", "occurredAt": EVENING, "channel": "phone", "summary": "Why?"},
    ],
}  # fmt: skip
MORE: dict[str, Any] = {
    "source": "shop",
    "customers": [{"id": "ada", "name": "Ada", "emails": ["ada@example.com"], "department": "south"}],
    "products": [{"id": "p1", "sku": "CRM", "name": "The CRM", "family": "software", "tierRank": 2}],
    "invoices": [
        {
            "id": "b1", "customer": "ada", "occurredAt": MORNING, "currency": "EUR", "balance": "5",
            "dueOn": "2026-04-01", "lines": [{"sku": "p1", "unitPrice": "20"}],
        },
    ],
    "payments": [
        {
            "id": "y1", "number": "T-9", "customer": "ada", "occurredAt": NOON, "currency": "EUR", "amount": "12",
            "method": "transfer", "allocations": [{"invoice": "b1", "amount": "9"}],
        },
        {"id": "y2", "customer": "ada", "occurredAt": MORNING, "currency": "EUR", "amount": "4", "status": "FAILED"},
    ],
    "creditNotes": [
        {
            "id": "n1", "customer": "ada", "occurredAt": EVENING, "currency": "EUR", "balance": "0",
            "lines": [{"sku": "p1", "unitPrice": "6"}], "allocations": [{"invoice": "b1", "amount": "6"}],
        },
    ],
    "exchangeRates": [{"day": "2026-03-01", "base": "USD", "quote": "EUR", "rate": "0.91"}],
    "contracts": [
        {
            "id": "c1", "customer": "ada", "currency": "EUR",
            "events": [{"kind": "START", "occurredAt": MORNING, "mrr": "9", "product": "p1"}],
        },
    ],
    "opportunities": [{"id": "d1", "customer": "ada", "openedAt": MORNING, "amount": "100", "currency": "EUR"}],
    "costs": [
        {
            "id": "k1", "category": "SERVICE", "customer": "ada", "amount": "3", "currency": "EUR",
            "startsOn": "2026-03-01",
        },
    ],
    "interactions": [
        {
            "id": "e1", "kind": "EMAIL_SENT", "customer": "ada", "occurredAt": NOON,
            "payload": {"subject": "Offer", "recipients": ["ada@example.com"], "campaign": "spring"},
        },
        {"id": "u1", "kind": "USAGE", "customer": "ada", "occurredAt": NOON, "payload": {"quantity": "2.5"}},
        {
            "id": "e2", "kind": "EMAIL_RECEIVED", "occurredAt": EVENING, "summary": "Yes",
            "parties": ["ada@example.com", "+49 30 1234567"], "content": "Yes, please.",
        },
        {"id": "o2", "kind": "EMAIL_OPENED", "customer": "ada", "occurredAt": EVENING, "machineSuspected": True},
        {"id": "v1", "kind": "REFERRAL", "customer": "ada", "occurredAt": NOON, "payload": {"referred": "bea"}},
    ],
}  # fmt: skip
ADA = """{ customer(by: {email: "ada@example.com"}) { displayName organisation { displayName }
  attributes { key value { ... on TextValue { text } ... on DecimalValue { decimal } } }
  timeline(first: 9) { nodes { kind summary } }
  orders(first: 1) { nodes { lines(first: 2) { nodes { cost { amount currency } } } } }
  orderTotals { orders refunds net { amount currency } } } }"""


@pytest.fixture
async def caller(engine: Engine, tenant: UUID) -> Caller:
    made = Caller(engine, identity(tenant))
    for key, type_ in (("tier", "TEXT"), ("limit", "DECIMAL")):
        await made.do("defineAttribute", {"key": key, "type": type_, "label": key})
    return made


async def test_records_become_what_a_connector_would_have_made_of_them(caller: Caller) -> None:
    payload = await caller.do("importRecords", RECORDS, COUNTS)
    assert payload == {
        "created": 5, "updated": 0, "unchanged": 0, "problems": [],
        "integration": {"connector": "api", "account": "shop"},
    }  # fmt: skip
    ada = (await caller.answer(ADA))["data"]["customer"]
    assert ada["displayName"] == "Ada"
    assert ada["organisation"] == {"displayName": "Acme"}
    assert {each["key"]: each["value"] for each in ada["attributes"]} == {
        "tier": {"text": "gold"}, "limit": {"decimal": "2.5"},
    }  # fmt: skip
    assert {"kind": "CALL", "summary": "Why?"} in ada["timeline"]["nodes"]
    assert ada["orders"]["nodes"] == [
        {"lines": {"nodes": [{"cost": {"amount": "1.50", "currency": "EUR"}}, {"cost": None}]}}
    ]
    assert ada["orderTotals"] == {"orders": 1, "refunds": 1, "net": {"amount": "4.00", "currency": "EUR"}}


async def test_everything_that_a_connector_can_bring_is_taken(caller: Caller) -> None:
    payload = await caller.do("importRecords", MORE, COUNTS)
    assert (payload["created"], payload["updated"], payload["unchanged"]) == (15, 0, 0)
    document = """{ customer(by: {email: "ada@example.com"}) {
      invoices(first: 2) { nodes { total { amount } balance { amount } dueOn
        order { lines(first: 2) { nodes { product { sku tierRank family { key } } } } } } }
      payments(first: 2) { nodes { status method total { amount } unapplied { amount } allocations(first: 2) { nodes {
        amount { amount } invoice { balance { amount } } } } } }
      creditNotes(first: 2) { nodes { total { amount } balance { amount } allocations(first: 2) { nodes {
        amount { amount } } } } }
      contracts(first: 2) { nodes { mrr { amount } events(first: 2) { nodes { product { sku } } } } }
      opportunities(first: 2) { nodes { amount { amount } status } }
      costs(first: 2) { nodes { category amount { amount } } }
      orderTotals { net { amount } }
      timeline(first: 20) { nodes {
        kind summary ... on EmailInteraction { subject recipients content machineSuspected }
        ... on UsageInteraction { quantity }
      } }
    } }"""
    ada = (await caller.answer(document))["data"]["customer"]
    sold = {"product": {"sku": "CRM", "tierRank": 2, "family": {"key": "software"}}}
    assert ada["invoices"]["nodes"] == [
        {
            "total": {"amount": "20.00"}, "balance": {"amount": "5.00"}, "dueOn": "2026-04-01",
            "order": {"lines": {"nodes": [sold]}},
        }
    ]  # fmt: skip
    assert ada["payments"]["nodes"] == [
        {
            "status": "RECEIVED", "method": "transfer", "total": {"amount": "12.00"}, "unapplied": {"amount": "3.00"},
            "allocations": {"nodes": [{"amount": {"amount": "9.00"}, "invoice": {"balance": {"amount": "5.00"}}}]},
        },
        {
            "status": "FAILED", "method": None, "total": {"amount": "4.00"}, "unapplied": {"amount": "4.00"},
            "allocations": {"nodes": []},
        },
    ]  # fmt: skip
    assert ada["creditNotes"]["nodes"] == [
        {
            "total": {"amount": "6.00"}, "balance": {"amount": "0.00"},
            "allocations": {"nodes": [{"amount": {"amount": "6.00"}}]},
        }
    ]  # fmt: skip
    assert ada["orderTotals"] == {"net": {"amount": "14.00"}}
    assert ada["contracts"]["nodes"] == [
        {"mrr": {"amount": "9.00"}, "events": {"nodes": [{"product": {"sku": "CRM"}}]}}
    ]  # fmt: skip
    assert ada["opportunities"]["nodes"] == [{"amount": {"amount": "100.00"}, "status": "OPEN"}]
    timeline = {each["summary"] or each["kind"]: each for each in ada["timeline"]["nodes"]}
    assert timeline["EMAIL_SENT"]["recipients"] == ["ada@example.com"]
    assert timeline["USAGE"]["quantity"] == "2.5"
    assert (timeline["Yes"]["kind"], timeline["Yes"]["content"]) == ("EMAIL_RECEIVED", "Yes, please.")
    assert timeline["EMAIL_OPENED"]["machineSuspected"] is True
    again = await caller.do("importRecords", MORE, COUNTS)
    assert (again["created"], again["updated"], again["unchanged"]) == (0, 0, 15)


async def test_the_same_again_changes_no_record(caller: Caller, tables: Snapshots) -> None:
    await caller.do("importRecords", RECORDS)
    async with tables.only_changes({"sync_runs", "stream_states", "audit_entries"}):
        again = await caller.do("importRecords", RECORDS, COUNTS)
    assert (again["created"], again["updated"], again["unchanged"]) == (0, 0, 5)


async def test_what_a_source_says_anew_is_an_update(caller: Caller) -> None:
    await caller.do("importRecords", RECORDS)
    acme, ada = RECORDS["customers"]
    renamed = {"source": "shop", "customers": [acme, {**ada, "name": "Ada King"}]}
    again = await caller.do("importRecords", renamed, COUNTS)
    assert (again["created"], again["updated"], again["unchanged"]) == (0, 1, 2)  # Acme, and Acme as Ada names it
    assert (await caller.answer(ADA))["data"]["customer"]["displayName"] == "Ada King"


@pytest.mark.parametrize(
    ("records", "refused"),
    [
        (
            {"customers": [{"id": "a"}, {"id": "b", "attributes": [{"key": "colour", "value": {"text": "red"}}]}]},
            [(["customers", "1"], 'attributes.colour "red" is no attribute of this tenant; defined are: limit, tier')],
        ),
        (
            {"customers": [{"id": ""}], "interactions": [{"id": "i", "kind": "STAGE_CHANGED", "occurredAt": NOON}]},
            [
                (["customers", "0"], "Expected `str` of length >= 1 - at `$.id`"),
                (["interactions", "0"], "kind: there is no interaction STAGE_CHANGED"),
            ],
        ),
        (
            {"interactions": [{"id": "i", "kind": "CALL", "occurredAt": NOON, "channel": "pigeon"}]},
            [(["interactions", "0"], 'channel "pigeon" is none of ')],
        ),
        (
            {"interactions": [{"id": "i", "kind": "CALL", "occurredAt": NOON, "parties": ["+49 1", "z@example.org"]}]},
            [(["interactions", "0"], 'parties "+49 1, z@example.org" are of nobody who is known here')],
        ),
        (
            {
                "orders": [{"id": "o", "occurredAt": NOON, "currency": "EUR", "total": "1"}],
                "refunds": [
                    {"id": "r", "occurredAt": NOON, "currency": "EUR", "lines": [{"unitPrice": "1e30"}]},
                ],
            },
            [(["refunds", "0"], "unit_price ")],
        ),
        (
            {
                "interactions": [{"id": "i", "kind": "CALL", "occurredAt": NOON, "payload": {"subject": "Hello"}}],
                "contracts": [{"id": "c", "currency": "EUR", "events": [{"kind": "END", "occurredAt": NOON}]}],
            },
            [(["interactions", "0"], "Object contains unknown field `subject` - at `$.payload`")],
        ),
        (
            {"contracts": [{"id": "c", "currency": "EUR", "events": [{"kind": "END", "occurredAt": NOON}]}]},
            [(["contracts", "0"], "events.0 A contract begins with a START.")],
        ),
        (
            {
                "customers": [{"id": "1", "name": "Ada"}],
                "payments": [{"id": "1", "occurredAt": NOON, "currency": "EUR", "amount": "1e30"}],
            },
            [(["payments", "0"], "amount ")],
        ),
        (
            {
                "creditNotes": [
                    {"id": "n", "occurredAt": NOON, "currency": "EUR", "total": "1", "balance": "1e30"},
                ],
                "exchangeRates": [
                    {"day": "2026-03-01", "base": "USD", "quote": "EUR", "rate": "1e30"},
                    {"day": "2026-03-01", "base": "EUR", "quote": "EUR", "rate": "1"},
                    {"day": "2026-03-01", "base": "USD", "quote": "CHF", "rate": "0"},
                ],
            },
            [
                (["exchangeRates", "0"], "rate "), (["exchangeRates", "1"], "quote "),
                (["exchangeRates", "2"], "rate "), (["creditNotes", "0"], "balance "),
            ],
        ),
        ({"source": " "}, [(["source"], "lower case letters")]),
        ({"source": "S 1!"}, [(["source"], "lower case letters")]),
        (
            {"orders": [{"id": "o", "occurredAt": NOON, "currency": "GBP", "total": "1.001"}]},
            [(["orders", "0"], "decimals")],
        ),
        (
            {"orders": [{"id": "o", "occurredAt": "1753-01-01T00:00:00Z", "currency": "GBP", "total": "1"}]},
            [(["orders", "0"], "1753-01-01T00:00:00+00:00 is before 1900: leave out what is not known")],
        ),
    ],
)  # fmt: skip
async def test_all_or_none_of_the_records_are_taken(
    caller: Caller, tables: Snapshots, records: dict[str, Any], refused: list[tuple[list[str], str]]
) -> None:
    async with tables.nothing_changes():
        payload = await caller.payload("importRecords", {"source": "shop", **records}, COUNTS)
    problems = payload.pop("problems")
    assert set(payload.values()) == {None}
    assert [problem["path"] for problem in problems] == [path for path, _ in refused]
    for problem, (_, reason) in zip(problems, refused, strict=True):
        assert (problem["__typename"], problem["code"]) == ("InvalidInput", "RECORD_REFUSED")
        assert reason in problem["message"]


async def test_what_cannot_be_read_of_a_record_is_told_and_the_rest_is_taken(caller: Caller) -> None:
    records = {"customers": [{"id": "1", "name": "Eve", "emails": ["bad@@", "eve@example.org"], "phones": ["12"]}]}
    payload = await caller.payload("importRecords", {"source": "s-1", **records}, "created unreadable { path reason }")
    assert payload == {
        "created": 1,
        "unreadable": [
            {"path": ["customers", "0", "emails"], "reason": "is no e-mail address"},
            {
                "path": ["customers", "0", "phones"],
                "reason": "is no phone number; without an address in a country it needs its country code",
            },
        ],
        "problems": [],
    }
    letters = "{ integrations(first: 1) { nodes { deadLetters(first: 5) { nodes { field landed reason } } } } }"
    told = await caller.answer(letters)
    assert told["data"]["integrations"]["nodes"][0]["deadLetters"]["nodes"] == [
        {"field": "phones", "landed": True, "reason": payload["unreadable"][1]["reason"]},
        {"field": "emails", "landed": True, "reason": "is no e-mail address"},
    ]
