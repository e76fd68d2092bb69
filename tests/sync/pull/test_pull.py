from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from domain.integrations.model import IntegrationState
from sync.runs import Counts
from sync.troubles import Outcome
from tenure_sdk import (
    Transient,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.sync.pull.conftest import Shop, Side


def failing(at: int, problem: Exception) -> Callable[[int], Awaitable[None]]:
    """What the remote side does instead of a page."""

    async def fail(number: int) -> None:
        if number == at:
            raise problem

    return fail


async def test_a_stream_is_read_to_its_end_and_then_only_what_is_new(shop: Shop, side: Side) -> None:
    side.customers(25)
    first = await shop.pull()
    assert (first.outcome, first.counts) == (Outcome.FINISHED, Counts(read=25, created=25))
    assert await shop.names() == {f"Customer {number}" for number in range(25)}
    side.customers(3, first=25)
    second = await shop.pull()
    assert (second.outcome, second.counts) == (Outcome.FINISHED, Counts(read=3, created=3))
    assert side.asked == [None, 25]
    assert await shop.events() == [
        (f"integrations.{name}", {"run": run.run_id.hex if run.run_id else "", "stream": "customers"})
        for run in (first, second)
        for name in ("RunStarted", "RunEnded")
    ]
    assert (await shop.integration()).connector_version == "1"


@pytest.mark.parametrize("committed", range(5))
async def test_a_run_goes_on_after_the_last_page_that_landed(shop: Shop, side: Side, committed: int) -> None:
    side.customers(45)
    side.before_page = failing(committed, Transient("Gone for a moment."))
    first = await shop.pull()
    assert (first.outcome, first.counts.read) == (Outcome.PARKED, committed * 10)
    side.before_page = None
    second = await shop.pull()
    assert (second.outcome, second.run_id, second.counts) == (
        Outcome.FINISHED, first.run_id, Counts(read=45, created=45),
    )  # fmt: skip
    assert side.asked == [None, committed * 10 or None]
    assert (await shop.integration()).state == IntegrationState.ACTIVE
