"""What a cell may say, and what it becomes."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugins.files import cells
from plugins.files.mapping import FieldRule, LocaleTable
from plugins.files.parquet_files import number_text

LOCALE = LocaleTable(time_zone="Europe/London")


@pytest.mark.parametrize(
    ("point", "cell", "value"),
    [
        (".", "12.50", "12.50"),
        (".", "-3", "-3"),
        (".", "1,234,567.8", "1234567.8"),
        (".", "1e-7", "0E-6"),
        (".", "0.0000005", "0.000000"),
        (".", "0.0000015", "0.000002"),
        (",", "1.234,5", "1234.5"),
        (",", "1 234,5", "1234.5"),
        (",", "1234", "1234"),
        (".", "۱۲۳٫۵", "123.5"),
        (".", "١٬٢٣٤٫٥", "1234.5"),
        (".", "\u22125", "-5"),
    ],
)
def test_numbers(point: str, cell: str, value: str) -> None:
    assert cells.decimal(point)(cell) == Decimal(value)


@pytest.mark.parametrize(
    "cell", ["1,5", "12,34.5", "abc", "1.2.3", "NaN", "inf", "1e999", "", "--1", "100000000000000"]
)
def test_what_is_no_number(cell: str) -> None:
    with pytest.raises(ValueError, match="is "):
        cells.decimal(".")(cell)


@given(st.decimals(min_value=-(10**13), max_value=10**13, places=6))
def test_numbers_survive_being_written(value: Decimal) -> None:
    for written, point in ((f"{value:,f}", "."), (f"{value:f}".replace(".", ","), ",")):
        assert cells.decimal(point)(written) == value


@given(st.floats(min_value=-1e13, max_value=1e13))
def test_doubles_are_their_shortest_decimal(value: float) -> None:
    written = number_text(value)
    assert written is not None
    assert float(written) == value
    assert len(written.replace("-", "").replace(".", "").strip("0")) <= 17


@pytest.mark.parametrize(
    ("value", "text"), [(12748.0, "12748"), (0.1, "0.1"), (2.55, "2.55"), (1e15, "1" + "0" * 15), (float("nan"), None)]
)
def test_doubles(value: float, text: str | None) -> None:
    assert number_text(value) == text


@pytest.mark.parametrize(
    ("rule", "cell", "moment"),
    [
        (FieldRule(), "2011-07-01 12:00", datetime(2011, 7, 1, 11, tzinfo=UTC)),
        (FieldRule(), "2011-07-01T12:00:00+02:00", datetime(2011, 7, 1, 10, tzinfo=UTC)),
        (FieldRule(), "2011-01-01", datetime(2011, 1, 1, tzinfo=UTC)),
        (FieldRule(date_format="%d/%m/%Y"), "03/02/2011", datetime(2011, 2, 3, tzinfo=UTC)),
        (FieldRule(date_format="%m/%d/%Y"), "03/02/2011", datetime(2011, 3, 2, tzinfo=UTC)),
        (
            FieldRule(date_format=("%d.%m.%Y", "%d.%m.%Y %H:%M")),
            "03.02.2011 08:00",
            datetime(2011, 2, 3, 8, tzinfo=UTC),
        ),
        (FieldRule(time_zone="Asia/Tehran"), "2011-01-01", datetime(2010, 12, 31, 20, 30, tzinfo=UTC)),
        (
            FieldRule(calendar="jalali", time_zone="Asia/Tehran"),
            "۱۳۹۹/۱۲/۳۰",
            datetime(2021, 3, 19, 20, 30, tzinfo=UTC),
        ),
    ],
)
def test_moments(rule: FieldRule, cell: str, moment: datetime) -> None:
    assert cells.instant(rule, LOCALE)(cell) == moment


@pytest.mark.parametrize(
    ("rule", "cell"),
    [
        (FieldRule(), "2011-02-30"),
        (FieldRule(), "yesterday"),
        (FieldRule(), "0001-01-01T00:00:00+05:00"),
        (FieldRule(date_format="%d/%m/%Y"), "13/13/2011"),
        (FieldRule(calendar="jalali"), "1400/12/30"),
        (FieldRule(calendar="jalali"), "1400/13/01"),
    ],
)
def test_impossible_moments(rule: FieldRule, cell: str) -> None:
    with pytest.raises(ValueError, match="is "):
        cells.instant(rule, LOCALE)(cell)


def test_an_hour_that_comes_twice_is_the_first_one() -> None:
    assert cells.instant(FieldRule(), LOCALE)("2011-10-30 01:30") == datetime(2011, 10, 30, 0, 30, tzinfo=UTC)


def test_values_are_converted_once_and_memory_stays_flat() -> None:
    asked: list[str] = []

    def convert(cell: str) -> str:
        asked.append(cell)
        return cell

    values = cells.Values(convert, FieldRule(), required=False)
    assert [values["a"], values["a"], values[None], values["  "]] == ["a", "a", None, None]
    assert asked == ["a"]
    for number in range(3 * cells.REMEMBERED):
        assert values[str(number)] == str(number)
    assert len(values) <= cells.REMEMBERED
