"""The pages on importing files say what the mapping can, and their example works."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import pytest

from plugins.files import mapping

if TYPE_CHECKING:
    import msgspec

DOCS = Path(__file__).parents[3] / "docs"
REFERENCE = (DOCS / "reference/mapping.md").read_text()
HOW_TO = (DOCS / "how-to/import-files.md").read_text()
TABLES = (
    mapping.FileTable,
    mapping.LocaleTable,
    mapping.RecordTable,
    mapping.FieldRule,
    mapping.Condition,
    mapping.Mapping,
)


@pytest.mark.parametrize("table", TABLES)
def test_every_key_of_a_mapping_is_described(table: type[msgspec.Struct]) -> None:
    for name in table.__struct_fields__:
        assert re.search(rf"`\[?{name}\b", REFERENCE), name


def test_every_field_is_described() -> None:
    for name in (*mapping.line_fields(), *get_args(mapping.RecordKind)):
        assert f"`{name}`" in REFERENCE or name == "refund", name


def test_the_reference_starts_with_a_mapping_that_works() -> None:
    assert mapping.parse(block(REFERENCE, "toml")) == mapping.parse(block(HOW_TO, "toml"))


def test_the_example_of_the_how_to(desk: Any) -> None:
    read = desk.read(block(HOW_TO, "csv"), block(HOW_TO, "toml"))
    assert read.rejects == []
    assert [(row["type"], row["document"], row["quantity"], row["unit_price"]) for row in read.rows] == [
        ("order", "1001", Decimal(2), Decimal("4.50")),
        ("order", "1001", Decimal(1), Decimal(12)),
        ("refund", "C1002", Decimal(1), Decimal(12)),
    ]


def block(page: str, language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", page, flags=re.DOTALL)
    assert found
    return found[1]
