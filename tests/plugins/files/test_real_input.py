"""The two public data sets, by the exact figures that are known of them."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.shared


def amount(row: dict[str, Any]) -> Decimal:
    exact: Decimal = row["quantity"] * row["unit_price"]
    return exact.quantize(Decimal("0.01"), ROUND_HALF_EVEN)


def test_online_retail(desk: Any, data: Path, examples: Path) -> None:
    read = desk.read(data / "online_retail.parquet", examples / "online_retail.toml")
    rows = read.rows

    assert read.rejects == []
    assert not any(page.complete for page in read.pages)
    assert [row["line"] for row in rows] == list(range(1, 541_910))
    assert all(row["currency"] == "GBP" for row in rows)

    documents = defaultdict(list)
    for row in rows:
        documents[row["type"], row["document"]].append(row)
    assert len(documents) == 25_900
    assert Counter(kind for kind, _ in documents) == {"order": 22_061, "refund": 3_836, "adjustment": 3}
    assert Counter(row["type"] for row in rows)["refund"] == 9_288
    assert sum(len({row["occurred_at"] for row in lines}) > 1 for lines in documents.values()) == 43
    assert all(len({row["customer"] for row in lines}) == 1 for lines in documents.values())

    sums: dict[str, Decimal] = defaultdict(Decimal)
    for row in rows:
        sums[row["type"]] += amount(row)
    assert sums == {
        "order": Decimal("10655622.48"),
        "refund": Decimal("896812.49"),
        "adjustment": Decimal("-11062.06"),
    }

    assert len({row["customer"] for row in rows} - {None}) == 4_372
    assert sum(row["customer"] is None for row in rows) == 135_080
    with_customer = [kind for (kind, _), lines in documents.items() if lines[0]["customer"]]
    assert (len(with_customer), with_customer.count("refund")) == (22_190, 22_190 - 18_536)
    assert len({row["sku"] for row in rows}) == 4_070
    assert sum(row["unit_price"] == Decimal("0.001") for row in rows) == 4

    countries = {(row["country_name"], row["country"]) for row in rows}
    assert len(countries) == 38
    assert {("EIRE", "IE"), ("RSA", "ZA"), ("United Kingdom", "GB")} < countries
    assert {name for name, code in countries if code is None} == {
        "Channel Islands",
        "European Community",
        "Unspecified",
    }


def test_a_customer_of_online_retail(desk: Any, data: Path, examples: Path) -> None:
    rows = desk.read(data / "online_retail.parquet", examples / "online_retail.toml").rows
    his = [row for row in rows if row["customer"] == "12748"]
    assert len({row["document"] for row in his if row["type"] == "order"}) == 210
    assert sum(amount(row) for row in his if row["type"] == "order") == Decimal("33719.73")
    assert sum(amount(row) for row in his if row["type"] == "refund") == Decimal("4647.63")

    # Summer time in London is an hour ahead: the file says 2011-06-01 07:37 of its first line in June.
    assert rows[0]["occurred_at"] == datetime(2010, 12, 1, 8, 26, tzinfo=UTC)
    assert next(r for r in rows if r["occurred_at"].month == 6)["occurred_at"] == datetime(
        2011, 6, 1, 6, 37, tzinfo=UTC
    )

    split = [row["line"] for row in rows if row["document"] == "542806"]
    assert split != list(range(split[0], split[0] + len(split)))


def test_cdnow(desk: Any, data: Path, examples: Path) -> None:
    read = desk.read(data / "CDNOW_master.txt", examples / "cdnow.toml")
    rows = read.rows
    assert read.rejects == []
    assert all(page.complete for page in read.pages)
    assert "quantity" not in rows[0]
    assert (len(rows), len({row["document"] for row in rows})) == (69_659, 69_659)
    assert sum(not row["document"].endswith("-1") for row in rows) == 255
    assert len({row["customer"] for row in rows}) == 23_570
    assert len({(row["customer"], row["occurred_at"]) for row in rows}) == 67_591
    assert sum(row["total"] for row in rows) == Decimal("2500315.63")
    assert sum(row["units"] for row in rows) == 167_881
    assert sum(row["total"] == 0 for row in rows) == 80
    assert rows[0]["occurred_at"] == datetime(1997, 1, 1, 5, tzinfo=UTC)
