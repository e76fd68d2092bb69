"""One company in a sandbox, and the connector that reads and writes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from plugins.quickbooks.connector import QuickBooks
from tenure_sdk import Page
from tenure_sdk.testing import ReferenceHost
from tests.plugins.quickbooks.remote import QuickBooksRemote

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from plugins.quickbooks.sandbox import Company, QuickBooksSandbox


class Desk:
    """The connector at work on a company."""

    def __init__(self) -> None:
        self.remote = QuickBooksRemote("9130")
        self.remote.page_size = 1000
        self.host = ReferenceHost(QuickBooks, self.remote)
        self.connector = QuickBooks()

    @property
    def company(self) -> Company:
        return self.remote.company

    @property
    def sandbox(self) -> QuickBooksSandbox:
        return self.remote.sandbox

    async def pages(self, stream: str, cursor: Any = None) -> list[Page]:
        (declared,) = (each for each in QuickBooks.streams() if each.name == stream)
        return [page for page in await self.host.pages(declared, cursor) if isinstance(page, Page)]

    async def records(self, stream: str) -> dict[str, Any]:
        return {record.id: record for page in await self.pages(stream) for record in page.records}

    async def last(self, stream: str, cursor: Any = None) -> tuple[set[str], list[str], Any]:
        """What a reading brings: the ids of its records, those that are gone, and the cursor after it."""
        pages = await self.pages(stream, cursor)
        ids = {record.id for page in pages for record in page.records}
        return ids, [each for page in pages for each in page.deletes], pages[-1].cursor

    def item(self, name: str = "Design", **more: Any) -> str:
        return str(self.company.create("Item", Name=name, IncomeAccountRef={"value": "79"}, **more)["Id"])

    def customer(self, name: str = "Amy's Bakery", **more: Any) -> str:
        return str(self.company.create("Customer", DisplayName=name, **more)["Id"])


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    made = Desk()
    yield made
    await made.host.aclose()


__all__ = ["Desk"]
