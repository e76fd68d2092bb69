"""What the matrices found is kept in a table: the last of each test, size and seed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import orjson
import pytest

from tests import results

if TYPE_CHECKING:
    from pathlib import Path


def report(outcome: Literal["passed", "failed"], kills: int, seed: int) -> pytest.TestReport:
    """One run of a matrix that took two minutes."""
    return pytest.TestReport(
        "tests/faults/test_kill_sync.py::test_kills_anywhere", ("", None, ""), {"slow": 1}, outcome, None, "call",
        user_properties=[("seed", seed), ("kills", kills), ("commit", 21)], start=0, stop=120, duration=119.7,
    )  # fmt: skip


def test_the_last_run_of_each_size_and_seed_is_kept(tmp_path: Path) -> None:
    results.keep([report("failed", 60, 7), report("passed", 60, 8)], tmp_path)
    results.keep([report("passed", 60, 7), report("failed", 500, 7)], tmp_path)
    kept = orjson.loads((tmp_path / "faults.json").read_bytes())
    when = "1970-01-01 00:02"
    assert kept["rows"] == [
        ["kills anywhere", "500 kills, 21 commit", "7", "failed", when, 120],
        ["kills anywhere", "60 kills, 21 commit", "7", "passed", when, 120],
        ["kills anywhere", "60 kills, 21 commit", "8", "passed", when, 120],
    ]
    assert kept["verdicts"][0]["measured"] == 1
