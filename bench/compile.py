"""How long an operation takes the first time: parsed, validated, costed and planned, with nothing cached."""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING

from api.reads.operation import Operations
from api.schema import core
from bench.report import Report, Verdict
from cli import serving

if TYPE_CHECKING:
    from bench.options import Options

OPERATION = """query Customer($id: ID!, $after: String) { customer(by: {id: $id}) {
  id kind displayName emails { address } phones { number } organisation { id displayName }
  stage(lifecycle: "buyer") { visit enteredAt stage { key name } }
  timeline(first: 20, after: $after) { edges { cursor node { id kind occurredAt } } pageInfo { endCursor } }
  orderTotals { orders net { amount } }
} }"""
"""An operation of 30 fields, in two statements."""

MOST = 5.0
_TIMES = 200
_VARIABLES = {"id": "cus_" + "0" * 32}


async def run(_options: Options) -> Report:
    """Compile the operation again and again from its text."""
    serving.rest()
    taken = sorted(_compiled() for _ in range(_TIMES))
    median = statistics.median(taken)
    return Report(
        name="compile",
        title="Cold compile of an operation",
        columns=["operation", "median ms", "95th percentile ms", "worst ms"],
        rows=[["30 fields, 2 statements", median, taken[int(_TIMES * 0.95)], taken[-1]]],
        verdicts=[
            Verdict("milliseconds of CPU to parse, validate and plan an operation of 30 fields", median, at_most=MOST)
        ],
    )


def _compiled() -> float:
    """Milliseconds of CPU from the text to the plan, in a process that is warm and caches that are empty."""
    operations = Operations(core)
    begin = time.thread_time()
    operation = operations.find(OPERATION, None)
    operations.plan(operation, operations.coerced(operation, _VARIABLES))
    return (time.thread_time() - begin) * 1000
