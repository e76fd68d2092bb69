"""`python -m bench`: measures what is promised and writes the figures to bench/results."""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import uvloop

from bench.generate import SIZES, Size
from bench.options import Options

if TYPE_CHECKING:
    from bench.report import Report

BENCHMARKS = ("reads", "landing", "sync", "compile", "fragments", "models", "analysis", "settling", "start")
"""The modules of this package that measure something: each has `async def run(options) -> Report`."""


def main() -> int:
    """Run what was asked for; fails when a promise is missed."""
    parser = argparse.ArgumentParser(prog="bench", description="Measure what is promised.")
    parser.add_argument("benchmarks", nargs="*", default=BENCHMARKS, metavar="benchmark", help=", ".join(BENCHMARKS))
    parser.add_argument("--size", choices=SIZES, default="full", help="how much data (full: 200,000 customers)")
    parser.add_argument("--customers", type=int, help="how many customers, instead of a size")
    parser.add_argument("--data", type=Path, default=Path("var/bench"), help="where the database lives")
    parser.add_argument("--seconds", type=float, default=4.0, help="how long one measurement takes")
    parser.add_argument("--results", type=Path, default=Path("bench/results"), help="where the figures go")
    given = parser.parse_args()
    if unknown := set(given.benchmarks) - set(BENCHMARKS):
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}")
    options = Options(Size(given.customers or SIZES[given.size]), given.data, given.seconds)
    reports = [_published(name, options, given.results) for name in given.benchmarks]
    return 0 if all(report.holds for report in reports) else 1


def _published(name: str, options: Options, results: Path) -> Report:
    report: Report = uvloop.run(importlib.import_module(f"bench.{name}").run(options))
    report.publish(results)
    return report


if __name__ == "__main__":
    sys.exit(main())
