"""PostgreSQL 15 is enough: nothing is asked of it that only a later one can do."""

from __future__ import annotations

from pathlib import Path

from tests.architecture.test_text import files, where

SINCE_15 = (
    "any_value|pg_input_is_valid|pg_input_error_info|random_normal|array_sample|array_shuffle|"  # 16
    "JSON_TABLE|JSON_SCALAR|JSON_SERIALIZE|merge_action|to_bin|to_oct|uuid_extract_\\w+|"  # 17
    "uuidv[47]|casefold|array_reverse|array_sort|reverse_bytes|crc32c?"  # 18
)


def test_no_statement_uses_a_function_of_a_later_postgresql() -> None:
    layers = {"api", "cli", "domain", "migrations", "sync"}
    shipped = [path for path in files() if path.parts[0] in layers and path.suffix in {".py", ".sql"}]
    assert Path("domain/interactions/evidence.py") in shipped
    assert where(rf"(?i)(?<![\w.])(?:{SINCE_15})\(|IS JSON\b|WHEN NOT MATCHED BY", shipped) == []
