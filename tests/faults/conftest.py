"""What the matrices of faults share."""

from __future__ import annotations

import pytest


@pytest.fixture
def at_full_size(request: pytest.FixtureRequest) -> None:
    """What takes minutes runs by `make faults` only."""
    if not request.config.getoption("--full-size"):
        pytest.skip("it takes minutes: make faults runs it")
