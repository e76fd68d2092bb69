from __future__ import annotations

from typing import TYPE_CHECKING

from domain import customers
from domain.customers import Address, ExternalRef, NewCustomer

if TYPE_CHECKING:
    from uuid import UUID

    from domain.core.database import Database


async def test_a_customer_made_by_hand_shows_everything_that_was_said(database: Database, tenant: UUID) -> None:
    async with database.unit_of_work(tenant) as work:
        ada = await customers.create(
            work,
            NewCustomer(
                name="Ada Lovelace",
                emails=["Ada@Example.com", "ada@work.example"],
                phones=["020 7946 0000"],
                addresses=[Address(street="1 St James's Square", city="London", country="GB")],
                country="GB",
                external=[ExternalRef("crm:main", "C-1")],
            ),
        )
    assert ada.display_name == "Ada Lovelace"
