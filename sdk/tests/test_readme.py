"""The README's connector is a connector."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tenure_sdk import Account, Context, Ref

README = Path(__file__).parents[1] / "README.md"


@pytest.fixture(scope="module")
def kiosk() -> Any:
    [source] = re.findall(r"```python\n(.*?)```", README.read_text(), flags=re.DOTALL)
    module = ModuleType("kiosk")
    exec(compile(source, "README.md", "exec"), module.__dict__)  # noqa: S102 - it is our own README
    return module


def pages(kiosk: Any, stream: str, cursor: Any = None) -> list[Any]:
    async def collect() -> list[Any]:
        ctx = Context(kiosk.KioskConfig("Bonn"), now=lambda: datetime(2026, 1, 1, tzinfo=UTC))
        found = {stream.name: stream for stream in kiosk.Kiosk.streams()}[stream]
        return [page async for page in found.read(kiosk.Kiosk(), ctx, cursor)]

    return asyncio.run(collect())


def test_it_says_whose_account_it_reads(kiosk: Any) -> None:
    ctx = Context(kiosk.KioskConfig("Bonn"), now=lambda: datetime(2026, 1, 1, tzinfo=UTC))
    assert asyncio.run(kiosk.Kiosk().check(ctx)) == Account("Bonn", "Kiosk in Bonn")


def test_its_streams_are_declared_in_order(kiosk: Any) -> None:
    assert [(stream.name, stream.cursor, stream.depends_on) for stream in kiosk.Kiosk.streams()] == [
        ("customers", None, ()),
        ("orders", "id", ("customers",)),
    ]


def test_it_resumes_after_a_cursor(kiosk: Any) -> None:
    first, second = pages(kiosk, "orders")
    assert (first.cursor, second.cursor) == (1, 2)
    assert pages(kiosk, "orders", cursor=1) == [second]
    [order] = first.records
    assert (order.id, order.customer, order.lines[0].unit_price) == ("1", Ref("customer", "k-7"), Decimal("4.50"))
    assert [record.name for page in pages(kiosk, "customers") for record in page.records] == ["Zoë", "علی"]
