"""What pytest was asked to do, for whatever is not told by it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

config: pytest.Config | None = None
"""The configuration of the session that runs."""


def is_shipping() -> bool:
    """Whether the reports that ship are written anew."""
    return config is not None and bool(config.getoption("--ship"))
