"""What nested fragments cost: few bytes that would be visited exponentially often by whoever follows every spread."""

from __future__ import annotations

import statistics
import time
from itertools import pairwise
from typing import TYPE_CHECKING

from api.problems import RequestRefused
from api.reads.operation import Operations
from api.schema import core
from bench.report import Report, Verdict

if TYPE_CHECKING:
    from bench.options import Options

MOST = 50.0
_SIZE = 651
_TIMES = 50


async def run(_options: Options) -> Report:
    """Refuse the same document again and again; nothing is remembered of a refused one."""
    document = nested_fragments()
    taken = sorted(_refused(document) for _ in range(_TIMES))
    return Report(
        name="fragments",
        title="Nested fragments",
        columns=["document", "bytes", "median ms", "worst ms"],
        rows=[["20 fragments that each spread the next one twice", len(document), statistics.median(taken), taken[-1]]],
        verdicts=[Verdict("milliseconds of CPU to refuse 651 bytes of nested fragments", taken[-1], at_most=MOST)],
    )


def nested_fragments() -> str:
    """A document in which each fragment spreads the next one twice: 2**20 visits for the naive."""
    names = "abcdefghijklmnopqrstu"
    fragments = (f"fragment {outer} on Query{{...{inner} ...{inner}}}" for outer, inner in pairwise(names))
    return ("{...a}" + "".join(fragments) + "fragment u on Query{__typename}").ljust(_SIZE)


def _refused(document: str) -> float:
    """Milliseconds of CPU until it is refused. Raises RuntimeError when it is not."""
    operations = Operations(core)
    begin = time.thread_time()
    try:
        operations.find(document, None)
    except RequestRefused:
        return (time.thread_time() - begin) * 1000
    raise RuntimeError("Nested fragments were not refused.")
