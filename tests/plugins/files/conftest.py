"""Files and mappings as a user has them: on disk, read through the connector."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from plugins.files.connector import FilesConfig, FilesConnector
from tenure_sdk import Context, LinePage, Page

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tenure_sdk import Cursor, Record, Reject

ROOT = Path(__file__).parents[3]
EXAMPLES = ROOT / "plugins/files/examples"

ORDERS = """
source = "shop"
[file]
format = "csv"
[record]
type = "order"
id = ["no"]
[fields]
occurred_at = "day"
customer = "who"
currency = { constant = "EUR" }
sku = "sku"
quantity = "qty"
unit_price = "price"
"""

HEADER = "no,day,who,sku,qty,price\n"


@dataclass(frozen=True)
class Reading:
    """All that a run of the connector handed over."""

    pages: Sequence[Page | LinePage]

    @property
    def rows(self) -> list[dict[str, Any]]:
        return [
            dict(zip(page.columns, row, strict=True))
            for page in self.pages
            if isinstance(page, LinePage)
            for row in page.rows
        ]

    @property
    def records(self) -> list[Record]:
        return [record for page in self.pages if isinstance(page, Page) for record in page.records]

    @property
    def rejects(self) -> list[Reject]:
        return [reject for page in self.pages for reject in page.rejects]


class Desk:
    """A directory with a file and a mapping, and the connector that reads them."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def context(
        self, content: str | bytes | Path, mapping: str | Path = ORDERS, name: str = "file", **more: int
    ) -> Context[FilesConfig]:
        file = content if isinstance(content, Path) else self._written(name, content)
        rules = mapping if isinstance(mapping, Path) else self._written("mapping.toml", mapping)
        return Context(FilesConfig(str(file), str(rules), **more), now=lambda: datetime(2026, 1, 1, tzinfo=UTC))

    def read(self, *args: Any, cursor: Cursor = None, **more: Any) -> Reading:
        return Reading(asyncio.run(self._collect(self.context(*args, **more), cursor)))

    def check(self, *args: Any, **more: Any) -> Any:
        return asyncio.run(FilesConnector().check(self.context(*args, **more)))

    def preview(self, lines: int, *args: Any) -> Page | LinePage:
        return asyncio.run(FilesConnector().preview(self.context(*args), lines))

    async def _collect(self, ctx: Context[FilesConfig], cursor: Cursor) -> list[Page | LinePage]:
        [stream] = FilesConnector.streams()
        return [page async for page in stream.read(FilesConnector(), ctx, cursor)]

    def _written(self, name: str, content: str | bytes) -> Path:
        path = self.directory / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.fixture
def orders() -> str:
    return ORDERS


@pytest.fixture
def header() -> str:
    return HEADER


@pytest.fixture(scope="session")
def examples() -> Path:
    return EXAMPLES


@pytest.fixture(scope="session")
def data() -> Path:
    return Path(os.environ.get("TENURE_SHARED", ROOT.parent / "shared")) / "data"
