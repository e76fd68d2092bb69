"""A mapping is checked before a file is touched, and the error names the key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from plugins.files import mapping
from plugins.files.connector import FilesConnector
from tenure_sdk import ConfigInvalid

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("old", "new", "key", "says"),
    [
        ('source = "shop"', "source = ", "mapping", "not TOML"),
        ('source = "shop"', "", "mapping", "missing required field `source`"),
        ('source = "shop"', 'source = "Shop one"', "source", "regex"),
        ('source = "shop"', 'source = "shop"\ncolour = "red"', "mapping", "unknown field `colour`"),
        ('format = "csv"', 'format = "xlsx"', "file.format", "xlsx"),
        ('format = "csv"', 'format = "csv"\nquote = 1', "file", "unknown field `quote`"),
        ('format = "csv"', 'format = "csv"\nheader = ["a"]', "file", "fixed width"),
        ('format = "csv"', 'format = "fixed"', "file.columns", "needs its columns"),
        (
            'format = "csv"',
            'format = "fixed"\ncolumns = ["a", { name = "b", start = 1, width = 2 }]',
            "file.columns",
            "none",
        ),
        ('format = "csv"', 'format = "jsonl"\ncolumns = ["a"]', "file.columns", "itself"),
        ('type = "order"', 'type = "invoice"', "record.type", "invoice"),
        ('id = ["no"]', "id = []", "record.id", "at least one column"),
        ('id = ["no"]', 'id = "name"', "record.id", "name"),
        ('id = ["no"]', 'id = ["no"]\nnegate = { refund = ["sku"] }', "record.negate.refund", "sku"),
        ('id = ["no"]', 'id = ["no"]\nonly = [{ column = "no" }]', "record.only[0]", "exactly one"),
        ('id = ["no"]', 'id = ["no"]\nonly = [{ column = "no", matches = "(" }]', "record.only[0].matches", "regular"),
        (
            'id = ["no"]',
            'id = ["no"]\nrules = [{ when = { column = "no", empty = true }, type = "customer" }]',
            "record.rules",
            "mix",
        ),
        ('sku = "sku"', 'stock = "sku"', "fields.stock", "no such field"),
        ('occurred_at = "day"', "", "fields", "occurred_at is missing"),
        (
            'occurred_at = "day"',
            'occurred_at = { column = "day", time_zone = "Mars/Base" }',
            "fields.occurred_at.time_zone",
            "Mars",
        ),
        ('customer = "who"', 'customer = { column = "who", constant = "x" }', "fields.customer", "either"),
        ('customer = "who"', 'customer = { column = "who", unlisted = "empty" }', "fields.customer.unlisted", "none"),
        ('quantity = "qty"', "", "fields", "come together"),
        ('quantity = "qty"\nunit_price = "price"', "", "fields", "total"),
        ('{ constant = "EUR" }', '{ constant = "euro" }', "fields.currency.constant", "ISO 4217"),
        ('{ constant = "EUR" }', '{ column = "cur", values = { A = "Euro" } }', "fields.currency.values.A", "ISO 4217"),
    ],
)
def test_a_wrong_mapping_names_its_key(
    desk: Any, orders: str, header: str, old: str, new: str, key: str, says: str
) -> None:
    assert old in orders
    with pytest.raises(ConfigInvalid) as error:
        desk.check(header, orders.replace(old, new))
    assert error.value.key == key
    assert says in str(error.value)


def test_a_mapping_that_is_not_there(desk: Any, header: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigInvalid, match=r"nowhere\.toml cannot be read"):
        desk.check(header, tmp_path / "nowhere.toml")


def test_a_mapping_that_is_no_text(desk: Any, header: str, tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(ConfigInvalid, match="not UTF-8"):
        desk.check(header, tmp_path / "bad.toml")


@pytest.mark.parametrize(("name", "kind"), [("online_retail", "order"), ("cdnow", "order"), ("contracts", "contract")])
def test_the_examples_are_right(examples: Path, name: str, kind: str) -> None:
    assert mapping.load(examples / f"{name}.toml").record.type == kind


def test_the_source_is_the_account(desk: Any, orders: str, header: str) -> None:
    assert desk.check(header, orders).id == "shop"
    assert FilesConnector.config_type().__name__ == "FilesConfig"
