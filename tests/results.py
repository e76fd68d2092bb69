"""What the matrices found at full size is kept beside the figures of the benchmarks: bench/results/faults."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from bench.report import Report, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pytest

RESULTS = Path(__file__).parents[1] / "bench" / "results"


COLUMNS = ("what", "how many", "seed", "", "when", "seconds")


def keep(reports: Iterable[pytest.TestReport], results: Path = RESULTS) -> None:
    """Write what ran, in the place of what the same test found at the same size and with the same seed before."""
    rows = {_key(row): row for row in _before(results / "faults.json")}
    rows |= {_key(row): row for row in map(_row, reports)}
    if not rows:
        return
    failed = sum("passed" not in row for row in rows.values())
    Report(
        name="faults", title="The matrices of faults at full size", columns=COLUMNS,
        rows=[rows[key] for key in sorted(rows)], verdicts=[Verdict("runs that failed", failed, at_most=0)],
    ).publish(results)  # fmt: skip


def _row(report: pytest.TestReport) -> list[Any]:
    name = report.nodeid.rpartition("::")[2].removeprefix("test_").replace("_", " ")
    told = dict(report.user_properties)
    seed = str(told.pop("seed", ""))
    size = ", ".join(f"{value} {what}" for what, value in told.items())
    ended = datetime.fromtimestamp(report.stop, UTC)
    return [name, size, seed, report.outcome, f"{ended:%Y-%m-%d %H:%M}", round(report.duration)]


def _key(row: list[Any]) -> tuple[str, str, str]:
    return row[0], row[1].partition(",")[0], row[2]


def _before(kept: Path) -> list[list[Any]]:
    return orjson.loads(kept.read_bytes())["rows"] if kept.exists() else []
