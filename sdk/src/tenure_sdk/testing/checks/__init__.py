"""The checks, in the order in which they are run. Importing this package declares them."""

from __future__ import annotations

from tenure_sdk.testing.bench import CHECKS
from tenure_sdk.testing.checks import (
    access,
    actions,
    compatibility,
    cursors,
    declarations,
    deletions,
    failures,
    isolation,
    packaging,
    pushes,
    reconciling,
    settings,
    streams,
    webhooks,
)

__all__ = [
    "access",
    "actions",
    "compatibility",
    "cursors",
    "declarations",
    "deletions",
    "failures",
    "isolation",
    "packaging",
    "pushes",
    "reconciling",
    "settings",
    "streams",
    "webhooks",
]

ORDER = (
    "PKG", "DEC", "CFG", "AUT", "STR", "CUR", "DEL", "SCH", "ERR", "RAT", "WEB", "PUS", "ACT", "REC", "ISO", "CMP",
    "PER",
)  # fmt: skip
"""From what can be seen without running anything to what takes longest."""


def _place(name: str) -> tuple[int, int]:
    group, _, number = name.partition("-")
    return ORDER.index(group), int(number)


for _name in sorted(CHECKS, key=_place):
    CHECKS[_name] = CHECKS.pop(_name)
