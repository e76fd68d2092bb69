from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import ARRAY, Numeric, Text, bindparam, text

from domain.core.money import currencies, minor_units
from domain.core.rounding import half_even, minor_per_unit

if TYPE_CHECKING:
    from domain.core.database import Database

numbers = st.decimals(min_value=-(10**20), max_value=10**20, places=7)
divisors = st.decimals(min_value="0.000001", max_value=10**9, places=6)


@pytest.mark.anyio
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pairs=st.lists(st.tuples(numbers, divisors), min_size=1, max_size=50))
@example(pairs=[(Decimal(n) / 2, Decimal(1)) for n in range(-7, 8)])
@example(pairs=[(Decimal(n), Decimal(2)) for n in range(-7, 8)])
@example(pairs=[(Decimal("2.4999999"), Decimal(1)), (Decimal("99999999999999999999.5"), Decimal(1))])
async def test_sql_rounds_as_exact_arithmetic_does(database: Database, pairs: list[tuple[Decimal, Decimal]]) -> None:
    statement = text(f"SELECT {half_even('n', 'd')} FROM unnest(:n, :d) WITH ORDINALITY AS given(n, d, i) ORDER BY i")
    numeric = ARRAY(Numeric(asdecimal=True))
    statement = statement.bindparams(bindparam("n", type_=numeric), bindparam("d", type_=numeric))
    async with database.directory() as connection:
        rounded = (await connection.execute(statement, {"n": [n for n, _ in pairs], "d": [d for _, d in pairs]})).all()
    assert [int(row[0]) for row in rounded] == [round(Fraction(n) / Fraction(d)) for n, d in pairs]


async def test_sql_knows_the_minor_units_of_every_currency(database: Database) -> None:
    codes = sorted(currencies())
    statement = text(f"SELECT code, {minor_per_unit('code')} FROM unnest(:codes) AS given(code)")
    async with database.directory() as connection:
        rows = await connection.execute(statement.bindparams(bindparam("codes", type_=ARRAY(Text))), {"codes": codes})
        assert {row.code: row[1] for row in rows} == {code: 10 ** minor_units(code) for code in codes}
    assert (10 ** minor_units("EUR"), 10 ** minor_units("JPY"), 10 ** minor_units("KWD")) == (100, 1, 1000)
