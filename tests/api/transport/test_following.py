from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from tests.api.transport.conftest import Token, issue
from tests.api.transport.talking import Talk, introduced

if TYPE_CHECKING:
    from uuid import UUID

    from domain.core.database import Database

CREATE = 'mutation { createCustomer(input: {name: "Ada"}) { customer { id } } }'
RECORD = """mutation ($customer: ID!, $summary: String!) {
  recordInteraction(input: {customer: $customer, kind: NOTE, occurredAt: "2026-05-01T12:00:00Z", summary: $summary,
    payload: {text: "Something"}}) { problems { message } } }"""
FOLLOW = """subscription ($customer: ID!, $after: String) {
  customerActivity(customer: $customer, after: $after) {
    cursor interaction { kind summary customer { displayName } } } }"""


async def record(talk: Talk, customer: str, summary: int) -> None:
    done = await talk.answer(RECORD, variables={"customer": customer, "summary": str(summary)})
    assert done == {"recordInteraction": {"problems": []}}


async def heard(talk: Talk) -> tuple[str, int]:
    """The cursor and the number of the next event."""
    message = await talk.hear()
    assert (message["type"], message["id"]) == ("next", "f")
    event = message["payload"]["data"]["customerActivity"]
    summary = event["interaction"].pop("summary")
    assert event["interaction"] == {"kind": "NOTE", "customer": {"displayName": "Ada"}}
    return event["cursor"], int(summary)


async def recorded_until_heard(doing: Talk, following: Talk, customer: str) -> tuple[str, int, int]:
    """Record until the first event comes: its cursor, its number, and the number that was recorded last."""
    for number in range(100):
        await record(doing, customer, number)
        with suppress(TimeoutError):
            async with asyncio.timeout(1):
                return *await heard(following), number
    raise AssertionError("Nothing was heard.")


async def test_activity_is_followed_and_resumed_without_a_hole(address: str, token: Token) -> None:
    async with introduced(address, token) as doing, introduced(address, token) as following:
        customer = (await doing.answer(CREATE))["createCustomer"]["customer"]["id"]
        await following.ask("f", FOLLOW, variables={"customer": customer})
        cursor, first, last = await recorded_until_heard(doing, following, customer)
        for number in range(first + 1, last + 1):
            cursor, found = await heard(following)
            assert found == number
        await following.say("complete", id="f")
        await record(doing, customer, last + 1)
        await record(doing, customer, last + 2)
        await following.ask("f", FOLLOW, variables={"customer": customer, "after": cursor})
        assert [(await heard(following))[1] for _ in range(2)] == [last + 1, last + 2]


async def test_nobody_follows_another_tenants_customer(
    database: Database, address: str, token: Token, other_tenant: UUID
) -> None:
    stranger = await issue(database, other_tenant)
    async with introduced(address, token) as doing, introduced(address, stranger) as following:
        customer = (await doing.answer(CREATE))["createCustomer"]["customer"]["id"]
        await following.ask("f", FOLLOW, variables={"customer": customer})
        refused = await following.hear()
        assert (refused["type"], refused["id"]) == ("next", "f")
        assert refused["payload"]["data"] is None
        assert [error["extensions"] for error in refused["payload"]["errors"]] == [{"code": "BAD_USER_INPUT"}]
        assert (await following.hear())["type"] == "complete"


ENABLE = 'mutation { enableConnector(input: {connector: "files"}) { problems { message } } }'
MAKE = """mutation { createIntegration(input: {connector: "files", label: "Shop"}) {
  integration { id version } problems { message } } }"""
CHANGED = "subscription { integrationChanged { integration { label state } } }"


async def test_a_new_integration_is_heard_of_over_a_socket(address: str, token: Token) -> None:
    async with introduced(address, token) as doing, introduced(address, token) as following:
        await following.ask("f", CHANGED)
        await asyncio.sleep(1)
        assert (await doing.answer(ENABLE))["enableConnector"] == {"problems": []}
        assert (await doing.answer(MAKE))["createIntegration"]["problems"] == []
        message = await following.hear()
        assert (message["type"], message["id"]) == ("next", "f")
        event = message["payload"]["data"]["integrationChanged"]
        assert event == {"integration": {"label": "Shop", "state": "DRAFT"}}
