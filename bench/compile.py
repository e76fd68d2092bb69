"""How long an operation takes the first time: parsed, validated, costed and planned, with nothing cached."""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING

from api.engine import Ask
from api.reads.operation import Operations
from api.schema import core
from bench.operations import Q1
from bench.report import Report, Verdict

if TYPE_CHECKING:
    from bench.options import Options

MOST = 5.0
_TIMES = 200
_VARIABLES = {"id": "cus_" + "0" * 32}


async def run(_options: Options) -> Report:
    """Compile Q1, which selects more than thirty fields, again and again from its text."""
    fields = Q1.replace("{", " ").replace("}", " ").split()
    assert len(fields) > 30, Ask
    taken = sorted(_compiled() for _ in range(_TIMES))
    median = statistics.median(taken)
    return Report(
        name="compile",
        title="Cold compile of an operation",
        columns=["operation", "median ms", "95th percentile ms", "worst ms"],
        rows=[["Q1: 45 fields, 3 statements", median, taken[int(_TIMES * 0.95)], taken[-1]]],
        verdicts=[Verdict("milliseconds to parse, validate and plan an operation of 30 fields", median, at_most=MOST)],
    )


def _compiled() -> float:
    """Milliseconds from the text to the plan, in a process that is warm and caches that are empty."""
    operations = Operations(core)
    begin = time.perf_counter()
    operation = operations.find(Q1, None)
    operations.plan(operation, operations.coerced(operation, _VARIABLES))
    return (time.perf_counter() - begin) * 1000
