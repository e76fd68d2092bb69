"""Models of buying: what it costs to fit BG/NBD on 100,000 customers, and whether it finds whence they were drawn."""

from __future__ import annotations

import resource
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.report import Report, Verdict
from domain.metrics.clv import bgnbd, mbgnbd, pnbd
from domain.metrics.clv.fitting import Histories, fit_buying

if TYPE_CHECKING:
    from bench.options import Options

CUSTOMERS = 100_000
SECONDS, MEGABYTES = 10.0, 500.0
TRUTH = (0.243, 4.414, 0.793, 2.426)


async def run(options: Options) -> Report:
    """Fit BG/NBD, and the two others beside it, on customers who were drawn from BG/NBD."""
    customers = min(CUSTOMERS, options.size.customers)
    rows: list[tuple[str, str, float, float, float]] = []
    for model in (bgnbd, mbgnbd, pnbd):
        drawn = simulated(customers, seed=3)
        began = time.process_time()
        found = fit_buying(model, Histories.of(*drawn))
        parameters = " ".join(f"{each:.3f}" for each in found.parameters)
        rows.append((model.KIND, parameters, found.log_likelihood, time.process_time() - began, _megabytes()))
    return Report(
        "models",
        f"Models of buying, fitted on {customers:,} customers",
        ("model", "parameters", "log-likelihood", "CPU seconds", "MB at most so far"),
        rows,
        [
            Verdict("CPU seconds to fit BG/NBD", rows[0][3], at_most=SECONDS),
            Verdict("megabytes, the whole process", rows[0][4], at_most=MEGABYTES),
        ],
        notes=[f"The customers were drawn from BG/NBD with {' '.join(map(str, TRUTH))}."],
    )


def simulated(customers: int, seed: int) -> tuple[Any, Any, Any]:
    """x, t_x and T of customers who came over 12 weeks and are seen 27 to 39 weeks later, drawn from BG/NBD."""
    rng = np.random.default_rng(seed)
    r, alpha, a, b = TRUTH
    seen = rng.integers(27 * 7, 39 * 7, customers) / 7
    rate, stops = rng.gamma(r, 1 / alpha, customers), rng.beta(a, b, customers)
    x, last = np.zeros(customers), np.zeros(customers)
    active, moment = np.arange(customers), np.zeros(customers)
    while len(active):
        moment[active] += rng.exponential(1, len(active)) / np.maximum(rate[active], 1e-300)
        active = active[moment[active] <= seen[active]]
        x[active] += 1
        last[active] = moment[active]
        active = active[rng.random(len(active)) >= stops[active]]
    return x, np.minimum(np.ceil(last * 7) / 7, seen), seen


def _megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
