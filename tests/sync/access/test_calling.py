"""What a person is told to do so that the other side calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from domain.core.settings import Settings
from sync import registry
from sync.access import calling
from tenure_sdk import Connector, HmacSignature, webhook

if TYPE_CHECKING:
    from tenure_sdk import Delivery, Signal

SHIPPED = registry.load().connectors
PUBLIC = Settings(public_url="https://crm.example.com", webhook={})


class Desk(Connector[Any]):
    key, title = "desk", "Desk"
    webhook_help = ("Choose all events.",)

    @webhook(HmacSignature(header="x-desk"))
    def called(self, delivery: Delivery) -> list[Signal]:
        return []


def test_an_app_is_called_at_one_address_and_its_secret_is_the_operators() -> None:
    quickbooks = SHIPPED["quickbooks"]
    address, *between, secret = calling.steps(PUBLIC, quickbooks)
    assert address == (
        "Whoever keeps the app at the vendor registers this address for its calls: "
        "https://crm.example.com/hooks/app/quickbooks/events"
    )
    assert tuple(between) == quickbooks.webhook_help
    assert secret.startswith("The operator sets TENURE_WEBHOOK_QUICKBOOKS_SECRET ")
    known = PUBLIC.model_copy(update={"webhook": {"QUICKBOOKS": SecretStr("verifier")}})
    assert calling.steps(known, quickbooks) == [address, *between]


def test_who_can_be_asked_to_call_is_asked() -> None:
    asked = "Nothing: an active integration asks Outlook to call, and renews that in time."
    assert calling.steps(PUBLIC, SHIPPED["outlook"]) == [asked]


def test_an_address_of_its_own_is_shown_once() -> None:
    shown = "rotateWebhookSecret of the integration shows an address and a secret, once: register both at the vendor."
    assert calling.steps(PUBLIC, Desk) == [shown, "Choose all events."]


def test_without_a_public_address_nobody_can_call() -> None:
    assert calling.steps(Settings(public_url=None), Desk) == [calling.NEEDS_ADDRESS]
    assert calling.steps(Settings(public_url=None), SHIPPED["files"]) == []
