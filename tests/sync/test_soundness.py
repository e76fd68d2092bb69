"""Records whose fields hold something else than their types say."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from sync import soundness
from tenure_sdk import (
    Address,
    Allocation,
    Contract,
    ContractEvent,
    Cost,
    CreditNote,
    Customer,
    Email,
    ExchangeRate,
    Identity,
    Interaction,
    Invoice,
    Meeting,
    Opportunity,
    Order,
    OrderLine,
    Payment,
    Product,
    Ref,
    Refund,
)

NOON, DAY = datetime(2026, 1, 2, 12, tzinfo=UTC), date(2026, 1, 2)
LINE = OrderLine(product=Ref("product", "7"), quantity=Decimal(2), unit_price=Decimal("3.50"))
EVERYTHING = (
    Customer(
        id="2", version="1", created_at=NOON, kind="ORGANISATION", name="Ada", emails=("a@b.example",),
        addresses=(Address(city="Paris", country="FR"),), identities=(Identity("tax_id", "7"),),
        organisation=Ref("customer", "1"), attributes={"size": 7, "is_new": True, "plan": None},
    ),
    Product(id="3", sku="A", tier_rank=2),
    Order(id="4", occurred_at=NOON, currency="EUR", lines=(LINE, LINE), total=Decimal(14)),
    Refund(id="5", occurred_at=NOON, currency="EUR", order=Ref("order", "4")),
    Payment(
        id="6", occurred_at=NOON, currency="EUR", amount=Decimal(7),
        allocations=(Allocation(invoice=Ref("invoice", "1"), amount=Decimal(7)),),
    ),
    CreditNote(id="7", occurred_at=NOON, currency="EUR", balance=Decimal(0)),
    Contract(id="8", currency="EUR", events=(ContractEvent(kind="START", occurred_at=NOON, term_starts_on=DAY),)),
    Opportunity(id="9", opened_at=NOON, amount=Decimal(9), currency="EUR"),
    Cost(id="10", category="COGS", amount=Decimal(-1), currency="EUR", starts_on=DAY, rule="EQUAL"),
    ExchangeRate(id="11", date=DAY, base="EUR", quote="USD", rate=Decimal("1.1")),
)  # fmt: skip
INVOICE = Invoice(id="1", occurred_at=NOON, currency="EUR", lines=(LINE,), due_on=date(2026, 2, 1), extra={"a": None})


def test_what_is_as_its_type_says_is_sound() -> None:
    soundness.check(INVOICE)
    assert soundness.are_sound([INVOICE, Customer(id="1"), *EVERYTHING])
    soundness.check(Customer(id="1", emails=["a@b.example"]))  # type: ignore[arg-type]
    soundness.check(Interaction(id="1", kind="EMAIL_SENT", occurred_at=NOON, payload=Email(subject="Hello")))


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"id": ""}, "id"),
        ({"currency": "eur"}, "currency"),
        ({"occurred_at": NOON.replace(tzinfo=None)}, "occurred_at"),
        ({"balance": "3"}, "balance"),
        ({"number": "n" * 513}, "number"),
        ({"status": "LATE"}, "status"),
        ({"due_on": NOON}, "due_on"),
        ({"extra": {"a": 1.5}}, "extra[...]"),
        ({"customer": Ref("customer", "")}, "customer.id"),
        ({"lines": (LINE, msgspec.structs.replace(LINE, quantity=2.0))}, "lines[1].quantity"),
        ({"lines": (msgspec.structs.replace(LINE, product=Ref("product", 7)),)}, "lines[0].product.id"),  # type: ignore[arg-type]
    ],
)
def test_what_is_not_is_told_by_its_place(fields: dict[str, Any], place: str) -> None:
    bad = msgspec.structs.replace(INVOICE, **fields)
    assert not soundness.are_sound([INVOICE, bad, INVOICE])
    with pytest.raises(msgspec.ValidationError) as problem:
        soundness.check(bad)
    assert str(problem.value).endswith(f"`$.{place}`")


NEVER = datetime.min.replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("record", "told"),
    [
        (msgspec.structs.replace(INVOICE, occurred_at=NEVER), "0001-01-01T00:00:00+00:00 {} - at `$.occurred_at`"),
        (msgspec.structs.replace(INVOICE, due_on=date(1899, 12, 30)), "1899-12-30 {} - at `$.due_on`"),
        (Customer(id="1", created_at=NEVER), "0001-01-01T00:00:00+00:00 {} - at `$.created_at`"),
        (Interaction(id="1", kind="MEETING", occurred_at=NOON, payload=Meeting(ends_at=NEVER)),
         "0001-01-01T00:00:00+00:00 {} - at `$.ends_at`"),
    ],
)  # fmt: skip
def test_a_date_that_stands_for_none_is_refused(record: Any, told: str) -> None:
    with pytest.raises(msgspec.ValidationError) as problem:
        soundness.check(record)
    assert not soundness.are_sound([record])
    assert str(problem.value) == told.format("is before 1900: leave out what is not known")
    soundness.check(Customer(id="1", attributes={"born": "1815-12-10"}, created_at=NOON.replace(year=1900)))


def test_what_no_record_may_hold_is_refused() -> None:
    @dataclass
    class Own:
        pass

    with pytest.raises((msgspec.ValidationError, TypeError)):
        soundness.check(msgspec.structs.replace(INVOICE, number=Own()))
    assert not soundness.are_sound([msgspec.structs.replace(INVOICE, number=Own())])


def test_what_was_not_seen_to_be_sound_may_be_so() -> None:
    early = Customer(id="1", created_at=datetime(1900, 1, 1, tzinfo=UTC))
    listed = Customer(id="1", emails=["a@b.example"])  # type: ignore[arg-type]
    met = Interaction(id="1", kind="EMAIL_SENT", occurred_at=NOON, payload=Email(subject="Hello"))
    for record in (early, listed, met):
        assert not soundness.are_sound([record])
        soundness.check(record)
