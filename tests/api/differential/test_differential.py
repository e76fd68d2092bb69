"""The three ways agree, whatever is asked; and each of the planted faults would be found."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.api.differential.faults import FAULTS
from tests.api.differential.shrinking import shrink

if TYPE_CHECKING:
    from collections.abc import Callable

    from domain.core.database import Database
    from tests.api.differential.faults import Fault
    from tests.api.differential.generator import Operation
    from tests.api.differential.ways import Ways

MORE = 40
"""How many further portions may be asked until everything is reached."""


DRAWS = 1, 2, 3
"""Seeds that look for a planted fault, one after the other: a grown schema may be asked what shows it later."""


@pytest.mark.slow
async def test_the_three_ways_agree(
    ways: Callable[..., Ways], operations: int, seed: int, record_property: Callable[[str, object], None]
) -> None:
    record_property("operations", operations)
    asked = ways(seed)
    found = await asked.run(operations)
    for _ in range(MORE):
        if found is None and asked.coverage.gaps():  # a grown schema may need some more
            found = await asked.run(operations // 10)
    if found is not None:
        number, operation, difference = found
        small = await shrink(operation, asked.engine.schema, lambda one: _fails(asked, one))
        told = f"seed {seed}, operation {number}: {difference}\nmade small: {await asked.judged(small)}\n{small}"
        pytest.fail(told, pytrace=False)
    assert asked.invalid < operations / 20
    assert asked.coverage.gaps() == {}


@pytest.mark.parametrize("plant", FAULTS, ids=lambda fault: fault.__name__)
async def test_a_planted_fault_is_found(
    ways: Callable[..., Ways], unwalled: Database, operations: int, plant: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the fault is a lost predicate, row-level security is off: one wall must not hide that the other fell."""
    draws = [ways(seed, at=unwalled, compares_slow=False) for seed in DRAWS]
    plant(monkeypatch)
    for asked in draws:
        if await asked.run(operations) is not None:
            return
    pytest.fail(f"{plant.__name__} was not found by {operations} operations of any of {len(draws)} seeds")


async def test_nothing_is_found_where_nothing_is_planted(ways: Callable[..., Ways], unwalled: Database) -> None:
    """Seeds that were made ready together know nothing of each other's operations."""
    for asked in [ways(seed, at=unwalled, compares_slow=False) for seed in DRAWS]:
        assert await asked.run(50) is None


async def _fails(asked: Ways, operation: Operation) -> bool:
    return await asked.judged(operation) is not None
