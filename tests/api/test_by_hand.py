from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from api.problems import BadUserInput
from tests.api.business import NOON, Caller

if TYPE_CHECKING:
    from tests.snapshots import Snapshots

WHO = "{customer}"
FOLLOWS = "{kind} follows from what {by} writes down, and is not recorded by itself. Use {by}."


@pytest.mark.parametrize(
    ("mutation", "asked", "code", "message", "path"),
    [
        (
            "createCustomer", {"name": "x" * 513}, "TEXT_TOO_LONG",
            "A name, or the purpose of a consent, has at most 512 characters. Shorten it.", ["name"],
        ),
        (
            "recordConsent", {"customer": WHO, "purpose": " ", "channel": "EMAIL", "decision": "GRANTED"},
            "UNREADABLE_TEXT", "A text needs at least one character that can be read.", ["purpose"],
        ),
        (
            "recordConsent", {"customer": WHO, "purpose": "x" * 513, "channel": "EMAIL", "decision": "GRANTED"},
            "TEXT_TOO_LONG", "A name, or the purpose of a consent, has at most 512 characters. Shorten it.",
            ["purpose"],
        ),
        (
            "recordInteraction", {"customer": WHO, "kind": "ORDER_PLACED", "occurredAt": NOON}, "FOLLOWS_FROM_DOCUMENT",
            FOLLOWS.format(kind="ORDER_PLACED", by="recordOrder"),
            ["kind"],
        ),
        (
            "recordInteraction", {"kind": "ORDER_CANCELLED", "occurredAt": NOON}, "FOLLOWS_FROM_DOCUMENT",
            FOLLOWS.format(kind="ORDER_CANCELLED", by="cancelOrder"),
            ["kind"],
        ),
    ],
)  # fmt: skip
async def test_what_cannot_be_said_by_hand_is_refused_and_changes_nothing(
    caller: Caller, tables: Snapshots, mutation: str, asked: dict[str, Any], code: str, message: str, path: list[str]
) -> None:
    made = await caller.payload("createCustomer", {"name": "Ada"}, "customer { id }")
    asked = {name: made["customer"]["id"] if value == WHO else value for name, value in asked.items()}
    async with tables.nothing_changes():
        payload = await caller.payload(mutation, asked)
    assert payload["problems"] == [{"__typename": "InvalidInput", "code": code, "message": message, "path": path}]


@pytest.mark.parametrize(
    ("mutation", "asked", "reason"),
    [
        ("createCustomer", {"country": "ZZ"}, "A country (ISO 3166-1) by its two capital letters, such as DE,"),
        (
            "recordConsent", {"customer": "cus_x", "purpose": "news", "channel": "X", "decision": "GRANTED"},
            "Value 'X' does not exist in 'Channel' enum",
        ),
    ],
)  # fmt: skip
async def test_a_country_and_a_channel_are_of_those_that_there_are(
    caller: Caller, mutation: str, asked: dict[str, Any], reason: str
) -> None:
    with pytest.raises(BadUserInput) as refused:
        await caller.respond(mutation, asked)
    assert reason in str(refused.value)
