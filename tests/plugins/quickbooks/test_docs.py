"""The page on QuickBooks names what there is."""

from __future__ import annotations

import re
from pathlib import Path

import plugins.quickbooks
from plugins.quickbooks import connector, faults
from plugins.quickbooks.connector import QuickBooks, QuickBooksConfig
from tenure_sdk import Action

PAGE = (Path(plugins.quickbooks.__file__).parent / "README.md").read_text(encoding="utf-8")


def test_every_setting_and_stream_has_its_row() -> None:
    rows = re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)
    assert rows == [*QuickBooksConfig.__struct_fields__, *(stream.name for stream in QuickBooks.streams())]


def test_what_is_written_is_named() -> None:
    for name in (
        *connector.CUSTOMER_FIELDS,
        *connector.INVOICE_FIELDS,
        *(each.name for each in QuickBooks.declared(Action)),
    ):
        assert f"`{name}`" in PAGE or name == "occurred_at", name


def test_the_codes_that_have_a_remedy_are_told() -> None:
    told = set(re.findall(r"\b\d{3,4}\b", PAGE.partition("## When it is refused")[2]))
    assert {"6240", "6140", "6210"} <= faults._REMEDIES.keys() & told
    assert faults._BY_CODE.keys() - told == {"610"}
