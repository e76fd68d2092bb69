"""What the lines of a file become."""

from __future__ import annotations

import asyncio
import gc
from contextlib import aclosing
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from plugins.files import connector
from tenure_sdk import (
    Address,
    ConfigInvalid,
    CursorExpired,
    Customer,
    Email,
    ExchangeRate,
    Identity,
    Interaction,
    LinePage,
    Product,
    Ref,
    Reject,
)

RULES = """id = ["no"]
rules = [
  { when = { column = "no", starts_with = "C" }, type = "refund" },
  { when = { column = "no", matches = "^A[0-9]" }, type = "adjustment" },
]
only = [{ column = "sku", one_of = ["A", "B"] }]
negate = { refund = ["quantity"] }
"""


def test_lines_of_documents(desk: Any, orders: str, header: str) -> None:
    lines = ["1,2024-01-01,k,A,2,1.5", "C2,2024-01-02,,B,-3,2", "A3,2024-01-03,k,A,1,-9", "4,2024-01-04,k,POSTAGE,1,1"]
    [page] = desk.read(header + "\n".join(lines), orders.replace('id = ["no"]', RULES)).pages
    assert isinstance(page, LinePage)
    assert page.columns == (
        "line", "document", "type", "occurred_at", "customer", "currency", "sku", "quantity", "unit_price",
    )  # fmt: skip
    day = [datetime(2024, 1, number, tzinfo=UTC) for number in (1, 2, 3)]
    assert page.rows == [
        (2, "1", "order", day[0], "k", "EUR", "A", Decimal(2), Decimal("1.5")),
        (3, "C2", "refund", day[1], None, "EUR", "B", Decimal(3), Decimal(2)),
        (4, "A3", "adjustment", day[2], "k", "EUR", "A", Decimal(1), Decimal(-9)),
    ]
    assert (page.complete, page.rejects, page.progress) == (False, [], 1.0)


def test_what_the_goods_of_a_line_cost_is_a_field_of_its_own(desk: Any, orders: str, header: str) -> None:
    rules = RULES.replace('refund = ["quantity"]', 'refund = ["quantity", "cost"]')
    mapping = orders.replace('id = ["no"]', rules) + 'cost = "cost"'
    lines = [
        "1,2024-01-01,k,A,2,1.5,2.10",
        "2,2024-01-02,k,B,1,2,",
        "C3,2024-01-02,k,B,-1,2,-0.7",
        "4,2024-01-02,k,A,1,2,?",
    ]
    read = desk.read(header.strip() + ",cost\n" + "\n".join(lines), mapping)
    assert [row["cost"] for row in read.rows] == [Decimal("2.10"), None, Decimal("0.7")]
    assert read.rejects == [Reject(5, "cost", "?", "is no number with the decimal mark .", "4")]


def test_bad_lines_are_left_out_and_named(desk: Any, header: str) -> None:
    lines = [
        "1,2024-01-01,k,A,2,1.5",
        "2,2024-02-30,k,A,two,1.5",
        ",2024-01-01,k,A,2,1.5",
        "4,,k,A,2,1.5",
        "5,2024-01-01,k,A,2,",
        "6,2024-01-01,k",
        '7,"2024"x,k,A,2,1',
        "8,2024-01-01,k,A,2,1.5",
    ]
    read = desk.read(header + "\n".join(lines))
    assert [row["document"] for row in read.rows] == ["1", "8"]
    assert sorted(read.rejects, key=lambda reject: (reject.line, reject.field or "")) == [
        Reject(3, "occurred_at", "2024-02-30", "is no date like 2011-12-09 or 2011-12-09T12:50:00", "2"),
        Reject(3, "quantity", "two", "is no number with the decimal mark .", "2"),
        Reject(4, "id", None, "is missing"),
        Reject(5, "occurred_at", "", "is missing", "4"),
        Reject(6, "unit_price", None, "is missing", "5"),
        Reject(7, None, None, "has 3 cells where the header has 6"),
        Reject(8, None, None, "is not CSV: ',' expected after '\"'"),
    ]


def test_a_quote_that_never_closes_is_a_truncated_file(desk: Any, header: str) -> None:
    with pytest.raises(ConfigInvalid, match="truncated"):
        desk.read(header + '1,2024-01-01,k,"A,2,1.5\n')


@pytest.mark.parametrize(("unlisted", "country"), [("keep", None), ("empty", None), ("reject", None)])
def test_values_that_are_not_listed(desk: Any, orders: str, header: str, unlisted: str, country: None) -> None:
    rule = f'country = {{ column = "who", values = {{ EIRE = "IE" }}, unlisted = "{unlisted}" }}'
    read = desk.read(f"{header}1,2024-01-01,EIRE,A,1,1\n2,2024-01-01,Avalon,A,1,1\n", orders + rule)
    if unlisted == "empty":
        assert [row["country"] for row in read.rows] == ["IE", country]
    else:
        reason = (
            "is no ISO 3166 code of 2 letters"
            if unlisted == "keep"
            else "is not among the values that the mapping lists"
        )
        assert [row["country"] for row in read.rows] == ["IE"]
        assert read.rejects == [Reject(3, "country", "Avalon", reason, "2")]


def test_identity_keys_are_folded(desk: Any, header: str) -> None:
    lines = ["۱۲,2024-01-01,علي,A,1,1", "12,2024-01-01,عل\u0640ی\u200c,A,1,1"]
    rows = desk.read(header + "\n".join(lines)).rows
    assert [(row["document"], row["customer"]) for row in rows] == [("12", "علی")] * 2


def test_ids_of_several_columns_never_collide(desk: Any, orders: str, header: str) -> None:
    mapping = orders.replace('id = ["no"]', 'id = ["no", "who"]')
    rows = desk.read(header + "a|b,2024-01-01,c,A,1,1\na,2024-01-01,b|c,A,1,1\n", mapping).rows
    assert [row["document"] for row in rows] == ["a\\|b|c", "a|b\\|c"]


@pytest.mark.parametrize("way", ['"line"', '"content"', '["no"]'])
def test_ids_are_the_same_whatever_the_file_is_called(desk: Any, orders: str, header: str, way: str) -> None:
    content = header + "1,2024-01-01,k,A,1,1\n" * 3 + "2,2024-01-01,k,A,1,1\n"
    mapping = orders.replace('["no"]', way)
    first, again = desk.read(content, mapping, name="a.csv"), desk.read(content, mapping, name="b.csv")
    assert [row["document"] for row in first.rows] == [row["document"] for row in again.rows]
    assert len({row["document"] for row in first.rows}) == (2 if way == '["no"]' else 4)
    assert all(page.complete == (way != '["no"]') for page in first.pages)


def test_ids_of_content_do_not_depend_on_order_or_mapping(desk: Any, orders: str, header: str) -> None:
    mapping = orders.replace('["no"]', '"content"')
    one, two = "1,2024-01-01,k,A,1,1\n", "2,2024-01-01,k,A,1,1\n"
    ids = {row["document"] for row in desk.read(header + one + two + one, mapping).rows}
    turned = desk.read(header + one + one + two, mapping.replace('customer = "who"', 'channel = "who"'))
    assert {row["document"] for row in turned.rows} == ids


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize("way", ['"line"', '"content"', '["no"]'])
def test_resuming_anywhere_gives_the_rest(
    desk: Any, orders: str, kind: str, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connector, "PAGE_LINES", 7)
    rows = [
        {
            "no": str(number % 5),
            "day": "2024-01-01" if number % 9 else "never",
            "who": "k",
            "sku": "A",
            "qty": "1",
            "price": "1",
        }
        for number in range(40)
    ]
    content = written(kind, rows, desk)
    mapping = orders.replace('"csv"', f'"{kind}"').replace('["no"]', way)
    pages = desk.read(content, mapping).pages
    assert len(pages) >= 6
    for place, page in enumerate(pages):
        assert desk.read(content, mapping, cursor=page.cursor, name="renamed").pages == pages[place + 1 :]


def written(kind: str, rows: list[dict[str, str]], desk: Any) -> Any:
    import json

    import pyarrow as pa
    import pyarrow.parquet as pq

    if kind == "csv":
        return "\n".join([",".join(rows[0]), *(",".join(row.values()) for row in rows)]) + "\n"
    if kind == "jsonl":
        return "".join(json.dumps(row) + "\n" for row in rows)
    pq.write_table(pa.Table.from_pylist(rows), desk.directory / "p", row_group_size=16)
    return desk.directory / "p"


def test_a_cursor_of_another_file_or_mapping_has_expired(desk: Any, orders: str, header: str) -> None:
    content = header + "1,2024-01-01,k,A,1,1\n"
    cursor = desk.read(content).pages[-1].cursor
    assert desk.read(content, cursor=cursor).pages == []
    for other in ((content + "2,2024-01-01,k,A,1,1\n", orders), (content, orders + 'channel = "who"\n')):
        with pytest.raises(CursorExpired):
            desk.read(*other, cursor=cursor)
    with pytest.raises(CursorExpired):
        desk.read(content, cursor={"page": 1})


@pytest.mark.parametrize("way", ['"line"', '"content"', '["no"]'])
def test_a_run_that_is_left_early_leaves_nothing_open(
    desk: Any, orders: str, header: str, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connector, "PAGE_LINES", 2)
    ctx = desk.context(header + "1,2024-01-01,k,A,1,1\n" * 9, orders.replace('["no"]', way))

    [stream] = connector.FilesConnector.streams()

    async def first_page() -> Any:
        async with aclosing(stream.read(connector.FilesConnector(), ctx)) as pages:
            return await anext(pages)

    assert len(asyncio.run(first_page()).rows) == 2
    gc.collect()  # a file or database left open would warn here, and warnings are errors


def test_a_preview_has_no_cursor(desk: Any, header: str) -> None:
    page = desk.preview(2, header + "1,2024-01-01,k,A,1,1\n" * 10)
    assert (len(page.rows), page.cursor) == (2, None)
    assert desk.preview(2, header).records == ()


PEOPLE = """
source = "crm"
[file]
format = "csv"
[record]
type = "customer"
id = ["id"]
[fields]
name = "name"
kind = { column = "firm", values = { yes = "organisation", no = "person" } }
emails = { column = "mail", split = ";" }
phones = "tel"
organisation = "works_for"
"address.city" = "city"
"address.country" = "country"
"identity.tax_id" = "tax"
"attribute.segment" = "segment"
"""


def test_customers(desk: Any) -> None:
    read = desk.read(
        "id,name,firm,mail,tel,works_for,city,country,tax,segment\n"
        "۷,Zoë,no,zoe@example.com; z@example.org,۰۲۱-۱۲۳,9,Tehran,IR,۱۲,gold\n"
        "9,Acme,yes,,,,,,,\n"
        "10,Bad,maybe,,,,,,,\n",
        PEOPLE,
    )
    assert read.records == [
        Customer(
            id="7",
            name="Zoë",
            emails=("zoe@example.com", "z@example.org"),
            phones=("021-123",),
            organisation=Ref("customer", "9"),
            addresses=(Address(city="Tehran", country="IR"),),
            identities=(Identity("tax_id", "12"),),
            attributes={"segment": "gold"},
        ),
        Customer(id="9", name="Acme", kind="ORGANISATION"),
    ]
    [reject] = read.rejects
    assert (reject.line, reject.field) == (4, "kind")


def test_interactions(desk: Any) -> None:
    mapping = """
source = "mails"
[file]
format = "csv"
[record]
type = "interaction"
id = ["id"]
[fields]
kind = { column = "what", values = { out = "EMAIL_SENT", in = "EMAIL_RECEIVED" } }
occurred_at = "at"
customer = "who"
"payload.subject" = "subject"
"""
    read = desk.read("id,what,at,who,subject\n1,out,2024-01-01,7,Hello\n2,smoke,2024-01-01,7,Hi\n", mapping)
    assert read.records == [
        Interaction(
            id="1",
            kind="EMAIL_SENT",
            occurred_at=datetime(2024, 1, 1, tzinfo=UTC),
            customer=Ref("customer", "7"),
            payload=Email(subject="Hello"),
        )
    ]
    assert read.rejects == [Reject(3, "kind", "SMOKE", "there is no interaction SMOKE", "2")]


def test_whom_an_interaction_concerns_by_address_or_number(desk: Any) -> None:
    mapping = """
source = "calls"
[file]
format = "csv"
[record]
type = "interaction"
id = ["id"]
[fields]
kind = { constant = "CALL" }
occurred_at = "at"
parties = { column = "with", split = "/" }
"""
    [record] = desk.read("id,at,with\n1,2024-01-01,+49 30 1234567 / ada@example.com\n", mapping).records
    assert record.parties == (Identity("phone", "+49 30 1234567"), Identity("email", "ada@example.com"))


def test_products_and_rates(desk: Any) -> None:
    start = 'source = "x"\n[file]\nformat = "csv"\n[record]\nid = ["id"]\n'
    products = (
        start + 'type = "product"\n[fields]\nsku = "id"\nname = "name"\ntier_rank = "rank"\n"extra.shelf" = "shelf"'
    )
    assert desk.read("id,name,rank,shelf\nA,Tea,۲,9\n", products).records == [
        Product(id="A", sku="A", name="Tea", tier_rank=2, extra={"shelf": "9"})
    ]
    rates = (
        start
        + 'type = "exchange_rate"\n[fields]\ndate = "id"\nbase = { constant = "USD" }\nquote = "to"\nrate = "rate"'
    )
    assert desk.read("id,to,rate\n2024-01-02,EUR,0.9\n", rates).records == [
        ExchangeRate(id="2024-01-02", date=date(2024, 1, 2), base="USD", quote="EUR", rate=Decimal("0.9"))
    ]
