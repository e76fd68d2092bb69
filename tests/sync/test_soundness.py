"""Records whose fields hold something else than their types say."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from sync import soundness
from tenure_sdk import Customer, Email, Interaction, Invoice, Meeting, OrderLine, Ref

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
LINE = OrderLine(product=Ref("product", "7"), quantity=Decimal(2), unit_price=Decimal("3.50"))
INVOICE = Invoice(id="1", occurred_at=NOON, currency="EUR", lines=(LINE,), due_on=date(2026, 2, 1), extra={"a": None})


def test_what_is_as_its_type_says_is_sound() -> None:
    soundness.check(INVOICE)
    soundness.check(Customer(id="1", emails=["a@b.example"]))  # type: ignore[arg-type]
    soundness.check(Interaction(id="1", kind="EMAIL_SENT", occurred_at=NOON, payload=Email(subject="Hello")))


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"id": ""}, "id"),
        ({"currency": "eur"}, "currency"),
        ({"occurred_at": NOON.replace(tzinfo=None)}, "occurred_at"),
        ({"balance": "3"}, "balance"),
        ({"status": "LATE"}, "status"),
        ({"due_on": NOON}, "due_on"),
        ({"extra": {"a": 1.5}}, "extra[...]"),
        ({"customer": Ref("customer", "")}, "customer.id"),
        ({"lines": (LINE, msgspec.structs.replace(LINE, quantity=2.0))}, "lines[1].quantity"),
        ({"lines": (msgspec.structs.replace(LINE, product=Ref("product", 7)),)}, "lines[0].product.id"),  # type: ignore[arg-type]
    ],
)
def test_what_is_not_is_told_by_its_place(fields: dict[str, Any], place: str) -> None:
    with pytest.raises(msgspec.ValidationError) as problem:
        soundness.check(msgspec.structs.replace(INVOICE, **fields))
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
    assert str(problem.value) == told.format("is before 1900: leave out what is not known")
    soundness.check(Customer(id="1", attributes={"born": "1815-12-10"}, created_at=NOON.replace(year=1900)))


def test_what_no_record_may_hold_is_refused() -> None:
    @dataclass
    class Own:
        pass

    with pytest.raises((msgspec.ValidationError, TypeError)):
        soundness.check(msgspec.structs.replace(INVOICE, number=Own()))
