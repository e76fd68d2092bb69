"""Did it make things better: sealed baselines, waiting windows, comparisons and verdicts."""

from __future__ import annotations
