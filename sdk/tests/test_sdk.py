"""The promises of the SDK's own parts."""

from __future__ import annotations

import importlib
import inspect
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tenure_sdk
from tenure_sdk import (
    LINE_COLUMNS,
    LINE_TYPES,
    PAYLOADS,
    RECORD_TYPES,
    REQUIRED_LINE_COLUMNS,
    Allocation,
    Connector,
    ConnectorError,
    Context,
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
    Opportunity,
    Order,
    OrderLine,
    Payment,
    Product,
    RateLimited,
    RecordRejected,
    Ref,
    Refund,
    Transient,
    fold_digits,
    fold_key,
    record_type,
)

AT = datetime(2024, 1, 1, tzinfo=UTC)
LINE = OrderLine(product=Ref("product", "TEA"), quantity=Decimal("0.1"), unit_price=Decimal("0.001"))
ALLOCATION = Allocation(invoice=Ref("invoice", "1"), amount=Decimal("0.1"))
RECORDS = [
    Customer(id="1", name="علی", identities=(Identity("tax_id", "7"),), attributes={"tier": 3}, extra={"vip": True}),
    Product(id="TEA", sku="TEA"),
    Order(id="1", occurred_at=AT, currency="EUR", lines=(LINE,), kind="ADJUSTMENT"),
    Invoice(id="1", occurred_at=AT, currency="EUR", lines=(LINE,), due_on=AT.date(), balance=Decimal("0.1")),
    Payment(id="1", occurred_at=AT, currency="EUR", amount=Decimal("0.1"), allocations=(ALLOCATION,)),
    CreditNote(id="1", occurred_at=AT, currency="EUR", total=Decimal("0.1"), allocations=(ALLOCATION,)),
    Refund(id="1", occurred_at=AT, currency="EUR", total=Decimal("1.50"), order=Ref("order", "1")),
    Contract(
        id="1", currency="EUR", events=(ContractEvent(kind="START", occurred_at=AT, mrr=Decimal("0.1"), family="tea"),)
    ),
    Opportunity(id="1", opened_at=AT, amount=Decimal("0.1"), currency="EUR", probability=Decimal("0.25")),
    Cost(id="1", category="SERVICE", amount=Decimal("-0.1"), currency="EUR", starts_on=AT.date(), rule="BY_TOUCH"),
    Interaction(id="1", kind="EMAIL_SENT", occurred_at=AT, payload=Email(subject="Hello")),
    ExchangeRate(id="1", date=AT.date(), base="USD", quote="EUR", rate=Decimal("0.9")),
]


@pytest.mark.parametrize("record", RECORDS, ids=record_type)
def test_records_survive_json_exactly(record: Any) -> None:
    written = msgspec.json.encode(record)
    assert msgspec.json.decode(written, type=tenure_sdk.AnyRecord) == record
    assert RECORD_TYPES[record_type(record)] is type(record)


def test_every_record_type_is_tried() -> None:
    assert {record_type(record) for record in RECORDS} == set(RECORD_TYPES)


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("customer", {"id": ""}),
        ("customer", {"colour": "red"}),
        ("customer", {"addresses": [{"country": "EIRE"}]}),
        ("order", {"currency": "eur"}),
        ("order", {"occurred_at": "2024-01-01T00:00:00"}),
        ("order", {"total": "one"}),
        ("contract", {"events": [{"kind": "BEGIN", "occurred_at": "2024-01-01T00:00:00Z"}]}),
        ("cost", {"category": "FUN"}),
        ("interaction", {"kind": "SMOKE_SIGNAL"}),
        ("interaction", {"payload": {"type": "note", "text": "x"}}),
    ],
)
def test_what_is_no_record_is_refused(kind: str, change: dict[str, Any]) -> None:
    record = next(record for record in RECORDS if record_type(record) == kind)
    plain = msgspec.json.decode(msgspec.json.encode(record)) | change
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(plain, RECORD_TYPES[kind])


def test_a_payload_fits_its_kind() -> None:
    for kind, family in PAYLOADS.items():
        assert isinstance(kind, str)
        assert issubclass(family, msgspec.Struct)
    with pytest.raises(ValueError, match="CALL takes Call, not Email"):
        Interaction(id="1", kind="CALL", occurred_at=AT, payload=Email())


def test_the_columns_of_lines() -> None:
    assert set(REQUIRED_LINE_COLUMNS) <= LINE_COLUMNS.keys()
    assert {record for record, _ in LINE_TYPES.values()} <= RECORD_TYPES.keys()


def test_public_names_are_listed_and_described() -> None:
    public = {name for name, thing in vars(tenure_sdk).items() if name[0] != "_" and not inspect.ismodule(thing)}
    assert set(tenure_sdk.__all__) == public - {"annotations"}
    for name in tenure_sdk.__all__:
        thing = getattr(tenure_sdk, name)
        if inspect.isclass(thing) or inspect.isfunction(thing):
            assert thing.__doc__, name


def test_errors_say_what_to_do() -> None:
    assert str(Transient()) == "The remote side failed for the moment; try again a little later."
    assert RateLimited(2.5).retry_after == 2.5
    assert RecordRejected("7", "has no name", field="name").field == "name"
    errors = importlib.import_module("tenure_sdk.errors")
    groups = [thing for _, thing in inspect.getmembers(errors, inspect.isclass)]
    assert all(issubclass(group, ConnectorError) and group.__name__ in tenure_sdk.__all__ for group in groups)


def test_a_connector_names_its_settings() -> None:
    class Nameless(Connector):  # type: ignore[type-arg]
        pass

    with pytest.raises(TypeError, match="write Connector"):
        Nameless.config_type()


def test_a_subclass_keeps_settings_and_streams() -> None:
    class Config(msgspec.Struct):
        pass

    class Parent(Connector[Config]):
        @tenure_sdk.stream(Customer)
        async def customers(self, _ctx: Context[Config], _cursor: Any) -> Any:
            yield tenure_sdk.Page([])

    class Child(Parent):
        pass

    assert Child.config_type() is Config
    assert [stream.name for stream in Child.streams()] == ["customers"]


def test_the_time_is_the_hosts() -> None:
    assert Context(LINE, now=lambda: AT).now() is AT


@pytest.mark.parametrize(
    ("written", "folded"),
    [
        ("علي", "علی"),
        ("كریم", "کریم"),
        ("۰۹۱۲", "0912"),
        ("٠٩١٢", "0912"),
        ("می\u200cرود", "میرود"),
        ("م\u0640حمد", "محمد"),
        (" a ", "a"),
    ],
)
def test_folding(written: str, folded: str) -> None:
    assert fold_key(written) == folded


@given(st.text())
def test_folding_twice_is_folding_once(text: str) -> None:
    assert fold_key(fold_key(text)) == fold_key(text)


@given(st.text(), st.text(alphabet="\u200c\u0640"), st.text())
def test_what_only_shapes_the_script_tells_nobody_apart(before: str, between: str, after: str) -> None:
    assert fold_key(before + between + after) == fold_key(before + after)


@given(st.integers(min_value=0))
def test_digits_are_digits_in_every_script(number: int) -> None:
    for zero in (0x6F0, 0x660):
        assert fold_digits("".join(chr(zero + int(digit)) for digit in str(number))) == str(number)
