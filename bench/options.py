"""What every benchmark is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from bench.generate import Size


@dataclass(frozen=True)
class Options:
    """How much data there is and where it lives, and how long one measurement takes."""

    size: Size
    data: Path
    seconds: float
