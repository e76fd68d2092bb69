"""Columns as COPY reads them."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from domain.core.ids import in_order
from sync.landing import cells


def test_a_column_is_escaped_where_one_of_its_texts_needs_it() -> None:
    assert cells.texts(["plain", "ساده"]) == ["plain", "ساده"]
    assert cells.texts(["plain", "a\tb\\c\nd\re\0f"]) == ["plain", "a\\tb\\\\c\\nd\\ref"]


def test_what_is_not_there_keeps_its_place() -> None:
    assert cells.optionals(["a", None, "b\tc", None]) == ["a", "\\N", "b\\tc", "\\N"]
    assert cells.optionals([None]) == ["\\N"]
    assert cells.optionals(["a", "b"]) == ["a", "b"]


def test_instants_are_exact_in_every_zone() -> None:
    utc = datetime(2025, 1, 2, 3, 4, 5, 678, UTC)
    tehran = datetime(1900, 1, 1, tzinfo=ZoneInfo("Asia/Tehran"))  # an offset with seconds
    assert cells.moments([utc, utc.replace(microsecond=0)]) == ["2025-01-02T03:04:05.000678Z", "2025-01-02T03:04:05Z"]
    assert cells.moments([utc, tehran]) == ["2025-01-02T03:04:05.000678+00:00", "1900-01-01T00:00:00+03:25:44"]
    with pytest.raises(TypeError, match="without a time zone"):
        cells.moments([utc, datetime(2025, 1, 1)])  # noqa: DTZ001


def test_ids_in_order_count_on_from_the_first() -> None:
    first = UUID("0193a1b2-c3d4-7e5f-8a9b-0c1d2e3ffffe")
    made = in_order(first, 3)
    assert [UUID(each) for each in made] == [
        first,
        UUID("0193a1b2-c3d4-7e5f-8a9b-0c1d2e3fffff"),
        UUID("0193a1b2-c3d4-7e5f-8a9b-0c1d2e400000"),
    ]
