"""What settling costs grows with the customers that were touched, not with the tenant."""

from __future__ import annotations

from typing import TYPE_CHECKING

import asyncpg

from bench.settling import GROWTH, SETTLING, TIMES, opened, paged, read
from tests.conftest import dsn

if TYPE_CHECKING:
    from domain.core.database import Database
    from tests.conftest import Logins

RECORDS = 1_000


async def test_a_page_costs_the_same_in_a_tenant_ten_times_larger(database: Database, logins: Logins) -> None:
    """The buffers that settling a page of 1,000 records reads, of the days and of the segments."""
    superuser = await asyncpg.connect(dsn(logins.superuser))
    found = []
    try:
        shops = [await opened(superuser, database, size) for size in (RECORDS, TIMES * RECORDS)]
        for shop in shops:
            touched = [row["customer_id"] for row in await paged(superuser, shop)]
            assert len(set(touched)) == RECORDS
            found.append(await read(database, shop.id, touched))
    finally:
        await superuser.close()
    small, large = found
    for what in SETTLING:
        assert 0 < large[what] <= GROWTH * small[what], (what, small, large)
