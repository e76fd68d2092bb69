"""What a benchmark found: a table for the terminal, and the same as Markdown and JSON for the record."""

from __future__ import annotations

import os
import platform
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

import orjson
import psutil

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

Cell = str | int | float | None


@dataclass(frozen=True)
class Verdict:
    """One promise: what was measured, and what it has to be."""

    promise: str
    measured: float
    at_least: float | None = None
    at_most: float | None = None

    @property
    def holds(self) -> bool:
        """Whether the promise is kept."""
        return (self.at_least is None or self.measured >= self.at_least) and (
            self.at_most is None or self.measured <= self.at_most
        )

    def __str__(self) -> str:
        bound = f"at least {self.at_least:g}" if self.at_least is not None else f"at most {self.at_most:g}"
        return f"{'kept' if self.holds else 'MISSED'}: {self.promise}: {self.measured:.3g} ({bound})"


@dataclass(frozen=True)
class Report:
    """The figures of one benchmark. `name` is that of its files; `attachments` are further files, by ending."""

    name: str
    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    verdicts: Sequence[Verdict] = ()
    conditions: Mapping[str, Cell] = field(default_factory=dict)
    notes: Sequence[str] = ()
    attachments: Mapping[str, str] = field(default_factory=dict)

    @property
    def holds(self) -> bool:
        """Whether every promise is kept."""
        return all(verdict.holds for verdict in self.verdicts)

    @property
    def table(self) -> str:
        """The figures in columns."""
        cells = [[_spelled(cell) for cell in row] for row in (self.columns, *self.rows)]
        widths = [max(len(row[at]) for row in cells) for at in range(len(self.columns))]
        lines = [
            "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
            for row in cells
        ]
        lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
        return "\n".join(lines)

    @property
    def markdown(self) -> str:
        """The whole report."""
        conditions = [f"- {key}: {_spelled(value)}" for key, value in {**self.conditions, **machine()}.items()]
        parts = [f"# {self.title}", self.table, "\n".join(f"- {verdict}" for verdict in self.verdicts)]
        parts += [
            *self.notes,
            "Measured under these conditions; only ratios can be compared between machines.",
            "\n".join(conditions),
        ]
        return "\n\n".join(part for part in parts if part) + "\n"

    def publish(self, results: Path) -> None:
        """Print the table and write the files."""
        print(f"\n{self.title}\n\n{self.table}\n", *map(str, self.verdicts), sep="\n")
        results.mkdir(parents=True, exist_ok=True)
        kept = {**asdict(self), "machine": machine()}
        kept.pop("attachments")
        (results / f"{self.name}.json").write_bytes(orjson.dumps(kept, option=orjson.OPT_INDENT_2) + b"\n")
        (results / f"{self.name}.md").write_text(self.markdown)
        for ending, text in self.attachments.items():
            (results / f"{self.name}.{ending}").write_text(text)


def machine() -> dict[str, Cell]:
    """What it was measured on."""
    return {
        "processors": os.cpu_count(),
        "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }


def _spelled(cell: Cell) -> str:
    if isinstance(cell, float):
        return f"{cell:,.0f}" if abs(cell) >= 100 else f"{cell:.2f}"
    return f"{cell:,}" if isinstance(cell, int) else str(cell if cell is not None else "")
